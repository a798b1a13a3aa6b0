"""Who gets a broadcast, how, and what comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import CancelledError

from tests.socketio.doubles import RecordingSession, Served, result_of
from txsocketio import AckTimeout, Broadcast, Server, Socket

#: ann is in a, bob in a and b, cid in b, dan in no room.
JOINED = {"ann": ["a"], "bob": ["a", "b"], "cid": ["b"], "dan": []}


class People:
    """Four clients of "/", and one of another namespace who is in the same rooms."""

    def __init__(self, served: Served) -> None:
        self.io = served.io
        self.sessions: dict[str, RecordingSession] = {}
        self.sockets: dict[str, Socket] = {}
        for name, rooms in JOINED.items():
            self.sessions[name], self.sockets[name] = served.client()
            self.sockets[name].join(rooms)
        self.sessions["eve"], eve = served.client("/elsewhere")
        eve.join(["a", "b"])

    def got(self) -> str:
        """The names of those who got anything since the last time; twice if they got it twice."""
        names = [name for name, session in self.sessions.items() for message in session.sent if "hi" in str(message)]
        for session in self.sessions.values():
            session.sent.clear()
        return " ".join(names)


@pytest.fixture
def people(served: Served) -> People:
    return People(served)


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


def test_recipient_that_goes_while_it_is_sent_to(people: People) -> None:
    """A client that is too slow is dropped in the midst of a broadcast: the others get it all the same."""
    ann = people.sessions["ann"]

    def drop(outgoing: object) -> None:
        ann.drain("slow consumer")
        people.sockets["dan"].leave("a")

    ann.send_outgoing = drop  # type: ignore[method-assign]
    people.io.to(["a", "b"]).emit("hi")
    assert people.got() == "bob cid"
    people.io.emit("hi")
    assert people.got() == "bob cid dan"


# Asking everybody


def test_answers_come_as_they_arrive(people: People) -> None:
    """A10.5: one for each client, its first argument."""
    asked = people.io.to("a").call("hi")
    people.sessions["bob"].receive("30[1,2]")
    assert result_of(asked) == "nothing yet"
    asked = people.io.to("a").call("hi")
    people.sessions["bob"].receive("31[]")
    people.sessions["ann"].receive("31[[3]]")
    assert result_of(asked) == [None, [3]]


def test_asking_nobody_is_answered_at_once(people: People) -> None:
    assert result_of(people.io.to("never joined").call("hi")) == []


def test_missing_answers_time_out(served: Served, people: People) -> None:
    """The error carries what came in time; what comes later is ignored."""
    asked = people.io.to("a").timeout(2).call("hi")
    people.sessions["ann"].receive('30["here"]')
    served.clock.advance(2)
    error = result_of(asked)
    assert isinstance(error, AckTimeout)
    assert error.answers == ["here"]
    people.sessions["bob"].receive('30["late"]')
    assert error.answers == ["here"]
    assert people.sessions["bob"].is_open


def test_option_gives_broadcasts_a_time() -> None:
    served = Served(ack_timeout=2.0)
    people = People(served)
    asked = people.io.call("hi")
    served.clock.advance(2)
    assert isinstance(result_of(asked), AckTimeout)


def test_who_goes_is_not_waited_for(people: People) -> None:
    """The reference waits until the time is over."""
    asked = people.io.to(["a", "b"]).call("hi")
    people.sessions["ann"].drain()
    people.sessions["bob"].receive('30["here"]')
    people.sockets["cid"].disconnect()
    assert result_of(asked) == ["here"]


def test_asking_can_be_given_up(people: People) -> None:
    asked = people.io.timeout(5).call("hi")
    asked.cancel()
    assert isinstance(result_of(asked), CancelledError)
    people.sessions["ann"].receive("30[1]")
    assert people.sessions["ann"].is_open


def test_one_client_cannot_answer_for_another(people: People) -> None:
    """Nor twice."""
    asked = people.io.to("a").call("hi")
    for _ in range(2):
        people.sessions["ann"].receive('30["ann"]')
        people.sessions["dan"].receive('30["dan"]')
    assert result_of(asked) == "nothing yet"
    people.sessions["bob"].drain()
