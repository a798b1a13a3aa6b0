import pytest

from txsocketio.errors import PacketError
from txsocketio.protocol.packet import ACK, EVENT, Decoder, decode, encode


def test_an_event_comes_back_as_it_was_sent():
    text, attachments = encode(EVENT, "/chat", 12, ["hello", 1])
    packet = decode(text.decode())
    assert (packet.type, packet.namespace, packet.id, packet.data) == (EVENT, "/chat", 12, ["hello", 1])
    assert not attachments


def test_attachments_come_back_where_they_were():
    text, attachments = encode(ACK, "/", 3, [{"a": b"1"}, b"2"])
    assert text == b'62-3[{"a":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]'
    decoder = Decoder()
    packets = [decoder.add(text.decode()), *map(decoder.add, attachments)]
    assert packets[:2] == [None, None]
    assert packets[2].type == ACK
    assert packets[2].data == [{"a": b"1"}, b"2"]


def test_a_reserved_name_is_refused():
    with pytest.raises(PacketError):
        decode('2["disconnect"]')
