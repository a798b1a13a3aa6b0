"""Listening to the events of a client, and to those of the socket's own."""

from __future__ import annotations

import pytest

from tests.socketio.doubles import Served
from txsocketio import ReservedEvent

RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


def test_handlers_get_the_arguments(served: Served) -> None:
    """The name of the event is not among them; several handlers are called in the order of registration."""
    session, socket = served.client()
    socket.on("hi", lambda *arguments: served.note("first", *arguments))
    socket.on("hi", lambda *arguments: served.note("second", *arguments))
    session.receive('2["hi"]', '2["hi",1,{"a":[null]}]')
    assert served.told == [("first",), ("second",), ("first", 1, {"a": [None]}), ("second", 1, {"a": [None]})]


def test_on_is_a_decorator_too(served: Served) -> None:
    """It gives back what it decorates."""
    session, socket = served.client()

    @socket.on("a")
    @socket.once("b")
    def handler() -> None:
        served.note("called")

    assert callable(handler)
    assert socket.on("c", handler) is socket.once("d", handler) is handler
    session.receive('2["a"]', '2["b"]', '2["b"]')
    assert len(served.told) == 2


def test_once_hears_one_event(served: Served) -> None:
    """Also when the handler itself causes the next."""
    session, socket = served.client()
    socket.once("hi", lambda number: [served.note(number), session.receive('2["hi",2]')][0])
    session.receive('2["hi",1]', '2["hi",3]')
    assert served.told == [(1,)]


def test_off_forgets_one_handler_or_all(served: Served) -> None:
    """However they were registered, and not those of other events."""
    session, socket = served.client()
    on, once, other = (lambda: served.note("on")), (lambda: served.note("once")), (lambda: served.note("other"))
    for event in ("a", "b"):
        socket.on(event, on)
        socket.once(event, once)
        socket.on(event, other)
    socket.off("a", on)
    socket.off("a", once)
    socket.off("b")
    socket.off("never registered", on)
    session.receive('2["a"]', '2["b"]')
    assert served.told == [("other",)]
    socket.off("a", other)
    assert not socket.handlers


def test_two_once_of_one_handler_are_two(served: Served) -> None:
    session, socket = served.client()
    handler = lambda: served.note("called")  # noqa: E731
    socket.once("hi", handler)
    socket.once("hi", handler)
    session.receive('2["hi"]', '2["hi"]')
    assert len(served.told) == 2


@pytest.mark.parametrize("event", ["disconnecting", "disconnect"])
def test_off_and_once_for_the_end(served: Served, event: str) -> None:
    session, socket = served.client()
    unwanted = socket.on(event, lambda reason: served.note("unwanted"))
    socket.once(event, lambda reason: served.note("wanted"))
    socket.off(event, unwanted)
    session.drain()
    assert served.told == [("wanted",)]


@pytest.mark.parametrize("event", sorted(set(RESERVED) - {"disconnect", "disconnecting"}))
def test_what_cannot_happen_cannot_be_listened_to(served: Served, event: str) -> None:
    """It would be a mistake that nobody notices."""
    _, socket = served.client()
    with pytest.raises(ReservedEvent):
        socket.on(event, served.note)


def test_any_hears_everything_first(served: Served) -> None:
    """A10.8: the name first; also what nobody listens to, and not the number of the acknowledgement."""
    session, socket = served.client()
    socket.on("hi", lambda *arguments: served.note("handler", *arguments))
    session.receive('2["hi"]')
    handler = socket.on_any(lambda *arguments: served.note("any", *arguments))
    session.receive('21["hi",1]', '2["ho",2]', '51-["hi",{"_placeholder":true,"num":0}]', b"3")
    assert served.told == [
        ("handler",), ("any", "hi", 1), ("handler", 1), ("any", "ho", 2), ("any", "hi", b"3"), ("handler", b"3")
    ]  # fmt: skip
    served.told.clear()
    socket.off_any(handler)
    session.receive('2["hi"]')
    socket.on_any(handler)
    socket.off_any()
    session.receive('2["hi"]')
    assert served.told == [("handler",), ("handler",)]


def test_any_does_not_acknowledge(served: Served) -> None:
    session, socket = served.client()
    socket.on_any(lambda *arguments: "any")
    session.receive('21["hi"]')
    assert not session.sent


def test_handler_may_send_its_own_client_away(served: Served) -> None:
    """What the client sent behind that is not heard any more."""
    session, socket = served.client()
    socket.on("hi", lambda: [served.note("hi"), socket.disconnect()][0])
    session.receive('2["hi"]', '2["hi"]')
    assert served.told == [("hi",)]
    assert session.sent == ["1"]
