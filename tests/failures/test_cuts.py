"""Clients that are cut again and again, at any moment, and come back to any node."""

from __future__ import annotations

import os

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.contract.kinds import Kind
from tests.failures.cluster import Trial

CLIENTS = 10

IS_LONG = "TXSOCKETIO_LONG" in os.environ

#: How often clients are cut in one test.
CUTS = {} if IS_LONG else {"redis": 100}
OTHER_CUTS = 1000 if IS_LONG else 30

#: Seconds that it may take; a thousand cuts take one minute where there is nothing else to do.
LIMIT = 600 if IS_LONG else 120

#: Seconds between two cuts of a client at most.
PATIENCE = 0.15

#: Bytes after which a client is cut at most: the answers of the handshake, or many events.
HANDSHAKE, STREAM = 500, 2000


async def cut_all(trial: Trial, times: int, silently: bool | None = None) -> None:
    """Cut every client so often, noticed by its node or silently, or now this way and now that."""
    cuts = [Deferred.fromCoroutine(cut_often(trial, name, times, silently)) for name in trial.proxies]
    await gatherResults(cuts, consumeErrors=True)


async def cut_often(trial: Trial, name: str, times: int, silently: bool | None) -> None:
    """Cut all connections of a client, some time or so many bytes after the last cut; it comes back to any node."""
    proxy, chance = trial.proxies[name], trial.chance
    for _ in range(times):
        how = chance.random()
        is_silent = chance.random() < 0.5 if silently is None else silently
        if how < 0.5:
            await deferLater(reactor, chance.uniform(0, PATIENCE))
            await proxy.in_use()
            proxy.cut(is_silent)
            trial.tell(f"{name} is cut")
        else:
            count = chance.randrange(1, HANDSHAKE if how < 0.75 else STREAM)
            await proxy.cut_behind(count, is_silent)
            trial.tell(f"{name} is cut behind {count} bytes")
        trial.send_anywhere(name)


@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize("silently", [False, True], ids=["reset", "silent"])
async def test_cut_clients_miss_nothing_and_get_nothing_twice(
    trial: Trial, kind: Kind, transport: str, silently: bool
) -> None:
    """Whether their node notices, or still believes in the old connection when they are back elsewhere."""
    await trial.open(CLIENTS, transport)
    await trial.begin()
    await cut_all(trial, CUTS.get(kind.fixture, OTHER_CUTS) // CLIENTS, silently)
    await trial.finish()
