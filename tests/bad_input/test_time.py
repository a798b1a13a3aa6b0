"""Rows 33, 55, 56, 79, 88, 89 and 91: clients that are slow or silent, and an application that never answers."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from tests.bad_input.serving import check_echo, ending, serving
from tests.bad_input.table import rows
from tests.conftest import LoggedErrors
from tests.sessions import POLLING
from tests.wire import request

SOON = 0.1

BEGINNINGS = rows(
    ("nothing", b""),
    ("half a request line", b"GET /socket.io/"),
    ("half a head", b"GET /socket.io/ HTTP/1.1\r\nHost:"),
    ("head without its empty line", request("GET", POLLING)[:-2]),
)


@pytest.mark.parametrize("beginning", BEGINNINGS)
async def test_slow_head_is_not_waited_for(beginning: bytes) -> None:
    """33: a connection that sends no whole request within head_timeout is closed."""
    async with serving("light", head_timeout=SOON) as server:
        wire = await server.wire()
        wire.send(beginning)
        assert b"200" not in (await wire.read_to_end())[:12]


async def test_slow_body_is_not_waited_for() -> None:
    """16, 33: nor is one whose body stops, and the session of that POST ends."""
    async with serving("light", body_timeout=SOON) as server:
        polling = await server.polling()
        socket_id = await polling.join()
        wire = await server.wire()
        wire.send(request("POST", polling.target, b"42", {"Content-Length": "100"}))
        await wire.read_to_end()
        assert await server.reason_of(socket_id) == "transport error"


async def test_idle_connection_is_closed() -> None:
    """33: after an answer, for want of another request."""
    async with serving("light", idle_timeout=SOON) as server:
        wire = await server.wire()
        wire.send(request("GET", POLLING))
        response = await wire.read_response()
        assert await wire.read_to_end() == b""
        await server.adopt(response)


async def test_waiting_poll_is_not_idle() -> None:
    """33: none of these ends a poll that is held."""
    async with serving("light", idle_timeout=SOON, head_timeout=SOON, body_timeout=SOON, ping_interval=0.4) as server:
        polling = await server.polling()
        await polling.join()
        assert (await polling.poll()).body == b"2"


async def test_websocket_is_not_idle() -> None:
    """33: nor an upgraded connection."""
    async with serving("light", idle_timeout=SOON, head_timeout=SOON, body_timeout=SOON, ping_interval=0.4) as server:
        websocket = await server.websocket()
        await websocket.join()
        assert (await websocket.read_frame()).payload == b"2"
        await websocket.send("3")
        await check_echo(websocket)


async def test_silent_client_is_closed(transport: str) -> None:
    """55: no pong and nothing else."""
    async with serving("light", ping_interval=SOON, ping_timeout=SOON) as server:
        session = await server.session(transport)
        socket_id = await session.join()
        session.answers_pings = False
        assert await server.reason_of(socket_id) == "ping timeout"
        await ending(session)


async def test_client_that_talks_but_sends_no_pong_is_closed() -> None:
    """56: messages may put the end off, but not for ever."""
    async with serving("light", ping_interval=SOON, ping_timeout=SOON) as server:
        websocket = await server.websocket()
        socket_id = await websocket.join()
        while socket_id not in server.reasons:
            await websocket.send("6", '42["unheard"]')
            await server.check_bystander()
        assert await server.reason_of(socket_id) == "ping timeout"


async def test_client_that_joins_nothing_is_closed(transport: str) -> None:
    """88: within connect_timeout."""
    async with serving("light", connect_timeout=SOON) as server:
        session = await server.session(transport)
        await ending(session)


async def test_client_that_leaves_its_last_namespace_is_closed(transport: str) -> None:
    """89: the same time begins again."""
    async with serving("light", connect_timeout=SOON) as server:
        session = await server.session(transport)
        socket_id = await session.join()
        await session.send("41")
        assert await server.reason_of(socket_id) == "client namespace disconnect"
        await ending(session)


async def test_attachments_that_never_come(transport: str) -> None:
    """79: the rest of a packet must be there within attachments_timeout."""
    async with serving("light", attachments_timeout=SOON) as server:
        session = await server.session(transport)
        socket_id = await session.join()
        await session.send('452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"x")
        await ending(session)
        assert await server.reason_of(socket_id) == "forced close"


async def test_middleware_that_never_answers(transport: str, logged_errors: LoggedErrors) -> None:
    """91: the client is refused after middleware_timeout, and the log says whose fault that is."""
    async with serving("light", middleware_timeout=SOON) as server:
        server.io.use(lambda socket: Deferred())
        session = await server.session(transport)
        await session.send("40")
        assert str(await session.read()).startswith('44{"message":')
        assert len(logged_errors.take(TimeoutError)) == 1
