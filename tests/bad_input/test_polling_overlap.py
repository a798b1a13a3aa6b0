"""Rows 13-17, 119 and 121: polls and POSTs that overlap, break off, or are too large."""

from __future__ import annotations

import pytest

from tests.bad_input.serving import WAYS, Serving, check_echo, serving
from tests.bad_input.table import BAD_REQUEST, EMPTY_400, OK, UNKNOWN_SID, read_answer
from tests.sessions import Polling
from tests.wire import Wire, chunked, request

LIMIT = 1_000_000
TOO_LARGE = (413, None, b"")


#: twisted.web shows a guest no request before all of its body has come.
in_a_site_of_ours = pytest.mark.parametrize("way", WAYS[:1])


async def pending_poll(polling: Polling) -> None:
    """Send a poll, and make sure by an answered POST that the server has seen it."""
    await polling.start_poll()
    assert read_answer(await polling.post(b"3")) == OK


async def half_a_post(server: Serving, polling: Polling, announced: int = 100) -> Wire:
    wire = await server.wire()
    wire.send(request("POST", polling.target, b"42", {"Content-Length": str(announced)}))
    assert read_answer(await server.ask(request("GET", "/socket.io/?EIO=4&transport=websocket"))) == BAD_REQUEST
    return wire


async def test_second_poll_ends_the_session(server: Serving) -> None:
    """13: the second is refused, and the first is told that the session is closed."""
    polling = await server.polling()
    socket_id = await polling.join()
    await pending_poll(polling)
    assert read_answer(await server.ask(request("GET", polling.target))) == EMPTY_400
    assert read_answer(await polling.polls.read_response()) == (200, "text/plain; charset=UTF-8", b"1")
    assert await server.reason_of(socket_id) == "transport error"
    assert read_answer(await polling.poll()) == UNKNOWN_SID


@in_a_site_of_ours
async def test_second_post_ends_the_session(server: Serving) -> None:
    """14: the second is refused, and the connection of the first is dropped."""
    polling = await server.polling()
    socket_id = await polling.join()
    first = await half_a_post(server, polling)
    assert read_answer(await polling.post(b"3")) == EMPTY_400
    assert await first.read_to_end() == b""
    assert await server.reason_of(socket_id) == "transport error"
    assert read_answer(await polling.poll()) == UNKNOWN_SID


@pytest.mark.parametrize("end", [Wire.close, Wire.reset])
async def test_dropped_poll_ends_the_session(server: Serving, end: type[Wire]) -> None:
    """15: an orderly end and a reset are the same."""
    polling = await server.polling()
    socket_id = await polling.join()
    await pending_poll(polling)
    end(polling.polls)
    assert await server.reason_of(socket_id) == "transport error"
    assert read_answer(await server.ask(request("GET", polling.target))) == UNKNOWN_SID


@in_a_site_of_ours
@pytest.mark.parametrize("end", [Wire.close, Wire.reset])
async def test_dropped_post_ends_the_session(server: Serving, end: type[Wire]) -> None:
    """16: a body that breaks off is a lost transport."""
    polling = await server.polling()
    socket_id = await polling.join()
    end(await half_a_post(server, polling))
    assert await server.reason_of(socket_id) == "transport error"
    assert read_answer(await polling.poll()) == UNKNOWN_SID


@pytest.mark.parametrize("way", WAYS[1:])
async def test_dropped_post_as_a_guest(server: Serving) -> None:
    """16: where half of a body is never seen, it does no harm."""
    polling = await server.polling()
    await polling.join()
    (await half_a_post(server, polling)).reset()
    await check_echo(polling)


@in_a_site_of_ours
@pytest.mark.parametrize("announced", [LIMIT + 1, 100_000_000, 10**15])
async def test_body_is_refused_when_it_is_announced(server: Serving, announced: int) -> None:
    """16b, 17: nothing of it is read, and the session lives."""
    polling = await server.polling()
    await polling.join()
    wire = await server.wire()
    wire.send(request("POST", polling.target, b"", {"Content-Length": str(announced)}))
    assert read_answer(await wire.read_response("POST")) == TOO_LARGE
    await check_echo(polling)


async def test_body_above_the_limit(server: Serving) -> None:
    """17: refused, at the latest when it is there, and the session lives."""
    polling = await server.polling()
    await polling.join()
    assert read_answer(await server.ask(request("POST", polling.target, b"4" * (LIMIT + 1)))) == TOO_LARGE
    await check_echo(polling)


