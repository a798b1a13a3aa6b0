"""What turns packets of Socket.IO into messages of Engine.IO and back: the `parser` option is one of these.

Both sides have to use the same one. Ours are `DefaultParser` (packet.py) and `MsgpackParser` (msgpack_codec.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from txsocketio.protocol.packet import Packet
from txsocketio.types import Json


class Decoder(Protocol):
    """Makes packets out of the messages of one connection."""

    @property
    def incomplete(self) -> Packet | None:
        """The packet that has begun and whose binary messages are still to come."""

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
