"""The layout: what is installed, what is shipped, and that both work out of a checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import ROOT

#: What a working checkout holds beside the project.
LITTER = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "_build", "build", "dist", "node_modules")

#: What a package of ours consists of.
SHIPPED = {".py", ".html"}

BUILD = "from setuptools.build_meta import build_sdist, build_wheel; build_sdist('dist'); build_wheel('dist')"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a wheel and an sdist of a copy of the project."""
    project = tmp_path_factory.mktemp("house") / "project"
    shutil.copytree(ROOT, project, symlinks=True, ignore=LITTER)
    subprocess.run([sys.executable, "-c", BUILD], cwd=project, check=True, capture_output=True)
    return project / "dist"


def files(folder: str) -> set[str]:
    found = (path for path in (ROOT / folder).rglob("*.*") if path.is_file() and path.suffix in SHIPPED)
    return {str(path.relative_to(ROOT)) for path in found}


def test_adapters_are_reached_through_the_package() -> None:
    """One folder with two names: adapters/ on top for people, txsocketio.adapters for imports."""
    assert (ROOT / "txsocketio" / "adapters").resolve() == (ROOT / "adapters").resolve()


def test_plugin_folder_is_no_package() -> None:
    """Twisted collects plugins from every folder of that name; an __init__.py would hide the others."""
    assert not list((ROOT / "twisted").rglob("__init__.py"))


def test_wheel_holds_package_adapters_and_plugin(built: Path) -> None:
    """Installed by pip, everything is there: nothing is found by standing in the checkout only."""
    (wheel,) = built.glob("*.whl")
    names = ZipFile(wheel).namelist()
    adapters = {f"txsocketio/{name}" for name in files("adapters")}
    expected = {"txsocketio/py.typed"} | files("txsocketio") | adapters | files("twisted")
    assert {name for name in names if ".dist-info/" not in name} == expected


def test_sdist_can_be_built_and_tested_from(built: Path) -> None:
    """Packagers find the tests, the manual and the settings of the tools."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "Makefile", "tox.ini", "pyproject.toml", "docs/conf.py", "tests/conftest.py"} <= names
    assert "txsocketio/adapters/__init__.py" in names


@pytest.mark.parametrize("lock", sorted(ROOT.glob("*/*/package-lock.json")) + sorted(ROOT.glob("*/package-lock.json")))
def test_lock_file_names_no_download_address(lock: Path) -> None:
    """npm asks the registry that is set up where it runs, not the one where the file was made."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
