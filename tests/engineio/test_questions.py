"""What the application is asked about requests, and what becomes of its answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from tests.engineio.doubles import POLLING, WEBSOCKET, FakeExchange
from tests.engineio.line import Line, upgrade_request
from tests.engineio.serving import Rig
from txsocketio import ConnectionRefused
from txsocketio.types import Handler, Json

FAULT = ValueError("a fault")
ID_ERROR = {"name": "ID_GENERATION_ERROR", "error": FAULT}


@pytest.fixture
def rig() -> Rig:
    return Rig()


# allow_request


async def _coroutine(result: Json) -> Json:
    if isinstance(result, Exception):
        raise result
    return result


#: The ways in which an application may give a result.
STYLES: dict[str, Callable[[Json], Json]] = {
    "def": lambda result: _raised(result) if isinstance(result, Exception) else result,
    "async def": _coroutine,
    "Deferred": lambda result: fail(result) if isinstance(result, Exception) else succeed(result),
}


def _raised(error: Exception) -> Json:
    raise error


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("query", [POLLING, WEBSOCKET])
def test_allowed_request(style: str, query: str) -> None:
    rig = Rig(allow_request=lambda request: STYLES[style](True))
    rig.ask(query)
    assert len(rig.sessions) == 1


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("result", [False, None, 0, ""])
def test_refused_request(style: str, result: Json) -> None:
    rig = Rig(allow_request=lambda request: STYLES[style](result))
    exchange = rig.ask()
    assert (exchange.status, exchange.text) == (403, '{"code":4,"message":"Forbidden"}')
    websocket = rig.ask(WEBSOCKET)
    assert (websocket.status, websocket.text) == (400, "Forbidden")
    assert rig.sessions == []


@pytest.mark.parametrize("style", STYLES)
def test_request_refused_with_a_message(style: str) -> None:
    rig = Rig(allow_request=lambda request: STYLES[style](ConnectionRefused("quota exceeded")))
    assert rig.ask().text == '{"code":4,"message":"quota exceeded"}'
    assert rig.ask(WEBSOCKET).text == "quota exceeded"


@pytest.mark.parametrize("style", STYLES)
def test_allow_request_that_fails(style: str, logged_errors: Json) -> None:
    """The fault is logged, and nothing of it is told to the client."""
    rig = Rig(allow_request=lambda request: STYLES[style](ValueError("a secret")))
    assert rig.ask().text == '{"code":4,"message":"Forbidden"}'
    assert len(logged_errors.take(ValueError)) == 1


def test_allow_request_that_waits() -> None:
    gates: list[Deferred[bool]] = []

    def allow(request: Json) -> Deferred[bool]:
        gates.append(Deferred())
        return gates[-1]

    rig = Rig(allow_request=allow)
    polling, websocket = rig.ask(), rig.ask(WEBSOCKET)
    assert not polling.answered and not websocket.answered
    for gate in gates:
        gate.callback(True)
    assert polling.status == 200 and len(rig.sessions) == 2


@pytest.mark.parametrize("answer", [True, False])
def test_client_that_goes_while_allow_request_waits(answer: bool) -> None:
    gate: Deferred[bool] = Deferred()
    rig = Rig(allow_request=lambda request: gate)
    exchange = rig.ask()
    exchange.lost()
    gate.callback(answer)
    assert rig.sessions == [] and exchange.answer is None
    assert len(rig.engine.deadlines) == 0


def test_allow_request_is_not_asked_for_a_session() -> None:
    """Only who has none yet is asked about, and not before the checks."""
    asked: list[str] = []
    rig = Rig(allow_request=lambda request: asked.append(request.url) or True)
    rig.ask()
    rig.ask(POLLING + "&sid=" + rig.sessions[0].sid)
    rig.ask("EIO=4&transport=x")
    assert len(asked) == 1


# generate_id


@pytest.mark.parametrize("style", STYLES)
def test_sid_of_the_application(style: str) -> None:
    rig = Rig(generate_id=lambda request: STYLES[style](request.query["user"]))
    rig.ask(POLLING + "&user=eve")
    assert rig.sessions[0].sid == "eve"


@pytest.mark.parametrize(
    "sid", [None, 5, "", b"bytes", "taken", ValueError("a fault"), "a;b", "a\r\nSet-Cookie: x", "\u20ac"]
)
def test_sid_that_cannot_be_one(sid: Json, logged_errors: Json) -> None:
    """It must be new, and fit into a cookie and a query as it is. The fault is logged, the client refused."""
    rig = Rig(generate_id=lambda request: STYLES["def"]("taken" if not rig.sessions else sid), cookie=True)
    assert rig.ask().status == 200
    exchange = rig.ask()
    assert (exchange.status, exchange.text) == (400, '{"code":3,"message":"Bad request"}')
    assert len(logged_errors.take()) == 1
    assert rig.engine.clients_count == 1


@pytest.mark.parametrize(
    ("options", "code", "message", "context"),
    [
        ({"allow_request": lambda request: False}, 4, "Forbidden", {"message": "Forbidden"}),
        ({"allow_request": lambda request: _raised(ConnectionRefused("no"))}, 4, "no", {"message": "no"}),
        ({"generate_id": lambda request: ""}, 3, "Bad request", {"name": "ID_GENERATION_ERROR"}),
        ({"generate_id": lambda request: _raised(FAULT)}, 3, "Bad request", ID_ERROR),
    ],
)
def test_connection_error_tells_why(
    options: dict[str, Json], code: int, message: str, context: dict[str, Json], logged_errors: Json
) -> None:
    """With the code and the message that the client gets, and what only the application may know."""
    rig = Rig(**options)
    for query in (POLLING, WEBSOCKET):
        rig.ask(query)
    assert [(each.code, each.message, each.context) for each in rig.refusals] == [(code, message, context)] * 2
    logged_errors.take()


# Middlewares


def test_middlewares_are_asked_in_order_for_every_request(rig: Rig) -> None:
    asked: list[str] = []
    rig.engine.use(lambda request, fields: asked.append("first"))
    rig.engine.use(lambda request, fields: asked.append(request.method))
    rig.ask()
    rig.ask(POLLING + "&sid=" + rig.sessions[0].sid, "POST", b"4a")
    rig.ask("nothing")
    assert asked == ["first", "GET", "first", "POST", "first", "GET"]
    assert rig.log[-1] == "message 'a'"


@pytest.mark.parametrize("style", STYLES)
def test_middleware_may_add_to_the_answer(rig: Rig, style: str) -> None:
    """To every answer: also to a refusal, a 101 and a preflight."""

    def middleware(request: Json, fields: Json) -> Json:
        fields.append((b"X-Added", b"yes"))
        return STYLES[style](None)

    rig.engine.use(middleware)
    for query in (POLLING, "nothing"):
        answer = rig.ask(query).answer
        assert answer is not None and answer.fields["X-Added"] == "yes"
    exchange = FakeExchange(upgrade_request(), line=(line := Line()))
    rig.engine.handle(exchange)
    assert b"\r\nX-Added: yes\r\n" in line.take()


def test_field_of_a_middleware_that_would_break_the_answer(rig: Rig, logged_errors: Json) -> None:
    rig.engine.use(lambda request, fields: fields.extend([(b"X", b"a\r\nY: b"), (b"X Y", b"a"), (b"Z", b"a")]))
    answer = rig.ask().answer
    assert answer is not None
    assert list(answer.fields) == ["Content-Type", "Cache-Control", "Z"]
    assert len(logged_errors.take()) == 2


def test_middleware_may_add_to_a_preflight() -> None:
    rig = Rig(cors_allowed_origins="*")
    rig.engine.use(lambda request, fields: fields.append((b"X-Added", b"yes")))
    rig.engine.on("headers", lambda headers, request: headers.update({"X-Heard": "yes"}))
    answer = rig.ask(method="OPTIONS", origin="http://a").answer
    assert answer is not None and answer.status == 204
    assert (answer.fields["X-Added"], answer.fields["X-Heard"]) == ("yes", "yes")


@pytest.mark.parametrize("style", STYLES)
def test_middleware_that_raises_refuses(rig: Rig, style: str) -> None:
    error = ValueError("not you")
    rig.engine.use(lambda request, fields: STYLES[style](error))
    assert rig.ask().text == '{"code":3,"message":"Bad request"}'
    assert rig.ask(WEBSOCKET).text == "Bad request"
    assert [each.context for each in rig.refusals] == [{"name": "MIDDLEWARE_FAILURE", "error": error}] * 2
    assert rig.sessions == []


def test_client_that_goes_while_a_middleware_waits(rig: Rig) -> None:
    gate: Deferred[None] = Deferred()
    rig.engine.use(lambda request, fields: gate)
    exchange = rig.ask()
    exchange.lost()
    gate.callback(None)
    assert rig.sessions == []


def test_session_that_ends_while_a_middleware_waits(rig: Rig) -> None:
    """The request is looked at afterwards, as things are then."""
    rig.ask()
    gate: Deferred[None] = Deferred()
    rig.engine.use(lambda request, fields: gate)
    poll = rig.ask(POLLING + "&sid=" + rig.sessions[0].sid)
    rig.sessions[0].close(discard=True)
    gate.callback(None)
    assert rig.code(poll) == 1


# The application that never answers


async def _never() -> None:
    await Deferred()


@pytest.mark.parametrize("waiting", [Deferred, _never], ids=["Deferred", "async def"])
@pytest.mark.parametrize(
    ("option", "status", "text"),
    [
        ("allow_request", 403, '{"code":4,"message":"Forbidden"}'),
        ("generate_id", 400, '{"code":3,"message":"Bad request"}'),
        ("use", 400, '{"code":3,"message":"Bad request"}'),
    ],
)
def test_application_that_never_answers(
    waiting: Handler, option: str, status: int, text: str, logged_errors: Json
) -> None:
    """The client is refused when the time is over; nothing goes on waiting."""
    asked: dict[str, Json] = {} if option == "use" else {option: lambda request: waiting()}
    rig = Rig(middleware_timeout=5.0, **asked)
    if option == "use":
        rig.engine.use(lambda request, fields: waiting())
    exchange = rig.ask()
    rig.engine.clock.advance(4.9)
    assert not exchange.answered
    rig.engine.clock.advance(0.1)
    assert (exchange.status, exchange.text) == (status, text)
    assert rig.engine.clock.getDelayedCalls() == [] and rig.sessions == []
    assert len(logged_errors.take()) == (option != "use")


# The end


@pytest.mark.parametrize("query", [POLLING, WEBSOCKET])
@pytest.mark.parametrize("waiting", [Deferred, _never], ids=["Deferred", "async def"])
@pytest.mark.parametrize("question", ["allow_request", "generate_id", "use"])
def test_closing_while_the_application_is_asked(question: str, waiting: Handler, query: str) -> None:
    """Who waits for its answer is refused at once; nothing goes on waiting."""
    asked: dict[str, Json] = {} if question == "use" else {question: lambda request: waiting()}
    rig = Rig(**asked)
    if question == "use":
        rig.engine.use(lambda request, fields: waiting())
    exchanges = [rig.ask(query) for _ in range(3)]
    rig.engine.close()
    assert [exchange.status for exchange in exchanges] == [503] * 3
    assert rig.engine.clock.getDelayedCalls() == [] and rig.sessions == []


@pytest.mark.parametrize("question", ["allow_request", "use"])
def test_application_that_answers_after_the_end(question: str) -> None:
    """One that does not let itself be cancelled says yes to nothing."""
    gate: Deferred[bool] = Deferred()

    async def insist(*arguments: object) -> bool:
        try:
            await Deferred()
        except CancelledError:
            await gate
        return True

    rig = Rig(**({"allow_request": insist} if question == "allow_request" else {}))
    if question == "use":
        rig.engine.use(insist)
    exchange = rig.ask()
    rig.engine.close()
    gate.callback(True)
    assert exchange.status == 503 and rig.sessions == []
    assert rig.engine.clock.getDelayedCalls() == []


def test_question_that_the_application_cancels(logged_errors: Json) -> None:
    """That is an answer like any other error."""
    gate: Deferred[bool] = Deferred()
    rig = Rig(allow_request=lambda request: gate)
    exchange = rig.ask()
    gate.cancel()
    assert exchange.status == 403
    assert len(logged_errors.take(CancelledError)) == 1
