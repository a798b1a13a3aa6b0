"""What was accepted for the log and is not confirmed yet, and the thread that has it written.

::

    reactor      append() ──> _waiting ─┐                                        ┌─> Deferreds fire
    our thread                          └─> producer.send() ──> _sent ─┐         │
    kafka-python                                                       └─ acks ──┘

An idempotent producer keeps order and repeats nothing while it lives. When it fails at anything, it is thrown away at
once, before it can write what comes behind: so there is never a hole in the log. A new one writes everything again
that is not confirmed, in order. A failed write may have been written all the same; so each record carries our name and
a number, and readers drop what they have seen (`Sightings` in kafka_reader.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any

from kafka.errors import (
    InvalidRecordError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from twisted.internet.defer import Deferred

from txsocketio.adapters.kafka.connections import Complaint, discard
from txsocketio.errors import BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from txsocketio.adapters.kafka.connections import Connections
    from txsocketio.adapters.kafka.options import KafkaOptions

#: The one partition that a log has: its order is that of the log.
PARTITION = 0

#: Seconds between producers that fail.
BACKOFF = 0.25

#: Seconds that a record may be unconfirmed while the broker answers others; then the producer counts as stuck.
STUCK = 10.0

#: The record itself is at fault. The rest can be written without it.
REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidRecordError)

Headers = list[tuple[str, bytes]]


class Entry:
    """One record, until it is confirmed."""

    __slots__ = ("topic", "key", "headers", "value", "size", "confirmed", "sent")

    def __init__(self, topic: str, key: bytes | None, headers: Headers, value: bytes | None) -> None:
        self.topic = topic
        self.key = key
        self.headers = headers
        self.value = value
        self.size = len(key or b"") + len(value or b"") + sum(len(name) + len(text) for name, text in headers)
        self.confirmed: Deferred[int] = Deferred()
        self.sent = 0.0


class Outbox:
    """Bounded, in order, for all topics of one client. `available_since` is kept by the client: None while away."""

    def __init__(self, reactor: Any, connections: Connections, options: KafkaOptions) -> None:
        self._reactor = reactor
        self._connections = connections
        self._options = options
        self.available_since: float | None = None
        # In the reactor thread.
        self._count = 0
        self._size = 0
        # In all threads, behind the lock.
        self._changed = Condition()
        self._waiting: deque[Entry] = deque()
        self._sent: dict[Entry, None] = {}  # in order
        self._settled: list[tuple[Entry, int | Exception]] = []
        self._producer: Any = None
        self._broken = False
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="kafka-outbox", daemon=True)

    # In the reactor

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def append(self, topic: str, key: bytes | None, headers: Headers, value: bytes | None) -> Deferred[int]:
        """Have a record written behind all that were appended before; fires with its position in the topic.

        Fails with:
            BrokerError: Kafka does not take this record, because it is too large for one.
            BrokerUnavailable: the outbox is stopped before the record is confirmed.

        Raises:
            BrokerUnavailable: as much waits as may.
        """
        entry = Entry(topic, key, headers, value)
        if self._stopped.is_set():
            raise BrokerUnavailable("the connection to Kafka is closed")
        if self._count >= self._options.max_outbox or self._size + entry.size > self._options.max_outbox_bytes:
            raise BrokerUnavailable("Kafka does not take so much, and as much waits as may (max_outbox)")
        self._count += 1
        self._size += entry.size
        with self._changed:
            self._waiting.append(entry)
            self._changed.notify()
        return entry.confirmed

    def _fire(self) -> None:
        with self._changed:
            settled, self._settled = self._settled, []
        for entry, outcome in settled:
            self._count -= 1
            self._size -= entry.size
            if isinstance(outcome, int):
                entry.confirmed.callback(outcome)
            else:
                entry.confirmed.errback(outcome)

    # In the thread of whoever stops the client

    def drain(self, timeout: float) -> None:
        """Wait until everything is confirmed, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._sent, timeout)

    def stop(self) -> None:
        """Have the thread end."""
        with self._changed:
            self._stopped.set()
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until it has, and fail what is not confirmed."""
        self._thread.join()
        with self._changed:
            for entry in self._waiting:
                self._settle(entry, BrokerUnavailable("the connection to Kafka is closed"))
            self._waiting.clear()

    # In our thread

    def _run(self) -> None:
        complaint = Complaint("writing to Kafka")
        while not self._stopped.is_set():
            try:
                with self._new_producer() as producer:
                    self._write(producer)
            except Exception as error:  # noqa: BLE001 - kafka-python, which raises whatever goes wrong in it
                complaint.tell(error)
            self._stopped.wait(BACKOFF)

    @contextmanager
    def _new_producer(self) -> Iterator[Any]:
        self._producer = self._connections.producer()
        try:
            yield self._producer
        finally:
            discard(self._producer)
            with self._changed:
                self._waiting.extendleft(reversed(self._sent))
                self._sent.clear()
                self._broken = False

    def _write(self, producer: Any) -> None:
        known: set[str] = set()
        while (entry := self._next()) is not None:
            if entry.topic not in known:
                if not self._has_metadata(producer, entry.topic):
                    return
                known.add(entry.topic)
            try:
                future = producer.send(entry.topic, entry.value, entry.key, entry.headers, partition=PARTITION)
            except REFUSALS as error:
                self._refuse(entry, error)
            else:
                future.add_callback(self._confirm, producer, entry)
                future.add_errback(self._give_up, producer, entry)

    def _next(self) -> Entry | None:
        """The next to be written; None when the producer is to be thrown away."""
        with self._changed:
            while not self._stopped.is_set() and not self._broken and not self._is_stuck():
                if self._waiting:
                    entry = self._waiting.popleft()
                    entry.sent = self._reactor.seconds()
                    self._sent[entry] = None
                    return entry
                self._changed.wait(STUCK / 10)
        return None

    def _is_stuck(self) -> bool:
        oldest = next(iter(self._sent), None)
        if oldest is None or self.available_since is None:
            return False
        silence: float = self._reactor.seconds() - max(oldest.sent, self.available_since)
        return silence > STUCK

    def _has_metadata(self, producer: Any, topic: str) -> bool:
        """Wait for the broker; a producer that has no connection at first finds it by itself."""
        while not self._stopped.is_set():
            try:
                producer.partitions_for(topic)
            except KafkaTimeoutError:
                continue
            return True
        return False

    # In the network thread of the producer

    def _confirm(self, producer: Any, entry: Entry, metadata: Any) -> None:
        with self._changed:
            if producer is self._producer and entry in self._sent:
                del self._sent[entry]
                self._settle(entry, metadata.offset)

    def _give_up(self, producer: Any, entry: Entry, error: KafkaError) -> None:
        # Nothing that comes behind may be written before this: the thread that we are in goes no further.
        producer._sender.force_close()
        if isinstance(error, REFUSALS):
            self._refuse(entry, error)
        with self._changed:
            if producer is self._producer and not self._broken:
                self._broken = True
                self._changed.notify_all()

    def _refuse(self, entry: Entry, error: KafkaError) -> None:
        with self._changed:
            if self._sent.pop(entry, self) is None:
                self._settle(entry, BrokerError(f"Kafka does not take the message: {error}"))

    def _settle(self, entry: Entry, outcome: int | Exception) -> None:
        """With the lock held."""
        self._settled.append((entry, outcome))
        if len(self._settled) == 1:
            self._reactor.callFromThread(self._fire)
        if not self._sent and not self._waiting:
            self._changed.notify_all()
