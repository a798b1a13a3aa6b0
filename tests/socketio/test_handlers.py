"""Stepping coroutines by hand: the same as Twisted does, only cheaper."""

from __future__ import annotations

from contextvars import ContextVar

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed

from tests.socketio.test_socket import result_of
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
