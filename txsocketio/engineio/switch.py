"""Making HTTP connections WebSockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txsocketio.engineio import handshake
from txsocketio.engineio.answers import SIZES, Answers, table_of
from txsocketio.engineio.autobahn import connection_classes
from txsocketio.engineio.checks import BAD_REQUEST, bad_request
from txsocketio.engineio.websocket import TCPWebSocket, WebSocket
from txsocketio.engineio.websocket3 import Base64Outgoing, TCPWebSocket3, WebSocket3
from txsocketio.errors import Refusal

if TYPE_CHECKING:
    from txsocketio.engineio.exchange import Exchange
    from txsocketio.engineio.options import EngineOptions
    from txsocketio.engineio.session import Session

DEFLATE_KEYS = {"threshold": SIZES, "window_bits": range(9, 16), "mem_level": range(1, 10)}


class Switch:
    """What makes the WebSocket connections of one engine.

    Args:
        options: the engine's.
        answers: what every answer carries is in the 101 too.
    """

    def __init__(self, options: EngineOptions, answers: Answers) -> None:
        size = options.max_http_buffer_size
        self._answers = answers
        self._classes = connection_classes(size, WebSocket, TCPWebSocket)
        self._classes3 = connection_classes(size, WebSocket3, TCPWebSocket3)
        self._deflate = table_of(options.per_message_deflate, "per_message_deflate", DEFLATE_KEYS)

    def key_of(self, exchange: Exchange) -> bytes:
        """The key of an opening handshake.

        Raises:
            Refusal: it is none, or the connection cannot become a WebSocket.
        """
        if exchange.transport is None:
            raise bad_request("TRANSPORT_HANDSHAKE_ERROR")
        try:
            return handshake.check(exchange.request)
        except handshake.BadHandshake as error:
            exchange.extra = [*exchange.extra, *error.fields]
            raise Refusal(BAD_REQUEST, str(error), {"name": "TRANSPORT_HANDSHAKE_ERROR"}) from None

    def take_over(self, exchange: Exchange, session: Session, key: bytes) -> tuple[WebSocket, bytes]:
        """Make the connection a WebSocket; its 101 is held back.

        Returns:
            The WebSocket, and what has been received behind the request.
        """
        request = exchange.request
        transport = exchange.transport
        kinds = self._classes if session.protocol == 4 else self._classes3
        websocket = kinds.get(transport.__class__, kinds[object])()
        if isinstance(websocket, WebSocket3) and request.query.get("b64"):
            websocket.binary_form = Base64Outgoing
        fields = self._answers.fields(exchange, ())
        if self._deflate is not None and (accepted := handshake.accept_deflate(request, self._deflate)) is not None:
            websocket._perMessageCompress, extension = accepted
            websocket.deflate_threshold = self._deflate.get("threshold", 1024)
            fields.append((b"Sec-WebSocket-Extensions", extension))
        rest = exchange.hand_over(websocket)
        websocket.start(transport, session, handshake.answer(key, fields))
        return websocket, rest
