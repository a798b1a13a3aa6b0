"""Scenarios for the Python client, one coroutine each; names and facts are those of `javascript/`.

`python python_client.py SCENARIO URL TRANSPORT` prints a line of JSON for each fact that it observed. It judges
nothing: that is the business of the test that started it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import socketio
from engineio.payload import Payload

_, SCENARIO, URL, TRANSPORT = sys.argv if len(sys.argv) == 4 else ("", "", "", "")
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
LIMIT = 1_000_000

# As its documentation advises: a client takes 16 packets in one answer to a poll, and closes on more.
Payload.max_decode_packets = 10_000

opened: list[socketio.AsyncClient] = []


def plain(value: Any) -> Any:
    """What JSON cannot carry, in words: bytes become "hex:…"."""
    if isinstance(value, bytes):
        return "hex:" + value.hex()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def fact(name: str, value: Any) -> None:
    print(json.dumps({"fact": name, "value": plain(value)}), flush=True)


def new_client(**options: Any) -> socketio.AsyncClient:
    # The certificate of a server under test is its own.
    client = socketio.AsyncClient(**{"reconnection": False, "ssl_verify": False} | options)
    opened.append(client)
    return client


async def connect(*namespaces: str, **options: Any) -> socketio.AsyncClient:
    """An open client, through with its upgrade when there is one."""
    client = new_client()
    await client.connect(URL, transports=TRANSPORTS[TRANSPORT], namespaces=list(namespaces or "/"), **options)
    return client


def upcoming(client: socketio.AsyncClient, event: str, count: int, namespace: str = "/") -> asyncio.Future[list[Any]]:
    """The next `count` events of one name: the list of their arguments, each a list."""
    collected: list[Any] = []
    complete: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    def collect(*args: Any) -> None:
        collected.append(list(args))
        if len(collected) == count:
            complete.set_result(collected)

    client.on(event, collect, namespace=namespace)
    return complete


async def msgpack() -> None:
    values = ["żółw 🐢", -3, 1.5, 2**40, None, b"\1\2"]
    client = new_client(serializer="msgpack")
    await client.connect(URL, transports=TRANSPORTS[TRANSPORT])
    fact("acknowledged", await client.call("echo", tuple(values)))
    repeated = upcoming(client, "repeated", 1)
    await client.emit("repeat", tuple(values))
    fact("repeated", (await repeated)[0])
    client.on("look", lambda data: data[::-1])
    fact("asked", await client.call("ask", ("look", b"\1\2")))


async def echo() -> None:
    values = ["text", "", "żółw 🐢\u2028", 0, -1.5, 1e21, True, None, [], {}, {"deep": [{"er": [1, [2, [3]]]}]}]
    client = await connect()
    fact("transport", client.transport())
    fact("acknowledged", await client.call("echo", tuple(values)))
    repeated = upcoming(client, "repeated", 2)
    await client.emit("repeat", tuple(values))
    await client.emit("repeat")
    first, second = await repeated
    fact("repeated", first)
    fact("nothing", second)


async def binary() -> None:
    client = await connect()
    values = (bytes(range(256)), b"", {"file": {"body": b"\x00\xff", "name": "a"}}, [b"\x01"], "text")
    fact("acknowledged", await client.call("echo", values))
    repeated = upcoming(client, "repeated", 1)
    await client.emit("repeat", values)
    fact("repeated", (await repeated)[0])
    client.on("look", lambda data: data[::-1])
    fact("asked", await client.call("ask", ("look", b"\x01\x02\x03")))


async def acknowledgements() -> None:
    client = await connect()
    client.on("one", lambda value: value + 1)
    client.on("several", lambda: ("a", {"b": 1}, None))
    client.on("mute", lambda: asyncio.Event().wait())
    fact("one", await client.call("ask", ("one", 41)))
    fact("several", await client.call("ask", "several"))
    fact("mute", await client.call("ask", "mute"))
    try:
        await client.call("silence", timeout=0.2)
    except socketio.exceptions.TimeoutError:
        fact("late", "operation has timed out")
    fact("in time", await client.call("later", (10, "here")))
    order: list[str] = []

    async def observe(milliseconds: int, name: str) -> None:
        order.append(await client.call("later", (milliseconds, name)))

    await asyncio.gather(observe(100, "slow"), observe(0, "quick"))
    fact("order", order)


async def namespaces() -> None:
    auth = {"name": "ann", "token": "secret"}
    spaces = ["/", "/private", "/room"]
    client = new_client()
    await client.connect(URL + "?fruit=kiwi", {"X-Agent": "Smith"}, auth, TRANSPORTS[TRANSPORT], spaces)
    fact("main", await client.call("who") | {"id": None})
    fact("refused", await refusal("/private", {"name": "ann", "token": "a guess"}))
    fact("unknown", await refusal("/nowhere", {}))
    fact("private", await client.call("who", namespace="/private") | {"id": None})
    fact("room", (await client.call("who", namespace="/room"))["namespace"])
    fact("ids", len({client.eio.sid, *(client.get_sid(space) for space in spaces)}))
    told: list[list[str]] = []
    for space in spaces:
        client.on("told", lambda text, space=space: told.append([space, text]), namespace=space)
    for space in spaces:
        await client.call("announce", "from " + space, namespace=space)
    fact("told", told)


async def refusal(namespace: str, auth: dict[str, str]) -> dict[str, Any]:
    client = new_client()
    refused = upcoming(client, "connect_error", 1, namespace)
    await client.connect(URL, auth=auth, transports=TRANSPORTS[TRANSPORT], namespaces=[namespace], wait=False)
    return (await refused)[0][0] | {"connected": namespace in client.namespaces}


async def rooms() -> None:
    names = ["ann", "bob", "cid"]
    ann, bob, cid = everybody = [await connect("/news") for _ in names]
    told: list[str] = []
    for client, name in zip(everybody, names, strict=True):
        client.on("told", lambda text, name=name: told.append(f"{name}: {text}"), namespace="/news")
        client.on("question", lambda name=name: name, namespace="/news")

    async def observe(name: str, actor: socketio.AsyncClient, *message: str) -> None:
        told.clear()
        await actor.emit(message[0], message[1:], namespace="/news")
        for client in (actor, *everybody):
            await client.call("echo", namespace="/news")
        fact(name, sorted(told))

    joins = [(ann, "a"), (bob, "a"), (bob, "b")]
    fact("joined", [await client.call("join", room, namespace="/news") for client, room in joins])
    await observe("announce", ann, "announce", "x")
    await observe("broadcast", ann, "broadcast", "x")
    await observe("tell", bob, "tell", "a", "x")
    await observe("tell from outside", cid, "tell", "a", "x")
    await observe("tell all", bob, "tell_all", "a", "x")
    await observe("tell except", cid, "tell_except", "a", "b", "x")
    await observe("empty room", ann, "tell", "nobody is here", "x")
    await observe("tell one", cid, "tell", ann.get_sid("/news"), "x")
    fact("survey", await cid.call("survey", "a", namespace="/news"))
    fact("left", await bob.call("leave", "a", namespace="/news"))
    await observe("after leaving", cid, "tell", "a", "x")


async def order() -> None:
    client = await connect()
    items = upcoming(client, "item", 1000)
    await client.emit("flood", 1000)
    fact("down", [item for (item,) in await items])
    mixed = upcoming(client, "item", 100)
    await client.emit("mixed", 100)
    fact("mixed down", [item for (item,) in await mixed])
    repeated = upcoming(client, "repeated", 1000)
    for number in range(1000):
        await client.emit("repeat", number if number % 3 else bytes([number % 256]))
    fact("up and down", [item for (item,) in await repeated])


async def payload() -> None:
    client = await connect()

    async def round_trip(value: Any) -> dict[str, Any]:
        back = await client.call("echo", value)
        return {"length": len(back), "same": digest(back) == digest(value)}

    fact("text", await round_trip("é" * 10 + "x" * (LIMIT - 100)))
    fact("binary", await round_trip(b"0123456789" * (74_000 if TRANSPORT == "polling" else LIMIT // 10)))


def digest(value: str | bytes) -> str:
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()


async def disconnects() -> None:
    witness = await connect()

    async def observe(name: str, act: Callable[[socketio.AsyncClient], Coroutine[Any, Any, None]]) -> None:
        client = await connect("/news")
        socket_id = client.get_sid("/news")
        gone = upcoming(client, "disconnect", 1, "/news")
        await act(client)
        fact(name, {"client": (await gone)[0][0], "server": await witness.call("farewell", socket_id)})

    await observe("client leaves", leave)
    await observe("client closes", lambda client: client.eio.disconnect())
    await observe("server dismisses", lambda client: client.emit("dismiss", False, namespace="/news"))
    await observe("server closes", lambda client: client.emit("dismiss", True, namespace="/news"))


async def reconnection() -> None:
    """The test restarts the server once it has read the fact "connected"."""
    client = new_client(reconnection=True, reconnection_delay=0.05, reconnection_delay_max=0.2)
    await client.connect(URL, transports=TRANSPORTS[TRANSPORT])
    first_id = client.get_sid()
    gone = upcoming(client, "disconnect", 1)
    back = upcoming(client, "connect", 1)
    await client.call("join", "a")
    fact("connected", await client.call("echo", "before"))
    fact("disconnected", (await gone)[0][0])
    await back
    fact("answer", await client.call("echo", "after"))
    fact("new id", client.get_sid() != first_id)
    fact("rooms", await client.call("join", "b"))


async def main() -> None:
    await globals()[SCENARIO]()
    fact("done", True)
    await asyncio.wait([asyncio.ensure_future(leave(client)) for client in opened], timeout=1.0)


async def leave(client: socketio.AsyncClient) -> None:
    # A packet that it sends while a POST is on its way is lost when it disconnects meanwhile: the loop that writes ends
    # behind the POST. It would then wait for its poll, up to the next ping.
    await asyncio.sleep(0.05)
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
