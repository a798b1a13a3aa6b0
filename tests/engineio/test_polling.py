"""Long-polling: polls and POSTs of one session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engineio.doubles import CLOSING_TIME, COARSE, INTERVAL, POLLING, FakeExchange, Log, new_engine, new_request
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.polling import ANSWER_SIZE, Polling
from txsocketio.engineio.session import Session
from txsocketio.errors import PacketError
from txsocketio.types import Json


class Rig:
    """An engine with a client over long-polling."""

    def __init__(self, **options: Json) -> None:
        self.engine = new_engine(**options)
        self.log = Log()
        self.engine.on_session = self._welcome
        self.session: Session
        opened = self.ask()
        assert opened.status == 200 and opened.text.startswith('0{"sid":')
        self.log.clear()

    def _welcome(self, session: Session) -> None:
        self.session = session
        self.log.listen(session)

    @property
    def polling(self) -> Polling:
        transport = self.session.transport_in_use
        assert isinstance(transport, Polling)
        return transport

    def ask(self, method: str = "GET", body: bytes = b"", sid: str = "", **fields: str) -> FakeExchange:
        exchange = FakeExchange(new_request(method, f"{POLLING}&sid={sid}", **fields), body)
        self.engine.handle(exchange)
        return exchange

    def poll(self, **fields: str) -> FakeExchange:
        return self.ask(sid=self.session.sid, **fields)

    def post(self, body: bytes, **fields: str) -> FakeExchange:
        return self.ask("POST", body, self.session.sid, **fields)

    def announce(self, body: bytes = b"4late") -> FakeExchange:
        """A POST whose head is here, its body still on the way; `engine.handle` takes it when that has come."""
        exchange = FakeExchange(new_request("POST", f"{POLLING}&sid={self.session.sid}"), body)
        self.engine.announce(exchange)
        return exchange

    def pass_time(self, seconds: float) -> None:
        self.engine.clock.pump([COARSE / 4] * round(seconds / COARSE * 4))


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.session.close(discard=True)
    assert len(rig.engine.deadlines) == 0
    assert rig.engine.clock.getDelayedCalls() == []


# Polls


def test_poll_waits_for_a_message(rig: Rig) -> None:
    poll = rig.poll()
    assert poll.status is None and rig.session.is_writable
    rig.session.send("hello")
    assert (poll.status, poll.text) == (200, "4hello")
    assert not rig.session.is_writable


def test_poll_gets_all_that_waits(rig: Rig) -> None:
    """In the order in which it was sent; the application hears that it has left."""
    rig.log.listen_to_drain(rig.session)
    rig.session.send("a")
    rig.session.send_outgoing(Outgoing(b"b", [b"\1\2\3", b"\4"]))
    rig.session.send("c")
    assert rig.poll().text == "4a\x1e4b\x1ebAQID\x1ebBA==\x1e4c"
    assert rig.log == ["drain"]


def test_poll_is_answered_with_the_fields_of_the_reference(rig: Rig) -> None:
    rig.session.send("a")
    answer = rig.poll().answer
    assert answer is not None
    assert answer.fields == {"Content-Type": "text/plain; charset=UTF-8", "Cache-Control": "no-store"}


def test_second_poll_is_refused_and_ends_the_session(rig: Rig) -> None:
    first, second = rig.poll(), rig.poll()
    assert (second.status, second.text) == (400, "")
    assert (first.status, first.text) == (200, "1")
    assert rig.log == ["close transport error: overlap from client"]


def test_lost_poll_ends_the_session(rig: Rig) -> None:
    rig.poll().lost()
    assert rig.log == ["close transport error: poll connection closed prematurely"]


def test_poll_lost_after_its_answer_does_nothing(rig: Rig) -> None:
    poll = rig.poll()
    rig.session.send("a")
    poll.lost()
    assert rig.session.is_open


def test_ping_comes_by_the_poll(rig: Rig) -> None:
    poll = rig.poll()
    rig.pass_time(INTERVAL + COARSE)
    assert poll.text == "2"


def test_volatile_message_without_a_poll_is_dropped(rig: Rig) -> None:
    rig.session.send_outgoing(Outgoing(b"dropped", volatile=True))
    poll = rig.poll()
    rig.session.send_outgoing(Outgoing(b"taken", volatile=True))
    assert poll.text == "4taken"


def test_long_backlog_comes_in_several_answers(rig: Rig) -> None:
    """So none of them is longer than needed; the application hears when the last has been sent."""
    rig.log.listen_to_drain(rig.session)
    messages = ["x" * (ANSWER_SIZE // 4)] * 9
    for message in messages:
        rig.session.send(message)
    sizes = []
    while not rig.log:
        packets = rig.poll().text.split("\x1e")
        assert set(packets) == {"4" + messages[0]}
        sizes.append(len(packets))
    assert sizes == [4, 4, 1]
    assert rig.log == ["drain"]


def test_message_that_is_longer_than_an_answer(rig: Rig) -> None:
    """It is not divided, and nothing goes with it."""
    rig.session.send("x" * ANSWER_SIZE)
    rig.session.send("y")
    assert [len(rig.poll().text) for _ in range(2)] == [ANSWER_SIZE + 1, 2]


def test_long_backlog_of_a_session_that_is_closed(rig: Rig) -> None:
    """All of it arrives, and then the end."""
    for letter in "abc":
        rig.session.send(letter * ANSWER_SIZE)
    rig.session.close()
    assert [rig.poll().text[:2] for _ in range(4)] == ["4a", "4b", "4c", "1"]
    assert rig.log == ["close forced close"]


def test_message_that_is_larger_than_the_limit() -> None:
    """One of any size can be sent, whether a poll is held or not; what waits behind it counts."""
    rig = Rig(max_outgoing_buffer=1000)
    rig.session.send("x" * 5000)
    rig.session.send("y" * 500)
    assert rig.poll().text == "4" + "x" * 5000 + "\x1e4" + "y" * 500
    rig.session.send("x" * 5000)
    rig.session.send("y" * 1000)
    rig.engine.clock.advance(0)
    assert rig.log[-1] == "close slow consumer: more than 1000 bytes are waiting"


def test_slow_consumer_is_dropped() -> None:
    """A client that does not poll cannot make the server keep more than the limit."""
    rig = Rig(max_outgoing_buffer=1000)
    for _ in range(7):
        rig.session.send("x" * 100)
    rig.engine.clock.advance(0)
    assert rig.log == ["close slow consumer: more than 1000 bytes are waiting"]
    assert rig.poll().text == '{"code":1,"message":"Session ID unknown"}'


# POSTs


def test_post_delivers_its_packets_in_order(rig: Rig) -> None:
    post = rig.post(b"4a\x1ebAQID\x1e4\xe2\x82\xac")
    assert (post.status, post.text) == (200, "ok")
    assert rig.log == ["message 'a'", "message b'\\x01\\x02\\x03'", "message '\u20ac'"]


def test_answers_to_one_post_leave_with_one_poll(rig: Rig) -> None:
    rig.session.on_message = rig.session.send
    poll = rig.poll()
    post = rig.post(b"4a\x1e4b\x1ebAQID")
    assert post.status == 200
    assert poll.text == "4a\x1e4b\x1ebAQID"


@pytest.mark.parametrize(
    ("body", "delivered", "end"),
    [
        (b"", [], "parse error: unknown engine packet type ''"),
        (b"9abc", [], "parse error: unknown engine packet type '9'"),
        (b"4a\x1e\x1e4b", ["message 'a'"], "parse error: unknown engine packet type ''"),
        (b"4a\x1eb!\x1e4b", ["message 'a'"], "parse error: invalid base64"),
        (b"4a\x1e4\xff\x1e4b", ["message 'a'"], "parse error: invalid UTF-8 in a payload"),
        (b"4a\x1e2\x1e4b", ["message 'a'"], "transport error: invalid heartbeat direction"),
        (b"4a\x1e1\x1e4b", ["message 'a'"], "transport close"),
    ],
)
def test_post_that_ends_the_session(rig: Rig, body: bytes, delivered: list[str], end: str) -> None:
    """What came before is delivered, nothing behind, the poll is completed, and the POST itself is answered ok."""
    poll = rig.poll()
    post = rig.post(body)
    assert (post.status, post.text) == (200, "ok")
    assert rig.log == [*delivered, f"close {end}"]
    assert poll.text == ("6" if end == "transport close" else "1")


def test_packets_without_a_meaning_are_ignored(rig: Rig) -> None:
    assert rig.post(b"0\x1e5\x1e6\x1e3\x1e4a").status == 200
    assert rig.log == ["message 'a'"]


def test_application_that_fails_loses_one_message(rig: Rig, logged_errors: Json) -> None:
    rig.session.on_message = lambda data: 1 // 0
    assert rig.post(b"4a\x1e4b").status == 200
    assert len(logged_errors.take(ZeroDivisionError)) == 2
    assert rig.session.is_open


def test_message_that_the_layer_above_finds_bad_ends_the_session(rig: Rig) -> None:
    """What is no packet of Socket.IO is as bad as what is none of Engine.IO."""

    def refuse(data: str | bytes) -> None:
        raise PacketError("not one of mine")

    rig.session.on_message = refuse
    assert rig.post(b"4a\x1e4b").text == "ok"
    assert rig.log == ["close parse error: not one of mine"]


def test_post_of_binary_content_is_refused(rig: Rig) -> None:
    assert rig.post(b"4a", content_type="application/octet-stream").status == 400
    assert rig.log == ["close transport error: invalid content"]


def test_post_above_the_limit_is_refused_and_the_session_lives(rig: Rig) -> None:
    limit = rig.engine.options.max_http_buffer_size
    assert rig.post(b"4" * limit).status == 200
    assert rig.post(b"4" * (limit + 1)).status == 413
    assert rig.session.is_open


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_other_methods_are_refused_and_the_session_lives(rig: Rig, method: str) -> None:
    exchange = rig.ask(method, sid=rig.session.sid)
    assert exchange.answer is not None
    assert (exchange.status, exchange.answer.fields["Allow"]) == (405, "GET, POST")
    assert rig.session.is_open


def test_late_pong_is_taken_when_a_post_is_busy(rig: Rig) -> None:
    """Whatever a client sends while its pong is due grants the time for it again."""
    rig.poll()
    rig.pass_time(INTERVAL + COARSE)
    assert rig.session.pong_due
    rig.post(b"4a")
    assert not rig.session.pong_due


# POSTs whose body is on the way


def test_post_is_taken_when_its_body_has_come(rig: Rig) -> None:
    post = rig.announce()
    assert post.status is None
    rig.engine.handle(post)
    assert post.text == "ok"
    assert rig.log == ["message 'late'"]


def test_lost_post_ends_the_session(rig: Rig) -> None:
    rig.announce().lost()
    assert rig.log == ["close transport error: data request connection closed prematurely"]


@pytest.mark.parametrize("whole", [False, True])
def test_second_post_is_refused_and_ends_the_session(rig: Rig, whole: bool) -> None:
    """Whether the second is there as a whole or announced only; the first one's connection is dropped."""
    first = rig.announce()
    second = rig.post(b"4second") if whole else rig.announce()
    assert (second.status, second.text) == (400, "")
    assert first.dropped
    assert rig.log == ["close transport error: data request overlap from client"]


