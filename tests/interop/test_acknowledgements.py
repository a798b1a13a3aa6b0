"""Acknowledgements between the real clients and the server, both ways."""

from __future__ import annotations

from tests.interop.conftest import Observe


async def test_both_sides_answer_and_both_give_up(observe: Observe, client: str) -> None:
    """Answers with one or several values arrive; an answer that does not come ends in a timeout on either side."""
    facts = await observe("acknowledgements")
    assert facts["one"] == [42]
    assert facts["several"] == ["a", {"b": 1}, None]
    assert facts["mute"] == {"error": "operation has timed out"}
    assert facts["late"] == "operation has timed out"
    assert facts["in time"] == "here"


async def test_quick_answer_overtakes_a_slow_one(observe: Observe) -> None:
    """A handler that waits does not hold up those behind it."""
    assert (await observe("acknowledgements"))["order"] == ["quick", "slow"]
