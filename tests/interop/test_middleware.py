"""The real client and packet middlewares: events stay in order, and what is dropped is never acknowledged."""

from __future__ import annotations

from tests.interop.conftest import Observe, only_javascript

pytestmark = only_javascript


async def test_slow_event_is_not_overtaken(observe: Observe) -> None:
    """Although only the first one waits in the middleware."""
    assert (await observe("guarded"))["order"] == [1, 2]


async def test_dropped_event_is_not_acknowledged(observe: Observe) -> None:
    """The client waits in vain; the server's socket hears why."""
    facts = await observe("guarded")
    assert facts["refused"] == "operation has timed out"
    assert facts["log"][2] == ["not for you"]


async def test_everything_is_overheard(observe: Observe) -> None:
    """What comes, also if it is dropped, and what is sent; acknowledgements are no events."""
    heard, sent, _ = (await observe("guarded"))["log"]
    assert heard == ["slow", "quick", "forbidden", "log"]
    assert sent == ["welcome"]
