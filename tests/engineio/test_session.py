"""A session: its states, its heartbeat, and what waits to be sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engineio.doubles import (
    CLOSING_TIME,
    COARSE,
    INTERVAL,
    TIMEOUT,
    FakeTransport,
    Log,
    new_engine,
    new_request,
)
from txsocketio.engineio.outgoing import OVERHEAD, Outgoing
from txsocketio.engineio.session import CLOSED, CLOSING, OPEN, Session, State
from txsocketio.errors import PacketError
from txsocketio.types import Json


class Rig:
    """A session over a transport that notes in `log` what reaches it; the application's side is noted there too."""

    def __init__(self, **options: Json) -> None:
        self.log = Log()
        self.engine = new_engine(**options)
        self.session = self.engine.sessions["sid"] = Session(self.engine, "sid", new_request())
        self.transport = FakeTransport(self.log)
        self.transport.session = self.session
        self.session.use(self.transport)
        self.log.listen(self.session)
        self.log.listen_to_drain(self.session)

    def advance(self, seconds: float) -> list[str]:
        """Let time pass tick by tick; what happened."""
        self.engine.clock.pump([COARSE / 4] * round(seconds / COARSE * 4))
        return self.log.take()

    def congest(self) -> None:
        """As the transport does it when it can take no more."""
        self.transport.is_ready = False
        self.session.congested()

    def drain(self) -> list[str]:
        """The transport can take more; what happened."""
        self.transport.is_ready = True
        self.session.ready()
        return self.log.take()

    def be(self, state: State) -> None:
        """Bring the session into a state, and forget how it came there."""
        self.transport.keeps = True
        if state is CLOSING:
            self.session.close()
        elif state is CLOSED:
            self.session.close(discard=True)
        self.log.take()


@pytest.fixture
def rig() -> Rig:
    return Rig()


# States: every one with every input


INPUTS: dict[str, Callable[[Session], object]] = {
    "text": lambda session: session.receive("4hello"),
    "binary": lambda session: session.receive(b"hello"),
    "pong": lambda session: session.receive("3"),
    "ping": lambda session: session.receive("2"),
    "close packet": lambda session: session.receive("1"),
    "open packet": lambda session: session.receive("0"),
    "upgrade packet": lambda session: session.receive("5"),
    "noop": lambda session: session.receive("6"),
    "bad packet": lambda session: session.receive_bad(PacketError("what is this?")),
    "send": lambda session: session.send("hello"),
    "send binary": lambda session: session.send(b"\1\2\3"),
    "close": lambda session: session.close(),
    "close, discarding": lambda session: session.close(discard=True),
    "close for a reason": lambda session: session.close("parse error"),
    "lost": lambda session: session.ended("transport close"),
    "failed": lambda session: session.ended("transport error", "why"),
    "heard": lambda session: session.heard(),
    "congested": lambda session: session.congested(),
    "ready": lambda session: session.ready(),
}

