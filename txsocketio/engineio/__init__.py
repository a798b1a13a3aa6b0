"""Engine.IO: sessions of clients over long-polling and WebSocket, on Twisted."""

from txsocketio.engineio.engine import Engine
from txsocketio.engineio.options import EngineOptions
from txsocketio.engineio.request import Headers, HTTPRequest
from txsocketio.engineio.session import Session

__all__ = ["Engine", "EngineOptions", "HTTPRequest", "Headers", "Session"]
