"""What the rows share: a server with default options, reached in either way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.bad_input.serving import WAYS, Serving, serving


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How HTTP reaches the server."""
    return request.param


@pytest.fixture
def server(way: str) -> Iterator[Serving]:
    """One with default options."""
    # Not an async fixture: once one of those has failed, pytest-twisted 1.14 fails every test after it.
    context = serving(way)
    yield blockon(Deferred.fromCoroutine(context.__aenter__()))
    blockon(Deferred.fromCoroutine(context.__aexit__(None, None, None)))


@pytest.fixture(params=["websocket", "polling"])
def transport(request: pytest.FixtureRequest) -> str:
    """What a session of packets runs over."""
    return request.param
