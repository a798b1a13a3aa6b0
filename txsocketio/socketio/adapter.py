"""Who gets a packet, and giving it to those who are here.

A namespace has one adapter. This one knows the sockets of this process and nothing else. One that reaches other
processes extends it: it tells them of a broadcast, and leaves what is to be done here to `deliver`, written once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import Deferred, gatherResults, succeed

from txsocketio.engineio.outgoing import Outgoing
from txsocketio.protocol.packet import EVENT
from txsocketio.socketio.acks import Answers
from txsocketio.socketio.broadcast import Flags
from txsocketio.socketio.handlers import call_all
from txsocketio.socketio.rooms import Rooms
from txsocketio.socketio.socket import Socket
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.socketio.namespace import Namespace

#: Names of rooms. An event goes to the members of all of them, or to the whole namespace when there are none.
Names = tuple[str, ...]


class Adapter:
    """Decides who gets the packets of one namespace.

    Attributes:
        namespace: whose packets.
        rooms: who is in which room, in this process.
        socket_class: of the namespace's sockets.
        is_overheard: whether somebody has ever listened to what is sent to a socket.
    """

    socket_class: ClassVar[type[Socket]] = Socket

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.rooms = Rooms(namespace.sockets)
        self.is_overheard = False

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

        def forget() -> None:
            for socket in recipients:
                socket.forget_ack(id)

        timeout = namespace.options.ack_timeout if flags.timeout is None else flags.timeout
        answers = Answers(len(recipients), timeout, namespace.clock, forget)
        for socket in recipients:
            socket.expect_ack(id, answers)
        if self.is_overheard:
            self.overhear(event, recipients)
        for socket in recipients:
            socket.session.send_outgoing(outgoing)
        return answers.deferred

    def deliver(self, outgoing: Outgoing, rooms: Names, excluded: Names) -> None:
        """Send what is encoded to those recipients that are here. Hot path."""
        for socket in self.rooms.select(rooms, excluded):
            socket.session.send_outgoing(outgoing)

    def overhear(self, event: list[Json], recipients: Iterable[Socket]) -> None:
        """Tell those who listen to what is sent."""
        for socket in recipients:
            call_all(socket.catch_all_outgoing, event[0], event)

    def _encode(self, event: list[Json], id: int | None, flags: Flags) -> Outgoing:
        text, attachments = self.namespace.encode(EVENT, self.namespace.name, id, event)
        return Outgoing(text, attachments, flags.compress, flags.volatile)


def all_of(deferreds: Iterable[Deferred[Json]]) -> Deferred[None]:
    """Fires when all of them have."""
    return gatherResults(list(deferreds), consumeErrors=True).addCallback(lambda _: None)
