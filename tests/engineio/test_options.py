"""The options: whatever an engine cannot work with is refused when it is made, by name."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tests.engineio.doubles import new_engine
from txsocketio.engineio.options import EngineOptions
from txsocketio.errors import OptionError
from txsocketio.types import Json

DURATIONS = [
    "ping_interval",
    "ping_timeout",
    "upgrade_timeout",
    "close_timeout",
    "head_timeout",
    "body_timeout",
    "idle_timeout",
]


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("ping_intervall", "ping_interval"),
        ("pingInterval", "ping_interval"),
        ("maxHttpBufferSize", "max_http_buffer_size"),
        ("transport", "transports"),
        ("cors_allowed_origin", "cors_allowed_origins"),
    ],
)
def test_unknown_option_names_the_nearest(given: str, nearest: str) -> None:
    with pytest.raises(OptionError, match=rf"unknown option '{given}'; did you mean '{nearest}'\?"):
        EngineOptions.of({given: 1})


def test_unknown_option_that_resembles_none_names_all() -> None:
    with pytest.raises(OptionError, match=r"unknown option 'zzz'; there are path, .*idle_timeout"):
        EngineOptions.of({"zzz": 1})


def test_option_error_is_a_type_error() -> None:
    """As for any unknown keyword."""
    assert issubclass(OptionError, TypeError)


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("value", [0, 0.0, -1, float("nan"), float("inf"), "5", None, True])
def test_duration_is_a_positive_number_of_seconds(name: str, value: Json) -> None:
    """Also a finite one: nothing here may wait for ever."""
    with pytest.raises(OptionError, match=name):
        EngineOptions(**{name: value})


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("value", [1, 0.001, 3600.0])
def test_duration(name: str, value: float) -> None:
    assert getattr(EngineOptions(**{name: value}), name) == value


@pytest.mark.parametrize("name", ["max_http_buffer_size", "max_outgoing_buffer"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "1", None, True])
def test_size_is_a_positive_number_of_bytes(name: str, value: Json) -> None:
    with pytest.raises(OptionError, match=name):
        EngineOptions(**{name: value})


#: What each option cannot be.
WRONG: list[tuple[str, Json]] = [
    ("path", "engine.io"),
    ("path", ""),
    ("path", 5),
    ("path", None),
    ("transports", []),
    ("transports", "flash"),
    ("transports", ["polling", "flash"]),
    ("transports", ["webtransport"]),
    ("transports", 5),
    ("transports", None),
    ("transports", [5]),
    ("transports", [["polling"]]),
    ("allow_upgrades", 1),
    ("allow_upgrades", "no"),
    ("allow_upgrades", None),
    ("trusted_proxies", -1),
    ("trusted_proxies", True),
    ("trusted_proxies", 1.0),
    ("per_message_deflate", "yes"),
    ("per_message_deflate", 1),
    ("per_message_deflate", {"treshold": 1}),
    ("per_message_deflate", {"threshold": "1"}),
    ("per_message_deflate", {"threshold": -1}),
    ("per_message_deflate", {"window_bits": 8}),
    ("per_message_deflate", {"window_bits": 16}),
    ("per_message_deflate", {"mem_level": 0}),
    ("per_message_deflate", {"mem_level": 1.5}),
    ("http_compression", "gzip"),
    ("http_compression", 5),
    ("http_compression", {"level": 5}),
    ("http_compression", {"threshold": None}),
    ("cookie", 5),
    ("cookie", ["io"]),
    ("cookie", {"httpOnly": True}),
    ("cors", "http://a"),
    ("cors", True),
    ("cors", {"origins": "*"}),
    ("cors_allowed_origins", 5),
    ("cors_allowed_origins", True),
    ("initial_packet", 5),
    ("initial_packet", ["a"]),
    ("allow_request", True),
    ("allow_request", "allow"),
    ("generate_id", 5),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{name}={value!r}" for name, value in WRONG])
def test_wrong_value(name: str, value: Json) -> None:
    """The error names the option, and comes when the engine is made."""
    with pytest.raises(OptionError, match=name):
        new_engine(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transports", "websocket"),
        ("transports", ("polling",)),
        ("transports", {"polling", "websocket"}),
        ("per_message_deflate", True),
        ("per_message_deflate", {"threshold": 0, "window_bits": 9, "mem_level": 9}),
        ("http_compression", False),
        ("http_compression", {}),
        ("cookie", "io"),
        ("cors_allowed_origins", ("http://a",)),
        ("initial_packet", b""),
    ],
)
def test_right_value(name: str, value: Json) -> None:
    new_engine(**{name: value})


def test_every_option_is_documented() -> None:
    """The configuration reference is made from it."""
    for option in fields(EngineOptions):
        assert option.metadata["doc"].endswith("."), option.name
