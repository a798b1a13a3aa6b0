"""The real clients come back by themselves after the server was away."""

from __future__ import annotations

from tests.interop.conftest import Start
from tests.interop.servers import Served


async def test_clients_return_after_a_restart(start: Start, server: Served) -> None:
    """A client survives a restart of the server: it connects again, as a new socket in no room, and works."""
    scenario = start("reconnection")
    assert await scenario.told("connected") == "before"
    await server.stop()
    await server.start()
    facts = await scenario.finish()
    assert facts["disconnected"] in ("transport close", "transport error")
    assert facts["answer"] == "after"
    assert facts["new id"] is True
    assert facts["rooms"] == ["b"]
