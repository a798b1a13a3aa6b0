"""Why a connection ended, as either side is told."""

from __future__ import annotations

from tests.interop.conftest import Observe

SERVER = {
    "client leaves": "client namespace disconnect",
    "client closes": "transport close",
    "server dismisses": "server namespace disconnect",
    "server closes": "server namespace disconnect",
}
JAVASCRIPT = {
    "client leaves": "io client disconnect",
    "client closes": "forced close",
    "server dismisses": "io server disconnect",
    "server closes": "io server disconnect",
}
PYTHON = {
    "client leaves": "client disconnect",
    "client closes": "client disconnect",
    "server dismisses": "server disconnect",
    "server closes": "server disconnect",
}


async def test_both_sides_learn_the_reason(observe: Observe, client: str) -> None:
    """Whoever ends the connection, client and server are told the reason that the protocol's users know."""
    facts = await observe("disconnects")
    expected = JAVASCRIPT if client == "javascript" else PYTHON
    assert {name: facts[name]["client"] for name in expected} == expected
    server = {name: facts[name]["server"] for name in SERVER}
    if client == "python":
        # It may close the transport before its DISCONNECT packet is out.
        assert server.pop("client leaves") in ("client namespace disconnect", "transport close")
    assert server.items() <= SERVER.items()
    if client == "javascript":
        assert facts["server closes all namespaces"] == {
            "client": ["io server disconnect"] * 2,
            "server": ["server namespace disconnect"] * 2,
        }
