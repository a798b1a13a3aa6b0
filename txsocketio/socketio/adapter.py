"""Who gets a packet, and giving it to those who are here.

A namespace has one adapter. This one knows the sockets of this process and nothing else. One that reaches other
processes extends it. Each method that works on sockets says which by rooms and excluded rooms, and does what is to be
done here: an extension tells the others, and calls it also when it is told by them. What others could answer comes in
a Deferred.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import Deferred, gatherResults, succeed

from txsocketio.engineio.outgoing import Outgoing
from txsocketio.errors import OptionError
from txsocketio.protocol.packet import EVENT
from txsocketio.socketio.acks import Answers, Waiting
from txsocketio.socketio.broadcast import DEFAULTS, Flags
from txsocketio.socketio.handlers import call_all
from txsocketio.socketio.listening import Listeners, Listening
from txsocketio.socketio.rooms import RoomEvent, Rooms
from txsocketio.socketio.socket import Socket
from txsocketio.types import Handler, Json

if TYPE_CHECKING:
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.remote import RemoteSocket

#: Names of rooms. An event goes to the members of all of them, or to the whole namespace when there are none.
Names = tuple[str, ...]


#: What happens to rooms: with the name of the room, and of who joins or leaves the id too.
ROOM_EVENTS = ("create_room", "join_room", "leave_room", "delete_room")


class Adapter(Listening):
    """Decides who gets the packets of one namespace.

    Its events are those of rooms: "create_room" and "delete_room" with the name of the room; "join_room" and
    "leave_room" with the name of the room and the id of the socket. Each comes once, after it has happened here.

    Attributes:
        namespace: whose packets.
        rooms: who is in which room, in this process.
        socket_class: of the namespace's sockets.
        is_overheard: whether somebody has ever listened to what is sent to a socket.
    """

    socket_class: ClassVar[type[Socket]] = Socket

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.handlers: Listeners = {}
        self.rooms = Rooms(namespace.sockets)
        self.is_overheard = False
        self._untold: deque[RoomEvent] = deque()

    def _add(self, event: str, handler: Handler) -> None:
        if event not in ROOM_EVENTS:
            raise OptionError(f"an adapter has no event {event!r}; there are {', '.join(ROOM_EVENTS)}")
        super()._add(event, handler)
        self.rooms.watch = self._tell

    def _tell(self, events: list[RoomEvent]) -> None:
        """Call those who listen. What they do to rooms is told after what has happened before."""
        is_telling = bool(self._untold)
        self._untold.extend(events)
        while self._untold and not is_telling:
            event, *arguments = self._untold[0]
            call_all(self.handlers.get(event, ()), event, arguments)
            self._untold.popleft()

    def start(self) -> Deferred[None]:
        """Fires when packets can be exchanged with everybody."""
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """Fires when everything has been let go."""
        return succeed(None)

    def is_needed(self) -> bool:
        """Whether it keeps something for clients that are away, although nobody is here."""
        return False

    def broadcast(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        """Send an event, its name first, to the members of the rooms that are in none of the excluded ones.

        Returns:
            Fires when the event is on its way to everybody; it can fail for the clients of other processes only.
        """
        outgoing = self._encode(event, None, flags)
        if self.is_overheard:
            self.overhear(event, self.rooms.select(rooms, excluded))
        self.deliver(outgoing, rooms, excluded)
        return succeed(None)

    def call(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[list[Json]]:
        """Send an event that every recipient is to acknowledge; fires with their answers."""
        namespace = self.namespace
        id = namespace.next_ack_id()
        outgoing = self._encode(event, id, flags)
        recipients = self.rooms.select(rooms, excluded)
        if self.is_overheard:
            self.overhear(event, recipients)

        def forget() -> None:
            for socket in recipients:
                socket.forget_ack(id)

        timeout = namespace.options.ack_timeout if flags.timeout is None else flags.timeout
        answers = Answers(timeout, namespace.clock, forget)
        answers.expect(len(recipients))
        self.ask(outgoing, id, recipients, answers)
        return answers.deferred

    def ask(self, outgoing: Outgoing, id: int, recipients: Collection[Socket], waiting: Waiting) -> None:
        """Send what is encoded, and have `waiting` told what each recipient answers."""
        for socket in recipients:
            socket.expect_ack(id, waiting)
        for socket in recipients:
            socket.session.send_outgoing(outgoing)

    def deliver(self, outgoing: Outgoing, rooms: Names, excluded: Names) -> None:
        """Send what is encoded to those recipients that are here. Hot path."""
        for socket in self.rooms.select(rooms, excluded):
            socket.session.send_outgoing(outgoing)

    # --- what is done to sockets ---

    def server_count(self) -> Deferred[int]:
        """Fires with how many servers there are, this one included."""
        return succeed(1)

    def fetch_sockets(self, rooms: Names, excluded: Names, flags: Flags) -> Deferred[list[Socket | RemoteSocket]]:
        """Fires with the sockets in the rooms that are in none of the excluded ones: of other processes, a copy."""
        return succeed([*self.rooms.select(rooms, excluded)])

    def sockets_join(self, joined: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        """Have them join rooms; fires when that is on its way to everybody."""
        for socket in self.rooms.select(rooms, excluded):
            socket.join(joined)
        return succeed(None)

    def sockets_leave(self, left: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        """Have them leave rooms; fires when that is on its way to everybody."""
        for socket in self.rooms.select(rooms, excluded):
            socket.leave(left)
        return succeed(None)

    def disconnect_sockets(self, close: bool, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        """Send them away; fires when that is on its way to everybody."""
        for socket in self.rooms.select(rooms, excluded):
            socket.disconnect(close)
        return succeed(None)

    # --- other servers ---

    def server_side_emit(self, event: list[Json]) -> Deferred[None]:
        """Tell the namespaces of this name on other servers of an event; fires when it is on its way to them."""
        self._encode(event, None, DEFAULTS)  # raises if it cannot be sent
        return succeed(None)

    def server_side_call(self, event: list[Json]) -> Deferred[list[Json]]:
        """As `server_side_emit`; fires with the answer of each of them."""
        self._encode(event, None, DEFAULTS)  # raises if it cannot be sent
        return succeed([])

    # --- what these have in common ---

    def overhear(self, event: list[Json], recipients: Iterable[Socket]) -> None:
        """Tell those who listen to what is sent."""
        for socket in recipients:
            call_all(socket.catch_all_outgoing, event[0], event)

    def _encode(self, event: list[Json], id: int | None, flags: Flags) -> Outgoing:
        text, attachments = self.namespace.encode(EVENT, self.namespace.name, id, event)
        return Outgoing(text, attachments, flags.compress, flags.volatile)


def all_of(deferreds: Iterable[Deferred[Json]]) -> Deferred[None]:
    """Fires when all of them have, or fails with the first error of one."""
    gathered = gatherResults(list(deferreds), consumeErrors=True)
    return gathered.addCallbacks(lambda _: None, lambda failure: failure.value.subFailure)
