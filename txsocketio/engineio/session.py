"""One Engine.IO session: a client, whichever way its bytes come.

        OPEN ------ close() ------> CLOSING ------ drained, or close_timeout ------> CLOSED
          '----------- the client, the network or a deadline ends it ------------------^

CLOSED is final, and the first reason wins. A session is opened by the handshake, so there is no state before OPEN.
What is sent is not asked for the state: `send_outgoing` is an attribute that is bound anew where something changes:

        transport                   send_outgoing
        WebSocket, not congested    WebSocket.send_outgoing   straight into the socket
        WebSocket, congested        Session.enqueue           into the outbox, until the transport has drained
        long-polling                Session.enqueue           into the outbox, and out with the next poll
        not OPEN                    _discard

Source: Engine.IO protocol v4, https://github.com/socketio/engine.io-protocol
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

from txsocketio.engineio.listeners import tell
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.errors import PacketError
from txsocketio.protocol.engineio import CLOSE, MESSAGE, NOOP, PING, PONG, UPGRADE
from txsocketio.protocol.engineio import OPEN as OPEN_PACKET

if TYPE_CHECKING:
    from txsocketio.engineio.deadlines import Deadline
    from txsocketio.engineio.engine import Engine
    from txsocketio.engineio.polling import Polling
    from txsocketio.engineio.request import HTTPRequest
    from txsocketio.engineio.upgrade import Upgrade
    from txsocketio.engineio.websocket import WebSocket


class State(IntEnum):
    """What a session can be in."""

    OPEN, CLOSING, CLOSED = range(3)


OPEN, CLOSING, CLOSED = State

PING_PACKET = Outgoing.packet(b"2")

#: Packets of a client that mean nothing here: open, noop, and an upgrade outside of one.
IGNORED = (OPEN_PACKET, NOOP, UPGRADE)

#: Reasons of our own, besides those of the reference server.
SLOW_CONSUMER, RATE_LIMIT = "slow consumer", "rate limit exceeded"


def _discard(outgoing: Outgoing) -> None:
    """What `send_outgoing` is for a session that has ended."""


def _ignore_message(data: str | bytes) -> None:
    """What `on_message` is before somebody listens, and for a session that has ended."""


class Session:
    """A client of Engine.IO.

    Attributes:
        sid: the session's id; a secret between client and server.
        engine: the engine that it belongs to.
        request: the request of its handshake.
        protocol: the version of the Engine.IO protocol that the client speaks.
        deliver: what the transports call with each message: `on_message`, unless messages are counted before.
        on_close: called once, with the reason and a description ("" when there is none). The reasons are "ping
            timeout", "transport error", "transport close", "parse error", "forced close", "slow consumer" and "rate
            limit exceeded".
        on_drain: called when what waited has left, or when the session is writable again without anything waiting.
        on_ping: called at each ping; the client has answered the one before.
        send_outgoing: send a message that is already encoded. It is bound anew as the session changes: never keep it.
    """

    protocol = 4

    __slots__ = (
        "_closing_reason",
        "_heartbeat",
        "_outbox",
        "_outbox_size",
        "deliver",
        "engine",
        "on_close",
        "on_drain",
        "on_ping",
        "pong_due",
        "request",
        "send_outgoing",
        "sid",
        "state",
        "transport_in_use",
        "upgrade",
    )

    def __init__(self, engine: Engine, sid: str, request: HTTPRequest) -> None:
        self.engine = engine
        self.sid = sid
        self.request = request
        self.state = OPEN
        self.deliver: Callable[[str | bytes], None]
        self.on_message = _ignore_message
        self.on_close: Callable[[str, str], None] | None = None
        self.on_drain: Callable[[], None] | None = None
        self.on_ping: Callable[[], None] | None = None
        self.send_outgoing: Callable[[Outgoing], None] = self.enqueue
        self.transport_in_use: Polling | WebSocket
        self.upgrade: Upgrade | None = None
        self.pong_due = False
        self._outbox: list[Outgoing] = []
        self._outbox_size = 0
        self._heartbeat = self.start_heartbeat()

    def __repr__(self) -> str:
        return f"<Session {self.state.name.lower()} over {self.transport}>"

    # --- what the application asks ---

    @property
    def transport(self) -> str:
        """The name of the transport in use: "polling" or "websocket"."""
        return self.transport_in_use.name

    @property
    def on_message(self) -> Callable[[str | bytes], None]:
        """Called with each message, `str` or `bytes`; to be set."""
        return self.deliver

    @on_message.setter
    def on_message(self, listener: Callable[[str | bytes], None]) -> None:
        self.deliver = listener

    @property
    def is_open(self) -> bool:
        return self.state is OPEN

    @property
    def is_writable(self) -> bool:
        """Whether a message sent now would leave at once."""
        return self.state is OPEN and self.transport_in_use.is_writable

    @property
    def can_upgrade(self) -> bool:
        """Whether a WebSocket may take over from long-polling."""
        options = self.engine.options
        return (
            self.state is OPEN
            and self.upgrade is None
            and self.transport == "polling"
            and options.allow_upgrades
            and "websocket" in options.transports
        )

    def send(self, data: str | bytes) -> None:
        """Send a message; nothing happens when the session is not open."""
        if isinstance(data, str):
            self.send_outgoing(Outgoing(data.encode()))
        else:
            self.send_outgoing(Outgoing(None, (bytes(data),)))

    def close(self, reason: str = "forced close", discard: bool = False) -> None:
        """End the session.

        Args:
            reason: what `on_close` is told.
            discard: do not wait until what was sent has left. `on_close` is then called before this returns.
        """
        if discard:
            self.ended(reason)
        elif self.state is OPEN:
            self.state = CLOSING
            self._closing_reason = reason
            self.send_outgoing = _discard
            self.on_message = _ignore_message
            self.pong_due = False
            self._heartbeat.cancel()
            self._heartbeat = self.engine.deadlines.start(self.engine.options.close_timeout, self.closed)
            if self.upgrade is not None:
                self.upgrade.abandon()
            self.ready()

    # --- what the transports tell ---

    def receive(self, packet: str | bytes) -> None:
        """Take a packet that the client sent: a type digit and its data, or a binary message.

        Raises:
            PacketError: there is no such type.
        """
        if packet.__class__ is bytes:
            return self.deliver(packet)
        assert isinstance(packet, str)
        kind = packet[:1]
        if kind == MESSAGE:
            self.deliver(packet[1:])
        elif kind == PONG:
            self.restart_heartbeat()
        elif kind == CLOSE:
            self.transport_in_use.closed_by_client()
        elif self.state is not OPEN:
            return
        elif kind == PING:
            # Engine.IO protocol v4: "the ping packets are now sent by the server".
            self.ended("transport error", "invalid heartbeat direction")
        elif kind not in IGNORED:
            raise PacketError(f"unknown packet type {kind!r}")

    def count(self, size: int) -> None:
        """The client has sent something that is no packet of the session; nothing unless its rate is limited."""

    def receive_bad(self, error: PacketError) -> None:
        """The client sent what is no packet; a closing session listens no more, and goes on to send its rest."""
        if self.state is OPEN:
            self.ended("parse error", str(error))

    def heard(self) -> None:
        """The client has sent something while a pong is due.

        A busy client may be late with its pong: what comes first behind a ping starts the time for it again, once.
        """
        if self.pong_due:
            self.pong_due = False
            self._heartbeat.cancel()
            self._heartbeat = self.engine.deadlines.start(self.engine.options.ping_timeout, self.heartbeat_missing)

    def use(self, transport: Polling | WebSocket) -> None:
        """Send over `transport` from now on, first of all what waits."""
        self.transport_in_use = transport
        self.ready()

    def congested(self) -> None:
        """The transport can take no more for now."""
        if self.state is OPEN:
            self.send_outgoing = self.enqueue

    def ready(self) -> None:
        """The transport may be able to take more."""
        transport = self.transport_in_use
        is_ready = transport.is_ready
        has_waited = bool(self._outbox)
        if has_waited and is_ready:
            self._forget_first(transport.send_all(self._outbox))
        may_send = not self._outbox and transport.is_ready
        if self.state is CLOSING:
            if may_send:
                transport.finish()
        elif self.state is OPEN:
            drained = is_ready and not self._outbox and (has_waited or self.send_outgoing == self.enqueue)
            self.send_outgoing = transport.send_outgoing if may_send else self.enqueue
            if drained and self.on_drain is not None:
                tell(self.on_drain)

    def closed(self) -> None:
        """What was to be sent before the end has left, or the time for it is over."""
        self.ended(self._closing_reason)

    def ended(self, reason: str, description: str = "") -> None:
        """The session is over, whoever ended it. The one place that makes it CLOSED."""
        if self.state is CLOSED:
            return
        self.state = CLOSED
        self.send_outgoing = _discard
        self.on_message = _ignore_message
        self.pong_due = False
        self._heartbeat.cancel()
        self._forget_first(len(self._outbox))
        if self.upgrade is not None:
            self.upgrade.abandon()
        self.engine.forget(self)
        self.transport_in_use.discard(reason)
        on_close, self.on_close, self.on_drain = self.on_close, None, None
        self.on_ping = None
        if on_close is None:
            return
        if reason == SLOW_CONSUMER:
            # This is in the middle of somebody's emit. Who is told may emit again, to the next slow one, and so on.
            self.engine.clock.callLater(0, tell, on_close, reason, description)
        else:
            tell(on_close, reason, description)

    # --- what waits to be sent ---

    def enqueue(self, outgoing: Outgoing) -> None:
        """Keep a message until the transport can take it; too many bytes end the session.

        The message that leaves next does not count, so that one of any size can be sent.
        """
        if outgoing.volatile and not self.transport_in_use.is_writable:
            return
        self._outbox.append(outgoing)
        self._outbox_size += outgoing.size
        if self.transport_in_use.is_ready:
            self.ready()
        elif self._outbox_size - self._outbox[0].size > self.engine.options.max_outgoing_buffer:
            self.ended(SLOW_CONSUMER, f"more than {self.engine.options.max_outgoing_buffer} bytes are waiting")

    def _forget_first(self, count: int) -> None:
        """The first messages of the outbox have been taken by the transport."""
        if count == len(self._outbox):
            self._outbox, self._outbox_size = [], 0
        else:
            self._outbox_size -= sum(outgoing.size for outgoing in self._outbox[:count])
            del self._outbox[:count]

    # --- heartbeat: Engine.IO protocol v4, "Heartbeat" ---

    def start_heartbeat(self) -> Deadline:
        """Begin an interval: when it is over we send a ping."""
        return self.engine.deadlines.start(self.engine.options.ping_interval, self._send_ping)

    def restart_heartbeat(self) -> None:
        """The client is alive: the next interval begins."""
        if self.state is OPEN:
            self.pong_due = False
            self._heartbeat.cancel()
            self._heartbeat = self.start_heartbeat()

    def _send_ping(self) -> None:
        self.pong_due = True
        self._heartbeat = self.engine.deadlines.start(self.engine.pong_time, self.heartbeat_missing)
        if self.on_ping is not None:
            self.on_ping()
        self.send_outgoing(PING_PACKET)

    def heartbeat_missing(self) -> None:
        """The client has not been heard in time."""
        self.ended("ping timeout")
