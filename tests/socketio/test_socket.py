"""A socket as the application sees it: listening, sending, asking, rooms, the end."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

from tests.conftest import LoggedErrors
from tests.socketio.doubles import Served
from txsocketio import AckTimeout, Disconnected, ReservedEvent, Socket, UnserializableData
from txsocketio.types import Json

RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


def result_of(deferred: Deferred[Json]) -> Json:
    """What it has fired with; an exception is given, not raised."""
    results: list[Json] = []
    deferred.addBoth(results.append)
    (result,) = results or ["nothing yet"]
    return result.value if isinstance(result, Failure) else result


# Listening


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
    assert not socket.listeners


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
    session.receive("1")
    socket.emit("a")
    socket.volatile.emit("a")
    socket.disconnect()
    assert session.is_open
    assert not session.sent
    assert isinstance(result_of(socket.call("a")), Disconnected)


# Acknowledging

ANSWERS: dict[str, tuple[Json, str]] = {
    "nothing": (None, "[]"),
    "a value": ("x", '["x"]'),
    "several": ((1, "x", None), '[1,"x",null]'),
    "none of several": ((), "[]"),
    "a list": ([1, 2], "[[1,2]]"),
    "false": (False, "[false]"),
    "a table": ({"a": 1}, '[{"a":1}]'),
}


async def waited(value: Json) -> Json:
    deferred: Deferred[None] = Deferred()
    WAITING.append(deferred)
    await deferred
    return value


async def at_once(value: Json) -> Json:
    return await succeed(value)


WAITING: list[Deferred[None]] = []
HANDLERS: dict[str, Callable[[Json], Json]] = {
    "def": lambda value: value,
    "async def": at_once,
    "async def that waits": waited,
    "Deferred": succeed,
    "Deferred that waits": lambda value: Deferred.fromCoroutine(waited(value)),
}


@pytest.mark.parametrize("kind", HANDLERS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_result_of_the_handler_acknowledges(served: Served, answer: str, kind: str) -> None:
    """If the client has asked for that."""
    value, text = ANSWERS[answer]
    session, socket = served.client()
    socket.on("ask", lambda: HANDLERS[kind](value))
    session.receive('2["ask"]', '2123456789012345["ask"]')
    while WAITING:
        assert not session.sent
        WAITING.pop(0).callback(None)
    assert session.sent == ["3123456789012345" + text]


def test_bytes_acknowledge(served: Served) -> None:
    session, socket = served.client()
    socket.on("ask", lambda: b"x")
    session.receive('27["ask"]')
    assert session.sent == ['61-7[{"_placeholder":true,"num":0}]', b"x"]


def test_first_result_of_several_handlers_acknowledges(served: Served) -> None:
    """Once; a handler that answers None leaves it to the others."""
    session, socket = served.client()
    late: list[Deferred[Json]] = []

    def waits() -> Deferred[Json]:
        late.append(Deferred())
        return late[-1]

    for handler in (lambda: None, waits, lambda: None, waits):
        socket.on("ask", handler)
    session.receive('21["ask"]', '22["ask"]', '23["ask"]')
    late[1].callback("second of the first")
    late[0].callback("first of the first")
    late[2].callback(None)
    late[3].callback("second of the second")
    late[4].callback(None)
    assert len(session.sent) == 2
    late[5].callback(None)
    assert session.sent == ['31["second of the first"]', '32["second of the second"]', "33[]"]


def test_nobody_answers_what_nobody_listens_to(served: Served) -> None:
    session, _ = served.client()
    session.receive('21["ask"]')
    assert not session.sent


def test_answer_for_who_is_gone_is_dropped(served: Served) -> None:
    session, socket = served.client()
    answer: Deferred[str] = Deferred()
    socket.on("ask", lambda: answer)
    session.receive('21["ask"]', "1")
    answer.callback("late")
    assert not session.sent


# Handlers that fail


async def fails_at_once() -> None:
    raise ZeroDivisionError


async def fails_later() -> None:
    await waited(None)
    raise ZeroDivisionError


def fails() -> None:
    raise ZeroDivisionError


FAILING: list[Callable[[], Json]] = [fails, fails_at_once, fails_later, lambda: Deferred.fromCoroutine(fails_later())]


@pytest.mark.parametrize("handler", FAILING, ids=["def", "async def", "async def that waits", "Deferred"])
@pytest.mark.parametrize(
    "sent", ['2["bad"]', '21["bad"]', '2/chat,["bad"]', '51-["bad",{"_placeholder":true,"num":0}]']
)
def test_handler_that_fails(
    served: Served, logged_errors: LoggedErrors, sent: str, handler: Callable[[], Json]
) -> None:
    """Bad input 90: logged once, with the name of the event; the client learns nothing, and stays."""
    served.io.of("/chat")
    session, socket = served.client()
    chat = served.io.of("/chat").sockets[session.join("/chat")]
    for each in (socket, chat):
        each.on("bad", lambda *_: handler())
        each.on("bad", lambda *_: served.note("the next handler"))
    session.receive(sent, *([b"x"] if sent[0] == "5" else []))
    while WAITING:
        WAITING.pop().callback(None)
    assert logged_errors.take(ZeroDivisionError) == ["A handler of 'bad' failed"]
    assert served.told == [("the next handler",)]
    assert session.is_open
    assert not session.sent


def test_other_handlers_answer_for_one_that_fails(served: Served, logged_errors: LoggedErrors) -> None:
    session, socket = served.client()
    socket.on("ask", fails)
    socket.on("ask", lambda: "fine")
    session.receive('21["ask"]')
    assert session.sent == ['31["fine"]']
    logged_errors.take(ZeroDivisionError)


def test_answer_without_a_form_is_logged(served: Served, logged_errors: LoggedErrors) -> None:
    session, socket = served.client()
    socket.on("ask", object)
    socket.on("later", lambda: succeed(object()))
    session.receive('21["ask"]', '22["later"]')
    assert len(logged_errors.take(UnserializableData)) == 2
    assert session.is_open
    assert not session.sent


@pytest.mark.parametrize("event", ["disconnecting", "disconnect"])
def test_end_goes_on_when_its_handlers_fail(served: Served, logged_errors: LoggedErrors, event: str) -> None:
    session, socket = served.client()
    socket.on(event, lambda reason: fails())
    socket.on("disconnect", lambda reason: served.note(str(reason)))
    session.drain()
    assert logged_errors.take(ZeroDivisionError) == [f"A handler of '{event}' failed"]
    assert served.told == [("forced close",)]


# Asking


@pytest.mark.parametrize(
    ("ack", "answer"),
    [("30[]", None), ("30[1]", 1), ('30[[1,2],"x"]', ([1, 2], "x")), ("30[null]", None), ("30[[]]", [])],
)
def test_call_fires_with_the_answer(served: Served, ack: str, answer: Json) -> None:
    """A10.3: one argument, or a tuple of several."""
    session, socket = served.client()
    asked = socket.call("ask", 1)
    assert session.sent == ['20["ask",1]']
    session.receive(ack)
    assert result_of(asked) == answer


def test_call_fires_with_bytes(served: Served) -> None:
    session, socket = served.client()
    asked = socket.call("ask")
    session.receive('61-0[{"_placeholder":true,"num":0}]', b"x")
    assert result_of(asked) == b"x"


def test_numbers_of_acknowledgements_are_the_namespaces(served: Served) -> None:
    """A10.1: one counter for each, from 0."""
    served.io.of("/chat")
    one, two = served.client(), served.client()
    chat = served.client("/chat")
    for _session, socket in (one, two, chat, one):
        socket.call("ask").addErrback(lambda _: None)
    assert [one[0].sent, two[0].sent, chat[0].sent] == [['20["ask"]', '22["ask"]'], ['21["ask"]'], ['2/chat,0["ask"]']]


@pytest.mark.parametrize("answer", ["31[1]", "3[1]", "399[1]", "3123456789012345[1]"])
def test_answers_that_nobody_waits_for_are_ignored(served: Served, answer: str) -> None:
    """A6.14: unknown, without a number, or of somebody else."""
    session, socket = served.client()
    _, other = served.client()
    asked = socket.call("ask")
    other.call("ask").addErrback(lambda _: None)
    session.receive(answer)
    assert result_of(asked) == "nothing yet"
    assert session.is_open


def test_second_answer_is_ignored(served: Served) -> None:
    session, socket = served.client()
    asked = socket.call("ask")
    session.receive("30[1]", "30[2]")
    assert result_of(asked) == 1


def test_call_times_out(served: Served) -> None:
    """A10.2: what comes later is ignored."""
    session, socket = served.client()
    asked = socket.timeout(2).call("ask")
    served.clock.advance(1.9)
    assert result_of(asked) == "nothing yet"
    served.clock.advance(0.2)
    late: list[Json] = []
    asked.addBoth(late.append)
    session.receive("30[1]")
    assert session.is_open
    (error,) = late
    assert error is None


def test_time_out_is_an_error_of_its_own(served: Served) -> None:
    _, socket = served.client()
    asked = socket.timeout(2).call("ask")
    served.clock.advance(2)
    error = result_of(asked)
    assert isinstance(error, AckTimeout)
    assert (str(error), error.answers, error.temporary) == ("operation has timed out", [], True)


def test_answer_stops_the_time(served: Served) -> None:
    session, socket = served.client()
    asked = socket.timeout(60).call("ask")
    session.receive("30[1]")
    assert result_of(asked) == 1
    assert not [call for call in served.clock.getDelayedCalls() if call.getTime() == 60]


def test_option_gives_all_calls_a_time() -> None:
    """A call may have one of its own."""
    served = Served(ack_timeout=2.0)
    _, socket = served.client()
    asked, longer = socket.call("ask"), socket.timeout(3).call("ask")
    served.clock.advance(2)
    assert isinstance(result_of(asked), AckTimeout)
    assert result_of(longer) == "nothing yet"
    longer.addErrback(lambda _: None)
    served.clock.advance(1)


@pytest.mark.parametrize("end", ["1", "x"])
def test_call_fails_when_the_client_goes(served: Served, end: str) -> None:
    """The reference waits for ever; a timer that it had is gone too."""
    session, socket = served.client()
    asked = socket.timeout(60).call("ask")
    session.receive(end)
    error = result_of(asked)
    assert isinstance(error, Disconnected)
    assert error.reason == {"1": "client namespace disconnect", "x": "forced close"}[end]
    assert not [call for call in served.clock.getDelayedCalls() if call.getTime() == 60]


def test_call_can_be_given_up(served: Served) -> None:
    session, socket = served.client()
    asked = socket.call("ask")
    asked.cancel()
    session.receive("30[1]")
    assert isinstance(result_of(asked), CancelledError)


def test_call_can_be_awaited_in_a_handler(served: Served) -> None:
    session, socket = served.client()

    @socket.on("hi")
    async def handler(name: str) -> str:
        return f"{name} is {await socket.call('age?')}"

    session.receive('27["hi","Ann"]', "30[33]")
    assert session.sent == ['20["age?"]', '37["Ann is 33"]']


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


def test_socket_shows_itself(served: Served) -> None:
    session, socket = served.client()
    assert repr(socket) == f"<Socket {socket.id} connected in />"
    session.drain()
    assert repr(socket) == f"<Socket {socket.id} gone in />"
