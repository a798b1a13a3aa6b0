from txsocketio.protocol.engineio import decode_payload, encode_payload


def test_a_payload_is_its_packets_in_order():
    assert list(decode_payload(encode_payload([b"4hello", b"bAQID", b"2"]))) == ["4hello", b"\1\2\3", "2"]
