"""Two servers whose adapters call each other: the least that a cluster must do, and a check that an adapter can."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from tests.socketio.doubles import Served
from txsocketio import Server, Socket
from txsocketio.socketio.acks import Answers
from txsocketio.socketio.adapter import Adapter, Names
from txsocketio.socketio.broadcast import Flags
from txsocketio.socketio.namespace import Namespace
from txsocketio.socketio.remote import RemoteSocket, described, description_of
from txsocketio.types import Json


class LinkedAdapter(Adapter):
    """Does at the other servers what a message of a broker would have them do; what they tell is text on the way."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(namespace)
        assert isinstance(namespace.server, LinkedServer)
        self._servers = namespace.server.servers

    def _others(self, flags: Flags) -> Iterator[Adapter]:
        if not flags.local:
            for server in self._servers:
                if server is not self.namespace.server:
                    yield server.of(self.namespace.name).adapter

    def server_count(self) -> Deferred[int]:
        return succeed(len(self._servers))

    def broadcast(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        for other in self._others(flags):
            Adapter.broadcast(other, event, rooms, excluded, flags)
        return super().broadcast(event, rooms, excluded, flags)

    def call(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[list[Json]]:
        asked: list[tuple[Adapter, int, Collection[Socket]]] = []

        def forget() -> None:
            for _, id, recipients in asked:
                for socket in recipients:
                    socket.forget_ack(id)

        answers = Answers(flags.timeout, self.namespace.clock, forget)
        for adapter in (self, *self._others(flags)):
            recipients = adapter.rooms.select(rooms, excluded)
            asked.append((adapter, adapter.namespace.next_ack_id(), recipients))
        answers.expect(sum(len(recipients) for _, _, recipients in asked))
        for adapter, id, recipients in asked:
            adapter.ask(self._encode(event, id, flags), id, recipients, answers)
        return answers.deferred

    def fetch_sockets(self, rooms: Names, excluded: Names, flags: Flags) -> Deferred[list[Socket | RemoteSocket]]:
        there = [socket for other in self._others(flags) for socket in other.rooms.select(rooms, excluded)]
        told = json.loads(json.dumps([description_of(socket) for socket in there]))
        fetched = super().fetch_sockets(rooms, excluded, flags)
        return fetched.addCallback(lambda here: [*here, *(described(self, each) for each in told)])

    def sockets_join(self, joined: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        for other in self._others(flags):
            Adapter.sockets_join(other, joined, rooms, excluded, flags)
        return super().sockets_join(joined, rooms, excluded, flags)

    def sockets_leave(self, left: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        for other in self._others(flags):
            Adapter.sockets_leave(other, left, rooms, excluded, flags)
        return super().sockets_leave(left, rooms, excluded, flags)

    def disconnect_sockets(self, close: bool, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        for other in self._others(flags):
            Adapter.disconnect_sockets(other, close, rooms, excluded, flags)
        return super().disconnect_sockets(close, rooms, excluded, flags)

    def server_side_emit(self, event: list[Json]) -> Deferred[None]:
        self.server_side_call(event)
        return super().server_side_emit(event)

    def server_side_call(self, event: list[Json]) -> Deferred[list[Json]]:
        answers = ServerAnswers(len(self._servers) - 1)
        for other in self._others(Flags()):
            other.namespace.receive_server_event(event, answers, 0)
        return answers.deferred


class ServerAnswers:
    """What servers answer."""

    def __init__(self, due: int) -> None:
        self.deferred: Deferred[list[Json]] = Deferred()
        self._due = due
        self._answers: list[Json] = []

    def send_ack(self, id: int, result: Json) -> None:
        self._answers.append(result)
        if len(self._answers) == self._due:
            self.deferred.callback(self._answers)


class LinkedServer(Server):
    def __init__(self, servers: list[Server], clock: Clock) -> None:
        self.servers = servers
        servers.append(self)
        super().__init__(clock=clock)

    def make_adapter(self, namespace: Namespace) -> Adapter:
        return LinkedAdapter(namespace)


def linked() -> tuple[Served, Served]:
    """Two servers of one cluster."""
    servers: list[Server] = []
    here, there = Served(), Served()
    for served in (here, there):
        served.io = LinkedServer(servers, served.clock)
    return here, there
