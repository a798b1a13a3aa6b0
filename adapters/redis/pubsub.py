"""Nodes that share a Redis and tell each other what they have to say over its channels.

        RedisClient ---- ChannelBroker ---- ChannelAdapter of "/"
                          by channel   '--- ChannelAdapter of "/chat"

What the kinds of adapters have in common; they differ in their channels, in what messages look like, and in whether all
of them go over channels: with publish/subscribe they do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from txsocketio.adapters.redis.address import RedisAddress
from txsocketio.adapters.redis.client import RedisClient
from txsocketio.adapters.redis.opener import ConnectionOptions
from txsocketio.adapters.redis.outbox import Outbox
from txsocketio.cluster.adapter import ClusterAdapter
from txsocketio.cluster.broker import Broker
from txsocketio.cluster.messages import FETCH_SOCKETS_RESPONSE, Message
from txsocketio.cluster.options import ClusterOptions
from txsocketio.cluster.requests import Others
from txsocketio.engineio.options import option
from txsocketio.errors import BadMessage, BrokerUnavailable, OptionError
from txsocketio.socketio.adapter import all_of
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server

log = Logger()

#: Takes a message: the channel that it came from, and what it is.
Listener: TypeAlias = Callable[[bytes, bytes], None]

#: The methods of the client that subscribe and unsubscribe.
Subscribe: TypeAlias = Callable[..., Deferred[None]]

#: Bytes from which on it is found out whether somebody here wants an event before the event itself is decoded. For
#: 100 kB of JSON 88 -> 3.4 us when nobody does, for 200 bytes nothing is gained (CPython 3.11).
LARGE = 2000

_GLOB = re.compile(rb"[*?\[\]\\]")

#: What stands between the last two # of the channel of one node.
_NODE = re.compile(rb"[A-Za-z0-9_-]{6,32}")


@dataclass(kw_only=True)
class ChannelOptions(ConnectionOptions, ClusterOptions):
    """The options of the brokers with channels of Redis.

    Raises:
        OptionError: a value is not allowed.
    """

    share_handshakes: bool = option(
        True,
        "Whether the headers and the `auth` of clients are told to other servers that fetch them. They may contain "
        "secrets.",
    )


class ChannelBroker(Broker):
    """A Redis, as one server sees it.

    Attributes:
        client: the connections.
    """

    options_class: ClassVar[type[ChannelOptions]] = ChannelOptions
    options: ChannelOptions

    def __init__(self, server: Server, url: str, options: ChannelOptions) -> None:
        super().__init__(server, url, options)
        self.client = RedisClient(RedisAddress.parse(url), options, server.engine.clock)
        self.client.on_ready = self.connected
        self.client.on_lost = lambda cause: self.lost()
        self.client.on_message = self._message
        self._listeners: dict[bytes, tuple[Listener, ...]] = {}

    def start(self) -> Deferred[None]:
        return self.client.start()

    def stop(self) -> Deferred[None]:
        self.lost()
        return self.client.stop()

    def listen(self, subscribe: Subscribe, listener: Listener, *names: bytes) -> Deferred[None]:
        """Have the messages of channels, or of patterns, given to a listener; fires when Redis has confirmed."""
        for name in names:
            listeners = self._listeners.get(name, ())
            if listener not in listeners:
                self._listeners[name] = (*listeners, listener)
        return subscribe(*names)

    def ignore(self, unsubscribe: Subscribe, listener: Listener, *names: bytes) -> Deferred[None]:
        """Undo `listen`. Namespaces with odd names can share a channel: it ends with the last one."""
        ended = []
        for name in names:
            left = tuple(each for each in self._listeners.pop(name, (listener,)) if each != listener)
            if left:
                self._listeners[name] = left
            else:
                ended.append(name)
        return unsubscribe(*ended) if ended else succeed(None)

    def _message(self, pattern: bytes | None, channel: bytes, message: bytes) -> None:
        for listener in self._listeners.get(pattern or channel, ()):
            try:
                listener(channel, message)
            except BadMessage as error:
                self.drop(error, "?")


@dataclass(kw_only=True)
class PubSubOptions(ChannelOptions):
    """The options of the brokers that use nothing but channels of Redis.

    Raises:
        OptionError: a value is not allowed.
    """

    key: str = option(
        "socket.io",
        "What the names of all channels begin with. Servers with the same one form a cluster; another kind of adapter "
        "over the same Redis needs another one.",
    )


#: Brokers that keep what was sent for clients that come back.
LOGS = "redis+streams, kafka and amqp"


class PubSubBroker(ChannelBroker):
    """A Redis over whose channels everything goes. A kind of broker brings the class of its adapters.

    Attributes:
        outbox: what is published goes there.

    Raises:
        OptionError: clients are to be recovered, and channels keep nothing for who is away.
    """

    options_class: ClassVar[type[PubSubOptions]] = PubSubOptions
    adapter_class: ClassVar[type[PubSubAdapter]]
    options: PubSubOptions

    def __init__(self, server: Server, url: str, options: PubSubOptions) -> None:
        super().__init__(server, url, options)
        if server.options.recovery is not None:
            kind = url.partition(":")[0]
            raise OptionError(
                f"connection_state_recovery needs a broker that keeps a log, as {LOGS} do; {kind} does not"
            )
        self.outbox = Outbox(self.client, options, server.engine.clock, options.max_reconnect_delay)

    def adapter(self, namespace: Namespace) -> PubSubAdapter:
        return self.adapter_class(namespace, self)

    def stop(self) -> Deferred[None]:
        self.outbox.stop()
        return super().stop()

    def connected(self) -> None:
        super().connected()
        self.outbox.open()

    def lost(self) -> None:
        super().lost()
        self.outbox.close()


class ChannelAdapter(ClusterAdapter):
    """Tells other nodes over channels what is to be known of one namespace. Each kind brings its channels."""

    broker: ChannelBroker
    _names: Collection[bytes] = ()

    def stop(self) -> Deferred[None]:
        return all_of([super().stop(), self.unsubscribe().addErrback(_is_away)])

    def unsubscribe(self) -> Deferred[None]:
        """Get no messages any more. Each kind of adapter brings it, as it does what the core asks for."""
        raise NotImplementedError

    def tell(self, command: bytes, channel: bytes, message: bytes) -> None:
        """Publish what is worth nothing later."""
        self.broker.client.execute(command, channel, message).addErrback(logged)

    def is_wanted(self, rooms: Iterable[Json], excluded: Iterable[Json]) -> bool:
        """Whether an event is for somebody here."""
        return bool(self.rooms.select([*map(str, rooms)], [*map(str, excluded)]))

    def shown(self, message: Message) -> Message:
        """An answer as other servers may see it."""
        if message.type != FETCH_SOCKETS_RESPONSE or self.broker.options.share_handshakes:
            return message
        sockets = [{**socket, "handshake": _without_secrets(socket["handshake"])} for socket in message.data["sockets"]]
        return Message(message.type, {**message.data, "sockets": sockets}, node=message.node)

    async def count(self, kind: str, counted: bytes, of_nodes: bytes) -> Others:
        """The other nodes.

        Args:
            kind: "" or "SHARD", of channels.
            counted: the channel to which each node is subscribed once.
            of_nodes: what the names of the channels of single nodes begin with.
        """
        known = [b"%b%b#" % (of_nodes, name) for name in self._names]
        counts = await self.broker.client.execute("PUBSUB", f"{kind}NUMSUB", counted, *known)
        expected = max(counts[1] - 1, 0)
        if sum(counts[3::2]) != expected:  # Names are for errors only: all channels are looked at when they change.
            found = await self.broker.client.execute("PUBSUB", f"{kind}CHANNELS", escaped(of_nodes) + b"*#")
            nodes = {channel[len(of_nodes) : -1] for channel in found} - {self.broker.node.encode()}
            self._names = [*filter(_NODE.fullmatch, nodes)]
        return Others(expected, [name.decode() for name in self._names])


class PubSubAdapter(ChannelAdapter):
    """Tells other nodes everything over channels."""

    broker: PubSubBroker


def escaped(text: bytes) -> bytes:
    """A pattern that matches this text and no other."""
    return _GLOB.sub(rb"\\\g<0>", text)


def _without_secrets(handshake: dict[str, Json]) -> dict[str, Json]:
    return {**handshake, "headers": {}, "auth": {}}


def _is_away(failure: Failure) -> None:
    failure.trap(BrokerUnavailable)


def logged(failure: Failure) -> None:
    """End a Deferred that nobody waits for. That Redis is away is known."""
    if failure.check(BrokerUnavailable) is None:
        log.failure("Redis has refused a command", failure)
