"""What a client has sent, or has left unfinished, is forgotten with it: E2, "memory back to baseline"."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from tests.bad_input.serving import TARGET, Serving, until
from tests.bad_input.table import rows
from tests.sessions import UPGRADE_HEADERS
from tests.wire import TEXT, frame, request

pytestmark = pytest.mark.skipif(TARGET is not None, reason="looks inside")

TIMES = 3


async def illegal_packet(server: Serving) -> None:
    for transport in ("websocket", "polling"):
        session = await server.session(transport)
        await session.join()
        await session.send("4abc")


async def attachments_that_do_not_come(server: Serving) -> None:
    for transport in ("websocket", "polling"):
        session = await server.session(transport)
        await session.join()
        await session.send('4510-["echo"]', b"a" * 1000)


async def half_a_message(server: Serving) -> None:
    websocket = await server.websocket()
    await websocket.join()
    websocket.wire.send(frame(TEXT, b"4" + b"a" * 1000, fin=False) + frame(TEXT, announced=1000))
    websocket.wire.reset()


async def half_a_post(server: Serving) -> None:
    polling = await server.polling()
    await polling.join()
    wire = await server.wire()
    wire.send(request("POST", polling.target, b"42", {"Content-Length": "100"}))
    await server.check_bystander()
    wire.reset()


async def unfinished_upgrade(server: Serving) -> None:
    polling = await server.polling()
    await polling.join()
    probe = await server.websocket(polling.websocket_target)
    await probe.send("2probe")
    await server.check_bystander()
    probe.wire.reset()


async def finished_upgrade(server: Serving) -> None:
    polling = await server.polling()
    await polling.join()
    probe = await server.websocket(polling.websocket_target)
    await probe.send("2probe", "5", '42["unheard"]')
    await server.check_bystander()


async def refused_upgrade(server: Serving) -> None:
    await server.ask(request("GET", "/socket.io/?transport=x", headers=UPGRADE_HEADERS))
    await server.ask(request("GET", "/socket.io/?transport=x"))


async def refused_namespace(server: Serving) -> None:
    websocket = await server.websocket()
    await websocket.join()
    await websocket.send("40/nope,", "41")


CLIENTS = rows(*((client.__name__.replace("_", " "), client) for client in (
    illegal_packet, attachments_that_do_not_come, half_a_message, half_a_post, unfinished_upgrade, finished_upgrade,
    refused_upgrade, refused_namespace,
)))  # fmt: skip


@pytest.mark.parametrize("client", CLIENTS)
async def test_nothing_is_kept(server: Serving, client: Callable[[Serving], Awaitable[None]]) -> None:
    """After a few of them no object of ours is left that was not there before."""
    await client(server)
    await gone(server)
    before = our_objects()
    for _ in range(TIMES):
        await client(server)
    await gone(server)
    assert our_objects() - before == Counter()


async def gone(server: Serving) -> None:
    await server.leave()
    await until(lambda: server.io.engine.clients_count == 1 == len(server.io.engine.websockets), "they have left")
    await server.check_bystander()


def our_objects() -> Counter[str]:
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    return Counter(kind.__qualname__ for kind in kinds if kind.__module__.startswith(("txsocketio.", "autobahn.")))
