"""Parents of namespaces: what clients may bring into being, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from tests.conftest import LoggedErrors
from tests.socketio.doubles import Served, result_of
from txsocketio import ConnectionRefused, Namespace, Socket
from txsocketio.errors import UnsupportedCall
from txsocketio.socketio.parent import ParentNamespace
from txsocketio.types import Json

INVALID = '{"message":"Invalid namespace"}'
TOO_MANY = '{"message":"Too many namespaces"}'


@pytest.fixture
def rooms(served: Served) -> ParentNamespace:
    return served.io.of(re.compile(r"/room-\d+"))


# Which there may be


def test_pattern_is_of_the_whole_name(served: Served, rooms: ParentNamespace) -> None:
    r"""With JavaScript's `test` a forgotten anchor lets everything in, and `$` of Python a line feed."""
    session = served.session()
    session.join("/room-1")
    session.join("/room-2")
    served.io.of(re.compile(r"^/hall-\d+$"))
    for name in ("/room-", "/room-1/admin", "/my/room-1", "/room-3\n", "/hall-1\n"):
        session.receive(f"0{name},")
        assert session.sent.pop() == f"4{name},{INVALID}"
    assert list(served.io.namespaces) == ["/", "/room-1", "/room-2"]
    assert served.io.namespaces["/room-1"] is rooms.children["/room-1"]


def test_name_of_a_pattern_is_a_child_when_the_application_asks_too(served: Served, rooms: ParentNamespace) -> None:
    """A8.3."""
    assert served.io.of("room-7") is rooms.children["/room-7"]
    assert served.io.of("/other").name not in rooms.children


def test_function_gets_the_name_and_the_auth(served: Served) -> None:
    """It is asked for names that do not exist only, and not when the application asks."""

    @served.io.of
    def tenants(name: str, auth: Json) -> bool:
        served.note(name, auth)
        return auth.get("tenant") == name[1:]

    served.io.of("/static")
    session = served.session()
    session.join("/acme", {"tenant": "acme"})
    session.join("/static")
    session.receive("0/acme2,")
    assert session.sent == [f"4/acme2,{INVALID}"]
    assert served.told == [("/acme", {"tenant": "acme"}), ("/acme2", {})]
    assert list(tenants.children) == ["/acme"]


async def waits_for(deferred: Deferred[bool]) -> bool:
    return await deferred


@pytest.mark.parametrize("way", [lambda deferred: deferred, waits_for], ids=["Deferred", "async def"])
@pytest.mark.parametrize("answer", [True, False, 1, None])
def test_function_may_wait(served: Served, way: Callable[[Deferred[Json]], Json], answer: Json) -> None:
    asked: Deferred[Json] = Deferred()
    served.io.of(lambda name, auth: way(asked))
    session = served.session()
    session.receive("0/a,")
    assert (session.sent, list(served.io.namespaces)) == ([], ["/"])
    asked.callback(answer)
    if answer:
        assert str(session.sent[0]).startswith('0/a,{"sid":')
    else:
        assert session.sent == [f"4/a,{INVALID}"]


def test_parents_are_asked_in_order(served: Served) -> None:
    """A8.2: an error or a no goes to the next one."""

    def parent(answer: Json) -> ParentNamespace:
        def wanted(name: str, auth: Json) -> Json:
            served.note(answer)
            return succeed(answer)

        return served.io.of(wanted)

    parent(False)
    chosen = parent(True)
    parent("never asked")
    served.session().join("/a")
    assert served.told == [(False,), (True,)]
    assert list(chosen.children) == ["/a"]


@pytest.mark.parametrize("way", [lambda error: fail(error), "raise"], ids=["Deferred", "raise"])
def test_function_that_fails_is_logged_and_wants_nothing(
    served: Served, logged_errors: LoggedErrors, way: Callable[[Exception], Deferred[Json]] | str
) -> None:
    """The next parent is asked; to refuse by ConnectionRefused is no failure."""

    def parent(error: Exception) -> None:
        def wanted(name: str, auth: Json) -> Json:
            if callable(way):
                return way(error)
            raise error

        served.io.of(wanted)

    parent(ConnectionRefused("no"))
    parent(ZeroDivisionError())
    session = served.session()
    session.receive("0/a,")
    assert session.sent == [f"4/a,{INVALID}"]
    assert logged_errors.take(ZeroDivisionError) == ["A function given to of() failed when it was asked for /a"]
    served.io.of(re.compile(".*"))
    session.join("/a")
    logged_errors.take(ZeroDivisionError)


