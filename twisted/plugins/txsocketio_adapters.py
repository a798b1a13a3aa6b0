"""The brokers that `Server(adapter=URL)` knows. Nothing is imported of them, nor of their clients, until one is used.

The schemes of Redis are redis, or rediss for TLS; then +unix or +sentinel, where no TCP port of it is named; then
+sharded or +streams, for another way over the same server. So rediss+sentinel+streams is one.
"""

from txsocketio.socketio.brokers import BrokerMaker

_REDIS = ("redis", "rediss", "redis+unix", "redis+sentinel", "rediss+sentinel")
_SHARDED = tuple(f"{scheme}+sharded" for scheme in _REDIS)
_STREAMS = tuple(f"{scheme}+streams" for scheme in _REDIS)

_EMITTERS = "txsocketio.adapters.redis_emitter"

memory = BrokerMaker(("memory",), "txsocketio.adapters.memory:MemoryBroker")
redis = BrokerMaker(
    _REDIS, "txsocketio.adapters.redis:RedisBroker", ("txredisapi",), "redis", emitter=f"{_EMITTERS}:classic"
)
sharded = BrokerMaker(
    _SHARDED,
    "txsocketio.adapters.redis_sharded:RedisShardedBroker",
    ("txredisapi",),
    "redis",
    emitter=f"{_EMITTERS}:sharded",
)
streams = BrokerMaker(
    _STREAMS,
    "txsocketio.adapters.redis_streams:RedisStreamsBroker",
    ("txredisapi",),
    "redis",
    emitter=f"{_EMITTERS}:streams",
)
kafka = BrokerMaker(
    ("kafka",),
    "txsocketio.adapters.kafka:KafkaBroker",
    ("kafka",),
    "kafka",
    emitter="txsocketio.adapters.kafka_emitter:kafka",
)
rabbitmq = BrokerMaker(
    ("amqp", "amqps"),
    "txsocketio.adapters.rabbitmq:RabbitMQBroker",
    ("pika",),
    "rabbitmq",
    emitter="txsocketio.adapters.rabbitmq_emitter:rabbitmq",
)
