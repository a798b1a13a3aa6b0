"""Our server as a member of a mixed cluster, and our emitter: they do what those of Node.js in node.py do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from tests.mixed.clients import LOOPBACK
from tests.mixed.node import Description, Outcome
from txsocketio import AckTimeout, Emitter, Server


class Speaking:
    """What javascript.py's `Speaking` has, for our server and our emitter."""

    speaker: Any

    def run(self, act: Callable[[], Any]) -> Deferred[Any]:
        """Do it where the speaker may be used."""
        return maybeDeferred(act)

    def emit(self, *event: Any, **targets: Any) -> Deferred[None]:
        return self.run(lambda: self.aimed(**targets).emit(*event))

    def join(self, *rooms: str, **targets: Any) -> Deferred[None]:
        return self.run(lambda: self.aimed(**targets).sockets_join(rooms))

    def leave(self, *rooms: str, **targets: Any) -> Deferred[None]:
        return self.run(lambda: self.aimed(**targets).sockets_leave(rooms))

    def disconnect(self, close: bool, **targets: Any) -> Deferred[None]:
        return self.run(lambda: self.aimed(**targets).disconnect_sockets(close))

    def tell(self, *event: Any) -> Deferred[None]:
        return self.run(lambda: self.speaker.server_side_emit(*event))

    def aimed(self, to: Iterable[str] = (), except_: Iterable[str] = (), volatile: bool = False, of: str = "/") -> Any:
        """An operator for these targets."""
        aimed = self.speaker.of(of).to(to).except_(except_)
        return aimed.volatile if volatile else aimed


class OurServer(Speaking):
    """A server on the reactor of the test; its clients join the rooms that their query names.

    Args:
        adapter: the option of the server.
        options: of the server.

    Attributes:
        port: where it listens on the loopback.
        heard: what other servers told it with the event "told", each a list of arguments.
    """

    def __init__(self, adapter: str | dict[str, object], **options: object) -> None:
        self.speaker = Server(adapter=adapter, **options)
        self.port = 0
        self.heard: DeferredQueue[list[Any]] = DeferredQueue()
        self._listening: IListeningPort | None = None
        for namespace in self.speaker, self.speaker.of("/chat"):
            namespace.on("connection", welcome)
        self.speaker.on("told", lambda *arguments: self.heard.put([*arguments]))
        self.speaker.on("asked", lambda *arguments: arguments[0] if arguments else None)

    async def start(self) -> None:
        """Take part in the cluster."""
        await self.speaker.start()
        self._listening = reactor.listenTCP(0, self.speaker.site(), interface=LOOPBACK)
        self.port = self._listening.getHost().port

    async def stop(self) -> None:
        await self.speaker.close()
        if self._listening is not None:
            await self._listening.stopListening()

    async def lost(self, *ids: str) -> None:
        while any(id in self.speaker.of("/").sockets for id in ids):
            await deferLater(reactor, 0.001)

    def call(self, *event: Any, timeout: float = 5, **targets: Any) -> Deferred[Outcome]:
        called = self.aimed(**targets).timeout(timeout).call(*event)
        return called.addCallbacks(lambda answers: (answers, True), answers_in_time)

    def call_found(self, id: str, *event: Any) -> Deferred[Any]:
        return self.speaker.to(id).fetch_sockets().addCallback(lambda found: found[0].timeout(5).call(*event))

    async def fetch(self, **targets: Any) -> list[Description]:
        found = await self.aimed(**targets).fetch_sockets()
        return [{"id": each.id, "rooms": sorted(each.rooms), "data": each.data} for each in found]

    def ask(self, *event: Any) -> Deferred[list[Any]]:
        return self.speaker.server_side_call(*event)

    def count(self) -> Deferred[int]:
        return self.speaker.of("/").adapter.server_count()


class OurEmitter(Speaking):
    """Our emitter, which is no member of the cluster.

    Args:
        adapter: the option of the servers.
    """

    def __init__(self, adapter: dict[str, object], *, blocking: bool = False, recovers: bool = False) -> None:
        self.speaker = Emitter(adapter, blocking=blocking, connection_state_recovery=recovers)
        if blocking:
            self.run = deferToThread

    def close(self) -> Deferred[None]:
        return self.run(self.speaker.close)


def welcome(socket: Any) -> None:
    """A client joins the rooms that its query names."""
    if not socket.recovered:
        socket.join(socket.handshake.query["rooms"].split(","))
        socket.data["name"] = socket.handshake.query["name"]


def answers_in_time(failure: Failure) -> Outcome:
    failure.trap(AckTimeout)
    return failure.value.answers, False
