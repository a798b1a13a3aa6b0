"""What turns packets of Socket.IO into messages of Engine.IO and back: the `parser` option of a server.

Server and clients have to use the same. Ours are `DefaultParser` (packet.py) and `MsgpackParser` (msgpack_codec.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from txsocketio.errors import PacketError
from txsocketio.protocol.json_codec import can_be_sent_on
from txsocketio.protocol.packet import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, MAX_ID, Packet, is_event
from txsocketio.types import Json


class Decoder(Protocol):
    """Makes packets out of the messages of one connection."""

    @property
    def incomplete(self) -> Packet | None:
        """The packet that a text has begun, and whose binary messages are still to come."""

    def add(self, message: str | bytes) -> Packet | None:
        """The packet that the message completes, if it does.

        Raises:
            PacketError: it is not allowed; the connection will be closed.
        """


@runtime_checkable
class Parser(Protocol):
    """An encoding of packets."""

    def encode(self, type: int, namespace: str, id: int | None, data: Json) -> tuple[bytes | None, Sequence[bytes]]:
        """The packet as a text, if it has one, and the binary messages that are sent behind it.

        Args:
            type: CONNECT, DISCONNECT, EVENT, ACK or CONNECT_ERROR.
            namespace: begins with "/".
            id: of the acknowledgement that an event asks for, or that this is.
            data: of events (the name first) and acknowledgements a sequence, otherwise a dict or None.

        Raises:
            UnserializableData: something in `data` has no form on the wire.
        """

    def decoder(self) -> Decoder:
        """A decoder for one connection."""


def checked_packet(type: Json, namespace: Json, id: Json, data: Json) -> Packet:
    """The packet with these fields, if a client may send it; they may be anything.

    Raises:
        PacketError: a field is not what it must be, an event has a reserved name, or the data is nested too deeply.
    """
    if type.__class__ is not int or type not in _VALID:
        raise PacketError("invalid packet type")
    if namespace.__class__ is not str or not namespace.startswith("/"):
        raise PacketError("invalid namespace")
    if not (_VALID[type](data) and can_be_sent_on(data, _nothing)):
        raise PacketError("invalid payload")
    if id is not None and not (id.__class__ is int and 0 <= id <= MAX_ID):
        raise PacketError("invalid packet id")
    return Packet(type, namespace, data, id, 0)


_VALID: dict[int, Callable[[Json], bool]] = {
    CONNECT: lambda data: data is None or type(data) is dict,
    DISCONNECT: lambda data: data is None,
    EVENT: lambda data: type(data) is list and is_event(data),
    ACK: lambda data: type(data) is list,
    CONNECT_ERROR: lambda data: type(data) is dict or type(data) is str,
}


def _nothing(_: object) -> None:
    """Stands for bytes while only the shape of the data is looked at."""
