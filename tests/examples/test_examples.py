"""Every example, run as its first lines say, with real clients."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
import socketio
from socketio.exceptions import ConnectionError

from tests.brokers.redis import RedisServer
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
        assert file.name == "__pycache__" or file.suffix == ".md" or f"`{file.name}`" in table


def test_hello() -> None:
    """The first application of the manual, a server by itself: everybody in the lobby hears what is said."""
    with twistd("socketio", "--app=hello:io", f"--listen={LISTEN}", cwd=EXAMPLES) as program:
        heard = Heard()
        with connected(address(program)) as client:
            client.on("chat:message", heard)
            assert client.call("chat:message", "hello") == "delivered"
            assert heard.next(1) == [("hello",)]


def test_chat() -> None:
    """Who is in a room hears what is said there; a private message comes to one person, in all tabs."""
    with twistd("socketio", "--app=chat:setup", f"--listen={LISTEN}", cwd=EXAMPLES) as program:
        url, ada_heard, grace_heard = address(program), Heard(), Heard()
        assert refusal(url) == {"message": "a name, please", "data": {"code": "nameless"}}
        with connected(url, auth={"name": "Ada"}) as ada, connected(url, auth={"name": "Grace"}) as grace:
            ada_heard.listen_to(ada, "entered", "said", "left", "told")
            grace_heard.listen_to(grace, "entered", "said", "told")
            assert ada.call("enter", "tea") == "welcome"
            assert grace.call("say", ("tea", "hello?")) == "enter it first"
            grace.call("enter", "tea")
            assert grace.call("say", ("tea", "hello")) == "delivered"
            assert ada.call("tell", ("Alan", "psst")) == "not here"
            with connected(url, auth={"name": "Grace"}) as tab:
                second_tab = Heard()
                second_tab.listen_to(tab, "said", "told")
                assert ada.call("tell", ("Grace", "psst")) == "delivered"
                assert second_tab.next(1) == grace_heard.next(1) == [("told", "Ada", "psst")]
            grace.disconnect()
            assert ada_heard.next(3) == [
                ("entered", "tea", "Grace"), ("said", "tea", "Grace", "hello"), ("left", "tea", "Grace")
            ]  # fmt: skip


def test_authentication() -> None:
    """A token lets in; a right lets an event pass; an administrator can send somebody away."""
    with twistd("socketio", "--app=authentication:io", f"--listen={LISTEN}", cwd=EXAMPLES) as program:
        url, heard = address(program), Heard()
        assert refusal(url, auth={"token": "a guess"}) == {"message": "not authorized", "data": {"code": "token"}}
        bobs, anns = {"token": "bob's token"}, {"token": "ann's token"}
        assert refusal(url, "/admin", auth=bobs) == {"message": "not allowed"}
        with connected(url, auth=bobs) as bob, connected(url, auth=anns, namespaces=["/", "/admin"]) as ann:
            heard.listen_to(bob, "refused", "news", "disconnect")
            bob.emit("publish", "spam")
            assert heard.next(1) == [("refused", "publish needs the right to publish")]
            ann.emit("publish", "tea is ready")
            assert heard.next(2)[1] == ("news", "ann", "tea is ready")
            ann.call("sign out", "bob", namespace="/admin")
            assert heard.next(3)[2][0] == "disconnect"


def test_tenants() -> None:
    """What is posted stays with the tenant; an announcement reaches all of them."""
    with twistd("socketio", "--app=tenants:io", f"--listen={LISTEN}", cwd=EXAMPLES) as program:
        url, acme, globex = address(program), Heard(), Heard()
        assert refusal(url, "/nobody") == {"message": "Invalid namespace"}
        assert refusal(url, "/acme", auth={"user": "cid"}) == {"message": "not a member"}
        with (
            connected(url, namespaces=["/acme"], auth={"user": "ann"}) as ann,
            connected(url, namespaces=["/globex"], auth={"user": "cid"}) as cid,
            connected(url) as operator,
        ):
            acme.listen_to(ann, "posted", "announced", namespace="/acme")
            globex.listen_to(cid, "posted", "announced", namespace="/globex")
            assert ann.call("post", "hello", namespace="/acme") == "posted"
            assert operator.call("announce", "maintenance") == ["/acme", "/globex"]
            assert acme.next(2) == [("posted", "ann", "hello"), ("announced", "maintenance")]
            assert globex.next(1) == [("announced", "maintenance")]


def test_presence() -> None:
    """A person with two tabs comes once, and is gone when both are closed."""
    with twistd("socketio", "--app=presence:io", f"--listen={LISTEN}", cwd=EXAMPLES) as program:
        url, heard = address(program), Heard()
        with connected(url, auth={"name": "Ada"}) as ada:
            heard.listen_to(ada, "came", "status", "gone")
            assert ada.call("enter", "tea") == {"Ada": "here"}
            with connected(url, auth={"name": "Grace"}) as grace:
                assert grace.call("enter", "tea") == {"Ada": "here", "Grace": "here"}
                grace.call("status", "thirsty")
                with connected(url, auth={"name": "Grace"}) as tab:
                    tab.call("enter", "tea")
            assert heard.next(3) == [("came", "Grace"), ("status", "Grace", "thirsty"), ("gone", "Grace")]


def test_upload() -> None:
    """Each piece is acknowledged with what has come until then, and at last there is the digest of it all."""
    with twistd("socketio", "--app=upload:io", f"--listen={LISTEN}", cwd=EXAMPLES) as program:
        file = bytes(range(256)) * 1000
        with connected(address(program)) as client:
            assert client.call("begin", ("huge", 10**12)) == {"error": "too large"}
            assert client.call("piece", b"x") == {"error": "not expected"}
            piece = client.call("begin", ("file", len(file)))["piece"]
            assert client.call("end") == {"error": "incomplete"}
            progress = [client.call("piece", file[start : start + piece]) for start in range(0, len(file), piece)]
            assert progress == [65536, 131072, 196608, 256000]
            assert client.call("end") == {"sha256": sha256(file).hexdigest()}


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


def test_announce(redis: RedisServer) -> None:
    """A script tells those who are in a room, whichever server they are connected to."""
    adapter = f"{redis.url}?key=announce"
    with twistd("socketio", "--app=chat:setup", f"--listen={LISTEN}", f"--adapter={adapter}", cwd=EXAMPLES) as program:
        heard = Heard()
        with connected(address(program), auth={"name": "Ada"}) as client:
            client.on("said", heard)
            client.call("enter", "tea")
            with Program(sys.executable, "announce.py", adapter, "tea", "the kettle is on", cwd=EXAMPLES) as script:
                assert script.wait() == 0, script.output
            assert heard.next(1) == [("tea", "the house", "the kettle is on")]


def test_own_adapter(tmp_path: Path) -> None:
    """One file in a folder twisted/plugins/ on the path, and two servers hear each other, also after one was killed."""
    arguments = ("socketio", "--app=chat:setup", f"--listen={LISTEN}", f"--adapter=folder:{tmp_path}?max_size=50000")
    environment = {"cwd": tmp_path, "PYTHONPATH": f"{ROOT}:{EXAMPLES}:{EXAMPLES / 'own_adapter'}"}
    (tmp_path / "killed").touch()
    with twistd(*arguments, **environment) as one, twistd(*arguments, **environment) as other:
        here, there, heard = address(one), address(other), Heard()
        with connected(here, auth={"name": "Ada"}) as ada, connected(there, auth={"name": "Grace"}) as grace:
            heard.listen_to(ada, "entered", "said")
            for client in (ada, grace):
                assert client.call("enter", "tea") == "welcome"
            assert grace.call("say", ("tea", "hello")) == "delivered"
            assert heard.next(2) == [("entered", "tea", "Grace"), ("said", "tea", "Grace", "hello")]
        assert one.terminate() == other.terminate() == 0
        assert "Traceback" not in one.output + other.output
    assert not list(tmp_path.iterdir())


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


def refusal(url: str, namespace: str = "/", **options: object) -> Json:
    """What a client is told that is not let in."""
    client, heard = socketio.Client(reconnection=False), Heard()
    client.on("connect_error", heard, namespace=namespace)
    with pytest.raises(ConnectionError):
        client.connect(url, namespaces=[namespace], wait_timeout=5, **options)
    client.shutdown()
    return heard.next(1)[0][0]


def test_recovery() -> None:
    """Who was cut off gets what came meanwhile, in the answer that welcomes it; the others knew that it was away."""
    with Program(sys.executable, "recovery.py", cwd=EXAMPLES, LISTEN=LISTEN) as program:
        url, heard, later = address(program), Heard(), Heard()
        with connected(url, auth={"name": "Grace"}) as grace:
            grace.on("presence", lambda name, what, offset: heard(name, what))
            before, after = Poller(url), Poller(url)
            welcome, *events = before.connect({"name": "Ada"})
            events += before.poll()
            before.send("1")
            grace.on("news", later)
            later.next(2)
            recovered, *missed = after.connect({"pid": welcome["pid"], "offset": events[-1][-1]})
            assert recovered == welcome
            assert heard.next(3) == [("Ada", "here"), ("Ada", "away"), ("Ada", "here")]
        news = [number for _, number, _ in (*events, *missed)]
        assert news == list(range(news[0], news[0] + len(news)))
        assert len(missed) >= 2


class Poller:
    """A connection by long-polling that one can simply leave."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/socket.io/?EIO=4&transport=polling"
        self._url += "&sid=" + json.loads(self._ask()[1:])["sid"]

    def _ask(self, body: str | None = None) -> str:
        with urllib.request.urlopen(self._url, data=body and body.encode(), timeout=5) as answer:
            return answer.read().decode()

    def send(self, packet: str) -> None:
        assert self._ask(packet) == "ok"

    def connect(self, auth: Json) -> list[Json]:
        """Join "/": what it is answered, and the events behind that."""
        self.send("40" + json.dumps(auth))
        return self.poll()

    def poll(self) -> list[Json]:
        """What the packets of Socket.IO say that have come."""
        return [json.loads(packet[2:]) for packet in self._ask().split("\x1e") if packet.startswith("4")]


class Heard:
    """Collects the arguments of events."""

    def __init__(self) -> None:
        self._events: list[tuple[object, ...]] = []
        self._changed = threading.Condition()

    def __call__(self, *arguments: object) -> None:
        with self._changed:
            self._events.append(arguments)
            self._changed.notify()

    def listen_to(self, client: Json, *events: str, namespace: str = "/") -> None:
        """Collect these events of a client, the names before the arguments."""
        for event in events:
            client.on(event, partial(self, event), namespace=namespace)

    def next(self, count: int) -> list[tuple[object, ...]]:
        """The first `count` events, waiting for them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._events) >= count, 5), self._events
            return self._events[:count]
