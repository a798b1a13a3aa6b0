"""A raw client for tests over real TCP: the bytes that go out are those the test names, and no wait is unbounded.

Wire                  one TCP connection: send, read, end it orderly or by a reset
request, chunked      the bytes of an HTTP request
frame                 the bytes of a WebSocket frame, legal or not
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

Address = tuple[str, int]

#: The longest that any read waits, in seconds: far more than an answer takes, far less than a patient developer.
DEADLINE = 5.0

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x12\x34\x56\x78"


class ConnectionEnded(Exception):
    """The server closed before all that was waited for had come.

    Attributes:
        received: what had come instead.
        code: the code of a WebSocket close frame, 1005 for one without, None when TCP just ended.
    """

    def __init__(self, received: bytes = b"", code: int | None = None) -> None:
        super().__init__(received, code)
        self.received = received
        self.code = code


class Wire(Protocol):
    """One TCP connection to the server under test."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.is_lost = False
        self._waiting: tuple[Callable[[], bool], Deferred[None]] | None = None

    @classmethod
    async def open(cls, address: Address) -> Wire:
        return await connectProtocol(TCP4ClientEndpoint(reactor, *address), cls())

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    def close(self) -> None:
        self.transport.loseConnection()

    def reset(self) -> None:
        """End the connection with RST, if it is still there (Twisted sets SO_LINGER to zero for an abort)."""
        self.transport.abortConnection()

    async def read(self, size: int) -> bytes:
        await self._until(lambda: len(self.received) >= size)
        return self._take(size)

    async def read_through(self, end: bytes) -> bytes:
        await self._until(lambda: end in self.received)
        return self._take(self.received.index(end) + len(end))

    async def read_to_end(self) -> bytes:
        """All that still comes; the server must close, orderly or not."""
        await self._until(lambda: self.is_lost)
        return self._take(len(self.received))

    async def read_response(self, method: str = "GET") -> Response:
        """The next HTTP response, which has no body when `method` is HEAD."""
        response = Response(await self.read_through(b"\r\n\r\n"))
        if method == "HEAD" or response.status in (100, 101, 204, 304):
            return response
        if response.header("transfer-encoding") == "chunked":
            response.body = await self._read_chunks()
        elif (length := response.header("content-length")) is not None:
            response.body = await self.read(int(length))
        else:
            response.body = await self.read_to_end()
        return response

    async def _read_chunks(self) -> bytes:
        body = b""
        while size := int(await self.read_through(b"\r\n"), 16):
            body += (await self.read(size + 2))[:-2]
        await self.read_through(b"\r\n")
        return body

    def _take(self, size: int) -> bytes:
        taken = bytes(self.received[:size])
        del self.received[:size]
        return taken

    def _until(self, condition: Callable[[], bool]) -> Deferred[None]:
        assert self._waiting is None, "one reader at a time"
        waiting: Deferred[None] = Deferred()
        self._waiting = condition, waiting
        self._check()
        return waiting.addTimeout(DEADLINE, reactor, self._too_late)

    def _check(self) -> None:
        if self._waiting is None:
            return
        condition, waiting = self._waiting
        if condition():
            self._waiting = None
            waiting.callback(None)
        elif self.is_lost:
            self._waiting = None
            waiting.errback(ConnectionEnded(bytes(self.received)))

    def _too_late(self, result: object, seconds: float) -> NoReturn:
        self._waiting = None
        raise AssertionError(f"not within {seconds} s; unread: {bytes(self.received[:2000])!r}")

    # Called by Twisted.

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self._check()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.is_lost = True
        self._check()


@dataclass
class Response:
    """An HTTP response; `head` is what stood on the wire, through the empty line."""

    head: bytes
    body: bytes = b""
    status: int = field(init=False)
    headers: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        status_line, *lines = self.head.decode("latin-1").rstrip().split("\r\n")
        self.status = int(status_line.split(" ")[1])
        self.headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name: str) -> str | None:
        """The value of a header named in lower case, several joined by a comma; None when there is none."""
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None


def request(
    method: str,
    target: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    version: str = "1.1",
) -> bytes:
    """The bytes of a request; a body is announced by its length unless `headers` say otherwise."""
    fields = {"Host": "test"} | (headers or {})
    if body is not None and not {"Content-Length", "Transfer-Encoding"} & fields.keys():
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def chunked(pieces: Iterable[bytes]) -> bytes:
    """A body in the chunked coding."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


@dataclass(frozen=True)
class Frame:
    """A WebSocket frame as it came."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    announced: int | None = None,
) -> bytes:
    """The bytes of a frame; `announced` is the length that its header claims, when not the true one."""
    length = len(payload) if announced is None else announced
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if length < 126:
        head += bytes([masked << 7 | length])
    elif length < 1 << 16:
        head += bytes([masked << 7 | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([masked << 7 | 127]) + length.to_bytes(8, "big")
    if not masked:
        return head + payload
    return head + MASK + mask(payload)


def mask(payload: bytes) -> bytes:
    size = len(payload)
    key = int.from_bytes((MASK * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")
