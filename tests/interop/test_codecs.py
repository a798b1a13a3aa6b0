"""The codecs against those of npm, both ways: what one side encodes the other decodes."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import require
from tests.interop.scenarios import HERE
from tests.protocol.test_engineio import encoded
from txsocketio.protocol.engineio3 import (
    decode_binary_payload,
    decode_payload,
    encode_binary_payload,
    encode_payload,
)
from txsocketio.protocol.msgpack_codec import MsgpackParser, decode
from txsocketio.protocol.packet import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(task: str, items: list[Any]) -> list[Any]:
    """What the npm packages make of the items; see javascript/codecs.js."""
    require("tests/interop/node_modules")
    command = [require("node"), str(HERE / "javascript" / "codecs.js"), task]
    answer = subprocess.run(command, input=json.dumps(items), capture_output=True, text=True, timeout=15, check=True)
    results: list[Any] = json.loads(answer.stdout)
    assert len(results) == len(items)
    return results


def of(value: Any) -> Any:
    """The value of Python for what `codecs.js` describes."""
    if isinstance(value, list):
        return [of(item) for item in value]
    if not isinstance(value, dict):
        return value
    match next(iter(value.items()), None):
        case ("$undefined", _):
            return None
        case ("$date", milliseconds):
            return EPOCH + timedelta(milliseconds=milliseconds)
        case ("$buffer" | "$arraybuffer", digits):
            return bytes.fromhex(digits)
    return {key: of(item) for key, item in value.items()}


# As `codecs.js` describes them; the order of the keys is the one of encoding.
VALUES: list[Any] = [
    None, True, False, "", "a", "a" * 31, "a" * 32, "é😀", "a" * 300, "€" * 70_000,
    0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**40, 2**53,
    -1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**40), -(2**53), 1.5, -0.1, 1e-300,
    [], [[]], [1] * 15, [1] * 16, [1] * 70_000, {}, {"a": {"b": []}}, {str(key): key for key in range(16)},
    {"$date": 0}, {"$date": 1_700_000_000_123}, {"$date": -1}, {"$date": -(2**33)},
    {"$buffer": ""}, {"$buffer": "00"}, {"$buffer": "d7" * 8}, {"$buffer": "61" * 300}, {"$buffer": "61" * 70_000},
]  # fmt: skip

# These come back from us in another form: None is null, and bytes are a Buffer.
ONE_WAY: list[Any] = [
    {"$undefined": True}, {"a": {"$undefined": True}}, [{"$undefined": True}],
    *({"$arraybuffer": "00" * size} for size in (0, 1, 2, 4, 7, 8, 9, 16, 300, 70_000)),
    [{"$arraybuffer": "0102030405060708"}, {"$date": 5}, {"$undefined": True}, {"$arraybuffer": "00"}, {"$date": 6}],
]  # fmt: skip

PACKETS: list[dict[str, Any]] = [
    {"type": EVENT, "data": ["x", *VALUES], "nsp": "/", "options": {"compress": True}},
    {"type": EVENT, "data": ["x", *VALUES, *ONE_WAY], "nsp": "/chat", "id": 0},
    *({"type": EVENT, "data": ["x", value], "nsp": "/"} for value in VALUES + ONE_WAY),
    {"type": ACK, "data": [], "nsp": "/", "id": 2**32},
    {"type": CONNECT, "data": {"$undefined": True}, "nsp": "/"},
    {"type": CONNECT, "data": {"token": "a"}, "nsp": "/été"},
    {"type": CONNECT_ERROR, "data": {"message": "nope"}, "nsp": "/"},
    {"type": DISCONNECT, "nsp": "/"},
]


def test_packets_of_the_msgpack_parser_are_read() -> None:
    """Every value that JavaScript can send arrives as what it is, buffers and dates beside each other too."""
    for message, fields in zip(run("msgpack encode", PACKETS), PACKETS, strict=True):
        packet = decode(bytes.fromhex(message))
        assert (packet.type, packet.namespace, packet.id) == (fields["type"], fields["nsp"], fields.get("id"))
        assert packet.data == of(fields.get("data"))


def test_the_msgpack_parser_reads_our_packets() -> None:
    encode = MsgpackParser().encode
    packets: list[tuple[int, str, int | None, Any]] = [
        (EVENT, "/", None, ["x", *VALUES]),
        (EVENT, "/chat", 0, ["x"]),
        (ACK, "/", 2**32, VALUES),
        (CONNECT, "/", None, {"sid": "a", "pid": "b"}),
        (CONNECT_ERROR, "/", None, {"message": "nope", "data": {"$date": 0}}),
        (DISCONNECT, "/été", None, None),
    ]
    messages = [encode(type, nsp, id, of(data))[1][0].hex() for type, nsp, id, data in packets]
    for read, (type, nsp, id, data) in zip(run("msgpack decode", messages), packets, strict=True):
        fields = {"type": type, "nsp": nsp, "data": data, "id": id}
        assert read == {key: value for key, value in fields.items() if value is not None}


Packets = list[str | bytes]

TEXTS: list[Packets] = [
    ["40"],
    ["4hello", "2", "4world"],
    ["4€", "4😀", "4é", "4"],
    ["2probe", "3probe", "5", "6", "1"],
    ["4a:b", "42:4a"],
    ["4" + "😀" * 1000],
]
MIXED: list[Packets] = [
    [b""],
    ["4€", b"\1\2\3\4"],
    [bytes(range(256)) * 300, "4😀", b"\xff", "3"],
]
NAMES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"]


def described(packet: str | bytes) -> dict[str, Any]:
    """A packet as the npm package has it."""
    if isinstance(packet, bytes):
        return {"type": "message", "data": {"$buffer": packet.hex()}}
    return {"type": NAMES[int(packet[0])]} | ({"data": packet[1:]} if packet[1:] else {})


@pytest.mark.parametrize("kind", ["payload", "binary payload"])
def test_payloads_of_old_clients_are_theirs_and_ours(kind: str) -> None:
    """Each side makes the same bytes of the same packets, and reads them."""
    payloads = TEXTS + MIXED if kind == "payload" else MIXED
    ours, read = encode_payload, decode_payload
    if kind == "binary payload":
        ours, read = encode_binary_payload, decode_binary_payload
    bodies = [ours([encoded(packet) for packet in packets]) for packets in payloads]
    theirs = run(f"{kind} encode", [[described(packet) for packet in packets] for packets in payloads])
    assert [body.hex() for body in bodies] == theirs
    assert [list(read(body)) for body in bodies] == payloads
    assert run(f"{kind} decode", [body.hex() for body in bodies]) == [
        [described(packet) for packet in packets] for packets in payloads
    ]
