"""How long the reactor of a server is held up: a call every few milliseconds tells.

The time in which the reactor's thread could have run, but another program had its core, does not count (Linux).
"""

from pathlib import Path
from time import perf_counter

from twisted.internet.task import LoopingCall

#: Seconds between two calls.
INTERVAL = 0.005

#: Nanoseconds that this thread has run, has waited for a core, and how often it was given one.
SCHEDULING = Path("/proc/thread-self/schedstat")


class Stalls:
    """Watches a reactor from now on.

    Attributes:
        longest: seconds that passed between two calls, beyond what should have.
    """

    def __init__(self):
        self.longest = 0.0
        self._last = self._now()
        LoopingCall(self._look).start(INTERVAL, now=False)

    def _look(self):
        now = self._now()
        self.longest = max(self.longest, now - self._last - INTERVAL)
        self._last = now

    def _now(self):
        """Seconds of a clock that stands still while others have the core."""
        return perf_counter() - int(SCHEDULING.read_text().split()[1]) / 1e9
