"""Keeping a connection to Redis: opening it, probing it, and opening another one when it is lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater

from txsocketio.adapters.redis.connection import Probe, RedisConnection
from txsocketio.errors import BrokerUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.adapters.redis.opener import ConnectionOptions, RedisOpener

C = TypeVar("C", bound=RedisConnection)

#: Seconds for which a connection that is closed waits for the replies to what was sent.
CLOSING = 1.0


class RedisLink(Generic[C]):
    """Keeps one connection.

    Args:
        kind: the class of the connection.
        opener: what opens it.
        options: how often to try, and when to ask for a sign of life.
        clock: where time comes from.
        is_probed: whether to ask at all; a connection whose commands block cannot answer.

    Attributes:
        connection: the present one, while it is up.
        on_up: called when there is one.
        on_down: called with the cause when there is none any longer, and when an attempt has failed.
    """

    on_up: Callable[[], None]
    on_down: Callable[[str], None]

    def __init__(
        self,
        kind: type[C],
        opener: RedisOpener,
        options: ConnectionOptions,
        clock: IReactorTime,
        is_probed: bool = True,
    ) -> None:
        self.connection: C | None = None
        self._kind = kind
        self._opener = opener
        self._options = options
        self._clock = clock
        self._is_probed = is_probed
        self._life: object | None = None
        self._failures = 0
        self._waiting: list[Deferred[None]] = []
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Try from now on, or again after `stop`."""
        self._life = life = object()
        self._running = Deferred.fromCoroutine(self._run(life))

    def when_up(self) -> Deferred[None]:
        """Fires when the connection is up, however long that takes; may be cancelled."""
        if self.connection is not None:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def stop(self) -> Deferred[None]:
        """Try no longer; fires when the connection is closed, within a second."""
        self._life = None
        connection, self.connection = self.connection, None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(BrokerUnavailable("it was stopped"))
        # A command that blocks is not waited for.
        closed = None if connection is None else connection.close(CLOSING if self._is_probed else 0.0)
        if self._running is not None:
            self._running.cancel()
        return closed or succeed(None)

    async def prepare(self, connection: C) -> None:
        """What is to be done with a new connection before it is up."""

    async def _run(self, life: object) -> None:
        """Go on until stopped; also by what is called from here, when nothing can be cancelled."""
        while self._life is life:
            try:
                cause = await self._use_one()
                if self._life is life:
                    self.on_down(cause)
                if self._life is life:
                    await deferLater(self._clock, self._delay())
            except CancelledError:
                return

    async def _use_one(self) -> str:
        """Open a connection, and wait until it is lost; gives the cause."""
        self._failures += 1
        connection: C | None = None
        probe: Probe | None = None
        try:
            connection = await self._opener.open(self._kind)
            if self._is_probed:
                probe = Probe(connection, self._clock, self._options.probe_interval, self._options.probe_timeout)
            await self.prepare(connection)
            return await self._use(connection)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a border: whatever keeps us from a connection is a cause
            return str(error) or type(error).__name__
        finally:
            if probe is not None:
                probe.stop()
            if connection is not None and not connection.is_closing:
                connection.abort("it is not needed")

    async def _use(self, connection: C) -> str:
        self.connection = connection
        since = self._clock.seconds()
        self.on_up()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)
        cause = str(await connection.lost)
        if self.connection is connection:
            self.connection = None
        if self._clock.seconds() - since > self._options.max_reconnect_delay:
            self._failures = 0
        return cause

    def _delay(self) -> float:
        """Seconds until the next attempt: more with each failure, and random, so that not all nodes come at once."""
        options = self._options
        longest = min(options.reconnect_delay * 2.0 ** min(self._failures, 30), options.max_reconnect_delay)
        return random.uniform(0.5, 1.0) * longest
