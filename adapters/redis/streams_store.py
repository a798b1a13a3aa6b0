"""What a node writes into Redis: entries of a stream, each once, and the sessions of clients."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from twisted.internet.defer import Deferred

from txsocketio.cluster.outbox import Outbox
from txsocketio.cluster.sessions import GRACE
from txsocketio.errors import BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from txsocketio.adapters.redis.client import RedisClient
    from txsocketio.adapters.redis.streams_wire import Written
    from txsocketio.cluster.options import ClusterOptions

#: Seconds for which Redis remembers the number of the last entry of a node: longer than any outage after which a node
#: still asks whether an entry is there.
MEMORY = 86_400

#: Bytes that a message takes beside its data while it waits.
OVERHEAD = 500

#: Errors that pass, if somebody cares: it is out of memory or busy, cannot write its files, or has too few replicas.
_LATER = re.compile(r"\b(OOM|BUSY|MISCONF|NOREPLICAS|TRYAGAIN)\b")

# KEYS: the stream, and where the number of the last entry of this node is kept. ARGV: the node, the length of the
# stream, how long the number is kept; then of each entry its number, nsp, type, data, and its opts or "".
# A plain XADD may have been executed when its reply was lost, and it may even be executed later, out of the buffers of
# a connection that was closed while Redis was frozen. Here it is seen that the entry is there. The number is set first:
# if Redis refuses an entry in the middle, all are given up, and none is to come twice.
# This costs Redis 15 us an entry, 8 in groups of 20, where a plain XADD costs 6 (Redis 7.0, 130 bytes of data).
APPEND = """\
local last = tonumber(redis.call("GET", KEYS[2]) or 0)
redis.call("SET", KEYS[2], math.max(last, tonumber(ARGV[#ARGV - 4])), "EX", ARGV[3])
for i = 4, #ARGV, 5 do
  if tonumber(ARGV[i]) > last then
    local entry = {"uid", ARGV[1], "nsp", ARGV[i + 1], "type", ARGV[i + 2], "data", ARGV[i + 3], "n", ARGV[i]}
    if ARGV[i + 4] ~= "" then
      entry[11], entry[12] = "opts", ARGV[i + 4]
    end
    redis.call("XADD", KEYS[1], "MAXLEN", "~", ARGV[2], "*", unpack(entry))
  end
end
return true
"""

# KEYS: of the session. ARGV: what has to be stored, what is stored then ("" stands for nothing), and for how long.
SWAP = """\
local stored = redis.call("GET", KEYS[1]) or ""
if stored ~= ARGV[1] and stored ~= ARGV[2] then
  return stored
end
if ARGV[2] == "" then
  redis.call("DEL", KEYS[1])
else
  redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
end
return ARGV[2]
"""


class StreamWriter:
    """Writes entries to one stream, in order and each once, also when Redis goes away meanwhile.

    Args:
        client: whose connection is used.
        stream: the name of the stream.
        node: who writes.
        max_len: so many entries the stream keeps, about.
        options: how much may wait while Redis is away.
        clock: where time comes from.
    """

    def __init__(
        self,
        client: RedisClient,
        stream: str,
        node: str,
        max_len: int,
        options: ClusterOptions,
        clock: IReactorTime,
    ) -> None:
        # Both keys have to be in the same slot.
        tagged = stream if "{" in stream else f"{{{stream}}}"
        self.outbox: Outbox[Written] = Outbox(self._write, options, clock)
        self._client = client
        self._keys = stream, f"{tagged}:{node}"
        self._first = node, max_len, MEMORY

    def append(self, written: Written) -> Deferred[None]:
        """Fires when Redis has the entry; fails and raises as `Outbox.put`."""
        return self.outbox.put(written, len(written.data) + OVERHEAD)

    def _write(self, group: Sequence[Written]) -> Deferred[None]:
        arguments: list[bytes | str | int] = [*self._first]
        for each in group:
            arguments += each
        return self._client.eval(APPEND, self._keys, arguments).addErrback(_later)


class RedisSessions:
    """The sessions of clients, as `cluster.sessions.Sessions` says, each in a key of its own.

    Args:
        client: whose connection is used.
        prefix: what the keys begin with; the pid follows.
        seconds: how long a client may be away.
    """

    def __init__(self, client: RedisClient, prefix: str, seconds: float) -> None:
        self._client = client
        self._prefix = prefix
        self._milliseconds = round((seconds + GRACE) * 1000)

    def get(self, pid: str) -> Deferred[bytes | None]:
        """Fires with what is stored."""
        return self._client.execute("GET", self._prefix + pid).addCallback(_decoded)

    def swap(self, pid: str, old: bytes | None, new: bytes | None) -> Deferred[bytes | None]:
        """Store `new` where `old` is stored; fires with what is stored then."""
        arguments = b64encode(old or b""), b64encode(new or b""), self._milliseconds
        return self._client.eval(SWAP, (self._prefix + pid,), arguments).addCallback(_decoded)

    async def missing(self, pids: Sequence[str]) -> list[str]:
        """Those of which no session is stored: halves are asked about until there is only one left."""
        if await self._client.execute("EXISTS", *(self._prefix + pid for pid in pids)) == len(pids):
            return []
        if len(pids) == 1:
            return [*pids]
        half = len(pids) // 2
        return [*await self.missing(pids[:half]), *await self.missing(pids[half:])]


def _decoded(stored: bytes | None) -> bytes | None:
    """What is stored; as it is when a Node.js server would not have stored it so."""
    try:
        return b64decode(stored, validate=True) if stored else None
    except ValueError:
        return stored


def _later(failure: Failure) -> NoReturn:
    """Redis will take what it refuses now, if that is so."""
    if failure.check(BrokerError) and _LATER.search(str(failure.value)):
        raise BrokerUnavailable(str(failure.value))
    failure.raiseException()
