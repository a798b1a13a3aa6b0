"""A client moves between servers of Node.js and ours, and gets exactly what it missed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from tests.mixed.clients import Client
from tests.mixed.cluster import Cluster, Member
from tests.wire import ConnectionEnded

pytestmark = pytest.mark.parametrize("kind", ["streams with recovery"], indirect=True, scope="module")


class Traveller:
    """A client that can be recovered.

    Attributes:
        client: as it is connected now.
        left: as it was connected before.
        offset: of the latest event.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.offset = ""
        self.left: list[Client] = []

    async def next(self) -> list[Any]:
        """The next event, without its offset."""
        missed = self.client.missed
        *event, self.offset = missed.pop(0) if missed else await self.client.event()
        return event

    async def heard(self, speaker: Member) -> list[Any]:
        """The events up to now."""
        await speaker.emit("now", to=[self.client.id])
        heard = []
        while (event := await self.next()) != ["now"]:
            heard.append(event)
        return heard

    async def leave(self, member: Member) -> None:
        """Lose the connection; the server notices."""
        self.client.cut()
        await member.lost(self.client.id)

    async def arrive(self, member: Member) -> bool:
        """Come back; whether as the same."""
        pid = self.client.pid
        self.left.append(self.client)
        self.client = await Client.connect(member.port, auth={"pid": pid, "offset": self.offset})
        return self.client.pid == pid


SetOut = Callable[[Member], Coroutine[Any, Any, Traveller]]


@pytest.fixture
def set_out(cluster: Cluster) -> Iterator[SetOut]:
    """Connects a traveller to a server; it is in the room "one" and has heard one event."""
    travellers = []

    async def set_out(member: Member) -> Traveller:
        traveller = Traveller(await Client.connect(member.port, "one", name="traveller"))
        travellers.append(traveller)
        assert await traveller.heard(member) == []
        return traveller

    yield set_out
    clients = [client for traveller in travellers for client in [*traveller.left, traveller.client]]
    blockon(Deferred.fromCoroutine(cluster.see_off(clients)))


@pytest.mark.parametrize("before", ["node", "first"])
@pytest.mark.parametrize("after", ["node", "first", "second"])
async def test_client_gets_what_it_missed(cluster: Cluster, set_out: SetOut, before: str, after: str) -> None:
    """From every server, in order, once; and it is in its rooms and has its data."""
    traveller = await set_out(cluster.members[before])
    await traveller.leave(cluster.members[before])
    for name, speaker in cluster.members.items():
        await speaker.emit("to all", name)
        await speaker.emit("to its room", name, b"\x01\xff", to=["two", "one"])
        await speaker.emit("to others", to=["two"])
        await speaker.emit("to others", except_=["one"])
        await speaker.emit("to it", name, to=[traveller.client.id], except_=["two"])
        await speaker.count()  # Redis has what was sent before
    assert await traveller.arrive(cluster.members[after])
    assert await traveller.heard(cluster.members[after]) == [
        missed
        for name in cluster.members
        for missed in (["to all", name], ["to its room", name, b"\x01\xff"], ["to it", name])
    ]
    [found] = await cluster.members[before].fetch(to=["one"])
    assert (found["rooms"], found["data"]) == (sorted([traveller.client.id, "one"]), {"name": "traveller"})


async def test_client_wanders_without_loss(cluster: Cluster, set_out: SetOut) -> None:
    """Numbered events of all servers, while it is there and while it is away: none missing, none twice."""
    numbers = iter(range(1000))
    heard = []
    place = cluster.members["node"]
    traveller = await set_out(place)
    for next_place in islice(cycle([cluster.members[name] for name in ("first", "node", "second", "node")]), 20):
        for speaker in cluster.members.values():
            await speaker.emit("number", next(numbers), to=["one"])
            await speaker.count()
        heard += await traveller.heard(speaker)
        await traveller.leave(place)
        for speaker in cluster.members.values():
            await speaker.emit("number", next(numbers))
            await speaker.count()
        place = next_place
        assert await traveller.arrive(place)
        heard += await traveller.heard(speaker)
    assert heard == [["number", number] for number in range(next(numbers))]


@pytest.mark.parametrize("after", ["node", "second"])
async def test_client_whose_loss_was_not_noticed_recovers(cluster: Cluster, set_out: SetOut, after: str) -> None:
    """From one of our servers to any: the session is stored while the client is there."""
    traveller = await set_out(cluster.members["first"])
    await cluster.members["node"].emit("missed")
    await cluster.members["node"].count()
    assert await traveller.arrive(cluster.members[after])
    assert await traveller.heard(cluster.members[after]) == [["missed"]]


async def test_connection_here_ends_when_a_server_of_node_js_has_taken_the_client(
    cluster: Cluster, set_out: SetOut
) -> None:
    """Though nothing is left of it that could be noticed by itself."""
    first = cluster.members["first"]
    traveller, other = await set_out(first), await set_out(first)
    assert await traveller.arrive(cluster.members["node"])
    await first.lost(traveller.client.id)
    with pytest.raises(ConnectionEnded):
        await traveller.left[0].ended()
    assert len(await first.fetch(to=["one"])) == 2
    assert await other.heard(first) == []


async def test_client_is_at_one_of_our_servers_at_most(cluster: Cluster, set_out: SetOut) -> None:
    """Also when it comes by way of a server of Node.js, and nobody else has noticed that."""
    first, second, node = (cluster.members[name] for name in ("first", "second", "node"))
    traveller = await set_out(first)
    for place in (second, first, first):
        assert await traveller.arrive(node)
        assert await traveller.heard(node) == []
        await traveller.leave(node)
        assert await traveller.arrive(place)
        assert await traveller.heard(place) == []
        (found,) = await first.fetch(to=["one"])
        assert found["id"] == traveller.client.id


@contextmanager
def traffic(cluster: Cluster) -> Iterator[Counter[str]]:
    """All servers send numbered events; how many, each."""
    sent: Counter[str] = Counter()

    def speak() -> None:
        name = random.choice([*cluster.members])
        cluster.members[name].emit("number", name, sent[name], to=random.choice([[], ["one"], ["one", "two"]]))
        sent[name] += 1

    speaking = LoopingCall(speak)
    speaking.start(0.005)
    try:
        yield sent
    finally:
        speaking.stop()


@pytest.mark.parametrize("silent", [False, True], ids=["cut", "not noticed"])
async def test_client_loses_nothing_between_our_servers(cluster: Cluster, set_out: SetOut, silent: bool) -> None:
    """Cut at any moment, while Node's server sends as well: none missing, none twice, none out of order."""
    traveller = await set_out(cluster.members["first"])
    heard = []
    with traffic(cluster) as sent:
        for place in random.choices([cluster.members["first"], cluster.members["second"]], k=20):
            heard += [await traveller.next() for _ in range(random.randrange(8))]
            if not silent:
                traveller.client.cut()
            assert await traveller.arrive(place)
    heard += [await traveller.next() for _ in range(sent.total() - len(heard))]
    numbers = {name: [number for _, speaker, number in heard if speaker == name] for name in sent}
    assert numbers == {name: list(range(count)) for name, count in sent.items()}
