"""The client for Kafka, against a real one that is killed, frozen and wiped."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka import codec
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, LoopingCall
from twisted.internet.threads import deferToThread

from tests.adapters.kafka_clients import (
    SHORT,
    Make,
    Start,
    administer,
    delete_and_create,
    delete_records,
    fill,
    left_threads,
)
from tests.brokers.kafka import KafkaServer
from txsocketio.adapters.kafka.client import LOOK_BACK, KafkaClient, KafkaLog
from txsocketio.adapters.kafka.options import KafkaAddress, KafkaOptions
from txsocketio.adapters.kafka.queries import Ends, PositionGone
from txsocketio.adapters.kafka.reader import Gap, Record
from txsocketio.errors import BrokerError, BrokerUnavailable, OptionError

pytestmark = pytest.mark.timeout(120)


class Reader:
    """What a log hands over."""

    def __init__(self, log: KafkaLog) -> None:
        log.on_records = self._take
        log.on_gap = self._tell
        self.records: list[Record] = []
        self.gaps: list[Gap] = []
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    def until(self, fact: Callable[[], bool]) -> Deferred[None]:
        """Fires when it is so."""
        self._waiting.append((fact, Deferred()))
        fired = self._waiting[-1][1]
        self._look()
        return fired

    def count(self, number: int) -> Deferred[None]:
        return self.until(lambda: len(self.records) >= number)

    def _take(self, records: list[Record]) -> None:
        self.records += records
        self._look()

    def _tell(self, gap: Gap) -> None:
        self.gaps.append(gap)
        self._look()

    def _look(self) -> None:
        due = [waiting for waiting in self._waiting if waiting[0]()]
        self._waiting = [waiting for waiting in self._waiting if waiting not in due]
        for _, fired in due:
            fired.callback(None)


class Traffic:
    """Numbered records, a few at a time, until told to stop."""

    def __init__(self, log: KafkaLog, name: str) -> None:
        self.name = name
        self.confirmed: list[Deferred[int]] = []
        self._log = log
        self._call = LoopingCall(self._write)
        self._call.start(0.01)

    def _write(self) -> None:
        for _ in range(3):
            self.confirmed.append(self._log.append(None, [], f"{self.name} {len(self.confirmed)}".encode()))

    async def stop(self) -> list[bytes]:
        """Wait until all are written; these they were."""
        self._call.stop()
        positions = await gatherResults(self.confirmed)
        assert positions == sorted(set(positions))
        return [f"{self.name} {number}".encode() for number in range(len(self.confirmed))]


def changes(client: KafkaClient) -> Callable[[], Deferred[bool]]:
    """Gives a Deferred of the next change of `is_available`."""
    waiting: list[Deferred[bool]] = []

    def tell(is_available: bool) -> None:
        due, waiting[:] = waiting[:], []
        for each in due:
            each.callback(is_available)

    def next_one() -> Deferred[bool]:
        waiting.append(Deferred())
        return waiting[-1]

    client.on_available = tell
    return next_one


# Writing and reading


async def test_records_come_back_as_they_were_written(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Any bytes, in the order of writing, to who writes and to others alike; a record may be without a value."""
    one, two = make_kafka(kafka.url), make_kafka(kafka.url)
    logs = [client.log(topic, client.options.log_settings()) for client in (one, two)]
    readers = [Reader(log) for log in logs]
    await gatherResults([one.start(), two.start()])
    written = [(b"\0key", [("h", b"\xff\0"), ("h", b"")], bytes(range(256))), (None, [], b""), (b"k", [], None)]
    assert await gatherResults([logs[0].append(*record) for record in written]) == [0, 1, 2]
    for reader in readers:
        await reader.count(3)
        assert [(record.key, record.headers[1:], record.value) for record in reader.records] == written
    assert logs[0].name == logs[1].name
    for log in logs:
        await log.progress.reached(3, 5.0)
        assert log.progress.position == 3


