"""The real clients with another encoding of packets."""

from __future__ import annotations

import sys

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.interop.application import create_server
from tests.interop.conftest import Begin, Observe, Serve
from tests.interop.scenarios import HERE
from tests.interop.servers import LOOPBACK, Served, server_under_test
from tests.programs import ROOT, Program

VALUES = ["żółw 🐢", -3, 1.5, 2**40, None]


@pytest.fixture
def node_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example finds the npm packages of the tests."""
    monkeypatch.setenv("NODE_PATH", str(HERE / "node_modules"))


@pytest.fixture
def server(serve: Serve) -> Served:
    """A server whose clients have to speak MessagePack."""
    return blockon(Deferred.fromCoroutine(serve(server_under_test(lambda: create_server(parser="msgpack")))))


@pytest.mark.parametrize("client", ["javascript"], indirect=True)
async def test_msgpack_with_the_javascript_client(observe: Observe) -> None:
    """Dates and undefined come back too; a client with the default encoding is closed, and nobody else."""
    facts = await observe("msgpack")
    eight = "hex:0102030405060708"
    values = [*VALUES, None, {"a": [True, None]}, "date:1700000000123", eight]
    assert facts.pop("stranger") in ("transport close", "transport error")
    assert facts == {
        "acknowledged": values,
        "buffers": [eight, "date:5", "hex:01", None, "hex:", "date:-6"],
        "repeated": values,
        "asked": ["hex:02030405060708"],
        "refused": {"message": "not authorized", "data": {"code": 1}},
        "still there": True,
    }


@pytest.mark.usefixtures("node_path")
@pytest.mark.parametrize("client", ["javascript"], indirect=True)
async def test_a_parser_of_ones_own_with_the_javascript_client(begin: Begin, client: str, transport: str) -> None:
    """Both halves of the example understand each other."""
    with Program(
        sys.executable, "own_parser.py", cwd=ROOT / "examples", LISTEN=f"tcp:0:interface={LOOPBACK}"
    ) as program:
        port = program.wait_for(r"starting on (\d+)")[1]
        facts = await begin(client, "own_parser", f"http://{LOOPBACK}:{port}", transport).finish()
    assert facts == {"answer": "QUIET", "echo": ["quiet"]}


@pytest.mark.parametrize("client", ["python"], indirect=True)
async def test_msgpack_with_the_python_client(observe: Observe) -> None:
    """It sends null where the JavaScript client sends undefined."""
    values = [*VALUES, "hex:0102"]
    assert await observe("msgpack") == {"acknowledged": values, "repeated": values, "asked": ["hex:0201"]}
