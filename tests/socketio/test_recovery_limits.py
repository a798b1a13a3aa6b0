"""How long a client may be away and how much it may miss, and that nothing is left behind."""

from __future__ import annotations

import gc
import weakref

import pytest

from tests.socketio.doubles import Served
from tests.socketio.recovering import RECOVERY, Client, gate
from txsocketio import Socket
from txsocketio.engineio.outgoing import OVERHEAD
from txsocketio.socketio.away import RecoverySession
from txsocketio.types import Json

#: Of the fixture `served`.
OPTIONS = RECOVERY


RECOVERABLE = ["transport error", "transport close", "forced close", "ping timeout", "forced server close"]


# How it ends


@pytest.mark.parametrize("reason", RECOVERABLE)
def test_ends_from_which_a_client_comes_back(served: Served, client: Client, reason: str) -> None:
    client.lose(reason)
    client.connect()
    client.packets()
    assert client.socket.recovered


@pytest.mark.parametrize("end", ["client", "server", "server closes", "parse error"])
def test_ends_from_which_nobody_comes_back(served: Served, client: Client, end: str) -> None:
    """Somebody wanted them. What is sent to the socket then is not kept, and nobody is told of an expired session."""
    served.io.on("session_expired", served.note)
    before, socket, other = client.id, client.socket, Client(served)
    assert other.packets() == ["connected"]
    other.socket.join(before)
    if end == "client":
        client.session.receive("1")
    elif end == "parse error":
        client.lose("parse error")
    else:
        socket.disconnect(close=end == "server closes")
    socket.emit("n", 1)
    assert other.packets() == []
    client.connect()
    assert client.packets()[-1] == "connected"
    assert (client.id == before, client.socket.recovered) == (False, False)
    client.session.receive("1")
    served.clock.pump([1.0] * 200)
    assert served.told == []


def test_session_expires(served: Served, client: Client) -> None:
    """After the time that was set, once, with what was known of the client; it is a new one then."""
    told: list[RecoverySession] = []
    served.io.on("session_expired", told.append)
    before = client.id
    client.socket.join("r")
    client.socket.data["name"] = "Ada"
    client.lose()
    served.clock.pump([1.0] * 59)
    assert told == []
    served.clock.pump([1.0] * 2)
    (session,) = told
    assert (session.id, session.rooms, session.data) == (before, {before, "r"}, {"name": "Ada"})
    client.connect()
    client.packets()
    assert client.id != before
    assert len(told) == 1


def test_session_that_was_used_does_not_expire(served: Served, client: Client) -> None:
    """Its time begins anew with each cut."""
    served.io.on("session_expired", served.note)
    for _ in range(3):
        client.lose()
        served.clock.pump([1.0] * 50)
        client.connect()
        assert client.packets() == ["connected"]
    served.clock.pump([1.0] * 30)
    assert served.told == []
    assert client.socket.recovered


# Limits


def served_with(**limits: Json) -> tuple[Served, Client, list[Json]]:
    served = Served(connection_state_recovery={"max_disconnection_duration": 60.0, **limits})
    expired: list[Json] = []
    served.io.on("session_expired", lambda session: expired.append(session.id))
    client = Client(served)
    client.packets()
    return served, client, expired


@pytest.mark.parametrize("limits", [{"max_packets": 3}, {"max_bytes": 3 * (OVERHEAD + 15)}])
def test_who_missed_more_than_is_kept_is_a_new_client(limits: Json) -> None:
    """Bounded in number and bytes: a gap is worse than to begin anew."""
    for count, recovers in ((3, True), (4, False)):
        served, client, _ = served_with(**limits)
        client.lose()
        for number in range(count):
            served.io.emit("n", number)
        client.connect()
        assert client.hears()[1:] == (list(range(count)) if recovers else [])
        assert client.socket.recovered is recovers


def test_who_missed_more_than_may_wait_for_a_client_begins_anew() -> None:
    """What would be closed as a slow consumer at once is not sent; the next connection is a new client's."""
    served = Served(connection_state_recovery=True, max_outgoing_buffer=1000)
    client = Client(served)
    client.packets()
    client.lose()
    for _ in range(20):
        served.io.emit("n", "x" * 50)
    client.connect()
    assert (client.session.sent, client.session.is_open) == ([], False)
    client.connect()
    assert client.packets() == ["connected"]
    assert not client.socket.recovered


def test_number_of_clients_that_are_away_is_bounded() -> None:
    """The one that has been away for longest goes first."""
    served, client, expired = served_with(max_sessions=2)
    others = [Client(served) for _ in range(2)]
    for each in (client, *others):
        each.packets()
        each.lose()
    assert expired == [client.id]
    for each in (*others, client):
        each.connect()
        each.packets()
    assert [each.socket.recovered for each in (*others, client)] == [True, True, False]


