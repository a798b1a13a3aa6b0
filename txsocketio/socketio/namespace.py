"""A namespace: its middlewares and its sockets."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.errors import ConnectionRefused, ReservedEvent, UnserializableData
from txsocketio.socketio.adapter import Adapter
from txsocketio.socketio.broadcast import Broadcast
from txsocketio.socketio.handlers import Answering, acknowledge, call_all, expired, run, step
from txsocketio.socketio.life import Outcome
from txsocketio.socketio.listening import Listeners, Listening
from txsocketio.socketio.socket import CONNECTING, Socket
from txsocketio.types import Handler, Json

if TYPE_CHECKING:
    from txsocketio.socketio.away import RecoverySession
    from txsocketio.socketio.server import Server

log = Logger()

H = TypeVar("H", bound=Handler)
C = TypeVar("C", bound=Callable[[Socket], object])

#: What happens to a namespace here, and no other server can say.
OWN_EVENTS = frozenset(("connect", "connection", "new_namespace", "session_expired"))

#: What a client is told when a middleware fails in another way than by refusing it.
NEUTRAL = "Internal error"


class Entrance(Broadcast, Listening):
    """Where clients come in: what examines them on the way, and who hears of them.

    Attributes:
        middlewares: in the order of registration.
    """

    def __init__(self, adapter: Adapter) -> None:
        super().__init__(adapter)
        self.handlers: Listeners = {}
        self.middlewares: tuple[Handler, ...] = ()

    def use(self, middleware: H) -> H:
        """Have the middleware called with each socket that wants to connect, in the order of registration.

        It refuses the client by raising ConnectionRefused. After any other error, or `middleware_timeout` seconds, the
        client is refused too, but is not told why.
        """
        self.middlewares += (middleware,)
        return middleware

    def register(self, handlers: C) -> C:
        """Give each socket that connects an object of its own, whose methods `on_<event>` are called with its events.

        Args:
            handlers: makes one of a socket: nearly always a class. Also a decorator of it.
        """
        self.on("connection", lambda socket: socket.register(handlers(socket)))
        return handlers


class Namespace(Entrance):
    """A part of the server that clients join on its own, with its own middlewares, handlers and rooms.

    It is the broadcast to everybody in it: `namespace.emit(...)`, `namespace.to(...)`. Its own events are "connect" and
    "connection", in this order, with each socket that connects; "session_expired", with the `RecoverySession` of a
    client that was cut off and has not come back in time; and those that other servers emit to it.

    Attributes:
        name: begins with a slash.
        server: whose namespace it is.
        sockets: the connected clients of this process, by the sockets' ids.
        adapter: decides who gets a packet.
    """

    def __init__(self, server: Server, name: str) -> None:
        self.name = name
        self.server = server
        self.options = server.options
        self.clock = server.engine.clock
        self.encode = server.parser.encode
        self.sockets: dict[str, Socket] = {}
        self.adapter = server.make_adapter(self)
        self._held: Outcome | None = None
        super().__init__(self.adapter)
        self.next_ack_id: Callable[[], int] = count().__next__

    def __repr__(self) -> str:
        return f"<Namespace {self.name}, {len(self.sockets)} sockets>"

    # --- other servers ---

    def server_side_emit(self, event: str, *arguments: Json) -> Deferred[None]:
        """Send an event to the other servers of the cluster, who listen to it `on` their namespace of this name.

        Returns:
            Fires when the event is on its way; it can fail for other servers only.

        Raises:
            ReservedEvent: the event is one of the namespace's own.
            UnserializableData: an argument has no form on the wire.
        """
        if event in OWN_EVENTS:
            raise ReservedEvent(event)
        return self.adapter.server_side_emit([event, *arguments])

    def server_side_call(self, event: str, *arguments: Json) -> Deferred[list[Json]]:
        """As `server_side_emit`, and wait for what they answer.

        Returns:
            Fires with a list of what their handlers give, one item a server: with an empty one if there are no others.
        """
        if event in OWN_EVENTS:
            raise ReservedEvent(event)
        return self.adapter.server_side_call([event, *arguments])

    def receive_server_event(self, event: list[Json], answering: Answering, id: int) -> None:
        """Another server has sent an event: have `answering` told what the handlers give; None if there are none."""
        name, *arguments = event
        handlers = () if name in OWN_EVENTS else self.handlers.get(name, ())
        if handlers:
            acknowledge(answering, handlers, name, arguments, id)
        else:
            answering.send_ack(id, None)

    # --- what Connection and Socket ask ---

    def hold(self) -> None:
        """Let nobody in for now: what other servers emit does not come here yet."""
        if self._held is None:
            self._held = Outcome()

    def admit_held(self) -> None:
        """Go on with those who have come since, and hold nobody any more."""
        held, self._held = self._held, None
        if held is not None:
            held.tell()

    def admit(self, socket: Socket) -> None:
        """Let the client in, if the middlewares do."""
        if self._held is not None:
            held = socket.admission = self._held.wait()
            held.addCallbacks(lambda _: self._admit(socket), lambda failure: self._refuse(socket, failure))
            held.addErrback(lambda failure: log.failure("Connecting a client failed", failure))
        else:
            self._admit(socket)

    def _admit(self, socket: Socket) -> None:
        if not (self.middlewares or socket.may_recover or socket.prepares):
            self._accept(socket)
            return
        try:
            admission = step(self._examine(socket))
        except Exception:  # noqa: BLE001 - a border, the application's code
            self._refuse(socket, Failure())
            return
        if admission is None:
            self._accept(socket)
        else:
            socket.admission = admission
            admission.addTimeout(self.options.middleware_timeout, self.clock, expired)
            admission.addCallbacks(lambda _: self._accept(socket), lambda failure: self._refuse(socket, failure))
            admission.addErrback(lambda failure: log.failure("Connecting a client failed", failure))

    def forget(self, socket: Socket) -> None:
        """The socket is gone."""
        was_connected = self.sockets.get(socket.id) is socket
        if was_connected:
            del self.sockets[socket.id]
        self.adapter.rooms.leave_all(socket, was_connected)

    def tell(self, event: str, *arguments: Json) -> None:
        """Call those who listen to an event of the namespace."""
        call_all(self.handlers.get(event, ()), event, arguments)

    def kept(self) -> Namespace:
        """Itself: the application has it in its hands."""
        return self

    def expired(self, session: RecoverySession) -> None:
        """The session of a client that was cut off cannot go on any more."""
        self.tell("session_expired", session)

    async def _examine(self, socket: Socket) -> None:
        if not (socket.may_recover and await socket.recover()):
            for middleware in self.middlewares:
                result = run(middleware, (socket,))
                if isinstance(result, Deferred):
                    await result
        if socket.prepares:
            await socket.prepare()

    def _accept(self, socket: Socket) -> None:
        socket.admission = None
        if socket.state is CONNECTING and socket.session.is_open:
            socket.accepted()
        if socket.connected:
            for event in ("connect", "connection"):
                call_all(self.handlers.get(event, ()), event, (socket,))

    def _refuse(self, socket: Socket, failure: Failure) -> None:
        socket.admission = None
        if socket.state is not CONNECTING or not socket.session.is_open:
            return
        message, data = NEUTRAL, None
        if isinstance(failure.value, ConnectionRefused):
            message, data = failure.value.message, failure.value.data
        else:
            log.failure("A middleware of {namespace} failed", failure, namespace=self.name)
        try:
            socket.refused(message, data)
        except UnserializableData:
            log.failure("A client of {namespace} is refused with data that has no form in JSON", namespace=self.name)
            socket.refused(message, None)
