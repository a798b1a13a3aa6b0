"""Messages as bytes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import packb

from txsocketio.cluster import messages, wire
from txsocketio.cluster.messages import BROADCAST, Message
from txsocketio.cluster.wire import LateMessage
from txsocketio.errors import BadMessage, UnserializableData
from txsocketio.socketio.broadcast import Flags

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(values), st.lists(st.text()), st.booleans())
def test_message_survives_the_way(arguments: list[object], rooms: list[str], volatile: bool) -> None:
    flags = Flags(volatile=volatile, timeout=1.5)
    message = messages.broadcast(["event", *arguments], tuple(rooms), ("out",), flags, "request")
    message.node, message.number = "node", 7
    head, body = wire.encode(message, "/chat")
    decoded, rest = wire.split(head + body)
    assert (decoded, rest) == (wire.decode_head(head), body)
    assert decoded.namespace == "/chat"
    again = LateMessage(decoded, body)
    assert (again.type, again.node, again.number, again.request) == (BROADCAST, "node", 7, "request")
    assert (again.event, again.rooms, again.excluded, again.flags) == (
        ["event", *arguments],
        tuple(rooms),
        ("out",),
        flags,
    )


def test_head_is_enough_to_know_whom_it_is_about() -> None:
    """The body is not looked at."""
    message = messages.broadcast(["event"], ("room",), (), Flags())
    head, _ = wire.encode(message, "/")
    late = LateMessage(wire.decode_head(head), b"\xc1 no MessagePack")
    assert (late.rooms, late.excluded, late.flags) == (("room",), (), Flags())
    with pytest.raises(BadMessage):
        _ = late.event


@pytest.mark.parametrize(
    "head",
    [b"", b"\xc1", b"\x93", packb(1), packb([]), packb([3, "n", 1, "/"]), packb(["3", "n", 1, "/", None]),
     packb([3, 1, 1, "/", None]), packb([3, "n", 1, 5, None]), packb([3, "n", 1, "/", []]),
     packb([3, "n", 1, "/", None, 6])],
)  # fmt: skip
def test_head_that_is_none(head: bytes) -> None:
    with pytest.raises(BadMessage):
        wire.decode_head(head)
    with pytest.raises(BadMessage):
        wire.split(head)


@given(st.binary())
def test_any_bytes_are_refused_or_understood(junk: bytes) -> None:
    for read in (wire.decode_head, wire.split):
        with suppress(BadMessage):
            read(junk)


@pytest.mark.parametrize("body", [b"", b"\xc1", packb(1), packb([1]), packb({1: 2, "packet": None})])
def test_body_that_is_none(body: bytes) -> None:
    late = LateMessage(wire.decode_head(wire.encode(Message(BROADCAST, {}), "/")[0]), body)
    with pytest.raises(BadMessage):
        _ = late.event


def test_what_has_no_form_is_an_error() -> None:
    for value in (object(), 2**64, {1, 2}):
        with pytest.raises(UnserializableData):
            wire.encode(messages.broadcast(["event", value], (), (), Flags()), "/")
