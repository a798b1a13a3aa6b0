"""Servers that are joined by a real broker, and clients of theirs that need no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from secrets import token_hex

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.contract.kinds import Kind
from tests.socketio.doubles import RecordingSession
from txsocketio import Server, Socket
from txsocketio.types import Json

#: Seconds that something may take to come; it is not waited for any longer.
PATIENCE = 8.0

#: Seconds after which what has not come does not come any more. Only for what must not come.
SILENCE = 0.15


async def until(fact: Callable[[], Json], what: Callable[[], object] = lambda: "") -> Json:
    """Wait until the fact is true, and give it."""
    latest = reactor.seconds() + PATIENCE
    while not (value := fact()):
        assert reactor.seconds() < latest, what()
        await deferLater(reactor, 0.002)
    return value


class NotConnected(AssertionError):
    """The client was refused, or its connection was closed."""


class Client(RecordingSession):
    """A client of one node, in its process.

    Attributes:
        node: whose client it is.
        answers: what it acknowledges events with, by their names; events of other names it does not acknowledge.
        id: of its socket.
        pid: its private id, if clients can be recovered.
        offset: of the last event that it has received.
    """

    def __init__(self, node: Node, name: str = "/") -> None:
        super().__init__()
        self.node = node
        self.name = name
        self.head = "" if name == "/" else f"{name},"
        self.answers: dict[str, Json] = {}
        self.id = ""
        self.refusal: Json = None
        self.pid: str | None = None
        self.offset: str | None = None
        self.all: list[list[Json]] = []
        self._parsed = 0

    async def join(self, auth: Json = None, name: str = "/") -> Client:  # type: ignore[override]
        """Come to the node and connect.

        Raises:
            NotConnected: that was not to be.
        """
        self.node.clients.append(self)
        self.node.io.engine.on_session(self)  # type: ignore[arg-type]
        self.receive(f"0{self.head}{'' if auth is None else json.dumps(auth)}")
        await until(lambda: self.id or self.refusal or not self.is_open or self._parse())
        if not self.id:
            raise NotConnected(f"{self.refusal} {self.ended}")
        return self

    @property
    def socket(self) -> Socket:
        return self.node.io.of(self.name).sockets[self.id]

    @property
    def events(self) -> list[list[Json]]:
        """What it has received, without the offsets."""
        self._parse()
        return self.all

    def named(self, event: str) -> list[list[Json]]:
        """The arguments of the events of this name."""
        return [arguments for name, *arguments in self.events if name == event]

    async def got(self, *events: list[Json]) -> None:
        """Wait until it has received these and nothing else."""
        await until(lambda: len(self.events) >= len(events), lambda: f"only {self.events}")
        assert self.events == [*events]

    def send_outgoing(self, outgoing: Json) -> None:
        super().send_outgoing(outgoing)
        if self.answers:
            self._parse()

    def _parse(self) -> None:
        while self._parsed < len(self.sent):
            packet = self.sent[self._parsed]
            assert isinstance(packet, str), packet
            kind, rest = packet[0], packet[1:]
            count = 0
            if kind in "56":
                number, _, rest = rest.partition("-")
                kind, count = {"5": "2", "6": "3"}[kind], int(number)
            if self._parsed + count >= len(self.sent):
                return  # an attachment is still to come
            attachments = self.sent[self._parsed + 1 : self._parsed + 1 + count]
            self._parsed += 1 + count
            assert rest.startswith(self.head)
            rest = rest.removeprefix(self.head)
            digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
            self._take(kind, digits, with_attachments(json.loads(rest[len(digits) :] or "null"), attachments))

    def _take(self, kind: str, id: str, data: Json) -> None:
        if kind == "0":
            self.id, self.pid = data["sid"], data.get("pid")
        elif kind == "4":
            self.refusal = data
        elif kind == "2":
            if self.pid is not None and not id and isinstance(data[-1], str):
                self.offset = data.pop()
            self.all.append(data)
            if id and data[0] in self.answers:
                reactor.callLater(0, self.receive, f"3{self.head}{id}{json.dumps([self.answers[data[0]]])}")

    def cut(self) -> None:
        """The connection fails, and the server notices."""
        self.drain("transport close")

    async def back(self, node: Node | None = None) -> Client:
        """Come back, to another node maybe; the new connection has what was received before."""
        again = Client(node or self.node, self.name)
        again.all = self.events
        again.answers = self.answers
        again.offset = self.offset
        auth = {"pid": self.pid}
        if self.offset is not None:
            auth["offset"] = self.offset
        return await again.join(auth)

    async def back_in_the_end(self, node: Node) -> Client:
        """Come back as a real client does, which tries again when its connection is closed.

        That is what a node does which has not heard yet that the session has ended.
        """
        latest = reactor.seconds() + PATIENCE
        while True:
            try:
                return await self.back(node)
            except NotConnected:
                if reactor.seconds() > latest:
                    raise
            await deferLater(reactor, 0.01)


def with_attachments(value: Json, attachments: list[Json]) -> Json:
    """The value with its placeholders replaced."""
    if isinstance(value, dict):
        if value.get("_placeholder"):
            return attachments[value["num"]]
        return {key: with_attachments(item, attachments) for key, item in value.items()}
    if isinstance(value, list):
        return [with_attachments(item, attachments) for item in value]
    return value


class Node:
    """A server of the cluster."""

    def __init__(self, adapter: Json, options: dict[str, Json], settles: bool = False) -> None:
        self.io = Server(adapter=adapter, **options)
        self.clients: list[Client] = []
        self._settles = settles

    async def client(self, *rooms: str, name: str = "/", auth: Json = None) -> Client:
        """A client that is connected and in these rooms."""
        client = await Client(self, name).join(auth)
        client.socket.join(rooms)
        if self._settles:
            await within(self.io.of(name).adapter.start())  # fires when the broker knows of all rooms
        return client

    async def stop(self) -> None:
        """Close the server, and its clients' connections."""
        closed = self.io.close()
        for client in self.clients:
            client.cut()
        await within(closed)


class Cluster:
    """Servers joined by one adapter.

    Attributes:
        nodes: those that are started.
    """

    def __init__(self, kind: Kind, broker: Json) -> None:
        self.kind = kind
        self.broker = broker
        self.adapter = kind.adapter(broker, "t" + token_hex(6))
        self.nodes: list[Node] = []
        self._crashed: list[Node] = []

    async def start(self, **options: Json) -> Node:
        """One more node."""
        node = Node(self.adapter, {**self.kind.options, **options}, self.kind.settles)
        self.nodes.append(node)
        await within(node.io.start())
        await until_all_know(self.nodes)
        return node

    async def crash(self, node: Node) -> None:
        """A node loses the broker, and never says anything again. It does not know that its clients are gone."""
        self.nodes.remove(node)
        self._crashed.append(node)
        assert node.io.broker is not None
        await within(node.io.broker.stop())

    async def stop(self) -> None:
        for node in [*self.nodes, *self._crashed]:
            await node.stop()


async def until_all_know(nodes: list[Node]) -> None:
    """Wait until each node knows how many there are."""
    for node in nodes:
        while await within(node.io.root.adapter.server_count()) != len(nodes):
            await deferLater(reactor, 0.01)


async def within(deferred: Deferred[Json]) -> Json:
    """What it fires with, soon."""
    return await deferred.addTimeout(PATIENCE, reactor)


async def silence() -> None:
    """Let what must not come have its chance."""
    await deferLater(reactor, SILENCE)
