"""One message on its way out, encoded once for everybody who gets it.

        Outgoing                 text  2["news",{"_placeholder":true,"num":0}]     attachments  (b"...",)
           |
           |-- frames()          WebSocket: the text frame and one binary frame each, in one piece
           '-- packets()         long-polling: "4" + text, "b" + base64 of each attachment

A broadcast hands the same object to every session; whichever form is asked for first is built once and kept.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import chain

from txsocketio.protocol.frame import BINARY, TEXT, encode_frame

#: Bytes that a message takes besides its content (`sys.getsizeof` of the objects, CPython 3.11).
OVERHEAD = 128


class Outgoing:
    """A message of Engine.IO: a text, binary attachments, or one behind the other.

    Args:
        text: UTF-8, without the leading "4" of Engine.IO; None when the message is binary only.
        attachments: each is a binary message of its own, sent right behind the text.
        compress: whether a transport that can compress should.
        volatile: whether to drop it when the client cannot take it right now.
    """

    __slots__ = ("text", "attachments", "compress", "volatile", "_frames", "_packets")

    def __init__(
        self,
        text: bytes | None,
        attachments: Sequence[bytes] = (),
        compress: bool = True,
        volatile: bool = False,
    ) -> None:
        self.text = text
        self.attachments = attachments
        self.compress = compress
        self.volatile = volatile
        self._frames: bytes | None = None
        self._packets: list[bytes] | None = None

    @classmethod
    def packet(cls, packet: bytes) -> Outgoing:
        """A packet of Engine.IO's own, such as a ping: its type digit and data."""
        outgoing = cls(None, compress=False)
        outgoing._frames = encode_frame(TEXT, packet)
        outgoing._packets = [packet]
        return outgoing

    @property
    def size(self) -> int:
        """About as many bytes as it keeps while it waits; an empty message is not free either."""
        size = OVERHEAD if self.text is None else OVERHEAD + len(self.text)
        return size + sum(map(len, self.attachments)) if self.attachments else size

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """The WebSocket messages with the first byte of their frames."""
        if self.text is not None:
            yield TEXT, b"4" + self.text
        for data in self.attachments:
            yield BINARY, data

    def frames(self) -> bytes:
        """All WebSocket frames of the message in one piece, uncompressed. Hot path."""
        frames = self._frames
        if frames is None:
            if self.text is not None and not self.attachments:
                frames = encode_frame(TEXT, b"4" + self.text)
            else:
                frames = b"".join([encode_frame(head, payload) for head, payload in self.messages()])
            self._frames = frames
        return frames

    def packets(self) -> list[bytes]:
        """The packets of a long-polling payload. Source: Engine.IO protocol v4, "Packet encoding"."""
        packets = self._packets
        if packets is None:
            packets = [] if self.text is None else [b"4" + self.text]
            packets += [b"b" + b64encode(data) for data in self.attachments]
            self._packets = packets
        return packets


class Bundle(Outgoing):
    """Several messages that leave together, one right behind the other."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[Outgoing]) -> None:
        attachments = [data for part in parts for data in part.attachments]
        super().__init__(None, attachments, compress=any(part.compress for part in parts))
        self._parts = parts

    @property
    def size(self) -> int:
        return sum(part.size for part in self._parts)

    def messages(self) -> Iterator[tuple[int, bytes]]:
        return chain.from_iterable(part.messages() for part in self._parts)

    def frames(self) -> bytes:
        return b"".join([part.frames() for part in self._parts])

    def packets(self) -> list[bytes]:
        return [packet for part in self._parts for packet in part.packets()]
