"""Recorders for the tests of Engine.IO: nothing here has a network, and time passes when a test says so.

Log             what an application hears of its sessions, as lines
FakeTransport   what a session sends over: is ready when the test says so
FakeExchange    a request whose answer is kept
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock

from txsocketio.engineio.engine import Engine
from txsocketio.engineio.exchange import Exchange, Fields
from txsocketio.engineio.options import EngineOptions
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.request import HTTPRequest
from txsocketio.engineio.session import SLOW_CONSUMER, Session
from txsocketio.types import Json

POLLING = "EIO=4&transport=polling"
WEBSOCKET = "EIO=4&transport=websocket"

if TYPE_CHECKING:
    from tests.engineio.line import Line

#: Seconds, far apart, so that a test sees which of them it was; a deadline is late by at most COARSE.
INTERVAL, TIMEOUT, UPGRADING, CLOSING_TIME, COARSE = 25.0, 20.0, 10.0, 30.0, 1.0


def new_engine(**options: Json) -> Engine:
    """An engine on a clock of its own, `engine.clock`."""
    return Engine(EngineOptions.of(options), Clock())


def new_request(method: str = "GET", query: str = POLLING, **fields: str) -> HTTPRequest:
    """The head of a request; a field is given as `user_agent="..."`."""
    parsed = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in fields.items()}
    lines = b"\r\n".join(b"%b: %b" % pair for pair in parsed.items())
    return HTTPRequest(method, f"/engine.io/?{query}", parsed, ("192.0.2.1", False), lines)


class Log(list[str]):
    """What an application hears of its sessions, a line each."""

    def listen(self, session: Session) -> None:
        session.on_message = lambda data: self.append(f"message {data!r}")
        session.on_close = lambda reason, description: self.append(f"close {reason}: {description}".rstrip(": "))

    def listen_to_drain(self, session: Session) -> None:
        session.on_drain = lambda: self.append("drain")

    def take(self) -> list[str]:
        """The lines since the last time."""
        lines, self[:] = list(self), []
        return lines


class FakeTransport:
    """A transport that notes in `log` what a session asks of it.

    Attributes:
        is_ready: whether it can take something.
        keeps: whether it cannot be drained: a `finish` does not end the session.
    """

    def __init__(self, log: Log, name: str = "websocket") -> None:
        self.log = log
        self.name = name
        self.session: Session
        self.is_ready = True
        self.keeps = False

    @property
    def is_writable(self) -> bool:
        return self.is_ready

    def send_outgoing(self, outgoing: Outgoing) -> None:
        self.log += [f"sent {packet.decode()}" for packet in outgoing.packets()]

    def send_all(self, outbox: list[Outgoing]) -> int:
        for outgoing in outbox:
            self.send_outgoing(outgoing)
        return len(outbox)

    def finish(self) -> None:
        if not self.keeps:
            self.session.closed()

    def closed_by_client(self) -> None:
        self.log.append("closed by client")

    def discard(self, reason: str) -> None:
        self.log.append("aborted" if reason == SLOW_CONSUMER else "discarded")


@dataclass
class Answer:
    """What an exchange was answered."""

    status: int
    fields: dict[str, str]
    body: bytes
    close: bool = False


class FakeExchange(Exchange):
    """A request whose answer is kept.

    Args:
        line: the connection that it came over, for a handshake of WebSocket.
        rest: what has come behind the request.
    """

    def __init__(self, request: HTTPRequest, body: bytes = b"", line: Line | None = None, rest: bytes = b"") -> None:
        super().__init__(request, body)
        self.answer: Answer | None = None
        self.dropped = False
        self._line = line
        self._rest = rest

    def respond(self, status: int, fields: Fields, body: bytes = b"", close: bool = False) -> None:
        if not self.answered:
            self.answered = True
            named = {name.decode(): value.decode("latin-1") for name, value in fields}
            self.answer = Answer(status, named, body, close)

    def drop(self) -> None:
        self.answered = self.dropped = True

    @property
    def transport(self) -> Line | None:
        return self._line

    def hand_over(self, protocol: IProtocol) -> bytes:
        assert self._line is not None
        self.answered = True
        self._line.protocol = protocol
        return self._rest

    @property
    def status(self) -> int | None:
        """The status of the answer, None while there is none."""
        return self.answer.status if self.answer is not None else None

    @property
    def text(self) -> str:
        """The body of the answer."""
        assert self.answer is not None
        return self.answer.body.decode()
