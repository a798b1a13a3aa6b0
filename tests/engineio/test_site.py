"""Our site: whichever way a request takes, by the light channel or by twisted.web, its answer has the same bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from twisted.internet.defer import Deferred

from tests.engineio.doubles import COARSE, INTERVAL
from tests.engineio.line import accept, read_frames, text
from tests.engineio.sites import (
    OPENING,
    POLLING,
    SESSION,
    WAYS,
    WEBSOCKET,
    Rig,
    as_guest,
    in_pieces,
    statuses,
    undated,
    whole,
)
from tests.sessions import UPGRADE_HEADERS
from tests.wire import CLOSE, chunked, frame, request
from txsocketio.engineio.channel import MAX_AHEAD

pytestmark = pytest.mark.usefixtures("known_sid")


@pytest.fixture
def rig() -> Rig:
    return Rig()


# Three ways


GZIP = {"Accept-Encoding": "gzip, deflate, br"}

#: What a client asks, request by request, each on a connection of its own.
CONVERSATIONS: dict[str, list[bytes]] = {
    "handshake": [OPENING],
    "echo": [OPENING, request("POST", SESSION, b"4a\x1ebAQID"), request("GET", SESSION)],
    "compressed": [OPENING, request("POST", SESSION, b"4" * 950), request("GET", SESSION, headers=GZIP)],
    "end": [OPENING, request("POST", SESSION, b"1"), request("GET", SESSION)],
    "parse error": [OPENING, request("POST", SESSION, b"9"), request("POST", SESSION, b"4")],
    "empty body": [OPENING, request("POST", SESSION, b"")],
    "binary content": [OPENING, request("POST", SESSION, b"4", {"Content-Type": "application/octet-stream"})],
    "unknown transport": [request("GET", "/engine.io/?EIO=4&transport=x")],
    "nothing asked": [request("GET", "/engine.io/"), request("GET", "/engine.io/something")],
    "unknown sid": [request("GET", POLLING + "&sid=x"), request("POST", POLLING + "&sid=x", b"4")],
    "other version": [request("GET", "/engine.io/?EIO=3&transport=polling")],
    "bad handshake method": [request("POST", POLLING, b"")],
    "websocket without an upgrade": [request("GET", WEBSOCKET)],
    "upgrade of long-polling": [request("GET", POLLING, headers=UPGRADE_HEADERS)],
    "upgrade without a key": [request("GET", WEBSOCKET, headers=UPGRADE_HEADERS | {"Sec-WebSocket-Key": ""})],
    "upgrade of another version": [request("GET", WEBSOCKET, headers=UPGRADE_HEADERS | {"Sec-WebSocket-Version": "7"})],
    "websocket": [request("GET", WEBSOCKET, headers=UPGRADE_HEADERS)],
    "allowed origin": [request("GET", POLLING, headers={"Origin": "http://a"})],
    "own origin": [request("GET", POLLING, headers={"Origin": "http://test"})],
    "refused origin": [request("GET", POLLING, headers={"Origin": "http://b"})],
    "refused origin over websocket": [request("GET", WEBSOCKET, headers=UPGRADE_HEADERS | {"Origin": "http://b"})],
    "preflight": [request("OPTIONS", POLLING, headers={"Origin": "http://a", "Access-Control-Request-Method": "POST"})],
    "other methods": [OPENING, *(request(method, SESSION) for method in ("PUT", "DELETE", "HEAD", "OPTIONS"))],
    "old browser": [request("GET", POLLING, headers={"User-Agent": "Mozilla/5.0 (x; Trident/7.0)"})],
    "fields of the application": [request("GET", POLLING), request("GET", POLLING)],
    "repeated field": [request("GET", POLLING)[:-2] + b"X-A: 1\r\nX-A: 2\r\n\r\n"],
    "close asked for": [request("GET", POLLING, headers={"Connection": "close"})],
    "keep-alive asked for": [request("GET", POLLING, headers={"Connection": "keep-alive"})],
    "chunks": [OPENING, request("POST", SESSION, chunked([b"4", b"abc"]), {"Transfer-Encoding": "chunked"})],
}  # fmt: skip


@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_every_way_gives_the_same_bytes(conversation: list[bytes]) -> None:
    """By the light channel, by twisted.web in our site, and in somebody's."""
    results = []
    for way in WAYS:
        rig = Rig(cookie=True, http_compression={"threshold": 500})
        rig.engine.on("headers", lambda headers, request: headers.update({"X-Every": "1"}))
        rig.engine.on("initial_headers", lambda headers, request: headers.update({"X-First": "1"}))
        results.append(([undated(way(rig, sent)) for sent in conversation], list(rig.log)))
    for answers in zip(*(answers for answers, _ in results), strict=True):
        assert list(answers) == [answers[0]] * len(WAYS)
        assert len(statuses(answers[0])) == 1
    assert [log for _, log in results] == [results[0][1]] * len(WAYS)


