"""What every test gets: a limit in time, a reactor that must be left clean, a log without unexpected errors."""

from __future__ import annotations

import gc
import inspect
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import HealthCheck, settings
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, eventAsText, formatEvent, globalLogBeginner, globalLogPublisher
from twisted.python.failure import Failure

from tests.fake_broker import install

ROOT = Path(__file__).parent.parent

pytest_plugins = ["tests.brokers.fixtures", "tests.distribution"]

#: Seconds a test may take when it has no mark of its own, as in @pytest.mark.timeout(60); and one of several processes.
TIMEOUT, LONG_TIMEOUT = 20.0, 60.0

#: The function of a test as it was written: one that is run again is bounded already.
UNBOUNDED = pytest.StashKey[Callable[..., Coroutine[Any, Any, None]]]()

#: Seconds that connections and timers get to go away after a test.
SETTLING = 2.0

# How long an example takes is not what our tests are about.
settings.register_profile("txsocketio", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("txsocketio")


def require(what: str) -> str:
    """The path of a program ("node"), or of a file of this project ("tests/interop/node_modules").

    Where it is missing the test that asks is skipped; with CI set it fails.
    """
    path = str(ROOT / what) if "/" in what else shutil.which(what)
    if path and os.path.exists(path):
        return path
    reason = f"{what} is not there; tests/setup.sh installs it"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def running_reactor() -> Iterator[None]:
    """Start the log and the reactor, so that what it reads from by itself is there before the first test."""
    globalLogBeginner.beginLoggingTo([_logged_errors.observe, _show], redirectStandardIO=False)
    pytest_twisted.blockon(deferLater(reactor, 0))
    yield
    globalLogPublisher.removeObserver(_show)


def _show(event: LogEvent) -> None:
    # The stderr of the moment is pytest's, which shows it when the test fails.
    sys.stderr.write(eventAsText(event) + "\n")


#: Tests of several processes: brokers, servers, clients. On a machine with too much to do one of them can take longer
#: than whoever waits for it is willing to wait; such a test fails when it does so three times.
MANY_PROCESSES = ("adapters", "app", "brokers", "cluster", "contract", "examples", "failures", "interop", "mixed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests of several processes time, and another chance."""
    for item in items:
        if item.path.parent.name in MANY_PROCESSES or item.path.parent == ROOT / "tests":
            item.add_marker(pytest.mark.flaky(reruns=2))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LONG_TIMEOUT))


# Time


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Bound the time of tests that wait. One that blocks the reactor is ended by faulthandler (pyproject.toml)."""
    test = pyfuncitem.stash.setdefault(UNBOUNDED, pyfuncitem.obj)
    if inspect.iscoroutinefunction(test):
        mark = pyfuncitem.get_closest_marker("timeout")
        pyfuncitem.obj = bounded(test, mark.args[0] if mark else TIMEOUT)


def bounded(test: Callable[..., Coroutine[Any, Any, None]], seconds: float) -> Callable[..., Coroutine[Any, Any, None]]:
    async def run(**fixtures: object) -> None:
        running = Deferred.fromCoroutine(test(**fixtures))
        limit = reactor.callLater(seconds, running.cancel)
        try:
            await running
        except CancelledError as error:
            if limit.active():
                raise
            raise TimeoutError(f"after {seconds} s the test still waited where the traceback above ends") from error
        finally:
            if limit.active():
                limit.cancel()

    return run


# The broker of those who need none in particular


@pytest.fixture
def fake_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have URLs "fake:" mean the FakeBroker."""
    install(tmp_path, monkeypatch)


# The log


class LoggedErrors:
    """The errors logged since the test began. A test that expects some takes them; one that is left makes it fail."""

    def __init__(self) -> None:
        self._events: list[LogEvent] = []

    def observe(self, event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.error:
            self._events.append(event)

    def take(self, kind: type[BaseException] | None = None) -> list[str]:
        """The messages logged with an exception of this kind, or all; they count as expected from now on."""
        gc.collect()  # a Deferred reports its unhandled failure when it is collected
        taken = [event for event in self._events if kind is None or _is_about(event, kind)]
        self._events = [event for event in self._events if event not in taken]
        return [formatEvent(event) for event in taken]

    def forget_all(self) -> list[str]:
        """The messages with their tracebacks of everything that nobody took."""
        gc.collect()
        left, self._events = self._events, []
        return [eventAsText(event) for event in left]


def _is_about(event: LogEvent, kind: type[BaseException]) -> bool:
    failure = event.get("log_failure")
    return failure is not None and failure.check(kind) is not None


_logged_errors = LoggedErrors()


@pytest.fixture(scope="module", autouse=True)
def frozen_heap() -> None:
    """Have the collections after each test look at what the module has made only: 2 ms each instead of 40."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def logged_errors() -> LoggedErrors:
    """For a test that makes something go wrong: the errors it caused in the log, to be taken."""
    return _logged_errors


@pytest.fixture(autouse=True)
def clean_log() -> Iterator[None]:
    """Fail a test that logs an error, or a failure that nobody handled, and does not take it from `logged_errors`."""
    yield
    if left := _logged_errors.forget_all():
        pytest.fail("logged, and not expected:\n" + "\n".join(left), pytrace=False)


# The reactor


@pytest.fixture(autouse=True)
def clean_reactor() -> Iterator[None]:
    """Fail a test that leaves timers, ports or connections behind. What older fixtures own may stay."""
    timers, readers = _timers(), set(reactor.getReaders())
    yield
    if left := _left(timers, readers):
        pytest_twisted.blockon(Deferred.fromCoroutine(_settled(timers, readers)))
        if left := _left(timers, readers):
            _sweep(readers)
            pytest.fail("left in the reactor:\n" + "\n".join(left), pytrace=False)


def _timers() -> Counter[str]:
    # By what they call: a server of an outer fixture may have replaced its timer by an equal one.
    return Counter(f"timer for {call.func!r}" for call in reactor.getDelayedCalls())


def _left(timers: Counter[str], readers: set[IReadDescriptor]) -> list[str]:
    return [*(_timers() - timers).elements(), *(repr(reader) for reader in set(reactor.getReaders()) - readers)]


async def _settled(timers: Counter[str], readers: set[IReadDescriptor]) -> None:
    end = reactor.seconds() + SETTLING
    while _left(timers, readers) and reactor.seconds() < end:
        await deferLater(reactor, 0.005)


def _sweep(readers: set[IReadDescriptor]) -> None:
    """So that the tests after a careless one do not suffer."""
    for call in reactor.getDelayedCalls():
        call.cancel()
    for reader in set(reactor.getReaders()) - readers:
        reactor.removeReader(reader)
        reader.connectionLost(Failure(ConnectionAborted()))