async def test_many_records_stay_in_order(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Twenty thousand at once, and then read again in pieces."""
    client = make_kafka(kafka.url, max_outbox=20_000)
    log = client.log(topic, client.options.log_settings())
    reader = Reader(log)
    await client.start()
    expected = [b"%d" % number for number in range(20_000)]
    assert await gatherResults([log.append(None, [], value) for value in expected]) == list(range(20_000))
    await reader.count(20_000)
    assert reader.values == expected
    pieces = await gatherResults([log.read(after, after + 5000, 5000) for after in range(-1, 19_999, 5000)])
    assert [record.value for piece in pieces for record in piece] == expected


async def test_piece_of_the_log_can_be_read_again(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Behind one position up to another, not beyond the end; and it is said when it is not there any more."""
    client = make_kafka(kafka.url)
    log = client.log(topic, client.options.log_settings())
    await client.start()
    await gatherResults([log.append(None, [], b"%d" % number) for number in range(10)])
    assert [record.offset for record in await log.read(2, 5, 100)] == [3, 4, 5]
    assert [record.offset for record in await log.read(2, 9, 2)] == [3, 4]
    assert [record.offset for record in await log.read(7, 1000, 100)] == [8, 9]
    assert await log.read(9, 1000, 100) == []
    await deferToThread(delete_records, kafka, topic, 5)
    assert [record.offset for record in await log.read(4, 9, 1)] == [5]
    with pytest.raises(PositionGone):
        await log.read(3, 9, 100)


async def test_start_does_not_read_what_was_written_before(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """A node joins a busy cluster at once."""
    before = make_kafka(kafka.url)
    before.log(topic, before.options.log_settings())
    await before.start()
    await before.stop()
    await deferToThread(fill, kafka, topic, 1_000_000)
    client = make_kafka(kafka.url)
    log = client.log(topic, client.options.log_settings())
    reader = Reader(log)
    await client.start()
    assert log.following.position >= 1_000_000 - LOOK_BACK
    await log.append(None, [], b"news")
    await reader.count(1)
    assert [(record.offset, record.value) for record in reader.records] == [(1_000_000, b"news")]


def starting() -> tuple[Clock, KafkaLog, Deferred[None]]:
    """A log of ten records that a node reads from the start, and what fires when it has."""
    clock = Clock()
    log = KafkaClient(clock, KafkaAddress.of("kafka://localhost"), KafkaOptions(), "node").log("topic", {}, True)
    return clock, log, log.started(Ends(0, 10), None)


def test_start_waits_while_reading_goes_on() -> None:
    """There are many sessions to be read; to begin once more would take as long again."""
    clock, log, started = starting()
    for position in (3, 6, 9):
        clock.advance(KafkaOptions.start_timeout - 1)
        log.following.on_records([], position)
    assert not started.called
    log.following.on_records([], 10)
    assert started.called
    assert not clock.getDelayedCalls()


def test_start_does_not_wait_for_ever() -> None:
    """A broker that sends nothing more is given up, and tried again."""
    clock, log, started = starting()
    log.following.on_records([], 9)
    clock.pump([KafkaOptions.start_timeout] * 2)
    with pytest.raises(BrokerUnavailable, match="does not go on"):
        started.result.raiseException()
    started.addErrback(lambda _: None)


# Refusals


async def test_record_that_is_too_large_is_refused(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """By the client or by the broker; the others are written."""
    client = make_kafka(kafka.url, max_request_size=100_000)
    log = client.log(topic, {"max.message.bytes": "50000"})
    reader = Reader(log)
    await client.start()
    sizes = (10, 200_000, 20, 70_000, 30)
    outcomes = [log.append(None, [], bytes(size)) for size in sizes]
    for outcome in outcomes[1::2]:
        with pytest.raises(BrokerError, match="Size"):
            await outcome
    await gatherResults(outcomes[::2])
    await reader.count(3)
    assert [len(value or b"") for value in reader.values] == [10, 20, 30]


async def test_missing_topic_is_created_only_if_allowed(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Where administrators create topics, the error names the one that they have to."""
    client = make_kafka(kafka.url, create_topics=False)
    client.log(topic, {})
    with pytest.raises(BrokerError, match=topic):
        await client.start()


async def test_topic_with_several_partitions_is_refused(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """It would have no order."""
    await deferToThread(administer, kafka, lambda admin: admin.create_topics({topic: {"num_partitions": 2}}))
    client = make_kafka(kafka.url)
    client.log(topic, {})
    with pytest.raises(BrokerError, match="partitions"):
        await client.start()


async def test_full_outbox_refuses_at_once(own_kafka: Start, topic: str, make_kafka: Make) -> None:
    """What was accepted before is written when the broker is back."""
    kafka = await own_kafka()
    client = make_kafka(kafka.url, max_outbox=100, max_outbox_bytes=1500)
    log = client.log(topic, client.options.log_settings())
    reader = Reader(log)
    await client.start()
    kafka.freeze()
    accepted = [log.append(None, [], b"") for _ in range(20)]
    refused(log, 2000)
    accepted += [log.append(None, [], b"") for _ in range(20)]
    refused(log, 1000)
    kafka.thaw()
    await gatherResults(accepted)
    await log.append(None, [], bytes(1000))
    await reader.count(41)


def refused(log: KafkaLog, size: int) -> None:
    with pytest.raises(BrokerUnavailable):
        log.append(None, [], bytes(size))


async def test_records_are_compressed(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Whoever reads them need not know."""
    client, reading = make_kafka(kafka.url, compression="gzip"), make_kafka(kafka.url)
    log = client.log(topic, client.options.log_settings())
    reader = Reader(reading.log(topic, {}))
    await client.start()
    await reading.start()
    await log.append(None, [], bytes(100_000))
    await reader.count(1)
    assert reader.values == [bytes(100_000)]


def test_compression_that_is_not_installed_is_refused(make_kafka: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is started, with what is to be installed."""
    monkeypatch.setattr(codec, "has_zstd", lambda: False)
    with pytest.raises(OptionError, match="pip install zstandard"):
        make_kafka("kafka://127.0.0.1:1", compression="zstd").start()


# Outages


async def test_kill_under_traffic_loses_repeats_and_reorders_nothing(
    own_kafka: Start, topic: str, make_kafka: Make
) -> None:
    """Two write and a third reads, all the time."""
    kafka = await own_kafka()
    clients = [make_kafka(kafka.url, **SHORT) for _ in range(3)]
    logs = [client.log(topic, client.options.log_settings()) for client in clients]
    reader = Reader(logs[2])
    await gatherResults([client.start() for client in clients])
    change = changes(clients[2])
    traffic = [Traffic(log, name) for log, name in zip(logs, "ab", strict=False)]
    await reader.count(300)
    await kafka.kill()
    assert await change() is False
    await kafka.start()
    read = len(reader.records)
    await reader.count(read + 300)
    await check(reader, traffic)


async def test_frozen_broker_is_noticed_and_nothing_is_lost(own_kafka: Start, topic: str, make_kafka: Make) -> None:
    """Longer than the request timeout, so that connections are given up meanwhile."""
    kafka = await own_kafka()
    clients = [make_kafka(kafka.url, request_timeout=1.0, liveness_timeout=4.0) for _ in range(2)]
    logs = [client.log(topic, client.options.log_settings()) for client in clients]
    reader = Reader(logs[1])
    await gatherResults([client.start() for client in clients])
    change = changes(clients[0])
    traffic = [Traffic(logs[0], "a")]
    await reader.count(100)
    kafka.freeze()
    assert await change() is False
    assert not clients[0].is_available
    back = change()
    kafka.thaw()
    assert await back is True
    await check(reader, traffic)


async def test_producer_that_has_died_is_replaced(own_kafka: Start, topic: str, make_kafka: Make) -> None:
    """kafka-python's stays silent for ever when it gives up what it has tried twice: ours gives it up in turn."""
    kafka = await own_kafka()
    clients = [make_kafka(kafka.url, request_timeout=1.0, liveness_timeout=6.0, delivery_timeout=2.5) for _ in range(2)]
    logs = [client.log(topic, client.options.log_settings()) for client in clients]
    reader = Reader(logs[1])
    await gatherResults([client.start() for client in clients])
    change = changes(clients[0])
    traffic = [Traffic(logs[0], "a")]
    await reader.count(100)
    kafka.freeze()
    assert await change() is False
    kafka.thaw()
    read = len(reader.records)
    await reader.count(read + 1000)
    await check(reader, traffic)


async def check(reader: Reader, traffic: list[Traffic]) -> None:
    """Whether all of it was read, once and in order."""
    expected = {each.name: await each.stop() for each in traffic}
    await reader.until(lambda: len(reader.records) >= sum(map(len, expected.values())))
    for name, values in expected.items():
        assert [value for value in reader.values if value and value.startswith(name.encode())] == values
    assert [record.offset for record in reader.records] == sorted({record.offset for record in reader.records})
    assert not reader.gaps


async def test_topic_that_is_created_again_is_another_log(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """It is said so, once, and reading goes on with the first record of the new one."""
    client = make_kafka(kafka.url)
    log = client.log(topic, client.options.log_settings())
    reader = Reader(log)
    await client.start()
    name = log.name
    await gatherResults([log.append(None, [], b"old") for _ in range(5)])
    await reader.count(5)
    await deferToThread(delete_and_create, kafka, topic)
    await reader.until(lambda: bool(reader.gaps))
    assert [(gap.expected, gap.found, gap.is_other_topic) for gap in reader.gaps] == [(5, 0, True)]
    assert log.name != name
    await log.append(None, [], b"new")
    await reader.count(6)
    assert reader.values[5:] == [b"new"]


# Starting and stopping


async def test_start_without_broker_fails_and_leaves_nothing(make_kafka: Make) -> None:
    """In time, with the address and without the password; it may be tried again."""
    client = make_kafka("kafka://alice:wonder@127.0.0.1:1/topic", start_timeout=0.5)
    client.log("topic", {})
    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1") as raised:
            await client.start()
        assert "wonder" not in str(raised.value)
        assert not await left_threads()


async def test_start_can_be_stopped(make_kafka: Make) -> None:
    """Nobody waits for a broker that does not come."""
    client = make_kafka("kafka://127.0.0.1:1/topic")
    client.log("topic", {})
    starting = client.start()
    await client.stop()
    with pytest.raises(BrokerUnavailable):
        await starting
    assert not await left_threads()


@pytest.mark.parametrize("harm", ["freeze", "kill"])
async def test_stop_with_dead_broker_leaves_nothing(own_kafka: Start, topic: str, make_kafka: Make, harm: str) -> None:
    """What is not written fails; whoever reads is told."""
    kafka = await own_kafka()
    client = make_kafka(kafka.url, **SHORT)
    log = client.log(topic, client.options.log_settings())
    await client.start()
    change = changes(client)
    if harm == "freeze":
        kafka.freeze()
    else:
        await kafka.kill()
    outcomes = [log.append(None, [], b"lost"), log.read(-1, 5, 10), log.ends(), log.ends(), log.latest()]
    assert await change() is False
    await client.stop()
    for outcome in outcomes:
        with pytest.raises(BrokerUnavailable):
            await outcome
    assert not await left_threads()


async def test_client_can_be_started_again(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """It goes on at the end of the log as it is then."""
    client = make_kafka(kafka.url)
    log = client.log(topic, client.options.log_settings())
    reader = Reader(log)
    for value in (b"one", b"two"):
        await client.start()
        await log.append(None, [], value)
        await client.stop()
        refused(log, 0)
    await client.start()
    await log.append(None, [], b"three")
    await reader.until(lambda: b"three" in reader.values)
    assert [record.offset for record in await log.read(-1, 2, 10)] == [0, 1, 2]


async def test_users_and_tls(own_kafka: Start, topic: str, make_kafka: Make) -> None:
    """With a user in the URL and a file of trusted certificates; a wrong password is an error at start."""
    kafka = await own_kafka(tls=True, users={"alice": "wonder/land"})
    files = {"ca_file": str(kafka.certificate), "check_hostname": False}
    client = make_kafka(kafka.url.replace("://", "://alice:wonder%2Fland@"), **files)
    log = client.log(topic, client.options.log_settings())
    reader = Reader(log)
    await client.start()
    await log.append(None, [], b"secret")
    await reader.count(1)
    stranger = make_kafka(kafka.url.replace("://", "://alice:guessed@"), start_timeout=3.0, **files)
    stranger.log(topic, {})
    with pytest.raises(BrokerUnavailable) as raised:
        await stranger.start()
    assert "guessed" not in str(raised.value)
