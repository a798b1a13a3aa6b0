"""The sessions of clients that are away."""

from __future__ import annotations

from twisted.internet.task import Clock

from txsocketio.engineio.deadlines import Deadlines
from txsocketio.socketio.away import Away, RecoverySession

SECONDS = 60.0


class Rig:
    """Sessions on a clock, and the ids of those that have expired."""

    def __init__(self, limit: int = 100) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, 1.0)
        self.expired: list[str] = []
        self.away = Away(self.deadlines, self.clock, SECONDS, limit, lambda session: self.expired.append(session.id))

    def add(self, name: str) -> None:
        self.away.add(RecoverySession(f"pid-{name}", name, {name}, {}, 0))

    def expired_within(self, seconds: float) -> list[str]:
        self.expired.clear()
        self.clock.pump([1.0] * int(seconds))
        return list(self.expired)


def test_session_is_found_until_it_is_taken() -> None:
    rig = Rig()
    rig.add("a")
    found = rig.away.get("pid-a")
    assert (rig.away.pop("pid-a"), rig.away.pop("pid-a"), rig.away.get("pid-a")) == (found, None, None)
    assert found is not None
    assert repr(found) == "<RecoverySession of a>"


def test_each_has_its_own_time() -> None:
    """Whoever is taken meanwhile; without any the timer stops."""
    rig = Rig()
    for name in "abcd":
        rig.add(name)
        rig.clock.advance(10.0)
    rig.away.pop("pid-a")
    rig.away.pop("pid-c")
    assert rig.expired_within(29) == []
    assert rig.expired_within(3) == ["b"]
    assert rig.expired_within(16) == []
    assert rig.expired_within(4) == ["d"]
    assert (len(rig.away), len(rig.deadlines)) == (0, 0)


def test_who_comes_and_goes_again_begins_anew() -> None:
    rig = Rig()
    rig.add("a")
    rig.clock.advance(50.0)
    rig.away.pop("pid-a")
    assert len(rig.deadlines) == 0
    rig.add("a")
    assert rig.expired_within(59) == []
    assert rig.expired_within(3) == ["a"]


def test_oldest_go_when_there_are_too_many() -> None:
    rig = Rig(limit=2)
    for name in "abcd":
        rig.add(name)
    assert (rig.expired, "pid-c" in rig.away, "pid-b" in rig.away) == (["a", "b"], True, False)


def test_listener_may_clear_and_add() -> None:
    """It is the application's."""
    rig = Rig()
    rig.away = Away(rig.deadlines, rig.clock, SECONDS, 100, lambda session: rig.away.clear())
    rig.add("a")
    rig.add("b")
    assert rig.expired_within(70) == []
    assert len(rig.deadlines) == 0
    rig.away = Away(rig.deadlines, rig.clock, SECONDS, 100, lambda session: rig.add("again"))
    rig.add("a")
    rig.expired_within(70)
    assert (len(rig.away), len(rig.deadlines)) == (1, 1)
    rig.away.clear()
    rig.away = Away(rig.deadlines, rig.clock, SECONDS, 1, lambda session: rig.away.clear())
    rig.add("a")
    rig.add("b")
    assert len(rig.deadlines) == 0


def test_cleared_ones_are_not_told() -> None:
    rig = Rig()
    rig.add("a")
    rig.away.clear()
    assert (rig.expired_within(100), len(rig.deadlines)) == ([], 0)
