"""What is published while Redis is away: it waits, in order and bounded, and leaves when Redis is back.

        publish() ---> Redis                     while it is there
              '------> waiting ---> Redis        when it is back, and the other nodes are

Redis gives a message to who is subscribed at that moment, and after an outage the nodes come back one by one. So what
waits leaves when all have had the time to. What was under way when Redis went is not sent again, for nobody knows
whether it has arrived: it fails.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail

from txsocketio.errors import BrokerUnavailable
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from txsocketio.adapters.redis.client import RedisClient
    from txsocketio.cluster.options import ClusterOptions

#: How much longer than the others may wait before they try again, for them to subscribe; and the longest to wait.
MARGIN, LONGEST = 1.2, 2.0

Command = tuple[bytes, ...]


class Outbox:
    """Publishes now or later.

    Args:
        client: whose connection is used.
        options: how much may wait.
        clock: where time comes from.
        delay: seconds that other nodes may wait before they try again.
    """

    def __init__(self, client: RedisClient, options: ClusterOptions, clock: IReactorTime, delay: float) -> None:
        self._client = client
        self._options = options
        self._clock = clock
        self._delay = min(delay * MARGIN, LONGEST)
        self._waiting: deque[tuple[Command, Deferred[None]]] = deque()
        self._bytes = 0
        self._is_open = False
        self._is_stopped = False
        self._was_open = False
        self._timer: IDelayedCall | None = None

    def publish(self, *command: bytes) -> Deferred[None]:
        """Fires when Redis has the message; fails with BrokerUnavailable when too much waits, or it was under way."""
        if self._is_open:
            return self._client.execute(*command).addCallback(_done)
        if self._is_stopped:
            return fail(BrokerUnavailable("the server is closed"))
        is_full = len(self._waiting) >= self._options.max_outbox
        if is_full or self._bytes + _size(command) > self._options.max_outbox_bytes:
            return fail(BrokerUnavailable("Redis is away, and too many messages wait for it (max_outbox)"))
        published: Deferred[None] = Deferred()
        self._waiting.append((command, published))
        self._bytes += _size(command)
        return published

    def open(self) -> None:
        """Redis is there. The first time there is nobody to wait for."""
        self._is_stopped = False
        if self._was_open:
            self._timer = self._clock.callLater(self._delay, self._leave)
        else:
            self._leave()

    def close(self) -> None:
        """Redis is away."""
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop(self) -> None:
        """Nothing leaves any more; what waits fails."""
        self.close()
        self._is_stopped, self._was_open = True, False
        waiting, self._waiting = self._waiting, deque()
        self._bytes = 0
        for _, published in waiting:
            published.errback(BrokerUnavailable("the server is closed"))

    def _leave(self) -> None:
        self._timer = None
        self._is_open = self._was_open = True
        while self._waiting:
            command, published = self._waiting.popleft()
            self._bytes -= _size(command)
            self._client.execute(*command).addCallback(_done).chainDeferred(published)


def _size(command: Command) -> int:
    return sum(map(len, command))


def _done(_: Json) -> None: ...
