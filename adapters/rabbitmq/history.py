"""Old records of a stream, which are read again for those who have missed them.

    records      ... 40   41   42   43   44 | 45   46   47   48 ...        | this node has begun to read here: `begin`
                          A            A'                                  A' is A, written again

Who has read both knows that A' is a repeat; who begins to read between them cannot. But A' says behind which record A
would be, if it is there. So a read that comes upon it begins there once more, and looks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Coroutine
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pika import BasicProperties
from pika.exceptions import AMQPError
from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError
from twisted.python.failure import Failure

from txsocketio.adapters.rabbitmq.ends import reading_channel, scan
from txsocketio.adapters.rabbitmq.publisher import Repeats
from txsocketio.adapters.rabbitmq.wire import BEHIND
from txsocketio.errors import BrokerUnavailable, WorldError
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.adapters.rabbitmq.connection import Channel, Connection

#: Reads of old records that go on at a time, each on a channel of its own; more wait.
MAX_READS = 4

#: Repeated records that are remembered, so that they are not read again later.
MAX_REPEATS = 10_000

#: From one offset to the next, at most: where a segment begins the broker takes one for itself. When records go because
#: they are old, a whole segment goes.
STEP = 2

Result = TypeVar("Result")


class Record(NamedTuple):
    """What was appended."""

    offset: int
    headers: dict[str, Json]
    body: bytes


class RecordsGone(WorldError):
    """The records that were asked for are not kept any more."""

    temporary = False


class Known(NamedTuple):
    """What this node has read: all offsets from `begin` on, and which of them are repeats."""

    begin: int
    repeats: Collection[int]


class Unsure(Exception):
    """Whether a record is a repeat can only be told by who begins to read behind `behind`."""

    def __init__(self, behind: int) -> None:
        super().__init__(behind)
        self.behind = behind


class History:
    """What a stream has kept.

    Args:
        name: of the stream.
        timeout: seconds that the broker may take for a part of it.

    Attributes:
        begin: the offset from which this node has read everything.
        repeats: the offsets of the repeats among that.
    """

    def __init__(self, clock: IReactorTime, name: str, timeout: float) -> None:
        self.begin = 0
        self.repeats: deque[int] = deque(maxlen=MAX_REPEATS)
        self._clock = clock
        self._name = name
        self._timeout = timeout
        self._connection: Connection | None = None
        self._spare: Deferred[Channel | None] | None = None
        self._reads = DeferredSemaphore(MAX_READS)

    def attach(self, connection: Connection) -> None:
        """Read on this connection from now on."""
        self._connection = connection

    def begin_anew(self, begin: int) -> None:
        """This node knows nothing of what is in front of this offset."""
        self.begin = begin
        self.repeats.clear()

    def read(self, after: int, up_to: int, limit: int) -> Deferred[list[Record]]:
        """Fires with the records behind a position, up to another one that has been told, at most so many.

        It fails with RecordsGone when the first of them is not kept any more, and with BrokerUnavailable.
        """
        return self._reads.run(lambda: self._bounded(self._read(after, up_to, limit)))

    async def _read(self, after: int, up_to: int, limit: int) -> list[Record]:
        known = Known(self.begin, frozenset(self.repeats))
        start = after + 1
        while after < up_to:
            page = Page(start, after, up_to, limit, known)
            try:
                await scan(await self._channel(), self._name, start, page.take)
                return page.records
            except Unsure as unsure:
                start = unsure.behind + 1
        return []

    def first(self) -> Deferred[int]:
        """Fires with the offset of the oldest record that is kept; fails with BrokerUnavailable."""
        return self._bounded(self._first())

    async def _first(self) -> int:
        found: list[int] = []

        def take(offset: int, properties: BasicProperties, body: bytes) -> bool:
            found.append(offset)
            return True

        await scan(await self._channel(), self._name, "first", take)
        return found[0]

    async def _channel(self) -> Channel:
        """A channel to read on; the next one is opened meanwhile, since that takes several times to and fro."""
        connection = self._connection
        if connection is None or not connection.is_open or connection.is_blocked:
            raise BrokerUnavailable("RabbitMQ is away")
        spare, self._spare = self._spare, self._bounded(reading_channel(connection))
        self._spare.addErrback(lambda _: None)
        channel = None if spare is None else await spare
        return channel if channel is not None and channel.is_open else await reading_channel(connection)

    def _bounded(self, waiting: Coroutine[Deferred[Json], Json, Result]) -> Deferred[Result]:
        return bounded(Deferred.fromCoroutine(waiting), self._timeout, self._clock)


class Page:
    """A part of the records, as they are read.

    Args:
        start: the offset at which the reading begins, which may be in front of what is wanted.
        known: of the repeats.

    Attributes:
        records: what was found.
    """

    def __init__(self, start: int, after: int, up_to: int, limit: int, known: Known) -> None:
        self.records: list[Record] = []
        self._start = start
        self._after = after
        self._up_to = up_to
        self._limit = limit
        self._known = known
        self._position = after
        self._seen = Repeats()

    def take(self, offset: int, properties: BasicProperties, body: bytes) -> bool:
        """A record, and whether it is the last one.

        Raises:
            RecordsGone: one that should have come before.
            Unsure: nobody knows whether it is a repeat.
        """
        if offset > self._position + STEP:
            raise RecordsGone(f"the records from {self._position + 1} to {offset - 1} are gone")
        is_new = is_record(properties) and not self._seen.is_repeat(properties)
        if offset > self._after:
            self._position = offset
            if is_new and offset <= self._up_to and not self._is_repeat(offset, properties):
                self.records.append(Record(offset, properties.headers, body))
        return offset >= self._up_to or len(self.records) == self._limit

    def _is_repeat(self, offset: int, properties: BasicProperties) -> bool:
        if offset in self._known.repeats:
            return True
        behind = properties.headers.get(BEHIND)
        if isinstance(behind, int) and behind + 1 < min(self._start, self._known.begin):
            raise Unsure(behind)
        return False


def is_record(properties: BasicProperties) -> bool:
    """Whether it is one of ours, and no marker."""
    return properties.type is None and bool(properties.app_id) and properties.message_id.isdecimal()


def bounded(waiting: Deferred[Result], seconds: float, clock: IReactorTime) -> Deferred[Result]:
    """What the broker answers; fails with BrokerUnavailable when it does not, within this time."""
    return waiting.addTimeout(seconds, clock).addErrback(_unavailable, seconds)


def _unavailable(failure: Failure, seconds: float) -> Failure:
    if failure.check(TimeoutError):
        raise BrokerUnavailable(f"RabbitMQ has not answered within {seconds:g} s")
    if failure.check(AMQPError):
        raise BrokerUnavailable(f"RabbitMQ is away: {failure.getErrorMessage()}")
    return failure
