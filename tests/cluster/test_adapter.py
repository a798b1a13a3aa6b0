"""What the nodes of a cluster share, without a broker."""

from __future__ import annotations

import gc

import pytest
from twisted.internet.defer import Deferred, fail

from tests.cluster.doubles import Rig
from tests.conftest import LoggedErrors
from tests.socketio.doubles import result_of
from txsocketio import AckTimeout, BrokerUnavailable
from txsocketio.cluster.messages import Type
from txsocketio.types import Json

OPTS = {"rooms": [], "except": [], "flags": {}}
PACKET = {"packet": {"type": 2, "data": ["event", 1]}}

#: Data and opts that no node of ours would send.
BAD = [
    (Type.BROADCAST, {}, OPTS),
    (Type.BROADCAST, {"packet": None}, OPTS),
    (Type.BROADCAST, {"packet": {"data": None}}, OPTS),
    (Type.BROADCAST, {"packet": {"data": []}}, OPTS),
    (Type.BROADCAST, {"packet": {"data": [1]}}, OPTS),
    (Type.BROADCAST, PACKET, None),
    (Type.BROADCAST, PACKET, {}),
    (Type.BROADCAST, PACKET, {"rooms": "all", "except": []}),
    (Type.BROADCAST, PACKET, {"rooms": [], "except": None}),
    (Type.BROADCAST, PACKET, {"rooms": [], "except": [], "flags": 1}),
    (Type.BROADCAST, PACKET, {"rooms": [], "except": [], "flags": {"timeout": "soon"}}),
    (Type.BROADCAST, {**PACKET, "requestId": 1}, OPTS),
    (Type.SOCKETS_JOIN, {}, OPTS),
    (Type.SOCKETS_JOIN, {"rooms": None}, OPTS),
    (Type.SOCKETS_JOIN, {"rooms": ["a"]}, None),
    (Type.SOCKETS_LEAVE, {"rooms": {}}, OPTS),
    (Type.DISCONNECT_SOCKETS, {"close": True}, None),
    (Type.FETCH_SOCKETS, {"requestId": "1"}, None),
    (Type.FETCH_SOCKETS, {"requestId": 1}, OPTS),
    (Type.SERVER_SIDE_EMIT, {}, None),
    (Type.SERVER_SIDE_EMIT, {"packet": []}, None),
    (Type.SERVER_SIDE_EMIT_RESPONSE, {"requestId": 1}, None),
    (Type.BROADCAST_CLIENT_COUNT, {"requestId": "1"}, None),
    (Type.BROADCAST_CLIENT_COUNT, {"requestId": "1", "clientCount": "many"}, None),
    (Type.BROADCAST_ACK, {"requestId": {}}, None),
]


@pytest.mark.parametrize(("type", "data", "opts"), BAD)
def test_bad_message_is_dropped_and_counted(type: int, data: Json, opts: Json) -> None:
    """No client hears anything of it, and the next message is understood."""
    rig = Rig()
    session, _ = rig.client()
    rig.receive(type, data, opts)
    assert (rig.broker.dropped, rig.broker.answered, session.sent) == (1, [], [])
    rig.receive(Type.BROADCAST, PACKET, OPTS)
    assert session.sent == ['2["event",1]']


def test_unknown_types_are_passed_over() -> None:
    rig = Rig()
    for type in (0, 14, 99, 103):
        rig.receive(type, {})
    assert rig.broker.dropped == 0


@pytest.mark.parametrize("sockets", [None, 1, [None], [{}], [{"id": "x"}], ["x"]])
def test_sockets_that_are_not_described_as_such(sockets: Json) -> None:
    rig = Rig()
    fetched = rig.io.fetch_sockets()
    number = rig.broker.published[0].request
    rig.receive(Type.FETCH_SOCKETS_RESPONSE, {"requestId": number, "sockets": sockets})
    assert rig.broker.dropped == 1
    rig.clock.advance(5)
    assert result_of(fetched).missing == ["a", "b"]


def test_rooms_that_are_numbers_are_text_here() -> None:
    """A Node.js application may name a room 5."""
    rig = Rig()
    session, socket = rig.client()
    socket.join("5")
    rig.receive(Type.BROADCAST, PACKET, {"rooms": [5], "except": [], "flags": {}})
    assert session.sent == ['2["event",1]']


def test_nobody_here_is_found_out_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    monkeypatch.setattr(rig.io.root, "encode", None)
    rig.receive(Type.BROADCAST, PACKET, {"rooms": ["nobody"], "except": [], "flags": {}})
    assert rig.broker.dropped == 0


