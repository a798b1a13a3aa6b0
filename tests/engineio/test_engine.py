"""The engine: how sessions begin, what the application is told, and how all of it ends."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred

from tests.engineio.doubles import COARSE, INTERVAL, POLLING, WEBSOCKET, FakeExchange, new_request
from tests.engineio.line import Line, connect, read_frames, upgrade_request
from tests.engineio.serving import Rig
from txsocketio.engineio import Engine
from txsocketio.engineio.session import Session
from txsocketio.engineio.websocket import CLOSE_TIMEOUT
from txsocketio.errors import OptionError
from txsocketio.types import Handler, Json


@pytest.fixture
def rig() -> Rig:
    return Rig()


# A session begins


def test_handshake_over_long_polling(rig: Rig) -> None:
    """The first packet tells the terms, in the order of the reference server."""
    exchange = rig.ask()
    assert exchange.text == (
        f'0{{"sid":"{rig.sessions[0].sid}","upgrades":["websocket"],'
        '"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
    )
    assert rig.log[0] == "connection polling"
    assert rig.engine.clients_count == 1


def test_handshake_over_websocket(rig: Rig) -> None:
    line = connect(rig.engine)
    (opened,) = read_frames(line.take())
    assert json.loads(str(opened)[1:]) == {
        "sid": rig.sessions[0].sid,
        "upgrades": [],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1_000_000,
    }
    assert rig.log == ["connection websocket"]


def test_sids_cannot_be_guessed(rig: Rig) -> None:
    """120 random bits in 20 characters that need no escaping."""
    for _ in range(100):
        rig.ask()
    sids = {session.sid for session in rig.sessions}
    assert len(sids) == 100
    assert all(len(sid) == 20 and sid.replace("-", "").replace("_", "").isalnum() for sid in sids)


@pytest.mark.parametrize("packet", ["hello", b"\1\2\3"])
def test_initial_packet_is_right_behind_the_handshake(packet: str | bytes) -> None:
    rig = Rig(initial_packet=packet)
    assert rig.ask().text.split("\x1e")[1:] == ["4hello" if isinstance(packet, str) else "bAQID"]
    assert read_frames(connect(rig.engine).take())[1:] == ["4hello" if isinstance(packet, str) else packet]


def test_what_the_application_sends_at_once_leaves_with_the_handshake(rig: Rig) -> None:
    rig.engine.on("connection", lambda session: session.send("welcome"))
    assert rig.ask().text.endswith("\x1e4welcome")


def test_request_is_remembered(rig: Rig) -> None:
    """The application can ask for what the handshake said as long as the session lives."""
    rig.ask(POLLING + "&token=a%20b", X_Custom="\u00e4")
    request = rig.sessions[0].request
    assert request.query == {"EIO": "4", "transport": "polling", "token": "a b"}
    assert request.headers["x-custom"] == request.headers["X-Custom"] == "\u00e4"
    assert (request.method, request.address, request.secure) == ("GET", "192.0.2.1", False)


def test_trusted_proxy_tells_the_address() -> None:
    rig = Rig(trusted_proxies=1)
    rig.ask(x_forwarded_for="10.0.0.1, 203.0.113.9", x_forwarded_proto="https")
    request = rig.sessions[0].request
    assert (request.address, request.secure) == ("203.0.113.9", True)


@pytest.mark.parametrize("discard", [False, True])
def test_session_that_is_closed_at_once_over_websocket(discard: bool) -> None:
    """The client gets the 101, the handshake, and a close frame."""
    rig = Rig()
    rig.engine.on("connection", lambda session: session.close(discard=discard))
    line = connect(rig.engine, rest=b"\x81\x80abcd")
    opened, close = read_frames(line.take())
    assert (str(opened)[0], close) == ("0", "close 1005")
    assert rig.engine.clients_count == 0


def test_session_that_is_discarded_at_once(rig: Rig) -> None:
    """There is nothing to answer any more."""
    rig.engine.on("connection", lambda session: session.close(discard=True))
    assert rig.ask().status == 400
    assert rig.engine.clients_count == len(rig.engine.deadlines) == 0


# Events


def test_headers_of_the_application(rig: Rig) -> None:
    """Those of "initial_headers" are in the first answer of a session, those of "headers" in every one."""
    rig.engine.on("initial_headers", lambda headers, request: headers.update({"X-First": request.method}))
    rig.engine.on("headers", lambda headers, request: headers.update({"X-Every": "\u00e4"}))
    first = rig.ask().answer
    then = rig.ask(POLLING + "&sid=" + rig.sessions[0].sid, "POST", b"4").answer
    refused = rig.ask("nothing").answer
    assert first is not None and then is not None and refused is not None
    assert [answer.fields.get("X-First") for answer in (first, then, refused)] == ["GET", None, None]
    assert [answer.fields["X-Every"] for answer in (first, then, refused)] == ["\u00e4"] * 3


def test_headers_of_the_application_on_a_101(rig: Rig) -> None:
    rig.engine.on("initial_headers", lambda headers, request: headers.update({"X-First": "1"}))
    rig.engine.on("headers", lambda headers, request: headers.update({"X-Every": "1"}))
    line = Line()
    rig.engine.handle(FakeExchange(upgrade_request(), line=line))
    head = line.take().partition(b"\r\n\r\n")[0]
    assert b"\r\nX-First: 1" in head and b"\r\nX-Every: 1" in head


@pytest.mark.parametrize("event", ["headers", "initial_headers"])
@pytest.mark.parametrize("query", [POLLING, WEBSOCKET])
@pytest.mark.parametrize(
    "listener",
    [
        lambda headers, request: 1 // 0,
        lambda headers, request: headers.update({"X": "\u20ac"}),
        lambda headers, request: headers.update({"X": "a\r\nSet-Cookie: b"}),
        lambda headers, request: headers.update({"X: a\r\nY": "b"}),
    ],
    ids=["raises", "not Latin-1", "value with a line break", "name with a line break"],
)
def test_header_that_cannot_be_sent(rig: Rig, event: str, query: str, listener: Handler, logged_errors: Json) -> None:
    """The application's fault is logged, and the client gets its answer without the field."""
    rig.engine.on(event, listener)
    line = Line()
    make = upgrade_request if query == WEBSOCKET else new_request
    exchange = FakeExchange(make(query) if make is upgrade_request else make("GET", query), line=line)
    rig.engine.handle(exchange)
    if query == WEBSOCKET:
        assert b"Set-Cookie" not in line.value() and line.value().startswith(b"HTTP/1.1 101 ")
    else:
        assert exchange.answer is not None and exchange.status == 200
        assert not any("X" in name or "\n" in value for name, value in exchange.answer.fields.items())
    assert rig.engine.clients_count == 1
    assert logged_errors.take()


