"""A connection: what each packet does where the client stands, limits, time, and the end."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from tests.conftest import LoggedErrors
from tests.socketio.doubles import RecordingSession, Served
from txsocketio import Socket
from txsocketio.protocol.packet import Packet
from txsocketio.types import Json

#: What a client can send about a namespace: each a list of messages.
INPUTS = {
    "CONNECT": ["0{at}"],
    "EVENT": ['2{at}["hi",1]'],
    "EVENT with id": ['2{at}7["hi",1]'],
    "ACK": ["3{at}0[1]"],
    "DISCONNECT": ["1{at}"],
    "CONNECT_ERROR": ['4{at}{{"message":"no"}}'],
    "BINARY_EVENT": ['51-{at}["hi",{{"_placeholder":true,"num":0}}]', b"x"],
    "BINARY_ACK": ['61-{at}0[{{"_placeholder":true,"num":0}}]', b"x"],
}

#: What it does: (where the client stands, what it sends) -> what happens.
TABLE = {
    "never joined": {"CONNECT": "joins"},
    "connecting": {},
    "connected": {
        "EVENT": "delivered",
        "EVENT with id": "answered",
        "ACK": "ignored",
        "DISCONNECT": "leaves",
        "BINARY_EVENT": "delivered",
        "BINARY_ACK": "ignored",
    },
    "left": {"CONNECT": "joins"},
    "refused": {"CONNECT": "joins"},
    "sent out": {
        "CONNECT": "joins",
        "EVENT": "ignored",
        "EVENT with id": "ignored",
        "ACK": "ignored",
        "DISCONNECT": "ignored",
        "BINARY_EVENT": "ignored",
        "BINARY_ACK": "ignored",
    },
}
CASES = [
    (name, state, sent, effects.get(sent, "an error"))
    for name in ("/", "/chat")
    for state, effects in TABLE.items()
    for sent in INPUTS
]


class Standing:
    """A client brought to where it stands with a namespace; it is connected to another one beside."""

    def __init__(self, served: Served, name: str, state: str) -> None:
        self.served = served
        self.name = name
        self.head = "" if name == "/" else name + ","
        namespace = served.io.of(name)
        namespace.on("connection", self._connected)
        if state in ("connecting", "refused"):
            waiting: Deferred[None] = Deferred()
            namespace.use(lambda socket: waiting)
        served.io.of("/beside")
        self.session, _ = served.client("/beside")
        if state != "never joined":
            self.session.receive(f"0{self.head}")
        if state == "left":
            self.session.receive(f"1{self.head}")
        elif state == "refused":
            waiting.errback(ValueError())
        elif state == "sent out":
            self.socket.disconnect()
        self.session.sent.clear()
        served.told.clear()

    def _connected(self, socket: Socket) -> None:
        self.socket = socket
        socket.on("hi", self._greeted)
        socket.on("disconnect", lambda reason: self.served.note("gone", str(reason)))

    def _greeted(self, *arguments: object) -> str:
        self.served.note("hi", *arguments)
        return "hello"

    def send(self, sent: str) -> str:
        """Send one of INPUTS; tells what happened."""
        messages = [m.format(at=self.head) if isinstance(m, str) else m for m in INPUTS[sent]]
        self.session.receive(*messages)
        told, answers = self.served.told, self.session.sent
        if self.session.ended is not None:
            return "an error"
        if answers and str(answers[0]).startswith(f'0{self.head}{{"sid"'):
            return "joins"
        if told == [("gone", "client namespace disconnect")]:
            return "leaves"
        if told and told[0][0] == "hi":
            return "answered" if answers == [f'3{self.head}7["hello"]'] else "delivered"
        assert not told
        assert not answers
        return "ignored"


@pytest.mark.parametrize(("name", "state", "sent", "effect"), CASES)
def test_packet_where_the_client_stands(
    served: Served, logged_errors: LoggedErrors, name: str, state: str, sent: str, effect: str
) -> None:
    """A6.10, A6.14, A9.7: what a packet does depends on what was agreed about the namespace before."""
    standing = Standing(served, name, state)
    logged_errors.take(ValueError)
    assert standing.send(sent) == effect


# Joining


def test_connect_is_answered_with_an_id_of_its_own(served: Served) -> None:
    """A6.12: the id is public, so it is not the session's; 20 characters, as everywhere."""
    session, other = served.session(), served.session()
    session.receive("0")
    (answer,) = session.sent
    assert answer == '0{"sid":"%s"}' % (sid := json.loads(str(answer)[1:])["sid"])
    assert len(sid) == 20
    assert other.join() != sid


