"""What must be right about a request, and the answer to what is not."""

from __future__ import annotations

import json

import pytest

from tests.engineio.doubles import POLLING, WEBSOCKET, FakeExchange, new_engine, new_request
from tests.engineio.line import Line, upgrade_request
from txsocketio.engineio.engine import Engine
from txsocketio.engineio.request import HTTPRequest
from txsocketio.engineio.session import Session
from txsocketio.errors import Refusal
from txsocketio.types import Json


class Rig:
    """An engine with a session over long-polling, and one over WebSocket; refusals are noted."""

    def __init__(self, **options: Json) -> None:
        self.engine: Engine = new_engine(**options)
        self.refusals: list[tuple[HTTPRequest, Refusal]] = []
        self.engine.on("connection_error", lambda request, refusal: self.refusals.append((request, refusal)))
        sessions: list[Session] = []
        self.engine.on_session = sessions.append
        self.engine.handle(FakeExchange(new_request()))
        self.engine.handle(FakeExchange(upgrade_request(), line=Line()))
        self.polling, self.websocket = sessions

    def ask(self, request: HTTPRequest) -> FakeExchange:
        exchange = FakeExchange(request, line=Line())
        self.engine.handle(exchange)
        return exchange


@pytest.fixture
def rig() -> Rig:
    return Rig()


#: Query, with the sids of the two sessions as {polling} and {websocket}; the code and what the application is told.
REFUSED: list[tuple[str, str, int, dict[str, Json]]] = [
    ("GET", "EIO=4", 0, {"transport": None}),
    ("GET", "EIO=4&transport=flash", 0, {"transport": "flash"}),
    ("GET", "EIO=4&transport=__proto__", 0, {"transport": "__proto__"}),
    ("GET", "EIO=4&transport=webtransport", 0, {"transport": "webtransport"}),
    ("GET", "EIO=4&transport=", 0, {"transport": ""}),
    ("GET", POLLING + "&sid=x", 1, {"sid": "x"}),
    ("GET", POLLING + "&sid=__proto__", 1, {"sid": "__proto__"}),
    ("GET", POLLING + "&sid=%E0%A4%A", 1, {"sid": "\ufffd%A"}),
    ("POST", POLLING, 2, {"method": "POST"}),
    ("PUT", POLLING, 2, {"method": "PUT"}),
    ("OPTIONS", POLLING, 2, {"method": "OPTIONS"}),
    ("HEAD", POLLING + "&sid=", 2, {"method": "HEAD"}),
    ("GET", WEBSOCKET, 3, {"name": "TRANSPORT_HANDSHAKE_ERROR"}),
    (
        "GET",
        WEBSOCKET + "&sid={polling}",
        3,
        {"name": "TRANSPORT_MISMATCH", "transport": "websocket", "previousTransport": "polling"},
    ),
    (
        "GET",
        POLLING + "&sid={websocket}",
        3,
        {"name": "TRANSPORT_MISMATCH", "transport": "polling", "previousTransport": "websocket"},
    ),
    (
        "POST",
        "EIO=3&transport=polling&sid={polling}",
        3,
        {"name": "PROTOCOL_MISMATCH", "protocol": 3, "previousProtocol": 4},
    ),
    ("GET", "EIO=3&transport=polling", 5, {"protocol": 3}),
    ("GET", "EIO=5&transport=polling", 5, {"protocol": 3}),
    ("GET", "transport=polling", 5, {"protocol": 3}),
    ("GET", "EIO=4&transport=polling&EIO=3", 5, {"protocol": 3}),
]

MESSAGES = [
    "Transport unknown",
    "Session ID unknown",
    "Bad handshake method",
    "Bad request",
    "Forbidden",
    "Unsupported protocol version",
]


@pytest.mark.parametrize(("method", "query", "code", "context"), REFUSED)
def test_request_that_is_refused(rig: Rig, method: str, query: str, code: int, context: dict[str, Json]) -> None:
    """The client gets code and message, the application the context; no session begins or suffers."""
    request = new_request(method, query.format(polling=rig.polling.sid, websocket=rig.websocket.sid))
    exchange = rig.ask(request)
    assert exchange.status == 400
    assert json.loads(exchange.text) == {"code": code, "message": MESSAGES[code]}
    ((asked, refusal),) = rig.refusals
    assert asked is request
    assert (refusal.code, refusal.message, refusal.context) == (code, MESSAGES[code], context)
    assert rig.engine.clients_count == 2 and rig.polling.is_open and rig.websocket.is_open


