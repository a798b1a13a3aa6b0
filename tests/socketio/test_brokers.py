"""Finding the broker that a URL names."""

from __future__ import annotations

import re

import pytest
from twisted.internet.task import Clock
from twisted.plugin import getPlugins

from tests.fake_broker import FakeBroker, FakeOptions, broker_of
from txsocketio import OptionError, Server
from txsocketio.socketio.brokers import IBrokerMaker, resolve
from txsocketio.socketio.recovery import RecoveryAdapter
from txsocketio.types import Json

pytestmark = pytest.mark.usefixtures("fake_broker")


def test_broker_is_found_by_the_scheme() -> None:
    """In small or capital letters; it gets the server and the URL."""
    for url in ("fake://host:1,other/path", "FAKE:", "fakes://user:secret@host"):
        io = Server(adapter=url, clock=Clock())
        assert (broker_of(io).server, broker_of(io).url) == (io, url)


def test_server_by_itself_has_none() -> None:
    assert Server(clock=Clock()).broker is None


def test_adapters_come_from_the_broker() -> None:
    """For "/", which is there at once, and for others; that of a server alone has no part in it."""
    io = Server(adapter="fake:", connection_state_recovery=True, clock=Clock())
    assert not isinstance(io.root.adapter, RecoveryAdapter)
    assert type(io.of("/chat").adapter) is type(io.root.adapter)


@pytest.mark.parametrize(
    ("adapter", "options"),
    [
        ("fake:", FakeOptions()),
        ("fake://host?", FakeOptions()),
        (
            "fake://host?key=a%26b&count=-3&pause=2.5&is_loud=True&password=%40%23",
            FakeOptions(key="a&b", count=-3, pause=2.5, is_loud=True, password="@#"),
        ),
        ("fake://host?is_loud=0&pause=2", FakeOptions(is_loud=False, pause=2.0)),
        ({"url": "fake://host", "count": 3, "pause": None}, FakeOptions(count=3)),
        ({"url": "fake://host?key=a", "count": 3}, FakeOptions(key="a", count=3)),
        ({"url": "fake://host?count=3", "count": 3}, FakeOptions(count=3)),
    ],
)
def test_options_stand_in_the_table_and_in_the_url(adapter: Json, options: FakeOptions) -> None:
    """In the URL as text, which becomes what the option is."""
    resolved = resolve(adapter)
    assert (resolved.options, "?" in resolved.url) == (options, False)
    assert resolved.factory is FakeBroker


HINT = "adapter: write %23 for #, %2F for /, %3F for ?, %40 for @ in a password, path or option of a URL"


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ("fake://host?cuont=3", "unknown option 'cuont'; did you mean 'count'?"),
        ({"url": "fake:", "kye": "a"}, "unknown option 'kye'; did you mean 'key'?"),
        ("fake:?count=three", "adapter: count in the URL cannot be taken for int"),
        ("fake:?pause=", "adapter: pause in the URL cannot be taken for float"),
        ("fake:?is_loud=maybe", "adapter: is_loud in the URL cannot be taken for bool"),
        ({"url": "fake:", "count": "3"}, "count must be a whole number, not '3'"),
        ({"url": "fake:?count=3", "count": 4}, "adapter: count is given twice, with different values"),
        ("fake:?count=3&count=4", "adapter: count is given twice, with different values"),
        ("fake:?password=guess%20me", "password must not be that one"),
        ({"url": "fake:", "password": 1234}, "password must be text"),
        ("fake://user:12#34@host", HINT),
        ("fake://user:12?34@host", HINT),
        ("fake://user:12?3=4@host", HINT),
        ("fake://user:12/34@host", HINT),
        ("12341234", "adapter: has to be a URL, like redis://localhost:6379/0"),
        ({"key": "1234"}, "adapter: has to be a URL, like redis://localhost:6379/0"),
        ({"url": 1234}, "adapter: has to be a URL, like redis://localhost:6379/0"),
        (1234, "adapter must be text or a table"),
        (b"fake://:1234@host", "adapter must be text or a table"),
    ],
    ids=str,
)
def test_what_is_not_allowed_is_told_without_passwords(adapter: Json, message: str) -> None:
    """At once, when the server is made. The passwords in here have the figures 1234."""
    with pytest.raises(OptionError) as raised:
        Server(adapter=adapter, clock=Clock())
    assert str(raised.value) == message


def test_unknown_scheme_names_the_nearest_and_all_others() -> None:
    """And nothing behind it."""
    with pytest.raises(OptionError) as raised:
        resolve("fkae://user:1234@host")
    told = str(raised.value)
    assert told.startswith("adapter: unknown scheme 'fkae'; did you mean fake? there are absent, amqp, ")
    assert ", redis+sentinel+streams, " in told
    assert "1234" not in told
    with pytest.raises(OptionError, match=r"unknown scheme 'xyzzy'; there are absent"):
        resolve("xyzzy:")


def test_missing_client_is_told_with_the_way_to_get_it() -> None:
    """Its own adapter is not imported before, and those of others need no extra of ours."""
    with pytest.raises(OptionError) as raised:
        resolve("absent:")
    told = "adapter: absent needs no_such_client, which is not installed"
    assert str(raised.value) == f"{told}: pip install 'txsocketio[redis]'"
    with pytest.raises(OptionError, match=r"^adapter: foreign needs no_such_client, which is not installed$"):
        resolve("foreign:")


def test_client_that_cannot_be_imported_shows_its_own_error() -> None:
    """It is installed, so that installing it would not help."""
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        resolve("broken:")


def test_passwords_are_shown_nowhere() -> None:
    """In the options neither of the server nor of the broker."""
    io = Server(adapter={"url": "fake://user:1234@host", "password": "1234"}, clock=Clock())
    assert "1234" not in f"{io!r} {io.options!r} {broker_of(io).options!r}"


def test_schemes_of_redis_are_regular() -> None:
    """rediss for TLS; +unix, +sentinel for where it is; +sharded, +streams for how it is used."""
    schemes = {scheme: maker for maker in getPlugins(IBrokerMaker) for scheme in maker.schemes}
    redis = {scheme for scheme in schemes if scheme.startswith("redis")}
    assert redis == {
        f"{where}{kind}"
        for where in ("redis", "rediss", "redis+unix", "redis+sentinel", "rediss+sentinel")
        for kind in ("", "+sharded", "+streams")
    }
    for scheme in redis:
        kind = re.sub(r"^rediss?(\+unix|\+sentinel)?", "", scheme).lstrip("+").title()
        assert schemes[scheme].factory.endswith(f":Redis{kind}Broker")
