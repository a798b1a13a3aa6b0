"""The server as a whole: namespaces, its life, and where else it is wired to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.engineio.doubles import WEBSOCKET, FakeExchange, new_request
from tests.engineio.line import connect
from tests.socketio.doubles import RecordingSession, Served, result_of
from txsocketio import Server, Socket
from txsocketio.engineio.resource import EngineResource
from txsocketio.engineio.site import EngineSite
from txsocketio.errors import InvalidNamespace, Refusal
from txsocketio.protocol.msgpack_codec import MsgpackParser, decode
from txsocketio.protocol.packet import (
    ACK,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    Decoder,
    DefaultParser,
    Packet,
)
from txsocketio.socketio.service import SocketIOService
from txsocketio.types import Json


def test_names_of_namespaces_begin_with_a_slash(served: Served) -> None:
    """A8.1: and each exists once."""
    io = served.io
    assert io.of("chat") is io.of("/chat")
    assert io.of("chat").name == "/chat"
    assert io.of("/") is io.root
    assert list(io.namespaces) == ["/", "/chat"]


@pytest.mark.parametrize("name", ["/a,b", "x" * 255, re.compile(b"/room"), 7, None], ids=repr)
def test_namespaces_that_nobody_could_join_are_refused(served: Served, name: Json) -> None:
    """A comma ends the name on the wire; a name is text; and a slash comes before it, which counts."""
    with pytest.raises(InvalidNamespace):
        served.io.of(name)
    assert list(served.io.namespaces) == ["/"]


def test_new_namespaces_are_told(served: Served) -> None:
    """Those that clients bring into being too; once each, and when they can be used."""
    io = served.io
    io.on("new_namespace", lambda namespace: served.note(namespace.name, io.of(namespace.name) is namespace))
    io.of("/chat")
    io.of("chat")
    io.of(re.compile("/room"))
    served.session().join("/room")
    assert served.told == [("/chat", True), ("/room", True)]


def test_server_stands_for_its_root(served: Served) -> None:
    io = served.io

    @io.use
    def middleware(socket: object) -> None:
        served.note("middleware")

    @io.on("connection")
    def connected(socket: object) -> None:
        served.note("connection")

    assert io.on("connect", connected) is connected
    session, socket = served.client()
    assert [what for (what,) in served.told] == ["middleware", "connection", "connection"]
    assert io.listeners("connection") == io.root.listeners("connection") == [connected]
    assert io.root.sockets == {socket.id: socket}
    io.to(socket.id).except_("muted").emit("hi")
    io.send("hi")
    assert session.sent == ['2["hi"]', '2["message","hi"]']


def test_shutting_down_tells_no_client(served: Served) -> None:
    """A12.3: so that they come back. Adapters are waited for."""
    served.note_ends(served.io.root)
    served.note_ends(served.io.of("/chat"))
    session, _ = served.client()
    session.join("/chat")
    stopped: Deferred[None] = Deferred()
    served.io.of("/chat").adapter.stop = lambda: stopped  # type: ignore[method-assign]
    closed = served.io.close()
    assert served.told == [("/", "server shutting down"), ("/chat", "server shutting down")]
    assert not session.sent
    assert not closed.called
    stopped.callback(None)
    session.drain("forced close")
    served.clock.pump([1.0] * 5)
    assert result_of(closed) is None
    assert not served.clock.getDelayedCalls()


def test_start_waits_for_the_adapters(served: Served) -> None:
    started: Deferred[None] = Deferred()
    served.io.of("/chat").adapter.start = lambda: started  # type: ignore[method-assign]
    starting = served.io.start()
    assert not starting.called
    started.callback(None)
    assert result_of(starting) is None


def test_options_are_keywords() -> None:
    """Those of the engine are among them, and all can be read."""
    io = Server(clock=Clock(), path="/chat", ping_interval=5.0, connect_timeout=1.0)
    assert (io.options.path, io.options.connect_timeout, io.options.client_path) == ("/chat", 1.0, None)
    assert io.engine.options.ping_interval == 5.0


def test_engine_is_at_hand(served: Served) -> None:
    """For what is about connections and requests, whatever namespace they are for."""
    refusals: list[Refusal] = []
    served.io.engine.on("connection_error", lambda request, refusal: refusals.append(refusal))
    served.io.engine.use(lambda request, fields: fields.append((b"X-Server", b"a")))
    connect(served.io.engine, WEBSOCKET)
    assert served.io.engine.clients_count == 1
    exchange = FakeExchange(new_request(query="EIO=4"))
    served.io.engine.handle(exchange)
    assert exchange.answer is not None and exchange.answer.fields["X-Server"] == "a"
    assert [(refusal.code, refusal.context) for refusal in refusals] == [(0, {"transport": None})]


def test_ways_to_serve(served: Served) -> None:
    assert isinstance(served.io.resource(), EngineResource)
    assert isinstance(served.io.site(), EngineSite)
    assert isinstance(served.io.service("tcp:3000"), SocketIOService)


def test_client_files_are_served_if_there_are_any(tmp_path: Path) -> None:
    """A7.2."""
    assert Server(clock=Clock()).engine.files is None
    assert Server(clock=Clock(), client_path=str(tmp_path)).engine.files is not None


def test_parts_show_themselves(served: Served) -> None:
    served.client()
    assert repr(served.io) == "<Server /socket.io, 0 clients>"
    assert repr(served.io.root) == "<Namespace /, 1 sockets>"


def message_of(session: RecordingSession) -> tuple[int, str, int | None, Json]:
    """What was sent last in MessagePack; it had no text."""
    outgoing = session.outgoing[-1]
    assert outgoing.text is None
    packet = decode(*outgoing.attachments)
    return packet.type, packet.namespace, packet.id, packet.data


def test_everything_is_said_with_the_parser_that_was_chosen() -> None:
    """Connecting, being refused, events, acknowledgements, disconnecting."""
    served = Served(parser="msgpack")
    say = MsgpackParser().encode

    @served.io.on("connection")
    def connected(socket: Socket) -> None:
        socket.on("ask", lambda *values: values)

    session = served.session()
    session.receive(*say(CONNECT, "/", None, None)[1])
    (socket,) = served.io.root.sockets.values()
    assert message_of(session) == (CONNECT, "/", None, {"sid": socket.id})
    session.receive(*say(EVENT, "/", 7, ["ask", b"x", None])[1])
    assert message_of(session) == (ACK, "/", 7, [b"x", None])
    served.io.emit("hi", {"a": b"y"})
    assert message_of(session) == (EVENT, "/", None, ["hi", {"a": b"y"}])
    session.receive(*say(CONNECT, "/nope", None, None)[1])
    assert message_of(session) == (CONNECT_ERROR, "/nope", None, {"message": "Invalid namespace"})
    socket.disconnect()
    assert message_of(session) == (DISCONNECT, "/", None, None)


def test_clients_are_recovered_with_the_parser_that_was_chosen() -> None:
    served = Served(parser="msgpack", connection_state_recovery=True)
    say = MsgpackParser().encode
    session, next_session = served.session(), served.session()
    session.receive(*say(CONNECT, "/", None, None)[1])
    served.io.emit("hi", b"x")
    ids, (*_, offset) = (decode(message).data for message in session.sent if isinstance(message, bytes))
    session.drain("transport close")
    served.io.emit("hi", b"y")
    next_session.receive(*say(CONNECT, "/", None, {"pid": ids["pid"], "offset": offset})[1])
    packets = [decode(message).data for message in next_session.sent if isinstance(message, bytes)]
    assert packets == [ids, ["hi", b"y", str(int(offset) + 1)]]


def test_messages_of_the_default_encoding_are_refused_by_another_parser() -> None:
    """However well the socket could understand them."""
    served = Served(parser="msgpack")
    served.note_ends(served.io.root)
    session = served.session()
    session.receive(*MsgpackParser().encode(CONNECT, "/", None, None)[1])
    (socket,) = served.io.root.sockets.values()
    socket.on("hi", lambda: served.note("hi"))
    session.receive('2["hi"]')
    assert served.told == [("/", "forced close")]


class Quoting(DefaultParser):
    """Puts an event of one's own before every event."""

    def decoder(self) -> Decoder:
        return QuotingDecoder()


class QuotingDecoder(Decoder):
    def add(self, message: str | bytes) -> Packet | None:
        packet = super().add(message)
        if packet is not None and packet.type == EVENT:
            packet.data.insert(1, "quoted")
        return packet


def test_a_parser_that_extends_the_default_one_is_asked_for_everything() -> None:
    """Also for what could be read without it."""
    served = Served(parser=Quoting())
    session, socket = served.client()
    socket.on("hi", served.note)
    session.receive('2["hi",1]', '51-["hi",{"_placeholder":true,"num":0}]', b"x", '2["hi"]')
    assert served.told == [("quoted", 1), ("quoted", b"x"), ("quoted",)]
