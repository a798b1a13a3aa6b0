"""Emitting to the clients of servers from a process that is none of them.

    emitter = Emitter("redis://localhost:6379/0")
    await emitter.to("lobby").emit("news", 1)                 in a Twisted program: each call gives a Deferred

    emitter = Emitter("redis://localhost:6379/0", blocking=True)
    emitter.to("lobby").emit("news", 1)                       in any other one: each call returns when it is done

The URL and its options are those of the servers. What is emitted goes to the broker as if a server had sent it; but no
server waits for an emitter, and an emitter hears nothing: neither acknowledgements nor who is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar, overload

from txsocketio.cluster import messages
from txsocketio.cluster.messages import EMITTER
from txsocketio.errors import ReservedEvent
from txsocketio.socketio.broadcast import DEFAULTS, Flags, RoomNames, check_event, names_of
from txsocketio.socketio.brokers import resolve_emitter
from txsocketio.socketio.namespace import OWN_EVENTS
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txsocketio.cluster.messages import Message

#: What a call gives: a Deferred, or nothing when it has waited.
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Outlet(Protocol[R_co]):
    """Sends messages to one broker: what a kind of broker brings for emitters.

    Where it blocks, it can be used by several threads at a time.
    """

    def send(self, namespace: str, message: Message) -> R_co:
        """Done when the broker has it; BrokerUnavailable when that cannot be in time.

        Raises:
            UnserializableData: an argument has no form on the wire; at once.
        """

    def close(self) -> R_co:
        """Done when everything has been let go."""


class Emission(Generic[R]):
    """To whom, and how, is emitted; immutable, as `Broadcast`.

    A call that cannot be carried out gives a `BrokerUnavailable`, and is not tried again: what it was about may have
    arrived all the same.
    """

    __slots__ = ("_excluded", "_flags", "_namespace", "_outlet", "_rooms")

    def __init__(
        self,
        outlet: Outlet[R],
        namespace: str,
        rooms: tuple[str, ...] = (),
        excluded: tuple[str, ...] = (),
        flags: Flags = DEFAULTS,
    ) -> None:
        self._outlet = outlet
        self._namespace = namespace
        self._rooms = rooms
        self._excluded = excluded
        self._flags = flags

    def to(self, rooms: RoomNames) -> Emission[R]:
        """To who is in the room too, or in one of the rooms; everybody gets one copy."""
        rooms = self._rooms + names_of(rooms)
        return Emission(self._outlet, self._namespace, rooms, self._excluded, self._flags)

    in_ = to

    def except_(self, rooms: RoomNames) -> Emission[R]:
        """Not to who is in the room, or in one of the rooms."""
        excluded = self._excluded + names_of(rooms)
        return Emission(self._outlet, self._namespace, self._rooms, excluded, self._flags)

    @property
    def volatile(self) -> Emission[R]:
        """Not to clients that cannot take it right now."""
        return self._flagged(self._flags._replace(volatile=True))

    def compress(self, compress: bool) -> Emission[R]:
        """With or without compression, where a transport compresses."""
        return self._flagged(self._flags._replace(compress=compress))

    def emit(self, event: str, *arguments: Json) -> R:
        """Send an event.

        Raises:
            ReservedEvent: no application may emit an event of this name.
            UnserializableData: an argument has no form on the wire.
        """
        check_event(event)
        return self._send(messages.broadcast([event, *arguments], self._rooms, self._excluded, self._flags))

    def send(self, *arguments: Json) -> R:
        """Send the event "message"."""
        return self.emit("message", *arguments)

    def sockets_join(self, rooms: RoomNames) -> R:
        """Have all of them enter a room, or several."""
        return self._send(messages.sockets_join(names_of(rooms), self._rooms, self._excluded))

    def sockets_leave(self, rooms: RoomNames) -> R:
        """Have all of them leave a room, or several."""
        return self._send(messages.sockets_leave(names_of(rooms), self._rooms, self._excluded))

    def disconnect_sockets(self, close: bool = False) -> R:
        """Send all of them out of the namespace, or `close` their connections."""
        return self._send(messages.disconnect_sockets(close, self._rooms, self._excluded))

    def _send(self, message: Message) -> R:
        message.node = EMITTER
        return self._outlet.send(self._namespace, message)

    def _flagged(self, flags: Flags) -> Emission[R]:
        return Emission(self._outlet, self._namespace, self._rooms, self._excluded, flags)


class NamespaceEmitter(Emission[R]):
    """Emits to everybody in a namespace."""

    __slots__ = ()

    def server_side_emit(self, event: str, *arguments: Json) -> R:
        """Send an event to all servers, who listen to it `on` their namespace of this name; nobody can answer.

        Raises:
            ReservedEvent: the event is one of the namespace's own.
            UnserializableData: an argument has no form on the wire.
        """
        if event in OWN_EVENTS:
            raise ReservedEvent(event)
        return self._send(messages.server_side_emit([event, *arguments]))


class Emitter(NamespaceEmitter[R]):
    """Emits to the clients of servers that share a broker; to those of the namespace "/" unless `of` says another.

    Args:
        adapter: the option `adapter` of the servers: a URL, or a table of `url` and options.
        blocking: whether calls return when they are done, and not a Deferred. Then it needs no reactor, and several
            threads can use it.
        connection_state_recovery: whether the servers have this option on. Over Kafka and RabbitMQ what is emitted goes
            another way then.

    Raises:
        OptionError: it is not allowed, or there is no emitter for that broker.
    """

    __slots__ = ()

    @overload
    def __init__(
        self: Emitter[Deferred[None]],
        adapter: str | Mapping[str, Json],
        *,
        blocking: Literal[False] = False,
        connection_state_recovery: bool = False,
    ) -> None: ...

    @overload
    def __init__(
        self: Emitter[None],
        adapter: str | Mapping[str, Json],
        *,
        blocking: Literal[True],
        connection_state_recovery: bool = False,
    ) -> None: ...

    def __init__(
        self, adapter: str | Mapping[str, Json], *, blocking: bool = False, connection_state_recovery: bool = False
    ) -> None:
        resolved = resolve_emitter(adapter)
        outlet = resolved.factory(resolved.url, resolved.options, blocking, connection_state_recovery)
        super().__init__(outlet, "/")

    def of(self, namespace: str) -> NamespaceEmitter[R]:
        """The same for another namespace, which need not exist."""
        return NamespaceEmitter(self._outlet, namespace if namespace.startswith("/") else f"/{namespace}")

    def close(self) -> R:
        """Let the connection go. What is not done yet fails, and nothing can be emitted afterwards."""
        return self._outlet.close()
