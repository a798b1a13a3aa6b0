"""Clients that come back: as the same sockets, with what they missed."""

from __future__ import annotations

import pytest

from tests.socketio.doubles import Served
from tests.socketio.recovering import RECOVERY, Client
from txsocketio import Disconnected, Socket, UnserializableData
from txsocketio.types import Json

#: Of the fixture `served`.
OPTIONS = RECOVERY


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


# Offsets


def test_every_event_ends_with_its_offset(served: Served, client: Client) -> None:
    """With a binary argument too. What is to be acknowledged has none: the client takes only that of other events."""
    served.io.emit("a")
    client.socket.emit("b", {"x": 1})
    client.socket.emit("c", b"\x01")
    client.socket.call("d", 1).addErrback(lambda _: None)
    served.io.timeout(1).call("e").addErrback(lambda _: None)
    assert client.session.sent[1:] == [
        '2["a","1"]',
        '2["b",{"x":1},"2"]',
        '51-["c",{"_placeholder":true,"num":0},"3"]',
        b"\x01",
        '20["d",1]',
        '21["e"]',
    ]


def test_volatile_events_carry_the_offset_of_the_one_before(served: Served, client: Client) -> None:
    """Else a client would take their last text for it. They are not kept."""
    served.io.emit("n", 1)
    served.io.volatile.emit("n", "text")
    client.socket.volatile.emit("n", "text")
    assert client.hears() == [1, "text", "text"]
    assert client.offset == "1"
    client.lose()
    served.io.volatile.emit("n", "missed")
    served.io.emit("n", 2)
    client.connect()
    assert client.hears() == ["connected", 2]


def test_volatile_event_may_be_the_first(served: Served, client: Client) -> None:
    client.socket.volatile.emit("n", "text")
    assert client.hears() == ["text"]
    client.lose()
    served.io.emit("n", 1)
    client.connect()
    assert client.hears() == ["connected", 1]


def test_what_is_to_be_acknowledged_is_not_sent_again(served: Served, client: Client) -> None:
    """Who waits for the answer has been told that the client is gone."""
    failures: list[Json] = []
    client.socket.call("n").addErrback(failures.append)
    client.lose()
    assert [failure.type for failure in failures] == [Disconnected]
    client.connect()
    assert client.packets() == ["to be acknowledged", "connected"][1:]


@pytest.mark.parametrize(
    "offset",
    [
        "x",
        "",
        "1-1; DEL *",
        "00",
        "01",
        " 1",
        "+1",
        "1_0",
        "\u00b2",
        "\u0661",
        "2",
        "9" * 64,
        "9" * 10**6,
        1,
        -1,
        True,
        {},
        [],
    ],
)
def test_odd_offset_gives_a_new_session(served: Served, client: Client, offset: Json) -> None:
    """Without an error: it is only compared with those that there were. The session of before is not touched."""
    before = client.id
    served.io.emit("n", 1)
    client.lose()
    client.connect(offset=offset)
    assert client.packets() == ["connected"]
    assert client.id != before
    assert not client.socket.recovered


@pytest.mark.parametrize("pid", ["", "unknown", "../x", "a b\r\n", "x" * 10**6, 1, None, True, {}, []])
def test_odd_pid_gives_a_new_session(served: Served, client: Client, pid: Json) -> None:
    before = client.id
    client.lose()
    client.connect(pid=pid)
    assert client.packets() == ["connected"]
    assert (client.id == before, client.socket.recovered) == (False, False)


def test_pid_is_a_secret_of_one_namespace(served: Served, client: Client) -> None:
    served.io.of("/other")
    other = Client(served, "/other", pid=client.pid)
    assert other.packets() == ["connected"]
    assert not other.socket.recovered
    assert client.pid not in (other.pid, client.id)


def test_older_offset_gives_no_older_events(served: Served) -> None:
    """Not those from before the client came, nor those that it has confirmed by answering a ping."""
    served.io.emit("n", "other")
    witness = Client(served)
    served.io.emit("n", "before")
    client = Client(served)
    served.io.emit("n", 1)
    assert client.hears() == ["connected", 1]
    client.lose()
    client.connect(offset="0")
    assert client.hears() == ["connected", 1]
    assert witness.session.is_open


# Order


def test_what_a_client_causes_by_its_end_waits_for_its_turn(served: Served) -> None:
    """It ends while an event is sent to all, and its handler sends the next: everybody gets both in one order."""
    clients = [Client(served) for _ in range(5)]
    for client in clients:
        client.packets()

    @clients[2].socket.on("disconnect")
    def gone(reason: str) -> None:
        with pytest.raises(UnserializableData):
            served.io.emit("n", object())
        served.io.emit("n", 2)
        clients[4].socket.emit("n", 3)
        clients[3].socket.volatile.emit("n", 4)

    clients[2].session.send_outgoing = lambda outgoing: clients[2].lose("slow consumer")  # type: ignore[method-assign]
    served.io.emit("n", 1)
    assert [client.hears() for client in clients] == [[1, 2], [1, 2], [], [1, 2, 4], [1, 2, 3]]
    assert [client.offset for client in clients] == ["2", "2", None, "3", "3"]
    clients[2].connect()
    assert clients[2].hears() == ["connected", 1, 2]


def test_client_that_comes_while_an_event_is_overheard_gets_it_once(served: Served, client: Client) -> None:
    """It is not kept before it is sent, or a client would get it both ways."""
    client.socket.on_any_outgoing(lambda *_: other.connect())
    other = Client(served)
    assert other.packets() == ["connected"]
    other.lose()
    served.io.emit("n", 1)
    assert (client.hears(), other.hears()) == ([1], ["connected", 1])
