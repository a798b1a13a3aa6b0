"""A Redis that goes away and comes back, that does not answer, or that does not let us in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.x509 import DNSName
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from tests.adapters.redis_clients import Log, OwnRedis, Watched
from tests.certificate import self_signed_pem
from txsocketio.errors import BrokerError, BrokerUnavailable, OptionError

Client = Callable[..., Watched]


async def test_everything_works_again_after_a_kill(own_redis: OwnRedis, client: Client) -> None:
    """All subscriptions are there before that is told; nothing fails but what was under way."""
    redis = await own_redis()
    ours = client(redis.url)
    await ours.start()
    await gatherResults([ours.subscribe(b"a"), ours.psubscribe(b"p*"), ours.ssubscribe(b"s"), ours.subscribe(b"old")])
    await ours.unsubscribe(b"old")
    await ours.has_told("ready")
    under_way = ours.execute("BLPOP", "nothing", 0)
    await redis.kill()
    with pytest.raises(BrokerUnavailable):
        await under_way
    await ours.has_told("lost")
    assert not ours.is_available
    await redis.start()
    await ours.has_told("ready")
    assert ours.is_available
    assert await gatherResults([ours.execute("PUBLISH", each, b"1") for each in ("a", "pp", "old")]) == [1, 1, 0]
    assert await ours.execute("SPUBLISH", "s", b"1") == 1
    assert await ours.messages(3) == [(None, b"a", b"1"), (b"p*", b"pp", b"1"), (None, b"s", b"1")]


async def test_commands_fail_at_once_while_it_is_away(own_redis: OwnRedis, client: Client) -> None:
    """They are not kept for later, and tell why."""
    redis = await own_redis()
    ours = client(redis.url)
    await ours.start()
    await redis.kill()
    await ours.has_told("lost")
    for failing in (ours.execute("PUBLISH", "a", "kept?"), ours.eval("return 1")):
        assert failing.called
        with pytest.raises(BrokerUnavailable, match=f"127.0.0.1:{redis.port} is away: Connection"):
            await failing
    other = client(redis.url)
    waiting = [other.start(), other.subscribe(b"a")]
    await redis.start()
    await gatherResults(waiting)
    assert await other.execute("PUBLISH", "a", "1") == 1
    assert await other.messages(1) == [(None, b"a", b"1")]


async def test_subscription_that_waits_for_long_fails_but_is_wanted(own_redis: OwnRedis, client: Client) -> None:
    """It is made when Redis is back."""
    redis = await own_redis()
    ours = client(redis.url, timeout=0.2)
    await ours.start()
    await ours.has_told("ready")
    await redis.kill()
    await ours.has_told("lost")
    with pytest.raises(BrokerUnavailable, match=r"within 0\.2 s"):
        await ours.subscribe(b"a")
    await redis.start()
    await ours.has_told("ready")
    assert await ours.execute("PUBLISH", "a", "1") == 1


async def test_frozen_server_is_noticed(own_redis: OwnRedis, client: Client) -> None:
    """By the command connection and by the subscriber, though nothing is sent; thawed, it serves again."""
    redis = await own_redis()
    ours = client(redis.url)
    await gatherResults([ours.start(), ours.subscribe(b"a")])
    await ours.execute("PING")
    redis.freeze()
    await gatherResults([link.connection.lost for link in ours._links])
    assert not any(link.connection for link in ours._links)
    redis.thaw()
    await ours.has_told("lost")
    await ours.has_told("ready")
    assert await ours.execute("PUBLISH", "a", "1") == 1
    assert await ours.messages(1) == [(None, b"a", b"1")]


async def test_command_is_answered_in_time_or_not_at_all(own_redis: OwnRedis, client: Client) -> None:
    """The connection ends with it: a late reply is nobody else's."""
    redis = await own_redis()
    ours = client(redis.url, timeout=0.3, probe_interval=60.0)
    await ours.start()
    redis.freeze()
    late = [ours.execute("ECHO", f"late {n}") for n in range(3)]
    for each in late:
        with pytest.raises(BrokerUnavailable, match="no reply in time"):
            await each
    redis.thaw()
    await ours.has_told("lost")
    await ours.has_told("ready")
    assert await ours.execute("ECHO", "fresh") == b"fresh"


