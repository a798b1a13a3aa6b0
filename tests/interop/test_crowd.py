"""What is done to many sockets at once, as their clients see it."""

from __future__ import annotations

from tests.interop.conftest import Observe, only_javascript

pytestmark = only_javascript


async def test_sockets_are_moved_and_found(observe: Observe) -> None:
    """With what the application keeps about them."""
    facts = await observe("everybody")
    assert facts["hall"] == [{"name": "ann", "data": {}}, {"name": "bob", "data": {"name": "bob"}}]


async def test_sockets_are_sent_away(observe: Observe) -> None:
    """From the namespace or altogether; either way the client knows that the server wanted it."""
    facts = await observe("everybody")
    assert facts["ends"] == ["io server disconnect"] * 2
    assert facts["left"] == 1


async def test_rooms_are_told_of_once(observe: Observe) -> None:
    """In order, the rooms of the sockets' own ids too."""
    rooms = (await observe("everybody"))["rooms"]
    assert rooms[:6] == [[event, *words] for name in ("ann", "bob", "cid") for event, *words in own(name)]
    assert rooms[6] == ["create_room", "hall"]
    assert sorted(rooms[7:9]) == [["join_room", "hall", "ann"], ["join_room", "hall", "bob"]]
    assert rooms[9:] == [
        ["leave_room", "hall", "bob"], ["leave_room", "bob", "bob"], ["delete_room", "bob"],
        ["leave_room", "cid", "cid"], ["delete_room", "cid"],
    ]  # fmt: skip


def own(name: str) -> list[list[str]]:
    return [["create_room", name], ["join_room", name, name]]
