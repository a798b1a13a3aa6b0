"""A WebSocket connection: what goes out, and how it ends."""

from __future__ import annotations

import pytest

from tests.engineio.doubles import COARSE
from tests.engineio.line import Connected, Line, read_frames, text
from tests.wire import CLOSE, PING, TEXT, frame
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.websocket import CLOSE_TIMEOUT, MAX_HELD


@pytest.fixture
def rig() -> Connected:
    return Connected().open()


# Sending


def test_answers_to_one_read_leave_in_one_write(rig: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(rig.line, "write", written.append)
    rig.line.feed(text("a") + text("b") + text("c"))
    assert len(written) == 1
    assert read_frames(written[0]) == ["4a", "4b", "4c"]


def test_answers_that_are_long_are_not_held_back(rig: Connected) -> None:
    """What is held while one read is handled is bounded."""
    held: list[int] = []

    def answer(data: str | bytes) -> None:
        rig.session.send(b"x" * (MAX_HELD // 2))
        held.append(rig.websocket._held_size)

    rig.session.on_message = answer
    assert rig.ask(text("a") * 10) == [b"x" * (MAX_HELD // 2)] * 10
    assert max(held) <= MAX_HELD


def test_message_with_attachments_leaves_in_one_piece(rig: Connected) -> None:
    rig.session.send_outgoing(Outgoing(b"text", [b"1", b"2"]))
    assert read_frames(rig.line.take()) == ["4text", b"1", b"2"]


def test_client_that_reads_slowly_gets_everything_in_order(rig: Connected) -> None:
    """What the transport cannot take waits in the session, and nothing is overtaken."""
    rig.log.listen_to_drain(rig.session)
    rig.line.block()
    for number in range(100):
        rig.session.send(f"{number} " + "x" * 2000)
    assert rig.line.kept < Line.HIGH_WATER + 3000
    assert not rig.session.is_writable
    rig.line.unblock()
    assert rig.session.is_writable
    assert [str(message).split()[0] for message in read_frames(rig.line.take())] == [f"4{n}" for n in range(100)]
    assert rig.log == ["drain"]


def test_long_backlog_leaves_in_portions(rig: Connected) -> None:
    """The transport is given no more than it can take: there each client has its own copy of a broadcast."""
    rig.log.clear()
    rig.line.block()
    for number in range(1000):
        rig.session.send(f"{number} " + "x" * 1000)
    kept = []
    while rig.line.kept:
        kept.append(rig.line.kept)
        rig.line.read_once()
    assert max(kept) < Line.HIGH_WATER + MAX_HELD + 2000
    assert len(kept) > 5
    rig.line.unblock()
    assert [str(message).split()[0] for message in read_frames(rig.line.take())] == [f"4{n}" for n in range(1000)]


def test_pings_of_a_client_that_does_not_read_get_no_pongs(rig: Connected) -> None:
    """Each would wait for it, and nothing bounds how many it sends. Source: RFC 6455, 5.5.3."""
    rig.line.block()
    for _ in range(10_000):
        rig.line.feed(frame(PING, b"x" * 100))
    assert rig.line.kept < Line.HIGH_WATER + 1000
    rig.line.unblock()
    rig.line.take()
    assert rig.ask(frame(PING, b"x")) == ["frame 10 b'x'"]


def test_application_that_sends_while_it_can(rig: Connected) -> None:
    """It is told when it can go on, though nothing of its own waits in the session."""
    rig.line.block()
    while rig.session.is_writable:
        rig.session.send("x" * 1000)
    rig.log.listen_to_drain(rig.session)
    rig.line.unblock()
    assert rig.log == ["drain"]


def test_client_that_reads_nothing_is_dropped() -> None:
    """Its connection is aborted: waiting for it to take a close frame would keep all that it did not read."""
    rig = Connected(max_outgoing_buffer=10_000).open()
    rig.line.block()
    for _ in range(200):
        rig.session.send("x" * 1000)
    rig.engine.clock.advance(0)
    assert rig.log == ["close slow consumer: more than 10000 bytes are waiting"]
    assert rig.line.aborted
    rig.line.lose()
    assert not rig.engine.websockets
    assert len(rig.engine.deadlines) == 0


def test_congestion_in_the_middle_of_a_read(rig: Connected) -> None:
    """What was held back when the transport filled up stays before what comes later."""
    rig.line.block()
    rig.session.on_message = lambda data: rig.session.send(f"{data} " + "x" * (MAX_HELD // 2))
    rig.line.feed(b"".join(text(str(number)) for number in range(8)))
    assert not rig.session.is_writable
    rig.line.unblock()
    assert [str(message).split()[0] for message in read_frames(rig.line.take())] == [f"4{n}" for n in range(8)]


def test_pings_of_a_client_that_reads_nothing(rig: Connected) -> None:
    """Their pongs would pile up: only what it can take is answered. Source: RFC 6455, 5.5.3."""
    rig.line.block()
    for _ in range(100):
        rig.line.feed(frame(PING, b"x" * 125) * 100)
    assert rig.line.kept < 2 * Line.HIGH_WATER
    rig.line.unblock()
    rig.line.take()
    assert rig.ask(frame(PING, b"now")) == ["frame 10 b'now'"]


# The end


def test_closing_waits_until_the_client_has_read(rig: Connected) -> None:
    """What was sent before close() arrives, the close frame behind it."""
    rig.line.block()
    rig.session.send("x" * 100_000)
    rig.session.send("last")
    rig.session.close()
    assert rig.session.state.name == "CLOSING"
    rig.line.unblock()
    assert [str(message)[:5] for message in read_frames(rig.line.take())] == ["4xxxx", "4last", "close"]
    assert rig.log[-1] == "close forced close"


def test_closing_a_connection_that_has_sent_all(rig: Connected) -> None:
    """A close frame without a code, and the connection ends when the client has answered it."""
    rig.session.close()
    assert read_frames(rig.line.take()) == ["close 1005"]
    assert not rig.line.disconnecting
    assert rig.ask(frame(CLOSE)) == []
    assert rig.line.disconnecting and not rig.line.aborted
    rig.line.lose()
    assert rig.log == ["close forced close"]
    assert not rig.engine.websockets
    assert len(rig.engine.deadlines) == 0


def test_client_that_does_not_answer_the_close_frame(rig: Connected) -> None:
    """Its connection is cut a moment later."""
    rig.session.close()
    rig.pass_time(CLOSE_TIMEOUT)
    assert not rig.line.aborted
    rig.pass_time(COARSE)
    assert rig.line.aborted


def test_client_that_closes(rig: Connected) -> None:
    """Its close frame is answered with the same code, then the connection ends. Source: RFC 6455, 5.5.1."""
    assert rig.ask(frame(CLOSE, b"\x0f\xa0bye")) == ["close 4000"]
    assert rig.log == ["close transport close"]
    assert rig.line.disconnecting
    rig.line.lose()
    assert len(rig.engine.deadlines) == 0


def test_client_that_closes_and_stays(rig: Connected) -> None:
    """Nor does the server wait for ever for the client to end TCP."""
    rig.line.block()
    rig.line.feed(frame(CLOSE))
    rig.pass_time(CLOSE_TIMEOUT + COARSE)
    assert rig.line.aborted


def test_connection_that_is_lost(rig: Connected) -> None:
    rig.line.lose()
    assert rig.log == ["close transport close"]
    rig.session.send("too late")
    rig.session.close(discard=True)
    assert not rig.engine.websockets
    assert len(rig.engine.deadlines) == 0


def test_what_comes_behind_the_end_is_not_kept(rig: Connected) -> None:
    """Over TLS a client can still be heard when the connection is being closed."""
    rig.ask(frame(CLOSE, b"\x03\xe8bye"))
    for _ in range(100):
        rig.line.feed(text("x" * 900))
    assert len(rig.websocket.data) < 2000


@pytest.mark.parametrize("discard", [False, True])
@pytest.mark.parametrize("cut", [1, 2, 1000])
def test_application_that_closes_in_the_middle_of_a_read(rig: Connected, cut: int, discard: bool) -> None:
    """What was sent before leaves, what the client sent behind is not looked at any more."""

    def close_at_b(data: str | bytes) -> None:
        rig.session.send(data)
        if data == "b":
            rig.session.close(discard=discard)

    rig.session.on_message = close_at_b
    rig.feed(cut, text("a") + text("b") + text("c") + frame(TEXT, b"9"))
    assert read_frames(rig.line.take()) == ["4a", "4b", "close 1005"]
    assert rig.log == ["close forced close"]


@pytest.mark.parametrize("cut", [1, 2, 1000])
def test_application_that_sends_when_told_of_the_end(rig: Connected, cut: int) -> None:
    """Nothing follows the close frame."""
    rig.session.on_close = lambda reason, description: rig.session.send("too late")
    rig.feed(cut, text("a") + frame(TEXT, b"9") + text("b"))
    assert read_frames(rig.line.take()) == ["4a", "close 1005"]


def test_pings_behind_the_close_frame_get_no_pong(rig: Connected) -> None:
    """Source: RFC 6455, 5.5.1: no more frames behind a close frame."""
    rig.session.close()
    rig.line.take()
    assert rig.ask(frame(PING), text("a")) == []


def test_heartbeat_over_a_congested_connection(rig: Connected) -> None:
    """A client that reads nothing answers no ping, and its connection is cut."""
    rig.line.block()
    rig.session.send("x" * 100_000)
    rig.pass_time(25 + 20 + 3 * COARSE)
    assert rig.log == ["close ping timeout"]
    rig.pass_time(CLOSE_TIMEOUT + COARSE)
    assert rig.line.aborted
