"""A site of ours and twisted.web with our resource in it give the same bytes for HTTP that is odd but legal.

Our channel takes simple requests itself and leaves the others to twisted.web, so each of these goes one way or the
other, and no client may be able to tell which.
"""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.bad_input.serving import TARGET, Serving, serving
from tests.bad_input.table import Answer, rows
from tests.bad_input.test_requests import ROWS
from tests.bad_input.test_upgrade_requests import ACCEPTED as ACCEPTED_UPGRADES
from tests.bad_input.test_upgrade_requests import ROWS as UPGRADE_ROWS
from tests.sessions import POLLING, UPGRADE_HEADERS, WEBSOCKET
from tests.wire import Response, Wire, chunked, request

pytestmark = pytest.mark.skipif(TARGET is not None, reason="compares two servers of ours")

#: Stands for the sid of a session that has joined the main namespace, and has an event of 2 kB waiting for its poll.
SID = "00000000000000000000"

TARGETED = f"{POLLING}&sid={SID}"
POLL = request("GET", TARGETED)
POST = request("POST", TARGETED, b"3")
BIG = b'42["unheard","' + b"a" * 5000 + b'"]'


def raw(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def post_chunked(body: bytes, coding: str = "chunked") -> bytes:
    return request("POST", TARGETED, body, {"Transfer-Encoding": coding})


#: What is sent, and the status of each answer that it gets.
LEGAL = rows(
    ("poll", POLL, [200]),
    ("POST", POST, [200]),
    ("names in lower case", raw(f"POST {TARGETED} HTTP/1.1", "host: test", "content-length: 1", body=b"3"), [200]),
    ("names in upper case", raw(f"POST {TARGETED} HTTP/1.1", "HOST: test", "CONTENT-LENGTH: 1", body=b"3"), [200]),
    ("no space behind the colon", raw(f"POST {TARGETED} HTTP/1.1", "Host:test", "Content-Length:1", body=b"3"), [200]),
    ("space around the value", raw(f"GET {TARGETED} HTTP/1.1", "Host: \t test \t", "X:  "), [200]),
    ("empty value", raw(f"GET {TARGETED} HTTP/1.1", "Host: test", "X:", "Y: "), [200]),
    (
        "repeated fields",
        raw(f"GET {TARGETED} HTTP/1.1", "Host: test", "Cookie: a=1", "Cookie: b=2", "Accept: a/b", "Accept: */*"),
        [200],
    ),
    ("folded field", raw(f"GET {TARGETED} HTTP/1.1", "Host: test", "X: a", " b", "\tc", "Y: d"), [200]),
    ("empty line before", b"\r\n" + POLL, [200]),
    ("length of nothing", request("GET", TARGETED, headers={"Content-Length": "0"}), [200]),
    ("poll with a body", request("GET", TARGETED, b"3"), [200]),
    ("length with zeros", request("POST", TARGETED, b"3", {"Content-Length": "0001"}), [200]),
    ("Connection: keep-alive", request("GET", TARGETED, headers={"Connection": "keep-alive"}), [200]),
    ("Connection: Keep-Alive, x", request("GET", TARGETED, headers={"Connection": "Keep-Alive, x"}), [200]),
    ("Connection: close", request("GET", TARGETED, headers={"Connection": "close"}), [200]),
    ("Upgrade without Connection", request("GET", TARGETED, headers={"Upgrade": "websocket"}), [200]),
    ("HTTP/1.0", request("GET", TARGETED, version="1.0"), [200]),
    ("HTTP/1.0 and keep-alive", request("GET", TARGETED, version="1.0", headers={"Connection": "keep-alive"}), [200]),
    ("HTTP/1.0 POST", request("POST", TARGETED, b"3", version="1.0"), [200]),
    ("escaped query", raw(f"GET /socket.io/?%45IO=4&transpor%74=poll%69ng&sid={SID} HTTP/1.1", "Host: test"), [200]),
    ("query in another order", raw(f"GET /socket.io/?sid={SID}&transport=polling&EIO=4 HTTP/1.1", "Host: test"), [200]),
    ("odd query", raw(f"GET /socket.io/?&&=&a&b=&=c&EIO=4&transport=polling&sid={SID} HTTP/1.1", "Host: test"), [200]),
    (
        "equal keys",
        raw(f"GET /socket.io/?sid=x&EIO=3&transport=x{TARGETED[11:].replace('?', '&')} HTTP/1.1", "Host: test"),
        [200],
    ),
    ("second question mark", raw(f"GET {TARGETED}&x=a?b HTTP/1.1", "Host: test"), [200]),
    ("long target", raw(f"GET {TARGETED}&x={'a' * 10_000} HTTP/1.1", "Host: test"), [200]),
    ("deeper path", raw(f"GET {TARGETED.replace('io/', 'io/a/b')} HTTP/1.1", "Host: test"), [200]),
    ("gzip", request("GET", TARGETED, headers={"Accept-Encoding": "gzip, deflate, br"}), [200]),
    ("deflate", request("GET", TARGETED, headers={"Accept-Encoding": "deflate"}), [200]),
    ("gzip;q=0", request("GET", TARGETED, headers={"Accept-Encoding": "gzip;q=0"}), [200]),
    ("old browser", request("GET", TARGETED, headers={"User-Agent": "Mozilla/5.0 (;MSIE; Trident/7.0)"}), [200]),
    ("large POST", request("POST", TARGETED, BIG), [200]),
    ("POST of the limit", request("POST", TARGETED, b"6" + bytes(999_999)), [200]),
    ("chunked", post_chunked(chunked([b"42[", b'"unheard"', b"]"])), [200]),
    ("chunked, in capitals", post_chunked(b"A\r\n3aaaaaaaaa\r\n0\r\n\r\n", "Chunked"), [200]),
    ("chunked with extensions", post_chunked(b'1;a=b;c="d"\r\n3\r\n0;e\r\n\r\n'), [200]),
    ("chunked with trailers", post_chunked(b"1\r\n3\r\n0\r\nX: y\r\n\r\n"), [200]),
    ("chunked of nothing", post_chunked(b"0\r\n\r\n"), [200]),
    ("Expect: 100-continue", request("POST", TARGETED, b"3", {"Expect": "100-continue"}), [100, 200]),
    ("two polls in one segment", POLL + POLL.replace(b"GET", b"HEAD"), [200, 405]),
    ("two POSTs in one segment", POST + POST, [200, 200]),
    ("poll and POST in one segment", POLL + POST, [200, 200]),
    ("POST and poll in one segment", POST + POLL, [200, 200]),
    ("three in one segment", POST + request("GET", "/socket.io/") + POLL, [200, 400, 200]),
    ("POST and half of another", POST + POST[:-20], [200]),
    ("HEAD", request("HEAD", TARGETED), [405]),
    ("OPTIONS", request("OPTIONS", TARGETED), [405]),
    ("method in lower case", request("get", TARGETED), [405]),
)


@pytest.mark.parametrize("size", [None, 1, 50])
@pytest.mark.parametrize(("sent", "statuses"), LEGAL)
async def test_legal_requests(sent: bytes, statuses: list[int], size: int | None) -> None:
    """In one piece, and however TCP may cut it."""
    light, guest = await answered_both_ways([sent], statuses, size)
    assert light == guest


@pytest.mark.parametrize(("sent", "expected"), ROWS)
async def test_refused_requests(sent: bytes, expected: Answer) -> None:
    """Also the answers to what is not legal."""
    light, guest = await answered_both_ways([sent], [expected[0]])
    assert light == guest


@pytest.mark.parametrize(("sent", "text"), UPGRADE_ROWS)
async def test_refused_upgrades(sent: bytes, text: str) -> None:
    """And to requests for a WebSocket."""
    light, guest = await answered_both_ways([sent], [400])
    assert light == guest


@pytest.mark.parametrize("headers", ACCEPTED_UPGRADES)
async def test_accepted_upgrades(headers: dict[str, str]) -> None:
    """A 101 has few fields, and always the same."""
    light, guest = await answered_both_ways([request("GET", WEBSOCKET, headers=UPGRADE_HEADERS | headers)], [101])
    assert light == guest


async def test_connection_is_used_again() -> None:
    """An answer leaves the connection to the next request, whichever way each of them goes."""
    odd = raw("GET /socket.io/ HTTP/1.1", "Host: test", "X: folded", " field")
    sent = [POST, odd, POST, post_chunked(chunked([b"3"])), POLL, request("HEAD", TARGETED), POST]
    light, guest = await answered_both_ways(sent, [200, 400, 200, 200, 200, 405, 200])
    assert light == guest


async def answered_both_ways(
    sent: list[bytes], statuses: list[int], size: int | None = None
) -> list[list[tuple[bytes, bytes]]]:
    """The answers of either server, without what differs from time to time.

    Args:
        sent: each waits for the answer to the one before.
        size: of the pieces in which they are sent.
    """
    both = []
    for way in ("light", "guest"):
        async with serving(way) as server:
            answers = await answers_to(server, sent, len(statuses), size)
            assert [answer.status for answer in answers] == statuses
            both.append([steady(answer.head, answer.body) for answer in answers])
    return both


async def answers_to(server: Serving, sent: list[bytes], count: int, size: int | None) -> list[Response]:
    polling = await server.polling()
    await polling.join()
    await polling.send('421["echo","' + "a" * 2000 + '"]')
    sid = polling.target[-20:].encode()
    wire = polling.posts
    answers = []
    for data in sent:
        await send_in_pieces(wire, data.replace(SID.encode(), sid), size)
        method = data.split(b" ")[0].decode()
        answers.append(await wire.read_response(method))
    while len(answers) < count:
        answers.append(await wire.read_response())
    wire.close()  # it may have become a WebSocket
    return answers


async def send_in_pieces(wire: Wire, data: bytes, size: int | None) -> None:
    """Send what is long in pieces at its beginning and its end only."""
    wire.transport.setTcpNoDelay(True)
    middle = len(data) - 40
    cuts = [0] if size is None else [*range(0, min(400, middle), size), *range(middle, len(data), size)]
    for start, end in pairwise([*cuts, len(data)]):
        wire.send(data[start:end])
        await deferLater(reactor, 0)


def steady(head: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Without dates and ids; names of fields in lower case, because twisted.web spells them in a way of its own."""
    head = re.sub(rb"\r\nDate: [^\r]*", b"", head)
    head = re.sub(rb"\n[^:]+:", lambda name: name[0].lower(), head)
    return head, re.sub(rb'"sid":"[^"]*"', b'"sid":""', body)
