"""Opening an Engine.IO session, alone and below Socket.IO.

Cases of the public suite of Engine.IO 4 (the one of Socket.IO 5 repeats them):

    handshake, long-polling   successfully opens a session          test_polling_handshake_describes_the_session
                              fails with an invalid 'EIO'           test_unsupported_protocol_is_refused
                              fails with an invalid 'transport'     test_unknown_transport_is_refused
                              fails with an invalid request method  test_session_opens_by_get_only
    handshake, WebSocket      successfully opens a session          test_websocket_handshake_describes_the_session
                              fails with an invalid 'EIO'           test_unsupported_protocol_is_refused_over_websocket
                              fails with an invalid 'transport'     test_unknown_transport_is_refused_over_websocket
"""

from __future__ import annotations

import json

import pytest

from tests.bad_input.serving import Serving
from tests.sessions import POLLING, UPGRADE_HEADERS, WEBSOCKET, WebSocket
from tests.wire import Response, Wire, request
from txsocketio.types import Json

UNSUPPORTED_PROTOCOLS = ["", "&EIO=abc"]
UNKNOWN_TRANSPORTS = ["", "&transport=abc"]


def description(upgrades: list[str]) -> dict[str, Json]:
    """What a handshake tells, but for the sid."""
    return {"upgrades": upgrades, "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000}


async def try_upgrade(wire: Wire, target: str) -> Response:
    wire.send(request("GET", target, headers=UPGRADE_HEADERS))
    return await wire.read_response()


async def test_polling_handshake_describes_the_session(server: Serving) -> None:
    """The first answer to a long-polling client tells its sid, the upgrades and the limits."""
    response = await server.ask(request("GET", POLLING))
    assert response.status == 200
    assert response.body[:1] == b"0"
    opened = json.loads(response.body[1:])
    assert isinstance(opened.pop("sid"), str)
    assert opened == description(upgrades=["websocket"])


async def test_websocket_handshake_describes_the_session(server: Serving) -> None:
    """The first message of a WebSocket tells the same, without upgrades."""
    wire = await server.wire()
    assert (await try_upgrade(wire, WEBSOCKET)).status == 101
    packet = await WebSocket(wire).read()
    assert isinstance(packet, str) and packet[0] == "0"
    opened = json.loads(packet[1:])
    assert isinstance(opened.pop("sid"), str)
    assert opened == description(upgrades=[])


@pytest.mark.parametrize("protocol", UNSUPPORTED_PROTOCOLS)
async def test_unsupported_protocol_is_refused(server: Serving, protocol: str) -> None:
    """A client that names no protocol, or another one, gets 400."""
    response = await server.ask(request("GET", "/socket.io/?transport=polling" + protocol))
    assert response.status == 400


@pytest.mark.parametrize("transport", UNKNOWN_TRANSPORTS)
async def test_unknown_transport_is_refused(server: Serving, transport: str) -> None:
    """A client that names no transport, or one that does not exist, gets 400."""
    response = await server.ask(request("GET", "/socket.io/?EIO=4" + transport))
    assert response.status == 400


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_session_opens_by_get_only(server: Serving, method: str) -> None:
    """A handshake by another method gets 400."""
    response = await server.ask(request(method, POLLING, b""))
    assert response.status == 400


@pytest.mark.parametrize("protocol", UNSUPPORTED_PROTOCOLS)
async def test_unsupported_protocol_is_refused_over_websocket(server: Serving, protocol: str) -> None:
    """The same over WebSocket: no session, and the connection ends."""
    wire = await server.wire()
    wire.send(request("GET", "/socket.io/?transport=websocket" + protocol, headers=UPGRADE_HEADERS))
    assert b'0{"sid"' not in await wire.read_to_end()


@pytest.mark.parametrize("transport", UNKNOWN_TRANSPORTS)
async def test_unknown_transport_is_refused_over_websocket(server: Serving, transport: str) -> None:
    """The same over WebSocket: 400, and the connection ends."""
    wire = await server.wire()
    assert (await try_upgrade(wire, "/socket.io/?EIO=4" + transport)).status == 400
    await wire.read_to_end()
