"""Redis as a broker, over publish/subscribe: `redis://`. Servers of Node.js with @socket.io/redis-adapter can join.

    P#nsp#             broadcasts to everybody, and to several rooms        PSUBSCRIBE P#nsp#*
    P#nsp#room#        broadcasts to one room                               the same
    P-request#nsp#     requests                                             SUBSCRIBE; who does is counted as a node
    P-response#nsp#    responses, to whom they may concern                  SUBSCRIBE
    P-response#nsp#uid#             to one node                             SUBSCRIBE

P is the option `key`, nsp the namespace. Redis keeps nothing: who is not connected misses what is said meanwhile.
Source: @socket.io/redis-adapter 8.3, "lib/index.ts".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import Deferred

from txsocketio.adapters.redis.pubsub import LARGE, PubSubAdapter, PubSubBroker, PubSubOptions, escaped
from txsocketio.adapters.redis.wire import (
    Request,
    begins_broadcast,
    decode,
    decode_broadcast,
    decode_request,
    decode_response,
    encode,
    encode_broadcast,
    encode_request,
    encode_response,
    rooms_of_broadcast,
)
from txsocketio.cluster.messages import BROADCAST, SERVER_SIDE_EMIT_RESPONSE, Message
from txsocketio.cluster.requests import Others
from txsocketio.engineio.options import option
from txsocketio.errors import BadMessage
from txsocketio.socketio.adapter import all_of
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.socket import Socket


@dataclass(kw_only=True)
class RedisOptions(PubSubOptions):
    """The options of `redis://`.

    Raises:
        OptionError: a value is not allowed.
    """

    publish_on_specific_response_channel: bool = option(
        True, "Whether responses go only to the server that wants them, which those of Node.js understand since 7.1."
    )


class RedisAdapter(PubSubAdapter):
    """Speaks for one namespace as servers of Node.js do."""

    broker: RedisBroker

    def __init__(self, namespace: Namespace, broker: RedisBroker) -> None:
        super().__init__(namespace, broker)
        key, name = broker.options.key.encode(), namespace.name.encode()
        self._broadcasts = b"%b#%b#" % (key, name)
        self._pattern = escaped(self._broadcasts) + b"*"
        self._requests = b"%b-request#%b#" % (key, name)
        self._responses = b"%b-response#%b#" % (key, name)
        self._own_responses = b"%b%b#" % (self._responses, broker.node.encode())
        self._own_broadcasts = begins_broadcast(broker.node)

    # --- what a kind of broker brings ---

    def start(self) -> Deferred[None]:
        """Fires when Redis has confirmed all subscriptions; may be called again."""
        listen, client = self.broker.listen, self.broker.client
        subscribed = [
            listen(client.psubscribe, self._receive_sent, self._pattern),
            listen(client.subscribe, self._receive_response, self._responses, self._own_responses),
            listen(client.subscribe, self._receive_request, self._requests),
        ]
        return all_of([super().start(), *subscribed])

    def unsubscribe(self) -> Deferred[None]:
        ignore, client = self.broker.ignore, self.broker.client
        unsubscribed = [
            ignore(client.unsubscribe, self._receive_request, self._requests),
            ignore(client.unsubscribe, self._receive_response, self._responses, self._own_responses),
            ignore(client.punsubscribe, self._receive_sent, self._pattern),
        ]
        return all_of(unsubscribed)

    def publish(self, message: Message) -> Deferred[None]:
        message.node = self.broker.node
        if message.type != BROADCAST or message.request is not None:
            content = encode_request(message, self.namespace.name)
            return self.broker.outbox.publish(b"PUBLISH", self._requests, content)
        channel = self._broadcasts
        if len(message.rooms) == 1:
            channel += message.rooms[0].encode(errors="surrogatepass") + b"#"
        content = encode_broadcast(message, self.namespace.name)
        return self.broker.outbox.publish(b"PUBLISH", channel, content)

    def answer(self, node: str, message: Message) -> None:
        message.node = self.broker.node
        is_common = message.type == SERVER_SIDE_EMIT_RESPONSE
        self._respond(node, encode_response(self.shown(message)), is_common)

    def others(self) -> Deferred[Others]:
        return Deferred.fromCoroutine(self.count("", self._requests, self._responses))

    def _respond(self, node: str, content: bytes, is_common: bool = False) -> None:
        channel = self._responses
        if self.broker.options.publish_on_specific_response_channel and node and not is_common:
            channel += node.encode() + b"#"
        self.tell(b"PUBLISH", channel, content)

    # --- what comes ---

    def _receive_sent(self, channel: bytes, content: bytes) -> None:
        """Take a broadcast. Most are our own, or for a room that nobody here is in: that is seen before decoding."""
        if content.startswith(self._own_broadcasts):
            return
        room = channel[len(self._broadcasts) : -1]
        if room and not self.rooms.members(room.decode(errors="replace")):
            return
        if len(content) >= LARGE and not self.is_wanted(*rooms_of_broadcast(content)):
            return
        message = decode_broadcast(content, self.namespace.name)
        if message is not None:
            self.receive(message)

    def _receive_request(self, channel: bytes, content: bytes) -> None:
        fields = decode(content)
        if fields.get("uid") == self.broker.node:
            return
        old = _OLD_REQUESTS.get(fields.get("type", -1))
        if old is not None and "opts" not in fields:
            response = old(self, fields)
            if response is not None:
                number = fields.get("requestId")
                self._respond(str(fields.get("uid", "")), encode({"requestId": number, **response}))
            return
        message = decode_request(fields)
        if message is not None:
            self.receive(message)

    def _receive_response(self, channel: bytes, content: bytes) -> None:
        message = decode_response(decode(content))
        if message is not None:
            self.receive(message)

    # --- requests of older servers, and of emitters of their time ---

    def _sockets(self, fields: dict[str, Json]) -> dict[str, Json]:
        rooms = fields.get("rooms") or ()
        return {"sockets": [socket.id for socket in self.rooms.select([str(room) for room in rooms], ())]}

    def _all_rooms(self, fields: dict[str, Json]) -> dict[str, Json]:
        return {"rooms": sorted(self.rooms.names())}

    def _join(self, fields: dict[str, Json]) -> dict[str, Json] | None:
        return self._done_to(fields, lambda socket: socket.join(str(fields.get("room"))))

    def _leave(self, fields: dict[str, Json]) -> dict[str, Json] | None:
        return self._done_to(fields, lambda socket: socket.leave(str(fields.get("room"))))

    def _disconnect(self, fields: dict[str, Json]) -> dict[str, Json] | None:
        return self._done_to(fields, lambda socket: socket.disconnect(fields.get("close") is True))

    def _done_to(self, fields: dict[str, Json], act: Callable[[Socket], object]) -> dict[str, Json] | None:
        """Do something to one socket, and say so; nothing when it is not here."""
        id = fields.get("sid")
        if not isinstance(id, str):
            raise BadMessage("a request that is about no socket")
        socket = self.namespace.sockets.get(id)
        if socket is None:
            return None
        act(socket)
        return {}


_OLD_REQUESTS: dict[int, Callable[[RedisAdapter, dict[str, Json]], dict[str, Json] | None]] = {
    Request.SOCKETS: RedisAdapter._sockets,
    Request.ALL_ROOMS: RedisAdapter._all_rooms,
    Request.REMOTE_JOIN: RedisAdapter._join,
    Request.REMOTE_LEAVE: RedisAdapter._leave,
    Request.REMOTE_DISCONNECT: RedisAdapter._disconnect,
}


class RedisBroker(PubSubBroker):
    """A Redis that serves as broker over publish/subscribe."""

    options_class: ClassVar[type[PubSubOptions]] = RedisOptions
    adapter_class = RedisAdapter
    options: RedisOptions
