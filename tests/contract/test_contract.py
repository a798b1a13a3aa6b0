"""What every adapter promises, told by three servers and their clients."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from tests.contract.cluster import Client, Cluster, Node, silence, until, until_all_know, within
from txsocketio import AckTimeout, RemoteSocket, Socket, TxSocketIOError, UnserializableData
from txsocketio.types import Json

Nodes = tuple[Node, Node, Node]

#: Names that mean something to one broker or another.
ODD_NAMES = (
    "*",
    "a*",
    "?",
    "[ab]",
    "a\\b",
    "#",
    "a#b",
    "#a#",
    "",
    "a b",
    "ü",
    "\N{CAT}",
    "x" * 20,
    "a,b",
    "a.b",
    "{a}",
)


async def one_each(nodes: Nodes, *rooms: str) -> list[Client]:
    return [await node.client(*rooms) for node in nodes]


# --- events ---


async def test_broadcast_reaches_all_nodes(nodes: Nodes) -> None:
    clients = await one_each(nodes)
    await within(nodes[0].io.emit("news", 1, {"a": [None, True, 1.5, "ü"]}))
    for client in clients:
        await client.got(["news", 1, {"a": [None, True, 1.5, "ü"]}])


async def test_binary_crosses_nodes(nodes: Nodes) -> None:
    clients = await one_each(nodes)
    nodes[1].io.emit("file", bytes(range(256)), {"parts": [b"", b"\0"]})
    for client in clients:
        await client.got(["file", bytes(range(256)), {"parts": [b"", b"\0"]}])


async def test_large_event_crosses_nodes(nodes: Nodes) -> None:
    clients = await one_each(nodes)
    nodes[2].io.emit("large", "x" * 900_000)
    for client in clients:
        await client.got(["large", "x" * 900_000])


async def test_rooms_are_selected_on_each_node(nodes: Nodes) -> None:
    """Who is in several of the rooms gets one copy, who is in an excluded one none."""
    a, b = await one_each(nodes, "a"), await one_each(nodes, "b")
    ab, neither = await one_each(nodes, "a", "b"), await one_each(nodes)
    io = nodes[0].io
    io.to("a").emit("a")
    io.to(["a", "b"]).emit("either")
    io.except_("a").emit("not a")
    io.to("a").except_("b").emit("a only")
    io.emit("end")
    for client in a:
        await client.got(["a"], ["either"], ["a only"], ["end"])
    for client in b:
        await client.got(["either"], ["not a"], ["end"])
    for client in ab:
        await client.got(["a"], ["either"], ["end"])
    for client in neither:
        await client.got(["not a"], ["end"])


async def test_names_of_rooms_mean_nothing_to_the_broker(nodes: Nodes) -> None:
    there = [await nodes[1].client(name) for name in ODD_NAMES]
    for number, name in enumerate(ODD_NAMES):
        nodes[0].io.to(name).emit("odd", number)
    nodes[0].io.emit("end")
    for number, client in enumerate(there):
        await client.got(["odd", number], ["end"])


async def test_room_of_a_socket_reaches_it_on_another_node(nodes: Nodes) -> None:
    clients = await one_each(nodes)
    nodes[0].io.to(clients[2].id).emit("private")
    nodes[0].io.emit("end")
    for client in clients[:2]:
        await client.got(["end"])
    await clients[2].got(["private"], ["end"])


async def test_sender_is_left_out_of_its_own_broadcast(nodes: Nodes) -> None:
    clients = await one_each(nodes, "room")
    clients[0].socket.broadcast.emit("others")
    clients[0].socket.to("room").emit("room")
    nodes[0].io.emit("end")
    await clients[0].got(["end"])
    for client in clients[1:]:
        await client.got(["others"], ["room"], ["end"])


async def test_local_broadcast_stays_here(nodes: Nodes) -> None:
    clients = await one_each(nodes)
    await within(nodes[0].io.local.emit("local"))
    nodes[0].io.emit("end")
    await clients[0].got(["local"], ["end"])
    await clients[1].got(["end"])


async def test_what_is_emitted_to_a_socket_arrives_in_order(nodes: Nodes) -> None:
    """Whatever the way it is sent: to all, to rooms, to it alone, volatile, with an acknowledgement."""
    here, there = await nodes[0].client(), await nodes[1].client()
    remote = await remote_of(nodes[0], there)
    for client, direct in ((here, here.socket), (there, remote)):
        io = nodes[0].io
        for number in range(0, 70, 7):
            io.to(client.id).emit("n", number)
            direct.emit("n", number + 1)
            io.to(client.id).volatile.emit("n", number + 2)
            io.to(client.id).call("n", number + 3).addErrback(lambda failure: failure.trap(TxSocketIOError))
            direct.emit("n", number + 4)
            direct.call("n", number + 5).addErrback(lambda failure: failure.trap(TxSocketIOError))
            io.to([client.id, "nobody"]).emit("n", number + 6)
        await client.got(*(["n", number] for number in range(70)))


async def test_acknowledgement_keeps_its_place(nodes: Nodes) -> None:
    """Behind what a handler has emitted, and in front of what is emitted after it."""
    client = await nodes[0].client()

    @client.socket.on("ask")
    def ask() -> str:
        client.socket.emit("before")
        nodes[0].io.emit("before too")
        return "answer"

    client.receive('27["ask"]')
    client.socket.emit("after")
    packets = await until(lambda: len(client.sent) >= 5 and client.sent)
    assert [packet[:9] for packet in packets[1:]] == ['2["before', '2["before', '37["answe', '2["after"']


async def test_nodes_that_emit_at_once_keep_their_own_order(nodes: Nodes) -> None:
    there = await nodes[2].client()
    for number in range(500):
        nodes[0].io.emit("first", number)
        nodes[1].io.emit("second", number)
    await until(lambda: len(there.events) >= 1000, lambda: len(there.events))
    assert there.named("first") == there.named("second") == [[number] for number in range(500)]


async def test_what_cannot_be_sent_is_an_error_at_the_call(nodes: Nodes) -> None:
    client = await nodes[1].client()
    with pytest.raises(UnserializableData):
        nodes[0].io.emit("bad", object())
    with pytest.raises(UnserializableData):
        nodes[0].io.call("bad", object())
    with pytest.raises(UnserializableData):
        nodes[0].io.server_side_emit("bad", object())
    nodes[0].io.emit("end")
    await client.got(["end"])


# --- what is done to sockets ---


async def test_sockets_join_and_leave_on_all_nodes(nodes: Nodes) -> None:
    clients = await one_each(nodes, "a")
    io = nodes[0].io
    await within(io.in_("a").sockets_join(["b", "c"]))
    io.to("b").emit("b")
    await within(io.in_("b").sockets_leave("b"))
    io.to("b").emit("nobody")
    io.to("c").emit("c")
    for client in clients:
        await client.got(["b"], ["c"])
        assert client.socket.rooms == {client.id, "a", "c"}


async def test_sockets_are_disconnected_on_all_nodes(nodes: Nodes) -> None:
    """After what was emitted before; the others stay."""
    going, staying = await one_each(nodes, "going"), await one_each(nodes)
    io = nodes[1].io
    io.emit("farewell")
    io.in_("going").disconnect_sockets()
    io.emit("end")
    for client in staying:
        await client.got(["farewell"], ["end"])
    for client in going:
        await until(lambda: client.sent[-1] == "1", lambda: client.sent)  # noqa: B023 - awaited here
        assert len(client.sent) == 3


async def test_connections_are_closed_on_all_nodes(nodes: Nodes) -> None:
    clients = await one_each(nodes)
    nodes[0].io.disconnect_sockets(close=True)
    for client in clients:
        await until(lambda: client.ended is not None)  # noqa: B023 - awaited here


async def test_sockets_of_all_nodes_are_fetched(nodes: Nodes) -> None:
    """Those of other nodes as they are there."""
    clients = [await node.client("room", auth={"token": number}) for number, node in enumerate(nodes)]
    await one_each(nodes)
    for number, client in enumerate(clients):
        client.socket.data["number"] = number
    fetched = {socket.id: socket for socket in await within(nodes[0].io.in_("room").fetch_sockets())}
    assert set(fetched) == {client.id for client in clients}
    for number, client in enumerate(clients):
        socket = fetched[client.id]
        assert isinstance(socket, Socket if number == 0 else RemoteSocket)
        assert (socket.rooms, socket.data) == ({client.id, "room"}, {"number": number})
        assert socket.handshake.auth == {"token": number}
        assert socket.handshake.headers["x-color"] == "blue"
        assert socket.handshake.query["color"] == "red"


async def test_fetching_sees_what_was_done_before(nodes: Nodes) -> None:
    """No time passes between a join on other nodes and the question who is there."""
    clients = await one_each(nodes)
    nodes[0].io.sockets_join("new")
    fetched = await within(nodes[0].io.in_("new").fetch_sockets())
    assert {socket.id for socket in fetched} == {client.id for client in clients}


async def test_remote_socket_can_be_used(nodes: Nodes) -> None:
    there = await nodes[1].client()
    there.answers["ask"] = "answer"
    remote = await remote_of(nodes[0], there)
    await within(remote.join("joined"))
    await within(remote.emit("hello", 1))
    assert await within(remote.timeout(5).call("ask")) == "answer"
    await until(lambda: there.socket.rooms == {there.id, "joined"})
    await within(remote.leave("joined"))
    await within(remote.disconnect())
    await until(lambda: there.sent[-1] == "1")
    assert there.events == [["hello", 1], ["ask"]]


# --- acknowledgements ---


async def test_answers_of_all_nodes_are_gathered(nodes: Nodes) -> None:
    clients = [*await one_each(nodes), *await one_each(nodes)]
    for number, client in enumerate(clients):
        client.answers["ask"] = number
    assert sorted(await within(nodes[0].io.timeout(5).call("ask"))) == [0, 1, 2, 3, 4, 5]


async def test_answers_that_came_in_time_are_told(nodes: Nodes) -> None:
    clients = await one_each(nodes)
    clients[0].answers["ask"] = "here"
    clients[1].answers["ask"] = "there"
    with pytest.raises(AckTimeout) as caught:
        await within(nodes[0].io.timeout(0.5).call("ask"))
    assert (sorted(caught.value.answers), caught.value.missing) == (["here", "there"], [])


async def test_nobody_to_be_asked_is_an_empty_list(nodes: Nodes) -> None:
    assert await within(nodes[0].io.to("nobody").timeout(5).call("ask")) == []


async def test_clients_that_go_are_not_waited_for(nodes: Nodes) -> None:
    clients = await one_each(nodes)
    clients[0].answers["ask"] = 0
    clients[2].answers["ask"] = 2
    answers = nodes[0].io.timeout(30).call("ask")
    await until(lambda: clients[1].events)
    clients[1].cut()
    assert sorted(await within(answers)) == [0, 2]


# --- other servers ---


async def test_server_side_event_reaches_the_other_servers(nodes: Nodes) -> None:
    heard: list[Json] = []
    for number, node in enumerate(nodes):
        node.io.on("tell", lambda *arguments, number=number: heard.append((number, arguments)))
    await within(nodes[1].io.server_side_emit("tell", 1, b"two", {"three": 3}))
    await until(lambda: len(heard) == 2)
    await silence()
    assert sorted(heard) == [(0, (1, b"two", {"three": 3})), (2, (1, b"two", {"three": 3}))]


async def test_servers_answer(nodes: Nodes) -> None:
    """Also those that need time, or have nothing to say."""
    nodes[0].io.on("ask", lambda: "zero")
    nodes[1].io.on("ask", lambda: "one")

    @nodes[2].io.on("ask")
    async def ask() -> dict[str, Json]:
        await silence()
        return {"two": b"2"}

    answers = await within(nodes[0].io.server_side_call("ask"))
    assert sorted(answers, key=str) == ["one", {"two": b"2"}]
    assert await within(nodes[1].io.server_side_call("nobody listens")) == [None, None]


async def test_silent_server_is_named(nodes: Nodes) -> None:
    nodes[1].io.on("ask", lambda: "one")
    nodes[2].io.on("ask", lambda: Deferred())
    nodes[0].io.broker.options.requests_timeout = 0.5  # type: ignore[union-attr]
    with pytest.raises(AckTimeout) as caught:
        await within(nodes[0].io.server_side_call("ask"))
    assert caught.value.answers == ["one"]
    assert caught.value.missing == [nodes[2].io.broker.node]  # type: ignore[union-attr]


# --- namespaces ---


async def test_namespaces_are_apart(nodes: Nodes) -> None:
    """Those that exist from the start and those that come later, with names that mean something to a broker."""
    for name in ("/chat", "/ch*", "/[c]hat", "/a#b"):
        for node in nodes:
            await within(node.io.of(name).adapter.start())
        main, named = await nodes[1].client(), await nodes[1].client(name=name)
        nodes[0].io.of(name).emit("named")
        nodes[0].io.emit("main")
        await named.got(["named"])
        await main.got(["main"])
        assert [socket.id for socket in await within(nodes[0].io.of(name).fetch_sockets())] == [named.id]
        nodes[0].io.disconnect_sockets()
        await until(lambda: not nodes[1].io.root.sockets)


async def test_namespace_of_one_node_only(nodes: Nodes) -> None:
    """Nobody else is waited for in vain."""
    alone = await nodes[0].client(name=new_namespace(nodes[0]))
    io = nodes[0].io.of(alone.name)
    assert [socket.id for socket in await within(io.fetch_sockets())] == [alone.id]
    assert [answer for answer in await within(io.server_side_call("ask")) if answer is not None] == []
    alone.answers["ask"] = 1
    assert await within(io.timeout(5).call("ask")) == [1]


def new_namespace(node: Node) -> str:
    node.io.of("/alone")
    return "/alone"


# --- nodes come and go ---


async def test_nodes_are_counted(cluster: Cluster) -> None:
    first = await cluster.start()
    assert await within(first.io.root.adapter.server_count()) == 1
    second = await cluster.start()
    assert await within(first.io.root.adapter.server_count()) == 2
    client = await first.client()
    cluster.nodes.remove(second)
    await second.stop()
    await until_all_know(cluster.nodes)
    client.answers["ask"] = 1
    assert await within(first.io.timeout(5).call("ask")) == [1]


async def test_alone_in_a_cluster(cluster: Cluster) -> None:
    node = await cluster.start()
    client = await node.client("room")
    client.answers["ask"] = "answer"
    io = node.io
    await within(io.to("room").emit("hello"))
    assert await within(io.timeout(5).call("ask")) == ["answer"]
    assert await within(io.server_side_call("ask")) == []
    assert [socket.id for socket in await within(io.fetch_sockets())] == [client.id]
    await client.got(["hello"], ["ask"])


async def remote_of(node: Node, client: Client) -> RemoteSocket:
    """The client of another node, as this one sees it."""
    (remote,) = await within(node.io.in_(client.id).fetch_sockets())
    assert isinstance(remote, RemoteSocket)
    return remote
