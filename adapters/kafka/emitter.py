"""Emitting over Kafka. kafka-python works without a reactor, so one writer serves both kinds of programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from time import monotonic
from typing import Any

from kafka.errors import KafkaError, KafkaTimeoutError

from txsocketio.adapters.kafka.broker import HEAD, OVERHEAD
from txsocketio.adapters.kafka.connections import Connections, discard, take_over_log
from txsocketio.adapters.kafka.options import KafkaAddress, KafkaOptions
from txsocketio.adapters.kafka.outbox import PARTITION, REFUSALS
from txsocketio.adapters.peer_emitter import outlet
from txsocketio.cluster.emitter import Outlet
from txsocketio.errors import BrokerError, BrokerUnavailable


class KafkaWriter:
    """Writes records, and returns when Kafka has them.

    What is not confirmed within `request_timeout` is given up, and its producer with it: it must not arrive later.
    """

    def __init__(self, address: KafkaAddress, options: KafkaOptions) -> None:
        self.max_size = options.max_request_size - OVERHEAD
        self._address = address
        self._timeout = options.request_timeout
        self._connections = Connections(address, replace(options, delivery_timeout=2 * options.request_timeout))
        self._lock = Lock()
        self._producer: Any = None
        self._process = 0
        take_over_log()

    def write(self, head: bytes, body: bytes, is_logged: bool) -> None:
        topic = self._address.topic if is_logged else f"{self._address.topic}-messages"
        with self._errors() as producer:
            end = monotonic() + self._timeout
            _await_metadata(producer, topic, end)
            sent = producer.send(topic, body, None, [(HEAD, head)], partition=PARTITION)
            sent.get(max(end - monotonic(), 0.001))

    def close(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            discard(producer)

    @contextmanager
    def _errors(self) -> Iterator[Any]:
        producer = self._current()
        try:
            yield producer
        except REFUSALS as error:
            raise BrokerError(f"Kafka does not take the message: {error}") from None
        except (KafkaError, ValueError) as error:
            self._give_up(producer)
            raise BrokerUnavailable(f"Kafka at {self._address} is away: {error}") from None

    def _current(self) -> Any:
        """The producer of this process: that of a parent has no thread here."""
        with self._lock:
            if self._producer is None or self._process != os.getpid():
                self._producer, self._process = self._connections.producer(), os.getpid()
            return self._producer

    def _give_up(self, producer: Any) -> None:
        with self._lock:
            if self._producer is not producer:
                return
            self._producer = None
        discard(producer)


def _await_metadata(producer: Any, topic: str, end: float) -> None:
    """A producer looks for the broker by itself; it only tells when it has found it."""
    while True:
        try:
            producer.partitions_for(topic)
            return
        except KafkaTimeoutError:
            if monotonic() > end:
                raise


class KafkaEmitters:
    """See `EmitterFactory`."""

    options_class = KafkaOptions

    def __call__(self, url: str, options: KafkaOptions, blocking: bool, recovers: bool, /) -> Outlet[Any]:
        writer = KafkaWriter(KafkaAddress.of(url), options)
        return outlet(writer, recovers, blocking, options.max_outbox)


kafka = KafkaEmitters()
