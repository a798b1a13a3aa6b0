"""The real clients in several namespaces on one connection."""

from __future__ import annotations

from typing import Any

from tests.interop.conftest import Observe, only_javascript


def who(namespace: str) -> dict[str, Any]:
    """What the server must know about the client of the scenario."""
    return {
        "id": None,
        "namespace": namespace,
        "auth": {"name": "ann", "token": "secret"},
        "fruit": "kiwi",
        "agent": "Smith",
        "secure": False,
        "address": "127.0.0.1",
    }


async def test_handshake_reaches_the_application(observe: Observe) -> None:
    """The server sees what the client gave: auth, query and headers, in each namespace."""
    facts = await observe("namespaces")
    assert facts["main"] == who("/")
    assert facts["private"] == who("/private")


async def test_refusals_tell_why(observe: Observe) -> None:
    """A middleware's refusal carries its message and data; a namespace that does not exist is refused too."""
    facts = await observe("namespaces")
    assert facts["refused"] == {"message": "not authorized", "data": {"code": 1}, "connected": False}
    assert facts["unknown"] == {"message": "Invalid namespace", "connected": False}


async def test_namespaces_share_a_connection_and_nothing_else(observe: Observe, client: str) -> None:
    """Each namespace has its own id and gets its own broadcasts; leaving one leaves the others alone."""
    facts = await observe("namespaces")
    assert facts["room"] == "/room"
    assert facts["ids"] == 4
    assert sorted(facts["told"]) == [[name, f"from {name}"] for name in ("/", "/private", "/room")]
    if client == "javascript":
        assert facts["left"] == ["still here", True, True, False]


@only_javascript
async def test_namespaces_come_to_be_when_they_are_asked_for(observe: Observe) -> None:
    """By a pattern, or by a function that looks at the auth and waits; a parent reaches all its children."""
    facts = await observe("dynamic")
    assert facts["refused"] == facts["not a member"] == "Invalid namespace"
    assert facts["namespaces"] == ["/room-1", "/tenant/acme"]
    assert facts["told"] == [["/room-1", "fire"], ["/room-2", "fire"]]