#: Query, fields that differ from a good handshake, and the text of the answer.
REFUSED_UPGRADES: list[tuple[str, dict[str, str], str]] = [
    ("EIO=4&transport=x", {}, "Transport unknown"),
    (WEBSOCKET + "&sid=x", {}, "Session ID unknown"),
    ("EIO=3&transport=websocket", {}, "Unsupported protocol version"),
    (POLLING, {}, "Bad request"),
    (POLLING + "&sid={polling}", {}, "Bad request"),
    ("EIO=3&transport=websocket&sid={polling}", {}, "Bad request"),
    (WEBSOCKET, {"upgrade": "h2c"}, "Invalid Upgrade header"),
    (WEBSOCKET, {"sec_websocket_key": ""}, "Missing or invalid Sec-WebSocket-Key header"),
    (WEBSOCKET, {"sec_websocket_version": "7"}, "Missing or invalid Sec-WebSocket-Version header"),
    (WEBSOCKET + "&sid={polling}", {"sec_websocket_key": "x"}, "Missing or invalid Sec-WebSocket-Key header"),
]


@pytest.mark.parametrize(("query", "fields", "message"), REFUSED_UPGRADES)
def test_upgrade_that_is_refused(rig: Rig, query: str, fields: dict[str, str], message: str) -> None:
    """The bare text, always 400, before any 101; then the connection ends."""
    exchange = rig.ask(upgrade_request(query.format(polling=rig.polling.sid), **fields))
    assert exchange.answer is not None
    assert (exchange.status, exchange.text, exchange.answer.close) == (400, message, True)
    assert rig.engine.clients_count == 2 and rig.polling.can_upgrade
    assert len(rig.refusals) == 1


def test_upgrade_by_another_method(rig: Rig) -> None:
    request = upgrade_request()
    request.method = "POST"
    assert rig.ask(request).text == "Bad handshake method"


def test_upgrade_where_the_connection_cannot_be_handed_over(rig: Rig) -> None:
    """HTTP/2 has no connection to give away."""
    exchange = FakeExchange(upgrade_request())
    rig.engine.handle(exchange)
    assert (exchange.status, exchange.text) == (400, "Bad request")


def test_upgrade_without_the_word_in_connection_is_none(rig: Rig) -> None:
    exchange = rig.ask(upgrade_request(connection="keep-alive"))
    assert json.loads(exchange.text)["code"] == 3


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]])
def test_transport_that_is_not_served(transports: list[str]) -> None:
    """It counts as unknown, and no upgrade is offered."""
    engine = new_engine(transports=transports)
    polling = FakeExchange(new_request())
    websocket = FakeExchange(upgrade_request(), line=Line())
    engine.handle(polling)
    engine.handle(websocket)
    refused, message = (websocket, "Transport unknown") if transports == ["polling"] else (polling, '{"code":0,')
    assert refused.status == 400 and refused.text.startswith(message)
    assert engine.clients_count == 1
    if transports == ["polling"]:
        assert '"upgrades":[]' in polling.text


@pytest.mark.parametrize("origin", ["http://a\x00", "http://\x7f", "http://a\nb"])
def test_origin_that_is_no_text(rig: Rig, origin: str) -> None:
    """Before it is compared with anything."""
    exchange = rig.ask(new_request(origin=origin))
    assert (exchange.status, json.loads(exchange.text)["code"]) == (400, 3)
    assert rig.refusals[0][1].context["name"] == "INVALID_ORIGIN"


@pytest.mark.parametrize("query", [POLLING, WEBSOCKET, POLLING + "&sid={polling}"])
def test_origin_that_is_not_allowed(rig: Rig, query: str) -> None:
    """Whatever it asks for, the answer is the same."""
    make = upgrade_request if "websocket" in query else new_request
    query = query.format(polling=rig.polling.sid)
    request = make(query, origin="http://evil") if make is upgrade_request else make("GET", query, origin="http://evil")
    exchange = rig.ask(request)
    assert exchange.status == 403
    assert json.loads(exchange.text) == {"code": 4, "message": "Origin not allowed"}
    assert rig.polling.is_open


def test_last_of_equal_keys_counts(rig: Rig) -> None:
    assert rig.ask(new_request(query="EIO=3&transport=x&transport=polling&EIO=4")).status == 200
