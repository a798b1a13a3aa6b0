"""How many clients are taken in."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from tests.engineio.doubles import POLLING, FakeExchange, new_engine, new_request
from tests.engineio.line import Line, upgrade_request
from txsocketio.engineio.admission import place_of
from txsocketio.engineio.log_pause import LOG_INTERVAL
from txsocketio.engineio.request import HTTPRequest
from txsocketio.engineio.session import Session
from txsocketio.errors import OptionError, Refusal
from txsocketio.types import Json


class Rig:
    """An engine, its sessions, and what it has refused."""

    def __init__(self, **options: Json) -> None:
        self.engine = new_engine(**options)
        self.sessions: list[Session] = []
        self.engine.on_session = self.sessions.append
        self.refusals: list[Refusal] = []
        self.engine.on("connection_error", lambda request, refusal: self.refusals.append(refusal))

    def ask(self, forwarded: str = "", websocket: bool = False) -> FakeExchange:
        """The answer to a handshake; the client's address is what a proxy says, if it says something."""
        request = upgrade_request() if websocket else new_request()
        if forwarded:
            request.fields[b"x-forwarded-for"] = forwarded.encode()
        exchange = FakeExchange(request, line=Line())
        self.engine.handle(exchange)
        return exchange

    def counted(self) -> int:
        """How many addresses are remembered."""
        assert self.engine._admission is not None
        return len(self.engine._admission)


def test_without_a_limit_nothing_is_counted() -> None:
    assert new_engine()._admission is None


@pytest.mark.parametrize("websocket", [False, True])
@pytest.mark.parametrize(
    ("option", "status", "message"),
    [
        ("max_connections", 503, "Too many connections"),
        ("max_connections_per_address", 429, "Too many connections from this address"),
    ],
)
def test_client_beyond_the_limit(option: str, status: int, message: str, websocket: bool) -> None:
    """It is told why, as JSON, in place of the 101 too; the application is told which limit it was."""
    rig = Rig(**{option: 2})
    rig.ask()
    rig.ask(websocket=True)
    exchange = rig.ask(websocket=websocket)
    assert exchange.answer is not None and exchange.answer.close is websocket
    assert (exchange.status, exchange.answer.fields["Content-Type"]) == (status, "application/json")
    assert json.loads(exchange.text) == {"code": 4, "message": message}
    assert [refusal.context for refusal in rig.refusals] == [{"limit": option, "address": "192.0.2.1"}]
    assert rig.engine.clients_count == 2


@pytest.mark.parametrize("option", ["max_connections", "max_connections_per_address"])
def test_client_that_leaves_makes_room(option: str) -> None:
    rig = Rig(**{option: 1})
    for _ in range(3):
        assert rig.ask().status == 200
        assert rig.ask().status in (429, 503)
        rig.sessions[-1].close(discard=True)
    assert rig.counted() == rig.engine.clients_count == 0


def test_requests_of_a_client_that_is_in_are_not_counted() -> None:
    rig = Rig(max_connections_per_address=1)
    rig.ask()
    query = f"{POLLING}&sid={rig.sessions[0].sid}"
    post = FakeExchange(new_request("POST", query), b"4a")
    rig.engine.handle(post)
    assert post.status == 200
    upgrade = FakeExchange(upgrade_request(query.replace("polling", "websocket")), line=Line())
    rig.engine.handle(upgrade)
    assert upgrade.answer is None and rig.refusals == []


def test_address_is_that_of_the_client_behind_a_proxy() -> None:
    """Not what a client claims: only the last address was written by the proxy that is trusted."""
    rig = Rig(max_connections_per_address=1, trusted_proxies=1)
    assert [rig.ask("198.51.100.1").status, rig.ask("198.51.100.2").status] == [200, 200]
    assert rig.ask("203.0.113.9, 198.51.100.1").status == 429
    for session in rig.sessions:
        session.close(discard=True)
    assert rig.counted() == 0


def test_handshakes_that_wait_for_the_application_do_not_slip_in() -> None:
    """All of them find room when they are first looked at."""
    gates: list[Deferred[bool]] = [Deferred() for _ in range(3)]
    waiting = iter(gates)
    rig = Rig(max_connections_per_address=1, allow_request=lambda request: next(waiting))
    exchanges = [rig.ask() for _ in gates]
    for gate in gates:
        gate.callback(True)
    assert [exchange.status for exchange in exchanges] == [200, 429, 429]


def test_application_is_not_asked_about_a_client_for_whom_there_is_no_room() -> None:
    asked: list[HTTPRequest] = []
    rig = Rig(max_connections=1, allow_request=lambda request: asked.append(request) or True)
    rig.ask()
    rig.ask()
    assert len(asked) == 1


def test_client_without_an_address_has_no_limit_of_its_own() -> None:
    """Over a Unix socket nobody has one; there the proxy in front tells it."""
    rig = Rig(max_connections_per_address=1)
    for _ in range(3):
        exchange = FakeExchange(HTTPRequest("GET", f"/engine.io/?{POLLING}", {}, ("", False)))
        rig.engine.handle(exchange)
        assert exchange.status == 200
    assert rig.counted() == 0


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("2001:db8:1:2::", "2001:0db8:0001:0002"),
        ("fe80::1%eth0", "fe80:0000:0000:0000"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("no:address", "no:address"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address: str, place: str) -> None:
    assert place_of(address) == place


def test_refusals_are_logged_once_a_minute() -> None:
    """A flood must not fill the log."""
    rig = Rig(max_connections=1)
    rig.ask()
    with capturedLogs() as events:
        for _ in range(10):
            rig.ask()
        rig.engine.clock.advance(LOG_INTERVAL)
        rig.ask()
    assert len([event for event in events if event.get("limit") == "max_connections"]) == 2


@pytest.mark.parametrize("option", ["max_connections", "max_connections_per_address"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "1", True])
def test_limit_that_is_none(option: str, value: Json) -> None:
    with pytest.raises(OptionError, match=option):
        new_engine(**{option: value})
