"""Emitting over Redis: the bytes of Node's emitters, and what becomes of it when Redis does not play along."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from msgpack import unpackb
from twisted.internet.defer import gatherResults
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from tests.adapters.redis_clients import QUICK, OwnRedis, Watched
from tests.brokers.redis import RedisSentinel, RedisServer
from tests.mixed.vectors import Vector, load
from tests.programs import Program
from txsocketio import BrokerUnavailable, Emitter, OptionError, ReservedEvent, Server, UnserializableData
from txsocketio.adapters.redis import emitter as redis_emitter
from txsocketio.adapters.redis.streams import RedisStreamsBroker
from txsocketio.cluster import messages
from txsocketio.cluster.emitter import NamespaceEmitter
from txsocketio.cluster.messages import Message
from txsocketio.errors import BrokerError
from txsocketio.socketio.broadcast import DEFAULTS

Client = Callable[..., Watched]

#: What the vectors of the emitters do, in Python.
CALLS: dict[str, Callable[[NamespaceEmitter[None]], None]] = {
    "to everybody": lambda emitter: emitter.emit("event", 1, "é", None, None),
    "to a room": lambda emitter: emitter.to("room").emit("event"),
    "to rooms, except": lambda emitter: emitter.to(["room", "other"]).except_("third").volatile.emit("event"),
    "bytes": lambda emitter: emitter.emit("event", b"\x01\xff", {"deep": [b"\x05"]}),
    "in another namespace": lambda emitter: emitter.to("room").emit("event"),
    "join": lambda emitter: emitter.in_("nobody").except_("other").sockets_join(["one", "two"]),
    "leave": lambda emitter: emitter.in_("nobody").sockets_leave("one"),
    "disconnect": lambda emitter: emitter.in_("nobody").disconnect_sockets(True),
    "server-side emit": lambda emitter: emitter.server_side_emit("told", 1, "é"),
}


class Recorder:
    """An outlet that keeps the commands."""

    def __init__(self, emitters: redis_emitter.RedisEmitters) -> None:
        self.commands: list[tuple[bytes, ...]] = []
        self._emitters = emitters

    def send(self, namespace: str, message: Message) -> None:
        self.commands.append(self._emitters.command(self._emitters.options_class(), namespace, message))

    def close(self) -> None: ...


def recorded(kind: str) -> list[Any]:
    vectors = [vector for vector in load(kind) if vector.name.startswith("emitter: ")]
    return [pytest.param(kind, vector, id=f"{kind}, {vector.name}") for vector in vectors]


@pytest.mark.parametrize(("kind", "vector"), [*recorded("classic"), *recorded("streams")])
def test_bytes_are_those_of_the_emitter_of_node(kind: str, vector: Vector) -> None:
    """Every server that understands that one understands ours."""
    recorder = Recorder(getattr(redis_emitter, kind))
    CALLS[vector.name.removeprefix("emitter: ")](NamespaceEmitter(recorder, "/chat" if "/chat" in vector.code else "/"))
    assert [(command[0].decode(), command[1].decode(), command[-1].hex()) for command in recorder.commands] == [
        (said.command, said.place, said.payload) for said in vector.said
    ]


def test_entry_is_written_to_the_stream_that_servers_read() -> None:
    """Those of Node.js always write what is emitted to the first; nobody reads that when there are several."""
    server = Server(adapter="redis+streams://localhost?stream_count=3", clock=Clock())
    assert isinstance(server.broker, RedisStreamsBroker)
    for namespace in ("/", "/chat", "/news", "/été"):
        message = messages.broadcast(["event"], (), (), DEFAULTS)
        _, stream, *_ = redis_emitter.streams.command(server.broker.options, namespace, message)
        assert stream.decode() == server.broker.stream_of(namespace)


# What cannot be emitted


def wrong(emitter: Any) -> None:
    with pytest.raises(ReservedEvent):
        emitter.emit("disconnect")
    with pytest.raises(ReservedEvent):
        emitter.server_side_emit("connection")
    for call in (emitter.emit, emitter.server_side_emit):
        with pytest.raises(UnserializableData):
            call("event", object())


async def test_what_cannot_be_emitted_is_refused_at_once(redis: RedisServer) -> None:
    """In the same way as by a server."""
    emitter = Emitter(redis.url)
    wrong(emitter)
    await emitter.close()
    blocking = Emitter(redis.url, blocking=True)
    wrong(blocking)
    blocking.close()


def test_brokers_without_emitter_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is missing for one that blocks."""
    with pytest.raises(OptionError, match=r"^adapter: there is no emitter for memory$"):
        Emitter("memory:")
    monkeypatch.setattr("txsocketio.socketio.brokers.find_spec", lambda name: None if name == "redis" else sys)
    told = r"^adapter: an emitter that blocks needs redis, which is not installed: pip install 'txsocketio\[redis\]'$"
    with pytest.raises(OptionError, match=told):
        Emitter("redis://localhost", blocking=True)


