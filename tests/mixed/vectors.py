"""What servers of Node.js say to one another, recorded byte by byte: golden vectors for our adapters.

`vectors/KIND.json` has the operations of one adapter and what they make it send to Redis. Names that are drawn by lot
(of adapters, requests, sockets) are replaced by fixed ones of the same length. test_vectors.py compares the files with
what the servers say today, and writes them anew:

    RECORD=1 pytest tests/mixed/test_vectors.py
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgpack

from tests.mixed.monitor import Command

FOLDER = Path(__file__).with_name("vectors")

#: What the recorded servers and their client are called in the vectors.
FIRST = {6: "first-", 16: "f" * 16}
SECOND = {6: "second", 16: "5" * 16}
CLIENT = "client-of-the-second"
PID = "secret-of-the-client"


@dataclass
class Said:
    """One thing that a server sent to Redis.

    Attributes:
        command: "PUBLISH", "SPUBLISH", "XADD" or "SET".
        place: the channel, the stream or the key.
        options: the rest of the command's words, as in "MAXLEN ~ 10000".
        fields: of an entry of a stream, in their order, without the last one, `data`, which is the payload.
        payload: in hexadecimal digits, what was published or kept.
        means: the payload as JSON: bytes are {"hex": "…"}, dates {"date": "…"}.
    """

    command: str
    place: str
    options: str
    fields: dict[str, str]
    payload: str
    means: Any


@dataclass
class Vector:
    """One operation of the Node server, in JavaScript, and all that was said because of it, in order."""

    name: str
    code: str
    said: list[Said]


def load(kind: str) -> list[Vector]:
    """The vectors of an adapter."""
    read = json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8"))
    return [Vector(each["name"], each["code"], [Said(**said) for said in each["said"]]) for each in read]


def save(kind: str, vectors: Iterable[Vector]) -> None:
    lines = ",\n".join(json.dumps(asdict(vector), ensure_ascii=False) for vector in vectors)
    (FOLDER / f"{kind}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


class Names:
    """The fixed names that stand for those drawn by lot.

    Args:
        known: the fixed name of each.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._fixed = {drawn.encode(): fixed.encode() for drawn, fixed in known.items()}
        self._requests = 0

    def replace(self, commands: Iterable[Command]) -> list[Said]:
        """What the commands say, with fixed names."""
        return [self._said(command) for command in commands]

    def _said(self, command: Command) -> Said:
        verb, place, *words = command
        if verb == b"XADD":
            id = words.index(b"*")
            options, words = words[:id], words[id + 1 :]
            fields = dict(zip(words[::2], words[1::2], strict=True))
            payload = fields.pop(b"data")
        else:
            payload, *options = words
            fields = {}
        for request in requests(meaning(payload)):
            self._learn(request.encode())
        payload = self._fix_encoded(payload)
        return Said(
            verb.decode(),
            self._fix(place).decode(),
            b" ".join(options).decode(),
            {name.decode(): self._fix(value).decode() for name, value in fields.items()},
            payload.hex(),
            readable(meaning(payload)),
        )

    def _learn(self, request: bytes) -> None:
        if request not in self._fixed:
            self._requests += 1
            self._fixed[request] = b"%0*d" % (len(request), self._requests)

    def _fix(self, text: bytes) -> bytes:
        for drawn, fixed in self._fixed.items():
            text = text.replace(drawn, fixed)
        return text

    def _fix_encoded(self, payload: bytes) -> bytes:
        inner = from_base64(payload)
        return self._fix(payload) if inner is None else base64.b64encode(self._fix(inner))


def meaning(payload: bytes) -> Any:
    """What a payload stands for: JSON, MessagePack, or MessagePack in base64."""
    if payload[:1] == b"{":
        return json.loads(payload)
    return msgpack.unpackb(from_base64(payload) or payload, timestamp=3, strict_map_key=False)


def from_base64(payload: bytes) -> bytes | None:
    # Every MessagePack that is published begins with a byte above 0x7f: a map, or a list.
    return base64.b64decode(payload) if payload.isascii() and payload[:1] != b"{" else None


def requests(value: Any) -> Iterator[str]:
    """The ids of requests in it."""
    if isinstance(value, dict):
        if isinstance(id := value.get("requestId"), str):
            yield id
        for item in value.values():
            yield from requests(item)


def readable(value: Any) -> Any:
    """The value in JSON's terms."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, datetime):
        return {"date": value.isoformat()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    return value
