"""Who may come back: two connections with one private id, and what the middlewares say."""

from __future__ import annotations

import json

import pytest

from tests.socketio.doubles import Served
from tests.socketio.recovering import RECOVERY, Client, gate, refuse
from txsocketio import ReservedEvent, Socket, UnserializableData

#: Of the fixture `served`.
OPTIONS = RECOVERY


# A client that looks alive


def test_newer_connection_takes_over(served: Served) -> None:
    """The client has come back before the server noticed that it was gone: the older connection is closed."""

    @served.io.on("connection")
    def connected(socket: Socket) -> None:
        socket.join("r")
        socket.on("disconnect", lambda reason: served.note(str(reason)))

    client = Client(served)
    served.io.emit("n", 1)
    assert client.hears() == ["connected", 1]
    old, socket = client.session, client.socket
    served.io.emit("n", 2)
    client.connect()
    assert client.hears() == ["connected", 2]
    assert (old.ended, served.told, socket.connected) == ("session taken over", [("session taken over",)], False)
    assert (client.socket.recovered, client.socket.id) == (True, socket.id)
    assert list(served.io.root.sockets.values()) == [client.socket]
    assert list(served.io.root.adapter.rooms.members("r")) == [client.socket]
    sent = len(old.sent)
    served.io.to("r").emit("n", 3)
    assert (client.hears(), len(old.sent)) == ([3], sent)


def test_whatever_is_said_at_the_end_of_the_older_one_is_missed_too(served: Served, client: Client) -> None:
    socket = client.socket
    socket.on("disconnecting", lambda reason: socket.emit("n", 1))
    socket.on("disconnect", lambda reason: served.io.emit("n", 2))
    client.connect()
    assert client.hears() == ["connected", 1, 2]


def test_other_namespaces_follow(served: Served, client: Client) -> None:
    """The connection that is closed was theirs too; the client asks for them on its new one."""
    served.io.of("/chat").on("connection", lambda socket: socket.join("r"))
    old = client.session
    old.receive("0/chat,")
    ids = json.loads(str(old.sent[-1]).removeprefix("0/chat,"))
    client.connect()
    served.io.of("/chat").to("r").emit("n", 1)
    client.session.receive(f'0/chat,{{"pid":"{ids["pid"]}"}}')
    assert client.session.sent[1:] == [f"0/chat,{json.dumps(ids, separators=(',', ':'))}", '2/chat,["n",1,"1"]']


def test_two_at_once_are_one(served: Served, client: Client) -> None:
    """Whoever shows the pid last is the client, however often."""
    before = client.id
    sessions = []
    for _ in range(3):
        client.connect()
        client.packets()
        sessions.append(client.session)
    assert [session.ended for session in sessions] == ["session taken over", "session taken over", None]
    assert list(served.io.root.sockets) == [before]


def test_newer_one_is_not_taken_over_by_an_older_one_that_waits(served: Served, client: Client) -> None:
    """The middlewares of the first return took longer than those of the second."""
    gates = gate(served)
    client.connect()
    first = client.session
    client.connect()
    gates[1].callback(None)
    assert client.packets() == ["connected"]
    gates[0].callback(None)
    assert (first.ended, first.sent) == ("forced close", [])
    assert client.session.is_open
    assert client.socket.session is client.session  # type: ignore[comparison-overlap]


def test_rooms_that_change_while_the_newer_one_waits(served: Served, client: Client) -> None:
    """The older one is alive until the middlewares have let the newer one in."""
    socket = client.socket
    socket.join(["a", "b"])
    gates = gate(served)
    client.connect()
    socket.leave("a")
    socket.join("c")
    socket.data["late"] = 1
    gates[0].callback(None)
    assert client.packets() == ["connected"]
    assert (client.rooms, client.socket.data) == ({"b", "c"}, {"late": 1})


@pytest.mark.parametrize("end", ["disconnect", "end the newer one"])
def test_session_that_ends_while_the_newer_one_waits(served: Served, client: Client, end: str) -> None:
    """It is too late then: the client has to come again, and is a new one, or a recovered one."""
    before, socket = client.id, client.socket
    gates = gate(served)
    client.connect()
    newer = client.session
    if end == "disconnect":
        socket.disconnect()
    else:
        socket.on("disconnect", lambda reason: newer.drain("transport close"))
    gates[0].callback(None)
    assert (newer.is_open, newer.sent) == (False, [])
    client.connect()
    gates[1].callback(None)
    assert client.packets() == ["connected"]
    assert (client.id == before) == (end != "disconnect")


