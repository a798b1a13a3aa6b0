"""Reading a stream: every entry that is added to it from now on, in order, whatever becomes of the connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txsocketio.adapters.redis.streams_wire import offset_of, position_of
from txsocketio.cluster.progress import Progress
from txsocketio.errors import BrokerError, BrokerUnavailable
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.adapters.redis.client import RedisClient, RedisReader

log = Logger()

#: Seconds until Redis is asked again after it has failed to answer; doubled with each failure in a row, up to the most.
PAUSE, LONGEST_PAUSE = 0.05, 1.0

#: Seconds for which entries are passed on before the reactor has its turn.
SLICE = 0.02

#: So many positions that were read are remembered. A Redis that has crashed may have lost the last of them.
RECENT = 10_000

T = TypeVar("T")

#: An entry: its id, and its fields, the name of each in front of it.
Entry = tuple[bytes, Sequence[bytes]]


class Extent(NamedTuple):
    """What a stream has.

    Attributes:
        first: the position of the first entry; that of `last` when there is none.
        last: the position of the last entry that was added.
        is_whole: whether no entry was ever removed. Before Redis 7 nobody knows.
    """

    first: int
    last: int
    is_whole: bool

    def holds(self, position: int) -> bool:
        """Whether the stream has come as far as the position, and has everything behind it."""
        return position <= self.last and (self.is_whole or position >= self.first)


async def extent(execute: Callable[..., Deferred[Json]], stream: str) -> Extent:
    """What the stream has now.

    Args:
        execute: sends a command.
    """
    try:
        reply = await execute("XINFO", "STREAM", stream)
    except BrokerError as error:
        if "no such key" in str(error):
            return Extent(0, 0, is_whole=True)
        raise
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    last, first = position_of(fields[b"last-generated-id"]), fields[b"first-entry"]
    is_whole = fields.get(b"entries-added") == fields[b"length"]
    return Extent(position_of(first[0]) if first else last, last, is_whole)


class StreamReader:
    """Reads one stream, over a connection of its own.

    Args:
        client: to be asked for the connection.
        stream: the name of the stream.
        count: how many entries to read at a time.
        block: seconds that Redis waits for an entry.
        clock: where time comes from.

    Attributes:
        progress: how far the stream has been read.
        on_entry: called with the position of each entry, and its fields.
        on_gap: called with the position behind which reading goes on, and with whether entries are gone that were not
            read; else some are gone that were.
    """

    on_entry: Callable[[int, Sequence[bytes]], None]
    on_gap: Callable[[int, bool], None]

    def __init__(self, client: RedisClient, stream: str, count: int, block: float, clock: IReactorTime) -> None:
        self.progress = Progress(clock)
        self._client = client
        self._stream = stream
        self._count = count
        self._block = block
        self._clock = clock
        self._reader: RedisReader
        self._reading: Deferred[None] | None = None
        self._is_stopped = False
        self._is_back = False
        self._recent: deque[int] = deque(maxlen=RECENT)

    async def start(self) -> None:
        """Begin behind what is in the stream now; done when that is known."""
        self._is_stopped = False
        self._reader = self._client.reader()
        self.progress.move((await self._patiently(self._extent)).last)
        self._reading = Deferred.fromCoroutine(self._read())
        self._reading.addErrback(lambda failure: failure.trap(CancelledError))

    def stop(self) -> None:
        """Read no longer. May be called by who is given an entry."""
        self._is_stopped = True
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def _read(self) -> None:
        while not self._is_stopped:
            entries = await self._patiently(self._next)
            due = self._clock.seconds() + SLICE
            for id, fields in entries:
                if self._is_stopped:
                    return
                position = position_of(id)
                self._recent.append(position)
                self.on_entry(position, fields)
                self.progress.move(position)
                if self._clock.seconds() >= due:
                    await deferLater(self._clock, 0)
                    due = self._clock.seconds() + SLICE

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What Redis answers, asked again and again."""
        pause = PAUSE
        while True:
            try:
                return await ask()
            except (BrokerUnavailable, BrokerError) as error:
                if pause == PAUSE and isinstance(error, BrokerError):
                    log.warn("The stream {stream} cannot be read: {error}", stream=self._stream, error=error)
                self._is_back = True
            await deferLater(self._clock, pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _next(self) -> Sequence[Entry]:
        """The next entries; none when none was added for a while."""
        if self._is_back:
            now = await self._extent()
            self._look(now, now.first - 1)
            self._is_back = False
        before, milliseconds = offset_of(self.progress.position), round(self._block * 1000)
        words = ("XREAD", "COUNT", self._count, "BLOCK", milliseconds, "STREAMS", self._stream, before)
        reply = await self._reader.execute(*words, block=self._block)
        entries: Sequence[Entry] = reply[0][1] if reply else ()
        if len(entries) == self._count:  # We are behind: are these really the next ones?
            self._look(await self._extent(), position_of(entries[0][0]) - 1)
        return entries

    def _look(self, now: Extent, goes_on: int) -> None:
        """See whether the stream has everything behind what was read; if not, reading goes on behind `goes_on`."""
        if now.holds(self.progress.position):
            return
        is_lost = True
        if self.progress.position > now.last:
            is_lost = now.last not in self._recent
            goes_on = 0 if is_lost else now.last
            log.warn("The stream {stream} was deleted, or is that of before: reading goes on", stream=self._stream)
        else:
            log.warn("Entries of the stream {stream} were removed before they were read here", stream=self._stream)
        self.progress.move(goes_on)
        self.on_gap(goes_on, is_lost)

    async def _extent(self) -> Extent:
        return await extent(partial(self._reader.execute, block=0.0), self._stream)
