"""A Socket.IO server for Twisted.

::

    from txsocketio import Server

    io = Server()

    @io.on("connection")
    def connected(socket):
        socket.emit("hello", "world")
"""

from txsocketio.engineio.engine import Engine
from txsocketio.engineio.session import Session
from txsocketio.errors import (
    AckTimeout,
    BrokerUnavailable,
    ConnectionRefused,
    Disconnected,
    InvalidNamespace,
    OptionError,
    ReservedEvent,
    TooManyAttachments,
    TxSocketIOError,
    UnserializableData,
    UnsupportedCall,
)
from txsocketio.socketio.broadcast import Broadcast
from txsocketio.socketio.handshake import Handshake
from txsocketio.socketio.namespace import Namespace
from txsocketio.socketio.parent import ParentNamespace
from txsocketio.socketio.remote import RemoteSocket
from txsocketio.socketio.server import Server
from txsocketio.socketio.socket import Reason, Socket

__all__ = [
    "AckTimeout",
    "Broadcast",
    "BrokerUnavailable",
    "ConnectionRefused",
    "Disconnected",
    "Engine",
    "Handshake",
    "InvalidNamespace",
    "Namespace",
    "OptionError",
    "ParentNamespace",
    "Reason",
    "RemoteSocket",
    "ReservedEvent",
    "Server",
    "Session",
    "Socket",
    "TooManyAttachments",
    "TxSocketIOError",
    "UnserializableData",
    "UnsupportedCall",
]
