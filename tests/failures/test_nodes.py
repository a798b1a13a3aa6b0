"""Clients whose node is killed, stopped or halted go on with another one."""

from __future__ import annotations

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.contract.kinds import Kind
from tests.failures.cluster import Node, Trial

#: Of each transport; and how many are cut in all when nodes are killed.
CLIENTS = 3
MANY = {"redis": 10}
CUTS = {"redis": 100}

#: Seconds of traffic between two blows.
PAUSE = 0.3


async def replace(trial: Trial, node: Node) -> None:
    """A new node takes the place of one that is gone; nobody waits for it."""
    (new,) = await trial.cluster.start(1)
    await trial.begin(new)
    trial.tell(f"{new.name} comes for {node.name}")


@pytest.mark.timeout(240)
async def test_clients_of_a_killed_node_go_on_with_others(trial: Trial, kind: Kind) -> None:
    """It is always the node that has the most of them."""
    await trial.open(MANY.get(kind.fixture, CLIENTS))
    await trial.begin()
    killed = 0
    while killed < CUTS.get(kind.fixture, len(trial.proxies)):
        await deferLater(reactor, PAUSE)
        ports = [proxy.server_port for proxy in trial.proxies.values()]
        node = max(trial.cluster.nodes, key=lambda node: ports.count(node.port))
        killed += ports.count(node.port)
        await trial.take_stock(node)
        trial.tell(f"{node.name} is killed")
        await trial.cluster.kill(node)
        trial.leave(node)
        await replace(trial, node)
    await trial.finish()


@pytest.mark.timeout(120)
async def test_all_nodes_are_replaced(trial: Trial) -> None:
    """A rolling restart: each is stopped while it emits, and its clients come back by themselves."""
    await trial.open(CLIENTS)
    await trial.begin()
    for node in [*trial.cluster.nodes]:
        await deferLater(reactor, PAUSE)
        await replace(trial, node)
        await trial.take_stock(node)
        trial.leave(node)
        trial.tell(f"{node.name} is stopped")
        await trial.cluster.stop(node)
    await trial.finish()


@pytest.mark.timeout(120)
async def test_node_that_was_halted_has_lost_its_clients(trial: Trial) -> None:
    """When it goes on it finds that they are elsewhere, and what it emits is in its place for them."""
    await trial.open(CLIENTS)
    await trial.begin()
    for node in trial.cluster.nodes:
        await deferLater(reactor, PAUSE)
        trial.tell(f"{node.name} is halted")
        node.freeze()
        for name, proxy in trial.proxies.items():
            if proxy.server_port == node.port:
                trial.send_elsewhere(name)
                proxy.cut(silently=True)
        await deferLater(reactor, 3 * PAUSE)
        node.thaw()
        trial.tell(f"{node.name} goes on")
    await trial.finish()
