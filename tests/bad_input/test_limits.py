"""Rows 33, 55, 56, 64, 79, 80, 88-91 and 95: clients that are slow, silent, greedy, or hit a fault of the application."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from tests.bad_input.serving import Serving, check_echo, ending, serving
from tests.bad_input.table import OK, read_answer, rows
from tests.sessions import POLLING, UPGRADE_HEADERS, WEBSOCKET
from tests.wire import Wire, request
from txsocketio.types import Json

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
        assert (await wire.read_response()).status == 200
        assert await wire.read_to_end() == b""


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


@pytest.fixture(params=["websocket", "polling"])
def transport(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_silent_client_is_closed(transport: str) -> None:
    """55: no pong and nothing else."""
    async with serving("light", ping_interval=SOON, ping_timeout=SOON) as server:
        session = await server.session(transport)
        socket_id = await session.join()
        server.bystander.answers_pings = True
        await ending(session)
        assert await server.reason_of(socket_id) == "ping timeout"


async def test_client_that_talks_but_sends_no_pong_is_closed() -> None:
    """56: messages may put the end off, but not for ever."""
    async with serving("light", ping_interval=SOON, ping_timeout=SOON) as server:
        server.bystander.answers_pings = True
        websocket = await server.websocket()
        socket_id = await websocket.join()
        while socket_id not in server.reasons:
            await websocket.send("3x", "6")
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


async def test_attachments_that_are_too_big_together(transport: str) -> None:
    """80: by default ten times the largest message, here less."""
    async with serving("light", max_attachments_size=1000) as server:
        session = await server.session(transport)
        socket_id = await session.join()
        await session.send('453-["echo",{"_placeholder":true,"num":0}]', bytes(500), bytes(501))
        await ending(session)
        assert await server.reason_of(socket_id) == "forced close"


async def test_too_many_namespaces(transport: str) -> None:
    """64: the one too many is refused, and the others live on."""
    async with serving("light", max_namespaces=3) as server:
        for name in ("/a", "/b", "/c"):
            server.io.of(name)
        session = await server.session(transport)
        for name in ("", "/a,", "/b,"):
            await session.join(name)
        await session.send("40/c,")
        assert str(await session.read()).startswith("44/c,")
        await check_echo(session)


async def test_client_that_reads_nothing_is_dropped() -> None:
    """95: what waits for it is bounded, and the application hears of it as a slow consumer."""
    async with serving("light", max_outgoing_buffer=1_000_000) as server:
        websocket = await server.websocket()
        socket_id = await websocket.join()
        websocket.wire.transport.pauseProducing()
        for _ in range(200):
            server.io.to(socket_id).emit("flood", "a" * 100_000)
        assert await server.reason_of(socket_id) == "slow consumer"


async def test_listener_that_raises(way: str) -> None:
    """90: logged once with the name of the event; the connection stays, and nothing about it reaches the client."""
    async with serving(way) as server:

        @server.io.on("connection")
        def connected(socket: Json) -> None:
            @socket.on("broken")
            def broken() -> None:
                raise ValueError("a fault of the application")

        websocket = await server.websocket()
        await websocket.join()
        await websocket.send('421["broken"]')
        await check_echo(websocket)
        (error,) = server.errors
        assert "broken" in error
        server.errors.clear()


async def test_listener_that_answers_what_json_cannot_carry(server: Serving) -> None:
    """90: the same when only its answer is at fault."""

    @server.io.on("connection")
    def connected(socket: Json) -> None:
        socket.on("odd", lambda: object())

    websocket = await server.websocket()
    await websocket.join()
    await websocket.send('421["odd"]')
    await check_echo(websocket)
    assert len(server.errors) == 1
    server.errors.clear()


async def test_middleware_that_raises(transport: str) -> None:
    """91: the client is refused without a word about the inside."""
    async with serving("light") as server:

        @server.io.use
        def broken(socket: Json) -> None:
            raise ValueError("a secret of the application")

        session = await server.session(transport)
        await session.send("40")
        reply = await session.read()
        assert isinstance(reply, str) and reply.startswith('44{"message":') and "secret" not in reply
        assert len(server.errors) == 1
        server.errors.clear()


async def test_middleware_that_never_answers(transport: str) -> None:
    """91: within middleware_timeout."""
    async with serving("light", middleware_timeout=SOON) as server:
        server.io.use(lambda socket: Deferred())
        session = await server.session(transport)
        await session.send("40")
        assert str(await session.read()).startswith('44{"message":')


async def test_client_that_goes_while_a_middleware_waits(transport: str) -> None:
    """91: the middleware's answer comes to nobody."""
    async with serving("light") as server:
        gate: Deferred[None] = Deferred()
        server.io.use(lambda socket: gate)
        session = await server.session(transport)
        await session.send("40")
        await server.check_bystander()
        await session.leave()
        gate.callback(None)


async def test_allow_request_refuses_with_its_text(way: str) -> None:
    """11: over polling the application's text is the message of code 4, over WebSocket it is the whole body."""
    from txsocketio import ConnectionRefused

    allowed = [True]

    def allow(request: object) -> bool:
        if not allowed[0]:
            raise ConnectionRefused("quota exceeded")
        return True

    async with serving(way, allow_request=allow) as server:
        allowed[0] = False
        response = await server.ask(request("GET", POLLING))
        assert (response.status, response.body) == (403, b'{"code":4,"message":"quota exceeded"}')
        response = await server.ask(request("GET", WEBSOCKET, headers=UPGRADE_HEADERS))
        assert (response.status, response.body) == (400, b"quota exceeded")


async def test_allow_request_refuses_without_a_text(way: str) -> None:
    """11: the text is then the protocol's."""
    allowed = [True]
    async with serving(way, allow_request=lambda request: allowed[0]) as server:
        allowed[0] = False
        response = await server.ask(request("GET", POLLING))
        assert (response.status, response.body) == (403, b'{"code":4,"message":"Forbidden"}')


async def test_engine_middleware_that_raises(server: Serving) -> None:
    """12: code 3, without a word about the inside."""

    def refuse(*_: object) -> None:
        raise ValueError("a secret of the application")

    server.io.engine.use(refuse)
    response = await server.ask(request("GET", POLLING))
    assert (response.status, response.body) == (400, b'{"code":3,"message":"Bad request"}')
    response = await server.ask(request("GET", WEBSOCKET, headers=UPGRADE_HEADERS))
    assert (response.status, response.body) == (400, b"Bad request")


def test_unused() -> None:
    assert OK and read_answer and Wire
