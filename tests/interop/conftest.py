"""The fixtures of the real clients: which client, over which transport, against a server that runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.conftest import require
from tests.interop import scenarios
from tests.interop.application import create_server
from tests.interop.scenarios import Facts, Scenario
from tests.interop.servers import LOOPBACK, Served, server_under_test

Start = Callable[..., Scenario]
Observe = Callable[[str], Awaitable[Facts]]


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
def server() -> Iterator[Served]:
    """A running server with the application that the scenarios expect."""
    # Not an async fixture: once one of those has failed, pytest-twisted 1.14 fails every test after it.
    served = server_under_test(create_server)
    blockon(Deferred.fromCoroutine(served.start()))
    yield served
    blockon(Deferred.fromCoroutine(served.stop()))


@pytest.fixture
def start(server: Served, client: str, transport: str) -> Iterator[Start]:
    """Starts a scenario by its name; none outlives the test."""
    started: list[Scenario] = []

    def start(name: str) -> Scenario:
        started.append(scenarios.start(client, name, f"http://{LOOPBACK}:{server.port}", transport))
        return started[-1]

    yield start
    for scenario in started:
        blockon(Deferred.fromCoroutine(scenario.kill()))


@pytest.fixture
def observe(start: Start) -> Observe:
    """Runs a scenario to its end; the facts that it told."""
    return lambda name: start(name).finish()
