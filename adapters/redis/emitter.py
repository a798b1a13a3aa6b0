"""What emitters send to Redis, and how.

    redis            PUBLISH     as the npm package @socket.io/redis-emitter 5
    redis+streams    XADD        as @socket.io/redis-streams-emitter 0.1, but to the stream that servers read
    redis+sharded    SPUBLISH    as a server with the sharded adapter of @socket.io/redis-adapter 8 does

A Twisted program sends with the client of the servers. What blocks needs one that works without a reactor, in any
thread and after a fork: that is the package `redis`, since txredisapi can do nothing without a reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred

from txsocketio.adapters.redis.address import RedisAddress
from txsocketio.adapters.redis.classic import RedisOptions
from txsocketio.adapters.redis.client import RedisClient
from txsocketio.adapters.redis.outbox import Outbox
from txsocketio.adapters.redis.sharded import RedisShardedOptions
from txsocketio.adapters.redis.streams import RedisStreamsOptions, remainder
from txsocketio.adapters.redis.streams_wire import encode_entry
from txsocketio.adapters.redis.wire import encode, encode_request, pack
from txsocketio.cluster.emitter import Outlet
from txsocketio.cluster.messages import BROADCAST, SERVER_SIDE_EMIT, Message
from txsocketio.socketio.brokers import require
from txsocketio.types import Json

#: The words of a command, its name first.
Command: TypeAlias = tuple[bytes, ...]

#: Makes the command that says a message about a namespace.
Telling: TypeAlias = Callable[[Any, str, Message], Command]


@dataclass(frozen=True)
class RedisEmitters:
    """Makes outlets for one kind of adapter; see `EmitterFactory`."""

    options_class: type[RedisOptions | RedisShardedOptions | RedisStreamsOptions]
    command: Telling

    def __call__(self, url: str, options: Any, blocking: bool, recovers: bool, /) -> Outlet[Any]:
        address, command = RedisAddress.parse(url), partial(self.command, options)
        if blocking:
            require("an emitter that blocks", ("redis",), "redis")
            from txsocketio.adapters.redis.blocking import BlockingRedisOutlet  # noqa: PLC0415 - needs redis

            return BlockingRedisOutlet(address, options, command)
        from twisted.internet import reactor

        return RedisOutlet(address, options, command, reactor)


class RedisOutlet:
    """Sends without blocking. What is to be sent while Redis is away waits for it, up to `max_outbox`."""

    def __init__(
        self,
        address: RedisAddress,
        options: RedisOptions | RedisShardedOptions | RedisStreamsOptions,
        command: Callable[[str, Message], Command],
        reactor: Any,
    ) -> None:
        self._command = command
        self._client = RedisClient(address, options, reactor, subscribes=False)
        self._outbox = Outbox(self._client, options, reactor, options.max_reconnect_delay)
        self._client.on_ready = self._outbox.open
        self._client.on_lost = lambda cause: self._outbox.close()
        self._client.start().addErrback(lambda _: None)  # closed before it was connected

    def send(self, namespace: str, message: Message) -> Deferred[None]:
        return self._outbox.publish(*self._command(namespace, message))

    def close(self) -> Deferred[None]:
        self._outbox.stop()
        return self._client.stop()


def _classic(options: RedisOptions, namespace: str, message: Message) -> Command:
    if message.type == BROADCAST:
        packet = {**message.data["packet"], "nsp": namespace}
        channel = _channel(options.key, namespace, message.rooms)
        return b"PUBLISH", channel, pack((message.node, packet, _ordered(message)))
    if message.type != SERVER_SIDE_EMIT:
        message.node = ""
    return b"PUBLISH", f"{options.key}-request#{namespace}#".encode(), encode_request(message, namespace)


def _sharded(options: RedisShardedOptions, namespace: str, message: Message) -> Command:
    # Also what is for one room goes to the common channel: servers that have just been told to have clients join it may
    # not be subscribed to its own yet.
    data = message.data if message.opts is None else {**message.data, "opts": message.opts}
    fields = {"type": message.type, "data": data, "uid": message.node, "nsp": namespace}
    return b"SPUBLISH", _channel(options.key, namespace, ()), encode(fields)


def _streams(options: RedisStreamsOptions, namespace: str, message: Message) -> Command:
    if message.type == BROADCAST:
        message.data = {"packet": {**message.data["packet"], "nsp": namespace}}
        message.opts = _ordered(message)
    entry = encode_entry(message, namespace, options.only_plaintext)
    fields = (b"uid", message.node.encode(), b"nsp", entry.namespace, b"type", entry.type.encode(), b"data", entry.data)
    stream, count = options.stream_name, options.stream_count
    if count > 1:
        stream += f"-{abs(remainder(namespace, count))}"
    return b"XADD", stream.encode(), b"MAXLEN", b"~", b"%d" % options.max_len, b"*", *fields


def _channel(key: str, namespace: str, rooms: Sequence[str]) -> bytes:
    """Where a broadcast is published: one room has a channel of its own."""
    return f"{key}#{namespace}#{rooms[0]}#".encode() if len(rooms) == 1 else f"{key}#{namespace}#".encode()


def _ordered(message: Message) -> dict[str, Json]:
    """Whom it is about, in the order of Node's emitters: nobody asks for it, but then their bytes are ours."""
    assert message.opts is not None
    return {name: message.opts[name] for name in ("rooms", "flags", "except")}


classic = RedisEmitters(RedisOptions, _classic)
sharded = RedisEmitters(RedisShardedOptions, _sharded)
streams = RedisEmitters(RedisStreamsOptions, _streams)
