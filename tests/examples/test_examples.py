"""Every example, run as its first lines say, with real clients."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request

import socketio

from tests.programs import ROOT, Program, twistd
from tests.python_client import connected
from txsocketio.types import Json

EXAMPLES = ROOT / "examples"
LISTEN = "tcp:0:interface=127.0.0.1"


def address(program: Program) -> str:
    """Where it says that it listens."""
    port = program.wait_for(r"starting on (\d+)")[1]
    return f"http://127.0.0.1:{port}"


def test_every_example_is_listed() -> None:
    """A file without a line in the table is not found by anybody."""
    table = (EXAMPLES / "README.md").read_text()
    for file in EXAMPLES.iterdir():
        assert file.is_dir() or file.suffix == ".md" or f"`{file.name}`" in table


def test_hello() -> None:
    """The first application of the manual, a server by itself: everybody in the lobby hears what is said."""
    with twistd("socketio", "--app=hello:io", f"--listen={LISTEN}", cwd=EXAMPLES) as program:
        heard = Heard()
        with connected(address(program)) as client:
            client.on("chat:message", heard)
            assert client.call("chat:message", "hello") == "delivered"
            assert heard.next(1) == [("hello",)]


def test_chat() -> None:
    """An application for the command: who is in the room hears what is said, and that somebody came."""
    with twistd("socketio", "--app=chat:setup", f"--listen={LISTEN}", cwd=EXAMPLES) as program:
        url, heard = address(program), Heard()
        with connected(url, auth={"name": "Ada"}) as ada:
            ada.on("chat:joined", heard)
            ada.on("chat:message", heard)
            with connected(url, auth={"name": "Grace"}) as grace:
                assert grace.call("chat:message", "hello") == "delivered"
                assert heard.next(2) == [("Grace",), ("Grace", "hello")]


def test_site() -> None:
    """Pages and Socket.IO from one port."""
    with Program(sys.executable, "site.py", cwd=EXAMPLES, LISTEN=LISTEN) as program:
        url = address(program)
        with urllib.request.urlopen(url, timeout=5) as page:
            assert b"A page of the site" in page.read()
        with connected(url) as client:
            assert client.call("shout", "quiet") == "QUIET"
        assert program.terminate() in (0, -15)


def test_with_klein() -> None:
    """An order by plain HTTP is told to the clients of a namespace."""
    with Program(sys.executable, "with_klein.py", cwd=EXAMPLES, LISTEN=LISTEN) as program:
        url, heard = address(program), Heard()
        with connected(url, namespaces=["/orders"]) as client:
            client.on("order", heard, namespace="/orders")
            with urllib.request.urlopen(f"{url}/order", data=b"tea", timeout=5) as answer:
                assert answer.read() == b"ordered tea\n"
            assert heard.next(1) == [("tea",)]


def test_rooms() -> None:
    """An application file: only who is in the room hears."""
    with twistd("-y", "rooms.tac", cwd=EXAMPLES, LISTEN=LISTEN) as program:
        url, heard = address(program), Heard()
        with connected(url) as listener, connected(url) as speaker:
            listener.on("say", heard)
            assert listener.call("enter", "tea") == ["tea"]
            speaker.emit("say", ("coffee", "not for you"))
            speaker.emit("say", ("tea", "for you"))
            assert heard.next(1) == [("tea", "for you")]
            assert listener.call("leave", "tea") == []


def test_ticker() -> None:
    """A service beside others: everybody hears the timer."""
    with Program(sys.executable, "ticker.py", cwd=EXAMPLES, LISTEN=LISTEN) as program:
        heard = Heard()
        with connected(address(program)) as client:
            client.on("tick", heard)
            (first,), (second,) = heard.next(2)
            assert second == first + 1


class ListPacket(socketio.packet.Packet):
    """The client's side of `own_parser.py`, for python-socketio."""

    uses_binary_events = False

    def encode(self) -> str:
        return json.dumps([self.packet_type, self.namespace or "/", self.id, self.data])

    def decode(self, encoded_packet: list[Json]) -> None:
        # python-engineio has seen that the text is JSON, and has read it.
        self.packet_type, self.namespace, self.id, self.data = encoded_packet


def test_own_parser() -> None:
    """Server and client agree upon an encoding that nobody else has."""
    with Program(sys.executable, "own_parser.py", cwd=EXAMPLES, LISTEN=LISTEN) as program:
        heard = Heard()
        with connected(address(program), serializer=ListPacket) as client:
            client.on("echo", heard)
            assert client.call("shout", "quiet") == "QUIET"
            assert heard.next(1) == [("quiet",)]


class Heard:
    """Collects the arguments of events."""

    def __init__(self) -> None:
        self._events: list[tuple[object, ...]] = []
        self._changed = threading.Condition()

    def __call__(self, *arguments: object) -> None:
        with self._changed:
            self._events.append(arguments)
            self._changed.notify()

    def next(self, count: int) -> list[tuple[object, ...]]:
        """The first `count` events, waiting for them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._events) >= count, 5), self._events
            return self._events[:count]
