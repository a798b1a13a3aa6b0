"""How long the reactor of a server is held up: a call every few milliseconds tells."""

from time import perf_counter

from twisted.internet.task import LoopingCall

#: Seconds between two calls.
INTERVAL = 0.005


class Stalls:
    """Watches a reactor from now on.

    Attributes:
        longest: seconds that passed between two calls, beyond what should have.
    """

    def __init__(self):
        self.longest = 0.0
        self._last = perf_counter()
        LoopingCall(self._look).start(INTERVAL, now=False)

    def _look(self):
        now = perf_counter()
        self.longest = max(self.longest, now - self._last - INTERVAL)
        self._last = now
