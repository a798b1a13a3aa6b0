"""Rooms, against the plainest thing that could do the same."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conftest import LoggedErrors
from tests.socketio.doubles import Served
from txsocketio import ConnectionRefused, OptionError, Socket
from txsocketio.socketio.adapter import ROOM_EVENTS, Adapter
from txsocketio.types import Json

CLIENTS = range(3)

#: Rooms, some of which bear the id of a client.
ROOMS = ["a", "b", 0, 1, 2]


class PlainRooms:
    """Every room is a set, those of the ids too."""

    def __init__(self) -> None:
        self.members: defaultdict[str, set[str]] = defaultdict(set)

    def of(self, id: str) -> set[str]:
        return {room for room, members in self.members.items() if id in members}

    def leave_all(self, id: str) -> None:
        for members in self.members.values():
            members.discard(id)

    def select(self, connected: set[str], rooms: list[str], excluded: list[str]) -> set[str]:
        found = set().union(*(self.members[room] for room in rooms)) if rooms else connected
        return found - set().union(*(self.members[room] for room in excluded))


class ToldRooms:
    """The rooms as they are told; each event must fit what was told before."""

    def __init__(self) -> None:
        self.members: dict[str, set[str]] = {}

    def listen_to(self, adapter: Adapter) -> None:
        for event in (self.create_room, self.join_room, self.leave_room, self.delete_room):
            adapter.on(event.__name__, event)

    def create_room(self, room: str) -> None:
        assert room not in self.members
        self.members[room] = set()

    def join_room(self, room: str, id: str) -> None:
        assert id not in self.members[room]
        self.members[room].add(id)

    def leave_room(self, room: str, id: str) -> None:
        self.members[room].remove(id)

    def delete_room(self, room: str) -> None:
        assert self.members.pop(room) == set()


room = st.sampled_from(ROOMS)
client = st.sampled_from(CLIENTS)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("join"), client, st.lists(room, max_size=3)),
        st.tuples(st.just("leave"), client, st.lists(room, max_size=3)),
        st.tuples(st.just("go"), client, st.just([])),
    ),
    max_size=20,
)


@example([("join", 1, [0]), ("join", 0, [0]), ("leave", 1, [0]), ("go", 0, [])], [], [])
@given(actions, st.lists(room, max_size=3), st.lists(room, max_size=2))
@example([("leave", 0, [0]), ("join", 0, [0]), ("go", 0, [])], [], [])  # its end was told twice
def test_rooms_are_as_the_plain_ones(
    actions: list[tuple[str, int, list[str | int]]], rooms: list[str | int], excluded: list[str | int]
) -> None:
    """Whoever joins and leaves whatever, the rooms of the sockets' own ids too, and goes."""
    served, plain, told = Served(), PlainRooms(), ToldRooms()
    told.listen_to(served.io.root.adapter)
    sockets = [served.client()[1] for _ in CLIENTS]
    for socket in sockets:
        plain.members[socket.id].add(socket.id)

    def named(rooms: list[str | int]) -> list[str]:
        return [room if isinstance(room, str) else sockets[room].id for room in rooms]

    for action, number, names in actions:
        socket = sockets[number]
        if action == "go":
            socket.disconnect()
            plain.leave_all(socket.id)
        elif action == "leave":
            socket.leave(named(names))
            for name in named(names):
                plain.members[name].discard(socket.id)
        elif socket.connected:
            socket.join(named(names))
            for name in named(names):
                plain.members[name].add(socket.id)
        assert [socket.rooms for socket in sockets] == [plain.of(socket.id) for socket in sockets]
        there_are = {name: members for name, members in plain.members.items() if members}
        assert told.members == there_are
        assert served.io.root.adapter.rooms.names() == there_are.keys()
    selected = served.io.root.adapter.rooms.select(named(rooms), named(excluded))
    ids = [socket.id for socket in selected]
    assert sorted(ids) == sorted(plain.select(set(served.io.root.sockets), named(rooms), named(excluded)))


def test_nothing_is_kept_of_who_is_gone(served: Served) -> None:
    """Neither rooms nor members, whatever they have joined and left of each other."""
    rooms = served.io.root.adapter.rooms
    before = [vars(rooms)[name].copy() for name in ("_members", "_joined")]
    sockets: list[Socket] = [served.client()[1] for _ in CLIENTS]
    for socket in sockets:
        socket.join(["a", sockets[0].id, sockets[1].id])
        socket.leave([sockets[0].id, sockets[2].id, "never joined"])
    for socket in sockets:
        socket.disconnect()
    assert [vars(rooms)[name] for name in ("_members", "_joined")] == before == [{}, {}]


def test_idle_client_costs_no_room(served: Served) -> None:
    """The room of its own id is there without being stored."""
    _, socket = served.client()
    rooms = served.io.root.adapter.rooms
    assert list(rooms.members(socket.id)) == [socket]
    assert [vars(rooms)[name] for name in ("_members", "_joined")] == [{}, {}]


