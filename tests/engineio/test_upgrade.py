"""The move of a session from long-polling to WebSocket: what was sent arrives once and in order, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.engineio.doubles import (
    COARSE,
    INTERVAL,
    POLLING,
    TIMEOUT,
    UPGRADING,
    WEBSOCKET,
    FakeExchange,
    Log,
    new_engine,
    new_request,
)
from tests.engineio.line import Line, connect, read_frames, text, upgrade_request
from tests.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.polling import NOOP_INTERVAL
from txsocketio.engineio.session import Session
from txsocketio.engineio.websocket import CLOSE_TIMEOUT, MAX_HELD
from txsocketio.types import Json

PROBE, COMPLETE = frame(TEXT, b"2probe"), frame(TEXT, b"5")


class Rig:
    """A client over long-polling that may upgrade; `got` is what has come to it, over either transport, in order."""

    def __init__(self, **options: Json) -> None:
        self.engine = new_engine(**options)
        self.log = Log()
        self.engine.on_session = self._welcome
        self.session: Session
        self.line: Line
        opening = FakeExchange(new_request())
        self.engine.handle(opening)
        self.log.clear()
        self.got: list[str | bytes] = []
        self.held: FakeExchange | None = None

    def _welcome(self, session: Session) -> None:
        self.session = session
        self.log.listen(session)

    def open_websocket(self, rest: bytes = b"") -> Line:
        self.line = connect(self.engine, f"{WEBSOCKET}&sid={self.session.sid}", rest)
        self._read()
        return self.line

    def poll(self) -> FakeExchange:
        self.held = poll = FakeExchange(new_request(query=f"{POLLING}&sid={self.session.sid}"))
        self.engine.handle(poll)
        self._read()
        return poll

    def post(self, body: bytes) -> FakeExchange:
        post = FakeExchange(new_request("POST", f"{POLLING}&sid={self.session.sid}"), body)
        self.engine.handle(post)
        self._read()
        return post

    def feed(self, data: bytes) -> None:
        self.line.feed(data)
        self._read()

    def send(self, message: str) -> None:
        self.session.send(message)
        self._read()

    def pass_time(self, seconds: float) -> None:
        self.engine.clock.pump([0.05] * round(seconds / 0.05))
        self._read()

    def _read(self) -> None:
        if self.held is not None and self.held.answer is not None:
            self.got += self.held.text.split("\x1e")
            self.held = None
        if hasattr(self, "line"):
            self.got += read_frames(self.line.take())

    def take(self) -> list[str | bytes]:
        got, self.got = self.got, []
        return got

    def check_long_polling_goes_on(self) -> None:
        """The attempt has left no trace: the session lives, and may try again."""
        assert self.session.is_open and self.session.transport == "polling"
        assert self.session.upgrade is None and self.session.can_upgrade
        self.take()
        poll = self.held or self.poll()
        self.held = poll
        self.send("over long-polling")
        assert self.take() == ["4over long-polling"]
        assert self.post(b"4hello").text == "ok"
        assert self.log[-1] == "message 'hello'"
        assert len(self.engine.deadlines) == 1 + len(self.engine.websockets)


@pytest.fixture
def rig() -> Rig:
    return Rig()


# The way it goes


def test_session_moves_to_the_websocket(rig: Rig) -> None:
    """Probe, answer, and from the client's "5" on everything goes over the WebSocket, both ways."""
    rig.open_websocket()
    rig.feed(PROBE)
    assert rig.take() == ["3probe"]
    assert rig.session.transport == "polling"
    rig.feed(COMPLETE)
    assert rig.session.transport == "websocket"
    rig.send("hello")
    assert rig.take() == ["4hello"]
    rig.feed(text("back"))
    assert rig.log == ["message 'back'"]
    assert len(rig.engine.deadlines) == 1


def test_held_poll_is_completed_when_the_probe_comes(rig: Rig) -> None:
    """So that the client, which waits for it, can stop polling."""
    poll = rig.poll()
    rig.open_websocket()
    assert not poll.answered
    rig.feed(PROBE)
    assert sorted(map(str, rig.take())) == ["3probe", "6"]


