"""Sessions of old clients: they ping, and the server answers."""

from __future__ import annotations

import pytest

from tests.engineio.doubles import COARSE, INTERVAL, TIMEOUT, FakeTransport, Log, new_engine, new_request
from txsocketio.engineio.rate import Rate
from txsocketio.engineio.session import OPEN
from txsocketio.engineio.session3 import LimitedSession3, Session3
from txsocketio.errors import PacketError
from txsocketio.types import Json


class Rig:
    """A session over a transport that notes in `log` what reaches it."""

    def __init__(self, **options: Json) -> None:
        self.log = Log()
        self.engine = new_engine(**options)
        self.session = Session3(self.engine, "sid", new_request())
        if self.engine.options.rate_limit is not None:
            rate = Rate(self.engine.options, self.engine.clock)
            self.session = LimitedSession3(self.engine, "sid", new_request(), rate)
        self.transport = FakeTransport(self.log)
        self.transport.session = self.session
        self.session.use(self.transport)  # type: ignore[arg-type]
        self.log.listen(self.session)

    def receive(self, *packets: str | bytes) -> list[str]:
        for packet in packets:
            self.session.receive(packet)
        return self.log.take()

    def advance(self, seconds: float) -> list[str]:
        self.engine.clock.pump([COARSE / 4] * round(seconds / COARSE * 4))
        return self.log.take()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_messages(rig: Rig) -> None:
    assert rig.session.protocol == 3
    assert rig.receive("4hello", b"\2") == ["message 'hello'", "message b'\\x02'"]


def test_ping_is_answered(rig: Rig) -> None:
    """Whatever is behind the digit, the answer has nothing there."""
    assert rig.receive("2") == rig.receive("2probe") == ["sent 3"]


def test_pong_is_not_for_clients(rig: Rig) -> None:
    assert rig.receive("3") == ["discarded", "close transport error: invalid heartbeat direction"]


def test_server_sends_no_ping(rig: Rig) -> None:
    """It waits for one, as long as the client and then the answer may take."""
    assert rig.advance(INTERVAL + TIMEOUT - COARSE) == []
    assert rig.session.state is OPEN
    assert rig.advance(2 * COARSE) == ["discarded", "close ping timeout"]


def test_each_ping_begins_the_time_again(rig: Rig) -> None:
    for _ in range(3):
        assert rig.advance(INTERVAL + TIMEOUT - COARSE) == []
        assert rig.receive("2") == ["sent 3"]


def test_message_is_no_heartbeat(rig: Rig) -> None:
    rig.advance(INTERVAL)
    rig.receive("4hello")
    assert rig.advance(TIMEOUT + COARSE)[-1] == "close ping timeout"


def test_unknown_packet_is_refused(rig: Rig) -> None:
    with pytest.raises(PacketError):
        rig.receive("9")


def test_closing_session_hears_no_heartbeat(rig: Rig) -> None:
    """What it has still to send is sent."""
    rig.transport.is_ready = False
    rig.session.congested()
    rig.session.send("last")
    rig.session.close()
    assert rig.receive("3", "2") == []
    rig.transport.is_ready = True
    rig.session.ready()
    assert rig.log.take() == ["sent 4last", "discarded", "close forced close"]


def test_nothing_is_left_of_a_session(rig: Rig) -> None:
    rig.receive("2")
    rig.session.close(discard=True)
    assert len(rig.engine.deadlines) == 0


def test_rate_of_an_old_client() -> None:
    """Pings count as with others."""
    rig = Rig(rate_limit={"messages": 1, "burst": 2})
    assert rig.receive("2", "4a") == ["sent 3", "message 'a'"]
    assert rig.receive("2") == ["discarded", "close rate limit exceeded: too many messages"]
