"""The start and the stop of what reaches other servers: the broker, and the adapter of each namespace.

    start() ---> broker.start() ---> adapter.start() of each namespace
                                          ^
    a namespace that comes later ---------'

    stop()  ---> adapter.stop() of each namespace ---> broker.stop()

A client that came into a namespace before its adapter has started would miss what other servers emit meanwhile. So it
waits, but not for longer than `start_timeout`: a broker that is away does not keep clients out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.errors import TxSocketIOError
from txsocketio.socketio.adapter import all_of
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.engineio.deadlines import Deadline
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server

log = Logger()

#: Seconds that the adapters have to stop, and then the broker.
STOP_TIMEOUT = 2.0


class Outcome:
    """What several wait for, each on a Deferred of its own, which it may cancel."""

    def __init__(self) -> None:
        self._waiting: dict[Deferred[None], None] = {}
        self._result: Json = None
        self._is_told = False

    def wait(self) -> Deferred[None]:
        """Fires with the result, or fails with it."""
        waiting: Deferred[None] = Deferred(self._waiting.pop)
        if self._is_told:
            _fire(waiting, self._result)
        else:
            self._waiting[waiting] = None
        return waiting

    def tell(self, result: Failure | None = None) -> None:
        """There is a result; it counts as handled."""
        self._result, self._is_told = result, True
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            _fire(each, result)


def _fire(waiting: Deferred[None], result: Failure | None) -> None:
    if isinstance(result, Failure):
        waiting.errback(result)
    else:
        waiting.callback(result)


class Life:
    """Starts and stops the broker of a server, and its adapters."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connecting: Deferred[None] | None = None
        self._connected = Outcome()
        self._started: Outcome | None = None
        self._stopped: Outcome | None = None
        self._starting: dict[Namespace, Deferred[None]] = {}
        self._leaving: set[Deferred[None]] = set()
        self._has_broker = False
        self._is_late = False

    def start(self) -> Deferred[None]:
        """Fires when the broker is connected and all adapters have started; an error is logged, and fails it."""
        if self._started is None:
            self._started, self._connected = Outcome(), Outcome()
            self._connecting = Deferred.fromCoroutine(self._connect())
            self._connecting.addBoth(self._connected.tell)
            adapters = [self._start(namespace) for namespace in self._server.namespaces.values()]
            all_of([self._connected.wait(), *adapters]).addBoth(self._started.tell)
        return self._started.wait()

    def stop(self) -> Deferred[None]:
        """Fires when everything is stopped, or should have been. What is starting fails with CancelledError."""
        self._give_up()
        if self._stopped is None:
            self._stopped = Outcome()
            stopped = self._stopped.wait()
            Deferred.fromCoroutine(self._stop()).addBoth(self._has_stopped)
            return stopped
        return self._stopped.wait()

    def add(self, namespace: Namespace) -> None:
        """A namespace has come to be."""
        if self._started is not None:
            self._start(namespace).addErrback(lambda _: None)  # it is logged

    def remove(self, namespace: Namespace) -> None:
        """A namespace is no more."""
        if namespace in self._starting:
            self._starting[namespace].cancel()
        leaving = namespace.adapter.stop()
        self._leaving.add(leaving)
        leaving.addErrback(_not_stopped)
        leaving.addBoth(lambda _: self._leaving.discard(leaving))

    # --- starting ---

    async def _connect(self) -> None:
        if self._stopped is not None:
            await self._stopped.wait()
        if self._server.broker is not None:
            self._has_broker = True
            await _logged(self._server.broker.start)

    def _start(self, namespace: Namespace) -> Deferred[None]:
        """Start the adapter of a namespace, whose clients wait meanwhile."""
        starting = Deferred.fromCoroutine(self._start_adapter(namespace))
        if starting.called:
            namespace.admit_held()
            return starting
        namespace.hold()
        seconds = self._server.options.start_timeout
        late = self._server.engine.deadlines.start(seconds, partial(self._late, namespace))
        self._starting[namespace] = starting
        return starting.addBoth(self._settled, namespace, late)

    async def _start_adapter(self, namespace: Namespace) -> None:
        await self._connected.wait()
        await _logged(namespace.adapter.start)
        self._is_late = False

    def _late(self, namespace: Namespace) -> None:
        if not self._is_late:
            self._is_late = True
            log.warn(
                "Not connected to the other servers after {seconds} s: clients are let in, and hear of those later",
                seconds=self._server.options.start_timeout,
            )
        namespace.admit_held()

    def _settled(self, result: Failure | None, namespace: Namespace, late: Deadline) -> Failure | None:
        late.cancel()
        del self._starting[namespace]
        if not (isinstance(result, Failure) and result.check(CancelledError)):
            namespace.admit_held()
        return result

    # --- stopping ---

    def _give_up(self) -> None:
        """End what is starting."""
        self._started = None
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        for starting in list(self._starting.values()):
            starting.cancel()

    async def _stop(self) -> None:
        adapters = [namespace.adapter.stop for namespace in self._server.namespaces.values()]
        await self._bounded("The adapters", lambda: all_of([*self._leaving, *(stop() for stop in adapters)]))
        if self._has_broker and self._server.broker is not None:
            self._has_broker = False
            await self._bounded("The broker", self._server.broker.stop)

    async def _bounded(self, who: str, stop: Callable[[], Deferred[None]]) -> None:
        try:
            await stop().addTimeout(STOP_TIMEOUT, self._server.engine.clock)
        except TimeoutError:
            log.warn("{who} did not stop within {seconds} s", who=who, seconds=STOP_TIMEOUT)
        except Exception:  # noqa: BLE001 - a border, whatever the client of the broker has to say
            log.failure("{who} could not be stopped", who=who)

    def _has_stopped(self, result: Failure | None) -> None:
        stopped, self._stopped = self._stopped, None
        assert stopped is not None
        stopped.tell(result)


def _not_stopped(failure: Failure) -> None:
    if failure.check(CancelledError) is None:
        log.failure("An adapter could not be stopped", failure)


async def _logged(start: Callable[[], Deferred[None]]) -> None:
    """Start something; an error is logged, and goes on."""
    try:
        await start()
    except CancelledError:
        raise
    except TxSocketIOError as error:
        log.error("Not connected to the other servers: {error}", error=error)
        raise
    except Exception:
        log.failure("Not connected to the other servers")
        raise
