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

The log's end. Where a consumer of "next" begins is not told. So the node appends a second marker once it consumes:
where it comes back is the end as of now, and everything behind it will come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker
from twisted.internet.defer import Deferred, DeferredSemaphore, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.adapters.rabbitmq.connection import ignore
from txsocketio.adapters.rabbitmq.publisher import Repeats
from txsocketio.adapters.rabbitmq.wire import OFFSET, id_of, log_name
from txsocketio.cluster.progress import Progress
from txsocketio.errors import BrokerUnavailable, WorldError
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.adapters.rabbitmq.connection import Channel, Connection
    from txsocketio.adapters.rabbitmq.options import RabbitMQOptions
    from txsocketio.adapters.rabbitmq.publisher import Publisher

log = Logger()

#: The type of records that tell nothing.
MARKER = "marker"

#: What the broker answers when a queue is there, with other settings.
PRECONDITION_FAILED = 406

#: Reads of old records that go on at a time, each on a channel of its own; more wait.
MAX_READS = 4

#: Records that are under way in a read; as many may come in vain.
READ_WINDOW = 100

#: Repeated records that are remembered, so that they are not read again later.
MAX_REPEATS = 10_000

#: From one offset to the next, at most: where a segment begins the broker takes one for itself. When records go because
#: they are old, a whole segment goes.
STEP = 2

#: Seconds by which the clocks of nodes and broker may differ.
SKEW = 60.0


#: Called with the offset, the properties and the body of a record; whether that is enough.
Take = Callable[[int, BasicProperties, bytes], bool]

Result = TypeVar("Result")


class Record(NamedTuple):
    """What was appended."""

    offset: int
    headers: dict[str, Json]
    body: bytes


