"""Streams of a real RabbitMQ as logs, and the tables made of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.adapters.rabbitmq_nodes import QUICK, Node, Nodes, Start, until
from tests.brokers.rabbitmq import RabbitMQServer
from tests.conftest import ROOT
from txsocketio.adapters.rabbitmq import client
from txsocketio.adapters.rabbitmq.history import RecordsGone
from txsocketio.errors import BrokerUnavailable

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    made = Nodes()
    yield made
    blockon(Deferred.fromCoroutine(made.stop()))


async def following(nodes: Nodes, url: str, **options: object) -> Node:
    """A node with a log, from the end as of now."""
    node = nodes.make(url, **{**QUICK, **options}).follow()
    await node.start()
    return node


async def append(node: Node, numbers: range) -> None:
    await gatherResults([node.log.append(b"%d" % number) for number in numbers])


async def test_all_nodes_read_the_same(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Records of several nodes in one order, with offsets that grow; binary and headers as they were."""
    a, b, c = [await following(nodes, rabbitmq.url) for _ in range(3)]
    bodies = [b"", bytes(range(256)), b"x" * 1_000_000, *(b"%d" % number for number in range(2000))]
    appended = [(a, b)[number % 2].log.append(body, {"n": number}) for number, body in enumerate(bodies)]
    await gatherResults(appended)
    await until(lambda: len(a.records) == len(b.records) == len(c.records) == len(bodies))
    assert a.records == b.records == c.records
    assert a.log.identity == b.log.identity == c.log.identity != ""
    offsets = [record.offset for record in c.records]
    assert offsets == sorted(set(offsets))
    assert {record.headers["n"]: record.body for record in c.records} == dict(enumerate(bodies))


