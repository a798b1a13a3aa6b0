"""Writing to the socket at once, and what happens when it does not take all."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest
from twisted.internet import tcp
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock

from tests.engineio.doubles import FakeExchange, new_engine
from tests.engineio.line import read_frames, text, upgrade_request
from txsocketio.engineio.direct import DirectWriter
from txsocketio.engineio.session import Session


class FakeSocket:
    """A socket that takes as many bytes at a time as it is told, or fails."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.takes: list[int | OSError] = []

    def send(self, data: bytes) -> int:
        takes = self.takes.pop(0) if self.takes else len(data)
        if isinstance(takes, OSError):
            raise takes
        self.sent.append(data[:takes])
        return min(takes, len(data))


class FakeTCP:
    """As much of Twisted's TCP transport as a DirectWriter looks at."""

    def __init__(self) -> None:
        self.socket = FakeSocket()
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._tempDataBuffer.append(data)


class Writer(DirectWriter):
    def __init__(self) -> None:
        self.transport = FakeTCP()


@pytest.fixture
def writer() -> Writer:
    return Writer()


def test_what_fits_leaves_at_once(writer: Writer) -> None:
    writer.write(b"hello")
    assert writer.transport.socket.sent == [b"hello"]
    assert writer.transport._tempDataBuffer == []


@pytest.mark.parametrize("taken", [1, 4])
def test_what_does_not_fit_is_left_to_twisted(writer: Writer, taken: int) -> None:
    writer.transport.socket.takes = [taken]
    writer.write(b"hello")
    assert writer.transport.socket.sent == [b"hello"[:taken]]
    assert writer.transport._tempDataBuffer == [b"hello"[taken:]]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EPIPE, errno.ECONNRESET, errno.ENOBUFS])
def test_error_is_left_to_twisted(writer: Writer, number: int) -> None:
    """It meets the same error, and knows what to do about it."""
    writer.transport.socket.takes = [OSError(number, "no")]
    writer.write(b"hello")
    assert writer.transport._tempDataBuffer == [b"hello"]


@pytest.mark.parametrize("buffer", ["dataBuffer", "_tempDataBuffer"])
def test_nothing_overtakes_what_waits(writer: Writer, buffer: str) -> None:
    """Behind what Twisted still keeps, everything goes through Twisted."""
    setattr(writer.transport, buffer, b"first" if buffer == "dataBuffer" else [b"first"])
    writer.write(b"second")
    assert writer.transport.socket.sent == []
    assert writer.transport._tempDataBuffer[-1] == b"second"


# With Twisted's own transport, over a pair of sockets


@pytest.fixture
def pair() -> Iterator[tuple[tcp.Server, socket.socket]]:
    """A connection of Twisted's, and the client's end of it; nobody turns the reactor."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    server = tcp.Server(ours, Protocol(), ("127.0.0.1", 1), None, 1, MemoryReactorClock())
    yield server, theirs
    theirs.close()
    ours.close()


def test_all_arrives_in_order_however_little_the_socket_takes(pair: tuple[tcp.Server, socket.socket]) -> None:
    """More than the kernel keeps: the rest follows as Twisted sees that there is room."""
    server, client = pair
    writer = Writer()
    writer.transport = server
    sent = [bytes([number]) * 100_000 for number in range(20)]
    for data in sent:
        writer.write(data)
    assert server.dataBuffer or server._tempDataBuffer
    received = b""
    for _ in range(10_000):
        try:
            received += client.recv(1 << 20)
        except BlockingIOError:
            if not (server.dataBuffer or server._tempDataBuffer):
                break
            server.doWrite()
    assert received == b"".join(sent)


def test_websocket_over_tcp_writes_at_once(pair: tuple[tcp.Server, socket.socket]) -> None:
    """The answer has left when the message has been handled: nobody had to turn the reactor."""
    server, client = pair
    engine = new_engine()
    sessions: list[Session] = []
    engine.on_session = sessions.append
    engine.handle(FakeExchange(upgrade_request(), line=server))
    assert client.recv(65536).startswith(b"HTTP/1.1 101 ")
    sessions[0].on_message = sessions[0].send
    server.protocol.dataReceived(text("hello") + text("again"))
    assert read_frames(client.recv(65536)) == ["4hello", "4again"]
    sessions[0].close(discard=True)
    assert read_frames(client.recv(65536)) == ["close 1005"]


def test_client_that_has_gone_is_found_out_by_twisted(pair: tuple[tcp.Server, socket.socket]) -> None:
    """A write to a connection that has just been reset raises nothing."""
    server, client = pair
    writer = Writer()
    writer.transport = server
    client.close()
    writer.write(b"hello")
    writer.write(b"hello")
    assert server.doWrite() is not None
