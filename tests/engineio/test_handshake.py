"""The opening handshake of WebSocket."""

from __future__ import annotations

import pytest
from autobahn.websocket.compress_deflate import PerMessageDeflateMixin

from tests.engineio.doubles import new_request
from tests.engineio.line import upgrade_request
from tests.sessions import ACCEPT
from txsocketio.engineio.handshake import BadHandshake, accept_deflate, answer, check

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def test_key_and_its_answer() -> None:
    """The example of RFC 6455, 1.3."""
    assert check(upgrade_request()) == KEY
    assert answer(KEY, []) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\n\r\n"
    )


def test_answer_with_fields() -> None:
    assert answer(KEY, [(b"A", b"1"), (b"B", b"2")]).endswith(b"=\r\nA: 1\r\nB: 2\r\n\r\n")


@pytest.mark.parametrize("fields", [{"upgrade": "WebSocket"}, {"sec_websocket_version": "8"}])
def test_other_handshakes_that_are_good(fields: dict[str, str]) -> None:
    assert check(upgrade_request(**fields)) == KEY


NO_UPGRADE, NO_KEY, NO_VERSION = (
    "Invalid Upgrade header",
    "Missing or invalid Sec-WebSocket-Key header",
    "Missing or invalid Sec-WebSocket-Version header",
)

BAD: list[tuple[dict[str, str], str]] = [
    ({"upgrade": "h2c"}, NO_UPGRADE),
    ({"upgrade": "websocket, h2c"}, NO_UPGRADE),
    ({"upgrade": ""}, NO_UPGRADE),
    ({"sec_websocket_key": ""}, NO_KEY),
    ({"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ"}, NO_KEY),
    ({"sec_websocket_key": "dGhlIHNhbXBsZSBub25j"}, NO_KEY),
    ({"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==" * 2}, NO_KEY),
    ({"sec_websocket_key": "!" * 22 + "=="}, NO_KEY),
    ({"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZWU="}, NO_KEY),
    ({"sec_websocket_key": "dGhlIHNhbXBsZS\xe4ub25jZQ=="}, NO_KEY),
    ({"sec_websocket_version": ""}, NO_VERSION),
    ({"sec_websocket_version": "7"}, NO_VERSION),
    ({"sec_websocket_version": "13, 8"}, NO_VERSION),
    ({"sec_websocket_version": "013"}, NO_VERSION),
]


@pytest.mark.parametrize(("fields", "message"), BAD)
def test_handshake_that_is_bad(fields: dict[str, str], message: str) -> None:
    """With the texts of the reference server; of the versions it tells which would do."""
    with pytest.raises(BadHandshake, match=message) as raised:
        check(upgrade_request(**fields))
    assert list(raised.value.fields) == ([(b"Sec-WebSocket-Version", b"13, 8")] if message == NO_VERSION else [])


def test_missing_fields() -> None:
    with pytest.raises(BadHandshake, match=NO_UPGRADE):
        check(new_request())


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "OPTIONS"])
def test_only_a_get_can_be_a_handshake(method: str) -> None:
    """RFC 6455, 4.1: "The method of the request MUST be GET"."""
    request = upgrade_request()
    request.method = method
    with pytest.raises(BadHandshake, match="Invalid HTTP method"):
        check(request)


# Compression


#: What the client offers, what we are set to, and the answer.
OFFERS: list[tuple[str, dict[str, int], str | None]] = [
    ("", {}, None),
    ("permessage-deflate", {}, "permessage-deflate"),
    ("permessage-deflate; client_max_window_bits", {}, "permessage-deflate"),
    ("PERMESSAGE-DEFLATE", {}, "permessage-deflate"),
    ("x-webkit-deflate-frame, permessage-deflate", {}, "permessage-deflate"),
    ("permessage-deflate;server_no_context_takeover", {}, "permessage-deflate; server_no_context_takeover"),
    ("permessage-deflate; server_max_window_bits=10", {}, "permessage-deflate; server_max_window_bits=10"),
    ('permessage-deflate; server_max_window_bits="10"', {}, "permessage-deflate; server_max_window_bits=10"),
    ("permessage-deflate; client_max_window_bits=12", {}, "permessage-deflate"),
    # An offer that is not to be had is passed over for the next.
    ("permessage-deflate; server_max_window_bits=8, permessage-deflate", {}, "permessage-deflate"),
    (
        "permessage-deflate; server_max_window_bits=9, permessage-deflate",
        {"window_bits": 12},
        "permessage-deflate",
    ),
    ("permessage-deflate; server_max_window_bits=9", {"window_bits": 12}, None),
    ("permessage-deflate; unheard_of", {}, None),
    ("permessage-deflate; server_max_window_bits", {}, None),
    ("permessage-deflate; server_max_window_bits=x", {}, None),
    ("permessage-deflate; server_no_context_takeover=1", {}, None),
    ("permessage-deflate; server_max_window_bits=10; server_max_window_bits=11", {}, None),
    ("permessage-deflate; ", {}, None),
    ("constructor; __proto__=1", {}, None),
    (",,;;=", {}, None),
    ("permessage-deflate" + "; a" * 1000, {}, None),
]


@pytest.mark.parametrize(("offered", "settings", "accepted"), OFFERS)
def test_offer_of_compression(offered: str, settings: dict[str, int], accepted: str | None) -> None:
    """Source: RFC 7692, 7.1."""
    result = accept_deflate(upgrade_request(sec_websocket_extensions=offered), settings)
    assert (result and result[1].decode()) == accepted


def test_settings_are_kept() -> None:
    """A small window and little memory are what the application asked for."""
    accepted = accept_deflate(
        upgrade_request(sec_websocket_extensions="permessage-deflate"), {"window_bits": 10, "mem_level": 4}
    )
    assert accepted is not None
    deflate = accepted[0]
    assert (deflate.server_max_window_bits, deflate.mem_level) == (10, 4)
    assert deflate.client_max_window_bits == 15


def test_no_window_that_zlib_refuses() -> None:
    """A client that asks for the smallest, 8 bits, would make the first message fail."""
    assert 8 not in PerMessageDeflateMixin.WINDOW_SIZE_PERMISSIBLE_VALUES
