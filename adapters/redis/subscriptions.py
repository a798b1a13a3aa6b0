"""What a node is subscribed to for as long as it wants to be, whatever becomes of its connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from txsocketio.adapters.redis.connection import SubscriberConnection, gather
from txsocketio.adapters.redis.link import RedisLink
from txsocketio.errors import BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from txsocketio.adapters.redis.opener import ConnectionOptions, RedisOpener

#: The commands that subscribe to channels, to patterns and to channels of shards; each has an opposite.
OPPOSITES = {"SUBSCRIBE": "UNSUBSCRIBE", "PSUBSCRIBE": "PUNSUBSCRIBE", "SSUBSCRIBE": "SUNSUBSCRIBE"}


class SubscriberLink(RedisLink[SubscriberConnection]):
    """Keeps a connection that is subscribed to all that is wanted; it is up when Redis has confirmed that.

    Args:
        opener, options, clock: see `RedisLink`.
        on_message: see `SubscriberConnection`.
    """

    def __init__(
        self,
        opener: RedisOpener,
        options: ConnectionOptions,
        clock: IReactorTime,
        on_message: Callable[[bytes | None, bytes, bytes], None],
    ) -> None:
        super().__init__(SubscriberConnection, opener, options, clock)
        self._on_message = on_message
        self._wanted: dict[str, set[bytes]] = {command: set() for command in OPPOSITES}
        self._latest: SubscriberConnection | None = None

    def subscribe(self, command: str, channels: Sequence[bytes]) -> Deferred[None]:
        """Want channels from now on.

        Args:
            command: one of those that have an opposite.
            channels: or patterns.

        Returns:
            Fires when Redis has confirmed them. Fails with BrokerUnavailable when it is away: they are wanted all the
            same. Fails with a BrokerError when it refuses them: then they are not.
        """
        self._wanted[command].update(channels)
        if self._latest is None or not self._latest.is_usable:
            return self.when_up().addTimeout(self._options.timeout, self._clock, _away)
        confirmed = self._latest.subscribe(command, channels)
        return confirmed.addErrback(self._refused, command, channels)

    def unsubscribe(self, command: str, channels: Sequence[bytes]) -> Deferred[None]:
        """Want the channels no longer that `subscribe` was called with; fires when nothing more comes from them."""
        self._wanted[command].difference_update(channels)
        if self._latest is None or not self._latest.is_usable:
            return succeed(None)
        return self._latest.subscribe(OPPOSITES[command], channels)

    async def prepare(self, connection: SubscriberConnection) -> None:
        connection.on_message = self._on_message
        self._latest = connection
        await gather(
            connection.subscribe(command, list(channels)) for command, channels in self._wanted.items() if channels
        )

    def _refused(self, failure: Failure, command: str, channels: Sequence[bytes]) -> Failure:
        if failure.check(BrokerError):
            self._wanted[command].difference_update(channels)
        return failure


def _away(_: object, timeout: float) -> None:
    raise BrokerUnavailable(f"no connection within {timeout:g} s")
