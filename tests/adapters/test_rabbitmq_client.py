"""Messages between nodes over a real RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import deferLater

from tests.adapters.rabbitmq_nodes import QUICK, Nodes, Start, until
from tests.brokers.rabbitmq import RabbitMQServer
from txsocketio.adapters.rabbitmq import client as rabbitmq_client
from txsocketio.errors import BrokerError, BrokerUnavailable

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    made = Nodes()
    yield made
    blockon(Deferred.fromCoroutine(made.stop()))


async def test_messages_come_in_order_with_their_headers(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Binary or empty, thousands of them, as they were published."""
    a, b = await nodes.start(rabbitmq.url), await nodes.start(rabbitmq.url, "all")
    headers: list[dict[str, object]] = []
    b.on_message = lambda got, key, body: (headers.append(got), b.messages.append((key, body)))
    bodies = [b"", bytes(range(256)), b"x" * 1_000_000, *(b"%d" % number for number in range(3000))]
    await gatherResults([a.publish(["all"], body, {"binary": b"\0\xff", "n": 1}) for body in bodies])
    await until(lambda: len(b.messages) == len(bodies))
    assert b.bodies == bodies
    assert headers[0] == {"binary": b"\0\xff", "n": 1}


async def test_a_node_gets_what_it_has_bound(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Keys come and go while it runs; a message with several of them comes once."""
    a, b = await nodes.start(rabbitmq.url), await nodes.start(rabbitmq.url, "one")
    await b.bind("two")
    await a.publish(["one"], b"1")
    await a.publish(["two", "one", "other"], b"2")
    await b.unbind("one")
    await a.publish(["one"], b"3")
    await a.publish(["two"], b"4")
    await until(lambda: b.bodies[-1:] == [b"4"])
    assert b.bodies == [b"1", b"2", b"4"]


async def test_one_node_is_addressed_by_its_name(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """So questions are answered without others hearing it; a name that nobody has is no error."""
    a, b, c = [await nodes.start(rabbitmq.url, "all") for _ in range(3)]
    await a.publish([b.name], b"for b")
    await a.publish(["nobody"], b"for nobody")
    await a.publish(["all"], b"for all")
    await until(lambda: b.messages and c.messages)
    assert b.bodies == [b"for b", b"for all"]
    assert c.bodies == [b"for all"]


async def test_keys_and_outbox_outlive_a_killed_broker(own_rabbitmq: Start, nodes: Nodes) -> None:
    """What is published while it is away arrives in order when it is back, on nodes that are back themselves."""
    broker = await own_rabbitmq()
    a, b = await nodes.start(broker.url, **QUICK), await nodes.start(broker.url, "all", **QUICK)
    await a.publish(["all"], b"before")
    await broker.kill()
    await until(lambda: not (a.is_available or b.is_available))
    waiting = [a.publish([b.name], b"%d" % number) for number in range(1000)]
    await b.bind("late")
    assert not any(each.called for each in waiting)
    await broker.start()
    await gatherResults(waiting)
    await until(lambda: b.is_available)
    await a.publish(["late"], b"after")
    await until(lambda: b.bodies[-1:] == [b"after"])
    assert b.states == [True, False, True]
    assert [body for body in b.bodies if body.isdigit()] == sorted(b.bodies[1:-1], key=int)


async def test_a_frozen_broker_is_noticed(own_rabbitmq: Start, nodes: Nodes) -> None:
    """Long before the heartbeats of AMQP; what was published meanwhile comes once, and in order."""
    broker = await own_rabbitmq()
    a, b = await nodes.start(broker.url, **QUICK), await nodes.start(broker.url, "all", **QUICK)
    broker.freeze()
    frozen = reactor.seconds()
    waiting = [a.publish(["all"], b"%d" % number) for number in range(500)]
    await until(lambda: not (a.is_available or b.is_available))
    assert reactor.seconds() - frozen < 4.5
    await deferLater(reactor, max(0, 5 - (reactor.seconds() - frozen)))
    broker.thaw()
    await gatherResults(waiting)
    await until(lambda: a.is_available and b.is_available)
    await a.publish(["all"], b"500")
    await until(lambda: b.bodies[-1:] == [b"500"])
    numbers = [int(body) for body in b.bodies]
    assert numbers == sorted(set(numbers))


async def test_outbox_is_bounded(own_rabbitmq: Start, nodes: Nodes) -> None:
    """In messages and in bytes; one more fails at once, those that wait go out."""
    broker = await own_rabbitmq()
    a, b = [await nodes.start(broker.url, max_outbox=10, max_outbox_bytes=100_000, **QUICK) for _ in range(2)]
    await broker.kill()
    await until(lambda: not a.is_available)
    waiting = [a.publish(["all"], b"") for _ in range(10)]
    with pytest.raises(BrokerUnavailable):
        a.publish(["all"], b"")
    waiting += [b.publish(["all"], b"x" * 60_000)]
    with pytest.raises(BrokerUnavailable):
        b.publish(["all"], b"x" * 60_000)
    await broker.start()
    await gatherResults(waiting)


async def test_a_broker_without_memory_is_waited_for(own_rabbitmq: Start, nodes: Nodes) -> None:
    """It says so, and takes nothing: messages wait, requests would fail at once."""
    broker = await own_rabbitmq()
    a, b = [await nodes.start(broker.url, "all", **QUICK) for _ in range(2)]
    await broker.ctl("set_vm_memory_high_watermark", "absolute", "1")
    await until(lambda: not a.is_available)
    waiting = [a.publish(["all"], b"%d" % number) for number in range(100)]
    await deferLater(reactor, 1)
    assert not any(each.called for each in waiting)
    await broker.ctl("set_vm_memory_high_watermark", "0.4")
    await gatherResults(waiting)
    await until(lambda: a.is_available and len(b.messages) == 100)
    assert b.states == [True, False, True], "the connection has stayed"


async def test_a_wrong_password_is_told_once(
    rabbitmq: RabbitMQServer, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line that names the broker and not the password; it is tried again."""
    told: list[str] = []
    monkeypatch.setattr(rabbitmq_client.log, "warn", lambda text, **fields: told.append(text.format(**fields)))
    for identity, vhost, reason in (("guest:secret", "", "ACCESS_REFUSED"), ("guest:guest", "nowhere", "not found")):
        node = nodes.make(f"amqp://{identity}@{rabbitmq.address}/{vhost}", **QUICK)
        started = node.start().addErrback(lambda failure: failure.trap(BrokerUnavailable))
        await deferLater(reactor, 1.5)
        await node.stop()
        await started
        assert len(told) == 1
        assert reason in told[0]
        assert rabbitmq.address in told[0]
        assert "secret" not in told[0]
        told.clear()


async def test_hosts_are_tried_in_turn(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """A cluster has several."""
    await nodes.start(f"amqp://guest:guest@127.0.0.1:1,{rabbitmq.address}/", **QUICK)


async def test_a_deleted_exchange_is_made_again(rabbitmq: RabbitMQServer, nodes: Nodes) -> None:
    """Somebody tidies up; the nodes declare everything anew and go on."""
    a, b = [await nodes.start(rabbitmq.url, "all", **QUICK) for _ in range(2)]
    await a._channel.call("exchange_delete", exchange=nodes.prefix)
    await until(lambda: len(a.states) > 2 and len(b.states) > 2 and a.is_available and b.is_available)
    await a.publish(["all"], b"again")
    await until(lambda: b.messages)


async def test_a_message_that_cannot_be_dealt_with_ends_nothing(
    rabbitmq: RabbitMQServer, nodes: Nodes, logged_errors: object
) -> None:
    """Nor one of somebody else who publishes to our exchange."""
    a, b = [await nodes.start(rabbitmq.url, "all") for _ in range(2)]
    a._channel.publish(nodes.prefix, "all", b"foreign", rabbitmq_client.BasicProperties(), mandatory=False)
    b.on_message = lambda headers, key, body: b.messages.append((key, b"%d" % int(body)))
    await a.publish(["all"], b"no number")
    await a.publish(["all"], b"1")
    await until(lambda: b.messages)
    assert b.states == [True]
    assert b.dropped == 1
    assert len(logged_errors.take(ValueError)) == 1


async def test_stop_is_bounded_without_a_broker(own_rabbitmq: Start, nodes: Nodes) -> None:
    """What waits fails; nothing is left in the reactor. Another start may follow."""
    broker = await own_rabbitmq()
    node = await nodes.start(broker.url, "all", **QUICK)
    broker.freeze()
    waiting = node.publish(["all"], b"")
    stopping = reactor.seconds()
    await node.stop()
    assert reactor.seconds() - stopping < 5
    with pytest.raises(BrokerUnavailable):
        await waiting
    broker.thaw()
    await node.start()
    await node.publish(["all"], b"")


async def test_amqps_checks_the_certificate(own_rabbitmq: Start, nodes: Nodes) -> None:
    """Trusted is who the file vouches for, under the name that the URL says."""
    broker = await own_rabbitmq(tls=True)
    await nodes.start(broker.url, ca_file=str(broker.certificate))
    wrong = [nodes.make(broker.url, **QUICK), nodes.make(broker.url.replace("127.0.0.1", "127.0.0.2"), **QUICK)]
    started = [node.start() for node in wrong]
    await deferLater(reactor, 1)
    assert not any(each.called for each in started)
    for node, each in zip(wrong, started, strict=True):
        await node.stop()
        with suppress(BrokerUnavailable):
            await each


@pytest.mark.parametrize("is_logged", [False, True], ids=["exchange", "log"])
async def test_what_the_broker_never_takes_fails(own_rabbitmq: Start, nodes: Nodes, is_logged: bool) -> None:
    """It is set to take less than we think: only what is too large is given up, what stands around it arrives."""
    broker = await own_rabbitmq("max_message_size = 50000")
    a, b = [nodes.make(broker.url, **QUICK).follow() for _ in range(2)]
    await b.bind("all")
    await gatherResults([a.start(), b.start()])
    bodies = [b"%d" % number for number in range(300)]
    for number in (0, 100, 101, 299):
        bodies[number] = b"x" * 60_000
    written = [a.log.append(body) if is_logged else a.publish(["all"], body) for body in bodies]
    for number, each in enumerate(written):
        if bodies[number].isdigit():
            await each
        else:
            with pytest.raises(BrokerError, match="larger than"):
                await each
    await a.publish(["all"], b"end")
    await a.log.append(b"300")
    await until(lambda: b.bodies[-1:] == [b"end"] and b.numbers[-1:] == [300])
    arrived = b.numbers[:-1] if is_logged else [int(body) for body in b.bodies[:-1]]
    wanted = [int(body) for body in bodies if body.isdigit()]
    assert arrived == (wanted if is_logged else sorted({*wanted} & {*arrived}))
    assert arrived[-1] == 298


async def test_what_a_full_queue_refuses_fails(own_rabbitmq: Start, nodes: Nodes) -> None:
    """A policy of the broker says so: other messages arrive, and the connection stays."""
    broker = await own_rabbitmq()
    a, b = [await nodes.start(broker.url, "all", **QUICK) for _ in range(2)]
    policy = '{"max-length-bytes": 1000, "overflow": "reject-publish"}'
    await broker.ctl("set_policy", "--apply-to", "queues", "small", ".*", policy)
    bodies = [b"x" * (5000 if number % 3 else 10) for number in range(30)]
    written = DeferredList([a.publish(["all"], body) for body in bodies], consumeErrors=True)
    for body, (is_taken, result) in zip(bodies, await written, strict=True):
        assert is_taken == (len(body) < 1000)
        assert is_taken or result.check(BrokerError)
    await until(lambda: len(b.bodies) == 10)
    await a.publish(["all"], b"end")
    await until(lambda: b.bodies[-1:] == [b"end"])
    assert a.states == b.states == [True]


async def test_a_node_that_starts_without_memory_says_so(
    own_rabbitmq: Start, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, in words that an operator understands; it starts when there is memory again."""
    told: list[str] = []
    monkeypatch.setattr(rabbitmq_client.log, "warn", lambda text, **fields: told.append(text.format(**fields)))
    broker = await own_rabbitmq()
    await broker.ctl("set_vm_memory_high_watermark", "absolute", "1")
    node = nodes.make(broker.url, request_timeout=1.0, **QUICK).follow()
    started = node.start()
    await until(lambda: told)
    await deferLater(reactor, 3)
    assert len(told) == 1
    assert "out of memory" in told[0]
    await broker.ctl("set_vm_memory_high_watermark", "0.4")
    await started
    await node.log.append(b"1")
