"""Rows 33, 49, 55, 56, 79, 88, 89 and 91: clients that are slow or silent, and an application that never answers.

Time is a `Clock` here that goes in steps of a second, by which every deadline may be late; connections are as real as
ever. Where no option says otherwise, the limits are the defaults.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.bad_input.serving import Serving, check_echo, ending, serving
from tests.bad_input.table import rows
from tests.conftest import LoggedErrors
from tests.sessions import POLLING
from tests.wire import TEXT, frame, request
from txsocketio.types import Json

HEAD, BODY, IDLE = 10, 15, 60
PING_INTERVAL, PING_TIMEOUT = 25, 20
UPGRADE, CLOSE, CLOSE_FRAME = 10, 30, 2
CONNECT, ATTACHMENTS, MIDDLEWARE = 45, 60, 30


class Timed:
    """A server in a Site of ours, and its time."""

    def __init__(self, server: Serving, clock: Clock) -> None:
        self.server = server
        self.clock = clock

    async def wait(self, seconds: int, each: Callable[[], Json] = lambda: None) -> None:
        """Let time pass, doing something in each second; the bystander answers its heartbeats."""
        for _ in range(seconds):
            each()
            await self.server.check_bystander()
            self.clock.advance(1)
            await self.server.check_bystander()


@asynccontextmanager
async def timed(**options: Json) -> AsyncIterator[tuple[Serving, Timed]]:
    clock = Clock()
    async with serving("light", clock=clock, **options) as server:
        yield server, Timed(server, clock)


BEGINNINGS = rows(
    ("nothing", b""),
    ("half a request line", b"GET /socket.io/"),
    ("half a head", b"GET /socket.io/ HTTP/1.1\r\nHost:"),
    ("head without its empty line", request("GET", POLLING)[:-2]),
)


@pytest.mark.parametrize("more", [b"", b"x"], ids=["silent", "slow"])
@pytest.mark.parametrize("beginning", BEGINNINGS)
async def test_head_is_not_waited_for(beginning: bytes, more: bytes) -> None:
    """33: a head must be there in time, and no byte of it buys more."""
    async with timed() as (server, time):
        wire = await server.wire()
        wire.send(beginning)
        await time.wait(HEAD - 1, lambda: wire.send(more))
        assert not wire.is_lost
        await time.wait(2)
        assert await wire.read_to_end() == b""


@pytest.mark.parametrize("more", [b"", b"x"], ids=["silent", "slow"])
async def test_body_is_not_waited_for(more: bytes) -> None:
    """16, 33: nor is a body, and the session of that POST ends."""
    async with timed(body_timeout=BODY) as (server, time):
        polling = await server.polling()
        socket_id = await polling.join()
        wire = await server.wire()
        wire.send(request("POST", polling.target, b"42", {"Content-Length": "1000"}))
        await time.wait(BODY - 1, lambda: wire.send(more))
        assert not wire.is_lost
        await time.wait(2)
        assert await wire.read_to_end() == b""
        assert await server.reason_of(socket_id) == "transport error"


async def test_idle_connection_is_closed() -> None:
    """33: one that has had its answer, for want of another request."""
    async with timed() as (server, time):
        wire = await server.wire()
        wire.send(request("GET", "/socket.io/"))
        assert (await wire.read_response()).status == 400
        await time.wait(IDLE - 1)
        assert not wire.is_lost
        await time.wait(2)
        assert await wire.read_to_end() == b""


async def test_waiting_poll_is_not_idle() -> None:
    """33: a poll is held as long as the session may."""
    async with timed(ping_interval=2 * IDLE) as (server, time):
        polling = await server.polling()
        await polling.join()
        await polling.start_poll()
        await time.wait(2 * IDLE + 1)
        assert (await polling.polls.read_response()).body == b"2"
        await check_echo(polling)


async def test_websocket_is_not_idle() -> None:
    """33: nor is an upgraded connection."""
    async with timed(ping_interval=2 * IDLE) as (server, time):
        websocket = await server.websocket()
        await websocket.join()
        await time.wait(2 * IDLE - 1)
        await check_echo(websocket)


async def test_client_without_pongs_is_closed(transport: str) -> None:
    """55: after ping_interval and ping_timeout."""
    async with timed() as (server, time):
        session = await server.session(transport)
        socket_id = await session.join()
        await time.wait(PING_INTERVAL + PING_TIMEOUT - 1)
        assert socket_id not in server.reasons
        await time.wait(3)
        assert await server.reason_of(socket_id) == "ping timeout"


async def test_messages_are_no_pongs() -> None:
    """56: a client that only talks is closed as well, at the latest after twice ping_timeout."""
    async with timed() as (server, time):
        websocket = await server.websocket()
        socket_id = await websocket.join()
        message = frame(TEXT, b'42["unheard"]')
        await time.wait(PING_INTERVAL + 2 * PING_TIMEOUT + 2, lambda: websocket.wire.send(message))
        assert server.reasons[socket_id] == "ping timeout"


async def test_client_that_answers_pings_stays(transport: str) -> None:
    """The counterpart of 55."""
    async with timed() as (server, time):
        session = await server.session(transport)
        await session.join()
        for _ in range(5):
            await time.wait(PING_INTERVAL + 1)
            await check_echo(session)


async def test_silent_probe_is_closed() -> None:
    """49: after upgrade_timeout; the session lives, and its heartbeats go on meanwhile."""
    async with timed(ping_interval=UPGRADE - 2) as (server, time):
        polling = await server.polling()
        await polling.join()
        probe = await server.websocket(polling.websocket_target)
        await time.wait(UPGRADE - 1)
        assert (await polling.poll()).body == b"2"
        assert (await polling.post(b"3")).body == b"ok"
        await time.wait(2)
        assert (await ending(probe)).code == 1005
        await check_echo(polling)


async def test_probe_that_is_never_finished_is_closed() -> None:
    """49: the same when it has said "2probe"; polls are held again as before."""
    async with timed() as (server, time):
        polling = await server.polling()
        await polling.join()
        probe = await server.websocket(polling.websocket_target)
        await probe.send("2probe")
        assert await probe.read() == "3probe"
        await time.wait(UPGRADE + 1)
        assert (await ending(probe)).code == 1005
        await check_echo(polling)


async def test_client_that_joins_nothing_is_closed(transport: str) -> None:
    """88: after connect_timeout, whatever its heart does."""
    async with timed(ping_interval=2 * CONNECT) as (server, time):
        session = await server.session(transport)
        await time.wait(CONNECT + 1)
        await ending(session)


async def test_client_that_leaves_its_last_namespace_is_closed(transport: str) -> None:
    """89: the same time begins again."""
    async with timed(ping_interval=4 * CONNECT) as (server, time):
        session = await server.session(transport)
        await session.join()
        await time.wait(2 * CONNECT)
        await session.send("41")
        await time.wait(CONNECT - 1)
        assert server.io.engine.clients_count == 2
        await time.wait(2)
        await ending(session)


async def test_attachments_that_never_come(transport: str) -> None:
    """79: the rest of a packet must be there within attachments_timeout."""
    async with timed(ping_interval=2 * ATTACHMENTS) as (server, time):
        session = await server.session(transport)
        socket_id = await session.join()
        await session.send('452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"x")
        await time.wait(ATTACHMENTS - 1)
        assert socket_id not in server.reasons
        await time.wait(2)
        await ending(session)
        assert await server.reason_of(socket_id) == "forced close"


async def test_middleware_that_never_answers(transport: str, logged_errors: LoggedErrors) -> None:
    """91: the client is refused after middleware_timeout, and the log says whose fault that is."""
    async with timed(ping_interval=2 * MIDDLEWARE) as (server, time):
        server.io.use(lambda socket: Deferred())
        session = await server.session(transport)
        await session.send("40")
        await time.wait(MIDDLEWARE + 1)
        assert str(await session.read()).startswith('44{"message":')
        assert len(logged_errors.take(TimeoutError)) == 1


async def test_close_frame_that_is_not_answered() -> None:
    """42: a client that stays after its fault was named is cut off."""
    async with timed() as (server, time):
        websocket = await server.websocket()
        websocket.wire.send(frame(TEXT, b"3", masked=False))
        assert (await ending(websocket)).code == 1002
        assert not websocket.wire.is_lost
        await time.wait(CLOSE_FRAME + 1)
        assert await websocket.wire.read_to_end() == b""


async def test_closed_session_that_does_not_poll() -> None:
    """A3.9: it waits for one more poll to tell it so, but not for ever."""
    async with timed(ping_interval=2 * CLOSE) as (server, time):
        polling = await server.polling()
        await polling.join()
        await polling.send("4")
        await time.wait(CLOSE + 1)
        assert server.io.engine.clients_count == 1


async def test_refused_body_that_keeps_coming() -> None:
    """17: after its 413 a client may go on sending for a moment only."""
    async with timed() as (server, time):
        polling = await server.polling()
        wire = await server.wire()
        wire.send(request("POST", polling.target, b"", {"Content-Length": "100000000"}))
        assert (await wire.read_response("POST")).status == 413
        await time.wait(3, lambda: wire.send(b"a" * 1000))
        assert await wire.read_to_end() == b""
