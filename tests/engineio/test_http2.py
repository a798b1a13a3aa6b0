"""HTTP/2, which somebody's site may offer where we are guests: long-polling in streams of one connection."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from twisted.web import http

from tests.engineio.line import Line
from tests.engineio.sites import POLLING, SESSION, Rig

pytestmark = pytest.mark.usefixtures("known_sid")

#: As much as a client can say it would take.
WIDE = 2**31 - 1 - 65535


class EncryptedLine(Line):
    """A connection on which TLS has agreed about HTTP/2."""

    negotiatedProtocol = b"h2"


class Browser:
    """A client with one connection.

    Attributes:
        answers: what has come, by the number of the stream: the status, the body, and whether it has ended.
    """

    def __init__(self, rig: Rig) -> None:
        self._clock = rig.engine.clock
        self.line = EncryptedLine()
        self.line.protocol = rig.guest.buildProtocol(None)
        self.line.protocol.makeConnection(self.line)
        self._http2 = H2Connection(H2Configuration(client_side=True))
        self._http2.initiate_connection()
        self._http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WIDE})
        self._http2.increment_flow_control_window(WIDE)
        self.answers: dict[int, list[Any]] = {}

    def ask(self, method: str, target: str, body: bytes = b"", **fields: str) -> int:
        """Send a request; the number of its stream."""
        stream: int = self._http2.get_next_available_stream_id()
        head = {":method": method, ":path": target, ":authority": "a", ":scheme": "https"} | fields
        self._http2.send_headers(stream, list(head.items()), end_stream=not body)
        if body:
            self._http2.send_data(stream, body, end_stream=True)
        self.turn()
        return stream

    def reset(self, stream: int) -> None:
        self._http2.reset_stream(stream)
        self.turn()

    def turn(self) -> None:
        """Let everything that can pass between both ends do so."""
        for _ in range(200):
            if sent := self._http2.data_to_send():
                self.line.feed(sent)
            self._clock.advance(0)
            for event in self._http2.receive_data(self.line.take()):
                self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            self.answers[event.stream_id] = [int(dict(event.headers)[b":status"]), b"", ""]
        elif isinstance(event, DataReceived):
            self.answers[event.stream_id][1] += event.data
        elif isinstance(event, (StreamEnded, StreamReset)):
            self.answers.setdefault(event.stream_id, [None, b"", ""])[2] = type(event).__name__


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = Rig()
    # Where twisted.web changes to HTTP/2 it does not pass its clock on.
    monkeypatch.setattr(http, "H2Connection", partial(http.H2Connection, rig.engine.clock))
    return rig


def test_conversation(rig: Rig) -> None:
    """Requests wait for one another as little as they do on connections of their own."""
    browser = Browser(rig)
    opened = browser.ask("GET", POLLING)
    poll = browser.ask("GET", SESSION)
    post = browser.ask("POST", SESSION, b"4a")
    assert browser.answers[opened][0] == 200 and browser.answers[opened][1].startswith(b'0{"sid":')
    assert browser.answers[post] == [200, b"ok", "StreamEnded"]
    assert browser.answers[poll] == [200, b"4a", "StreamEnded"]


def test_upgrade_is_refused(rig: Rig) -> None:
    """A stream cannot become a WebSocket here; its client opens a connection for that."""
    browser = Browser(rig)
    refused = browser.ask("GET", POLLING.replace("polling", "websocket"))
    assert browser.answers[refused][:2] == [400, b'{"code":3,"message":"Bad request"}']


@pytest.fixture
def browser(rig: Rig) -> Browser:
    """One that has a session, and reads no more of what its connection brings."""
    browser = Browser(rig)
    browser.ask("GET", POLLING)
    browser.line.block()
    browser.line.write(b"\0" * Line.HIGH_WATER + b"\0")
    return browser


@pytest.mark.parametrize("size", [1000, 900_000])
def test_poll_before_the_last_answer_is_read(rig: Rig, browser: Browser, size: int) -> None:
    """However wide the client has opened: what it does not read is kept once, not for each of its streams."""
    browser.ask("GET", SESSION)
    rig.session.send("x" * size)
    browser.ask("GET", SESSION)
    assert rig.log == ["close transport error: overlap from client"]
    assert rig.engine.clients_count == 0
    assert kept(browser) < 1000


def kept(browser: Browser) -> int:
    """Bytes that wait for the connection."""
    queues = browser.line.protocol._channel._outboundStreamQueues.values()
    return sum(len(piece) for queue in queues for piece in queue if isinstance(piece, bytes))


def test_answer_that_is_read_late(rig: Rig, browser: Browser) -> None:
    poll = browser.ask("GET", SESSION)
    rig.session.send("x" * 900_000)
    browser.turn()
    browser.line.unblock()
    browser.line.write(browser.line.take()[Line.HIGH_WATER + 1 :])
    browser.turn()
    assert len(browser.answers[poll][1]) == 900_001 and browser.answers[poll][2] == "StreamEnded"
    browser.ask("POST", SESSION, b"4a")
    assert browser.answers[browser.ask("GET", SESSION)][1] == b"4a"


def test_stream_that_is_reset_before_its_answer_is_read(rig: Rig, browser: Browser) -> None:
    """What it has not read is lost for good, so the session is over."""
    poll = browser.ask("GET", SESSION)
    rig.session.send("x" * 900_000)
    browser.reset(poll)
    assert rig.log == ["close transport error: poll connection closed prematurely"]


def test_slow_consumer(rig: Rig, browser: Browser) -> None:
    rig.engine.options.max_outgoing_buffer = 1000
    browser.ask("GET", SESSION)
    for _ in range(20):
        rig.session.send("x" * 1000)
    browser.turn()
    assert rig.log == ["close slow consumer: more than 1000 bytes are waiting"]
    assert kept(browser) < 1000


def test_overlapping_posts(rig: Rig, browser: Browser) -> None:
    """As a guest none is seen before it is whole, so there is no overlap to be found."""
    assert browser.ask("POST", SESSION, b"4a") != browser.ask("POST", SESSION, b"4b")
    assert rig.log == ["message 'a'", "message 'b'"]
