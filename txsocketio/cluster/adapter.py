"""Everything that the nodes of a cluster share about one namespace, whatever the broker is.

        application                                           other nodes
            |  io.to("lobby").emit(...)                            |
            v                                                      v
        broadcast() --- to the clients here, Adapter ---.      receive()
            |                                           |          |
            '-- publish() ~~~~~~~~~~ the broker ~~~~~~~~~~~~~~~~~> '--- to the clients there, Adapter

A kind of broker extends this by five methods: `publish` to all other nodes, `answer` one of them, say who the `others`
are, `start` and `stop`; and it calls `receive` with each message of another node. Messages that one node has published
must be received in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail

from txsocketio.cluster import messages
from txsocketio.cluster.messages import (
    BROADCAST,
    BROADCAST_ACK,
    BROADCAST_CLIENT_COUNT,
    BROADCAST_GONE,
    DISCONNECT_SOCKETS,
    FETCH_SOCKETS,
    FETCH_SOCKETS_RESPONSE,
    SERVER_SIDE_EMIT,
    SERVER_SIDE_EMIT_RESPONSE,
    SOCKETS_JOIN,
    SOCKETS_LEAVE,
    Message,
)
from txsocketio.cluster.requests import Others, Request, Requests, unavailable
from txsocketio.errors import BadMessage, BrokerUnavailable
from txsocketio.socketio.adapter import Adapter, Names
from txsocketio.socketio.broadcast import Flags
from txsocketio.socketio.remote import RemoteSocket, described, description_of
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.cluster.broker import Broker
    from txsocketio.engineio.deadlines import Deadline
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.socket import Socket


class ClusterAdapter(Adapter):
    """Decides who gets the packets of one namespace, here and on the other nodes.

    Clients of this node get what is emitted at once, those of other nodes when the broker brings it there; nothing is
    kept for clients that are away. What is emitted here to a client there arrives in the order in which it was emitted.
    """

    def __init__(self, namespace: Namespace, broker: Broker) -> None:
        super().__init__(namespace)
        self.broker = broker
        self.requests = Requests(namespace.clock, broker.options.max_requests)
        self._next_question = count().__next__
        self._receivers: dict[int, Callable[[Message], object]] = {
            BROADCAST: self._receive_broadcast,
            SOCKETS_JOIN: self._receive_join,
            SOCKETS_LEAVE: self._receive_leave,
            DISCONNECT_SOCKETS: self._receive_disconnect,
            FETCH_SOCKETS: self._receive_fetch,
            SERVER_SIDE_EMIT: self._receive_server_event,
            FETCH_SOCKETS_RESPONSE: self._receive_sockets,
            SERVER_SIDE_EMIT_RESPONSE: self._receive_server_answer,
            BROADCAST_CLIENT_COUNT: self._receive_client_count,
            BROADCAST_ACK: self._receive_ack,
            BROADCAST_GONE: self._receive_gone,
        }

    # --- what a kind of broker brings ---

    def publish(self, message: Message) -> Deferred[None]:
        """Tell all other nodes.

        Returns:
            Fires when the broker has the message. Fails with BrokerUnavailable when it is not taken, because too many
            wait already, or when it is given up.
        """
        raise NotImplementedError

    def answer(self, node: str, message: Message) -> None:
        """Tell one node, if the broker is there: answers are worth nothing later."""
        raise NotImplementedError

    def others(self) -> Deferred[Others]:
        """Fires with how many other nodes have this namespace, and who they are."""
        raise NotImplementedError

    def start(self) -> Deferred[None]:
        self.broker.adapters[self.namespace.name] = self
        return super().start()

    def stop(self) -> Deferred[None]:
        self.broker.adapters.pop(self.namespace.name, None)
        self.requests.fail(BrokerUnavailable("the server is closed"))
        return super().stop()

    def lost_up_to(self, position: int) -> None:
        """What a log has up to this position is gone, and was not read: all clients have to come back.

        So their applications see that something is lost, and can make up for it.
        """
        for socket in [*self.namespace.sockets.values()]:
            socket.session.close()

    # --- to the clients ---

    def broadcast(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        here = super().broadcast(event, rooms, excluded, flags)
        return here if flags.local else self._told(messages.broadcast(event, rooms, excluded, flags))

    def call(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[list[Json]]:
        if flags.local:
            return super().call(event, rooms, excluded, flags)
        self._encode(event, None, flags)  # raises if it cannot be sent
        timeout = self._ack_timeout(flags)
        flags = flags._replace(timeout=timeout)
        message = messages.broadcast(event, rooms, excluded, flags, self._question_number())
        recipients = self.rooms.select(rooms, excluded)
        return self._ask(message, timeout, partial(self._call_here, event, recipients, flags))

    def _call_here(
        self, event: list[Json], recipients: Collection[Socket], flags: Flags, call: Request | RemoteCall
    ) -> None:
        """Ask clients of this node to acknowledge an event."""
        id = self.namespace.next_ack_id()
        outgoing = self._encode(event, id, flags)
        if self.is_overheard:
            self.overhear(event, recipients)

        def forget() -> None:
            for socket in recipients:
                socket.forget_ack(id)

        call.expect_clients(len(recipients))
        call.when_over(forget)
        self.ask(outgoing, id, recipients, call)

    def _ack_timeout(self, flags: Flags) -> float:
        """Seconds to wait for acknowledgements. There is always an end: a node can vanish with its clients."""
        return flags.timeout or self.namespace.options.ack_timeout or self.broker.options.requests_timeout

    # --- what is done to sockets ---

    def server_count(self) -> Deferred[int]:
        if not self.broker.is_available:
            return unavailable()
        return self.others().addCallback(lambda others: others.expected + 1)

    def fetch_sockets(self, rooms: Names, excluded: Names, flags: Flags) -> Deferred[list[Socket | RemoteSocket]]:
        if flags.local:
            return super().fetch_sockets(rooms, excluded, flags)
        timeout = flags.timeout or self.broker.options.requests_timeout
        message = messages.fetch_sockets(rooms, excluded, self._question_number())
        return self._ask(message, timeout, answers=self.rooms.select(rooms, excluded))

    def sockets_join(self, joined: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        here = super().sockets_join(joined, rooms, excluded, flags)
        return here if flags.local else self._told(messages.sockets_join(joined, rooms, excluded))

    def sockets_leave(self, left: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        here = super().sockets_leave(left, rooms, excluded, flags)
        return here if flags.local else self._told(messages.sockets_leave(left, rooms, excluded))

    def disconnect_sockets(self, close: bool, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        here = super().disconnect_sockets(close, rooms, excluded, flags)
        return here if flags.local else self._told(messages.disconnect_sockets(close, rooms, excluded))

    # --- other servers ---

    def server_side_emit(self, event: list[Json]) -> Deferred[None]:
        super().server_side_emit(event)
        return self.broker.told(self.publish(messages.server_side_emit(event)))

    def server_side_call(self, event: list[Json]) -> Deferred[list[Json]]:
        super().server_side_call(event)
        message = messages.server_side_emit(event, self._question_number())
        return self._ask(message, self.broker.options.requests_timeout)

    def _told(self, message: Message) -> Deferred[None]:
        return self.broker.told(self.publish(message))

    # --- questions ---

    def _question_number(self) -> str:
        """A number for a question that no other node gives too."""
        return f"{self.broker.node}{self._next_question():x}"

    def _ask(
        self,
        message: Message,
        timeout: float,
        ask_here: Callable[[Request], None] = lambda _: None,
        answers: Json = (),
    ) -> Deferred[Json]:
        """Publish a question, and find out meanwhile who will answer it."""
        if not self.broker.is_available:
            return unavailable()
        number = message.request
        assert number is not None
        try:
            request = self.requests.open(number, timeout, answers)
        except BrokerUnavailable as error:
            return fail(error)
        ask_here(request)
        self._send_question(message).addErrback(request.fail)
        self.others().addCallbacks(request.expect_nodes, request.fail)
        return request.deferred

    def _send_question(self, message: Message) -> Deferred[None]:
        return self.publish(message)

    # --- messages of other nodes ---

    def receive(self, message: Message) -> None:
        """Do what another node asks for; a message that cannot be understood is dropped."""
        receiver = self._receivers.get(message.type)
        if receiver is not None:
            try:
                receiver(message)
            except BadMessage as error:
                self.broker.drop(error, message.node)

    def _receive_broadcast(self, message: Message) -> None:
        rooms, excluded, number = message.rooms, message.excluded, message.request
        if number is not None:
            flags = message.flags
            call = RemoteCall(self, message.node, number, self._ack_timeout(flags))
            self._call_here(message.event, self.rooms.select(rooms, excluded), flags, call)
        elif self.rooms.select(rooms, excluded):
            super().broadcast(message.event, rooms, excluded, message.flags)

    def _receive_join(self, message: Message) -> None:
        super().sockets_join(message.names, message.rooms, message.excluded, message.flags)

    def _receive_leave(self, message: Message) -> None:
        super().sockets_leave(message.names, message.rooms, message.excluded, message.flags)

    def _receive_disconnect(self, message: Message) -> None:
        super().disconnect_sockets(message.close, message.rooms, message.excluded, message.flags)

    def _receive_fetch(self, message: Message) -> None:
        sockets = [description_of(socket) for socket in self.rooms.select(message.rooms, message.excluded)]
        data = {"requestId": message.request, "sockets": sockets}
        self.answer(message.node, Message(FETCH_SOCKETS_RESPONSE, data))

    def _receive_server_event(self, message: Message) -> None:
        answering = RemoteServer(self, message.node, message.request)
        self.namespace.receive_server_event(message.server_event, answering, 0)

    # --- answers of other nodes ---

    def _request_of(self, message: Message) -> Request | None:
        """The question that is answered; None when nobody waits for it any more."""
        return self.requests.get(message.request or "")

    def _receive_sockets(self, message: Message) -> None:
        request = self._request_of(message)
        if request is not None:
            sockets = message.data.get("sockets")
            if not isinstance(sockets, list):
                raise BadMessage("sockets that are no list")
            request.node_answered(message.node, [self._described(socket) for socket in sockets])

    def _described(self, socket: Json) -> RemoteSocket:
        try:
            return described(self, socket)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadMessage(f"a socket that is not described as one: {error!r}") from None

    def _receive_server_answer(self, message: Message) -> None:
        request = self._request_of(message)
        if request is not None:
            request.node_answered(message.node, (message.data.get("packet"),))

    def _receive_client_count(self, message: Message) -> None:
        request = self._request_of(message)
        clients = message.data.get("clientCount")
        if not isinstance(clients, int):
            raise BadMessage("a number of clients that is none")
        if request is not None:
            request.node_answered(message.node, clients=clients)

    def _receive_ack(self, message: Message) -> None:
        request = self._request_of(message)
        if request is not None:
            request.callback(message.data.get("packet"))

    def _receive_gone(self, message: Message) -> None:
        request = self._request_of(message)
        if request is not None:
            request.errback()


class RemoteCall:
    """Tells another node what the clients of this one answer to its `call`.

    Args:
        timeout: seconds for which that node waits for them.
    """

    __slots__ = ("_adapter", "_deadline", "_due", "_node", "_number", "_timeout")

    def __init__(self, adapter: ClusterAdapter, node: str, number: str, timeout: float) -> None:
        self._adapter = adapter
        self._node = node
        self._number = number
        self._timeout = timeout
        self._due = 0
        self._deadline: Deadline | None = None

    def expect_clients(self, count: int) -> None:
        """So many clients are asked."""
        self._due = count
        self._tell(BROADCAST_CLIENT_COUNT, clientCount=count)

    def when_over(self, forget: Callable[[], None]) -> None:
        """Call `forget` when nobody waits any more, if somebody has not answered by then."""
        if self._due:
            self._deadline = self._adapter.namespace.server.engine.deadlines.start(self._timeout, forget)

    def callback(self, answer: Json, /) -> None:
        """A client has answered."""
        self._tell(BROADCAST_ACK, packet=answer[0] if answer.__class__ is tuple else answer)
        self._one_less()

    def errback(self, error: Exception, /) -> None:
        """A client is gone."""
        self._tell(BROADCAST_GONE)
        self._one_less()

    def _one_less(self) -> None:
        self._due -= 1
        if not self._due and self._deadline is not None:
            self._deadline.cancel()

    def _tell(self, type: int, **data: Json) -> None:
        self._adapter.answer(self._node, Message(type, {"requestId": self._number, **data}))


class RemoteServer:
    """Another node that has sent an event to this server."""

    __slots__ = ("_adapter", "_node", "_number")

    def __init__(self, adapter: ClusterAdapter, node: str, number: str | None) -> None:
        self._adapter = adapter
        self._node = node
        self._number = number

    def send_ack(self, id: int, result: Json) -> None:
        """Answer, if that is wanted."""
        if self._number is not None:
            data = {"requestId": self._number, "packet": result}
            self._adapter.answer(self._node, Message(SERVER_SIDE_EMIT_RESPONSE, data))
