from __future__ import annotations

import pytest

from tests.socketio.doubles import People, Served
from tests.socketio.recovering import Client


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Served:
    """A server, with the OPTIONS of the module if it has any."""
    return Served(**getattr(request.module, "OPTIONS", {}))


@pytest.fixture
def client(served: Served) -> Client:
    """A client that is connected, and can come back."""
    client = Client(served)
    assert client.packets() == ["connected"]
    return client


@pytest.fixture
def people(served: Served) -> People:
    return People(served)
