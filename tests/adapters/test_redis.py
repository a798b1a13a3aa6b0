"""Servers that are joined by publish/subscribe of Redis: what is more than the contract asks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import pytest_twisted

from tests.adapters.redis_clients import Watched
from tests.brokers.redis import RedisServer
from tests.contract.cluster import Cluster, Node, until, within
from tests.contract.kinds import Kind, of_redis
from txsocketio import AckTimeout, OptionError, Server
from txsocketio.adapters.redis.wire import pack, unpack
from txsocketio.errors import BadMessage
from txsocketio.types import Json

Start = Callable[..., Awaitable[tuple[Node, Node]]]


@pytest_twisted.async_yield_fixture
async def start(redis: RedisServer) -> AsyncIterator[Start]:
    """Starts two nodes with options of the adapter."""
    clusters: list[Cluster] = []

    async def start(kind: str = "", **options: object) -> tuple[Node, Node]:
        clusters.append(Cluster(Kind("redis", of_redis(kind, **options)), redis))
        return await clusters[-1].start(), await clusters[-1].start()

    yield start
    for cluster in clusters:
        await cluster.stop()


def key_of(node: Node) -> str:
    """What the channels of its cluster begin with."""
    key: str = node.io.broker.options.key
    return key


class Stranger:
    """Somebody else on the Redis, who hears what is published.

    Attributes:
        heard: channels and messages, in order.
    """

    def __init__(self, client: Watched, key: str) -> None:
        self._client = client
        self._key = key
        self.heard: list[tuple[str, Json]] = []
        client.on_message = self._hear

    @classmethod
    async def come(cls, client: Watched, key: str) -> Stranger:
        """Be there before anything is published that is to be heard."""
        self = cls(client, key)
        await client.start()
        await client.psubscribe(key.encode() + b"*")
        return self

    def _hear(self, _: bytes | None, channel: bytes, message: bytes) -> None:
        with suppress(ValueError, BadMessage):
            meaning = json.loads(message) if message.startswith(b"{") else unpack(message)
            self.heard.append((channel.decode().removeprefix(self._key), meaning))

    async def say(self, place: str, message: Json) -> int:
        """Publish JSON or bytes; gives how many have got it."""
        content = message if isinstance(message, bytes) else json.dumps(message)
        count: int = await self._client.execute("PUBLISH", self._key + place, content)
        return count


@pytest.fixture
def stranger(redis: RedisServer, client: Callable[..., Watched]) -> Callable[[str], Awaitable[Stranger]]:
    """Somebody who knows the key of a cluster."""
    return lambda key: Stranger.come(client(redis.url), key)


# Channels


async def test_subscriptions_are_those_that_node_servers_count(start: Start, redis: RedisServer) -> None:
    """One for the requests of a namespace in each server, and none that is left when it is closed."""
    one, _ = await start()
    key = key_of(one)
    assert await redis.cli("PUBSUB", "NUMSUB", f"{key}-request#/#") == f"{key}-request#/#\n2"
    await within(one.io.of("/chat").adapter.start())
    assert await redis.cli("PUBSUB", "NUMSUB", f"{key}-request#/chat#") == f"{key}-request#/chat#\n1"
    await within(one.io.of("/chat").adapter.stop())
    assert await redis.cli("PUBSUB", "NUMSUB", f"{key}-request#/chat#") == f"{key}-request#/chat#\n0"


async def test_event_for_one_room_has_a_channel_of_its_own(
    start: Start, stranger: Callable[[str], Awaitable[Stranger]]
) -> None:
    """So that who has nobody in the room needs not look at the event."""
    one, _ = await start()
    other = await stranger(key_of(one))
    one.io.to("room").emit("a")
    one.io.to(["room", "other"]).emit("b")
    one.io.to("room").except_("other").emit("c")
    await until(lambda: len(other.heard) == 3)
    assert [place for place, _ in other.heard] == ["#/#room#", "#/#", "#/#room#"]


async def test_what_nobody_here_wants_is_not_decoded(
    start: Start, stranger: Callable[[str], Awaitable[Stranger]]
) -> None:
    """For a room without members: it could be anything. What can be anything and is for us is dropped, and counted."""
    one, two = await start()
    other = await stranger(key_of(one))
    client = await one.client("room")
    await other.say("#/#nobody#", b"\xc1")
    nonsense = {"type": 2, "data": "x" * 5000, "nsp": "/"}
    await other.say("#/#", pack(["other-", nonsense, {"rooms": ["nobody", "none"], "except": []}]))
    await other.say("#/#", pack(["other-", nonsense, {"rooms": ["room", "none"], "except": ["room"]}]))
    await other.say("#/#room#", b"\xc1")
    await other.say("#/#room#", pack(["other-", {"type": 2, "data": "event", "nsp": "/"}, {"rooms": [], "except": []}]))
    for place in ("-request#/#", "-response#/#"):
        for message in (b"{", b"\xc1", {"type": 5}, {"requestId": 1, "sockets": []}):
            await other.say(place, message)
    two.io.emit("end")
    await client.got(["end"])
    assert one.io.broker.dropped == two.io.broker.dropped + 2 == 8


async def test_event_of_another_namespace_is_not_taken(
    start: Start, stranger: Callable[[str], Awaitable[Stranger]]
) -> None:
    """Room "b" of "/a" and everybody in "/a#b" share a channel."""
    one, two = await start()
    for node in (one, two):
        await within(node.io.of("/a").adapter.start())
        await within(node.io.of("/a#b").adapter.start())
    in_room, elsewhere = await one.client("b", name="/a"), await one.client(name="/a#b")
    two.io.of("/a").to("b").emit("room")
    two.io.of("/a#b").emit("all")
    await in_room.got(["room"])
    await elsewhere.got(["all"])


# Older servers and emitters


async def test_requests_of_older_servers_are_answered(
    start: Start, stranger: Callable[[str], Awaitable[Stranger]]
) -> None:
    """Who is in rooms, which rooms there are, and what is to be done to one socket, by the server that has it."""
    one, _ = await start(publish_on_specific_response_channel=False)
    other = await stranger(key_of(one))
    client = await one.client("room")
    requests: list[tuple[Json, Json]] = [
        ({"type": 0, "rooms": ["room"]}, {"sockets": [client.id]}),
        ({"type": 1}, {"rooms": sorted([client.id, "room"])}),
        ({"type": 2, "sid": client.id, "room": "new"}, {}),
        ({"type": 3, "sid": client.id, "room": "room"}, {}),
    ]
    for number, (request, response) in enumerate(requests):
        other.heard.clear()
        await other.say("-request#/#", {"uid": "older-", "requestId": f"{number}", **request})
        await until(lambda: ("-response#/#", {"requestId": f"{number}", **response}) in other.heard)  # noqa: B023
    assert client.socket.rooms == {client.id, "new"}
    await other.say("-request#/#", {"uid": "older-", "type": 4, "sid": client.id, "close": True})
    await until(lambda: not one.io.root.sockets)


async def test_emitter_needs_no_name(start: Start, stranger: Callable[[str], Awaitable[Stranger]]) -> None:
    """What it has done to sockets is done by all servers."""
    one, two = await start()
    other = await stranger(key_of(one))
    clients = [await one.client("room"), await two.client("room")]
    everybody = {"rooms": ["room"], "except": []}
    await other.say("-request#/#", {"type": 2, "opts": everybody, "rooms": ["new", 5]})
    for client in clients:
        await until(lambda: client.socket.rooms == {client.id, "room", "new", "5"})  # noqa: B023 - awaited here
    await other.say("-request#/#", {"type": 4, "opts": everybody, "close": False})
    await until(lambda: not one.io.root.sockets and not two.io.root.sockets)


# Answers


async def test_answers_go_to_who_asks(start: Start, stranger: Callable[[str], Awaitable[Stranger]]) -> None:
    """By default; to all servers when an option says so. Those to server-side calls always do, as Node's."""
    for is_specific in (True, False):
        one, two = await start(publish_on_specific_response_channel=is_specific)
        other = await stranger(key_of(one))
        two.io.on("ask", lambda: "answer")
        await within(one.io.fetch_sockets())
        await within(one.io.server_side_call("ask"))
        places = [place for place, _ in other.heard if place.startswith("-response")]
        assert places == [f"-response#/#{one.io.broker.node + '#' if is_specific else ''}", "-response#/#"]


