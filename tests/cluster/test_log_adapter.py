"""One order of everything: what is put into the log is sent when it is read back."""

from __future__ import annotations

import gc
from typing import NoReturn

import pytest
from twisted.internet.defer import fail

from tests.cluster.doubles import Rig
from tests.socketio.doubles import RecordingSession, result_of
from txsocketio import BrokerError, BrokerUnavailable, UnserializableData
from txsocketio.cluster.messages import Message, Type
from txsocketio.types import Json

RECOVERY = {"connection_state_recovery": {"max_disconnection_duration": 30.0}}
OPTS = {"rooms": [], "except": [], "flags": {}}


@pytest.fixture
def rig() -> Rig:
    return Rig(**RECOVERY)


def event(*arguments: Json, number: int = 0, node: str = "a", opts: Json = OPTS) -> Message:
    """What another node has put into the log."""
    return Message(Type.BROADCAST, {"packet": {"type": 2, "data": [*arguments]}}, opts, node, number)


def test_event_is_sent_when_it_is_read_back(rig: Rig) -> None:
    """Behind that of another node, which was faster; each with its offset."""
    session, socket = rig.client()
    rig.io.emit("first")
    socket.emit("second")
    assert session.sent == []
    rig.adapter.read(1, event("other"), 10)
    rig.adapter.read_back()
    assert session.sent == ['2["other","1"]', '2["first","2"]', '2["second","3"]']


def test_what_does_not_pass_through_the_log_keeps_its_place(rig: Rig) -> None:
    session, socket = rig.client()

    @socket.on("ask")
    def ask() -> str:
        socket.emit("event")
        return "answer"

    session.receive('25["ask"]')
    socket.call("call").addErrback(lambda _: None)
    rig.io.local.emit("local")
    socket.disconnect()
    assert session.sent == []
    rig.adapter.read_back()
    assert session.sent == ['2["event","1"]', '35["answer"]', '20["call"]', '2["local","1"]', "1"]


def test_without_anything_in_the_log_nothing_waits(rig: Rig) -> None:
    session, socket = rig.client()
    socket.on("ask", lambda: "answer")
    session.receive('25["ask"]')
    rig.io.local.emit("local")
    assert session.sent == ['35["answer"]', '2["local","0"]']


def test_who_was_there_gets_it(rig: Rig) -> None:
    """Who leaves the room meanwhile too, who joins it meanwhile not: as on one server."""
    (one, leaves), (two, joins) = rig.client(), rig.client()
    leaves.join("room")
    rig.io.to("room").emit("event")
    leaves.leave("room")
    joins.join("room")
    rig.adapter.read_back()
    assert (one.sent, two.sent) == (['2["event","1"]'], [])


def test_who_is_gone_gets_nothing(rig: Rig) -> None:
    session, socket = rig.client()
    rig.io.emit("event")
    session.receive("1")
    rig.adapter.read_back()
    assert session.sent == []
    assert not socket.connected


def test_entry_that_comes_twice_is_passed_over(rig: Rig) -> None:
    """A broker may repeat what it is not sure to have."""
    session, _ = rig.client()
    for position, number in enumerate((1, 1, 2, 1, 2, 3), 1):
        rig.adapter.read(position, event("n", number, number=number), 10)
    rig.adapter.read(7, event("other", number=1, node="b"), 10)
    assert session.sent == ['2["n",1,"1"]', '2["n",2,"3"]', '2["n",3,"6"]', '2["other","7"]']


def test_what_the_broker_gave_up_holds_nothing_up(rig: Rig) -> None:
    session, _socket = rig.client()
    rig.io.emit("kept")
    given_up = fail(BrokerUnavailable("away"))
    rig.broker.outcome = lambda: given_up
    lost = rig.io.emit("lost")
    assert isinstance(result_of(lost), BrokerUnavailable)
    rig.broker.appended.pop()
    rig.io.local.emit("local")
    rig.adapter.read_back()
    assert session.sent == ['2["kept","1"]', '2["local","1"]']


