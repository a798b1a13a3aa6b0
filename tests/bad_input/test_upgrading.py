"""Rows 48 and 50-51: moving a session from long-polling to WebSocket."""

from __future__ import annotations

import pytest

from tests.bad_input.serving import Serving, check_echo, ending
from tests.bad_input.table import BAD_REQUEST, read_answer
from tests.sessions import UPGRADE_HEADERS, Polling, WebSocket
from tests.wire import request


async def probed(server: Serving, polling: Polling) -> WebSocket:
    """A probe that the server has answered."""
    probe = await server.websocket(polling.websocket_target)
    await probe.send("2probe")
    assert await probe.read() == "3probe"
    return probe


async def upgraded(server: Serving, polling: Polling) -> WebSocket:
    websocket = await probed(server, polling)
    await websocket.send("5")
    await check_echo(websocket)
    return websocket


async def test_upgrade_while_upgrading_is_refused(server: Serving) -> None:
    """48: before any 101; the first probe goes on."""
    polling = await server.polling()
    await polling.join()
    probe = await probed(server, polling)
    response = await server.ask(request("GET", polling.websocket_target, headers=UPGRADE_HEADERS))
    assert (response.status, response.body) == (400, b"Bad request")
    await probe.send("5")
    await check_echo(probe)


async def test_upgrade_after_the_upgrade_is_closed(server: Serving) -> None:
    """48: opened and closed at once, as the protocol's own suite wants it; the session lives."""
    polling = await server.polling()
    await polling.join()
    websocket = await upgraded(server, polling)
    second = await server.websocket(polling.websocket_target)
    await second.send("2probe", "5")
    assert (await ending(second)).code == 1005
    await check_echo(websocket)


async def test_upgrade_of_a_websocket_session_is_closed(server: Serving) -> None:
    """48: a session that began as a WebSocket has nowhere to move."""
    websocket = await server.websocket()
    await websocket.join()
    second = await server.websocket(f"/socket.io/?EIO=4&transport=websocket&sid={websocket.sid}")
    assert (await ending(second)).code == 1005
    await check_echo(websocket)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_polling_after_the_upgrade_is_refused(server: Serving, method: str) -> None:
    """A4.17: the session lives on its WebSocket."""
    polling = await server.polling()
    await polling.join()
    websocket = await upgraded(server, polling)
    body = b"3" if method == "POST" else None
    assert read_answer(await server.ask(request(method, polling.target, body))) == BAD_REQUEST
    await check_echo(websocket)


@pytest.mark.parametrize("first", ["4x", "2", "2prob", "2probe2", "3probe", "6", "1", "x", b"2probe", ""])
async def test_wrong_first_message_of_a_probe(server: Serving, first: str | bytes) -> None:
    """50: the probe is closed, the session lives."""
    polling = await server.polling()
    await polling.join()
    probe = await server.websocket(polling.websocket_target)
    await probe.send(first)
    assert (await ending(probe)).code == 1005
    await check_echo(polling)


async def test_message_between_probe_and_upgrade(server: Serving) -> None:
    """50: the same after a good "2probe"."""
    polling = await server.polling()
    await polling.join()
    probe = await probed(server, polling)
    await probe.send("4x")
    assert (await ending(probe)).code == 1005
    await check_echo(polling)


async def test_probe_that_is_reset(server: Serving) -> None:
    """41: the session lives, and may try again."""
    polling = await server.polling()
    await polling.join()
    for _ in range(3):
        (await probed(server, polling)).wire.reset()
    await check_echo(polling)


async def test_flood_of_upgrades(server: Serving) -> None:
    """51: at most one probe lives at a time, and the session does not mind."""
    polling = await server.polling()
    await polling.join()
    await probed(server, polling)
    for _ in range(200):
        response = await server.ask(request("GET", polling.websocket_target, headers=UPGRADE_HEADERS))
        assert response.status == 400
    await check_echo(polling)


async def test_session_that_ends_while_upgrading(server: Serving) -> None:
    """The probe goes with it."""
    polling = await server.polling()
    socket_id = await polling.join()
    probe = await probed(server, polling)
    await polling.post(b"1")
    assert await server.reason_of(socket_id) == "transport close"
    assert (await ending(probe)).code in (1005, None)
