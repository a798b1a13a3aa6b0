"""Having handlers called with the events of a client."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, overload

from txsocketio.types import Handler, Json

H = TypeVar("H", bound=Handler)

#: Handlers by event, in the order of registration.
Listeners = dict[str, tuple[Handler, ...]]


class Once:
    """A handler that is called for the first event only."""

    __slots__ = ("event", "handler", "listening")

    def __init__(self, listening: Listening, event: str, handler: Handler) -> None:
        self.listening = listening
        self.event = event
        self.handler = handler

    def __call__(self, *arguments: Json) -> Json:
        self.listening.off(self.event, self)
        return self.handler(*arguments)


class Listening:
    """Something that can be listened to.

    Attributes:
        handlers: by event, in the order of registration; always the same dict.
    """

    __slots__ = ()

    handlers: Listeners

    @overload
    def on(self, event: str) -> Callable[[H], H]: ...

    @overload
    def on(self, event: str, handler: H) -> H: ...

    def on(self, event: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Have the handler called with the arguments of each such event. Also a decorator: `@socket.on(event)`.

        What it returns is the answer, if one was asked for: an acknowledgement to a client, in which a tuple is several
        arguments, or what another server gets.

        Raises:
            ReservedEvent: no client can send an event of this name.
        """
        if handler is None:
            return lambda given: self.on(event, given)
        self._add(event, handler)
        return handler

    @overload
    def once(self, event: str) -> Callable[[H], H]: ...

    @overload
    def once(self, event: str, handler: H) -> H: ...

    def once(self, event: str, handler: H | None = None) -> H | Callable[[H], H]:
        """As `on`, for one event only."""
        if handler is None:
            return lambda given: self.once(event, given)
        self._add(event, Once(self, event, handler))
        return handler

    def off(self, event: str, handler: Handler | None = None) -> None:
        """Undo `on` and `once`: for one handler, or for all handlers of the event."""
        left = others(self.handlers.pop(event, ()), handler)
        if left:
            self.handlers[event] = left

    def listeners(self, event: str) -> list[Handler]:
        """The handlers of the event, as they were registered."""
        return unwrapped(self.handlers.get(event, ()))

    def event_names(self) -> list[str]:
        """The events that somebody listens to."""
        return list(self.handlers)

    def remove_all_listeners(self, event: str | None = None) -> None:
        """Undo `on` and `once` for all handlers of the event, or of every event."""
        if event is None:
            self.handlers.clear()
        else:
            self.off(event)

    def _add(self, event: str, handler: Handler) -> None:
        self.handlers[event] = (*self.handlers.get(event, ()), handler)


def others(handlers: Iterable[Handler], handler: Handler | None) -> tuple[Handler, ...]:
    """The handlers without the one that was registered as `handler`; none of them for None."""
    if handler is None:
        return ()
    return tuple(
        each for each in handlers if each != handler and not (isinstance(each, Once) and each.handler == handler)
    )


def unwrapped(handlers: Iterable[Handler]) -> list[Handler]:
    """The handlers as they were registered."""
    return [each.handler if isinstance(each, Once) else each for each in handlers]
