"""Socket.IO packets in MessagePack: what the npm package socket.io-msgpack-parser sends and understands.

A packet is one binary message: a map with "type", "data", "nsp", and "id" if there is one. Bytes stand in it where they
belong, so BINARY_EVENT and BINARY_ACK do not exist. What JavaScript has beyond the types of MessagePack comes as
extension type 0:

    d4 00 00              undefined, read as None
    d7 00 <8 bytes>       Date, milliseconds since 1970, read as a datetime in UTC
    c7 <length> 00 ...    ArrayBuffer, read as bytes (behind c8 and c9 stand longer lengths)

An ArrayBuffer of one byte is not undefined and one of eight is no Date, but the library msgpack tells only the type and
the content of an extension, not how it began. Where a message can have such a buffer, that is read here first.

Refused are the names of events that the default encoding refuses, keys of maps that are no texts, what is nested too
deeply, and extensions of other types, which no client sends.
Source: socket.io-msgpack-parser 3.0, notepack.io 2.2; https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import orjson
from msgpack import ExtType, Packer, unpackb

from txsocketio.errors import PacketError, UnserializableData
from txsocketio.protocol.json_codec import dumps, loads
from txsocketio.protocol.packet import ACK, BINARY_ACK, BINARY_EVENT, EVENT, Packet
from txsocketio.protocol.parser import checked_packet
from txsocketio.types import Json

_JAVASCRIPT = 0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# The first byte of a value is its head. Behind the heads of these stands a length, in so many bytes:
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_WIDTHS = _BYTES | _ARRAYS | _MAPS | _EXTENSIONS

# The heads of these extensions stand for a length themselves.
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_TIMESTAMP = 0xFF

# What else there is. Taken in one go: 100 000 floats 34 -> 9 ms (CPython 3.11).
_SIMPLE = re.compile(
    rb"(?:[\x00-\xa0\xc0-\xc3\xe0-\xff]++"  # small numbers, null, booleans, heads of short arrays and maps
    rb"|[\xcc\xd0].|[\xcd\xd1]..|[\xca\xce\xd2].{4}|[\xcb\xcf\xd3].{8}"  # numbers
    + b"".join(b"|%c.{%d}" % (0xA0 + length, length) for length in range(1, 32))  # short texts
    + rb")++",
    re.DOTALL,
)


class MsgpackParser:
    """The encoding of the npm package socket.io-msgpack-parser."""

    __slots__ = ("_pack",)

    def __init__(self) -> None:
        # Kept: making one takes as long as packing a small event, 1.65 -> 0.79 us together (CPython 3.11).
        self._pack: Callable[[Json], bytes] = Packer(default=_known).pack

    def encode(self, type: int, namespace: str, id: int | None, data: Json) -> tuple[None, list[bytes]]:
        """The packet as one binary message, and no text.

        Raises:
            UnserializableData: something in `data` has no form on the wire.
        """
        fields = {"type": type, "data": data, "nsp": namespace}
        if data is None:
            del fields["data"]  # clients tell undefined, which a DISCONNECT must have, from null
        if id is not None:
            fields["id"] = id
        try:
            return None, [self._pack(fields)]
        except (TypeError, ValueError, OverflowError) as error:
            raise UnserializableData(str(error)) from None

    def decoder(self) -> MsgpackDecoder:
        """A decoder for one connection."""
        return MsgpackDecoder()


class MsgpackDecoder:
    """Makes packets out of the messages of one connection, each of which is one."""

    __slots__ = ()

    incomplete: None = None

    def add(self, message: str | bytes) -> Packet:
        """The packet that the message is.

        Raises:
            PacketError: the protocol or a limit does not allow the message; the connection has to be closed.
        """
        if isinstance(message, str):
            raise PacketError("got plaintext data instead of a packet")
        return decode(message)


class OldMsgpackDecoder(MsgpackDecoder):
    """The same for clients of Socket.IO 2: joining and leaving is JSON, and binary has types of its own."""

    __slots__ = ()

    def add(self, message: str | bytes) -> Packet:
        fields = loads(message) if isinstance(message, str) else _unpack(message)
        if type(fields) is not dict:
            raise PacketError("invalid format")
        kind = fields.get("type")
        if kind in (BINARY_EVENT, BINARY_ACK):
            kind = EVENT if kind == BINARY_EVENT else ACK
        return checked_packet(kind, fields.get("nsp"), fields.get("id"), fields.get("data"))


def decode(message: bytes) -> Packet:
    """The packet that the message is.

    Raises:
        PacketError: the protocol does not allow it.
    """
    get = _unpack(message).get
    return checked_packet(get("type"), get("nsp"), get("id"), get("data"))


def _known(value: object) -> Json:
    """What the library can write, for what it cannot."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        milliseconds = (value - _EPOCH) // _MILLISECOND
        return ExtType(_JAVASCRIPT, milliseconds.to_bytes(8, "big", signed=True))
    return orjson.loads(dumps(value))  # what only JSON has a form for gets that one


