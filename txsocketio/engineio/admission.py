"""How many clients an engine takes, in total and from one address; a handshake above that is refused.

What is counted are sessions, from the answer to the handshake until the end, whatever number of TCP connections each
one uses. With `trusted_proxies` the address is the one that the proxies tell.
"""

from __future__ import annotations

from collections.abc import Sized
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from twisted.logger import Logger

from txsocketio.engineio.checks import FORBIDDEN, SERVICE_UNAVAILABLE
from txsocketio.engineio.log_pause import LogPause
from txsocketio.errors import Refusal

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.engineio.options import EngineOptions
    from txsocketio.engineio.request import HTTPRequest

log = Logger()

TOO_MANY_REQUESTS = 429


class Admission:
    """Whether there is room for one more client.

    Args:
        options: the engine's.
        sessions: the clients that are there.
        clock: where time comes from.
    """

    def __init__(self, options: EngineOptions, sessions: Sized, clock: IReactorTime) -> None:
        self._total = options.max_connections
        self._each = options.max_connections_per_address
        self._sessions = sessions
        self._counts: dict[str, int] = {}
        self._pause = LogPause(clock)

    def __len__(self) -> int:
        return len(self._counts)

    def check(self, request: HTTPRequest) -> None:
        """Raise a Refusal if there is no room for the client that sent the request."""
        if self._total is not None and len(self._sessions) >= self._total:
            raise self._refusal(SERVICE_UNAVAILABLE, "Too many connections", "max_connections", request)
        if self._each is not None and self._counts.get(place_of(request.address), 0) >= self._each:
            message = "Too many connections from this address"
            raise self._refusal(TOO_MANY_REQUESTS, message, "max_connections_per_address", request)

    def enter(self, request: HTTPRequest) -> None:
        """The client comes in.

        Raises:
            Refusal: there is no room for it.
        """
        self.check(request)
        place = place_of(request.address)
        if self._each is not None and place:
            self._counts[place] = self._counts.get(place, 0) + 1

    def leave(self, request: HTTPRequest) -> None:
        """The client that came in with the request is gone."""
        place = place_of(request.address)
        if place in self._counts:
            self._counts[place] -= 1
            if not self._counts[place]:
                del self._counts[place]

    def _refusal(self, status: int, message: str, limit: str, request: HTTPRequest) -> Refusal:
        if self._pause.is_over():
            log.warn("Refused a client from {address}: {limit} is reached", address=request.address, limit=limit)
        return Refusal(FORBIDDEN, message, {"limit": limit, "address": request.address}, status)


def place_of(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, as every customer has at least so many to choose from."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.exploded[:19]
