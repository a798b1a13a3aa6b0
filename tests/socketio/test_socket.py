"""A socket as the application sees it: listening, sending, asking, rooms, the end."""

from __future__ import annotations

import gc
import weakref

import pytest

from tests.socketio.doubles import Served, result_of
from txsocketio import Disconnected, ReservedEvent, Socket, UnserializableData

RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


# Sending


def test_events_arrive_in_the_order_in_which_they_are_sent(served: Served) -> None:
    """Whatever way they take."""
    session, socket = served.client()
    socket.emit("a", 1)
    served.io.emit("b", 2)
    socket.call("c", 3)
    socket.volatile.emit("d", 4)
    served.io.to(socket.id).emit("e", 5)
    socket.send(6, "x")
    socket.emit("f", b"7", [b"8"])
    assert session.sent == [
        '2["a",1]', '2["b",2]', '20["c",3]', '2["d",4]', '2["e",5]', '2["message",6,"x"]',
        '52-["f",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]', b"7", b"8",
    ]  # fmt: skip


def test_namespace_is_named_on_the_wire(served: Served) -> None:
    served.io.of("/chat")
    session, socket = served.client("/chat")
    socket.emit("a")
    socket.emit("b", b"1")
    socket.call("c").addErrback(lambda _: None)
    socket.disconnect()
    assert session.sent == [
        '2/chat,["a"]', '51-/chat,["b",{"_placeholder":true,"num":0}]', b"1", '2/chat,0["c"]', "1/chat,"
    ]  # fmt: skip


@pytest.mark.parametrize("event", RESERVED)
def test_reserved_events_cannot_be_sent(served: Served, event: str) -> None:
    """A6.4: whatever way they would take."""
    session, socket = served.client()
    for send in (socket.emit, socket.call, socket.volatile.emit, served.io.emit, served.io.to("x").call):
        with pytest.raises(ReservedEvent):
            send(event)
    assert not session.sent


def test_error_is_an_event_like_others(served: Served) -> None:
    """A6.4: in both directions."""
    session, socket = served.client()
    socket.on("error", served.note)
    session.receive('2["error"]')
    socket.emit("error")
    assert (served.told, session.sent) == ([()], ['2["error"]'])


def test_what_has_no_form_is_refused_at_the_call(served: Served) -> None:
    session, socket = served.client()
    for send in (socket.emit, socket.call, socket.compress(False).emit, served.io.emit, served.io.call):
        with pytest.raises(UnserializableData):
            send("hi", object())
    assert not session.sent


def test_flags_reach_the_transport(served: Served) -> None:
    """A10.6: compressed and not volatile, unless it was said otherwise; flags can be kept and used again."""
    session, socket = served.client()
    quiet = socket.volatile.compress(False)
    socket.emit("a")
    socket.volatile.emit("a")
    quiet.emit("a")
    quiet.send("a")
    served.io.emit("a")
    served.io.compress(False).volatile.emit("a")
    socket.volatile.compress(True).to(socket.id).emit("only to others")
    flags = [(outgoing.volatile, outgoing.compress) for outgoing in session.outgoing[1:]]
    assert flags == [(False, True), (True, True), (True, False), (True, False), (False, True), (True, False)]


def test_nothing_is_sent_to_who_is_gone(served: Served) -> None:
    """Although the connection lives on, for other namespaces."""
    session, socket = served.client()
    assert socket.connected
    session.receive("1")
    assert not socket.connected
    socket.emit("a")
    socket.volatile.emit("a")
    socket.disconnect()
    assert session.is_open
    assert not session.sent
    assert isinstance(result_of(socket.call("a")), Disconnected)


# Rooms


def test_rooms_of_a_socket(served: Served) -> None:
    """A11: its own id is one of them, and can be left like others."""
    _, socket = served.client()
    socket.join("a")
    socket.join(["b", "c"])
    socket.join("a")
    assert socket.rooms == {socket.id, "a", "b", "c"}
    socket.leave("b")
    socket.leave(["c", "never joined"])
    socket.leave(socket.id)
    assert socket.rooms == {"a"}


def test_who_is_gone_joins_nothing(served: Served) -> None:
    """A11.2."""
    session, socket = served.client()
    socket.join("a")
    session.drain()
    socket.join("b")
    socket.leave("a")
    assert socket.rooms == set()


def test_data_is_the_applications(served: Served) -> None:
    """A9.6: a dict to begin with, or whatever is put there; it outlives the socket."""
    session, socket = served.client()
    socket.data["name"] = "Ann"
    assert socket.data == {"name": "Ann"}
    socket.data = 7
    session.drain()
    assert socket.data == 7


# The end


def test_disconnecting_is_not_told_twice(served: Served) -> None:
    """When a handler of the end ends it once more."""
    session, socket = served.client()
    for event in ("disconnecting", "disconnect"):
        socket.on(event, lambda reason, event=event: [served.note(event, reason), socket.disconnect(close=True)])
    session.receive("1")
    assert served.told == [(event, "client namespace disconnect") for event in ("disconnecting", "disconnect")]


def test_socket_is_freed_at_once(served: Served) -> None:
    """Although its handlers know it: nothing waits for the collector of cycles."""

    @served.io.on("connection")
    def connected(socket: Socket) -> None:
        socket.on("hi", lambda: socket.emit("hi"))
        socket.on_any(lambda *_: socket)
        socket.on("disconnect", lambda reason: socket.emit("bye"))
        socket.join("a")
        socket.call("ask").addErrback(lambda _: None)

    session, socket = served.client()
    gone = weakref.ref(socket)
    gc.disable()
    try:
        del socket
        session.drain()
        assert gone() is None
    finally:
        gc.enable()


def test_socket_knows_where_it_is(served: Served) -> None:
    chat = served.io.of("/chat")
    session, socket = served.client("/chat")
    assert socket.namespace is chat and chat.name == "/chat"
    assert socket.namespace.server is served.io
    assert list(socket.namespace.adapter.rooms.members(socket.id)) == [socket]
    assert socket.session.request is session.request


def test_socket_shows_itself(served: Served) -> None:
    session, socket = served.client()
    assert repr(socket) == f"<Socket {socket.id} connected in />"
    session.drain()
    assert repr(socket) == f"<Socket {socket.id} gone in />"