def test_what_is_not_taken_is_an_error_at_the_call(rig: Rig) -> None:
    """Of a socket's emit too, which gives nothing that could fail later."""
    session, socket = rig.client()

    def full() -> NoReturn:
        raise BrokerUnavailable("full")

    rig.broker.outcome = full
    with pytest.raises(BrokerUnavailable):
        socket.emit("event")
    for refused in (rig.io.emit("event"), rig.io.sockets_join("room"), rig.io.call("ask")):
        assert isinstance(result_of(refused), BrokerUnavailable)
    rig.io.local.emit("local")
    assert session.sent == ['2["local","0"]']
    assert not rig.adapter.requests


def test_what_the_broker_refuses_is_counted(rig: Rig) -> None:
    """Also of a socket's emit, which nobody can wait for; what was logged as an unhandled failure would fail this."""
    _, socket = rig.client()
    rig.broker.outcome = lambda: fail(BrokerError("too large"))
    socket.emit("event")
    rig.io.emit("event")
    rig.broker.appended.clear()
    gc.collect()
    assert rig.broker.given_up == 2


def test_what_cannot_be_sent_never_gets_into_the_log(rig: Rig) -> None:
    _, socket = rig.client()
    for emit in (rig.io.emit, socket.emit, rig.io.call, socket.call):
        with pytest.raises(UnserializableData):
            emit("event", object())
    assert not rig.broker.appended


def test_clients_come_back_as_new_ones_when_entries_are_lost(rig: Rig) -> None:
    """Also who was away: nobody goes on as if nothing had been."""
    (away, gone), (session, _) = rig.client(), rig.client()
    rig.adapter.read(1, event("event"), 10)
    away.drain("transport close")
    rig.broker.first = 5
    rig.adapter.lost_up_to(5)
    assert session.ended == "forced close"
    for offset in ("1", None):
        again = RecordingSession()
        rig.io.engine.on_session(again)  # type: ignore[arg-type]
        assert again.join(auth={"pid": gone.pid, "offset": offset}) != gone.id


def test_nothing_waits_for_what_may_be_lost(rig: Rig) -> None:
    """What was put there and comes all the same is read as ever."""
    rig.io.emit("event")
    asked = rig.io.fetch_sockets()
    assert not rig.broker.published
    rig.adapter.lost_up_to(5)
    assert [message.type for message in rig.broker.published] == [Type.FETCH_SOCKETS]
    session, _ = rig.client()
    rig.adapter.read_back()
    assert session.sent == []
    rig.io.emit("after")
    rig.adapter.read_back()
    assert session.sent == ['2["after","7"]']
    rig.io.close()
    assert isinstance(result_of(asked), BrokerUnavailable)


@pytest.mark.parametrize(
    "bad",
    [
        Message(Type.BROADCAST, {}, OPTS, "a"),
        event("event", opts=None),
        Message(Type.SESSION_TAKEN, {"sid": 1, "claim": 1}, None, "a"),
        Message(Type.SESSION_TAKEN, {"sid": "x"}, None, "a"),
        Message(Type.BROADCAST_CALL, {"requestId": "x"}, OPTS, "a"),
    ],
)
def test_bad_entry_is_dropped_and_reading_goes_on(rig: Rig, bad: Message) -> None:
    session, _ = rig.client()
    rig.adapter.read(1, bad, 10)
    rig.adapter.read(2, event("event"), 10)
    assert rig.broker.dropped == 1
    assert session.sent == ['2["event","2"]']


def test_nobody_here_is_found_out_without_decoding(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept all the same for who may come back."""
    monkeypatch.setattr(rig.io.root, "encode", None)
    rig.adapter.read(1, event("event", opts={"rooms": ["nobody"], "except": [], "flags": {}}), 10)
    assert (rig.broker.dropped, len(rig.adapter.recovery.log)) == (0, 1)


def test_fetching_waits_for_what_the_asking_node_has_read(rig: Rig) -> None:
    rig.receive(Type.FETCH_SOCKETS, {"requestId": "r", "offset": "2"}, OPTS)
    rig.broker.progress.move(1)
    assert rig.broker.answered == []
    rig.broker.progress.move(2)
    assert [node for node, _ in rig.broker.answered] == ["a"]


def test_question_about_what_never_comes_is_not_answered(rig: Rig) -> None:
    rig.receive(Type.FETCH_SOCKETS, {"requestId": "r", "offset": "2"}, OPTS)
    rig.clock.pump([1] * 6)
    rig.broker.progress.move(2)
    assert rig.broker.answered == []