def test_function_has_limited_time(logged_errors: LoggedErrors) -> None:
    served = Served(middleware_timeout=5.0)
    given_up: list[bool] = []
    asked: Deferred[bool] = Deferred(lambda _: given_up.append(True))
    served.io.of(lambda name, auth: asked)
    session = served.session()
    session.receive("0/a,")
    served.clock.advance(4.9)
    assert not session.sent
    served.clock.advance(0.2)
    assert session.sent == [f"4/a,{INVALID}"]
    assert given_up
    assert logged_errors.take(TimeoutError) == ["Whether there shall be /a could not be found out"]


def test_same_parent_for_the_same_question(served: Served, rooms: ParentNamespace) -> None:
    """As with a name."""
    assert served.io.of(re.compile(r"/room-\d+")) is rooms
    assert served.io.of(re.compile(r"/room-\w+")) is not rooms
    assert served.io.of(print) is served.io.of(print)


# While it is found out


@pytest.fixture
def asked(served: Served) -> list[Deferred[bool]]:
    """One Deferred for each time that the function is asked."""
    questions: list[Deferred[bool]] = []

    @served.io.of
    def wanted(name: str, auth: Json) -> Deferred[bool]:
        questions.append(Deferred())
        return questions[-1]

    return questions


def test_two_clients_ask_at_once(served: Served, asked: list[Deferred[bool]]) -> None:
    """They meet in one namespace."""
    first, second = served.session(), served.session()
    first.receive("0/a,")
    second.receive("0/a,")
    asked[1].callback(True)
    asked[0].callback(True)
    assert len(served.io.namespaces["/a"].sockets) == 2


@pytest.mark.parametrize("packet", ["0/a,", '2/a,["hi"]', "1/a,", "3/a,1[]"])
def test_client_must_wait(served: Served, asked: list[Deferred[bool]], packet: str) -> None:
    """Bad input 59, 60, 118: it is CONNECTING there, and has other namespaces meanwhile."""
    session, socket = served.client()
    socket.on("hi", lambda: "there")
    session.receive("0/a,", '21["hi"]')
    assert session.sent == ['31["there"]']
    session.receive(packet)
    assert session.ended == "forced close"
    assert asked[0].called
    assert list(served.io.namespaces) == ["/"]


def test_client_that_goes_brings_nothing_into_being(served: Served, asked: list[Deferred[bool]]) -> None:
    session = served.session()
    session.receive("0/a,")
    session.drain("transport close")
    assert asked[0].called
    assert (session.sent, list(served.io.namespaces)) == ([], ["/"])


def test_session_that_is_closing_joins_nothing(served: Served, asked: list[Deferred[bool]]) -> None:
    """Over long-polling it takes a while until it is closed."""
    session = served.session("polling")
    session.receive("0/a,", "0/b,")
    session.close()
    asked[0].callback(True)
    asked[1].callback(False)
    assert not session.sent
    session.drain()
    assert list(served.io.namespaces) == ["/"]


def test_namespaces_that_are_asked_for_count(asked: None) -> None:
    served = Served(max_namespaces=2)
    served.io.of(lambda name, auth: Deferred())
    session, _ = served.client()
    session.receive("0/a,", "0/b,")
    assert session.sent == [f"4/b,{TOO_MANY}"]


# What children get


def test_children_get_middlewares_and_listeners(served: Served, rooms: ParentNamespace) -> None:
    """A8.3: those that the parent has when they come to be, in its order."""
    rooms.use(lambda socket: served.note("middleware", socket.namespace.name))
    rooms.on("connection", lambda socket: served.note("connection", socket.namespace.name))
    session = served.session()
    session.join("/room-1")
    rooms.use(lambda socket: served.note("late middleware"))
    rooms.on("connect", lambda socket: served.note("late connect"))
    served.session().join("/room-1")
    session.join("/room-2")
    one, two = ("middleware", "/room-1"), ("middleware", "/room-2")
    assert served.told == [
        one, ("connection", "/room-1"), one, ("connection", "/room-1"),
        two, ("late middleware",), ("late connect",), ("connection", "/room-2"),
    ]  # fmt: skip


