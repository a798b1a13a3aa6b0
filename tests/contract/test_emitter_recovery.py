"""What an emitter sends while a client is away reaches it when it comes back, wherever the adapter has recovery."""

from __future__ import annotations

import pytest
from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThread

from tests.contract.cluster import Cluster, Node, within
from txsocketio import Emitter


@pytest.mark.parametrize("blocking", [False, True], ids=["deferred", "blocking"])
async def test_missed_events_of_an_emitter_are_made_up_for(
    cluster: Cluster, nodes: tuple[Node, Node, Node], blocking: bool
) -> None:
    """On another server too, in order with those of servers."""
    run = deferToThread if blocking else maybeDeferred
    emitter = await run(Emitter, cluster.adapter, blocking=blocking, connection_state_recovery=True)
    client = await nodes[0].client("a")
    await within(run(emitter.emit, "n", 1))
    await client.got(["n", 1])
    client.cut()
    await within(run(emitter.to("a").emit, "n", 2))
    await within(run(emitter.to("b").emit, "n", "not for it"))
    await within(nodes[1].io.emit("n", 3))
    await within(run(emitter.emit, "n", b"4"))
    again = await client.back(nodes[2])
    await again.got(["n", 1], ["n", 2], ["n", 3], ["n", b"4"])
    assert again.socket.recovered
    await within(run(emitter.close))
