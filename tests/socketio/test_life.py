"""Starting and stopping what reaches other servers."""

from __future__ import annotations

import re

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from tests.conftest import LoggedErrors
from tests.fake_broker import FakeBroker, broker_of
from tests.socketio.doubles import RecordingSession, Served, result_of
from txsocketio import BrokerUnavailable, Socket
from txsocketio.types import Json

pytestmark = pytest.mark.usefixtures("fake_broker")

LATE = "Not connected to the other servers after 5.0 s: clients are let in, and hear of those later"


@pytest.fixture
def clustered(fake_broker: None) -> Served:
    """A server whose broker is the fake one; it has "/" and "/chat"."""
    served = Served(adapter="fake:", cleanup_empty_child_namespaces=True)
    served.io.of("/chat")
    return served


@pytest.fixture
def broker(clustered: Served) -> FakeBroker:
    return broker_of(clustered.io)


def entering(served: Served, name: str = "/") -> RecordingSession:
    """A client that has asked to be let in."""
    session = served.session()
    session.receive("0" if name == "/" else f"0{name},")
    return session


def started(served: Served) -> FakeBroker:
    broker = broker_of(served.io)
    served.io.start()
    broker.done("start")
    broker.done("start /", "start /chat")
    broker.asked.clear()
    return broker


# Starting


def test_broker_comes_first_and_then_the_adapters(clustered: Served, broker: FakeBroker) -> None:
    starting = clustered.io.start()
    assert broker.asked == ["start"]
    broker.done("start")
    assert broker.asked == ["start", "start /", "start /chat"]
    broker.done("start /")
    assert not starting.called
    broker.done("start /chat")
    assert result_of(starting) is None


def test_start_again_gives_the_same_result(clustered: Served, broker: FakeBroker) -> None:
    """Also long after; and who does not want to wait any more takes nothing from the others."""
    first, second, third = clustered.io.start(), clustered.io.start(), clustered.io.start()
    second.cancel()
    broker.done("start")
    broker.done("start /", "start /chat")
    assert (result_of(first), result_of(third), result_of(clustered.io.start())) == (None, None, None)
    assert isinstance(result_of(second), CancelledError)
    assert broker.asked == ["start", "start /", "start /chat"]


def test_who_is_served_starts_the_server(clustered: Served, broker: FakeBroker) -> None:
    """The first session does, once."""
    clustered.session()
    clustered.session()
    assert broker.asked == ["start"]


def test_later_namespaces_are_started_too(clustered: Served) -> None:
    """Those that clients bring into being as well."""
    broker = started(clustered)
    clustered.io.of("/news")
    clustered.io.of(re.compile(r"/room-\d+"))
    session = entering(clustered, "/room-1")
    assert broker.asked == ["start /news", "start /room-1"]
    assert not session.sent
    broker.done("start /room-1")
    assert session.sent[0].startswith('0/room-1,{"sid"')


def test_namespaces_that_come_while_the_broker_is_connecting_wait_for_it(clustered: Served, broker: FakeBroker) -> None:
    clustered.io.start()
    clustered.io.of("/news")
    assert broker.asked == ["start"]
    broker.done("start")
    assert broker.asked == ["start", "start /", "start /chat", "start /news"]


def test_broker_that_cannot_be_used_is_told_in_one_line(
    clustered: Served, broker: FakeBroker, logged_errors: LoggedErrors
) -> None:
    """A traceback would say nothing more, and the adapters have nothing to add. Clients are served here."""
    first = entering(clustered)
    starting = clustered.io.start()
    broker.begun.pop("start").errback(BrokerUnavailable("the password is wrong"))
    assert first.sent[0].startswith('0{"sid"')
    assert entering(clustered).sent[0].startswith('0{"sid"')
    clustered.io.of("/later")
    assert isinstance(result_of(starting), BrokerUnavailable)
    assert isinstance(result_of(clustered.io.start()), BrokerUnavailable)
    assert broker.asked == ["start"]
    assert logged_errors.take() == ["Not connected to the other servers: the password is wrong"]


def test_fault_of_an_adapter_is_logged_in_full(
    clustered: Served, broker: FakeBroker, logged_errors: LoggedErrors
) -> None:
    """Its author needs the traceback. Other namespaces do not suffer."""
    starting = clustered.io.start()
    broker.done("start")
    broker.begun.pop("start /").errback(ZeroDivisionError())
    broker.done("start /chat")
    assert isinstance(result_of(starting), ZeroDivisionError)
    assert logged_errors.take(ZeroDivisionError) == ["Not connected to the other servers"]


# Clients that come meanwhile


def test_clients_wait_for_the_adapter_of_their_namespace(clustered: Served, broker: FakeBroker) -> None:
    """Else they would miss what other servers emit before the subscription. Those of others wait no longer."""
    clustered.io.use(lambda socket: clustered.note("examined"))
    root, chat, gone = entering(clustered), entering(clustered, "/chat"), entering(clustered)
    broker.done("start")
    assert not root.sent + chat.sent
    broker.done("start /chat")
    assert chat.sent[0].startswith('0/chat,{"sid"')
    assert not root.sent + clustered.told
    gone.drain("transport close")
    broker.done("start /")
    assert root.sent[0].startswith('0{"sid"')
    assert clustered.told == [("examined",)]
    assert len(clustered.io.root.sockets) == 1
    assert entering(clustered).sent


