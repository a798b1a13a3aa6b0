"""Both ends of a stream: the first record that is kept, which tells the name of the log, and the last one.

AMQP tells neither. So who wants to know appends a marker, a record that tells nothing, and reads until it comes: then
the stream is not empty, and the marker stands at its end as of now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pika import BasicProperties

from txsocketio.adapters.rabbitmq.connection import ignore
from txsocketio.adapters.rabbitmq.wire import OFFSET, id_of, log_name

if TYPE_CHECKING:
    from txsocketio.adapters.rabbitmq.connection import Channel, Connection
    from txsocketio.adapters.rabbitmq.publisher import Publisher

#: The type of records that tell nothing.
MARKER = "marker"

#: Records that are under way in a read; as many may come in vain.
READ_WINDOW = 100

#: Called with the offset, the properties and the body of a record; whether that is enough.
Take = Callable[[int, BasicProperties, bytes], bool]


async def reading_channel(connection: Connection) -> Channel:
    """A channel on which records can be read; its end is told to those who read."""
    channel = await connection.channel(ignore)
    await channel.window(READ_WINDOW)
    return channel


async def scan(
    channel: Channel, stream: str, start: int | str, take: Take, begun: Callable[[], None] = lambda: None
) -> None:
    """Have `take` called with records from `start` on until it is content, then close the channel.

    Args:
        start: an offset, "first", or "last" for the last ones that came together.
        begun: called when the reading has begun.

    Raises:
        Exception: what `take` has raised, or the end of the channel.
    """
    content = channel.promise()

    def look(properties: BasicProperties, key: str, body: bytes) -> None:
        if not content.called:
            try:
                if take(int(properties.headers.pop(OFFSET)), properties, body):
                    content.callback(None)
            except Exception:  # noqa: BLE001 - it is of those who read, not of the connection
                content.errback()

    try:
        await channel.consume(stream, look, auto_ack=False, arguments={OFFSET: start})
        begun()
        await content
    finally:
        content.addErrback(lambda _: None)  # the channel may have ended before it was awaited
        channel.close()


def mark(channel: Channel, publisher: Publisher, stream: str, identity: str | None) -> str:
    """Append a marker; what it is to be known by."""
    properties = publisher.sign(None, MARKER)
    properties.correlation_id = identity
    channel.publish("", stream, b"", properties, mandatory=False)
    return id_of(properties)


async def identify(connection: Connection, publisher: Publisher, stream: str) -> str:
    """The name of the log that the stream holds."""
    channel = await reading_channel(connection)
    names: list[str] = []
    marks: list[str] = []

    def look(offset: int, properties: BasicProperties, body: bytes) -> bool:
        name = properties.correlation_id if offset else None
        own = id_of(properties)
        if name or not names:
            names[:] = [name or log_name(properties)]
        return bool(name) or not offset or own in marks

    await scan(channel, stream, "first", look, lambda: marks.append(mark(channel, publisher, stream, None)))
    return names[0]


async def find_end(connection: Connection, publisher: Publisher, stream: str, identity: str) -> int:
    """The offset at which the stream ended a moment ago; there is a record."""
    channel = await reading_channel(connection)
    marks: list[str] = []
    end = -1

    def look(offset: int, properties: BasicProperties, body: bytes) -> bool:
        nonlocal end
        end = offset
        return id_of(properties) in marks

    await scan(channel, stream, "last", look, lambda: marks.append(mark(channel, publisher, stream, identity)))
    return end
