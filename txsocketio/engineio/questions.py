"""What the application is asked about a request: the middlewares, `allow_request` and `generate_id`.

Each of them may wait, for `middleware_timeout` at most; what is no answer, or a wrong one, is a Refusal.
"""

from __future__ import annotations

import re
from collections.abc import Container, Coroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from txsocketio.engineio.checks import bad_request, closing, forbidden
from txsocketio.errors import ConnectionRefused, Refusal

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.engineio.options import EngineOptions
    from txsocketio.engineio.request import HTTPRequest
    from txsocketio.types import Handler

log = Logger()

#: RFC 6265, 4.1.1: what the value of a cookie consists of.
_SID = re.compile(r"[!#-+\--:<-\[\]-~]+")


class Questions:
    """Those of one engine.

    Args:
        options: the engine's.
        taken: the ids that a new session cannot have.
        clock: where time comes from.

    Attributes:
        middlewares: who is asked about each request, in this order.
    """

    def __init__(self, options: EngineOptions, taken: Container[str], clock: IReactorTime) -> None:
        self.middlewares: list[Handler] = []
        self._options = options
        self._taken = taken
        self._clock = clock
        self._waiting: set[Deferred[Any]] = set()

    @property
    def are_about_clients(self) -> bool:
        """Whether there is something to ask about a client that has no session yet."""
        return self._options.allow_request is not None or self._options.generate_id is not None

    async def pass_middlewares(self, request: HTTPRequest) -> list[tuple[object, object]]:
        """The fields that the answer to the request gets besides.

        Raises:
            Refusal: one of the middlewares has raised an exception.
        """
        fields: list[Any] = []
        for middleware in self.middlewares:
            try:
                await self._ask(middleware, request, fields)
            except Refusal:
                raise
            except Exception as error:  # noqa: BLE001 - a border, the application's code
                raise bad_request("MIDDLEWARE_FAILURE", error=error) from None
        return fields

    async def sid_for(self, request: HTTPRequest) -> str | None:
        """The id of the session that the request may begin; None when the application leaves that to us.

        Raises:
            Refusal: it may not.
        """
        if self._options.allow_request is not None:
            await self._ask_for_leave(self._options.allow_request, request)
        if self._options.generate_id is None:
            return None
        return await self._ask_for_sid(self._options.generate_id, request)

    async def _ask_for_leave(self, allow_request: Handler, request: HTTPRequest) -> None:
        message = "Forbidden"
        try:
            if await self._ask(allow_request, request):
                return
        except ConnectionRefused as refused:
            message = refused.message
        except Refusal:
            raise
        except Exception:  # noqa: BLE001 - a border, the application's code
            log.failure("allow_request failed")
        raise forbidden(message)

    async def _ask_for_sid(self, generate_id: Handler, request: HTTPRequest) -> str:
        try:
            sid = await self._ask(generate_id, request)
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - a border, the application's code
            log.failure("generate_id failed")
            raise bad_request("ID_GENERATION_ERROR", error=error) from None
        if not isinstance(sid, str) or _SID.fullmatch(sid) is None or sid in self._taken:
            log.error("generate_id must give a new id that a cookie can hold, not {sid!r}", sid=sid)
            raise bad_request("ID_GENERATION_ERROR")
        return sid

    async def _ask(self, function: Handler, *arguments: object) -> Any:
        """What a function of the application gives, however it does that."""
        result = function(*arguments)
        if isinstance(result, Coroutine):
            result = Deferred.fromCoroutine(result)
        if not isinstance(result, Deferred):
            return result
        self._waiting.add(result)
        try:
            return await result.addTimeout(self._options.middleware_timeout, self._clock)
        except CancelledError:
            if result in self._waiting:
                raise  # the application's own doing
            raise closing() from None
        finally:
            self._waiting.discard(result)

    def give_up(self) -> None:
        """Wait for no answer any more: refuse whoever is asked about."""
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            each.cancel()
