"""The brokers that `Server(adapter=URL)` knows. Nothing is imported of them, nor of their clients, until one is used.

The schemes of Redis are redis, or rediss for TLS; then +unix or +sentinel, where no TCP port of it is named; then
+sharded or +streams, for another way over the same server. So rediss+sentinel+streams is one.
"""

from txsocketio.socketio.brokers import BrokerMaker

_REDIS = ("redis", "rediss", "redis+unix", "redis+sentinel", "rediss+sentinel")
_SHARDED = tuple(f"{scheme}+sharded" for scheme in _REDIS)
_STREAMS = tuple(f"{scheme}+streams" for scheme in _REDIS)

_EMITTERS = "txsocketio.adapters.redis.emitter"

memory = BrokerMaker(("memory",), "txsocketio.adapters.memory:MemoryBroker")
redis = BrokerMaker(
    _REDIS, "txsocketio.adapters.redis.classic:RedisBroker", ("txredisapi",), "redis", emitter=f"{_EMITTERS}:classic"
)
sharded = BrokerMaker(
    _SHARDED,
    "txsocketio.adapters.redis.sharded:RedisShardedBroker",
    ("txredisapi",),
    "redis",
    emitter=f"{_EMITTERS}:sharded",
)
streams = BrokerMaker(
    _STREAMS,
    "txsocketio.adapters.redis.streams:RedisStreamsBroker",
    ("txredisapi",),
    "redis",
    emitter=f"{_EMITTERS}:streams",
)
kafka = BrokerMaker(
    ("kafka",),
    "txsocketio.adapters.kafka.broker:KafkaBroker",
    ("kafka",),
    "kafka",
    emitter="txsocketio.adapters.kafka.emitter:kafka",
)
rabbitmq = BrokerMaker(
    ("amqp", "amqps"),
    "txsocketio.adapters.rabbitmq.broker:RabbitMQBroker",
    ("pika",),
    "rabbitmq",
    emitter="txsocketio.adapters.rabbitmq.emitter:rabbitmq",
)
