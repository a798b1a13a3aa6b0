"""Clients that do not read, as the application sees them."""

from __future__ import annotations

from twisted.internet.task import Clock

from tests.engineio.doubles import WEBSOCKET
from tests.engineio.line import Line, connect, read_frames, text
from txsocketio import Server, Socket
from txsocketio.types import Json

#: More than Python's limit on recursion allows to end within one another.
CLIENTS = 500


class Rig:
    """A server with clients over WebSocket; why they went is noted."""

    def __init__(self, clients: int, **options: Json) -> None:
        self.clock = Clock()
        self.io = Server(clock=self.clock, **options)
        self.reasons: list[str] = []
        self.io.on("connection", self._welcome)
        self.lines = [self.join() for _ in range(clients)]

    def _welcome(self, socket: Socket) -> None:
        @socket.on("disconnect")
        def gone(reason: str) -> None:
            self.reasons.append(f"{reason}: {reason.description}")  # type: ignore[attr-defined]
            self.io.emit("gone", socket.id)

    def join(self) -> Line:
        line = connect(self.io.engine, WEBSOCKET)
        line.feed(text("0"))
        line.take()
        return line


def test_application_is_told_why() -> None:
    """With the usual event, and its usual reason; the others go on."""
    rig = Rig(2, max_outgoing_buffer=10_000)
    slow, reader = rig.lines
    slow.block()
    for number in range(100):
        rig.io.emit("news", number, "x" * 1000)
    rig.clock.advance(0)
    assert rig.reasons == ["slow consumer: more than 10000 bytes are waiting"]
    assert slow.aborted
    messages = read_frames(reader.take())
    assert [str(message)[:12] for message in messages[:100]] == [f'42["news",{n},"x'[:12] for n in range(100)]
    assert str(messages[100]).startswith('42["gone"')


def test_many_slow_clients_at_once() -> None:
    """They are slow together, and the application tells those that are left of each one that goes."""
    rig = Rig(CLIENTS, max_outgoing_buffer=10_000)
    for line in rig.lines:
        line.block()
    for _ in range(100):
        rig.io.emit("news", "x" * 1000)
    rig.clock.advance(0)
    assert len(rig.reasons) == CLIENTS
    assert rig.io.engine.clients_count == 0 and not rig.io.root.sockets


def test_volatile_events_are_dropped_while_a_client_is_slow() -> None:
    """What it gets is in order all the same, and it is not dropped for what it does not get."""
    rig = Rig(1, max_outgoing_buffer=100_000)
    (line,) = rig.lines
    for number in range(1000):
        if number == 100:
            line.block()
        if number == 900:
            line.unblock()
        rig.io.volatile.emit("volatile", number, "x" * 1000)
        if number % 50 == 0:
            rig.io.emit("lasting", number)
    got = [str(message).split(",")[:2] for message in read_frames(line.take())]
    lasting = [int(number.rstrip("]")) for name, number in got if "lasting" in name]
    volatile = [int(number) for name, number in got if "volatile" in name]
    assert lasting == list(range(0, 1000, 50))
    assert volatile == sorted(volatile) and 180 < len(volatile) < 300
    numbers = [int(number.rstrip("]")) for _, number in got]
    assert numbers == sorted(numbers)
    assert rig.reasons == []
