"""Who gets a broadcast, how, and what comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.socketio.doubles import People, result_of
from txsocketio import Broadcast, Server, Socket

RECIPIENTS: dict[str, tuple[Callable[[Server, Socket], Server | Broadcast], str]] = {
    "io": (lambda io, ann: io, "ann bob cid dan"),
    "io.to": (lambda io, ann: io.to("a"), "ann bob"),
    "io.in_": (lambda io, ann: io.in_("b"), "bob cid"),
    "io.to.to": (lambda io, ann: io.to("a").to("b"), "ann bob cid"),
    "io.to several": (lambda io, ann: io.to(["a", "b"]), "ann bob cid"),
    "io.to nobody": (lambda io, ann: io.to("never joined"), ""),
    "io.to no room": (lambda io, ann: io.to([]), "ann bob cid dan"),
    "io.to an id": (lambda io, ann: io.to(ann.id), "ann"),
    "io.except_": (lambda io, ann: io.except_("b"), "ann dan"),
    "io.except_ several": (lambda io, ann: io.except_(["a", "b"]), "dan"),
    "io.to.except_": (lambda io, ann: io.to("a").except_("b"), "ann"),
    "io.except_.to": (lambda io, ann: io.except_("b").to("a"), "ann"),
    "io.except_ an id": (lambda io, ann: io.except_(ann.id).except_("never joined"), "bob cid dan"),
    "io.local": (lambda io, ann: io.local, "ann bob cid dan"),
    "io.volatile.to": (lambda io, ann: io.volatile.to("a"), "ann bob"),
    "io.compress.timeout.to": (lambda io, ann: io.compress(False).timeout(1).to("a"), "ann bob"),
    "io.of": (lambda io, ann: io.of("/elsewhere").to("a"), "eve"),
    "socket.to": (lambda io, ann: ann.to("a"), "bob"),
    "socket.in_": (lambda io, ann: ann.in_(["a", "b"]), "bob cid"),
    "socket.broadcast": (lambda io, ann: ann.broadcast, "bob cid dan"),
    "socket.local": (lambda io, ann: ann.local, "bob cid dan"),
    "socket.except_": (lambda io, ann: ann.except_("b"), "dan"),
    "socket.to.except_": (lambda io, ann: ann.to(["a", "b"]).except_("a"), "cid"),
    "socket.volatile.to": (lambda io, ann: ann.volatile.to("a"), "bob"),
    "socket.compress.broadcast": (lambda io, ann: ann.compress(False).broadcast, "bob cid dan"),
    "socket.timeout.except_": (lambda io, ann: ann.timeout(1).except_("b"), "dan"),
}


@pytest.mark.parametrize("to", RECIPIENTS)
def test_recipients(people: People, to: str) -> None:
    """A10.7: one copy for each, to the members of any of the rooms; a socket does not send to itself."""
    broadcast, names = RECIPIENTS[to]
    sent = broadcast(people.io, people.sockets["ann"]).emit("hi")
    assert people.got() == names
    assert result_of(sent) is None


@pytest.mark.parametrize("to", RECIPIENTS)
def test_recipients_of_a_call(people: People, to: str) -> None:
    """The same, and each is waited for."""
    broadcast, names = RECIPIENTS[to]
    asked = broadcast(people.io, people.sockets["ann"]).call("hi")
    assert people.got() == names
    for name in names.split():
        head = "3/elsewhere,0" if name == "eve" else "30"
        people.sessions[name].receive(f'{head}["{name}"]')
    assert result_of(asked) == names.split()


def test_broadcasts_can_be_kept(people: People) -> None:
    """A10.7: each step gives a new one."""
    a = people.io.to("a")
    assert a.to("b") is not a.except_("b") is not a
    a.emit("hi")
    assert people.got() == "ann bob"


def test_everybody_gets_the_same_object(people: People) -> None:
    """Encoded once, whatever their number; the form that each transport sends is then built once too."""
    people.io.emit("hi", b"x")
    first, *others = [session.outgoing[-1] for name, session in people.sessions.items() if name != "eve"]
    assert all(other is first for other in others)


def test_send_is_the_event_message(people: People) -> None:
    people.io.to("b").send("hi", 1)
    assert people.sessions["cid"].sent == ['2["message","hi",1]']


def test_rooms_follow_their_members(people: People) -> None:
    """A11.1: a room is there as long as it has members."""
    people.sockets["bob"].leave("a")
    people.sockets["dan"].join("a")
    people.sessions["ann"].drain()
    people.io.to("a").emit("hi")
    assert people.got() == "dan"
