"""Rows 52-87 and 116-118: packets of Engine.IO and Socket.IO, over either transport."""

from __future__ import annotations

import pytest
from twisted.internet import reactor

from tests.bad_input.serving import WAYS, Serving, check_echo, ending
from tests.bad_input.table import rows

Message = str | bytes
Messages = list[Message]

PLACEHOLDER = '{"_placeholder":true,"num":%s}'


@pytest.fixture
def way() -> str:
    """One way of HTTP: whatever brings a packet, it is the same packet."""
    return WAYS[0]


def event_with(num: str) -> str:
    """A binary event of one attachment, whose placeholder names another."""
    return '451-["echo",' + PLACEHOLDER % num + "]"


#: What cannot be decoded, or must not be sent by a client: the connection is closed.
ILLEGAL = rows(
    ("58 no packet type", ["4"]),
    ("58 unknown packet type", ["47"]),
    ("58 letter", ["4abc"]),
    ("58 full-width digit", ["4\uff12"]),
    ("63 CONNECT with an array", ['40/,["a"]']),
    ("63 CONNECT with an id", ["401{}"]),
    ("61 namespace without a comma", ["42/other"]),
    ("66 DISCONNECT with data", ['41"x"']),
    ("67 object", ['42{"a":1}']),
    ("67 empty array", ["42[]"]),
    ("67 name is null", ["42[null]"]),
    ("67 name is an object", ['42[{"toString":"x"}]']),
    ("67 name is an array", ['42[["x"]]']),
    ("67 name is true", ["42[true]"]),
    ("67 cut off", ['42["hi"']),
    ("67 text behind", ['42["hi"]x']),
    ("67 text", ['42"hi"']),
    ("67 id only", ["421"]),
    ("68 event without data", ["42"]),
    ("69 connect", ['42["connect"]']),
    ("69 connect_error", ['42["connect_error"]']),
    ("69 disconnect", ['42["disconnect"]']),
    ("69 disconnecting", ['42["disconnecting"]']),
    ("69 newListener", ['42["newListener"]']),
    ("69 removeListener", ['42["removeListener"]']),
    ("69 escaped", ['42["\\u0063onnect"]']),
    ("72 acknowledgement is an object", ['431{"a":1}']),
    ("72 acknowledgement without data", ["431"]),
    ("73 id of 16 digits", ['421234567890123456["echo"]']),
    ("73 id of 400 digits", ["42" + "9" * 400 + '["echo"]']),
    ("73 id of 100 000 digits", ["42" + "9" * 100_000 + '["echo"]']),
    ("74 no count", ['45-["x"]']),
    ("74 no dash", ['451["x"]']),
    ("74 negative", ['45-1-["x"]']),
    ("74 fraction", ['451.5-["x"]']),
    ("74 none", ['450-["x"]']),
    ("74 full-width digit", ['45\uff11-["x"]']),
    ("74 digits only", ["45" + "1" * 10_000]),
    ("74 acknowledgement", ['461["x"]']),
    ("75 eleven", ['4511-["x"]']),
    ("75 very many", ['459999999999-["x"]']),
    ("75 400 digits", ["45" + "9" * 400 + '-["x"]']),
    ("76 num too high", [event_with("1"), b"x"]),
    ("76 num far too high", [event_with("5"), b"x"]),
    ("76 num negative", [event_with("-1"), b"x"]),
    ("76 num is a text", [event_with('"splice"'), b"x"]),
    ("76 num is a digit in a text", [event_with('"0"'), b"x"]),
    ("76 num is a fraction", [event_with("0.5"), b"x"]),
    ("76 num is true", [event_with("true"), b"x"]),
    ("76 num is null", [event_with("null"), b"x"]),
    ("76 num is missing", ['451-["echo",{"_placeholder":true}]', b"x"]),
    ("76 the same num twice", ['451-["echo",' + PLACEHOLDER % "0" + "," + PLACEHOLDER % "0" + "]", b"x"]),
    ("76 placeholder as the name", ["451-[" + PLACEHOLDER % "0" + "]", b"x"]),
    ("77 text while an attachment is due", [event_with("0"), '42["echo"]']),
    ("78 attachment that nobody announced", [b"x"]),
    ("78 one attachment too many", [event_with("0"), b"x", b"y"]),
    ("83 nested 100 000 deep", ['42["echo",' + "[" * 100_000 + "]" * 100_000 + "]"]),
    ("83 nested and cut off", ['42["echo",' + "[" * 100_000]),
    ("83 objects nested 10 000 deep", ['42["echo",' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "]"]),
    ("84 number of 5000 digits", ['42["echo",' + "9" * 5000 + "]"]),
    ("84 exponent", ['42["echo",1e400]']),
    ("84 NaN", ['42["echo",NaN]']),
    ("84 Infinity", ['42["echo",Infinity]']),
    ("84 -Infinity", ['42["echo",-Infinity]']),
    ("85 lone surrogate", ['42["echo","\\ud800"]']),
    ("116 nested 30 000 deep", ['420["echo",' + "[" * 30_000 + "]" * 30_000 + "]"]),
)