def test_namespaces_of_one_client_are_apart(served: Served) -> None:
    """A8.1: each has its own socket, id and events."""
    served.io.of("/chat")
    session, socket = served.client()
    chat = served.io.of("/chat").sockets[session.join("/chat", {"token": 1})]
    chat.on("hi", lambda: "chat")
    assert (chat.id != socket.id, chat.handshake.auth, socket.handshake.auth) == (True, {"token": 1}, {})
    session.receive('2/chat,1["hi"]', '22["hi"]')
    assert session.sent == ['3/chat,1["chat"]']


def test_unknown_namespace_is_refused(served: Served) -> None:
    """A6.13: the connection stays, for other namespaces."""
    session = served.session()
    session.receive("0/nope,", "0")
    assert session.sent[0] == '4/nope,{"message":"Invalid namespace"}'
    assert str(session.sent[1]).startswith('0{"sid"')


def test_name_of_a_namespace_is_limited() -> None:
    """A8.7: the reference takes 20,000 characters."""
    served = Served(max_namespace_length=8)
    served.io.of(re.compile(r"/\d+"))
    session = served.session()
    session.join("/1234567")
    session.receive("0/12345678,")
    assert session.sent == ['4/12345678,{"message":"Invalid namespace"}']


def test_number_of_namespaces_is_limited() -> None:
    """Bad input 64: those that a client has left, or was sent out of, make room for others."""
    served = Served(max_namespaces=2)
    for name in "abcd":
        served.io.of(name)
    session, first = served.client("/a")
    session.join("/b")
    session.receive("0/c,")
    assert session.sent == ['4/c,{"message":"Too many namespaces"}']
    first.disconnect()
    session.sent.clear()
    session.join("/c")
    session.receive("0/d,", "1/b,")
    assert session.sent == ['4/d,{"message":"Too many namespaces"}']
    session.sent.clear()
    session.join("/d")


@pytest.mark.parametrize("filler", ["a" * 9000, [[]] * 160], ids=["text", "empty lists"])
def test_size_of_auth_is_limited(filler: Json) -> None:
    """It is kept while the client is there: what all of it takes together counts, and not how long it was."""
    served = Served(max_auth_size=25_000)
    for name in "abc":
        served.io.of(name)
    session, first = served.client("/a", auth={"token": filler})
    session.join("/b", {"token": filler})
    session.receive("0/c," + json.dumps({"token": filler}))
    assert session.sent == ['4/c,{"message":"Too much auth"}']
    session.receive("1/b,")
    session.sent.clear()
    session.join("/c", {"token": filler})
    assert first.connected


def test_size_of_auth_counts_while_the_application_is_asked() -> None:
    """Whether there shall be such a namespace."""
    served = Served(max_auth_size=25_000)
    served.io.of(lambda name, auth: Deferred())
    session = served.session()
    for name in "abc":
        session.receive(f"0/{name}," + json.dumps({"token": "a" * 9000}))
    assert session.sent == ['4/c,{"message":"Too much auth"}']
    session.drain()


# Events


@pytest.mark.parametrize("name", ["error", "__init__", "_private", "emit", "listeners", "connection"])
def test_names_of_events_reach_nothing_but_listeners(served: Served, name: str) -> None:
    """Bad input 70: a name is looked up among what the application listens to, and nowhere else."""
    session, socket = served.client()
    session.receive(f'21["{name}"]')
    socket.on(name, lambda *arguments: arguments)
    session.receive(f'22["{name}",1,2]')
    assert session.sent == ["32[1,2]"]


def test_names_that_are_numbers_are_texts(served: Served) -> None:
    """A6.5: as in JavaScript, where they are the same."""
    session, socket = served.client()
    socket.on("12", lambda: "twelve")
    session.receive("21[12]", '22["12"]')
    assert session.sent == ['31["twelve"]', '32["twelve"]']


@pytest.mark.parametrize(
    "event",
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"],
)
@pytest.mark.parametrize("form", ['2["%s"]', '23["%s",1]', '2/chat,["%s"]'])
def test_reserved_names_end_the_connection(served: Served, form: str, event: str) -> None:
    """A6.4: and no listener for the end of the socket hears of them."""
    served.io.of("/chat")
    session, socket = served.client()
    session.join("/chat")
    socket.on("disconnecting", lambda reason: served.note("disconnecting", str(reason)))
    socket.on("disconnect", lambda reason: served.note("disconnect", str(reason)))
    session.receive(form % event)
    assert served.told == [("disconnecting", "forced close"), ("disconnect", "forced close")]


