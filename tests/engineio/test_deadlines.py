"""Coarse deadlines: late by at most the granularity, never early, on one timer of the reactor."""

from __future__ import annotations

from random import Random

import pytest
from twisted.internet.task import Clock

from txsocketio.engineio.deadlines import Deadline, Deadlines
from txsocketio.types import Json

GRANULARITY = 0.5


class Rig:
    """Deadlines on a clock, and what they called."""

    def __init__(self, granularity: float = GRANULARITY) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, granularity)
        self.fired: list[str] = []

    def start(self, seconds: float, name: str = "a") -> Deadline:
        return self.deadlines.start(seconds, lambda: self.fired.append(name))

    def pass_time(self, seconds: float, steps: int = 100) -> list[str]:
        """As a reactor does: the clock goes on in small steps."""
        self.clock.pump([seconds / steps] * steps)
        return self.fired

    @property
    def timers(self) -> int:
        return len(self.clock.getDelayedCalls())


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize("granularity", [0.05, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("begin", [0.0, 0.123, 1_763_716_000.7])
def test_never_early_and_late_by_at_most_the_granularity(granularity: float, begin: float) -> None:
    """Whenever a deadline begins and however long it is."""
    random = Random(4)
    rig = Rig(granularity)
    rig.clock.advance(begin)
    delays: list[float] = []

    def start(seconds: float) -> None:
        due = rig.clock.seconds() + seconds
        rig.deadlines.start(seconds, lambda: delays.append(rig.clock.seconds() - due))

    step = granularity / 20
    for _ in range(300):
        start(random.choice([0.0, granularity, 2 * granularity, random.uniform(0, 5)]))
        rig.clock.advance(random.uniform(0, step))
    rig.pass_time(6.0, round(6.0 / step))
    assert len(delays) == 300
    assert min(delays) >= -1e-6  # the clock's own rounding
    assert max(delays) <= granularity + step + 1e-6


def test_cancelled_deadline_never_fires(rig: Rig) -> None:
    deadline = rig.start(1.0)
    rig.start(1.0, "b")
    deadline.cancel()
    deadline.cancel()
    assert rig.pass_time(3.0) == ["b"]
    deadline.cancel()
    assert len(rig.deadlines) == 0


def test_no_timer_while_empty(rig: Rig) -> None:
    """A server without clients sleeps."""
    assert rig.timers == 0
    first, second = rig.start(1.0), rig.start(9.0)
    assert (rig.timers, len(rig.deadlines)) == (1, 2)
    first.cancel()
    assert rig.timers == 1
    second.cancel()
    assert (rig.timers, len(rig.deadlines)) == (0, 0)
    rig.start(1.0)
    assert rig.pass_time(2.0) == ["a"]
    assert (rig.timers, len(rig.deadlines)) == (0, 0)


def test_one_timer_however_many_deadlines(rig: Rig) -> None:
    for number in range(1000):
        rig.start(number / 10)
    assert rig.timers == 1
    rig.pass_time(50.0)
    assert rig.timers == 1


def test_starting_and_cancelling_leaves_nothing(rig: Rig) -> None:
    """As a heartbeat does it for each client, for as long as that lives."""
    rig.start(1000.0)
    for _ in range(2000):
        rig.start(25.0).cancel()
        rig.clock.advance(0.1)
    assert len(rig.deadlines) == 1
    assert len(rig.deadlines._slots) <= 25 / GRANULARITY + 2


def test_deadlines_fire_in_the_order_of_their_ticks(rig: Rig) -> None:
    for seconds in (3.0, 1.0, 2.0):
        rig.start(seconds, str(seconds))
    assert rig.pass_time(5.0) == ["1.0", "2.0", "3.0"]


def test_callback_may_start_others(rig: Rig) -> None:
    """Also such as are due at once."""
    rig.deadlines.start(1.0, lambda: (rig.start(0.0, "at once"), rig.start(1.0, "later")))
    rig.pass_time(2.0)
    assert rig.fired == ["at once"]
    rig.pass_time(1.1)
    assert rig.fired == ["at once", "later"]
    assert rig.timers == 0


def test_callback_may_start_itself_again(rig: Rig) -> None:
    """Once a tick, and not for ever within one."""

    def again() -> None:
        rig.fired.append("again")
        rig.deadlines.start(0.0, again)

    rig.deadlines.start(0.0, again)
    rig.pass_time(2.0)
    assert len(rig.fired) == 2.0 / GRANULARITY


def test_callback_may_cancel_the_others_of_its_tick(rig: Rig) -> None:
    """Whichever of them comes first."""
    both: list[Deadline] = []

    def cancel_both() -> None:
        rig.fired.append("fired")
        for deadline in both:
            deadline.cancel()

    both += [rig.deadlines.start(1.0, cancel_both), rig.deadlines.start(1.0, cancel_both)]
    assert rig.pass_time(3.0) == ["fired"]
    assert (rig.timers, len(rig.deadlines)) == (0, 0)


def test_callback_may_cancel_all_and_start_one(rig: Rig) -> None:
    later = rig.start(10.0, "cancelled")
    rig.deadlines.start(1.0, lambda: (later.cancel(), rig.start(1.0, "started")))
    assert rig.pass_time(20.0) == ["started"]
    assert rig.timers == 0


def test_callback_that_fails_is_logged_and_the_others_come(rig: Rig, logged_errors: Json) -> None:
    for _ in range(2):
        rig.deadlines.start(1.0, lambda: 1 // 0)
        rig.start(1.0)
    assert rig.pass_time(2.0) == ["a", "a"]
    assert len(logged_errors.take(ZeroDivisionError)) == 2
    assert rig.timers == 0


def test_clock_that_jumps_ahead(rig: Rig) -> None:
    """After the machine has slept everything overdue comes with the next tick, what is not due does not."""
    for seconds in (1.0, 100.0, 3599.0):
        rig.start(seconds, str(seconds))
    rig.start(4000.0, "not yet")
    rig.clock.advance(3600.0)
    assert rig.pass_time(GRANULARITY + 0.01, 10) == ["1.0", "100.0", "3599.0"]
    assert rig.timers == 1


def test_what_jumped_deadlines_start_is_not_due_at_once(rig: Rig) -> None:
    """A heartbeat whose ping is overdue still grants the whole time for the pong."""
    rig.deadlines.start(25.0, lambda: rig.start(20.0, "pong missing"))
    rig.clock.advance(3600.0)
    assert rig.pass_time(20.0) == []
    assert rig.pass_time(2 * GRANULARITY) == ["pong missing"]
