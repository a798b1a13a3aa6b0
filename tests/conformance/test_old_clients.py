"""Whole sessions of clients of Socket.IO 2, as the Node server 4.8 with allowEIO3 has been seen to have them."""

from __future__ import annotations

import json

import pytest
from twisted.internet.task import Clock

from tests.engineio.doubles import FakeExchange, new_request
from tests.engineio.line import Line, connect, read_frames
from tests.wire import TEXT, frame
from txsocketio import ConnectionRefused, Server, Socket
from txsocketio.engineio.session import Session

POLLING, WEBSOCKET = "EIO=3&transport=polling", "EIO=3&transport=websocket"
TERMS = {"upgrades": [], "pingInterval": 300, "pingTimeout": 300, "maxPayload": 1000000}
BINARY_EVENT = ['451-["bin",{"_placeholder":true,"num":0}]', b"\4\1\2"]


class Node:
    """The application whose clients were watched.

    Attributes:
        told: what it hears.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.io = Server(clock=self.clock, allow_eio3=True, ping_interval=0.3, ping_timeout=0.3)
        self.told: list[object] = []
        self.refuses = False
        self.io.use(self._examine)
        self.io.on("connection", self._connected)
        self.io.of("/chat").use(self._examine_chatter)
        self.io.of("/chat").on("connection", lambda socket: self.told.append(socket.id))

    def _examine(self, socket: Socket) -> None:
        if self.refuses:
            raise ConnectionRefused("nope")

    def _connected(self, socket: Socket) -> None:
        self.told.append(socket.id)
        socket.emit("bin", b"\1\2")
        socket.on("disconnect", lambda reason: self.told.append(str(reason)))

    def _examine_chatter(self, socket: Socket) -> None:
        if "bad" in socket.handshake.auth:
            raise ConnectionRefused("nope", data={"a": 1})
        self.told.append(socket.handshake.auth)

    @property
    def session(self) -> Session:
        (session,) = self.io.engine.sessions.values()
        return session

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds * 100))


@pytest.fixture
def node() -> Node:
    return Node()


def say(line: Line, packet: str) -> list[str | bytes]:
    line.feed(frame(TEXT, packet.encode()))
    return read_frames(line.take())


def test_session_over_websocket(node: Node) -> None:
    line = connect(node.io.engine, WEBSOCKET)
    opened, *rest = read_frames(line.take())
    sid = node.session.sid
    assert json.loads(str(opened)[1:]) == {"sid": sid} | TERMS
    assert rest == ["40", *BINARY_EVENT]
    assert say(line, "40/chat?token=abc,") == ["40/chat,"]
    assert node.told == [sid, {"token": "abc"}, f"/chat#{sid}"]
    assert say(line, "2") == ["3"] == say(line, "2probe")
    assert say(line, '42["x"]') == []
    node.wait(0.7)
    assert read_frames(line.take()) == ["close 1005"]
    assert node.told[-1] == "ping timeout"


def test_refusals(node: Node) -> None:
    line = connect(node.io.engine, WEBSOCKET)
    line.take()
    assert say(line, "40/chat?bad=1,") == ['44/chat,{"a":1}']
    assert say(line, "40/none,") == ['44/none,{"message":"Invalid namespace"}']


def test_refusal_of_the_root(node: Node) -> None:
    node.refuses = True
    assert read_frames(connect(node.io.engine, WEBSOCKET).take())[1:] == ['44"nope"']


@pytest.mark.parametrize("query", [POLLING, "transport=polling", POLLING + "&b64=1"])
def test_session_over_polling(node: Node, query: str) -> None:
    """The answer to the handshake has the root already, as from servers of Socket.IO 2."""

    def ask(method: str = "GET", body: bytes = b"", sid: str = "") -> bytes:
        exchange = FakeExchange(new_request(method, f"{query}&sid={sid}"), body)
        node.io.engine.handle(exchange)
        return exchange.answer.body if exchange.answer else b""

    opened = ask()
    sid = node.session.sid
    terms = json.dumps({"sid": sid} | TERMS | {"upgrades": ["websocket"]}, separators=(",", ":")).encode()
    if "b64" in query:
        assert opened == b"%d:0%b2:40%d:%b6:b4AQI=" % (len(terms) + 1, terms, 41, str(BINARY_EVENT[0]).encode())
    else:
        length = bytes(map(int, str(len(terms) + 1)))
        texts = b"\0%b\xff0%b\0\2\xff40\0\4\1\xff%b" % (length, terms, str(BINARY_EVENT[0]).encode())
        assert opened == texts + b"\1\3\xff\4\1\2"
    assert ask("POST", b"18:40/chat?token=abc,", sid) == b"ok"
    assert ask(sid=sid) == b"8:40/chat,"
    assert ask("POST", b"1:2", sid) == b"ok"
    assert ask(sid=sid) == b"1:3"
    assert ask("POST", b"8:40/x", sid) == b"ok"
    assert node.told[-1] == "parse error"
    assert not node.io.engine.sessions