def test_questions_fail_at_once_while_the_broker_is_away() -> None:
    rig = Rig()
    waiting = [rig.io.fetch_sockets(), rig.io.server_side_call("ask"), rig.io.call("ask")]
    rig.broker.lost()
    for question in [*waiting, rig.io.fetch_sockets(), rig.io.server_side_call("ask"), rig.io.call("ask")]:
        assert isinstance(result_of(question), BrokerUnavailable)
    assert isinstance(result_of(rig.adapter.server_count()), BrokerUnavailable)
    rig.broker.connected()
    assert result_of(rig.adapter.server_count()) == 3
    assert not rig.adapter.requests


def test_clients_here_get_everything_while_the_broker_is_away() -> None:
    rig = Rig()
    session, _ = rig.client()
    rig.broker.lost()
    rig.broker.outcome = lambda: fail(BrokerUnavailable("full"))
    emitted = rig.io.emit("event")
    assert session.sent == ['2["event"]']
    assert isinstance(result_of(emitted), BrokerUnavailable)


def test_failures_that_nobody_handles_are_counted() -> None:
    """And not logged as thousands of "Unhandled error in Deferred"; that would fail this test."""
    rig = Rig()
    rig.broker.outcome = lambda: fail(BrokerUnavailable("full"))
    for _ in range(10):
        rig.io.emit("event")
    rig.io.sockets_join("room")
    gc.collect()
    assert rig.broker.given_up == 11


def test_mistakes_of_the_application_are_logged_all_the_same(logged_errors: LoggedErrors) -> None:
    rig = Rig()
    rig.io.emit("event").addCallback(lambda _: 1 / 0)
    assert len(logged_errors.take()) == 2  # that there is one, and which


def test_too_many_questions_fail() -> None:
    rig = Rig()
    waiting = [rig.io.server_side_call("ask") for _ in range(3)]
    assert isinstance(result_of(rig.io.server_side_call("ask")), BrokerUnavailable)
    rig.clock.advance(5)
    assert all(isinstance(result_of(question), AckTimeout) for question in waiting)


def test_answers_to_nobody_are_passed_over() -> None:
    rig = Rig()
    for type in (8, 10, 11, 12, 100):
        rig.receive(type, {"requestId": "unknown", "clientCount": 1, "sockets": []})
    assert rig.broker.dropped == 0


def test_call_of_another_node_is_answered() -> None:
    """How many clients there are at once, also none; then what they answer, and that one has gone."""
    rig = Rig()
    rig.receive(Type.BROADCAST, {**PACKET, "requestId": "r"}, OPTS)
    first, second = rig.client(), rig.client()
    rig.receive(Type.BROADCAST, {**PACKET, "requestId": "s"}, {**OPTS, "flags": {"timeout": 2000}})
    first[0].receive('31["answer"]')
    second[0].drain("transport close")
    told = [(node, message.type, message.data) for node, message in rig.broker.answered]
    assert told == [
        ("a", Type.BROADCAST_CLIENT_COUNT, {"requestId": "r", "clientCount": 0}),
        ("a", Type.BROADCAST_CLIENT_COUNT, {"requestId": "s", "clientCount": 2}),
        ("a", Type.BROADCAST_ACK, {"requestId": "s", "packet": "answer"}),
        ("a", Type.BROADCAST_GONE, {"requestId": "s"}),
    ]


def test_acknowledgements_are_forgotten_when_nobody_waits() -> None:
    rig = Rig()
    session, _ = rig.client()
    rig.receive(Type.BROADCAST, {**PACKET, "requestId": "s"}, {**OPTS, "flags": {"timeout": 2000}})
    rig.clock.pump([1] * 4)
    session.receive('30["too late"]')
    assert [message.type for _, message in rig.broker.answered] == [Type.BROADCAST_CLIENT_COUNT]


def test_counting_nodes_may_take_time() -> None:
    rig = Rig()
    rig.broker.others = Deferred
    fetched = rig.io.fetch_sockets()
    number = rig.broker.published[0].request
    for node in ("a", "b"):
        rig.receive(Type.FETCH_SOCKETS_RESPONSE, {"requestId": number, "sockets": []}, node=node)
    assert result_of(fetched) == "nothing yet"


def test_closed_server_answers_no_questions() -> None:
    rig = Rig()
    question = rig.io.server_side_call("ask")
    rig.io.close()
    assert isinstance(result_of(question), BrokerUnavailable)
