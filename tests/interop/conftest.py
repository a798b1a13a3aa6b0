"""The fixtures of the real clients: which client, over which transport, against a server that runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.conftest import require
from tests.interop import scenarios
from tests.interop.application import create_server
from tests.interop.scenarios import Facts, Scenario
from tests.interop.servers import Served, server_under_test

Serve = Callable[[Served], Coroutine[Any, Any, Served]]
Begin = Callable[..., Scenario]
Start = Callable[[str], Scenario]
Observe = Callable[[str], Awaitable[Facts]]

only_javascript = pytest.mark.parametrize("client", ["javascript"], indirect=True)


@pytest.fixture(params=["javascript", "python"])
def client(request: pytest.FixtureRequest) -> str:
    """The language of the client."""
    if request.param == "javascript":
        require("node")
        require("tests/interop/node_modules")
    else:
        pytest.importorskip("socketio")
    return request.param


@pytest.fixture(params=["polling", "websocket", "upgrade"])
def transport(request: pytest.FixtureRequest) -> str:
    """The transport that the client may use; "upgrade" begins with polling and goes on over WebSocket."""
    return request.param


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers; none outlives the test."""
    # Not an async fixture: once one of those has failed, pytest-twisted 1.14 fails every test after it.
    started: list[Served] = []

    async def serve(served: Served) -> Served:
        await served.start()
        started.append(served)
        return served

    yield serve
    for served in started:
        blockon(Deferred.fromCoroutine(served.stop()))


@pytest.fixture
def server(serve: Serve) -> Served:
    """A running server with the application that the scenarios expect."""
    return blockon(Deferred.fromCoroutine(serve(server_under_test(create_server))))


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Starts scenarios; none outlives the test."""
    started: list[Scenario] = []

    def begin(client: str, name: str, *args: str) -> Scenario:
        started.append(scenarios.start(client, name, *args))
        return started[-1]

    yield begin
    for scenario in started:
        blockon(Deferred.fromCoroutine(scenario.kill()))


@pytest.fixture
def start(begin: Begin, server: Served, client: str, transport: str) -> Start:
    """Starts a scenario of this client over this transport."""
    return lambda name: begin(client, name, server.url, transport)


@pytest.fixture(scope="session")
def gathered() -> dict[tuple[str, ...], Facts]:
    """The facts of scenarios that have run, for all the tests that look at them."""
    return {}


@pytest.fixture
def observe(gathered: dict[tuple[str, ...], Facts], start: Start, client: str, transport: str) -> Observe:
    """Runs a scenario to its end, unless that has happened; the facts that it told."""

    async def observe(name: str) -> Facts:
        key = (client, transport, name)
        if key not in gathered:
            gathered[key] = await start(name).finish()
        return gathered[key]

    return observe
