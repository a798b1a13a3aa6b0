"""A mixed cluster, its clients, and who of them got what."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Iterable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from tests.mixed.clients import Client
from tests.mixed.node import NodeEmitter, NodeServer
from tests.mixed.ours import OurEmitter, OurServer

Member = NodeServer | OurServer

#: Who sends events to clients.
Speaker = Member | NodeEmitter | OurEmitter

#: The places of the clients that each server has, and their rooms.
PLACES = {"one": ["one"], "two": ["two"], "both": ["one", "two"]}

#: What a server that recovers clients appends to an event.
OFFSET = re.compile(r"\d+-\d+")

END = "the end"


def together(running: Iterable[Coroutine[Any, Any, Any]]) -> Deferred[list[Any]]:
    """What all of them give."""
    return gatherResults(map(Deferred.fromCoroutine, running))


class Cluster:
    """One server of Node.js and two of ours on one Redis.

    Attributes:
        members: the servers: "node", "first" and "second".
    """

    def __init__(self, node: NodeServer, first: OurServer, second: OurServer) -> None:
        self.members: dict[str, Member] = {"node": node, "first": first, "second": second}

    async def connect(self) -> Crowd:
        """A client of each server in each place."""
        names = {f"{place} of {server}": (member, place) for server, member in self.members.items() for place in PLACES}
        connecting = [Client.connect(member.port, *PLACES[place], name=name) for name, (member, place) in names.items()]
        return Crowd(zip(names, await together(connecting), strict=True))

    async def see_off(self, clients: Iterable[Client]) -> None:
        """Have clients go; the Node server, which outlives the test, knows it."""
        ids = set()
        for client in clients:
            client.leave()
            ids.add(client.id)
        await self.members["node"].lost(*ids)


class Crowd(dict[str, Client]):
    """Clients by their names, as in "both of node"."""

    def at(self, *places: str) -> Crowd:
        """Those in these places, of all servers."""
        return Crowd({name: client for name, client in self.items() if name.split()[0] in places})

    async def got(self, sender: Speaker) -> dict[str, list[Any]]:
        """What each client has got by now, if anything. The sender lets all know when now is."""
        await sender.emit(END)
        got = {name: await received(client) for name, client in self.items()}
        return {name: events for name, events in got.items() if events}

    async def answer(self, *answers: object) -> None:
        """Each client answers the next question, in their order."""
        for client, answer in zip(self.values(), answers, strict=True):
            await client.answer(await client.asked(), answer)


async def received(client: Client) -> list[Any]:
    """The events before the end."""
    events = []
    while (event := without_offset(await client.event())) != [END]:
        events.append(event)
    return events


def without_offset(event: list[Any]) -> list[Any]:
    *rest, last = event
    return rest if isinstance(last, str) and OFFSET.fullmatch(last) else event
