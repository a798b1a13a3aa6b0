"""Row 31: what a client says about encodings when its poll is long enough to be compressed."""

from __future__ import annotations

import gzip
import zlib

import pytest

from tests.bad_input.serving import Serving
from tests.bad_input.table import rows

EVENT = b'430["' + b"a" * 2000 + b'"]'

ROWS = rows(
    ("nothing", "", None),
    ("gzip", "gzip", "gzip"),
    ("deflate", "deflate", "deflate"),
    ("both", "gzip, deflate", "gzip"),
    ("31 gzip;q=0", "gzip;q=0", None),
    ("31 gzip;q=0, deflate", "gzip;q=0, deflate;q=0.5", "deflate"),
    ("31 gzip; q=0.000", "gzip; q=0.000", None),
    ("31 unknown", "br, zstd, x", None),
    ("31 5000 entries", ",".join(["x"] * 5000), None),
    ("31 gzip behind 5000 entries", ",".join(["x"] * 5000) + ",gzip", "gzip"),
    ("31 only signs", ";,;=q;,,;q==", None),
)


@pytest.mark.parametrize(("accepted", "expected"), ROWS)
async def test_encoding_of_a_poll(server: Serving, accepted: str, expected: str | None) -> None:
    """The client gets what it can read, and the content is the same."""
    polling = await server.polling()
    await polling.join()
    await polling.send('420["echo","' + "a" * 2000 + '"]')
    response = await polling.poll({"Accept-Encoding": accepted})
    assert response.header("content-encoding") == expected
    decode = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[expected]
    assert decode(response.body) == EVENT
