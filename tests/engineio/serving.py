"""An engine that is asked, and what its application hears."""

from __future__ import annotations

import json

from tests.engineio.doubles import POLLING, FakeExchange, Log, new_engine, new_request
from tests.engineio.line import Line, upgrade_request
from txsocketio.engineio.session import Session
from txsocketio.errors import Refusal
from txsocketio.types import Json


class Rig:
    """An engine, and what its application hears."""

    def __init__(self, **options: Json) -> None:
        self.engine = new_engine(**options)
        self.log = Log()
        self.sessions: list[Session] = []
        self.refusals: list[Refusal] = []
        self.engine.on("connection", self._welcome)
        self.engine.on("connection_error", lambda request, refusal: self.refusals.append(refusal))

    def _welcome(self, session: Session) -> None:
        self.sessions.append(session)
        self.log.append(f"connection {session.transport}")
        self.log.listen(session)

    def ask(self, query: str = POLLING, method: str = "GET", body: bytes = b"", **fields: str) -> FakeExchange:
        make = upgrade_request if "websocket" in query else new_request
        request = make(query, **fields) if make is upgrade_request else make(method, query, **fields)
        exchange = FakeExchange(request, body, Line())
        self.engine.handle(exchange)
        return exchange

    def code(self, exchange: FakeExchange) -> int:
        code: int = json.loads(exchange.text)["code"]
        return code
