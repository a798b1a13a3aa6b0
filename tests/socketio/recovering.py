"""A client that comes back, as a real one would: it remembers its private id and the offset of its last event."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred

from tests.socketio.doubles import Served
from txsocketio import ConnectionRefused, Socket
from txsocketio.types import Json

#: The options of a server to come back to.
RECOVERY = {"connection_state_recovery": {"max_disconnection_duration": 60.0}}


class Client:
    """What a real client remembers of its connections to a namespace.

    Attributes:
        session: of the present connection.
        reply: what its last CONNECT was answered with; None when there was no such answer.
        auth: its own.
        offset: of the last event that it has handled.
    """

    def __init__(self, served: Served, name: str = "/", **auth: Json) -> None:
        self.served = served
        self.name = name
        self.auth = auth
        self.offset: str | None = None
        self.pid: str | None = None
        self.connect()

    def connect(self, transport: str = "websocket", **auth: Json) -> None:
        """Open a connection and ask to be let in, showing what is remembered, unless `auth` says something else."""
        self.session = self.served.session(transport)
        self._read = 0
        self.reply: dict[str, str] | None = None
        shown = {} if self.pid is None else {"pid": self.pid}
        if self.offset is not None:
            shown["offset"] = self.offset
        head = "" if self.name == "/" else self.name + ","
        self.session.receive(f"0{head}{json.dumps(shown | self.auth | auth)}")

    @property
    def id(self) -> str:
        assert self.reply is not None
        return self.reply["sid"]

    @property
    def socket(self) -> Socket:
        return self.served.io.of(self.name).sockets[self.id]

    @property
    def rooms(self) -> set[str]:
        return self.socket.rooms - {self.id}

    def lose(self, reason: str = "transport close") -> None:
        """The connection is cut, and the server has noticed."""
        self.session.drain(reason)

    def packets(self) -> list[Json]:
        """What has come since the last time: "connected", "refused", or the arguments of an event, without its offset.

        What came before a CONNECT packet is an error, as a client would show it twice.
        """
        unread = self.session.sent[self._read :]
        self._read = len(self.session.sent)
        return [self._understand(packet) for packet in unread if isinstance(packet, str)]

    def _understand(self, packet: str) -> Json:
        kind, data = packet[0], packet[1:].removeprefix(f"{self.name},")
        if kind == "0":
            self.reply = json.loads(data)
            assert self.reply is not None
            self.pid = self.reply["pid"]
            return "connected"
        if kind == "4":
            return "refused"
        assert self.reply is not None, f"{packet} came before the connection"
        kind, _, data = (kind, "", data) if kind == "2" else ("2", *data.partition("-")[1:])
        assert kind == "2", packet
        if not data.startswith("["):
            return "to be acknowledged"
        *event, self.offset = json.loads(data)
        assert isinstance(self.offset, str)
        return event

    def hears(self) -> list[Json]:
        """The first arguments of the events that have come since the last time, behind the answer to CONNECT."""
        return [packet if isinstance(packet, str) else packet[1] for packet in self.packets()]


def gate(served: Served) -> list[Deferred[None]]:
    """A middleware that lets nobody in until the Deferred that it appends is fired."""
    gates: list[Deferred[None]] = []

    def wait(socket: Socket) -> Deferred[None]:
        gates.append(Deferred())
        return gates[-1]

    served.io.use(wait)
    return gates


def refuse(socket: Socket) -> None:
    if socket.handshake.auth.get("token") != "secret":
        raise ConnectionRefused
