"""What can be told about a RabbitMQ, and the addresses in its URL."""

from __future__ import annotations

from dataclasses import dataclass, fields
from urllib.parse import unquote, urlsplit

from txsocketio.cluster.options import MemberOptions
from txsocketio.engineio.options import option
from txsocketio.errors import OptionError

#: The port of each scheme when the URL names none.
PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(kw_only=True)
class RabbitMQOptions(MemberOptions):
    """How a server uses its RabbitMQ.

    Raises:
        OptionError: a value is not allowed.
    """

    prefix: str = option("txsocketio", "The exchange, and the beginning of the names of streams; one an application.")
    ca_file: str | None = option(
        None, "A PEM file with the authorities that amqps:// trusts; those of the system by default."
    )
    heartbeat: float = option(10.0, "Seconds between the heartbeats of AMQP, by which the broker misses a dead node.")
    connect_timeout: float = option(5.0, "Seconds until a connection that is not ready is given up.")
    request_timeout: float = option(10.0, "Seconds that the broker may take to declare, or to read a part of a log.")
    liveness_interval: float = option(1.0, "Seconds from one echo through the broker to the next.")
    liveness_timeout: float = option(3.0, "Seconds of silence after which the broker counts as away.")
    reconnect_max_delay: float = option(1.0, "Seconds between two attempts to connect, at most.")
    max_message_size: int = option(134_217_728, "The largest message that RabbitMQ was told to take, in bytes.")
    room_routing: bool = option(
        False,
        "Whether a node gets only those broadcasts that are for rooms of its clients; without recovery only. Each room "
        "costs RabbitMQ a binding for each node that has it, and a client that joins a room which is new to its node "
        "gets what others send there only some milliseconds later.",
    )
    queue_bytes: int = option(
        256_000_000, "Bytes that may wait in the broker for a node that does not read; the oldest go first."
    )
    prefetch: int = option(500, "How many records of a log are under way to a node at a time.")
    log_max_age: float = option(3600.0, "Seconds after which the broker may drop records of a log, segment by segment.")
    log_max_bytes: int = option(1_000_000_000, "Bytes of a log beyond which it does so before.")
    log_segment_bytes: int = option(50_000_000, "Bytes of one segment of a log.")
    max_sessions: int = option(200_000, "How many sessions of clients are kept, when clients can be recovered.")
    max_sessions_bytes: int = option(256_000_000, "Bytes that these may have together, on each node.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in fields(RabbitMQOptions):
            if each.type in ("int", "float"):
                self.require(0 < getattr(self, each.name) < float("inf"), each.name, "must be a positive number")
        self.require(bool(self.prefix), "prefix", "must not be empty")


@dataclass(frozen=True)
class Address:
    """Where a broker is, and who we are there."""

    hosts: tuple[tuple[str, int], ...]
    user: str
    password: str
    vhost: str
    secure: bool

    def __repr__(self) -> str:
        return f"<Address {self}>"

    def __str__(self) -> str:
        return ",".join(f"{host}:{port}" for host, port in self.hosts)


def parse_url(url: str) -> Address:
    """The address in ``amqp://user:password@host:port,host2/vhost``.

    What is missing is as RabbitMQ has it when installed: guest, guest, localhost, the usual port, the vhost "/".

    Raises:
        OptionError: it is no such URL; the error does not repeat the password.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in PORTS:
        raise OptionError(f"the URL of a RabbitMQ begins with amqp:// or amqps://, not {scheme}://")
    netloc, _, path = rest.partition("/")
    identity, _, hosts = netloc.rpartition("@")
    user, colon, password = identity.partition(":")
    return Address(
        tuple(_host_and_port(each, PORTS[scheme]) for each in hosts.split(",")),
        unquote(user) or "guest",
        unquote(password) if colon else "guest",
        unquote(path) or "/",
        scheme == "amqps",
    )


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        return parts.hostname or "localhost", parts.port or default
    except ValueError:
        raise OptionError(f"{text!r} is no host and port of a RabbitMQ") from None