#: What a closing session does when its transport cannot be drained: it waits.
TABLE: list[tuple[State, str, State, list[str]]] = [
    (OPEN, "text", OPEN, ["message 'hello'"]),
    (OPEN, "binary", OPEN, ["message b'hello'"]),
    (OPEN, "pong", OPEN, []),
    (OPEN, "ping", CLOSED, ["discarded", "close transport error: invalid heartbeat direction"]),
    (OPEN, "close packet", OPEN, ["closed by client"]),
    (OPEN, "open packet", OPEN, []),
    (OPEN, "upgrade packet", OPEN, []),
    (OPEN, "noop", OPEN, []),
    (OPEN, "bad packet", CLOSED, ["discarded", "close parse error: what is this?"]),
    (OPEN, "send", OPEN, ["sent 4hello"]),
    (OPEN, "send binary", OPEN, ["sent bAQID"]),
    (OPEN, "close", CLOSING, []),
    (OPEN, "close, discarding", CLOSED, ["discarded", "close forced close"]),
    (OPEN, "close for a reason", CLOSING, []),
    (OPEN, "lost", CLOSED, ["discarded", "close transport close"]),
    (OPEN, "failed", CLOSED, ["discarded", "close transport error: why"]),
    (OPEN, "heard", OPEN, []),
    (OPEN, "congested", OPEN, []),
    (OPEN, "ready", OPEN, []),
    (CLOSING, "text", CLOSING, []),
    (CLOSING, "binary", CLOSING, []),
    (CLOSING, "pong", CLOSING, []),
    (CLOSING, "ping", CLOSING, []),
    (CLOSING, "close packet", CLOSING, ["closed by client"]),
    (CLOSING, "open packet", CLOSING, []),
    (CLOSING, "upgrade packet", CLOSING, []),
    (CLOSING, "noop", CLOSING, []),
    (CLOSING, "bad packet", CLOSING, []),
    (CLOSING, "send", CLOSING, []),
    (CLOSING, "send binary", CLOSING, []),
    (CLOSING, "close", CLOSING, []),
    (CLOSING, "close, discarding", CLOSED, ["discarded", "close forced close"]),
    (CLOSING, "close for a reason", CLOSING, []),
    (CLOSING, "lost", CLOSED, ["discarded", "close transport close"]),
    (CLOSING, "failed", CLOSED, ["discarded", "close transport error: why"]),
    (CLOSING, "heard", CLOSING, []),
    (CLOSING, "congested", CLOSING, []),
    (CLOSING, "ready", CLOSING, []),
    *((CLOSED, name, CLOSED, ["closed by client"] if name == "close packet" else []) for name in INPUTS),
]


@pytest.mark.parametrize(("state", "name", "then", "happened"), TABLE)
def test_input_in_state(rig: Rig, state: State, name: str, then: State, happened: list[str]) -> None:
    """Whatever comes when, the session is in the state that the table says, and nobody hears more than it says."""
    rig.be(state)
    INPUTS[name](rig.session)
    assert rig.session.state is then
    assert rig.log.take() == happened
    assert ("sid" in rig.engine.sessions) is (then is not CLOSED)


def test_the_table_is_complete() -> None:
    """Nothing was forgotten."""
    assert [(state, name) for state, name, *_ in TABLE] == [(state, name) for state in State for name in INPUTS]


@pytest.mark.parametrize("packet", ["7", "x", "", "-1"])
def test_unknown_packet_is_an_error(rig: Rig, packet: str) -> None:
    """The transport tells of it when it has ended what it is doing."""
    with pytest.raises(PacketError):
        rig.session.receive(packet)
    assert rig.session.is_open


@pytest.mark.parametrize("state", [CLOSING, CLOSED])
def test_unknown_packet_behind_the_end_is_not_looked_at(rig: Rig, state: State) -> None:
    """What was sent before close() still arrives, whatever the client does."""
    rig.be(state)
    rig.session.receive("7")
    assert rig.session.state is state


@pytest.mark.parametrize("state", State)
def test_what_a_session_tells_of_itself(rig: Rig, state: State) -> None:
    rig.be(state)
    assert rig.session.is_open is rig.session.is_writable is (state is OPEN)
    assert (rig.session.sid, rig.session.protocol, rig.session.transport) == ("sid", 4, "websocket")
    assert rig.session.request.address == "192.0.2.1"
    assert repr(rig.session) == f"<Session {state.name.lower()} over websocket>"


def test_listeners_are_attributes(rig: Rig) -> None:
    heard: list[object] = []
    rig.session.on_message = heard.append
    rig.session.on_drain = lambda: heard.append("drained")
    rig.session.on_close = lambda reason, description: heard.append((reason, description))
    rig.session.receive("4hello")
    rig.congest()
    rig.drain()
    rig.session.ended("transport error", "why")
    assert heard == ["hello", "drained", ("transport error", "why")]


# The end


def test_closing_waits_for_what_was_sent(rig: Rig) -> None:
    """What was sent before the end arrives, and the application hears of the end when it has left."""
    rig.congest()
    rig.session.send("last")
    rig.session.close()
    rig.session.send("too late")
    assert rig.log.take() == []
    assert rig.drain() == ["sent 4last", "discarded", "close forced close"]