def test_answers_are_right(rig: Rig) -> None:
    """The ways agree on something that is right."""
    first, echoed, polled = (whole(rig, sent) for sent in CONVERSATIONS["echo"])
    assert re.match(
        rb"HTTP/1\.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nVary: Origin\r\n"
        rb"Content-Type: text/plain; charset=UTF-8\r\nCache-Control: no-store\r\nContent-Length: (\d+)\r\n\r\n0{",
        first,
    ), first
    assert echoed.endswith(b"Content-Type: text/html\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok")
    assert polled.endswith(b"Content-Length: 8\r\n\r\n4a\x1ebAQID")


SPLIT: dict[str, bytes] = {
    "handshake": OPENING,
    "post": request("POST", SESSION, b"4a\x1e4b"),
    "websocket": request("GET", WEBSOCKET, headers=UPGRADE_HEADERS) + text("early") + text("too"),
    "pipelined": request("POST", SESSION, b"4a") + request("GET", SESSION) + request("POST", SESSION, b"4b"),
}


@pytest.mark.parametrize("name", SPLIT)
def test_request_split_anywhere_gives_the_same(name: str) -> None:
    """TCP cuts where it likes."""
    sent = SPLIT[name]
    answers = set()
    for cut in range(len(sent)):
        rig = Rig()
        if name in ("post", "pipelined"):
            whole(rig, OPENING)
            rig.log.clear()
        line = rig.open()
        for piece in filter(None, (sent[:cut], sent[cut:])):
            line.feed(piece)
            rig.turn()
        rig.turn()
        answers.add((undated(line.take()), tuple(rig.log)))
    assert len(answers) == 1, answers
    ((answer, log),) = answers
    assert len(statuses(answer)) == 3 if name == "pipelined" else 1
    assert (
        log
        == {
            "handshake": (),
            "post": ("message 'a'", "message 'b'"),
            "websocket": ("message 'early'", "message 'too'"),
            "pipelined": ("message 'a'", "message 'b'"),
        }[name]
    )


# One connection after another request


def test_connection_is_kept_for_the_next_request(rig: Rig) -> None:
    line = rig.open()
    for _ in range(3):
        line.feed(request("GET", POLLING + "&sid=x"))
        assert statuses(line.take()) == [400]
    assert not line.disconnecting


def test_ways_take_turns_on_one_connection(rig: Rig) -> None:
    """Whatever came before, the next request goes the way that is its own."""
    line = rig.open()
    page, odd, simple = request("GET", "/page"), request("PUT", POLLING), request("GET", POLLING + "&sid=x")
    for sent, status in ((page, 200), (simple, 400), (odd, 400), (simple, 400), (page, 200), (OPENING, 200)):
        line.feed(sent)
        assert statuses(line.take()) == [status]


def test_requests_sent_together_are_answered_in_turn(rig: Rig) -> None:
    whole(rig, OPENING)
    line = rig.open()
    line.feed(request("POST", SESSION, b"4a") + request("GET", "/page") + request("GET", SESSION) + OPENING)
    rig.turn()
    answer = line.take()
    assert statuses(answer) == [200, 200, 200, 200]
    assert [answer.index(body) for body in (b"ok", b"a page", b"4a", b"0{")] == sorted(
        answer.index(body) for body in (b"ok", b"a page", b"4a", b"0{")
    )


def test_request_behind_a_held_poll_waits(rig: Rig) -> None:
    """It is handled when the poll has its answer, and not before."""
    whole(rig, OPENING)
    line = rig.open()
    line.feed(request("GET", SESSION))
    line.feed(request("POST", SESSION, b"4late"))
    rig.turn()
    assert line.take() == b"" and "message 'late'" not in rig.log
    rig.session.send("now")
    rig.turn()
    assert statuses(line.take()) == [200, 200]
    assert "message 'late'" in rig.log


def test_what_comes_behind_a_held_poll_is_bounded(rig: Rig) -> None:
    whole(rig, OPENING)
    line = rig.open()
    line.feed(request("GET", SESSION))
    line.feed(b"x" * MAX_AHEAD)
    assert not line.aborted
    line.feed(b"x")
    assert line.aborted


