"""Redis as a broker whose streams keep what was sent: `redis+streams://`.

        RedisStreamsBroker -+- RedisClient         commands, and messages of channels
                            +- StreamWriter ---->  the stream  <---- those of other nodes
                            '- StreamReader <----       '

There is one stream for all namespaces, or several that share them. Servers of Node.js with the npm package
@socket.io/redis-streams-adapter can join.
Source: @socket.io/redis-streams-adapter 0.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import fmod, inf
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txsocketio.adapters.redis.pubsub import ChannelBroker, ChannelOptions, Subscribe
from txsocketio.adapters.redis.streams_adapters import StreamsAdapter, StreamsLogAdapter
from txsocketio.adapters.redis.streams_reader import StreamReader
from txsocketio.adapters.redis.streams_store import RedisSessions, StreamWriter
from txsocketio.adapters.redis.streams_wire import decode_entry, namespace_of
from txsocketio.engineio.options import option
from txsocketio.errors import BadMessage
from txsocketio.socketio.adapter import all_of

if TYPE_CHECKING:
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server

log = Logger()

#: Seconds that a broker which stops gives Redis to take what is on its way.
LEAVING = 1.0


@dataclass(kw_only=True)
class RedisStreamsOptions(ChannelOptions):
    """The options of `redis+streams://`, with the names that they have in Node.js.

    Raises:
        OptionError: a value is not allowed.
    """

    stream_name: str = option("socket.io", "The name of the stream. Servers with the same one form a cluster.")
    stream_count: int = option(1, "How many streams share the namespaces; their names end in -0, -1 and so on then.")
    channel_prefix: str = option("socket.io", "What the names of the channels begin with that answers go over.")
    use_sharded_pub_sub: bool = option(
        False, "Whether these are channels of shards, which Redis 7 has. The same for all servers."
    )
    max_len: int = option(10_000, "How many of the latest entries a stream keeps, about.")
    read_count: int = option(100, "How many entries are read at a time.")
    block_time: float = option(5.0, "Seconds that Redis waits for an entry until it is asked again.")
    session_key_prefix: str = option("sio:session:", "What the keys of the sessions of clients begin with.")
    session_check_interval: float = option(
        5.0, "Seconds between two looks whether servers of Node.js have taken sessions of clients here; 0 for none."
    )
    only_plaintext: bool = option(False, "Whether emitting bytes is an error, and nothing but JSON goes into a stream.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("stream_count", "max_len", "read_count", "block_time"):
            self.require(getattr(self, name) > 0, name, "must be positive")
        self.require(self.block_time < 3600, "block_time", "must be a number of seconds below an hour")
        is_number = 0 <= self.session_check_interval < inf
        self.require(is_number, "session_check_interval", "must be a number of seconds, or 0")


class RedisStreamsBroker(ChannelBroker):
    """A Redis whose streams carry what servers have to say."""

    options_class: ClassVar[type[ChannelOptions]] = RedisStreamsOptions
    options: RedisStreamsOptions

    def __init__(self, server: Server, url: str, options: RedisStreamsOptions) -> None:
        super().__init__(server, url, options)
        clock = server.engine.clock
        name, count = options.stream_name, options.stream_count
        self._streams = [name] if count == 1 else [f"{name}-{number}" for number in range(count)]
        self._writers = [
            StreamWriter(self.client, stream, self.node, options.max_len, options, clock) for stream in self._streams
        ]
        self._readers = [
            StreamReader(self.client, stream, options.read_count, options.block_time, clock) for stream in self._streams
        ]
        for number, reader in enumerate(self._readers):
            reader.on_entry = self._entry
            reader.on_gap = partial(self._gap, number)
        self._is_reading = False

    def adapter(self, namespace: Namespace) -> StreamsAdapter:
        self._warn_of_lost_stream(namespace.name)
        if namespace.options.recovery is None:
            return StreamsAdapter(namespace, self)
        duration = namespace.options.recovery.max_disconnection_duration
        sessions = RedisSessions(self.client, self.options.session_key_prefix, duration)
        return StreamsLogAdapter(namespace, self, sessions)

    def start(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        for writer in self._writers:
            writer.outbox.start()
        await super().start()
        for reader in self._readers:
            await reader.start()
        # Only now may entries leave: what this node emits has to be behind the place from which it reads.
        self._is_reading = True
        if self.is_available:
            self._open()

    def stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self.is_available:
            left = all_of(writer.outbox.when_empty() for writer in self._writers)
            await left.addTimeout(LEAVING, self.server.engine.clock, lambda *_: None)
        self._is_reading = False
        for writer in self._writers:
            writer.outbox.stop()
        for reader in self._readers:
            reader.stop()
        await super().stop()

    def connected(self) -> None:
        super().connected()
        if self._is_reading:
            self._open()

    def lost(self) -> None:
        super().lost()
        for writer in self._writers:
            writer.outbox.close()

    def _open(self) -> None:
        for writer in self._writers:
            writer.outbox.open()

    # --- streams ---

    def stream_of(self, namespace: str) -> str:
        """The name of the stream that has the messages of a namespace."""
        return self._streams[self._number_of(namespace)]

    def writer_of(self, namespace: str) -> StreamWriter:
        """What writes to that stream."""
        return self._writers[self._number_of(namespace)]

    def reader_of(self, namespace: str) -> StreamReader:
        """What reads it."""
        return self._readers[self._number_of(namespace)]

    def _number_of(self, namespace: str) -> int:
        return abs(remainder(namespace, self.options.stream_count))

    def _warn_of_lost_stream(self, namespace: str) -> None:
        number = remainder(namespace, self.options.stream_count)
        if number < 0:
            log.warn(
                "Servers of Node.js write what they say of {namespace} to {stream}-{number}, which nobody reads: set "
                "stream_count to 1, or give the namespace another name",
                namespace=namespace,
                stream=self.options.stream_name,
                number=number,
            )

    def _entry(self, position: int, fields: Sequence[bytes]) -> None:
        """Hand over what was read. Hot path."""
        adapter = self.adapters.get(namespace_of(fields))
        if isinstance(adapter, StreamsAdapter):
            try:
                adapter.read_entry(position, decode_entry(fields), sum(map(len, fields)))
            except BadMessage as error:
                self.drop(error, "?")
            except Exception:  # noqa: BLE001 - a border, the reader has to go on
                log.failure("An entry about {namespace} could not be taken", namespace=adapter.namespace.name)

    def _gap(self, number: int, position: int, is_lost: bool) -> None:
        for adapter in self.adapters.values():
            if isinstance(adapter, StreamsAdapter) and self._number_of(adapter.namespace.name) == number:
                if is_lost:
                    adapter.lost_up_to(position)
                else:
                    adapter.go_back_to(position)

    # --- channels ---

    @property
    def kind(self) -> str:
        """Of channels: "" or "SHARD"."""
        return "SHARD" if self.options.use_sharded_pub_sub else ""

    @property
    def subscribe(self) -> Subscribe:
        """The method of the client that subscribes to a channel."""
        return self.client.ssubscribe if self.options.use_sharded_pub_sub else self.client.subscribe

    @property
    def unsubscribe(self) -> Subscribe:
        """Its opposite."""
        return self.client.sunsubscribe if self.options.use_sharded_pub_sub else self.client.unsubscribe

    def publish(self, channel: bytes, content: bytes) -> Deferred[None]:
        """Give something to who is subscribed to a channel now."""
        return self.client.execute("SPUBLISH" if self.options.use_sharded_pub_sub else "PUBLISH", channel, content)


def remainder(namespace: str, count: int) -> int:
    """What servers of Node.js put behind the name of the stream of a namespace; it may be negative.

    Source: @socket.io/redis-streams-adapter 0.3, `hashCode` and JavaScript's `%`.
    """
    units = namespace.encode("utf-16-le", "surrogatepass")
    hash = 0
    for low, high in zip(units[::2], units[1::2], strict=True):
        hash = (hash * 31 + (high << 8 | low)) & 0xFFFFFFFF
    return int(fmod(hash - (1 << 32) if hash >> 31 else hash, count))
