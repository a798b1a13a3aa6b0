"""What a process that is no server can have done to the clients of servers: without blocking, and blocking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import pytest_twisted
from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThread

from tests.contract.cluster import Cluster, Node, until, within
from txsocketio import Emitter
from txsocketio.types import Json

Nodes: TypeAlias = tuple[Node, Node, Node]

#: Does something with the emitter, where it belongs: in a thread, if it blocks.
Emit: TypeAlias = Callable[[Callable[[Any], Json]], Awaitable[Json]]

ARGUMENTS = [1, "é", None, {"deep": [True, 1.5]}]
BINARY = [b"\x01\xff", {"deep": [b"\x05"]}]


@pytest_twisted.async_yield_fixture(params=[False, True], ids=["deferred", "blocking"])
async def emit(request: pytest.FixtureRequest, cluster: Cluster) -> Any:
    blocking: bool = request.param
    run = deferToThread if blocking else maybeDeferred
    recovers = cluster.kind.recovers
    emitter = await run(Emitter, cluster.adapter, blocking=blocking, connection_state_recovery=recovers)
    yield lambda act: within(run(act, emitter))
    await within(run(emitter.close))


@pytest.mark.parametrize("arguments", [ARGUMENTS, BINARY], ids=["text", "binary"])
async def test_event_reaches_the_clients_of_all_servers(nodes: Nodes, emit: Emit, arguments: list[Json]) -> None:
    """In their namespace only."""
    clients = [await node.client() for node in nodes]
    nodes[0].io.of("/chat")
    other = await nodes[0].client(name="/chat")
    await emit(lambda emitter: emitter.emit("news", *arguments))
    await emit(lambda emitter: emitter.of("chat").send("hello"))
    for client in clients:
        await client.got(["news", *arguments])
    await other.got(["message", "hello"])


async def test_event_reaches_who_is_in_the_rooms(nodes: Nodes, emit: Emit) -> None:
    """Once, and not who is in an excluded one."""
    one, both, none = await nodes[0].client("a"), await nodes[1].client("a", "b"), await nodes[2].client()
    await emit(lambda emitter: emitter.to("a").emit("to a"))
    await emit(lambda emitter: emitter.to("a").in_(["b", "c"]).volatile.compress(False).emit("to both"))
    await emit(lambda emitter: emitter.to("a").except_("b").emit("not b"))
    await emit(lambda emitter: emitter.emit("end"))
    await one.got(["to a"], ["to both"], ["not b"], ["end"])
    await both.got(["to a"], ["to both"], ["end"])
    await none.got(["end"])


async def test_events_arrive_in_order(nodes: Nodes, emit: Emit) -> None:
    client = await nodes[1].client("a")

    def many(emitter: Any) -> Json:
        return [emitter.to(("a", "b")[n % 2 :]).emit("n", n) if n % 2 else emitter.emit("n", n) for n in range(50)][-2]

    client.socket.join("b")
    await emit(many)
    await client.got(*(["n", n] for n in range(50)))


async def test_sockets_are_moved_and_sent_away(nodes: Nodes, emit: Emit) -> None:
    one, other = await nodes[0].client("a"), await nodes[1].client("b")
    await emit(lambda emitter: emitter.in_("a").sockets_join(["c", "d"]))
    await emit(lambda emitter: emitter.in_("c").sockets_leave("d"))
    await emit(lambda emitter: emitter.to(["c", "d"]).emit("c or d"))
    await one.got(["c or d"])
    assert one.socket.rooms == {one.id, "a", "c"}
    gone = one.socket
    await emit(lambda emitter: emitter.in_("c").disconnect_sockets())
    await emit(lambda emitter: emitter.emit("end"))
    await other.got(["end"])
    assert (gone.connected, one.sent[-1]) == (False, "1")
    await emit(lambda emitter: emitter.disconnect_sockets(close=True))
    await emit(lambda emitter: emitter.emit("end"))
    await until(lambda: other.ended)


async def test_servers_hear_of_an_event(nodes: Nodes, emit: Emit) -> None:
    """All of them: the emitter is none."""
    heard: list[Json] = []
    clients = [await node.client() for node in nodes]
    for number, node in enumerate(nodes):
        node.io.on("reload", lambda *arguments, number=number: heard.append((number, *arguments)))
    await emit(lambda emitter: emitter.server_side_emit("reload", 1, "é"))
    await emit(lambda emitter: emitter.emit("end"))
    for client in clients:
        await client.got(["end"])
    assert sorted(heard) == [(number, 1, "é") for number in range(3)]


async def test_nobody_waits_for_an_emitter(nodes: Nodes, emit: Emit) -> None:
    """It is not counted, and is asked nothing."""
    client = await nodes[0].client()
    await emit(lambda emitter: emitter.emit("end"))
    await client.got(["end"])
    assert await within(nodes[1].io.root.adapter.server_count()) == 3
    assert len(await within(nodes[1].io.fetch_sockets())) == 1
