"""Row 96, and clients that are too many: refused before they cost anything, in either way of reaching the server."""

from __future__ import annotations

import json

import pytest

from tests.bad_input.serving import TARGET, check_echo, ending, serving, until
from tests.sessions import POLLING, UPGRADE_HEADERS, WEBSOCKET
from tests.wire import ConnectionEnded, request

pytestmark = pytest.mark.skipif(TARGET is not None, reason="needs options of its own")


async def test_flood_of_events(way: str) -> None:
    """96: what is within the rate reaches the application; the client is closed, and told why."""
    async with serving(way, rate_limit={"messages": 1, "burst": 100}) as server:
        websocket = await server.websocket()
        socket_id = await websocket.join()
        await websocket.send(*['42["error"]'] * 10_000)
        seen = 0
        with pytest.raises(ConnectionEnded) as ended:
            while await websocket.read() == '42["seen","error"]':
                seen += 1
        assert (ended.value.code, ended.value.received) == (1008, b"rate limit exceeded")
        assert 99 <= seen < 110
        assert await server.reason_of(socket_id) == "rate limit exceeded"


async def test_flood_of_events_in_one_body(way: str) -> None:
    """96: over long-polling; the body is answered as ever, and the session is gone."""
    async with serving(way, rate_limit={"messages": 1, "burst": 100}) as server:
        polling = await server.polling()
        socket_id = await polling.join()
        assert (await polling.post(b"\x1e".join([b'42["error"]'] * 10_000))).body == b"ok"
        assert (await polling.poll()).status == 400
        assert await server.reason_of(socket_id) == "rate limit exceeded"


async def test_flood_of_bytes(transport: str) -> None:
    async with serving("light", rate_limit={"bytes": 10_000}, max_http_buffer_size=20_000) as server:
        session = await server.session(transport)
        socket_id = await session.join()
        await session.send(*['42["x","' + "a" * 4000 + '"]'] * 4)
        await check_echo(session)
        await session.send(*['42["x","' + "a" * 4000 + '"]'] * 4)
        await ending(session)
        assert await server.reason_of(socket_id) == "rate limit exceeded"


@pytest.mark.parametrize(
    ("option", "status", "reason"),
    [("max_connections", 503, b"Service Unavailable"), ("max_connections_per_address", 429, b"Too Many Requests")],
)
async def test_client_beyond_the_limit(way: str, option: str, status: int, reason: bytes) -> None:
    """It is refused over long-polling and before a 101; when another one leaves there is room again."""
    async with serving(way, **{option: 3}) as server:
        polling = await server.polling()
        await server.websocket()
        for target, headers in ((POLLING, {}), (WEBSOCKET, UPGRADE_HEADERS)):
            response = await server.ask(request("GET", target, headers=headers))
            assert response.status == status and response.head.startswith(b"HTTP/1.1 %d %b\r\n" % (status, reason))
            assert json.loads(response.body)["code"] == 4
        await polling.post(b"1")
        await until(lambda: server.io.engine.clients_count == 2, "one has left")
        await server.websocket()


async def test_addresses_behind_a_proxy(way: str) -> None:
    """Each client has its own limit, and none can get another by claiming an address."""
    async with serving(way, max_connections_per_address=1, trusted_proxies=1) as server:
        answers = [
            await server.ask(request("GET", POLLING, headers={"X-Forwarded-For": forwarded}))
            for forwarded in ("198.51.100.1", "198.51.100.2", "203.0.113.5, 198.51.100.1")
        ]
        assert [answer.status for answer in answers] == [200, 200, 429]
        for answer in answers[:2]:
            await server.adopt(answer)


async def test_thousand_upgrades_of_one_session(way: str) -> None:
    """51: one attempt at a time; the session lives, and nothing is left of the others."""
    async with serving(way) as server:
        polling = await server.polling()
        await polling.join()
        for _ in range(20):
            wires = [await server.wire() for _ in range(50)]
            for wire in wires:
                wire.send(request("GET", polling.websocket_target, headers=UPGRADE_HEADERS))
            heads = [await wire.read_through(b"\r\n\r\n") for wire in wires]
            assert sorted(head.split(b" ")[1] for head in heads) == [b"101", *[b"400"] * 49]
            for wire in wires:
                wire.reset()
            await until(lambda: len(server.io.engine.websockets) == 1, "only the bystander is left")
        await check_echo(polling)
