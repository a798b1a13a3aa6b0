"""The sessions of clients, kept by the broker so that any node can go on with them.

    pid -> MessagePack {"sid", "pid", "rooms", "data", and ours: "nsp", "node", "claim", "offset"}

A session is stored when its client connects and again when something of it changes, so it is there also when its node
is killed. It changes hands by a swap: whoever replaces exactly what was stored before has it, and the node that had it
finds at its next swap that it has it no longer. The first four fields are those of the reference server's adapters.
Source: @socket.io/redis-streams-adapter 0.3, `persistSession`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgpack import Packer, unpackb
from twisted.internet.defer import Deferred

from txsocketio.errors import BadMessage
from txsocketio.socketio.away import RecoverySession
from txsocketio.types import Json

_pack: Callable[[Json], bytes] = Packer().pack


#: Seconds for which a session stays there when its time is over, so that its node can find out that nobody took it.
GRACE = 5.0


class Sessions(Protocol):
    """The sessions that the broker keeps, each for `max_disconnection_duration` and `GRACE` after its last swap.

    All of it can fail with BrokerUnavailable.
    """

    def get(self, pid: str) -> Deferred[bytes | None]:
        """Fires with what is stored; None if there is nothing."""

    def swap(self, pid: str, old: bytes | None, new: bytes | None) -> Deferred[bytes | None]:
        """Store `new` if exactly `old` is stored, at once; None stands for nothing.

        Returns:
            Fires with what is stored then: `new` when it was done, now or at an attempt before.
        """


class StoredSession(RecoverySession):
    """A session as the broker keeps it.

    Attributes:
        stored: what exactly is stored.
        namespace: whose session it is; None when nobody knows.
        node: where its client is connected; "" when it is not, or nobody knows.
        claim: how often it has changed hands.
        offset: of the position up to which its client has surely received everything; None when nobody knows.
    """

    __slots__ = ("claim", "namespace", "node", "offset", "stored")

    def __init__(self, stored: bytes, pid: str, id: str, rooms: set[str], data: Json) -> None:
        super().__init__(pid, id, rooms, data, 0)
        self.stored = stored
        self.namespace: str | None = None
        self.node = ""
        self.claim = 0
        self.offset: str | None = None


def encode(session: RecoverySession, namespace: str, node: str, claim: int, offset: str) -> bytes:
    """The session as it is stored.

    Raises:
        TypeError, ValueError, OverflowError: `session.data` cannot be stored.
    """
    fields = {"sid": session.id, "pid": session.pid, "rooms": sorted(session.rooms), "data": session.data}
    return _pack({**fields, "nsp": namespace, "node": node, "claim": claim, "offset": offset})


def decode(stored: bytes) -> StoredSession:
    """The session that is stored, which a Node.js server may have done.

    Raises:
        BadMessage: it cannot be understood.
    """
    try:
        fields = unpackb(stored, strict_map_key=False)
        session = StoredSession(stored, fields["pid"], fields["sid"], set(map(str, fields["rooms"])), fields["data"])
        session.namespace = fields.get("nsp")
        session.node = fields.get("node", "")
        session.claim = int(fields.get("claim", 0))
        session.offset = fields.get("offset")
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadMessage(f"a session that is not stored as one: {error!r}") from None
    if not (isinstance(session.pid, str) and isinstance(session.id, str)):
        raise BadMessage("a session that is not stored as one")
    return session
