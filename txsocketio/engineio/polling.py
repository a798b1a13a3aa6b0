"""HTTP long-polling, the transport that every client can speak.

        GET   a poll: answered with all that waits, or held until there is something
        POST  packets of the client: answered "ok" when all of them have been handled

Nothing that a POST causes to be sent leaves before the whole body is handled, so that it leaves with one poll.
Source: Engine.IO protocol v4, "HTTP long-polling".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from txsocketio.engineio.answers import HTML
from txsocketio.errors import PacketError

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from txsocketio.engineio.exchange import Exchange
    from txsocketio.engineio.outgoing import Outgoing
    from txsocketio.engineio.payloads import Payloads
    from txsocketio.engineio.session import Session

log = Logger()

CLOSE_PACKET, NOOP_PACKET = b"1", b"6"

#: Bytes after which an answer is long enough; the rest comes with the next poll. A longer one would hold up everybody
#: while it is compressed, and is kept beside what may wait until the client has read it.
ANSWER_SIZE = 1_000_000

#: Seconds between the empty answers to the polls of a client that is upgrading.
NOOP_INTERVAL = 0.1


class Polling:
    """The long-polling side of a session.

    Attributes:
        poll: the GET that is held until there is something to send.
    """

    __slots__ = ("_corked", "_last", "_noop", "_payloads", "_posting", "poll", "session")

    name = "polling"

    def __init__(self, session: Session, payloads: Payloads) -> None:
        self.session = session
        self._payloads = payloads
        self.poll: Exchange | None = None
        self._last: Exchange | None = None
        self._posting: Exchange | None = None
        self._corked = False
        self._noop: IDelayedCall | None = None

    # --- requests of the client ---

    def handle(self, exchange: Exchange) -> None:
        """Answer a request of this session, now or later."""
        if exchange.request.method == "GET":
            self._hold(exchange)
        elif exchange.request.method == "POST":
            self._receive(exchange)
        else:
            self.session.engine.answers.send(exchange, 405, [(b"Allow", b"GET, POST")])

    def _hold(self, exchange: Exchange) -> None:
        if self.poll is not None or (self._last is not None and self._last.unread):
            # A client that has not read an answer yet cannot know what to poll for.
            self.session.engine.answers.send(exchange, 400)
            return self.session.ended("transport error", "overlap from client")
        self.poll = exchange
        exchange.watch(self._poll_lost)
        self.session.ready()
        if self.poll is not None and self.session.upgrade is not None:
            self.session.upgrade.poll_arrived()

    def announce(self, exchange: Exchange) -> None:
        """A POST has begun; its body is still on the way."""
        if not self._overlaps(exchange):
            self._posting = exchange
            exchange.watch(self._post_lost)

    def _overlaps(self, exchange: Exchange) -> bool:
        """Whether another POST is still on the way: that ends the session, and both of them."""
        first = self._posting
        if first is None or first is exchange or first.answered:
            return False
        self._posting = None
        self.session.engine.answers.send(exchange, 400)
        self.session.ended("transport error", "data request overlap from client")
        first.drop()
        return True

    def _receive(self, exchange: Exchange) -> None:
        if self._overlaps(exchange):
            return
        self._posting = None
        session = self.session
        decode = self._payloads.decoder(exchange.request.fields.get(b"content-type"))
        if decode is None:
            session.engine.answers.send(exchange, 400)
            return session.ended("transport error", "invalid content")
        if session.pong_due:
            session.heard()
        self._corked = True
        try:
            for packet in decode(exchange.body):
                try:
                    session.receive(packet)
                except PacketError:
                    raise
                except Exception:  # noqa: BLE001 - a border, the application's code
                    log.failure("A message of {session} could not be handled", session=session)
        except PacketError as error:
            session.receive_bad(error)
        self._corked = False
        session.engine.answers.ok(exchange, HTML, b"ok")
        session.ready()

    def _poll_lost(self) -> None:
        self.poll = None
        self.session.ended("transport error", "poll connection closed prematurely")

    def _post_lost(self) -> None:
        self._posting = None
        self.session.ended("transport error", "data request connection closed prematurely")

    # --- what the session asks of a transport ---

    @property
    def is_writable(self) -> bool:
        return self.poll is not None

    @property
    def is_ready(self) -> bool:
        return self.poll is not None and not self._corked

    def send_outgoing(self, outgoing: Outgoing) -> None:
        self.session.enqueue(outgoing)

    def send_all(self, outbox: list[Outgoing]) -> int:
        """Answer the poll with what waits, as far as one answer goes; how many messages that were."""
        packets: list[bytes] = []
        count = size = 0
        compress = False
        for outgoing in outbox:
            packets += outgoing.packets()
            compress |= outgoing.compress
            count += 1
            size += outgoing.size
            if size > ANSWER_SIZE:
                break
        self._answer(packets, compress)
        return count

    def finish(self) -> None:
        """Answer the poll with the end of the session.

        In one answer with messages the official client would see the end first: it handles messages a tick later. Of a
        DISCONNECT it would then learn nothing, and come back.
        """
        self._answer([CLOSE_PACKET])
        self.session.closed()

    def closed_by_client(self) -> None:
        """The client wants no more; its poll is answered with nothing, as it has closed already."""
        self.send_noop()
        self.session.ended("transport close")

    def discard(self, reason: str) -> None:
        """The session is over."""
        self.stop_noop()
        if self.poll is not None:
            self._answer([CLOSE_PACKET])
        elif self._last is not None and self._last.unread:
            self._last.abort()

    # --- while the session upgrades ---

    def retire(self) -> None:
        """The session goes on over WebSocket: what still is on the way here no longer concerns it."""
        self.send_noop()
        if self._posting is not None:
            self._posting.on_lost = None

    def send_noop(self) -> None:
        """Answer the poll with nothing, so that the client can stop polling."""
        self.stop_noop()
        if self.poll is not None:
            self._answer([NOOP_PACKET])

    def delay_noop(self) -> None:
        """Do so a moment later: a client that is slow to stop must not poll in circles."""
        if self._noop is None:
            self._noop = self.session.engine.clock.callLater(NOOP_INTERVAL, self._send_late_noop)

    def _send_late_noop(self) -> None:
        self._noop = None
        self.send_noop()

    def stop_noop(self) -> None:
        if self._noop is not None:
            self._noop.cancel()
            self._noop = None

    def _answer(self, packets: list[bytes], compress: bool = False) -> None:
        poll, self.poll = self.poll, None
        assert poll is not None
        self.session.engine.answers.ok(poll, *self._payloads.encode(packets), compress)
        self._last = poll if poll.unread else None
