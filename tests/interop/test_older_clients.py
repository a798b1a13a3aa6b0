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


@pytest.fixture(params=[V2, V3])
def package(request: pytest.FixtureRequest) -> str:
    """The npm package of the client."""
    require("node")
    require("tests/interop/node_modules")
    return request.param


@pytest.fixture(params=["default", "msgpack"])
def parser(request: pytest.FixtureRequest) -> str:
    """The encoding of packets that the server has."""
    return request.param


@pytest.fixture
def server(serve: Serve, parser: str) -> Served:
    return blockon(
        Deferred.fromCoroutine(serve(server_under_test(lambda: create_server(allow_eio3=True, parser=parser))))
    )


def expected(package: str, parser: str, transport: str) -> Facts:
    """What a client of this version observes."""
    is_old = package == V2
    facts = {
        "transport": "polling" if transport == "polling" else "websocket",
        "fruit": "kiwi",
        "ids": [True, is_old],
        "acknowledged": VALUES,
        "repeated": VALUES,
        "asked": ["hex:ff020100"],
        "in order": True,
        "refused": {"code": 1} if is_old else {"message": "not authorized", "data": {"code": 1}},
        "unknown": {"message": "Invalid namespace"},
        "room": [True, "/room-1", {"name": "ann", "token": "a b&c"}],
        "told in /room-1": "hello",
        "farewell": "client namespace disconnect",
        "dismissed": ["io server disconnect"],
    }
    if is_old and parser == "msgpack":
        del facts["refused"], facts["unknown"]
    return facts


async def test_older_client(server: Served, begin: Begin, package: str, parser: str, transport: str) -> None:
    """Messages, binary, answers both ways, namespaces, refusals and ends are what they are for clients of today."""
    parsers = [PARSERS[package]] if parser == "msgpack" else []
    facts = await begin("javascript", "older", server.url, transport, package, *parsers).finish()
    assert facts == expected(package, parser, transport)
