"""What the nodes tell each other about one namespace, through a stream of Redis and over its channels.

    P#nsp#           to all nodes; who is subscribed to it is counted as one
    P#nsp#NODE#      answers to one node

P is the option `channel_prefix`, nsp the namespace. What all nodes have to know goes into the stream; without recovery
these are the questions, too, as servers of Node.js answer those wherever they find them. With recovery a question would
take the room of an event that somebody may come back for.
Source: @socket.io/redis-streams-adapter 0.3, "lib/adapter.ts".
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail

from txsocketio.adapters.redis.pubsub import ChannelAdapter, logged
from txsocketio.adapters.redis.streams_reader import Entry, extent
from txsocketio.adapters.redis.streams_watch import SessionWatch
from txsocketio.adapters.redis.streams_wire import (
    EntryMessage,
    decode,
    decode_entry,
    encode,
    encode_entry,
    namespace_of,
    offset_of,
    position_of,
    position_of_offset,
)
from txsocketio.cluster.log_adapter import LogAdapter, Unread
from txsocketio.cluster.messages import (
    BROADCAST,
    BROADCAST_CALL,
    SERVER_SIDE_EMIT,
    Message,
)
from txsocketio.cluster.progress import Progress
from txsocketio.cluster.requests import Others
from txsocketio.errors import BadMessage, BrokerUnavailable
from txsocketio.socketio.adapter import all_of

if TYPE_CHECKING:
    from txsocketio.adapters.redis.streams import RedisStreamsBroker
    from txsocketio.adapters.redis.streams_store import RedisSessions, StreamWriter
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.socket import Socket

#: Marks a question on a channel that our nodes find in the stream.
TWIN = "twin"


class StreamsAdapter(ChannelAdapter):
    """Tells other nodes through a stream. Nothing is kept for clients that are away."""

    broker: RedisStreamsBroker

    # --- what a kind of broker brings ---

    def start(self) -> Deferred[None]:
        subscribed = self.broker.listen(self.broker.subscribe, self._receive_from, *self._channels)
        return all_of([super().start(), subscribed])

    def unsubscribe(self) -> Deferred[None]:
        return self.broker.ignore(self.broker.unsubscribe, self._receive_from, *self._channels)

    def publish(self, message: Message) -> Deferred[None]:
        message.node, message.number = self.broker.node, self.broker.next_number()
        try:
            return self.append(message)
        except BrokerUnavailable as error:
            return fail(error)

    def append(self, message: Message) -> Deferred[None]:
        """Put a message into the stream; as `LogAdapter.append`."""
        return self._writer.append(encode_entry(message, self.namespace.name, self.broker.options.only_plaintext))

    def answer(self, node: str, message: Message) -> None:
        self.publish_now(self._channel_of(node), self.shown(message)).addErrback(logged)

    def others(self) -> Deferred[Others]:
        return Deferred.fromCoroutine(self.count(self.broker.kind, self.channel, self.channel))

    # --- channels ---

    @cached_property
    def channel(self) -> bytes:
        """The channel of all nodes that have the namespace."""
        return f"{self.broker.options.channel_prefix}#{self.namespace.name}#".encode()

    def publish_now(self, channel: bytes, message: Message) -> Deferred[None]:
        """Publish a message over a channel, if Redis is there."""
        message.node = self.broker.node
        return self.broker.publish(channel, encode(message, self.namespace.name))

    @property
    def _channels(self) -> tuple[bytes, bytes]:
        return self.channel, self._channel_of(self.broker.node)

    def _channel_of(self, node: str) -> bytes:
        return b"%b%b#" % (self.channel, node.encode())

    def _receive_from(self, channel: bytes, content: bytes) -> None:
        namespace, message = decode(content)
        is_ours = message.node == self.broker.node or TWIN in message.data
        if namespace == self.namespace.name and not is_ours:
            self.receive(message)

    # --- the stream ---

    @cached_property
    def _writer(self) -> StreamWriter:
        return self.broker.writer_of(self.namespace.name)

    def read_entry(self, position: int, message: EntryMessage, size: int) -> None:
        """The next entry of this namespace, also one of this node; `size` bytes. Hot path."""
        if message.node == self.broker.node:
            return
        if not message.has_opts or self.is_wanted(message.rooms, message.excluded):
            self.receive(message)

    def go_back_to(self, position: int) -> None:
        """Redis has lost entries behind this position, all of which were read."""


class StreamsLogAdapter(StreamsAdapter, LogAdapter):
    """Takes a stream for the log of the namespace, so that clients can come back to any node."""

    sessions_may_be_late = True

    def __init__(self, namespace: Namespace, broker: RedisStreamsBroker, sessions: RedisSessions) -> None:
        super().__init__(namespace, broker, sessions)
        self._watch = SessionWatch(self.recovery, sessions, namespace.clock, broker.options.session_check_interval)

    def start(self) -> Deferred[None]:
        self.recovery.log.begin(self.progress.position)
        if self.broker.options.session_check_interval:
            self._watch.start()
        return super().start()

    def stop(self) -> Deferred[None]:
        self._watch.stop()
        return super().stop()

    def publish(self, message: Message) -> Deferred[None]:
        return super().publish(message) if message.request is None else self.publish_now(self.channel, message)

    # --- positions ---

    @property
    def progress(self) -> Progress:
        return self.broker.reader_of(self.namespace.name).progress

    def offset_of(self, position: int) -> str:
        return offset_of(position)

    def position_of(self, offset: str) -> int | None:
        return position_of_offset(offset)

    def holds(self, position: int) -> Deferred[bool]:
        return Deferred.fromCoroutine(self._holds(position))

    async def _holds(self, position: int) -> bool:
        now = await extent(self.broker.client.execute, self.broker.stream_of(self.namespace.name))
        return now.holds(position)

    def replay(self, after: int, until: int) -> Deferred[list[tuple[int, Message]]]:
        return Deferred.fromCoroutine(self._replay(after, until))

    async def _replay(self, after: int, until: int) -> list[tuple[int, Message]]:
        stream, count = self.broker.stream_of(self.namespace.name), self.broker.options.read_count
        while after < until:
            begin, end = offset_of(after + 1), offset_of(until)
            entries: list[Entry] = await self.broker.client.execute("XRANGE", stream, begin, end, "COUNT", count)
            if not entries:
                break
            after = position_of(entries[-1][0])
            if found := [*filter(None, map(self._to_replay, entries))]:
                return found
        return []

    def _to_replay(self, entry: Entry) -> tuple[int, Message] | None:
        """The position and the message of an entry that a client may have missed."""
        id, fields = entry
        if namespace_of(fields) == self.namespace.name:
            try:
                message = decode_entry(fields)
                if message.type == BROADCAST and not message.wants_answer:
                    return position_of(id), message
            except BadMessage:
                pass
        return None

    # --- the stream ---

    def read_entry(self, position: int, message: EntryMessage, size: int) -> None:
        if message.type != SERVER_SIDE_EMIT or message.node != self.broker.node:
            self.read(position, message, size)
            message.forget()  # the log may keep it

    def go_back_to(self, position: int) -> None:
        self.recovery.log.begin(position)

    def _read_event(self, position: int, message: Message, size: int, unread: Unread | None) -> None:
        assert isinstance(message, EntryMessage)
        if not message.wants_answer:
            super()._read_event(position, message, size, unread)
        elif message.request is not None:
            self._receive_broadcast(message)
        else:
            self._read_foreign_call(message)

    def _read_foreign_call(self, message: Message) -> None:
        """Give a client what another server wants it to acknowledge. Only to that one it could, if it were there."""
        recipients = self.rooms.select(message.rooms, message.excluded)
        if recipients:
            outgoing = self._encode(message.event, self.namespace.next_ack_id(), message.flags)
            if self.is_overheard:
                self.overhear(message.event, recipients)
            for socket in recipients:
                socket.session.send_outgoing(outgoing)

    def _read_own(self, message: Message, recipients: Collection[Socket]) -> None:
        super()._read_own(message, recipients)
        if message.type == BROADCAST_CALL:  # Servers of Node.js replay every event of a stream, so it is not one there.
            twin = Message(BROADCAST, {**message.data, TWIN: True}, message.opts)
            self.publish_now(self.channel, twin).addErrback(logged)
