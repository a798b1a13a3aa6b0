"""Who is in the cluster, by signs of life."""

from __future__ import annotations

from twisted.internet.task import Clock

from txsocketio.cluster.members import Members
from txsocketio.cluster.messages import ADAPTER_CLOSE, BROADCAST, HEARTBEAT, INITIAL_HEARTBEAT


class Rig:
    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[int] = []
        self.gone: list[str] = []
        self.members = Members(self.clock, 5.0, 10.0, self.told.append, self.gone.append)
        self.members.start()


def test_node_says_that_it_is_there_again_and_again() -> None:
    rig = Rig()
    assert rig.told == [INITIAL_HEARTBEAT]
    rig.clock.pump([5, 5])
    assert rig.told == [INITIAL_HEARTBEAT, HEARTBEAT, HEARTBEAT]


def test_new_node_is_answered_at_once() -> None:
    rig = Rig()
    rig.members.heard("a", INITIAL_HEARTBEAT)
    assert rig.told == [INITIAL_HEARTBEAT, HEARTBEAT]
    assert set(rig.members.names) == {"a"}


def test_everything_that_a_node_says_is_a_sign_of_life() -> None:
    rig = Rig()
    rig.members.heard("a", BROADCAST)
    rig.clock.pump([5, 4])
    rig.members.heard("a", BROADCAST)
    rig.clock.pump([1, 5])
    assert set(rig.members.names) == {"a"}


def test_silent_node_is_gone() -> None:
    rig = Rig()
    rig.members.heard("a", HEARTBEAT)
    rig.clock.pump([5, 5, 5])
    assert (rig.gone, set(rig.members.names)) == (["a"], set())


def test_node_that_says_so_is_gone_at_once() -> None:
    rig = Rig()
    rig.members.heard("a", HEARTBEAT)
    rig.members.heard("a", ADAPTER_CLOSE)
    rig.members.heard("never seen", ADAPTER_CLOSE)
    assert rig.gone == ["a"]


def test_end_is_told_and_leaves_no_timer() -> None:
    rig = Rig()
    rig.members.heard("a", HEARTBEAT)
    rig.members.stop()
    rig.members.stop()
    assert rig.told == [INITIAL_HEARTBEAT, ADAPTER_CLOSE]
    assert not rig.members.names
    assert not rig.clock.getDelayedCalls()
