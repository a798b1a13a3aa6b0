"""What the README shows is what is there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_application_is_the_example() -> None:
    """The application that newcomers copy is one that the tests run."""
    (shown,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert shown == (ROOT / "examples" / "hello.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)", README))
def test_link_leads_somewhere(target: str) -> None:
    """A link to a file of the project names one."""
    assert (ROOT / target).exists()
