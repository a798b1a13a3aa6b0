"""A broker that does what the test says, found as every other: by a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import twisted.plugins
from twisted.internet.defer import Deferred

from txsocketio.engineio.options import Options, option
from txsocketio.socketio.adapter import Adapter
from txsocketio.socketio.namespace import Namespace
from txsocketio.socketio.server import Server

PLUGIN = """\
from txsocketio.socketio.brokers import BrokerMaker

fake = BrokerMaker(("fake", "fakes"), "tests.fake_broker:FakeBroker")
absent = BrokerMaker(("absent",), "tests.socketio.nowhere:Broker", ("json", "no_such_client"), "redis")
foreign = BrokerMaker(("foreign",), "tests.socketio.nowhere:Broker", ("no_such_client",))
broken = BrokerMaker(("broken",), "broken_client:Broker", ("broken_client",), "redis")
"""


@dataclass(kw_only=True)
class FakeOptions(Options):
    key: str = option("chat", "A word.")
    count: int = option(1, "A number.")
    pause: float | None = option(None, "Seconds, or none.")
    is_loud: bool = option(False, "Whether.")
    password: str = option("", "A secret.", is_secret=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.password != "guess me", "password", "must not be that one")


class FakeBroker:
    """Notes what it is asked in `asked`. What it does lasts until the test fires it in `begun`."""

    options_class = FakeOptions
    node = "fake"
    is_available = True
    outages = dropped = given_up = 0

    def __init__(self, server: Server, url: str, options: FakeOptions) -> None:
        self.server = server
        self.url = url
        self.options = options
        self.asked: list[str] = []
        self.begun: dict[str, Deferred[None]] = {}

    def adapter(self, namespace: Namespace) -> FakeAdapter:
        return FakeAdapter(namespace, self)

    def begin(self, what: str) -> Deferred[None]:
        self.asked.append(what)
        self.begun[what] = Deferred()
        return self.begun[what]

    def done(self, *names: str) -> None:
        for what in names:
            self.begun.pop(what).callback(None)

    def start(self) -> Deferred[None]:
        return self.begin("start")

    def stop(self) -> Deferred[None]:
        return self.begin("stop")


class FakeAdapter(Adapter):
    def __init__(self, namespace: Namespace, broker: FakeBroker) -> None:
        super().__init__(namespace)
        self._broker = broker

    def start(self) -> Deferred[None]:
        return self._broker.begin(f"start {self.namespace.name}")

    def stop(self) -> Deferred[None]:
        return self._broker.begin(f"stop {self.namespace.name}")


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Twisted find the plugins above, as if the folder was on PYTHONPATH."""
    plugins = folder / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "fake_adapters.py").write_text(PLUGIN)
    (folder / "broken_client.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(twisted.plugins, "__path__", [*twisted.plugins.__path__, str(plugins)])


def broker_of(io: Server) -> FakeBroker:
    assert isinstance(io.broker, FakeBroker)
    return io.broker
