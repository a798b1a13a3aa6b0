"""What must be right about a request, in the order in which the reference server looks at it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from txsocketio.errors import Refusal

if TYPE_CHECKING:
    from txsocketio.engineio.cors import CORS
    from txsocketio.engineio.options import EngineOptions
    from txsocketio.engineio.request import HTTPRequest
    from txsocketio.engineio.session import Session

#: The reference server's numbers for what is wrong with a request.
UNKNOWN_TRANSPORT, UNKNOWN_SID, BAD_HANDSHAKE_METHOD, BAD_REQUEST, FORBIDDEN, UNSUPPORTED_VERSION = range(6)

SERVICE_UNAVAILABLE = 503

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def bad_request(name: str, **context: object) -> Refusal:
    """A refusal with code 3; its name says why, to the application only."""
    return Refusal(BAD_REQUEST, "Bad request", {"name": name, **context})


def forbidden(message: str, **context: object) -> Refusal:
    """A refusal with code 4."""
    return Refusal(FORBIDDEN, message, {"message": message, **context}, 403)


def closing() -> Refusal:
    """A refusal of who comes after the end; with code 4 too, as the reference server has none for that."""
    return Refusal(FORBIDDEN, "Server is closing", {"closing": True}, SERVICE_UNAVAILABLE)


def verify(request: HTTPRequest, options: EngineOptions, cors: CORS, sessions: Mapping[str, Session]) -> Session | None:
    """The session that the request belongs to, or None for a handshake.

    Raises:
        Refusal: it belongs to none, and must not begin one.
    """
    origin = request.fields.get(b"origin")
    is_text = origin is None or _CONTROL.search(origin) is None
    if origin is not None and is_text and not cors.allows(request):
        raise forbidden("Origin not allowed", origin=origin)
    transport = request.query.get("transport")
    if transport not in options.transports:
        raise Refusal(UNKNOWN_TRANSPORT, "Transport unknown", {"transport": transport})
    if not is_text:
        raise bad_request("INVALID_ORIGIN", origin=origin)
    sid = request.query.get("sid")
    if not sid:
        verify_handshake(request, transport)
        return None
    session = sessions.get(sid)
    if session is None:
        raise Refusal(UNKNOWN_SID, "Session ID unknown", {"sid": sid})
    verify_session(request, transport, session)
    return session


def verify_handshake(request: HTTPRequest, transport: str | None) -> None:
    """Check a request without a sid."""
    if request.method != "GET":
        raise Refusal(BAD_HANDSHAKE_METHOD, "Bad handshake method", {"method": request.method})
    if request.is_upgrade != (transport == "websocket"):
        raise bad_request("TRANSPORT_HANDSHAKE_ERROR")


def verify_session(request: HTTPRequest, transport: str | None, session: Session) -> None:
    """Check a request with the sid of a session."""
    expected = "websocket" if request.is_upgrade else session.transport
    if transport != expected:
        raise bad_request("TRANSPORT_MISMATCH", transport=transport, previousTransport=session.transport)
    if protocol_of(request) != session.protocol:
        raise bad_request("PROTOCOL_MISMATCH", protocol=protocol_of(request), previousProtocol=session.protocol)
    if request.is_upgrade and session.transport == "polling" and not session.can_upgrade:
        # The reference server answers 101 and closes; a client learns more from a refusal.
        raise bad_request("UPGRADE_NOT_POSSIBLE")


def verify_protocol(request: HTTPRequest, options: EngineOptions) -> None:
    """Check the version of Engine.IO that a new client speaks."""
    if protocol_of(request) != 4 and not options.allow_eio3:
        raise Refusal(UNSUPPORTED_VERSION, "Unsupported protocol version", {"protocol": protocol_of(request)})


def protocol_of(request: HTTPRequest) -> int:
    """The version of Engine.IO; whatever is not 4 counts as 3, as with the reference server."""
    return 4 if request.query.get("EIO") == "4" else 3
