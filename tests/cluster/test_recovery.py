"""Sessions that the broker keeps, when something goes wrong."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.logger import LogLevel, capturedLogs

from tests.cluster.doubles import Rig
from tests.socketio.doubles import RecordingSession
from txsocketio import BrokerUnavailable
from txsocketio.cluster import sessions
from txsocketio.cluster.messages import Message, Type
from txsocketio.cluster.sessions import StoredSession
from txsocketio.cluster.socket import ClusterSocket
from txsocketio.errors import BadMessage, BrokerError
from txsocketio.socketio.away import RecoverySession
from txsocketio.types import Json

OPTS: Json = {"rooms": [], "except": [], "flags": {}}
RECOVERY = {"connection_state_recovery": {"max_disconnection_duration": 30.0}}


@pytest.fixture
def rig() -> Rig:
    return Rig(**RECOVERY)


def client_of(rig: Rig) -> tuple[RecordingSession, ClusterSocket]:
    session, socket = rig.client()
    assert isinstance(socket, ClusterSocket)
    return session, socket


def stored(rig: Rig) -> StoredSession:
    """The one session that is stored."""
    (value,) = rig.broker.sessions.stored.values()
    return sessions.decode(value)


def test_session_is_stored_when_the_client_connects(rig: Rig) -> None:
    _, socket = client_of(rig)
    session = stored(rig)
    assert (session.id, session.pid, session.rooms, session.data) == (socket.id, socket.pid, {socket.id}, {})
    assert (session.node, session.namespace, session.claim, session.offset) == (rig.broker.node, "/", 0, "0")


def test_changes_of_one_turn_are_stored_together(rig: Rig) -> None:
    _, socket = client_of(rig)
    before = rig.broker.sessions.swaps
    socket.join(["a", "b"])
    socket.leave("b")
    socket.data["name"] = "ann"
    socket.data.update(age=3)
    rig.clock.advance(0)
    assert rig.broker.sessions.swaps == before + 1
    assert (stored(rig).rooms, stored(rig).data) == ({socket.id, "a"}, {"name": "ann", "age": 3})
    socket.data = {"all": "new"}
    rig.clock.advance(0)
    assert stored(rig).data == {"all": "new"}
    socket.data["set"] = True
    del socket.data["all"]
    rig.clock.advance(0)
    assert stored(rig).data == {"set": True}


def test_deeper_changes_are_stored_with_the_next_refresh(rig: Rig) -> None:
    _, socket = client_of(rig)
    socket.data["list"] = []
    rig.clock.advance(0)
    socket.data["list"].append(1)
    rig.clock.pump([0.5] * 40)
    assert stored(rig).data == {"list": [1]}


def test_every_session_is_refreshed(rig: Rig) -> None:
    """Within about a third of the time for which it is kept."""
    for _ in range(30):
        client_of(rig)
    before = rig.broker.sessions.swaps
    rig.clock.pump([0.5] * 40)
    assert rig.broker.sessions.swaps >= before + 30


def test_broker_that_is_away_does_not_keep_clients_out(rig: Rig) -> None:
    """Their sessions are stored when it is back."""
    rig.broker.sessions.failure = BrokerUnavailable("away")
    _, socket = client_of(rig)
    assert not rig.broker.sessions.stored
    rig.broker.sessions.failure = None
    rig.clock.pump([0.5] * 4)
    assert stored(rig).id == socket.id


def test_session_that_another_node_has_taken_ends_the_connection_here(rig: Rig) -> None:
    """It is found out at the next change, if not before; nothing is stored again."""
    session, socket = client_of(rig)
    theirs = sessions.encode(RecoverySession(socket.pid, socket.id, {socket.id}, {}, 0), "/", "other", 1, "0")
    rig.broker.sessions.stored[socket.pid] = theirs
    socket.join("room")
    rig.clock.advance(0)
    assert session.ended == "session taken over"
    assert rig.broker.sessions.stored == {socket.pid: theirs}


def test_session_that_a_node_js_server_has_taken_ends_the_connection_here(rig: Rig) -> None:
    """It deletes what is stored."""
    session, socket = client_of(rig)
    rig.broker.sessions.stored.clear()
    socket.join("room")
    rig.clock.advance(0)
    assert session.ended == "session taken over"
    assert not rig.broker.sessions.stored


def test_session_that_the_broker_has_forgotten_is_stored_again(rig: Rig) -> None:
    """After an outage nobody can tell that from a session that was taken."""
    session, socket = client_of(rig)
    rig.broker.lost()
    rig.broker.connected()
    rig.broker.sessions.stored.clear()
    socket.join("room")
    rig.clock.advance(0)
    assert session.is_open
    assert stored(rig).rooms == {socket.id, "room"}


def test_swap_whose_answer_was_lost_is_our_own(rig: Rig) -> None:
    session, socket = client_of(rig)
    was = socket.stored
    socket.data["name"] = "ann"
    rig.clock.advance(0)
    socket.stored = was
    socket.data["name"] = "bob"
    rig.clock.advance(0)
    assert session.is_open
    assert stored(rig).data == {"name": "bob"}


def test_data_that_cannot_be_stored(rig: Rig) -> None:
    _, socket = client_of(rig)
    socket.data["odd"] = object()
    socket.join("room")
    rig.clock.advance(0)
    assert (stored(rig).rooms, stored(rig).data) == ({socket.id, "room"}, {})
    assert "odd" in socket.data


def test_keys_of_data_may_be_numbers(rig: Rig) -> None:
    session, socket = client_of(rig)
    socket.data[1] = {2: "two"}
    session.drain("transport close")
    assert stored(rig).data == {1: {2: "two"}}


def test_data_that_can_be_stored_and_not_be_read_does_not_keep_a_client_here(rig: Rig) -> None:
    session, socket = client_of(rig)
    socket.data = {(1, 2): "a pair as a key"}
    session.drain("transport close")
    assert not rig.io.root.sockets


def test_newer_claim_ends_the_older_connection(rig: Rig) -> None:
    session, socket = client_of(rig)
    rig.adapter.read(1, Message(Type.SESSION_TAKEN, {"sid": socket.id, "claim": 0}, None, "a"), 10)
    assert session.is_open
    rig.adapter.read(2, Message(Type.SESSION_TAKEN, {"sid": socket.id, "claim": 1}, None, "a"), 10)
    assert session.ended == "session taken over"
    rig.adapter.read(3, Message(Type.SESSION_TAKEN, {"sid": "unknown", "claim": 1}, None, "a"), 10)


def test_client_comes_back_again_and_again_while_the_broker_is_away(rig: Rig) -> None:
    """Its session is still there, and it would lose it, and what it has missed, if it became a new client."""
    _, socket = client_of(rig)
    rig.broker.sessions.failure = BrokerUnavailable("away")
    session = returning(rig, socket.pid)
    rig.clock.pump([0.1] * 90)
    assert session.is_open
    rig.clock.pump([0.1] * 20)
    assert (session.is_open, session.sent) == (False, [])


def test_broker_that_stays_away_makes_a_new_client(rig: Rig) -> None:
    """No session outlasts such an outage."""
    _, socket = client_of(rig)
    rig.broker.sessions.failure = BrokerUnavailable("away")
    rig.broker.lost()
    rig.clock.pump([1.0] * 25)
    session = returning(rig, socket.pid)
    rig.clock.pump([0.1] * 110)
    assert len(session.sent) == 1
    assert socket.pid not in str(session.sent[0])


def test_client_that_is_cut_on_its_way_back_takes_nothing_over(rig: Rig) -> None:
    """Its rooms are gone from the socket by then, and must stay in its session; whatever a broker makes of a cancel."""
    session, socket = client_of(rig)
    socket.join("room")
    session.drain("transport close")
    rig.clock.advance(0)
    before = rig.broker.sessions.stored[socket.pid]
    asked: list[Deferred[bytes | None]] = []

    def get(pid: str) -> Deferred[bytes | None]:
        asked.append(Deferred(lambda asked: asked.errback(BrokerUnavailable("cancelled"))))
        return asked[-1] if len(asked) == 1 else succeed(before)

    rig.broker.sessions.get = get  # type: ignore[method-assign]
    returning(rig, socket.pid).drain("transport close")
    rig.clock.pump([0.1] * 5)
    rig.adapter.read_back()
    assert rig.broker.sessions.stored[socket.pid] == before


def returning(rig: Rig, pid: str, offset: str = "0") -> RecordingSession:
    """A client that wants to come back."""
    session = RecordingSession()
    rig.io.engine.on_session(session)  # type: ignore[arg-type]
    session.receive(f'0{{"pid":"{pid}","offset":"{offset}"}}')
    return session


def test_what_is_read_again_catches_up_with_a_log_that_goes_on() -> None:
    """Memory forgets its oldest with each event: whoever aims for that never gets there."""
    rig = Rig(connection_state_recovery={"max_disconnection_duration": 30.0, "max_packets": 5})
    session, socket = client_of(rig)
    pid = socket.pid
    session.drain("transport close")
    kept: list[Message] = []

    def go_on() -> None:
        kept.append(Message(Type.BROADCAST, {"packet": {"type": 2, "data": ["n", len(kept) + 1]}}, OPTS, "a"))
        rig.adapter.read(len(kept), kept[-1], 10)

    def replay(after: int, until: int) -> Deferred[list[tuple[int, Message]]]:
        assert len(kept) < 100, "it never gets there"
        page = [*enumerate(kept, 1)][after : min(until, after + 20)]
        go_on()
        return succeed(page)

    rig.adapter.replay = replay
    for _ in range(50):
        go_on()
    again = returning(rig, pid)
    rig.adapter.read_back()
    assert again.sent[1:] == [f'2["n",{number},"{number}"]' for number in range(1, len(kept) + 1)]


def test_client_whose_return_takes_too_long_may_try_again(rig: Rig) -> None:
    """It would not, if it were refused."""
    session, socket = client_of(rig)
    session.drain("transport close")
    theirs = sessions.encode(RecoverySession(socket.pid, socket.id, {socket.id}, {}, 0), "/", "other", 1, "0")
    rig.broker.sessions.stored[socket.pid] = theirs
    again = returning(rig, socket.pid)
    rig.clock.pump([1.0] * 29)
    assert again.is_open
    rig.clock.pump([1.0] * 2)
    assert (again.is_open, again.sent) == (False, [])


def test_closed_server_has_everything_stored(rig: Rig) -> None:
    """Its clients are nobody's then, and come back to other nodes."""
    session, socket = client_of(rig)
    socket.join("room")
    rig.io.close()
    assert (stored(rig).node, stored(rig).rooms) == ("", {socket.id, "room"})
    session.drain()
    rig.clock.pump([0.5] * 4)
    assert not rig.clock.getDelayedCalls()


