"""Connections of clients of Socket.IO 2: what is different there."""

from __future__ import annotations

import pytest
from msgpack import packb

from tests.socketio.doubles import RecordingSession, Served
from txsocketio import ConnectionRefused, Socket
from txsocketio.protocol.msgpack_codec import decode


class OldSession(RecordingSession):
    """An old client's."""

    protocol = 3


def come(served: Served) -> OldSession:
    """A client that has come and has not said anything yet."""
    session = OldSession()
    served.io.engine.on_session(session)  # type: ignore[arg-type]
    return session


def test_client_is_in_the_root_at_once(served: Served) -> None:
    served.io.on("connection", lambda socket: socket.emit("bin", b"\4\1\2"))
    session = come(served)
    assert session.sent == ["0", '51-["bin",{"_placeholder":true,"num":0}]', b"\4\1\2"]
    assert served.io.root.sockets["secret"].handshake.auth == {}


def test_query_of_a_namespace_is_its_auth(served: Served) -> None:
    served.io.of("/chat").on("connection", lambda socket: served.note(socket.id, socket.handshake.auth))
    session = come(served)
    session.receive("0/chat?token=a%20b&n=1,")
    assert session.sent == ["0", "0/chat,"]
    assert served.told == [("/chat#secret", {"token": "a b", "n": "1"})]


def test_what_stands_behind_a_connect_is_no_auth(served: Served) -> None:
    served.io.of("/chat").on("connection", lambda socket: served.note(socket.handshake.auth))
    come(served).receive('0/chat,{"token":"a"}')
    assert served.told == [({},)]


@pytest.mark.parametrize(
    ("refusal", "sent"),
    [
        (ConnectionRefused("nope"), '"nope"'),
        (ConnectionRefused("nope", data={"a": 1}), '{"a":1}'),
        (ConnectionRefused("nope", data=0), "0"),
    ],
)
def test_what_a_middleware_says_stands_alone(served: Served, refusal: Exception, sent: str) -> None:
    def middleware(socket: Socket) -> None:
        raise refusal

    served.io.use(middleware)
    served.io.of("/chat").use(middleware)
    session = come(served)
    session.receive("0/chat,")
    assert session.sent == ["4" + sent, "4/chat," + sent]
    assert not served.io.root.sockets


def test_unknown_namespace_is_refused_as_ever(served: Served) -> None:
    session = come(served)
    session.receive("0/none,")
    assert session.sent == ["0", '4/none,{"message":"Invalid namespace"}']


def test_events_and_answers(served: Served) -> None:
    served.io.of("/chat").on("connection", lambda socket: socket.on("echo", lambda *values: values))
    session = come(served)
    session.receive("0/chat,", '2/chat,1["echo","a"]', '51-/chat,2["echo",{"_placeholder":true,"num":0}]', b"\1")
    assert session.sent[2:] == ['3/chat,1["a"]', '61-/chat,2[{"_placeholder":true,"num":0}]', b"\1"]


def test_query_in_other_packets_is_ignored(served: Served) -> None:
    served.io.of("/chat").on("connection", lambda socket: socket.on("echo", lambda *values: values))
    session = come(served)
    session.receive("0/chat?a=b,", '2/chat?a=b,1["echo"]')
    session.receive('51-/chat?a=b,2["echo",{"_placeholder":true,"num":0}]', b"\1")
    session.receive("1/chat?a=b,")
    assert session.sent == ["0", "0/chat,", "3/chat,1[]", '61-/chat,2[{"_placeholder":true,"num":0}]', b"\1"]
    assert not served.io.of("/chat").sockets


def test_client_may_come_back_into_a_namespace(served: Served) -> None:
    """With the same id, as the session is the same."""
    served.io.of("/chat")
    session = come(served)
    session.receive("0/chat,", "1/chat,", "0/chat,")
    assert session.sent == ["0", "0/chat,", "0/chat,"]
    assert list(served.io.of("/chat").sockets) == ["/chat#secret"]


def test_joining_the_root_twice_is_an_error(served: Served) -> None:
    session = come(served)
    session.receive("0")
    assert session.ended is not None


def test_handler_may_end_the_connection_at_once(served: Served) -> None:
    served.io.on("connection", lambda socket: socket.disconnect(close=True))
    session = come(served)
    assert session.sent == ["0", "1"] and session.ended == "forced close"
    assert not served.io.root.sockets


def test_without_a_namespace_the_client_is_closed() -> None:
    """As any other, when it has left the root."""
    served = Served(connect_timeout=1.0)
    session = come(served)
    served.clock.advance(10.0)
    assert session.ended is None
    session.receive("1")
    served.clock.advance(10.0)
    assert session.ended is not None


def test_broadcast_reaches_old_and_new(served: Served) -> None:
    old = come(served)
    new, _ = served.client()
    served.io.emit("news", 1)
    assert old.sent[1:] == new.sent == ['2["news",1]']


def test_recovery_is_not_for_old_clients() -> None:
    """They could not come back, so nothing is kept for them; a broadcast has its offset, as for everybody."""
    served = Served(connection_state_recovery=True)
    session = come(served)
    (socket,) = served.io.root.sockets.values()
    socket.emit("direct", 1)
    served.io.emit("news", 1)
    assert session.sent[:2] == ["0", '2["direct",1]']
    assert str(session.sent[2]).startswith('2["news",1,"')
    assert not socket.recovered
    session.drain("transport close")
    assert not served.io.root.sockets
    assert not served.io.root.adapter.is_needed()
    again = come(served)
    again.receive("0/x?pid=a,")
    assert again.sent == ["0", '4/x,{"message":"Invalid namespace"}']


def test_another_parser() -> None:
    """Every packet has its form, also of clients whose first one nobody has asked for."""
    served = Served(parser="msgpack")
    session = come(served)
    served.io.emit("news", 1)
    packets = [decode(message) for message in session.sent if isinstance(message, bytes)]
    assert [(packet.type, packet.namespace, packet.data) for packet in packets] == [
        (0, "/", None),
        (2, "/", ["news", 1]),
    ]


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ('{"type":0,"nsp":"/chat?token=a","options":{}}', [(0, "/chat", None)]),
        (packb({"type": 5, "nsp": "/", "id": 1, "data": ["echo", b"a"]}), [(3, "/", [b"a"])]),
        (packb({"type": 6, "nsp": "/", "id": 1, "data": [b"a"]}), []),
        ('{"type":1,"nsp":"/"}', []),
    ],
)
def test_messagepack_of_old_clients(message: str | bytes, sent: list[object]) -> None:
    """Theirs has packets in JSON, and two more types."""
    served = Served(parser="msgpack")
    served.io.of("/chat")
    served.io.on("connection", lambda socket: socket.on("echo", lambda value: value))
    session = come(served)
    session.sent.clear()
    session.receive(message)
    packets = [decode(each) for each in session.sent if isinstance(each, bytes)]
    assert [(packet.type, packet.namespace, packet.data) for packet in packets] == sent
    assert session.ended is None


@pytest.mark.parametrize(
    "message",
    ["", "[]", "{}", "0", '{"type":[],"nsp":"/"}', '{"type":5,"nsp":"/","data":{}}', packb({"type": 7}), b"\xc1"],
)
def test_bad_messagepack_of_old_clients(message: str | bytes) -> None:
    session = come(Served(parser="msgpack"))
    session.receive(message)
    assert session.ended is not None