def _unpack(message: bytes) -> dict[str, Json]:
    """The fields of a packet; none when it is no map."""
    if _may_announce_too_much(message) and _announces_too_much(message):
        raise PacketError("invalid format")
    try:
        value = unpackb(message, ext_hook=_hook(message), timestamp=3)
    except (ValueError, OverflowError):
        raise PacketError("invalid format") from None
    return value if type(value) is dict else {}


# --- the types of JavaScript ---


def _hook(message: bytes) -> Callable[[int, bytes], Json]:
    """What makes values of the extensions in a message, to be called with one after the other."""
    if b"\xc7" not in message or (b"\xc7\1\0" not in message and b"\xc7\x08\0" not in message):
        return _value
    fixed = _fixed(message)
    return lambda code, content: _value(code, content) if next(fixed) or code else content


def _fixed(message: bytes) -> Iterator[bool]:
    """Of each extension that the library leaves to us, whether its head stands for its length."""
    for head, _, begin in _heads(message):
        is_fixed = head in _FIXED_EXTENSIONS
        if (is_fixed or head in _EXTENSIONS) and message[begin - 1] != _TIMESTAMP:
            yield is_fixed


def _value(code: int, content: bytes) -> Json:
    """The value of an extension; the length of its content tells which type of JavaScript it is."""
    if code != _JAVASCRIPT:
        raise ValueError(f"unknown extension type {code}")
    if len(content) == 8:
        return _EPOCH + int.from_bytes(content, "big", signed=True) * _MILLISECOND
    return None if len(content) == 1 else content


# --- arrays that announce more than there is ---


def _may_announce_too_much(message: bytes) -> bool:
    """Whether so many bytes look like heads of arrays that they could announce a million elements.

    The library sets room aside for what is announced: 10 kB of nothing but heads, each in the array of the one before,
    would cost 170 ms (msgpack 1.2.4, CPython 3.11).
    """
    size = len(message)
    return size > 300 and (message.count(b"\xdc") + message.count(b"\xdd")) * max(size, 10_000) > 1_000_000


def _announces_too_much(message: bytes) -> bool:
    """Whether all arrays together say that they have more elements than the message has bytes."""
    room = len(message)
    for head, length, _ in _heads(message):
        if head in _ARRAYS:
            room -= length
            if room < 0:
                return True
    return False


def _heads(message: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each value that is not simple: its head, its length, and where its content begins."""
    position = 0
    while position < len(message):
        head = message[position]
        if head in _WIDTHS:
            begin = position + 1 + _WIDTHS[head]
            length = int.from_bytes(message[position + 1 : begin], "big")
            begin += head in _EXTENSIONS  # its type
        elif head in _FIXED_EXTENSIONS:
            begin, length = position + 2, _FIXED_EXTENSIONS[head]
        elif simple := _SIMPLE.match(message, position):
            position = simple.end()
            continue
        else:
            return  # it is cut off
        yield head, length, begin
        position = begin if head in _ARRAYS or head in _MAPS else begin + length
