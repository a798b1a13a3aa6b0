"""Compression of answers, as far as the client accepts it."""

from __future__ import annotations

import gzip
import zlib

import pytest

from txsocketio.engineio.compression import compress

#: What a client accepts, and what it gets.
ACCEPTED = {
    "": None,
    "gzip": b"gzip",
    "deflate": b"deflate",
    "gzip, deflate, br, zstd": b"gzip",
    "deflate, gzip": b"gzip",
    "br": None,
    "GZIP": b"gzip",
    " gzip ": b"gzip",
    "gzip;q=1": b"gzip",
    "gzip;q=0.001": b"gzip",
    "gzip;q=0": None,
    "gzip;q=0.000": None,
    "gzip; q=0": None,
    "gzip ;q = 0": None,
    "gzip;q=0, deflate": b"deflate",
    "gzip;q=0,deflate;q=0": None,
    "identity": None,
    "xgzip": None,
    "gzip;q=0.5, deflate;q=1.0": b"gzip",
    ",,,": None,
    ";q=0": None,
}


@pytest.mark.parametrize(("accepted", "coding"), ACCEPTED.items())
def test_coding_that_is_chosen(accepted: str, coding: bytes | None) -> None:
    coded = compress(accepted.encode(), b"x" * 2000)
    assert (coded and coded[0]) == coding
    if coded is not None:
        inflate = gzip.decompress if coding == b"gzip" else zlib.decompress
        assert inflate(coded[1]) == b"x" * 2000


def test_long_list() -> None:
    """Each of ten thousand entries counts."""
    assert compress(b"a;q=0.5, " * 10_000 + b"gzip;q=0", b"x") is None