async def test_chunked_body_above_the_limit(server: Serving) -> None:
    """17: refused as soon as the sum passes the limit, and the session lives."""
    polling = await server.polling()
    await polling.join()
    body = chunked([b"4" * 10_000] * 101)
    response = await server.ask(request("POST", polling.target, body, {"Transfer-Encoding": "chunked"}))
    assert read_answer(response) == TOO_LARGE
    await check_echo(polling)


async def test_small_body_above_a_small_limit(way: str) -> None:
    """17: refused once, and not read, also when all of it has come with the head that announces it."""
    async with serving(way, max_http_buffer_size=100) as server:
        polling = await server.polling()
        await polling.join()
        for headers in ({}, {"X": "a\r\n folded"}):
            response = await server.ask(request("POST", polling.target, b"4" * 101, headers))
            assert read_answer(response) == TOO_LARGE
        body = chunked([b"4" * 60] * 2)
        response = await server.ask(request("POST", polling.target, body, {"Transfer-Encoding": "chunked"}))
        assert read_answer(response) == TOO_LARGE
        await check_echo(polling)


@in_a_site_of_ours
async def test_endless_chunks_are_refused_before_they_end(server: Serving) -> None:
    """17: the end of the body never comes."""
    polling = await server.polling()
    await polling.join()
    wire = await server.wire()
    wire.send(request("POST", polling.target, b"2710\r\n" + b"4" * 10_000, {"Transfer-Encoding": "chunked"}))
    for _ in range(100):
        wire.send(b"\r\n2710\r\n" + b"4" * 10_000)
    assert read_answer(await wire.read_response("POST")) == TOO_LARGE
    await check_echo(polling)


async def test_chunked_body(server: Serving) -> None:
    """A body in pieces is a body."""
    polling = await server.polling()
    await polling.join()
    body = chunked([bytes([byte]) for byte in b'421["echo","pieces"]'])
    response = await server.ask(request("POST", polling.target, body, {"Transfer-Encoding": "chunked"}))
    assert read_answer(response) == OK
    assert await polling.read() == '431["pieces"]'


async def test_pipelined_posts_are_answered_in_turn(server: Serving) -> None:
    """119: two whole POSTs in one segment do not overlap."""
    polling = await server.polling()
    await polling.join()
    first = request("POST", polling.target, b'421["echo","first"]')
    second = request("POST", polling.target, b'422["echo","second"]')
    polling.posts.send(first + second)
    assert read_answer(await polling.posts.read_response("POST")) == OK
    assert read_answer(await polling.posts.read_response("POST")) == OK
    assert [await polling.read(), await polling.read()] == ['431["first"]', '432["second"]']


async def test_poll_and_post_pipelined_behind_it(server: Serving) -> None:
    """A POST behind a waiting poll on one connection waits for its turn, as HTTP says; other connections go on."""
    polling = await server.polling()
    await polling.join()
    polling.polls.send(request("GET", polling.target) + request("POST", polling.target, b'421["echo","behind"]'))
    assert read_answer(await polling.post(b'422["echo","beside"]')) == OK
    assert (await polling.polls.read_response()).body == b'432["beside"]'
    assert read_answer(await polling.polls.read_response("POST")) == OK
    assert await polling.read() == '431["behind"]'


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "xchunked", "chunked, chunked"])
async def test_unknown_transfer_coding(server: Serving, coding: str) -> None:
    """121: refused by HTTP, and the session lives."""
    polling = await server.polling()
    await polling.join()
    wire = await server.wire()
    wire.send(request("POST", polling.target, b"4abc", {"Transfer-Encoding": coding}))
    assert (await wire.read_response("POST")).status in (400, 501)
    await check_echo(polling)


@pytest.mark.parametrize("length", ["x", "-1", "+2", "1e1", "0x2", "2, 2", "2 2", ""])
async def test_broken_content_length(server: Serving, length: str) -> None:
    """A length that is not a number is refused by HTTP, and the session lives."""
    polling = await server.polling()
    await polling.join()
    wire = await server.wire()
    wire.send(request("POST", polling.target, b"42", {"Content-Length": length}))
    assert (await wire.read_to_end())[:12] == b"HTTP/1.1 400"
    await check_echo(polling)
