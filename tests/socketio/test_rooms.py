"""Rooms, against the plainest thing that could do the same."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from tests.socketio.doubles import Served
from txsocketio import Socket

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


@given(actions, st.lists(room, max_size=3), st.lists(room, max_size=2))
def test_rooms_are_as_the_plain_ones(
    actions: list[tuple[str, int, list[str | int]]], rooms: list[str | int], excluded: list[str | int]
) -> None:
    """Whoever joins and leaves whatever, the rooms of the sockets' own ids too, and goes."""
    served, plain = Served(), PlainRooms()
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
