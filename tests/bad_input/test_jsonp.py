"""Rows 27-29: scripts and forms of pages that cannot do more, through both ways of HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import process_time

import pytest
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.engineio.doubles import POLLING, Log, new_engine
from tests.engineio.line import Line, accept
from tests.wire import request
from txsocketio.engineio.session import Session

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Page:
    """A page that speaks JSONP.

    Attributes:
        log: what the application hears.
    """

    def __init__(self, way: str, query: str = f"{POLLING}&j=0") -> None:
        self.engine = new_engine(allow_eio3=True)
        self.log = Log()
        self.engine.on_session = self._welcome
        root = Resource()
        root.putChild(b"engine.io", self.engine.resource())
        self._site = self.engine.site() if way == "own site" else Site(root, reactor=self.engine.clock)
        self._target = f"/engine.io/?{query}"
        opened = self.ask(request("GET", self._target))
        head, _, script = opened.partition("\r\n\r\n")
        assert "Content-Type: text/plain; charset=UTF-8" in head
        self.script = script
        self._target += f"&sid={self.session.sid}"

    def _welcome(self, session: Session) -> None:
        self.session = session
        self.log.listen(session)

    def ask(self, sent: bytes) -> str:
        """The answer, head and body."""
        line: Line = accept(self._site)
        line.feed(sent)
        answer = line.take().decode()
        if not answer.startswith("HTTP/1.1 413"):
            line.lose()
        return answer

    def poll(self) -> str:
        return self.ask(request("GET", self._target)).partition("\r\n\r\n")[2]

    def post(self, body: bytes) -> str:
        answer = self.ask(request("POST", self._target, body, FORM))
        return f"{answer.split(' ', 2)[1]} {answer.partition(chr(13) + chr(10) + chr(13) + chr(10))[2]}".strip()


@pytest.fixture(params=["own site", "guest"])
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def page(way: str) -> Iterator[Page]:
    page = Page(way)
    yield page
    page.session.close(discard=True)
    assert len(page.engine.deadlines) == 0


def test_conversation(page: Page) -> None:
    """The handshake, a message there and a message back."""
    assert page.script.startswith('___eio[0]("0{\\"sid\\":') and page.script.endswith('");')
    assert page.post(b"d=4hello+%22you%22%5Cn") == "200 ok"
    assert page.log.take() == ["message 'hello \"you\"\\n'"]
    page.session.send("and \u2028 back")
    assert page.poll() == '___eio[0]("4and \\u2028 back");'


def test_old_client(way: str) -> None:
    page = Page(way, "EIO=3&transport=polling&j=3&b64=1")
    payload = json.loads(page.script.removeprefix("___eio[3](").removesuffix(");"))
    assert payload.partition(":")[2].startswith('0{"sid":')
    assert page.post(b"d=6%3A4hello6%3Ab4AQID") == "200 ok"
    assert page.log.take() == ["message 'hello'", "message b'\\x01\\x02\\x03'"]
    page.session.send(b"\1")
    assert page.poll() == '___eio[3]("6:b4AQ==");'


def test_27_function_with_more_than_digits(way: str) -> None:
    """Nobody else's script runs in the page."""
    assert Page(way, f"{POLLING}&j=0);alert(1)//").script.startswith('___eio[01]("0{')
    assert Page(way, f"{POLLING}&j=").script.startswith('___eio[]("0{')


@pytest.mark.parametrize("body", [b"", b"x", b"dd=4a", b"=", b"&&&"])
def test_28_post_without_the_field(page: Page, body: bytes) -> None:
    assert page.post(body) == "200 ok"
    assert page.log.take() == []
    assert page.session.is_open


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"d=" + b"%34" * 100_000, [f"message {'4' * 99_999!r}"]),
        (b"d=4" + b"%" * 100_000, [f"message {'%' * 100_000!r}"]),
        (b"d=4" + b"\\\\n" * 30_000, [f"message {(chr(92) + 'n') * 30_000!r}"]),
        (b"&".join(b"f%d=1" % n for n in range(1000)) + b"&d=4late", ["message 'late'"]),
        (b"&" * 100_000, []),
        (b"d" * 100_000, []),
        (b"d=%ff", ["close parse error: invalid UTF-8 in a payload"]),
    ],
    ids=["escapes", "broken escapes", "backslashes", "fields", "separators", "letters", "no text"],
)
def test_29_long_form(page: Page, body: bytes, told: list[str]) -> None:
    """It takes no more time than its length explains."""
    began = process_time()
    assert page.post(body) == "200 ok"
    assert process_time() - began < 1.0
    assert page.log.take() == told


def test_29_form_above_the_limit(page: Page) -> None:
    assert page.post(b"d=4" + b"a" * 1_000_000).startswith("413")
    assert page.log.take() == []
