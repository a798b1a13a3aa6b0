"""The options that all brokers have in common."""

from __future__ import annotations

from dataclasses import dataclass

from txsocketio.engineio.options import Options, option


@dataclass(kw_only=True)
class ClusterOptions(Options):
    """How nodes of a cluster deal with each other.

    Raises:
        OptionError: a value is not allowed.
    """

    requests_timeout: float = option(
        5.0, "Seconds that other servers have to answer `fetch_sockets`, `server_side_call` and the like."
    )
    max_requests: int = option(10_000, "How many such questions of one namespace may be open at a time.")
    max_outbox: int = option(
        10_000, "How many messages wait for a broker that is away; beyond it emitting fails: BrokerUnavailable."
    )
    max_outbox_bytes: int = option(64_000_000, "Bytes that these messages may have together.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("requests_timeout", "max_requests", "max_outbox", "max_outbox_bytes"):
            self.require(getattr(self, name) > 0, name, "must be positive")


@dataclass(kw_only=True)
class MemberOptions(ClusterOptions):
    """The same where nodes count each other, because the broker does not."""

    heartbeat_interval: float = option(5.0, "Seconds between two signs of life of a node.")
    heartbeat_timeout: float = option(10.0, "Seconds without one after which a node counts as gone.")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.heartbeat_interval > 0, "heartbeat_interval", "must be a positive number of seconds")
        self.require(
            self.heartbeat_timeout > self.heartbeat_interval, "heartbeat_timeout", "must be longer than the interval"
        )
