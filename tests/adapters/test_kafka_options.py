"""The address of Kafka, and what follows from its options."""

from __future__ import annotations

import pytest

from txsocketio.adapters.kafka.options import KafkaAddress, KafkaOptions
from txsocketio.errors import OptionError


def test_address_has_servers_and_topic() -> None:
    """Several servers of one cluster, since the first may be the one that is away."""
    address = KafkaAddress.of("kafka://one:9093,two,[::1]:9094/chat")
    assert address == KafkaAddress(("one:9093", "two:9092", "[::1]:9094"), "chat")
    assert str(address) == "kafka://one:9093,two:9092,[::1]:9094/chat"


def test_address_may_leave_out_topic() -> None:
    """One application on a cluster of its own needs no name."""
    assert KafkaAddress.of("kafka://localhost").topic == KafkaAddress.of("kafka://localhost/").topic == "socketio"


def test_password_is_not_shown() -> None:
    """Logs and tracebacks show addresses."""
    address = KafkaAddress.of("kafka://al%40ice:wonder%2Fland@localhost/chat")
    assert (address.user, address.password) == ("al@ice", "wonder/land")
    assert "wonder" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost/chat",
        "kafka://",
        "kafka://localhost:99999/chat",
        "kafka://one,,two/chat",
        "kafka://local host/chat",
        "kafka://localhost/two/words",
        "kafka://localhost/" + "x" * 250,
        "kafka://secret@localhost/chat",
        "kafka://:secret@localhost/chat",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """The error does not show what may be a password."""
    with pytest.raises(OptionError) as raised:
        KafkaAddress.of(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "options", "protocol"),
    [
        ("kafka://localhost", {}, "PLAINTEXT"),
        ("kafka://localhost", {"ca_file": "ca.pem"}, "SSL"),
        ("kafka://alice:wonder@localhost", {}, "SASL_PLAINTEXT"),
        ("kafka://alice:wonder@localhost", {"ca_file": "ca.pem"}, "SASL_SSL"),
        ("kafka://alice:wonder@localhost", {"security_protocol": "SASL_SSL"}, "SASL_SSL"),
    ],
)
def test_protocol_follows_from_what_is_given(url: str, options: dict[str, str], protocol: str) -> None:
    """Who gives a user and a certificate need not know what Kafka calls that."""
    assert KafkaOptions.of(options).protocol_for(KafkaAddress.of(url)) == protocol


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "rar"},
        {"liveness_timeout": 0},
        {"max_outbox": 0},
        {"replication": 0},
        {"sasl_mechanism": "plain"},
        {"security_protocol": "TLS"},
    ],
)
def test_options_are_checked(options: dict[str, object]) -> None:
    """At start, with the option's name, and not by Kafka later."""
    with pytest.raises(OptionError, match=next(iter(options))):
        KafkaOptions.of(options)


def test_topics_are_created_with_what_the_options_say() -> None:
    """Kafka counts in milliseconds."""
    options = KafkaOptions(retention=90.5, segment=600.0, min_insync_replicas=2, max_request_size=5_000_000)
    assert options.log_settings() == {
        "cleanup.policy": "delete",
        "retention.ms": "90500",
        "segment.ms": "90500",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": "5000000",
        "min.insync.replicas": "2",
    }
    assert options.table_settings(120.0)["cleanup.policy"] == "compact,delete"
