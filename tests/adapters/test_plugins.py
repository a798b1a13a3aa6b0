"""The adapters that come with txsocketio, as Twisted finds them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from twisted.plugin import getPlugins

from tests.conftest import ROOT
from txsocketio.engineio.options import Options
from txsocketio.socketio.brokers import BrokerMaker, IBrokerMaker

MAKERS = [maker for maker in getPlugins(IBrokerMaker) if isinstance(maker, BrokerMaker)]
PAGE = (ROOT / "docs" / "reference" / "configuration.rst").read_text(encoding="utf-8")

of_each = pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.schemes[0])


@of_each
def test_broker_can_be_loaded(maker: BrokerMaker) -> None:
    """A plugin only names it."""
    factory = maker.load()
    assert callable(factory)
    assert issubclass(factory.options_class, Options)


@of_each
def test_options_are_in_the_reference(maker: BrokerMaker) -> None:
    """Each class of them that has some, which has a text for each."""
    options = maker.load().options_class
    for each in options.__mro__:
        own = vars(each).get("__annotations__")
        assert not own or f".. options:: {each.__module__}.{each.__qualname__}\n" in PAGE
    assert all(field.metadata["doc"].endswith(".") for field in fields(options))


@of_each
def test_emitter_takes_what_servers_take(maker: BrokerMaker) -> None:
    """The same URL, and the same options."""
    if maker.schemes != ("memory",):
        assert maker.load_emitter().options_class is maker.load().options_class
