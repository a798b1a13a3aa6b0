"""Questions to several nodes."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.socketio.doubles import result_of
from txsocketio import AckTimeout, BrokerUnavailable
from txsocketio.cluster.requests import Others, Request, Requests


class Rig:
    def __init__(self) -> None:
        self.clock = Clock()
        self.requests = Requests(self.clock, 2)
        self.request = self.requests.open("1", 5.0)


def test_answers_may_come_before_it_is_known_who_answers() -> None:
    rig = Rig()
    rig.request.node_answered("a", ["A"])
    rig.request.node_answered("b", ["B"])
    assert result_of(rig.request.deferred) == "nothing yet"
    rig = Rig()
    rig.request.node_answered("a", ["A"])
    rig.request.expect_nodes(Others(2, {"a", "b"}))
    rig.request.node_answered("b", ["B"])
    assert result_of(rig.request.deferred) == ["A", "B"]
    assert not rig.requests


def test_nameless_answers_count() -> None:
    rig = Rig()
    rig.request.expect_nodes(Others(2))
    rig.request.node_answered("", ["A"])
    rig.request.node_answered("", ["B"])
    assert result_of(rig.request.deferred) == ["A", "B"]


def test_node_that_answers_twice_counts_once() -> None:
    rig = Rig()
    rig.request.expect_nodes(Others(2, {"a", "b"}))
    rig.request.node_answered("a", ["A"])
    rig.request.node_answered("a", ["A again"])
    rig.request.node_answered("b", ["B"])
    assert result_of(rig.request.deferred) == ["A", "B"]


def test_nobody_to_be_asked() -> None:
    rig = Rig()
    rig.request.expect_nodes(Others(0))
    assert result_of(rig.request.deferred) == []


def test_clients_of_all_nodes_are_waited_for() -> None:
    rig = Rig()
    rig.request.expect_clients(2)
    rig.request.expect_nodes(Others(1, {"a"}))
    rig.request.callback((1, 2))
    rig.request.node_answered("a", clients=2)
    rig.request.callback(3)
    rig.request.errback()
    assert result_of(rig.request.deferred) == "nothing yet"
    rig = Rig()
    rig.request.expect_clients(1)
    rig.request.node_answered("a", clients=2)
    rig.request.callback(1)
    rig.request.callback(2)
    rig.request.expect_nodes(Others(1, {"a"}))
    rig.request.errback(Exception())
    assert result_of(rig.request.deferred) == [1, 2]


@pytest.mark.parametrize(
    ("others", "missing"),
    [
        (Others(2, {"a", "b"}), ["b"]),
        (Others(3, {"a", "b"}), ["b", "?"]),
        (Others(3), ["?", "?"]),
        (Others(2, {"a", "b", "c"}), ["?"]),
    ],
)
def test_timeout_tells_what_came_and_who_is_missing(others: Others, missing: list[str]) -> None:
    rig = Rig()
    rig.request.expect_nodes(others)
    rig.request.node_answered("a", ["A"])
    rig.clock.advance(5)
    error = result_of(rig.request.deferred)
    assert isinstance(error, AckTimeout)
    assert (error.answers, error.missing) == (["A"], missing)
    assert not rig.requests
    rig.request.node_answered("b", ["too late"])
    rig.request.callback("too late")


def test_node_that_goes_is_not_waited_for() -> None:
    rig = Rig()
    rig.request.expect_nodes(Others(2, {"a", "b"}))
    rig.request.node_answered("a", ["A"])
    rig.requests.node_gone("stranger")
    rig.requests.node_gone("b")
    assert result_of(rig.request.deferred) == ["A"]


def test_broker_that_goes_fails_all_questions() -> None:
    rig = Rig()
    other = rig.requests.open("2", 5.0)
    rig.requests.fail(BrokerUnavailable("away"))
    assert isinstance(result_of(rig.request.deferred), BrokerUnavailable)
    assert isinstance(result_of(other.deferred), BrokerUnavailable)
    rig.request.fail(Failure(BrokerUnavailable("again")))
    assert not rig.requests
    assert not rig.clock.getDelayedCalls()


def test_number_of_questions_is_bounded() -> None:
    rig = Rig()
    rig.requests.open("2", 5.0)
    with pytest.raises(BrokerUnavailable, match="max_requests"):
        rig.requests.open("3", 5.0)
    for request in [*rig.requests.values()]:
        request.expect_nodes(Others(0))
    assert isinstance(rig.requests.open("3", 5.0), Request)