def test_poll_behind_the_probe_is_completed_a_moment_later(rig: Rig) -> None:
    """A client that does not stop polling must not poll in circles."""
    rig.open_websocket()
    rig.feed(PROBE)
    rig.take()
    poll = rig.poll()
    rig.pass_time(NOOP_INTERVAL / 2)
    assert not poll.answered
    rig.pass_time(NOOP_INTERVAL)
    assert rig.take() == ["6"]


def test_poll_before_the_probe_is_held_until_it_comes(rig: Rig) -> None:
    rig.open_websocket()
    poll = rig.poll()
    rig.pass_time(2 * NOOP_INTERVAL)
    assert not poll.answered
    rig.feed(PROBE)
    assert "6" in rig.take()


def test_poll_that_is_still_held_is_completed_at_the_end(rig: Rig) -> None:
    rig.open_websocket()
    rig.feed(PROBE)
    rig.take()
    rig.poll()
    rig.feed(COMPLETE)
    assert rig.take() == ["6"]
    rig.pass_time(1.0)
    assert rig.session.is_open


def test_upgrade_without_a_probe_is_taken(rig: Rig) -> None:
    """As the reference server does."""
    rig.open_websocket()
    rig.feed(COMPLETE)
    assert rig.session.transport == "websocket"


def test_upgrade_that_comes_with_the_handshake(rig: Rig) -> None:
    """All of it in one segment, and a message behind."""
    rig.send("waiting")
    rig.open_websocket(PROBE + COMPLETE + text("first"))
    assert rig.take() == ["3probe", "4waiting"]
    assert rig.log == ["message 'first'"]


# Nothing lost, nothing twice


#: What may happen between two messages, in the order of an upgrade; a poll may come at any time before "5".
STEPS: list[Callable[[Rig], object]] = [
    lambda rig: rig.open_websocket(),
    lambda rig: rig.feed(PROBE),
    lambda rig: rig.feed(COMPLETE),
]


