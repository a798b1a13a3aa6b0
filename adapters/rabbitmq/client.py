"""A node's access to RabbitMQ: one connection, which is made again whenever it is lost.

    exchange <prefix>, direct                   queue of this node, exclusive; the server names it
       key "room:a" --------- bind ------------------> | | | |--> on_message, in order
       key <node> --------- always ------------------> | | | |    answers, and our own echo: the broker lives

On each connection everything is declared anew: the exchange, the queue with all its bindings, the logs. Only then what
has waited goes out, and the broker counts as available. Whatever is odd (a channel closed, a message refused, a queue
deleted) ends the connection, so that there is one way back.

What comes to `on_message` comes at most once: a message does not reach a node that is not connected, or that loses its
connection while it stands in its queue. What has to survive that is appended to a `Stream`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from itertools import cycle
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pika import BasicProperties
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txsocketio.adapters.rabbitmq.connection import cause_of, connect
from txsocketio.adapters.rabbitmq.options import parse_url
from txsocketio.adapters.rabbitmq.publisher import Publisher, Repeats
from txsocketio.adapters.tls import TLS
from txsocketio.errors import BrokerUnavailable
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.adapters.rabbitmq.connection import Channel, Connection
    from txsocketio.adapters.rabbitmq.options import RabbitMQOptions

log = Logger()

#: The type of the message that a node sends to itself.
ECHO = "echo"

#: Seconds before the first attempt to connect again; they double up to `reconnect_max_delay`.
FIRST_DELAY = 0.1

#: Seconds that `stop` waits for confirmations, and then for the broker's goodbye.
STOP_TIMEOUT = 0.8

#: Keys that are bound at a time on a new connection, which takes the reactor some milliseconds.
BINDINGS = 200

#: What an alarm of the broker means to us.
BLOCKED = "the broker takes nothing, it runs out of memory or disk"

Headers = dict[str, Json]
Result = TypeVar("Result")


class Attached(Protocol):
    """What has something to do on each new connection."""

    async def attach(self, connection: Connection) -> None:
        """Fires when it is done; the broker counts as available only then."""


class RabbitMQClient:
    """Publishes, and receives what is published with the keys that this node has bound.

    Args:
        url: as `options.parse_url` takes it.
        node: the name of this node, another one each time it starts.

    Attributes:
        publisher: what is on its way out.
        attached: the logs; complete before `start`.
        is_available: whether what is published goes to the broker at once.
        on_available: called when that has changed.
        on_message: called with the headers, the routing key and the body of each message, in their order.
        dropped: how many messages were none of ours.
    """

    def __init__(self, reactor: Any, url: str, options: RabbitMQOptions, node: str) -> None:
        self.publisher = Publisher(node, options)
        self.publisher.on_returned = self._returned
        self.attached: list[Attached] = []
        self.is_available = False
        self.on_available: Callable[[bool], None] = lambda _: None
        self.on_message: Callable[[Headers, str, bytes], None] = lambda *_: None
        self.dropped = 0
        self._reactor = reactor
        self._address = parse_url(url)
        self._tls = TLS(options.ca_file) if self._address.secure else None
        self._options = options
        self._node = node
        self._repeats = Repeats()
        self._keys = {node}
        self._connection: Connection | None = None
        self._channel: Channel | None = None
        self._queue = ""
        self._is_running = False
        self._life: Deferred[None] = succeed(None)
        self._started: Deferred[None] = succeed(None)
        self._told: set[str] = set()

    # --- messages ---

    def publish(self, keys: Sequence[str], body: bytes, headers: Headers | None = None) -> Deferred[None]:
        """Send to every node that has bound one of the keys; each gets it once.

        Returns:
            Fires when the broker has it.

        Raises:
            BrokerUnavailable: no more can wait for the broker.
            UnserializableData: the broker would not take one that is so large.
        """
        if len(keys) > 1:
            headers = {**(headers or {}), "CC": [*keys[1:]]}
        return self.publisher.publish(self._options.prefix, keys[0], body, headers)

    def bind(self, key: str) -> Deferred[None]:
        """Receive what is published with this key; fires when that holds, or is noted for the next connection."""
        self._keys.add(key)
        return self._rebind("queue_bind", key)

    def unbind(self, key: str) -> Deferred[None]:
        """Receive it no more."""
        self._keys.discard(key)
        return self._rebind("queue_unbind", key)

    def _rebind(self, method: str, key: str) -> Deferred[None]:
        if self._channel is None:
            return succeed(None)
        bound = self._channel.call(method, queue=self._queue, exchange=self._options.prefix, routing_key=key)
        return bound.addBoth(lambda _: None)

    def _receive(self, properties: BasicProperties, key: str, body: bytes) -> None:
        """Take a message from our queue. Hot path."""
        if properties.type == ECHO:
            return
        if not properties.app_id:
            self.dropped += 1
            return self._tell("something publishes to our exchange that is no node of ours")
        if not self._repeats.is_repeat(properties):
            self.on_message(properties.headers or {}, key, body)

    # --- life ---

    def start(self) -> Deferred[None]:
        """Fires when the broker is available; it is tried again and again until then."""
        self._is_running = True
        self._started = Deferred()
        self._life = Deferred.fromCoroutine(self._live())
        return self._started

    async def stop(self) -> None:
        """Let everything go, after what waits had a moment to be confirmed. Another start may follow."""
        if self.is_available:
            await self._within(STOP_TIMEOUT, self.publisher.idle()).addErrback(lambda _: None)
        self._is_running = False
        self._life.cancel()
        await self._life
        self.publisher.give_up()
        if not self._started.called:
            self._started.errback(BrokerUnavailable("stopped"))

    async def _live(self) -> None:
        """Connect, again and again."""
        delay = FIRST_DELAY
        hosts = cycle(self._address.hosts)
        while self._is_running:
            try:
                cause = await self._serve(next(hosts))
                delay = FIRST_DELAY
            except Exception as error:  # noqa: BLE001 - border: whatever ends a connection, another one is tried
                cause = error
            if self._is_running:
                self._tell(cause_of(cause))
                await deferLater(self._reactor, delay).addErrback(lambda _: None)
                delay = min(2 * delay, self._options.reconnect_max_delay)

    async def _serve(self, host: tuple[str, int]) -> Exception:
        """Be connected to this host; why that is over."""
        options = self._options
        connecting = connect(self._reactor, self._address, host, options, self._tls)
        connection = await self._within(options.connect_timeout, connecting)
        liveness = Liveness(self._reactor, options, connection, self._echo)
        try:
            await self._prepared(connection)
            self._connected(connection)
            if self._is_running:  # who heard that we are connected may have stopped us
                liveness.check()
                await connection.lost()
            return connection.reason
        finally:
            liveness.stop()
            self._disconnected()
            await self._within(STOP_TIMEOUT, connection.end()).addErrback(lambda _: None)

    async def _prepared(self, connection: Connection) -> None:
        seconds = self._options.request_timeout
        try:
            await self._within(seconds, self._prepare(connection))
        except TimeoutError:
            # A broker that takes no messages does not even read what is asked behind the first one.
            late = f"it does not declare exchange, queue and streams within {seconds:g} s"
            raise BrokerUnavailable(BLOCKED if connection.is_blocked else late) from None

    async def _prepare(self, connection: Connection) -> None:
        """Declare everything."""
        exchange = self._options.prefix
        channel = await connection.channel()
        await channel.call("exchange_declare", exchange=exchange, durable=True)
        limit = {"x-max-length-bytes": self._options.queue_bytes}
        declared = await channel.call("queue_declare", queue="", exclusive=True, auto_delete=True, arguments=limit)
        self._queue = declared.method.queue
        await channel.consume(self._queue, self._receive, auto_ack=True)
        for each in self.attached:
            await each.attach(connection)
        await self.publisher.open(connection)
        self._channel = channel
        for number, key in enumerate(self._keys - {self._node}, 1):
            if key in self._keys:  # it may have been unbound meanwhile
                channel.tell("queue_bind", queue=self._queue, exchange=exchange, routing_key=key)
            if number % BINDINGS == 0:
                await self._rebind("queue_bind", self._node)
        await self._rebind("queue_bind", self._node)

    def _connected(self, connection: Connection) -> None:
        self._connection = connection
        connection.on_flow = self._flow
        self._told.clear()
        log.info("connected to RabbitMQ at {address}", address=self._address)
        self._flow()
        if not self._started.called:
            self._started.callback(None)

    def _disconnected(self) -> None:
        self._connection = self._channel = None
        self.publisher.close()
        self._flow()

    def _flow(self) -> None:
        """Something has changed for what waits."""
        connection = self._connection
        is_available = connection is not None and not connection.is_blocked
        if connection is not None and connection.is_blocked:
            self._tell(BLOCKED)
        elif connection is not None and BLOCKED in self._told:
            self._told.remove(BLOCKED)
            log.info("RabbitMQ at {address} takes messages again", address=self._address)
        self.publisher.write()
        if is_available != self.is_available:
            self.is_available = is_available
            self.on_available(is_available)

    def _returned(self) -> None:
        if self._connection is not None:
            self._connection.abort(BrokerUnavailable("a log is gone"))

    def _echo(self) -> None:
        if self._channel is not None:
            self._channel.publish(self._options.prefix, self._node, b"", BasicProperties(type=ECHO), mandatory=False)

    def _tell(self, cause: str) -> None:
        """Log a trouble, each only once until all is well again."""
        if cause not in self._told:
            self._told.add(cause)
            log.warn("RabbitMQ at {address}: {cause}", address=self._address, cause=cause)

    def _within(self, seconds: float, waiting: Coroutine[Any, Any, Result]) -> Deferred[Result]:
        return Deferred.fromCoroutine(waiting).addTimeout(seconds, self._reactor)


class Liveness:
    """Ends a connection on which nothing comes, although every echo should.

    pika's heartbeat does so too, after 11 s when it is set to 2.
    """

    def __init__(
        self, reactor: Any, options: RabbitMQOptions, connection: Connection, echo: Callable[[], None]
    ) -> None:
        self._call_later = reactor.callLater
        self._interval = options.liveness_interval
        # Counted, not measured: after a stall of our own the answers are there, and wait to be read.
        self._patience = ceil(options.liveness_timeout / options.liveness_interval)
        self._connection = connection
        self._echo = echo
        self._heard = self._silent = 0
        self._timer: Any = None

    def check(self) -> None:
        """Look whether something has come since the last time."""
        heard = self._connection.bytes_received
        is_silent = heard == self._heard and not self._connection.is_blocked
        self._silent = self._silent + 1 if is_silent else 0
        self._heard = heard
        if self._silent >= self._patience:
            self._connection.abort(TimeoutError(f"nothing came for {self._silent * self._interval} s"))
            self._timer = None
        else:
            self._echo()
            self._timer = self._call_later(self._interval, self.check)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
