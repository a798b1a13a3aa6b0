from txsocketio.protocol.frame import TEXT, unmask, whole_messages


def test_two_frames_in_one_read_are_two_messages():
    frame = bytes((TEXT, 0x85)) + b"abcd" + unmask(b"hello", b"abcd")
    assert whole_messages(frame * 2 + b"\x89", 5) == (["hello", "hello"], 22)