async def test_secrets_stay_here_when_that_is_wanted(start: Start) -> None:
    """Other servers see clients without their headers and what they authenticated with."""
    one, two = await start(share_handshakes=False)
    client = await two.client(auth={"token": "secret"})
    (found,) = await within(one.io.fetch_sockets())
    assert found.id == client.id
    assert (dict(found.handshake.headers), found.handshake.auth) == ({}, {})
    assert found.handshake.query["color"] == "red"


async def test_data_of_sockets_may_be_binary(start: Start) -> None:
    """Which JSON, the usual form of responses, has no form for."""
    one, two = await start()
    client = await two.client()
    client.socket.data["key"] = bytes(range(256))
    (found,) = await within(one.io.fetch_sockets())
    assert found.data == {"key": bytes(range(256))}


async def test_servers_that_answer_without_a_name_confuse_nobody(
    start: Start, stranger: Callable[[str], Awaitable[Stranger]], client: Callable[..., Watched]
) -> None:
    """Those of Node.js do. Who of several is silent is not known then."""
    one, two = await start(requests_timeout=0.3)
    key = key_of(one)
    other = await stranger(key)
    await within(other._client.subscribe(f"{key}-request#/#".encode()))  # counted from now on, and silent
    with pytest.raises(AckTimeout) as caught:
        await within(one.io.fetch_sockets())
    assert caught.value.missing == ["?"]
    answering = other._hear

    def answer(pattern: bytes | None, channel: bytes, message: bytes) -> None:
        answering(pattern, channel, message)
        if pattern is None:
            request = json.loads(message)["requestId"]
            other._client.execute("PUBLISH", f"{key}-response#/#", json.dumps({"requestId": request, "sockets": []}))

    other._client.on_message = answer
    two.io.broker.client._subscriber.connection.on_message = lambda *_: None  # it has gone deaf
    with pytest.raises(AckTimeout) as caught:
        await within(one.io.fetch_sockets())
    assert caught.value.missing == [two.io.broker.node]


# Options


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://localhost/x", {}),
        ("redis://localhost", {"keys": "x"}),
        ("redis://localhost", {"timeout": 0}),
        ("redis+sharded://localhost", {"subscription_mode": "dynamical"}),
        ("rediss://localhost", {"ca_file": "/nowhere"}),
        ("redis://:hush@localhost:hush", {}),
    ],
)
def test_senseless_option_is_an_error_at_once(url: str, options: dict[str, Any]) -> None:
    """Which never shows a password."""
    with pytest.raises(OptionError) as caught:
        Server(adapter={"url": url, **options})
    assert "hush" not in str(caught.value).replace(":hush'", "")
