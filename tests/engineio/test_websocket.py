"""A WebSocket connection: what comes in, whichever way it is decoded."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.testing import StringTransport

from tests.engineio.doubles import COARSE
from tests.engineio.line import LIMIT, Connected, read_frames, text
from tests.sessions import UPGRADE_HEADERS
from tests.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, request
from txsocketio.engineio.websocket import CLOSE_TIMEOUT, MAX_FRAGMENTS, WebSocket
from txsocketio.errors import PacketError
from txsocketio.types import Json


@pytest.fixture
def rig() -> Connected:
    return Connected().open()


# Two ways in: plain frames around Autobahn, and everything through it


STREAMS: dict[str, bytes] = {
    "nothing": b"",
    "one message": text("hello"),
    "several messages": text("a") + frame(BINARY, b"b") + text("c"),
    "lengths of 16 bits": text("a" * 125) + frame(BINARY, b"b" * 126) + text("c" * 900),
    "empty binary message": frame(BINARY),
    "text beyond ASCII": text("\u00e4\u20ac\U0001f600"),
    "the limit": frame(TEXT, b"4" * LIMIT) + text("still here"),
    "above the limit": text("a") + frame(TEXT, b"4" * (LIMIT + 1)) + text("b"),
    "announced above the limit": text("a") + frame(BINARY, announced=2**40),
    "invalid UTF-8": text("a") + frame(TEXT, b"4\xff\xfe") + text("b"),
    "fragments": frame(TEXT, b"4a", fin=False) + frame(CONTINUATION, b"b", fin=False) + frame(CONTINUATION, b"c"),
    "a character across fragments": frame(TEXT, b"4\xe2\x82", fin=False) + frame(CONTINUATION, b"\xac"),
    "binary fragments": frame(BINARY, b"a", fin=False) + frame(CONTINUATION, b"b") + text("c"),
    "fragments above the limit": (frame(TEXT, b"4" * 600, fin=False) + frame(CONTINUATION, b"4" * 600)) + text("b"),
    "ping between messages": text("a") + frame(PING, b"are you there") + text("b"),
    "ping between fragments": frame(TEXT, b"4a", fin=False) + frame(PING) + frame(CONTINUATION, b"b"),
    "unsolicited pong": frame(PONG, b"x") + text("a"),
    "unmasked": text("a") + frame(TEXT, b"4b", masked=False),
    "reserved bit": text("a") + frame(TEXT, b"4b", rsv=4) + text("c"),
    "reserved opcode": frame(3, b"4a"),
    "continuation of nothing": frame(CONTINUATION, b"4a"),
    "message inside a message": frame(TEXT, b"4a", fin=False) + text("b"),
    "close": text("a") + frame(CLOSE) + text("b"),
    "close with a code": frame(CLOSE, b"\x03\xe8bye"),
    "close of one byte": frame(CLOSE, b"\x03"),
    "packets of Engine.IO": frame(TEXT, b"3") + frame(TEXT, b"6") + frame(TEXT, b"5") + frame(TEXT, b"1") + text("a"),
    "ping of Engine.IO": text("a") + frame(TEXT, b"2") + text("b"),
    "base64": frame(TEXT, b"bAQID"),
    "bad base64": frame(TEXT, b"b!") + text("a"),
    "empty text": frame(TEXT) + text("a"),
    "unknown packet": frame(TEXT, b"9") + text("a"),
    "half a message": text("a") + text("bcd")[:-1],
}

#: How a stream reaches the WebSocket.
WAYS: dict[str, Callable[[Connected, bytes], None]] = {
    "whole": lambda rig, stream: rig.feed(10**6, stream),
    "byte by byte": lambda rig, stream: rig.feed(1, stream),
    "in sevens": lambda rig, stream: rig.feed(7, stream),
    "through Autobahn": lambda rig, stream: rig.websocket._pass_on(stream),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_every_way_gives_the_same(stream: bytes) -> None:
    """However TCP cuts the bytes, and whoever decodes them: the same messages, the same answers, the same end."""
    results = []
    for way in WAYS.values():
        rig = Connected().open()
        way(rig, stream)
        rig.pass_time(CLOSE_TIMEOUT + COARSE)
        results.append((list(rig.log), rig.session.state, read_frames(rig.line.take()), rig.line.disconnecting))
    assert results == [results[0]] * len(WAYS)


@pytest.mark.parametrize("seed", range(200))
def test_every_way_gives_the_same_for_any_stream(seed: int) -> None:
    """The streams above behind one another, cut anywhere; most of them go on behind a fault or an end."""
    random = Random(seed)
    stream = b"".join(random.choices(list(STREAMS.values()), k=random.randrange(1, 8)))
    whole, cut, slow = Connected().open(), Connected().open(), Connected().open()
    whole.feed(len(stream) or 1, stream)
    begin = 0
    while begin < len(stream):
        end = begin + random.choice([1, 2, 5, 20, 200, 2000])
        cut.line.feed(stream[begin:end])
        begin = end
    slow.websocket._pass_on(stream)
    results = [(list(rig.log), rig.session.state, read_frames(rig.line.take())) for rig in (whole, cut, slow)]
    assert results == [results[0]] * 3


def test_what_a_stream_gives(rig: Connected) -> None:
    """The ways agree on something that is right."""
    assert rig.ask(STREAMS["several messages"]) == ["4a", b"b", "4c"]
    assert rig.ask(STREAMS["ping between fragments"]) == ["frame 10 b''", "4ab"]
    assert rig.ask(STREAMS["base64"]) == [b"\1\2\3"]
    assert rig.log[-2:] == ["message 'ab'", "message b'\\x01\\x02\\x03'"]


FAULTS: dict[str, tuple[list[str | bytes], str]] = {
    "above the limit": (["4a", "close 1009"], "close transport error: "),
    "announced above the limit": (["4a", "close 1009"], "close transport error: "),
    "fragments above the limit": (["close 1009"], "close transport error: "),
    "invalid UTF-8": (["4a", "close 1007"], "close transport error: invalid UTF-8 sequence"),
    "unmasked": (["4a", "close 1002"], "close transport error: "),
    "reserved bit": (["4a", "close 1002"], "close transport error: "),
    "reserved opcode": (["close 1002"], "close transport error: "),
    "close": (["4a", "close 1005"], "close transport close"),
    "close with a code": (["close 1000"], "close transport close"),
    "close of one byte": (["close 1002"], "close transport error: "),
    "ping of Engine.IO": (["4a", "close 1005"], "close transport error: invalid heartbeat direction"),
    "bad base64": (["close 1005"], "close parse error: invalid base64"),
    "empty text": (["close 1005"], "close parse error: "),
    "unknown packet": (["close 1005"], "close parse error: "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_the_client_ends_the_session(rig: Connected, name: str) -> None:
    """What came before it is handled, nothing behind it is, and the client learns what was wrong."""
    answers, line = FAULTS[name]
    assert rig.ask(STREAMS[name]) == answers
    assert rig.log[-1].startswith(line)
    assert rig.engine.clients_count == 0


def test_application_that_fails_keeps_the_connection(rig: Connected, logged_errors: Json) -> None:
    """A fault in on_message is logged, and the next message is handled."""
    rig.session.on_message = lambda data: 1 // 0
    assert rig.ask(text("a") + text("b"), text("c")[:3], text("c")[3:]) == []
    assert len(logged_errors.take(ZeroDivisionError)) == 3
    assert rig.session.is_open


def test_message_that_the_layer_above_finds_bad_ends_the_session(rig: Connected) -> None:
    """What is no packet of Socket.IO is as bad as what is none of Engine.IO."""

    def refuse(data: str | bytes) -> None:
        raise PacketError("not one of mine")

    rig.session.on_message = refuse
    assert rig.ask(text("a") + text("b")) == ["close 1005"]
    assert rig.log == ["close parse error: not one of mine"]


@pytest.mark.parametrize("name", ["half a message", "fragments", "ping between messages"])
def test_plain_frames_take_the_short_way_again(rig: Connected, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping or half a message does not make a connection slow for good."""
    rig.ask(STREAMS[name], text("bcd")[-1:] if name == "half a message" else b"")
    monkeypatch.setattr(WebSocket, "_pass_on", None)
    assert rig.ask(text("plain")) == ["4plain"]


