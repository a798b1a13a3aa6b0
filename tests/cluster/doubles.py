"""A broker that writes down what it is told, and a server on a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from tests.socketio.doubles import RecordingSession
from txsocketio import Server, Socket
from txsocketio.cluster.adapter import ClusterAdapter
from txsocketio.cluster.broker import Broker
from txsocketio.cluster.log_adapter import LogAdapter
from txsocketio.cluster.messages import Message
from txsocketio.cluster.options import ClusterOptions
from txsocketio.cluster.progress import Progress
from txsocketio.cluster.requests import Others
from txsocketio.socketio.adapter import Adapter
from txsocketio.socketio.namespace import Namespace
from txsocketio.types import Json


class RecordingBroker(Broker):
    """Its adapters tell it everything; nothing leaves, and there are two other nodes, "a" and "b"."""

    def __init__(self, server: Server, url: str, options: ClusterOptions) -> None:
        super().__init__(server, url, options)
        self.published: list[Message] = []
        self.appended: list[Message] = []
        self.answered: list[tuple[str, Message]] = []
        self.others: Callable[[], Deferred[Others]] = lambda: succeed(Others(2, {"a", "b"}))
        self.outcome: Callable[[], Deferred[None]] = lambda: succeed(None)
        self.sessions = RecordingSessions()
        self.first = 0
        self.progress = Progress(server.engine.clock)
        self.connected()

    def adapter(self, namespace: Namespace) -> Adapter:
        if namespace.options.recovery is None:
            return RecordingAdapter(namespace, self)
        return RecordingLogAdapter(namespace, self, self.sessions)

    def start(self) -> Deferred[None]:
        return succeed(None)

    def stop(self) -> Deferred[None]:
        return succeed(None)


class RecordingAdapter(ClusterAdapter):
    broker: RecordingBroker

    def publish(self, message: Message) -> Deferred[None]:
        self.broker.published.append(message)
        return self.broker.outcome()

    def answer(self, node: str, message: Message) -> None:
        self.broker.answered.append((node, message))

    def others(self) -> Deferred[Others]:
        return self.broker.others()


class RecordingLogAdapter(RecordingAdapter, LogAdapter):
    """What is appended is read back when the test says so."""

    broker: RecordingBroker

    @property
    def progress(self) -> Progress:
        return self.broker.progress

    def append(self, message: Message) -> Deferred[None]:
        self.broker.appended.append(message)
        return self.broker.outcome()

    def replay(self, after: int, until: int) -> Deferred[list[tuple[int, Message]]]:
        return succeed([])

    def holds(self, position: int) -> Deferred[bool]:
        return succeed(self.broker.first <= position <= self.recovery.log.position)

    def read_back(self) -> None:
        """Read everything that was appended."""
        appended, self.broker.appended = self.broker.appended, []
        for message in appended:
            position = self.recovery.log.position + 1
            self.read(position, message, 100)
            self.progress.move(position)


class RecordingSessions:
    """What a broker stores, and what was asked of it.

    Attributes:
        failure: what every call fails with, if anything.
    """

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.swaps = 0
        self.failure: Exception | None = None

    def get(self, pid: str) -> Deferred[bytes | None]:
        return self._answer(self.stored.get(pid))

    def swap(self, pid: str, old: bytes | None, new: bytes | None) -> Deferred[bytes | None]:
        self.swaps += 1
        if self.failure is None and self.stored.get(pid) in (old, new):
            self.stored.pop(pid, None)
            if new is not None:
                self.stored[pid] = new
        return self._answer(self.stored.get(pid))

    def _answer(self, value: bytes | None) -> Deferred[bytes | None]:
        answer: Deferred[bytes | None] = Deferred()
        if self.failure is not None:
            answer.errback(self.failure)
        else:
            answer.callback(value)
        return answer


class Rig:
    """A server with such a broker."""

    def __init__(self, **options: Json) -> None:
        self.clock = Clock()
        self.io = ClusterServer(self.clock, options)
        self.broker = self.io.recording
        self.adapter: Json = self.io.root.adapter
        self.io.root.adapter.start()

    def client(self, auth: Json = None) -> tuple[RecordingSession, Socket]:
        """A client that is connected."""
        session = RecordingSession()
        self.io.engine.on_session(session)  # type: ignore[arg-type]
        id = session.join(auth=auth)
        return session, self.io.root.sockets[id]

    def receive(self, type: int, data: Json, opts: Json = None, node: str = "a") -> None:
        """Another node tells something."""
        self.adapter.receive(Message(type, data, opts, node))


class ClusterServer(Server):
    def __init__(self, clock: Clock, options: Json) -> None:
        self._clock = clock
        super().__init__(clock=clock, **options)

    def make_adapter(self, namespace: Namespace) -> Adapter:
        if not hasattr(self, "recording"):
            self.recording = RecordingBroker(self, "recording:", ClusterOptions(max_requests=3))
        return self.recording.adapter(namespace)
