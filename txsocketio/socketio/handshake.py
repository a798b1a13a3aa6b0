"""What a client showed when it came."""

from __future__ import annotations

from collections.abc import Mapping
from time import gmtime, strftime

from txsocketio.engineio.request import HTTPRequest
from txsocketio.types import Json


class Handshake:
    """The first request of a client, and what it sent to be let into the namespace.

    Only what differs between clients is kept; the rest is read from the request when it is asked for.

    Attributes:
        auth: the client's `auth`, a dict; empty when there was none.
        issued: when it asked for the namespace, in milliseconds since 1970.
    """

    __slots__ = ("_request", "auth", "issued")

    def __init__(self, request: HTTPRequest, auth: dict[str, Json], issued: int) -> None:
        self._request = request
        self.auth = auth
        self.issued = issued

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields of the request; names in any case."""
        return self._request.headers

    @property
    def query(self) -> dict[str, str]:
        """The query of the request's URL; of equal keys the last one."""
        return self._request.query

    @property
    def url(self) -> str:
        """The target of the request, with its query."""
        return self._request.url

    @property
    def address(self) -> str:
        """The address of the client."""
        return self._request.address

    @property
    def secure(self) -> bool:
        """Whether the client came over TLS."""
        return self._request.secure

    @property
    def xdomain(self) -> bool:
        """Whether the request named an Origin."""
        return "origin" in self._request.headers

    @property
    def time(self) -> str:
        """When it asked for the namespace, as JavaScript writes a date."""
        return strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)", gmtime(self.issued / 1000))

    # --- between servers ---

    def description(self) -> dict[str, Json]:
        """All of it, as servers tell it one another."""
        names = ("time", "address", "xdomain", "secure", "issued", "url", "query", "auth")
        return {"headers": dict(self.headers), **{name: getattr(self, name) for name in names}}

    @classmethod
    def described(cls, description: Mapping[str, Json]) -> Handshake:
        """The handshake that another server has described."""
        fields = {
            str(name).lower().encode("latin-1", "replace"): str(value).encode("latin-1", "replace")
            for name, value in description["headers"].items()
        }
        peer = description["address"], description["secure"]
        return cls(HTTPRequest("GET", description["url"], fields, peer), description["auth"], description["issued"])
