"""Waiting for what clients answer to a `call`.

A socket keeps who waits for an acknowledgement by its number: a Deferred or, for a broadcast, the `Answers` that all
recipients share. Both are told the same two things: `callback` with the answer, or `errback` when none can come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, Protocol

from twisted.internet.defer import Deferred

from txsocketio.errors import AckTimeout
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime


class Waiting(Protocol):
    """Who waits for an acknowledgement."""

    def callback(self, answer: Json, /) -> None:
        """The client has answered."""

    def errback(self, error: Exception, /) -> None:
        """The client is gone."""


def answer_of(arguments: list[Json]) -> Json:
    """What `call` gives: the one argument of the acknowledgement, or a tuple when the client gave several."""
    if len(arguments) == 1:
        return arguments[0]
    return tuple(arguments) or None


def awaited(
    timeout: float | None, clock: IReactorTime, forget: Callable[[], None], answers: list[Json] | None = None
) -> Deferred[Json]:
    """A Deferred that fails with an AckTimeout unless it is fired within `timeout` seconds.

    Args:
        timeout: None for no limit.
        forget: called when nobody waits any more: it has timed out, or was cancelled.
        answers: what the AckTimeout tells has arrived by then.
    """
    deferred: Deferred[Json] = Deferred(lambda _: forget())
    if timeout is not None:

        def expired(_failure: Json, _timeout: float) -> NoReturn:
            raise AckTimeout(answers or ())

        deferred.addTimeout(timeout, clock, expired)
    return deferred


class Answers:
    """The answers to one broadcast: of each client the first argument, in the order in which they arrive.

    Args:
        forget: called when nobody waits any more.

    Attributes:
        deferred: fires with the list of them when every client has answered, or is gone.
    """

    __slots__ = ("_answers", "_due", "deferred")

    def __init__(self, timeout: float | None, clock: IReactorTime, forget: Callable[[], None]) -> None:
        self._answers: list[Json] = []
        self._due = 0
        self.deferred: Deferred[list[Json]] = awaited(timeout, clock, forget, self._answers)

    def expect(self, count: int) -> None:
        """So many clients are asked."""
        self._due += count
        self._fire_if_complete()

    def callback(self, answer: Json, /) -> None:
        self._answers.append(answer[0] if answer.__class__ is tuple else answer)
        self._due -= 1
        self._fire_if_complete()

    def errback(self, error: Exception, /) -> None:
        self._due -= 1
        self._fire_if_complete()

    def _fire_if_complete(self) -> None:
        if self._due == 0:
            self.deferred.callback(self._answers)
