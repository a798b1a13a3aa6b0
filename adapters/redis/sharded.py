"""Redis as a broker, over sharded publish/subscribe: `redis+sharded://`, for Redis 7 and later.

    P#nsp#          everything else, to all nodes              who is subscribed is counted as a node
    P#nsp#room#     broadcasts to one room, to nodes that have somebody in it
    P#nsp#uid#      answers, to one node

P is the option `key`, nsp the namespace. Servers of Node.js with `createShardedAdapter` of @socket.io/redis-adapter can
join, with the same `subscription_mode`. A message is JSON, or MessagePack where there is binary in it:

    {"type": 3, "data": {"packet": ..., "opts": ...}, "uid": ..., "nsp": ...}

Source: @socket.io/redis-adapter 8.3, "lib/sharded-adapter.ts".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import orjson
from twisted.internet.defer import Deferred

from txsocketio.adapters.redis.pubsub import LARGE, PubSubAdapter, PubSubBroker, PubSubOptions, Subscribe, logged
from txsocketio.adapters.redis.wire import decode, encode
from txsocketio.cluster.messages import BROADCAST, SOCKETS_JOIN, Message
from txsocketio.cluster.requests import Others
from txsocketio.engineio.options import option
from txsocketio.errors import BadMessage
from txsocketio.socketio.adapter import all_of
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.rooms import RoomEvent

STATIC, DYNAMIC, DYNAMIC_PRIVATE = MODES = ("static", "dynamic", "dynamic-private")

#: Seconds that other nodes may need to subscribe to a room that their clients were told to join.
SETTLING = 2.0


@dataclass(kw_only=True)
class RedisShardedOptions(PubSubOptions):
    """The options of `redis+sharded://`.

    Raises:
        OptionError: a value is not allowed.
    """

    subscription_mode: str = option(
        DYNAMIC,
        "Which rooms have a channel of their own: none with 'static'; with 'dynamic' all but those of single sockets; "
        "with 'dynamic-private' these too. All servers need the same.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.subscription_mode in MODES, "subscription_mode", f"must be one of {', '.join(MODES)}")


class RedisShardedAdapter(PubSubAdapter):
    """Speaks for one namespace as servers of Node.js do."""

    broker: RedisShardedBroker

    def __init__(self, namespace: Namespace, broker: RedisShardedBroker) -> None:
        super().__init__(namespace, broker)
        self._channel = f"{broker.options.key}#{namespace.name}#".encode()
        self._own_channel = b"%b%b#" % (self._channel, broker.node.encode())
        self._own_end = orjson.dumps({"uid": broker.node, "nsp": namespace.name})[1:]
        self._mode = broker.options.subscription_mode
        self._apart: set[str] = set()
        self._is_following = False
        self._joined_elsewhere: dict[str, float] = {}

    # --- what a kind of broker brings ---

    def start(self) -> Deferred[None]:
        """Fires when Redis has confirmed all subscriptions; may be called again."""
        if self._mode != STATIC:
            self._is_following = True
            self.rooms.watch = self._tell
            self._apart.update(filter(self._is_public, self.rooms.names()))
        listen, subscribe = self.broker.listen, self.broker.client.ssubscribe
        subscribed = [
            listen(subscribe, self._receive_any, self._channel, self._own_channel),
            listen(subscribe, self._receive_for_room, *map(self._channel_of, self._apart)),
        ]
        return all_of([super().start(), *subscribed])

    def unsubscribe(self) -> Deferred[None]:
        self._is_following = False
        rooms, self._apart = self._apart, set()
        ignore, unsubscribe = self.broker.ignore, self.broker.client.sunsubscribe
        unsubscribed = [
            ignore(unsubscribe, self._receive_any, self._channel, self._own_channel),
            ignore(unsubscribe, self._receive_for_room, *map(self._channel_of, rooms)),
        ]
        return all_of(unsubscribed)

    def publish(self, message: Message) -> Deferred[None]:
        if message.type == SOCKETS_JOIN and self._mode != STATIC:
            self._expect(message.names)
        message.node = self.broker.node
        content = encode_message(message, self.namespace.name)
        return self.broker.outbox.publish(b"SPUBLISH", self._channel_for(message), content)

    def answer(self, node: str, message: Message) -> None:
        message.node = self.broker.node
        content = encode_message(self.shown(message), self.namespace.name)
        self.tell(b"SPUBLISH", b"%b%b#" % (self._channel, node.encode()), content)

    def others(self) -> Deferred[Others]:
        return Deferred.fromCoroutine(self.count("SHARD", self._channel, self._channel))

    # --- channels of rooms ---

    def _channel_of(self, room: str) -> bytes:
        return b"%b%b#" % (self._channel, room.encode(errors="surrogatepass"))

    def _channel_for(self, message: Message) -> bytes:
        """That of the room, where all nodes with somebody in it are subscribed to it; to the common one all are."""
        is_for_one_room = message.type == BROADCAST and message.request is None and len(message.rooms) == 1
        if not is_for_one_room or self._mode == STATIC:
            return self._channel
        (room,) = message.rooms
        if (self._mode == DYNAMIC and _may_be_a_socket(room)) or self._is_expected(room):
            return self._channel
        return self._channel_of(room)

    def _expect(self, rooms: Iterable[str]) -> None:
        """Clients of other nodes are told to join rooms, whose channels these nodes may have to subscribe to."""
        now = self.namespace.clock.seconds()
        for room in [room for room, until in self._joined_elsewhere.items() if until < now]:
            del self._joined_elsewhere[room]
        self._joined_elsewhere.update(dict.fromkeys(rooms, now + SETTLING))

    def _is_expected(self, room: str) -> bool:
        now: float = self.namespace.clock.seconds()
        return self._joined_elsewhere.get(room, 0.0) > now

    def _is_public(self, room: str) -> bool:
        """Whether the room has a channel that this node has to subscribe to when somebody is in it."""
        return self._mode == DYNAMIC_PRIVATE or room not in self.namespace.sockets

    def _tell(self, events: list[RoomEvent]) -> None:
        if self._is_following:
            for event, room, *_ in events:
                if event == "create_room" and self._is_public(room):
                    self._apart.add(room)
                    self._follow(self.broker.listen, self.broker.client.ssubscribe, room)
                elif event == "delete_room" and room in self._apart:
                    self._apart.remove(room)
                    self._follow(self.broker.ignore, self.broker.client.sunsubscribe, room)
        super()._tell(events)

    def _follow(self, change: Callable[..., Deferred[None]], how: Subscribe, room: str) -> None:
        change(how, self._receive_for_room, self._channel_of(room)).addErrback(logged)

    # --- messages ---

    def _receive_for_room(self, channel: bytes, content: bytes) -> None:
        room = channel[len(self._channel) : -1].decode(errors="replace")
        if self.rooms.members(room):
            self._receive_any(channel, content)

    def _receive_any(self, channel: bytes, content: bytes) -> None:
        """Take a message. Our own are known by how they end, most of them before they are decoded."""
        if content.endswith(self._own_end):
            return
        opts = opts_of_event(content) if len(content) >= LARGE else None
        if opts is not None and not self.is_wanted(opts["rooms"], opts["except"]):
            return
        message = decode_message(content, self.namespace.name)
        if message is not None and message.node != self.broker.node:
            self.receive(message)


def encode_message(message: Message, namespace: str) -> bytes:
    """The message on the wire."""
    data = message.data if message.opts is None else {**message.data, "opts": message.opts}
    return encode({"type": message.type, "data": data, "uid": message.node, "nsp": namespace})


def decode_message(content: bytes, namespace: str) -> Message | None:
    """The message; None when it is for another namespace.

    Raises:
        BadMessage: it cannot be understood.
    """
    fields = decode(content)
    type, data, node = fields.get("type"), fields.get("data"), fields.get("uid")
    if fields.get("nsp") != namespace:
        return None
    data = {} if data is None else data
    if not isinstance(type, int) or not isinstance(data, dict) or not isinstance(node, str):
        raise BadMessage("a message without type, data or uid")
    return Message(type, data, data.pop("opts", None), node)


def opts_of_event(content: bytes) -> dict[str, Json] | None:
    """Whom an event is for, without a look at the event; None when it has to be decoded to find out.

    What comes behind the event are the last few bytes of the message, which become JSON again by two braces.
    """
    begin = content.rfind(b'},"opts":{"rooms":[')
    if begin < 0 or not content.startswith(b'{"type":3,"data":{"packet":'):
        return None
    try:
        data: dict[str, Json] = orjson.loads(b'{"data":{' + content[begin + 2 :])["data"]
    except orjson.JSONDecodeError:
        return None
    opts: dict[str, Json] = data["opts"]
    return opts if data.keys() == {"opts"} and isinstance(opts.get("except"), list) else None


def _may_be_a_socket(room: str) -> bool:
    """Whether the name has 20 characters, as JavaScript counts, like the ids of sockets of Node.js."""
    return len(room) <= 20 and len(room.encode("utf-16-le", "surrogatepass")) == 40


class RedisShardedBroker(PubSubBroker):
    """A Redis that serves as broker over sharded publish/subscribe."""

    options_class: ClassVar[type[PubSubOptions]] = RedisShardedOptions
    adapter_class = RedisShardedAdapter
    options: RedisShardedOptions
