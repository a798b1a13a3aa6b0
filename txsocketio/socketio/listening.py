"""Having handlers called with the events of a client."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, overload

from txsocketio.errors import ReservedEvent
from txsocketio.protocol.packet import RESERVED_EVENTS
from txsocketio.types import Handler, Json

H = TypeVar("H", bound=Handler)

#: Handlers by event, in the order of registration.
Listeners = dict[str, tuple[Handler, ...]]

#: The events of a socket that cannot be reached by the short way.
NOTHING: Listeners = {}

#: What `on` takes that no client can send.
LIFE_EVENTS = frozenset(("disconnecting", "disconnect"))


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

    def remove_all_listeners(self, event: str | None = None) -> None:
        """Undo `on` and `once` for all handlers of the event, or of every event."""
        if event is None:
            self.handlers.clear()
        else:
            self.off(event)

    def _add(self, event: str, handler: Handler) -> None:
        self.handlers[event] = (*self.handlers.get(event, ()), handler)


class ClientListening(Listening):
    """The part of a socket that is there to be listened to; the other one is in `socket.py`.

    Events of the client and those of the socket's life are kept apart, so that no name that a client sends can reach
    the latter, and what is found among the former needs no more checks.

    Attributes:
        handlers: of the client's events.
        reachable: the same, or nothing while an event is not simply handed to them.
        catch_all: the handlers of every event.
        life: the handlers of the socket's own events, with the name of the event.
    """

    __slots__ = ("catch_all", "handlers", "life", "reachable")

    def __init__(self) -> None:
        self.handlers: Listeners = {}
        self.reachable = NOTHING
        self.catch_all: tuple[Handler, ...] = ()
        self.life: tuple[tuple[str, Handler], ...] = ()

    def off(self, event: str, handler: Handler | None = None) -> None:
        """Undo `on` and `once`: for one handler, or for all handlers of the event."""
        if event not in LIFE_EVENTS:
            super().off(event, handler)
            return
        left = others(self.life_handlers(event), handler)
        self.life = (*(each for each in self.life if each[0] != event), *((event, each) for each in left))

    def listeners(self, event: str) -> list[Handler]:
        """The handlers of the event, as they were registered."""
        return unwrapped(self.life_handlers(event)) if event in LIFE_EVENTS else super().listeners(event)

    def remove_all_listeners(self, event: str | None = None) -> None:
        """Undo `on` and `once` for all handlers of the event, or of every event. `on_any` is something else."""
        super().remove_all_listeners(event)
        if event is None:
            self.life = ()

    def _add(self, event: str, handler: Handler) -> None:
        if event in LIFE_EVENTS:
            self.life += ((event, handler),)
        elif event in RESERVED_EVENTS:
            raise ReservedEvent(event)
        else:
            super()._add(event, handler)

    def on_any(self, handler: H) -> H:
        """Have the handler called with the name and the arguments of every event, before those that are `on` it."""
        self.catch_all += (handler,)
        self.route()
        return handler

    def off_any(self, handler: Handler | None = None) -> None:
        """Undo `on_any`: for one handler, or for all."""
        self.catch_all = others(self.catch_all, handler)
        self.route()

    # --- what Socket asks ---

    @property
    def connected(self) -> bool:
        """Whether events of the client are listened to."""
        raise NotImplementedError

    def route(self) -> None:
        """Let `Connection.receive` call the listeners by itself if there is nothing else to do with an event."""
        self.reachable = self.handlers if self.connected and not self.catch_all else NOTHING

    def life_handlers(self, event: str) -> list[Handler]:
        """The handlers of an event of the socket's own."""
        return [handler for name, handler in self.life if name == event]

    def forget_handlers(self) -> None:
        """Let go of all handlers, which usually know the socket."""
        self.handlers.clear()
        self.catch_all = ()
        self.life = ()


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
