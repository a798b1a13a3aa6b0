"""A stream queue (RabbitMQ 3.9 and later) as a log: every node appends to it, and reads all of it in one order.

    offset   0        1       ...     812      814      815       x-stream-offset of RabbitMQ, an int
             marker   record          record | marker   record
             ^                               ^ ^
             names the log                   | of this node: where it begins to read
                                             a segment ends: the broker takes an offset for itself

The log's name. A stream that was deleted and declared again counts from 0 anew, and nothing in AMQP tells it from the
one before. So a log has a name that is made of its record 0: of the node and number which that carries. All later
records repeat it, since the first ones go when they are old. To learn it a node appends a marker, without a name yet,
and looks at the first record that there is.

The log's end. Where a consumer of "next" begins is not told. So the node appends a second marker, looks where that is,
and begins a bit before it: what it has seen there tells it which of the records that come are repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from txsocketio.adapters.rabbitmq.connection import ignore
from txsocketio.adapters.rabbitmq.ends import MARKER, find_end, identify, mark
from txsocketio.adapters.rabbitmq.history import STEP, History, Record, bounded, is_record
from txsocketio.adapters.rabbitmq.publisher import Repeats
from txsocketio.adapters.rabbitmq.wire import OFFSET, id_of
from txsocketio.cluster.progress import Progress
from txsocketio.errors import BrokerUnavailable
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.adapters.rabbitmq.connection import Channel, Connection
    from txsocketio.adapters.rabbitmq.options import RabbitMQOptions
    from txsocketio.adapters.rabbitmq.publisher import Publisher

log = Logger()

#: What the broker answers when a queue is there, with other settings.
PRECONDITION_FAILED = 406

#: Records in front of the end that a node looks at when it begins there: what it gets may be a repeat of one of them.
LOOK_BACK = 500

#: Seconds by which the clocks of nodes and broker may differ.
SKEW = 60.0


class Stream:
    """One log.

    Args:
        publisher: through which is appended, and which knows our node.
        name: of the queue.
        since: seconds back from now where reading begins; at the end when None.

    Attributes:
        identity: the log's name, 8 hexadecimal digits; another one when the log is another.
        progress: how far the log has been read; its position is that of the latest record, -1 before the first.
        on_record: called with each record, in their order.
        on_reset: called when the next record does not follow the last one: the log is another, or what was between is
            not kept any more.
    """

    def __init__(
        self,
        clock: IReactorTime,
        publisher: Publisher,
        options: RabbitMQOptions,
        name: str,
        since: float | None = None,
    ) -> None:
        self.identity = ""
        self.progress = Progress(clock, -1)
        self.on_record: Callable[[Record], None] = lambda _: None
        self.on_reset: Callable[[], None] = lambda: None
        self._clock = clock
        self._publisher = publisher
        self._options = options
        self._name = name
        self._since = since
        self._is_caught_up = False
        self._channel: Channel | None = None
        self._marks: dict[str, Deferred[None]] = {}
        self._asked: list[Deferred[None]] = []
        self._is_asking = False
        self._seen = Repeats()
        self._history = History(clock, name, options.request_timeout)

    def append(self, body: bytes, headers: dict[str, Json] | None = None) -> Deferred[None]:
        """Fires when the log has it; where it stands is told by reading it back.

        Raises:
            BrokerUnavailable: no more can wait for the broker.
            UnserializableData: the broker would not take one that is so large.
        """
        return self._publisher.publish("", self._name, body, headers, self)

    @property
    def position(self) -> int:
        """How far the log has been read."""
        return self.progress.position

    # --- reading what comes ---

    async def attach(self, connection: Connection) -> None:
        """Go on reading on a new connection; the first time, from the end as of now, or from `since`."""
        self._history.attach(connection)
        await self._declare(connection)
        identity = await identify(connection, self._publisher, self._name)
        end = await find_end(connection, self._publisher, self._name, identity)
        before, self.identity = self.identity, identity
        if before not in ("", identity):
            self._begin_anew(0)
        elif self._is_caught_up and end <= self.progress.position:
            # The machine of the broker was cut off: RabbitMQ leaves it to the system when records get to the disk.
            log.warn("{name} has lost its latest records", name=self._name)
            self._is_caught_up = False
            self._begin_anew(end + 1 if self._since is None else 0)
        await self._tail(connection, end)

    async def _declare(self, connection: Connection) -> None:
        options = self._options
        arguments = {
            "x-queue-type": "stream",
            "x-max-age": f"{round(options.log_max_age)}s",
            "x-max-length-bytes": options.log_max_bytes,
            "x-stream-max-segment-size-bytes": options.log_segment_bytes,
        }
        channel = await connection.channel(ignore)
        try:
            await channel.call("queue_declare", queue=self._name, durable=True, arguments=arguments)
        except ChannelClosedByBroker as error:
            if error.reply_code != PRECONDITION_FAILED:
                raise
            log.warn("the settings of {name} stay as they are: {reason}", name=self._name, reason=error.reply_text)
        channel.close()

    def _begin_anew(self, offset: int) -> None:
        """The record at this offset does not follow what was read before."""
        self.progress.move(offset - 1)
        self._history.begin_anew(offset)
        self.on_reset()

    async def _tail(self, connection: Connection, end: int) -> None:
        start: Any = self.progress.position + 1
        if not self._is_caught_up and self._since is None:
            start = max(0, end + 1 - LOOK_BACK)
            self._history.begin_anew(start)
            self.progress.move(end)
            self._is_caught_up = True
        elif not self._is_caught_up and start == 0:
            start = datetime.now(UTC) - timedelta(seconds=(self._since or 0.0) + SKEW)
        channel = await connection.channel()
        await channel.window(self._options.prefetch)
        await channel.consume(self._name, self._receive, auto_ack=False, arguments={OFFSET: start})
        self._channel = channel
        if not self._is_caught_up:
            await self._read_mark(channel)
            self._is_caught_up = True

    def _read_mark(self, channel: Channel) -> Deferred[None]:
        """Fires when everything has been told that is in the log now."""
        marker = mark(channel, self._publisher, self._name, self.identity)
        read: Deferred[None] = channel.promise()
        self._marks[marker] = read

        def forget(result: Any) -> Any:
            self._marks.pop(marker, None)
            return result

        return read.addBoth(forget)

    def latest(self) -> Deferred[None]:
        """Fires when everything has been told that was in the log when this was called.

        It fails with BrokerUnavailable. Those who ask while an answer is awaited wait for the next one together.
        """
        asked: Deferred[None] = Deferred()
        self._asked.append(asked)
        if not self._is_asking:
            self._ask()
        return asked

    def _ask(self) -> None:
        asked, self._asked = self._asked, []
        self._is_asking = True
        read = fail(BrokerUnavailable("RabbitMQ is away")) if self._channel is None else self._read_mark(self._channel)
        bounded(read, self._options.request_timeout, self._clock).addBoth(self._answer, asked)

    def _answer(self, result: Any, asked: list[Deferred[None]]) -> None:
        self._is_asking = False
        for each in asked:
            each.callback(result)
        if self._asked:
            self._ask()

    def _receive(self, properties: BasicProperties, key: str, body: bytes) -> None:
        """Take a record. Hot path."""
        headers = properties.headers
        offset = int(headers.pop(OFFSET))
        position = self.progress.position
        if offset > position + STEP and self._is_caught_up:
            self._begin_anew(offset)
        if is_record(properties):
            if self._seen.is_repeat(properties):
                self._history.repeats.append(offset)
            elif offset > position:
                self.on_record(Record(offset, headers, body))
        if offset > position:
            self.progress.move(offset)
        if self._marks and properties.type == MARKER and id_of(properties) in self._marks:
            self._marks[id_of(properties)].callback(None)

    # --- reading what has been ---

    def read(self, after: int, up_to: int, limit: int) -> Deferred[list[Record]]:
        """As `History.read`."""
        return self._history.read(after, up_to, limit)

    def first(self) -> Deferred[int]:
        """As `History.first`."""
        return self._history.first()
