"""Connections, events and acknowledgements of Socket.IO.

Cases of the public suite of Socket.IO 5 (its cases of Engine.IO are in test_engineio_handshake.py and ..._life.py):

    connect      main namespace                                  test_client_joins_with_and_without_auth[main]
                 main namespace with a payload                   test_client_joins_with_and_without_auth[main, auth]
                 custom namespace                                test_client_joins_with_and_without_auth[custom]
                 custom namespace with a payload                 test_client_joins_with_and_without_auth[custom, auth]
                 unknown namespace                               test_unknown_namespace_is_refused
                 invalid handshake                               test_bad_first_packet_ends_the_connection
                 no handshake is received                        test_connection_that_joins_nothing_is_closed
    disconnect   from the main namespace                         test_client_that_left_keeps_its_connection
                 from a custom namespace                         test_leaving_a_namespace_leaves_the_others_alone
    message      plain-text packet                               test_event_comes_back
                 binary attachments                              test_event_with_attachments_comes_back
                 plain-text packet with an ack                   test_event_is_acknowledged
                 binary attachments and an ack                   test_event_with_attachments_is_acknowledged
                 unknown packet type                             test_invalid_packet_ends_the_connection[type]
                 invalid payload format                          test_invalid_packet_ends_the_connection[payload]
                 invalid ack id                                  test_invalid_packet_ends_the_connection[ack id]
"""

from __future__ import annotations

import json

import pytest

from tests.bad_input.serving import Serving, ending
from tests.sessions import WebSocket
from tests.wire import CLOSE, TEXT, Frame

TWO_PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
PING = Frame(TEXT, b"2")
ATTACHMENTS = [b"\1\2\3", b"\4\5\6"]


async def joined(server: Serving) -> WebSocket:
    """A client in the main namespace, its greeting read."""
    session = await server.websocket()
    await session.join()
    assert await session.read() == '42["auth",{}]'
    return session


@pytest.mark.parametrize(
    ("namespace", "auth"),
    [
        pytest.param("", "", id="main"),
        pytest.param("", '{"token":"123"}', id="main, auth"),
        pytest.param("/custom,", "", id="custom"),
        pytest.param("/custom,", '{"token":"abc"}', id="custom, auth"),
    ],
)
async def test_client_joins_with_and_without_auth(socketio: Serving, namespace: str, auth: str) -> None:
    """The reply names the new socket and nothing else; the application sees what the client gave."""
    session = await socketio.websocket()
    await session.send(f"40{namespace}{auth}")
    reply = await session.read()
    assert isinstance(reply, str) and reply.startswith("40" + namespace)
    assert [type(value) for value in json.loads(reply.removeprefix("40" + namespace)).values()] == [str]
    assert await session.read() == f'42{namespace}["auth",{auth or "{}"}]'


async def test_unknown_namespace_is_refused(socketio: Serving) -> None:
    """The refusal says why."""
    session = await socketio.websocket()
    await session.send("40/random")
    assert await session.read() == '44/random,{"message":"Invalid namespace"}'


async def test_bad_first_packet_ends_the_connection(socketio: Serving) -> None:
    """A client that speaks something else is cut off."""
    session = await socketio.websocket()
    await session.send("4abc")
    await ending(session)


async def test_connection_that_joins_nothing_is_closed(socketio: Serving) -> None:
    """A client that answers pings, but joins no namespace, is cut off after the connect timeout."""
    session = await socketio.websocket()
    while (received := await session.read_frame()) == PING:
        await session.send("3")
    assert received.opcode == CLOSE


async def test_client_that_left_keeps_its_connection(socketio: Serving) -> None:
    """Leaving the main namespace is not answered, and heartbeats go on."""
    session = await joined(socketio)
    await session.send("41")
    assert await session.read_frame() == PING


async def test_leaving_a_namespace_leaves_the_others_alone(socketio: Serving) -> None:
    """A client in two namespaces leaves one and goes on in the other."""
    session = await joined(socketio)
    await session.send("40/custom")
    assert str(await session.read()).startswith("40/custom,")
    assert await session.read() == '42/custom,["auth",{}]'
    await session.send("41/custom", '42["message","message to main namespace"]')
    assert await session.read() == '42["message-back","message to main namespace"]'


async def test_event_comes_back(socketio: Serving) -> None:
    """Arguments of every kind arrive and come back."""
    session = await joined(socketio)
    await session.send('42["message",1,"2",{"3":[true]}]')
    assert await session.read() == '42["message-back",1,"2",{"3":[true]}]'


async def test_event_with_attachments_comes_back(socketio: Serving) -> None:
    """Attachments follow the text, in both directions."""
    session = await joined(socketio)
    await session.send(f'452-["message",{TWO_PLACEHOLDERS}]', *ATTACHMENTS)
    assert await session.read() == f'452-["message-back",{TWO_PLACEHOLDERS}]'
    assert [await session.read(), await session.read()] == ATTACHMENTS


async def test_event_is_acknowledged(socketio: Serving) -> None:
    """The acknowledgement carries the id of the event."""
    session = await joined(socketio)
    await session.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert await session.read() == '43456[1,"2",{"3":[false]}]'


async def test_event_with_attachments_is_acknowledged(socketio: Serving) -> None:
    """So does one with attachments."""
    session = await joined(socketio)
    await session.send(f'452-789["message-with-ack",{TWO_PLACEHOLDERS}]', *ATTACHMENTS)
    assert await session.read() == f"462-789[{TWO_PLACEHOLDERS}]"
    assert [await session.read(), await session.read()] == ATTACHMENTS


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param("4abc", id="type"),
        pytest.param("42{}", id="payload"),
        pytest.param('42abc["message-with-ack",1,"2",{"3":[false]}]', id="ack id"),
    ],
)
async def test_invalid_packet_ends_the_connection(socketio: Serving, packet: str) -> None:
    """A client that breaks the protocol is cut off."""
    session = await joined(socketio)
    await session.send(packet)
    await ending(session)
