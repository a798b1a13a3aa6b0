"""Rows 64, 80 and 95: clients that want too much."""

from __future__ import annotations

from tests.bad_input.serving import check_echo, ending, serving


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
