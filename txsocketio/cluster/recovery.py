"""Connection state recovery on any node of a cluster, also after the node of the client was killed.

        client                 this node                         the broker                     the node before
          |- {"pid","offset"} -->|--- get(pid) --------------------->|
          |                      |<-- its session -------------------|
          |                      |    middlewares
          |                      |--- swap: it is ours ------------->|
          |                      |--- SESSION_TAKEN into the log --->|----------------------->| closes its socket
          |                      |<-- everything up to there --------|
          |<- CONNECT, missed ---|

What was missed is nearly always still in memory, as each node reads the whole log of a namespace; what is older is read
from the broker again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from random import getrandbits
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txsocketio.cluster import sessions as stored_sessions
from txsocketio.cluster.keeper import SessionKeeper
from txsocketio.cluster.messages import BROADCAST, Message
from txsocketio.cluster.sessions import Sessions, StoredSession
from txsocketio.cluster.socket import ClusterSocket
from txsocketio.engineio.engine import new_sid
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.errors import BadMessage, BrokerUnavailable
from txsocketio.socketio.adapter import Names
from txsocketio.socketio.away import RecoverySession
from txsocketio.socketio.recoverable import MAX_LENGTH, RecoverableSocket
from txsocketio.socketio.recovery import FINAL, TAKEN_OVER, Recovery
from txsocketio.socketio.socket import CONNECTING
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.cluster.log_adapter import LogAdapter
    from txsocketio.socketio.namespace import Namespace

T = TypeVar("T")

log = Logger()

#: Seconds for which a client that comes back waits for a broker that is away, asking again and again.
PATIENCE = 10.0
PAUSE = 0.1

#: Seconds until an unknown session is looked for again, where others store it when they notice that its client is gone.
LATE = 0.2

#: How often a session that changes under our hands is asked for.
ATTEMPTS = 5

#: Claims that are not taken in a second. In JSON, numbers are exact up to 2**53.
CLAIMS = 2**20


class ClusterRecovery(Recovery):
    """What is known of the clients of one namespace so that they can come back, here or elsewhere.

    Args:
        adapter: whose clients they are.
        sessions: where the broker keeps them.

    Attributes:
        keeper: what stores them there.
    """

    def __init__(self, namespace: Namespace, adapter: LogAdapter, sessions: Sessions) -> None:
        super().__init__(namespace)
        self._adapter = adapter
        self._sessions = sessions
        self._clock = namespace.clock
        self.keeper = SessionKeeper(namespace, adapter.broker, self, sessions)
        self._coming: set[ClusterSocket] = set()

    def offset_of(self, position: int) -> str:
        return self._adapter.offset_of(position)

    def missed(self, position: int, rooms: set[str]) -> list[Outgoing]:
        return [self._outgoing(at, packet) for at, packet in self.log.after(position, rooms)]

    def _outgoing(self, position: int, packet: Outgoing | Message) -> Outgoing:
        """What is kept, as it is sent: nobody here may have wanted it when it came."""
        if isinstance(packet, Outgoing):
            return packet
        return self._adapter.encode_at(position, packet)

    # --- who comes back ---

    async def restore(self, socket: RecoverableSocket) -> bool:
        """Make the socket that of the session whose pid its client shows; whether that is possible.

        Raises:
            CancelledError: the broker does not tell; the connection is closed, so that the client tries again.
        """
        try:
            found = await self._session_for(socket.handshake.auth)
        except (BrokerUnavailable, TimeoutError):
            if not self._are_kept():
                return False
            socket.session.close()
            raise CancelledError from None
        if found is None:
            return False
        assert isinstance(socket, ClusterSocket)
        _insist(socket)
        session, position = found
        session.floor = position
        socket.restore(session, position, _claim_after(session.claim, self._clock.seconds()))
        socket.stored = session.stored
        self._coming.add(socket)
        return True

    def _are_kept(self) -> bool:
        """Whether the sessions can outlast the outage of the broker, if there is one."""
        since = self._adapter.broker.away_since
        return since is None or self._clock.seconds() - since < self.options.max_disconnection_duration

    async def _session_for(self, auth: Mapping[str, Json]) -> tuple[StoredSession, int] | None:
        """The session that a client shows, and the position in the log up to which it has received everything.

        Raises:
            BrokerUnavailable, TimeoutError: nobody knows.
        """
        session = await self._patiently(partial(self._find, auth["pid"]))
        if session is None and self._adapter.sessions_may_be_late:
            await deferLater(self._clock, LATE, lambda: None)
            session = await self._patiently(partial(self._find, auth["pid"]))
        if session is None:
            return None
        offset = session.offset if auth.get("offset") is None else auth["offset"]
        if not isinstance(offset, str) or len(offset) > MAX_LENGTH:
            return None
        position = self._adapter.position_of(offset)
        return None if position is None or not await self._has_read(position) else (session, position)

    async def _has_read(self, position: int) -> bool:
        """Wait until the log has been read up to the position; False if that, or what is behind it, is not there."""
        is_in_memory = self.log.start <= position <= self._adapter.progress.position
        if not is_in_memory and not await self._patiently(partial(self._adapter.holds, position)):
            return False
        await self._adapter.progress.reached(position, PATIENCE)
        return True

    async def _find(self, pid: str) -> StoredSession | None:
        stored = await self._sessions.get(pid)
        if stored is None:
            return None
        try:
            session = stored_sessions.decode(stored)
        except BadMessage as error:
            self._adapter.broker.drop(error, "?")
            return None
        return session if session.namespace in (self._namespace.name, None) else None

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the broker answers, which may be away for a moment.

        Raises:
            BrokerUnavailable: it is away for longer.
        """
        patience = self._clock.seconds() + PATIENCE
        while True:
            try:
                return await ask()
            except BrokerUnavailable:
                if self._clock.seconds() >= patience:
                    raise
                await deferLater(self._clock, PAUSE, lambda: None)

    async def prepare(self, socket: ClusterSocket) -> None:
        """Store the session of a new client, or take over that of one that comes back; it is closed if that fails."""
        if not socket.recovered:
            socket.begin(new_sid(), self.log.position)
            await self.keeper.for_a_moment(self.keeper.store(socket))
            return
        try:
            if await self._take_over(socket) and await self._read_older(socket):
                return
        except (BrokerUnavailable, CancelledError):
            pass
        # Whoever is refused does not try again by itself, as who is too late would be; whose connection ends does.
        if socket.state is CONNECTING:
            socket.session.close()

    async def _take_over(self, socket: ClusterSocket) -> bool:
        """Make the session ours, and have the node of before close its socket; whether it was still to be had."""
        before = stored_sessions.decode(socket.stored or b"")
        for _ in range(ATTEMPTS):
            _insist(socket)
            ours = self.keeper.encoded(self.session_of(socket), socket.claim, self._adapter.broker.node)
            stored = await self._patiently(partial(self._sessions.swap, socket.pid, socket.stored, ours))
            if stored == ours:
                socket.stored = ours
                if before.node or before.namespace is None:
                    await self._adapter.take(socket)
                return True
            if stored is None:
                return False
            now = stored_sessions.decode(stored)
            socket.join(now.rooms - before.rooms)
            socket.leave(before.rooms - now.rooms)
            socket.stored, socket.claim, before = stored, _claim_after(now.claim, self._clock.seconds()), now
        return False

    async def _read_older(self, socket: ClusterSocket) -> bool:
        """Read again what is not in memory any more; whether the broker still has all of it."""
        begin, size = socket.position, 0
        while socket.position < self.log.start:
            # Not up to what is in memory only: that moves on with each event, and would never be reached.
            until = self.log.position
            entries = await self._patiently(partial(self._adapter.replay, socket.position, until))
            socket.position = entries[-1][0] if entries else until
            for position, message in entries:
                if self._is_missed(message, {socket.id, *socket.rooms}):
                    outgoing = self._adapter.encode_at(position, message)
                    size += outgoing.size
                    socket.older.append(outgoing)
            if size > self._namespace.options.max_outgoing_buffer:
                return False
        return not socket.older or await self._patiently(partial(self._adapter.holds, begin))

    def _is_missed(self, message: Message, rooms: set[str]) -> bool:
        try:
            wanted = not message.rooms or not rooms.isdisjoint(message.rooms)
            is_for_them = wanted and rooms.isdisjoint(message.excluded)
            return message.type == BROADCAST and is_for_them and not message.flags.volatile
        except BadMessage:
            return False

    def admit(self, socket: RecoverableSocket) -> list[Outgoing] | None:
        assert isinstance(socket, ClusterSocket)
        self._coming.discard(socket)
        self.keeper.await_refresh()
        if not socket.recovered:
            if socket.floor != self.log.position:
                socket.begin(socket.pid, self.log.position)
                self.keeper.store(socket)
            return []
        if socket.position < self.log.start:
            return None
        self._adapter.returned(socket)
        missed = [*socket.older, *self.missed(socket.position, {socket.id, *socket.rooms})]
        socket.older = []
        size = sum(outgoing.size for outgoing in missed)
        return None if size > self._namespace.options.max_outgoing_buffer else missed

    def coming(self, rooms: Names, excluded: Names) -> Iterator[ClusterSocket]:
        """Who is on the way back to this node, and in one of the rooms but in none of the excluded ones."""
        for socket in self._coming:
            its_rooms = {socket.id, *socket.rooms}
            if (not rooms or not its_rooms.isdisjoint(rooms)) and its_rooms.isdisjoint(excluded):
                yield socket

    # --- who goes ---

    def taken(self, id: str, claim: int) -> None:
        """The client of this socket has come back somewhere: who had it before has it no longer."""
        connected = self._namespace.sockets.get(id)
        for socket in [*self._coming, *(() if connected is None else (connected,))]:
            assert isinstance(socket, ClusterSocket)
            if socket.id == id and socket.claim < claim:
                self.lose(socket)

    def lose(self, socket: ClusterSocket) -> None:
        """Another node has the session of this socket."""
        self._coming.discard(socket)
        if self.connected.get(socket.pid) is socket:
            del self.connected[socket.pid]
        socket.session.close(TAKEN_OVER, discard=True)

    def left(self, socket: RecoverableSocket, reason: str) -> None:
        assert isinstance(socket, ClusterSocket)
        self._coming.discard(socket)
        if self.connected.get(socket.pid) is socket:
            del self.connected[socket.pid]
            socket.is_left = True
            if reason not in FINAL:
                session = self.session_of(socket)
                socket.left_as = self.keeper.encoded(session, socket.claim, "")
                self.away.add(StoredSession(socket.left_as, session.pid, session.id, session.rooms, session.data))
            self.keeper.store(socket)

    def forget(self, socket: RecoverableSocket) -> None:
        assert isinstance(socket, ClusterSocket)
        self._coming.discard(socket)
        socket.is_left = True
        self.keeper.store(socket)
        super().forget(socket)

    def _expired(self, session: RecoverySession) -> None:
        assert isinstance(session, StoredSession)
        self.keeper.soon(self._expire(session))

    async def _expire(self, session: StoredSession) -> None:
        """Its time is over, unless its client has come back to another node."""
        if await self._sessions.get(session.pid) == session.stored:
            await self._sessions.swap(session.pid, session.stored, None)
            super()._expired(session)

    def stop(self) -> None:
        self.keeper.stop()
        super().stop()


def _claim_after(claim: int, seconds: float) -> int:
    """A later claim, which is not that of anybody else: what two write who take the same session at once differs.

    It tells the time, as a session that comes from a server of Node.js has lost its claims.
    """
    return max(claim + 1, int(seconds * CLAIMS)) + getrandbits(8)


def _insist(socket: ClusterSocket) -> None:
    """Go no further for a client that is gone: it has no rooms any more, which must stay in its session.

    Its admission was cancelled, but a broker may have made another error of that.
    """
    if socket.state is not CONNECTING:
        raise CancelledError
