"""What goes on, and what does not, while the broker is away: nodes with clients that nobody cuts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.brokers.server import BrokerServer
from tests.contract.kinds import Kind
from tests.failures.cluster import Cluster, Node, Trial, until
from tests.failures.conftest import adapter_of

IS_LONG = "TXSOCKETIO_LONG" in os.environ

#: Seconds that the broker is away.
KILLED, HALTED = (10.0, 15.0) if IS_LONG else (3.0, 4.0)

#: The options with which a node soon notices that its broker is halted.
IMPATIENCE = {
    "redis": {"probe_interval": 0.5, "probe_timeout": 1.0, "timeout": 1.5},
    "kafka": {"liveness_timeout": 1.5},
    "rabbitmq": {"liveness_interval": 0.5, "liveness_timeout": 1.5},
}

#: A client whose heartbeat is late while the broker starts, which can take half a minute, is still the same.
PATIENT = {"connection_state_recovery": {"max_disconnection_duration": 120.0}}

#: How many messages may wait for the broker, and how many are emitted all the same.
MAX_OUTBOX, FLOOD = 200, 5000

#: Bytes that a node may grow by meanwhile; 5000 messages that are refused at once leave nothing behind.
GROWTH = 30_000_000

#: Seconds in which a question fails, and in which everything works again. Nothing like what is usual: some
#: milliseconds, and less than three seconds, on a machine that has nothing else to do.
AT_ONCE, SOON = 1.0, 15.0

QUESTIONS = ("fetch_sockets", "server_side_call", "call")


@pytest.fixture(scope="module")
def lasting_cluster(kind: Kind, broker: BrokerServer) -> Iterator[Cluster]:
    options = {**IMPATIENCE[kind.fixture or ""], "max_outbox": MAX_OUTBOX}
    cluster = Cluster(broker, partial(adapter_of, kind, broker, **options), {**kind.options, **PATIENT})
    yield cluster
    blockon(Deferred.fromCoroutine(cluster.end()))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "halted"])
async def test_nobody_misses_anything_of_an_outage(trial: Trial, is_killed: bool) -> None:
    """Two nodes emit, and the clients of the third get it all; questions fail at once, and are answered afterwards."""
    *emitting, third = trial.cluster.nodes
    broker = trial.cluster.broker
    assert broker is not None
    for name in await trial.open(2):
        trial.send_to(name, third)
        trial.proxies[name].cut(silently=False)
        await trial.connected(name, 2)
    await trial.begin(*emitting)
    await deferLater(reactor, 0.3)
    if is_killed:
        await broker.kill()
    else:
        broker.freeze()
    begun = reactor.seconds()
    for node in trial.cluster.nodes:
        await until(lambda node=node: is_away(node))
    for how in QUESTIONS:
        answer = await emitting[0].do("ask", how=how)
        assert answer.get("error") == "BrokerUnavailable", answer
        assert answer["seconds"] < AT_ONCE
    await deferLater(reactor, max(0.0, begun + (KILLED if is_killed else HALTED) - reactor.seconds()))
    if is_killed:
        await broker.start()
    else:
        broker.thaw()
    await works_again(trial)
    await trial.finish()


async def is_away(node: Node) -> bool:
    return not await node.do("is_available")


async def works_again(trial: Trial) -> None:
    """Wait until all nodes answer, and all that was emitted goes out."""
    begun = reactor.seconds()
    await trial.cluster.ready()
    node = trial.cluster.nodes[0]
    while len((await node.do("ask", how="fetch_sockets")).get("value", ())) != len(trial.proxies):
        assert reactor.seconds() < begun + SOON
    while "error" in await node.do("ask", how="server_side_call"):
        assert reactor.seconds() < begun + SOON
    print(f"everything worked again {reactor.seconds() - begun:.2f} s after the broker was back")


@pytest.mark.timeout(120)
async def test_no_more_waits_for_the_broker_than_may(trial: Trial) -> None:
    """What is beyond it is refused at once; what was accepted comes when the broker is back, and nothing else."""
    broker = trial.cluster.broker
    assert broker is not None
    await trial.open(1)
    node = trial.cluster.nodes[0]
    await broker.kill()
    await until(lambda: is_away(node))
    memory = node.memory
    await trial.flood(FLOOD, node)
    refused = (await node.do("so_far"))["refused"]
    assert refused == [*range(FLOOD - len(refused) + 1, FLOOD + 1)]
    assert MAX_OUTBOX / 2 < FLOOD - len(refused) <= MAX_OUTBOX
    assert node.memory - memory < GROWTH
    await broker.start()
    await trial.finish()
