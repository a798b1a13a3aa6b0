"""What an application that is checked with `mypy --strict` sees."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

import pytest
from mypy import api

APPLICATION = """
import re
from twisted.internet.defer import Deferred
from txsocketio import AckTimeout, ConnectionRefused, Emitter, Server, Socket
from txsocketio.cluster.broker import Broker

io = Server(ping_interval=20.0)


@io.use
async def authenticate(socket: Socket) -> None:
    if socket.handshake.auth.get("token") is None:
        raise ConnectionRefused("not authorized", data={"code": 1})


@io.on("connection")
def connected(socket: Socket) -> None:
    @socket.on("say")
    async def say(text: str) -> str:
        await io.to("lobby").emit("said", text)
        return "delivered"

    reveal_type(say)  # def (text: str) -> Coroutine[Any, Any, str]
    reveal_type(socket.id)  # str
    reveal_type(socket.rooms)  # set[str]
    reveal_type(socket.connected)  # bool
    reveal_type(socket.recovered)  # bool
    reveal_type(socket.handshake.address)  # str
    reveal_type(socket.handshake.query)  # dict[str, str]
    reveal_type(socket.emit("a", 1))  # None
    reveal_type(socket.call("a"))  # Deferred[Any]
    reveal_type(socket.timeout(1.0).call("a"))  # Deferred[Any]
    reveal_type(socket.to("a").except_(["b"]).volatile.emit("a"))  # Deferred[None]
    reveal_type(socket.disconnect(close=True))  # None


async def ask() -> None:
    try:
        reveal_type(await io.timeout(1.0).call("ask"))  # list[Any]
    except AckTimeout as error:
        reveal_type(error.answers)  # list[Any]
        reveal_type(error.missing)  # list[str]


reveal_type(connected)  # def (socket: Socket)
reveal_type(io.of("/chat").emit("a"))  # Deferred[None]
reveal_type(io.of("/chat").name)  # str
reveal_type(io.in_("a").sockets_join("b"))  # Deferred[None]
reveal_type(io.server_side_call("a"))  # Deferred[list[Any]]
reveal_type(io.engine.clients_count)  # int
reveal_type(io.close())  # Deferred[None]
reveal_type(Emitter("redis:").of("a").to("b").volatile.emit("c"))  # Deferred[None]
reveal_type(Emitter("redis:", blocking=True).in_("a").sockets_join("b"))  # None
if io.broker is not None:
    reveal_type(io.broker.node)  # str
    reveal_type(io.broker.is_available)  # bool
    reveal_type(io.broker.outages + io.broker.dropped + io.broker.given_up)  # int


def join(io: Server, broker: Broker) -> None:
    io.broker = broker


io.nothing_of_the_kind  # error
io.to(1)  # error
"""


@pytest.mark.timeout(180)
def test_everything_public_has_a_type(tmp_path: Path) -> None:
    """Each line says of itself what mypy finds there; and the rest of the application has no fault."""
    # Another name in each run: mypy does not say again what it has found in a module that it remembers.
    source = tmp_path / f"application_{token_hex(8)}.py"
    source.write_text(APPLICATION)
    root = Path(__file__).parent.parent
    configuration = tmp_path / "mypy.ini"
    configuration.write_text(f"[mypy]\nmypy_path = {root}\nplugins = mypy_zope:plugin\n")
    report, errors, _ = api.run(["--strict", "--config-file", str(configuration), "--no-error-summary", str(source)])
    assert not errors
    found: dict[int, str] = {}
    for line in report.splitlines():
        where, _, text = line.partition(": ")
        if where.startswith(str(source)):
            found[int(where.rpartition(":")[2])] = _plain(text)
    expected = {
        number: comment
        for number, line in enumerate(APPLICATION.splitlines(), 1)
        if (comment := line.partition("  # ")[2])
    }
    assert {number: "error" if text.startswith("error") else text for number, text in found.items()} == expected


def _plain(text: str) -> str:
    """The type that is revealed, without the modules of its names."""
    if not text.startswith("note: Revealed type is "):
        return text
    words = text.removeprefix("note: Revealed type is ").strip('"').replace("builtins.", "")
    for module in ("twisted.internet.defer.", "txsocketio.socketio.socket.", "typing.", "collections.abc."):
        words = words.replace(module, "")
    return words
