"""A namespace: its middlewares, and who is let in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed

from tests.conftest import LoggedErrors
from tests.socketio.doubles import RecordingSession, Served
from txsocketio import ConnectionRefused, Socket
from txsocketio.errors import UnserializableData
from txsocketio.types import Json


async def waits_for(deferred: Deferred[None]) -> None:
    await deferred


#: Middlewares that go on once the Deferred has fired, in each way to write one.
WAITING: dict[str, Callable[[Deferred[None]], Callable[[Socket], Json]]] = {
    "async def": lambda deferred: lambda socket: waits_for(deferred),
    "Deferred": lambda deferred: lambda socket: deferred,
}


@pytest.fixture(params=WAITING)
def gate(request: pytest.FixtureRequest, served: Served) -> Deferred[None]:
    """What a middleware of "/" waits for."""
    deferred: Deferred[None] = Deferred()
    served.io.use(WAITING[request.param](deferred))
    served.note_ends(served.io.root)
    served.io.on("connection", lambda socket: served.note("connection"))
    return deferred


def joining(served: Served, transport: str = "websocket") -> RecordingSession:
    session = served.session(transport)
    session.receive("0")
    return session


# Letting in


def test_middlewares_run_in_order(served: Served) -> None:
    """A9.1: whatever they are; then the client is told, and "connect" and "connection" come."""
    note, session = served.note, served.session()

    @served.io.use
    def first(socket: Socket) -> None:
        note("def", socket.connected, session.sent[:])

    @served.io.use
    async def second(socket: Socket) -> None:
        note("async def")

    @served.io.use
    def third(socket: Socket) -> Deferred[None]:
        return succeed(note("Deferred"))

    served.io.on("connection", lambda socket: note("connection", socket.connected, len(session.sent)))
    served.io.on("connect", lambda socket: note("connect"))
    session.receive("0")
    assert served.told == [
        ("def", False, []), ("async def",), ("Deferred",), ("connect",), ("connection", True, 1)
    ]  # fmt: skip


def test_result_of_a_middleware_says_nothing(served: Served) -> None:
    """Whoever is not refused is let in: `return False` by mistake would be the worse for it, but `None` is usual."""
    served.io.use(lambda socket: False)
    served.client()


def test_namespaces_have_their_own_middlewares(served: Served) -> None:
    chat = served.io.of("/chat")
    chat.use(lambda socket: served.note(socket.namespace.name, socket.handshake.auth))
    session, _ = served.client(auth={"token": 1})
    session.join("/chat", {"token": 2})
    assert served.told == [("/chat", {"token": 2})]


def test_middlewares_may_wait(served: Served, gate: Deferred[None]) -> None:
    session = joining(served)
    assert (session.sent, served.told, len(served.io.root.sockets)) == ([], [], 0)
    gate.callback(None)
    assert str(session.sent[0]).startswith('0{"sid"')
    assert (served.told, len(served.io.root.sockets)) == ([("connection",)], 1)


def test_events_of_a_middleware_come_before_the_reply(served: Served) -> None:
    """A9.2."""
    served.io.use(lambda socket: socket.emit("welcome"))
    session = joining(served)
    assert session.sent[0] == '2["welcome"]'
    assert str(session.sent[1]).startswith('0{"sid"')


def test_rooms_of_a_middleware_count_from_the_connection_on(served: Served, gate: Deferred[None]) -> None:
    """A9.2: nobody hears what is said in a room before it is known that he may."""
    served.io.use(lambda socket: socket.join("never reached"))
    early: list[Socket] = []

    @served.io.of("/chat").use
    def join(socket: Socket) -> Deferred[None]:
        socket.join(["a", "b"])
        socket.leave("b")
        early.append(socket)
        return gate

    session = served.session()
    session.receive("0/chat,")
    (socket,) = early
    assert socket.rooms == {"a"}
    served.io.of("/chat").to("a").emit("too early")
    served.io.of("/chat").emit("too early")
    assert not session.sent
    gate.callback(None)
    served.io.of("/chat").to("a").emit("news")
    served.io.of("/chat").to("b").emit("other news")
    assert session.sent[1:] == ['2/chat,["news"]']
    assert socket.rooms == {"a", socket.id}


def test_handler_of_the_connection_that_fails(served: Served, logged_errors: LoggedErrors) -> None:
    """The client is connected all the same, and the next handler hears of it."""

    @served.io.on("connection")
    def bad(socket: Socket) -> None:
        raise ZeroDivisionError

    @served.io.on("connection")
    async def worse(socket: Socket) -> None:
        raise ZeroDivisionError

    served.io.on("connection", lambda socket: served.note("next"))
    session, _ = served.client()
    assert len(logged_errors.take(ZeroDivisionError)) == 2
    assert served.told == [("next",)]
    assert session.is_open


# Refusing


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (ConnectionRefused("not you"), '{"message":"not you"}'),
        (ConnectionRefused("not you", data={"code": 7}), '{"message":"not you","data":{"code":7}}'),
        (ConnectionRefused("not you", data=0), '{"message":"not you","data":0}'),
        (ConnectionRefused(), '{"message":"refused"}'),
    ],
    ids=["message", "data", "false data", "neither"],
)
def test_middleware_refuses(served: Served, refusal: Exception, answer: str) -> None:
    """A6.13: later ones are not asked; the connection stays, and the client may try again, or elsewhere."""
    refusals = [refusal]

    @served.io.use
    async def refuse(socket: Socket) -> None:
        if refusals:
            raise refusals.pop()

    served.io.use(lambda socket: served.note("asked"))
    session = joining(served)
    assert session.sent == ["4" + answer]
    assert not served.told
    session.sent.clear()
    session.join()
    assert served.told == [("asked",)]


def test_refusal_names_the_namespace(served: Served) -> None:
    @served.io.of("/chat").use
    def refuse(socket: Socket) -> None:
        raise ConnectionRefused("no")

    session, _ = served.client()
    session.receive("0/chat,")
    assert session.sent == ['4/chat,{"message":"no"}']
    assert session.is_open


def test_refused_socket_is_gone(served: Served, gate: Deferred[None]) -> None:
    """It is in no room, and hears of no end."""
    sockets: list[Socket] = []
    served.io.use(sockets.append)
    gate.callback(None)

    @served.io.use
    def refuse(socket: Socket) -> None:
        socket.join("a")
        socket.on("disconnect", lambda reason: served.note("disconnect"))
        raise ConnectionRefused

    session = joining(served)
    (socket,) = sockets
    assert (socket.connected, socket.rooms) == (False, set())
    session.sent.clear()
    socket.emit("hello?")
    assert not session.sent
    session.drain()
    assert not served.told


def test_other_errors_are_not_told(served: Served, logged_errors: LoggedErrors, gate: Deferred[None]) -> None:
    """Bad input 91: the log has the error, once; the client a neutral message."""
    session = joining(served)
    gate.errback(ZeroDivisionError("the password is 1234"))
    assert session.sent == ['4{"message":"Internal error"}']
    assert logged_errors.take(ZeroDivisionError) == ["A middleware of / failed"]
    session.receive("1")
    assert not session.is_open


def test_error_at_once_is_not_told(served: Served, logged_errors: LoggedErrors) -> None:
    served.io.use(lambda socket: 1 / 0)
    session = joining(served)
    assert session.sent == ['4{"message":"Internal error"}']
    assert logged_errors.take(ZeroDivisionError) == ["A middleware of / failed"]


def test_refusal_with_data_that_has_no_form(served: Served, logged_errors: LoggedErrors) -> None:
    @served.io.use
    def refuse(socket: Socket) -> None:
        raise ConnectionRefused("not you", data=object())

    session = joining(served)
    assert session.sent == ['4{"message":"not you"}']
    assert len(logged_errors.take(UnserializableData)) == 1


def test_middlewares_have_limited_time(logged_errors: LoggedErrors) -> None:
    """Bad input 91: the reference waits until its connect timeout; whatever it waited for is given up."""
    served = Served(middleware_timeout=5.0)
    given_up: list[bool] = []
    waiting: Deferred[None] = Deferred(lambda _: given_up.append(True))
    served.io.use(lambda socket: waiting)
    session = joining(served)
    served.clock.advance(4.9)
    assert not session.sent
    served.clock.advance(0.2)
    assert session.sent == ['4{"message":"Internal error"}']
    assert given_up
    assert logged_errors.take(TimeoutError) == ["A middleware of / failed"]
    assert session.is_open


# The end comes first


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("end", ["network", "misplaced", "shutdown"])
def test_client_that_goes_while_middlewares_wait(
    served: Served, gate: Deferred[None], transport: str, end: str
) -> None:
    """A9.1: nothing is sent to it, nobody hears of it, and what was waited for is given up."""
    session = joining(served, transport)
    if end == "network":
        session.drain("transport close")
    elif end == "misplaced":
        session.receive('2["too early"]')
    else:
        served.io.close()
        session.drain("forced close")
    assert gate.called
    assert (session.sent, served.told, len(served.io.root.sockets)) == ([], [], 0)


def test_middleware_that_will_not_give_up(served: Served, logged_errors: LoggedErrors) -> None:
    """It goes on after the client is gone, and connects nobody."""
    waiting: list[Deferred[None]] = [Deferred(), Deferred()]

    @served.io.use
    async def stubborn(socket: Socket) -> None:
        try:
            await waiting[0]
        except CancelledError:
            await waiting[1]

    session = joining(served)
    session.drain("transport close")
    waiting[1].callback(None)
    assert not session.sent
    assert not served.io.root.sockets


def test_middleware_may_close_the_connection(served: Served) -> None:
    served.io.use(lambda socket: socket.disconnect(close=True))
    session = joining(served)
    assert (session.ended, session.sent, len(served.io.root.sockets)) == ("forced close", [], 0)


def test_session_that_is_closing_connects_nobody(served: Served, gate: Deferred[None]) -> None:
    """Over long-polling it takes a while until it is closed."""
    session = joining(served, "polling")
    session.close()
    gate.callback(None)
    assert not served.told
    session.drain()
    assert not served.told


def test_session_that_is_closing_is_refused_nothing(
    served: Served, gate: Deferred[None], logged_errors: LoggedErrors
) -> None:
    """Neither is it told, nor is the error of a middleware logged that only saw its client go."""
    session = joining(served, "polling")
    session.close()
    gate.errback(ZeroDivisionError("the client is gone"))
    session.drain()
    assert (session.outgoing, served.told) == ([], [])
    assert not logged_errors.take(ZeroDivisionError)
