"""What the URL of a Redis says."""

from __future__ import annotations

import pytest

from txsocketio.adapters.redis.address import Credentials, RedisAddress
from txsocketio.errors import OptionError

ADDRESSES = {
    "redis://": RedisAddress(hosts=(("localhost", 6379),)),
    "redis://cache": RedisAddress(hosts=(("cache", 6379),)),
    "redis://cache:6380/3": RedisAddress(hosts=(("cache", 6380),), db=3),
    "redis://cache/0": RedisAddress(hosts=(("cache", 6379),), db=0),
    "redis://[::1]:6380": RedisAddress(hosts=(("::1", 6380),)),
    "redis://:secret@cache": RedisAddress(hosts=(("cache", 6379),), credentials=Credentials(None, "secret")),
    "redis://app@cache": RedisAddress(hosts=(("cache", 6379),), credentials=Credentials("app", None)),
    "redis://a%3Ab:s%40%2F%3A@cache": RedisAddress(hosts=(("cache", 6379),), credentials=Credentials("a:b", "s@/:")),
    "redis://app:s@cret:2@cache": RedisAddress(hosts=(("cache", 6379),), credentials=Credentials("app", "s@cret:2")),
    "rediss://cache": RedisAddress(hosts=(("cache", 6379),), tls=True),
    "redis+unix:///run/my%20redis.sock": RedisAddress(path="/run/my redis.sock"),
    "redis+unix://app:secret@/redis.sock": RedisAddress(path="/redis.sock", credentials=Credentials("app", "secret")),
    "redis+sentinel://one,two:26380/main": RedisAddress(hosts=(("one", 26379), ("two", 26380)), service="main"),
    "rediss+sentinel://app:secret@[::1]:1,[::2]:2/main/4": RedisAddress(
        hosts=(("::1", 1), ("::2", 2)),
        service="main",
        db=4,
        tls=True,
        credentials=Credentials("app", "secret"),
    ),
}

SENSELESS = [
    "http://cache", "redis:cache", "redis://cache:0", "redis://cache:65536", "redis://cache:port", "redis://cache/db",
    "redis://cache/-1", "redis://cache/1/2", "redis://a,b", "redis://::1", "redis://cache/#0", "redis+tcp://cache",
    "redis+streams+sharded://cache", "redis+unix://cache/redis.sock", "redis+unix://", "rediss+unix:///redis.sock",
    "redis+sentinel://one", "redis+sentinel://one,/main", "redis+unix+sentinel://one/main", "redis://cache?db=1",
]  # fmt: skip


@pytest.mark.parametrize("url", ADDRESSES)
def test_url_tells_the_address(url: str) -> None:
    """In each of its forms."""
    assert RedisAddress.parse(url) == ADDRESSES[url]


@pytest.mark.parametrize("url", ADDRESSES)
@pytest.mark.parametrize("kind", ["+streams", "+sharded"])
def test_kind_of_adapter_is_not_part_of_the_address(url: str, kind: str) -> None:
    """One Redis serves all kinds."""
    base, rest = url.split("://", 1)
    assert RedisAddress.parse(f"{base}{kind}://{rest}") == ADDRESSES[url]


@pytest.mark.parametrize("url", SENSELESS)
def test_senseless_url_is_refused(url: str) -> None:
    """With an error for the person who wrote it."""
    with pytest.raises(OptionError):
        RedisAddress.parse(url)


@pytest.mark.parametrize("url", [*ADDRESSES, *(url.replace("://", "://user:secret@") for url in SENSELESS)])
def test_password_is_never_shown(url: str) -> None:
    """Neither by the address, nor by the error that there is none."""
    try:
        address = RedisAddress.parse(url)
    except OptionError as error:
        shown = str(error)
    else:
        shown = f"{address} {address!r}"
    assert not any(each in shown for each in ("secret", "s@", "cret"))