#: What can be decoded but not now: the connection is closed by the layer that knows the sockets.
MISPLACED = rows(
    ("60 second CONNECT", ["40"]),
    ("61 namespace not joined", ['42/other,["x"]']),
    ("61 acknowledgement for a namespace not joined", ['43/other,1["x"]']),
    ("65 CONNECT_ERROR", ['44{"message":"x"}']),
)


@pytest.mark.parametrize("sent", ILLEGAL)
async def test_illegal_packet(server: Serving, transport: str, sent: Messages) -> None:
    """The connection is closed without an answer, and no listener hears of the packet."""
    session = await server.session(transport)
    socket_id = await session.join()
    await session.send(*sent)
    assert (await ending(session)).code == without_code(transport)
    assert await server.reason_of(socket_id) == "forced close"


@pytest.mark.parametrize("sent", MISPLACED)
async def test_misplaced_packet(server: Serving, transport: str, sent: Messages) -> None:
    """A12: over polling the sockets are told before the transport, so the reason has another name."""
    session = await server.session(transport)
    socket_id = await session.join()
    await session.send(*sent)
    assert (await ending(session)).code == without_code(transport)
    reason = "forced close" if transport == "websocket" else "forced server close"
    assert await server.reason_of(socket_id) == reason


def without_code(transport: str) -> int | None:
    return 1005 if transport == "websocket" else None


#: Before any CONNECT.
EARLY = rows(
    ("59 event", ['42["echo"]']),
    ("59 acknowledgement", ['431["echo"]']),
    ("59 DISCONNECT", ["41"]),
    ("63 CONNECT with an array", ['40["a"]']),
    ("63 CONNECT with a text", ['40"a"']),
    ("63 CONNECT with null", ["40null"]),
    ("63 CONNECT with true", ["40true"]),
    ("82 binary event", [event_with("0")]),
    ("82 binary event and its attachment", [event_with("0"), b"x"]),
    ("82 attachment", [b"x"]),
    ("118 two CONNECTs at once", ["40", "40"]),
)


@pytest.mark.parametrize("sent", EARLY)
async def test_packet_before_connect(server: Serving, transport: str, sent: Messages) -> None:
    """The connection is closed; nothing is kept for a namespace session that does not exist."""
    session = await server.session(transport)
    await session.send(*sent)
    answered = [] if sent != ["40", "40"] else [await session.read()]
    assert all(str(reply).startswith("40{") for reply in answered)
    assert (await ending(session)).code == without_code(transport)


ENGINE_ENDS = rows(
    ("52 unknown type", "7", "parse error"),
    ("52 letter", "x", "parse error"),
    ("52 negative", "-1", "parse error"),
    ("53 ping", "2", "transport error"),
    ("53 ping with data", "2x", "transport error"),
)


@pytest.mark.parametrize(("packet", "reason"), ENGINE_ENDS)
async def test_engine_packet_ends_the_session(server: Serving, packet: str, reason: str) -> None:
    """Over WebSocket; over polling these are rows of test_polling.py."""
    websocket = await server.websocket()
    socket_id = await websocket.join()
    await websocket.send(packet)
    assert (await ending(websocket)).code == 1005
    assert await server.reason_of(socket_id) == reason


