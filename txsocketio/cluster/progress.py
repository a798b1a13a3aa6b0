"""How far a log has been read, which is one thing for all its namespaces, and who waits for more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime


class Progress:
    """Moved by whoever reads the log, when an entry has been dealt with.

    A namespace in which nothing happens comes on too: nothing up to here is for it.

    Attributes:
        position: up to which everything was read.
    """

    def __init__(self, clock: IReactorTime, position: int = 0) -> None:
        self.position = position
        self._clock = clock
        self._waiting: dict[Deferred[None], int] = {}

    def move(self, position: int) -> None:
        """Everything up to this position has been read. Hot path."""
        self.position = position
        if self._waiting:
            self._tell()

    def reached(self, position: int, timeout: float) -> Deferred[None]:
        """Fires when everything up to this position has been read; fails with a TimeoutError."""
        reached: Deferred[None] = Deferred(self._forget)
        if position <= self.position:
            reached.callback(None)
        else:
            self._waiting[reached] = position
            reached.addTimeout(timeout, self._clock)
        return reached

    def stop(self, error: Exception) -> None:
        """Nobody reads any more; who waits is told this."""
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            each.errback(error)

    def _tell(self) -> None:
        for waiting in [each for each, position in self._waiting.items() if position <= self.position]:
            if self._waiting.pop(waiting, None) is not None:  # who was told before may have cancelled it
                waiting.callback(None)

    def _forget(self, waiting: Deferred[None]) -> None:
        self._waiting.pop(waiting, None)
