"""What many clients can cause at once is logged now and then: a flood must not fill the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

#: Seconds between two lines in the log about clients that are refused, or sent away for what they send.
LOG_INTERVAL = 60.0


class LogPause:
    """The pause behind a line in the log."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._end = 0.0

    def is_over(self) -> bool:
        """Whether a line may be written; if so the next pause begins."""
        now = self._clock.seconds()
        if now < self._end:
            return False
        self._end = now + LOG_INTERVAL
        return True
