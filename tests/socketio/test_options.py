"""The options of a server."""

from __future__ import annotations

from dataclasses import fields
from math import inf, nan

import pytest

from txsocketio import OptionError, Server
from txsocketio.errors import PacketError
from txsocketio.protocol.msgpack_codec import MsgpackParser
from txsocketio.protocol.packet import DefaultParser
from txsocketio.socketio.options import RecoveryOptions, ServerOptions
from txsocketio.types import Json


def test_every_option_is_documented() -> None:
    """The configuration reference is made of it."""
    assert all(field.metadata["doc"].endswith(".") for field in fields(ServerOptions))


def test_options_of_the_engine_are_options_too() -> None:
    options = ServerOptions(ping_interval=5.0)
    assert (options.ping_interval, options.path, options.connect_timeout) == (5.0, "/socket.io", 45.0)


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="connect_timeout"):
        Server(connection_timeout=1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("connect_timeout", 0),
        ("middleware_timeout", -1.0),
        ("attachments_timeout", 0.0),
        ("ack_timeout", 0.0),
        ("max_namespaces", 0),
        ("max_namespace_length", 0),
        ("max_attachments", 0),
        ("max_waiting_size", 0),
        ("max_auth_size", 0),
        ("connect_timeout", inf),
        ("attachments_timeout", nan),
        ("max_attachments_size", 0),
        ("parser", "json"),
        ("parser", None),
        ("parser", MsgpackParser),
        ("parser", MsgpackParser().decoder()),
    ],
)
def test_values_are_checked(name: str, value: Json) -> None:
    """At once, with the name of the option."""
    with pytest.raises(OptionError, match=name):
        ServerOptions(**{name: value})


@pytest.mark.parametrize(("given", "limit"), [({}, 10_000_000), ({"max_attachments_size": 7}, 7)])
def test_limit_of_attachments_follows_that_of_messages(given: dict[str, int], limit: int) -> None:
    assert ServerOptions(**given).attachments_limit == limit


def test_parser_has_a_name_or_is_one() -> None:
    own = MsgpackParser()
    assert Server(parser=own).parser is own
    assert isinstance(Server(parser="msgpack").parser, MsgpackParser)
    parser = Server(parser="default", max_attachments=1).parser
    assert isinstance(parser, DefaultParser)
    with pytest.raises(PacketError):
        parser.decoder().add('52-["x"]')


def test_recovery_has_options_of_its_own() -> None:
    """Off by default; true or an empty table for the defaults."""
    assert ServerOptions().recovery is None
    assert ServerOptions(connection_state_recovery=False).recovery is None
    for given in (True, {}):
        assert ServerOptions(connection_state_recovery=given).recovery == RecoveryOptions()
    recovery = ServerOptions(connection_state_recovery={"skip_middlewares": True}).recovery
    assert recovery is not None
    assert (recovery.skip_middlewares, recovery.max_disconnection_duration) == (True, 120.0)
    assert all(field.metadata["doc"].endswith(".") for field in fields(RecoveryOptions))


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"max_packet": 1}, "max_packets"),
        ({"max_packets": 0}, "max_packets must be positive"),
        ({"max_bytes": "many"}, "max_bytes must be a whole number"),
        ({"max_sessions": -1}, "max_sessions must be positive"),
        ({"max_disconnection_duration": 0.0}, "max_disconnection_duration must be positive"),
        ({"max_disconnection_duration": inf}, "max_disconnection_duration must be positive"),
        ({"skip_middlewares": 1}, "skip_middlewares must be true or false"),
        (120.0, "connection_state_recovery must be true, false or a table"),
    ],
)
def test_options_of_recovery_are_checked(given: Json, rule: str) -> None:
    with pytest.raises(OptionError, match=rule):
        ServerOptions(connection_state_recovery=given)