@pytest.mark.parametrize("polls_at", [(), (0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("each", [1, 3])
def test_everything_sent_arrives_once_and_in_order(rig: Rig, polls_at: tuple[int, ...], each: int) -> None:
    """Before the attempt, before the probe, between probe and "5", and after, whenever the client polls."""
    sent: list[str] = []

    def send_some() -> None:
        for _ in range(each):
            sent.append(f"4{len(sent)}")
            rig.send(sent[-1][1:])

    for number, step in enumerate(STEPS):
        send_some()
        if number in polls_at and rig.held is None:
            rig.poll()
        send_some()
        step(rig)
    send_some()
    assert [message for message in rig.got if message not in ("6", "3probe")] == sent


@pytest.mark.parametrize("seed", range(100))
def test_any_interleaving_loses_and_repeats_nothing(seed: int) -> None:
    """Messages, polls, POSTs, attempts that are made, broken off and repeated, in any order, until one is completed."""
    random = Random(seed)
    rig = Rig()
    sent: list[str] = []
    received: list[str] = []

    def send() -> None:
        sent.append(f"4{len(sent)}")
        rig.send(sent[-1][1:])

    def post() -> None:
        received.append(f"message '{len(received)}'")
        rig.post(f"4{len(received) - 1}".encode())

    def attempt() -> None:
        if rig.session.can_upgrade:
            rig.open_websocket()

    def break_off() -> None:
        if rig.session.upgrade is not None:
            random.choice([rig.line.lose, lambda: rig.feed(text("no")), lambda: rig.pass_time(UPGRADING + COARSE)])()

    def probe() -> None:
        if rig.session.upgrade is not None:
            rig.feed(PROBE)

    actions = [send, send, send, post, lambda: rig.held or rig.poll(), attempt, probe, break_off]
    for _ in range(60):
        random.choice(actions)()
    if rig.session.upgrade is None:
        rig.open_websocket()
    rig.feed(PROBE)
    send()
    rig.feed(COMPLETE)
    send()
    ignored = ("2", "3probe", "6", "close 1005")
    assert [message for message in rig.got if message not in ignored] == sent
    assert rig.log == received


def test_messages_with_attachments_keep_together(rig: Rig) -> None:
    for number in range(3):
        rig.session.send_outgoing(Outgoing(b"%d" % number, [b"a", b"b"]))
    rig.open_websocket()
    rig.feed(PROBE + COMPLETE)
    assert rig.take() == ["3probe", "40", b"a", b"b", "41", b"a", b"b", "42", b"a", b"b"]


def test_messages_of_the_client_arrive_in_order(rig: Rig) -> None:
    """POSTs go on working until the "5", and what comes behind it is behind them."""
    rig.open_websocket()
    rig.post(b"4a")
    rig.feed(PROBE)
    rig.post(b"4b\x1e4c")
    rig.feed(COMPLETE + text("d"))
    assert rig.log == [f"message {letter!r}" for letter in "abcd"]


def test_websocket_that_is_congested_when_it_takes_over(rig: Rig) -> None:
    """What waits goes on waiting until it reads."""
    rig.open_websocket()
    rig.line.block()
    rig.feed(b"".join(frame(PING, b"x" * 100) for _ in range(1000)) + PROBE)
    rig.send("a")
    rig.feed(COMPLETE)
    rig.send("b")
    assert not rig.session.is_writable
    rig.line.unblock()
    rig.pass_time(0.05)
    assert [message for message in rig.got if not str(message).startswith("frame 10")] == ["3probe", "4a", "4b"]


def test_client_that_probes_again_and_again_and_does_not_read(rig: Rig) -> None:
    """Its answers do not pile up."""
    rig.open_websocket()
    rig.line.block()
    rig.line.feed(PROBE * 50_000)
    assert rig.line.kept < Line.HIGH_WATER + 1000
    rig.line.unblock()
    rig.feed(COMPLETE)
    rig.take()
    rig.send("a")
    assert rig.take() == ["4a"]


def test_what_waits_while_it_upgrades_is_bounded() -> None:
    """A client that stops polling and never completes the upgrade is dropped as every slow one."""
    rig = Rig(max_outgoing_buffer=10_000)
    rig.open_websocket()
    rig.feed(PROBE)
    for _ in range(100):
        rig.session.send("x" * 1000)
    rig.engine.clock.advance(0)
    assert rig.log == ["close slow consumer: more than 10000 bytes are waiting"]
    rig.line.lose()
    assert rig.engine.clients_count == len(rig.engine.deadlines) == 0 and not rig.engine.websockets


def test_long_backlog_is_taken_over_in_portions(rig: Rig) -> None:
    """What waited for a poll leaves over the WebSocket as that can take it, in order."""
    rig.open_websocket()
    rig.feed(PROBE)
    for number in range(1000):
        rig.session.send(f"{number} " + "x" * 1000)
    rig.line.block()
    rig.line.feed(COMPLETE)
    assert rig.line.kept < Line.HIGH_WATER + MAX_HELD + 2000
    while rig.line.kept:
        rig.line.read_once()
    rig.line.unblock()
    rig.take()
    rig.feed(b"")
    assert [str(message).split()[0] for message in rig.take()] == [f"4{number}" for number in range(1000)]


def test_volatile_message_between_probe_and_end_is_dropped(rig: Rig) -> None:
    """The WebSocket is not the session's yet, and no poll is held."""
    rig.open_websocket()
    rig.feed(PROBE)
    rig.session.send_outgoing(Outgoing(b"dropped", volatile=True))
    rig.feed(COMPLETE)
    rig.session.send_outgoing(Outgoing(b"taken", volatile=True))
    rig.pass_time(0.05)
    assert rig.take() == ["3probe", "4taken"]


def test_on_drain_when_the_websocket_takes_over(rig: Rig) -> None:
    rig.log.listen_to_drain(rig.session)
    rig.send("a")
    rig.open_websocket()
    rig.feed(PROBE + COMPLETE)
    assert rig.log == ["drain"]


# Attempts that come to nothing


ENDINGS: dict[str, bytes] = {
    "message": text("x"),
    "binary message": frame(BINARY, b"x"),
    "another probe": frame(TEXT, b"2"),
    "a probe that is not quite": frame(TEXT, b"2probe2"),
    "close packet": frame(TEXT, b"1"),
    "noop": frame(TEXT, b"6"),
    "pong": frame(TEXT, b"3probe"),
    "unknown packet": frame(TEXT, b"9"),
    "empty packet": frame(TEXT),
    "bad base64": frame(TEXT, b"b!"),
    "close frame": frame(CLOSE),
    "protocol error": frame(TEXT, b"5", masked=False),
    "reserved bits": frame(TEXT, b"5", rsv=2),
    "invalid text": frame(TEXT, b"\xff"),
    "too big": frame(TEXT, announced=10**9),
}


@pytest.mark.parametrize("probed", [False, True])
@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("cut", [1, 1000])
def test_what_ends_the_attempt(rig: Rig, name: str, probed: bool, cut: int) -> None:
    """Anything but the next step: the WebSocket is closed, the session goes on over long-polling."""
    rig.open_websocket()
    if probed:
        rig.feed(PROBE)
        rig.take()
    rig.poll()
    for begin in range(0, len(ENDINGS[name]), cut):
        rig.feed(ENDINGS[name][begin : begin + cut])
    (close,) = rig.take()
    assert str(close).startswith("close 1")
    rig.check_long_polling_goes_on()
    rig.line.lose()
    assert not rig.engine.websockets
    rig.check_long_polling_goes_on()


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("behind", [PROBE, COMPLETE, PROBE + COMPLETE])
def test_what_comes_behind_the_end_of_the_attempt_is_ignored(rig: Rig, name: str, behind: bytes) -> None:
    """A WebSocket that has been closed never becomes the session's, however the client goes on."""
    rig.open_websocket()
    rig.poll()
    rig.feed(PROBE + ENDINGS[name] + behind)
    assert [message for message in rig.take() if not str(message).startswith("close")] in (
        ["6", "3probe"],
        ["3probe", "6"],
    )
    rig.feed(behind)
    rig.check_long_polling_goes_on()


def test_time_for_an_attempt_is_an_option() -> None:
    rig = Rig(upgrade_timeout=UPGRADING / 2)
    rig.open_websocket()
    rig.pass_time(UPGRADING / 2)
    assert rig.take() == []
    rig.pass_time(COARSE)
    assert rig.take() == ["close 1005"] and rig.session.is_open


@pytest.mark.parametrize("probed", [False, True])
def test_attempt_that_takes_too_long(rig: Rig, probed: bool) -> None:
    """The WebSocket is closed, and a "5" that comes then is too late."""
    rig.open_websocket()
    if probed:
        rig.feed(PROBE)
        rig.take()
    rig.pass_time(UPGRADING)
    assert rig.take() == []
    rig.pass_time(COARSE)
    assert rig.take() == ["close 1005"]
    rig.feed(COMPLETE)
    rig.check_long_polling_goes_on()
    rig.pass_time(CLOSE_TIMEOUT + COARSE)
    assert rig.line.aborted


def test_client_that_leaves_an_attempt_half_way(rig: Rig) -> None:
    rig.open_websocket()
    rig.feed(PROBE)
    rig.line.feed(frame(TEXT, b"5", fin=False) + frame(CONTINUATION, b"", fin=False))
    rig.line.lose()
    assert not rig.engine.websockets
    rig.check_long_polling_goes_on()


def test_noop_that_is_due_does_not_outlive_the_attempt(rig: Rig) -> None:
    rig.open_websocket()
    rig.feed(PROBE)
    rig.poll()
    rig.take()
    rig.line.lose()
    rig.pass_time(1.0)
    assert rig.take() == []
    rig.check_long_polling_goes_on()


def test_attempts_can_be_repeated(rig: Rig) -> None:
    """However often one failed, the next may succeed; nothing is left of those before."""
    for _ in range(50):
        rig.open_websocket()
        rig.feed(PROBE)
        rig.line.lose()
    rig.send("hello")
    rig.open_websocket()
    rig.take()
    rig.feed(PROBE + COMPLETE)
    assert rig.take() == ["3probe", "4hello"]
    assert len(rig.engine.deadlines) == 1
    assert rig.engine.websockets == {rig.line.protocol}


# Where the session ends


@pytest.mark.parametrize("discard", [False, True])
@pytest.mark.parametrize("probed", [False, True])
def test_session_that_is_closed_while_it_upgrades(rig: Rig, probed: bool, discard: bool) -> None:
    """The attempt ends with it, and the client learns of the end by its poll."""
    rig.open_websocket()
    rig.poll()
    if probed:
        rig.feed(PROBE)
        rig.take()
        rig.poll()
    rig.session.close(discard=discard)
    rig.pass_time(0.05)
    assert sorted(map(str, rig.take())) == ["1", "close 1005"]
    assert rig.log == ["close forced close"]
    rig.feed(PROBE + COMPLETE)
    assert rig.take() == []
    rig.line.lose()
    assert len(rig.engine.deadlines) == rig.engine.clients_count == 0
    assert rig.engine.clock.getDelayedCalls() == []


def test_session_that_is_closed_without_a_poll_while_it_upgrades(rig: Rig) -> None:
    """It waits for the poll, not for the WebSocket."""
    rig.open_websocket()
    rig.feed(PROBE)
    rig.send("last")
    rig.session.close()
    rig.feed(COMPLETE)
    assert rig.take() == ["3probe", "close 1005"]
    rig.poll()
    rig.poll()
    assert rig.take() == ["4last", "1"]
    assert rig.log[-1] == "close forced close"


def test_poll_that_is_lost_while_it_upgrades(rig: Rig) -> None:
    rig.open_websocket()
    rig.poll().lost()
    assert rig.log == ["close transport error: poll connection closed prematurely"]
    rig.feed(COMPLETE)
    assert rig.take() == ["close 1005"]


def test_post_that_is_lost_behind_the_upgrade(rig: Rig) -> None:
    """Long-polling is over: what becomes of its connections no longer concerns the session."""
    rig.open_websocket()
    post = FakeExchange(new_request("POST", f"{POLLING}&sid={rig.session.sid}"), b"4late")
    rig.engine.announce(post)
    rig.feed(PROBE + COMPLETE)
    post.lost()
    assert rig.session.is_open and rig.session.transport == "websocket"


def test_post_that_is_whole_behind_the_upgrade(rig: Rig) -> None:
    """It is refused, and the session lives."""
    rig.open_websocket()
    post = FakeExchange(new_request("POST", f"{POLLING}&sid={rig.session.sid}"), b"4late")
    rig.engine.announce(post)
    rig.feed(PROBE + COMPLETE)
    rig.engine.handle(post)
    assert post.text == '{"code":3,"message":"Bad request"}'
    assert rig.session.is_open and rig.log == []


def test_heartbeat_goes_on_while_it_upgrades(rig: Rig) -> None:
    """An attempt that never ends does not keep a client alive that answers nothing."""
    rig.pass_time(INTERVAL - 5)
    rig.open_websocket()
    rig.feed(PROBE)
    rig.take()
    rig.pass_time(5 + COARSE)
    rig.poll()
    assert rig.take() == ["2"]
    rig.pass_time(TIMEOUT + COARSE)
    assert rig.log == ["close ping timeout"]


def test_ping_that_waits_comes_over_the_websocket(rig: Rig) -> None:
    rig.pass_time(INTERVAL - 1)
    rig.open_websocket()
    rig.feed(PROBE)
    rig.pass_time(1 + COARSE)
    rig.feed(COMPLETE)
    assert rig.take() == ["3probe", "2"]
    rig.feed(frame(TEXT, b"3"))
    assert not rig.session.pong_due


# Who may not


def test_second_websocket_while_one_upgrades(rig: Rig) -> None:
    """It is refused, and the first goes on."""
    rig.open_websocket()
    second = FakeExchange(upgrade_request(f"{WEBSOCKET}&sid={rig.session.sid}"), line=Line())
    rig.engine.handle(second)
    assert (second.status, second.text) == (400, "Bad request")
    rig.feed(PROBE + COMPLETE)
    assert rig.session.transport == "websocket"


def test_second_websocket_of_an_upgraded_session(rig: Rig) -> None:
    """It is opened and closed at once, whatever it says, and the session goes on over the first."""
    rig.open_websocket()
    rig.feed(PROBE + COMPLETE)
    first = rig.line
    rig.open_websocket()
    rig.feed(PROBE + COMPLETE + text("x") + frame(BINARY, b"x"))
    assert rig.take() == ["3probe", "close 1005"]
    rig.line.lose()
    rig.line = first
    rig.send("hello")
    assert rig.take() == ["4hello"]
    assert rig.log == []


def test_poll_of_an_upgraded_session(rig: Rig) -> None:
    rig.open_websocket()
    rig.feed(PROBE + COMPLETE)
    assert rig.poll().text == '{"code":3,"message":"Bad request"}'
    assert rig.session.is_open


def test_no_upgrade_where_none_is_allowed() -> None:
    rig = Rig(allow_upgrades=False)
    exchange = FakeExchange(upgrade_request(f"{WEBSOCKET}&sid={rig.session.sid}"), line=Line())
    rig.engine.handle(exchange)
    assert exchange.status == 400
    assert rig.session.is_open
