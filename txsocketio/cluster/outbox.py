"""What is on its way to a broker that may go away: bounded, in order, and given to it once.

        put() ---> waiting ---> a group under way ---> the broker
                      ^                |
                      '---- again -----'      when nobody knows whether the broker has it

One group is under way at a time. What is put meanwhile makes up the next one, so that the more there is to do, the less
a message costs. A broker that can be given the same group twice must notice that it has it already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from txsocketio.errors import BrokerUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from txsocketio.cluster.options import ClusterOptions

#: How many messages make a group at most, and how many bytes: one message, or several that are not longer together.
GROUP = 100
GROUP_BYTES = 1_000_000

#: Seconds until a broker that is there, but does not take a group, is offered it again.
PAUSE = 0.1

M = TypeVar("M")


class Waiting(NamedTuple, Generic[M]):
    """A message that the broker does not have for sure.

    Attributes:
        taken: fires when it has.
    """

    message: M
    size: int
    taken: Deferred[None]


class Outbox(Generic[M]):
    """Gives messages to a broker when it is there.

    Args:
        send: gives the broker a group of messages; fires when it has all of them. When it fails with BrokerUnavailable
            the same messages are sent again, in groups that may be others; with any other error they are given up.
        options: how much may wait.
        clock: where time comes from.

    Attributes:
        size: bytes of what waits or is under way.
    """

    def __init__(
        self, send: Callable[[Sequence[M]], Deferred[None]], options: ClusterOptions, clock: IReactorTime
    ) -> None:
        self.size = 0
        self._send = send
        self._options = options
        self._clock = clock
        self._waiting: deque[Waiting[M]] = deque()
        self._under_way: list[Waiting[M]] = []
        self._is_open = False
        self._is_stopped = False
        self._retry: IDelayedCall | None = None
        self._when_empty: list[Deferred[None]] = []

    def __len__(self) -> int:
        return len(self._waiting) + len(self._under_way)

    def put(self, message: M, size: int) -> Deferred[None]:
        """Send a message, now or when the broker is there, behind those that were put before.

        Returns:
            Fires when the broker has it. Fails with BrokerUnavailable when the outbox is stopped before, and else as
            the broker refuses it.

        Raises:
            BrokerUnavailable: it is not taken.
        """
        if self._is_stopped:
            raise BrokerUnavailable("the server is closed")
        # While the broker is there, a handler may well emit to 20 000 clients, one by one.
        is_full = not self._is_open and len(self) >= self._options.max_outbox
        if is_full or self.size + size > self._options.max_outbox_bytes:
            raise BrokerUnavailable(f"{len(self)} messages of {self.size} bytes wait already (max_outbox)")
        taken: Deferred[None] = Deferred()
        self._waiting.append(Waiting(message, size, taken))
        self.size += size
        self._send_next()
        return taken

    def start(self) -> None:
        """Take messages, also again after `stop`."""
        self._is_stopped = False

    def open(self) -> None:
        """The broker is there."""
        self._is_open = True
        self._send_next()

    def close(self) -> None:
        """The broker is away."""
        self._is_open = False
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def stop(self) -> None:
        """Nothing is sent any more; what waits fails."""
        self.close()
        self._is_stopped = True
        waiting = [*self._under_way, *self._waiting]
        self._under_way = []
        self._waiting.clear()
        self._let_go(waiting, Failure(BrokerUnavailable("the server is closed")))

    def when_empty(self) -> Deferred[None]:
        """Fires when the broker has everything."""
        if not self:
            return succeed(None)
        empty: Deferred[None] = Deferred()
        self._when_empty.append(empty)
        return empty

    def _send_next(self) -> None:
        if not self._is_open or self._under_way or not self._waiting or self._retry is not None:
            return
        size = 0
        for each in islice(self._waiting, GROUP):
            size += each.size
            if self._under_way and size > GROUP_BYTES:
                break
            self._under_way.append(each)
        for _ in self._under_way:
            self._waiting.popleft()
        group = self._under_way
        self._send([each.message for each in group]).addCallbacks(
            lambda _: self._taken(group), lambda failure: self._not_taken(group, failure)
        )

    def _taken(self, group: list[Waiting[M]]) -> None:
        if group is self._under_way:
            self._under_way = []
            self._send_next()
            self._let_go(group)

    def _not_taken(self, group: list[Waiting[M]], failure: Failure) -> None:
        if group is not self._under_way:
            return
        self._under_way = []
        if failure.check(BrokerUnavailable) is None:
            self._send_next()
            self._let_go(group, failure)
            return
        self._waiting.extendleft(reversed(group))
        if self._is_open:
            self._retry = self._clock.callLater(PAUSE, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._send_next()

    def _let_go(self, group: Sequence[Waiting[M]], failure: Failure | None = None) -> None:
        self.size -= sum(each.size for each in group)
        for each in group:
            if failure is None:
                each.taken.callback(None)
            else:
                each.taken.errback(failure)
        if not self:
            empty, self._when_empty = self._when_empty, []
            for waiting in empty:
                waiting.callback(None)