# When Redis is away


async def test_what_is_emitted_while_redis_is_away_waits_for_it(own_redis: OwnRedis, client: Client) -> None:
    """In order, and not without end: as with servers."""
    server = await own_redis()
    url = f"{server.url}?max_outbox=2&max_reconnect_delay=0.1"
    await server.stop()
    emitter = Emitter(url)
    waiting = gatherResults([emitter.emit("n", n) for n in range(2)])
    with pytest.raises(BrokerUnavailable, match="max_outbox"):
        await emitter.emit("n", 2)
    await server.start()
    await waiting
    await emitter.close()
    with pytest.raises(BrokerUnavailable):
        await emitter.emit("n", 3)


async def test_emitter_can_be_closed_before_it_is_connected() -> None:
    """What waits fails."""
    emitter = Emitter("redis://localhost:1")
    waiting = emitter.emit("n")
    await emitter.close()
    with pytest.raises(BrokerUnavailable):
        await waiting


async def test_blocking_emitter_fails_when_redis_is_away_and_works_when_it_is_back(own_redis: OwnRedis) -> None:
    """It does not wait longer than it may, nor send anything twice."""
    server = await own_redis()
    emitter = Emitter({"url": server.url, **QUICK}, blocking=True)
    await deferToThread(emitter.emit, "event")
    server.freeze()
    with pytest.raises(BrokerUnavailable):
        await deferToThread(emitter.emit, "event")
    server.thaw()
    await deferToThread(emitter.emit, "event")
    await server.stop()
    with pytest.raises(BrokerUnavailable, match=f"Redis at {server.address} is away"):
        await deferToThread(emitter.emit, "event")
    await server.start()
    await deferToThread(emitter.emit, "event")
    emitter.close()


# Where Redis is


@pytest.mark.parametrize("blocking", [False, True])
async def test_emitter_finds_redis_where_servers_do(own_redis: OwnRedis, blocking: bool) -> None:
    """A Unix socket, TLS, a user with a password, another database; the password is shown nowhere."""
    server = await own_redis("user ann on >s3cret ~* &* +@all", "user default off", tls=True)
    host = f"localhost:{server.port}"
    for url in (
        f"rediss://ann:s3cret@{host}/1?ca_file={server.certificate}",
        f"redis+unix://ann:s3cret@{server.socket}",
    ):
        await emit_once(url, blocking)
    if blocking:
        with pytest.raises((BrokerError, BrokerUnavailable)) as raised:
            await emit_once(f"redis+unix://ann:wr0ng@{server.socket}", blocking)
        assert "wr0ng" not in str(raised.value)
        with pytest.raises(BrokerUnavailable, match="certificate"):
            await emit_once(f"rediss://ann:s3cret@{host}", blocking)


async def emit_once(url: str, blocking: bool) -> None:
    if blocking:
        emitter = Emitter(url, blocking=True)
        await deferToThread(emitter.emit, "event")
        emitter.close()
    else:
        waiting = Emitter(url)
        await waiting.emit("event")
        await waiting.close()


