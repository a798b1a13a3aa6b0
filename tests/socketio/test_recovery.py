"""Clients that come back: as the same sockets, with what they missed, and nobody else in their name."""

from __future__ import annotations

import json

import pytest

from tests.socketio.doubles import Served
from txsocketio import Socket
from txsocketio.types import Json

RECOVERABLE = ["transport error", "transport close", "forced close", "ping timeout", "forced server close"]


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


@pytest.fixture
def served() -> Served:
    return Served(connection_state_recovery={"max_disconnection_duration": 60.0})


@pytest.fixture
def client(served: Served) -> Client:
    client = Client(served)
    assert client.packets() == ["connected"]
    return client


# What a client gets


def test_missed_events_come_right_behind_the_reply(served: Served, client: Client) -> None:
    """In their order, and in one piece: a broadcast, one to a room, one to the socket itself."""
    client.socket.join("r")
    served.io.emit("n", 1)
    assert client.hears() == [1]
    client.lose()
    served.io.emit("n", 2)
    served.io.to("r").emit("n", 3)
    served.io.to(client.id).emit("n", 4)
    client.connect()
    assert len(client.session.outgoing) == 1
    assert client.hears() == ["connected", 2, 3, 4]
    assert client.socket.recovered


def test_events_of_others_are_not_sent(served: Served, client: Client) -> None:
    """To a room that the client is not in, or not to one that it is in; its own broadcasts do not come back to it."""
    client.socket.join("r")
    client.lose()
    served.io.to("other").emit("n", 1)
    served.io.except_("r").emit("n", 2)
    served.io.to(["r", "other"]).emit("n", 3)
    served.io.to("other").except_("r").emit("n", 4)
    served.io.except_(client.id).emit("n", 5)
    client.connect()
    assert client.hears() == ["connected", 3]


def test_client_without_an_offset_goes_on_from_where_it_connected(served: Served) -> None:
    """It was cut before its first event; what was sent before it came is not for it."""
    served.io.emit("n", 0)
    client, _ = Client(served), Client(served)
    assert client.packets() == ["connected"]
    served.io.emit("n", 1)
    client.lose()
    served.io.emit("n", 2)
    client.connect()
    assert client.hears() == ["connected", 1, 2]


def test_what_was_sent_and_did_not_arrive_is_sent_again(served: Served, client: Client) -> None:
    """What waited in a buffer when the connection was cut: the client's offset tells."""
    served.io.emit("n", 1)
    assert client.hears() == [1]
    for number in (2, 3):
        served.io.emit("n", number)
    client.lose()
    client.connect()
    assert client.hears() == ["connected", 2, 3]
    assert client.offset == "3"


def test_cut_again_before_the_reply_arrives(served: Served, client: Client) -> None:
    """The client knows nothing of that connection and shows the same again."""
    client.lose()
    served.io.emit("n", 1)
    client.connect()
    client.lose()
    served.io.emit("n", 2)
    client.connect()
    assert client.hears() == ["connected", 1, 2]


def test_binary_events_are_kept(served: Served, client: Client) -> None:
    client.lose()
    served.io.emit("n", b"\x09")
    client.connect()
    placeholder = '{"_placeholder":true,"num":0}'
    assert client.session.sent[1:] == [f'51-["n",{placeholder},"1"]', b"\x09"]


def test_direct_emits_are_kept_while_the_client_is_away(served: Served, client: Client) -> None:
    """Whoever keeps the socket can go on sending to the client."""
    socket = client.socket
    socket.emit("n", 1)
    assert client.hears() == [1]
    client.lose()
    socket.emit("n", 2)
    client.connect()
    assert client.hears() == ["connected", 2]
    socket.emit("n", 3)
    assert client.hears() == [3]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_both_transports(served: Served, client: Client, transport: str) -> None:
    client.lose()
    served.io.emit("n", 1)
    client.connect(transport)
    assert client.hears() == ["connected", 1]


def test_packets_of_a_namespace(served: Served) -> None:
    """Each namespace has a log of its own."""
    served.io.of("/chat")
    client = Client(served, "/chat")
    assert client.packets() == ["connected"]
    served.io.emit("n", "other")
    client.lose()
    served.io.of("/chat").emit("n", 1)
    client.connect()
    assert client.hears() == ["connected", 1]
    assert client.socket.recovered


# What is the same again


def test_id_rooms_and_data_are_those_of_before(served: Served, client: Client) -> None:
    before = dict(client.reply or {})
    client.socket.join(["a", "b"])
    client.socket.data["name"] = "Ada"
    client.lose()
    assert not served.io.root.sockets
    client.connect()
    assert client.packets() == ["connected"]
    assert client.reply == before
    assert (client.rooms, client.socket.data) == ({"a", "b"}, {"name": "Ada"})
    assert set(served.io.root.sockets) == {client.id}
    served.io.to("a").emit("n", 1)
    assert client.hears() == [1]


def test_rooms_are_those_at_the_end_of_disconnecting(served: Served, client: Client) -> None:
    """A handler that leaves a room there means it."""
    socket = client.socket
    socket.join(["a", "b"])
    socket.on("disconnecting", lambda _: socket.leave("a"))
    client.lose()
    client.connect()
    client.packets()
    assert client.rooms == {"b"}


def test_connection_handlers_see_a_recovered_socket(served: Served) -> None:
    """After the handlers of the end of the old one; they register with the new one, as with any."""

    @served.io.on("connection")
    def connected(socket: Socket) -> None:
        served.note("connection", socket.recovered)
        socket.on("disconnect", lambda reason: served.note("disconnect", str(reason)))
        socket.on("hi", served.note)

    client = Client(served)
    client.packets()
    client.lose()
    client.connect()
    client.session.receive('2["hi",1]')
    assert served.told == [("connection", False), ("disconnect", "transport close"), ("connection", True), (1,)]


def test_recovered_again_and_again(served: Served, client: Client) -> None:
    before = client.id
    for number in range(5):
        client.lose()
        served.io.emit("n", number)
        client.connect()
        assert client.hears() == ["connected", number]
    assert client.id == before
