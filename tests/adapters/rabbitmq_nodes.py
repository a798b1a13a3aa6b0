"""Nodes for the tests of RabbitMQ: clients that write down what they are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from secrets import token_hex

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from tests.brokers.rabbitmq import RabbitMQServer
from txsocketio.adapters.rabbitmq.client import RabbitMQClient
from txsocketio.adapters.rabbitmq.history import Record
from txsocketio.adapters.rabbitmq.options import RabbitMQOptions
from txsocketio.adapters.rabbitmq.stream import Stream
from txsocketio.adapters.rabbitmq.table import RabbitMQTable

Start = Callable[..., Awaitable[RabbitMQServer]]

#: For tests in which the broker goes and comes.
QUICK = {"liveness_interval": 0.2, "liveness_timeout": 2.0, "reconnect_max_delay": 0.2}


class Node(RabbitMQClient):
    """A client that writes down what it is told.

    Attributes:
        messages: the key and the body of each.
        states: whether the broker was available, each time that has changed.
        log: a stream, and `records` of it.
        table: a table.
    """

    def __init__(self, url: str, prefix: str, **options: object) -> None:
        self.settings = RabbitMQOptions(prefix=prefix, **options)
        self.name = token_hex(8)
        super().__init__(reactor, url, self.settings, self.name)
        self.messages: list[tuple[str, bytes]] = []
        self.states: list[bool] = []
        self.records: list[Record] = []
        self.resets = 0
        self.on_message = lambda headers, key, body: self.messages.append((key, body))
        self.on_available = self.states.append

    def follow(self) -> Node:
        """Have a log too."""
        self.log = Stream(reactor, self.publisher, self.settings, f"{self.settings.prefix}.log")
        self.log.on_record = self.records.append
        self.log.on_reset = self._count_reset
        self.attached.append(self.log)
        return self

    def share(self, lifetime: float = 60.0) -> Node:
        """Have a table too."""
        name = f"{self.settings.prefix}.table"
        self.table = RabbitMQTable(reactor, self.publisher, self.settings, name, self.name, lifetime)
        self.on_available = self._available
        self.attached.append(self.table.stream)
        return self

    @property
    def bodies(self) -> list[bytes]:
        """What has come, without the keys."""
        return [body for _, body in self.messages]

    @property
    def numbers(self) -> list[int]:
        """The bodies of the records, which are numbers."""
        return [int(record.body) for record in self.records]

    def _available(self, is_available: bool) -> None:
        self.states.append(is_available)
        self.table.set_available(is_available)

    def _count_reset(self) -> None:
        self.resets += 1


class Nodes:
    """Makes nodes that share an exchange of their own, and stops them."""

    def __init__(self) -> None:
        self.prefix = f"test-{token_hex(4)}"
        self._made: list[Node] = []

    def make(self, url: str, **options: object) -> Node:
        """A node that is not started."""
        node = Node(url, self.prefix, **options)
        self._made.append(node)
        return node

    async def start(self, url: str, *keys: str, **options: object) -> Node:
        """A node that receives what is published with these keys."""
        node = self.make(url, **options)
        for key in keys:
            await node.bind(key)
        await node.start()
        return node

    async def stop(self) -> None:
        """Stop them all."""
        await DeferredList([Deferred.fromCoroutine(node.stop()) for node in self._made])


async def until(fact: Callable[[], object]) -> None:
    """Fires when it has become so; the test's own limit of time is the end."""
    while not fact():
        await deferLater(reactor, 0.01)
