"""The Engine.IO server: looks at each request, and knows every session.

        exchange --> handle --> middlewares --> verify --+-- no session --> _ask, _open ----> on_session
                                                         |-- WebSocket ---> _upgrade -------> upgrade.py
                                                         '-- poll, post --> polling.py
        a Refusal raised on the way becomes the answer, and the event "connection_error"

Source: Engine.IO protocol v4; the order of the checks, the codes and the texts are those of the reference server.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Coroutine
from os import urandom
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.logger import Logger

from txsocketio.engineio.admission import Admission
from txsocketio.engineio.answers import Answers
from txsocketio.engineio.checks import closing, protocol_of, verify, verify_protocol
from txsocketio.engineio.deadlines import Deadlines
from txsocketio.engineio.listeners import sendable, tell
from txsocketio.engineio.options import EngineOptions
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.payloads import payloads_of
from txsocketio.engineio.polling import Polling
from txsocketio.engineio.questions import Questions
from txsocketio.engineio.rate import LimitedSession, Rate
from txsocketio.engineio.resource import EngineResource
from txsocketio.engineio.session import CLOSED, Session
from txsocketio.engineio.session3 import LimitedSession3, Session3
from txsocketio.engineio.site import EngineSite
from txsocketio.engineio.switch import Switch
from txsocketio.engineio.upgrade import Upgrade
from txsocketio.engineio.websocket import WebSocket
from txsocketio.errors import OptionError, Refusal
from txsocketio.protocol.engineio import encode_open

if TYPE_CHECKING:
    from twisted.python.failure import Failure
    from twisted.web.resource import IResource

    from txsocketio.engineio.exchange import Exchange
    from txsocketio.engineio.request import HTTPRequest
    from txsocketio.types import Handler, Json

log = Logger()

EVENTS = ("connection", "connection_error", "initial_headers", "headers")


def new_sid() -> str:
    """An id of 20 characters that nobody can guess: 120 random bits."""
    return urlsafe_b64encode(urandom(15)).decode("ascii")


class Engine:
    """An Engine.IO server, the transport below Socket.IO.

    Args:
        options: the options, already checked.
        clock: where time comes from; the reactor, if it is not given.
        keywords: the options, if `options` is not given.

    Attributes:
        sessions: the sessions that are open or closing, by sid.
        websockets: the WebSocket connections that are not gone yet.
        answers: how requests are answered.
        pong_time: seconds that a client has from a ping to its pong; a little less than the option says.
        on_session: told of each new session, before anything that the client sends is read.
        files: asked for what lies below our path: answers and says True if it has a file of that name.

    Raises:
        OptionError: an option is unknown or its value not allowed.
    """

    def __init__(self, options: EngineOptions | None = None, clock: Json = None, **keywords: Json) -> None:
        if clock is None:
            from twisted.internet import reactor as clock
        self.options = options if options is not None else EngineOptions.of(keywords)
        self.clock = clock
        heartbeat = min(self.options.ping_interval, self.options.ping_timeout)
        granularity = min(0.25, heartbeat / 100)
        self.deadlines = Deadlines(self.clock, granularity)
        # Two coarse deadlines and a reactor must not be late together: the protocol's suite comes a millisecond after.
        self.pong_time = self.options.ping_timeout - 3 * granularity
        self.sessions: dict[str, Session] = {}
        self.websockets: set[WebSocket] = set()
        self.on_session: Callable[[Session], None] = self._announce_session
        self.files: Callable[[Exchange, str], bool] | None = None
        self._questions = Questions(self.options, self.sessions, clock)
        self._listeners: dict[str, list[Handler]] = {name: [] for name in EVENTS}
        self.answers = Answers(self.options, self._listeners)
        self._switch = Switch(self.options, self.answers)
        self._admission: Admission | None = None
        if self.options.max_connections is not None or self.options.max_connections_per_address is not None:
            self._admission = Admission(self.options, self.sessions, clock)
        self._rate = None if self.options.rate_limit is None else Rate(self.options, clock)
        self._is_closed = False
        self._closing: Deferred[None] | None = None

    # --- what the application asks ---

    @property
    def clients_count(self) -> int:
        """How many sessions there are."""
        return len(self.sessions)

    def use(self, middleware: Handler) -> Handler:
        """Call `middleware(request, fields)` for each request before anything else is looked at.

        It may append to `fields`, the list of `(name, value)` bytes that the answer gets, and may wait. An exception
        that it raises refuses the request: 400, code 3.
        """
        self._questions.middlewares.append(middleware)
        return middleware

    def on(self, event: str, listener: Handler | None = None) -> Any:
        """Listen to the engine; also a decorator.

        Args:
            event: "connection" (the session), "connection_error" (the request and the Refusal), "initial_headers" and
                "headers" (a dict of text to add to, and the request; for a session's first answer, for every answer).
        """
        if event not in EVENTS:
            raise OptionError(f"an engine has no event {event!r}; there are {', '.join(EVENTS)}")
        if listener is None:
            return lambda given: self.on(event, given)
        self._listeners[event].append(listener)
        return listener

    def resource(self) -> EngineResource:
        """A leaf for somebody's tree of twisted.web."""
        return EngineResource(self)

    def site(self, root: IResource | None = None) -> EngineSite:
        """A site of our own, with the light channel; serves `root` beside the engine (`max_root_body_size`)."""
        return EngineSite(self, root)

    def start(self) -> None:
        """Take clients again, after `close`."""
        self._is_closed = False

    def close(self) -> Deferred[None]:
        """End every session without waiting for what it still has to send, and refuse new ones until `start`.

        Returns:
            Fires when the connections are gone, at most two seconds later.
        """
        self._is_closed = True
        self._questions.give_up()
        for session in list(self.sessions.values()):
            if isinstance(session.transport_in_use, Polling):
                # A close packet would tell python-socketio's client not to come back.
                session.transport_in_use.send_noop()
            session.close(discard=True)
        if not self.websockets:
            return succeed(None)
        if self._closing is None:
            self._closing = Deferred()
        done: Deferred[None] = Deferred()
        self._closing.chainDeferred(done)
        return done

    # --- the way of a request ---

    def handle(self, exchange: Exchange, name: str = "") -> None:
        """Answer a request, now or later.

        Args:
            name: the rest of its path, below ours.
        """
        request = exchange.request
        if self.options.trusted_proxies:
            request.forwarded(self.options.trusted_proxies)
        if not self._questions.middlewares:
            return self._admit(exchange, name)
        exchange.watch()
        self._later(exchange, self._ask_middlewares(exchange, name))

    async def _ask_middlewares(self, exchange: Exchange, name: str) -> None:
        try:
            exchange.extra = sendable(await self._questions.pass_middlewares(exchange.request))
        except Refusal as refusal:
            return self.answers.refuse(exchange, refusal)
        if not exchange.answered:
            self._admit(exchange, name)

    def _admit(self, exchange: Exchange, name: str) -> None:
        request = exchange.request
        if name and self.files is not None and self.files(exchange, name):
            return
        cors = self.answers.cors
        if request.method == "OPTIONS" and cors.is_configured:
            return self.answers.send(exchange, 204, cors.preflight(request))
        try:
            session = verify(request, self.options, cors, self.sessions)
            if session is None:
                self._ask(exchange)
            elif request.is_upgrade:
                self._upgrade(exchange, session)
            elif len(exchange.body) > self.options.max_http_buffer_size:
                self.answers.send(exchange, 413)
            elif isinstance(session.transport_in_use, Polling):
                session.transport_in_use.handle(exchange)
        except Refusal as refusal:
            self.answers.refuse(exchange, refusal)

    def announce(self, exchange: Exchange) -> None:
        """The head of a POST is here, its body still on the way: answer already what it cannot change.

        Only our own site can tell; as a guest we see a request when it is whole.
        """
        session = self.sessions.get(exchange.request.query.get("sid", ""))
        if session is not None and isinstance(session.transport_in_use, Polling):
            session.transport_in_use.announce(exchange)

    # --- a new session ---

    def _ask(self, exchange: Exchange) -> None:
        if self._is_closed:
            raise closing()
        if self._admission is not None:
            self._admission.check(exchange.request)
        if not self._questions.are_about_clients:
            return self._open(exchange, new_sid())
        exchange.watch()
        self._later(exchange, self._ask_application(exchange))

    async def _ask_application(self, exchange: Exchange) -> None:
        try:
            sid = await self._questions.sid_for(exchange.request)
            if self._is_closed:
                raise closing()
            if not exchange.answered:
                self._open(exchange, sid or new_sid())
        except Refusal as refusal:
            self.answers.refuse(exchange, refusal)

    def _open(self, exchange: Exchange, sid: str) -> None:
        request = exchange.request
        verify_protocol(request, self.options)
        request.find_peer()
        if request.query["transport"] == "websocket":
            self._open_websocket(exchange, sid)
        else:
            self._open_polling(exchange, sid)
        request.forget()

    def _open_polling(self, exchange: Exchange, sid: str) -> None:
        session = self._begin(sid, exchange.request)
        polling = Polling(session, payloads_of(session.protocol, exchange.request.query))
        session.use(polling)
        session.send_outgoing(self._open_packet(sid, ["websocket"] if session.can_upgrade else []))
        exchange.extra = [*exchange.extra, *self.answers.first_fields(exchange.request), *self.answers.cookie(sid)]
        self._introduce(session)
        if session.state is CLOSED:
            self.answers.send(exchange, 400)
        else:
            polling.handle(exchange)

    def _open_websocket(self, exchange: Exchange, sid: str) -> None:
        key = self._switch.key_of(exchange)
        session = self._begin(sid, exchange.request)
        exchange.extra = [*exchange.extra, *self.answers.first_fields(exchange.request)]
        websocket, rest = self._switch.take_over(exchange, session, key)
        self.websockets.add(websocket)
        session.use(websocket)
        session.send_outgoing(self._open_packet(sid, []))
        self._introduce(session)
        websocket.flush()
        if rest:
            websocket.dataReceived(rest)

    def _begin(self, sid: str, request: HTTPRequest) -> Session:
        if self._admission is not None:
            self._admission.enter(request)
        is_old = protocol_of(request) == 3
        session: Session
        if self._rate is None:
            session = (Session3 if is_old else Session)(self, sid, request)
        else:
            session = (LimitedSession3 if is_old else LimitedSession)(self, sid, request, self._rate)
        self.sessions[sid] = session
        return session

    def _introduce(self, session: Session) -> None:
        if self.options.initial_packet is not None:
            session.send(self.options.initial_packet)
        self.on_session(session)

    def _announce_session(self, session: Session) -> None:
        for listener in self._listeners["connection"]:
            tell(listener, session)

    def _open_packet(self, sid: str, upgrades: list[str]) -> Outgoing:
        options = self.options
        return Outgoing.packet(
            encode_open(sid, upgrades, options.ping_interval, options.ping_timeout, options.max_http_buffer_size)
        )

    def forget(self, session: Session) -> None:
        """The session is over."""
        self.sessions.pop(session.sid, None)
        if self._admission is not None:
            self._admission.leave(session.request)

    # --- WebSocket ---

    def _upgrade(self, exchange: Exchange, session: Session) -> None:
        polling = session.transport_in_use
        key = self._switch.key_of(exchange)
        websocket, rest = self._switch.take_over(exchange, session, key)
        self.websockets.add(websocket)
        websocket.session = upgrade = Upgrade(session, websocket)
        if not isinstance(polling, Polling):
            # The suite of the protocol wants the second WebSocket of a session opened, and closed at once.
            return websocket.discard()
        upgrade.begin(polling)
        websocket.flush()
        if rest:
            websocket.dataReceived(rest)

    def websocket_gone(self, websocket: WebSocket) -> None:
        """The connection has ended."""
        self.websockets.discard(websocket)
        if not self.websockets and self._closing is not None:
            closing, self._closing = self._closing, None
            closing.callback(None)

    def _later(self, exchange: Exchange, waiting: Coroutine[Any, Any, None]) -> None:
        def failed(failure: Failure) -> None:
            log.failure("A request could not be answered", failure)
            if not exchange.answered:
                exchange.drop()

        ensureDeferred(waiting).addErrback(failed)
