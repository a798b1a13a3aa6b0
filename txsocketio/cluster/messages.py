"""What the nodes of a cluster tell each other.

    about clients    BROADCAST, SOCKETS_JOIN, SOCKETS_LEAVE, DISCONNECT_SOCKETS
    questions        BROADCAST with a request (in a log: BROADCAST_CALL), FETCH_SOCKETS, SERVER_SIDE_EMIT
    answers          BROADCAST_CLIENT_COUNT, _ACK and _GONE, FETCH_SOCKETS_RESPONSE, SERVER_SIDE_EMIT_RESPONSE
    about nodes      INITIAL_HEARTBEAT, HEARTBEAT, ADAPTER_CLOSE: for brokers that do not count the nodes
    about sessions   SESSION_TAKEN: a client that was cut off is connected to another node

Types up to 13, and the shape of their data, are those of the cluster adapters of the reference server, so a broker that
Node.js servers share needs no translation. They ignore the types that are ours.
Source: socket.io-adapter 2.5, "cluster-adapter".
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from txsocketio.errors import BadMessage
from txsocketio.socketio.adapter import Names
from txsocketio.socketio.broadcast import Flags
from txsocketio.types import Json


class Type(IntEnum):
    """What a message is about."""

    INITIAL_HEARTBEAT = 1
    HEARTBEAT = 2
    BROADCAST = 3
    SOCKETS_JOIN = 4
    SOCKETS_LEAVE = 5
    DISCONNECT_SOCKETS = 6
    FETCH_SOCKETS = 7
    FETCH_SOCKETS_RESPONSE = 8
    SERVER_SIDE_EMIT = 9
    SERVER_SIDE_EMIT_RESPONSE = 10
    BROADCAST_CLIENT_COUNT = 11
    BROADCAST_ACK = 12
    ADAPTER_CLOSE = 13
    BROADCAST_GONE = 100
    BROADCAST_CALL = 101
    SESSION_TAKEN = 102


INITIAL_HEARTBEAT, HEARTBEAT, BROADCAST, SOCKETS_JOIN, SOCKETS_LEAVE, DISCONNECT_SOCKETS = list(Type)[:6]
FETCH_SOCKETS, FETCH_SOCKETS_RESPONSE, SERVER_SIDE_EMIT, SERVER_SIDE_EMIT_RESPONSE = list(Type)[6:10]
BROADCAST_CLIENT_COUNT, BROADCAST_ACK, ADAPTER_CLOSE = list(Type)[10:13]
BROADCAST_GONE, BROADCAST_CALL, SESSION_TAKEN = list(Type)[13:]

#: The name of the node in messages of those that are none: emitters, which nobody counts, and which cannot be answered.
EMITTER = "emitter"

#: Packets of the type EVENT in `data["packet"]`.
_EVENT = 2


class Message:
    """What one node tells others, about one namespace.

    Attributes:
        type: one of `Type`; may be unknown when it comes from a newer node.
        data: as on the wire of the reference server, but for `opts`.
        opts: whom it is about, a map of "rooms", "except" and "flags"; None when it is not about clients.
        node: the name of the node that tells it.
        number: grows with each message that this node puts into the log of the namespace; 0 when it is not in a log.
    """

    __slots__ = ("data", "node", "number", "opts", "type")

    def __init__(
        self,
        type: int,
        data: dict[str, Json],
        opts: dict[str, Json] | None = None,
        node: str = "",
        number: int = 0,
    ) -> None:
        self.type = type
        self.data = data
        self.opts = opts
        self.node = node
        self.number = number

    def __repr__(self) -> str:
        return f"<Message {self.type} of {self.node}>"

    # What is in `data` and `opts`. All of these raise BadMessage when it is not what it has to be.

    @property
    def rooms(self) -> Names:
        """Whom it is about: the members of these rooms, everybody when there are none."""
        return _names(_map(self.opts).get("rooms"))

    @property
    def excluded(self) -> Names:
        """But not the members of these."""
        return _names(_map(self.opts).get("except"))

    @property
    def flags(self) -> Flags:
        """How the event is sent."""
        flags = _map(_map(self.opts).get("flags") or {})
        timeout = flags.get("timeout")
        if timeout is not None and not isinstance(timeout, int | float):
            raise BadMessage("a timeout that is no number")
        return Flags(
            volatile=flags.get("volatile") is True,
            compress=flags.get("compress") is not False,
            timeout=None if timeout is None else timeout / 1000,
        )

    @property
    def event(self) -> list[Json]:
        """The event of a BROADCAST: its name and arguments."""
        return _event(_map(self.data.get("packet")).get("data"))

    @property
    def server_event(self) -> list[Json]:
        """The event of a SERVER_SIDE_EMIT."""
        return _event(self.data.get("packet"))

    @property
    def names(self) -> Names:
        """The rooms that are to be joined or left."""
        return _names(self.data.get("rooms"))

    @property
    def close(self) -> bool:
        """Whether DISCONNECT_SOCKETS closes the connections too."""
        return self.data.get("close") is True

    @property
    def request(self) -> str | None:
        """The number of the question that this is, or answers."""
        request = self.data.get("requestId")
        if request is not None and not isinstance(request, str):
            raise BadMessage("a requestId that is no text")
        return request


def broadcast(
    event: Sequence[Json], rooms: Names, excluded: Names, flags: Flags, request: str | None = None
) -> Message:
    """Send an event to clients; with a request, ask for their acknowledgements."""
    data: dict[str, Json] = {"packet": {"type": _EVENT, "data": [*event]}}
    if request is not None:
        data["requestId"] = request
    return Message(BROADCAST, data, options(rooms, excluded, flags))


def sockets_join(joined: Names, rooms: Names, excluded: Names) -> Message:
    """Have clients join rooms."""
    return Message(SOCKETS_JOIN, {"rooms": [*joined]}, options(rooms, excluded))


def sockets_leave(left: Names, rooms: Names, excluded: Names) -> Message:
    """Have clients leave rooms."""
    return Message(SOCKETS_LEAVE, {"rooms": [*left]}, options(rooms, excluded))


def disconnect_sockets(close: bool, rooms: Names, excluded: Names) -> Message:
    """Send clients away."""
    return Message(DISCONNECT_SOCKETS, {"close": close}, options(rooms, excluded))


def fetch_sockets(rooms: Names, excluded: Names, request: str) -> Message:
    """Ask who is there."""
    return Message(FETCH_SOCKETS, {"requestId": request}, options(rooms, excluded))


def server_side_emit(event: Sequence[Json], request: str | None = None) -> Message:
    """Tell the other servers of an event; with a request, ask for their answers."""
    data: dict[str, Json] = {} if request is None else {"requestId": request}
    return Message(SERVER_SIDE_EMIT, {**data, "packet": [*event]})


def options(rooms: Names, excluded: Names, flags: Flags | None = None) -> dict[str, Json]:
    """Whom a message is about, and how an event is sent."""
    told: dict[str, Json] = {}
    if flags is not None:
        if flags.volatile:
            told["volatile"] = True
        if not flags.compress:
            told["compress"] = False
        if flags.timeout is not None:
            told["timeout"] = round(flags.timeout * 1000)
    return {"rooms": [*rooms], "except": [*excluded], "flags": told}


def _map(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise BadMessage("something that has to be a map is none")
    return value


def _names(value: Json) -> Names:
    """Names of rooms; those that a Node.js server has made of numbers become text."""
    if not isinstance(value, list):
        raise BadMessage("rooms that are no list")
    return tuple([name if name.__class__ is str else str(name) for name in value])


def _event(value: Json) -> list[Json]:
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        raise BadMessage("an event without a name")
    return value