def test_announced_post_whose_session_ends(rig: Rig) -> None:
    """It is answered as one without a session when its body is there."""
    post = rig.announce()
    rig.session.close(discard=True)
    rig.engine.handle(post)
    assert post.text == '{"code":1,"message":"Session ID unknown"}'
    assert rig.log == ["close forced close"]


def test_announced_post_that_is_refused_does_not_block_the_next(rig: Rig) -> None:
    """A POST that gets no further than the checks is over with its answer."""
    refused = FakeExchange(new_request("POST", f"transport=polling&EIO=3&sid={rig.session.sid}"), b"4refused")
    rig.engine.announce(refused)
    rig.engine.handle(refused)
    assert refused.status == 400
    assert rig.post(b"4next").text == "ok"
    assert rig.announce().status is None
    assert rig.log == ["message 'next'"]
    rig.session.close(discard=True)


# The end


def test_closing_with_a_held_poll(rig: Rig) -> None:
    poll = rig.poll()
    rig.session.close()
    assert poll.text == "1"
    assert rig.log == ["close forced close"]


def test_closing_without_a_poll_waits_for_one(rig: Rig) -> None:
    """What was sent before leaves with it, the end with the one after."""
    rig.session.send("last")
    rig.session.close("server shutting down")
    assert rig.log == []
    assert rig.poll().text == "4last"
    assert rig.log == []
    assert rig.poll().text == "1"
    assert rig.log == ["close server shutting down"]


