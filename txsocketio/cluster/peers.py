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
from txsocketio.cluster.log_adapter import LogAdapter
from txsocketio.cluster.members import Members
from txsocketio.cluster.messages import (
    BROADCAST,
    BROADCAST_CALL,
    BROADCAST_CLIENT_COUNT,
    FETCH_SOCKETS,
    FETCH_SOCKETS_RESPONSE,
    SERVER_SIDE_EMIT,
    SERVER_SIDE_EMIT_RESPONSE,
    Message,
)
from txsocketio.cluster.options import ClusterOptions, MemberOptions
from txsocketio.cluster.progress import Progress
from txsocketio.cluster.requests import Others
from txsocketio.cluster.wire import Head, LateMessage
from txsocketio.errors import BadMessage, WorldError
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.socketio.server import Server

#: An entry of a log: its position, head and body.
Entry = tuple[int, bytes, bytes]

#: What a node answers that does not have the namespace.
NOBODY: dict[int, tuple[int, dict[str, Json]]] = {
    BROADCAST: (BROADCAST_CLIENT_COUNT, {"clientCount": 0}),
    BROADCAST_CALL: (BROADCAST_CLIENT_COUNT, {"clientCount": 0}),
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


class PeerLogAdapter(PeerAdapter, LogAdapter):
    """Puts messages as bytes into the log of the broker of its server, which all namespaces share."""

    broker: PeerLogBroker

    def start(self) -> Deferred[None]:
        self.recovery.log.begin(self.progress.position)
        return super().start()

    @property
    def progress(self) -> Progress:
        return self.broker.progress

    def append(self, message: Message) -> Deferred[None]:
        return self.broker.append(*wire.encode(message, self.namespace.name))

    def replay(self, after: int, until: int) -> Deferred[list[tuple[int, Message]]]:
        return Deferred.fromCoroutine(self._replay(after, until))

    async def _replay(self, after: int, until: int) -> list[tuple[int, Message]]:
        while True:
            entries = await self.broker.replay(after, until)
            ours = [found for found in map(self._ours, entries) if found is not None]
            if ours or not entries:
                return ours
            after = entries[-1][0]

    def _ours(self, entry: Entry) -> tuple[int, Message] | None:
        position, head, body = entry
        try:
            decoded = wire.decode_head(head)
        except BadMessage:
            return None
        return (position, LateMessage(decoded, body)) if decoded.namespace == self.namespace.name else None

    def holds(self, position: int) -> Deferred[bool]:
        return self.broker.holds(position)


class PeerBroker(Broker):
    """A broker that carries bytes. A kind of broker extends it by `send`, `send_to`, `start` and `stop`.

    It calls `received` with each message of another node.
    """

    options_class: ClassVar[type[ClusterOptions]] = MemberOptions
    options: MemberOptions

    def __init__(self, server: Server, url: str, options: MemberOptions) -> None:
        super().__init__(server, url, options)
        self.members = Members(
            server.engine.clock, options.heartbeat_interval, options.heartbeat_timeout, self._tell, self._node_gone
        )

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
        self.publish("", Message(type, {})).addErrback(lambda failure: failure.trap(WorldError))

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
        if head.node != self.node:
            self.members.heard(head.node, head.type)
            adapter = self.adapters.get(head.namespace)
            if adapter is not None:
                adapter.receive(LateMessage(head, body))
            else:
                self._answer_for_nobody(head, body)

    def _answer_for_nobody(self, head: Head, body: bytes) -> None:
        answer = NOBODY.get(head.type)
        number = None if answer is None else LateMessage(head, body).request
        if answer is not None and number is not None:
            type, data = answer
            self.answer(head.node, head.namespace, Message(type, {"requestId": number, **data}))

    def _node_gone(self, node: str) -> None:
        for adapter in self.adapters.values():
            adapter.requests.node_gone(node)


class PeerLogBroker(PeerBroker):
    """A broker that keeps a log. A kind of broker extends it by `append`, `replay`, `holds` and `sessions` besides.

    It calls `read` with each entry of the log, and `lost_up_to` when some are gone before it could.

    Attributes:
        progress: how far the log has been read. It begins where the log ended when the broker was started.
    """

    progress: Progress

    def append(self, head: bytes, body: bytes) -> Deferred[None]:
        """Into the log; as `LogAdapter.append`."""
        raise NotImplementedError

    def replay(self, after: int, until: int) -> Deferred[list[Entry]]:
        """Fires with the next entries behind a position, up to another; with none when there are none."""
        raise NotImplementedError

    def holds(self, position: int) -> Deferred[bool]:
        """Fires with whether the log has come as far as the position, and everything behind it is still there."""
        raise NotImplementedError

    def lost_up_to(self, position: int) -> None:
        """Entries of the log up to this position are gone, and were not read."""
        for adapter in self.adapters.values():
            if isinstance(adapter, PeerLogAdapter):
                adapter.lost_up_to(position)

    def read(self, position: int, head: bytes, body: bytes) -> None:
        """The next entry of the log, also one of this node. Hot path."""
        self._hand_over(position, head, body)
        self.progress.move(position)

    def _hand_over(self, position: int, head: bytes, body: bytes) -> None:
        try:
            decoded = wire.decode_head(head)
            adapter = self.adapters.get(decoded.namespace)
            if decoded.node != self.node:
                self.members.heard(decoded.node, decoded.type)
                if adapter is None:
                    self._answer_for_nobody(decoded, body)
        except BadMessage as error:
            self.drop(error, "?")
            return
        if isinstance(adapter, PeerLogAdapter):
            adapter.read(position, LateMessage(decoded, body), len(head) + len(body))
