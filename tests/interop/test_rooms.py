"""Rooms and broadcasts among three real clients: ann is in room a, bob in a and b, cid in none."""

from __future__ import annotations

from tests.interop.conftest import Observe


async def test_broadcasts_reach_exactly_whom_they_should(observe: Observe) -> None:
    """Every way to address others reaches those in the rooms named, never the sender of `socket.to` or `broadcast`."""
    assert await observe("rooms") == {
        "joined": [["a"], ["a"], ["a", "b"]],
        "announce": ["ann: x", "bob: x", "cid: x"],
        "broadcast": ["bob: x", "cid: x"],
        "tell": ["ann: x"],
        "tell from outside": ["ann: x", "bob: x"],
        "tell all": ["ann: x", "bob: x"],
        "tell except": ["ann: x"],
        "empty room": [],
        "tell one": ["ann: x"],
        "survey": ["ann", "bob"],
        "left": ["b"],
        "after leaving": ["ann: x"],
    }