async def test_our_own_delay_is_not_held_against_redis(own_redis: OwnRedis, client: Client) -> None:
    """A program that was busy for longer than any limit finds the replies waiting."""
    ours = client((await own_redis()).url, timeout=0.2, probe_interval=0.05, probe_timeout=0.1)
    await ours.start()
    for _ in range(3):
        reply = ours.execute("ECHO", "here")
        await deferLater(reactor, 0.06)  # so that it asks for a sign of life
        end = reactor.seconds() + 0.4
        while reactor.seconds() < end:
            pass
        assert await reply == b"here"
    assert ours.told == ["ready"]


async def test_reader_goes_on_after_a_kill(own_redis: OwnRedis, client: Client) -> None:
    """What it was reading fails; what it reads then waits for Redis."""
    redis = await own_redis()
    ours = client(redis.url)
    await ours.start()
    reader = ours.reader()
    first = await ours.execute("XADD", "stream", "*", "n", "1")
    await reader.execute("XREAD", "BLOCK", 1000, "STREAMS", "stream", "0", block=1.0)
    reading = reader.execute("XREAD", "BLOCK", 5000, "STREAMS", "stream", first, block=5.0)
    await redis.kill()
    with pytest.raises(BrokerUnavailable):
        await reading
    reading = reader.execute("XREAD", "BLOCK", 5000, "STREAMS", "stream", first, block=5.0)
    await ours.has_told("lost")
    await redis.start()
    await ours.has_told("ready")
    second = await ours.execute("XADD", "stream", "*", "n", "2")
    assert await reading == [[b"stream", [[second, [b"n", b"2"]]]]]


async def test_reader_notices_a_frozen_server(own_redis: OwnRedis, client: Client) -> None:
    """When it has blocked for longer than it was asked to."""
    redis = await own_redis()
    ours = client(redis.url, timeout=0.2)
    reader = ours.reader()
    assert await reader.execute("BLPOP", "nothing", 0.1, block=0.1) is None
    redis.freeze()
    with pytest.raises(BrokerUnavailable, match="no reply in time"):
        await reader.execute("BLPOP", "nothing", 0.1, block=0.1)
    redis.thaw()


async def test_stopping_does_not_wait_for_a_frozen_server(own_redis: OwnRedis, client: Client) -> None:
    """However much it has yet to read."""
    redis = await own_redis()
    ours = client(redis.url, probe_interval=60.0, timeout=60.0)
    await ours.start()
    redis.freeze()
    unread = ours.execute("ECHO", b"x" * 15_000_000)
    await ours.stop()
    with pytest.raises(BrokerUnavailable):
        await unread
    redis.thaw()


# What the log says


async def test_log_tells_each_cause_once(own_redis: OwnRedis, client: Client) -> None:
    """Of two connections that try again and again; and that it is over."""
    redis = await own_redis()
    ours = client(redis.url, reconnect_delay=0.02, max_reconnect_delay=0.05)
    await ours.start()
    await ours.has_told("ready")
    with Log() as lines:
        await redis.kill()
        await deferLater(reactor, 0.4)
        await redis.start()
        await ours.has_told("ready")
        await ours.stop()
    where = f"Redis at 127.0.0.1:{redis.port} is"
    assert lines[-2:] == [
        f"{where} away: Connection was refused by other side: 111: Connection refused.",
        f"{where} back",
    ]
    assert len(lines) == len(set(lines)) <= 4


# Not let in


