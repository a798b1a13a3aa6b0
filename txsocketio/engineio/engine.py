"""The Engine.IO server: looks at each request, and knows every session.

        exchange --> handle --> middlewares --> _verify --+-- no session --> _ask, _open ----> on_session
                                                          |-- WebSocket ---> _upgrade -------> upgrade.py
                                                          '-- poll, post --> polling.py
        a Refusal raised on the way becomes the answer, and the event "connection_error"

Source: Engine.IO protocol v4; the order of the checks, the codes and the texts are those of the reference server.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Coroutine
from os import urandom
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.logger import Logger

from txsocketio.engineio import handshake
from txsocketio.engineio.compression import compress
from txsocketio.engineio.cors import CORS
from txsocketio.engineio.deadlines import Deadlines
from txsocketio.engineio.options import EngineOptions
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.polling import HTML_FIELD, JSON_FIELD, NO_STORE, TEXT_FIELD, Polling
from txsocketio.engineio.session import Session
from txsocketio.engineio.upgrade import Upgrade
from txsocketio.engineio.websocket import WebSocket, websocket_classes
from txsocketio.errors import ConnectionRefused, OptionError, Refusal
from txsocketio.protocol.engineio import encode_open
from txsocketio.protocol.json_codec import dumps

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.web.resource import IResource

    from txsocketio.engineio.exchange import Exchange, Fields
    from txsocketio.engineio.request import HTTPRequest
    from txsocketio.engineio.resource import EngineResource
    from txsocketio.engineio.site import EngineSite
    from txsocketio.types import Handler, Json

log = Logger()

#: The reference server's numbers for what is wrong with a request.
UNKNOWN_TRANSPORT, UNKNOWN_SID, BAD_HANDSHAKE_METHOD, BAD_REQUEST, FORBIDDEN, UNSUPPORTED_VERSION = range(6)

EVENTS = ("connection", "connection_error", "initial_headers", "headers")

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_EDGE = re.compile(r"Trident/|;MSIE")


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
        on_session: told of each new session, before anything that the client sends is read.
        files: asked for what lies below our path: answers and says True if it has a file of that name.

    Raises:
        OptionError: an option is unknown or its value not allowed.
    """

    def __init__(
        self, options: EngineOptions | None = None, clock: IReactorTime | None = None, **keywords: Json
    ) -> None:
        if clock is None:
            from twisted.internet import reactor

            clock = reactor  # type: ignore[assignment]
        self.options = options if options is not None else EngineOptions.of(keywords)
        self.clock: IReactorTime = clock  # type: ignore[assignment]
        heartbeat = min(self.options.ping_interval, self.options.ping_timeout)
        self.deadlines = Deadlines(self.clock, min(1.0, heartbeat / 20))
        self.sessions: dict[str, Session] = {}
        self.websockets: set[WebSocket] = set()
        self.on_session: Callable[[Session], None] = self._announce_session
        self.files: Callable[[Exchange, str], bool] | None = None
        self._cors = CORS(self.options)
        self._middlewares: list[Handler] = []
        self._listeners: dict[str, list[Handler]] = {name: [] for name in EVENTS}
        self._websocket_classes = websocket_classes(self.options)
        self._deflate = settings(self.options.per_message_deflate, "per_message_deflate")
        self._compression = settings(self.options.http_compression, "http_compression")
        self._closing: Deferred[None] | None = None

    # --- what the application asks ---

    @property
    def clients_count(self) -> int:
        """How many sessions there are."""
        return len(self.sessions)

    def use(self, middleware: Handler) -> Handler:
        """Call `middleware(request, fields)` for each request before anything else is looked at.

        It may append to `fields`, the list of `(name, value)` bytes that the answer gets, and may wait. An exception that
        it raises refuses the request: 400, code 3.
        """
        self._middlewares.append(middleware)
        return middleware

    def on(self, event: str, listener: Handler | None = None) -> Any:
        """Listen to the engine; also a decorator.

        Args:
            event: "connection" (the session), "connection_error" (the request and the Refusal), "initial_headers" and
                "headers" (a dict of text to add to, and the request; for a session's first answer, and for every answer).
        """
        if event not in EVENTS:
            raise OptionError(f"an engine has no event {event!r}; there are {', '.join(EVENTS)}")
        if listener is None:
            return lambda given: self.on(event, given)
        self._listeners[event].append(listener)
        return listener

    def resource(self) -> EngineResource:
        """A leaf for somebody's tree of twisted.web."""
        from txsocketio.engineio.resource import EngineResource

        return EngineResource(self)

    def site(self, root: IResource | None = None) -> EngineSite:
        """A site of our own, with the light channel; serves `root` beside the engine."""
        from txsocketio.engineio.site import EngineSite

        return EngineSite(self, root)

    def close(self) -> Deferred[None]:
        """End every session without waiting for what it still has to send.

        Returns:
            Fires when the connections are gone, at most two seconds later.
        """
        for session in list(self.sessions.values()):
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
        if not self._middlewares:
            return self._admit(exchange, name)
        self._later(self._ask_middlewares(exchange, name))

    async def _ask_middlewares(self, exchange: Exchange, name: str) -> None:
        extra: list[tuple[bytes, bytes]] = []
        try:
            for middleware in self._middlewares:
                await _result_of(middleware, exchange.request, extra)
        except Exception as error:
            return self._refuse(
                exchange, Refusal(BAD_REQUEST, "Bad request", {"name": "MIDDLEWARE_FAILURE", "error": error})
            )
        exchange.extra = extra
        if not exchange.answered:
            self._admit(exchange, name)

    def _admit(self, exchange: Exchange, name: str) -> None:
        request = exchange.request
        if name and self.files is not None and self.files(exchange, name):
            return
        if request.method == "OPTIONS" and self._cors.is_configured:
            return exchange.respond(204, self._cors.preflight(request))
        try:
            session = self._verify(request)
            if session is None:
                self._ask(exchange)
            elif request.is_upgrade:
                self._upgrade(exchange, session)
            elif len(exchange.body) > self.options.max_http_buffer_size:
                self.answer(exchange, 413)
            else:
                session.transport_in_use.handle(exchange)
        except Refusal as refusal:
            self._refuse(exchange, refusal)

    def _verify(self, request: HTTPRequest) -> Session | None:
        """The session that the request belongs to, or None for a handshake.

        Raises:
            Refusal: in the order of the reference server's checks.
        """
        query = request.query
        transport = query.get("transport")
        origin = request.fields.get(b"origin")
        if origin is not None and _CONTROL.search(origin) is None and not self._cors.allows(request):
            raise Refusal(FORBIDDEN, "Origin not allowed", {"name": "ORIGIN_NOT_ALLOWED", "origin": origin}, 403)
        if transport not in self.options.transports:
            raise Refusal(UNKNOWN_TRANSPORT, "Transport unknown", {"transport": transport})
        if origin is not None and _CONTROL.search(origin) is not None:
            raise Refusal(BAD_REQUEST, "Bad request", {"name": "INVALID_ORIGIN", "origin": origin})
        sid = query.get("sid")
        if not sid:
            return self._verify_handshake(request, transport)
        session = self.sessions.get(sid)
        if session is None:
            raise Refusal(UNKNOWN_SID, "Session ID unknown", {"sid": sid})
        previous = session.transport
        if transport != (previous if not request.is_upgrade else "websocket"):
            context = {"name": "TRANSPORT_MISMATCH", "transport": transport, "previousTransport": previous}
            raise Refusal(BAD_REQUEST, "Bad request", context)
        if query.get("EIO") != "4":
            context = {"name": "PROTOCOL_MISMATCH", "protocol": 3, "previousProtocol": session.protocol}
            raise Refusal(BAD_REQUEST, "Bad request", context)
        return session

    def _verify_handshake(self, request: HTTPRequest, transport: str) -> None:
        if request.method != "GET":
            raise Refusal(BAD_HANDSHAKE_METHOD, "Bad handshake method", {"method": request.method})
        if request.is_upgrade != (transport == "websocket"):
            raise Refusal(BAD_REQUEST, "Bad request", {"name": "TRANSPORT_HANDSHAKE_ERROR"})

    def announce(self, exchange: Exchange) -> None:
        """The head of a POST is here, its body still on the way: answer already what it cannot change.

        Only our own site can tell; as a guest we see a request when it is whole.
        """
        session = self.sessions.get(exchange.request.query.get("sid", ""))
        if isinstance(session, Session) and isinstance(session.transport_in_use, Polling):
            session.transport_in_use.announce(exchange)

    # --- a new session ---

    def _ask(self, exchange: Exchange) -> None:
        if self.options.allow_request is None and self.options.generate_id is None:
            return self._open(exchange, new_sid())
        self._later(self._ask_application(exchange))

    async def _ask_application(self, exchange: Exchange) -> None:
        request = exchange.request
        allow_request, generate_id = self.options.allow_request, self.options.generate_id
        try:
            if allow_request is not None:
                await self._ask_for_leave(allow_request, request)
            sid = new_sid() if generate_id is None else await self._ask_for_sid(generate_id, request)
            if not exchange.answered:
                self._open(exchange, sid)
        except Refusal as refusal:
            self._refuse(exchange, refusal)

    async def _ask_for_leave(self, allow_request: Handler, request: HTTPRequest) -> None:
        message = "Forbidden"
        try:
            if await _result_of(allow_request, request):
                return
        except ConnectionRefused as refused:
            message = refused.message
        except Exception:
            log.failure("allow_request failed")
        raise Refusal(FORBIDDEN, message, {"message": message}, 403)

    async def _ask_for_sid(self, generate_id: Handler, request: HTTPRequest) -> str:
        try:
            sid = await _result_of(generate_id, request)
        except Exception as error:
            log.failure("generate_id failed")
            raise Refusal(BAD_REQUEST, "Bad request", {"name": "ID_GENERATION_ERROR", "error": error}) from None
        if not isinstance(sid, str) or not sid or sid in self.sessions:
            log.error("generate_id must give a new, non-empty text, not {sid!r}", sid=sid)
            raise Refusal(BAD_REQUEST, "Bad request", {"name": "ID_GENERATION_ERROR"})
        return sid

    def _open(self, exchange: Exchange, sid: str) -> None:
        request = exchange.request
        if request.query.get("EIO") != "4":
            raise Refusal(UNSUPPORTED_VERSION, "Unsupported protocol version", {"protocol": 3})
        if request.query["transport"] == "websocket":
            self._open_websocket(exchange, sid)
        else:
            self._open_polling(exchange, sid)
        request.forget()

    def _open_polling(self, exchange: Exchange, sid: str) -> None:
        session = self.sessions[sid] = Session(self, sid, exchange.request)
        polling = Polling(session)
        session.use(polling)
        session.send_outgoing(self._open_packet(sid, ["websocket"] if self._can_upgrade() else []))
        exchange.extra = [*exchange.extra, *self._initial_fields(exchange.request), *self._cookie(sid)]
        self._introduce(session)
        if session.is_open:
            polling.handle(exchange)
        elif not exchange.answered:
            self.answer(exchange, 400)

    def _open_websocket(self, exchange: Exchange, sid: str) -> None:
        key = self._websocket_key(exchange)
        session = self.sessions[sid] = Session(self, sid, exchange.request)
        websocket, rest = self._switch(exchange, session, key, self._initial_fields(exchange.request))
        session.use(websocket)
        session.send_outgoing(self._open_packet(sid, []))
        self._introduce(session)
        websocket.flush()
        if rest:
            websocket.dataReceived(rest)

    def _introduce(self, session: Session) -> None:
        if self.options.initial_packet is not None:
            session.send(self.options.initial_packet)
        self.on_session(session)

    def _announce_session(self, session: Session) -> None:
        for listener in self._listeners["connection"]:
            listener(session)

    def _open_packet(self, sid: str, upgrades: list[str]) -> Outgoing:
        options = self.options
        return Outgoing.packet(
            encode_open(sid, upgrades, options.ping_interval, options.ping_timeout, options.max_http_buffer_size)
        )

    def _can_upgrade(self) -> bool:
        return self.options.allow_upgrades and "websocket" in self.options.transports

    def forget(self, session: Session) -> None:
        """The session is over."""
        self.sessions.pop(session.sid, None)

    # --- WebSocket ---

    def _upgrade(self, exchange: Exchange, session: Session) -> None:
        polling = session.transport_in_use
        if not isinstance(polling, Polling) or session.upgrade or not session.is_open or not self._can_upgrade():
            # The reference server answers 101 and closes; a client learns more from a refusal.
            raise Refusal(BAD_REQUEST, "Bad request", {"name": "UPGRADE_NOT_POSSIBLE"})
        key = self._websocket_key(exchange)
        websocket, rest = self._switch(exchange, session, key, [])
        websocket.session = Upgrade(session, polling, websocket)
        websocket.flush()
        if rest:
            websocket.dataReceived(rest)

    def _websocket_key(self, exchange: Exchange) -> bytes:
        if exchange.transport is None:
            raise Refusal(BAD_REQUEST, "Bad request", {"name": "TRANSPORT_HANDSHAKE_ERROR"})
        try:
            return handshake.check(exchange.request)
        except handshake.BadHandshake as error:
            exchange.extra = [*exchange.extra, *error.fields]
            raise Refusal(BAD_REQUEST, str(error), {"name": "TRANSPORT_HANDSHAKE_ERROR"}) from None

    def _switch(
        self, exchange: Exchange, session: Session, key: bytes, initial: list[tuple[bytes, bytes]]
    ) -> tuple[WebSocket, bytes]:
        """Make the connection a WebSocket; its 101 is held back.

        Returns:
            The WebSocket, and what has been received behind the request.
        """
        request = exchange.request
        transport = exchange.transport
        kinds = self._websocket_classes
        websocket = kinds.get(transport.__class__, kinds[object])()
        fields = [*self._fields(request), *exchange.extra, *initial]
        if self._deflate is not None and (accepted := handshake.accept_deflate(request, self._deflate)) is not None:
            websocket._perMessageCompress, extension = accepted
            websocket.deflate_threshold = self._deflate.get("threshold", 1024)
            fields.append((b"Sec-WebSocket-Extensions", extension))
        rest = exchange.hand_over(websocket)
        self.websockets.add(websocket)
        websocket.start(transport, session, handshake.answer(key, fields))
        return websocket, rest

    def websocket_gone(self, websocket: WebSocket) -> None:
        """The connection has ended."""
        self.websockets.discard(websocket)
        if not self.websockets and self._closing is not None:
            closing, self._closing = self._closing, None
            closing.callback(None)

    # --- answers ---

    def respond(self, exchange: Exchange, kind: tuple[bytes, bytes], body: bytes, may_compress: bool = False) -> None:
        """Answer 200 with a body, compressed if that is allowed, worth it and accepted."""
        fields = [kind]
        compression = self._compression
        if may_compress and compression is not None and len(body) >= compression.get("threshold", 1024):
            coded = compress(exchange.request.fields.get(b"accept-encoding", b""), body)
            if coded is not None:
                fields.append((b"Content-Encoding", coded[0]))
                body = coded[1]
        fields.append(NO_STORE)
        if kind is TEXT_FIELD and _EDGE.search(exchange.request.headers.get("user-agent", "")):
            # Old Internet Explorers would look for scripts in the answer.
            fields.append((b"X-XSS-Protection", b"0"))
        self.answer(exchange, 200, fields, body)

    def answer(
        self, exchange: Exchange, status: int, fields: Fields = (), body: bytes = b"", close: bool = False
    ) -> None:
        """Answer, with what every answer gets: CORS, the application's fields."""
        exchange.respond(status, [*self._fields(exchange.request), *fields, *exchange.extra], body, close)

    def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        request = exchange.request
        for listener in self._listeners["connection_error"]:
            listener(request, refusal)
        if request.is_upgrade and refusal.message != "Origin not allowed":
            # The reference server answers an upgrade with the bare text, and 400 whatever the code.
            self.answer(exchange, 400, [HTML_FIELD], refusal.message.encode(), close=True)
        else:
            body = dumps({"code": refusal.code, "message": refusal.message})
            self.answer(exchange, refusal.status, [JSON_FIELD], body, close=request.is_upgrade)

    def _fields(self, request: HTTPRequest) -> list[tuple[bytes, bytes]]:
        fields = self._cors.fields(request)
        if self._listeners["headers"]:
            fields += self._asked_fields("headers", request)
        return fields

    def _initial_fields(self, request: HTTPRequest) -> list[tuple[bytes, bytes]]:
        return self._asked_fields("initial_headers", request) if self._listeners["initial_headers"] else []

    def _asked_fields(self, event: str, request: HTTPRequest) -> list[tuple[bytes, bytes]]:
        headers: dict[str, str] = {}
        for listener in self._listeners[event]:
            listener(headers, request)
        return [(name.encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()]

    def _cookie(self, sid: str) -> list[tuple[bytes, bytes]]:
        given = self.options.cookie
        if not given:
            return []
        table = given if isinstance(given, dict) else {"name": given} if isinstance(given, str) else {}
        parts = [f"{table.get('name', 'io')}={sid}"]
        for key, label, default in (
            ("max_age", "Max-Age", None), ("domain", "Domain", None), ("path", "Path", "/"),
            ("http_only", "HttpOnly", True), ("secure", "Secure", False), ("same_site", "SameSite", "lax"),
        ):  # fmt: skip
            value = table.get(key, default)
            if value is True:
                parts.append(label)
            elif value not in (None, False):
                parts.append(f"{label}={str(value).capitalize() if key == 'same_site' else value}")
        return [(b"Set-Cookie", "; ".join(parts).encode("latin-1"))]

    def _later(self, waiting: Coroutine[Any, Any, None]) -> None:
        ensureDeferred(waiting).addErrback(lambda failure: log.failure("A request could not be answered", failure))


def settings(given: Json, name: str) -> dict[str, int] | None:
    """The table of an option that may also be a boolean; None when it is off."""
    if given is False or given is None:
        return None
    table = {} if given is True else dict(given)
    for key in table:
        if key not in ("threshold", "window_bits", "mem_level"):
            raise OptionError(f"{name} has no {key!r}")
    return table


async def _result_of(function: Handler, *arguments: object) -> Any:
    """What a function of the application gives, however it does that."""
    result = function(*arguments)
    return await result if isinstance(result, (Deferred, Coroutine)) else result
