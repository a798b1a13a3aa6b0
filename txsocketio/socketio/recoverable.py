"""A socket whose client may come back; see `recovery` for how."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import TYPE_CHECKING, Protocol, cast

from txsocketio.engineio.outgoing import Bundle, Outgoing
from txsocketio.errors import ReservedEvent
from txsocketio.protocol.packet import CONNECT, EVENT, RESERVED_EVENTS
from txsocketio.socketio.adapter import Names
from txsocketio.socketio.away import RecoverySession
from txsocketio.socketio.broadcast import DEFAULTS, Flags
from txsocketio.socketio.socket import CONNECTED, CONNECTING, GONE, Socket
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.socketio.connection import Connection
    from txsocketio.socketio.handshake import Handshake
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.recovery import Recovery

#: Longer texts of clients are not looked at.
MAX_LENGTH = 64


class Recovering(Protocol):
    """An adapter whose clients may come back."""

    recovery: Recovery

    def send(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> None:
        """Send an event with its offset."""


class RecoverableSocket(Socket):
    """A socket whose client may come back after its connection was cut.

    Attributes:
        recovered: whether that has happened: id, rooms and data are those of before.
        pid: the client's private id; "" until it is connected.
        floor: the position up to which the client has surely received everything.
        position: behind it begins what a recovered client has missed.
        claim: grows with each client that comes back.
        rooms_before: that a recovered client was in.
    """

    __slots__ = (
        "_adapter",
        "_held",
        "_pinged",
        "_recovery",
        "claim",
        "floor",
        "may_recover",
        "pid",
        "position",
        "recovered",
        "rooms_before",
    )

    def __init__(self, id: str, namespace: Namespace, connection: Connection, handshake: Handshake) -> None:
        super().__init__(id, namespace, connection, handshake)
        self._adapter = cast(Recovering, namespace.adapter)
        self._recovery = self._adapter.recovery
        self._held: tuple[tuple[list[Json], Flags], ...] = ()
        pid = handshake.auth.get("pid")
        self.may_recover = isinstance(pid, str) and len(pid) <= MAX_LENGTH
        self.recovered = False
        self.pid = ""
        self.rooms_before: Set[str] = frozenset()
        self.claim = self.position = self.floor = self._pinged = 0

    # --- sending ---

    def emit(self, event: str, *arguments: Json) -> None:
        """Send an event to the client, which gets it also when it has to come back for it. Hot path."""
        if self.state is CONNECTED and event not in RESERVED_EVENTS:
            self._adapter.send([event, *arguments], (self.id,), (), DEFAULTS)
        else:
            self.send_event(event, arguments, DEFAULTS)

    def send_event(self, event: str, arguments: Iterable[Json], flags: Flags, id: int | None = None) -> None:
        """Send an event as the flags say: a packet to the room of the socket's own id, unless it wants an answer."""
        if id is not None:
            super().send_event(event, arguments, flags, id)
        elif event in RESERVED_EVENTS:
            raise ReservedEvent(event)
        elif self.state is CONNECTING:
            self._hold([event, *arguments], flags)
        elif self.state is not GONE or self._recovery.knows(self.pid):
            self._adapter.send([event, *arguments], (self.id,), (), flags)

    def _hold(self, event: list[Json], flags: Flags) -> None:
        """Keep what a middleware sends: a client takes what comes before it is connected for its next connection."""
        self.namespace.encode(EVENT, self.namespace.name, None, event)  # raises if it cannot be sent
        if not flags.volatile:
            self._held += ((event, flags),)

    # --- coming and going ---

    async def recover(self) -> bool:
        """Go on as the socket that the client was; whether that lets it in without the middlewares."""
        return await self._recovery.restore(self) and self._recovery.options.skip_middlewares

    def begin(self, pid: str, position: int) -> None:
        """Become a socket that has been sent nothing up to this position."""
        self.pid = pid
        self.floor = self._pinged = position

    def restore(self, session: RecoverySession, position: int, claim: int) -> None:
        """Become the socket of before; the middlewares see it so, and may still refuse it."""
        self.id = session.id
        self.pid = session.pid
        self.floor = self._pinged = session.floor
        self.position = position
        self.claim = claim
        self.data = session.data
        self.recovered = True
        self.rooms_before = session.rooms
        self.join(session.rooms - {self.id})

    def accepted(self) -> None:
        """The middlewares have let the client in."""
        missed = self._recovery.admit(self)
        if missed is None:
            return self.session.close()
        self._recovery.connected[self.pid] = self
        welcome = self.namespace.encode(CONNECT, self.namespace.name, None, {"sid": self.id, "pid": self.pid})
        self.enter(Bundle([Outgoing(*welcome), *missed]))
        held, self._held = self._held, ()
        for (event, *arguments), flags in held:
            self.send_event(event, arguments, flags)

    def refused(self, message: str, data: Json) -> None:
        """A middleware has not; its pid is worth nothing any more."""
        if self.recovered:
            self._recovery.forget(self)
        super().refused(message, data)

    def pinged(self) -> None:
        """The client is sent a ping, so it has answered the one before."""
        if self.state is CONNECTED:
            self.floor, self._pinged = self._pinged, self._recovery.log.position

    def clean_up(self, reason: str) -> None:
        """Leave the session to the client's return."""
        self._recovery.left(self, reason)
        super().clean_up(reason)
