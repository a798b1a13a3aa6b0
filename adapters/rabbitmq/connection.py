"""One connection to RabbitMQ: pika's, with what it leaves out.

pika tells no reason when it cannot log in, and writes to the transport without looking whether anything leaves. Its
channels are used as they are, below its own Deferreds: those keep what is delivered in a queue without a bound, and
look through all unconfirmed messages at each confirmation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pika import BasicProperties, ConnectionParameters, PlainCredentials, exceptions
from pika.adapters.twisted_connection import TwistedProtocolConnection
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from pika.channel import Channel as PikaChannel
    from twisted.internet.interfaces import IStreamClientEndpoint

    from txsocketio.adapters.rabbitmq.options import Address, RabbitMQOptions
    from txsocketio.adapters.tls import TLS

log = Logger()

#: What is told of a message: its properties (their headers are never None), its routing key and its body.
Receive = Callable[[BasicProperties, str, bytes], None]

#: What is told of messages that were written: the number of one, and whether all before it are meant too.
Settle = Callable[[int, bool], None]

#: Bytes that are read in one turn of the reactor. pika needs 40 to 60 us for a small message: what fits into Twisted's
#: 64 KB would hold up everything else for 25 ms.
READ_SIZE = 16_384

# pika logs several errors for each attempt to connect. What matters of them is in our log, once.
if logging.getLogger("pika").level == logging.NOTSET:
    logging.getLogger("pika").setLevel(logging.CRITICAL)


class Channel:
    """A channel whose calls are Deferreds, and which is told of what nobody asked for.

    Attributes:
        on_closed: called with the reason when the broker has closed it, or one of its consumers.
    """

    def __init__(self, channel: PikaChannel, on_closed: Callable[[Exception], None]) -> None:
        self.on_closed = on_closed
        self._channel = channel
        self._promised: set[Deferred[Any]] = set()
        self._unacknowledged = 0
        self._window = 1
        channel.add_on_close_callback(lambda _, reason: self._closed(reason))
        channel.add_on_cancel_callback(lambda _: self.on_closed(exceptions.ConsumerCancelled("queue is gone")))

    @property
    def is_open(self) -> bool:
        """Whether messages can be written."""
        return self._channel.is_open  # type: ignore[no-any-return]

    def promise(self) -> Deferred[Any]:
        """A Deferred for somebody to fire; it fails when the channel is closed before."""
        if self._channel.is_closed:
            return fail(exceptions.ChannelWrongStateError("the channel is closed"))
        promised: Deferred[Any] = Deferred()
        self._promised.add(promised)

        def kept(result: Any) -> Any:
            self._promised.discard(promised)
            return result

        return promised.addBoth(kept)

    def call(self, method: str, **arguments: Any) -> Deferred[Any]:
        """Fires with what the broker answers to a method of `pika.channel.Channel`."""
        answered = self.promise()

        def answer(frame: Any) -> None:
            if not answered.called:
                answered.callback(frame)

        self.tell(method, callback=answer, **arguments)
        return answered

    def tell(self, method: str, **arguments: Any) -> None:
        """Call such a method without waiting for an answer; an error would close the channel."""
        if self._channel.is_open:
            getattr(self._channel, method)(**arguments)

    def consume(self, queue: str, receive: Receive, auto_ack: bool, **arguments: Any) -> Deferred[Any]:
        """Have each message of the queue told as it comes; fires when that has begun."""

        def deliver(_: PikaChannel, method: Any, properties: BasicProperties, body: bytes) -> None:
            try:
                receive(properties, method.routing_key, body)
            except Exception:  # noqa: BLE001 - border to the layer above: a bad message must not end the connection
                log.failure("a message from RabbitMQ could not be dealt with")
            if not auto_ack:
                self._acknowledge(method.delivery_tag)

        return self.call("basic_consume", queue=queue, on_message_callback=deliver, auto_ack=auto_ack, **arguments)

    def window(self, size: int) -> Deferred[Any]:
        """Have at most so many messages under way that are not acknowledged; fires when that holds."""
        self._window = max(1, size // 4)
        return self.call("basic_qos", prefetch_count=size)

    def _acknowledge(self, tag: int) -> None:
        self._unacknowledged += 1
        if self._unacknowledged >= self._window and self._channel.is_open:
            self._unacknowledged = 0
            self._channel.basic_ack(tag, multiple=True)

    def confirm(self, on_confirmed: Settle, on_refused: Settle, on_returned: Callable[[], None]) -> Deferred[Any]:
        """Have the broker confirm or refuse each message, or return one that no queue is for; fires when it does."""

        def settled(frame: Any) -> None:
            settle = on_confirmed if frame.method.NAME == "Basic.Ack" else on_refused
            settle(frame.method.delivery_tag, frame.method.multiple)

        self._channel.add_on_return_callback(lambda *_: on_returned())
        return self.call("confirm_delivery", ack_nack_callback=settled)

    def publish(self, exchange: str, key: str, body: bytes, properties: BasicProperties, mandatory: bool) -> None:
        """Write a message; in vain when the channel is closed, which `on_closed` tells. Hot path."""
        if self._channel.is_open:
            self._channel.basic_publish(exchange, key, body, properties, mandatory)

    def close(self) -> None:
        """Let it go; what was under way on it is forgotten, nobody may wait for it any more."""
        self.on_closed = ignore
        self._promised.clear()
        if self._channel.is_open:
            self._channel.close()

    def _closed(self, reason: Exception) -> None:
        promised, self._promised = self._promised, set()
        for each in promised:
            each.errback(_as_error(reason))
        self.on_closed(reason)


def _as_error(reason: Exception) -> Exception:
    """Why a channel has ended, as an error of pika; it may be anything that Twisted or OpenSSL has to say."""
    error: Exception = exceptions.StreamLostError(str(reason))
    return reason if isinstance(reason, exceptions.AMQPError) else error


def ignore(reason: Exception) -> None:
    """For a channel whose end concerns only those who wait for its answers."""


@implementer(IPushProducer)
class Connection(TwistedProtocolConnection):  # type: ignore[misc]
    """A connection that knows whether more should be written to it.

    Args:
        parameters: of AMQP.

    Attributes:
        is_blocked: the broker takes nothing, since it runs out of memory or disk.
        is_full: the transport has enough for now.
        on_flow: called when one of these two has changed.
    """

    transport: Any
    ready: Deferred[Any] | None

    def __init__(self, parameters: ConnectionParameters) -> None:
        super().__init__(parameters)
        self.is_blocked = self.is_full = False
        self.on_flow: Callable[[], None] = lambda: None
        self._reason: Exception | None = None
        self._ended: Deferred[None] | None = None

    @property
    def reason(self) -> Exception:
        """Why it has ended; the first thing that was said."""
        return self._reason or ConnectionAborted()

    @property
    def bytes_received(self) -> int:
        """Grows while the broker lives."""
        return self._impl.bytes_received  # type: ignore[no-any-return]

    async def channel(self, on_closed: Callable[[Exception], None] | None = None) -> Channel:
        """A new channel; when it is closed against our will the connection ends, unless that is told to somebody."""
        opened: Deferred[PikaChannel] = Deferred()
        channel = self._impl.channel(None, opened.callback)
        wrapped = Channel(channel, on_closed or self.abort)
        channel.add_on_close_callback(lambda _, reason: None if opened.called else opened.errback(_as_error(reason)))
        await opened
        return wrapped

    def abort(self, reason: Exception | None = None) -> None:
        """End it at once, for this reason if it has not ended yet."""
        self._reason = self._reason or reason
        self.transport.abortConnection()

    async def lost(self) -> None:
        """Fires when it has ended."""
        if self.is_open:
            self._ended = Deferred()
            await self._ended

    async def end(self) -> None:
        """Say goodbye, and wait for the broker's; cancelled, end it without."""
        try:
            if self.is_open:
                await self.close()
        finally:
            self.abort()

    def block(self, is_blocked: bool) -> None:
        """The broker takes nothing any more, or does so again."""
        self.is_blocked = is_blocked
        self.on_flow()

    # Called by Twisted.

    def makeConnection(self, transport: Any) -> None:
        getattr(transport, "transport", transport).bufferSize = READ_SIZE
        transport.setTcpNoDelay(True)  # 40 ms less for each request behind another
        super().makeConnection(transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reason = self._reason or self._impl._error  # what the broker has said, which pika is about to overwrite
        super().connectionLost(reason)

    def pauseProducing(self) -> None:
        self.is_full = True

    def resumeProducing(self) -> None:
        self.is_full = False
        if self.is_open:
            self.on_flow()
        else:
            self.transport.unregisterProducer()  # a transport with a producer would wait for more before it closes

    def stopProducing(self) -> None:
        pass

    # Called by pika.

    def _on_connection_ready(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self.block(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self.block(False))
        self.transport.registerProducer(self, True)
        super()._on_connection_ready(connection)

    def _on_connection_closed(self, connection: Any, error: Exception) -> None:
        self._reason = self._reason or error
        super()._on_connection_closed(connection, error)
        if self._ended is not None:
            self._ended.callback(None)

    def _on_connection_failed(self, connection: Any, error: Exception | None = None) -> None:
        ready, self.ready = self.ready, None
        if ready is not None:
            self._reason = self._reason or error
            ready.errback(self.reason)


class Once(Factory):
    """A factory for one connection, that is made already."""

    noisy = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Called by Twisted.

    def buildProtocol(self, addr: object) -> Connection:
        return self._connection


async def connect(
    reactor: Any, address: Address, host: tuple[str, int], options: RabbitMQOptions, tls: TLS | None
) -> Connection:
    """A connection that is logged in.

    Raises:
        Exception: of Twisted or pika; `cause_of` tells what it means.
    """
    parameters = ConnectionParameters(
        virtual_host=address.vhost,
        credentials=PlainCredentials(address.user, address.password),
        heartbeat=max(1, round(options.heartbeat)),
    )
    connection = Connection(parameters)
    opened = connection.ready  # pika forgets it when it has fired
    assert opened is not None
    endpoint: IStreamClientEndpoint = HostnameEndpoint(reactor, *host, timeout=options.connect_timeout)
    await (endpoint if tls is None else tls.wrap(endpoint, host[0])).connect(Once(connection))
    try:
        await opened
    except BaseException:
        connection.abort()
        raise
    return connection


def cause_of(error: BaseException) -> str:
    """One line of what went wrong, fit for a log."""
    if isinstance(error, exceptions.ConnectionClosed | exceptions.ChannelClosed):
        return f"{error.reply_code} {error.reply_text}"
    if isinstance(error, ConnectionDone):
        return "the broker has closed the connection"
    # pika guesses what has happened, and keeps the answer of the broker as text.
    return str(error) or type(error).__name__
