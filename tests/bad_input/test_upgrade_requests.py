"""Rows 34-40, 117, 120 and 122: requests for a WebSocket."""

from __future__ import annotations

import pytest
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from tests.bad_input.serving import Serving, check_echo, serving
from tests.bad_input.table import BAD_REQUEST, read_answer, rows
from tests.sessions import POLLING, UPGRADE_HEADERS, WEBSOCKET, WebSocket
from tests.wire import TEXT, frame, request

NO_KEY = "Missing or invalid Sec-WebSocket-Key header"
NO_VERSION = "Missing or invalid Sec-WebSocket-Version header"


def upgrade(target: str = WEBSOCKET, method: str = "GET", **changed: str) -> bytes:
    """A request to upgrade; `Sec_WebSocket_Key=""` leaves that header out."""
    headers = UPGRADE_HEADERS | {name.replace("_", "-"): value for name, value in changed.items()}
    return request(method, target, headers={name: value for name, value in headers.items() if value})


ROWS = rows(
    ("34 no transport", upgrade("/socket.io/?EIO=4"), "Transport unknown"),
    ("34 unknown transport", upgrade("/socket.io/?EIO=4&transport=flash"), "Transport unknown"),
    ("34 __proto__", upgrade("/socket.io/?EIO=4&transport=__proto__"), "Transport unknown"),
    ("34 webtransport", upgrade("/socket.io/?EIO=4&transport=webtransport"), "Transport unknown"),
    ("35 unknown sid", upgrade(WEBSOCKET + "&sid=abc"), "Session ID unknown"),
    ("35 sid=__proto__", upgrade(WEBSOCKET + "&sid=__proto__"), "Session ID unknown"),
    ("36 EIO=3", upgrade("/socket.io/?EIO=3&transport=websocket"), "Unsupported protocol version"),
    ("36 no EIO", upgrade("/socket.io/?transport=websocket"), "Unsupported protocol version"),
    ("37 polling", upgrade(POLLING), "Bad request"),
    ("38 no key", upgrade(Sec_WebSocket_Key=""), NO_KEY),
    ("38 short key", upgrade(Sec_WebSocket_Key="dGhlIHNhbXBsZQ=="), NO_KEY),
    ("38 key is not base64", upgrade(Sec_WebSocket_Key="!" * 22 + "=="), NO_KEY),
    ("38 no version", upgrade(Sec_WebSocket_Version=""), NO_VERSION),
    ("38 version 99", upgrade(Sec_WebSocket_Version="99"), NO_VERSION),
    ("120 version 0xd", upgrade(Sec_WebSocket_Version="0xd"), NO_VERSION),
    ("120 version 1.3e1", upgrade(Sec_WebSocket_Version="1.3e1"), NO_VERSION),
    ("120 version +13", upgrade(Sec_WebSocket_Version="+13"), NO_VERSION),
    ("120 version 13, 8", upgrade(Sec_WebSocket_Version="13, 8"), NO_VERSION),
    ("120 full-width version", upgrade(Sec_WebSocket_Version="\xb9\xb3"), NO_VERSION),
    ("38 h2c", upgrade(Upgrade="h2c"), "Invalid Upgrade header"),
    ("39 POST", upgrade(method="POST"), "Bad handshake method"),
    ("39 PUT", upgrade(method="PUT"), "Bad handshake method"),
)


@pytest.mark.parametrize(("sent", "text"), ROWS)
async def test_upgrade_is_refused(server: Serving, sent: bytes, text: str) -> None:
    """A refusal comes before any 101: its text is the whole body, and the connection ends."""
    wire = await server.wire()
    wire.send(sent)
    response = await wire.read_response()
    assert read_answer(response) == (400, "text/html", text.encode())
    assert response.header("connection") == "close"
    assert response.header("sec-websocket-version") == ("13, 8" if text == NO_VERSION else None)
    assert await wire.read_to_end() == b""


PLAIN = rows(
    ("38b Connection: keep-alive", upgrade(Connection="keep-alive")),
    ("38b no Connection", upgrade(Connection="")),
    ("38b no Upgrade", upgrade(Upgrade="")),
)


@pytest.mark.parametrize("sent", PLAIN)
async def test_without_both_headers_it_is_a_plain_request(server: Serving, sent: bytes) -> None:
    """38b: refused as row 6."""
    assert read_answer(await server.ask(sent)) == BAD_REQUEST


ACCEPTED = rows(
    ("38c extensions with names of prototypes", {"Sec-WebSocket-Extensions": "constructor; __proto__=1"}),
    ("38c extension that is off", {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}),
    ("38c broken extensions", {"Sec-WebSocket-Extensions": ";,=\"';;"}),
    ("38d subprotocols", {"Sec-WebSocket-Protocol": "a, b"}),
    ("38d many subprotocols", {"Sec-WebSocket-Protocol": ", ".join(f"p{n}" for n in range(1500))}),
    ("Upgrade in another case", {"Upgrade": "WebSocket"}),
    ("Connection in another case, among others", {"Connection": "keep-alive, upgrade"}),
    ("version 8", {"Sec-WebSocket-Version": "8"}),
)