@pytest.mark.parametrize(
    ("credentials", "cause"),
    [
        (":wrong", "WRONGPASS"),
        ("", "NOAUTH"),
        ("app:wrong", "WRONGPASS"),
        ("nobody:secret", "WRONGPASS"),
        ("readonly:secret", "NOPERM"),
    ],
)
async def test_refused_user_is_told(own_redis: OwnRedis, client: Client, credentials: str, cause: str) -> None:
    """By starting, which fails in time, and in the log, once; it goes on trying, for Redis may be set right."""
    redis = await own_redis(
        "requirepass secret", "user readonly on >secret ~* &* +get", "user app on >wonder ~* &* +@all"
    )
    ours = client(redis.url.replace("//", f"//{credentials}@" if credentials else "//"))
    with Log() as lines:
        with pytest.raises(BrokerUnavailable, match=cause) as caught:
            await ours.start(timeout=0.5)
        assert len(lines) == 1 and cause in lines[0]
    assert "wrong" not in f"{caught.value}{lines}".replace("WRONGPASS", "")
    user, password = credentials.split(":") if credentials else ("default", "")
    rule = ["on", "+@all", "&*", "~*", f">{password}" if password else "nopass"]
    administer = client(redis.url.replace("//", "//:secret@"))
    await administer.start()
    await administer.execute("ACL", "SETUSER", user or "default", *rule)
    await ours.has_told("ready")


async def test_user_of_an_access_list_serves(own_redis: OwnRedis, client: Client) -> None:
    """With the least that publish/subscribe needs; what is refused later is told by the call."""
    rule = "user app on >w%@: resetchannels &app:* ~app:* +@pubsub +ping +get +client|no-evict"
    redis = await own_redis(rule, "user default off")
    ours = client(redis.url.replace("//", "//app:w%25%40%3A@"))
    await ours.start(timeout=5.0)
    await ours.subscribe(b"app:a")
    assert await ours.execute("PUBLISH", "app:a", "1") == 1
    for refused in (ours.subscribe(b"other"), ours.execute("GET", "other"), ours.execute("FLUSHALL")):
        with pytest.raises(BrokerError, match="NOPERM"):
            await refused
    assert ours.is_available
    await ours.execute("PUBLISH", "app:a", "2")
    assert len(await ours.messages(2)) == 2


async def test_password_is_not_told_by_a_server_without_passwords(own_redis: OwnRedis, client: Client) -> None:
    """It repeats the arguments of commands that it does not know."""
    redis = await own_redis('rename-command AUTH ""')
    ours = client(redis.url.replace("//", "//app:hush@"))
    with Log() as lines, pytest.raises(BrokerUnavailable, match="unknown command") as caught:
        await ours.start(timeout=0.3)
    assert lines and "hush" not in f"{caught.value}{lines}"


async def test_database_is_chosen(own_redis: OwnRedis, client: Client) -> None:
    """Also for reading; one that is not there is told."""
    redis = await own_redis("databases 4")
    ours = client(f"{redis.url}/3")
    await ours.start()
    await ours.execute("RPUSH", "key", "value")
    assert await redis.cli("-n", "3", "EXISTS", "key") == "1"
    assert await ours.reader().execute("BLPOP", "key", 1, block=1.0) == [b"key", b"value"]
    with pytest.raises(BrokerUnavailable, match="DB index is out of range"):
        await client(f"{redis.url}/4").start(timeout=0.3)


async def test_unix_socket_serves(own_redis: OwnRedis, client: Client) -> None:
    """And comes back as others do."""
    redis = await own_redis()
    ours = client(f"redis+unix://{redis.socket}", db=2)
    await gatherResults([ours.start(), ours.subscribe(b"a")])
    await ours.execute("SET", "key", "value")
    assert await redis.cli("-n", "2", "EXISTS", "key") == "1"
    await ours.has_told("ready")
    await redis.restart()
    await ours.has_told("ready")
    assert await ours.execute("PUBLISH", "a", "1") == 1


