"""Packets in MessagePack, as recorded between the npm packages and as nobody should send them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.test_json_codec import SCALARS, nested
from tests.protocol.test_packet import ARGUMENTS, IDS, NAMES, NAMESPACES, Parts, parts
from txsocketio.errors import PacketError, UnserializableData
from txsocketio.protocol.msgpack_codec import MsgpackParser, decode
from txsocketio.protocol.packet import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, RESERVED_EVENTS
from txsocketio.types import Json


def encoded(type: int, namespace: str, id: int | None, data: Json) -> bytes:
    text, (message,) = MsgpackParser().encode(type, namespace, id, data)
    assert text is None
    return message


def event(arguments: str, count: int) -> bytes:
    """An event "x" with so many arguments, in hexadecimal digits."""
    return bytes.fromhex(f"83 a474797065 02 a464617461 9{1 + count:x} a178 {arguments} a36e7370 a12f")


def arguments(message: bytes) -> list[Json]:
    return decode(message).data[1:]


WHEN = datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)
EIGHT = bytes(range(1, 9))

# Recorded between socket.io 4.8 and socket.io-client 4.8, both with socket.io-msgpack-parser 3.0.2.
RECORDED: dict[str, tuple[str, Parts]] = {
    "connect": (
        "83a47479706500a46461746181a17401a36e7370a12f",
        (CONNECT, "/", None, {"t": 1}),
    ),
    "connect without auth": (
        "83a47479706500a464617461d40000a36e7370a12f",
        (CONNECT, "/", None, None),
    ),
    "connect to a namespace": (
        "83a47479706500a464617461d40000a36e7370a52f6e6f7065",
        (CONNECT, "/nope", None, None),
    ),
    "connected, without recovery": (
        "83a47479706500a46461746182a3736964b4533559616243734e5f534a575447696641414141a3706964d40000a36e7370a12f",
        (CONNECT, "/", None, {"sid": "S5YabCsN_SJWTGifAAAA", "pid": None}),
    ),
    "an event of the server": (
        "83a47479706502a46461746197a466726f6dd4000081a175d40000c708000102030405060708cb3ff8000000000000fd"
        "cf0000010000000000a36e7370a12f",
        (EVENT, "/", None, ["from", None, {"u": None}, EIGHT, 1.5, -3, 2**40]),
    ),
    "an event of the client with a Date and an ArrayBuffer of eight bytes": (
        "85a47479706502a46461746195a26869d40000d7000000018bcfe5687bc708000102030405060708c40109"
        "a76f7074696f6e7381a8636f6d7072657373c3a2696400a36e7370a12f",
        (EVENT, "/", 0, ["hi", None, WHEN, EIGHT, b"\t"]),
    ),
    "an acknowledgement": (
        "84a2696400a47479706503a46461746194a26f6bd40000c40101d7000000018bcfe56800a36e7370a12f",
        (ACK, "/", 0, ["ok", None, b"\x01", WHEN.replace(microsecond=0)]),
    ),
    "disconnect": (
        "82a47479706501a36e7370a12f",
        (DISCONNECT, "/", None, None),
    ),
    "unknown namespace": (
        "83a47479706504a36e7370a52f6e6f7065a46461746181a76d657373616765b1496e76616c6964206e616d657370616365",
        (CONNECT_ERROR, "/nope", None, {"message": "Invalid namespace"}),
    ),
}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_packet_is_read(name: str) -> None:
    recorded, packet = RECORDED[name]
    assert parts(decode(bytes.fromhex(recorded))) == packet
    assert parts(MsgpackParser().decoder().add(bytes.fromhex(recorded))) == packet


# What is sent where JavaScript sends the same values; the order of a map's keys is free.
SENT: dict[str, tuple[Parts, str]] = {
    "an event": ((EVENT, "/", None, ["a", 1]), "83 a474797065 02 a464617461 92 a161 01 a36e7370 a12f"),
    "with an id": ((EVENT, "/n", 3, ["a"]), "84 a474797065 02 a464617461 91 a161 a36e7370 a22f6e a26964 03"),
    "an acknowledgement": ((ACK, "/", 0, ["a"]), "84 a474797065 03 a464617461 91 a161 a36e7370 a12f a26964 00"),
    "null": ((ACK, "/", 0, [None]), "84 a474797065 03 a464617461 91 c0 a36e7370 a12f a26964 00"),
    "disconnect, with undefined": ((DISCONNECT, "/", None, None), "82 a474797065 01 a36e7370 a12f"),
    "connected": (
        (CONNECT, "/", None, {"sid": "a"}),
        "83 a474797065 00 a464617461 81 a3736964 a161 a36e7370 a12f",
    ),
}


@pytest.mark.parametrize("name", SENT)
def test_a_packet_is_sent_as_the_clients_expect_it(name: str) -> None:
    packet, message = SENT[name]
    assert encoded(*packet) == bytes.fromhex(message)
    assert parts(decode(bytes.fromhex(message))) == packet


# An argument on the wire, and what it is for us.
VALUES: dict[str, tuple[str, Json]] = {
    "undefined": ("d4 00 00", None),
    "null": ("c0", None),
    "a Date": ("d7 00 0000018bcfe5687b", WHEN),
    "a Date before 1970": ("d7 00 ffffffffffffffff", datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC)),
    "the last Date": ("d7 00 0000e677d21fdbff", datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
    "an ArrayBuffer of nothing": ("c7 00 00", b""),
    "an ArrayBuffer of one byte": ("c7 01 00 00", b"\0"),
    "an ArrayBuffer of two bytes": ("c7 02 00 0102", b"\1\2"),
    "an ArrayBuffer of eight bytes": ("c7 08 00 0102030405060708", EIGHT),
    "an ArrayBuffer of 300 bytes": ("c8 012c 00" + "61" * 300, b"a" * 300),
    "an ArrayBuffer of 70 000 bytes": ("c9 00011170 00" + "61" * 70_000, b"a" * 70_000),
    "type 0 with a fixed length of 16": ("d8 00" + "61" * 16, b"a" * 16),
    "a Buffer": ("c4 02 0102", b"\1\2"),
    "the timestamp of MessagePack": ("d6 ff 00000001", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    "a timestamp before 1970": ("c7 0c ff 00000000 ffffffffffffffff", datetime(1969, 12, 31, 23, 59, 59, 0, UTC)),
    "-3": ("fd", -3),
    "2^40 as an integer": ("cf 0000010000000000", 2**40),
    "2^40 as a float": ("cb 4270000000000000", 2.0**40),
    "-2^40": ("d3 ffffff0000000000", -(2**40)),
    "the largest integer": ("cf ffffffffffffffff", 2**64 - 1),
    "the smallest integer": ("d3 8000000000000000", -(2**63)),
    "infinity": ("cb 7ff0000000000000", float("inf")),
    "a float of 32 bits": ("ca 3fc00000", 1.5),
    "a text beyond ASCII": ("a4 f09f9880", "😀"),
    "an empty map": ("80", {}),
    "a key of JavaScript": ("81 a9 5f5f70726f746f5f5f 80", {"__proto__": {}}),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_read(name: str) -> None:
    wire, value = VALUES[name]
    (read,) = arguments(event(wire, 1))
    assert (read, type(read)) == (value, type(value))
    assert arguments(encoded(EVENT, "/", None, ["x", read])) == [read]


def test_buffers_and_dates_are_told_apart_wherever_they_stand() -> None:
    """The bytes that begin one may lie in the middle of something else."""
    values = [name for name in VALUES if "ArrayBuffer of" in name or "Date" in name or "undefined" in name]
    decoys = ["c4 05 c708000000", "a4 00000008", "cb c708000000000000", "d6 ff c7080000", "c7 05 00 d70001c708"]
    wires = [wire for name in values for wire in (VALUES[name][0], *decoys)]
    read = arguments(event(f"dc {len(wires):04x} {' '.join(wires)}", 1))[0]
    assert read[:: 1 + len(decoys)] == [VALUES[name][1] for name in values]


def test_a_buffer_of_eight_bytes_may_be_anything() -> None:
    for content in (bytes(8), b"\xff" * 8, b"\xc7\x08\0\xd7\0\xd4\0\0"):
        assert arguments(event("c70800" + content.hex(), 1)) == [content]


@dataclass
class Point:
    """What JSON has a form for."""

    x: int
    y: float


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ((1, 2), [1, 2]),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (WHEN, WHEN),
        (WHEN.astimezone(timezone(timedelta(hours=2))), WHEN),
        (WHEN.replace(microsecond=123_999), WHEN),
        (Point(1, 2.5), {"x": 1, "y": 2.5}),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(2023, 11, 14), "2023-11-14"),
        (WHEN.replace(tzinfo=None), "2023-11-14T22:13:20.123000"),
    ],
)
def test_values_of_python_are_sent(value: Json, arrives: Json) -> None:
    """Whatever the default encoding can send can be sent: what has no form of its own gets the one of JSON."""
    assert arguments(encoded(EVENT, "/", None, ["x", {"a": [value]}])) == [{"a": [arrives]}]


def endless() -> list[Json]:
    value: list[Json] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**64, -(2**63) - 1, "\ud800", endless(), lambda: None])
def test_what_has_no_form_cannot_be_sent(value: Json) -> None:
    """And the parser is as good as before."""
    parser = MsgpackParser()
    with pytest.raises(UnserializableData):
        parser.encode(EVENT, "/", None, ["x", b"before", value])
    assert parser.encode(EVENT, "/", None, ["x"]) == (None, [event("", 0)])


TYPE, NAMESPACE, PAYLOAD, ID = "invalid packet type", "invalid namespace", "invalid payload", "invalid packet id"
FORMAT = "invalid format"


def packed(**fields: Json) -> bytes:
    return msgpack.packb({"type": EVENT, "data": ["x"], "nsp": "/"} | fields)


# Rows 97-100 of the list of hostile input.
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", FORMAT),
    "a byte that means nothing": (b"\xc1", FORMAT),
    "something behind the packet": (packed() + b"\0", FORMAT),
    "a packet that is cut off": (packed()[:-1], FORMAT),
    "a packet that is cut off behind a buffer": (event("c70800" + "00" * 8, 1)[:-3], FORMAT),
    "a buffer that is cut off": (event("", 3)[:-6] + b"\xc7\x08\0\xc7\x08", FORMAT),
    "a map that announces 2^32 - 1": (b"\xdf\xff\xff\xff\xff", FORMAT),
    "an array that announces 2^32 - 1": (b"\xdd\xff\xff\xff\xff", FORMAT),
    "a text that announces 2^32 - 1": (b"\xdb\xff\xff\xff\xff", FORMAT),
    "an extension that announces 2^32 - 1": (b"\xc9\xff\xff\xff\xff\0", FORMAT),
    "arrays 100 000 deep": (event("91" * 100_000 + "c0", 1), FORMAT),
    "maps 100 000 deep": (event("81a161" * 100_000 + "c0", 1), FORMAT),
    "arrays 300 deep": (event("91" * 300 + "c0", 1), PAYLOAD),
    "maps 300 deep": (event("81a161" * 300 + "c0", 1), PAYLOAD),
    "a text that is not UTF-8": (event("a1ff", 1), FORMAT),
    "a surrogate": (event("a3eda080", 1), FORMAT),
    "a key that is a number": (event("810102", 1), FORMAT),
    "a key that is an array": (event("819002", 1), FORMAT),
    "a key that is binary": (event("81c4016102", 1), PAYLOAD),
    "a key that is undefined": (event("81d4000002", 1), FORMAT),
    "an extension of another type": (event("d40100", 1), FORMAT),
    "an extension of a negative type": (event("c70080", 1), FORMAT),
    "an extension of another type, of eight bytes": (event("c70801" + "00" * 8, 1), FORMAT),
    "a Date behind the year 9999": (event("d7000000e677d21fdc00", 1), FORMAT),
    "a Date before the year 1": (event("d700ffffc77cedd327ff", 1), FORMAT),
    "the last Date that there could be": (event("d7007fffffffffffffff", 1), FORMAT),
    "a timestamp of two bytes": (event("d5ff0000", 1), FORMAT),
    "a timestamp behind the year 9999": (event("c70cff000000007fffffffffffffff", 1), FORMAT),
    "an array instead of a packet": (b"\x90", TYPE),
    "a number instead of a packet": (b"\x02", TYPE),
    "a packet without anything": (b"\x80", TYPE),
    "a binary event": (packed(type=5), TYPE),
    "a negative type": (packed(type=-1), TYPE),
    "a type that is a text": (packed(type="2"), TYPE),
    "a type that is a fraction": (packed(type=2.5), TYPE),
    "a type that is a float": (packed(type=2.0), TYPE),
    "a type that is true": (packed(type=True), TYPE),
    "a type that is null": (packed(type=None), TYPE),
    "a type that is a list": (packed(type=[2]), TYPE),
    "a namespace that is a number": (packed(nsp=1), NAMESPACE),
    "a namespace that is binary": (packed(nsp=b"/"), NAMESPACE),
    "a namespace that is null": (packed(nsp=None), NAMESPACE),
    "an empty namespace": (packed(nsp=""), NAMESPACE),
    "a namespace without its slash": (packed(nsp="chat"), NAMESPACE),
    "an id that is a text": (packed(id="1"), ID),
    "an id that is a float": (packed(id=1.0), ID),
    "an id that is true": (packed(id=True), ID),
    "a negative id": (packed(id=-1), ID),
    "an id of 16 digits": (packed(id=10**15), ID),
    "connect with a list": (packed(type=CONNECT, data=[]), PAYLOAD),
    "connect with a text": (packed(type=CONNECT, data="x"), PAYLOAD),
    "disconnect with a payload": (packed(type=DISCONNECT, data={}), PAYLOAD),
    "an error without a payload": (packed(type=CONNECT_ERROR, data=None), PAYLOAD),
    "an error with a list": (packed(type=CONNECT_ERROR, data=[]), PAYLOAD),
    "an acknowledgement with a map": (packed(type=ACK, data={}), PAYLOAD),
    "an acknowledgement without a payload": (packed(type=ACK, data=None), PAYLOAD),
    "an event with a map": (packed(data={"0": "x"}), PAYLOAD),
    "an event with a text": (packed(data="x"), PAYLOAD),
    "an event without a payload": (packed(data=None), PAYLOAD),
    "an event with an empty list": (packed(data=[]), PAYLOAD),
    "an event called null": (packed(data=[None]), PAYLOAD),
    "an event called true": (packed(data=[True]), PAYLOAD),
    "an event called by a map": (packed(data=[{"toString": "x"}]), PAYLOAD),
    "an event called by a list": (packed(data=[["x"]]), PAYLOAD),
    "an event called by bytes": (packed(data=[b"x"]), PAYLOAD),
    "an event called by a Date": (packed(data=[msgpack.ExtType(0, bytes(8))]), PAYLOAD),
} | {f"an event called {name}": (packed(data=[name]), PAYLOAD) for name in sorted(RESERVED_EVENTS)}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_protocol_does_not_allow_is_refused(name: str) -> None:
    message, reason = REFUSED[name]
    with pytest.raises(PacketError) as raised:
        decode(message)
    assert str(raised.value) == reason


def test_a_text_is_refused() -> None:
    """A client with the default encoding is told apart at its first message."""
    with pytest.raises(PacketError):
        MsgpackParser().decoder().add("0")


def test_nothing_is_ever_awaited() -> None:
    assert MsgpackParser().decoder().incomplete is None


TOLERATED = {
    "other fields": packed(options={"compress": True}, more=[b"1"]),
    "an id that is null": packed(id=None),
    "an id that is undefined": packed(id=msgpack.ExtType(0, b"\0")),
    "the same field twice": b"\x84\xa4type\5\xa4type\2\xa4data\x91\xa1x\xa3nsp\xa1/",
    "longer forms than necessary": b"\xdf\0\0\0\3\xd9\4type\xcd\0\2\xa4data\xdd\0\0\0\1\xdb\0\0\0\1x\xda\0\3nsp\xa1/",
}


@pytest.mark.parametrize("name", TOLERATED)
def test_what_others_write_is_read(name: str) -> None:
    assert parts(decode(TOLERATED[name])) == (EVENT, "/", None, ["x"])


def test_names_of_events_are_those_of_the_default_encoding() -> None:
    for name in ("error", "__init__", "", 1, 0.5):
        assert parts(decode(packed(data=[name]))) == (EVENT, "/", None, [name])


@given(st.sampled_from([EVENT, ACK]), NAMESPACES, IDS, NAMES, ARGUMENTS)
def test_events_and_acknowledgements_arrive_as_they_were_sent(
    type: int, namespace: str, id: int | None, name: str, arguments: list[Json]
) -> None:
    assert parts(decode(encoded(type, namespace, id, [name, *arguments]))) == (type, namespace, id, [name, *arguments])


# In whole milliseconds, as a Date has them.
DATES = st.integers(-(2**45), 2**47).map(lambda milliseconds: WHEN + timedelta(milliseconds=milliseconds))


@given(st.lists(DATES))
def test_dates_arrive_as_they_were_sent(dates: list[datetime]) -> None:
    assert arguments(encoded(EVENT, "/", None, ["x", *dates])) == dates


HEADS = "c70100 c70800 d400 d700 d6ff c8000800 d800 dc0002 dd00000001 de0001 a161 d9026162 c401 cb 81 93 c0 00 ff c1"
PIECES = st.sampled_from([bytes.fromhex(head) for head in HEADS.split()])


@given(st.lists(st.binary(max_size=10) | PIECES).map(b"".join))
def test_no_message_raises_anything_else(content: bytes) -> None:
    """Only what can be sent again comes out."""
    for message in (content, event("", 0)[:-6] + content, event(content.hex(), 2)):
        try:
            packet = decode(message)
        except PacketError:
            continue
        again = encoded(packet.type, packet.namespace, packet.id, packet.data)
        assert repr(parts(decode(again))) == repr(parts(packet))  # NaN is not equal to itself


@given(nested(SCALARS | DATES | st.binary(max_size=10)), st.data())
def test_a_packet_that_is_changed_somewhere_raises_nothing_else(value: Json, data: st.DataObject) -> None:
    message = bytearray(encoded(EVENT, "/", 1, ["x", value]))
    message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with suppress(PacketError):
        decode(bytes(message))


def heads_of_arrays(size: int) -> bytes:
    """Each array is in the one before, and announces as many elements as the message has bytes."""
    return (b"\xdd" + struct.pack(">I", size)) * (size // 5 - 1)


# Up to a megabyte each; a decoder that is not linear in it would not come back from one of them today.
HUGE: dict[str, Callable[[], bytes]] = {
    "nothing but heads of arrays": lambda: heads_of_arrays(1_000_000),
    "nothing but heads of arrays, in 10 kB": lambda: heads_of_arrays(10_000),
    "heads of short arrays": lambda: b"\xdc\xff\xff" * 300_000,
    "heads of arrays and what they announce": lambda: heads_of_arrays(3000) + b"\xc0" * 990_000,
    "nothing but heads of maps": lambda: b"\xdf\0\0\xff\xff" * 200_000,
    "maps in maps": lambda: b"\x81\xa0" * 500_000,
    "arrays in arrays": lambda: b"\x91" * 1_000_000,
    "empty extensions": lambda: b"\xdd\0\x05\0\0" + b"\xc7\0\0" * 327_680,
    "bytes that mean nothing": lambda: b"\xc1" * 1_000_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_a_megabyte_of_nonsense_is_refused(name: str) -> None:
    with pytest.raises(PacketError):
        decode(HUGE[name]())


def test_a_megabyte_of_sense_is_read() -> None:
    """Also when everything in it looks like the head of an array."""
    for value in (
        [None] * 900_000,
        [-3.1e139] * 100_000,
        b"\xdd" * 1_000_000,
        ["\u0741" * 15] * 30_000,
        [[[]]] * 200_000,
    ):
        assert arguments(encoded(EVENT, "/", None, ["x", value])) == [value]
    assert arguments(event("c9 000f4240 00" + "dc" * 1_000_000 + "c70100dd", 2)) == [b"\xdc" * 1_000_000, b"\xdd"]
