"""The JavaScript clients of Socket.IO 2 and 3, against a server that lets them in."""

from __future__ import annotations

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.conftest import require
from tests.interop.application import create_server
from tests.interop.conftest import Begin, Serve
from tests.interop.scenarios import Facts
from tests.interop.servers import Served, server_under_test

V2, V3 = "socket.io-client-v2", "socket.io-client-v3"

#: The npm packages of MessagePack by the client whose packets they have.
PARSERS = {V2: "socket.io-msgpack-parser-v2", V3: "socket.io-msgpack-parser"}

BYTES = "hex:000102ff"
VALUES = ["żółw 🐢", -3, 1.5, None, {"a": [True, BYTES]}, BYTES, "hex:", ""]


@pytest.fixture
def package(request: pytest.FixtureRequest) -> str:
    """The npm package of the client."""
    require("node")
    require("tests/interop/node_modules")
    return request.param


@pytest.fixture
def parser(request: pytest.FixtureRequest) -> str:
    """The encoding of packets that the server has."""
    return request.param


@pytest.fixture
def parsers(package: str, parser: str) -> list[str]:
    """The npm package that the client needs for the encoding, if any."""
    return [PARSERS[package]] if parser == "msgpack" else []


@pytest.fixture
def server(serve: Serve, parser: str) -> Served:
    return blockon(
        Deferred.fromCoroutine(serve(server_under_test(lambda: create_server(allow_eio3=True, parser=parser))))
    )


def greeting(package: str, transport: str) -> Facts:
    """What a client of this version observes at first."""
    return {
        "transport": "polling" if transport == "polling" else "websocket",
        "fruit": "kiwi",
        "ids": [True, package == V2],
    }


def expected(package: str, transport: str) -> Facts:
    """All that it observes."""
    is_old = package == V2
    refusal = {"message": "not authorized", "data": {"code": 1}}
    return greeting(package, transport) | {
        "acknowledged": VALUES,
        "repeated": VALUES,
        "asked": ["hex:ff020100"],
        "in order": True,
        "refused": {"code": 1} if is_old else refusal,
        "unknown": {"message": "Invalid namespace"},
        "room": [True, "/room-1", {"name": "ann", "token": "a b&c"}],
        "told in /room-1": "hello",
        "farewell": "client namespace disconnect",
        "dismissed": ["io server disconnect"],
    }


@pytest.mark.parametrize(("package", "parser"), [(V2, "default"), (V3, "default"), (V3, "msgpack")], indirect=True)
async def test_older_client(server: Served, begin: Begin, package: str, parsers: list[str], transport: str) -> None:
    """Messages, binary, answers both ways, namespaces, refusals and ends are what they are for clients of today."""
    facts = await begin("javascript", "older", server.url, transport, package, *parsers).finish()
    assert facts == expected(package, transport)


@pytest.mark.parametrize(("package", "parser"), [(V2, "msgpack")], indirect=True)
async def test_msgpack_of_version_2(
    server: Served, begin: Begin, package: str, parsers: list[str], transport: str
) -> None:
    """Events without binary in the main namespace: more the encodings of then and now do not have in common."""
    facts = await begin("javascript", "older", server.url, transport, package, *parsers).finish()
    assert facts == greeting(package, transport) | {"acknowledged": ["żółw 🐢", -3, 1.5, None, {"a": [True]}]}
