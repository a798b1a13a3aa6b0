"""What is done to many sockets, wherever they are; and to other servers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from tests.conftest import LoggedErrors
from tests.socketio.doubles import People, RecordingSession, Served, result_of
from tests.socketio.linked import linked
from txsocketio import AckTimeout, Broadcast, Disconnected, ReservedEvent, Server, Socket, UnserializableData
from txsocketio.errors import UnsupportedCall
from txsocketio.socketio.handshake import Handshake
from txsocketio.socketio.remote import RemoteSocket
from txsocketio.types import Json

WHOM: dict[str, tuple[Callable[[Server, Socket], Broadcast], str]] = {
    "io": (lambda io, ann: io, "ann bob cid dan"),
    "io.to": (lambda io, ann: io.to("a"), "ann bob"),
    "io.to.except_": (lambda io, ann: io.to("a").to("b").except_(ann.id), "bob cid"),
    "io.local": (lambda io, ann: io.local, "ann bob cid dan"),
    "io.of": (lambda io, ann: io.of("/elsewhere").to("a"), "eve"),
    "socket.to": (lambda io, ann: ann.to("a"), "bob"),
    "socket.broadcast": (lambda io, ann: ann.broadcast, "bob cid dan"),
}


@pytest.fixture(params=WHOM)
def whom(request: pytest.FixtureRequest, people: People) -> tuple[Broadcast, str]:
    """Some people, and their names."""
    broadcast, names = WHOM[request.param]
    return broadcast(people.io, people.sockets["ann"]), names


def everybody(people: People) -> dict[str, Socket]:
    (eve,) = people.io.of("/elsewhere").sockets.values()
    return {**people.sockets, "eve": eve}


# One server


def test_fetched_sockets_are_those_that_are_here(people: People, whom: tuple[Broadcast, str]) -> None:
    """A11.4: themselves, not copies."""
    broadcast, names = whom
    fetched = result_of(broadcast.fetch_sockets())
    assert {socket.id for socket in fetched} == {everybody(people)[name].id for name in names.split()}
    assert all(isinstance(socket, Socket) for socket in fetched)


def test_sockets_join_and_leave(people: People, whom: tuple[Broadcast, str]) -> None:
    """A11.5."""
    broadcast, names = whom
    assert result_of(broadcast.sockets_join("new")) is None
    assert result_of(broadcast.sockets_join(["c", "d"])) is None
    joined = [name for name, socket in everybody(people).items() if socket.rooms >= {"new", "c", "d"}]
    assert sorted(joined) == names.split()
    assert result_of(broadcast.sockets_leave(["c", "new", "never joined"])) is None
    assert not any(socket.rooms & {"new", "c"} for socket in everybody(people).values())


@pytest.mark.parametrize("close", [False, True])
def test_sockets_are_disconnected(people: People, whom: tuple[Broadcast, str], close: bool) -> None:
    """A11.5, A12.2: from the namespace, or altogether."""
    (broadcast, names), sockets = whom, everybody(people)
    assert result_of(broadcast.disconnect_sockets(close)) is None
    gone = [name for name, socket in sockets.items() if not socket.connected]
    assert sorted(gone) == names.split()
    for name, session in people.sessions.items():
        assert session.is_open == (name not in gone or not close)
        assert session.sent == ([] if name not in gone else ["1/elsewhere," if name == "eve" else "1"])


def test_names_may_come_from_anywhere(people: People) -> None:
    """An iterator can be gone through once only."""
    people.io.sockets_join(name for name in ("c", "d"))
    assert all(socket.rooms >= {"c", "d"} for socket in people.sockets.values())


def test_server_alone_has_nobody_to_tell(served: Served) -> None:
    """A11.6: it does not hear itself."""
    for where in (served.io, served.io.of("/chat")):
        where.on("hi", served.note)
        assert result_of(where.server_side_emit("hi", 1)) is None
        assert result_of(where.server_side_call("hi", 1)) == []
    assert result_of(served.io.root.adapter.server_count()) == 1
    assert not served.told


@pytest.mark.parametrize("event", ["connect", "connection", "new_namespace", "session_expired"])
def test_events_of_the_namespace_itself_are_reserved(served: Served, event: str) -> None:
    """A11.6."""
    for tell in (served.io.server_side_emit, served.io.server_side_call):
        with pytest.raises(ReservedEvent):
            tell(event)


def test_what_has_no_form_is_refused_although_nobody_is_told(served: Served) -> None:
    """The program is wrong, and not only when another server joins."""
    for tell in (served.io.server_side_emit, served.io.server_side_call):
        with pytest.raises(UnserializableData):
            tell("hi", object())


def test_parent_does_to_all_children(served: Served) -> None:
    """What gives an answer would lack those of children that are on other servers only (A8.4)."""
    rooms = served.io.of(re.compile(r"/room-\d"))
    sessions = [served.session(), served.session()]
    sockets = [
        served.io.of(name).sockets[session.join(name)]
        for session, name in zip(sessions, ("/room-1", "/room-2"), strict=True)
    ]
    rooms.sockets_join(["a", "b"])
    rooms.to("b").sockets_leave("a")
    assert [socket.rooms for socket in sockets] == [{socket.id, "b"} for socket in sockets]
    assert result_of(rooms.in_("b").disconnect_sockets(close=True)) is None
    assert [session.ended for session in sessions] == ["forced close"] * 2
    with pytest.raises(UnsupportedCall, match=r"fetch_sockets\(\) is not supported"):
        rooms.fetch_sockets()


def test_parent_ends_children_on_the_way() -> None:
    served = Served(cleanup_empty_child_namespaces=True)
    rooms = served.io.of(re.compile(r"/room-\d"))
    for name in ("/room-1", "/room-2"):
        served.session().join(name)
    assert result_of(rooms.disconnect_sockets()) is None
    assert not rooms.children


# Another server


@pytest.fixture
def cluster() -> tuple[Served, Served]:
    """This server, and another."""
    return linked()


@pytest.fixture
def ann(cluster: tuple[Served, Served]) -> tuple[RecordingSession, Socket]:
    """A client of the other server."""
    session, socket = cluster[1].client(auth={"name": "ann"})
    socket.join("a")
    socket.data = {"color": "red"}
    return session, socket


@pytest.fixture
def remote(cluster: tuple[Served, Served], ann: tuple[RecordingSession, Socket]) -> RemoteSocket:
    """The client, seen from here."""
    (socket,) = result_of(cluster[0].io.in_("a").fetch_sockets())
    assert isinstance(socket, RemoteSocket)
    return socket


def test_remote_socket_tells_about_the_client(remote: RemoteSocket, ann: tuple[RecordingSession, Socket]) -> None:
    """A11.4: the same as the socket itself."""
    _, socket = ann
    assert (remote.id, remote.rooms, remote.data) == (socket.id, socket.rooms, socket.data)
    for name in ("headers", "query", "url", "address", "secure", "xdomain", "auth", "issued", "time"):
        assert getattr(remote.handshake, name) == getattr(socket.handshake, name)
    assert remote.handshake.headers["X-Color"] == "blue"
    assert isinstance(remote.handshake, Handshake)
    assert repr(remote) == f"<RemoteSocket {socket.id} in />"


def test_remote_socket_is_a_copy(remote: RemoteSocket, ann: tuple[RecordingSession, Socket]) -> None:
    _, socket = ann
    socket.join("late")
    remote.data["color"] = "green"
    assert "late" not in remote.rooms
    assert socket.data == {"color": "red"}


def test_remote_socket_is_sent_to(
    cluster: tuple[Served, Served], remote: RemoteSocket, ann: tuple[RecordingSession, Socket]
) -> None:
    """Once, and nobody else."""
    others = [served.client()[0] for served in cluster]
    assert result_of(remote.emit("hi", 1)) is None
    remote.send("text")
    assert ann[0].sent == ['2["hi",1]', '2["message","text"]']
    assert [session.sent for session in others] == [[], []]


def test_remote_socket_answers(remote: RemoteSocket, ann: tuple[RecordingSession, Socket]) -> None:
    """A10.5: with one value, the first, as from a socket here."""
    session, _ = ann
    asked = remote.call("who?")
    session.receive('30["ann","smith"]')
    assert result_of(asked) == "ann"


def test_remote_socket_does_not_answer(
    cluster: tuple[Served, Served], remote: RemoteSocket, ann: tuple[RecordingSession, Socket]
) -> None:
    asked = remote.timeout(2).call("who?")
    cluster[0].clock.advance(2)
    assert isinstance(result_of(asked), AckTimeout)
    gone = remote.call("who?")
    ann[1].disconnect()
    assert isinstance(result_of(gone), Disconnected)
    assert isinstance(result_of(remote.call("who?")), Disconnected)


def test_remote_socket_is_moved_and_sent_away(remote: RemoteSocket, ann: tuple[RecordingSession, Socket]) -> None:
    session, socket = ann
    remote.join(["b", "c"])
    assert socket.rooms == {socket.id, "a", "b", "c"}
    assert result_of(remote.leave("a")) is None
    assert socket.rooms == {socket.id, "b", "c"}
    remote.disconnect()
    assert session.sent == ["1"]
    session.join()
    assert result_of(remote.disconnect(close=True)) is None
    assert session.is_open


def test_local_means_here(cluster: tuple[Served, Served], ann: tuple[RecordingSession, Socket]) -> None:
    here, _ = cluster
    _, mine = here.client()
    assert result_of(here.io.local.fetch_sockets()) == [mine]
    here.io.local.sockets_join("b")
    here.io.local.disconnect_sockets()
    assert (ann[1].rooms, ann[1].connected, mine.connected) == ({ann[1].id, "a"}, True, False)


def test_remote_sockets_are_collected_with_those_here(cluster: tuple[Served, Served]) -> None:
    here, there = cluster
    mine, theirs = here.client()[1], there.client()[1]
    fetched = result_of(here.io.fetch_sockets())
    assert (fetched[0], fetched[1].id) == (mine, theirs.id)
    here.io.to([mine.id, theirs.id]).sockets_join("both")
    assert "both" in mine.rooms & theirs.rooms
    assert result_of(here.io.root.adapter.server_count()) == 2


# Other servers


def test_servers_tell_one_another(cluster: tuple[Served, Served]) -> None:
    """A11.6: in one namespace, and not the one who tells."""
    here, there = cluster
    for served in cluster:
        served.io.on("hi", partial_note(served, "/"))
        served.io.of("/chat").on("hi", partial_note(served, "/chat"))
    assert result_of(here.io.server_side_emit("hi", 1, {"a": 2})) is None
    there.io.of("/chat").server_side_emit("hi")
    assert here.told == [("/chat",)]
    assert there.told == [("/", 1, {"a": 2})]


def partial_note(served: Served, *first: Json) -> Callable[..., None]:
    return lambda *arguments: served.note(*first, *arguments)


async def answers(name: str) -> str:
    return f"hi {name}"


@pytest.mark.parametrize("handler", [lambda name: f"hi {name}", answers], ids=["def", "async def"])
def test_servers_answer(cluster: tuple[Served, Served], handler: Callable[[str], Json]) -> None:
    here, there = cluster
    there.io.on("greet", handler)
    assert result_of(here.io.server_side_call("greet", "ann")) == ["hi ann"]


def test_server_answers_when_it_can(cluster: tuple[Served, Served]) -> None:
    here, there = cluster
    answer: Deferred[int] = Deferred()
    there.io.on("greet", lambda: None)
    there.io.once("greet", lambda: answer)
    asked = here.io.server_side_call("greet")
    assert not asked.called
    answer.callback(42)
    assert result_of(asked) == [42]


def test_server_where_nobody_listens_answers_none(cluster: tuple[Served, Served]) -> None:
    """In the reference it does not answer, so that the others wait in vain."""
    here, _ = cluster
    assert result_of(here.io.server_side_call("greet")) == [None]


def test_handler_that_fails_answers_nothing(cluster: tuple[Served, Served], logged_errors: LoggedErrors) -> None:
    here, there = cluster
    there.io.on("greet", lambda: 1 / 0)
    assert not here.io.server_side_call("greet").called
    assert logged_errors.take(ZeroDivisionError) == ["A handler of 'greet' failed"]


def test_no_server_can_tell_what_happens_here(cluster: tuple[Served, Served]) -> None:
    """Whatever arrives over a broker."""
    here, there = cluster
    there.io.on("connection", there.note)
    asked = here.io.root.adapter.server_side_call(["connection", "no socket"])
    assert result_of(asked) == [None]
    assert not there.told
