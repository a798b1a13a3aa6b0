"""From a thread to the reactor: in order, bounded, and in slices between which the reactor has its turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Semaphore
from typing import Any

from twisted.logger import Logger

log = Logger()

#: How many lots may be on their way to the reactor: one that it works on, one that waits.
MAX_IN_FLIGHT = 2

#: Seconds for which the reactor works on a lot before others have their turn.
SLICE = 0.01

Act = Callable[[], None]


class Handover:
    """Has acts of a thread done in the reactor."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._room = Semaphore(MAX_IN_FLIGHT)
        self._acts: deque[Act] = deque()

    def put(self, acts: Sequence[Act], timeout: float) -> bool:
        """Have a lot done, behind what was put before; whether there was room for it within these seconds.

        To be called in the thread.
        """
        if not self._room.acquire(timeout=timeout):
            return False
        self._reactor.callFromThread(self._take, [*acts, self._room.release])
        return True

    # In the reactor

    def _take(self, acts: Sequence[Act]) -> None:
        is_idle = not self._acts
        self._acts.extend(acts)
        if is_idle:
            self._go_on()

    def _go_on(self) -> None:
        until = self._reactor.seconds() + SLICE
        while self._acts:
            try:
                self._acts[0]()
            except Exception:  # noqa: BLE001 - a fault of ours must not cost what comes behind
                log.failure("what was read from Kafka could not be handled")
            self._acts.popleft()
            if self._acts and self._reactor.seconds() >= until:
                self._reactor.callLater(0, self._go_on)
                return
