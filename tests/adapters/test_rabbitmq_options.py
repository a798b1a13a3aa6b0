"""URLs and options of RabbitMQ."""

from __future__ import annotations

import pytest

from txsocketio.adapters.rabbitmq.options import Address, RabbitMQOptions, parse_url
from txsocketio.errors import OptionError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("amqp://", Address((("localhost", 5672),), "guest", "guest", "/", False)),
        ("amqp://broker/", Address((("broker", 5672),), "guest", "guest", "/", False)),
        ("amqps://broker", Address((("broker", 5671),), "guest", "guest", "/", True)),
        ("amqp://ann:@broker/%2F", Address((("broker", 5672),), "ann", "", "/", False)),
        ("amqp://a%40b:c%3Ad%2F@[::1]:1,two:2/v%2Fx", Address((("::1", 1), ("two", 2)), "a@b", "c:d/", "v/x", False)),
    ],
)
def test_addresses(url: str, address: Address) -> None:
    """What is missing is as RabbitMQ has it when it is installed."""
    assert parse_url(url) == address


@pytest.mark.parametrize(
    "url", ["amqp://user:secret@host:port/", "amqp://user:secret@[::1/", "http://user:secret@host"]
)
def test_what_is_no_url_of_a_rabbitmq(url: str) -> None:
    """The password is in no error."""
    with pytest.raises(OptionError) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


def test_password_is_shown_nowhere() -> None:
    assert "secret" not in repr(parse_url("amqp://user:secret@host"))


@pytest.mark.parametrize("option", [{"prefetch": 0}, {"liveness_timeout": -1.0}, {"prefix": ""}, {"log_max_age": True}])
def test_values_that_are_not_allowed(option: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=next(iter(option))):
        RabbitMQOptions(**option)