# Fragments


@pytest.mark.parametrize("size", [0, 1])
def test_too_many_fragments(size: int) -> None:
    """A message may come in as many pieces as with the reference server, not in one more."""
    rig = Connected(max_http_buffer_size=100_000).open()
    piece = frame(CONTINUATION, b"x" * size, fin=False)
    begin, end = frame(TEXT, b"4", fin=False), frame(CONTINUATION)
    assert rig.ask(begin + piece * (MAX_FRAGMENTS - 2) + end) == ["4" + "x" * size * (MAX_FRAGMENTS - 2)]
    assert rig.ask(begin + piece * (MAX_FRAGMENTS - 1) + end) == ["close 1008"]
    assert rig.log[-1] == "close transport error: too many message fragments"


# Autobahn's connection, and ours, which starts open


#: What a connection of Autobahn has only while it shakes hands, or what is ours to say.
NOT_COMPARED = {
    "factory", "transport", "connected", "data", "log", "peer", "is_open", "is_closed", "_transport_details",
    "_listeners", "_valid_events", "_wskey", "http_headers", "http_status_line", "http_request_data",
    "http_request_uri", "http_request_path", "http_request_params", "http_request_host", "websocket_protocols",
    "websocket_origin", "websocket_extensions", "websocket_extensions_in_use", "openHandshakeTimeoutCall",
    "_results", "http_response_data",
}  # fmt: skip


def test_our_connection_has_what_autobahn_gives_its_own(rig: Connected) -> None:
    """Autobahn never opened our connection: whatever it sets when it does must stand on our class, and be the same."""
    factory = WebSocketServerFactory()
    options = {name: getattr(rig.websocket, name) for name in WebSocketServerProtocol.CONFIG_ATTRS}
    for name, value in options.items():
        setattr(factory, name, value)
    factory.protocol = WebSocketServerProtocol
    theirs = factory.buildProtocol(None)
    theirs.makeConnection(StringTransport())
    theirs.dataReceived(request("GET", "/", headers=UPGRADE_HEADERS))
    assert theirs.state == WebSocketProtocol.STATE_OPEN
    differing = {
        name: (value, getattr(rig.websocket, name, "missing"))
        for name, value in vars(theirs).items()
        if name not in NOT_COMPARED and not _is_like(value, getattr(rig.websocket, name, "missing"))
    }
    assert differing == {}


def _is_like(theirs: object, ours: object) -> bool:
    plain = theirs is None or isinstance(theirs, (bool, int, str, bytes, list, dict))
    return theirs == ours if plain or callable(theirs) else theirs.__class__ is ours.__class__