class RecordsGone(WorldError):
    """The records that were asked for are not kept any more."""

    temporary = False


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
        self._connection: Connection | None = None
        self._is_caught_up = False
        self._channel: Channel | None = None
        self._marks: dict[str, Deferred[None]] = {}
        self._asked: list[Deferred[None]] = []
        self._is_asking = False
        self._seen = Repeats()
        self._repeats: deque[int] = deque(maxlen=MAX_REPEATS)
        self._spare: Deferred[Channel | None] | None = None
        self._reads = DeferredSemaphore(MAX_READS)

    def append(self, body: bytes, headers: dict[str, Json] | None = None) -> Deferred[None]:
        """Fires when the log has it; where it stands is told by reading it back.

        Raises:
            BrokerUnavailable: no more can wait for the broker.
            UnserializableData: the broker would not take one that is so large.
        """
        return self._publisher.publish("", self._name, body, headers, self._identify_log)

    def _identify_log(self) -> str:
        return self.identity

    # --- reading what comes ---

    async def attach(self, connection: Connection) -> None:
        """Go on reading on a new connection; the first time, from the end as of now, or from `since`."""
        self._connection = connection
        await self._declare(connection)
        identity = await self._identify(connection)
        before, self.identity = self.identity, identity
        if before not in ("", identity):
            self.progress.move(-1)
            self.on_reset()
        await self._tail(connection)

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

    async def _identify(self, connection: Connection) -> str:
        """The name of the log."""
        channel = await _reading_channel(connection)
        names: list[str] = []
        marks: list[str] = []

        def look(offset: int, properties: BasicProperties, body: bytes) -> bool:
            name = properties.correlation_id if offset else None
            own = id_of(properties)
            if name or not names:
                names[:] = [name or log_name(properties)]
            return bool(name) or not offset or own in marks

        await self._scan(channel, "first", look, lambda: marks.append(self._mark(channel, None)))
        return names[0]

    def _mark(self, channel: Channel, identity: str | None) -> str:
        """Append a marker; what it is to be known by."""
        properties = self._publisher.sign(None, MARKER)
        properties.correlation_id = identity
        channel.publish("", self._name, b"", properties, mandatory=False)
        return id_of(properties)

    async def _tail(self, connection: Connection) -> None:
        start: Any = self.progress.position + 1
        if not self._is_caught_up and start == 0:
            start = "next" if self._since is None else datetime.now(UTC) - timedelta(seconds=self._since + SKEW)
        channel = await connection.channel()
        await channel.window(self._options.prefetch)
        await channel.consume(self._name, self._receive, auto_ack=False, arguments={OFFSET: start})
        self._channel = channel
        if not self._is_caught_up:
            await self._read_mark(channel)
            self._is_caught_up = True

    def _read_mark(self, channel: Channel) -> Deferred[None]:
        """Fires when everything has been told that is in the log now."""
        mark = self._mark(channel, self.identity)
        read: Deferred[None] = channel.promise()
        self._marks[mark] = read

        def forget(result: Any) -> Any:
            self._marks.pop(mark, None)
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
        self._bounded(read).addBoth(self._answer, asked)

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
        if self._is_caught_up or self._since is not None:
            if self._is_caught_up and offset > self.progress.position + STEP:
                self.progress.move(offset - 1)
                self.on_reset()
            if _is_record(properties):
                if self._seen.is_repeat(properties):
                    self._repeats.append(offset)
                else:
                    self.on_record(Record(offset, headers, body))
            self.progress.move(offset)
        if self._marks and properties.type == MARKER and id_of(properties) in self._marks:
            self.progress.move(offset)
            self._marks[id_of(properties)].callback(None)

    # --- reading what has been ---

    def read(self, after: int, up_to: int, limit: int) -> Deferred[list[Record]]:
        """Fires with the records behind a position, up to another one that has been told, at most so many.

        It fails with RecordsGone when the first of them is not kept any more, and with BrokerUnavailable.
        """
        return self._reads.run(lambda: self._within(self._read(after, up_to, limit)))

    async def _read(self, after: int, up_to: int, limit: int) -> list[Record]:
        records: list[Record] = []
        seen, repeats = Repeats(), set(self._repeats)

        position = after

        def take(offset: int, properties: BasicProperties, body: bytes) -> bool:
            nonlocal position
            if offset > position + STEP:
                raise RecordsGone(f"the records from {position + 1} to {offset - 1} are gone")
            position = offset
            is_wanted = offset <= up_to and _is_record(properties) and not seen.is_repeat(properties)
            if is_wanted and offset not in repeats:
                records.append(Record(offset, properties.headers, body))
            return offset >= up_to or len(records) == limit

        if after < up_to:
            await self._scan(await self._side_channel(), after + 1, take)
        return records

    def first(self) -> Deferred[int]:
        """Fires with the offset of the oldest record that is kept."""
        return self._within(self._first())

    async def _first(self) -> int:
        found: list[int] = []

        def take(offset: int, properties: BasicProperties, body: bytes) -> bool:
            found.append(offset)
            return True

        await self._scan(await self._side_channel(), "first", take)
        return found[0]

    async def _side_channel(self) -> Channel:
        """A channel to read on; the next one is opened meanwhile, since that takes several times to and fro."""
        connection = self._connection
        if connection is None or not connection.is_open:
            raise BrokerUnavailable("RabbitMQ is away")
        spare, self._spare = self._spare, self._within(_reading_channel(connection))
        self._spare.addErrback(lambda _: None)
        channel = None if spare is None else await spare
        return channel if channel is not None and channel.is_open else await _reading_channel(connection)

    async def _scan(
        self, channel: Channel, start: int | str, take: Take, begun: Callable[[], None] = lambda: None
    ) -> None:
        """Have `take` called with records until it is content, then close the channel."""
        content = channel.promise()

        def look(properties: BasicProperties, key: str, body: bytes) -> None:
            if not content.called:
                try:
                    if take(int(properties.headers.pop(OFFSET)), properties, body):
                        content.callback(None)
                except RecordsGone:
                    content.errback()

        try:
            await channel.consume(self._name, look, auto_ack=False, arguments={OFFSET: start})
            begun()
            await content
        finally:
            channel.close()

    def _within(self, waiting: Coroutine[Any, Any, Result]) -> Deferred[Result]:
        return self._bounded(Deferred.fromCoroutine(waiting))

    def _bounded(self, waiting: Deferred[Result]) -> Deferred[Result]:
        return waiting.addTimeout(self._options.request_timeout, self._clock).addErrback(_unavailable)


async def _reading_channel(connection: Connection) -> Channel:
    channel = await connection.channel(ignore)
    await channel.window(READ_WINDOW)
    return channel


def _unavailable(failure: Failure) -> Failure:
    if failure.check(RecordsGone) is None:
        raise BrokerUnavailable(str(failure.value))
    return failure


def _is_record(properties: BasicProperties) -> bool:
    return properties.type is None and bool(properties.app_id) and properties.message_id.isdecimal()
