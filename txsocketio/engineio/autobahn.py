"""Autobahn's WebSocket protocol, begun in its open state and silent.

The opening handshake is ours (`handshake.py`), and hardly anything is used of what Autobahn sets up for a connection.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats, WebSocketProtocol
from autobahn.websocket.utf8validator import Utf8Validator
from twisted.internet import tcp

if TYPE_CHECKING:
    from autobahn.websocket.compress_deflate import PerMessageDeflate

OPEN = WebSocketProtocol.STATE_OPEN
CLOSED = WebSocketProtocol.STATE_CLOSED

#: Autobahn may miss by two bytes what a message inflates to, so it is given more and the exact limit is ours.
INFLATE_MARGIN = 1024


class _Silence:
    """Instead of Autobahn's logger, which formats a line for each write and warns of every client's mistake."""

    def debug(self, *args: object, **more: object) -> None: ...

    info = warn = error = trace = debug


class OpenProtocol(WebSocketServerProtocol):  # type: ignore[misc]  # Autobahn's classes are not typed
    """Autobahn's protocol without its opening handshake.

    Attributes:
        max_size: of a message, in bytes; set on the class by `connection_classes`.
    """

    log = _Silence()
    max_size: int

    # What Autobahn sets on every connection stands on the class; a test compares it with what Autobahn does.
    # Its own way formats 40 options for a log line that nobody reads: 140 us a connection (benchmarks, connect).
    state = OPEN
    send_state = WebSocketProtocol.SEND_STATE_GROUND
    data = b""
    send_queue: ClassVar[deque[Any]] = deque()
    triggered = False
    trafficStats = TrafficStats()
    utf8validator = Utf8Validator()
    trackedTimings = None
    wasMaxFramePayloadSizeExceeded = wasMaxMessagePayloadSizeExceeded = False
    closedByMe = failedByMe = droppedByMe = wasClean = False
    wasNotCleanReason = None
    wasOpenHandshakeTimeout = wasCloseHandshakeTimeout = wasServerConnectionDropTimeout = False
    wasServingFlashSocketPolicyFile = False
    localCloseCode = localCloseReason = remoteCloseCode = remoteCloseReason = None
    openHandshakeTimeoutCall = closeHandshakeTimeoutCall = None
    autoPingTimeoutCall = autoPingPending = autoPingPendingCall = autoPingPendingSent = None
    autoPingPendingSeq = 0
    websocket_protocol_in_use = None
    websocket_version = 13
    inside_message = False
    current_frame = None
    transport: Any = None
    _perMessageCompress: PerMessageDeflate | None = None

    def __init__(self) -> None:
        """Nothing: Autobahn's own makes futures and tables that are not used here."""


P = TypeVar("P", bound=OpenProtocol)


@cache
def connection_classes(max_size: int, any_transport: type[P], plain_tcp: type[P]) -> dict[type, type[P]]:
    """The classes of connections with this limit, by the class of the transport."""
    # Kept for all engines: what zope.interface remembers of a class never lets it go.
    factory = WebSocketServerFactory()
    factory.setProtocolOptions(
        maxMessagePayloadSize=max_size + INFLATE_MARGIN,
        maxFramePayloadSize=max_size,
        utf8validateIncoming=False,
        failByDrop=False,
        echoCloseCodeReason=True,
        allowNullOrigin=True,
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
    )
    fixed = {name: getattr(factory, name) for name in WebSocketServerProtocol.CONFIG_ATTRS}
    fixed |= {"factory": factory, "max_size": max_size}
    return {
        tcp.Server: type(plain_tcp.__name__, (plain_tcp,), fixed),
        object: type(any_transport.__name__, (any_transport,), fixed),
    }
