"""The thread that asks the brokers things: whether they are there, and for what was written long ago.

It has a consumer of its own, since one that follows the end of a log answers nothing while it waits for records.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka.errors import KafkaError, KafkaTimeoutError, OffsetOutOfRangeError
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txsocketio.adapters.kafka.connections import MAX_RECORDS, SHORT_POLL, Complaint, milliseconds
from txsocketio.adapters.kafka.reader import POLL, Record, Sightings, record_of
from txsocketio.errors import BrokerUnavailable, WorldError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafka import TopicPartition

    from txsocketio.adapters.kafka.connections import Connections
    from txsocketio.adapters.kafka.reader import Following

#: How many readers may wait for one another.
MAX_WAITING = 1000

#: Seconds that reading for one may take.
READ_TIMEOUT = 10.0

#: Seconds between questions while the brokers are away.
AWAY_INTERVAL = 0.25


class PositionGone(WorldError):
    """The log does not reach back so far any more."""

    temporary = False


class Ends(NamedTuple):
    """The first position of a log that is still there, and the one behind its last record."""

    begin: int
    end: int


class _Reading(NamedTuple):
    following: Following
    after: int
    up_to: int
    limit: int
    result: Deferred[list[Record]]


class _Looking(NamedTuple):
    following: Following
    result: Deferred[Ends]


class Queries:
    """Asks one thing after the other."""

    def __init__(
        self,
        reactor: Any,
        connections: Connections,
        timeout: float,
        partitions: list[TopicPartition],
        on_ends: Callable[[dict[TopicPartition, int]], None],
        on_available: Callable[[bool], None],
    ) -> None:
        self._reactor = reactor
        self._connections = connections
        self._timeout = timeout
        self._partitions = partitions
        self._on_ends = on_ends
        self._on_available = on_available
        self._is_available = True
        self._answered = reactor.seconds()
        self._asked = reactor.seconds()
        self._changed = Condition()
        self._waiting: deque[_Reading | _Looking] = deque()
        self._stopped = False
        self._thread = Thread(target=self._run, name="kafka-queries", daemon=True)

    # In the reactor

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def read(self, following: Following, after: int, up_to: int, limit: int) -> Deferred[list[Record]]:
        """Records behind one position, up to and with another; those that were there twice once."""
        reading = _Reading(following, after, up_to, limit, Deferred())
        self._add(reading)
        return reading.result

    def ends(self, following: Following) -> Deferred[Ends]:
        """Where the log begins and ends now."""
        looking = _Looking(following, Deferred())
        self._add(looking)
        return looking.result

    def _add(self, job: _Reading | _Looking) -> None:
        with self._changed:
            if self._stopped or not self._is_available:
                job.result.errback(BrokerUnavailable("Kafka is away"))
            elif len(self._waiting) >= MAX_WAITING:
                job.result.errback(BrokerUnavailable("too many wait for answers of Kafka"))
            else:
                self._waiting.append(job)
                self._changed.notify()

    # In the thread of whoever stops the client

    def stop(self) -> None:
        """Have the thread end. It does so the sooner, if its connections are closed next."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def join(self) -> None:
        """Wait until it has, and fail what waits."""
        self._thread.join()
        self._dismiss()

    # In our thread

    def _run(self) -> None:
        complaint = Complaint("asking Kafka")
        while not self._stopped:
            try:
                with closing(self._connections.consumer(long_poll=SHORT_POLL)) as consumer:
                    self._serve(consumer)
            except Exception as error:  # noqa: BLE001 - kafka-python, which raises whatever goes wrong in it
                if not self._stopped:
                    complaint.tell(error)
                    self._wait(AWAY_INTERVAL)

    def _serve(self, consumer: Any) -> None:
        # Once and for all: to assign one when it is to be read takes 80 ms. What is paused must have a position, too.
        consumer.assign(self._partitions)
        consumer.pause(*self._partitions)
        for partition in self._partitions:
            consumer.seek(partition, 0)
        while not self._stopped:
            if self._reactor.seconds() - self._asked >= self._interval():
                self._ask(consumer)
            elif job := self._next():
                self._answer(consumer, job)

    def _interval(self) -> float:
        return self._timeout / 4 if self._is_available else AWAY_INTERVAL

    def _next(self) -> _Reading | _Looking | None:
        with self._changed:
            if not self._waiting:
                self._changed.wait(max(0.0, self._asked + self._interval() - self._reactor.seconds()))
            return self._waiting.popleft() if self._waiting and not self._stopped else None

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, seconds)

    # Whether the brokers are there

    def _ask(self, consumer: Any) -> None:
        self._asked = self._reactor.seconds()
        try:
            ends = consumer.end_offsets(self._partitions, timeout_ms=milliseconds(self._timeout / 4))
        except KafkaError:
            if self._reactor.seconds() - self._answered >= self._timeout:
                self._tell(False)
        else:
            self._answered = self._reactor.seconds()
            self._on_ends(ends)
            self._tell(True)

    def _tell(self, is_available: bool) -> None:
        if is_available is not self._is_available and not self._stopped:
            with self._changed:
                self._is_available = is_available
            self._reactor.callFromThread(self._on_available, is_available)
            if not is_available:
                self._dismiss()

    def _dismiss(self) -> None:
        """Whoever waits has waited in vain."""
        while self._waiting:
            self._fire(self._waiting.popleft(), Failure(BrokerUnavailable("Kafka is away")))

    # What somebody wants to know

    def _answer(self, consumer: Any, job: _Reading | _Looking) -> None:
        jobs = [job, *self._alike(job)]
        outcome: list[Record] | Ends | Failure
        try:
            outcome = self._look(consumer, job) if isinstance(job, _Looking) else self._read(consumer, job)
        except OffsetOutOfRangeError:
            outcome = Failure(PositionGone("the log does not reach back so far any more"))
        except Exception as error:  # noqa: BLE001 - kafka-python, which raises whatever goes wrong in it
            outcome = Failure(BrokerUnavailable(f"Kafka did not answer: {error!r}"))
        for each in jobs:
            self._fire(each, outcome)

    def _alike(self, job: _Reading | _Looking) -> list[_Looking]:
        """Who else wants to know where the same log ends: one question is enough for all who wait."""
        if not isinstance(job, _Looking):
            return []
        with self._changed:
            alike = [each for each in self._waiting if isinstance(each, _Looking) and each.following is job.following]
            self._waiting = deque(each for each in self._waiting if each not in alike)
        return alike

    def _fire(self, job: _Reading | _Looking, outcome: Any) -> None:
        self._reactor.callFromThread(job.result.callback, outcome)

    def _look(self, consumer: Any, job: _Looking) -> Ends:
        partition, timeout = job.following.partition, milliseconds(self._timeout / 4)
        begins = consumer.beginning_offsets([partition], timeout)
        return Ends(begins[partition], consumer.end_offsets([partition], timeout)[partition])

    def _read(self, consumer: Any, reading: _Reading) -> list[Record]:
        partition = reading.following.partition
        deadline = self._reactor.seconds() + READ_TIMEOUT
        last = self._last(consumer, reading)
        seen = Sightings()
        found: list[Record] = []
        position = reading.after + 1
        consumer.seek(partition, position)
        consumer.resume(partition)
        try:
            while len(found) < reading.limit and position <= last:
                for record in consumer.poll(milliseconds(POLL), max_records=MAX_RECORDS).get(partition, ()):
                    if self._is_wanted(record, reading, seen) and len(found) < reading.limit:
                        found.append(record_of(record))
                position = consumer.position(partition)
                if self._reactor.seconds() > deadline:
                    raise KafkaTimeoutError("it takes too long")
        finally:
            consumer.pause(partition)  # or it would go on fetching
        self._answered = self._reactor.seconds()
        return found

    def _last(self, consumer: Any, reading: _Reading) -> int:
        """The last record that is to be read; there may be less than what was asked for."""
        if reading.up_to < reading.following.position:
            return reading.up_to
        partition = reading.following.partition
        end: int = consumer.end_offsets([partition], timeout_ms=milliseconds(self._timeout / 4))[partition]
        return min(reading.up_to, end - 1)

    def _is_wanted(self, record: Any, reading: _Reading, seen: Sightings) -> bool:
        repeated = record.offset in reading.following.sightings.repeated
        return record.offset <= reading.up_to and not repeated and seen.is_new(record)
