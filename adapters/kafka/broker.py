"""Servers joined by Kafka: `kafka://[user:password@]host[:port][,host[:port]...]/[topic]`, the topic "socketio".

    TOPIC            events, when clients can be recovered: the log, which all nodes read in its order
    TOPIC-messages   what is of no use later: questions, answers, signs of life; without recovery, events too
    TOPIC-sessions   the sessions of clients: the latest record of each key is kept

Each topic has one partition, as its order is what we want of it. The head of a message travels in a header: whether
somebody here is in one of its rooms is known without a look at the value. A record for one node has its name as key.

Positions in the log count from 1, as nothing is in front of the first: that of a record is its offset in Kafka plus 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.adapters.kafka.client import KafkaClient, KafkaLog
from txsocketio.adapters.kafka.connections import spare_the_collector
from txsocketio.adapters.kafka.options import KafkaAddress, KafkaOptions
from txsocketio.adapters.kafka.queries import PositionGone
from txsocketio.adapters.kafka.reader import Gap, Record
from txsocketio.adapters.kafka.table import KafkaTable
from txsocketio.cluster.adapter import ClusterAdapter
from txsocketio.cluster.options import ClusterOptions
from txsocketio.cluster.peers import Entry, PeerAdapter, PeerLogAdapter, PeerLogBroker
from txsocketio.cluster.sessions import GRACE
from txsocketio.errors import BrokerError, BrokerUnavailable, UnserializableData

if TYPE_CHECKING:
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server

log = Logger()

#: The header with the head of the message in the value.
HEAD = "h"

#: Bytes of a record besides the message: our name and number, lengths, and what Kafka puts around it.
OVERHEAD = 512

#: How many entries are read again at a time.
PAGE = 1000

#: Seconds between attempts to start.
RETRY = 1.0


class KafkaLogAdapter(PeerLogAdapter):
    """Its offsets name the log that they are in: "3f9a01bc-17" is nowhere when the topic has been deleted since."""

    broker: KafkaBroker

    def offset_of(self, position: int) -> str:
        return f"{self.broker.events.name}-{position}"

    def position_of(self, offset: str) -> int | None:
        name, _, position = offset.rpartition("-")
        return super().position_of(position) if name == self.broker.events.name else None


class KafkaBroker(PeerLogBroker):
    """A server's connection to Kafka.

    Attributes:
        events: the log, if clients can be recovered.
        sessions: those clients, likewise.
    """

    options_class: ClassVar[type[ClusterOptions]] = KafkaOptions
    options: KafkaOptions

    def __init__(self, server: Server, url: str, options: KafkaOptions) -> None:
        super().__init__(server, url, options)
        address = KafkaAddress.of(url)
        self._client = KafkaClient(server.engine.clock, address, options, self.node)
        self._messages = self._client.log(f"{address.topic}-messages", options.request_settings())
        self._messages.on_records = self._receive
        recovery = server.options.recovery
        if recovery is not None:
            options.require(
                options.retention >= recovery.max_disconnection_duration,
                "retention", "must not be less than max_disconnection_duration",
            )  # fmt: skip
            self.events = self._client.log(address.topic, options.log_settings())
            self.events.on_records = self._read
            self.events.on_gap = self._gap
            self.progress = self.events.progress
            lifetime = recovery.max_disconnection_duration + GRACE
            self.sessions = KafkaTable(
                self._client, f"{address.topic}-sessions", lifetime, options.max_sessions, options.max_sessions_bytes
            )
            self.sessions.on_lost = self._forgotten

    def adapter(self, namespace: Namespace) -> ClusterAdapter:
        if namespace.options.recovery is None:
            return PeerAdapter(namespace, self)
        return KafkaLogAdapter(namespace, self, self.sessions)

    # --- its life ---

    def start(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        while True:
            try:
                await self._client.start()
                break
            except BrokerUnavailable as error:
                log.warn("{error}; it is tried again", error=error)
            await self._client.stop()
            await deferLater(self.server.engine.clock, RETRY, lambda: None)
        spare_the_collector()
        self._client.on_available = self._available
        self._available(self._client.is_available)
        self.members.start()

    def stop(self) -> Deferred[None]:
        self.members.stop()
        self._available(False)
        return self._client.stop()

    @property
    def _recovers(self) -> bool:
        return self.server.options.recovery is not None

    def _available(self, is_available: bool) -> None:
        if is_available:
            self.connected()
        else:
            self.lost()
            if self._recovers:
                self.sessions.lost()

    # --- what is written ---

    def send(self, head: bytes, body: bytes) -> Deferred[None]:
        try:
            return self._write(self._messages, None, head, body)
        except BrokerUnavailable as error:
            return fail(error)

    def send_to(self, node: str, head: bytes, body: bytes) -> None:
        if self.is_available:
            try:
                self._write(self._messages, node.encode(), head, body).addErrback(_lost)
            except (BrokerUnavailable, UnserializableData) as error:
                log.warn("An answer to another node is lost: {error}", error=error)

    def append(self, head: bytes, body: bytes) -> Deferred[None]:
        return self._write(self.events, None, head, body)

    def _write(self, topic: KafkaLog, key: bytes | None, head: bytes, body: bytes) -> Deferred[None]:
        size = len(head) + len(body) + OVERHEAD
        if size > self.options.max_request_size:
            raise UnserializableData(f"a message of {size} bytes is more than Kafka takes (max_request_size)")
        return topic.append(key, [(HEAD, head)], body).addCallbacks(lambda _: None, _refused)

    # --- what is read ---

    def _receive(self, records: list[Record]) -> None:
        name = self.node.encode()
        for record in records:
            if record.key is None or record.key == name:
                try:
                    self.received(_head(record), record.value or b"")
                except Exception:  # noqa: BLE001 - a border, the other messages have to be received
                    log.failure("A message of another node could not be received")

    def _read(self, records: list[Record]) -> None:
        for record in records:
            self.read(record.offset + 1, _head(record), record.value or b"")

    def replay(self, after: int, until: int) -> Deferred[list[Entry]]:
        return self.events.read(after - 1, until - 1, PAGE).addCallbacks(_entries, _refused)

    def holds(self, position: int) -> Deferred[bool]:
        return self.events.ends().addCallback(lambda ends: ends.begin <= position <= ends.end)

    def _gap(self, gap: Gap) -> None:
        self.lost_up_to(gap.found)

    def _forgotten(self) -> None:
        """The topic of the sessions was deleted. After an outage, they are all stored once more."""
        self.outages += 1


def _head(record: Record) -> bytes:
    return next((value for name, value in record.headers if name == HEAD), b"")


def _entries(records: list[Record]) -> list[Entry]:
    return [(record.offset + 1, _head(record), record.value or b"") for record in records]


def _refused(failure: Failure) -> NoReturn:
    failure.trap(BrokerError, PositionGone, BrokerUnavailable)
    raise BrokerUnavailable(failure.getErrorMessage())


def _lost(failure: Failure) -> None:
    failure.trap(BrokerUnavailable)
