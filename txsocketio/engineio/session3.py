"""Sessions of clients that speak Engine.IO protocol v3: those of Socket.IO 2.

        client                        server
          |-- 2 ---------------------->|  every ping_interval, as the handshake has told it
          |<---------------------- 3 --|
          |-- 2probe ----------------->|  whatever is behind the digit
          |<---------------------- 3 --|

The server waits, and ends the session when no ping comes for ping_interval + ping_timeout.
Source: Engine.IO protocol v3, "ping"; https://github.com/socketio/engine.io-protocol/tree/v3
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.rate import LimitedSession
from txsocketio.engineio.session import OPEN, Session
from txsocketio.protocol.engineio import MESSAGE, PING, PONG

if TYPE_CHECKING:
    from txsocketio.engineio.deadlines import Deadline

PONG_PACKET = Outgoing.packet(b"3")


class Session3(Session):
    """A client of Engine.IO that speaks v3."""

    __slots__ = ()

    protocol = 3

    def receive(self, packet: str | bytes) -> None:
        kind = packet[:1] if isinstance(packet, str) else MESSAGE
        if kind == PING:
            self.restart_heartbeat()
            self.send_outgoing(PONG_PACKET)
        elif kind != PONG:
            super().receive(packet)
        elif self.state is OPEN:
            self.ended("transport error", "invalid heartbeat direction")

    def start_heartbeat(self) -> Deadline:
        options = self.engine.options
        return self.engine.deadlines.start(options.ping_interval + options.ping_timeout, self.heartbeat_missing)


class LimitedSession3(LimitedSession, Session3):
    """The same for an engine with the option `rate_limit`."""

    __slots__ = ()
