"""Rows 11, 12, 90 and 91: what the application refuses, and where it is at fault itself."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.bad_input.serving import Serving, check_echo, ending, serving
from tests.conftest import LoggedErrors
from tests.sessions import POLLING, UPGRADE_HEADERS, WEBSOCKET
from tests.wire import request
from txsocketio import ConnectionRefused
from txsocketio.types import Json


async def test_listener_that_raises(way: str, logged_errors: LoggedErrors) -> None:
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
        (error,) = logged_errors.take(ValueError)
        assert "broken" in error


async def test_listener_that_answers_what_json_cannot_carry(server: Serving, logged_errors: LoggedErrors) -> None:
    """90: the same when only its answer is at fault."""

    @server.io.on("connection")
    def connected(socket: Json) -> None:
        socket.on("odd", lambda: object())

    websocket = await server.websocket()
    await websocket.join()
    await websocket.send('421["odd"]')
    await check_echo(websocket)
    assert len(logged_errors.take()) == 1


async def test_middleware_that_raises(transport: str, logged_errors: LoggedErrors) -> None:
    """91: the client is refused without a word about the inside."""
    async with serving("light") as server:

        @server.io.use
        def broken(socket: Json) -> None:
            raise ValueError("a secret of the application")

        session = await server.session(transport)
        await session.send("40")
        reply = await session.read()
        assert isinstance(reply, str) and reply.startswith('44{"message":') and "secret" not in reply
        assert len(logged_errors.take(ValueError)) == 1


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


async def test_event_while_a_middleware_waits(transport: str) -> None:
    """59: before the reply to its CONNECT a client has nothing to say; the middleware's answer comes to nobody."""
    async with serving("light") as server:
        gate: Deferred[None] = Deferred()
        server.io.use(lambda socket: gate)
        session = await server.session(transport)
        await session.send("40")
        await session.send('42["echo"]')
        await ending(session)
        gate.callback(None)
