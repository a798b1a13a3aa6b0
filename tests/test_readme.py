"""What the README shows is what is there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.brokers.redis import RedisServer
from tests.conftest import ROOT
from tests.examples.test_examples import Heard, address
from tests.programs import TWISTD, Program
from tests.python_client import connected
from txsocketio.app.config import load

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """What is shown of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_application_is_the_example() -> None:
    """The application that newcomers copy is one that the tests run."""
    shown, _ = blocks("python")
    assert shown == (ROOT / "examples" / "hello.py").read_text(encoding="utf-8")


def test_configuration_is_accepted(tmp_path: Path) -> None:
    """The file that is shown can be copied."""
    (shown,) = blocks("toml")
    file = tmp_path / "socketio.toml"
    file.write_text(shown)
    assert load(str(file), {}).app == "chat:setup"


@pytest.mark.timeout(120)
def test_cluster_is_one_chat(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands that are shown start two servers whose clients hear each other, and whoever emits to them."""
    monkeypatch.setattr("tests.programs.LIMIT", 100.0)  # four programs start on one machine
    (shown,), (_, emitting) = blocks("sh"), blocks("python")
    first, second, emit = (line.strip("& ") for line in shown.splitlines() if not line.startswith("cd "))
    with command(first, redis) as one, command(second, redis) as two:
        here, there = address(one), address(two)
        with connected(here, auth={"name": "Ada"}) as ada, connected(there, auth={"name": "Grace"}) as grace:
            heard = Heard()
            heard.listen_to(grace, "said")
            for client in (ada, grace):
                assert client.call("enter", "tea") == "welcome"
            assert ada.call("say", ("tea", "hello")) == "delivered"
            assert heard.next(1) == [("said", "tea", "Ada", "hello")]
            with command(emit, redis) as shell, Program(sys.executable, "-c", at(redis, emitting)) as script:
                assert [shell.wait(), script.wait()] == [0, 0], shell.output + script.output
            said = {("said", "tea", "the house", text) for text in ("the kettle is on", "the tea is ready")}
            assert {*heard.next(3)[1:]} == said


def at(redis: RedisServer, text: str) -> str:
    """With the Redis of the tests, and names there that nobody else uses."""
    return text.replace("redis://localhost:6379", f"{redis.url}?key=readme")


def command(line: str, redis: RedisServer) -> Program:
    """A command of the README, on any port."""
    program, *arguments = shlex.split(at(redis, line))
    path = {"twistd": TWISTD, "python": sys.executable}[program]
    anywhere = [re.sub(r"^tcp:\d+$", "tcp:0:interface=127.0.0.1", argument) for argument in arguments]
    return Program(path, *anywhere, cwd=ROOT / "examples")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_link_leads_somewhere(target: str) -> None:
    """A link to a file of the project names one."""
    assert (ROOT / target).exists()