def test_answer_behind_which_the_connection_ends(rig: Rig) -> None:
    line = rig.open()
    line.feed(request("GET", POLLING, headers=UPGRADE_HEADERS))
    assert b"Connection: close\r\n" in line.take()
    assert line.disconnecting


def test_nothing_is_read_behind_the_last_answer(rig: Rig) -> None:
    """Over TLS a client can still be heard when its connection is being closed."""
    line = rig.open()
    line.feed(request("GET", POLLING, headers=UPGRADE_HEADERS))
    line.take()
    line.feed(OPENING)
    assert line.take() == b"" and rig.engine.clients_count == 0


def test_pages_beside_the_engine(rig: Rig) -> None:
    """Our site serves what else there is."""
    assert whole(rig, request("GET", "/page")).endswith(b"a page")
    assert statuses(whole(rig, request("GET", "/engine.iox/?EIO=4&transport=polling"))) == [404]
    assert statuses(whole(rig, request("GET", "/?EIO=4&transport=polling"))) == [404]


@pytest.mark.parametrize("path", ["/", "/engine.io", "/engine.io/", "/a/b/", "/a//b"])
def test_engine_at_any_path(path: str) -> None:
    rig = Rig(path=path)
    target = re.sub("/+", "/", f"{path}/?EIO=4&transport=polling")
    assert undated(whole(rig, request("GET", target))) == undated(in_pieces(rig, request("GET", target)))
    assert len(rig.engine.sessions) == 1


# WebSocket


@pytest.mark.parametrize("way", WAYS)
def test_websocket_has_the_connection(rig: Rig, way: Callable[[Rig, bytes], bytes]) -> None:
    """From its handshake on, with the first frames that came in the same segment."""
    line = accept(rig.guest) if way is as_guest else rig.open()
    sent = request("GET", WEBSOCKET, headers=UPGRADE_HEADERS)
    step = 7 if way is in_pieces else len(sent)
    for begin in range(0, len(sent), step):
        piece = sent[begin : begin + step]
        line.feed(piece + text("early") if begin + step >= len(sent) else piece)
    head, _, frames = line.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    opened, early = read_frames(frames)
    assert str(opened).startswith('0{"sid":') and early == "4early"
    line.feed(text("hello"))
    assert read_frames(line.take()) == ["4hello"]
    rig.pass_time(INTERVAL + COARSE)
    assert read_frames(line.take()) == ["2"]
    assert line.producer is line.protocol
    line.feed(frame(CLOSE))
    assert line.disconnecting
    line.lose()
    assert rig.log[-1] == "close transport close"
    assert rig.engine.clock.getDelayedCalls() == []


@pytest.mark.parametrize("way", WAYS)
def test_body_of_a_handshake_is_not_taken_for_frames(rig: Rig, way: Callable[[Rig, bytes], bytes]) -> None:
    """What the head announces as a body is one, and the frames are behind it."""
    answer = way(rig, request("GET", WEBSOCKET, text("body"), UPGRADE_HEADERS) + text("early"))
    assert read_frames(answer.partition(b"\r\n\r\n")[2])[1:] == ["4early"]


@pytest.mark.parametrize("kind", ["site", "guest"])
def test_frames_that_come_while_the_application_decides(kind: str) -> None:
    """They are for the session that may come."""
    gate: Deferred[bool] = Deferred()
    rig = Rig(allow_request=lambda request: gate)
    line = accept(getattr(rig, kind))
    line.feed(request("GET", WEBSOCKET, headers=UPGRADE_HEADERS) + text("a"))
    line.feed(text("b"))
    assert line.take() == b""
    gate.callback(True)
    rig.turn()
    line.feed(text("c"))
    assert read_frames(line.take().partition(b"\r\n\r\n")[2])[1:] == ["4a", "4b", "4c"]


@pytest.mark.parametrize("kind", ["site", "guest"])
def test_many_frames_that_come_while_the_application_decides(kind: str) -> None:
    """A host stops reading then; it must go on when the WebSocket has the connection."""
    gate: Deferred[bool] = Deferred()
    rig = Rig(allow_request=lambda request: gate)
    line = accept(getattr(rig, kind))
    line.feed(request("GET", WEBSOCKET, headers=UPGRADE_HEADERS) + text("a" * 900) * 10)
    line.feed(text("b" * 900) * 10)
    gate.callback(True)
    rig.turn()
    assert line.producerState == "producing"
    assert len(read_frames(line.take().partition(b"\r\n\r\n")[2])) == 21


