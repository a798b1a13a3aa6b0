"""What the tests of the Redis client share: clients that are stopped with the test, and what they have told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from tests.brokers.redis import RedisServer
from txsocketio.adapters.redis.address import RedisAddress
from txsocketio.adapters.redis.client import RedisClient
from txsocketio.adapters.redis.opener import ConnectionOptions
from txsocketio.types import Json

#: Starts a Redis for one test.
OwnRedis = Callable[..., Awaitable[RedisServer]]

#: Limits that a test can wait for.
QUICK = {"timeout": 1.0, "connect_timeout": 0.7, "probe_interval": 0.1, "probe_timeout": 0.3}


class Watched(RedisClient):
    """A client that keeps what it has told, which can be waited for.

    Attributes:
        told: "ready" and "lost", in order.
    """

    def __init__(self, url: str, subscribes: bool = True, **options: Json) -> None:
        super().__init__(RedisAddress.parse(url), ConnectionOptions.of(QUICK | options), reactor, subscribes)
        self.told: list[object] = []
        self._messages: list[object] = []
        self._wanted: tuple[Callable[[], bool], Deferred[None]] | None = None
        self.on_ready = lambda: self._tell("ready")
        self.on_lost = lambda cause: self._tell("lost")
        self.on_message = lambda *message: self._tell(message)

    def _tell(self, what: object) -> None:
        (self._messages if isinstance(what, tuple) else self.told).append(what)
        if self._wanted is not None and self._wanted[0]():
            (_, waiting), self._wanted = self._wanted, None
            waiting.callback(None)

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something is told that makes it true."""
        if not fact():
            self._wanted = fact, Deferred()
            await self._wanted[1]

    async def has_told(self, what: object) -> None:
        """Wait until this was told, and forget it and what was told before."""
        await self.until(lambda: what in self.told)
        del self.told[: self.told.index(what) + 1]

    async def messages(self, count: int) -> list[object]:
        """Wait for so many messages: pattern, channel, payload."""
        await self.until(lambda: len(self._messages) >= count)
        return self._messages


class Log:
    """What our modules have logged at the level of warnings and above, and about coming back."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def observe(self, event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.info and event["log_namespace"].startswith("txsocketio"):
            self.lines.append(formatEvent(event))

    def __enter__(self) -> list[str]:
        globalLogPublisher.addObserver(self.observe)
        return self.lines

    def __exit__(self, *_: object) -> None:
        globalLogPublisher.removeObserver(self.observe)


@pytest.fixture
def client() -> Iterator[Callable[..., Watched]]:
    """Makes clients, which are stopped with the test; takes what Watched takes."""
    made: list[Watched] = []

    def make(*arguments: str, **options: object) -> Watched:
        made.append(Watched(*arguments, **options))
        return made[-1]

    yield make
    for each in made:
        blockon(each.stop())
