"""Who is in which room of a namespace, both ways.

        members   "lobby" -> {socket, socket}        joined   socket -> {"lobby", "game"}

The room that bears a socket's own id is everybody's, so nothing is stored for it: it is looked up among the connected
sockets. That saves 0.6 KiB for each client (`sys.getsizeof` of two sets and their entries, CPython 3.11). It becomes a
stored room when its owner leaves it or somebody else joins it.

What a socket joins before it is connected counts from then on: a client that is still to be accepted gets no broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txsocketio.socketio.socket import Socket


#: What has happened to a room: its name, that of the room and, when somebody joins or leaves, the socket's id.
RoomEvent = tuple[str, ...]


class Rooms:
    """The rooms of one namespace.

    Args:
        sockets: the connected sockets of the namespace by id, kept by their owner.

    Attributes:
        watch: told what has happened to a room, when somebody wants to know.
    """

    def __init__(self, sockets: Mapping[str, Socket]) -> None:
        self.watch: Callable[[list[RoomEvent]], None] | None = None
        self._untold: list[RoomEvent] = []
        self._sockets = sockets
        self._members: dict[str, set[Socket]] = {}
        self._joined: dict[Socket, set[str]] = {}

    def join(self, socket: Socket, rooms: Iterable[str]) -> None:
        """Add the socket to the rooms."""
        for room in rooms:
            if room == socket.id and room not in self._members:
                continue
            self._joined.setdefault(socket, set()).add(room)
            if socket.connected:
                self._add(socket, room)
        self._tell()

    def leave(self, socket: Socket, rooms: Iterable[str]) -> None:
        """Remove the socket from those of the rooms that it is in."""
        for room in rooms:
            if room == socket.id:
                self._stored(room)
            self._joined.get(socket, set()).discard(room)
            self._drop(socket, room)
        self._tell()

    def enter(self, socket: Socket) -> None:
        """Make what the socket joined before it was connected count, and the room of its own id."""
        for room in self._joined.get(socket, ()):
            self._add(socket, room)
        if socket.id in self._members:
            self._add(socket, socket.id)
        elif self.watch is not None:
            self._untold += ("create_room", socket.id), ("join_room", socket.id, socket.id)
        self._tell()

    def leave_all(self, socket: Socket, was_connected: bool) -> None:
        """Forget a socket that is connected no longer, or has never been."""
        is_stored = socket.id in self._members
        for room in self._joined.pop(socket, ()):
            self._drop(socket, room)
        if is_stored:
            self._drop(socket, socket.id)
        elif was_connected and self.watch is not None:
            self._untold += ("leave_room", socket.id, socket.id), ("delete_room", socket.id)
        self._tell()

    def of(self, socket: Socket) -> set[str]:
        """The names of the rooms that the socket is in."""
        rooms = set(self._joined.get(socket, ()))
        if socket in self.members(socket.id):
            rooms.add(socket.id)
        return rooms

    def names(self) -> set[str]:
        """The names of all rooms that somebody is in."""
        return {name for name in (*self._members, *self._sockets) if self.members(name)}

    def members(self, room: str) -> Collection[Socket]:
        """The connected sockets in the room; a live view, not to be kept."""
        members = self._members.get(room)
        if members is not None:
            return members
        owner = self._sockets.get(room)
        return () if owner is None else (owner,)

    def select(self, rooms: Collection[str], excluded: Collection[str]) -> Collection[Socket]:
        """Everybody in one of the rooms, of the namespace when there are none, but not in an excluded one. Hot path.

        The result is a copy: sending to a client can end it, and then it leaves its rooms.
        """
        if not rooms:
            found: Collection[Socket] = list(self._sockets.values())
        elif len(rooms) == 1:
            found = list(self.members(*rooms))
        else:
            found = {socket for room in rooms for socket in self.members(room)}
        if excluded:
            out = {socket for room in excluded for socket in self.members(room)}
            found = [socket for socket in found if socket not in out]
        return found

    def _stored(self, room: str) -> set[Socket]:
        """The stored members of the room, which may be the room of somebody's own id."""
        members = self._members.get(room)
        if members is None:
            members = self._members[room] = set(self.members(room))
        return members

    def _add(self, socket: Socket, room: str) -> None:
        members = self._stored(room)
        if socket not in members:
            is_new = not members
            members.add(socket)
            if self.watch is not None:
                if is_new:
                    self._untold.append(("create_room", room))
                self._untold.append(("join_room", room, socket.id))

    def _drop(self, socket: Socket, room: str) -> None:
        members = self._members.get(room, set())
        was_in = socket in members
        members.discard(socket)
        # An empty room is forgotten, unless it is empty because its owner, still there, has left it.
        if not members and room not in self._sockets:
            self._members.pop(room, None)
        if was_in and self.watch is not None:
            self._untold.append(("leave_room", room, socket.id))
            if not members:
                self._untold.append(("delete_room", room))

    def _tell(self) -> None:
        """Tell what has happened, when all of it has: who is told may change the rooms, or send the socket away."""
        if self._untold and self.watch is not None:
            events, self._untold = self._untold, []
            self.watch(events)
