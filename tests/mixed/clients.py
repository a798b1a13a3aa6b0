"""Clients of the servers of a mixed cluster: raw ones, to which every server is the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from tests.sessions import WEBSOCKET, WebSocket

LOOPBACK = "127.0.0.1"

#: A packet with an event or with an answer: the number of its attachments, its namespace, its id, its arguments.
PACKET = re.compile(r"4[2356](?:(?P<attachments>\d+)-)?(?:/\w+,)?(?P<id>\d*)(?P<arguments>\[.*)", re.DOTALL)


class Client:
    """A client of one namespace, over WebSocket; it answers in the main one only.

    Attributes:
        id: of its socket.
        pid: the secret with which it comes back, where the server recovers clients.
        missed: the events that came before the client was connected: a server of Node.js sends first what was missed.
    """

    def __init__(self, session: WebSocket) -> None:
        self.id = ""
        self.pid: str | None = None
        self.missed: list[list[Any]] = []
        self._session = session

    @classmethod
    async def connect(
        cls, port: int, *rooms: str, name: str = "", namespace: str = "/", auth: dict[str, str] | None = None
    ) -> Client:
        """Connect, under a name that the server keeps, and join rooms."""
        query = urlencode({"rooms": ",".join(rooms), "name": name})
        session = await WebSocket.open((LOOPBACK, port), f"{WEBSOCKET}&{query}")
        client = cls(session)
        await client._join("40" if namespace == "/" else f"40{namespace},", auth)
        return client

    async def _join(self, packet: str, auth: dict[str, str] | None) -> None:
        await self._session.send(packet + (json.dumps(auth) if auth else ""))
        while not (reply := await self._session.read()).startswith(packet):
            self.missed.append((await self._parse(reply))[0])
        connected = json.loads(reply.removeprefix(packet))
        self.id, self.pid = connected["sid"], connected.get("pid")

    async def event(self) -> list[Any]:
        """The next event: its name and its arguments."""
        return (await self.packet())[0]

    async def packet(self) -> tuple[list[Any], int | None]:
        """The next event, or answer, and its id."""
        return await self._parse(await self._session.read())

    async def _parse(self, received: str | bytes) -> tuple[list[Any], int | None]:
        packet = PACKET.fullmatch(received) if isinstance(received, str) else None
        assert packet, received
        attachments = [await self._session.read() for _ in range(int(packet["attachments"] or 0))]
        arguments = json.loads(packet["arguments"], object_hook=lambda value: filled(value, attachments))
        return arguments, int(packet["id"]) if packet["id"] else None

    async def asked(self) -> int:
        """The id of the next event that wants an answer; those before it that want none are passed over."""
        while (id := (await self.packet())[1]) is None:
            pass
        return id

    async def answer(self, id: int, value: object) -> None:
        """Acknowledge an event."""
        attachments: list[bytes] = []

        def attach(data: bytes) -> dict[str, object]:
            attachments.append(data)
            return {"_placeholder": True, "num": len(attachments) - 1}

        text = json.dumps([value], default=attach)
        kind = f"46{len(attachments)}-" if attachments else "43"
        await self._session.send(f"{kind}{id}{text}", *attachments)

    async def ended(self) -> str | bytes:
        """What the server says as the last thing."""
        return await self._session.read()

    def leave(self) -> None:
        """Go without a word; only what the server has read is sure to have arrived."""
        self._session.wire.close()

    def cut(self) -> None:
        """Lose the connection, as by a reset."""
        self._session.wire.reset()


def filled(value: dict[str, Any], attachments: Iterable[str | bytes]) -> Any:
    return list(attachments)[value["num"]] if value.get("_placeholder") else value
