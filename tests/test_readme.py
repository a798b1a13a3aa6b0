"""What the README shows is what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from txsocketio.app.config import load

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_application_is_the_example() -> None:
    """The application that newcomers copy is one that the tests run."""
    (shown,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert shown == (ROOT / "examples" / "hello.py").read_text(encoding="utf-8")


def test_configuration_is_accepted(tmp_path: Path) -> None:
    """The file that is shown can be copied."""
    (shown,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "socketio.toml"
    file.write_text(shown)
    assert load(str(file), {}).app == "chat:setup"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_link_leads_somewhere(target: str) -> None:
    """A link to a file of the project names one."""
    assert (ROOT / target).exists()