def test_closing_a_drained_transport_ends_at_once(rig: Rig) -> None:
    rig.session.close("server shutting down")
    assert rig.log.take() == ["discarded", "close server shutting down"]


def test_closing_gives_up_when_its_time_is_over(rig: Rig) -> None:
    """A client that takes nothing more does not keep its session for ever."""
    rig.congest()
    rig.session.send("last")
    rig.session.close()
    assert rig.advance(CLOSING_TIME) == []
    assert rig.advance(COARSE) == ["discarded", "close forced close"]
    assert len(rig.engine.deadlines) == 0


def test_closing_sends_no_pings(rig: Rig) -> None:
    """The heartbeat ends with the session's life, not with its timer."""
    rig.be(CLOSING)
    assert rig.advance(CLOSING_TIME - COARSE) == []


def test_a_late_message_does_not_prolong_the_closing(rig: Rig) -> None:
    """A pong was due when the session was closed: what comes then is no heartbeat any more."""
    rig.transport.keeps = True
    rig.advance(INTERVAL + COARSE)
    assert rig.session.pong_due
    rig.session.close("server shutting down")
    assert not rig.session.pong_due
    rig.session.heard()
    assert rig.advance(CLOSING_TIME + COARSE) == ["discarded", "close server shutting down"]


def test_nothing_is_left_of_a_closed_session(rig: Rig) -> None:
    rig.congest()
    rig.session.send("never")
    rig.session.close(discard=True)
    assert rig.session._outbox == []
    assert len(rig.engine.deadlines) == 0
    assert rig.engine.clock.getDelayedCalls() == []


def test_the_application_may_close_again_when_told_of_the_end(rig: Rig) -> None:
    """on_close is called once, whatever is done inside."""
    heard: list[str] = []

    def on_close(reason: str, description: str) -> None:
        heard.append(reason)
        rig.session.send("anybody there?")
        rig.session.close()
        rig.session.close(discard=True)
        assert rig.engine.clients_count == 0

    rig.session.on_close = on_close
    rig.session.ended("transport close")
    assert heard == ["transport close"]
    assert rig.log.take() == ["discarded"]


def test_a_fault_in_on_close_is_logged_and_stays_there(rig: Rig, logged_errors: Json) -> None:
    """What ends a session, a timer or another client's request, must not suffer from the application's fault."""

    def on_close(reason: str, description: str) -> None:
        raise ValueError("a fault of the application")

    rig.session.on_close = on_close
    rig.session.ended("transport close")
    assert rig.session.state is CLOSED
    assert len(logged_errors.take(ValueError)) == 1


# What waits


def test_what_is_sent_while_congested_leaves_in_order(rig: Rig) -> None:
    """Nothing is lost or overtaken, and the application hears once that all has left."""
    rig.session.send("a")
    rig.congest()
    rig.session.send("b")
    rig.session.send(b"c")
    assert rig.log.take() == ["sent 4a"]
    assert not rig.session.is_writable
    assert rig.drain() == ["sent 4b", "sent bYw==", "drain"]
    rig.session.send("d")
    assert rig.drain() == ["sent 4d"]


def test_on_drain_when_nothing_waited(rig: Rig) -> None:
    """Whoever sends while the session is writable, and then waits, is told when to go on."""
    rig.congest()
    assert rig.drain() == ["drain"]
    assert rig.drain() == []


def test_what_on_drain_sends_comes_behind(rig: Rig) -> None:
    rig.session.on_drain = lambda: rig.session.send("more")
    rig.congest()
    rig.session.send("first")
    assert rig.drain() == ["sent 4first", "sent 4more"]


def test_on_drain_may_end_the_session(rig: Rig) -> None:
    rig.session.on_drain = rig.session.close
    rig.congest()
    rig.session.send("first")
    assert rig.drain() == ["sent 4first", "discarded", "close forced close"]
    rig.session.send("too late")
    assert rig.log.take() == []


def test_a_fault_in_on_drain_is_logged_and_stays_there(rig: Rig, logged_errors: Json) -> None:
    def on_drain() -> None:
        raise ValueError("a fault of the application")

    rig.session.on_drain = on_drain
    rig.congest()
    rig.session.send("a")
    rig.drain()
    assert len(logged_errors.take(ValueError)) == 1


