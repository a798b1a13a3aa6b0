"""Brokers that only nodes of ours share: in-process, Kafka, RabbitMQ.

They carry bytes, to all nodes or to one, and need not know what these mean. A node that does not have the namespace of
a question answers all the same, that it has nobody there, so that every member of the cluster is expected to answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import Deferred, succeed

from txsocketio.cluster import wire
from txsocketio.cluster.adapter import ClusterAdapter
from txsocketio.cluster.broker import Broker
from txsocketio.cluster.members import Members
from txsocketio.cluster.messages import (
    BROADCAST,
    BROADCAST_CLIENT_COUNT,
    FETCH_SOCKETS,
    FETCH_SOCKETS_RESPONSE,
    SERVER_SIDE_EMIT,
    SERVER_SIDE_EMIT_RESPONSE,
    Message,
)
from txsocketio.cluster.options import ClusterOptions, MemberOptions
from txsocketio.cluster.requests import Others
from txsocketio.errors import BadMessage, BrokerUnavailable
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.cluster.wire import Head
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server

#: What a node answers that does not have the namespace.
NOBODY: dict[int, tuple[int, dict[str, Json]]] = {
    BROADCAST: (BROADCAST_CLIENT_COUNT, {"clientCount": 0}),
    FETCH_SOCKETS: (FETCH_SOCKETS_RESPONSE, {"sockets": []}),
    SERVER_SIDE_EMIT: (SERVER_SIDE_EMIT_RESPONSE, {"packet": None}),
}


class PeerAdapter(ClusterAdapter):
    """Sends messages as bytes, through the broker of its server."""

    broker: PeerBroker

    def publish(self, message: Message) -> Deferred[None]:
        return self.broker.publish(self.namespace.name, message)

    def answer(self, node: str, message: Message) -> None:
        self.broker.answer(node, self.namespace.name, message)

    def others(self) -> Deferred[Others]:
        return succeed(self.broker.others())

    def stop(self) -> Deferred[None]:
        self.broker.adapters.pop(self.namespace.name, None)
        self.requests.fail(BrokerUnavailable("the server is closed"))
        return super().stop()


class PeerBroker(Broker):
    """A broker that carries bytes. A kind of broker extends it by `send`, `send_to`, `start` and `stop`.

    It calls `received` with what comes from other nodes, `connected` and `lost`.
    """

    options_class: ClassVar[type[ClusterOptions]] = MemberOptions
    options: MemberOptions

    def __init__(self, server: Server, url: str, options: MemberOptions) -> None:
        super().__init__(server, url, options)
        self.members = Members(
            server.engine.clock, options.heartbeat_interval, options.heartbeat_timeout, self._tell, self._node_gone
        )

    def adapter(self, namespace: Namespace) -> ClusterAdapter:
        adapter = self.adapters[namespace.name] = PeerAdapter(namespace, self)
        return adapter

    # --- what a kind of broker brings ---

    def send(self, head: bytes, body: bytes) -> Deferred[None]:
        """To all other nodes; fires and fails as `ClusterAdapter.publish`."""
        raise NotImplementedError

    def send_to(self, node: str, head: bytes, body: bytes) -> None:
        """To one node, if the broker is there."""
        raise NotImplementedError

    # --- sending ---

    def publish(self, namespace: str, message: Message) -> Deferred[None]:
        """Tell all other nodes something about a namespace."""
        message.node = self.node
        return self.send(*wire.encode(message, namespace))

    def answer(self, node: str, namespace: str, message: Message) -> None:
        """Tell one node something about a namespace."""
        message.node = self.node
        self.send_to(node, *wire.encode(message, namespace))

    def others(self) -> Others:
        """Every other node: each one answers, whatever namespaces it has."""
        names = frozenset(self.members.names)
        return Others(len(names), names)

    def _tell(self, type: int) -> None:
        self.publish("", Message(type, {})).addErrback(lambda failure: failure.trap(BrokerUnavailable))

    # --- receiving ---

    def received(self, head: bytes, body: bytes) -> None:
        """A message of another node has come."""
        try:
            self.receive(wire.decode_head(head), body)
        except BadMessage as error:
            self.drop(error, "?")

    def receive(self, head: Head, body: bytes) -> None:
        """As `received`, when the head is known already.

        Raises:
            BadMessage: the body cannot be understood.
        """
        if head.node == self.node:
            return
        self.members.heard(head.node, head.type)
        adapter = self.adapters.get(head.namespace)
        if adapter is not None:
            adapter.receive(wire.decode(head, body))
        elif head.type in NOBODY:
            self._answer_for_nobody(wire.decode(head, body), head.namespace)

    def _answer_for_nobody(self, question: Message, namespace: str) -> None:
        if question.request is not None:
            type, data = NOBODY[question.type]
            self.answer(question.node, namespace, Message(type, {"requestId": question.request, **data}))

    def _node_gone(self, node: str) -> None:
        for adapter in self.adapters.values():
            adapter.requests.node_gone(node)

    # --- the broker comes and goes ---

    def connected(self) -> None:
        """The broker is there."""
        self.is_available = True

    def lost(self) -> None:
        """The broker is away."""
        self.is_available = False
        for adapter in self.adapters.values():
            adapter.broker_lost()
