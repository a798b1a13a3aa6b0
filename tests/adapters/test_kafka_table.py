"""The table in Kafka: all nodes decide alike whose swap was done."""

from __future__ import annotations

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.adapters.kafka_clients import SHORT, Make, Start, delete_and_create
from tests.brokers.kafka import KafkaServer
from txsocketio.adapters.kafka.client import KafkaClient
from txsocketio.adapters.kafka.table import KafkaTable
from txsocketio.errors import BrokerUnavailable

pytestmark = pytest.mark.timeout(60)


def table(client: KafkaClient, topic: str, lifetime: float = 60.0, rows: int = 100, size: int = 10_000) -> KafkaTable:
    return KafkaTable(client, topic, lifetime, rows, size)


async def test_row_is_the_same_for_all(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Whoever asks gets what was written before, at once, also who comes later."""
    clients = [make_kafka(kafka.url) for _ in range(3)]
    one, two, late = (table(client, topic) for client in clients)
    await gatherResults([clients[0].start(), clients[1].start()])
    assert await one.get("key") is None
    assert await one.swap("key", None, b"\0A") == b"\0A"
    assert await two.get("key") == b"\0A"
    assert await two.swap("key", b"\0A", b"B") == b"B"
    assert await one.get("key") == b"B"
    await one.swap("gone", None, b"A")
    assert await two.get("gone") == b"A"
    assert await two.swap("gone", b"A", None) is None
    await clients[2].start()
    assert [await late.get(key) for key in ("key", "gone", "never")] == [b"B", None, None]


async def test_swap_of_what_is_not_there_is_not_done(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """It tells what is there; what is there already counts as done."""
    client = make_kafka(kafka.url)
    rows = table(client, topic)
    await client.start()
    await rows.swap("key", None, b"A")
    assert await rows.swap("key", None, b"B") == b"A"
    assert await rows.swap("key", b"B", b"C") == b"A"
    assert await rows.swap("key", b"B", None) == b"A"
    assert await rows.swap("key", None, b"A") == b"A"
    assert await rows.swap("other", b"A", b"B") is None
    assert await rows.get("key") == b"A"


async def test_one_of_many_rivals_wins(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """All learn who it was, although none had read of the others when it wrote."""
    clients = [make_kafka(kafka.url) for _ in range(3)]
    tables = [table(client, topic) for client in clients]
    await gatherResults([client.start() for client in clients])
    for old in (None, b"winner"):
        rivals = [each.swap("key", old, f"{old!r}{n}".encode()) for n, each in enumerate(tables * 3)]
        told = await gatherResults(rivals)
        assert len(set(told)) == 1
        (winner,) = set(told)
        assert await tables[0].swap("key", winner, b"winner") == b"winner"
        await gatherResults([each.get("key") for each in tables])


async def test_rows_end(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Unless they are written once more; it is the same for who starts later."""
    clients = [make_kafka(kafka.url) for _ in range(2)]
    rows, late = (table(client, topic, lifetime=1.0) for client in clients)
    await clients[0].start()
    await rows.swap("ends", None, b"A")
    await rows.swap("stays", None, b"A")
    for _ in range(3):
        await deferLater(reactor, 0.5)
        assert await rows.swap("stays", b"A", b"A") == b"A"
    await clients[1].start()
    for each in (rows, late):
        assert (await each.get("stays"), await each.get("ends")) == (b"A", None)
    assert await late.swap("ends", None, b"B") == b"B"


async def test_oldest_rows_are_forgotten(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """There is room for so many, and so many bytes."""
    clients = [make_kafka(kafka.url) for _ in range(3)]
    rows, few, small = table(clients[0], topic), table(clients[1], topic, rows=2), table(clients[2], topic, size=25)
    await clients[0].start()
    for key in ("a", "b", "c"):
        await rows.swap(key, None, b"0123456789")
    await rows.swap("a", b"0123456789", b"0123456789")
    await gatherResults([clients[1].start(), clients[2].start()])
    for each in (few, small):
        assert [await each.get(key) is not None for key in ("a", "b", "c")] == [True, False, True]


async def test_nobody_waits_for_a_broker_that_is_away(own_kafka: Start, topic: str, make_kafka: Make) -> None:
    """What is on its way fails when that is noticed, and what is asked later at once."""
    kafka = await own_kafka()
    client = make_kafka(kafka.url, **SHORT)
    rows = table(client, topic)
    await client.start()
    noticed: Deferred[None] = Deferred()
    client.on_available = lambda is_available: None if is_available else noticed.callback(None)
    kafka.freeze()
    swap = rows.swap("key", None, b"A")
    await noticed
    rows.lost()
    for outcome in (swap, rows.swap("key", None, b"B"), rows.get("key")):
        with pytest.raises(BrokerUnavailable):
            await outcome


async def test_topic_that_is_created_again_is_empty(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Whoever has the rows is told, and can write them again."""
    client = make_kafka(kafka.url)
    rows = table(client, topic)
    lost: Deferred[None] = Deferred()
    rows.on_lost = lambda: lost.callback(None)
    await client.start()
    await rows.swap("key", None, b"A")
    await deferToThread(delete_and_create, kafka, topic)
    await lost
    assert await rows.get("key") is None
    assert await rows.swap("key", None, b"A") == b"A"


async def test_records_of_strangers_are_passed_over(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Somebody has written to the topic by hand."""
    client = make_kafka(kafka.url)
    rows = table(client, topic)
    await client.start()
    await rows.swap("key", None, b"A")
    log = rows._log
    await gatherResults([log.append(*each) for each in ((b"key", [], b"B"), (b"\xff", [("b", b"")], b""))])
    assert await rows.get("key") == b"A"
