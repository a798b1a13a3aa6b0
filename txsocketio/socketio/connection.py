"""One client's connection: its packets, and its sockets by namespace.

What a packet does depends on where the client stands with the namespace that it names:

                        CONNECT     EVENT, ACK   DISCONNECT    CONNECT_ERROR
    never joined        joins       an error     an error      an error
    CONNECTING          an error    an error     an error      an error
    CONNECTED           an error    delivered    leaves        an error
    sent out by us      joins       ignored      forgotten     an error

CONNECTING is also while the application says whether there shall be such a namespace.

An error closes the connection. A client that we have sent out of a namespace may not know it yet: what it sent before
our DISCONNECT arrived is no fault of its, nor a reason to take its other namespaces from it.

Source: Socket.IO protocol v5, "Connection to a namespace"; https://github.com/socketio/socket.io-protocol
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txsocketio.engineio.engine import new_sid
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.errors import ConnectionRefused, PacketError
from txsocketio.protocol.json_codec import loads
from txsocketio.protocol.packet import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, Packet
from txsocketio.socketio.handlers import acknowledge, expired, let_go, log, step
from txsocketio.socketio.handshake import Handshake
from txsocketio.socketio.socket import CONNECTED, CONNECTING, GONE, Socket
from txsocketio.socketio.weight import weight_of
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.engineio.deadlines import Deadline
    from txsocketio.engineio.session import Session
    from txsocketio.protocol.parser import Decoder
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.parent import ParentNamespace
    from txsocketio.socketio.server import Server

#: The head of an event that has an id or a namespace in it, and no attachments.
_EVENT = re.compile(r"2(?:(/[^,]*),)?([0-9]{0,15})\[")

#: What most clients wait for.
_NOTHING: dict[str, tuple[Deferred[ParentNamespace], Json]] = {}


class Connection:
    """One client's connection.

    Attributes:
        session: the Engine.IO session underneath.
        sockets: by namespace, in CONNECTING and CONNECTED, and those that we have sent out.
    """

    __slots__ = (
        "_asked",
        "_attachments_due",
        "_attachments_since",
        "_decoder",
        "_joining_due",
        "_server",
        "session",
        "sockets",
    )

    def __init__(self, server: Server, session: Session) -> None:
        self.session = session
        self.sockets: dict[str, Socket] = {}
        self._server = server
        self._asked = _NOTHING
        self._decoder = self.new_decoder()
        self._attachments_due: Deadline | None = None
        self._attachments_since = 0.0
        self._joining_due: Deadline | None = None
        session.on_message = self.receive
        session.on_close = self.closed
        if server.options.recovery is not None:
            session.on_ping = self.pinged
        self._expect_to_join()

    def receive(self, message: str | bytes) -> None:
        """Take a message of the client. Hot path.

        Only the common case is decided here: an event that nothing but its listeners has to do with. Everything else,
        and what is wrong with a message, is found on the long way: for an event that takes 1.6 us more (CPython 3.11).
        """
        if message.__class__ is not str:
            self._decode(message)
            return
        if message[:2] == "2[":
            name, id, start = "/", None, 1
        else:
            head = _EVENT.match(message)
            if head is None:
                self._decode(message)
                return
            name, id = head.groups()
            start = head.end() - 1
        try:
            socket = self.sockets[name or "/"]
            arguments = loads(message[start:])
            event = arguments.pop(0)
            handlers = socket.reachable[event]
        except (PacketError, LookupError, TypeError):
            self._decode(message)
            return
        if id:
            acknowledge(socket, handlers, event, arguments, int(id))
            return
        for handler in handlers:
            try:
                result = handler(*arguments)
                if result is not None:
                    let_go(result, event)
            except Exception:  # noqa: BLE001 - a border, the application's code
                log.failure("A handler of {event!r} failed", event=event)

    # --- the long way ---

    def _decode(self, message: str | bytes) -> None:
        """Take a message of any kind, in the encoding of any parser."""
        try:
            packet = self._decoder.add(message)
        except PacketError as error:
            self._fail(str(error))
            return
        if packet is not None:
            self.session.on_message = self.receive
            self.handle(packet)
        elif self._decoder.incomplete is not None and message.__class__ is str:
            self._await_attachments(self._decoder.incomplete)

    def handle(self, packet: Packet) -> None:
        """Do what the table on top says."""
        type = packet.type
        socket = self.sockets.get(packet.namespace)
        if socket is None or socket.state is GONE:
            if type == CONNECT and packet.namespace not in self._asked:
                self.join(packet.namespace, packet.data or {})
                return
            if socket is not None and type != CONNECT_ERROR:
                if type == DISCONNECT:
                    del self.sockets[packet.namespace]
                return
        elif socket.state is CONNECTED:
            if type == EVENT:
                event, *arguments = packet.data
                socket.receive_event(event if event.__class__ is str else str(event), arguments, packet.id)
                return
            if type == ACK:
                socket.receive_ack(packet.id, packet.data)
                return
            if type == DISCONNECT:
                del self.sockets[packet.namespace]
                socket.ended("client namespace disconnect")
                return
        self.break_off(f"packet type {type} for {packet.namespace!r} is not allowed now")

    def join(self, name: str, auth: dict[str, Json]) -> None:
        """The client wants to be in a namespace."""
        namespaces, options = self._server.namespaces, self._server.options
        namespace = namespaces.get(name)
        if namespace is None and (not namespaces.parents or len(name) > options.max_namespace_length):
            self._refuse(name, "Invalid namespace")
        elif self._is_full(options.max_namespaces):
            self._refuse(name, "Too many namespaces")
        elif auth and self._weight_with(auth) > options.max_auth_size:
            self._refuse(name, "Too much auth")
        elif namespace is None:
            self._ask_for(name, auth)
        else:
            self._enter(namespace, auth)

    def _is_full(self, limit: int) -> bool:
        """Whether the client may join no more namespaces."""
        if len(self.sockets) + len(self._asked) >= limit:
            self.sockets = {name: socket for name, socket in self.sockets.items() if socket.state is not GONE}
        return len(self.sockets) + len(self._asked) >= limit

    def _weight_with(self, auth: dict[str, Json]) -> int:
        """Bytes that are kept of what the client says of itself, if it joins one more namespace with this."""
        asked = (each for _, each in self._asked.values())
        kept = (socket.handshake.auth for socket in self.sockets.values())
        return sum(map(weight_of, (auth, *asked, *kept)))

    def _ask_for(self, name: str, auth: dict[str, Json]) -> None:
        """Let the application say whether there shall be such a namespace."""
        try:
            asked = step(self._server.namespaces.find(name, auth))
            if not isinstance(asked, Deferred):
                self._found(asked, name, auth)
                return
        except Exception:  # noqa: BLE001 - a refusal, or a border: the application's code
            self._not_found(Failure(), name)
            return
        self._asked = {**self._asked, name: (asked, auth)}
        asked.addTimeout(self._server.options.middleware_timeout, self._server.engine.clock, expired)
        asked.addBoth(self._answered, name)
        asked.addCallback(self._found, name, auth)
        asked.addErrback(self._not_found, name)

    def _answered(self, result: Json, name: str) -> Json:
        self._asked = {each: asked for each, asked in self._asked.items() if each != name}
        return result

    def _found(self, parent: ParentNamespace, name: str, auth: dict[str, Json]) -> None:
        if self.session.is_open:
            self._enter(self._server.namespaces.bring(parent, name), auth)

    def _not_found(self, failure: Failure, name: str) -> None:
        message = "Invalid namespace"
        if isinstance(failure.value, ConnectionRefused):
            message = failure.value.message
        elif failure.check(CancelledError) is None:
            log.failure("Whether there shall be {name} could not be found out", failure, name=name)
        if self.session.is_open:
            self._refuse(name, message)

    def _enter(self, namespace: Namespace, auth: dict[str, Json]) -> None:
        """Let the namespace say whether the client may come in."""
        issued = int(self._server.engine.clock.seconds() * 1000)
        socket = self.create_socket(namespace, Handshake(self.session.request, auth, issued))
        self.sockets[namespace.name] = socket
        namespace.admit(socket)

    def new_decoder(self) -> Decoder:
        """What makes packets of the client's messages."""
        return self._server.parser.decoder()

    def create_socket(self, namespace: Namespace, handshake: Handshake) -> Socket:
        """The client in a namespace that it may enter."""
        return namespace.adapter.socket_class(new_sid(), namespace, self, handshake)

    def _refuse(self, name: str, message: str) -> None:
        text, attachments = self._server.parser.encode(CONNECT_ERROR, name, None, {"message": message})
        self.session.send_outgoing(Outgoing(text, attachments))

    # --- attachments ---

    def _await_attachments(self, packet: Packet) -> None:
        """A packet has begun; until it is complete nothing but its attachments may come.

        Nearly always they come with it, so the deadline is not started for each packet but kept, and asks when it
        fires: a binary echo costs 46 us that way and 49 the other (CPython 3.11; benchmarks, binary).
        """
        socket = self.sockets.get(packet.namespace)
        if socket is None or socket.state is CONNECTING:
            self.break_off(f"an event for {packet.namespace!r} is not allowed now")
            return
        self.session.on_message = self._decode
        self._attachments_since = self._server.engine.clock.seconds()
        if self._attachments_due is None:
            self._expect_attachments(self._server.options.attachments_timeout)

    def _expect_attachments(self, seconds: float) -> None:
        self._attachments_due = self._server.engine.deadlines.start(seconds, self._attachments_missing)

    def _attachments_missing(self) -> None:
        self._attachments_due = None
        if self._decoder.incomplete is not None:
            waited = self._server.engine.clock.seconds() - self._attachments_since
            left = self._server.options.attachments_timeout - waited
            if left > 0:
                self._expect_attachments(left)
            else:
                self._fail("attachments are missing")

    # --- the end ---

    def _fail(self, why: str) -> None:
        """The client has sent what is no packet."""
        self._end("forced close", why)

    def break_off(self, why: str) -> None:
        """The client has done what is not allowed where it stands."""
        self._end("forced server close", why)

    def _end(self, reason: str, why: str) -> None:
        """Close the session, and tell the reason unless it could close at once, and has told its own."""
        self.session.on_close = lambda told, _: self.closed(told, why)
        self.session.close()
        self.closed(reason, why)

    def closed(self, reason: str, description: str = "") -> None:
        """The connection is over. Called by the session, and again does no harm."""
        sockets, self.sockets = self.sockets, {}
        if self._attachments_due is not None:
            self._attachments_due.cancel()
            self._attachments_due = None
        self._stop_expecting()
        for asked, _ in list(self._asked.values()):
            asked.cancel()
        if self._decoder.incomplete is not None:
            self._decoder = self.new_decoder()  # who keeps a socket does not keep what it has received
        for socket in sockets.values():
            socket.ended(reason, description)

    # --- that somebody joins ---

    def _expect_to_join(self) -> None:
        engine = self._server.engine
        self._joining_due = engine.deadlines.start(
            self._server.options.connect_timeout, lambda: self.break_off("no namespace was joined in time")
        )

    def _stop_expecting(self) -> None:
        if self._joining_due is not None:
            self._joining_due.cancel()
            self._joining_due = None

    # --- what Socket asks ---

    def joined(self) -> None:
        """A socket is connected."""
        self._stop_expecting()

    def pinged(self) -> None:
        """The client is sent a ping."""
        for socket in self.sockets.values():
            socket.pinged()

    def left(self) -> None:
        """A socket is connected no longer."""
        is_idle = not any(socket.state is CONNECTED for socket in self.sockets.values())
        if is_idle and self._joining_due is None and self.session.is_open:
            self._expect_to_join()

    def forget(self, name: str) -> None:
        """The client was refused by the namespace, and may try again."""
        self.sockets.pop(name, None)

    def close(self) -> None:
        """Send the client out of all namespaces, and close the session when what was sent has left."""
        for socket in list(self.sockets.values()):
            socket.disconnect()
        self.session.close()
        self.closed("forced server close")


class DecodingConnection(Connection):
    """A connection whose parser is not the default one: only that can read the messages."""

    __slots__ = ()

    receive = Connection._decode