def test_clients_do_not_wait_for_ever(
    clustered: Served, broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broker that is away is told once; later ones are let in at once, and so are those who come when it is back."""
    waiting = [entering(clustered), entering(clustered, "/chat")]
    clustered.clock.pump([0.5] * 9)
    assert not waiting[0].sent + waiting[1].sent
    clustered.clock.pump([0.5] * 2)
    assert all(session.sent for session in waiting)
    assert entering(clustered).sent
    assert capsys.readouterr().err.count(LATE) == 1
    broker.done("start")
    broker.done("start /", "start /chat")
    assert entering(clustered).sent


def test_time_that_clients_wait_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    served = Served(adapter="fake:", start_timeout=1.0)
    session = entering(served)
    served.clock.pump([0.25] * 3)
    assert not session.sent
    served.clock.pump([0.25] * 3)
    assert session.sent and "after 1.0 s" in capsys.readouterr().err


def test_middlewares_have_their_time_after_the_wait() -> None:
    served = Served(adapter="fake:", middleware_timeout=3.0)

    @served.io.use
    def never(socket: Socket) -> Deferred[Json]:
        return Deferred()

    session = entering(served)
    served.clock.pump([0.5] * 9)
    broker_of(served.io).done("start")
    broker_of(served.io).done("start /")
    served.clock.pump([0.5] * 5)
    assert not session.sent


# Stopping


def test_adapters_stop_before_the_broker(clustered: Served) -> None:
    broker = started(clustered)
    closed = clustered.io.close()
    assert broker.asked == ["stop /", "stop /chat"]
    broker.done("stop /", "stop /chat")
    assert broker.asked == ["stop /", "stop /chat", "stop"]
    assert not closed.called
    broker.done("stop")
    assert result_of(closed) is None


def test_broker_that_was_not_started_is_not_stopped(clustered: Served, broker: FakeBroker) -> None:
    closed = clustered.io.close()
    broker.done("stop /", "stop /chat")
    assert result_of(closed) is None
    assert broker.asked == ["stop /", "stop /chat"]


@pytest.mark.parametrize("connected", [False, True])
def test_server_can_be_closed_while_it_starts(clustered: Served, broker: FakeBroker, connected: bool) -> None:
    """What was begun is given up, not waited for; nobody is let in any more."""
    session = entering(clustered)
    starting = clustered.io.start()
    if connected:
        broker.done("start")
    closed = clustered.io.close()
    assert isinstance(result_of(starting), CancelledError)
    broker.done("stop /", "stop /chat")
    broker.done("stop")
    assert result_of(closed) is None
    session.drain("forced close")
    assert not session.sent
    assert not clustered.clock.getDelayedCalls()


def test_what_does_not_stop_is_not_waited_for(clustered: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Two seconds for the adapters, and two for the broker."""
    broker = started(clustered)
    closed = clustered.io.close()
    clustered.clock.advance(2.0)
    assert broker.asked == ["stop /", "stop /chat", "stop"]
    clustered.clock.advance(2.0)
    assert result_of(closed) is None
    told = capsys.readouterr().err
    assert "The adapters did not stop within 2.0 s" in told
    assert "The broker did not stop within 2.0 s" in told


def test_what_fails_to_stop_does_not_keep_the_rest(clustered: Served, logged_errors: LoggedErrors) -> None:
    broker = started(clustered)
    closed = clustered.io.close()
    broker.begun.pop("stop /").errback(ZeroDivisionError())
    broker.begun.pop("stop").errback(ZeroDivisionError())
    assert result_of(closed) is None
    assert logged_errors.take(ZeroDivisionError) == [
        "The adapters could not be stopped", "The broker could not be stopped"
    ]  # fmt: skip


def test_server_can_start_again(clustered: Served) -> None:
    """Also while it is still closing: the start waits for that."""
    broker = started(clustered)
    closed = clustered.io.close()
    again = clustered.io.start()
    broker.done("stop /", "stop /chat")
    assert broker.asked == ["stop /", "stop /chat", "stop"]
    broker.done("stop")
    assert result_of(closed) is None
    assert broker.asked[3:] == ["start"]
    broker.done("start")
    broker.done("start /", "start /chat")
    assert result_of(again) is None


def test_namespace_that_ends_stops_its_adapter(clustered: Served) -> None:
    """Whose start is given up if it still lasts."""
    broker = started(clustered)
    clustered.io.of(re.compile(r"/room-\d+"))
    there, coming = entering(clustered, "/room-1"), entering(clustered, "/room-2")
    broker.done("start /room-1")
    coming.drain("transport close")
    there.receive("1/room-1,")
    assert broker.asked == ["start /room-1", "start /room-2", "stop /room-2", "stop /room-1"]
    assert list(clustered.io.namespaces) == ["/", "/chat"]
    clustered.io.close()
    broker.done("stop /room-1", "stop /", "stop /chat")
    assert "stop" not in broker.asked
    broker.done("stop /room-2")
    assert broker.asked[-1] == "stop"


def test_without_broker_nobody_waits(served: Served) -> None:
    """A server by itself: what its adapters have to start is done at once, and no timer is left."""
    assert result_of(served.io.start()) is None
    assert entering(served).sent
    assert result_of(served.io.close()) is None


def test_adapters_of_the_application_are_started(served: Served, logged_errors: LoggedErrors) -> None:
    """A broker is not needed for that."""
    results = iter([succeed(None), fail(BrokerUnavailable("no"))])
    served.io.root.adapter.start = lambda: next(results)  # type: ignore[method-assign]
    assert result_of(served.io.start()) is None
    served.io.close()
    assert isinstance(result_of(served.io.start()), BrokerUnavailable)
    assert logged_errors.take() == ["Not connected to the other servers: no"]
