"""What answers carry: the cookie, compression, a field for old browsers."""

from __future__ import annotations

import pytest

from tests.engineio.doubles import POLLING, FakeExchange, new_engine, new_request
from txsocketio.engineio.engine import Engine
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.session import Session
from txsocketio.errors import OptionError
from txsocketio.types import Json

#: The option, and the field.
COOKIES: list[tuple[Json, str | None]] = [
    (False, None),
    (True, "io=SID; Path=/; HttpOnly; SameSite=Lax"),
    ("chat", "chat=SID; Path=/; HttpOnly; SameSite=Lax"),
    ({}, "io=SID; Path=/; HttpOnly; SameSite=Lax"),
    (
        {"name": "chat", "path": "/chat", "http_only": False, "same_site": "strict"},
        "chat=SID; Path=/chat; SameSite=Strict",
    ),
    ({"path": None, "same_site": None}, "io=SID; HttpOnly"),
    (
        {"secure": True, "domain": "example.org", "max_age": 60, "same_site": "none"},
        "io=SID; Max-Age=60; Domain=example.org; Path=/; HttpOnly; Secure; SameSite=None",
    ),
    ({"max_age": 0}, "io=SID; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"),
]


@pytest.mark.parametrize(("option", "expected"), COOKIES)
def test_cookie(option: Json, expected: str | None) -> None:
    """On the first answer of a session over long-polling only."""
    engine = new_engine(cookie=option, generate_id=lambda request: "SID")
    first, refused = FakeExchange(new_request()), FakeExchange(new_request(query="x"))
    post = FakeExchange(new_request("POST", POLLING + "&sid=SID"), b"4")
    for exchange in (first, refused, post):
        engine.handle(exchange)
        assert exchange.answer is not None
    assert first.answer is not None and first.answer.fields.get("Set-Cookie") == expected
    assert refused.answer is not None and "Set-Cookie" not in refused.answer.fields
    assert post.answer is not None and "Set-Cookie" not in post.answer.fields


def test_unknown_key_of_the_cookie() -> None:
    with pytest.raises(OptionError, match="http_only"):
        new_engine(cookie={"httpOnly": True})


# Fields of the application


def test_application_may_replace_our_fields() -> None:
    """By whichever way it gives one of the same name; the later way wins, and spelling does not matter."""
    engine = new_engine()
    engine.use(lambda request, fields: fields.append((b"cache-control", b"private")))
    answers = [asked(engine)]
    engine.on("initial_headers", lambda headers, request: headers.update({"Content-type": "text/x-mine"}))
    engine.on("headers", lambda headers, request: headers.update({"CACHE-CONTROL": "max-age=1"}))
    answers.append(asked(engine))
    assert [sorted(answer.items()) for answer in answers] == [
        [("Content-Type", "text/plain; charset=UTF-8"), ("cache-control", "private")],
        [("CACHE-CONTROL", "max-age=1"), ("Content-type", "text/x-mine")],
    ]


def test_cookies_of_the_application() -> None:
    """They come beside ours; a list is several of them."""
    engine = new_engine(cookie=True, generate_id=lambda request: "SID")
    engine.on("headers", lambda headers, request: headers.update({"Set-Cookie": ["a=1", "b=2"]}))
    exchange = FakeExchange(new_request())
    fields = engine.answers.fields(exchange, engine.answers.cookie("SID"))
    assert fields == [
        (b"Set-Cookie", b"io=SID; Path=/; HttpOnly; SameSite=Lax"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
    ]


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "UPGRADE", "Date"])
def test_fields_that_are_not_the_applications(name: str, logged_errors: Json) -> None:
    """They say where an answer ends."""
    engine = new_engine()
    engine.on("headers", lambda headers, request: headers.update({name: "5"}))
    assert name not in asked(engine)
    assert len(logged_errors.take()) == 1


def asked(engine: Engine) -> dict[str, str]:
    """The fields of the answer to a handshake."""
    exchange = FakeExchange(new_request())
    engine.handle(exchange)
    assert exchange.answer is not None
    return exchange.answer.fields


# Compression, old browsers


def answered(outgoing: list[Outgoing], option: Json = True, accept: str = "gzip") -> dict[str, str]:
    """The fields of a poll that gets these."""
    engine = new_engine(http_compression=option)
    sessions: list[Session] = []
    engine.on_session = sessions.append
    engine.handle(FakeExchange(new_request()))
    for each in outgoing:
        sessions[0].send_outgoing(each)
    poll = FakeExchange(new_request(query=f"{POLLING}&sid={sessions[0].sid}", accept_encoding=accept))
    engine.handle(poll)
    assert poll.answer is not None
    return poll.answer.fields


@pytest.mark.parametrize(
    ("size", "option", "accept", "compressed"),
    [
        (1022, True, "gzip", False),
        (1023, True, "gzip", True),
        (1023, {}, "gzip", True),
        (1023, True, "br", False),
        (1023, False, "gzip", False),
        (99, {"threshold": 100}, "gzip", True),
        (98, {"threshold": 100}, "gzip", False),
        (0, {"threshold": 0}, "gzip", True),
    ],
)
def test_poll_is_compressed_from_the_threshold_on(size: int, option: Json, accept: str, compressed: bool) -> None:
    """Counted with the packet's type."""
    fields = answered([Outgoing(b"x" * size)], option, accept)
    assert ("Content-Encoding" in fields) is compressed


def test_poll_is_compressed_when_one_message_may_be() -> None:
    """As with the reference server; heartbeats and what was sent with compress(False) do not ask for it."""
    large = b"x" * 5000
    assert "Content-Encoding" not in answered([Outgoing(large, compress=False)] * 2)
    assert "Content-Encoding" in answered([Outgoing(large, compress=False), Outgoing(b"a")])


def test_post_is_never_compressed() -> None:
    engine = new_engine(http_compression={"threshold": 0})
    engine.handle(FakeExchange(new_request()))
    (sid,) = engine.sessions
    post = FakeExchange(new_request("POST", f"{POLLING}&sid={sid}", accept_encoding="gzip"), b"4")
    engine.handle(post)
    assert post.text == "ok"


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("Mozilla/4.0 (compatible;MSIE 8.0)", True),
        ("Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0)", True),
        ("Mozilla/5.0 Firefox/130", False),
    ],
)
def test_old_browser_is_told_not_to_look_for_scripts(agent: str, told: bool) -> None:
    exchange = FakeExchange(new_request(user_agent=agent))
    new_engine().handle(exchange)
    assert exchange.answer is not None
    assert (exchange.answer.fields.get("X-XSS-Protection") == "0") is told
