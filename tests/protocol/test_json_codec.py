import pytest

from txsocketio.errors import PacketError
from txsocketio.protocol.json_codec import loads


def test_what_could_not_be_written_again_is_not_read():
    with pytest.raises(PacketError):
        loads("[" * 300 + "]" * 300)
