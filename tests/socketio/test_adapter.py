"""Delivering to many, and gathering what they answer."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from tests.socketio.doubles import People, Served, result_of
from txsocketio import AckTimeout


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