async def test_a_node_begins_at_the_end(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """It knows which position that is, gets everything behind, and can read what was before."""
    a = await following(nodes, rabbitmq.url)
    await append(a, range(100))
    b = await following(nodes, rabbitmq.url)
    begin = b.log.progress.position
    await append(a, range(100, 200))
    await until(lambda: len(b.records) == 100)
    assert b.numbers == [*range(100, 200)]
    before = await b.log.read(a.records[0].offset - 1, begin, 1000)
    assert before == a.records[:100]
    assert await b.log.read(a.records[9].offset, a.records[-1].offset, 5) == a.records[10:15]
    assert await b.log.read(begin, begin, 5) == []
    assert await b.log.first() == 0


async def test_a_log_outlives_a_killed_broker(own_rabbitmq: Start, nodes: Nodes) -> None:
    """Under traffic of two nodes to a third: nothing is lost, repeated or out of order."""
    broker = await own_rabbitmq()
    a, b, c = [await following(nodes, broker.url) for _ in range(3)]
    await broker.settled()
    appended = []
    for number in range(1500):
        appended += [a.log.append(b"%d" % (2 * number)), b.log.append(b"%d" % (2 * number + 1))]
        if number == 700:
            await broker.kill()
            restarted = Deferred.fromCoroutine(broker.start())
        await deferLater(reactor, 0.001)
    await restarted
    await gatherResults(appended)
    await until(lambda: len(c.records) >= 3000 and len(a.records) >= 3000)
    assert sorted(c.numbers) == [*range(3000)]
    assert [n for n in c.numbers if not n % 2] == [*range(0, 3000, 2)]
    assert [n for n in c.numbers if n % 2] == [*range(1, 3000, 2)]
    assert a.records == c.records
    assert not c.resets
    assert await c.log.read(c.records[0].offset - 1, c.log.progress.position, 10_000) == c.records


async def test_a_log_outlives_a_frozen_broker(own_rabbitmq: Start, nodes: Nodes) -> None:
    """What was written before comes once, although it was written again."""
    broker = await own_rabbitmq()
    a, b = [await following(nodes, broker.url) for _ in range(2)]
    first = a.log.append(b"0")
    broker.freeze()
    appended = [a.log.append(b"%d" % number) for number in range(1, 1000)]
    await until(lambda: not (a.is_available or b.is_available))
    with pytest.raises(BrokerUnavailable):
        await b.log.first()
    await deferLater(reactor, 3)
    broker.thaw()
    await gatherResults([first, *appended])
    await until(lambda: len(b.records) >= 1000)
    assert b.numbers == [*range(1000)]
    assert not b.resets


async def test_a_stream_made_anew_is_another_log(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Its offsets begin again: that is told before its first record, and what waits goes there."""
    a, b = [await following(nodes, rabbitmq.url) for _ in range(2)]
    await append(a, range(100))
    await until(lambda: len(b.records) == 100)
    old = b.log.identity
    await a._channel.call("queue_delete", queue=f"{nodes.prefix}.log")
    await append(a, range(100, 300))
    await until(lambda: len(b.records) == 300)
    assert b.resets == 1
    assert b.log.identity == a.log.identity != old
    assert b.numbers[100:] == [*range(100, 300)]
    assert b.records[100].offset < b.records[99].offset


async def test_old_records_go(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Segment by segment; who asks for them is told, the name of the log stays."""
    settings = {"log_max_bytes": 1_000_000, "log_segment_bytes": 200_000}
    a = await following(nodes, rabbitmq.url, **settings)
    for part in range(30):
        await gatherResults([a.log.append(b"%d" % (part * 10 + number) + b" " * 10_000) for number in range(10)])
    first = await a.log.first()
    assert first > 0
    with pytest.raises(RecordsGone):
        await a.log.read(0, a.log.progress.position, 10)
    b = await following(nodes, rabbitmq.url, **settings)
    assert b.log.identity == a.log.identity
    assert b.log.progress.position >= a.records[-1].offset


async def test_settings_of_a_stream_stay(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """A node that was told others uses it as it is."""
    await following(nodes, rabbitmq.url)
    b = await following(nodes, rabbitmq.url, log_max_age=60.0)
    await append(b, range(10))


async def test_who_missed_too_much_is_told(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """A node that was away while its next record went."""
    settings = {"log_max_bytes": 500_000, "log_segment_bytes": 100_000}
    a, b = [await following(nodes, rabbitmq.url, **settings) for _ in range(2)]
    await append(a, range(10))
    await until(lambda: len(b.records) == 10)
    await b.stop()
    for _ in range(30):
        await gatherResults([a.log.append(b"11" + b" " * 10_000) for _ in range(10)])
    await b.start()
    await until(lambda: b.log.progress.position >= a.log.progress.position > 0)
    assert b.resets == 1
    assert b.log.identity == a.log.identity


async def written_twice(node: Node, *others: Node) -> int:
    """Have the node append 1, and once more behind 600 others, as the confirmation was lost; where it first is."""
    node._connection.transport.pauseProducing()
    appended = node.log.append(b"1")
    await until(lambda: all(other.records for other in others))
    await append(others[0], range(2, 602))
    node._connection.abort()
    await appended
    return others[0].records[0].offset


async def test_a_repeat_comes_to_nobody(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Also not to a node that has begun to read between the two."""
    a, b = [await following(nodes, rabbitmq.url) for _ in range(2)]
    a._connection.transport.pauseProducing()
    appended = a.log.append(b"1")
    await until(lambda: b.records)
    c = await following(nodes, rabbitmq.url)
    a._connection.abort()
    await appended
    await append(a, range(2, 4))
    await until(lambda: b.numbers == [1, 2, 3])
    await until(lambda: c.numbers[-1:] == [3])
    assert c.numbers == [2, 3]


async def test_a_repeat_is_not_read_again(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """By a node that has seen neither of the two, for a client that has had the first; who had none gets it once."""
    a, b = [await following(nodes, rabbitmq.url) for _ in range(2)]
    first = await written_twice(a, b)
    await append(b, range(602, 1300))
    c = await following(nodes, rabbitmq.url)
    end = c.log.progress.position
    assert not c.records
    for node in (a, b, c):
        behind = [int(record.body) for record in await node.log.read(first, end, 2000)]
        assert behind == [*range(2, 1300)]
        whole = [int(record.body) for record in await node.log.read(first - 1, end, 2000)]
        assert whole == [*range(1, 1300)]


@pytest.mark.timeout(180)
async def test_a_log_that_was_cut_off_goes_on(own_rabbitmq: Start, nodes: Nodes) -> None:
    """The machine of the broker lost its power, and RabbitMQ its latest records: that is told, the next ones come."""
    broker = await own_rabbitmq()
    a, b = [await following(nodes, broker.url) for _ in range(2)]
    await append(a, range(10))
    await broker.stop()
    shutil.copytree(broker.folder / "data", broker.folder / "older")
    await broker.start()
    await append(a, range(10, 500))
    await until(lambda: len(b.records) == 500)
    await broker.stop()
    shutil.rmtree(broker.folder / "data")
    (broker.folder / "older").rename(broker.folder / "data")
    await broker.start()
    await append(a, range(500, 510))
    await until(lambda: b.numbers[-1] == 509)
    assert b.numbers == [*range(510)]
    assert a.resets == b.resets == 1
    assert b.log.progress.position < 500


#: What the manual tells an operator to do.
REMEDY = ROOT / "docs" / "examples" / "rabbitmq-lost-stream.sh"


@pytest.mark.timeout(180)
async def test_a_stream_that_the_broker_has_lost_can_be_made_again(
    own_rabbitmq: Start, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it may after a kill: that is logged once, and all goes on when an operator has done what the manual says."""
    told: list[str] = []
    monkeypatch.setattr(client.log, "warn", lambda text, **fields: told.append(text.format(**fields)))
    broker = await own_rabbitmq()
    a, b = [await following(nodes, broker.url) for _ in range(2)]
    await append(a, range(10))
    await until(lambda: len(b.records) == 10)
    await broker.kill()
    broker.coordinators.unlink()
    await broker.start()
    appended = [a.log.append(b"%d" % number) for number in range(10, 20)]
    await until(lambda: sum("down or inaccessible" in line for line in told) == 2)
    await deferLater(reactor, 2)
    assert sum("down or inaccessible" in line for line in told) == 2
    assert not any(each.called for each in appended)
    command = re.search(r'eval "(.*)"$', REMEDY.read_text(), re.MULTILINE)[1].replace('\\"', '"')
    assert await broker.ctl("eval", command.replace("$stream", f"{nodes.prefix}.log")) == "ok"
    await gatherResults(appended)
    await until(lambda: len(b.records) >= 20)
    assert b.numbers == [*range(20)]
    assert a.resets == b.resets == 1
