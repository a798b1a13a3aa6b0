"""Listening to a client: the events of the socket's own, every event, every event that is sent, a class for all."""

from __future__ import annotations

import pytest

from tests.conftest import LoggedErrors
from tests.socketio.doubles import Served, result_of
from txsocketio import ReservedEvent, Socket, UnserializableData
from txsocketio.types import Json

RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


def test_whatever_listens_can_be_decorated(served: Served) -> None:
    """As with `on`; each gives back what it decorates."""
    session, socket = served.client()
    ways = (socket.on_any, socket.prepend_any, socket.on_any_outgoing, socket.prepend_any_outgoing, socket.use)
    for way in (*ways, served.io.use, served.io.of("/chat").use, served.io.engine.use):

        @way
        def handler(*arguments: Json) -> None:
            served.note("called")

        assert callable(handler)
    assert len(socket.listeners_any()) == len(socket.listeners_any_outgoing()) == 2
    session.receive('2["hi"]')
    socket.emit("hi")
    assert len(served.told) == 5


# The end


@pytest.mark.parametrize("event", ["disconnecting", "disconnect"])
def test_off_and_once_for_the_end(served: Served, event: str) -> None:
    session, socket = served.client()
    unwanted = socket.on(event, lambda reason: served.note("unwanted"))
    socket.once(event, lambda reason: served.note("wanted"))
    assert len(socket.listeners(event)) == 2
    socket.off(event, unwanted)
    session.drain()
    assert served.told == [("wanted",)]


def test_all_listeners_are_those_of_the_end_too(served: Served) -> None:
    session, socket = served.client()
    socket.on("disconnecting", lambda reason: served.note("disconnecting"))
    socket.on("disconnect", lambda reason: served.note("disconnect"))
    socket.remove_all_listeners("disconnect")
    assert len(socket.listeners("disconnecting")) == 1
    socket.remove_all_listeners()
    session.drain()
    assert not served.told


@pytest.mark.parametrize("event", sorted(set(RESERVED) - {"disconnect", "disconnecting"}))
def test_what_cannot_happen_cannot_be_listened_to(served: Served, event: str) -> None:
    """It would be a mistake that nobody notices."""
    _, socket = served.client()
    with pytest.raises(ReservedEvent):
        socket.on(event, served.note)


# Every event


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


def test_order_of_those_who_hear_everything(served: Served) -> None:
    """A10.8: before all others, one may still put itself first."""
    session, socket = served.client()
    last = socket.on_any(lambda name: served.note("last", name))
    first = socket.prepend_any(lambda name: served.note("first", name))
    session.receive('2["hi"]')
    assert served.told == [("first", "hi"), ("last", "hi")]
    assert socket.listeners_any() == [first, last]
    socket.off_any(last)
    assert socket.listeners_any() == [first]


# Every event that is sent


def test_any_outgoing_hears_what_is_sent(served: Served) -> None:
    """A10.8: on each way to send an event to the client, before it is sent; no acknowledgement."""
    session, socket = served.client()
    served.client()[1].on_any_outgoing(lambda *event: served.note("another client", *event))
    socket.on_any_outgoing(lambda *event: served.note(len(session.sent), *event))
    socket.emit("emit", 1)
    socket.volatile.emit("volatile")
    socket.call("call", b"x")
    served.io.to(socket.id).emit("broadcast", [2])
    served.io.to(socket.id).call("call all")
    socket.broadcast.emit("others")
    served.io.except_(socket.id).emit("others")
    socket.on("question", lambda: "answer")
    session.receive('21["question"]')
    mine = [told for told in served.told if told[0] != "another client"]
    assert mine == [
        (0, "emit", 1), (1, "volatile"), (2, "call", b"x"), (4, "broadcast", [2]), (5, "call all")
    ]  # fmt: skip
    assert [told for told in served.told if told not in mine] == [("another client", "others")] * 2


