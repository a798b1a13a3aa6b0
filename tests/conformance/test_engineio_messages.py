"""Messages of Engine.IO, without anything above it.

Cases of the public suite of Engine.IO 4:

    message, long-polling     one plain text packet                       test_polling_carries_messages[one]
                              several plain text packets                  test_polling_carries_messages[several]
                              plain text and binary packets               test_polling_carries_messages[binary]
                              invalid packet format closes                test_bad_packet_ends_a_polling_session
                              duplicate poll requests close               test_second_poll_ends_the_session
                              cancelled polling request closes            test_abandoned_poll_ends_the_session
    message, WebSocket        a plain text packet                         test_websocket_carries_messages[text]
                              a binary packet                             test_websocket_carries_messages[binary]
                              invalid packet format closes                test_bad_packet_ends_a_websocket
"""

from __future__ import annotations

import pytest

from tests.bad_input.serving import Serving, ending
from tests.wire import request


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"4hello", id="one"),
        pytest.param(b"4test1\x1e4test2\x1e4test3", id="several"),
        pytest.param(b"4hello\x1ebAQIDBA==", id="binary"),
    ],
)
async def test_polling_carries_messages(engine: Serving, payload: bytes) -> None:
    """The packets of one POST come back in one poll, in order."""
    session = await engine.polling()
    posted = await session.post(payload)
    assert (posted.status, posted.body) == (200, b"ok")
    polled = await session.poll()
    assert (polled.status, polled.body) == (200, payload)


async def test_bad_packet_ends_a_polling_session(engine: Serving) -> None:
    """After a POST with a packet of no known type the session is gone."""
    session = await engine.polling()
    await session.post(b"abc")
    assert (await session.poll()).status == 400


async def test_second_poll_ends_the_session(engine: Serving) -> None:
    """Of two polls at once the first is told to close, the second is refused, and the session is gone."""
    session = await engine.polling()
    await session.start_poll()
    second = await engine.ask(request("GET", session.target))
    first = await session.polls.read_response()
    assert (first.status, first.body) == (200, b"1")
    assert second.status == 400
    assert (await session.poll()).status == 400


async def test_abandoned_poll_ends_the_session(engine: Serving) -> None:
    """A client that drops its pending poll has gone."""
    session = await engine.polling()
    poll = await engine.wire()
    poll.send(request("GET", session.target))
    await session.post(b"3")  # when this exchange is over the poll has arrived
    poll.close()
    while (await session.post(b"3")).status == 200:
        pass
    assert (await session.poll()).status == 400


@pytest.mark.parametrize("message", [pytest.param("4hello", id="text"), pytest.param(b"\1\2\3\4", id="binary")])
async def test_websocket_carries_messages(engine: Serving, message: str | bytes) -> None:
    """A text frame comes back as text, a binary one as bytes."""
    session = await engine.websocket()
    await session.send(message)
    assert await session.read() == message


async def test_bad_packet_ends_a_websocket(engine: Serving) -> None:
    """A packet of no known type closes the connection."""
    session = await engine.websocket()
    await session.send("abc")
    await ending(session)
