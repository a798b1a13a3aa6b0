"""The emitters of the npm packages, and ours, reach the clients and the servers of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_twisted import blockon

from tests.brokers.redis import RedisServer
from tests.mixed.cluster import Cluster, Crowd
from tests.mixed.conftest import Kind
from tests.mixed.node import NodeEmitter
from tests.mixed.ours import OurEmitter

TEXT = [1, "é", None, {"deep": [True, 1.5]}]
BYTES = [b"\x01\xff", {"deep": [b"\x05"]}, "é"]

Emitter = NodeEmitter | OurEmitter

#: There is no npm package of an emitter for the sharded adapter.
KINDS = ["classic", "streams", "streams with recovery"]

pytestmark = pytest.mark.parametrize("kind", KINDS, indirect=True, scope="module")


@pytest.fixture(params=["node", "ours", "ours, blocking"])
def emitter(request: pytest.FixtureRequest, kind: Kind, redis: RedisServer, cluster: Cluster) -> Iterator[Emitter]:
    """The one of the npm package, or ours; the blocking one in threads."""
    if request.param == "node":
        yield NodeEmitter(cluster.members["node"])
        return
    emitter = OurEmitter(kind.adapter(redis), blocking="blocking" in request.param, recovers=kind.recovers)
    yield emitter
    blockon(emitter.close())


@pytest.mark.parametrize(
    ("targets", "places"),
    [
        ({}, {"one", "two", "both"}),
        ({"to": ["one"]}, {"one", "both"}),
        ({"to": ["one", "two"]}, {"one", "two", "both"}),
        ({"except_": ["one"]}, {"two"}),
        ({"volatile": True}, {"one", "two", "both"}),
    ],
)
async def test_event_of_an_emitter_reaches_whom_it_is_for(
    emitter: Emitter, crowd: Crowd, targets: dict[str, Any], places: set[str]
) -> None:
    """On all servers."""
    for event in ["text", *TEXT], ["bytes", *BYTES]:
        await emitter.emit(*event, **targets)
        assert await crowd.got(emitter) == {name: [event] for name in crowd.at(*places)}


async def test_emitter_has_sockets_join_and_leave(emitter: Emitter, crowd: Crowd) -> None:
    """On all servers."""
    await emitter.join("three", "four", to=["one"], except_=["two"])
    await emitter.emit("joined", to=["three"])
    await emitter.leave("three", to=["four"])
    await emitter.emit("left", to=["three"])
    await emitter.emit("stayed", to=["four"])
    assert await crowd.got(emitter) == {name: [["joined"], ["stayed"]] for name in crowd.at("one")}


@pytest.mark.parametrize("close", [False, True])
async def test_emitter_disconnects_sockets(emitter: Emitter, crowd: Crowd, close: bool) -> None:
    """On all servers; the others stay."""
    await emitter.disconnect(close, to=["one"], except_=["two"])
    for client in crowd.at("one").values():
        assert await client.ended() == "41"
    assert await crowd.at("two", "both").got(emitter) == {}


async def test_emitter_tells_all_servers(cluster: Cluster, emitter: Emitter) -> None:
    """Nobody is left out: the emitter is no server."""
    await emitter.tell("told", *TEXT)
    assert [await member.heard.get() for member in cluster.members.values()] == [TEXT] * 3


async def test_emitter_is_not_counted(cluster: Cluster, emitter: Emitter) -> None:
    """Servers do not wait for it to answer."""
    await emitter.emit("event")
    assert [await member.count() for member in cluster.members.values()] == [3, 3, 3]