def test_any_outgoing_hears_nothing_that_is_not_sent(served: Served) -> None:
    session, socket = served.client()
    socket.on_any_outgoing(served.note)
    with pytest.raises(UnserializableData):
        socket.emit("hi", object())
    with pytest.raises(UnserializableData):
        served.io.emit("hi", object())
    with pytest.raises(UnserializableData):
        socket.volatile.emit("hi", object())
    session.drain()
    socket.emit("too late")
    assert not served.told


def test_any_outgoing_hears_each_event_once_with_recovery() -> None:
    """Direct ones and broadcasts, without the offset."""
    served = Served(connection_state_recovery=True)
    _, socket = served.client()
    socket.on_any_outgoing(served.note)
    socket.emit("hi", 1)
    served.io.emit("ho", 2)
    assert result_of(socket.broadcast.emit("others")) is None
    assert served.told == [("hi", 1), ("ho", 2)]


def test_order_of_those_who_hear_what_is_sent(served: Served) -> None:
    _, socket = served.client()
    last = socket.on_any_outgoing(lambda name: served.note("last"))
    first = socket.prepend_any_outgoing(lambda name: served.note("first"))
    socket.emit("hi")
    assert served.told == [("first",), ("last",)]
    assert socket.listeners_any_outgoing() == [first, last]
    socket.off_any_outgoing(first)
    socket.emit("hi")
    socket.off_any_outgoing()
    socket.emit("hi")
    served.io.emit("hi")
    assert served.told[2:] == [("last",)]


def test_listener_that_fails_stops_nothing(served: Served, logged_errors: LoggedErrors) -> None:
    session, socket = served.client()
    socket.on_any_outgoing(lambda *event: 1 / 0)
    socket.emit("hi")
    served.io.emit("ho")
    assert session.sent == ['2["hi"]', '2["ho"]']
    assert len(logged_errors.take(ZeroDivisionError)) == 2


# A class


def test_class_has_an_object_for_each_socket(served: Served) -> None:
    """Its methods on_<event> are handlers as any other; those of the class it extends, too."""
    note = served.note

    class Greeter:
        def __init__(self, socket: Socket) -> None:
            self.socket = socket

        def on_disconnect(self, reason: str) -> None:
            note(self.socket.id, reason)

    @served.io.of("/chat").register
    class Chat(Greeter):
        count = 0

        async def on_hi(self, name: str) -> str:
            self.count += 1
            return f"hi {name}, the {self.count}."

        def only(self) -> None:
            raise AssertionError

    assert isinstance(Chat, type)
    session, socket = served.client("/chat")
    other, _ = served.client("/chat")
    session.receive('2/chat,1["hi","ann"]', '2/chat,2["hi","bob"]', '2/chat,3["only"]')
    other.receive('2/chat,1["hi","cid"]')
    assert session.sent == ['3/chat,1["hi ann, the 1."]', '3/chat,2["hi bob, the 2."]']
    assert other.sent == ['3/chat,1["hi cid, the 1."]']
    session.receive("1/chat,")
    assert served.told == [(socket.id, "client namespace disconnect")]


def test_class_for_the_root_and_for_children(served: Served) -> None:
    class Greeter:
        def __init__(self, socket: Socket) -> None:
            self.name = socket.namespace.name

        def on_hi(self) -> str:
            return self.name

    served.io.register(Greeter)
    served.io.of(lambda name, auth: True).register(Greeter)
    session = served.session()
    session.join()
    session.join("/any")
    session.receive('21["hi"]', '2/any,2["hi"]')
    assert session.sent == ['31["/"]', '3/any,2["/any"]']


def test_class_with_a_method_for_what_cannot_happen(served: Served, logged_errors: LoggedErrors) -> None:
    """The client is connected all the same."""

    @served.io.register
    class Wrong:
        def __init__(self, socket: Socket) -> None: ...

        def on_connect(self) -> None: ...

    session, _ = served.client()
    assert logged_errors.take(ReservedEvent) == ["A handler of 'connection' failed"]
    assert session.is_open