def test_closing_without_a_poll_does_not_wait_for_ever(rig: Rig) -> None:
    rig.session.close()
    rig.pass_time(CLOSING_TIME)
    assert rig.log == []
    rig.pass_time(COARSE)
    assert rig.log == ["close forced close"]


def test_discarding_completes_the_held_poll(rig: Rig) -> None:
    poll = rig.poll()
    rig.session.close(discard=True)
    assert poll.text == "1"
    assert rig.log == ["close forced close"]


def test_client_that_closes(rig: Rig) -> None:
    poll = rig.poll()
    assert rig.post(b"1").text == "ok"
    assert poll.text == "6"
    assert rig.log == ["close transport close"]


def test_post_while_closing_changes_nothing(rig: Rig) -> None:
    """It is answered, what it says reaches nobody, and the end comes as it was to."""
    rig.session.close("server shutting down")
    assert rig.post(b"4a\x1e3").text == "ok"
    assert rig.log == []
    assert rig.poll().text == "1"
    assert rig.log == ["close server shutting down"]


@pytest.mark.parametrize("discard", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_application_that_closes_in_the_middle_of_a_post(rig: Rig, held: bool, discard: bool) -> None:
    """The rest of the POST is not looked at; what was sent before leaves unless it is discarded."""
    poll = rig.poll() if held else None

    def close_at_b(data: str | bytes) -> None:
        rig.session.send(data)
        if data == "b":
            rig.session.close(discard=discard)

    rig.session.on_message = close_at_b
    assert rig.post(b"4a\x1e4b\x1e4c\x1e9").text == "ok"
    answer = poll or rig.poll()
    if discard:
        assert answer.text == ("1" if held else '{"code":1,"message":"Session ID unknown"}')
    else:
        assert answer.text == "4a\x1e4b"
        assert rig.poll().text == "1"
    assert rig.log == ["close forced close"]


def test_application_that_polls_no_more_of_an_ended_session(rig: Rig) -> None:
    """What on_close sends reaches nobody, and the poll is answered once."""
    poll = rig.poll()
    rig.session.on_close = lambda reason, description: rig.session.send("too late")
    rig.post(b"4a\x1e9")
    assert poll.text == "1"


def test_session_that_the_application_closes_at_once() -> None:
    """The client gets the handshake and what was sent, then the end."""
    engine = new_engine()

    def refuse(session: Session) -> None:
        session.send("go away")
        session.close()

    engine.on_session = refuse
    exchange = FakeExchange(new_request())
    engine.handle(exchange)
    assert exchange.status == 200
    opened, message = exchange.text.split("\x1e")
    assert (opened[:8], message) == ('0{"sid":', "4go away")
    (sid,) = engine.sessions
    poll = FakeExchange(new_request(query=f"{POLLING}&sid={sid}"))
    engine.handle(poll)
    assert poll.text == "1"
    assert engine.clients_count == len(engine.deadlines) == 0
