"""Real clients that wander between servers of Node.js and ours, which are cut, killed, or lose Redis for a while.

What comes from a server of ours is held to what it promises, whatever was before. What a server of Node.js makes of its
share is printed, and not judged.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial

import pytest
import pytest_twisted
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.brokers.redis import RedisServer
from tests.failures.cluster import INTERVAL, TRANSPORTS, Clients, Node, check, until
from tests.interop.proxy import Proxy
from tests.mixed.cluster import together
from tests.mixed.conftest import PREFIX, StartNode, streams
from tests.mixed.node import NodeServer
from tests.mixed.stays import Figures, faults, stays

OwnRedis = Callable[..., Awaitable[RedisServer]]

#: Entries of the logs that are printed.
TAIL = 8

#: Of each transport.
CLIENTS = 2

#: How often each is cut, and seconds that it stays at most.
CUTS = 5
STAY = 0.3

#: Seconds that Redis is halted.
HALTED = 2.0

#: A client that was cut silently is noticed soon, and one on a machine with much to do is not taken for one.
HEARTBEAT = {"ping_interval": 0.5, "ping_timeout": 3.0}

ROOM = "room"


class Wanderers:
    """Clients of a mixed cluster, each behind a proxy of its own, while all servers emit numbered events.

    Attributes:
        node: the server of Node.js.
        first, second: ours.
        places: where each client was sent, and how often it had been connected before, in order.
    """

    def __init__(self, clients: Clients, node: NodeServer, first: Node, second: Node) -> None:
        self.node, self.first, self.second = node, first, second
        self.servers: list[NodeServer | Node] = [node, first, second]
        self.places: dict[str, list[tuple[int, str]]] = {}
        self._clients = clients
        self._proxies: dict[str, Proxy] = {}
        self._witness = ""

    # Traffic

    async def begin(self) -> None:
        """All servers emit; one client of ours, which nobody cuts, tells what the order of everything is."""
        (self._witness,) = await self.open([self.second], ["websocket"])
        for ours in (self.first, self.second):
            await ours.do("traffic", source=ours.name, interval=INTERVAL)
        await self.node.run(
            "let number = 0; globalThis.traffic = setInterval(() => io.emit('number', 'node', ++number), 50)"
        )

    async def finish(self) -> Figures:
        """End the traffic; what became of each stay of each client."""
        for server in self.servers:
            if isinstance(server, Node):
                await server.do("end_traffic")
            else:
                await server.run("clearInterval(traffic)")
        await self.second.do("end", tag="end")
        for name in self._proxies:
            await self._clients.do("ended", name=name, tag="end")
        logs = {name: await self._clients.do("log", name=name) for name in self._proxies}
        order = [tuple(entry[1:]) for entry in logs.pop(self._witness) if entry[0] == "number"]
        figures = Figures(order)
        wrong = []
        for name, log in logs.items():
            its_stays = stays(log, self.places[name])
            wrong += [f"{name}: {fault}" for fault in faults(its_stays, order)]
            figures.add(its_stays)
        print(figures)
        assert not wrong, "\n".join(wrong)
        await until(self._is_each_here_once)
        return figures

    async def _is_each_here_once(self) -> bool:
        """Whether nothing is left of the connections of before."""
        ids = [await self._clients.do("connected", name=name, times=1) for name in self._proxies]
        here: list[str] = []
        for server in self.servers:
            told = (
                server.do("sockets") if isinstance(server, Node) else server.evaluate("[...io.sockets.sockets.keys()]")
            )
            here += await told
        return sorted(here) == sorted(ids)

    async def close(self) -> None:
        """End it, and print for whoever sees it fail how far it got."""
        for name, proxy in self._proxies.items():
            print(f"{name} at {self.places[name]}:", *(await self._clients.do("log", name=name))[-TAIL:], sep="\n  ")
            await self._clients.do("close", name=name)
            await proxy.stop()

    # Clients

    async def open(self, at: list[NodeServer | Node], transports: list[str] | None = None) -> list[str]:
        """Clients of each transport at these servers; their names."""
        names = []
        for transport in transports or [*TRANSPORTS] * CLIENTS:
            for server in at:
                name = f"{transport}{len(self._proxies)}"
                self._proxies[name] = proxy = Proxy(server.port)
                self.places[name] = [(0, kind(server))]
                url = f"{proxy.start()}/?rooms={ROOM}&name={name}"
                await self._clients.do("open", name=name, url=url, transport=transport, auth={})
                names.append(name)
        for name in names:
            await self._clients.do("connected", name=name, times=1)
        return names

    async def move(self, name: str, server: NodeServer | Node, cut: Callable[[Proxy], None] | None) -> None:
        """Have a client come back to this server, when its connection is cut, or ends by itself; wait until it has."""
        log = await self._clients.do("log", name=name)
        times = sum(entry[0] == "connect" for entry in log)
        proxy = self._proxies[name]
        if cut is not None:
            await proxy.in_use()
        self.places[name].append((times, kind(server)))
        proxy.server_port = server.port
        if cut is not None:
            cut(proxy)
        await self._clients.do("connected", name=name, times=times + 1)

    async def wander(self, name: str, silently: bool) -> None:
        """Cut a client again and again, wherever it is; it comes back to any other server.

        Between two polls it may not notice, and find out that the other server does not know it.
        """
        for _ in range(CUTS):
            await deferLater(reactor, random.uniform(0, STAY))
            present = self._proxies[name].server_port
            others = [server for server in self.servers if server.port != present]
            await self.move(name, random.choice(others), lambda proxy: proxy.cut(silently))


def kind(server: NodeServer | Node) -> str:
    return "node" if isinstance(server, NodeServer) else "ours"


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """The process with all clients."""
    clients = Clients()
    blockon(Deferred.fromCoroutine(clients.started()))
    yield clients
    blockon(Deferred.fromCoroutine(clients.stop()))
    assert not clients.complaints, clients.complaints


@pytest_twisted.async_yield_fixture
async def wanderers(clients: Clients, start_node: StartNode, redis: RedisServer) -> AsyncIterator[Wanderers]:
    """A cluster of one server of Node.js and two of ours, in processes of their own."""
    adapter = streams(recovers=True).adapter(redis)
    ours = [Node(adapter, {"connection_state_recovery": True, **HEARTBEAT}) for _ in range(2)]
    theirs = {"pingInterval": HEARTBEAT["ping_interval"] * 1000, "pingTimeout": HEARTBEAT["ping_timeout"] * 1000}
    starting = start_node("streams", redis.url, prefix=PREFIX, connectionStateRecovery={}, **theirs)
    node, *_ = await together([starting, *(each.started() for each in ours)])
    for each in ours:
        await until(partial(knows_all, each))
    wanderers = Wanderers(clients, node, *ours)
    yield wanderers
    await wanderers.close()
    for server in wanderers.servers:
        if isinstance(server, Node):
            check(await server.stop())


async def knows_all(node: Node) -> bool:
    return await node.do("count") == 3


@pytest_twisted.async_yield_fixture
async def redis(own_redis: OwnRedis) -> AsyncIterator[RedisServer]:
    """A test may halt it."""
    yield await own_redis()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("silently", [False, True], ids=["reset", "silent"])
async def test_clients_are_cut(wanderers: Wanderers, silently: bool) -> None:
    """Noticed by their server, or not."""
    await wanderers.begin()
    names = await wanderers.open(wanderers.servers)
    await together(wanderers.wander(name, silently) for name in names)
    await wanderers.finish()


@pytest.mark.timeout(120)
async def test_redis_is_halted(wanderers: Wanderers, redis: RedisServer) -> None:
    """While clients are cut."""
    await wanderers.begin()
    names = await wanderers.open(wanderers.servers)
    wandering = together(wanderers.wander(name, silently=False) for name in names)
    await deferLater(reactor, STAY)
    redis.freeze()
    await deferLater(reactor, HALTED)
    redis.thaw()
    await wandering
    await wanderers.finish()


@pytest.mark.timeout(120)
async def test_server_of_node_js_is_killed(wanderers: Wanderers) -> None:
    """It has stored nothing of its clients, which are new ones with ours; those of ours notice nothing."""
    await wanderers.begin()
    theirs = await wanderers.open([wanderers.node])
    await wanderers.open([wanderers.first])
    await deferLater(reactor, STAY)
    coming = together(wanderers.move(name, random.choice([wanderers.first, wanderers.second]), None) for name in theirs)
    wanderers.servers.remove(wanderers.node)
    await wanderers.node.kill()
    await coming
    await deferLater(reactor, STAY)
    figures = await wanderers.finish()
    assert figures.recovered("node", "ours") == 0


@pytest.mark.timeout(120)
async def test_server_of_ours_is_killed(wanderers: Wanderers) -> None:
    """Its clients go on with the server of Node.js, and come back to ours."""
    await wanderers.begin()
    ours = await wanderers.open([wanderers.first])
    await deferLater(reactor, STAY)
    coming = together(wanderers.move(name, wanderers.node, None) for name in ours)
    wanderers.servers.remove(wanderers.first)
    check(await wanderers.first.kill())
    await coming
    await deferLater(reactor, STAY)
    await together(wanderers.move(name, wanderers.second, lambda proxy: proxy.cut(False)) for name in ours)
    await deferLater(reactor, STAY)
    figures = await wanderers.finish()
    assert figures.recovered("ours", "node") == len(ours)