# Middlewares


def test_middlewares_run_on_recovery(served: Served, client: Client) -> None:
    """They see who it is that comes back."""
    before, socket = client.id, client.socket
    socket.join("r")
    socket.data["name"] = "Ada"

    @served.io.use
    async def examine(socket: Socket) -> None:
        served.note(socket.recovered, socket.id, socket.data, socket.rooms)

    client.lose()
    client.connect()
    assert served.told == [(True, before, {"name": "Ada"}, {"r"})]
    assert client.packets() == ["connected"]


def test_middlewares_can_be_skipped() -> None:
    """For those who come back, and only for them."""
    served = Served(connection_state_recovery={"skip_middlewares": True})
    served.io.use(lambda socket: served.note(socket.recovered))
    client = Client(served)
    client.packets()
    client.lose()
    client.connect()
    client.packets()
    client.lose()
    client.connect(offset="odd")
    assert served.told == [(False,), (False,)]


def test_refused_client_is_not_restored_and_cannot_try_again(served: Served, client: Client) -> None:
    """Whoever has the pid, but not what the middleware wants, has one try."""
    served.io.on("session_expired", lambda session: served.note("expired", session.id))
    before = client.id
    client.lose()
    served.io.emit("n", 1)
    served.io.use(refuse)
    client.connect()
    assert client.packets() == ["refused"]
    assert served.told == [("expired", before)]
    assert not served.io.root.sockets
    client.connect(token="secret")
    assert client.packets() == ["connected"]
    assert (client.id == before, client.socket.recovered) == (False, False)


def test_refused_client_does_no_harm_to_the_one_that_is_there(served: Served, client: Client) -> None:
    """It goes on; it cannot come back with a pid that others know."""
    served.io.use(refuse)
    socket, owner = client.socket, client.session
    client.connect()
    assert client.packets() == ["refused"]
    assert (owner.is_open, list(served.io.root.sockets.values()), socket.rooms) == (True, [socket], {socket.id})
    socket.emit("n", 1)
    assert owner.sent[-1] == '2["n",1,"0"]'
    owner.drain()
    client.connect(token="secret")
    client.packets()
    assert not client.socket.recovered


def test_cut_while_the_middlewares_run(served: Served, client: Client) -> None:
    """The session stays, for the next try."""
    before = client.id
    client.socket.join("r")
    gates = gate(served)
    client.lose()
    served.io.emit("n", 1)
    for _ in range(3):
        client.connect()
        client.lose()
    client.connect()
    gates[-1].callback(None)
    assert client.hears() == ["connected", 1]
    assert (client.id, client.rooms) == (before, {"r"})


def test_middleware_may_take_rooms_away(served: Served, client: Client) -> None:
    """Then what was sent to them is not for the client; nor what was sent to a room that it enters only now."""
    client.socket.join(["a", "b"])
    client.lose()
    for room in ("a", "b", "c"):
        served.io.to(room).emit("n", room)

    @served.io.use
    def revoke(socket: Socket) -> None:
        socket.leave("a")
        socket.join("c")

    client.connect()
    assert client.hears() == ["connected", "b"]
    assert client.rooms == {"b", "c"}


def test_what_a_middleware_sends_is_not_lost(served: Served) -> None:
    """It comes behind the CONNECT packet, is kept like any event, and is not sent to a client that is refused."""

    @served.io.use
    def greet(socket: Socket) -> None:
        socket.emit("n", "hello")
        socket.volatile.emit("n", "volatile")
        for event, argument, error in (("connect", 1, ReservedEvent), ("n", object(), UnserializableData)):
            with pytest.raises(error):
                socket.emit(event, argument)
        served.io.to(socket.id).emit("n", "nobody yet")

    client = Client(served)
    assert client.hears() == ["connected", "hello"]
    client.lose()
    served.io.emit("n", 1)
    client.connect()
    assert client.hears() == ["connected", 1, "nobody yet", "hello"]
    served.io.use(refuse)
    client = Client(served)
    assert client.packets() == ["refused"]


def test_what_a_middleware_sent_survives_a_cut(served: Served) -> None:
    served.io.use(lambda socket: None if socket.recovered else socket.emit("n", "hello"))
    client = Client(served)
    client._understand(str(client.session.sent[0]))
    client.lose()
    client.connect()
    assert client.hears() == ["connected", "hello"]
