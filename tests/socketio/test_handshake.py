"""What a client showed when it came."""

from __future__ import annotations

from tests.socketio.doubles import Served


def test_handshake_tells_about_the_request(served: Served) -> None:
    """A9.4."""
    _, socket = served.client()
    handshake = socket.handshake
    assert (handshake.headers["host"], handshake.headers["X-COLOR"]) == ("example.com", "blue")
    assert handshake.query["color"] == "red"
    assert handshake.url == "/socket.io/?EIO=4&color=red"
    assert handshake.address == "192.0.2.7"
    assert handshake.secure is True
    assert handshake.xdomain is True


def test_request_without_origin_is_not_cross_domain(served: Served) -> None:
    session = served.session(fields={b"host": b"example.com"})
    socket = served.io.root.sockets[session.join()]
    assert socket.handshake.xdomain is False


def test_handshake_tells_when_the_namespace_was_asked_for(served: Served) -> None:
    """In both forms of the reference."""
    served.clock.advance(1_700_000_000.25)
    _, socket = served.client()
    assert socket.handshake.issued == 1_700_000_000_250
    assert socket.handshake.time == "Tue Nov 14 2023 22:13:20 GMT+0000 (Coordinated Universal Time)"


def test_auth_is_what_the_client_sent(served: Served) -> None:
    """Bad input 87: up to the size of any message; without any it is empty."""
    large = {"token": "x" * 900_000}
    assert served.client(auth=large)[1].handshake.auth == large
    assert served.client()[1].handshake.auth == {}
