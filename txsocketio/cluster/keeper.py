"""Has the broker know the sessions of the clients of this node: at each change, and again before their time is over."""

from __future__ import annotations

from collections.abc import Coroutine
from math import ceil
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from txsocketio.cluster import sessions as stored_sessions
from txsocketio.cluster.sessions import Sessions
from txsocketio.cluster.socket import ClusterSocket
from txsocketio.errors import BrokerError, BrokerUnavailable, UnserializableData
from txsocketio.socketio.away import RecoverySession
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from txsocketio.cluster.broker import Broker
    from txsocketio.cluster.recovery import ClusterRecovery
    from txsocketio.engineio.deadlines import Deadline
    from txsocketio.socketio.namespace import Namespace

log = Logger()

#: Seconds for which a new client waits until its session is stored, and a closing server until all are.
STORE_TIMEOUT = 1.0

#: All sessions are stored anew in this part of the time for which the broker keeps them, in so many steps.
REFRESH = 1 / 3
STEPS = 20


class SessionKeeper:
    """Stores the sessions of one namespace.

    Args:
        recovery: what knows them.
        sessions: where the broker keeps them.
    """

    def __init__(self, namespace: Namespace, broker: Broker, recovery: ClusterRecovery, sessions: Sessions) -> None:
        self._namespace = namespace
        self._recovery = recovery
        self._sessions = sessions
        self._clock = namespace.clock
        self._broker = broker
        self._changed: dict[ClusterSocket, None] = {}
        self._storing: set[Deferred[None]] = set()
        self._store_due: IDelayedCall | None = None
        self._refresh_due: Deadline | None = None
        self._to_refresh: list[ClusterSocket] = []
        self._step = recovery.options.max_disconnection_duration * REFRESH / STEPS
        self._has_complained = False

    def changed(self, socket: ClusterSocket) -> None:
        """Rooms or data of the socket are not what they were: to be stored at the end of this turn."""
        if self._recovery.connected.get(socket.pid) is socket:
            self._changed[socket] = None
            self._store_soon(0)

    def _store_soon(self, seconds: float) -> None:
        if self._store_due is None:
            self._store_due = self._clock.callLater(seconds, self._store_changed)

    def _store_changed(self) -> None:
        self._store_due = None
        changed, self._changed = self._changed, {}
        for socket in changed:
            self.store(socket)

    def store(self, socket: ClusterSocket, refresh: bool = False) -> Deferred[None]:
        """Store the session as it is now, or, if only its time is to be prolonged, once more as it is.

        Returns:
            Fires when that is done, or has failed.
        """
        return self.soon(self._store(socket, refresh))

    def soon(self, storing: Coroutine[Deferred[Json], Json, None]) -> Deferred[None]:
        """Do something with what is stored, which `stored` waits for; fires when it is done, or has failed."""
        done = Deferred.fromCoroutine(storing)
        self._storing.add(done)
        done.addErrback(self._failed)
        return done.addBoth(lambda _: self._storing.discard(done))

    def stored(self) -> Deferred[None]:
        """Fires when nothing is to be stored any more, soon also when the broker is away."""
        return self.for_a_moment(DeferredList([*self._storing]))

    def for_a_moment(self, done: Deferred[Json]) -> Deferred[None]:
        """Fires when it is done, or has taken too long."""
        waiting: Deferred[None] = Deferred(lambda waiting: waiting.callback(None))
        done.addBoth(lambda _: None if waiting.called else waiting.callback(None))
        return waiting.addTimeout(STORE_TIMEOUT, self._clock)

    def encoded(self, session: RecoverySession, claim: int, node: str) -> bytes:
        """The session as it is stored, without its data if these cannot be."""
        name, offset = self._namespace.name, self._recovery.offset_of(session.floor)
        try:
            return stored_sessions.encode(session, name, node, claim, offset)
        except (TypeError, ValueError, OverflowError) as error:
            self._complain("socket.data that cannot be stored is lost in a recovery: {error}", error)
            session.data = {}
            return stored_sessions.encode(session, name, node, claim, offset)

    async def _store(self, socket: ClusterSocket, refresh: bool) -> None:
        if socket.is_storing:
            return
        socket.is_storing = True
        try:
            while True:
                wanted = self._wanted(socket)
                if wanted == socket.stored and not refresh:
                    return
                refresh = False
                stored = await self._sessions.swap(socket.pid, socket.stored, wanted)
                if stored == wanted:
                    socket.stored, socket.outage = wanted, self._broker.outages
                elif not self._is_still_ours(socket, stored):
                    return self._recovery.lose(socket)
        except BrokerUnavailable:
            if self._namespace.name in self._broker.adapters:  # else the server is closed
                self._changed[socket] = None
                self._store_soon(STORE_TIMEOUT)
        finally:
            socket.is_storing = False

    def _wanted(self, socket: ClusterSocket) -> bytes | None:
        if socket.is_left:
            return socket.left_as
        return self.encoded(self._recovery.session_of(socket), socket.claim, self._broker.node)

    def _is_still_ours(self, socket: ClusterSocket, stored: bytes | None) -> bool:
        """Whether a session that is not stored as it was is ours to be stored again.

        It is if the answer to an earlier swap was lost, or if the broker may have forgotten it in an outage. Else
        another node has taken it.
        """
        if stored is None:
            is_ours = socket.outage != self._broker.outages
        else:
            now = stored_sessions.decode(stored)
            is_ours = now.node == self._broker.node and now.claim == socket.claim
        socket.stored, socket.outage = stored, self._broker.outages
        return is_ours

    def await_refresh(self) -> None:
        """There are sessions: see that their time does not end."""
        if self._refresh_due is None:
            deadlines = self._namespace.server.engine.deadlines
            self._refresh_due = deadlines.start(self._step, self._refresh)

    def _refresh(self) -> None:
        """Prolong the time of some sessions, so that in `STEPS` steps it is done for all."""
        self._refresh_due = None
        if not self._to_refresh:
            self._to_refresh = [
                socket for socket in self._recovery.connected.values() if isinstance(socket, ClusterSocket)
            ]
            self._batch = ceil(len(self._to_refresh) / STEPS)
        for socket in self._to_refresh[-self._batch :]:
            if self._recovery.connected.get(socket.pid) is socket:
                self.store(socket, refresh=True)
        del self._to_refresh[-self._batch :]
        if self._recovery.connected:
            self.await_refresh()

    def stop(self) -> None:
        """Store nothing any more that is not being stored."""
        for due in (self._store_due, self._refresh_due):
            if due is not None:
                due.cancel()
        self._store_due = self._refresh_due = None
        self._to_refresh.clear()

    def _failed(self, failure: Json) -> None:
        if failure.check(BrokerError, UnserializableData):
            self._complain("a session that the broker does not take cannot be recovered: {error}", failure.value)
        elif failure.check(BrokerUnavailable) is None:
            log.failure("A session of {namespace} could not be stored", failure, namespace=self._namespace.name)

    def _complain(self, text: str, error: Exception) -> None:
        """Only once: an application that keeps too much does so for every client."""
        if not self._has_complained:
            self._has_complained = True
            log.warn(text, error=error)
