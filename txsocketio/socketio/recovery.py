"""Connection state recovery: a client that was cut off comes back as the same socket, and gets what it missed.

        client                            server
          |------ 0{} -------------------->|
          |<----- 0{"sid":…,"pid":…} ------|  the pid is a secret: who shows it is that client
          |<----- 2["news",1,"17"] --------|  every event ends with its offset, the position of the packet in the log
          x        the connection is cut
          |------ 0{"pid":…,"offset":"17"}>|  on a new connection; the old one, if it still looks alive, is closed
          |<----- 0{"sid":…,"pid":…} ------|  the ids of before,
          |<----- 2["news",2,"18"] --------|  and what was missed right behind, in one write

What a client has received is told by two things. Its offset is that of the last event that it got; as everything is
sent in the order of the log, it has got all before. And it has got all that was sent before a ping that it answered:
that is the floor of its session, from which goes on who was sent no event for longer than packets are kept.

Source: https://socket.io/docs/v4/connection-state-recovery
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from txsocketio.engineio.engine import new_sid
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.socketio.adapter import Adapter, Names
from txsocketio.socketio.away import Away, RecoverySession
from txsocketio.socketio.broadcast import Flags
from txsocketio.socketio.log import Log
from txsocketio.socketio.recoverable import MAX_LENGTH, RecoverableSocket
from txsocketio.socketio.socket import CONNECTING
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.socketio.namespace import Namespace

#: The end of a socket whose client has come back on another connection.
TAKEN_OVER = "session taken over"

#: Ends after which nobody comes back: one side wanted them, or the client cannot be understood.
FINAL = frozenset(("client namespace disconnect", "server namespace disconnect", "parse error"))


class Recovery:
    """What is known of the clients of one namespace so that they can come back.

    Attributes:
        log: the latest packets.
        connected: the sockets that are connected, by pid.
        away: the sessions of clients that are not.
    """

    def __init__(self, namespace: Namespace) -> None:
        options = namespace.options.recovery
        assert options is not None
        self.options = options
        engine = namespace.server.engine
        # A floor lies two intervals back at most, a dead client is noticed after one, and then its time begins.
        patience = 2 * namespace.options.ping_interval + namespace.options.ping_timeout
        duration = options.max_disconnection_duration
        self.log: Log[Json] = Log(engine.deadlines, duration + patience, options.max_packets, options.max_bytes)
        self.away = Away(engine.deadlines, engine.clock, duration, options.max_sessions, self._expired)
        self.connected: dict[str, RecoverableSocket] = {}
        self._namespace = namespace
        self._next_claim = count(1).__next__

    def knows(self, pid: str) -> bool:
        """Whether the session of this pid can go on."""
        return pid in self.connected or pid in self.away

    def is_needed(self) -> bool:
        """Whether there is anybody who could come back."""
        return bool(self.connected or self.away)

    # --- positions, as clients know them ---

    def offset_of(self, position: int) -> str:
        """The offset of the packet at this position."""
        return str(position)

    def position_of(self, offset: Json) -> int | None:
        """The position of the packet with this offset; None if there never was one."""
        if offset.__class__ is str and len(offset) <= MAX_LENGTH and offset.isdecimal():
            position = int(offset)
            if position <= self.log.position and self.offset_of(position) == offset:
                return position
        return None

    # --- who comes back ---

    async def restore(self, socket: RecoverableSocket) -> bool:
        """Make the socket that of the session whose pid its client shows; whether that is possible."""
        auth = socket.handshake.auth
        session = await self.find(auth["pid"])
        if session is None:
            return False
        position: int | None = session.floor
        if auth.get("offset") is not None:
            position = self.position_of(auth["offset"])
        if position is None or max(position, session.floor) < self.log.start:
            return False
        socket.restore(session, max(position, session.floor), self._next_claim())
        return True

    async def find(self, pid: str) -> RecoverySession | None:
        """The session of this pid; its client may still be connected."""
        socket = self.connected.get(pid)
        return self.away.get(pid) if socket is None else self.session_of(socket)

    def session_of(self, socket: RecoverableSocket) -> RecoverySession:
        """The session of a socket as it is now."""
        # Its own room too, which it has not entered yet if its connection failed under the CONNECT packet.
        rooms = {socket.id, *socket.rooms}
        return RecoverySession(socket.pid, socket.id, rooms, socket.data, socket.floor)

    def admit(self, socket: RecoverableSocket) -> list[Outgoing] | None:
        """Let in a socket that the middlewares have let in: what its client has missed, or None if it is too late."""
        if socket.recovered:
            return self.resume(socket)
        socket.begin(new_sid(), self.log.position)
        return []

    def resume(self, socket: RecoverableSocket) -> list[Outgoing] | None:
        """Let a restored socket take over its session.

        Returns:
            What its client has missed; None when it has become too late: the session is over, a newer connection has
            it, or more was missed than is kept.
        """
        older = self.connected.get(socket.pid)
        if older is not None and older.claim < socket.claim:
            older.session.close(TAKEN_OVER, discard=True)
        # Handlers of the older one have been called, and may have ended this one.
        session = self.away.pop(socket.pid) if socket.state is CONNECTING else None
        if session is None:
            return None
        socket.join(session.rooms - socket.rooms_before)
        socket.leave(socket.rooms_before - session.rooms)
        missed = self.missed(socket.position, session.rooms & {socket.id, *socket.rooms})
        size = sum(outgoing.size for outgoing in missed)
        if socket.position < self.log.start or size > self._namespace.options.max_outgoing_buffer:
            self._expired(session)
            return None
        return missed

    def missed(self, position: int, rooms: set[str]) -> list[Outgoing]:
        """What was sent behind the position to somebody in these rooms."""
        return [outgoing for _, outgoing in self.log.after(position, rooms)]

    # --- who goes ---

    def left(self, socket: RecoverableSocket, reason: str) -> None:
        """The socket is about to leave its rooms."""
        if self.connected.get(socket.pid) is socket:
            del self.connected[socket.pid]
            if reason not in FINAL:
                self.away.add(self.session_of(socket))

    def forget(self, socket: RecoverableSocket) -> None:
        """Nobody may come back as this socket."""
        self.connected.pop(socket.pid, None)
        session = self.away.pop(socket.pid)
        if session is not None:
            self._expired(session)

    def stop(self) -> None:
        """Nobody comes back any more."""
        self.away.clear()
        self.log.clear()

    def _expired(self, session: RecoverySession) -> None:
        self._namespace.expired(session)


class RecoveryAdapter(Adapter):
    """Delivers the packets of one namespace in this process, and keeps them for those who come back."""

    socket_class = RecoverableSocket

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(namespace)
        self.recovery = Recovery(namespace)
        self._delivering = False
        self._waiting: deque[tuple[list[Json], Names, Names, Flags]] = deque()

    def stop(self) -> Deferred[None]:
        self.recovery.stop()
        return super().stop()

    def is_needed(self) -> bool:
        return self.recovery.is_needed()

    def broadcast(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        self.send(event, rooms, excluded, flags)
        return succeed(None)

    def send(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> None:
        """Send an event with its offset, a volatile one with that of the last before it. Hot path.

        Sending can end a client, and so run handlers that send more. That has to wait until everybody has this event,
        or some would have a later offset before an earlier one.
        """
        if self._delivering:
            self._encode(event, None, flags)  # raises if it cannot be sent
            self._waiting.append((event, rooms, excluded, flags))
            return
        self._delivering = True
        try:
            self._send(event, rooms, excluded, flags)
            while self._waiting:
                self._send(*self._waiting.popleft())
        finally:
            self._delivering = False

    def _send(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> None:
        recovery = self.recovery
        log = recovery.log
        is_kept = not flags.volatile and (recovery.connected or recovery.away)
        position = log.position + 1 if is_kept else log.position
        outgoing = self._encode([*event, recovery.offset_of(position)], None, flags)
        if self.is_overheard:
            self.overhear(event, self.rooms.select(rooms, excluded))
        if is_kept:
            log.append(position, outgoing, outgoing.size, rooms, excluded)
        self.deliver(outgoing, rooms, excluded)
