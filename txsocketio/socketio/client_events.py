"""Having handlers called with the events of a client, and with what is sent to it.

What the client sends passes, in this order,

    the handlers of every event (on_any) --> the packet middlewares (use) --> the handlers of this event (on)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from txsocketio.errors import ReservedEvent
from txsocketio.protocol.packet import RESERVED_EVENTS
from txsocketio.socketio.listening import Listeners, Listening, others, unwrapped
from txsocketio.types import Handler

if TYPE_CHECKING:
    from txsocketio.socketio.checkpoint import Checkpoint
    from txsocketio.socketio.namespace import Namespace

H = TypeVar("H", bound=Handler)

#: The events of a socket that cannot be reached by the short way.
NOTHING: Listeners = {}

#: What `on` takes that no client can send.
LIFE_EVENTS = frozenset(("disconnecting", "disconnect"))


class ClientListening(Listening):
    """The part of a socket that is there to be listened to; the other one is in `socket.py`.

    Events of the client and those of the socket's life are kept apart, so that no name that a client sends can reach
    the latter, and what is found among the former needs no more checks.

    Attributes:
        handlers: of the client's events.
        reachable: the same, or nothing while an event is not simply handed to them.
        catch_all: the handlers of every event.
        catch_all_outgoing: the handlers of every event that is sent.
        checkpoint: the packet middlewares, once there is one.
        life: the handlers of the socket's own events, with the name of the event.
    """

    __slots__ = ("catch_all", "catch_all_outgoing", "checkpoint", "handlers", "life", "reachable")

    namespace: Namespace

    def __init__(self) -> None:
        self.handlers: Listeners = {}
        self.reachable = NOTHING
        self.catch_all: tuple[Handler, ...] = ()
        self.catch_all_outgoing: tuple[Handler, ...] = ()
        self.checkpoint: Checkpoint | None = None
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

    def event_names(self) -> list[str]:
        """The events that somebody listens to."""
        return list(dict.fromkeys((*self.handlers, *(name for name, _ in self.life))))

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

    def register(self, handlers: object) -> None:
        """Have each method `on_<event>` of an object called with that event, as by `on`."""
        for name in dir(handlers):
            if name.startswith("on_"):
                self.on(name.removeprefix("on_"), getattr(handlers, name))

    # --- every event ---

    def on_any(self, handler: H) -> H:
        """Have the handler called with the name and the arguments of every event, before those that are `on` it.

        It hears of an event also if nobody listens to that, or if a packet middleware drops it. What it returns is no
        acknowledgement.
        """
        self._set_catch_all((*self.catch_all, handler))
        return handler

    def prepend_any(self, handler: H) -> H:
        """As `on_any`, but called before all those that are registered."""
        self._set_catch_all((handler, *self.catch_all))
        return handler

    def off_any(self, handler: Handler | None = None) -> None:
        """Undo `on_any` and `prepend_any`: for one handler, or for all."""
        self._set_catch_all(others(self.catch_all, handler))

    def listeners_any(self) -> list[Handler]:
        """The handlers of every event, in the order in which they are called."""
        return list(self.catch_all)

    def _set_catch_all(self, handlers: tuple[Handler, ...]) -> None:
        self.catch_all = handlers
        self.route()

    # --- every event that is sent ---

    def on_any_outgoing(self, handler: H) -> H:
        """Have the handler called with the name and the arguments of every event that is sent to the client.

        Broadcasts count too; acknowledgements do not.
        """
        self._set_outgoing((*self.catch_all_outgoing, handler))
        return handler

    def prepend_any_outgoing(self, handler: H) -> H:
        """As `on_any_outgoing`, but called before all those that are registered."""
        self._set_outgoing((handler, *self.catch_all_outgoing))
        return handler

    def off_any_outgoing(self, handler: Handler | None = None) -> None:
        """Undo `on_any_outgoing` and `prepend_any_outgoing`: for one handler, or for all."""
        self._set_outgoing(others(self.catch_all_outgoing, handler))

    def listeners_any_outgoing(self) -> list[Handler]:
        """The handlers of every event that is sent, in the order in which they are called."""
        return list(self.catch_all_outgoing)

    def _set_outgoing(self, handlers: tuple[Handler, ...]) -> None:
        self.catch_all_outgoing = handlers
        self.namespace.adapter.is_overheard = True

    # --- what Socket asks ---

    @property
    def connected(self) -> bool:
        """Whether events of the client are listened to."""
        raise NotImplementedError

    def route(self) -> None:
        """Let `Connection.receive` call the handlers by itself if there is nothing else to do with an event."""
        is_plain = self.connected and not self.catch_all and self.checkpoint is None
        self.reachable = self.handlers if is_plain else NOTHING

    def life_handlers(self, event: str) -> list[Handler]:
        """The handlers of an event of the socket's own."""
        return [handler for name, handler in self.life if name == event]

    def forget_handlers(self) -> None:
        """Let go of all handlers, which usually know the socket."""
        self.handlers.clear()
        self.catch_all = ()
        self.catch_all_outgoing = ()
        self.life = ()
