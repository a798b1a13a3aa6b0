"""Tables that all nodes share, over a real RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred, gatherResults

from tests.adapters.rabbitmq_nodes import QUICK, Node, Nodes, Start, until
from tests.brokers.rabbitmq import RabbitMQServer
from txsocketio.errors import BrokerUnavailable

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    made = Nodes()
    yield made
    blockon(Deferred.fromCoroutine(made.stop()))


async def sharing(nodes: Nodes, url: str, lifetime: float = 60.0, **options: object) -> Node:
    node = nodes.make(url, **{**QUICK, **options}).share(lifetime)
    await node.start()
    return node


async def test_one_of_several_swaps_is_done(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """All nodes are told the same, which of them it was."""
    a, b, c = [await sharing(nodes, rabbitmq.url) for _ in range(3)]
    done = await a.table.swap("key", None, b"0")
    await b.table.stream.latest()
    await c.table.stream.latest()
    for turn in range(20):
        swaps = [node.table.swap("key", done, b"%d by %d" % (turn, n)) for n, node in enumerate((a, b, c))]
        results = await gatherResults(swaps)
        done = results[0]
        assert results == [done] * 3
        assert done.startswith(b"%d by" % turn)
        await gatherResults([node.table.stream.latest() for node in (a, b, c)])
    assert await c.table.swap("key", b"0", b"late") == done
    assert await c.table.swap("key", b"old", done) == done, "a swap that was done is done"


async def test_a_node_that_starts_knows_all_rows(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Those that were deleted are not there, and do not come back by a late swap."""
    a = await sharing(nodes, rabbitmq.url)
    await gatherResults([a.table.swap(f"key{number}", None, b"%d" % number) for number in range(1000)])
    await a.table.swap("key7", b"7", None)
    b = await sharing(nodes, rabbitmq.url)
    assert [await b.table.get(f"key{number}") for number in (0, 7, 8, 999, 1000)] == [b"0", None, b"8", b"999", None]
    assert await b.table.swap("key7", b"7", b"late") is None


async def test_a_row_that_is_there_is_found_everywhere(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Who asks for a row that it does not know of reads the table to its end first."""
    a, b = [await sharing(nodes, rabbitmq.url) for _ in range(2)]
    for number in range(50):
        await a.table.swap(f"key{number}", None, b"row")
        assert await b.table.get(f"key{number}") == b"row"


async def test_rows_have_their_time(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Who wants one longer swaps it for itself."""
    node = await sharing(nodes, rabbitmq.url, lifetime=1.5)
    await gatherResults([node.table.swap("kept", None, b"1"), node.table.swap("left", None, b"1")])
    while await node.table.get("left"):
        assert await node.table.swap("kept", b"1", b"1") == b"1"
    assert await node.table.get("kept") == b"1"


async def test_a_table_is_bounded(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """In rows and bytes; the oldest go first."""
    a = await sharing(nodes, rabbitmq.url, max_sessions=10)
    await gatherResults([a.table.swap(f"{number}", None, b"") for number in range(20)])
    assert len(a.table) == 10
    b = await sharing(nodes, rabbitmq.url, max_sessions_bytes=50_000)
    await gatherResults([b.table.swap(f"b{number}", None, bytes(4_000)) for number in range(20)])
    assert len(b.table) == 12
    assert await b.table.get("b19")


async def test_swaps_fail_when_the_broker_is_away(own_rabbitmq: Start, nodes: Nodes) -> None:
    """At once; what is known can be read, and everything is there again when it is back."""
    broker = await own_rabbitmq()
    node = await sharing(nodes, broker.url)
    await node.table.swap("key", None, b"0")
    broker.freeze()
    swap = node.table.swap("key", b"0", b"1")
    with pytest.raises(BrokerUnavailable):
        await swap
    with pytest.raises(BrokerUnavailable):
        await node.table.swap("key", b"0", b"2")
    with pytest.raises(BrokerUnavailable):
        await node.table.get("unknown")
    assert await node.table.get("key") == b"0"
    broker.thaw()
    await until(lambda: node.is_available)
    assert await node.table.swap("key", b"0", b"1") == b"1"


async def test_a_deleted_table_is_told(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Its rows are gone on all nodes, and have to be stored again."""
    node = await sharing(nodes, rabbitmq.url)
    lost: list[bool] = []
    node.table.on_lost = lambda: lost.append(True)
    await node.table.swap("key", None, b"0")
    await node._channel.call("queue_delete", queue=f"{nodes.prefix}.table")
    await until(lambda: lost and node.is_available)
    assert await node.table.get("key") is None
    assert await node.table.swap("key", None, b"0") == b"0"


async def test_records_of_strangers_are_passed_over(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Somebody has written to the stream by hand; what comes behind is read all the same."""
    node = await sharing(nodes, rabbitmq.url)
    whole = {"key": "key", "base": 9, "time": 0, "deleted": False, "swap": "one"}
    for headers in ({"key": "key"}, {**whole, "base": "9"}, {**whole, "key": 7}):
        await node.table.stream.append(b"stranger", headers)
    assert await node.table.swap("key", None, b"A") == b"A"
