"""The thread that follows the ends of topics, and hands what comes to the reactor: in order, without a gap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from kafka import TopicPartition
from kafka.errors import LogTruncationError, OffsetOutOfRangeError

from txsocketio.adapters.kafka.connections import Complaint, milliseconds, topic_id
from txsocketio.adapters.kafka.handover import Handover
from txsocketio.adapters.kafka.outbox import PARTITION, STUCK, Headers

if TYPE_CHECKING:
    from txsocketio.adapters.kafka.connections import Connections

#: Seconds that one look for records waits, and with it whoever wants the thread to end.
POLL = 0.25

#: Seconds between attempts to read on after a failure.
BACKOFF = 0.25

#: Seconds that it may take to find out where the logs begin and end before they are read.
OFFSETS_TIMEOUT = 2.0

#: Seconds between looks at whether a topic is still the same one.
METADATA_AGE = 1.0

#: Records that the reactor is handed at a time; it may turn to others before the next ones.
CHUNK = 50

#: How many writers are remembered, and how many records that were there twice.
MAX_WRITERS = 10_000
MAX_REPEATED = 100_000

#: The header that names the writer (its name, and behind it eight bytes of number).
WRITER = "w"


class Record(NamedTuple):
    """One record of a log; the time is when it got there, in seconds. In a table no value means: deleted."""

    offset: int
    key: bytes | None
    headers: Headers
    value: bytes | None
    time: float


def record_of(raw: Any) -> Record:
    """The record, from one of kafka-python."""
    return Record(raw.offset, raw.key, raw.headers, raw.value, raw.timestamp / 1000)


class Sightings:
    """Which records of each writer were read: a writer that had to try again may have written some twice."""

    def __init__(self) -> None:
        self._latest: dict[bytes, bytes] = {}
        self._order: deque[int] = deque()
        self.repeated: set[int] = set()

    def is_new(self, record: Any) -> bool:
        """Whether a record of kafka-python was not read before. To be asked in the order of the log."""
        for name, value in record.headers:
            if name == WRITER:
                return self._is_behind_the_latest(value[:-8], value[-8:], record.offset)
        return True  # not one of ours

    def _is_behind_the_latest(self, writer: bytes, number: bytes, offset: int) -> bool:
        latest = self._latest.pop(writer, b"")
        self._latest[writer] = max(latest, number)
        if len(self._latest) > MAX_WRITERS:
            del self._latest[next(iter(self._latest))]
        if number > latest:
            return True
        self._order.append(offset)
        self.repeated.add(offset)
        if len(self._order) > MAX_REPEATED:
            self.repeated.discard(self._order.popleft())
        return False


class Start(NamedTuple):
    """Where to begin to read a topic; `first` is the first record that is handed over."""

    position: int
    first: int
    topic_id: UUID | None


class Gap(NamedTuple):
    """Why reading did not go on where it was: the records between are gone, or the topic is another one."""

    expected: int
    found: int
    topic_id: UUID | None
    is_other_topic: bool


class Following:
    """One topic that is followed, from a position on.

    Attributes:
        position: the next record to be read.
        first: records before this are read to know the writers, and not handed over.
        topic_id: which topic of that name it is; None where the brokers are too old to say.
        on_records: called in the reactor with the next records, and the position behind them.
        on_gap: called in the reactor before records from behind the gap are handed over.
    """

    def __init__(
        self,
        topic: str,
        start: Start,
        on_records: Callable[[list[Record], int], None],
        on_gap: Callable[[Gap], None],
    ) -> None:
        self.partition = TopicPartition(topic, PARTITION)
        self.position = start.position
        self.first = start.first
        self.topic_id = start.topic_id
        self.on_records = on_records
        self.on_gap = on_gap
        self.sightings = Sightings()
        self.last_move = (0, 0.0)

    def take(self, records: list[Any]) -> list[Record]:
        """What is to be handed over of records that were read."""
        self.position = records[-1].offset + 1
        new = [each for each in records if self.sightings.is_new(each) and each.offset >= self.first]
        return [record_of(each) for each in new]

    def find_gap(self, begin: int, end: int, topic_id: UUID | None) -> Gap | None:
        """Why reading cannot go on where it was, given what there is now; then it goes on as near as possible."""
        is_other = None not in (topic_id, self.topic_id) and topic_id != self.topic_id
        if begin <= self.position <= end and not is_other:
            return None
        expected = max(self.position, self.first)
        # All that is in another log is new. In the same one there is nothing behind its end, and never will be again.
        self.position = self.first = begin if is_other or self.position < begin else end
        self.topic_id = topic_id
        return Gap(expected, self.position, topic_id, is_other)


class Tail:
    """Reads all that is written to some topics from their positions on."""

    def __init__(self, reactor: Any, connections: Connections, followed: list[Following]) -> None:
        self._reactor = reactor
        self._connections = connections
        self._followed = {each.partition: each for each in followed}
        self._handover = Handover(reactor)
        self._reopen = Event()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="kafka-tail", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Have the thread end. It does so the sooner, if its connections are closed next."""
        self._stopped.set()

    def join(self) -> None:
        """Wait until it has."""
        self._thread.join()

    def check(self, ends: dict[TopicPartition, int]) -> None:
        """Read with a new consumer where the old one has not moved for long, although the log goes on."""
        now = self._reactor.seconds()
        for partition, end in ends.items():
            each = self._followed[partition]
            position, since = each.last_move
            if each.position != position or each.position >= end:
                each.last_move = (each.position, now)
            elif now - since > STUCK:
                each.last_move = (each.position, now)
                self._reopen.set()

    # In our thread

    def _run(self) -> None:
        complaint = Complaint("reading from Kafka")
        while not self._stopped.is_set():
            try:
                with closing(self._connections.consumer(metadata_age=METADATA_AGE)) as consumer:
                    self._set_out(consumer)
                    self._follow(consumer)
            except Exception as error:  # noqa: BLE001 - kafka-python, which raises whatever goes wrong in it
                if not self._stopped.is_set():
                    complaint.tell(error)
            self._stopped.wait(BACKOFF)

    def _set_out(self, consumer: Any) -> None:
        partitions = list(self._followed)
        consumer.assign(partitions)
        begins = consumer.beginning_offsets(partitions, milliseconds(OFFSETS_TIMEOUT))
        ends = consumer.end_offsets(partitions, milliseconds(OFFSETS_TIMEOUT))
        for partition, each in self._followed.items():
            gap = each.find_gap(begins[partition], ends[partition], topic_id(consumer, partition.topic))
            if gap is not None:
                self._hand_over([partial(each.on_gap, gap)])
            consumer.seek(partition, each.position)

    def _follow(self, consumer: Any) -> None:
        """Until something is wrong with a position: then the ends of the topics have to be looked at again."""
        self._reopen.clear()
        while not self._stopped.is_set() and not self._reopen.is_set() and self._are_the_same(consumer):
            try:
                batches = consumer.poll(milliseconds(POLL))
            except (OffsetOutOfRangeError, LogTruncationError):
                return
            if batches:
                self._hand_over([act for part, raw in batches.items() for act in self._acts(self._followed[part], raw)])

    def _are_the_same(self, consumer: Any) -> bool:
        return all(topic_id(consumer, part.topic) in (None, each.topic_id) for part, each in self._followed.items())

    def _acts(self, following: Following, raw: list[Any]) -> Iterator[Callable[[], None]]:
        records = following.take(raw)
        for first in range(0, len(records), CHUNK):
            chunk = records[first : first + CHUNK]
            yield partial(self._deliver, following, chunk, chunk[-1].offset + 1)
        yield partial(self._deliver, following, [], following.position)

    def _hand_over(self, acts: list[Callable[[], None]]) -> None:
        while not self._stopped.is_set() and not self._handover.put(acts, POLL):
            pass

    # In the reactor

    def _deliver(self, following: Following, records: list[Record], position: int) -> None:
        if not self._stopped.is_set():
            following.on_records(records, position)
