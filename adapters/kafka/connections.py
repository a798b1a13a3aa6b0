"""The clients of kafka-python, made with the settings that a realtime server needs, and let go of without a trace.

What each setting is there for stands beside it; most of the library's defaults are made for programs that may wait for
minutes. Everything in this module blocks, and is called in threads.
"""

from __future__ import annotations

import gc
import logging
from functools import cache, partial
from threading import RLock
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, codec
from kafka.errors import KafkaConnectionError, KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.net.selector import NetworkSelector
from twisted.logger import Logger

from txsocketio.errors import OptionError

if TYPE_CHECKING:
    from txsocketio.adapters.kafka.options import KafkaAddress, KafkaOptions

log = Logger()

#: The newest protocol that we speak; older brokers say so when they are connected to. With a version given the
#: constructors of producers and consumers return at once, with a broker or without.
API_VERSION = (4, 0)

#: Seconds between attempts to connect, the first and the longest. With the library's 30 s a reader was still deaf 35 s
#: after the broker's return.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5

#: Seconds that `send` may block, which it does only without metadata; whoever stops the thread waits so long.
MAX_BLOCK = 0.25

#: Seconds that a broker holds an empty answer to a reader back: at the log's end, and elsewhere. What comes meanwhile
#: is sent at once; but nothing else can be asked on the connection.
LONG_POLL, SHORT_POLL = 0.5, 0.05

#: How many records the library hands over at a time: 2.7 ms of work that other threads wait for.
MAX_RECORDS = 500

