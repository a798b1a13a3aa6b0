"""Our site: how large a body may be, and how long anything may take."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engineio.doubles import COARSE, INTERVAL
from tests.engineio.line import Line, accept
from tests.engineio.sites import LIMIT, OPENING, POLLING, SESSION, WAYS, Rig, in_pieces, statuses, undated, whole
from tests.wire import chunked, request
from txsocketio.engineio.channel import LINGER
from txsocketio.types import Json

pytestmark = pytest.mark.usefixtures("known_sid")


@pytest.fixture
def rig() -> Rig:
    return Rig()


# Bodies


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("coding", ["length", "chunks"])
def test_body_above_the_limit_is_refused(rig: Rig, way: Callable[[Rig, bytes], bytes], coding: str) -> None:
    """It is answered once, reaches nobody, and the session lives."""
    whole(rig, OPENING)
    body = b"4" * (LIMIT + 1)
    if coding == "length":
        answer = way(rig, request("POST", SESSION, body))
    else:
        answer = way(rig, request("POST", SESSION, chunked([body]), {"Transfer-Encoding": "chunked"}))
    assert statuses(answer) == [413]
    assert way(rig, request("POST", SESSION, b"4a")).endswith(b"ok")
    assert rig.log == ["message 'a'"]


def test_body_above_the_limit_is_refused_when_it_is_announced(rig: Rig) -> None:
    """Nothing of it is waited for, and the connection ends a moment later, so that the client reads the answer."""
    whole(rig, OPENING)
    line = rig.open()
    line.feed(request("POST", SESSION, b"", {"Content-Length": str(LIMIT + 1)}))
    answer = line.take()
    assert statuses(answer) == [413] and b"Connection: close" in answer
    for _ in range(100):
        line.feed(b"4" * 65536)
    assert line.take() == b"" and not line.disconnecting
    rig.pass_time(LINGER)
    assert line.disconnecting
    line.lose()
    assert rig.session.is_open


@pytest.mark.parametrize("target", ["/engine.io/", "/engine.io", "/%65ngine.io/", "/engine.io/a/b"])
@pytest.mark.parametrize(
    "fields", [{"Content-Length": "100000000"}, {"Content-Length": "5000", "Expect": "100-continue"}]
)
def test_announced_body_is_refused_however_it_is_asked_for(rig: Rig, target: str, fields: dict[str, str]) -> None:
    """Wherever the engine would answer, nothing of it is read, and nothing else is said."""
    line = rig.open()
    line.feed(request("PUT", f"{target}?EIO=4&transport=polling", b"", {"Content-Length": "100000000"} | fields))
    answer = line.take()
    line.lose()
    assert statuses(answer) == [413]
    assert answer.endswith(b"Connection: close\r\n\r\n")


@pytest.mark.parametrize("coding", ["length", "chunks"])
def test_refusal_of_a_body_carries_what_every_answer_does(rig: Rig, coding: str) -> None:
    """A page of another site may read it, however the body came and whoever found it to be too large."""
    rig.engine.on("headers", lambda headers, request: headers.update({"X-Of": request.url}))
    whole(rig, OPENING)
    body = b"4" * (LIMIT + 1)
    sent = request("POST", SESSION, body, {"Origin": "http://a"})
    if coding == "chunks":
        sent = request("POST", SESSION, chunked([body]), {"Origin": "http://a", "Transfer-Encoding": "chunked"})
    answers = {undated(way(rig, sent)).replace(b"Connection: close\r\n", b"") for way in WAYS}
    assert answers == {
        b"HTTP/1.1 413 Request Entity Too Large\r\nDate: now\r\nAccess-Control-Allow-Origin: http://a\r\n"
        b"Vary: Origin\r\nX-Of: " + SESSION.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    }


def test_refusal_of_a_body_that_waits_to_be_read(rig: Rig) -> None:
    """Behind an answer that the client has not read; then the connection ends as ever."""
    line = rig.open()
    line.block()
    line.feed(request("GET", "/long") + request("PUT", SESSION, b"", {"Content-Length": "100000"}))
    rig.turn()
    line.feed(b"4" * 1000)
    line.unblock()
    rig.turn()
    assert statuses(line.take()) == [200, 413]
    rig.pass_time(LINGER)
    assert line.disconnecting
    line.lose()


# Bodies for what stands beside the engine


def page_request(coding: str, size: int) -> bytes:
    if coding == "length":
        return request("POST", "/page", b"x" * size)
    return request("POST", "/page", chunked([b"x" * 500] * (size // 500)), {"Transfer-Encoding": "chunked"})


@pytest.mark.parametrize("way", [whole, in_pieces])
@pytest.mark.parametrize("coding", ["length", "chunks"])
def test_body_for_another_page(way: Callable[[Rig, bytes], bytes], coding: str) -> None:
    """It has a limit of its own; the engine's is not meant for it."""
    rig = Rig(max_root_body_size=2 * LIMIT)
    assert statuses(way(rig, page_request(coding, 2 * LIMIT))) == [200]
    assert statuses(way(rig, page_request(coding, 2 * LIMIT + 500))) == [413]