#: What is legal, or ignored: the answers that come before the echo of the packet behind.
HARMLESS = rows(
    ("54 unsolicited pong", ["3"], []),
    ("54 many pongs", ["3"] * 1000, []),
    ("57 open", ['0{"sid":"x"}'], []),
    ("57 upgrade", ["5"], []),
    ("57 noop", ["6"], []),
    ("62 unknown namespace", ["40/nope,"], ['44/nope,{"message":"Invalid namespace"}']),
    ("62 unknown namespace with a query", ["40/nope?a=b,"], ['44/nope?a=b,{"message":"Invalid namespace"}']),
    ("70 error", ['42["error"]'], ['42["seen","error"]']),
    ("70 error without a listener for its arguments", ['42["error",{"a":1}]'], ['42["seen","error"]']),
    ("70 name of an attribute", ['42["__init__"]'], []),
    ("70 name of a method", ['42["emit","x"]', '42["join","x"]', '42["_handlers"]'], []),
    ("70 private name with a listener", ['42["_private"]'], ['42["seen","_private"]']),
    ("70 constructor", ['42["constructor"]'], ['42["seen","constructor"]']),
    ("70 number as a name", ["42[1]"], ['42["seen","1"]']),
    ("71 unknown id", ['4399["x"]'], []),
    ("71 acknowledgement without an id", ['43["x"]'], []),
    ("73 id of 15 digits", ['42123456789012345["echo",1]'], ["43123456789012345[1]"]),
    (
        "81 placeholder without attachments",
        ['421["echo",' + PLACEHOLDER % "0" + "]"],
        ["431[" + PLACEHOLDER % "0" + "]"],
    ),
    ("86 duplicate keys", ['421["echo",{"a":1,"a":2}]'], ['431[{"a":2}]']),
    (
        "86 special keys",
        ['421["echo",{"__proto__":{"x":1},"__class__":"y"}]'],
        ['431[{"__proto__":{"x":1},"__class__":"y"}]'],
    ),
    (
        "ten attachments",
        ['4510-1["echo",' + PLACEHOLDER % "9" + "]", *[bytes([n]) for n in range(10)]],
        ["461-1[" + PLACEHOLDER % "0" + "]", b"\x09"],
    ),
    (
        "pong while an attachment is due",
        ['451-1["echo",' + PLACEHOLDER % "0" + "]", "3", b"x"],
        [
            "461-1[" + PLACEHOLDER % "0" + "]",
            b"x",
        ],
    ),
)


@pytest.mark.parametrize(("sent", "expected"), HARMLESS)
async def test_harmless_packet(server: Serving, transport: str, sent: Messages, expected: Messages) -> None:
    """The answers are exactly these, and the session lives on."""
    session = await server.session(transport)
    await session.join()
    await session.send(*sent)
    assert [await session.read() for _ in expected] == expected
    await check_echo(session)


async def test_pongs_start_no_timers(server: Serving, transport: str) -> None:
    """54: CVE-2026-48802; a session has one deadline for its heartbeat, and one to join a namespace until it has."""
    if server.io is None:
        pytest.skip("looks inside")
    session = await server.session(transport)
    await session.join()
    before = len(server.io.engine.deadlines), len(reactor.getDelayedCalls())
    await session.send(*["3"] * 1000)
    await check_echo(session)
    assert (len(server.io.engine.deadlines), len(reactor.getDelayedCalls())) == before


async def test_close_packet_over_websocket_is_ignored(server: Serving) -> None:
    """57, A3.7: over polling it ends the session, over WebSocket the transport has its own way to close."""
    websocket = await server.websocket()
    await websocket.join()
    await websocket.send("1")
    await check_echo(websocket)


async def test_base64_in_a_text_message(server: Serving) -> None:
    """A3.3: a text message that begins with "b" is a binary one."""
    websocket = await server.websocket()
    await websocket.join()
    await websocket.send('451-1["echo",' + PLACEHOLDER % "0" + "]", "bAQID")
    assert await websocket.read() == "461-1[" + PLACEHOLDER % "0" + "]"
    assert await websocket.read() == b"\x01\x02\x03"


async def test_auth_of_900_kilobytes(server: Serving, transport: str) -> None:
    """87: what a client says of itself may be as long as a message."""
    session = await server.session(transport)
    await session.join(auth='{"token":"' + "a" * 900_000 + '"}')
    await check_echo(session)


async def test_namespace_of_20_kilobytes(server: Serving, transport: str) -> None:
    """64: a name that long is refused, and the connection stays open."""
    session = await server.session(transport)
    await session.join()
    await session.send("40/" + "a" * 20_000 + ",")
    reply = await session.read()
    assert isinstance(reply, str) and reply.startswith("44/aaa")
    await check_echo(session)


async def test_events_behind_an_illegal_packet_are_dropped(server: Serving) -> None:
    """Of one payload, what stands behind the fault reaches nobody."""
    polling = await server.polling()
    socket_id = await polling.join()
    await polling.send('421["echo","before"]', "4", '422["echo","behind"]')
    assert b"behind" not in (await polling.poll()).body
    assert await server.reason_of(socket_id) == "forced close"
