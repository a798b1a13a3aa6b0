"""How much a client may send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from tests.engineio.doubles import POLLING, FakeExchange, Log, new_engine, new_request
from tests.engineio.line import LIMIT, Connected, read_frames, text
from tests.wire import BINARY, PING, PONG, TEXT, frame
from txsocketio.engineio.log_pause import LOG_INTERVAL
from txsocketio.engineio.rate import size_of
from txsocketio.engineio.session import RATE_LIMIT, Session
from txsocketio.errors import OptionError
from txsocketio.types import Json


class Client(Connected):
    """A client over WebSocket whose rate is limited."""

    def __init__(self, **limit: Json) -> None:
        super().__init__(rate_limit=limit, ping_interval=10_000.0)
        self.open()

    def say(self, *messages: str) -> list[str | bytes]:
        return self.ask(b"".join(map(text, messages)))

    def wait(self, seconds: float) -> None:
        self.engine.clock.advance(seconds)


def test_without_a_limit_sessions_are_plain() -> None:
    """So nothing is done for it: not a call more for each message."""
    client = Connected().open()
    assert type(client.session) is Session
    assert client.session.deliver is client.session.on_message


def test_client_within_its_rate() -> None:
    client = Client(messages=10, burst=1.0)
    for _ in range(100):
        assert client.say("a") == ["4a"]
        client.wait(0.125)
    assert client.session.is_open


def test_client_may_save_up_a_burst() -> None:
    client = Client(messages=10, burst=2.0)
    assert client.say(*"a" * 20) == ["4a"] * 20
    client.wait(1.0)
    assert client.say(*"a" * 10) == ["4a"] * 10
    client.wait(2.0)
    assert client.say(*"a" * 21) == [*["4a"] * 20, "close 1008"]


def test_client_beyond_its_rate() -> None:
    """The application hears why, and so does the client; it is logged once."""
    client = Client(messages=10, burst=1.0)
    with capturedLogs() as events:
        answers = client.ask(b"".join(map(text, "a" * 1000)))
        client.ask(text("b") * 1000)
    assert answers == [*["4a"] * 10, "close 1008"]
    assert client.log[-1] == f"close {RATE_LIMIT}: too many messages"
    assert client.log.count("message 'a'") == 10
    assert [event["what"] for event in events if "what" in event] == ["messages"]
    client.line.lose()
    assert client.engine.clients_count == len(client.engine.deadlines) == 0


def test_many_clients_beyond_their_rate_are_logged_once_a_minute() -> None:
    """Else they could fill the log by coming back."""
    client = Client(messages=1, burst=1.0)
    with capturedLogs() as events:
        for _ in range(10):
            client.say("a", "b")
            client.open()
        client.wait(LOG_INTERVAL)
        client.say("a", "b")
    assert len([event for event in events if "what" in event]) == 2


def test_reason_is_in_the_close_frame() -> None:
    """Where the official client finds it: `details.context.reason` of its "disconnect"."""
    client = Client(messages=1, burst=1.0)
    client.line.feed(text("a"))
    client.line.take()
    client.line.feed(text("b"))
    assert client.line.take() == frame(8, (1008).to_bytes(2, "big") + RATE_LIMIT.encode(), masked=False)


def test_bytes_are_limited() -> None:
    client = Client(bytes=1000, burst=2.0)
    assert len(client.say(*["a" * 500] * 4)) == 4
    assert client.say("a") == ["close 1008"]
    assert client.log[-1] == f"close {RATE_LIMIT}: too many bytes"


def test_largest_message_always_fits() -> None:
    """Else its rate would lower the limit on messages, which tells what a client may send at once."""
    client = Client(bytes=LIMIT / 10, burst=1.0)
    for _ in range(3):
        assert client.say("a" * (LIMIT - 1)) == ["4" + "a" * (LIMIT - 1)]
        client.wait(10.0)
    client.say("a" * (LIMIT - 1))
    assert client.say("aa") == ["close 1008"]


@pytest.mark.parametrize(("data", "size"), [("abc", 3), ("\u00e4", 2), ("\u20ac", 3), (b"\xe4", 1), ("", 0)])
def test_bytes_are_those_on_the_wire(data: str | bytes, size: int) -> None:
    assert size_of(data) == size


@pytest.mark.parametrize(
    "packet",
    [
        frame(TEXT, b"4a"),
        frame(BINARY, b"a"),
        frame(TEXT, b"bYQ=="),
        frame(TEXT, b"3"),
        frame(TEXT, b"6"),
        frame(TEXT, b"4", fin=False) + frame(0, b"a"),
        frame(PING, b"a"),
        frame(PONG, b"a"),
    ],
    ids=["text", "binary", "base64", "pong", "noop", "fragments", "WebSocket ping", "WebSocket pong"],
)
def test_whatever_a_client_sends_counts(packet: bytes) -> None:
    client = Client(messages=1, burst=3.0)
    client.line.feed(packet * 3)
    assert client.session.is_open
    client.line.feed(packet)
    assert not client.session.is_open


def test_body_of_many_messages() -> None:
    """Over long-polling the messages come in one body; what is behind the one too many is not looked at."""
    engine = new_engine(rate_limit={"messages": 5, "burst": 1.0})
    log = Log()
    engine.on_session = log.listen
    handshake = FakeExchange(new_request())
    engine.handle(handshake)
    (session,) = engine.sessions.values()
    post = FakeExchange(new_request("POST", f"{POLLING}&sid={session.sid}"), b"\x1e".join([b"4a"] * 1000))
    engine.handle(post)
    assert post.text == "ok"
    assert log == [*["message 'a'"] * 5, f"close {RATE_LIMIT}: too many messages"]


def test_clock_that_is_set_back() -> None:
    """The client then gets no more for that time, but is not held to account for it either."""
    client = Client(messages=10, burst=1.0)
    client.say(*"a" * 5)
    client.engine.clock.rightNow -= 3600
    assert client.say(*"a" * 5) == ["4a"] * 5
    client.wait(0.5)
    assert client.say(*"a" * 5) == ["4a"] * 5


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=50))
def test_never_more_than_the_bucket_holds(bursts: list[tuple[int, int]]) -> None:
    """Compared with counting what is left: 8 a second, 16 saved up."""
    client = Client(messages=8, burst=2.0)
    left = 16.0
    for eighths, count in bursts:
        client.wait(eighths / 8)
        left = min(16.0, left + eighths)
        got = [message for message in client.say(*"a" * count) if message == "4a"]
        assert len(got) == min(count, left)
        left -= count
        if left < 0:
            assert not client.session.is_open
            break


def test_listener_can_be_read_and_wrapped() -> None:
    """As with every session; each message counts once."""
    client = Client(messages=2, burst=1.0)
    listener = client.session.on_message
    seen: list[str | bytes] = []

    def wrapped(data: str | bytes) -> None:
        seen.append(data)
        listener(data)

    client.session.on_message = wrapped
    assert client.say("a", "b") == ["4a", "4b"]
    assert seen == ["a", "b"]


def test_closing_session_counts_no_more() -> None:
    client = Client(messages=1, burst=1.0)
    client.line.block()
    client.session.send("x" * 100_000)
    client.session.close()
    client.line.feed(text("a") * 10 + frame(TEXT, b"3") * 10)
    client.line.unblock()
    assert str(read_frames(client.line.take())[-1]) == "close 1005"
    assert client.log[-1] == "close forced close"


def test_ended_session_is_freed_at_once() -> None:
    """Nothing in it refers to itself."""
    client = Client(messages=1)
    session = client.session
    session.close(discard=True)
    assert session.deliver is session.on_message


@pytest.mark.parametrize(
    "table", [{"events": 5}, {"messages": 0}, {"bytes": -1}, {"burst": 0}, {"messages": "5"}, {"messages": True}]
)
def test_table_that_cannot_be_used(table: Json) -> None:
    with pytest.raises(OptionError, match="rate_limit"):
        new_engine(rate_limit=table)