def test_a_transport_that_congests_again_gets_no_more(rig: Rig) -> None:
    """Sending what waited may fill the transport anew."""
    rig.congest()
    rig.session.send("a")
    rig.transport.is_ready = True
    send_all = rig.transport.send_all

    def send_all_and_congest(outbox: list[Outgoing]) -> int:
        rig.congest()
        return send_all(outbox)

    rig.transport.send_all = send_all_and_congest
    rig.session.ready()
    rig.session.send("b")
    assert rig.log.take() == ["sent 4a", "drain"]
    rig.transport.send_all = send_all
    assert rig.drain() == ["sent 4b", "drain"]


def test_what_a_transport_does_not_take_goes_on_waiting(rig: Rig) -> None:
    """In order, before what comes later, and without a word to the application until all has left."""
    rig.congest()
    for message in "abc":
        rig.session.send(message)
    send_all = rig.transport.send_all

    def send_one(outbox: list[Outgoing]) -> int:
        rig.congest()
        return send_all(outbox[:1])

    rig.transport.send_all = send_one  # type: ignore[method-assign]
    assert rig.drain() == ["sent 4a"]
    rig.session.send("d")
    rig.session.send_outgoing(Outgoing(b"volatile", volatile=True))
    assert [rig.drain() for _ in range(3)] == [["sent 4b"], ["sent 4c"], ["sent 4d", "drain"]]


def test_closing_waits_for_all_portions(rig: Rig) -> None:
    rig.congest()
    rig.session.send("a")
    rig.session.send("b")
    rig.session.close()
    send_all = rig.transport.send_all

    def send_one(outbox: list[Outgoing]) -> int:
        rig.congest()
        return send_all(outbox[:1])

    rig.transport.send_all = send_one  # type: ignore[method-assign]
    assert [rig.drain() for _ in range(3)] == [["sent 4a"], ["sent 4b"], ["discarded", "close forced close"]]


def test_volatile_message_is_dropped_when_it_cannot_leave(rig: Rig) -> None:
    """Whoever is slow misses what is only worth something now."""
    rig.session.send_outgoing(Outgoing(b"a", volatile=True))
    rig.congest()
    rig.session.send_outgoing(Outgoing(b"b", volatile=True))
    rig.session.send_outgoing(Outgoing(b"c"))
    assert rig.drain() == ["sent 4a", "sent 4c", "drain"]


def test_slow_consumer_is_dropped() -> None:
    """What waits for one client is bounded in bytes; beyond it the client goes, not the server's memory."""
    rig = Rig(max_outgoing_buffer=2 * OVERHEAD + 10)
    rig.congest()
    rig.session.send("next to leave")
    rig.session.send("12345")
    rig.session.send(b"67890")
    assert rig.session.is_open
    rig.session.send("")
    assert not rig.session.is_open
    assert rig.session._outbox == []
    rig.engine.clock.advance(0)
    assert rig.log.take() == ["aborted", "close slow consumer: more than 266 bytes are waiting"]


def test_slow_consumer_is_told_of_in_a_turn_of_its_own() -> None:
    """Whoever sends may be in the middle of something, and whoever is told may send to other slow ones."""
    rig = Rig(max_outgoing_buffer=1)
    rig.congest()
    rig.session.on_close = lambda reason, description: rig.log.append(f"{reason} heard")
    for _ in range(3):
        rig.session.send("a")
        rig.log.append("sent")
    assert rig.log.take() == ["sent", "aborted", "sent", "sent"]
    rig.engine.clock.advance(0)
    assert rig.log.take() == ["slow consumer heard"]


def test_message_that_leaves_next_does_not_count() -> None:
    """One of any size can be sent, and waits as long as need be."""
    rig = Rig(max_outgoing_buffer=OVERHEAD)
    rig.congest()
    rig.session.send("x" * 10_000)
    rig.session.send("")
    assert rig.session.is_open
    rig.session.send("")
    assert not rig.session.is_open