def test_what_was_missed_goes_while_the_middlewares_run() -> None:
    """Too late: the connection is closed, and the client comes back as a new one."""
    served, client, expired = served_with(max_packets=1)
    before, gates = client.id, gate(served)
    client.lose()
    served.io.emit("n", 1)
    client.connect()
    served.io.emit("n", 2)
    gates[0].callback(None)
    assert (client.session.sent, client.session.is_open, expired) == ([], False, [before])
    client.connect()
    gates[1].callback(None)
    assert client.packets() == ["connected"]
    assert not client.socket.recovered


def test_quiet_client_is_recovered_however_old_its_offset(served: Served, client: Client) -> None:
    """It was sent nothing for longer than events are kept: the pings that it answered say that it missed nothing."""
    client.socket.join("r")
    served.io.to("r").emit("n", 1)
    assert client.hears() == [1]
    for second in range(1000):
        served.clock.advance(1.0)
        served.io.to("others").emit("n", second)
        if second % 25 == 0:
            client.session.ping()
    served.io.to("r").emit("n", 2)
    client.lose()
    served.clock.pump([1.0] * 59)
    served.io.to("r").emit("n", 3)
    client.connect()
    assert client.hears() == ["connected", 2, 3]
    assert client.socket.recovered


def test_ping_that_is_not_answered_confirms_nothing(served: Served, client: Client) -> None:
    """What was sent shortly before is sent again."""
    client.session.ping()
    served.io.emit("n", 1)
    client.session.ping()
    client.lose()
    client.connect()
    assert client.hears() == ["connected", 1]


def test_pings_while_the_middlewares_run_confirm_nothing(served: Served, client: Client) -> None:
    client.lose()
    served.io.emit("n", 1)
    gates = gate(served)
    client.connect()
    for _ in range(3):
        client.session.ping()
    gates[0].callback(None)
    client.lose()
    client.connect()
    gates[1].callback(None)
    assert client.hears() == ["connected", 1]


# Nothing is left behind


def test_closed_server_keeps_nothing(served: Served, client: Client) -> None:
    """Nobody is told of an expired session; what is sent afterwards is not kept either."""
    served.io.on("session_expired", served.note)
    other = Client(served)
    served.io.emit("n", 1)
    client.lose()
    served.io.close()
    other.session.drain()
    served.io.emit("n", 2)
    assert len(served.io.engine.deadlines) == 0
    assert served.told == []


def test_without_clients_nothing_is_kept(served: Served) -> None:
    served.io.emit("n", 1)
    assert len(served.io.engine.deadlines) == 0


def test_everything_goes_with_time(served: Served, client: Client) -> None:
    served.io.emit("n", 1)
    client.lose()
    served.clock.pump([1.0] * 200)
    assert len(served.io.engine.deadlines) == 0


def test_socket_of_a_client_that_is_away_is_freed(served: Served) -> None:
    """What is kept is the session; the socket and its handlers go at once."""

    @served.io.on("connection")
    def connected(socket: Socket) -> None:
        socket.on("disconnect", lambda reason: served.note(socket.id))

    client = Client(served)
    client.packets()
    freed = weakref.ref(client.socket)
    gc.disable()
    try:
        client.lose()
        assert freed() is None
    finally:
        gc.enable()


def test_client_that_fails_at_its_welcome_leaves_no_room(served: Served, client: Client) -> None:
    """The network fails under the CONNECT packet; the session waits for the next try."""
    before = client.id
    client.socket.join("r")
    client.lose()
    session = served.session()
    session.send_outgoing = lambda outgoing: session.drain()  # type: ignore[method-assign]
    session.receive(f'0{{"pid":"{client.pid}"}}')
    assert not served.io.root.adapter.rooms.members("r")
    assert not served.io.root.sockets
    served.io.to(before).emit("n", 1)
    client.connect()
    assert client.hears() == ["connected", 1]
    assert (client.id, client.rooms) == (before, {"r"})


def test_without_recovery_nothing_is_different() -> None:
    """No offset, no pid, no session; a pid that a client shows means nothing."""
    served = Served()
    session, socket = served.client(auth={"pid": "x", "offset": "1"})
    served.io.emit("n", 1)
    socket.emit("n", 2)
    assert session.sent == ['2["n",1]', '2["n",2]']
    assert not socket.recovered
    session.drain()
    assert len(served.io.engine.deadlines) == 0
