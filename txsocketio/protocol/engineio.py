"""Engine.IO protocol v4: packets, and the payloads that long-polling carries them in.

    packet    4hello      a digit that says what it is, then its text
              bAQID       a binary message in base64 (as a WebSocket frame of its own: the bare bytes)
    payload   4hello<1E>bAQID<1E>2

Binary messages have no digit and no other kind than "message", so they are `bytes` here and everything else is `str`.
Source: Engine.IO protocol v4, "Packet encoding"; https://github.com/socketio/engine.io-protocol
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Iterator, Sequence

from txsocketio.errors import PacketError
from txsocketio.protocol.json_codec import dumps

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"

_TYPES = frozenset((OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP))
_BASE64 = "b"
_SEPARATOR = b"\x1e"


def encode_open(
    sid: str, upgrades: Sequence[str], ping_interval: float, ping_timeout: float, max_payload: int
) -> bytes:
    """The packet that tells a client its session id and the terms; durations in seconds, the size in bytes."""
    terms = {
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": round(ping_interval * 1000),
        "pingTimeout": round(ping_timeout * 1000),
        "maxPayload": max_payload,
    }
    return b"0" + dumps(terms)


def encode_payload(packets: Sequence[bytes]) -> bytes:
    """Join packets into one long-polling body; binary ones must already be base64 with a leading "b"."""
    return _SEPARATOR.join(packets)


def decode_payload(body: bytes) -> Iterator[str | bytes]:
    """Iterate over the packets of a long-polling body: texts with their digit, and binary messages.

    One packet is decoded at a time: those before a bad one have been handed over when it is found.

    Raises:
        PacketError: at the first packet that cannot be decoded; nothing behind it is looked at.
    """
    begin = 0
    while (end := body.find(_SEPARATOR, begin)) >= 0:
        yield _decode_packet(body[begin:end])
        begin = end + 1
    yield _decode_packet(body[begin:])


def _decode_packet(packet: bytes) -> str | bytes:
    try:
        text = packet.decode()
    except UnicodeDecodeError:
        raise PacketError("invalid UTF-8 in a payload") from None
    return decode_text_frame(text)


def decode_text_frame(text: str) -> str | bytes:
    """The packet in a text: itself, or the binary message that it carries in base64.

    Raises:
        PacketError: it is empty, of an unknown type, or its base64 is not.
    """
    kind = text[:1]
    if kind in _TYPES:
        return text
    if kind != _BASE64:
        raise PacketError(f"unknown engine packet type {kind!r}")
    try:
        return a2b_base64(text[1:], strict_mode=True)
    except ValueError:
        raise PacketError("invalid base64") from None