def test_empty_messages_are_bounded_too() -> None:
    """A message without content still takes room."""
    rig = Rig(max_outgoing_buffer=10 * OVERHEAD)
    rig.congest()
    for _ in range(11):
        rig.session.send("")
    assert rig.session.is_open
    rig.session.send("")
    assert not rig.session.is_open


def test_what_has_left_no_longer_counts() -> None:
    rig = Rig(max_outgoing_buffer=OVERHEAD)
    for _ in range(3):
        rig.congest()
        rig.session.send("next to leave")
        rig.session.send("")
        rig.drain()
    assert rig.session.is_open


# Heartbeat


def test_ping_comes_an_interval_after_the_start(rig: Rig) -> None:
    """Never early, and late by a tick at most."""
    assert rig.advance(INTERVAL) == []
    assert rig.advance(COARSE) == ["sent 2"]


def test_ping_comes_an_interval_after_the_pong(rig: Rig) -> None:
    rig.advance(INTERVAL + COARSE)
    rig.advance(TIMEOUT / 2)
    rig.session.receive("3")
    assert rig.advance(INTERVAL) == []
    assert rig.advance(COARSE) == ["sent 2"]


def test_ping_is_told_to_who_wants_to_know(rig: Rig) -> None:
    """Before it is sent, as long as the session is open; there is none before the last was answered."""
    rig.session.on_ping = lambda: rig.log.append("ping")
    assert rig.advance(INTERVAL + COARSE) == ["ping", "sent 2"]
    rig.session.receive("3")
    assert rig.advance(INTERVAL + COARSE) == ["ping", "sent 2"]
    rig.session.close(discard=True)
    assert rig.session.on_ping is None


def test_missing_pong_ends_the_session(rig: Rig) -> None:
    rig.advance(INTERVAL + COARSE)
    assert rig.advance(TIMEOUT - 2 * COARSE) == []
    assert rig.advance(3 * COARSE) == ["discarded", "close ping timeout"]
    assert len(rig.engine.deadlines) == 0


def test_client_without_a_pong_is_gone_when_its_time_is_over(rig: Rig) -> None:
    """Interval and timeout together are never exceeded, though each deadline is coarse."""
    rig.engine.clock.pump([0.01] * round((INTERVAL + TIMEOUT) * 100))
    rig.engine.clock.advance(0.001)  # the clock's own rounding
    assert not rig.session.is_open


def test_blocked_reactor_costs_the_client_no_time(rig: Rig) -> None:
    """A ping that is late leaves its client the time for the pong."""
    rig.engine.clock.advance(INTERVAL + 100.0)
    rig.advance(TIMEOUT - COARSE)
    assert rig.session.is_open


def test_a_client_that_pongs_lives(rig: Rig) -> None:
    for _ in range(20):
        assert rig.advance(INTERVAL + COARSE) == ["sent 2"]
        rig.session.receive("3")


def test_what_comes_while_a_pong_is_due_grants_its_time_again_once(rig: Rig) -> None:
    """A busy client may be late with its pong, but messages do not keep it alive for ever."""
    rig.advance(INTERVAL + COARSE)
    rig.advance(TIMEOUT / 2)
    rig.session.heard()
    assert rig.advance(TIMEOUT - COARSE) == []
    rig.session.heard()
    assert rig.advance(2 * COARSE) == ["discarded", "close ping timeout"]


def test_flood_of_pongs_keeps_one_timer(rig: Rig) -> None:
    """Each starts the interval anew; none leaves a timer behind."""
    for _ in range(1000):
        rig.session.receive("3")
    assert len(rig.engine.deadlines) == 1
    assert len(rig.engine.clock.getDelayedCalls()) == 1


def test_pong_behind_a_late_message_is_the_pong(rig: Rig) -> None:
    rig.advance(INTERVAL + COARSE)
    rig.session.heard()
    rig.session.receive("3")
    assert rig.advance(INTERVAL) == []
    assert rig.session.is_open


def test_ping_is_told_of(rig: Rig) -> None:
    """Whoever wants to do something as often as a client is asked whether it lives."""
    rig.session.on_ping = lambda: rig.log.append("ping")
    assert rig.advance(INTERVAL + COARSE) == ["ping", "sent 2"]
