"""Rows 92-94: what clients show to be recovered. Nothing of it is an error; what is odd makes a new session."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from twisted.internet import reactor

from tests.bad_input.serving import ending
from tests.bad_input.table import rows
from tests.sessions import WebSocket
from txsocketio import ConnectionRefused, Server, Socket
from txsocketio.types import Json

LONG = "9" * 900_000


class Recovering:
    """A server with recovery, and a client whose private id is known to others."""

    def __init__(self, io: Server, port: int) -> None:
        self.io = io
        self.address = "127.0.0.1", port
        self.sessions: list[WebSocket] = []
        self.ids: dict[str, str] = {}

    async def connect(self, auth: Json) -> dict[str, Json]:
        """Join "/" in one more session; what it is answered."""
        session = await WebSocket.open(self.address)
        self.sessions.append(session)
        await session.send("40" + json.dumps(auth))
        answer = str(await session.read())
        return json.loads(answer[2:])


@asynccontextmanager
async def recovering() -> AsyncIterator[Recovering]:
    io = Server(connection_state_recovery=True)
    port = reactor.listenTCP(0, io.site(), interface="127.0.0.1")
    server = Recovering(io, port.getHost().port)
    try:
        server.ids = await server.connect({})
        io.emit("hello")
        assert await server.sessions[0].read() == '42["hello","1"]'
        yield server
    finally:
        for session in server.sessions:
            session.wires[0].reset()
        await io.close()
        await port.stopListening()


SHOWN = rows(
    ("92 pid is guessed", {"pid": "AAAAAAAAAAAAAAAAAAAA", "offset": "1"}),
    ("92 sid for the pid", {"pid": "SID", "offset": "1"}),
    ("93 text", {"pid": "PID", "offset": "x"}),
    ("93 command of a broker", {"pid": "PID", "offset": "1-1; DEL *"}),
    ("93 future", {"pid": "PID", "offset": "2"}),
    ("93 other digits", {"pid": "PID", "offset": "\uff11"}),
    ("93 very long", {"pid": "PID", "offset": LONG}),
    ("93 number", {"pid": "PID", "offset": 1}),
    ("93 object", {"pid": "PID", "offset": {"toString": "1"}}),
    ("94 path", {"pid": "../x"}),
    ("94 space", {"pid": "PID "}),
    ("94 CR LF", {"pid": "PID\r\nDEL *"}),
    ("94 very long", {"pid": LONG}),
    ("94 number", {"pid": 1}),
    ("94 array", {"pid": ["PID"]}),
)


@pytest.mark.parametrize("shown", SHOWN)
async def test_odd_claim_makes_a_new_session(shown: dict[str, Json]) -> None:
    """And the client whose private id it was is not disturbed."""
    async with recovering() as server:
        text = json.dumps(shown).replace("PID", server.ids["pid"]).replace("SID", server.ids["sid"])
        ids = await server.connect(json.loads(text))
        assert not {ids["sid"], ids["pid"]} & {server.ids["sid"], server.ids["pid"]}
        assert not server.io.root.sockets[ids["sid"]].recovered
        server.io.emit("bye")
        for each in server.sessions:
            assert await each.read() == '42["bye","2"]'


async def test_replayed_pid_takes_over() -> None:
    """92: never two at once."""
    async with recovering() as server:
        ids = await server.connect({"pid": server.ids["pid"], "offset": "1"})
        assert ids == server.ids
        assert (await ending(server.sessions[0])).code == 1005
        assert list(server.io.root.sockets) == [ids["sid"]]


async def test_replayed_pid_is_examined() -> None:
    """92: the middlewares run first; whom they refuse takes over nothing, and the pid is worth nothing any more."""
    async with recovering() as server:

        @server.io.use
        def examine(socket: Socket) -> None:
            if socket.handshake.auth.get("token") != "secret":
                raise ConnectionRefused("not authorized")

        answer = await server.connect({"pid": server.ids["pid"]})
        assert answer == {"message": "not authorized"}
        server.io.emit("still here")
        assert str(await server.sessions[0].read()).startswith('42["still here"')
        ids = await server.connect({"pid": server.ids["pid"], "token": "secret"})
        assert ids["sid"] != server.ids["sid"]
