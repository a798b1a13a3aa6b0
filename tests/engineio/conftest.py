"""What the tests of sites share."""

from __future__ import annotations

import pytest

from tests.engineio.sites import SID
from txsocketio.engineio import engine


@pytest.fixture
def known_sid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every session has the same id; there may be one at a time."""
    monkeypatch.setattr(engine, "new_sid", lambda: SID)
