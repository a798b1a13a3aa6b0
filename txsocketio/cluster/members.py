"""Who is in the cluster, where the broker cannot tell.

Each node gives a sign of life every so often, and one when it comes, which the others answer at once. Whoever has not
been heard of for longer than `timeout`, or says that it goes, is gone.
Source: socket.io-adapter 2.5, `ClusterAdapterWithHeartbeat`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from twisted.internet.task import LoopingCall

from txsocketio.cluster.messages import ADAPTER_CLOSE, EMITTER, HEARTBEAT, INITIAL_HEARTBEAT

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime


class Members:
    """The other nodes of the cluster.

    Args:
        clock: where time comes from.
        interval: seconds between two signs of life.
        timeout: seconds of silence after which a node is gone.
        tell: sends a message of this type to all others.
        on_gone: told the name of a node that is gone.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        timeout: float,
        tell: Callable[[int], object],
        on_gone: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._tell = tell
        self._on_gone = on_gone
        self._heard: dict[str, float] = {}
        self._beat = LoopingCall(self._live)
        self._beat.clock = clock

    @property
    def names(self) -> Collection[str]:
        """The names of the other nodes."""
        return self._heard.keys()

    def start(self) -> None:
        """Say that this node is there."""
        self._tell(INITIAL_HEARTBEAT)
        self._beat.start(self._interval, now=False)

    def stop(self) -> None:
        """Say that it goes."""
        if self._beat.running:
            self._beat.stop()
            self._tell(ADAPTER_CLOSE)
        self._heard.clear()

    def heard(self, node: str, type: int) -> None:
        """Another node has sent a message of this type."""
        if node == EMITTER:
            return
        if type == ADAPTER_CLOSE:
            self._gone(node)
            return
        self._heard[node] = self._clock.seconds()
        if type == INITIAL_HEARTBEAT:
            self._tell(HEARTBEAT)

    def _live(self) -> None:
        self._tell(HEARTBEAT)
        latest = self._clock.seconds() - self._timeout
        for node in [node for node, heard in self._heard.items() if heard < latest]:
            self._gone(node)

    def _gone(self, node: str) -> None:
        if self._heard.pop(node, None) is not None:
            self._on_gone(node)
