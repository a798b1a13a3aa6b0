"""Engine.IO protocol v3, of the clients of Socket.IO 2: packets, and the payloads that long-polling carries them in.

    packet            4hello                     as in v4
                      b4AQID                     a binary message in base64
                      <4> 1 2 3                  a binary message, as a WebSocket frame or in a binary payload
    payload           6:4hello6:b4AQID1:2        lengths in units of UTF-16, as JavaScript counts them
    binary payload    <0> <6> <255> 4hello       the kind (0 text, 1 binary), the length, 255;
                      <1> <4> <255> <4> 1 2 3    the length is in bytes, each of its decimal digits a byte

A payload is binary only if something in it is, and the client has not asked for base64 by `b64=1`. Only messages can be
binary. On their way out packets have the forms of v4, and those of v3 are made of them here.
Source: Engine.IO protocol v3, "Encoding"; https://github.com/socketio/engine.io-protocol/tree/v3
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterator, Sequence

from txsocketio.errors import PacketError
from txsocketio.protocol import engineio
from txsocketio.protocol.engineio import MESSAGE

#: What a binary message begins with.
BINARY_MESSAGE = b"\4"

_BASE64 = b"b"
_TEXT_KIND, _BINARY_KIND = b"\0", b"\1"
_END_OF_HEAD = b"\xff"

_HEAD = re.compile(rb"((?:[0-9]\0){1,15}):\0")  # in UTF-16
_BINARY_HEAD = re.compile(rb"([\0\1])([\0-\x09]{1,15})\xff")

_TO_DIGITS = bytes.maketrans(bytes(range(10)), b"0123456789")
_FROM_DIGITS = bytes.maketrans(b"0123456789", bytes(range(10)))


def encode_payload(packets: Sequence[bytes]) -> bytes:
    """Join packets into one long-polling body; binary ones must be base64 with a leading "b", as in v4."""
    return b"".join([b"%d:%b" % (_units(packet), packet) for packet in map(_with_type, packets)])


def _with_type(packet: bytes) -> bytes:
    return b"b4" + packet[1:] if packet.startswith(_BASE64) else packet


def _units(packet: bytes) -> int:
    """The length of a text in units of UTF-16."""
    return len(packet) if packet.isascii() else len(packet.decode().encode("utf-16-le")) // 2


def has_binary(packets: Sequence[bytes]) -> bool:
    """Whether a binary payload is to be made of the packets, for a client that understands it."""
    return any(packet.startswith(_BASE64) for packet in packets)


def encode_binary_payload(packets: Sequence[bytes]) -> bytes:
    """Join packets, which are as for `encode_payload`, into one body of the type application/octet-stream."""
    return b"".join(map(_encode_binary, packets))


def _encode_binary(packet: bytes) -> bytes:
    kind = _TEXT_KIND
    if packet.startswith(_BASE64):
        kind, packet = _BINARY_KIND, BINARY_MESSAGE + a2b_base64(packet[1:])
    return b"".join((kind, (b"%d" % len(packet)).translate(_FROM_DIGITS), _END_OF_HEAD, packet))


def decode_payload(body: bytes) -> Iterator[str | bytes]:
    """Iterate over the packets of a long-polling body: texts with their digit, and binary messages.

    One packet is decoded at a time: those before a bad one have been handed over when it is found. Only UTF-8 is looked
    at first, of the whole body.

    Raises:
        PacketError: at the first packet that cannot be decoded; nothing behind it is looked at.
    """
    units = _text(body, "utf-8").encode("utf-16-le")
    if not units:
        raise PacketError("an empty payload")
    end = 0
    while end < len(units):
        head = _HEAD.match(units, end)
        if head is None:
            raise PacketError("invalid length in a payload")
        begin = head.end()
        end = begin + 2 * int(head[1][::2])
        if end > len(units):
            raise PacketError("a payload is shorter than announced")
        if begin < end:  # "0:" is what there is when there is nothing
            yield decode_text_frame(_text(units[begin:end], "utf-16-le"))


def decode_binary_payload(body: bytes) -> Iterator[str | bytes]:
    """Iterate over the packets of a body of the type application/octet-stream; otherwise as `decode_payload`."""
    if not body:
        raise PacketError("an empty payload")
    end = 0
    while end < len(body):
        head = _BINARY_HEAD.match(body, end)
        if head is None:
            raise PacketError("invalid length in a payload")
        begin = head.end()
        end = begin + int(head[2].translate(_TO_DIGITS))
        if end > len(body):
            raise PacketError("a payload is shorter than announced")
        packet = body[begin:end]
        yield decode_binary_frame(packet) if head[1] == _BINARY_KIND else decode_text_frame(_text(packet, "utf-8"))


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise PacketError(f"invalid {encoding} in a payload") from None


def decode_text_frame(text: str) -> str | bytes:
    """The packet in a text: itself, or the binary message that it carries in base64.

    Raises:
        PacketError: it is empty, of an unknown type, or its base64 is not.
    """
    if text[:1] != "b":
        return engineio.decode_text_frame(text)
    if text[1:2] != MESSAGE:
        raise PacketError(f"unknown binary engine packet type {text[1:2]!r}")
    return engineio.decode_text_frame("b" + text[2:])


def decode_binary_frame(data: bytes) -> bytes:
    """The binary message in a packet that is binary.

    Raises:
        PacketError: it is of another type.
    """
    if data[:1] != BINARY_MESSAGE:
        raise PacketError(f"unknown binary engine packet type {data[:1]!r}")
    return data[1:]
