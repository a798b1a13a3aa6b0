"""What a Kafka client is told: the address in the URL, the options, and the settings of topics made from them.

`kafka://[user:password@]host[:port][,host[:port]...]/[topic]`. Nothing here imports kafka-python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import inf
from typing import Self
from urllib.parse import unquote, urlsplit

from txsocketio.cluster.options import MemberOptions
from txsocketio.engineio.options import option
from txsocketio.errors import OptionError

DEFAULT_PORT = 9092
DEFAULT_TOPIC = "socketio"

SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
COMPRESSIONS = ("gzip", "snappy", "lz4", "zstd")

#: What Kafka takes as the name of a topic; ours get a word behind it.
TOPIC = re.compile(r"[A-Za-z0-9._-]{1,230}")
SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+)(?::(\d{1,5}))?")

#: Seconds that questions to nodes and their answers are kept.
REQUEST_RETENTION = 60.0

#: The most that a setting of Kafka in milliseconds can be.
_FOR_EVER = 2**63 - 1


@dataclass(frozen=True)
class KafkaAddress:
    """Where the brokers are, who we are to them, and the name from which those of all our topics are made."""

    servers: tuple[str, ...]
    topic: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """The parts of a URL.

        Raises:
            OptionError: it is not of the form above; the error does not show it, since there may be a password in it.
        """
        parts = urlsplit(url)
        credentials, at, hosts = parts.netloc.rpartition("@")
        user, colon, password = credentials.partition(":")
        topic = unquote(parts.path.strip("/")) or DEFAULT_TOPIC
        if parts.scheme != "kafka" or bool(at) != bool(user and colon) or not TOPIC.fullmatch(topic):
            raise OptionError("the address of Kafka must be kafka://[user:password@]host[:port][,host[:port]...]/topic")
        servers = tuple(_server(host) for host in hosts.split(","))
        return cls(servers, topic, unquote(user) if at else None, unquote(password) if at else None)

    def __str__(self) -> str:
        return f"kafka://{','.join(self.servers)}/{self.topic}"


def _server(host: str) -> str:
    found = SERVER.fullmatch(host)
    if not found or int(found[2] or DEFAULT_PORT) > 65535:
        raise OptionError("the address of Kafka must name its servers as host:port, with commas between them")
    return f"{found[1]}:{found[2] or DEFAULT_PORT}"


@dataclass(kw_only=True)
class KafkaOptions(MemberOptions):
    """What a client of Kafka can be told.

    Raises:
        OptionError: a value is not allowed.
    """

    security_protocol: str | None = option(
        None,
        "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. By default what follows from the others: SASL with a user in the "
        "URL, SSL with one of the files.",
    )
    sasl_mechanism: str = option("PLAIN", "How the user in the URL is proved: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    ca_file: str | None = option(None, "A PEM file of those whose certificates of brokers are trusted.")
    certificate_file: str | None = option(None, "A PEM file with our own certificate, for brokers that ask for one.")
    key_file: str | None = option(None, "A PEM file with the private key of our certificate.")
    check_hostname: bool = option(True, "Whether the certificate of a broker must be made out to its host name.")
    create_topics: bool = option(True, "Whether topics that are missing are created; else that is an error at start.")
    replication: int | None = option(None, "How many brokers keep a topic that is created. What they say by default.")
    min_insync_replicas: int | None = option(
        None, "How many of these must have an event before it counts as written. What the brokers say by default."
    )
    retention: float = option(3600.0, "Seconds that the log of events is kept: how far back clients can be recovered.")
    segment: float = option(
        600.0, "Seconds after which a piece of a log is closed. Only closed pieces are thrown away or compacted."
    )
    compression: str | None = option(None, "Compress what is written: gzip, or where installed snappy, lz4 or zstd.")
    max_request_size: int = option(1_048_576, "The largest message that is written, in bytes.")
    max_sessions: int = option(
        100_000, "How many sessions of clients each node knows of; beyond it the oldest cannot be recovered there."
    )
    max_sessions_bytes: int = option(64_000_000, "Bytes that these sessions may have together.")
    start_timeout: float = option(
        15.0, "Seconds in which the brokers must be reached at start, and in which reading must go on."
    )
    request_timeout: float = option(5.0, "Seconds that a broker has to answer before the connection is given up.")
    liveness_timeout: float = option(5.0, "Seconds without an answer after which the broker counts as away.")
    delivery_timeout: float = option(
        86_400.0,
        "Seconds after which kafka-python gives up a message; it is then written again all the same.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (
            "start_timeout",
            "request_timeout",
            "liveness_timeout",
            "delivery_timeout",
            "retention",
            "segment",
        ):
            self.require(0 < getattr(self, name) < inf, name, "must be a positive number of seconds")
        for name in ("max_request_size", "max_sessions", "max_sessions_bytes"):
            self.require(getattr(self, name) > 0, name, "must be positive")
        for name in ("replication", "min_insync_replicas"):
            number = getattr(self, name)
            self.require(number is None or number > 0, name, "must be a positive number")
        for name, words in (
            ("security_protocol", (None, *SECURITY_PROTOCOLS)),
            ("sasl_mechanism", SASL_MECHANISMS),
            ("compression", (None, *COMPRESSIONS)),
        ):
            known = ", ".join(word for word in words if word)
            self.require(getattr(self, name) in words, name, f"must be one of {known}")

    def protocol_for(self, address: KafkaAddress) -> str:
        """The security protocol, spelled as Kafka spells it."""
        if self.security_protocol:
            return self.security_protocol
        encrypted = self.ca_file or self.certificate_file
        if address.user is not None:
            return "SASL_SSL" if encrypted else "SASL_PLAINTEXT"
        return "SSL" if encrypted else "PLAINTEXT"

    # Topics

    def log_settings(self) -> dict[str, str]:
        """Of a topic that keeps events for clients that come back."""
        return self._topic({"cleanup.policy": "delete"}, self.retention, self.segment)

    def request_settings(self) -> dict[str, str]:
        """Of a topic whose records are of no use to anybody who was not there when they were written."""
        return self._topic({"cleanup.policy": "delete"}, REQUEST_RETENTION, REQUEST_RETENTION)

    def table_settings(self, lifetime: float) -> dict[str, str]:
        """Of a topic that keeps the latest record of each key, until nobody has written it for `lifetime` seconds."""
        compaction = {
            "cleanup.policy": "compact,delete",
            "min.cleanable.dirty.ratio": "0.1",
            "delete.retention.ms": _milliseconds(lifetime),
            "max.compaction.lag.ms": _milliseconds(self.segment),
        }
        return self._topic(compaction, lifetime, self.segment)

    def _topic(self, settings: dict[str, str], retention: float, segment: float) -> dict[str, str]:
        settings["retention.ms"] = _milliseconds(retention)
        settings["segment.ms"] = _milliseconds(min(segment, retention))
        settings["message.timestamp.type"] = "LogAppendTime"
        settings["max.message.bytes"] = str(self.max_request_size)
        if self.min_insync_replicas:
            settings["min.insync.replicas"] = str(self.min_insync_replicas)
        return settings


def _milliseconds(seconds: float) -> str:
    return str(min(int(seconds * 1000), _FOR_EVER))