@pytest.mark.parametrize(
    "junk", [b"", b"\xc1", b"\x01", b"\x80", b"\x90", sessions._pack({"sid": 1, "pid": "p", "rooms": [], "data": 0})]
)
def test_junk_is_no_session(rig: Rig, junk: bytes) -> None:
    with pytest.raises(BadMessage):
        sessions.decode(junk)
    rig.broker.sessions.stored["pid"] = junk
    session = RecordingSession()
    rig.io.engine.on_session(session)  # type: ignore[arg-type]
    assert session.join(auth={"pid": "pid", "offset": "0"})
    assert rig.broker.dropped == 1


def test_session_of_a_node_js_server_can_be_used(rig: Rig) -> None:
    fields: Json = {"sid": "id", "pid": "pid", "rooms": ["id", 5], "data": {"a": 1}}
    rig.broker.sessions.stored["pid"] = sessions._pack(fields)
    returning(rig, "pid")
    rig.adapter.read_back()
    socket = rig.io.root.sockets["id"]
    assert (socket.rooms, socket.data, socket.recovered) == ({"id", "5"}, {"a": 1}, True)
    assert stored(rig).claim > 0


def test_client_that_was_at_a_node_js_server_meanwhile_is_here_once(rig: Rig) -> None:
    """What that one has stored does not tell by which server of ours its client was believed to be connected."""
    session, socket = client_of(rig)
    session.drain("transport close")
    stale = returning(rig, socket.pid)
    assert rig.io.root.sockets[socket.id].claim > 0  # type: ignore[attr-defined]
    theirs = sessions._pack({"sid": socket.id, "pid": socket.pid, "rooms": [socket.id, "room"], "data": {}})
    rig.broker.sessions.stored[socket.pid] = theirs
    rig.clock.advance(0.2)  # and no refresh, which would find it out, too
    again = returning(rig, socket.pid)
    rig.adapter.read_back()
    assert (stale.ended, again.is_open) == ("session taken over", True)
    assert rig.io.root.sockets[socket.id].rooms == {socket.id, "room"}


def test_session_that_a_node_js_server_stores_late(monkeypatch: pytest.MonkeyPatch, rig: Rig) -> None:
    """It does so when it has noticed that the client is gone, which may be here already."""
    monkeypatch.setattr(type(rig.adapter), "sessions_may_be_late", True)
    session = RecordingSession()
    rig.io.engine.on_session(session)  # type: ignore[arg-type]
    session.receive('0{"pid":"pid","offset":"0"}')
    assert not session.sent
    rig.broker.sessions.stored["pid"] = sessions._pack({"sid": "id", "pid": "pid", "rooms": ["id"], "data": {}})
    rig.clock.advance(0.2)
    rig.adapter.read_back()
    assert rig.io.root.sockets["id"].recovered


def test_session_that_the_broker_does_not_take_is_told_of_once(rig: Rig) -> None:
    """Its client is served all the same."""
    rig.broker.sessions.failure = BrokerError("too large")
    with capturedLogs() as events:
        _, socket = client_of(rig)
        for name in "ab":
            socket.join(name)
            rig.clock.advance(0)
    assert socket.connected
    assert [(event["log_level"], str(event["error"])) for event in events] == [(LogLevel.warn, "too large")]
