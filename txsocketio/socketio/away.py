"""The sessions of clients that are away and may come back."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from txsocketio.types import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

    from txsocketio.engineio.deadlines import Deadline, Deadlines


class RecoverySession:
    """What is kept of a client so that it can go on in a namespace as if nothing had happened.

    Attributes:
        pid: its private id; a secret between client and server.
        id: of its socket.
        rooms: that its socket was in.
        data: of its socket.
        floor: it has surely received what was sent up to this position of the log.
    """

    __slots__ = ("data", "floor", "id", "pid", "rooms")

    def __init__(self, pid: str, id: str, rooms: set[str], data: Json, floor: int) -> None:
        self.pid = pid
        self.id = id
        self.rooms = rooms
        self.data = data
        self.floor = floor

    def __repr__(self) -> str:
        return f"<RecoverySession of {self.id}>"


class Away:
    """Keeps sessions for a time, and tells of each whose time is over.

    Args:
        deadlines: what tells that time has passed.
        clock: where time comes from.
        seconds: how long a session is kept.
        limit: how many of them; beyond it the oldest goes before its time.
        on_expired: told of each that nobody has come back for.
    """

    def __init__(
        self,
        deadlines: Deadlines,
        clock: IReactorTime,
        seconds: float,
        limit: int,
        on_expired: Callable[[RecoverySession], None],
    ) -> None:
        self._deadlines = deadlines
        self._clock = clock
        self._seconds = seconds
        self._limit = limit
        self._on_expired = on_expired
        self._sessions: OrderedDict[str, tuple[float, RecoverySession]] = OrderedDict()
        self._next: Deadline | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, pid: str) -> bool:
        return pid in self._sessions

    def get(self, pid: str) -> RecoverySession | None:
        """The session of this private id; it stays."""
        found = self._sessions.get(pid)
        return None if found is None else found[1]

    def add(self, session: RecoverySession) -> None:
        """Keep a session from now on."""
        self._sessions[session.pid] = self._clock.seconds() + self._seconds, session
        if self._next is None:
            self._next = self._deadlines.start(self._seconds, self._expire)
        if len(self._sessions) > self._limit:
            self._expire_oldest()

    def pop(self, pid: str) -> RecoverySession | None:
        """The session of this private id; it is the caller's."""
        found = self._sessions.pop(pid, None)
        if not self._sessions:
            self._stop()
        return None if found is None else found[1]

    def clear(self) -> None:
        """Forget all of them, and tell nobody."""
        self._sessions.clear()
        self._stop()

    def _stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _expire(self) -> None:
        self._next = None
        now = self._clock.seconds()
        while self._sessions:
            due, _ = next(iter(self._sessions.values()))
            if due > now:
                if self._next is None:
                    self._next = self._deadlines.start(due - now, self._expire)
                return
            self._expire_oldest()

    def _expire_oldest(self) -> None:
        _, (_, session) = self._sessions.popitem(last=False)
        self._on_expired(session)
