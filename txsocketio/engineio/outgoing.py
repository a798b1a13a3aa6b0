"""One message on its way out, encoded once for everybody who gets it.

        Outgoing                 text  2["news",{"_placeholder":true,"num":0}]     attachments  (b"...",)
           |
           |-- frames()          WebSocket: the text frame and one binary frame each, in one piece
           '-- packets()         long-polling: "4" + text, "b" + base64 of each attachment

A broadcast hands the same object to every session; whichever form is asked for first is built once and kept.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from txsocketio.protocol.frame import BINARY, TEXT, encode_frame


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

    def frames(self) -> bytes:
        """All WebSocket frames of the message in one piece, uncompressed. Hot path."""
        frames = self._frames
        if frames is None:
            frames = b"" if self.text is None else encode_frame(TEXT, b"4" + self.text)
            for data in self.attachments:
                frames += encode_frame(BINARY, data)
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
