"""A recorder in the place of an Engine.IO session, and a server on a clock that only the test moves."""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from txsocketio import Namespace, Server, Socket
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.request import HTTPRequest
from txsocketio.protocol.frame import TEXT
from txsocketio.types import Json

FIELDS = {b"host": b"example.com", b"origin": b"http://other.example", b"x-color": b"blue"}

#: ann is in a, bob in a and b, cid in b, dan in no room.
JOINED = {"ann": ["a"], "bob": ["a", "b"], "cid": ["b"], "dan": []}


def result_of(deferred: Deferred[Json]) -> Json:
    """What it has fired with; an exception is given, not raised."""
    results: list[Json] = []
    deferred.addBoth(results.append)
    (result,) = results or ["nothing yet"]
    return result.value if isinstance(result, Failure) else result


class RecordingSession:
    """What the Socket.IO layer asks of a session.

    Args:
        transport: over "websocket" a close is at once, over "polling" it waits until `drain` is called.
        fields: the header fields of its first request.

    Attributes:
        sent: each message as it was encoded, text as `str`, attachments as `bytes`.
        outgoing: the same, as it was handed over.
        ended: the reason with which it closed, or None.
    """

    protocol = 4
    sid = "secret"

    def __init__(self, transport: str = "websocket", fields: dict[bytes, bytes] = FIELDS) -> None:
        self.transport = transport
        self.request = HTTPRequest("GET", "/socket.io/?EIO=4&color=red", fields, ("192.0.2.7", True))
        self.on_message: Callable[[str | bytes], None]
        self.on_close: Callable[[str, str], None]
        self.on_ping: Callable[[], None] | None = None
        self.is_open = True
        self.sent: list[str | bytes] = []
        self.outgoing: list[Outgoing] = []
        self.ended: str | None = None

    def send_outgoing(self, outgoing: Outgoing) -> None:
        if self.is_open:
            self.outgoing.append(outgoing)
            self.sent += [data[1:].decode() if head == TEXT else data for head, data in outgoing.messages()]

    def close(self, reason: str = "forced close", discard: bool = False) -> None:
        self.is_open = False
        if self.transport == "websocket" or discard:
            self.drain(reason)

    def drain(self, reason: str = "forced close", description: str = "") -> None:
        """The session is over: everything has left, or the network has failed."""
        self.is_open = False
        if self.ended is None:
            self.ended = reason
            self.on_close(reason, description)

    def ping(self) -> None:
        """The client has answered the ping before, and is sent another."""
        if self.on_ping is not None:
            self.on_ping()

    def receive(self, *messages: str | bytes) -> None:
        """The client sends."""
        for message in messages:
            if self.is_open:
                self.on_message(message)

    def join(self, name: str = "/", auth: Json = None) -> str:
        """Connect to a namespace; gives the socket's id."""
        head = "" if name == "/" else name + ","
        before = len(self.sent)
        self.receive(f"0{head}{'' if auth is None else json.dumps(auth)}")
        answer = self.sent.pop(before)
        assert isinstance(answer, str), answer
        assert answer.startswith(f'0{head}{{"sid":"'), answer
        return str(json.loads(answer[1 + len(head) :])["sid"])


class Served:
    """A server without a network.

    Attributes:
        told: what the listeners of the tests have noted, in order.
    """

    def __init__(self, **options: Json) -> None:
        self.clock = Clock()
        self.io = Server(clock=self.clock, **options)
        self.told: list[Json] = []

    def session(self, transport: str = "websocket", fields: dict[bytes, bytes] = FIELDS) -> RecordingSession:
        """A client that has come and has not said anything yet."""
        session = RecordingSession(transport, fields)
        self.io.engine.on_session(session)  # type: ignore[arg-type]
        return session

    def client(
        self, name: str = "/", transport: str = "websocket", auth: Json = None
    ) -> tuple[RecordingSession, Socket]:
        """A client that is connected to a namespace."""
        session = self.session(transport)
        return session, self.io.of(name).sockets[session.join(name, auth)]

    def note(self, *what: Json) -> None:
        """Listen to something: what it tells is noted."""
        self.told.append(what)

    def note_ends(self, namespace: Namespace) -> None:
        """Note the reasons with which the sockets of a namespace go."""

        @namespace.on("connection")
        def connected(socket: Socket) -> None:
            socket.on("disconnect", lambda reason: self.note(namespace.name, str(reason)))


class People:
    """Four clients of "/", and one of another namespace who is in the same rooms."""

    def __init__(self, served: Served) -> None:
        self.io = served.io
        self.sessions: dict[str, RecordingSession] = {}
        self.sockets: dict[str, Socket] = {}
        for name, rooms in JOINED.items():
            self.sessions[name], self.sockets[name] = served.client()
            self.sockets[name].join(rooms)
        self.sessions["eve"], eve = served.client("/elsewhere")
        eve.join(["a", "b"])

    def got(self) -> str:
        """The names of those who got anything since the last time; twice if they got it twice."""
        names = [name for name, session in self.sessions.items() for message in session.sent if "hi" in str(message)]
        for session in self.sessions.values():
            session.sent.clear()
        return " ".join(names)
