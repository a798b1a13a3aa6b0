"""The tour through the source visits what there is."""

from __future__ import annotations

import re

from tests.conftest import ROOT

PACKAGE = ROOT / "txsocketio"

#: Files with something to read in them; rglob stops at the symlink.
MODULES = {
    str(path.relative_to(top))
    for top, folder in ((PACKAGE, PACKAGE), (ROOT, ROOT / "adapters"))
    for path in folder.rglob("*.py")
    if path.name != "__init__.py"
}


def test_tour_visits_every_module() -> None:
    """A newcomer finds each file in the tour, and each file that the tour names."""
    visited = set(re.findall(r"``([a-z0-9_/]+\.py)``", (ROOT / "docs" / "tour.rst").read_text(encoding="utf-8")))
    assert not MODULES - visited, "docs/tour.rst has no word about these"
    assert not {name for name in visited - MODULES if not (ROOT / name).exists()}, "and these are not there"
