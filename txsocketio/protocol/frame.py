"""WebSocket data frames: the two things that are done for every message.

      0                   1                   2                   3
      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
     +-+-+-+-+-------+-+-------------+-------------------------------+
     |F|R|R|R| opcode|M| Payload len |  16 or 64 bits of length when |
     |I|S|S|S|  (4)  |A|     (7)     |  "Payload len" is 126 or 127, |
     |N|V|V|V|       |S|             |  then 4 bytes of masking key  |
     | |1|2|3|       |K|             |  when MASK, then the payload  |
     +-+-+-+-+-------+-+-------------+-------------------------------+

A whole message in one plain frame is decoded here, several from one read at once; whatever else may come (fragments,
control frames, compression, errors) is left to a complete WebSocket implementation.
Source: RFC 6455, section 5.2.
"""

from __future__ import annotations

#: The first byte of a final, uncompressed frame.
TEXT, BINARY = 0x81, 0x82

_MASKED = 0x80
_SHORTEST = 6  # two bytes of header, four of masking key

_from_bytes = int.from_bytes


def encode_frame(head: int, payload: bytes) -> bytes:
    """A frame as a server sends it, unmasked; `head` is `TEXT` or `BINARY`. Hot path."""
    length = len(payload)
    if length < 126:
        return bytes((head, length)) + payload
    if length < 0x10000:
        return bytes((head, 126, length >> 8, length & 255)) + payload
    return bytes((head, 127)) + length.to_bytes(8, "big") + payload


def unmask(data: bytes, key: bytes) -> bytes:
    """XOR the bytes with the key, repeated; the same call masks. Hot path."""
    length = len(data)
    mask = (key * ((length >> 2) + 1))[:length]
    return (_from_bytes(data, "little") ^ _from_bytes(mask, "little")).to_bytes(length, "little")


def whole_messages(data: bytes, limit: int) -> tuple[list[str | bytes], int]:
    """The messages at the start of `data` that came in one plain frame each, and how many bytes they took. Hot path.

    Stops at the first frame that is anything else: incomplete, unmasked, a fragment, control or reserved, with a
    payload of more than `limit` bytes, a length not in its shortest form, or a text that is not UTF-8.
    """
    messages: list[str | bytes] = []
    size = len(data)
    taken = 0
    while size - taken >= _SHORTEST:
        head = data[taken]
        length = data[taken + 1] ^ _MASKED
        if length < 126:
            begin = taken + 6
        elif length == 126:
            length = data[taken + 2] << 8 | data[taken + 3]
            begin = taken + 8
            if length < 126:
                break
        elif length == 127:
            length = _from_bytes(data[taken + 2 : taken + 10], "big")
            begin = taken + 14
            if length < 0x10000:
                break
        else:
            break
        end = begin + length
        if end > size or length > limit:
            break
        if head == TEXT:
            try:
                messages.append(unmask(data[begin:end], data[begin - 4 : begin]).decode())
            except UnicodeDecodeError:
                break
        elif head == BINARY:
            messages.append(unmask(data[begin:end], data[begin - 4 : begin]))
        else:
            break
        taken = end
    return messages, taken
