"""Sites with an engine, and the ways in which a request can reach it. The tests use the fixture `known_sid`."""

from __future__ import annotations

import re
from collections.abc import Callable

from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.engineio.doubles import COARSE, Log, new_engine
from tests.engineio.line import Line, accept
from tests.wire import request
from txsocketio.engineio.engine import Engine
from txsocketio.engineio.session import Session
from txsocketio.types import Json

SID = "s" * 20
POLLING = "/engine.io/?EIO=4&transport=polling"
SESSION = f"{POLLING}&sid={SID}"
WEBSOCKET = "/engine.io/?EIO=4&transport=websocket"
LIMIT = 1000

OPENING = request("GET", POLLING)


class Page(Resource):
    """Something else on the site."""

    isLeaf = True

    def render(self, request: object) -> bytes:
        return b"a page"


class LongPage(Resource):
    """One that is longer than what a connection takes at once."""

    isLeaf = True

    def render(self, request: object) -> bytes:
        return b"a page" * 20_000


class Rig:
    """An engine whose sessions echo, in a site of ours and as a guest in another."""

    def __init__(self, **options: Json) -> None:
        self.engine: Engine = new_engine(
            **{"max_http_buffer_size": LIMIT, "cors_allowed_origins": "http://a"} | options
        )
        self.log = Log()
        self.engine.on_session = self._welcome
        root = Resource()
        root.putChild(b"page", Page())
        root.putChild(b"long", LongPage())
        self.site = self.engine.site(root)
        guest_root = Resource()
        guest_root.putChild(b"engine.io", self.engine.resource())
        self.guest = Site(guest_root, reactor=self.engine.clock)

    def _welcome(self, session: Session) -> None:
        self.session = session
        self.log.listen(session)
        note = session.on_message

        def echo(data: str | bytes) -> None:
            note(data)
            session.send(data)

        session.on_message = echo

    def open(self) -> Line:
        return accept(self.site)

    def turn(self) -> None:
        """What was to be called in the next turn of the reactor is."""
        self.engine.clock.advance(0)

    def pass_time(self, seconds: float) -> None:
        self.engine.clock.pump([COARSE / 4] * round(seconds / COARSE * 4))


def undated(data: bytes) -> bytes:
    """With the date blotted out: twisted.web asks the real clock. It also spells a name in its own way."""
    data = data.replace(b"Sec-Websocket-Version", b"Sec-WebSocket-Version")
    return re.sub(rb"(?m)^Date: [^\r]+ GMT", b"Date: now", data)


def statuses(data: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", data)]


def ask(rig: Rig, line: Line, data: bytes, size: int) -> bytes:
    """The answers to what a connection sends in pieces of this size before it goes."""
    for begin in range(0, len(data), size):
        line.feed(data[begin : begin + size])
        rig.turn()
    answers = line.take()
    line.lose()
    return answers


def whole(rig: Rig, data: bytes) -> bytes:
    return ask(rig, rig.open(), data, len(data))


def in_pieces(rig: Rig, data: bytes) -> bytes:
    """The head is not there at once: twisted.web reads it."""
    return ask(rig, rig.open(), data, 7)


def as_guest(rig: Rig, data: bytes) -> bytes:
    return ask(rig, accept(rig.guest), data, len(data))


WAYS: list[Callable[[Rig, bytes], bytes]] = [whole, in_pieces, as_guest]
