"""The packet middlewares of a socket: what each event of its client passes before the handlers of the event.

    event --> middleware --> middleware --> handlers
                  '--- raises: the event is dropped, and the handlers of "error" hear why

The events of a client stay in order: while one waits in a middleware, those behind it wait too. Acknowledgements do
not, so that a middleware can ask the client something.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.socketio.handlers import call_all, expired, run, step
from txsocketio.socketio.weight import weight_of
from txsocketio.types import Handler, Json

if TYPE_CHECKING:
    from txsocketio.socketio.socket import Socket

log = Logger()

#: An event, its name first; the number of the acknowledgement that the client wants; and what it takes in memory.
Event = tuple[list[Json], int | None, int]


class Checkpoint:
    """The packet middlewares of a socket.

    Attributes:
        middlewares: in the order of registration.
    """

    __slots__ = ("_queue", "_size", "_socket", "_waiting", "middlewares")

    def __init__(self, socket: Socket) -> None:
        self.middlewares: tuple[Handler, ...] = ()
        self._socket = socket
        self._waiting: Deferred[None] | None = None
        self._queue: deque[Event] = deque()
        self._size = 0

    def receive(self, event: list[Json], id: int | None) -> None:
        """Let the event pass, as soon as those before it have."""
        if self._waiting is None:
            self._examine(event, id)
        else:
            self._enqueue(event, id)

    def _enqueue(self, event: list[Json], id: int | None) -> None:
        options = self._socket.namespace.options
        size = weight_of(event)
        self._size += size
        if len(self._queue) < options.max_waiting_events and self._size <= options.max_waiting_size:
            self._queue.append((event, id, size))
        else:
            self._socket.connection.break_off("too many events wait for a middleware")

    def stop(self) -> None:
        """Let nothing pass any more: the socket is gone."""
        self.middlewares = ()
        self._queue.clear()
        if self._waiting is not None:
            self._waiting.cancel()

    def _examine(self, event: list[Json], id: int | None) -> None:
        name = event[0]
        try:
            waiting = step(self._pass(event))
            if waiting is None:
                self._deliver(event, id)
                return
        except Exception:  # noqa: BLE001 - a border, the application's code
            self._drop(Failure(), name)
            return
        self._waiting = waiting
        namespace = self._socket.namespace
        waiting.addTimeout(namespace.options.middleware_timeout, namespace.clock, expired)
        waiting.addCallback(lambda _: self._deliver(event, id))
        waiting.addErrback(self._drop, name)
        waiting.addBoth(self._go_on)

    async def _pass(self, event: list[Json]) -> None:
        for middleware in self.middlewares:
            result = run(middleware, (event,))
            if isinstance(result, Deferred):
                await result

    def _deliver(self, event: list[Json], id: int | None) -> None:
        name, *arguments = event
        self._socket.deliver_event(name, arguments, id)

    def _drop(self, failure: Failure, name: str) -> None:
        handlers = self._socket.handlers.get("error")
        if handlers is not None:
            call_all(handlers, "error", (failure.value,))
        elif self._socket.connected:
            log.failure("A packet middleware dropped {event!r}", failure, event=name)

    def _go_on(self, _: Json) -> None:
        self._waiting = None
        while self._queue and self._waiting is None:
            event, id, size = self._queue.popleft()
            self._size -= size
            self._examine(event, id)
