"""Questions to several nodes, and what they answer.

        asking node                                other nodes
            |--- the question, with a number ------> a, b, c       how many there are is found out meanwhile
            |<-- answer of a, answer of b ---------
            |    ... c is silent ...                               the error after the timeout: what came, and "c"

A question about clients' acknowledgements is answered twice: each node says at once how many clients it asks, and then
sends what they answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from txsocketio.errors import AckTimeout, BrokerUnavailable
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

#: The name of a node that is known to be there and has not told its name.
NAMELESS = "?"


class Others(NamedTuple):
    """The other nodes that have the namespace.

    Attributes:
        expected: how many of them will answer a question.
        names: of those whose name is known.
    """

    expected: int
    names: Collection[str] = ()


class Request:
    """A question that waits for the answers of nodes, and of clients.

    It is told as an `acks.Waiting` is what the clients of this node answer.

    Args:
        timeout: seconds; then it fails with an AckTimeout, which has what came, and the names of the silent nodes.
        forget: called when nobody waits any more.

    Attributes:
        answers: what has come so far.
        deferred: fires with the answers when everybody has answered.
    """

    __slots__ = ("_clients_due", "_heard", "_is_counted", "_names", "_nodes_due", "answers", "deferred")

    def __init__(
        self, timeout: float, clock: IReactorTime, forget: Callable[[], None], answers: Iterable[Json] = ()
    ) -> None:
        self.answers: list[Json] = [*answers]
        self._clients_due = 0
        self._nodes_due = 0
        self._is_counted = False
        self._names: Collection[str] = ()
        self._heard: set[str] = set()
        self.deferred: Deferred[list[Json]] = Deferred(lambda _: None)
        self.deferred.addTimeout(timeout, clock, self._expired)
        self.when_over(forget)

    def when_over(self, forget: Callable[[], None]) -> None:
        """Call `forget` when nobody waits any more."""

        def done(result: Json) -> Json:
            forget()
            return result

        self.deferred.addBoth(done)

    def expect_nodes(self, others: Others) -> None:
        """It is known who will answer; some may have done so already."""
        self._names = others.names
        self._nodes_due += others.expected
        self._is_counted = True
        self._fire_if_complete()

    def expect_clients(self, count: int) -> None:
        """So many clients are asked."""
        self._clients_due += count

    def node_answered(self, node: str, answers: Iterable[Json] = (), clients: int = 0) -> None:
        """A node has answered, once: "" when it does not say which. So many clients of it are still to answer."""
        if node and node in self._heard:
            return
        self._heard.add(node)
        self._nodes_due -= 1
        self._clients_due += clients
        self.answers += answers
        self._fire_if_complete()

    def node_gone(self, node: str) -> None:
        """A node has left the cluster: it is not waited for."""
        if node in self._names:
            self.node_answered(node)

    def callback(self, answer: Json, /) -> None:
        """A client has answered."""
        self.answers.append(answer[0] if answer.__class__ is tuple else answer)
        self.errback()

    def errback(self, error: Exception | None = None, /) -> None:
        """A client is gone."""
        self._clients_due -= 1
        self._fire_if_complete()

    def fail(self, failure: Failure) -> None:
        """The broker is away."""
        if not self.deferred.called:
            self.deferred.errback(failure)

    def _fire_if_complete(self) -> None:
        is_complete = self._is_counted and self._nodes_due <= 0 and self._clients_due <= 0
        if is_complete and not self.deferred.called:
            self.deferred.callback(self.answers)

    def _expired(self, _failure: Json, _timeout: float) -> NoReturn:
        silent = sorted(set(self._names) - self._heard)
        # Those that have answered without telling their names may be among them.
        missing = silent if len(silent) <= self._nodes_due else []
        missing += [NAMELESS] * (self._nodes_due - len(missing))
        raise AckTimeout(self.answers, missing)


class Requests(dict[str, Request]):
    """The open questions of one namespace, by number.

    Args:
        limit: how many there may be.
    """

    def __init__(self, clock: IReactorTime, limit: int) -> None:
        super().__init__()
        self._clock = clock
        self._limit = limit

    def open(self, number: str, timeout: float, answers: Iterable[Json] = ()) -> Request:
        """A new question; it is forgotten when it is over.

        Raises:
            BrokerUnavailable: there are too many open ones.
        """
        if len(self) >= self._limit:
            raise BrokerUnavailable(f"{self._limit} questions wait for an answer (max_requests)")
        request = self[number] = Request(timeout, self._clock, lambda: self._forget(number), answers)
        return request

    def node_gone(self, node: str) -> None:
        """A node has left the cluster."""
        for request in [*self.values()]:
            request.node_gone(node)

    def fail(self, error: Exception) -> None:
        """Nobody will answer."""
        for request in [*self.values()]:
            request.fail(Failure(error))

    def _forget(self, number: str) -> None:
        self.pop(number, None)


def unavailable() -> Deferred[Json]:
    """A question that cannot be asked."""
    return fail(BrokerUnavailable("the broker is away"))