@pytest.mark.parametrize("blocking", [False, True])
async def test_emitter_asks_sentinels(blocking: bool) -> None:
    """And follows the master that they name."""
    sentinel = RedisSentinel()
    try:
        await sentinel.start()
        await emit_once(sentinel.url, blocking)
    finally:
        await sentinel.remove()


# Programs without a reactor

THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from txsocketio import Emitter
emitter = Emitter(sys.argv[1], blocking=True)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(lambda n: emitter.emit("n", n), range(200)))
emitter.close()
print("reactor" if "twisted.internet.reactor" in sys.modules else "no reactor")
"""


async def test_threads_share_an_emitter_and_need_no_reactor(redis: RedisServer, client: Client) -> None:
    """Django, Celery, a script."""
    subscriber = client(redis.url)
    await subscriber.start()
    await subscriber.subscribe(b"threads#/#")
    with Program(sys.executable, "-c", THREADS, f"{redis.url}?key=threads") as program:
        await deferToThread(program.wait_for, "^no reactor$")
    assert len(await subscriber.messages(200)) == 200


FORKS = """
import os, sys
from txsocketio import Emitter
emitter = Emitter(sys.argv[1], blocking=True)
emitter.emit("n", 0)
for n in range(2):
    if not os.fork():
        emitter.emit("n", 1 + n)
        os._exit(0)
emitter.emit("n", 3)
print("emitted", *(os.wait()[1] for _ in range(2)))
"""


async def test_forked_processes_can_use_the_emitter_of_their_parent(redis: RedisServer, client: Client) -> None:
    """As the workers of Celery and Gunicorn are."""
    subscriber = client(redis.url)
    await subscriber.start()
    await subscriber.subscribe(b"forks#/#")
    with Program(sys.executable, "-c", FORKS, f"{redis.url}?key=forks") as program:
        await deferToThread(program.wait_for, "^emitted 0 0$")
    assert len(await subscriber.messages(4)) == 4


# From a shell


def command(*arguments: str) -> Program:
    return Program(sys.executable, "-m", "txsocketio", "emit", *arguments)


async def test_command_emits(redis: RedisServer, client: Client) -> None:
    """To rooms, to others than rooms, in a namespace; each argument is JSON."""
    subscriber = client(redis.url)
    await subscriber.start()
    await subscriber.subscribe(b"shell#/chat#", b"shell#/#tea#")
    adapter = f"--adapter={redis.url}?key=shell"
    for arguments in (["--room=tea", "said", "5", '"text"'], ["--namespace=chat", "--except=a", "--except=b", "end"]):
        with command(adapter, *arguments) as program:
            assert await deferToThread(program.wait) == 0
            assert program.output == ""
    said, end = (unpackb(message) for _, _, message in await subscriber.messages(2))
    assert said[1:] == [
        {"type": 2, "data": ["said", 5, "text"], "nsp": "/"}, {"rooms": ["tea"], "flags": {}, "except": []}
    ]  # fmt: skip
    assert end[1:] == [
        {"type": 2, "data": ["end"], "nsp": "/chat"}, {"rooms": [], "flags": {}, "except": ["a", "b"]}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--adapter=redis://localhost:1", "event"], 1, "python -m txsocketio: Redis at localhost:1 is away: "),
        (
            ["--adapter=rdeis:", "event"],
            1,
            "txsocketio: adapter: unknown scheme 'rdeis'; did you mean redis?",
        ),
        (["--adapter=redis:?kye=a", "event"], 1, "python -m txsocketio: unknown option 'kye'; did you mean 'key'?"),
        (["--adapter=redis://localhost", "event", "text"], 2, """ 'text' is not JSON; a text needs quotes"""),
        (["event"], 2, "--adapter"),
    ],
)
async def test_command_tells_what_went_wrong(arguments: list[str], status: int, told: str) -> None:
    """In one line, and by its exit status."""
    with command(*arguments) as program:
        assert await deferToThread(program.wait) == status
    assert told in program.output
    assert "Traceback" not in program.output
