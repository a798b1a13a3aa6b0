"""The real clients come back by themselves: after the server was away, and after they were away."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from tests.interop.application import create_server
from tests.interop.conftest import Begin, Serve
from tests.interop.servers import InProcess, Served, server_under_test, twistd
from txsocketio import Server
from txsocketio.socketio.socket import Socket


def by_twistd() -> Served:
    return twistd("--app", "tests.interop.application:setup")


def embedded() -> Served:
    return server_under_test(create_server)


@pytest.mark.parametrize("make_server", [embedded, by_twistd])
async def test_clients_return_after_a_restart(
    make_server: Callable[[], Served], serve: Serve, begin: Begin, client: str, transport: str
) -> None:
    """A client survives a restart of the server: it connects again, as a new socket in no room, and works."""
    server = await serve(make_server())
    scenario = begin(client, "reconnection", server.url, transport)
    assert await scenario.told("connected") == "before"
    await server.stop()
    await server.start()
    facts = await scenario.finish()
    assert facts["disconnected"] in ("transport close", "transport error")
    assert facts["answer"] == "after"
    assert facts["new id"] is True
    assert facts["rooms"] == ["b"]


@pytest.mark.skipif("INTEROP_SERVER" in os.environ, reason="looks into the server")
async def test_frozen_client_times_out_and_returns(serve: Serve, begin: Begin, client: str, transport: str) -> None:
    """A client that hangs misses its heartbeat: the server lets it go, and it comes back when it is able to."""
    gone: Deferred[str] = Deferred()

    def application() -> Server:
        io = create_server(ping_interval=0.3, ping_timeout=0.2)

        @io.on("connection")
        def connected(socket: Socket) -> None:
            socket.once("disconnect", lambda reason: gone.called or gone.callback(reason))

        return io

    server = await serve(InProcess(application))
    scenario = begin(client, "reconnection", server.url, transport)
    await scenario.told("connected")
    scenario.transport.signalProcess(signal.SIGSTOP)
    assert await gone == "ping timeout"
    scenario.transport.signalProcess(signal.SIGCONT)
    facts = await scenario.finish()
    assert facts["disconnected"] in ("transport close", "transport error", "ping timeout")
    assert facts["answer"] == "after"
    assert facts["new id"] is True