def test_child_has_its_own_beside_them(served: Served, rooms: ParentNamespace) -> None:
    child = served.io.of("/room-1")
    child.use(lambda socket: served.note("child"))
    child.on("connection", lambda socket: served.note("connection"))
    served.session().join("/room-2")
    assert not served.told
    served.session().join("/room-1")
    assert served.told == [("child",), ("connection",)]


def test_once_is_once_for_each_child(served: Served, rooms: ParentNamespace) -> None:
    rooms.once("connection", lambda socket: served.note(socket.namespace.name))
    for name in ("/room-1", "/room-2", "/room-1"):
        served.session().join(name)
    assert served.told == [("/room-1",), ("/room-2",)]


# What a parent can do


def test_parent_emits_to_all_children(served: Served, rooms: ParentNamespace) -> None:
    """A8.4: and to the rooms in them, in every way that a namespace does."""
    session, other = served.session(), served.session()
    sid = session.join("/room-1")
    session.join("/room-2")
    other.join("/room-1")
    served.io.of("/room-1").sockets[sid].join("front")
    assert result_of(rooms.emit("hi", 1)) is None
    rooms.to("front").volatile.emit("front")
    rooms.except_("front").send("not front")
    assert session.sent == [
        '2/room-1,["hi",1]', '2/room-2,["hi",1]', '2/room-1,["front"]', '2/room-2,["message","not front"]'
    ]  # fmt: skip
    assert other.sent == ['2/room-1,["hi",1]', '2/room-1,["message","not front"]']


def test_parent_without_children_emits_to_nobody(served: Served, rooms: ParentNamespace) -> None:
    assert result_of(rooms.emit("hi")) is None


def test_parent_cannot_collect_answers(rooms: ParentNamespace) -> None:
    """A8.4: it does not know the children that are on other servers only."""
    with pytest.raises(UnsupportedCall, match=r"call\(\) is not supported on parent namespaces"):
        rooms.call("hi")


# The end of them


@pytest.fixture
def cleaning() -> Served:
    served = Served(cleanup_empty_child_namespaces=True)
    served.io.of(re.compile(r"/room-\d+"))
    return served


def stops(served: Served, namespace: Namespace) -> Deferred[None]:
    """What the adapter of the namespace waits for when it stops; that it stops is noted."""
    stopped: Deferred[None] = Deferred()

    def stop() -> Deferred[None]:
        served.note("stops")
        return stopped

    namespace.adapter.stop = stop  # type: ignore[method-assign]
    return stopped


def test_empty_children_stay(served: Served, rooms: ParentNamespace) -> None:
    session = served.session()
    session.join("/room-1")
    session.receive("1/room-1,")
    assert "/room-1" in served.io.namespaces


def test_last_one_who_leaves_ends_the_child(cleaning: Served) -> None:
    """A8.5: the next who asks gets a new one."""
    session, other = cleaning.session(), cleaning.session()
    session.join("/room-1")
    other.join("/room-1")
    child = cleaning.io.of("/room-1")
    stops(cleaning, child).callback(None)
    session.receive("1/room-1,")
    assert "/room-1" in cleaning.io.namespaces
    other.drain("transport close")
    assert cleaning.told == [("stops",)]
    assert "/room-1" not in cleaning.io.namespaces
    cleaning.session().join("/room-1")
    assert cleaning.io.namespaces["/room-1"] is not child


def refuse(socket: Socket) -> None:
    raise ConnectionRefused


def test_refused_client_ends_the_child_too(cleaning: Served) -> None:
    """A8.5."""
    cleaning.io.of(re.compile(r"/room-\d+")).use(refuse)
    cleaning.io.of("/room-1")
    session = cleaning.session()
    session.receive("0/room-1,")
    assert list(cleaning.io.namespaces) == ["/"]


