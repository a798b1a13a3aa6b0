"""Answers that clients do not read: what is kept of them is bounded, whichever way HTTP reaches the engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engineio.doubles import COARSE
from tests.engineio.line import Line, accept
from tests.engineio.sites import OPENING, SESSION, WAYS, Rig, statuses, whole
from tests.wire import request

pytestmark = pytest.mark.usefixtures("known_sid")


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture(params=["light", "twisted.web", "guest"])
def unread(request: pytest.FixtureRequest, rig: Rig) -> Line:
    """A connection whose client has not read the long answer to its poll; the channels differ."""
    whole(rig, OPENING)
    line = accept(rig.guest) if request.param == "guest" else rig.open()
    poll = b"GET " + SESSION.encode() + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    for piece in (poll,) if request.param == "light" else (poll[:20], poll[20:]):
        line.feed(piece)
    line.block()
    rig.session.send("x" * 200_000)
    assert line.kept > 200_000
    return line


def test_answer_that_is_read_late(rig: Rig, unread: Line) -> None:
    """What comes behind it on the connection is answered then; other connections are not concerned."""
    unread.feed(request("GET", SESSION))
    assert whole(rig, request("POST", SESSION, b"4a")).endswith(b"\r\n\r\nok")
    rig.turn()
    unread.unblock()
    rig.turn()
    answers = unread.take().split(b"HTTP/1.1 200 OK")[1:]
    assert [len(answer) > 200_000 for answer in answers] == [True, False]
    assert answers[1].endswith(b"\r\n\r\n4a")
    assert rig.session.is_open


@pytest.mark.parametrize("ask", WAYS)
def test_poll_before_the_last_answer_is_read(rig: Rig, unread: Line, ask: Callable[[Rig, bytes], bytes]) -> None:
    """No client can do so; answers that nobody reads would be kept without a bound, each by another connection."""
    assert statuses(ask(rig, request("GET", SESSION))) == [400]
    assert rig.log[-1] == "close transport error: overlap from client"
    assert unread.aborted
    unread.lose()
    assert rig.engine.clients_count == 0


def test_connection_lost_before_its_answer_is_read(rig: Rig, unread: Line) -> None:
    """What it has not read is lost for good, so the session is over."""
    unread.lose()
    assert rig.log[-1] == "close transport error: poll connection closed prematurely"
    assert rig.engine.clients_count == 0


def test_slow_consumer_over_long_polling(rig: Rig, unread: Line) -> None:
    """What it has not read goes too."""
    rig.engine.options.max_outgoing_buffer = 1000
    for _ in range(100):
        rig.session.send("x" * 1000)
    rig.turn()
    assert rig.log[-1] == "close slow consumer: more than 1000 bytes are waiting"
    assert unread.aborted
    unread.lose()


def test_client_that_never_reads_its_answer(rig: Rig, unread: Line) -> None:
    """It does not keep the connection longer than an idle one, even if nothing else ends its session."""
    rig.session.pong_due = False
    rig.session._heartbeat.cancel()
    rig.pass_time(rig.engine.options.idle_timeout + 15 + 2 * COARSE)
    assert unread.aborted
    unread.lose()


def test_client_that_leaves_without_reading(rig: Rig, unread: Line) -> None:
    whole(rig, request("POST", SESSION, b"1"))
    assert rig.log[-1] == "close transport close"
    assert unread.aborted
    unread.lose()
