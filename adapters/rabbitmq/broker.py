"""Servers joined by RabbitMQ: `amqp://[user:password@]host[:port][,host[:port]...]/[vhost]`, or `amqps://`.

    exchange PREFIX          questions, answers, signs of life; without recovery, events too. Each node has a queue
    stream PREFIX.events     events, when clients can be recovered: the log, which all nodes read in its order
    stream PREFIX.sessions   the sessions of clients, which all nodes have in memory

What is for all nodes has the routing key ALL, what is for one its name. With `room_routing` a broadcast that is for
rooms has a key for each of them instead, which only nodes with a client in it have bound; RabbitMQ makes one copy for
a queue, however many of the keys it is bound with.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, ClassVar, NoReturn

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.adapters.rabbitmq.client import Headers, RabbitMQClient
from txsocketio.adapters.rabbitmq.history import STEP, Record, RecordsGone
from txsocketio.adapters.rabbitmq.options import RabbitMQOptions
from txsocketio.adapters.rabbitmq.stream import Stream
from txsocketio.adapters.rabbitmq.table import RabbitMQTable
from txsocketio.adapters.rabbitmq.wire import ALL, join, split
from txsocketio.cluster import wire
from txsocketio.cluster.adapter import ClusterAdapter
from txsocketio.cluster.messages import BROADCAST, INITIAL_HEARTBEAT, SOCKETS_JOIN, Message
from txsocketio.cluster.options import ClusterOptions
from txsocketio.cluster.peers import Entry, PeerAdapter, PeerLogAdapter, PeerLogBroker
from txsocketio.cluster.sessions import GRACE
from txsocketio.errors import BadMessage, BrokerError, BrokerUnavailable, UnserializableData
from txsocketio.socketio.adapter import Names

if TYPE_CHECKING:
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server

log = Logger()

#: Rooms of one broadcast that are routed one by one; beyond it every node gets it.
MAX_ROUTED_ROOMS = 50

#: Rooms whose names are so long are taken for ids of sockets, and not routed: it would be a key for each client.
ID_LENGTH = 20

#: Seconds after which a node that was told to have sockets join a room has surely bound its key.
BINDING_TIME = 10.0

#: How many entries are read again at a time.
PAGE = 500


class RabbitMQAdapter(PeerAdapter):
    """Sends what is for rooms to the nodes that have clients there."""

    broker: RabbitMQBroker

    def __init__(self, namespace: Namespace, broker: RabbitMQBroker) -> None:
        super().__init__(namespace, broker)
        self._told_to_join: dict[str, float] = {}

    def start(self) -> Deferred[None]:
        self.on("create_room", self._bind)
        self.on("delete_room", self._unbind)
        return super().start()

    def publish(self, message: Message) -> Deferred[None]:
        if message.type == SOCKETS_JOIN:
            self._expect_bindings(message.names)
        keys = self._keys_of(message)
        if not keys:
            return super().publish(message)
        message.node = self.broker.node
        return self.broker.send_with(keys, *wire.encode(message, self.namespace.name))

    def _keys_of(self, message: Message) -> list[str]:
        """One for each of its rooms; none when every node has to get it."""
        if message.type != BROADCAST or message.request is not None:
            return []
        rooms = message.rooms
        if len(rooms) > MAX_ROUTED_ROOMS or any(len(room) == ID_LENGTH or self._is_joined(room) for room in rooms):
            return []
        return [room_key(self.namespace.name, room) for room in rooms]

    def _expect_bindings(self, rooms: Names) -> None:
        """Sockets elsewhere are told to join these: what is sent there next must not be faster than the bindings."""
        now = self.namespace.clock.seconds()
        self._told_to_join = {room: until for room, until in self._told_to_join.items() if until > now}
        self._told_to_join.update(dict.fromkeys(rooms, now + BINDING_TIME))

    def _is_joined(self, room: str) -> bool:
        until = self._told_to_join.get(room)
        return until is not None and until > self.namespace.clock.seconds()

    def _bind(self, room: str) -> None:
        if len(room) != ID_LENGTH:
            self.broker.client.bind(room_key(self.namespace.name, room))

    def _unbind(self, room: str) -> None:
        if len(room) != ID_LENGTH:
            self.broker.client.unbind(room_key(self.namespace.name, room))


class RabbitMQLogAdapter(PeerLogAdapter):
    """Its offsets name the log that they are in: "3f9a01bc-17" is nowhere when the stream has been deleted since."""

    broker: RabbitMQBroker

    def offset_of(self, position: int) -> str:
        return f"{self.broker.events.identity}-{position}"

    def position_of(self, offset: str) -> int | None:
        name, _, position = offset.rpartition("-")
        return super().position_of(position) if name == self.broker.events.identity else None


class RabbitMQBroker(PeerLogBroker):
    """A server's connection to RabbitMQ.

    Attributes:
        client: of RabbitMQ.
        events: the log; it is there when clients can be recovered.
        sessions: those of clients, likewise.
    """

    options_class: ClassVar[type[ClusterOptions]] = RabbitMQOptions
    options: RabbitMQOptions

    def __init__(self, server: Server, url: str, options: RabbitMQOptions) -> None:
        super().__init__(server, url, options)
        clock = server.engine.clock
        self.client = RabbitMQClient(clock, url, options, self.node)
        self.client.on_message = self._receive
        self.client.on_available = self._available
        self.client.bind(ALL)
        publisher, recovery = self.client.publisher, server.options.recovery
        lifetime = GRACE + (0.0 if recovery is None else recovery.max_disconnection_duration)
        self.events = Stream(clock, publisher, options, f"{options.prefix}.events")
        self.events.on_record = self._read
        self.events.on_reset = self._gap
        self.progress = self.events.progress
        self.sessions = RabbitMQTable(clock, publisher, options, f"{options.prefix}.sessions", self.node, lifetime)
        self.sessions.on_lost = self._forgotten
        if recovery is not None:
            self.client.attached = [self.events, self.sessions.stream]

    def adapter(self, namespace: Namespace) -> ClusterAdapter:
        if namespace.options.recovery is not None:
            return RabbitMQLogAdapter(namespace, self, self.sessions)
        return RabbitMQAdapter(namespace, self) if self.options.room_routing else PeerAdapter(namespace, self)

    # --- its life ---

    def start(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._start())

    def stop(self) -> Deferred[None]:
        self.members.stop()
        return Deferred.fromCoroutine(self.client.stop())

    async def _start(self) -> None:
        await self.client.start()
        self.members.start()

    def _available(self, is_available: bool) -> None:
        if is_available:
            self.connected()
            if self.outages:
                self._tell(INITIAL_HEARTBEAT)  # the others may have taken us for gone, and we them
        else:
            self.lost()
        self.sessions.set_available(is_available)

    # --- what is written ---

    def send(self, head: bytes, body: bytes) -> Deferred[None]:
        return self.send_with((ALL,), head, body)

    def send_with(self, keys: Sequence[str], head: bytes, body: bytes) -> Deferred[None]:
        """To all other nodes that have bound one of the keys."""
        try:
            return self.client.publish(keys, join(head, body))
        except BrokerUnavailable as error:
            return fail(error)

    def send_to(self, node: str, head: bytes, body: bytes) -> None:
        if self.is_available:
            try:
                self.client.publish((node,), join(head, body)).addErrback(_lost)
            except (BrokerUnavailable, UnserializableData) as error:
                log.warn("An answer to another node is lost: {error}", error=error)

    def append(self, head: bytes, body: bytes) -> Deferred[None]:
        return self.events.append(join(head, body))

    # --- what is read ---

    def _receive(self, headers: Headers, key: str, whole: bytes) -> None:
        try:
            self.received(*split(whole))
        except BadMessage as error:
            self.drop(error, "?")

    def _read(self, record: Record) -> None:
        try:
            self.read(record.offset, *split(record.body))
        except BadMessage as error:
            self.drop(error, "?")

    def replay(self, after: int, until: int) -> Deferred[list[Entry]]:
        # As far as this node has read: when it reads much the other end moves on, and would be hard to catch up with.
        return self.events.read(after, max(until, self.progress.position), PAGE).addCallbacks(_entries, _gone)

    def holds(self, position: int) -> Deferred[bool]:
        return Deferred.fromCoroutine(self._holds(position))

    async def _holds(self, position: int) -> bool:
        if position > self.progress.position:
            await self.events.latest()
        return position <= self.progress.position and await self.events.first() <= position + STEP

    def _gap(self) -> None:
        self.lost_up_to(max(self.progress.position, 0))

    def _forgotten(self) -> None:
        """The stream of the sessions was deleted. After an outage, they are all stored once more."""
        self.outages += 1


def room_key(namespace: str, room: str) -> str:
    """The routing key of a room. AMQP allows 255 bytes, names of rooms may be longer."""
    return blake2b(f"{namespace}#{room}".encode(), digest_size=16).hexdigest()


def _entries(records: list[Record]) -> list[Entry]:
    entries = []
    for record in records:
        with suppress(BadMessage):
            entries.append((record.offset, *split(record.body)))
    return entries


def _gone(failure: Failure) -> NoReturn:
    failure.trap(RecordsGone, BrokerUnavailable)
    raise BrokerUnavailable(failure.getErrorMessage())


def _lost(failure: Failure) -> None:
    failure.trap(BrokerUnavailable, BrokerError)