@pytest.mark.parametrize(
    "sent",
    ["", "7", "x", "2{", "2[", "2[]", "2[null]", '2[{"toString":"x"}]', "2[true]", '2["hi"', "2[[1]]", '2["hi"]x', b"",
     '21234567890123456["hi"]', "2NaN", '2["hi",NaN]', '20x1["hi"]', '2\uff11["hi"]', '2 1["hi"]', "21", "2x", b"x"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_packet_ends_the_connection(served: Served, sent: str | bytes) -> None:
    """A6.9: the reason is "forced close", over either transport; what was wrong is its description."""
    for transport in ("websocket", "polling"):
        session, socket = served.client(transport=transport)
        socket.on("hi", lambda: served.note("hi"))
        ends: list[tuple[str, str]] = []
        socket.on("disconnect", lambda reason, ends=ends: ends.append((reason, reason.description)))
        session.receive(sent)
        assert not session.is_open
        ((reason, description),) = ends
        assert reason == "forced close"
        assert description
        session.drain()
        assert len(ends) == 1
    assert not served.told


def test_deep_payload_ends_the_connection(served: Served) -> None:
    """Bad input 116: refused at the door, so that no application has to write it again."""
    session, socket = served.client()
    socket.on("echo", lambda value: served.note("echo"))
    session.receive('2["echo",' + "[" * 30_000 + "]" * 30_000 + "]")
    assert session.ended == "forced close"
    assert not served.told


def test_placeholder_without_attachments_is_data(served: Served) -> None:
    """Bad input 81."""
    session, socket = served.client()
    socket.on("hi", served.note)
    session.receive('2["hi",{"_placeholder":true,"num":0}]')
    assert served.told == [({"_placeholder": True, "num": 0},)]


# Attachments


def test_attachments_are_put_in_place(served: Served) -> None:
    """A6.2: bytes at any depth, and back again."""
    session, socket = served.client()
    socket.on("hi", lambda *arguments: arguments)
    session.receive('52-1["hi",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]', b"0", b"1")
    assert session.sent == ['62-1[{"a":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]', b"1", b"0"]


@pytest.mark.parametrize("name", ["/", "/chat"])
def test_nothing_but_attachments_may_come_between(served: Served, name: str) -> None:
    """Bad input 77: also not an event that is listened to."""
    served.io.of("/chat")
    session, socket = served.client()
    session.join("/chat")
    socket.on("hi", served.note)
    head = "" if name == "/" else name + ","
    session.receive(f'51-{head}["hi",{{"_placeholder":true,"num":0}}]', '2["hi",1]')
    assert session.ended == "forced close"
    assert not served.told


def test_events_are_heard_again_behind_attachments(served: Served) -> None:
    session, socket = served.client()
    socket.on("hi", served.note)
    session.receive('51-["hi",{"_placeholder":true,"num":0}]', b"x", '2["hi",1]')
    assert served.told == [(b"x",), (1,)]


def test_attachments_have_a_limited_time() -> None:
    """Bad input 79: the reference waits for ever."""
    served = Served(attachments_timeout=10.0)
    session, socket = served.client()
    socket.on("disconnect", lambda reason: served.note(str(reason), reason.description))
    session.receive('52-["hi",{"_placeholder":true,"num":0}]', b"x")
    served.clock.pump([1.0] * 9)
    assert session.is_open
    served.clock.pump([1.0] * 3)
    assert served.told == [("forced close", "attachments are missing")]


def test_time_for_attachments_ends_with_the_last(served: Served) -> None:
    session, _ = served.client()
    session.receive('51-["hi",{"_placeholder":true,"num":0}]', b"x")
    served.clock.pump([10.0] * 20)
    assert session.is_open


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"max_attachments": 2}, ['53-["hi"]']),
        ({"max_attachments_size": 5}, ['52-["hi"]', b"123", b"456"]),
        ({"max_http_buffer_size": 1}, ['52-["hi"]', b"123456", b"78901"]),
    ],
)
def test_attachments_are_limited(options: dict[str, int], sent: list[str | bytes]) -> None:
    """Bad input 75 and 80: their number before any arrives, their bytes together."""
    session, _ = Served(**options).client()
    session.receive(*sent[:-1])
    assert session.is_open
    session.receive(sent[-1])
    assert session.ended == "forced close"


# The time to join


def test_who_joins_nothing_is_closed() -> None:
    """A1.18: 45 seconds by default. A refusal does not begin the time anew."""
    served = Served(connect_timeout=10.0)
    session = served.session()
    served.clock.pump([1.0] * 9)
    session.receive("0/nope,")
    assert session.is_open
    served.clock.pump([1.0] * 3)
    assert session.ended == "forced close"


