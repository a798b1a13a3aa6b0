"""One order of everything for all nodes: what goes to clients passes through the broker's log, and is read back there.

        io.emit(...) here      io.emit(...) there
              |                      |
              '---> the log   7  8  9  10 <---'       positions only grow
                              |
             every node reads it, this one too, and gives its clients what is for them: 2["news",1,"9"]

So a client that has received an event has received all before it, and its offset tells what it has missed. What does
not pass through the log, such as an acknowledgement, is sent when what this node has put there before is read back.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.cluster import messages
from txsocketio.cluster.adapter import ClusterAdapter
from txsocketio.cluster.messages import BROADCAST, BROADCAST_CALL, DISCONNECT_SOCKETS, SESSION_TAKEN, Message
from txsocketio.cluster.progress import Progress
from txsocketio.cluster.recovery import ClusterRecovery
from txsocketio.cluster.requests import Others, unavailable
from txsocketio.cluster.sessions import Sessions
from txsocketio.cluster.socket import ClusterSocket
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.errors import BadMessage, BrokerUnavailable
from txsocketio.socketio.adapter import Adapter, Names, all_of
from txsocketio.socketio.broadcast import Flags
from txsocketio.socketio.socket import Socket
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.cluster.broker import Broker
    from txsocketio.socketio.namespace import Namespace

log = Logger()

#: Of so many nodes it is remembered what was read of them last.
MAX_NODES = 10_000


class Unread:
    """What this node has put into the log and has not read back.

    Attributes:
        number: of the message.
        recipients: who was there when it was emitted.
        then: to be done when it has been read.
    """

    __slots__ = ("number", "recipients", "then")

    def __init__(self, number: int, recipients: Collection[Socket]) -> None:
        self.number = number
        self.recipients = recipients
        self.then: list[Callable[[], object]] = []


class LogAdapter(ClusterAdapter):
    """Decides who gets the packets of one namespace, in one order on all nodes, and keeps them for those who come back.

    A kind of broker extends it, besides the methods of `ClusterAdapter`, by `append` and `replay`, `holds`,
    `offset_of` and `position_of`, `progress`, and `sessions`; and it calls `read` with each entry of the log, those
    of this node too, `recovery.log.begin` with the position from which it reads, and `lost_up_to`.
    """

    socket_class: ClassVar[type[Socket]] = ClusterSocket

    #: Whether there may be nodes that store a session only when its client is gone, as those of Node.js do.
    sessions_may_be_late: ClassVar[bool] = False

    def __init__(self, namespace: Namespace, broker: Broker, sessions: Sessions) -> None:
        super().__init__(namespace, broker)
        self.recovery = ClusterRecovery(namespace, self, sessions)
        self._receivers |= {BROADCAST_CALL: self._receive_broadcast, SESSION_TAKEN: self._receive_taken}
        self._number = 0
        self._unread: deque[Unread] = deque()
        self._returned: list[tuple[int, Socket]] = []
        self._latest: OrderedDict[str, int] = OrderedDict()

    # --- what a kind of broker brings ---

    @property
    def progress(self) -> Progress:
        """How far the log has been read."""
        raise NotImplementedError

    def append(self, message: Message) -> Deferred[None]:
        """Put a message into the log, at some time; it is then in the order of what was put there before.

        Returns:
            Fires when the log has it.

        Raises:
            BrokerUnavailable: it is not taken, because too many wait already.
            UnserializableData: it has no form on the wire.
        """
        raise NotImplementedError

    def replay(self, after: int, until: int) -> Deferred[list[tuple[int, Message]]]:
        """Fires with the next messages behind a position, up to another, with theirs; with none when there are none."""
        raise NotImplementedError

    def holds(self, position: int) -> Deferred[bool]:
        """Fires with whether the log has come as far as the position, and everything behind it is still there."""
        raise NotImplementedError

    def offset_of(self, position: int) -> str:
        """The offset of the entry at this position, as clients get it."""
        return str(position)

    def position_of(self, offset: str) -> int | None:
        """The position of the entry with this offset; None if it cannot be one."""
        return int(offset) if offset.isdecimal() and offset.isascii() else None

    # --- to the clients ---

    def broadcast(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        self._encode(event, None, flags)  # raises if it cannot be sent
        recipients = self.rooms.select(rooms, excluded)
        if flags.local:
            self.after_reading(partial(self._deliver_here, event, recipients, flags))
            return succeed(None)
        return self._told(messages.broadcast(event, rooms, excluded, flags), recipients)

    def send(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> None:
        """Send an event; for those who do not wait until it is in the log.

        Raises:
            BrokerUnavailable: it is not taken, because too many wait already.
        """
        self._encode(event, None, flags)  # raises if it cannot be sent
        message = messages.broadcast(event, rooms, excluded, flags)
        self.broker.told(self._append(message, self.rooms.select(rooms, excluded)))

    def call(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[list[Json]]:
        self._encode(event, None, flags)  # raises if it cannot be sent
        if flags.local:
            return self._in_turn(partial(Adapter.call, self, event, rooms, excluded, flags))
        if not self.broker.is_available:
            return unavailable()
        timeout = self._ack_timeout(flags)
        message = messages.broadcast(event, rooms, excluded, flags._replace(timeout=timeout), self._question_number())
        message.type = BROADCAST_CALL
        try:
            request = self.requests.open(message.request or "", timeout)
        except BrokerUnavailable as error:
            return fail(error)
        self._put(message, self.rooms.select(rooms, excluded)).addErrback(request.fail)
        # This node is one of those that answer: when it reads the question back.
        self.others().addCallbacks(
            lambda others: request.expect_nodes(Others(others.expected + 1, others.names)), request.fail
        )
        return request.deferred

    def sockets_join(self, joined: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        here = Adapter.sockets_join(self, joined, rooms, excluded, flags)
        return here if flags.local else self._told(messages.sockets_join(joined, rooms, excluded))

    def sockets_leave(self, left: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        here = Adapter.sockets_leave(self, left, rooms, excluded, flags)
        return here if flags.local else self._told(messages.sockets_leave(left, rooms, excluded))

    def disconnect_sockets(self, close: bool, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        recipients = self.rooms.select(rooms, excluded)
        if flags.local:
            self.after_reading(partial(_disconnect, recipients, close))
            return succeed(None)
        return self._told(messages.disconnect_sockets(close, rooms, excluded), recipients)

    def is_needed(self) -> bool:
        return self.recovery.is_needed()

    def lost_up_to(self, position: int) -> None:
        """As everywhere; who was away then comes back as a new client, and nobody waits for what may be lost."""
        self.recovery.log.begin(position)
        super().lost_up_to(position)
        for unread in [*self._unread]:
            acts, unread.then = unread.then, []
            for act in acts:
                act()

    def stop(self) -> Deferred[None]:
        self._unread.clear()
        self.recovery.stop()
        return all_of([super().stop(), self.recovery.keeper.stored()])

    # --- order ---

    def after_reading(self, act: Callable[[], object]) -> None:
        """Do it when everything that this node has put into the log has been read back; at once if that is so."""
        if self._unread:
            self._unread[-1].then.append(act)
        else:
            act()

    def _in_turn(self, act: Callable[[], Deferred[Json]]) -> Deferred[Json]:
        result: Deferred[Json] = Deferred()
        self.after_reading(lambda: act().chainDeferred(result))
        return result

    def _told(self, message: Message, recipients: Collection[Socket] = ()) -> Deferred[None]:
        return self.broker.told(self._put(message, recipients))

    def _put(self, message: Message, recipients: Collection[Socket] = ()) -> Deferred[None]:
        try:
            return self._append(message, recipients)
        except BrokerUnavailable as error:
            return fail(error)

    def _append(self, message: Message, recipients: Collection[Socket] = ()) -> Deferred[None]:
        message.node, message.number = self.broker.node, self.broker.next_number()
        appended = self.append(message)
        self._number = message.number
        unread = Unread(self._number, recipients)
        self._unread.append(unread)
        return appended.addErrback(self._given_up, unread)

    def _given_up(self, failure: Failure, unread: Unread) -> Failure:
        """The broker will never have it: what waits for it waits for nothing."""
        if unread in self._unread:
            self._unread.remove(unread)
            for act in unread.then:
                act()
        return failure

    def returned(self, socket: ClusterSocket) -> None:
        """A client has come back: what this node has emitted meanwhile, and not read back, is for it too."""
        if self._unread:
            self._returned.append((self._number, socket))

    def take(self, socket: ClusterSocket) -> Deferred[None]:
        """Tell the node that still has the socket that its client is here now; fires when that has been read back."""
        self.broker.told(self._append(Message(SESSION_TAKEN, {"sid": socket.id, "claim": socket.claim})))
        taken: Deferred[None] = Deferred()
        self.after_reading(partial(taken.callback, None))
        return taken

    # --- what is read ---

    def read(self, position: int, message: Message, size: int) -> None:
        """The next entry of the log, which takes `size` bytes. It may come twice; then it is passed over. Hot path."""
        if message.number and not self._is_new(message):
            return
        unread = self._read_back(message) if message.node == self.broker.node else None
        try:
            if message.type == BROADCAST:
                self._read_event(position, message, size, unread)
            elif unread is not None:
                self._read_own(message, unread.recipients)
            else:
                self.receive(message)
        except BadMessage as error:
            self.broker.drop(error, message.node)
        except Exception:  # noqa: BLE001 - a border, the broker's reader has to go on
            log.failure("An entry of the log of {namespace} could not be read", namespace=self.namespace.name)
        self.recovery.log.position = position
        if unread is not None:
            for act in unread.then:
                act()

    def _is_new(self, message: Message) -> bool:
        latest = self._latest.pop(message.node, 0)
        self._latest[message.node] = max(latest, message.number)
        if len(self._latest) > MAX_NODES:
            self._latest.popitem(last=False)
        return message.number > latest

    def _read_back(self, message: Message) -> Unread | None:
        """What this node has put there; those in front of it, if any, have never got into the log."""
        given_up: list[Callable[[], object]] = []
        unread = None
        while self._unread and self._unread[0].number <= message.number:
            unread = self._unread.popleft()
            unread.then[:0] = given_up
            given_up = unread.then
        return unread

    def _read_event(self, position: int, message: Message, size: int, unread: Unread | None) -> None:
        rooms, excluded, flags = message.rooms, message.excluded, message.flags
        recipients: Collection[Socket]
        if unread is None:
            recipients = self.rooms.select(rooms, excluded)
        elif self._returned:
            recipients = [*unread.recipients, *self._returned_since(unread.number, self.rooms.select(rooms, excluded))]
        else:
            recipients = unread.recipients
        kept: Json = message
        if recipients:
            kept = self.encode_at(position, message)
            if self.is_overheard:
                self.overhear(message.event, recipients)
            for socket in recipients:
                if socket.connected:
                    socket.session.send_outgoing(kept)
        if not flags.volatile:
            self.recovery.log.append(position, kept, size, rooms, excluded)

    def _returned_since(self, number: int, selected: Collection[Socket]) -> list[Socket]:
        """Who has come back since the message of this number was emitted, of those who are selected now."""
        self._returned = [each for each in self._returned if each[0] >= number]
        return [socket for _, socket in self._returned if socket in selected]

    def _read_own(self, message: Message, recipients: Collection[Socket]) -> None:
        if message.type == BROADCAST_CALL:
            request = self.requests.get(message.request or "")
            if request is not None:
                self._call_here(message.event, recipients, message.flags, request)
                request.node_answered(self.broker.node)
        elif message.type == DISCONNECT_SOCKETS:
            _disconnect(recipients, message.close)
        elif message.type == SESSION_TAKEN:
            self._receive_taken(message)

    def encode_at(self, position: int, message: Message) -> Outgoing:
        """The event at this position of the log, as clients get it.

        Raises:
            BadMessage: it cannot be understood.
        """
        return self._encode([*message.event, self.offset_of(position)], None, message.flags)

    def _deliver_here(self, event: list[Json], recipients: Collection[Socket], flags: Flags) -> None:
        """Give an event to clients of this node that is not in the log; its offset is that of the last one there."""
        offset = self.offset_of(self.recovery.log.position)
        outgoing = self._encode([*event, offset], None, flags)
        if self.is_overheard:
            self.overhear(event, recipients)
        for socket in recipients:
            if socket.connected:
                socket.session.send_outgoing(outgoing)

    # --- questions, and messages of other nodes ---

    def _send_question(self, message: Message) -> Deferred[None]:
        """Ask behind what is in the log before: the nodes that are asked wait until they have read that."""
        return self._in_turn(partial(self._publish_behind, message))

    def _publish_behind(self, message: Message) -> Deferred[None]:
        message.data["offset"] = self.offset_of(self.recovery.log.position)
        return self.publish(message)

    def _receive_fetch(self, message: Message) -> None:
        offset = message.data.get("offset")
        position = self.position_of(offset) if isinstance(offset, str) else None
        timeout = self.broker.options.requests_timeout
        answer = partial(super()._receive_fetch, message)
        self.progress.reached(position or 0, timeout).addCallback(lambda _: answer()).addErrback(_is_late)

    def _receive_join(self, message: Message) -> None:
        super()._receive_join(message)
        for socket in self.recovery.coming(message.rooms, message.excluded):
            socket.join(message.names)

    def _receive_leave(self, message: Message) -> None:
        super()._receive_leave(message)
        for socket in self.recovery.coming(message.rooms, message.excluded):
            socket.leave(message.names)

    def _receive_taken(self, message: Message) -> None:
        id, claim = message.data.get("sid"), message.data.get("claim")
        if not isinstance(id, str) or not isinstance(claim, int):
            raise BadMessage("a session without an id or a claim")
        self.recovery.taken(id, claim)


def _disconnect(sockets: Collection[Socket], close: bool) -> None:
    for socket in sockets:
        Socket.disconnect(socket, close)


def _is_late(failure: Failure) -> None:
    failure.trap(TimeoutError)