def test_refused_client_leaves_nothing_behind(served: Served, rooms: ParentNamespace) -> None:
    """Nobody can fill the server with namespaces that he may not enter. What the application made stays."""
    rooms.use(refuse)
    served.io.of("/room-1")
    session = served.session()
    session.receive("0/room-1,", "0/room-2,")
    assert list(served.io.namespaces) == ["/", "/room-1"]
    rooms.children["/room-1"].emit("hi")


def test_child_that_the_application_has_found_stays(served: Served, rooms: ParentNamespace) -> None:
    """It may have registered something there."""
    rooms.use(refuse)
    served.io.on("new_namespace", lambda namespace: served.io.of(namespace.name))
    served.session().receive("0/room-1,")
    assert list(served.io.namespaces) == ["/", "/room-1"]


def test_child_waits_for_who_is_coming(cleaning: Served) -> None:
    """The reference forgets a namespace while somebody waits in its middleware, who then joins what is not there."""
    gate: Deferred[None] = Deferred()
    child = cleaning.io.of("/room-1")
    leaving, coming = cleaning.session(), cleaning.session()
    leaving.join("/room-1")
    child.use(lambda socket: gate)
    coming.receive("0/room-1,")
    leaving.drain("transport close")
    gate.callback(None)
    assert cleaning.io.namespaces["/room-1"] is child
    child.emit("hi")
    assert coming.sent[1:] == ['2/room-1,["hi"]']
    coming.drain("transport close")
    assert list(cleaning.io.namespaces) == ["/"]


def test_child_waits_for_who_may_come_back() -> None:
    """With connection state recovery: until the last session has expired, or its client has come back and left."""
    cleaning = Served(cleanup_empty_child_namespaces=True, connection_state_recovery=True)
    cleaning.io.of(re.compile(r"/room-\d+"))
    cleaning.io.of("/room-1").on("session_expired", lambda session: cleaning.note("expired"))
    session, other = cleaning.session(), cleaning.session()
    session.join("/room-1")
    other.join("/room-1")
    session.drain("transport close")
    other.receive("1/room-1,")
    assert "/room-1" in cleaning.io.namespaces
    cleaning.clock.pump([1.0] * 200)
    assert cleaning.told == [("expired",)]
    assert list(cleaning.io.namespaces) == ["/"]


def test_server_ends_with_its_children(cleaning: Served, logged_errors: LoggedErrors) -> None:
    """Their adapters are waited for, once each, also when one has been stopping since before."""
    session, other = cleaning.session(), cleaning.session()
    session.join("/room-1")
    other.join("/room-2")
    stopped = [stops(cleaning, cleaning.io.of(name)) for name in ("/room-1", "/room-2")]
    session.receive("1/room-1,")
    closed = cleaning.io.close()
    session.drain("forced close")
    other.drain("forced close")
    cleaning.clock.pump([0.5] * 3)
    assert cleaning.told == [("stops",), ("stops",)]
    assert not closed.called
    stopped[0].callback(None)
    stopped[1].errback(ZeroDivisionError())
    assert result_of(closed) is None
    assert logged_errors.take(ZeroDivisionError) == ["An adapter could not be stopped"]


def test_number_of_children_is_limited() -> None:
    """A8.7: of all parents together. The application may make more."""
    served = Served(max_dynamic_namespaces=2, cleanup_empty_child_namespaces=True)
    served.io.of(re.compile(r"/room-\d+"))
    served.io.of(lambda name, auth: succeed(name.startswith("/hall")))
    session = served.session()
    session.join("/room-1")
    session.join("/hall-1")
    session.receive("0/room-2,", "0/hall-2,")
    assert session.sent == [f"4/room-2,{TOO_MANY}", f"4/hall-2,{TOO_MANY}"]
    session.receive("1/room-1,")
    session.sent.clear()
    session.join("/room-2")
    assert served.io.of("/room-3").name == "/room-3"


def test_parents_show_themselves(served: Served, rooms: ParentNamespace) -> None:
    assert repr(rooms) == r"<ParentNamespace of re.compile('/room-\\d+'), 0 children>"