@pytest.mark.parametrize("leave", ["client", "server"])
def test_who_has_left_everything_is_closed(leave: str) -> None:
    """A6.11: the reference lets such a connection be."""
    served = Served(connect_timeout=10.0)
    served.io.of("/chat")
    session, socket = served.client()
    _, chat = session, served.io.of("/chat").sockets[session.join("/chat")]
    served.clock.pump([10.0] * 3)
    chat.disconnect() if leave == "server" else session.receive("1/chat,")
    served.clock.pump([10.0] * 3)
    assert session.is_open
    socket.disconnect() if leave == "server" else session.receive("1")
    served.clock.pump([1.0] * 9)
    assert session.is_open
    served.clock.pump([1.0] * 3)
    assert session.ended == "forced close"


def test_who_comes_back_in_time_stays(served: Served) -> None:
    session, _ = served.client()
    session.receive("1")
    served.clock.advance(40)
    session.join()
    served.clock.pump([10.0] * 20)
    assert session.is_open


# The end


ENDS: dict[str, Callable[[RecordingSession, Socket], object]] = {
    "leave": lambda session, socket: session.receive("1"),
    "disconnect": lambda session, socket: socket.disconnect(),
    "close": lambda session, socket: socket.disconnect(close=True),
    "silence": lambda session, socket: session.drain("ping timeout"),
    "misplaced": lambda session, socket: session.receive("0"),
    "no packet": lambda session, socket: session.receive("x"),
    "shutdown": lambda session, socket: socket.namespace.server.close(),
}


@pytest.mark.parametrize(
    ("transport", "act", "reason"),
    [
        ("websocket", "leave", "client namespace disconnect"),
        ("websocket", "disconnect", "server namespace disconnect"),
        ("websocket", "close", "server namespace disconnect"),
        ("polling", "close", "server namespace disconnect"),
        ("websocket", "silence", "ping timeout"),
        ("polling", "silence", "ping timeout"),
        ("websocket", "misplaced", "forced close"),
        ("polling", "misplaced", "forced server close"),
        ("websocket", "no packet", "forced close"),
        ("polling", "no packet", "forced close"),
        ("websocket", "shutdown", "server shutting down"),
        ("polling", "shutdown", "server shutting down"),
    ],
)
def test_reason_of_the_end(served: Served, transport: str, act: str, reason: str) -> None:
    """A12: the reasons of the reference, once each, first "disconnecting" and then "disconnect"."""
    session, socket = served.client(transport=transport)
    socket.on("disconnect", lambda why: served.note("disconnect", why, socket.connected, socket.rooms))
    socket.on("disconnecting", lambda why: served.note("disconnecting", why, socket.rooms))
    ENDS[act](session, socket)
    session.drain()
    assert served.told == [("disconnecting", reason, {socket.id}), ("disconnect", reason, False, set())]


def test_description_of_the_end(served: Served) -> None:
    """A12.1: the reason carries what more the transport tells."""
    session, socket = served.client()
    socket.on("disconnect", lambda reason: served.note(reason == "transport error", reason.description))
    session.drain("transport error", "poll connection closed prematurely")
    assert served.told == [(True, "poll connection closed prematurely")]


def test_end_of_the_connection_ends_all_its_sockets(served: Served) -> None:
    served.note_ends(served.io.root)
    served.note_ends(served.io.of("/chat"))
    session, _ = served.client()
    session.join("/chat")
    session.drain("transport close")
    assert served.told == [("/", "transport close"), ("/chat", "transport close")]


def test_closing_says_goodbye_in_every_namespace(served: Served) -> None:
    """A12.2: a DISCONNECT for each, and then the transport closes, once all has left."""
    served.io.of("/chat")
    session, socket = served.client(transport="polling")
    session.join("/chat")
    socket.emit("bye")
    socket.disconnect(close=True)
    assert session.sent == ['2["bye"]', "1", "1/chat,"]
    assert (session.is_open, session.ended) == (False, None)


def test_nothing_is_left_of_a_connection(served: Served) -> None:
    """Neither a timer nor a socket; what was received of an unfinished packet is let go too."""
    session, socket = served.client()
    session.receive('52-["hi",{"_placeholder":true,"num":0}]', b"x" * 1000)
    session.drain()
    served.clock.advance(2)
    assert not served.clock.getDelayedCalls()
    assert not served.io.root.sockets
    assert socket.connection.sockets == {}
    assert not [each for each in gc.get_objects() if isinstance(each, Packet)]


def test_session_that_never_spoke_can_end(served: Served) -> None:
    session: RecordingSession = served.session()
    session.drain("transport close")
    served.clock.advance(2)
    assert not served.clock.getDelayedCalls()
