"""A Socket.IO server for Twisted.

::

    from txsocketio import Server

    io = Server()

    @io.on("connection")
    def connected(socket):
        socket.emit("hello", "world")

What is named here is imported when it is asked for: each command of twistd looks at our plugins, and so comes by here.
With everything imported `twistd --help` takes 0.78 s of CPU instead of 0.27 (CPython 3.11).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txsocketio.cluster.emitter import Emitter
    from txsocketio.engineio.engine import Engine
    from txsocketio.engineio.session import Session
    from txsocketio.errors import (
        AckTimeout,
        BrokerError,
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
    "BrokerError",
    "BrokerUnavailable",
    "ConnectionRefused",
    "Disconnected",
    "Emitter",
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

#: Where each of them is.
_HOMES = {
    "AckTimeout": "errors",
    "Broadcast": "socketio.broadcast",
    "BrokerError": "errors",
    "BrokerUnavailable": "errors",
    "ConnectionRefused": "errors",
    "Disconnected": "errors",
    "Emitter": "cluster.emitter",
    "Engine": "engineio.engine",
    "Handshake": "socketio.handshake",
    "InvalidNamespace": "errors",
    "Namespace": "socketio.namespace",
    "OptionError": "errors",
    "ParentNamespace": "socketio.parent",
    "Reason": "socketio.socket",
    "RemoteSocket": "socketio.remote",
    "ReservedEvent": "errors",
    "Server": "socketio.server",
    "Session": "engineio.session",
    "Socket": "socketio.socket",
    "TooManyAttachments": "errors",
    "TxSocketIOError": "errors",
    "UnserializableData": "errors",
    "UnsupportedCall": "errors",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return value

    def __dir__() -> list[str]:
        return __all__
