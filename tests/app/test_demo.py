"""The rooms of the demo, and its page."""

from __future__ import annotations

import pytest

from txsocketio.app.demo import CDN, clean, page
from txsocketio.types import Json


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Ada", "Ada"),
        ("  Ada \n\t Lovelace\x00 ", "Ada Lovelace"),
        ("a" * 40, "a" * 24),
        ("", ""),
        (None, ""),
        (5, ""),
        (["Ada"], ""),
        (b"Ada", ""),
    ],
)
def test_what_clients_send_becomes_a_short_line(text: Json, cleaned: str) -> None:
    """Clients can send anything; people see lines."""
    assert clean(text, 24) == cleaned


def content(path: str, has_client: bool) -> str:
    resource: Json = page(path, has_client).children[b""]
    return resource.content.decode()


def test_the_page_loads_the_client_of_the_server() -> None:
    """When the server has it, nobody else is asked."""
    shown = content("/live/", True)
    assert '<script src="/live/socket.io.min.js"></script>' in shown
    assert 'data-path="/live"' in shown
    assert "//cdn." not in shown


def test_the_page_falls_back_to_the_public_cdn() -> None:
    """Pinned to one version, and checked by the browser."""
    assert CDN in content("/socket.io", False)


def test_the_path_cannot_break_out_of_the_page() -> None:
    """It comes from the configuration, and may hold a quote."""
    assert 'data-path="/a&quot;&gt;"' in content('/a">', True)
