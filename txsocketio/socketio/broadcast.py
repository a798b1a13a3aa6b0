"""Saying to whom, and how, an event is sent, before it is sent.

    io.to("lobby").except_("muted").volatile.emit("tick", 1)       Broadcast   to sockets of a namespace
    socket.timeout(2).call("question")                             Direct      to one socket

Both are immutable: each step gives a new one, so a part of the way can be kept and used again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from txsocketio.errors import ReservedEvent
from txsocketio.protocol.packet import RESERVED_EVENTS
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txsocketio.socketio.adapter import Adapter
    from txsocketio.socketio.remote import RemoteSocket
    from txsocketio.socketio.socket import Socket

#: One name of a room, or several.
RoomNames = str | Iterable[str]


class Flags(NamedTuple):
    """How an event is sent.

    Attributes:
        volatile: it may be dropped when a client cannot take it right now.
        compress: whether a transport that compresses should.
        local: only to the clients of this process.
        timeout: seconds to wait for acknowledgements; None for the server's `ack_timeout`.
    """

    volatile: bool = False
    compress: bool = True
    local: bool = False
    timeout: float | None = None


DEFAULTS = Flags()


def names_of(rooms: RoomNames) -> tuple[str, ...]:
    """The names, also when it is only one."""
    return (rooms,) if isinstance(rooms, str) else tuple(rooms)


def check_event(event: str) -> None:
    """Raise a ReservedEvent if no application may emit the event."""
    if event in RESERVED_EVENTS:
        raise ReservedEvent(event)


class Broadcast:
    """Sends to many sockets of a namespace: `io.to(...)`, `socket.broadcast` and the like."""

    __slots__ = ("_adapter", "_excluded", "_flags", "_rooms")

    def __init__(
        self, adapter: Adapter, rooms: tuple[str, ...] = (), excluded: tuple[str, ...] = (), flags: Flags = DEFAULTS
    ) -> None:
        self._adapter = adapter
        self._rooms = rooms
        self._excluded = excluded
        self._flags = flags

    def to(self, rooms: RoomNames) -> Broadcast:
        """To who is in the room too, or in one of the rooms; everybody gets one copy."""
        return Broadcast(self._adapter, self._rooms + names_of(rooms), self._excluded, self._flags)

    in_ = to

    def except_(self, rooms: RoomNames) -> Broadcast:
        """Not to who is in the room, or in one of the rooms."""
        return Broadcast(self._adapter, self._rooms, self._excluded + names_of(rooms), self._flags)

    @property
    def volatile(self) -> Broadcast:
        """Not to clients that cannot take it right now."""
        return self._flagged(self._flags._replace(volatile=True))

    @property
    def local(self) -> Broadcast:
        """Only to clients of this process."""
        return self._flagged(self._flags._replace(local=True))

    def compress(self, compress: bool) -> Broadcast:
        """With or without compression, where a transport compresses."""
        return self._flagged(self._flags._replace(compress=compress))

    def timeout(self, seconds: float) -> Broadcast:
        """For `call`: how long to wait for the answers."""
        return self._flagged(self._flags._replace(timeout=seconds))

    def emit(self, event: str, *arguments: Json) -> Deferred[None]:
        """Send an event.

        Returns:
            Fires when the event is on its way: given to the clients of this process, and taken by the broker, if any.

        Raises:
            ReservedEvent: no application may emit an event of this name.
            UnserializableData: an argument has no form on the wire.
        """
        check_event(event)
        return self._adapter.broadcast([event, *arguments], self._rooms, self._excluded, self._flags)

    def send(self, *arguments: Json) -> Deferred[None]:
        """Send the event "message"."""
        return self.emit("message", *arguments)

    def call(self, event: str, *arguments: Json) -> Deferred[list[Json]]:
        """Send an event that every client is to acknowledge.

        Returns:
            Fires with a list of what they answered, the first argument of each. Fails with an AckTimeout, which carries
            the answers that came in time. Clients that go before they answer are not waited for.

        Raises:
            ReservedEvent: no application may emit an event of this name.
            UnserializableData: an argument has no form on the wire.
        """
        check_event(event)
        return self._adapter.call([event, *arguments], self._rooms, self._excluded, self._flags)

    def fetch_sockets(self) -> Deferred[list[Socket | RemoteSocket]]:
        """Fires with the sockets themselves that are here, and a `RemoteSocket` for each one of another server."""
        return self._adapter.fetch_sockets(self._rooms, self._excluded, self._flags)

    def sockets_join(self, rooms: RoomNames) -> Deferred[None]:
        """Have all of them enter a room, or several; fires when that is on its way."""
        return self._adapter.sockets_join(names_of(rooms), self._rooms, self._excluded, self._flags)

    def sockets_leave(self, rooms: RoomNames) -> Deferred[None]:
        """Have all of them leave a room, or several; fires when that is on its way."""
        return self._adapter.sockets_leave(names_of(rooms), self._rooms, self._excluded, self._flags)

    def disconnect_sockets(self, close: bool = False) -> Deferred[None]:
        """Send all of them out of the namespace, or `close` their connections; fires when that is on its way."""
        return self._adapter.disconnect_sockets(close, self._rooms, self._excluded, self._flags)

    def _flagged(self, flags: Flags) -> Broadcast:
        return Broadcast(self._adapter, self._rooms, self._excluded, flags)


class Direct:
    """Sends to one socket, in a way that was said before: `socket.volatile` and the like."""

    __slots__ = ("_flags", "_socket")

    def __init__(self, socket: Socket, flags: Flags = DEFAULTS) -> None:
        self._socket = socket
        self._flags = flags

    @property
    def volatile(self) -> Direct:
        """Not if the client cannot take it right now."""
        return Direct(self._socket, self._flags._replace(volatile=True))

    def compress(self, compress: bool) -> Direct:
        """With or without compression, where the transport compresses."""
        return Direct(self._socket, self._flags._replace(compress=compress))

    def timeout(self, seconds: float) -> Direct:
        """For `call`: how long to wait for the answer."""
        return Direct(self._socket, self._flags._replace(timeout=seconds))

    def emit(self, event: str, *arguments: Json) -> None:
        """Send an event, as `Socket.emit` does."""
        self._socket.send_event(event, arguments, self._flags)

    def send(self, *arguments: Json) -> None:
        """Send the event "message"."""
        self.emit("message", *arguments)

    def call(self, event: str, *arguments: Json) -> Deferred[Json]:
        """Send an event that the client is to acknowledge, as `Socket.call` does."""
        return self._socket.call_client(event, arguments, self._flags)

    @property
    def broadcast(self) -> Broadcast:
        """To everybody else in the namespace."""
        return Broadcast(self._socket.namespace.adapter, (), (self._socket.id,), self._flags)

    @property
    def local(self) -> Broadcast:
        """To everybody else in the namespace that is a client of this process."""
        return self.broadcast.local

    def to(self, rooms: RoomNames) -> Broadcast:
        """To everybody else in the room, or in one of the rooms."""
        return self.broadcast.to(rooms)

    in_ = to

    def except_(self, rooms: RoomNames) -> Broadcast:
        """To everybody else in the namespace who is not in the room, nor in one of the rooms."""
        return self.broadcast.except_(rooms)
