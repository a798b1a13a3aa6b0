"""The adapters that the contract is for: one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Kind:
    """A way to join servers. It is hashable, so that pytest runs the tests of one kind after one another.

    Attributes:
        id: names it in the results.
        adapter: gives the option `adapter` for a cluster of its own: called with the broker of the fixture, if any, and
            a name that nobody else uses.
        fixture: the broker it needs, one of tests/brokers/fixtures.py.
        options: of the server.
        settles: whether a node needs a moment until what is sent to a room reaches who has just joined it.
    """

    id: str
    adapter: Callable[[Any, str], object]
    fixture: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    settles: bool = False

    @property
    def recovers(self) -> bool:
        """Whether clients can come back to another node."""
        return "connection_state_recovery" in self.options

    @property
    def has_emitter(self) -> bool:
        """Whether processes that are no servers can emit to its clients."""
        return self.fixture is not None


RECOVERY = {"connection_state_recovery": {"max_disconnection_duration": 30.0}}


def of_redis(kind: str = "", **options: object) -> Callable[[Any, str], object]:
    """What makes the option `adapter` for a kind of Redis."""
    return lambda redis, name: {"url": redis.url.replace("://", f"{kind}://"), "key": name, **options}


def of_rabbitmq(**options: object) -> Callable[[Any, str], object]:
    """What makes the option `adapter` for RabbitMQ."""
    return lambda rabbitmq, name: {"url": rabbitmq.url, "prefix": name, **options}


def of_kafka(kafka: Any, name: str) -> object:
    """The option `adapter` for Kafka."""
    return f"{kafka.url}/{name}"


def of_streams(redis: Any, name: str) -> dict[str, object]:
    """The same for its streams, with channels of their own."""
    url = redis.url.replace("://", "+streams://")
    return {"url": url, "stream_name": name, "channel_prefix": name, "session_key_prefix": f"{name}:session:"}


KINDS = (
    Kind("memory", lambda _, name: f"memory:{name}"),
    Kind("memory-log", lambda _, name: f"memory:{name}", options=RECOVERY),
    Kind("redis", of_redis(), "redis"),
    *(
        Kind(
            f"redis-sharded-{mode}",
            of_redis("+sharded", subscription_mode=mode),
            "redis",
            settles=mode != "static",
        )
        for mode in ("static", "dynamic", "dynamic-private")
    ),
    Kind("kafka", of_kafka, "kafka"),
    Kind("kafka-log", of_kafka, "kafka", RECOVERY),
    Kind("redis-streams", of_streams, "redis"),
    Kind("redis-streams-log", of_streams, "redis", RECOVERY),
    Kind("rabbitmq", of_rabbitmq(), "rabbitmq"),
    Kind("rabbitmq-log", of_rabbitmq(), "rabbitmq", RECOVERY),
)
