from __future__ import annotations

import pytest

from tests.socketio.doubles import People, Served


@pytest.fixture
def served() -> Served:
    return Served()


@pytest.fixture
def people(served: Served) -> People:
    return People(served)
