"""Calling handlers: coroutines are stepped by hand, results acknowledge, errors are logged."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed

from tests.conftest import LoggedErrors
from tests.socketio.doubles import Served, result_of
from txsocketio import UnserializableData
from txsocketio.socketio.handlers import run, step
from txsocketio.types import Json

USER: ContextVar[str] = ContextVar("user", default="nobody")


async def add(*deferreds: Deferred[int]) -> int:
    total = 0
    for deferred in deferreds:
        try:
            total += await deferred
        except ZeroDivisionError:
            total -= 1
    return total


def test_coroutine_that_does_not_wait_gives_its_result() -> None:
    """Although it awaits what is there already."""
    assert step(add()) == 0
    assert step(add(succeed(1), succeed(2))) == 3


def test_coroutine_that_waits_gives_a_deferred() -> None:
    """However often it waits, and for whatever comes, or fails, or has come meanwhile."""
    waiting: list[Deferred[int]] = [Deferred() for _ in range(4)]
    result = step(add(succeed(1), *waiting, succeed(5)))
    assert isinstance(result, Deferred)
    waiting[2].callback(4)
    waiting[0].callback(2)
    assert not result.called
    waiting[1].errback(ZeroDivisionError())
    waiting[3].callback(10)
    assert result_of(result) == 1 + 2 - 1 + 4 + 10 + 5


def test_error_at_once_is_raised() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        step(fails())


def test_error_later_fails_the_deferred() -> None:
    waiting: Deferred[int] = Deferred()
    result = step(add(waiting))
    waiting.errback(ValueError("late"))
    assert isinstance(result_of(result), ValueError)


def test_cancelling_reaches_what_is_waited_for() -> None:
    given_up: list[object] = []
    result = step(add(Deferred(given_up.append)))
    result.cancel()
    assert isinstance(result_of(result), CancelledError)
    assert given_up


def test_coroutines_of_coroutines() -> None:
    async def twice(deferred: Deferred[int]) -> int:
        return 2 * await add(deferred)

    waiting: Deferred[int] = Deferred()
    result = step(twice(waiting))
    waiting.callback(4)
    assert result_of(result) == 8


def test_context_is_the_coroutines_own() -> None:
    """What one handler sets no other sees, also when it does not wait; what waits keeps it."""
    waiting: Deferred[None] = Deferred()

    async def login(name: str, wait: bool) -> str:
        USER.set(name)
        if wait:
            await waiting
        return USER.get()

    assert step(login("Ann", wait=False)) == "Ann"
    result = step(login("Bob", wait=True))
    assert USER.get() == "nobody"
    USER.set("somebody")
    waiting.callback(None)
    assert result_of(result) == "Bob"
    assert USER.get() == "somebody"
    USER.set("nobody")


@pytest.mark.parametrize("value", [None, 0, "text", {"a": 1}, [1]], ids=repr)
def test_values_are_given_as_they_are(value: Json) -> None:
    async def coroutine(value: Json) -> Json:
        return value

    assert run(lambda value: value, (value,)) == value
    assert run(coroutine, (value,)) == value


# Acknowledging

ANSWERS: dict[str, tuple[Json, str]] = {
    "nothing": (None, "[]"),
    "a value": ("x", '["x"]'),
    "several": ((1, "x", None), '[1,"x",null]'),
    "none of several": ((), "[]"),
    "a list": ([1, 2], "[[1,2]]"),
    "false": (False, "[false]"),
    "a table": ({"a": 1}, '[{"a":1}]'),
}


async def waited(value: Json) -> Json:
    deferred: Deferred[None] = Deferred()
    WAITING.append(deferred)
    await deferred
    return value


async def at_once(value: Json) -> Json:
    return await succeed(value)


WAITING: list[Deferred[None]] = []
HANDLERS: dict[str, Callable[[Json], Json]] = {
    "def": lambda value: value,
    "async def": at_once,
    "async def that waits": waited,
    "Deferred": succeed,
    "Deferred that waits": lambda value: Deferred.fromCoroutine(waited(value)),
}


@pytest.mark.parametrize("kind", HANDLERS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_result_of_the_handler_acknowledges(served: Served, answer: str, kind: str) -> None:
    """If the client has asked for that."""
    value, text = ANSWERS[answer]
    session, socket = served.client()
    socket.on("ask", lambda: HANDLERS[kind](value))
    session.receive('2["ask"]', '2123456789012345["ask"]')
    while WAITING:
        assert not session.sent
        WAITING.pop(0).callback(None)
    assert session.sent == ["3123456789012345" + text]


def test_deferred_may_be_shared(served: Served) -> None:
    """Several events can wait for one result, and so can the application."""
    session, socket = served.client()
    shared: Deferred[str] = Deferred()
    socket.on("ask", lambda: shared)
    session.receive('21["ask"]', '22["ask"]')
    shared.callback("x")
    session.receive('23["ask"]')
    assert session.sent == ['31["x"]', '32["x"]', '33["x"]']
    assert result_of(shared) == "x"


def test_bytes_acknowledge(served: Served) -> None:
    session, socket = served.client()
    socket.on("ask", lambda: b"x")
    session.receive('27["ask"]')
    assert session.sent == ['61-7[{"_placeholder":true,"num":0}]', b"x"]


def test_first_result_of_several_handlers_acknowledges(served: Served) -> None:
    """Once; a handler that answers None leaves it to the others."""
    session, socket = served.client()
    late: list[Deferred[Json]] = []

    def waits() -> Deferred[Json]:
        late.append(Deferred())
        return late[-1]

    for handler in (lambda: None, waits, lambda: None, waits):
        socket.on("ask", handler)
    session.receive('21["ask"]', '22["ask"]', '23["ask"]')
    late[1].callback("second of the first")
    late[0].callback("first of the first")
    late[2].callback(None)
    late[3].callback("second of the second")
    late[4].callback(None)
    assert len(session.sent) == 2
    late[5].callback(None)
    assert session.sent == ['31["second of the first"]', '32["second of the second"]', "33[]"]


def test_nobody_answers_what_nobody_listens_to(served: Served) -> None:
    session, _ = served.client()
    session.receive('21["ask"]')
    assert not session.sent


def test_answer_for_who_is_gone_is_dropped(served: Served) -> None:
    session, socket = served.client()
    answer: Deferred[str] = Deferred()
    socket.on("ask", lambda: answer)
    session.receive('21["ask"]', "1")
    answer.callback("late")
    assert not session.sent


# Handlers that fail


async def fails_at_once() -> None:
    raise ZeroDivisionError


async def fails_later() -> None:
    await waited(None)
    raise ZeroDivisionError


def fails() -> None:
    raise ZeroDivisionError


FAILING: list[Callable[[], Json]] = [fails, fails_at_once, fails_later, lambda: Deferred.fromCoroutine(fails_later())]


@pytest.mark.parametrize("handler", FAILING, ids=["def", "async def", "async def that waits", "Deferred"])
@pytest.mark.parametrize(
    "sent", ['2["bad"]', '21["bad"]', '2/chat,["bad"]', '51-["bad",{"_placeholder":true,"num":0}]']
)
def test_handler_that_fails(
    served: Served, logged_errors: LoggedErrors, sent: str, handler: Callable[[], Json]
) -> None:
    """Bad input 90: logged once, with the name of the event; the client learns nothing, and stays."""
    served.io.of("/chat")
    session, socket = served.client()
    chat = served.io.of("/chat").sockets[session.join("/chat")]
    for each in (socket, chat):
        each.on("bad", lambda *_: handler())
        each.on("bad", lambda *_: served.note("the next handler"))
    session.receive(sent, *([b"x"] if sent[0] == "5" else []))
    while WAITING:
        WAITING.pop().callback(None)
    assert logged_errors.take(ZeroDivisionError) == ["A handler of 'bad' failed"]
    assert served.told == [("the next handler",)]
    assert session.is_open
    assert not session.sent


def test_other_handlers_answer_for_one_that_fails(served: Served, logged_errors: LoggedErrors) -> None:
    session, socket = served.client()
    socket.on("ask", fails)
    socket.on("ask", lambda: "fine")
    session.receive('21["ask"]')
    assert session.sent == ['31["fine"]']
    logged_errors.take(ZeroDivisionError)


def test_answer_without_a_form_is_logged(served: Served, logged_errors: LoggedErrors) -> None:
    session, socket = served.client()
    socket.on("ask", object)
    socket.on("later", lambda: succeed(object()))
    session.receive('21["ask"]', '22["later"]')
    assert len(logged_errors.take(UnserializableData)) == 2
    assert session.is_open
    assert not session.sent


@pytest.mark.parametrize("event", ["disconnecting", "disconnect"])
def test_end_goes_on_when_its_handlers_fail(served: Served, logged_errors: LoggedErrors, event: str) -> None:
    session, socket = served.client()
    socket.on(event, lambda reason: fails())
    socket.on("disconnect", lambda reason: served.note(str(reason)))
    session.drain()
    assert logged_errors.take(ZeroDivisionError) == [f"A handler of '{event}' failed"]
    assert served.told == [("forced close",)]