def test_body_for_another_page_is_refused_when_it_is_announced() -> None:
    rig = Rig(max_root_body_size=2 * LIMIT)
    line = rig.open()
    line.feed(request("POST", "/page", b"", {"Content-Length": str(2 * LIMIT + 1)}))
    assert undated(line.take()) == (
        b"HTTP/1.1 413 Request Entity Too Large\r\nDate: now\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    rig.pass_time(LINGER)
    assert line.disconnecting
    line.lose()


@pytest.mark.parametrize("options", [{}, {"max_root_body_size": None}])
def test_large_body_for_another_page(options: Json) -> None:
    """Files may be uploaded; a limit of none is a choice."""
    size = 9_000_000 if not options else 11_000_000
    assert statuses(whole(Rig(**options), page_request("length", size))) == [200]


def test_overlapping_post_does_not_become_a_request(rig: Rig) -> None:
    """The body of a POST that was refused while it was on its way is not taken for the next request."""
    whole(rig, OPENING)
    first, second = rig.open(), rig.open()
    inner = request("GET", POLLING)
    first.feed(request("POST", SESSION, b"4", {"Content-Length": "100"}))
    second.feed(request("POST", SESSION, b"", {"Content-Length": str(len(inner))}))
    assert statuses(second.take()) == [400]
    second.feed(inner)
    rig.turn()
    assert second.take() == b""
    assert rig.engine.clients_count == 0
    rig.pass_time(LINGER)
    assert second.disconnecting and first.disconnecting


def test_body_that_breaks_off_ends_the_session(rig: Rig) -> None:
    whole(rig, OPENING)
    line = rig.open()
    line.feed(request("POST", SESSION, b"4", {"Content-Length": "100"}))
    line.lose()
    assert rig.log[-1] == "close transport error: data request connection closed prematurely"


def test_poll_that_breaks_off_ends_the_session(rig: Rig) -> None:
    whole(rig, OPENING)
    for connect in (lambda: rig.open(), lambda: accept(rig.guest)):
        line = connect()
        line.feed(request("GET", SESSION))
        line.lose()
    assert rig.log[-1] == "close transport error: poll connection closed prematurely"


def test_connection_lost_with_a_request_behind_its_answer(rig: Rig) -> None:
    """A poll that was sent behind a POST is not held for a client that has gone."""
    whole(rig, OPENING)
    line = rig.open()
    line.feed(request("POST", SESSION, b"4", {"Content-Length": "2"}))
    line.feed(b"a" + request("GET", SESSION))
    line.lose()
    rig.turn()
    assert not rig.session.is_writable


# Time


def drip(rig: Rig, line: Line, data: bytes, seconds: float = 1.0) -> int:
    """Send a byte a second; how many it took until the server had enough."""
    for count, byte in enumerate(data):
        if line.disconnecting or line.aborted:
            return count
        line.feed(bytes([byte]))
        rig.pass_time(seconds)
    return len(data)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_head_that_drips_is_cut_off(method: str) -> None:
    """A byte a second does not buy more time, nor does a line."""
    rig = Rig(head_timeout=10.0)
    line = rig.open()
    assert drip(rig, line, request(method, POLLING, headers={"X": "y" * 100})) == 10
    line = rig.open()
    line.feed(f"{method} {POLLING} HTTP/1.1\r\n".encode())
    for number in range(100):
        line.feed(b"X-%d: 1\r\n" % number)
        rig.pass_time(1.0)
        if line.disconnecting:
            break
    assert number == 9


def test_connection_that_says_nothing_is_cut_off() -> None:
    rig = Rig(head_timeout=10.0)
    line = rig.open()
    rig.pass_time(10.0)
    assert line.disconnecting


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["light", "twisted.web"])
def test_body_that_drips_is_cut_off(headers: dict[str, str]) -> None:
    rig = Rig(body_timeout=20.0)
    whole(rig, OPENING)
    line = rig.open()
    line.feed(request("POST", SESSION, b"", {"Content-Length": "100"} | headers))
    assert drip(rig, line, b"4" * 100) == 20


def test_idle_connection_is_closed_and_a_request_grants_it_time_anew() -> None:
    rig = Rig(idle_timeout=10.0)
    line = rig.open()
    for sent in (OPENING, request("GET", "/page"), OPENING):
        line.feed(sent)
        assert statuses(line.take()) == [200]
        rig.pass_time(9.0)
        assert not line.disconnecting
    rig.pass_time(1.0)
    assert line.disconnecting


@pytest.mark.parametrize("split", [False, True])
def test_held_poll_is_not_idle(split: bool) -> None:
    rig = Rig(idle_timeout=3.0, body_timeout=3.0, head_timeout=3.0)
    whole(rig, OPENING)
    line = rig.open()
    sent = request("GET", SESSION)
    for piece in (sent[:9], sent[9:]) if split else (sent,):
        line.feed(piece)
    rig.pass_time(INTERVAL - COARSE)
    assert not line.disconnecting


def test_client_that_takes_no_answer_is_not_read_from(rig: Rig) -> None:
    """Its requests wait in its own buffers, not in ours."""
    line = rig.open()
    line.block()
    sent = 0
    while line.producerState == "producing" and sent < 10_000:
        line.feed(request("GET", POLLING + "&sid=x"))
        sent += 1
    assert line.producerState == "paused"
    assert line.kept < Line.HIGH_WATER + 1000
