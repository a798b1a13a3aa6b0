"""What servers joined by RabbitMQ promise besides the contract: outages, and routing by rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.adapters.rabbitmq_nodes import QUICK, Start
from tests.brokers.rabbitmq import RabbitMQServer
from tests.contract.cluster import Client, Cluster, Node, silence, until_all_know
from tests.contract.kinds import RECOVERY, Kind, of_rabbitmq
from txsocketio.cluster.keeper import STORE_TIMEOUT
from txsocketio.errors import BrokerError, BrokerUnavailable
from txsocketio.types import Json

pytestmark = pytest.mark.timeout(120)

Nodes = tuple[Node, Node, Node]
Join = Callable[..., Awaitable[Nodes]]


@pytest_twisted.async_yield_fixture
async def join() -> AsyncIterator[Join]:
    """Starts three nodes."""
    clusters: list[Cluster] = []

    async def start(broker: RabbitMQServer, recovery: bool = False, **options: object) -> Nodes:
        adapter = of_rabbitmq(**{**QUICK, "heartbeat_interval": 0.5, "heartbeat_timeout": 3.0, **options})
        clusters.append(Cluster(Kind("", adapter, options=RECOVERY if recovery else {}), broker))
        return await clusters[-1].start(), await clusters[-1].start(), await clusters[-1].start()

    yield start
    for cluster in clusters:
        await cluster.stop()


async def until(fact: Callable[[], Json]) -> None:
    """Longer than the contract waits: RabbitMQ takes its time to start."""
    while not fact():
        await deferLater(reactor, 0.01)


def numbers(client: Client) -> list[int]:
    return [number for (number,) in client.named("n")]


async def under_traffic(nodes: Nodes, harm: Callable[[], Awaitable[object]]) -> list[Client]:
    """Clients of the third node, after two nodes have sent numbered events, even ones and odd ones, during the harm."""
    clients = [await nodes[2].client() for _ in range(2)]
    emitted: list[Deferred[None]] = []
    harming = None
    for number in range(1000):
        emitted.append(nodes[number % 2].io.emit("n", number))
        if number == 300:
            harming = Deferred.fromCoroutine(harm())
        await deferLater(reactor, 0.002)
    await harming
    await gatherResults(emitted)
    await nodes[0].io.emit("end")
    await until(lambda: all(client.named("end") for client in clients))
    return clients


async def kill(broker: RabbitMQServer) -> None:
    await broker.kill()
    await broker.start()


async def freeze(broker: RabbitMQServer) -> None:
    broker.freeze()
    await deferLater(reactor, 5)
    broker.thaw()


@pytest.mark.parametrize("harm", [kill, freeze])
async def test_log_loses_and_repeats_nothing_in_an_outage(own_rabbitmq: Start, join: Join, harm: Callable) -> None:
    """With recovery, each client gets everything once, in one order on all nodes."""
    broker = await own_rabbitmq()
    nodes = await join(broker, recovery=True)
    await broker.settled()
    for client in await under_traffic(nodes, lambda: harm(broker)):
        assert sorted(numbers(client)) == [*range(1000)]
        assert [n for n in numbers(client) if not n % 2] == [*range(0, 1000, 2)]
        assert client.is_open


@pytest.mark.parametrize("harm", [kill, freeze])
async def test_plain_operation_keeps_the_order_in_an_outage(own_rabbitmq: Start, join: Join, harm: Callable) -> None:
    """What is under way may be lost to a node that is not connected; nothing comes twice, or out of order."""
    broker = await own_rabbitmq()
    nodes = await join(broker)
    for client in await under_traffic(nodes, lambda: harm(broker)):
        for own in (0, 1):
            got = [n for n in numbers(client) if n % 2 == own]
            assert got == sorted(set(got))
            assert got[:100] == [*range(own, 200, 2)]


async def test_requests_fail_fast_and_work_again(own_rabbitmq: Start, join: Join) -> None:
    """Soon after the broker is back all nodes know each other again."""
    broker = await own_rabbitmq()
    nodes = await join(broker)
    await broker.kill()
    await until(lambda: not any(node.io.broker.is_available for node in nodes))
    with pytest.raises(BrokerUnavailable):
        await nodes[0].io.fetch_sockets()
    await broker.start()
    await until(lambda: all(node.io.broker.is_available for node in nodes))
    await until_all_know([*nodes])
    client = await nodes[1].client()
    assert [socket.id for socket in await nodes[0].io.fetch_sockets()] == [client.id]


async def test_a_deleted_log_ends_connections(rabbitmq: RabbitMQServer, join: Join) -> None:
    """What it held is gone: clients come back as new ones, and their applications see that."""
    nodes = await join(rabbitmq, recovery=True)
    client = await nodes[0].client("room")
    await nodes[1].io.emit("n", 1)
    await until(lambda: numbers(client) == [1])
    broker = nodes[0].io.broker
    await broker.client._channel.call("queue_delete", queue=f"{broker.options.prefix}.events")
    await until(lambda: client.ended)
    await until(lambda: all(node.io.broker.is_available for node in nodes))
    again = await client.back(nodes[1])
    assert again.id != client.id
    await nodes[2].io.emit("n", 2)
    await until(lambda: numbers(again) == [1, 2])


async def test_offsets_name_their_log(rabbitmq: RabbitMQServer, join: Join) -> None:
    """One of another log, of the future or of nowhere restores nobody."""
    nodes = await join(rabbitmq, recovery=True)
    client = await nodes[0].client()
    await nodes[1].io.emit("n", 1)
    await until(lambda: numbers(client) == [1])
    log, _, position = client.offset.rpartition("-")
    assert log == nodes[0].io.broker.events.identity == nodes[2].io.broker.events.identity
    client.cut()
    for offset in (f"ffffffff-{position}", f"{log}-999999", position, f"{log}--1", ""):
        client.offset = offset
        assert (await client.back(nodes[1])).id != client.id


@pytest.mark.parametrize("recovery", [False, True])
async def test_an_event_that_is_never_taken_fails(own_rabbitmq: Start, join: Join, recovery: bool) -> None:
    """RabbitMQ takes less than we were told: the application hears of it, it is counted, and other events arrive."""
    nodes = await join(await own_rabbitmq("max_message_size = 50000"), recovery)
    client = await nodes[2].client()
    emitted = [nodes[0].io.emit("n", number, "x" * (60_000 if number == 5 else 10)) for number in range(10)]
    for number, each in enumerate(emitted):
        if number == 5:
            with pytest.raises(BrokerError, match="larger than"):
                await each
        else:
            await each
    await nodes[1].io.emit("end")
    await until(lambda: client.named("end"))
    assert nodes[0].io.broker.given_up == 1
    if recovery:
        assert [number for number, _ in client.named("n")] == [0, 1, 2, 3, 4, 6, 7, 8, 9]


async def test_clients_come_and_come_back_in_an_alarm(own_rabbitmq: Start, join: Join) -> None:
    """Without memory RabbitMQ stores no session: who is new waits a moment, who comes back until there is some."""
    broker = await own_rabbitmq()
    nodes = await join(broker, recovery=True)
    client = await nodes[0].client()
    await nodes[1].io.emit("n", 1)
    await until(lambda: numbers(client) == [1])
    await broker.ctl("set_vm_memory_high_watermark", "absolute", "1")
    await until(lambda: not any(node.io.broker.is_available for node in nodes))
    client.cut()
    coming = Deferred.fromCoroutine(client.back(nodes[1]))
    begun = reactor.seconds()
    new = await nodes[2].client()
    assert reactor.seconds() - begun < 2 * STORE_TIMEOUT
    emitted = [node.io.emit("n", number) for number, node in enumerate(nodes, 2)]
    assert not coming.called
    await broker.ctl("set_vm_memory_high_watermark", "0.4")
    again = await coming
    assert again.id == client.id
    await gatherResults(emitted)
    await until(lambda: len(numbers(again)) == 4 and len(numbers(new)) == 3)
    assert numbers(again) == [1, *numbers(new)]
    new.cut()
    assert (await new.back(nodes[0])).id == new.id


# Routing by rooms


async def test_only_nodes_with_members_get_a_broadcast(rabbitmq: RabbitMQServer, join: Join) -> None:
    """In whichever of its rooms; they get it once. Rooms that are left are forgotten."""
    nodes = await join(rabbitmq, room_routing=True)
    received: list[tuple[int, str]] = []
    for index, node in enumerate(nodes):
        take = node.io.broker.client.on_message
        node.io.broker.client.on_message = lambda headers, key, body, index=index, take=take: (
            received.append((index, key)) if key != "all" else None,
            take(headers, key, body),
        )
    one, two = await nodes[1].client("a", "b"), await nodes[2].client("c")
    await deferLater(reactor, 0.5)
    await nodes[0].io.to("a").to("b").emit("n", 1)
    await nodes[0].io.to("c").emit("n", 2)
    await nodes[0].io.to("d").emit("n", 3)
    await nodes[0].io.emit("n", 4)
    await until(lambda: numbers(one) == [1, 4] and numbers(two) == [2, 4])
    assert [index for index, _ in received] == [1, 2]
    two.socket.leave("c")
    await deferLater(reactor, 0.5)
    await nodes[0].io.to("c").emit("n", 5)
    await nodes[0].io.emit("n", 6)
    await until(lambda: numbers(two) == [2, 4, 6])
    assert len(received) == 2


async def test_sockets_that_are_told_to_join_get_what_follows(rabbitmq: RabbitMQServer, join: Join) -> None:
    """Their node has not bound the room yet."""
    nodes = await join(rabbitmq, room_routing=True)
    client = await nodes[1].client()
    for room in range(20):
        nodes[0].io.sockets_join(f"room {room}")
        nodes[0].io.to(f"room {room}").emit("n", room)
        nodes[0].io.to(client.id).emit("n", room + 100)
    await until(lambda: len(numbers(client)) == 40)
    await silence()
    assert numbers(client) == [number for room in range(20) for number in (room, room + 100)]


async def test_rooms_are_bound_again_after_an_outage(own_rabbitmq: Start, join: Join) -> None:
    """Thousands of them within the time for all that is declared."""
    broker = await own_rabbitmq()
    nodes = await join(broker, room_routing=True)
    client = await nodes[1].client(*(f"room {number}" for number in range(2000)))
    await broker.restart()
    await until(lambda: all(node.io.broker.outages and node.io.broker.is_available for node in nodes))
    await nodes[0].io.to("room 0").emit("n", 0)
    await nodes[0].io.to("room 1999").emit("n", 1999)
    await until(lambda: numbers(client) == [0, 1999])
