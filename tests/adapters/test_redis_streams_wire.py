"""Messages as servers of Node.js write them, compared with what these have written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mixed.vectors import FIRST, Said, load, meaning, readable
from txsocketio.adapters.redis.streams import remainder
from txsocketio.adapters.redis.streams_wire import (
    decode,
    decode_entry,
    encode,
    encode_entry,
    namespace_of,
    offset_of,
    position_of,
    position_of_offset,
)
from txsocketio.cluster.messages import BROADCAST, Message
from txsocketio.errors import BadMessage, UnserializableData

SAID = [
    pytest.param(said, id=f"{vector.name} {number}")
    for vector in load("streams")
    for number, said in enumerate(vector.said)
]
ENTRIES = [each for each in SAID if each.values[0].command == "XADD"]  # type: ignore[attr-defined]
PUBLISHED = [each for each in SAID if each.values[0].command == "PUBLISH"]  # type: ignore[attr-defined]

#: We never write dates: clients get them as texts.
WRITTEN = [each for each in ENTRIES if not str(each.id).startswith("dates and bytes")]

#: A digit, but none that Redis knows.
FIVE = "\N{ARABIC-INDIC DIGIT FIVE}-\N{ARABIC-INDIC DIGIT FIVE}"


def fields_of(said: Said) -> list[bytes]:
    words = [word.encode() for field in said.fields.items() for word in field]
    return [*words, b"data", bytes.fromhex(said.payload)]


def data_of(message: Message) -> dict[str, Any]:
    return message.data if message.opts is None else {**message.data, "opts": message.opts}


@pytest.mark.parametrize("said", ENTRIES)
def test_entries_are_understood(said: Said) -> None:
    fields = fields_of(said)
    message = decode_entry(fields)
    assert namespace_of(fields) == said.fields["nsp"]
    assert (message.node, str(message.type), message.number) == (said.fields["uid"], said.fields["type"], 0)
    assert readable(data_of(message)) == said.means


@pytest.mark.parametrize("said", WRITTEN)
def test_entries_are_written_byte_by_byte(said: Said) -> None:
    payload = bytes.fromhex(said.payload)
    data = meaning(payload)
    opts = data.pop("opts", None)
    written = encode_entry(Message(int(said.fields["type"]), data, opts), said.fields["nsp"], False)
    assert (written.namespace.decode(), written.type) == (said.fields["nsp"], said.fields["type"])
    assert (written.data, written.opts) == (payload, b"")


@pytest.mark.parametrize("said", PUBLISHED)
def test_what_is_published_is_understood(said: Said) -> None:
    namespace, message = decode(bytes.fromhex(said.payload))
    fields = {"type": message.type, "data": data_of(message), "uid": message.node, "nsp": namespace}
    assert readable(fields) == said.means


@pytest.mark.parametrize("said", PUBLISHED)
def test_what_is_published_is_written_byte_by_byte(said: Said) -> None:
    payload = bytes.fromhex(said.payload)
    fields = meaning(payload)
    data = fields["data"]
    # Of a broadcast Node writes the opts last, of all else first.
    opts = data.pop("opts", None)
    assert encode(Message(fields["type"], data, opts, fields["uid"]), fields["nsp"]) == payload


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "3"},
        {"type": "3", "data": ""},
        {"type": "3", "data": "{"},
        {"type": "3", "data": "[]"},
        {"type": "3", "data": "kA=="},
        {"type": "3", "data": "é"},
        {"type": "3", "data": "gqE="},
    ],
)
def test_data_that_cannot_be_understood_are_an_error(fields: dict[str, str]) -> None:
    """When somebody wants to know them; also a second time."""
    message = decode_entry([word.encode() for field in fields.items() for word in field])
    for _ in range(2):
        with pytest.raises(BadMessage):
            _ = message.rooms


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        (["uid", "a", "type", "3", "nsp", "/chat", "data", "{}"], ("/chat", "a", 3, 0)),
        (["uid", "a", "nsp", "/", "type", "x", "n", "-1"], ("/", "a", 0, 0)),
        (["uid", "a", "nsp", "/", "type", "1" * 30, "n", "5"], ("/", "a", 0, 5)),
        (["type", "3"], ("", "", 3, 0)),
        (["nsp"], ("", "", 0, 0)),
        ([], ("", "", 0, 0)),
    ],
)
def test_any_entry_can_be_looked_at(fields: list[str], known: tuple[object, ...]) -> None:
    words = [word.encode() for word in fields]
    message = decode_entry(words)
    assert (namespace_of(words), message.node, message.type, message.number) == known


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x90", b"\x80", b"\x01", b"{}"])
def test_what_is_published_and_means_nothing_is_an_error(content: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(content)


def test_message_can_be_forgotten_and_known_again() -> None:
    message = decode_entry([b"type", b"3", b"data", b'{"packet":1,"opts":{"rooms":["a"]}}'])
    message.forget()
    assert (message.data, message.rooms) == ({"packet": 1}, ("a",))
    message.forget()
    assert (message.rooms, message.data) == (("a",), {"packet": 1})


def test_large_event_tells_whom_it_is_for_apart() -> None:
    """So that who has nobody there needs not decode it."""
    opts = {"rooms": ["a"], "except": ["b"], "flags": {}}
    message = Message(BROADCAST, {"packet": {"type": 2, "data": ["event", "x" * 5000]}}, opts)
    written = encode_entry(message, "/", False)
    fields = [b"type", b"3", b"data", written.data, b"opts", written.opts]
    for data in (written.data, b"junk"):
        fields[3] = data
        entry = decode_entry(fields)
        assert (entry.rooms, entry.excluded, entry.wants_answer) == (("a",), ("b",), False)
        entry.forget()
        assert entry.rooms == ("a",)
    message.data["requestId"] = "1"
    assert encode_entry(message, "/", False).opts == b""
    with pytest.raises(BadMessage):
        decode_entry([b"opts", b"5"])


def test_bytes_can_be_forbidden() -> None:
    message = Message(BROADCAST, {"packet": {"type": 2, "data": ["event", b"bytes"]}}, {}, FIRST[16])
    with pytest.raises(UnserializableData):
        encode_entry(message, "/", True)


@pytest.mark.parametrize("offset", ["0-0", "1700000000123-0", "1-18446744073709551615", "18446744073709551615-1"])
def test_offset_is_the_id_of_an_entry(offset: str) -> None:
    position = position_of(offset.encode())
    assert (offset_of(position), position_of_offset(offset)) == (offset, position)


@pytest.mark.parametrize("offset", ["", "5", "-5", "5-", "5-5-5", "5-5\n", FIVE, "18446744073709551616-0", "+", "$"])
def test_offset_that_is_no_id_has_no_position(offset: str) -> None:
    assert position_of_offset(offset) is None


def test_positions_grow_as_ids_do() -> None:
    offsets = ["0-0", "0-1", "1-0", "9-18446744073709551615", "10-0", "1700000000123-9", "1700000000123-10"]
    positions = [position_of(offset.encode()) for offset in offsets]
    assert positions == sorted(positions)
    assert offset_of(positions[3] + 1) == "10-0"


@pytest.mark.parametrize(
    ("namespace", "count", "expected"),
    # What hashCode(namespace) % count is in Node.js.
    [("/", 3, 2), ("/chat", 3, 1), ("/ü", 5, 4), ("/\N{CAT}", 4, 2), ("/long-name", 4, -3), ("/notifications", 3, -2)],
)
def test_namespace_has_the_stream_that_it_has_in_node_js(namespace: str, count: int, expected: int) -> None:
    assert remainder(namespace, count) == expected
