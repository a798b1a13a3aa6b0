"""A WebSocket of an old client: binary messages have a type in front."""

from __future__ import annotations

import zlib

import pytest

from tests.engineio.doubles import POLLING, WEBSOCKET, FakeExchange, new_request
from tests.engineio.line import Connected, connect, read_frames, text
from tests.wire import BINARY, TEXT, frame
from txsocketio.engineio.outgoing import Bundle, Outgoing
from txsocketio.types import Json

OLD = WEBSOCKET.replace("EIO=4", "EIO=3")
OLD_POLLING = POLLING.replace("EIO=4", "EIO=3")


class Old(Connected):
    """An engine with an old client, whose messages are echoed."""

    def __init__(self, query: str = OLD, **options: Json) -> None:
        super().__init__(allow_eio3=True, **options)
        self.line = connect(self.engine, query)
        opened = read_frames(self.line.take())
        assert len(opened) == 1 and str(opened[0]).startswith('0{"sid":')


def test_messages_are_echoed() -> None:
    assert Old().ask(text("hello"), frame(BINARY, b"\4\1\2")) == ["4hello", b"\4\1\2"]


def test_base64_is_understood_and_written_for_who_asks_for_it() -> None:
    assert Old().ask(frame(TEXT, b"b4AQI=")) == [b"\4\1\2"]
    assert Old(OLD + "&b64=1").ask(frame(TEXT, b"b4AQI=")) == ["b4AQI="]


def test_rate_is_limited() -> None:
    """Its pings count as well."""
    old = Old(rate_limit={"messages": 1, "burst": 4.0})
    assert old.ask(text("a"), frame(BINARY, b"\4\1"), frame(TEXT, b"2"), text("b"), text("c")) == [
        "4a", b"\4\1", "3", "4b", "close 1008"
    ]  # fmt: skip
    assert old.log[-1] == "close rate limit exceeded: too many messages"


def test_ping_is_answered() -> None:
    assert Old().ask(frame(TEXT, b"2"), frame(TEXT, b"2probe")) == ["3", "3"]


@pytest.mark.parametrize("bad", [frame(BINARY, b"\1\2"), frame(BINARY), frame(TEXT, b"bAQI="), frame(TEXT, b"abc")])
def test_bad_packet_ends_the_session(bad: bytes) -> None:
    old = Old()
    assert old.ask(text("a"), bad) == ["4a", "close 1005"]
    assert old.log[-1].startswith("close parse error")


def test_several_messages_that_leave_together() -> None:
    old = Old()
    old.session.send_outgoing(Bundle([Outgoing(b"a"), Outgoing(b"b", [b"\1"])]))
    assert read_frames(old.line.take()) == ["4a", "4b", b"\4\1"]


def test_one_message_for_old_and_new() -> None:
    """A broadcast is the same object for everybody; each gets the form that it knows."""
    old, new = Old(), Connected().open()
    for message in (Outgoing(b"a"), Outgoing(b"b", [b"\1"])):
        for client in (new, old, new):
            client.session.send_outgoing(message)
    assert read_frames(old.line.take()) == ["4a", "4b", b"\4\1"]
    assert read_frames(new.line.take()) == ["4a", "4a", "4b", b"\1", "4b", b"\1"]


def test_compressed_binary() -> None:
    old = Connected(allow_eio3=True, per_message_deflate={"threshold": 10})
    old.line = connect(old.engine, OLD, sec_websocket_extensions="permessage-deflate")
    old.line.take()
    old.session.send(b"\7" * 100)
    sent = old.line.take()
    assert sent[0] == BINARY | 0xC0
    inflated = zlib.decompressobj(-15).decompress(sent[2:] + b"\0\0\xff\xff")
    assert inflated == b"\4" + b"\7" * 100


def test_upgrade_of_an_old_client() -> None:
    """The probe is answered as ever, and what comes later has the old form."""
    old = Connected(allow_eio3=True)
    opened = FakeExchange(new_request("GET", OLD_POLLING))
    old.engine.handle(opened)
    length, _, packet = opened.text.partition(":")
    assert int(length) == len(packet)
    old.line = connect(old.engine, f"{OLD}&sid={old.session.sid}")
    assert old.ask(frame(TEXT, b"2probe")) == ["3probe"]
    assert old.ask(frame(TEXT, b"5"), frame(BINARY, b"\4\1")) == [b"\4\1"]
    assert old.session.transport == "websocket"


def test_other_protocol_in_the_upgrade_is_refused() -> None:
    old = Connected(allow_eio3=True)
    old.engine.handle(FakeExchange(new_request("GET", OLD_POLLING)))
    exchange = FakeExchange(new_request("GET", f"{POLLING}&sid={old.session.sid}"))
    old.engine.handle(exchange)
    assert (exchange.status, exchange.text) == (400, '{"code":3,"message":"Bad request"}')


@pytest.mark.parametrize("query", [OLD_POLLING, "transport=polling"])
def test_old_clients_are_refused_by_default(query: str) -> None:
    exchange = FakeExchange(new_request("GET", query))
    Connected().engine.handle(exchange)
    assert (exchange.status, exchange.text) == (400, '{"code":5,"message":"Unsupported protocol version"}')
