"""The sockets of other servers, as far as they can be seen and reached from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txsocketio.errors import Disconnected
from txsocketio.socketio.broadcast import DEFAULTS, Broadcast, Flags, RoomNames
from txsocketio.socketio.handshake import Handshake
from txsocketio.types import Json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twisted.internet.defer import Deferred

    from txsocketio.socketio.adapter import Adapter
    from txsocketio.socketio.socket import Socket


class RemoteSocket:
    """A client of another server, as it was when it was fetched. What is done to it goes to the room of its id.

    Attributes:
        id: the socket's.
        handshake: what the client showed when it came.
        rooms: the names of the rooms that it was in.
        data: a copy of what the application keeps about the client there.
    """

    __slots__ = ("_adapter", "_flags", "data", "handshake", "id", "rooms")

    def __init__(
        self,
        adapter: Adapter,
        id: str,
        handshake: Handshake,
        rooms: Iterable[str],
        data: Json,
        flags: Flags = DEFAULTS,
    ) -> None:
        self._adapter = adapter
        self._flags = flags
        self.id = id
        self.handshake = handshake
        self.rooms = set(rooms)
        self.data = data

    def __repr__(self) -> str:
        return f"<RemoteSocket {self.id} in {self._adapter.namespace.name}>"

    def timeout(self, seconds: float) -> RemoteSocket:
        """For the `call` that follows: how long to wait for the answer."""
        flags = self._flags._replace(timeout=seconds)
        return RemoteSocket(self._adapter, self.id, self.handshake, self.rooms, self.data, flags)

    def emit(self, event: str, *arguments: Json) -> Deferred[None]:
        """Send an event, as `Broadcast.emit` does."""
        return self._itself().emit(event, *arguments)

    def send(self, *arguments: Json) -> Deferred[None]:
        """Send the event "message"."""
        return self.emit("message", *arguments)

    def call(self, event: str, *arguments: Json) -> Deferred[Json]:
        """Send an event that the client is to acknowledge.

        Returns:
            Fires with what the client answers, the first argument. Fails with an AckTimeout (see `timeout`) or, when
            the socket is gone, with Disconnected.
        """
        return self._itself().call(event, *arguments).addCallback(_single)

    def join(self, rooms: RoomNames) -> Deferred[None]:
        """Have it enter a room, or several; fires when that is on its way."""
        return self._itself().sockets_join(rooms)

    def leave(self, rooms: RoomNames) -> Deferred[None]:
        """Have it leave a room, or several; fires when that is on its way."""
        return self._itself().sockets_leave(rooms)

    def disconnect(self, close: bool = False) -> Deferred[None]:
        """Send the client out of the namespace, or `close` its connection; fires when that is on its way."""
        return self._itself().disconnect_sockets(close)

    def _itself(self) -> Broadcast:
        return Broadcast(self._adapter, (self.id,), (), self._flags)


def _single(answers: list[Json]) -> Json:
    if not answers:
        raise Disconnected("not connected")
    return answers[0]


def description_of(socket: Socket) -> dict[str, Json]:
    """What one server tells another of a socket; the form that all servers of Socket.IO 4 use."""
    return {
        "id": socket.id,
        "handshake": socket.handshake.description(),
        "rooms": sorted(socket.rooms),
        "data": socket.data,
    }


def described(adapter: Adapter, description: Mapping[str, Json]) -> RemoteSocket:
    """The socket that another server has described."""
    handshake = Handshake.described(description["handshake"])
    return RemoteSocket(adapter, description["id"], handshake, description["rooms"], description["data"])
