"""The move of a session from long-polling to WebSocket.

        client                        server
          |-- WebSocket, with the sid -->|
          |-- 2probe ------------------->|
          |<------------------- 3probe --|  and the held poll is answered with a noop: the client can stop polling
          |-- 5 ------------------------>|  from here on everything goes over the WebSocket, what waited first

Whatever else comes on the WebSocket before the "5" ends the attempt; the session goes on over long-polling.
Source: Engine.IO protocol v4, "Upgrade".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txsocketio.engineio.outgoing import Outgoing

if TYPE_CHECKING:
    from txsocketio.engineio.polling import Polling
    from txsocketio.engineio.session import Session
    from txsocketio.engineio.websocket import WebSocket
    from txsocketio.errors import PacketError

PROBE_ANSWER = Outgoing.packet(b"3probe")


class Upgrade:
    """A WebSocket that may become the transport of a session; to the WebSocket it stands where the session will."""

    __slots__ = ("_deadline", "_polling", "_probed", "_session", "_websocket", "engine", "pong_due")

    def __init__(self, session: Session, websocket: WebSocket) -> None:
        self.engine = session.engine
        self.pong_due = False
        self._session = session
        self._websocket = websocket
        self._probed = False

    def begin(self, polling: Polling) -> None:
        """Expect the probe. Without this, whatever the client sends over the WebSocket is ignored."""
        self._polling = polling
        self._deadline = self.engine.deadlines.start(self.engine.options.upgrade_timeout, self.abandon)
        self._session.upgrade = self

    def abandon(self) -> None:
        """End the attempt."""
        if self._leave():
            self._websocket.discard()

    def poll_arrived(self) -> None:
        """The client polls although it should stop."""
        if self._probed:
            self._polling.delay_noop()

    def _complete(self) -> None:
        self._leave()
        self._polling.retire()
        self._websocket.session = self._session
        self._session.use(self._websocket)

    def _leave(self) -> bool:
        if self._session.upgrade is not self:
            return False
        self._session.upgrade = None
        self._deadline.cancel()
        self._polling.stop_noop()
        return True

    # --- what the WebSocket tells ---

    def deliver(self, data: str | bytes) -> None:
        self.abandon()

    def receive(self, packet: str | bytes) -> None:
        """Take a packet of the attempt; what still comes when it is over is ignored."""
        self.count(len(packet))
        if self._session.upgrade is not self:
            return
        if packet == "2probe":
            if not self._probed or self._websocket.is_ready:  # what waits for one that only probes is bounded
                self._websocket.send_outgoing(PROBE_ANSWER)
            self._probed = True
            self._polling.send_noop()
        elif packet == "5":
            self._complete()
        else:
            self.abandon()

    def receive_bad(self, error: PacketError) -> None:
        self.abandon()

    def ended(self, reason: str, description: str = "") -> None:
        self.abandon()

    def count(self, size: int) -> None:
        self._session.count(size)

    def heard(self) -> None: ...

    congested = ready = closed = heard
