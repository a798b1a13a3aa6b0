"""Packet middlewares: what every event of a client passes before its handlers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from tests.conftest import LoggedErrors
from tests.socketio.doubles import RecordingSession, Served
from txsocketio import ConnectionRefused, Socket
from txsocketio.types import Json

Client = tuple[RecordingSession, Socket]


@pytest.fixture
def client(served: Served) -> Client:
    """A client whose events are noted, and "ask" answered."""
    session, socket = served.client()
    socket.on("hi", lambda *arguments: served.note("hi", *arguments))
    socket.on("ask", lambda *arguments: arguments)
    return session, socket


@pytest.fixture
def gates(client: Client) -> list[Deferred[None]]:
    """One Deferred for each event that has come to the middleware, which waits for it."""
    gates: list[Deferred[None]] = []

    @client[1].use
    async def wait(event: list[Json]) -> None:
        gates.append(Deferred())
        await gates[-1]

    return gates


# Passing


def test_middlewares_see_every_event_in_order(served: Served, client: Client) -> None:
    """A9.5: a list of its name and arguments, whatever it comes as; also if nobody listens."""
    session, socket = client
    assert socket.use(served.note) == served.note

    @socket.use
    async def second(event: list[Json]) -> None:
        served.note("second", *event)

    socket.use(lambda event: succeed(None))
    session.receive('2["hi",1]', '51-["hi",{"_placeholder":true,"num":0}]', b"x", '27["ask",2]', '2["nobody"]')
    assert served.told == [
        (["hi", 1],), ("second", "hi", 1), ("hi", 1),
        (["hi", b"x"],), ("second", "hi", b"x"), ("hi", b"x"),
        (["ask", 2],), ("second", "ask", 2),
        (["nobody"],), ("second", "nobody"),
    ]  # fmt: skip
    assert session.sent == ["37[2]"]


def test_middleware_may_change_the_event(served: Served, client: Client) -> None:
    session, socket = client

    @socket.use
    def censor(event: list[Json]) -> None:
        event[:] = ["hi", *(str(argument).replace("darn", "****") for argument in event[1:])]

    session.receive('2["ho","darn!"]')
    assert served.told == [("hi", "****!")]


def test_catch_all_handlers_come_first(served: Served, client: Client) -> None:
    """As in the reference: they hear also of what is dropped."""
    session, socket = client
    socket.on_any(lambda *event: served.note("any"))
    socket.use(lambda event: served.note("middleware"))
    session.receive('2["hi"]')
    assert served.told == [("any",), ("middleware",), ("hi",)]


# Dropping


@pytest.mark.parametrize("way", ["raise", "Deferred", "async def"])
def test_dropped_event_goes_to_the_error_handlers(served: Served, client: Client, way: str) -> None:
    """A9.5: the next middleware is not asked, nothing is acknowledged, and the connection stays."""
    session, socket = client
    error = ConnectionRefused("not you")

    @socket.use
    def refuse(event: list[Json]) -> Json:
        if event[0] == "fine":
            return None
        if way == "raise":
            raise error
        return fail(error) if way == "Deferred" else raises(error)

    socket.use(lambda event: served.note("next"))
    socket.on("error", lambda given: served.note("error", given))
    session.receive('21["hi"]', '2["fine"]')
    assert served.told == [("error", error), ("next",)]
    assert not session.sent
    assert session.is_open


async def raises(error: Exception) -> None:
    raise error


def test_dropped_event_without_error_handlers_is_logged(
    served: Served, client: Client, logged_errors: LoggedErrors
) -> None:
    """A client is never asked for a name: what it sends as "error" is an event as any other."""
    session, socket = client
    socket.use(lambda event: 1 / 0)
    session.receive('2["hi",{"secret":1}]', '2["error"]')
    messages = logged_errors.take(ZeroDivisionError)
    assert messages == ["A packet middleware dropped 'hi'", "A packet middleware dropped 'error'"]
    assert not served.told


@pytest.mark.parametrize("spoiled", [[], [["hi"]]], ids=["empty", "no name"])
def test_middleware_that_spoils_the_event(
    served: Served, client: Client, logged_errors: LoggedErrors, spoiled: list[Json]
) -> None:
    session, socket = client

    @socket.use
    def spoil(event: list[Json]) -> None:
        event[:] = spoiled

    session.receive('2["hi"]')
    assert len(logged_errors.take()) == 1
    assert not served.told
    assert session.is_open


# Waiting


def test_events_stay_in_order(served: Served, client: Client, gates: list[Deferred[None]]) -> None:
    """Those behind one that waits wait too, and come to the middleware one by one."""
    session, socket = client
    session.receive('2["hi",1]', '2["hi",2]', '2["hi",3]')
    assert (len(gates), served.told) == (1, [])
    gates[0].callback(None)
    assert (len(gates), served.told) == (2, [("hi", 1)])
    socket.on("error", lambda error: served.note("dropped"))
    gates[1].errback(ZeroDivisionError())
    gates[2].callback(None)
    session.receive('2["hi",4]')
    gates[3].callback(None)
    assert served.told == [("hi", 1), ("dropped",), ("hi", 3), ("hi", 4)]


def test_long_queue_that_does_not_wait(served: Served, client: Client) -> None:
    """No stack grows with what has gathered behind one event."""
    session, socket = client
    gate: Deferred[None] = Deferred()
    socket.use(lambda event: gate if event[1] == 0 else None)
    for number in range(1000):
        session.receive(f'2["hi",{number}]')
    gate.callback(None)
    assert [number for _, number in served.told] == list(range(1000))


def test_acknowledgements_do_not_wait(served: Served, client: Client) -> None:
    """So that a middleware can ask the client."""
    session, socket = client

    @socket.use
    async def ask(event: list[Json]) -> None:
        event.append(await socket.call("who?"))

    session.receive('2["hi"]', '30["ann"]')
    assert served.told == [("hi", "ann")]


def test_sockets_do_not_wait_for_one_another(served: Served, gates: list[Deferred[None]], client: Client) -> None:
    session, _ = client
    served.io.of("/chat").on("connection", lambda socket: socket.on("hi", lambda: served.note("chat")))
    session.join("/chat")
    session.receive('2["hi"]', '2/chat,["hi"]')
    assert served.told == [("chat",)]


def test_middleware_has_limited_time(logged_errors: LoggedErrors) -> None:
    served = Served(middleware_timeout=5.0)
    session, socket = served.client()
    socket.on("hi", served.note)
    given_up: list[int] = []
    socket.use(lambda event: Deferred(lambda _: given_up.append(1)) if event[1] == 1 else None)
    session.receive('2["hi",1]', '2["hi",2]')
    served.clock.advance(4.9)
    assert not served.told
    served.clock.advance(0.2)
    assert (served.told, given_up) == ([(2,)], [1])
    assert logged_errors.take(TimeoutError) == ["A packet middleware dropped 'hi'"]


def test_number_of_waiting_events_is_limited() -> None:
    """A client must not fill the memory with what waits."""
    served = Served(max_waiting_events=2)
    served.note_ends(served.io.root)
    session, socket = served.client()
    socket.use(lambda event: Deferred())
    session.receive('2["hi",1]', '2["hi",2]', '2["hi",3]')
    assert session.is_open
    session.receive('2["hi",4]')
    assert session.ended == "forced close"
    assert served.told == [("/", "forced close")]
    assert not served.clock.getDelayedCalls()


@pytest.mark.parametrize("filler", ['"' + "a" * 9000 + '"', ",".join(["[]"] * 140)], ids=["text", "empty lists"])
def test_size_of_waiting_events_is_limited(filler: str) -> None:
    """What they take, not how long they were; what has passed counts no more."""
    served = Served(max_waiting_size=30_000)
    session, socket = served.client()
    gates: list[Deferred[None]] = []

    @socket.use
    def wait(event: Json) -> Deferred[None]:
        gates.append(Deferred())
        return gates[-1]

    event = f'2["hi",{filler}]'
    session.receive(event, event, event)
    gates[0].callback(None)
    session.receive(event, event)
    assert session.is_open
    session.receive(event)
    assert session.ended == "forced close"


# The end comes first


@pytest.mark.parametrize("end", ["network", "client", "server"])
def test_nothing_passes_after_the_end(served: Served, client: Client, gates: list[Deferred[None]], end: str) -> None:
    """A9.7: what was waited for is given up, and nobody hears of an error."""
    session, socket = client
    socket.on("error", served.note)
    session.receive('2["hi",1]', '2["hi",2]')
    ends: dict[str, Callable[[], object]] = {
        "network": session.drain, "client": lambda: session.receive("1"), "server": socket.disconnect
    }  # fmt: skip
    ends[end]()
    assert gates[0].called
    assert (len(gates), served.told) == (1, [])


def test_middleware_may_send_the_client_away(served: Served, client: Client) -> None:
    session, socket = client
    socket.use(lambda event: socket.disconnect())
    session.receive('2["hi"]')
    assert session.sent == ["1"]
    assert not served.told


def test_event_without_middleware_goes_the_short_way(served: Served, client: Client) -> None:
    """It costs nothing where it is not used."""
    _, socket = client
    assert socket.reachable is socket.handlers
    socket.use(lambda event: None)
    assert not socket.reachable
