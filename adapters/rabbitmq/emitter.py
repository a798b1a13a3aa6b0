"""Emitting over RabbitMQ: with pika's connection that blocks, one for each process.

That of the servers would not do: pika's module for Twisted imports the reactor.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from secrets import token_hex
from threading import Lock
from typing import Any

from pika import BasicProperties, BlockingConnection, ConnectionParameters, PlainCredentials, SSLOptions
from pika.exceptions import AMQPError, ChannelClosed, ChannelClosedByBroker, ConnectionClosed, UnroutableError

from txsocketio.adapters.peer_emitter import outlet
from txsocketio.adapters.rabbitmq.options import Address, RabbitMQOptions, parse_url
from txsocketio.adapters.rabbitmq.wire import ALL, OFFSET, join, log_name
from txsocketio.cluster.emitter import Outlet
from txsocketio.errors import BrokerError, BrokerUnavailable

#: Seconds that the broker has to say goodbye.
CLOSING = 1.0

# pika logs several errors for each attempt to connect; what matters of them is in what is raised.
if logging.getLogger("pika").level == logging.NOTSET:
    logging.getLogger("pika").setLevel(logging.CRITICAL)


class RabbitMQWriter:
    """Publishes messages, one at a time, and returns when RabbitMQ has confirmed them."""

    def __init__(self, address: Address, options: RabbitMQOptions) -> None:
        self.max_size = options.max_message_size
        self._address = address
        self._options = options
        self._lock = Lock()
        self._link: Link | None = None

    def write(self, head: bytes, body: bytes, is_logged: bool) -> None:
        with self._lock, self._errors():
            link = self._usable()
            with link.bounded(self._options.request_timeout):
                if is_logged:
                    link.append(f"{self._options.prefix}.events", join(head, body))
                else:
                    link.publish(self._options.prefix, join(head, body))

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _usable(self) -> Link:
        """The connection of this process, another one when it has been lost meanwhile."""
        if self._link is not None and not self._link.is_alive():
            self._drop()
        if self._link is None:
            self._link = Link(self._address, self._options)
        return self._link

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except UnroutableError:
            raise BrokerError("RabbitMQ has no log: no server with connection_state_recovery was started") from None
        except (AMQPError, OSError) as error:
            self._drop()
            if isinstance(error, ChannelClosedByBroker):
                raise BrokerError(f"RabbitMQ does not take the message: {_cause(error)}") from None
            raise BrokerUnavailable(f"RabbitMQ at {self._address} is away: {_cause(error)}") from None

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()


class Link:
    """One connection, and what it is called in the messages: their numbers only grow, as long as it lives."""

    def __init__(self, address: Address, options: RabbitMQOptions) -> None:
        self._connection = BlockingConnection([_parameters(address, host, options) for host in address.hosts])
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()
        self._channel.exchange_declare(options.prefix, durable=True)
        self._name = token_hex(8)
        self._next_number = count(1).__next__
        self._process = os.getpid()
        self._log_name: str | None = None

    def is_alive(self) -> bool:
        """Whether it is of this process, and the broker has not closed it."""
        try:
            if self._process == os.getpid():
                self._connection.process_data_events(0)
        except (AMQPError, OSError):
            return False
        return self._process == os.getpid() and self._channel.is_open

    def publish(self, exchange: str, whole: bytes) -> None:
        """To all nodes."""
        self._channel.basic_publish(exchange, ALL, whole, self._signed(None))

    def append(self, stream: str, whole: bytes) -> None:
        """To the log, with its name."""
        if self._log_name is None:
            self._log_name = self._find_log_name(stream)
        self._channel.basic_publish("", stream, whole, self._signed(self._log_name), mandatory=True)

    def _signed(self, log_name: str | None) -> BasicProperties:
        return BasicProperties(app_id=self._name, message_id=str(self._next_number()), correlation_id=log_name)

    def _find_log_name(self, stream: str) -> str:
        """As a server does: the first record gives the name, and those behind it repeat it."""
        channel = self._connection.channel()
        channel.basic_qos(prefetch_count=1)
        for method, properties, _ in channel.consume(stream, arguments={OFFSET: "first"}):
            is_first = int(properties.headers[OFFSET]) == 0
            if is_first or properties.correlation_id:
                break
            channel.basic_ack(method.delivery_tag)
        channel.close()
        name: str = log_name(properties) if is_first else properties.correlation_id
        return name

    @contextmanager
    def bounded(self, seconds: float) -> Iterator[None]:
        """Cut the connection off when something takes longer; pika would wait as long as it gets its heartbeats."""
        connection: Any = self._connection._impl
        timer = connection.ioloop.call_later(
            seconds, lambda: connection._terminate_stream(TimeoutError(f"no answer within {seconds:g} s"))
        )
        try:
            yield
        finally:
            connection.ioloop.remove_timeout(timer)

    def close(self) -> None:
        """Say goodbye, and do not wait long for an answer. What belongs to a parent process is left to it."""
        if self._process == os.getpid() and self._connection.is_open:
            with suppress(AMQPError, OSError), self.bounded(CLOSING):
                self._connection.close()


def _parameters(address: Address, host: tuple[str, int], options: RabbitMQOptions) -> ConnectionParameters:
    secure = SSLOptions(ssl.create_default_context(cafile=options.ca_file), host[0]) if address.secure else None
    return ConnectionParameters(
        host=host[0],
        port=host[1],
        virtual_host=address.vhost,
        credentials=PlainCredentials(address.user, address.password),
        ssl_options=secure,
        socket_timeout=options.connect_timeout,
        stack_timeout=options.connect_timeout,
        blocked_connection_timeout=options.request_timeout,
        heartbeat=max(1, round(options.heartbeat)),
    )


def _cause(error: Exception) -> str:
    """One line of what went wrong: pika guesses, and keeps the answer of the broker as text."""
    if isinstance(error, ConnectionClosed | ChannelClosed):
        return f"{error.reply_code} {error.reply_text}"
    return str(error) or type(error).__name__


class RabbitMQEmitters:
    """See `EmitterFactory`."""

    options_class = RabbitMQOptions

    def __call__(self, url: str, options: RabbitMQOptions, blocking: bool, recovers: bool, /) -> Outlet[Any]:
        return outlet(RabbitMQWriter(parse_url(url), options), recovers, blocking, options.max_outbox)


rabbitmq = RabbitMQEmitters()