# What is told


@pytest.fixture
def told(served: Served) -> list[Json]:
    """What happens to the rooms of "/", beginning with the next thing."""
    adapter = served.io.root.adapter
    for event in ROOM_EVENTS:
        adapter.on(event, partial(served.note, event))
    return served.told


def test_room_is_created_joined_left_and_deleted(served: Served, told: list[Json]) -> None:
    """A11.1: once each, in this order; the rooms of the sockets' own ids too."""
    _, ann = served.client()
    _, bob = served.client()
    ann.join(["a", "a"])
    bob.join("a")
    ann.join("a")
    ann.leave("a")
    ann.leave(["a", "never joined"])
    bob.disconnect()
    assert told == [
        ("create_room", ann.id), ("join_room", ann.id, ann.id),
        ("create_room", bob.id), ("join_room", bob.id, bob.id),
        ("create_room", "a"), ("join_room", "a", ann.id), ("join_room", "a", bob.id),
        ("leave_room", "a", ann.id),
        ("leave_room", "a", bob.id), ("delete_room", "a"), ("leave_room", bob.id, bob.id), ("delete_room", bob.id),
    ]  # fmt: skip


def test_room_of_somebody_who_comes_counts_when_he_is_there(served: Served, told: list[Json]) -> None:
    """Who is refused has never been in a room."""

    @served.io.use
    def middleware(socket: Socket) -> None:
        socket.join("a")
        if socket.handshake.auth:
            raise ConnectionRefused
        assert not told

    served.session().receive('0{"token":1}')
    assert not told
    _, ann = served.client()
    assert told == [
        ("create_room", "a"), ("join_room", "a", ann.id), ("create_room", ann.id), ("join_room", ann.id, ann.id)
    ]  # fmt: skip


def test_what_is_told_stays_in_order(served: Served, told: list[Json]) -> None:
    """Whatever those who listen do to the rooms."""
    _, ann = served.client()
    _, bob = served.client()
    told.clear()
    served.io.root.adapter.on("leave_room", lambda room, id: bob.join(room) if id == ann.id else None)
    ann.join("a")
    ann.leave("a")
    assert [each[0] for each in told] == [
        "create_room", "join_room", "leave_room", "delete_room", "create_room", "join_room"
    ]  # fmt: skip
    assert bob.rooms == {bob.id, "a"}


def test_who_is_sent_away_by_a_listener(served: Served) -> None:
    """In the middle of joining, or on the way in: nothing is kept of him."""
    adapter = served.io.root.adapter
    told = ToldRooms()
    told.listen_to(adapter)
    served.io.of("/").use(lambda socket: socket.join(["a", "b"]) if socket.handshake.auth else None)
    _, socket = served.client()
    adapter.on("join_room", lambda room, id: served.io.to(id).disconnect_sockets() if room == "a" else None)
    socket.join(["a", "b", "c"])
    served.session().receive('0{"join":1}')
    assert not told.members
    assert [vars(adapter.rooms)[name] for name in ("_members", "_joined")] == [{}, {}]


def test_listener_that_fails(served: Served, told: list[Json], logged_errors: LoggedErrors) -> None:
    adapter = served.io.root.adapter
    failing = adapter.on("create_room", lambda room: 1 / 0)
    _, socket = served.client()
    assert len(logged_errors.take(ZeroDivisionError)) == 1
    adapter.off("create_room", failing)
    adapter.once("join_room", lambda room, id: served.note("once"))
    socket.join(["a", "b"])
    assert told.count(("once",)) == 1
    assert len(told) == 7


def test_rooms_have_no_other_events(served: Served) -> None:
    """Those of the reference are written with a hyphen."""
    with pytest.raises(OptionError, match="'join-room'; there are create_room, join_room"):
        served.io.root.adapter.on("join-room", print)


def test_own_room_of_who_comes_back() -> None:
    """Somebody else may have stayed in it meanwhile."""
    served = Served(connection_state_recovery=True)
    told = ToldRooms()
    told.listen_to(served.io.root.adapter)
    session, other = served.session(), served.session()
    session.receive("0")
    welcome = json.loads(str(session.sent[0])[1:])
    bob = served.io.root.sockets[other.join()]
    bob.join(welcome["sid"])
    session.drain("transport close")
    assert told.members == {bob.id: {bob.id}, welcome["sid"]: {bob.id}}
    again = served.session()
    again.receive("0" + json.dumps({"pid": welcome["pid"]}))
    assert served.io.root.sockets[welcome["sid"]].recovered
    assert told.members == {bob.id: {bob.id}, welcome["sid"]: {bob.id, welcome["sid"]}}
    served.io.to(welcome["sid"]).emit("hi")
    assert '"hi"' in str(again.sent[-1])
    assert '"hi"' in str(other.sent[-1])
