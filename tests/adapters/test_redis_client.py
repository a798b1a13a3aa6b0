"""A client of a Redis that is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import gatherResults
from txredisapi import BaseRedisProtocol, HiredisProtocol

from tests.adapters.redis_clients import Watched
from tests.brokers.redis import RedisServer
from txsocketio.adapters.redis import connection as redis_connection
from txsocketio.adapters.redis.connection import pack
from txsocketio.errors import BrokerError, BrokerUnavailable

Client = Callable[..., Watched]

ALL_BYTES = bytes(range(256))


@pytest.fixture
def ready(redis: RedisServer, client: Client) -> Client:
    """Makes clients that are ready."""

    async def make(**options: object) -> Watched:
        made = client(redis.url, **options)
        await made.start()
        return made

    return make


# Commands


async def test_replies_belong_to_their_commands(ready: Client) -> None:
    """However many are under way."""
    client = await ready()
    assert await gatherResults([client.execute("ECHO", f"{n}") for n in range(100)]) == [b"%d" % n for n in range(100)]


async def test_what_is_written_comes_back_as_it_was(ready: Client) -> None:
    """All bytes there are; a number is text to Redis and stays so."""
    client = await ready()
    assert await client.execute("ECHO", ALL_BYTES) == ALL_BYTES
    assert await client.execute(b"ECHO", 123) == b"123"
    assert await client.execute("ECHO", "caf\u00e9") == "caf\u00e9".encode()
    assert await client.execute("GET", "test:client:nothing") is None


async def test_error_is_told_and_harms_nobody_else(ready: Client) -> None:
    """In the words of Redis."""
    client = await ready()
    wrong, right = client.execute("INCRBY", "test:client:x", "much"), client.execute("ECHO", "here")
    with pytest.raises(BrokerError, match="not an integer"):
        await wrong
    assert await right == b"here"


async def test_cancelled_command_takes_no_reply_of_others(ready: Client) -> None:
    """Its own comes all the same."""
    client = await ready()
    first, second = client.execute("ECHO", "first"), client.execute("ECHO", "second")
    first.addErrback(lambda _: None).cancel()
    assert await second == b"second"


async def test_script_is_sent_once(ready: Client) -> None:
    """Redis knows it from then on, until it forgets."""
    client = await ready()
    script = "return {KEYS[1], ARGV[1]}"
    assert await client.eval(script, ["a"], [ALL_BYTES]) == [b"a", ALL_BYTES]
    assert await client.eval(script, ["b"], [2]) == [b"b", b"2"]
    await client.execute("SCRIPT", "FLUSH")
    assert await client.eval(script, ["c"], [3]) == [b"c", b"3"]
    with pytest.raises(BrokerError, match="oh no"):
        await client.eval("return redis.error_reply('oh no')")


async def test_transaction_as_script_gets_binary(ready: Client) -> None:
    """What txredisapi's multi() does not do: it fails on the bytes OK."""
    client = await ready()
    script = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GETDEL', KEYS[1])"
    assert await client.eval(script, ["test:client:script"], [ALL_BYTES]) == ALL_BYTES


async def test_commands_are_refused_beyond_what_may_be_unanswered(ready: Client) -> None:
    """Nothing grows without a limit; replies make room."""
    client = await ready(max_unanswered=2000)
    accepted = [client.execute("ECHO", "x" * 980) for _ in range(2)]
    with pytest.raises(BrokerUnavailable, match="unanswered"):
        await client.execute("ECHO", "one too many")
    await gatherResults(accepted)
    assert await client.execute("ECHO", "room") == b"room"


# Channels


async def test_messages_come_from_channels_patterns_and_shards(ready: Client) -> None:
    """Each tells what it was subscribed by; those of shards, too, which txredisapi keeps for itself."""
    client = await ready()
    await client.subscribe(b"test:a")
    await client.psubscribe(b"test:*")
    await client.ssubscribe(b"test:s")
    await client.execute("PUBLISH", "test:a", ALL_BYTES)
    await client.execute("SPUBLISH", "test:s", b"123")
    assert await client.messages(3) == [
        (None, b"test:a", ALL_BYTES),
        (b"test:*", b"test:a", ALL_BYTES),
        (None, b"test:s", b"123"),
    ]
    assert await client.execute("PUBSUB", "SHARDNUMSUB", "test:s") == [b"test:s", 1]


async def test_several_channels_are_confirmed_together(ready: Client) -> None:
    """Whatever other subscriptions are under way; a name is not taken for its characters."""
    client = await ready()
    names = [b"test:many:%d" % n for n in range(2500)]
    await gatherResults([client.subscribe(*names), client.subscribe(b"test:one"), client.psubscribe(b"test:p*")])
    counted = await client.execute("PUBSUB", "NUMSUB", names[0], names[-1], "test:one", "t")
    assert counted == [names[0], 1, names[-1], 1, b"test:one", 1, b"t", 0]
    await client.unsubscribe(*names)
    assert await client.execute("PUBSUB", "NUMSUB", names[0], names[-1]) == [names[0], 0, names[-1], 0]


