from __future__ import annotations

import pytest

from tests.socketio.doubles import Served


@pytest.fixture
def served() -> Served:
    return Served()