@pytest.mark.parametrize("kind", ["site", "guest"])
@pytest.mark.parametrize("target", [POLLING, WEBSOCKET])
def test_client_that_goes_while_the_application_decides(kind: str, target: str) -> None:
    """There is nobody to open a session for."""
    gate: Deferred[bool] = Deferred()
    rig = Rig(allow_request=lambda request: gate)
    line = accept(getattr(rig, kind))
    line.feed(request("GET", target, headers=UPGRADE_HEADERS if target == WEBSOCKET else {}))
    line.lose()
    gate.callback(True)
    assert rig.engine.clients_count == 0 and not rig.engine.websockets
    assert rig.engine.clock.getDelayedCalls() == []


# Odd heads


@pytest.fixture
def light(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], bool]]:
    """Whether the light channel takes a request itself."""
    line = rig.open()
    monkeypatch.setattr(line.protocol, "_handle", lambda: None)
    monkeypatch.setattr(line.protocol, "_collect", lambda body, missing: None)
    yield line.protocol._take


HEAD = b"GET /engine.io/ HTTP/1.1\r\nHost: a\r\n"

ODD = {
    "HTTP/1.0": b"GET /engine.io/ HTTP/1.0\r\nHost: a\r\n\r\n",
    "no host": b"GET /engine.io/ HTTP/1.1\r\n\r\n",
    "two spaces": b"GET /engine.io/  HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /engine.io/\r\nHost: a\r\n\r\n",
    "bare line feed": HEAD + b"A: b\n\r\n\r\n",
    "line feeds only": HEAD.replace(b"\r\n", b"\n") + b"\n\r\n\r\n",
    "bare carriage return": HEAD + b"A: b\rc\r\n\r\n",
    "folded line": HEAD + b"A: b\r\n c\r\n\r\n",
    "space before the colon": HEAD + b"A : b\r\n\r\n",
    "no colon": HEAD + b"A\r\n\r\n",
    "no name": HEAD + b": b\r\n\r\n",
    "control character": HEAD + b"A: \x00\r\n\r\n",
    "repeated field": HEAD + b"A: b\r\na: c\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "signed length": HEAD + b"Content-Length: +0\r\n\r\n",
    "empty length": HEAD + b"Content-Length:\r\n\r\n",
    "long length": HEAD + b"Content-Length: 0000000000000000\r\n\r\n",
    "transfer coding": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "transfer coding and length": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "expectation": HEAD + b"Expect: 100-continue\r\n\r\n",
    "close": HEAD + b"Connection: close\r\n\r\n",
    "other option": HEAD + b"Connection: keep-alive, x\r\n\r\n",
    "body of a GET to come": HEAD + b"Content-Length: 1\r\n\r\n",
    "something behind": HEAD + b"\r\nGET",
    "body of an upgrade": HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 1\r\n\r\nx\x81",
    "end not there": HEAD,
    "endless": HEAD + b"A: " + b"b" * 20_000 + b"\r\n\r\n",
}

SIMPLE = {
    "nothing but a host": HEAD + b"\r\n",
    "unknown field": HEAD + b"X-Whatever: b\r\n\r\n",
    "any case": HEAD + b"cOnTeNt-LeNgTh: 0\r\nCONNECTION: Keep-Alive\r\n\r\n",
    "no space behind the colon": HEAD + b"A:b\r\n\r\n",
    "empty value": HEAD + b"A:\r\n\r\n",
    "tab in a value": HEAD + b"A: b\tc\r\n\r\n",
    "beyond ASCII": HEAD + b"A: \xe4\r\n\r\n",
    "whole body of a GET": HEAD + b"Content-Length: 1\r\n\r\nx",
    "frames behind an upgrade": HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81",
    "body to come": b"POST" + HEAD[3:] + b"Content-Length: 5\r\n\r\nx",
}


@pytest.mark.parametrize("head", ODD.values(), ids=ODD)
def test_odd_head_is_left_to_twisted(light: Callable[[bytes], bool], head: bytes) -> None:
    """What is not quite simple is decided by a complete implementation of HTTP."""
    assert not light(head)


@pytest.mark.parametrize("head", SIMPLE.values(), ids=SIMPLE)
def test_simple_head_is_taken(light: Callable[[bytes], bool], head: bytes) -> None:
    assert light(head)
