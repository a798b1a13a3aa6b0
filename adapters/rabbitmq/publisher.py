"""What has been accepted for RabbitMQ, until the broker has confirmed it.

      publish --> waiting --> written, unconfirmed --> confirmed: the Deferred fires
                     ^                 |
                     +-----------------+   the connection is lost: back in front, in their order

A lost confirmation does not mean that the broker has nothing: what is written again may arrive twice. So each message
carries the name of its node and a number that grows, and who reads drops what he has had from that node. In a log it
also says behind which record the first one would be, for those who have not read so far back.

What the broker refuses fails, and nothing waits for it. If it closes the channel instead, and does not say for which
message, those that it may mean are written one by one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Protocol, TypeGuard

from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker
from twisted.internet.defer import Deferred

from txsocketio.adapters.rabbitmq.wire import BEHIND
from txsocketio.errors import BrokerError, BrokerUnavailable, UnserializableData
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.adapters.rabbitmq.connection import Channel, Connection
    from txsocketio.adapters.rabbitmq.options import RabbitMQOptions

#: Of a message that is kept, beside its body.
OVERHEAD = 500

#: The codes with which the broker closes the channel because of a message that it never takes: it is too large.
NEVER_TAKEN = (311, 406)

#: Nodes whose last number is remembered. A node has a new name each time it starts.
MAX_NODES = 10_000


class Log(Protocol):
    """What messages are appended to.

    Attributes:
        identity: its name, which is not known before there is a connection.
    """

    identity: str

    @property
    def position(self) -> int:
        """How far this node has read it: what is appended next comes behind."""


class Entry:
    """A message on its way out.

    Attributes:
        log: where it is appended to, if it is.
        behind: the position that the log had come to when this was first written.
    """

    __slots__ = ("behind", "body", "confirmed", "exchange", "key", "log", "properties")

    def __init__(self, exchange: str, key: str, body: bytes, properties: BasicProperties, log: Log | None) -> None:
        self.exchange = exchange
        self.key = key
        self.body = body
        self.properties = properties
        self.log = log
        self.behind = -1
        self.confirmed: Deferred[None] = Deferred()

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        return len(self.body) + OVERHEAD

    def address(self, log: Log) -> None:
        """Have it say to which log it goes, and, when it is written there again, behind what the first one is."""
        properties = self.properties
        if properties.correlation_id == log.identity:
            properties.headers = {**(properties.headers or {}), BEHIND: self.behind}
        else:
            properties.correlation_id, self.behind = log.identity, log.position
            if properties.headers:
                properties.headers.pop(BEHIND, None)


class Publisher:
    """Publishes in order, and keeps what is not confirmed; bounded.

    Args:
        node: whose messages these are.

    Attributes:
        on_returned: called when there is no log for a message; it has to be written again on another connection.
    """

    def __init__(self, node: str, options: RabbitMQOptions) -> None:
        self.on_returned: Callable[[], None] = lambda: None
        self._node = node
        self._options = options
        self._next_sequence = count(1).__next__
        self._waiting: deque[Entry] = deque()
        self._unconfirmed: OrderedDict[int, Entry] = OrderedDict()  # a dict gets slow when emptied from its front
        self._suspects = 0  # so many of the next ones are written one by one
        self._bytes = 0
        self._connection: Connection | None = None
        self._channel: Channel | None = None
        self._idle: Deferred[None] | None = None
        self._next_tag = count(1).__next__

    def sign(self, headers: dict[str, Json] | None, kind: str | None = None) -> BasicProperties:
        """The properties of a new message of this node."""
        return BasicProperties(app_id=self._node, message_id=str(self._next_sequence()), type=kind, headers=headers)

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        headers: dict[str, Json] | None = None,
        log: Log | None = None,
    ) -> Deferred[None]:
        """Fires when the broker has the message; fails with BrokerError when it does not take it.

        Raises:
            BrokerUnavailable: no more can wait for the broker.
            UnserializableData: the broker would not take one that is so large.
        """
        if len(body) > self._options.max_message_size:
            raise UnserializableData(f"{len(body)} bytes are more than RabbitMQ takes (max_message_size)")
        waiting = len(self._waiting) + len(self._unconfirmed)
        if waiting >= self._options.max_outbox or self._bytes + len(body) > self._options.max_outbox_bytes:
            raise BrokerUnavailable(f"{waiting} messages already wait for RabbitMQ")
        entry = Entry(exchange, key, body, self.sign(headers), log)
        self._bytes += entry.size
        self._waiting.append(entry)
        self.write()
        return entry.confirmed

    async def idle(self) -> None:
        """Fires when everything is confirmed."""
        if self._waiting or self._unconfirmed:
            self._idle = Deferred()
            await self._idle

    async def open(self, connection: Connection) -> None:
        """Have this connection confirm messages; `write` begins."""
        channel = await connection.channel(lambda reason: self._channel_closed(connection, reason))
        self._next_tag = count(1).__next__
        await channel.confirm(self._confirmed, self._refused, self._returned)
        self._connection, self._channel = connection, channel

    def close(self) -> None:
        """The connection is gone."""
        self._connection = self._channel = None
        self._waiting.extendleft(reversed(self._unconfirmed.values()))
        self._unconfirmed.clear()

    def write(self) -> None:
        """Write what waits, as far as the connection takes it. Hot path."""
        connection, channel = self._connection, self._channel
        if connection is None or channel is None or (self._suspects and self._unconfirmed):
            return
        waiting = self._waiting
        while waiting and channel.is_open and not (connection.is_full or connection.is_blocked):
            entry = waiting.popleft()
            self._unconfirmed[self._next_tag()] = entry
            if entry.log is not None:
                entry.address(entry.log)
            is_log = entry.log is not None
            channel.publish(entry.exchange, entry.key, entry.body, entry.properties, mandatory=is_log)
            if self._suspects:
                break

    def give_up(self) -> None:
        """Nothing of what waits will be confirmed any more."""
        self.close()
        waiting, self._waiting = self._waiting, deque()
        self._bytes = self._suspects = 0
        for entry in waiting:
            entry.confirmed.errback(BrokerUnavailable("stopped before RabbitMQ had confirmed this"))

    def _confirmed(self, tag: int, up_to: bool) -> None:
        unconfirmed = self._unconfirmed
        if up_to:
            while unconfirmed and next(iter(unconfirmed)) <= tag:
                self._done(unconfirmed.popitem(last=False)[1])
        elif tag in unconfirmed:
            self._done(unconfirmed.pop(tag))
        self._settled()

    def _refused(self, tag: int, up_to: bool) -> None:
        """Messages were not taken. What came behind was, so that to write them again would be in vain."""
        tags = [each for each in self._unconfirmed if each == tag or (up_to and each < tag)]
        for each in tags:
            self._done(self._unconfirmed.pop(each), BrokerError("RabbitMQ has refused the message"))
        self._settled()

    def _returned(self) -> None:
        """There is no such log. RabbitMQ confirms what no queue is there for, too: that must not count."""
        self.close()
        self.on_returned()

    def _channel_closed(self, connection: Connection, reason: Exception) -> None:
        if connection is self._connection and _is_about_a_message(reason):
            if len(self._unconfirmed) == 1:
                _, entry = self._unconfirmed.popitem()
                self._done(entry, BrokerError(f"RabbitMQ does not take the message: {reason.reply_text}"))
            else:
                self._suspects = len(self._unconfirmed)
        connection.abort(reason)

    def _done(self, entry: Entry, error: BrokerError | None = None) -> None:
        self._bytes -= entry.size
        if self._suspects:
            self._suspects -= 1
        if error is None:
            entry.confirmed.callback(None)
        else:
            entry.confirmed.errback(error)

    def _settled(self) -> None:
        if self._waiting:
            if not self._unconfirmed:
                self.write()
        elif self._idle is not None and not self._unconfirmed:
            idle, self._idle = self._idle, None
            idle.callback(None)


def _is_about_a_message(reason: Exception) -> TypeGuard[ChannelClosedByBroker]:
    return isinstance(reason, ChannelClosedByBroker) and reason.reply_code in NEVER_TAKEN


class Repeats:
    """Tells which messages have come before, by the node that they come from and its numbers, which only grow."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()

    def is_repeat(self, properties: BasicProperties) -> bool:
        """Whether this message, or a later one of its node, has come before. Hot path."""
        node, sequence = properties.app_id, int(properties.message_id)
        last = self._last
        if last.get(node, 0) >= sequence:
            return True
        last[node] = sequence
        last.move_to_end(node)
        if len(last) > MAX_NODES:
            last.popitem(last=False)
        return False
