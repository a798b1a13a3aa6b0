"""One HTTP request and the one answer it gets.

There are two kinds, so that whatever decides about a request is written once: `resource.WebExchange` wraps a request of
twisted.web, `site.LightExchange` one that our own channel has taken before twisted.web saw it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.web.http import RESPONSES

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocol, ITCPTransport

    from txsocketio.engineio.request import HTTPRequest

#: What stands behind the status. RFC 6585, 4 for the one that twisted.web does not know.
REASONS = {**RESPONSES, 429: b"Too Many Requests"}

#: A response header field, and several in the order in which they are written.
Field = tuple[bytes, bytes]
Fields = Sequence[Field]


class Exchange:
    """A request that is waiting for its answer.

    Attributes:
        request: the head of the request.
        body: its whole body.
        on_lost: called when the connection goes away before the answer has left.
        answered: whether it has its answer, or can have none any more.
        extra: fields that its answer gets besides those of every answer.
        unread: whether so much of its answer waits for the client to read that the connection can take no more.
    """

    __slots__ = ("answered", "body", "extra", "on_lost", "request", "unread")

    def __init__(self, request: HTTPRequest, body: bytes) -> None:
        self.request = request
        self.body = body
        self.on_lost: Callable[[], None] | None = None
        self.answered = False
        self.extra: Fields = ()
        self.unread = False

    def respond(self, status: int, fields: Fields, body: bytes = b"", close: bool = False) -> None:
        """Answer, with a Content-Length; nothing happens when the exchange is `answered`.

        Args:
            close: whether to end the connection behind the answer.
        """
        raise NotImplementedError

    def drop(self) -> None:
        """End the connection without an answer."""
        raise NotImplementedError

    def abort(self) -> None:
        """End the connection without waiting until the client has read its answer."""
        raise NotImplementedError

    @property
    def transport(self) -> ITCPTransport | None:
        """What the connection runs over, or None when it cannot be handed over (HTTP/2)."""
        raise NotImplementedError

    def hand_over(self, protocol: IProtocol) -> bytes:
        """Let `protocol` have the connection from now on.

        Returns:
            What has been received behind the request.
        """
        raise NotImplementedError

    def watch(self, on_lost: Callable[[], None] | None = None) -> None:
        """Notice when the connection goes away before the answer has left, and call `on_lost` then."""
        self.on_lost = on_lost

    def lost(self) -> None:
        """The connection went away."""
        if not self.answered or self.unread:
            self.answered, self.unread = True, False
            if self.on_lost is not None:
                self.on_lost()
