"""What our messages are on a Redis that servers of Node.js share, byte by byte where that is to be seen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.mixed.vectors import Said, load, meaning
from txsocketio.adapters.redis.sharded import decode_message, encode_message, opts_of_event
from txsocketio.adapters.redis.wire import (
    begins_broadcast,
    decode,
    decode_broadcast,
    decode_request,
    decode_response,
    encode,
    encode_broadcast,
    encode_request,
    encode_response,
    pack,
    rooms_of_broadcast,
    unpack,
)
from txsocketio.cluster.messages import BROADCAST, BROADCAST_GONE, Message
from txsocketio.errors import BadMessage, UnserializableData
from txsocketio.types import Json


def said(kind: str, place: str) -> list[Any]:
    """What servers of Node.js have said in places whose names begin so, once each."""
    found = {
        f"{vector.name}, {said.place}": said for vector in load(kind) for said in vector.said if place in said.place
    }
    return [pytest.param(said, id=name) for name, said in found.items()]


def namespace_of(said: Said) -> str:
    return said.place.split("#")[1]


# Classic


@pytest.mark.parametrize("said", said("classic", "socket.io#"))
def test_broadcast_is_what_node_sends(said: Said) -> None:
    """To the byte, but for the order of keys of the npm emitter."""
    content = bytes.fromhex(said.payload)
    namespace = namespace_of(said)
    message = decode_broadcast(content, namespace)
    assert message is not None and message.event[0] == "event"
    again = encode_broadcast(message, namespace)
    assert again == content
    assert again.startswith(begins_broadcast(message.node))
    assert decode_broadcast(content, "/other") is None


@pytest.mark.parametrize("said", said("classic", "-request#"))
def test_request_is_what_node_sends(said: Said) -> None:
    """Requests of today; those of older servers are answered by the adapter."""
    fields = decode(bytes.fromhex(said.payload))
    message = decode_request(fields)
    if "opts" not in fields and fields["type"] != 6:
        return
    assert message is not None
    again = meaning(encode_request(message, namespace_of(said)))
    assert {**again, "uid": fields.get("uid", "")} == {"uid": "", **fields}


@pytest.mark.parametrize("said", said("classic", "-response#"))
def test_response_is_what_node_sends(said: Said) -> None:
    """And who answers."""
    fields = decode(bytes.fromhex(said.payload))
    message = decode_response(fields)
    if message is None or isinstance(fields.get("sockets", [{}])[0], str):
        return  # of older servers
    content = encode_response(message)
    assert meaning(content) == {"data": None, **fields, "uid": ""} if fields.get("type") == 6 else {**fields, "uid": ""}
    assert content.startswith(b"{") == bytes.fromhex(said.payload).startswith(b"{")


def test_response_of_ours_keeps_its_number() -> None:
    """Servers of Node.js pass over what they do not know."""
    gone = Message(BROADCAST_GONE, {"requestId": "1"}, node="us")
    assert decode(encode_response(gone)) == {"type": 100, "requestId": "1", "uid": "us"}
    decoded = decode_response(decode(encode_response(gone)))
    assert decoded is not None and (decoded.type, decoded.node) == (BROADCAST_GONE, "us")


# Sharded


@pytest.mark.parametrize("said", said("sharded", "socket.io#"))
def test_sharded_message_is_what_node_sends(said: Said) -> None:
    """JSON, or MessagePack where there is binary in it."""
    content = bytes.fromhex(said.payload)
    namespace = namespace_of(said)
    message = decode_message(content, namespace)
    assert message is not None
    again = encode_message(message, namespace)
    assert meaning(again) == meaning(content)
    assert again.startswith(b"{") == content.startswith(b"{")
    assert decode_message(content, "/other") is None


# Whom large events are for


@pytest.mark.parametrize("said", said("classic", "socket.io#"))
def test_rooms_of_a_broadcast_are_known_before_it_is_decoded(said: Said) -> None:
    """Wherever they stand."""
    content = bytes.fromhex(said.payload)
    message = decode_broadcast(content, namespace_of(said))
    assert message is not None
    assert rooms_of_broadcast(content) == ([*message.rooms], [*message.excluded])


@pytest.mark.parametrize("said", said("sharded", "socket.io#"))
def test_opts_of_an_event_are_known_before_it_is_decoded(said: Said) -> None:
    """Of events in JSON; questions, which have to be answered, and everything else have to be decoded."""
    content = bytes.fromhex(said.payload)
    message = decode_message(content, namespace_of(said))
    assert message is not None
    is_event = message.type == BROADCAST and message.request is None and content.startswith(b"{")
    assert opts_of_event(content) == (message.opts if is_event else None)


@pytest.mark.parametrize(
    "content",
    [
        b'{"type":3,"data":{"packet":{"data":["e",{"a":{},"opts":{"rooms":[]}}]},"opts":{"except":[],"rooms":[]}}}',
        b'{"type":3,"data":{"packet":{},"opts":{"rooms":[],"except":[]},"requestId":"1"},"uid":"1","nsp":"/"}',
        b'{"type":3,"data":{"packet":{"data":["e",{"a":{},"opts":{"rooms":[],"except":[]}}]}},"uid":"1","nsp":"/"}',
        b'{"type":3,"data":{"packet":{},"opts":{"rooms":[]}},"uid":"1","nsp":"/"}',
        b'{"type":4,"data":{"a":{},"opts":{"rooms":[],"except":[]}},"uid":"1","nsp":"/"}',
        b'{"type":3,"data":{"packet":{},"opts":{"rooms":[',
    ],
)
def test_what_looks_like_the_opts_of_an_event_is_not_taken_for_them(content: bytes) -> None:
    """It is decoded to find out."""
    assert opts_of_event(content) is None


def test_strings_in_an_event_are_not_taken_for_its_opts() -> None:
    """They cannot be: their quotes are escaped."""
    event = {"type": 2, "data": ["e", '},"opts":{"rooms":[],"except":[]}},"uid":"1","nsp":"/"}']}
    message = Message(BROADCAST, {"packet": event}, {"rooms": ["a"], "except": ["b"], "flags": {}}, "us")
    assert opts_of_event(encode_message(message, "/")) == message.opts


# What is in messages


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**63),
        2**64 - 1,
        0.1,
        "\u00fc" * 300,
        bytes(range(256)),
        {"list": [1, [2, {}]], "": None},
        datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC),
    ],
)
def test_value_survives(value: Json) -> None:
    """Dates too, which are timestamps to notepack.io 3."""
    assert unpack(pack(value)) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\xd4\0\0", None),
        (b"\xd7\0" + (1700000000123).to_bytes(8, "big"), datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)),
        (b"\xd7\0" + (-1).to_bytes(8, "big", signed=True), datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        (b"\xc7\3\0abc", b"abc"),
        (b"\x81\1\2", {1: 2}),
    ],
)
def test_older_forms_are_understood(content: bytes, value: Json) -> None:
    """Those of notepack.io 2, and maps with other keys than texts."""
    assert unpack(content) == value


def test_what_only_json_has_a_form_for_gets_that_one() -> None:
    """As for the clients that are here."""
    assert unpack(pack([datetime(2023, 11, 14), (1, 2)])) == ["2023-11-14T00:00:00", [1, 2]]
    assert decode(encode({1: bytearray(b"x")})) == {1: b"x"}
    assert decode(encode({1: "x"})) == {"1": "x"}


def test_what_has_no_form_is_an_error() -> None:
    """Of the caller."""
    for value in (object(), 2**64, {"deep": [object()]}):
        with pytest.raises(UnserializableData):
            encode({"value": value, "binary": b""})


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a":', b"[]", b"\x91", b"\xc1", b"\xd4\5\0", b"\x81\x90\1", b"\x93\1\2\3", b"nil"],
)
def test_nonsense_is_refused(content: bytes) -> None:
    """By one kind of error, whatever is wrong with it."""
    understandings = (rooms_of_broadcast, lambda c: decode_broadcast(c, "/"), lambda c: decode_message(c, "/"))
    for understand in (decode, *understandings):
        with pytest.raises(BadMessage):
            understand(content)