async def test_server_that_is_not_ready_is_not_used(own_redis: OwnRedis, client: Client) -> None:
    """A replica takes no writes, and one without its master may refuse everything."""
    redis = await own_redis("replica-serve-stale-data no")
    ours = client(redis.url)
    await ours.start()
    await ours.has_told("ready")
    await redis.cli("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(BrokerUnavailable, match=r"MASTERDOWN|READONLY"):
        await ours.execute("SET", "key", "value")
    other = client(redis.url)
    with pytest.raises(BrokerUnavailable, match="MASTERDOWN"):
        await other.start(timeout=0.3)
    await redis.cli("CONFIG", "SET", "replica-serve-stale-data", "yes")
    with pytest.raises(BrokerUnavailable, match="no master"):
        await client(redis.url).start(timeout=0.3)
    await redis.cli("REPLICAOF", "NO", "ONE")
    await ours.has_told("ready")


class Mute(Protocol):
    """Says something that is no reply, or nothing."""

    says = b""

    def connectionMade(self) -> None:
        self.transport.write(self.says)


@pytest.mark.parametrize(
    ("says", "cause"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not the protocol of Redis"),
        (b"-ERR max number of clients reached\r\n", "max number of clients"),
        (b"+OK\r\n:1\r\n:2\r\n:3\r\n", "unexpected reply|not iterable|subscriptable"),
        (b"", "no connection within"),
    ],
)
async def test_what_is_no_redis_is_not_used(client: Client, says: bytes, cause: str) -> None:
    """Somebody else on its port, or a Redis that has no room."""
    factory = Factory.forProtocol(type("Saying", (Mute,), {"says": says}))
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    ours = client(f"redis://127.0.0.1:{port.getHost().port}", connect_timeout=0.2)
    with pytest.raises(BrokerUnavailable, match=cause):
        await ours.start(timeout=0.5)
    await ours.stop()
    await port.stopListening()


# TLS


async def test_tls_serves_who_trusts_the_certificate(own_redis: OwnRedis, client: Client) -> None:
    """By address and by name; Redis is probed over TLS, too, and comes back."""
    redis = await own_redis(tls=True)
    ours = client(redis.url.replace("127.0.0.1", "localhost"), ca_file=str(redis.certificate))
    await gatherResults([ours.start(), ours.subscribe(b"a")])
    by_address = client(redis.url, ca_file=str(redis.certificate))
    await by_address.start()
    assert await by_address.execute("PUBLISH", "a", bytes(range(256)) * 1000) == 1
    assert await ours.messages(1) == [(None, b"a", bytes(range(256)) * 1000)]
    await redis.restart()
    await ours.has_told("lost")
    await ours.has_told("ready")


async def test_certificate_of_somebody_else_is_refused(own_redis: OwnRedis, client: Client) -> None:
    """Not signed by whom we trust, by default the authorities of the system; before a password is sent."""
    redis, other = await own_redis(tls=True), await own_redis(tls=True)
    for options in ({}, {"ca_file": str(other.certificate)}):
        with pytest.raises(BrokerUnavailable, match="certificate verify failed"):
            await client(redis.url, **options).start(timeout=0.5)


async def test_certificate_of_another_host_is_refused(own_redis: OwnRedis, client: Client) -> None:
    """Although it is signed by whom we trust."""
    redis = await own_redis(tls=True)
    redis.certificate.write_bytes(self_signed_pem([DNSName("other.example")]))
    await redis.restart()
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(BrokerUnavailable, match=r"but of other\.example"):
            await client(redis.url.replace("127.0.0.1", host), ca_file=str(redis.certificate)).start(timeout=0.5)


async def test_certificate_for_no_host_is_refused(own_redis: OwnRedis, client: Client) -> None:
    """One without subjectAltName, and before a password is sent."""
    redis = await own_redis(tls=True)
    redis.certificate.write_bytes(self_signed_pem(()))
    await redis.restart()
    ours = client(redis.url.replace("//", "//:secret@"), ca_file=str(redis.certificate))
    with pytest.raises(BrokerUnavailable, match="the certificate is not that of"):
        await ours.start(timeout=0.5)
    assert await redis.cli("INFO", "commandstats") == "# Commandstats"
    await ours.stop()


async def test_file_of_authorities_is_read_at_once(client: Client, tmp_path: Path) -> None:
    """So that a wrong one is told to whom it concerns."""
    empty = tmp_path / "empty.pem"
    empty.touch()
    for file, problem in ((str(empty), "no certificate"), (str(tmp_path / "none.pem"), "cannot be read")):
        with pytest.raises(OptionError, match=problem):
            Watched("rediss://localhost", ca_file=file)
