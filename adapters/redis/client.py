"""A Redis that may go away and come back.

::

    RedisClient -+- RedisLink ------- RedisConnection         commands
                 +- SubscriberLink -- SubscriberConnection    messages of channels
    RedisReader ---- RedisLink ------- RedisConnection         commands that block

A link opens its connection again when it is lost. Commands never wait for that: they fail at once while Redis is away,
and when it goes before it has replied. Importing this module imports no reactor, and neither does it need txredisapi;
making a client does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, FirstError, fail, gatherResults
from twisted.logger import Logger

from txsocketio.adapters.redis.opener import ConnectionOptions, RedisOpener
from txsocketio.errors import BrokerError, BrokerUnavailable
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from txsocketio.adapters.redis.address import RedisAddress
    from txsocketio.adapters.redis.connection import Argument, RedisConnection
    from txsocketio.adapters.redis.link import RedisLink

log = Logger()


class RedisClient:
    """Commands to one Redis, and the messages of its channels.

    Args:
        address: where it is.
        options: the limits.
        reactor: what connects, and tells the time.
        subscribes: whether to have a connection for the messages of channels.

    Attributes:
        on_ready: called when it can be used: connected, and subscribed to all that is wanted.
        on_lost: called with the cause when it can be used no longer.
        on_message: called with the pattern (None where the channel was subscribed to by name), the channel and the
            message, all of them bytes.
    """

    def __init__(
        self, address: RedisAddress, options: ConnectionOptions, reactor: IReactorTime, subscribes: bool = True
    ) -> None:
        # They need txredisapi, which imports the global reactor.
        from txsocketio.adapters.redis.connection import RedisConnection  # noqa: PLC0415
        from txsocketio.adapters.redis.link import RedisLink  # noqa: PLC0415
        from txsocketio.adapters.redis.subscriptions import SubscriberLink  # noqa: PLC0415

        self.on_ready: Callable[[], None] = lambda: None
        self.on_lost: Callable[[str], None] = lambda cause: None
        self.on_message: Callable[[bytes | None, bytes, bytes], None] = lambda pattern, channel, message: None
        self._address = address
        self._options = options
        self._reactor = reactor
        self._opener = RedisOpener(address, options, reactor)
        self._commands = RedisLink(RedisConnection, self._opener, options, reactor)
        self._links: list[RedisLink[Any]] = [self._commands]
        if subscribes:
            self._subscriber = SubscriberLink(self._opener, options, reactor, self._message)
            self._links.append(self._subscriber)
        self._readers: list[RedisReader] = []
        self._causes: dict[RedisLink[Any], str] = {}
        self._is_ready = False
        for link in self._links:
            self._watch(link)

    def __repr__(self) -> str:
        return f"<RedisClient {self._address}, {'available' if self.is_available else 'away'}>"

    @property
    def is_available(self) -> bool:
        """Whether commands can be sent, and all that is wanted is subscribed to."""
        return all(link.connection is not None for link in self._links)

    def start(self, timeout: float | None = None) -> Deferred[None]:
        """Connect, as often as need be.

        Args:
            timeout: seconds after which to give up waiting, but not trying.

        Returns:
            Fires when it can be used; fails with BrokerUnavailable, which tells the cause, when that takes too long.
        """
        for link in self._links:
            link.start()
        up = gatherResults([link.when_up() for link in self._links], consumeErrors=True)
        if timeout is not None:
            up.addTimeout(timeout, self._reactor, lambda *_: fail(self._away()))
        return up.addCallbacks(lambda _: None, _first)

    def stop(self) -> Deferred[None]:
        """Let everything go; fires when it is, within a second or so. What waits for replies fails."""
        self._is_ready = False
        stopped = [link.stop() for link in self._links] + [reader.stop() for reader in self._readers]
        return gatherResults(stopped, consumeErrors=True).addCallback(lambda _: None)

    # --- commands ---

    def execute(self, *arguments: Argument) -> Deferred[Json]:
        """Send a command, its name first; commands are executed in the order of these calls.

        Returns:
            Fires with the reply: bytes, a number, None, or a list of such. Fails with a BrokerError when the reply is
            an error; with BrokerUnavailable at once while Redis is away or `max_unanswered` is reached; and with that
            too when Redis goes before it has replied, so that nobody knows whether the command has been executed.
        """
        try:
            return self._usable().execute(arguments)
        except BrokerUnavailable:
            return fail()

    def eval(self, script: str, keys: Sequence[Argument] = (), arguments: Sequence[Argument] = ()) -> Deferred[Json]:
        """Run a script, which is sent once over each connection, and by its digest from then on; see `execute`."""
        try:
            connection = self._usable()
        except BrokerUnavailable:
            return fail()
        rest = (len(keys), *keys, *arguments)
        digest = _digest(script)
        if digest not in connection.scripts:
            connection.scripts.add(digest)
            return connection.execute(("EVAL", script, *rest))

        def send_again(failure: Failure) -> Failure | Deferred[Json]:
            is_unknown = failure.check(BrokerError) and str(failure.value).startswith("NOSCRIPT")
            return connection.execute(("EVAL", script, *rest)) if is_unknown else failure

        return connection.execute(("EVALSHA", digest, *rest)).addErrback(send_again)

    def reader(self) -> RedisReader:
        """A connection for commands that block, which ends with this client at the latest."""
        from txsocketio.adapters.redis.connection import RedisConnection  # noqa: PLC0415
        from txsocketio.adapters.redis.link import RedisLink  # noqa: PLC0415

        link = RedisLink(RedisConnection, self._opener, self._options, self._reactor, is_probed=False)
        self._watch(link)
        reader = RedisReader(link, self._options.timeout)
        self._readers.append(reader)
        return reader

    # --- channels ---

    def subscribe(self, *channels: bytes) -> Deferred[None]:
        """Get the messages of channels from now on, over every connection to come.

        Returns:
            Fires when Redis has confirmed. Fails with BrokerUnavailable when it is away for long, but the channels are
            wanted all the same; and with a BrokerError when it refuses: then they are not.
        """
        return self._subscriber.subscribe("SUBSCRIBE", channels)

    def psubscribe(self, *patterns: bytes) -> Deferred[None]:
        """Get the messages of all channels whose names match; see `subscribe`."""
        return self._subscriber.subscribe("PSUBSCRIBE", patterns)

    def ssubscribe(self, *channels: bytes) -> Deferred[None]:
        """Get the messages that are published to shards with SPUBLISH; see `subscribe`."""
        return self._subscriber.subscribe("SSUBSCRIBE", channels)

    def unsubscribe(self, *channels: bytes) -> Deferred[None]:
        """Fires when nothing more comes from channels that were subscribed to."""
        return self._subscriber.unsubscribe("SUBSCRIBE", channels)

    def punsubscribe(self, *patterns: bytes) -> Deferred[None]:
        """Fires when nothing more comes for patterns that were subscribed to."""
        return self._subscriber.unsubscribe("PSUBSCRIBE", patterns)

    def sunsubscribe(self, *channels: bytes) -> Deferred[None]:
        """Fires when nothing more comes from channels of shards that were subscribed to."""
        return self._subscriber.unsubscribe("SSUBSCRIBE", channels)

    # --- up and down ---

    def _usable(self) -> RedisConnection:
        connection = self._commands.connection
        if connection is None:
            raise self._away()
        if connection.unanswered >= self._options.max_unanswered:
            raise BrokerUnavailable(
                f"Redis at {self._address} has {connection.unanswered} bytes of unanswered commands"
            )
        return connection

    def _away(self) -> BrokerUnavailable:
        cause = next(iter(self._causes.values()), "not connected")
        return BrokerUnavailable(f"Redis at {self._address} is away: {cause}")

    def _message(self, pattern: bytes | None, channel: bytes, message: bytes) -> None:
        self.on_message(pattern, channel, message)

    def _watch(self, link: RedisLink[Any]) -> None:
        link.on_up = lambda: self._went_up(link)
        link.on_down = lambda cause: self._went_down(link, cause)

    def _went_up(self, link: RedisLink[Any]) -> None:
        if self._causes.pop(link, None) and not self._causes:
            log.info("Redis at {address} is back", address=self._address)
        if self.is_available and not self._is_ready:
            self._is_ready = True
            self.on_ready()

    def _went_down(self, link: RedisLink[Any], cause: str) -> None:
        if cause not in self._causes.values():
            log.warn("Redis at {address} is away: {cause}", address=self._address, cause=cause)
        self._causes[link] = cause
        if self._is_ready and not self.is_available:
            self._is_ready = False
            self.on_lost(cause)


class RedisReader:
    """Commands that block until there is something, each on its turn; made by `RedisClient.reader`."""

    def __init__(self, link: RedisLink[RedisConnection], timeout: float) -> None:
        self._link = link
        self._timeout = timeout
        link.start()

    def execute(self, *arguments: Argument, block: float) -> Deferred[Json]:
        """Send a command when there is a connection, however long that takes.

        Args:
            arguments: its name first.
            block: seconds for which Redis blocks at most, as the arguments tell it.

        Returns:
            Fires with the reply; fails as `RedisClient.execute` does when the connection is lost. The command can be
            sent again at once then.
        """
        return Deferred.fromCoroutine(self._execute(arguments, block + self._timeout))

    async def _execute(self, arguments: Sequence[Argument], timeout: float) -> Json:
        await self._link.when_up()
        connection = self._link.connection
        assert connection is not None
        return await connection.execute(arguments, timeout)

    def stop(self) -> Deferred[None]:
        """Close the connection; what is being read fails."""
        return self._link.stop()


@lru_cache(maxsize=64)
def _digest(script: str) -> str:
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


def _first(failure: Failure) -> Failure:
    return failure.value.subFailure if isinstance(failure.value, FirstError) else failure
