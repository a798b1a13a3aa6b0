"""Compression of answers, as the client accepts it. Source: RFC 9110, 12.5.3."""

from __future__ import annotations

import zlib

#: Content codings in the order in which we prefer them, with zlib's parameter for their container.
CODINGS = ((b"gzip", 31), (b"deflate", 15))


def accepted_codings(field: bytes) -> set[bytes]:
    """The codings that an Accept-Encoding field names without refusing them by a weight of zero."""
    accepted = set()
    for part in field.lower().split(b","):
        coding, _, weight = part.partition(b";")
        if weight.replace(b" ", b"").rstrip(b"0.") != b"q=":
            accepted.add(coding.strip())
    return accepted


def compress(accept_encoding: bytes, body: bytes) -> tuple[bytes, bytes] | None:
    """The coding that was chosen and the body in it, or None when the client accepts neither."""
    accepted = accepted_codings(accept_encoding)
    for coding, window in CODINGS:
        if coding in accepted:
            compressor = zlib.compressobj(wbits=window)
            return coding, compressor.compress(body) + compressor.flush()
    return None