@pytest.mark.parametrize("headers", ACCEPTED)
async def test_odd_upgrade_is_accepted(server: Serving, headers: dict[str, str]) -> None:
    """What we do not know is ignored, and no extension is agreed on."""
    wire = await server.wire()
    wire.send(request("GET", WEBSOCKET, headers=UPGRADE_HEADERS | headers))
    response = await wire.read_response()
    assert (response.status, response.header("sec-websocket-extensions")) == (101, None)
    websocket = WebSocket(wire)
    await websocket.read_open()
    await websocket.join()
    await check_echo(websocket)


async def test_upgrade_of_another_path_is_left_to_the_site(server: Serving) -> None:
    """40: there is nobody for it here, so the site says so."""
    response = await server.ask(upgrade("/elsewhere/?EIO=4&transport=websocket"))
    assert response.status == 404


EARLY = frame(TEXT, b"40") + frame(TEXT, b"40/nope,")


@pytest.mark.parametrize("cut", [0, 1, 5, 8, 20, len(EARLY)])
async def test_frames_behind_the_request_in_one_segment(server: Serving, cut: int) -> None:
    """117: whole or in part, they are read in order."""
    wire = await server.wire()
    wire.send(upgrade() + EARLY[:cut])
    assert (await wire.read_response()).status == 101
    websocket = WebSocket(wire)
    await websocket.read_open()
    wire.send(EARLY[cut:])
    assert str(await websocket.read()).startswith('40{"sid":')
    assert await websocket.read() == '44/nope,{"message":"Invalid namespace"}'


async def test_request_in_single_bytes(server: Serving) -> None:
    """However TCP cuts the request, it is the same."""
    wire = await server.wire()
    wire.transport.setTcpNoDelay(True)
    for byte in upgrade():
        wire.send(bytes([byte]))
    assert (await wire.read_response()).status == 101


@pytest.mark.parametrize(
    "sent",
    [request("GET", POLLING, headers={"Origin": "http://evil.example"}), upgrade(Origin="http://evil.example")],
    ids=["polling", "websocket"],
)
async def test_foreign_origin_is_refused(server: Serving, sent: bytes) -> None:
    """122: a page of another site gets no session unless the application allows it."""
    response = await server.ask(sent)
    assert (response.status, response.body) == (403, b'{"code":4,"message":"Origin not allowed"}')


async def test_foreign_origin_is_logged_once(server: Serving) -> None:
    """122: with the name of the option that would allow it."""
    warnings: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"] is LogLevel.warn:
            warnings.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    for _ in range(3):
        await server.ask(upgrade(Origin="http://evil.example"))
    globalLogPublisher.removeObserver(observe)
    (warning,) = warnings
    assert "http://evil.example" in warning and "cors_allowed_origins" in warning


@pytest.mark.parametrize("origin", ["http://test", "https://test", "http://TEST"])
async def test_own_origin_is_allowed(server: Serving, origin: str) -> None:
    """The page that the same host serves; TLS may have ended before us, so either scheme."""
    response = await server.ask(request("GET", POLLING, headers={"Origin": origin}))
    assert response.status == 200
    await server.adopt(response)


@pytest.mark.parametrize("origin", ["null", "http://test.evil.example", "http://test:81", "http://", "test", "x:test"])
async def test_origin_that_only_resembles_ours_is_refused(server: Serving, origin: str) -> None:
    """122: the whole of host and port must be the same."""
    assert (await server.ask(request("GET", POLLING, headers={"Origin": origin}))).status == 403
    assert (await server.ask(upgrade(Origin=origin))).status == 403


async def test_odd_field_hides_no_other(server: Serving) -> None:
    """122: a field that HTTP does not allow must not switch the check of the origin off."""
    response = await server.ask(request("GET", POLLING, headers={"X Y": "1", "Origin": "http://evil.example"}))
    assert response.status in (400, 403)


async def test_allowed_origin(way: str) -> None:
    """122: the option lets it in, over either transport, and the page may read the answer."""
    friend = "http://friend.example"
    async with serving(way, cors_allowed_origins=[friend]) as server:
        polling = await server.ask(request("GET", POLLING, headers={"Origin": friend}))
        await server.adopt(polling)
        websocket = await server.ask(upgrade(Origin=friend))
        assert (polling.status, websocket.status) == (200, 101)
        for response in (polling, websocket):
            assert response.header("access-control-allow-origin") == friend
