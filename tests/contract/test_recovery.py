"""What every adapter promises whose broker keeps a log: clients that were cut off come back, to any node."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.contract.cluster import Client, Cluster, Node, silence, until, within
from txsocketio import ConnectionRefused, Socket
from txsocketio.types import Json

Nodes = tuple[Node, Node, Node]

#: Numbers the runs of chance; a failure is told with it.
SEED = 20


async def missed(nodes: Sequence[Node], *numbers: int) -> None:
    """Emit numbered events, from one node after the other."""
    for number in numbers:
        await nodes[number % len(nodes)].io.emit("n", number)


def numbers(client: Client) -> list[int]:
    return [number for (number,) in client.named("n")]


async def test_client_comes_back_to_any_node(nodes: Nodes) -> None:
    """As the same socket, with its rooms, its data and what it has missed, right behind the reply."""
    client = await nodes[0].client("room")
    client.socket.data["name"] = "ann"
    await missed(nodes, 0, 1)
    await until(lambda: numbers(client) == [0, 1])
    for turn, node in enumerate((nodes[1], nodes[2], nodes[2], nodes[0])):
        client.cut()
        await nodes[turn % 3].io.to("room").emit("room", turn, b"binary")
        await nodes[turn % 3].io.to("elsewhere").emit("elsewhere")
        await nodes[turn % 3].io.to("room").except_(client.id).emit("others")
        await nodes[turn % 3].io.to(client.id).emit("direct", turn)
        before = client
        client = await client.back(node)
        socket = client.socket
        assert (client.id, client.pid, socket.recovered) == (before.id, before.pid, True)
        assert (socket.rooms, socket.data) == ({client.id, "room"}, {"name": "ann"})
        await until(lambda: len(client.named("direct")) > turn)  # noqa: B023 - awaited here
        assert client.named("direct") == [[each] for each in range(turn + 1)]
        assert client.named("room") == [[each, b"binary"] for each in range(turn + 1)]
    assert not client.named("elsewhere")
    assert not client.named("others")
    assert numbers(client) == [0, 1]


async def test_client_comes_back_before_anybody_noticed_that_it_was_gone(nodes: Nodes) -> None:
    """The older connection is closed, wherever it is; never do two live sockets share an id."""
    client = await nodes[0].client("room")
    await missed(nodes, 0)
    await until(lambda: numbers(client) == [0])
    for node in (nodes[1], nodes[1], nodes[0]):
        older, client = client, await client.back(node)
        assert client.id == older.id
        await until(lambda older=older: older.ended)
        assert older.ended == "session taken over"
        assert [client.id in each.io.root.sockets for each in nodes] == [each is node for each in nodes]
    await missed(nodes, 1, 2, 3)
    await until(lambda: numbers(client) == [0, 1, 2, 3], lambda: client.events)


async def test_client_that_has_no_offset_goes_on_from_where_it_connected(nodes: Nodes) -> None:
    await missed(nodes, 0)
    await silence()
    client = await nodes[0].client()
    client.cut()
    await missed(nodes, 1, 2)
    again = await client.back(nodes[1])
    assert again.id == client.id
    await until(lambda: numbers(again) == [1, 2], lambda: again.events)


async def test_nothing_has_happened_since_the_node_started(cluster: Cluster, nodes: Nodes) -> None:
    """Nodes that began to read earlier know that they have read as far as the youngest one."""
    youngest = await cluster.start()
    client = await youngest.client()
    assert [socket.id for socket in await within(youngest.io.fetch_sockets())] == [client.id]
    again = await client.back(nodes[0])
    assert again.id == client.id


async def test_nothing_has_happened_since_the_namespace_was_made(nodes: Nodes) -> None:
    """What there is of others in the log may be newer than all that a node has read of this one."""
    nodes[0].io.of("/quiet")
    reader = await nodes[1].client()
    await missed(nodes, 1, 2, 3)
    await until(lambda: numbers(reader) == [1, 2, 3])
    nodes[1].io.of("/quiet")
    client = await nodes[1].client(name="/quiet")
    assert [socket.id for socket in await within(nodes[1].io.of("/quiet").fetch_sockets())] == [client.id]
    again = await client.back(nodes[0])
    assert again.id == client.id


async def test_node_that_vanishes_leaves_its_clients_to_others(cluster: Cluster, nodes: Nodes) -> None:
    """Rooms and data are stored as soon as they change."""
    client = await nodes[0].client()
    await missed(nodes, 0)
    await until(lambda: numbers(client) == [0])
    client.socket.join(["a", "b"])
    client.socket.leave("b")
    client.socket.data["name"] = "ann"
    await silence()
    await cluster.crash(nodes[0])
    await missed(nodes[1:], 1, 2)
    await nodes[1].io.to("a").emit("a")
    again = await client.back(nodes[2])
    assert (again.id, again.socket.rooms, again.socket.data) == (client.id, {client.id, "a"}, {"name": "ann"})
    await until(lambda: again.named("a"))
    assert numbers(again) == [0, 1, 2]


async def test_all_nodes_are_replaced(cluster: Cluster, nodes: Nodes) -> None:
    """One after the other: what none of the new ones has read is read from the broker."""
    client = await nodes[0].client("room")
    await missed(nodes, 0)
    await until(lambda: numbers(client) == [0])
    for number, node in enumerate(nodes, 1):
        cluster.nodes.remove(node)
        await node.stop()
        await cluster.start()
        await missed(cluster.nodes, number)
    again = await client.back(cluster.nodes[-1])
    assert (again.id, again.socket.rooms) == (client.id, {client.id, "room"})
    await until(lambda: numbers(again) == [0, 1, 2, 3], lambda: again.events)


async def test_more_was_missed_than_is_in_memory(cluster: Cluster) -> None:
    limits = {"max_disconnection_duration": 30.0, "max_packets": 10}
    nodes = [await cluster.start(connection_state_recovery=limits) for _ in range(2)]
    client = await nodes[0].client("room")
    await missed(nodes, 0)
    await until(lambda: numbers(client) == [0])
    client.cut()
    await missed(nodes, *range(1, 300))
    await nodes[0].io.to("elsewhere").emit("n", -1)
    again = await client.back(nodes[1])
    assert again.id == client.id
    await until(lambda: len(numbers(again)) >= 300, lambda: len(again.events))
    assert numbers(again) == [*range(300)]


async def test_what_is_volatile_or_to_be_acknowledged_is_not_sent_again(nodes: Nodes) -> None:
    client = await nodes[0].client()
    await missed(nodes, 0)
    await until(lambda: numbers(client) == [0])
    client.cut()
    await nodes[1].io.volatile.emit("volatile")
    assert await nodes[1].io.timeout(5).call("call") == []
    await missed(nodes, 1)
    again = await client.back(nodes[2])
    await until(lambda: numbers(again) == [0, 1])
    assert len(again.events) == 2


async def test_volatile_events_carry_an_offset_too(nodes: Nodes) -> None:
    """A client takes any text at the end of an event for one."""
    client = await nodes[0].client()
    await missed(nodes, 0)
    await nodes[1].io.volatile.emit("v", "text")
    await until(lambda: client.named("v") == [["text"]])
    nodes[0].io.local.emit("l", "text")
    await until(lambda: client.named("l") == [["text"]])
    client.cut()
    await missed(nodes, 1)
    again = await client.back(nodes[1])
    assert again.id == client.id
    await until(lambda: numbers(again) == [0, 1])


@pytest.mark.parametrize("offset", ["", "x", "-1", "0-0", "999999999999999-0", "9" * 30, "1e3", "\u0661", 5, None])
async def test_odd_offset_does_no_harm(nodes: Nodes, offset: Json) -> None:
    """It gives a new session at most."""
    client = await nodes[0].client()
    await missed(nodes, 0)
    await until(lambda: numbers(client) == [0])
    client.cut()
    again = await nodes[1].client(auth={"pid": client.pid, "offset": offset})
    assert again.pid is not None
    await missed(nodes, 1)
    await until(lambda: numbers(again)[-1:] == [1], lambda: again.events)


async def test_unknown_pid_gives_a_new_session(nodes: Nodes) -> None:
    client = await nodes[0].client()
    for pid in ("x" * 20, "", "*", "x" * 64):
        again = await nodes[1].client(auth={"pid": pid, "offset": "1"})
        assert again.id != client.id
        assert again.pid != pid
        assert not again.socket.recovered


async def test_pid_is_a_secret_of_one_namespace(nodes: Nodes) -> None:
    client = await nodes[0].client()
    for node in nodes:
        node.io.of("/other")
    client.cut()
    again = await nodes[1].client(name="/other", auth={"pid": client.pid})
    assert again.id != client.id


async def test_session_expires(cluster: Cluster) -> None:
    """The node that its client has left tells so, once; the client begins anew."""
    options = {"max_disconnection_duration": 0.5}
    nodes = [await cluster.start(connection_state_recovery=options) for _ in range(2)]
    expired: list[str] = []
    for node in nodes:
        node.io.on("session_expired", lambda session: expired.append(session.id))
    client, stays = await nodes[0].client(), await nodes[0].client()
    client.cut()
    stays.cut()
    stays = await stays.back(nodes[1])
    await until(lambda: expired)
    again = await client.back_in_the_end(nodes[1])
    assert again.id != client.id
    await deferLater(reactor, 0.7)
    assert expired == [client.id]
    assert stays.socket.connected


async def test_connected_client_does_not_expire(cluster: Cluster) -> None:
    options = {"max_disconnection_duration": 0.6}
    nodes = [await cluster.start(connection_state_recovery=options) for _ in range(2)]
    client = await nodes[0].client()
    await deferLater(reactor, 2.0)
    again = await client.back(nodes[1])
    assert again.id == client.id


async def test_wanted_end_is_final(nodes: Nodes) -> None:
    client, other = await nodes[0].client(), await nodes[0].client()
    client.socket.disconnect()
    other.receive("1")
    await until(lambda: not nodes[0].io.root.sockets)
    await silence()
    for each in (client, other):
        each.cut()
        again = await each.back(nodes[1])
        assert again.id != each.id


async def test_middlewares_run_on_any_node(nodes: Nodes) -> None:
    """Whoever is refused cannot come back any more."""
    is_welcome = True

    @nodes[1].io.use
    async def examine(socket: Socket) -> None:
        await silence()
        if not is_welcome:
            raise ConnectionRefused("revoked")

    client = await nodes[0].client("room")
    client.cut()
    again = await client.back(nodes[1])
    assert again.id == client.id
    is_welcome = False
    refused = Client(nodes[1])
    with pytest.raises(AssertionError, match="revoked"):
        await refused.join({"pid": client.pid})
    late = await client.back_in_the_end(nodes[2])
    assert late.id != client.id


async def test_rivals_are_one(nodes: Nodes) -> None:
    """Several connections show the same pid at once, on different nodes: one is left, and it gets everything."""
    client = await nodes[0].client("room")
    await missed(nodes, 0)
    await until(lambda: numbers(client) == [0])
    client.cut()
    await missed(nodes, 1)
    rivals = [Client(node) for node in (*nodes, *nodes)]
    for rival in rivals:
        rival.node.clients.append(rival)
        rival.node.io.engine.on_session(rival)  # type: ignore[arg-type]
        rival.receive(f'0{{"pid":"{client.pid}","offset":"{client.offset}"}}')
    await until(lambda: sum(rival.is_open for rival in rivals) <= 1, lambda: [rival.ended for rival in rivals])
    await silence()
    await missed(nodes, 2)
    live = [rival for rival in rivals if rival.is_open]
    sockets = [socket for node in nodes for socket in node.io.root.sockets.values() if socket.id == client.id]
    assert len(live) == len(sockets) == 1
    await until(lambda: numbers(live[0]) == [1, 2], lambda: live[0].events)


async def test_rooms_changed_from_elsewhere_are_kept(cluster: Cluster, nodes: Nodes) -> None:
    client = await nodes[0].client()
    await nodes[1].io.in_(client.id).sockets_join("joined")
    await until(lambda: "joined" in client.socket.rooms)
    await silence()
    await cluster.crash(nodes[0])
    again = await client.back(nodes[1])
    assert again.socket.rooms == {client.id, "joined"}


async def test_all_clients_see_one_order(nodes: Nodes) -> None:
    clients = [await node.client() for node in nodes]
    for number in range(100):
        for which, node in enumerate(nodes):
            node.io.emit("n", number * 3 + which)
    for client in clients:
        await until(lambda client=client: len(client.events) >= 300)
    assert clients[0].events == clients[1].events == clients[2].events


@pytest.mark.timeout(60)
async def test_cut_again_and_again(nodes: Nodes) -> None:
    """Cut a hundred times, noticed or not, coming back to any node while all of them emit: none missing, none twice."""
    chance = random.Random(SEED)
    client = await nodes[0].client("room")
    first, sent = client, 0

    async def emit(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            way = chance.choice([nodes[sent % 3].io, nodes[sent % 3].io.to("room"), nodes[sent % 3].io.to(first.id)])
            way.emit("n", sent)
            sent += 1
            if chance.random() < 0.3:
                await deferLater(reactor, 0)

    await emit(5)
    for _ in range(100):
        if chance.random() < 0.5:
            client.cut()
        await emit(chance.randrange(8))
        client = await client.back(chance.choice(nodes))
        assert client.id == first.id
        assert client.socket.recovered
        await emit(chance.randrange(8))
    await until(lambda: len(numbers(client)) >= sent, lambda: (sent, len(numbers(client))))
    assert numbers(client) == [*range(sent)] or sorted(numbers(client)) == [*range(sent)]
