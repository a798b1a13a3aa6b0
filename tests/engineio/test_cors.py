"""Which pages may talk to the server, and what their browsers are told."""

from __future__ import annotations

import re

import pytest
from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from tests.engineio.doubles import new_request
from txsocketio.engineio.cors import CORS, DEFAULT_METHODS, MAX_LOGGED
from txsocketio.engineio.options import EngineOptions
from txsocketio.errors import OptionError
from txsocketio.types import Json


def cors(**options: Json) -> CORS:
    return CORS(EngineOptions(**options))


#: The option, an origin, the Host that the page's request names, and whether it may.
ALLOWED: list[tuple[Json, str | None, str, bool]] = [
    (None, None, "server", True),
    (None, "http://server", "server", True),
    (None, "https://server", "server", True),
    (None, "http://SERVER", "server", True),
    (None, "http://server:3000", "server:3000", True),
    (None, "http://server:3000", "server", False),
    (None, "http://other", "server", False),
    (None, "null", "server", False),
    (None, "null", "", False),
    (None, "", "", False),
    (None, "http://", "", False),
    (None, "http://server.evil", "server", False),
    (None, "http://evil/server", "server", False),
    ("http://a", "http://a", "server", True),
    ("http://a", "http://A", "server", False),
    ("http://a", "http://a.evil", "server", False),
    ("http://a", "http://server", "server", True),
    ("*", "http://anything", "server", True),
    ("*", "null", "server", True),
    (["http://a", "http://b"], "http://b", "server", True),
    (["http://a", "http://b"], "http://c", "server", False),
    ([], "http://a", "server", False),
    (["*"], "http://a", "server", True),
    (re.compile(r"^https://[a-z]+\.example$"), "https://chat.example", "server", True),
    (re.compile(r"^https://[a-z]+\.example$"), "https://chat.example.evil", "server", False),
    (["http://a", re.compile(r"\.example$")], "http://a", "server", True),
    (["http://a", re.compile(r"\.example$")], "https://chat.example", "server", True),
    (["http://a", re.compile(r"\.example$")], "https://chat.example.evil", "server", False),
    ({re.compile("a"), "http://b"}, "http://a", "server", True),
    (lambda origin: origin.endswith("a"), "http://a", "server", True),
    (lambda origin: origin.endswith("a"), "http://b", "server", False),
    (lambda origin: None, "http://c", "server", False),
]


@pytest.mark.parametrize(("allowed", "origin", "host", "may"), ALLOWED)
@pytest.mark.parametrize("option", ["cors_allowed_origins", "cors"])
def test_origin(option: str, allowed: Json, origin: str | None, host: str, may: bool) -> None:
    """Named by either option, the rule is the same."""
    rule = cors(cors_allowed_origins=allowed) if option == "cors_allowed_origins" else cors(cors={"origin": allowed})
    request = new_request(host=host, **{} if origin is None else {"origin": origin})
    assert rule.allows(request) is may


#: The options, the origin, and what every answer tells.
FIELDS: list[tuple[dict[str, Json], str | None, dict[str, str]]] = [
    ({}, "http://a", {}),
    ({}, "http://server", {}),
    ({"cors_allowed_origins": "*"}, "http://a", {"Access-Control-Allow-Origin": "*"}),
    ({"cors_allowed_origins": "*"}, None, {"Access-Control-Allow-Origin": "*"}),
    ({"cors_allowed_origins": "http://a"}, "http://a", {"Access-Control-Allow-Origin": "http://a", "Vary": "Origin"}),
    ({"cors_allowed_origins": "http://a"}, "http://b", {"Vary": "Origin"}),
    ({"cors_allowed_origins": "http://a"}, None, {"Vary": "Origin"}),
    (
        {"cors_allowed_origins": "*", "cors": {"credentials": True}},
        "http://a",
        {"Access-Control-Allow-Origin": "http://a", "Vary": "Origin", "Access-Control-Allow-Credentials": "true"},
    ),
    (
        {"cors": {"origin": ["http://a"], "exposed_headers": ["X-A", "X-B"]}},
        "http://a",
        {"Access-Control-Allow-Origin": "http://a", "Vary": "Origin", "Access-Control-Expose-Headers": "X-A,X-B"},
    ),
]


@pytest.mark.parametrize(("options", "origin", "expected"), FIELDS)
def test_fields_of_every_answer(options: dict[str, Json], origin: str | None, expected: dict[str, str]) -> None:
    request = new_request(host="server", **{} if origin is None else {"origin": origin})
    assert {name.decode(): value.decode() for name, value in cors(**options).fields(request)} == expected


#: The `cors` table, what the browser asks, and what it is told besides.
PREFLIGHTS: list[tuple[dict[str, Json], str, dict[str, str]]] = [
    ({}, "", {"Access-Control-Allow-Methods": DEFAULT_METHODS}),
    (
        {},
        "x-token",
        {"Access-Control-Allow-Methods": DEFAULT_METHODS, "Access-Control-Allow-Headers": "x-token"},
    ),
    (
        {"methods": ["GET", "POST"], "allowed_headers": ["a", "b"], "max_age": 600},
        "x-token",
        {
            "Access-Control-Allow-Methods": "GET,POST",
            "Access-Control-Allow-Headers": "a,b",
            "Access-Control-Max-Age": "600",
        },
    ),
    ({"methods": "GET"}, "", {"Access-Control-Allow-Methods": "GET"}),
]


@pytest.mark.parametrize(("table", "asked", "expected"), PREFLIGHTS)
def test_preflight(table: dict[str, Json], asked: str, expected: dict[str, str]) -> None:
    request = new_request("OPTIONS", origin="http://a", access_control_request_headers=asked)
    fields = cors(cors={"origin": "*"} | table).preflight(request)
    assert {name.decode(): value.decode() for name, value in fields} == expected


def test_rule_that_fails_refuses(logged_errors: Json) -> None:
    """The application's fault is logged; nobody gets in by it."""
    rule = cors(cors_allowed_origins=lambda origin: 1 // 0)
    assert not rule.allows(new_request(origin="http://a"))
    assert len(logged_errors.take(ZeroDivisionError)) == 1


@pytest.mark.parametrize("origin", [True, 5, b"http://a", ["http://a", None], [re.compile(b"a")], re.compile(b"a")])
def test_origin_that_is_none(origin: Json) -> None:
    """Not found out when a page asks: then it would be refused, and nobody knew why."""
    with pytest.raises(OptionError, match="an allowed origin must be text"):
        cors(cors={"origin": origin})


def test_unknown_key() -> None:
    with pytest.raises(OptionError, match="allowed_headers"):
        cors(cors={"allowedHeaders": "x"})


def test_refusal_is_logged_once_for_each_origin() -> None:
    """With the name of the option that would allow it; how many are remembered is bounded."""
    logged: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"] is LogLevel.warn:
            logged.append(event)

    rule = cors()
    globalLogPublisher.addObserver(observe)
    try:
        for number in range(MAX_LOGGED + 10):
            for _ in range(2):
                rule.allows(new_request(origin=f"http://{number}"))
    finally:
        globalLogPublisher.removeObserver(observe)
    assert len(logged) == MAX_LOGGED
    assert "cors_allowed_origins" in logged[0]["log_format"]
