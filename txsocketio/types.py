"""The vocabulary that every layer shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

#: What JSON can carry, and `bytes` at any depth. Typing it exactly would force a cast on every reader.
Json: TypeAlias = Any

#: What an application registers: `def`, `async def`, or a callable that returns a Deferred.
Handler: TypeAlias = Callable[..., Any]

#: The query of a URL; of equal keys the last one.
Query: TypeAlias = Mapping[str, str]
