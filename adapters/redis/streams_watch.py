"""Finding out that a server of Node.js has taken the session of a client that still looks connected here.

A server of ours says so in the stream. One of Node.js deletes the key of the session and tells nobody: until the old
connection has missed its heartbeat, the client would be there twice for who fetches sockets or waits for answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txsocketio.cluster.socket import ClusterSocket
from txsocketio.errors import BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.adapters.redis.streams_store import RedisSessions
    from txsocketio.cluster.recovery import ClusterRecovery

log = Logger()

#: How many sessions Redis is asked about at a time, which costs it 0.2 ms and us 0.7 (Redis 7.0, CPython 3.11).
BATCH = 500


class SessionWatch:
    """Looks now and then whether the sessions of all clients here are still stored.

    Args:
        recovery: whose clients they are.
        sessions: where they are stored.
        clock: where time comes from.
        interval: seconds between two looks.
    """

    def __init__(
        self, recovery: ClusterRecovery, sessions: RedisSessions, clock: IReactorTime, interval: float
    ) -> None:
        self._recovery = recovery
        self._sessions = sessions
        self._clock = clock
        self._interval = interval
        self._looking: Deferred[None] | None = None
        self._has_complained = False

    def start(self) -> None:
        """Look from now on."""
        if self._looking is None:
            self._looking = Deferred.fromCoroutine(self._run()).addErrback(lambda failure: failure.trap(CancelledError))

    def stop(self) -> None:
        """Look no longer."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _run(self) -> None:
        while True:
            await deferLater(self._clock, self._interval, lambda: None)
            try:
                await self._look()
            except BrokerUnavailable:
                pass
            except BrokerError as error:
                if not self._has_complained:
                    self._has_complained = True
                    log.warn("Whether servers of Node.js have taken sessions is not known: {error}", error=error)

    async def _look(self) -> None:
        connected = self._recovery.connected
        pids = [socket.pid for socket in connected.values() if isinstance(socket, ClusterSocket) and socket.stored]
        for begin in range(0, len(pids), BATCH):
            for pid in await self._sessions.missing(pids[begin : begin + BATCH]):
                socket = connected.get(pid)
                if isinstance(socket, ClusterSocket) and socket.stored:
                    self._recovery.keeper.store(socket, refresh=True)  # which finds out whose it is
