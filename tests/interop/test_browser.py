"""A page in a real browser, headless Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.web.server import Site
from twisted.web.static import File

from tests.conftest import require
from tests.interop.application import create_server
from tests.interop.conftest import Begin, Serve
from tests.interop.scenarios import HERE
from tests.interop.servers import LOOPBACK, InProcess, server_under_test, twistd
from txsocketio import Server

CLIENT_PATH = "tests/interop/node_modules/socket.io-client/dist"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def chromium() -> str:
    require("node")
    require(CLIENT_PATH)
    return require("chromium")


@pytest.fixture
def other_site() -> Iterator[str]:
    """A site with the page, and the client for it, that is not the server's; its origin."""
    pages = File(str(HERE / "browser"))
    pages.putChild(b"socket.io", File(require(CLIENT_PATH)))
    port = reactor.listenTCP(0, Site(pages), interface=LOOPBACK)
    yield f"http://{LOOPBACK}:{port.getHost().port}"
    blockon(port.stopListening())


async def test_two_tabs_hear_each_other(serve: Serve, begin: Begin, chromium: str) -> None:
    """Two tabs upgrade from long-polling to WebSocket, hear broadcasts, exchange bytes; a closed tab is gone."""

    def application() -> Server:
        return create_server(client_path=require(CLIENT_PATH))

    server = await serve(server_under_test(application, lambda io: io.site(File(str(HERE / "browser")))))
    assert await begin("javascript", "tabs", server.url, chromium).finish() == {
        "outcome": ["upgraded", "upgraded"],
        "transports": [["polling", "websocket"]] * 2,
        "told": [["from ann", "from bob"], ["from ann"]],
        "buffer": [1, 2],
        "blob": [3, 4],
        "closed tab": "transport close",
    }


@pytest.mark.skipif("INTEROP_SERVER" in os.environ, reason="needs options of its own")
@pytest.mark.parametrize("is_allowed", [False, True])
async def test_other_sites_connect_only_when_allowed(
    serve: Serve, begin: Begin, chromium: str, other_site: str, is_allowed: bool
) -> None:
    """A page of another origin is refused, over WebSocket too, unless the option names its origin."""

    def application() -> Server:
        return create_server(cors_allowed_origins=other_site if is_allowed else None)

    server = await serve(InProcess(application))
    assert await begin("javascript", "origins", server.url, chromium, other_site).finish() == {
        "outcome": "upgraded" if is_allowed else "refused",
        "websocket": "connected" if is_allowed else "refused",
    }


async def test_demo_is_a_chat_in_two_tabs(serve: Serve, begin: Begin, chromium: str) -> None:
    """What `twistd socketio` serves by itself: two tabs see each other, talk, and learn that one has left."""
    server = await serve(twistd("--client-path", require(CLIENT_PATH)))
    facts = await begin("javascript", "demo", server.url, chromium).finish()
    assert facts == {
        "transports": ["websocket", "websocket"],
        "people": [["Ann", "Bob"], ["Ann", "Bob"]],
        "heard": ["Ann", "hello"],
        "said": "hello",
        "left": ["Ann"],
    }
