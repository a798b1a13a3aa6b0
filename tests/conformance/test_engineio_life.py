"""Heartbeat, close and upgrade of an Engine.IO session, alone and below Socket.IO.

Cases of the public suite of Engine.IO 4 (the one of Socket.IO 5 repeats them):

    heartbeat, long-polling   sends ping/pong packets                 test_polling_session_lives_while_it_answers_pings
                              closes upon ping timeout                test_polling_session_ends_without_pongs
    heartbeat, WebSocket      sends ping/pong packets                 test_websocket_lives_while_it_answers_pings
                              closes upon ping timeout                test_websocket_ends_without_pongs
    close, long-polling       forcefully closes the session           test_client_closes_a_polling_session
    close, WebSocket          forcefully closes the session           test_silent_client_of_a_close_packet_is_cut_off
    upgrade                   from long-polling to WebSocket          test_session_moves_to_websocket
                              ignores HTTP requests with same sid     test_upgraded_session_polls_no_more
                              ignores WebSocket with same sid         test_upgraded_session_has_one_websocket
"""

from __future__ import annotations

from tests.bad_input.serving import Serving, ending
from tests.sessions import UPGRADE_HEADERS, Polling, WebSocket
from tests.wire import CLOSE, TEXT, Frame, request

PING = Frame(TEXT, b"2")


async def test_polling_session_lives_while_it_answers_pings(server: Serving) -> None:
    """Each poll brings a ping; the session goes on as long as pongs are posted."""
    session = await server.polling()
    for _ in range(3):
        polled = await session.poll()
        assert (polled.status, polled.body) == (200, b"2")
        assert (await session.post(b"3")).status == 200


async def test_polling_session_ends_without_pongs(server: Serving) -> None:
    """A session whose ping is not answered is closed, and forgotten."""
    session = await server.polling()
    assert (await session.poll()).body == b"2"
    await session.poll()
    assert (await session.poll()).status == 400


async def test_websocket_lives_while_it_answers_pings(server: Serving) -> None:
    """Pings come at their interval as long as they are answered."""
    session = await server.websocket()
    for _ in range(3):
        assert await session.read_frame() == PING
        await session.send("3")


async def test_websocket_ends_without_pongs(server: Serving) -> None:
    """A connection whose ping is not answered is closed."""
    session = await server.websocket()
    session.answers_pings = False
    await ending(session)


async def test_client_closes_a_polling_session(server: Serving) -> None:
    """A close packet completes the pending poll with a noop and ends the session."""
    session = await server.polling()
    await session.start_poll()
    assert (await session.post(b"1")).status == 200
    polled = await session.polls.read_response()
    assert (polled.status, polled.body) == (200, b"6")
    assert (await session.poll()).status == 400


async def test_silent_client_of_a_close_packet_is_cut_off(server: Serving) -> None:
    """A close packet over WebSocket: the connection ends, at the latest with its heartbeat."""
    session = await server.websocket()
    session.answers_pings = False
    await session.send("1")
    await ending(session)


async def upgrading(server: Serving) -> tuple[Polling, WebSocket]:
    """A long-polling session, and its WebSocket with the probe answered."""
    polling = await server.polling()
    websocket = await server.websocket(polling.websocket_target)
    await websocket.send("2probe")
    assert await websocket.read() == "3probe"
    return polling, websocket


async def check_lives(websocket: WebSocket) -> None:
    """The session answers: Engine.IO alone with the same, Socket.IO with a connection to the main namespace."""
    await websocket.send("40")
    reply = await websocket.read()
    assert isinstance(reply, str) and reply.startswith("40")


async def test_session_moves_to_websocket(server: Serving) -> None:
    """After the probe a poll is completed with a noop; after the upgrade packet messages go over the WebSocket."""
    polling, websocket = await upgrading(server)
    polled = await polling.poll()
    assert (polled.status, polled.body) == (200, b"6")
    await websocket.send("5")
    await check_lives(websocket)


async def test_upgraded_session_polls_no_more(server: Serving) -> None:
    """A poll of a session that has moved gets 400, and the session lives."""
    polling, websocket = await upgrading(server)
    await websocket.send("5")
    await check_lives(websocket)
    assert (await polling.poll()).status == 400
    while await websocket.read_frame() != PING:
        pass


async def test_upgraded_session_has_one_websocket(server: Serving) -> None:
    """A second WebSocket of a session that has moved is closed or refused, and the session lives."""
    polling, websocket = await upgrading(server)
    await websocket.send("5")
    second = await server.wire()
    second.send(request("GET", polling.websocket_target, headers=UPGRADE_HEADERS))
    response = await second.read_response()
    assert response.status == 400 or (await WebSocket(second).read_frame()).opcode == CLOSE
    await check_lives(websocket)
