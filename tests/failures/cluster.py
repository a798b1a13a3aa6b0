"""Nodes in processes of their own, joined by a broker that may be harmed, and real clients of theirs."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.brokers.server import BrokerServer
from tests.conftest import require
from tests.failures.judge import Log, disagreement, faults
from tests.failures.process import Process
from tests.interop.proxy import Proxy

HERE = Path(__file__).parent

#: What clients may use; "upgrade" begins with polling and goes on over WebSocket.
TRANSPORTS = ("polling", "websocket", "upgrade")

#: In the middle of an upgrade, or of an answer, it is by its heartbeat that a client finds out.
HEARTBEAT = {"ping_interval": 0.5, "ping_timeout": 1.0}

#: Seconds between two events of a node.
INTERVAL = 0.05

#: Entries of the logs that are printed.
TAIL = 8

#: Seconds for everything to become as it should be again: far more than is promised.
PATIENCE = 30.0

_names = count(1)


class Node(Process):
    """A server of the cluster.

    Attributes:
        name: of its own.
        port: where it listens on the loopback.
    """

    def __init__(self, adapter: object, options: Mapping[str, object]) -> None:
        self.name = f"node{next(_names)}"
        self.port = 0
        settings = {"name": self.name, "adapter": adapter, "options": {**HEARTBEAT, **options}}
        super().__init__(sys.executable, str(HERE / "node_program.py"), json.dumps(settings))

    async def started(self) -> Node:
        self.port = (await super().started())["port"]
        return self


class Clients(Process):
    """A process with real JavaScript clients."""

    def __init__(self) -> None:
        require("tests/interop/node_modules")
        super().__init__(require("node"), str(HERE / "clients.js"))


class Cluster:
    """Nodes with the same adapter; tests may harm the broker and the nodes.

    Args:
        make_adapter: gives the option `adapter`, with names that nobody has used on the broker.

    Attributes:
        nodes: those that are running.
        killed: those that were ended by force.
    """

    def __init__(
        self, broker: BrokerServer | None, make_adapter: Callable[[], object], options: Mapping[str, object]
    ) -> None:
        self.broker = broker
        self.nodes: list[Node] = []
        self._make_adapter = make_adapter
        self._adapter = make_adapter()
        self._options = options

    async def start(self, count: int, **options: object) -> list[Node]:
        """Start so many nodes at a time."""
        nodes = [Node(self._adapter, {**self._options, **options}) for _ in range(count)]
        self.nodes += nodes
        for node in nodes:
            await node.started()
        return nodes

    async def ready(self) -> None:
        """Wait until every node has the broker, and knows all the others."""
        for node in self.nodes:
            await until(lambda node=node: self._knows_all(node))

    async def _knows_all(self, node: Node) -> bool:
        if self._adapter is None:
            return True
        return await node.do("is_available") and await node.do("count") == len(self.nodes)

    async def kill(self, node: Node) -> None:
        self.nodes.remove(node)
        check(await node.kill())

    async def stop(self, node: Node) -> None:
        self.nodes.remove(node)
        check(await node.stop())

    async def clients(self) -> list[str]:
        """The ids of all clients, as the nodes know them."""
        return sorted([id for node in self.nodes for id in await node.do("sockets")])

    async def begin_anew(self) -> None:
        """Be as it was in the beginning, whatever is wrong with the nodes and with what the broker has of them."""
        nodes, self.nodes = self.nodes, []
        for node in nodes:
            await node.kill()
        if self.broker is not None:
            await self.broker.mend()
        self._adapter = self._make_adapter()

    async def end(self) -> None:
        """Stop all nodes."""
        nodes, self.nodes = self.nodes, []
        for node in await gatherResults([Deferred.fromCoroutine(node.stop()) for node in nodes], consumeErrors=True):
            check(node)


async def until(fact: Callable[[], Awaitable[Any]], seconds: float = PATIENCE) -> None:
    """Wait until the awaited fact is true."""
    latest = reactor.seconds() + seconds
    while not await fact():
        assert reactor.seconds() < latest, "it does not come true"
        await deferLater(reactor, 0.02)


def check(node: Process) -> None:
    """It has no complaints."""
    assert not node.complaints, node.complaints


class Trial:
    """Numbered events from all nodes to clients that are cut, and the judgement of what they got.

    Attributes:
        proxies: one for each client, by its name.
        strangers: the clients that are not judged.
        story: what was done, for whoever has to find out why it went wrong.
    """

    def __init__(self, cluster: Cluster, clients: Clients, chance: Random) -> None:
        self.cluster = cluster
        self.clients = clients
        self.chance = chance
        self.proxies: dict[str, Proxy] = {}
        self.strangers: set[str] = set()
        self.story: list[str] = []
        self._begun = reactor.seconds()
        self._tag = f"trial{next(_names)}"
        self._emitting: list[Node] = []
        self._emitted: dict[str, int] = {}
        self._refused: dict[str, list[int]] = {}
        self._accepted: dict[str, int] = {}

    def tell(self, what: str) -> None:
        self.story.append(f"{reactor.seconds() - self._begun:7.3f} {what}")

    # Clients

    async def open(self, count: int, *transports: str, **auth: object) -> list[str]:
        """Connect so many clients over each transport, each through a proxy of its own to any of the nodes."""
        names = [f"{transport}{next(_names)}" for transport in transports or TRANSPORTS for _ in range(count)]
        for name in names:
            self.proxies[name] = proxy = Proxy(self.chance.choice(self.cluster.nodes).port)
            transport = name.rstrip("0123456789")
            await self.clients.do("open", name=name, url=proxy.start(), transport=transport, auth=auth)
        for name in names:
            await self.connected(name)
        # A room that was joined a moment ago is not sure to be known elsewhere yet.
        for node in self.cluster.nodes:
            await node.do("settled")
        return names

    def send_to(self, name: str, node: Node) -> None:
        """From now on the client finds this node."""
        self.proxies[name].server_port = node.port

    def send_anywhere(self, name: str) -> None:
        self.send_to(name, self.chance.choice(self.cluster.nodes))

    def send_elsewhere(self, name: str) -> None:
        """From now on the client finds another node."""
        present = self.proxies[name].server_port
        self.send_to(name, self.chance.choice([node for node in self.cluster.nodes if node.port != present]))

    def leave(self, node: Node) -> None:
        """From now on nobody finds this node."""
        for name, proxy in self.proxies.items():
            if proxy.server_port == node.port:
                self.send_elsewhere(name)

    async def connected(self, name: str, times: int = 1) -> None:
        """Wait until the client has been connected so often."""
        await self.clients.do("connected", name=name, times=times)

    # Traffic

    async def begin(self, *nodes: Node) -> None:
        """Have nodes emit, or all of them."""
        for node in nodes or self.cluster.nodes:
            self._emitting.append(node)
            await node.do("traffic", source=node.name, interval=INTERVAL)

    async def flood(self, number: int, *nodes: Node) -> None:
        """Have nodes emit so many events at once, or all of them."""
        for node in nodes or self.cluster.nodes:
            self._emitting.append(node)
            await node.do("flood", source=node.name, number=number)

    async def end(self) -> None:
        """Have all nodes emit no more, and wait until the broker has what they have emitted."""
        for node in self._emitting:
            if node in self.cluster.nodes:
                state = await node.do("end_traffic")
                self._emitted[node.name] = state["emitted"]
                self._refused[node.name] = state["refused"]

    async def take_stock(self, node: Node) -> None:
        """Note how far a node has come that will not be able to tell."""
        self._accepted[node.name] = (await node.do("so_far"))["accepted"]

    async def finish(self) -> dict[str, Log]:
        """End the traffic, and judge what every client has got."""
        await self.end()
        await self.cluster.nodes[0].do("end", tag=self._tag)
        try:
            for name in self.proxies:
                await self.clients.do("ended", name=name, tag=self._tag)
        finally:
            logs = {name: await self.clients.do("log", name=name) for name in self.proxies}
            self._judge({name: log for name, log in logs.items() if name not in self.strangers})
        ids = sorted([await self.clients.do("connected", name=name, times=1) for name in self.proxies])
        await until(lambda: self._are_all(ids))
        return logs

    async def _are_all(self, ids: list[str]) -> bool:
        """Whether the nodes have these clients and no others: what is left of a silent cut has been closed."""
        return await self.cluster.clients() == ids

    def _judge(self, logs: dict[str, Log]) -> None:
        emitted = {**self._of_the_dead(logs), **self._emitted}
        found = {name: faults(log, emitted, self._refused) for name, log in logs.items()}
        wrong = [f"{name}:\n  " + "\n  ".join(each) for name, each in found.items() if each]
        wrong += filter(None, [disagreement(logs)])
        if wrong:
            raise AssertionError("\n".join(wrong))

    def _of_the_dead(self, logs: dict[str, Log]) -> dict[str, int]:
        """How many events nodes that were killed have got to the broker: what any client has, all should have."""
        emitted = {}
        for source, accepted in self._accepted.items():
            numbers = [entry[2] for log in logs.values() for entry in log if entry[:2] == ["number", source]]
            emitted[source] = max([accepted, *numbers])
        return emitted

    async def close(self) -> None:
        """End it, and print for whoever sees it fail how far it got."""
        print("What was done:", *self.story, sep="\n")
        for name, proxy in self.proxies.items():
            print(f"The end of {name}:", *(await self.clients.do("log", name=name))[-TAIL:], sep="\n  ")
            await self.clients.do("close", name=name)
            await proxy.stop()
        await self.end()
