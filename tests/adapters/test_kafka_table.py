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
from txsocketio.adapters.kafka.reader import Record
from txsocketio.adapters.kafka.table import BASE, KafkaTable
from txsocketio.errors import BrokerUnavailable

pytestmark = pytest.mark.timeout(60)


def table(client: KafkaClient, topic: str, lifetime: float = 60.0, rows: int = 100, size: int = 10_000) -> KafkaTable:
    return KafkaTable(client, topic, lifetime, rows, size)


async def test_row_is_the_same_for_all(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Whoever asks gets what was written before, at once, also who comes later."""
    clients = [make_kafka(kafka.url) for _ in range(3)]
    one, two, late = (table(client, topic) for client in clients)
    await gatherResults([clients[0].start(), clients[1].start()])
    assert await one.get(b"key") is None
    assert await one.swap(b"key", None, b"\0A") == b"\0A"
    assert await two.get(b"key") == b"\0A"
    assert await two.swap(b"key", b"\0A", b"B") == b"B"
    assert await one.get(b"key") == b"B"
    await one.swap(b"gone", None, b"A")
    assert await two.get(b"gone") == b"A"
    assert await two.swap(b"gone", b"A", None) is None
    await clients[2].start()
    assert [await late.get(key) for key in (b"key", b"gone", b"never")] == [b"B", None, None]


async def test_swap_of_what_is_not_there_is_not_done(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """It tells what is there; what is there already counts as done."""
    client = make_kafka(kafka.url)
    rows = table(client, topic)
    await client.start()
    await rows.swap(b"key", None, b"A")
    assert await rows.swap(b"key", None, b"B") == b"A"
    assert await rows.swap(b"key", b"B", b"C") == b"A"
    assert await rows.swap(b"key", b"B", None) == b"A"
    assert await rows.swap(b"key", None, b"A") == b"A"
    assert await rows.swap(b"other", b"A", b"B") is None
    assert await rows.get(b"key") == b"A"


async def test_one_of_many_rivals_wins(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """All learn who it was, although none had read of the others when it wrote."""
    clients = [make_kafka(kafka.url) for _ in range(3)]
    tables = [table(client, topic) for client in clients]
    await gatherResults([client.start() for client in clients])
    for old in (None, b"winner"):
        rivals = [each.swap(b"key", old, f"{old!r}{n}".encode()) for n, each in enumerate(tables * 3)]
        told = await gatherResults(rivals)
        assert len(set(told)) == 1
        (winner,) = set(told)
        assert await tables[0].swap(b"key", winner, b"winner") == b"winner"
        await gatherResults([each.get(b"key") for each in tables])


async def test_rows_end(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Unless they are written once more; it is the same for who starts later."""
    clients = [make_kafka(kafka.url) for _ in range(2)]
    rows, late = (table(client, topic, lifetime=1.0) for client in clients)
    await clients[0].start()
    await rows.swap(b"ends", None, b"A")
    await rows.swap(b"stays", None, b"A")
    for _ in range(3):
        await deferLater(reactor, 0.5)
        assert await rows.swap(b"stays", b"A", b"A") == b"A"
    await clients[1].start()
    for each in (rows, late):
        assert (await each.get(b"stays"), await each.get(b"ends")) == (b"A", None)
    assert await late.swap(b"ends", None, b"B") == b"B"


async def test_oldest_rows_are_forgotten(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """There is room for so many, and so many bytes."""
    clients = [make_kafka(kafka.url) for _ in range(3)]
    rows, few, small = table(clients[0], topic), table(clients[1], topic, rows=2), table(clients[2], topic, size=25)
    await clients[0].start()
    for key in (b"a", b"b", b"c"):
        await rows.swap(key, None, b"0123456789")
    await rows.swap(b"a", b"0123456789", b"0123456789")
    await gatherResults([clients[1].start(), clients[2].start()])
    for each in (few, small):
        assert [await each.get(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


async def test_nobody_waits_for_a_broker_that_is_away(own_kafka: Start, topic: str, make_kafka: Make) -> None:
    """What is on its way fails when that is noticed, and what is asked later at once."""
    kafka = await own_kafka()
    client = make_kafka(kafka.url, **SHORT)
    rows = table(client, topic)
    await client.start()
    noticed: Deferred[None] = Deferred()
    client.on_available = lambda is_available: None if is_available else noticed.callback(None)
    kafka.freeze()
    swap = rows.swap(b"key", None, b"A")
    await noticed
    rows.lost()
    for outcome in (swap, rows.swap(b"key", None, b"B"), rows.get(b"key")):
        with pytest.raises(BrokerUnavailable):
            await outcome


async def test_topic_that_is_created_again_is_empty(kafka: KafkaServer, topic: str, make_kafka: Make) -> None:
    """Whoever has the rows is told, and can write them again."""
    client = make_kafka(kafka.url)
    rows = table(client, topic)
    lost: Deferred[None] = Deferred()
    rows.on_lost = lambda: lost.callback(None)
    await client.start()
    await rows.swap(b"key", None, b"A")
    await deferToThread(delete_and_create, kafka, topic)
    await lost
    assert await rows.get(b"key") is None
    assert await rows.swap(b"key", None, b"A") == b"A"


# What compaction leaves of the history of a row. A record is its position, its base and its value.

History = list[tuple[int, int, bytes | None]]

#: The swap at 2 was lost against that at 1, and the one at 4 against that at 3.
HISTORY: History = [(0, 0, b"A"), (1, 1, b"B"), (2, 1, b"lost"), (3, 2, b"C"), (4, 2, None), (5, 4, b"D")]


def read(history: History) -> KafkaTable:
    rows = table(KafkaClientDouble(), "topic")  # type: ignore[arg-type]
    headers = [[(BASE, base.to_bytes(8, "big"))] for _, base, _ in history]
    rows._read([Record(each[0], b"key", head, each[2], 0.0) for each, head in zip(history, headers, strict=True)])
    return rows


class KafkaClientDouble:
    """Never connected."""

    class options:
        table_settings = staticmethod(lambda lifetime: {})

    class reactor:
        seconds = staticmethod(lambda: 0.0)

    class log:
        written = 0

        def __init__(self, *_: object, **__: object) -> None: ...

        number_of = staticmethod(lambda record: 0)


def value(rows: KafkaTable) -> bytes | None:
    return rows._value(b"key")


@pytest.mark.parametrize(("length", "expected"), [(1, b"A"), (2, b"B"), (3, b"B"), (4, b"C"), (5, b"C"), (6, b"D")])
def test_late_swaps_are_lost(length: int, expected: bytes) -> None:
    """Whoever reads everything sees the same after each record."""
    assert value(read(HISTORY[:length])) == expected


@pytest.mark.parametrize("start", range(6))
def test_all_are_of_one_mind_in_the_end(start: int) -> None:
    """Also who began to read where an earlier record, or only a lost one, was left."""
    assert value(read(HISTORY[start:])) == b"D"


def test_late_swap_does_not_bring_back_what_was_deleted() -> None:
    """A node that had not heard that the client was gone."""
    assert value(read([(0, 0, b"A"), (1, 1, None), (2, 1, b"late")])) is None
    assert value(read([(1, 1, None), (2, 1, b"late")])) is None


def test_row_that_was_written_behind_the_end_of_its_topic_can_be_swapped() -> None:
    """The topic was created again while a swap was on its way: its base is of another time."""
    assert value(read([(0, 7, b"A"), (1, 8, b"B")])) == b"B"


def test_records_of_strangers_are_passed_over() -> None:
    """Somebody has written to the topic by hand."""
    rows = read([(0, 0, b"A")])
    rows._read([Record(1, None, [], b"", 0.0), Record(2, b"key", [], b"B", 0.0)])
    assert value(rows) == b"A"