async def test_nothing_comes_after_unsubscribing(ready: Client) -> None:
    """From any kind of channel."""
    client = await ready()
    await gatherResults([client.subscribe(b"test:a"), client.psubscribe(b"test:*"), client.ssubscribe(b"test:s")])
    await gatherResults([client.unsubscribe(b"test:a"), client.punsubscribe(b"test:*"), client.sunsubscribe(b"test:s")])
    await client.subscribe(b"test:end")
    for channel in ("test:a", "test:end"):
        await client.execute("PUBLISH", channel, channel)
    assert await client.messages(1) == [(None, b"test:end", b"test:end")]


async def test_messages_arrive_in_order(ready: Client) -> None:
    """Ten thousand, sent without waiting."""
    client = await ready()
    await client.subscribe(b"test:order")
    sent = [client.execute(b"PUBLISH", b"test:order", b"%d" % n) for n in range(10_000)]
    assert await client.messages(10_000) == [(None, b"test:order", b"%d" % n) for n in range(10_000)]
    assert await gatherResults(sent) == [1] * 10_000


async def test_faulty_listener_misses_nothing(ready: Client, logged_errors: object) -> None:
    """One message that cannot be taken does not stop those behind it."""
    client = await ready()
    keep = client.on_message

    def listen(*message: bytes) -> None:
        keep(*message)
        raise ValueError(message)

    client.on_message = listen
    await client.subscribe(b"test:fault")
    for n in range(3):
        await client.execute("PUBLISH", "test:fault", n)
    await client.messages(3)
    client.on_message = keep
    await client.unsubscribe(b"test:fault")
    assert len(logged_errors.take(ValueError)) == 3 and client.is_available


@pytest.mark.parametrize("parser", [HiredisProtocol, BaseRedisProtocol])
async def test_both_parsers_of_txredisapi_serve(
    ready: Client, parser: type[BaseRedisProtocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    """hiredis is faster; where it is missing, things work all the same."""
    for name in ("dataReceived", "handleTransactionData", "tryConvertData"):
        monkeypatch.setattr(redis_connection.RedisProtocol, name, getattr(parser, name))
    client = await ready()
    await client.psubscribe(b"test:parser*")
    await client.execute("PUBLISH", "test:parser", ALL_BYTES)
    assert await client.messages(1) == [(b"test:parser*", b"test:parser", ALL_BYTES)]
    assert await client.execute("PING") in (b"PONG", "PONG")
    assert await client.eval("return {1, {'a', {}}, ARGV[1]}", [], [b"\r\n$5"]) == [1, [b"a", []], b"\r\n$5"]


# Reading


async def test_reader_waits_for_entries(ready: Client) -> None:
    """Longer than a command may take, and nobody else waits behind it."""
    client = await ready(timeout=0.2, subscribes=False)
    reader = client.reader()
    reading = reader.execute("XREAD", "BLOCK", 500, "STREAMS", "test:stream:empty", "$", block=0.5)
    assert await reading is None
    await client.execute("DEL", "test:stream")
    reading = reader.execute("XREAD", "BLOCK", 5000, "STREAMS", "test:stream", "0", block=5.0)
    entry = await client.execute("XADD", "test:stream", "MAXLEN", "~", 10, "*", "field", ALL_BYTES)
    assert await reading == [[b"test:stream", [[entry, [b"field", ALL_BYTES]]]]]


async def test_reader_ends_with_its_client(ready: Client) -> None:
    """What it reads fails."""
    client = await ready()
    reader = client.reader()
    await client.execute("PING")
    reading = reader.execute("BLPOP", "test:list", 0, block=5.0)
    await client.stop()
    with pytest.raises(BrokerUnavailable):
        await reading


# The end


async def test_stopped_client_is_gone(redis: RedisServer, client: Client) -> None:
    """Without a word, and nothing can be asked of it; fixtures see that nothing is left in the reactor."""
    stopped = client(redis.url)
    await stopped.start()
    await stopped.stop()
    assert stopped.told == ["ready"] and not stopped.is_available
    with pytest.raises(BrokerUnavailable):
        await stopped.execute("PING")


async def test_client_can_be_stopped_while_it_connects(redis: RedisServer, client: Client) -> None:
    """And before it was started."""
    await client(redis.url).stop()
    connecting = client(redis.url)
    starting = connecting.start()
    await connecting.stop()
    with pytest.raises(BrokerUnavailable):
        await starting


def test_commands_are_packed_as_redis_reads_them() -> None:
    """As arrays of strings with their lengths in bytes."""
    assert pack(("SET", b"\r\n", "\u00e9", -1, 0.5)) == (
        b"*5\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$2\r\n\xc3\xa9\r\n$2\r\n-1\r\n$3\r\n0.5\r\n"
    )