#: What compresses, beside what Python has.
LIBRARIES = {"snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}

#: Seconds that the network thread of a producer has to end.
JOIN_TIMEOUT = 2.0


class _Loop(NetworkSelector):  # type: ignore[misc]  # kafka-python has no types
    """The loop of a client's network thread, which another thread may close at any time.

    That of kafka-python forgets that it is to stop when it is told so too early, and starts again when it is closed.
    """

    def __init__(self, **settings: Any) -> None:
        self.life = RLock()
        self.is_closed = False
        super().__init__(**settings)

    def start(self) -> None:
        with self.life:
            if self.is_closed:
                raise KafkaConnectionError("closed")
            super().start()
            self.run(_nothing)  # now it runs

    def close(self) -> None:
        with self.life:
            if not self.is_closed:
                self.is_closed = True
                self.stop()
                connecting = [key.fileobj for key in self._selector.get_map().values()]
                super().close()
                for sock in connecting:
                    sock.close()  # kafka-python leaves that to the garbage collector


async def _nothing() -> None:
    pass


class _Connection(KafkaNetClient):  # type: ignore[misc]  # kafka-python has no types
    """What a client reaches the brokers through."""

    def __init__(self, **settings: Any) -> None:
        self.loop = _Loop(**settings)
        super().__init__(net=self.loop, **settings)

    def close(self, node_id: object = None) -> None:
        with self.loop.life:
            super().close(node_id)


class Connections:
    """Makes clients, and can close what they opened: a constructor that fails leaves its network thread running."""

    def __init__(self, address: KafkaAddress, options: KafkaOptions) -> None:
        compression = options.compression
        if compression and not getattr(codec, f"has_{compression}")():
            raise OptionError(
                f"compression: what {compression} needs is not installed: pip install {LIBRARIES[compression]}"
            )
        self._address = address
        self._options = options
        self._opened: list[_Connection] = []

    def admin(self) -> Any:
        """A client that creates topics. Blocks until a broker is there.

        Raises:
            KafkaError: none is, within `start_timeout`.
        """
        timeout = milliseconds(self._options.start_timeout)
        settings = {**self._common(), "bootstrap_timeout_ms": timeout, "request_timeout_ms": timeout}
        return KafkaAdminClient(kafka_client=self._open, **settings)

    def consumer(self, long_poll: float = LONG_POLL, metadata_age: float = 300.0) -> Any:
        """A reader that belongs to no group and starts nowhere: it is told each position, or fails."""
        return KafkaConsumer(
            kafka_client=self._open,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            fetch_min_bytes=1,
            fetch_max_wait_ms=milliseconds(long_poll),
            max_poll_records=MAX_RECORDS,
            metadata_max_age_ms=milliseconds(metadata_age),
            metrics_enabled=False,
            **self._common(),
        )

    def producer(self) -> Any:
        """A writer that keeps its order and repeats nothing, for as long as it lives. To be given to `discard`."""
        return KafkaProducer(
            kafka_client=partial(KafkaNetClient, **self._patience()),
            acks="all",
            enable_idempotence=True,
            linger_ms=2,  # a third less CPU than 0 at 2000 records a second, for 1 ms of latency
            batch_size=65536,
            compression_type=self._options.compression,
            max_request_size=self._options.max_request_size,
            max_block_ms=milliseconds(MAX_BLOCK),
            delivery_timeout_ms=milliseconds(self._options.delivery_timeout),
            metrics_enabled=False,
            **self._common(),
        )

    def close(self) -> None:
        """End the admins and consumers that are left, also those that still wait in their constructors."""
        for connection in self._opened:
            connection.close()

    def _open(self, **settings: Any) -> _Connection:
        connection = _Connection(**settings, **self._patience())
        self._opened = [*(each for each in self._opened if not each.loop.is_closed), connection]
        return connection

    def _patience(self) -> dict[str, int]:
        # The default of 10 s and more would keep us waiting for a broker that accepts, and is frozen.
        timeout = milliseconds(self._options.request_timeout)
        return {"socket_connection_setup_timeout_ms": timeout, "socket_connection_setup_timeout_max_ms": timeout}

    def _common(self) -> dict[str, Any]:
        options, address = self._options, self._address
        return {
            "bootstrap_servers": list(address.servers),
            "api_version": API_VERSION,
            "request_timeout_ms": milliseconds(options.request_timeout),
            "reconnect_backoff_ms": milliseconds(FIRST_PAUSE),
            "reconnect_backoff_max_ms": milliseconds(LONGEST_PAUSE),
            "security_protocol": options.protocol_for(address),
            "ssl_check_hostname": options.check_hostname,
            "ssl_cafile": options.ca_file,
            "ssl_certfile": options.certificate_file,
            "ssl_keyfile": options.key_file,
            "sasl_mechanism": options.sasl_mechanism if address.user is not None else None,
            "sasl_plain_username": address.user,
            "sasl_plain_password": address.password,
        }


def milliseconds(seconds: float) -> int:
    """As kafka-python wants them."""
    return int(seconds * 1000)


def topic_id(consumer: Any, topic: str) -> UUID | None:
    """Which topic of that name it is, as of the consumer's latest metadata; None where brokers are too old to say."""
    found: UUID | None = consumer._cluster.topic_id(topic)
    return found


def discard(producer: Any) -> None:
    """End a producer, whatever it still holds. Its own `close` refuses to while something is not delivered."""
    producer._sender.force_close()
    producer._sender.join(JOIN_TIMEOUT)
    try:
        producer.close(0)
    except KafkaError:
        log.warn("a producer of kafka-python did not end")


class Complaint:
    """Logs what keeps a thread from its work, once until it is something else."""

    def __init__(self, work: str) -> None:
        self._work = work
        self._latest = ""

    def tell(self, error: Exception) -> None:
        """It happened, maybe again."""
        text = f"{type(error).__name__}: {error}"
        if text != self._latest:
            self._latest = text
            log.warn("{work} failed, and is tried again: {text}", work=self._work, text=text)


class _Troubles(logging.Handler):
    """Remembers what kafka-python logged last, to be told once by us: in an outage it logs six lines a second."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.latest = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.latest = record.getMessage()


troubles = _Troubles()


def take_over_log() -> None:
    """Keep what kafka-python logs to ourselves, unless the application wants to have it."""
    logger = logging.getLogger("kafka")
    if all(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(troubles)
        logger.propagate = False
        logger.setLevel(logging.ERROR)  # at DEBUG it writes passwords


@cache
def spare_the_collector() -> None:
    """Have the garbage collector pass over what is there now; once in a process, when the library has been used.

    It describes the protocol by 50 000 objects, which stay. To look through them holds up the reactor for 60 ms in each
    full collection: the longest stall at 2000 events a second was 53 ms, and is 18 ms without (CPython 3.11).
    """
    gc.collect()
    gc.freeze()
