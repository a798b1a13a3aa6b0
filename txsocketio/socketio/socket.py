"""One client in one namespace, as the application sees it.

    CONNECTING ---- accepted by the middlewares ----> CONNECTED ---- either side, or the connection ---> LEAVING
        '------------------ refused, or the connection ends ------------------> GONE <--------------------'

While CONNECTING, events can be sent and rooms be joined, but nothing is received. LEAVING is the time of the event
"disconnecting". GONE is final: what is sent is dropped.

Source: Socket.IO protocol v5, "Connection to a namespace"; https://github.com/socketio/socket.io-protocol
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred, fail

from txsocketio.engineio.outgoing import Outgoing
from txsocketio.errors import Disconnected, ReservedEvent
from txsocketio.protocol.packet import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, RESERVED_EVENTS
from txsocketio.socketio.acks import Waiting, answer_of, awaited
from txsocketio.socketio.broadcast import DEFAULTS, Broadcast, Direct, Flags, RoomNames, names_of
from txsocketio.socketio.checkpoint import Checkpoint
from txsocketio.socketio.client_events import ClientListening
from txsocketio.socketio.handlers import acknowledge, call_all
from txsocketio.types import Handler, Json

if TYPE_CHECKING:
    from txsocketio.engineio.session import Session
    from txsocketio.socketio.connection import Connection
    from txsocketio.socketio.handshake import Handshake
    from txsocketio.socketio.namespace import Namespace

H = TypeVar("H", bound=Handler)


class State(IntEnum):
    """What a socket can be in."""

    CONNECTING, CONNECTED, LEAVING, GONE = range(4)


CONNECTING, CONNECTED, LEAVING, GONE = State


class Reason(str):
    """Why a socket was disconnected: one of the texts of the reference server, such as "transport close".

    Attributes:
        description: more about it, for people; "" when there is nothing more to say.
    """

    __slots__ = ("description",)

    description: str


class Socket(ClientListening):
    """One client in one namespace.

    Attributes:
        id: public, other than the session's id of Engine.IO; the name of a room that it is in.
        namespace: where it is.
        session: the Engine.IO session underneath, which its other namespaces share.
        handshake: what the client showed when it came.
        recovered: whether the client was here before, and goes on as the same socket.
    """

    recovered = False
    #: Whether it wants to.
    may_recover = False
    #: Whether there is something to be done between the middlewares and its being connected: `prepare`.
    prepares = False

    __slots__ = (
        "__weakref__",
        "_data",
        "_waiting",
        "admission",
        "connection",
        "handshake",
        "id",
        "namespace",
        "session",
        "state",
    )

    def __init__(self, id: str, namespace: Namespace, connection: Connection, handshake: Handshake) -> None:
        super().__init__()
        self.id = id
        self.namespace = namespace
        self.connection = connection
        self.session: Session = connection.session
        self.handshake = handshake
        self.state: State = CONNECTING
        self._data: Json = None
        self._waiting: dict[int, Waiting] | None = None
        self.admission: Deferred[None] | None = None

    def __repr__(self) -> str:
        return f"<Socket {self.id} {self.state.name.lower()} in {self.namespace.name}>"

    @property
    def connected(self) -> bool:
        return self.state is CONNECTED

    @property
    def data(self) -> Json:
        """Whatever the application keeps about the client, a dict to begin with."""
        if self._data is None:
            self._data = {}
        return self._data

    @data.setter
    def data(self, data: Json) -> None:
        self._data = data

    # --- sending ---

    def emit(self, event: str, *arguments: Json) -> None:
        """Send an event to the client. Hot path.

        What is emitted to one socket arrives in that order. Nothing happens when the socket is gone.

        Raises:
            ReservedEvent: no application may emit an event of this name.
            UnserializableData: an argument has no form on the wire.
        """
        if event in RESERVED_EVENTS:
            raise ReservedEvent(event)
        if self.state is not GONE:
            namespace = self.namespace
            text, attachments = namespace.encode(EVENT, namespace.name, None, (event, *arguments))
            if self.catch_all_outgoing:
                call_all(self.catch_all_outgoing, event, (event, *arguments))
            self.session.send_outgoing(Outgoing(text, attachments))

    def send(self, *arguments: Json) -> None:
        """Send the event "message"."""
        self.emit("message", *arguments)

    def call(self, event: str, *arguments: Json) -> Deferred[Json]:
        """Send an event that the client is to acknowledge.

        Returns:
            Fires with what the client answers: one argument, or a tuple when there are several. Fails with an
            AckTimeout (see `timeout`) or, when the socket is disconnected before, with Disconnected.

        Raises:
            ReservedEvent: no application may emit an event of this name.
            UnserializableData: an argument has no form on the wire.
        """
        return self.call_client(event, arguments, DEFAULTS)

    @property
    def volatile(self) -> Direct:
        """For what follows: dropped if the client cannot take it right now."""
        return Direct(self).volatile

    def compress(self, compress: bool) -> Direct:
        """For what follows: with or without compression, where the transport compresses."""
        return Direct(self).compress(compress)

    def timeout(self, seconds: float) -> Direct:
        """For the `call` that follows: how long to wait for the answer."""
        return Direct(self).timeout(seconds)

    @property
    def broadcast(self) -> Broadcast:
        """To everybody else in the namespace."""
        return Direct(self).broadcast

    @property
    def local(self) -> Broadcast:
        """To everybody else in the namespace that is a client of this process."""
        return Direct(self).local

    def to(self, rooms: RoomNames) -> Broadcast:
        """To everybody else in the room, or in one of the rooms."""
        return Direct(self).to(rooms)

    in_ = to

    def except_(self, rooms: RoomNames) -> Broadcast:
        """To everybody else in the namespace who is not in the room, nor in one of the rooms."""
        return Direct(self).except_(rooms)

    # --- listening, besides what ClientListening has ---

    def use(self, middleware: H) -> H:
        """Have the middleware called with each event of the client, a list of its name and arguments. Also a decorator.

        It may change the list. It drops the event by raising: the handlers of "error" are called with the exception,
        which is logged when there are none. (Clients can send an "error" as well, but no exception.) It may wait, for
        `middleware_timeout` seconds; up to `max_waiting_events` behind it wait too, so that they stay in order.
        """
        if self.checkpoint is None:
            self.checkpoint = Checkpoint(self)
            self.route()
        self.checkpoint.middlewares += (middleware,)
        return middleware

    # --- rooms ---

    @property
    def rooms(self) -> set[str]:
        """The names of the rooms that the socket is in; one of them is its id. Empty when it is gone."""
        return self.namespace.adapter.rooms.of(self)

    def join(self, rooms: RoomNames) -> None:
        """Enter a room, or several."""
        if self.state is not GONE:
            self.namespace.adapter.rooms.join(self, names_of(rooms))

    def leave(self, rooms: RoomNames) -> None:
        """Leave a room, or several."""
        self.namespace.adapter.rooms.leave(self, names_of(rooms))

    # --- the end ---

    def disconnect(self, close: bool = False) -> None:
        """Send the client out of the namespace.

        Args:
            close: out of all its namespaces, and close the connection when what was sent has left.
        """
        if close and self.state is not GONE:
            self.connection.close()
        elif self.state is CONNECTED:
            self.send_packet(DISCONNECT, None)
            self.ended("server namespace disconnect")

    # --- what Direct, Namespace and Connection ask ---

    def send_event(self, event: str, arguments: Iterable[Json], flags: Flags, id: int | None = None) -> None:
        """Send an event as the flags say."""
        if event in RESERVED_EVENTS:
            raise ReservedEvent(event)
        if self.state is not GONE:
            text, attachments = self.namespace.encode(EVENT, self.namespace.name, id, [event, *arguments])
            if self.catch_all_outgoing:
                call_all(self.catch_all_outgoing, event, (event, *arguments))
            self.session.send_outgoing(Outgoing(text, attachments, flags.compress, flags.volatile))

    def call_client(self, event: str, arguments: Iterable[Json], flags: Flags) -> Deferred[Json]:
        """Send an event as the flags say, and wait for its acknowledgement."""
        namespace = self.namespace
        id = namespace.next_ack_id()
        self.send_event(event, arguments, flags, id)
        if self.state is GONE:
            return fail(Disconnected("not connected"))
        timeout = namespace.options.ack_timeout if flags.timeout is None else flags.timeout
        answer = awaited(timeout, namespace.clock, partial(self.forget_ack, id))
        self.expect_ack(id, answer)
        return answer

    def expect_ack(self, id: int, waiting: Waiting) -> None:
        """Tell `waiting` what the client answers."""
        if self._waiting is None:
            self._waiting = {}
        self._waiting[id] = waiting

    def forget_ack(self, id: int) -> None:
        """Nobody waits for the answer any more."""
        if self._waiting is not None:
            self._waiting.pop(id, None)

    def send_packet(self, type: int, data: Json) -> None:
        """Send a packet that is no event."""
        text, attachments = self.namespace.encode(type, self.namespace.name, None, data)
        self.session.send_outgoing(Outgoing(text, attachments))

    def send_ack(self, id: int, result: Json) -> None:
        """Acknowledge an event of the client. Hot path."""
        if self.state is not GONE:
            if result.__class__ is not tuple:
                result = () if result is None else (result,)
            namespace = self.namespace
            text, attachments = namespace.encode(ACK, namespace.name, id, result)
            self.session.send_outgoing(Outgoing(text, attachments))

    def receive_event(self, event: str, arguments: list[Json], id: int | None) -> None:
        """The client has sent an event."""
        if self.catch_all:
            call_all(self.catch_all, event, (event, *arguments))
        if self.checkpoint is not None:
            self.checkpoint.receive([event, *arguments], id)
        else:
            self.deliver_event(event, arguments, id)

    def deliver_event(self, event: str, arguments: list[Json], id: int | None) -> None:
        """Call the handlers of an event of the client, which nothing holds up any more."""
        handlers = self.handlers.get(event)
        if handlers is not None and self.state is CONNECTED:
            if id is None:
                call_all(handlers, event, arguments)
            else:
                acknowledge(self, handlers, event, arguments, id)

    def receive_ack(self, id: int | None, arguments: list[Json]) -> None:
        """The client has acknowledged; nothing happens when nobody waits for that."""
        if self._waiting is not None and id is not None:
            waiting = self._waiting.pop(id, None)
            if waiting is not None:
                waiting.callback(answer_of(arguments))

    def accepted(self) -> None:
        """The middlewares have let the client in."""
        self.enter(Outgoing(*self.namespace.encode(CONNECT, self.namespace.name, None, {"sid": self.id})))

    def enter(self, welcome: Outgoing) -> None:
        """Be connected; the client is told so before anything else."""
        self.state = CONNECTED
        self.route()
        self.connection.joined()
        self.session.send_outgoing(welcome)
        if self.state is CONNECTED:
            self.namespace.sockets[self.id] = self
            self.namespace.adapter.rooms.enter(self)

    async def recover(self) -> bool:
        """Go on as the socket that the client was; whether that lets it in without the middlewares."""
        return False

    async def prepare(self) -> None:
        """The middlewares have let the client in, and something has to be done before it hears so."""

    def pinged(self) -> None:
        """The client is sent a ping, so it has answered the one before."""

    def refused(self, message: str, data: Json) -> None:
        """A middleware has not."""
        self.tell_refusal(message, data)
        self.connection.forget(self.namespace.name)
        self.ended("refused")

    def tell_refusal(self, message: str, data: Json) -> None:
        """Send why."""
        self.send_packet(CONNECT_ERROR, {"message": message} if data is None else {"message": message, "data": data})

    def ended(self, reason: str, description: str = "") -> None:
        """The socket goes, whoever wanted it. The one place that makes it GONE."""
        if self.state >= LEAVING:
            return
        why = Reason(reason)
        why.description = description
        if self.state is CONNECTED:
            self.state = LEAVING
            self.route()
            call_all(self.life_handlers("disconnecting"), "disconnecting", (why,))
        last_words = self.life_handlers("disconnect") if self.state is LEAVING else []
        self.state = GONE
        self.clean_up(why)
        call_all(last_words, "disconnect", (why,))

    def clean_up(self, reason: str) -> None:
        """Let go of everything that refers to the socket, also in circles, so that it is freed at once."""
        self.namespace.forget(self)
        self.connection.left()
        admission, self.admission = self.admission, None
        if admission is not None:
            admission.cancel()
        waiting, self._waiting = self._waiting, None
        self.forget_handlers()
        checkpoint, self.checkpoint = self.checkpoint, None
        if checkpoint is not None:
            checkpoint.stop()
        for each in (waiting or {}).values():
            each.errback(Disconnected(reason))
