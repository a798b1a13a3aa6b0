"""What the real clients send arrives, in both directions, whatever it is."""

from __future__ import annotations

import pytest

from tests.interop.conftest import Observe, only_javascript

VALUES = ["text", "", "żółw 🐢\u2028", 0, -1.5, 1e21, True, None, [], {}, {"deep": [{"er": [1, [2, [3]]]}]}]
BINARY_VALUES = [
    "hex:" + bytes(range(256)).hex(),
    "hex:",
    {"file": {"body": "hex:00ff", "name": "a"}},
    ["hex:01"],
    "text",
]


def mixed(count: int) -> list[object]:
    """The numbers from 0, every third as a byte."""
    return [number if number % 3 else f"hex:{number % 256:02x}" for number in range(count)]


async def test_every_kind_of_json_comes_back(observe: Observe, transport: str) -> None:
    """What a client sends comes back unchanged, as an acknowledgement and as an event."""
    facts = await observe("echo")
    assert facts == {
        "transport": "polling" if transport == "polling" else "websocket",
        "acknowledged": VALUES,
        "repeated": VALUES,
        "nothing": [],
    }


async def test_bytes_at_any_depth_come_back(observe: Observe) -> None:
    """Binary arguments travel in events and in acknowledgements, to the server and to the client."""
    facts = await observe("binary")
    assert facts == {"acknowledged": BINARY_VALUES, "repeated": BINARY_VALUES, "asked": ["hex:030201"]}


async def test_many_events_keep_their_order(observe: Observe) -> None:
    """A thousand events in one go arrive in order, with and without attachments among them."""
    facts = await observe("order")
    assert facts == {"down": list(range(1000)), "mixed down": mixed(100), "up and down": mixed(1000)}


async def test_messages_close_to_the_limit_pass(observe: Observe, transport: str) -> None:
    """Text and binary messages nearly as big as the server allows come back whole."""
    facts = await observe("payload")
    assert facts["text"] == {"length": 999_910, "same": True}
    assert facts["binary"] == {"length": 740_000 if transport == "polling" else 1_000_000, "same": True}


@only_javascript
async def test_message_over_the_limit_ends_only_its_sender(observe: Observe, transport: str) -> None:
    """A client that sends too much is cut off, others are not; forty big messages in a row are fine."""
    facts = await observe("payload")
    assert facts["together"] == [True] * 40
    assert facts["too big"] == ("transport error" if transport == "polling" else "transport close")
    assert facts["others"] == "fine"


@only_javascript
async def test_volatile_events_may_get_lost_but_not_reordered(observe: Observe) -> None:
    """Of a hundred volatile events those arrive that the transport could take; the plain one behind them does."""
    ticks = (await observe("volatile"))["ticks"]
    assert ticks == sorted(set(ticks))
    assert set(ticks) <= set(range(100))


@pytest.mark.parametrize("transport", ["upgrade"], indirect=True)
@only_javascript
async def test_nothing_is_lost_during_the_upgrade(observe: Observe) -> None:
    """Events sent in both directions while the client changes from polling to WebSocket arrive once and in order."""
    facts = await observe("upgrade")
    assert facts["transports"] == ["polling", "websocket"]
    assert facts["down"] == list(range(200))
    assert facts["back"] == list(range(facts["sent"]))