@pytest.mark.parametrize("query", [POLLING, WEBSOCKET])
def test_connection_listener_that_fails(rig: Rig, query: str, logged_errors: Json) -> None:
    """The client is connected all the same, and the other listeners hear of it."""
    heard: list[Session] = []
    rig.engine.on("connection", lambda session: 1 // 0)
    rig.engine.on("connection", heard.append)
    exchange = rig.ask(query)
    assert exchange.answered
    assert heard == rig.sessions and rig.sessions[0].is_open
    assert len(logged_errors.take(ZeroDivisionError)) == 1


def test_connection_error_listener_that_fails(rig: Rig, logged_errors: Json) -> None:
    rig.engine.on("connection_error", lambda request, refusal: 1 // 0)
    assert rig.ask("nothing").status == 400
    assert len(logged_errors.take(ZeroDivisionError)) == 1


def test_listeners_can_be_decorators(rig: Rig) -> None:
    @rig.engine.on("connection_error")
    def refused(request: Json, refusal: Json) -> None:
        rig.log.append(f"refused {refusal}")

    @rig.engine.use
    def middleware(request: Json, fields: Json) -> None:
        rig.log.append("asked")

    rig.ask("nothing")
    assert rig.log == ["asked", "refused Transport unknown (code 0)"]
    assert callable(refused) and callable(middleware)


def test_fault_of_ours_while_a_request_waits(logged_errors: Json) -> None:
    """The client is not left without an answer for ever: its connection ends."""
    gate: Deferred[bool] = Deferred()
    rig = Rig(allow_request=lambda request: gate)
    rig.engine.on_session = lambda session: 1 // 0
    exchange = rig.ask()
    gate.callback(True)
    assert exchange.dropped
    assert len(logged_errors.take(ZeroDivisionError)) == 1


def test_event_that_does_not_exist(rig: Rig) -> None:
    with pytest.raises(OptionError, match="connection_error"):
        rig.engine.on("conection", print)


# Files, bodies


def test_files_are_asked_for_what_lies_below(rig: Rig) -> None:
    """And for nothing else; what they do not know goes the way of every request."""
    asked: list[str] = []

    def files(exchange: FakeExchange, name: str) -> bool:
        asked.append(name)
        if name == "known.js":
            exchange.respond(200, [], b"text")
        return name == "known.js"

    rig.engine.files = files
    for name in ("known.js", "unknown.js", ""):
        rig.engine.handle(FakeExchange(new_request(query="")), name)
    assert asked == ["known.js", "unknown.js"]


# The end


def test_closing_ends_every_session(rig: Rig) -> None:
    """Held polls are completed, WebSockets get their close frame; fires when the connections are gone."""
    rig.ask()
    poll = rig.ask(POLLING + "&sid=" + rig.sessions[0].sid)
    line = connect(rig.engine)
    line.take()
    fired: list[None] = []
    rig.engine.close().addCallback(fired.append)
    assert rig.engine.clients_count == 0
    assert poll.status == 200
    assert read_frames(line.take()) == ["close 1005"]
    assert rig.log[-2:] == ["close forced close"] * 2
    assert fired == []
    line.lose()
    assert fired == [None]
    assert rig.engine.clock.getDelayedCalls() == []


def test_closing_an_engine_without_clients(rig: Rig) -> None:
    fired: list[None] = []
    rig.engine.close().addCallback(fired.append)
    assert fired == [None]


def test_closing_twice_fires_twice(rig: Rig) -> None:
    line = connect(rig.engine)
    fired: list[None] = []
    rig.engine.close().addCallback(fired.append)
    rig.engine.close().addCallback(fired.append)
    line.lose()
    assert fired == [None, None]


def test_closing_does_not_wait_for_a_client_that_says_nothing(rig: Rig) -> None:
    line = connect(rig.engine)
    rig.engine.close()
    rig.engine.clock.pump([COARSE / 4] * round((CLOSE_TIMEOUT + COARSE) / COARSE * 4))
    assert line.aborted


@pytest.mark.parametrize("query", [POLLING, WEBSOCKET])
def test_closed_engine_takes_nobody(query: str) -> None:
    """As JSON, in place of a 101 too; the application is not asked, and may take clients again."""
    asked: list[str] = []
    rig = Rig(allow_request=lambda request: asked.append(request.url) or True)
    rig.engine.close()
    refused = rig.ask(query)
    assert (refused.status, refused.text) == (503, '{"code":4,"message":"Server is closing"}')
    assert [each.context for each in rig.refusals] == [{"closing": True}]
    assert rig.sessions == [] and asked == []
    rig.engine.start()
    rig.ask(query)
    assert len(rig.sessions) == 1


def test_a_fault_in_on_close_does_not_keep_the_others_open(rig: Rig, logged_errors: Json) -> None:
    for _ in range(3):
        rig.ask()
    for session in rig.sessions:
        session.on_close = lambda reason, description: 1 // 0
    rig.engine.close()
    assert rig.engine.clients_count == 0
    assert len(logged_errors.take(ZeroDivisionError)) == 3


def test_heartbeats_share_one_timer(rig: Rig) -> None:
    for _ in range(100):
        rig.ask()
    assert len(rig.engine.clock.getDelayedCalls()) == 1
    rig.engine.clock.pump([COARSE / 4] * round((INTERVAL + COARSE) / COARSE * 4))
    assert all(session.pong_due for session in rig.sessions)


def test_engine_takes_its_options_as_keywords() -> None:
    """As an application makes one; it then runs on the reactor."""
    engine = Engine(ping_interval=5.0)
    assert engine.options.ping_interval == 5.0
    with pytest.raises(OptionError):
        Engine(ping_intervall=5.0)
