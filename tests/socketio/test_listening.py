"""Listening to events: of a client, or of a namespace."""

from __future__ import annotations

from tests.socketio.doubles import Served


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


def test_handler_may_send_its_own_client_away(served: Served) -> None:
    """What the client sent behind that is not heard any more."""
    session, socket = served.client()
    socket.on("hi", lambda: [served.note("hi"), socket.disconnect()][0])
    session.receive('2["hi"]', '2["hi"]')
    assert served.told == [("hi",)]
    assert session.sent == ["1"]


def test_listeners_are_those_that_were_registered(served: Served) -> None:
    """In order; a copy, in which nothing tells `once` from `on`."""
    _, socket = served.client()
    for listening in (socket, served.io.of("/chat"), served.io):
        first, second = listening.on("hi", lambda: None), listening.once("hi", lambda: None)
        assert listening.listeners("hi") == [first, second]
        listening.listeners("hi").clear()
        assert len(listening.listeners("hi")) == 2
        assert listening.listeners("never registered") == []


def test_names_of_the_events_that_are_listened_to(served: Served) -> None:
    """Those of the socket's own, too; once each."""
    _, socket = served.client()
    for event in ("hi", "disconnect", "hi", "disconnect", "ho"):
        socket.once(event, lambda: None)
        served.io.on(event, lambda: None)
    socket.off("ho")
    assert socket.event_names() == ["hi", "disconnect"]
    assert served.io.event_names() == ["hi", "disconnect", "ho"]


def test_all_listeners_of_an_event_or_of_all(served: Served) -> None:
    _, socket = served.client()
    for listening in (socket, served.io.of("/chat"), served.io):
        for event in ("a", "b", "c"):
            listening.on(event, lambda: None)
            listening.once(event, lambda: None)
        listening.remove_all_listeners("a")
        assert not listening.listeners("a")
        assert len(listening.listeners("b")) == 2
        listening.remove_all_listeners()
        assert not listening.listeners("b") + listening.listeners("c")


def test_once_hears_one_connection(served: Served) -> None:
    connected = served.io.once("connection", lambda socket: served.note("connected"))
    unwanted = served.io.of("/").on("connect", lambda socket: served.note("unwanted"))
    served.io.off("connect", unwanted)
    served.client()
    served.client()
    assert served.told == [("connected",)]
    assert connected not in served.io.listeners("connection")
