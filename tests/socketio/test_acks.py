"""Asking a client, and what it answers."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError

from tests.socketio.doubles import Served, result_of
from txsocketio import AckTimeout, Disconnected
from txsocketio.types import Json


@pytest.mark.parametrize(
    ("ack", "answer"),
    [("30[]", None), ("30[1]", 1), ('30[[1,2],"x"]', ([1, 2], "x")), ("30[null]", None), ("30[[]]", [])],
)
def test_call_fires_with_the_answer(served: Served, ack: str, answer: Json) -> None:
    """A10.3: one argument, or a tuple of several."""
    session, socket = served.client()
    asked = socket.call("ask", 1)
    assert session.sent == ['20["ask",1]']
    session.receive(ack)
    assert result_of(asked) == answer


def test_call_fires_with_bytes(served: Served) -> None:
    session, socket = served.client()
    asked = socket.call("ask")
    session.receive('61-0[{"_placeholder":true,"num":0}]', b"x")
    assert result_of(asked) == b"x"


def test_numbers_of_acknowledgements_are_the_namespaces(served: Served) -> None:
    """A10.1: one counter for each, from 0."""
    served.io.of("/chat")
    one, two = served.client(), served.client()
    chat = served.client("/chat")
    for _session, socket in (one, two, chat, one):
        socket.call("ask").addErrback(lambda _: None)
    assert [one[0].sent, two[0].sent, chat[0].sent] == [['20["ask"]', '22["ask"]'], ['21["ask"]'], ['2/chat,0["ask"]']]


@pytest.mark.parametrize("answer", ["31[1]", "3[1]", "399[1]", "3123456789012345[1]"])
def test_answers_that_nobody_waits_for_are_ignored(served: Served, answer: str) -> None:
    """A6.14: unknown, without a number, or of somebody else."""
    session, socket = served.client()
    _, other = served.client()
    asked = socket.call("ask")
    other.call("ask").addErrback(lambda _: None)
    session.receive(answer)
    assert result_of(asked) == "nothing yet"
    assert session.is_open


def test_second_answer_is_ignored(served: Served) -> None:
    session, socket = served.client()
    asked = socket.call("ask")
    session.receive("30[1]", "30[2]")
    assert result_of(asked) == 1


def test_call_times_out(served: Served) -> None:
    """A10.2: what comes later is ignored."""
    session, socket = served.client()
    asked = socket.timeout(2).call("ask")
    served.clock.advance(1.9)
    assert result_of(asked) == "nothing yet"
    served.clock.advance(0.2)
    late: list[Json] = []
    asked.addBoth(late.append)
    session.receive("30[1]")
    assert session.is_open
    (error,) = late
    assert error is None


def test_time_out_is_an_error_of_its_own(served: Served) -> None:
    _, socket = served.client()
    asked = socket.timeout(2).call("ask")
    served.clock.advance(2)
    error = result_of(asked)
    assert isinstance(error, AckTimeout)
    assert (str(error), error.answers, error.temporary) == ("operation has timed out", [], True)


def test_answer_stops_the_time(served: Served) -> None:
    session, socket = served.client()
    asked = socket.timeout(60).call("ask")
    session.receive("30[1]")
    assert result_of(asked) == 1
    assert not [call for call in served.clock.getDelayedCalls() if call.getTime() == 60]


def test_option_gives_all_calls_a_time() -> None:
    """A call may have one of its own."""
    served = Served(ack_timeout=2.0)
    _, socket = served.client()
    asked, longer = socket.call("ask"), socket.timeout(3).call("ask")
    served.clock.advance(2)
    assert isinstance(result_of(asked), AckTimeout)
    assert result_of(longer) == "nothing yet"
    longer.addErrback(lambda _: None)
    served.clock.advance(1)


@pytest.mark.parametrize("end", ["1", "x"])
def test_call_fails_when_the_client_goes(served: Served, end: str) -> None:
    """The reference waits for ever; a timer that it had is gone too."""
    session, socket = served.client()
    asked = socket.timeout(60).call("ask")
    session.receive(end)
    error = result_of(asked)
    assert isinstance(error, Disconnected)
    assert error.reason == {"1": "client namespace disconnect", "x": "forced close"}[end]
    assert not [call for call in served.clock.getDelayedCalls() if call.getTime() == 60]


def test_call_can_be_given_up(served: Served) -> None:
    session, socket = served.client()
    asked = socket.call("ask")
    asked.cancel()
    session.receive("30[1]")
    assert isinstance(result_of(asked), CancelledError)


def test_call_can_be_awaited_in_a_handler(served: Served) -> None:
    session, socket = served.client()

    @socket.on("hi")
    async def handler(name: str) -> str:
        return f"{name} is {await socket.call('age?')}"

    session.receive('27["hi","Ann"]', "30[33]")
    assert session.sent == ['20["age?"]', '37["Ann is 33"]']
