"""WebSocket for clients that speak Engine.IO protocol v3: binary messages have a type in front.

        v4    BINARY 1 2 3
        v3    BINARY <4> 1 2 3, or, for a client that asked for it by b64=1: TEXT b4AQID

Texts are the same, so a broadcast without binary is one frame for clients of both versions.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

from txsocketio.engineio.direct import DirectWriter
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.websocket import WebSocket
from txsocketio.protocol.engineio3 import BINARY_MESSAGE, decode_binary_frame, decode_text_frame
from txsocketio.protocol.frame import BINARY, TEXT


class BinaryOutgoing(Outgoing):
    """A message with attachments in the form of v3, for one client."""

    __slots__ = ("_message",)

    def __init__(self, message: Outgoing) -> None:
        super().__init__(None, compress=message.compress)
        self._message = message

    def messages(self) -> Iterator[tuple[int, bytes]]:
        for head, payload in self._message.messages():
            yield (head, payload) if head == TEXT else self.binary(payload)

    def binary(self, data: bytes) -> tuple[int, bytes]:
        """The frame of an attachment: its first byte, and its payload."""
        return BINARY, BINARY_MESSAGE + data


class Base64Outgoing(BinaryOutgoing):
    """The same for a client that can take only text."""

    __slots__ = ()

    def binary(self, data: bytes) -> tuple[int, bytes]:
        return TEXT, b"b4" + b64encode(data)


class WebSocket3(WebSocket):
    """A WebSocket connection of a client that speaks v3."""

    binary_form: type[BinaryOutgoing] = BinaryOutgoing

    def send_outgoing(self, outgoing: Outgoing) -> None:
        super().send_outgoing(self.binary_form(outgoing) if outgoing.attachments else outgoing)

    @staticmethod
    def decode_frame(message: str | bytes) -> str | bytes:
        return decode_text_frame(message) if isinstance(message, str) else decode_binary_frame(message)


class TCPWebSocket3(DirectWriter, WebSocket3):
    """The same over plain TCP."""
