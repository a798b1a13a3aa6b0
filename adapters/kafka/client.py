"""Kafka for a Twisted program: logs that are appended to, followed and read again, and a table kept in one.

kafka-python blocks, and keeps silent about what goes wrong. So everything that it does is done in threads; the reactor
appends to a bounded queue, and is handed what was read. This is the module to use; those beside it are its parts:

- `outbox.py` writes, and writes again,
- `reader.py` follows the ends of the logs,
- `queries.py` finds out whether the brokers are there, and reads what was written long ago,
- `table.py` is a table whose rows are the latest records of their keys.

Nothing here knows what is in the records.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from uuid import UUID

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError, TopicAlreadyExistsError
from twisted.internet.defer import Deferred, TimeoutError, fail, gatherResults, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.adapters.kafka.connections import Connections, milliseconds, take_over_log, troubles
from txsocketio.adapters.kafka.outbox import PARTITION, Headers, Outbox
from txsocketio.adapters.kafka.queries import Ends, Queries
from txsocketio.adapters.kafka.reader import WRITER, Following, Gap, Record, Start, Tail
from txsocketio.cluster.progress import Progress
from txsocketio.errors import BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from txsocketio.adapters.kafka.options import KafkaAddress, KafkaOptions

log = Logger()

Result = TypeVar("Result")

#: How far before the end reading starts, so that the writers are known when one of them repeats itself.
LOOK_BACK = 500

#: Seconds for what is still to be written when the client stops.
DRAIN_TIMEOUT = 0.5

#: Seconds for a topic that was created to get its leader.
CREATION_TIMEOUT = 10.0


class KafkaLog:
    """The records of one topic.

    Attributes:
        progress: how far the log has been read; its position is that of the next record.
        written: the number of the record that was appended last.
        on_records: called with the records that one look at the end of the log brought, in order and without a gap.
        on_gap: called when there is one all the same: records are gone, or the topic is another one now.
    """

    def __init__(self, client: KafkaClient, topic: str, settings: dict[str, str], from_the_start: bool) -> None:
        self.topic = topic
        self.settings = settings
        self.written = 0
        self.on_records: Callable[[list[Record]], None] = _ignore
        self.on_gap: Callable[[Gap], None] = _ignore
        self.progress = Progress(client.reactor)
        self._client = client
        self._from_the_start = from_the_start
        self._topic_id: UUID | None = None
        self._following: Following | None = None

    @property
    def name(self) -> str:
        """Tells this log from others, also from one of the same topic after that was deleted: text for offsets."""
        return self._topic_id.hex[:8] if self._topic_id else "0"

    # Writing

    def append(self, key: bytes | None, headers: Headers, value: bytes | None) -> Deferred[int]:
        """Have a record written behind all that were appended before; fires with its position.

        The order is kept, and no other reader gets one twice, whatever happens to brokers meanwhile.

        Raises:
            BrokerUnavailable: as much waits as may.

        Fails with:
            BrokerError: Kafka does not take this record, because it is too large for one.
            BrokerUnavailable: the client was stopped before it was confirmed; it may have been written.
        """
        number = (self.written + 1).to_bytes(8, "big")
        confirmed = self._client.append(self.topic, key, [(WRITER, self._client.node + number), *headers], value)
        self.written += 1
        return confirmed

    def number_of(self, record: Record) -> int:
        """The number under which we have appended a record; 0 when it is not ours."""
        name, writer = record.headers[0] if record.headers else ("", b"")
        return int.from_bytes(writer[-8:], "big") if name == WRITER and writer[:-8] == self._client.node else 0

    # Reading

    def read(self, after: int, up_to: int, limit: int) -> Deferred[list[Record]]:
        """Records behind one position, up to and with another, as many as `limit`. Who asks is served in turn.

        Fails with:
            PositionGone: the log does not reach back to there any more.
            BrokerUnavailable: Kafka does not answer, or too many ask.
        """
        return self._client.ask(lambda queries: queries.read(self.following, after, up_to, limit))

    def ends(self) -> Deferred[Ends]:
        """Fires with where the log begins and ends now; fails as `read`."""
        return self._client.ask(lambda queries: queries.ends(self.following))

    def latest(self) -> Deferred[None]:
        """Fires when everything has been handed over that is in the log now; fails as `read`."""
        return self.ends().addCallback(lambda ends: self._reach(ends.end, self._client.options.liveness_timeout / 2))

    def _reach(self, position: int, timeout: float) -> Deferred[None]:
        return self.progress.reached(position, timeout).addErrback(self._too_slow)

    def _too_slow(self, failure: Failure) -> NoReturn:
        failure.trap(TimeoutError)
        raise BrokerUnavailable(f"reading {self.topic} of Kafka takes too long")

    # Called by the client

    @property
    def following(self) -> Following:
        """What its reader knows of it, when the client is started."""
        assert self._following is not None
        return self._following

    def started(self, ends: Ends, topic_id: UUID | None) -> Deferred[None]:
        """It is known where the log begins and ends; fires when it has been read as far as that is wanted."""
        self._topic_id = topic_id
        first, look = (ends.begin, 0) if self._from_the_start else (ends.end, LOOK_BACK)
        start = Start(max(ends.begin, first - look), first, topic_id)
        self._following = Following(self.topic, start, self._take, self._tell_gap)
        self.progress.move(first)
        return Deferred.fromCoroutine(self._catch_up(ends.end))

    async def _catch_up(self, end: int) -> None:
        """Wait for as long as reading goes on: a table of many clients is long, and would be begun anew."""
        position = -1
        while position < self.progress.position < end:
            position = self.progress.position
            with suppress(TimeoutError):
                await self.progress.reached(end, self._client.options.start_timeout)
        if self.progress.position < end:
            raise BrokerUnavailable(f"reading {self.topic} of Kafka does not go on")

    def stopped(self) -> None:
        """Nobody reads any more."""
        self.progress.stop(BrokerUnavailable("the connection to Kafka is closed"))

    def _take(self, records: list[Record], position: int) -> None:
        if records:
            self.on_records(records)
        self.progress.move(max(self.progress.position, position))

    def _tell_gap(self, gap: Gap) -> None:
        log.warn(
            "{topic} of Kafka goes on at {gap.found} instead of {gap.expected}: {why}",
            topic=self.topic, gap=gap, why="it is another topic" if gap.is_other_topic else "what was between is gone",
        )  # fmt: skip
        self._topic_id = gap.topic_id
        self.progress.move(gap.found)
        self.on_gap(gap)


class _Parts:
    """What runs between a start and a stop."""

    def __init__(self, client: KafkaClient, connections: Connections, followed: list[Following]) -> None:
        reactor, options = client.reactor, client.options
        self._connections = connections
        self.outbox = Outbox(reactor, connections, options)
        self.tail = Tail(reactor, connections, followed)
        self.queries = Queries(
            reactor, connections, options.liveness_timeout, [each.partition for each in followed], self.tail.check,
            client.available,
        )  # fmt: skip
        for part in (self.outbox, self.tail, self.queries):
            part.start()

    def stop(self, drain: float) -> None:
        """Called in a thread."""
        self.outbox.drain(drain)
        self.tail.stop()
        self.queries.stop()
        self.outbox.stop()
        self._connections.close()  # whoever waits for a broker waits no more
        for part in (self.outbox, self.tail, self.queries):
            part.join()


class KafkaClient:
    """One program's connection to Kafka.

    Args:
        node: the name under which this program writes; no other one may have it.

    Attributes:
        is_available: whether the brokers answer.
        on_available: called when that changes, with what it is then.
    """

    def __init__(self, reactor: Any, address: KafkaAddress, options: KafkaOptions, node: str) -> None:
        self.reactor = reactor
        self.address = address
        self.options = options
        self.node = node.encode()
        self.is_available = False
        self.on_available: Callable[[bool], None] = _ignore
        self._logs: list[KafkaLog] = []
        self._connections: Connections | None = None
        self._parts: _Parts | None = None

    def log(self, topic: str, settings: dict[str, str], from_the_start: bool = False) -> KafkaLog:
        """The log in a topic, read from its end or its start on; to be called before the client is started.

        Args:
            settings: of Kafka, for a topic that is created.
        """
        self._logs.append(KafkaLog(self, topic, settings, from_the_start))
        return self._logs[-1]

    def start(self) -> Deferred[None]:
        """Fires when all logs are followed, and those that are read from the start have been read.

        Fails with:
            BrokerUnavailable: no broker is reached in time; its text says why, as far as that is known.
            BrokerError: a topic is missing and may not be created, or has several partitions.
        """
        take_over_log()
        self._connections = connections = Connections(self.address, self.options)
        looking = in_thread(self.reactor, "kafka-start", lambda: self._look(connections))
        return looking.addCallback(self._follow, connections)

    def stop(self) -> Deferred[None]:
        """Fires when all threads have ended; in less than a second, also when the brokers are away."""
        parts, self._parts = self._parts, None
        connections, self._connections = self._connections, None
        drain = DRAIN_TIMEOUT if self.is_available else 0.0
        self.is_available = False
        for each in self._logs:
            each.stopped()
        if parts is not None:
            return in_thread(self.reactor, "kafka-stop", lambda: parts.stop(drain))
        if connections is not None:
            return in_thread(self.reactor, "kafka-stop", connections.close)
        return succeed(None)

    # For the logs

    def append(self, topic: str, key: bytes | None, headers: Headers, value: bytes | None) -> Deferred[int]:
        """As `KafkaLog.append`."""
        if self._parts is None:
            raise BrokerUnavailable("there is no connection to Kafka")
        return self._parts.outbox.append(topic, key, headers, value)

    def ask(self, question: Callable[[Queries], Deferred[Result]]) -> Deferred[Result]:
        """Ask the brokers; fails when there is no connection to them."""
        if self._parts is None:
            return fail(BrokerUnavailable("there is no connection to Kafka"))
        return question(self._parts.queries)

    # Called by the parts, in the reactor

    def available(self, is_available: bool) -> None:
        """The brokers have come or gone."""
        if self._parts is not None:
            if is_available:
                log.info("Kafka is there, at {address}", address=self.address)
            else:
                log.warn("Kafka is away, at {address}: {why}", address=self.address, why=troubles.latest or "silence")
            self._parts.outbox.available_since = self.reactor.seconds() if is_available else None
            self.is_available = is_available
            self.on_available(is_available)

    # Starting

    def _follow(self, found: list[tuple[Ends, UUID | None]], connections: Connections) -> Deferred[None]:
        if connections is not self._connections:
            raise BrokerUnavailable("the client was stopped before it was started")
        reading = gatherResults([log.started(*each) for log, each in zip(self._logs, found, strict=True)], True)
        self._parts = _Parts(self, connections, [log.following for log in self._logs])
        self.available(True)
        return reading.addCallbacks(lambda _: None, lambda failure: failure.value.subFailure)

    # In a thread

    def _look(self, connections: Connections) -> list[tuple[Ends, UUID | None]]:
        try:
            with closing(connections.admin()) as admin:
                ids = self._topics(admin)
                return [(_ends(admin, log.topic), ids[log.topic]) for log in self._logs]
        except (KafkaError, RuntimeError) as error:  # RuntimeError: closed meanwhile
            text = f"Kafka cannot be used at {self.address}: {error}"
            raise BrokerUnavailable(f"{text} ({troubles.latest})" if troubles.latest else text) from None
        finally:
            connections.close()  # what a constructor that failed has left

    def _topics(self, admin: Any) -> dict[str, UUID | None]:
        names = [log.topic for log in self._logs]
        there = {topic["name"] for topic in admin.describe_topics(names) if not topic["error_code"]}
        for log in self._logs:
            if log.topic not in there:
                self._create(admin, log)
        admin.wait_for_topics(names, milliseconds(CREATION_TIMEOUT))
        topics = admin.describe_topics(names)
        for topic in topics:
            if len(topic["partitions"]) != 1:
                raise BrokerError(f"the topic {topic['name']!r} has several partitions; a log must have one")
        return {topic["name"]: UUID(topic["topic_id"]) if topic["topic_id"] else None for topic in topics}

    def _create(self, admin: Any, log: KafkaLog) -> None:
        if not self.options.create_topics:
            raise BrokerError(f"the topic {log.topic!r} is not there, and create_topics is off")
        replication = self.options.replication or -1
        topic = {"num_partitions": 1, "replication_factor": replication, "configs": log.settings}
        with suppress(TopicAlreadyExistsError):  # another node was faster
            admin.create_topics({log.topic: topic})


def _ends(admin: Any, topic: str) -> Ends:
    partition = TopicPartition(topic, PARTITION)
    found = [admin.list_partition_offsets({partition: spec}) for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)]
    return Ends(found[0][partition].offset, found[1][partition].offset)


def in_thread(reactor: Any, name: str, work: Callable[[], Result]) -> Deferred[Result]:
    """Have something that blocks done in a thread of its own; fires with what it gives."""
    done: Deferred[Result] = Deferred()

    def run() -> None:
        outcome: Result | Failure
        try:
            outcome = work()
        except Exception:  # noqa: BLE001 - of a Deferred
            outcome = Failure()
        reactor.callFromThread(done.callback, outcome)

    Thread(target=run, name=name, daemon=True).start()
    return done


def _ignore(_: object) -> None:
    """Before anybody has said what is to be done."""
