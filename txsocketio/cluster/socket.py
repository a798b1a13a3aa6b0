"""A socket of a cluster, whose client may come back to any node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, TypeVar, cast

from txsocketio.engineio.outgoing import Outgoing
from txsocketio.protocol.packet import EVENT
from txsocketio.socketio.broadcast import Flags, RoomNames
from txsocketio.socketio.recoverable import RecoverableSocket
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.cluster.log_adapter import LogAdapter
    from txsocketio.cluster.recovery import ClusterRecovery
    from txsocketio.socketio.connection import Connection
    from txsocketio.socketio.handshake import Handshake
    from txsocketio.socketio.namespace import Namespace

F = TypeVar("F", bound=Callable[..., Json])


class ClusterSocket(RecoverableSocket):
    """A socket whose client may come back to any node.

    Attributes:
        stored: its session, as the broker has it; None when it does not.
        outage: how many outages of the broker there had been then.
        is_storing: whether that is being done.
        is_left: whether the socket is gone, and what is to be stored of it is `left_as`, None for nothing.
        older: what the client has missed and is not in memory any more.
    """

    __slots__ = ("is_left", "is_storing", "left_as", "older", "outage", "stored")

    prepares = True
    _adapter: LogAdapter
    _recovery: ClusterRecovery

    def __init__(self, id: str, namespace: Namespace, connection: Connection, handshake: Handshake) -> None:
        super().__init__(id, namespace, connection, handshake)
        self.stored: bytes | None = None
        self.outage = 0
        self.is_storing = False
        self.is_left = False
        self.left_as: bytes | None = None
        self.older: list[Outgoing] = []

    async def prepare(self) -> None:
        """Have the session stored, or take it over, before the client hears that it is connected."""
        await self._recovery.prepare(self)

    # What does not pass through the log keeps its place behind what does.

    def send_event(self, event: str, arguments: Iterable[Json], flags: Flags, id: int | None = None) -> None:
        if id is None:
            super().send_event(event, arguments, flags)
        else:
            self.namespace.encode(EVENT, self.namespace.name, id, [event, *arguments])  # raises if it cannot be sent
            self._adapter.after_reading(partial(super().send_event, event, arguments, flags, id))

    def send_ack(self, id: int, result: Json) -> None:
        self._adapter.after_reading(partial(super().send_ack, id, result))

    def disconnect(self, close: bool = False) -> None:
        self._adapter.after_reading(partial(super().disconnect, close))

    # What changes the session.

    def join(self, rooms: RoomNames) -> None:
        super().join(rooms)
        self._recovery.keeper.changed(self)

    def leave(self, rooms: RoomNames) -> None:
        super().leave(rooms)
        self._recovery.keeper.changed(self)

    @property
    def data(self) -> Json:
        """Whatever the application keeps about the client, a dict to begin with.

        What is set in that dict is stored at once; what is changed deeper inside of it, at the next refresh.
        """
        if self._data is None:
            self._data = ObservedDict({}, partial(self._recovery.keeper.changed, self))
        return self._data

    @data.setter
    def data(self, data: Json) -> None:
        if data.__class__ is dict:
            data = ObservedDict(data, partial(self._recovery.keeper.changed, self))
        self._data = data
        self._recovery.keeper.changed(self)

    def clean_up(self, reason: str) -> None:
        super().clean_up(reason)
        if self._data.__class__ is ObservedDict:
            self._data.on_change = None


def _telling(change: F) -> F:
    """The method of dict, which then tells that there was a change."""

    @wraps(change)
    def method(self: ObservedDict, *arguments: Json, **items: Json) -> Json:
        result = change(self, *arguments, **items)
        if self.on_change is not None:
            self.on_change()
        return result

    return cast(F, method)


class ObservedDict(dict[str, Json]):
    """A dict that tells when it changes.

    Attributes:
        on_change: called then; None when nobody wants to know.
    """

    __slots__ = ("on_change",)

    def __init__(self, data: Mapping[str, Json], on_change: Callable[[], None]) -> None:
        super().__init__(data)
        self.on_change: Callable[[], None] | None = on_change

    __setitem__ = _telling(dict.__setitem__)
    __delitem__ = _telling(dict.__delitem__)
    __ior__ = _telling(dict.__ior__)
    clear = _telling(dict.clear)
    pop = _telling(dict.pop)
    popitem = _telling(dict.popitem)
    setdefault = _telling(dict.setdefault)
    update = _telling(dict.update)
