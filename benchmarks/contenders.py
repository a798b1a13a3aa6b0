"""The servers that are compared, and what they need installed."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE / ".cache"
SERVERS = HERE / "servers"
PYTHON = CACHE / "python" / "bin" / "python"

NODE, TXSOCKETIO, GUEST = "node", "txsocketio", "txsocketio-guest"
PYTHON_SOCKETIO = ("python-socketio-aiohttp", "python-socketio-uvicorn")


class MissingTool(Exception):
    """Something that cannot be installed from here is not there."""


@dataclass(frozen=True)
class Contender:
    """A server program: how it is prepared and started, and the cases it takes part in (None: all)."""

    name: str
    title: str
    command: tuple[str, ...]
    prepare: Callable[[], None]
    cases: frozenset[str] | None = None

    def takes_part(self, case: str) -> bool:
        return self.cases is None or case in self.cases


def build_load() -> Path:
    """The load generator, compiled when its source is newer.

    Raises:
        MissingTool: There is no C compiler.
    """
    source, program = HERE / "load.c", CACHE / "load"
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    compiler = _tool(
        "cc", "The load generator is a C program: install a C compiler (Debian: apt install gcc libc6-dev)."
    )
    CACHE.mkdir(exist_ok=True)
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", program, source], check=True)
    return program


def versions() -> dict[str, str]:
    """The version of everything compared that is installed."""
    script = (
        "import importlib.metadata as m, json, sys\n"
        "found = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        "names = 'twisted autobahn orjson python-socketio aiohttp uvicorn uvloop'.split()\n"
        "print(json.dumps({n: found[n] for n in names if n in found}))"
    )
    found = {"cpython": sys.version.split()[0]}
    for python in (PYTHON, Path(sys.executable)):
        if python.exists():
            found |= json.loads(_output(str(python), "-c", script))
    package = HERE / "node_modules" / "socket.io" / "package.json"
    if package.exists():
        found |= {
            "node": _output("node", "--version").lstrip("v"),
            "socket.io": json.loads(package.read_text())["version"],
        }
    return found


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _tool(name: str, advice: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingTool(advice)
    return path


def install_node() -> None:
    """Install what the servers of Node need, unless that has been done.

    Raises:
        MissingTool: Node or npm is not there.
    """
    _tool("node", "Node is not installed (Debian: apt install nodejs npm); leave it out with --servers.")
    npm = _tool("npm", "npm is not installed (Debian: apt install npm); leave Node out with --servers.")
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    _once("node", HERE / "package.json", lambda: _run(command, HERE))


def _install_python() -> None:
    requirements = HERE / "requirements.txt"

    def install() -> None:
        _run([sys.executable, "-m", "venv", str(CACHE / "python")], HERE)
        _run([str(PYTHON), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)], HERE)

    _once("python", requirements, install)


def _once(name: str, wanted: Path, install: Callable[[], None]) -> None:
    """Call `install` unless it has already been done for what `wanted` says now."""
    CACHE.mkdir(exist_ok=True)
    stamp = CACHE / f"{name}.installed"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"Installing {wanted.name} of the benchmarks", file=sys.stderr)
        install()
        stamp.write_text(digest)


def _run(command: list[str], where: Path) -> None:
    subprocess.run(command, cwd=where, check=True, stdout=sys.stderr)


def _nothing() -> None:
    """This server runs on what runs the benchmarks."""


def _script(name: str) -> str:
    return str(SERVERS / name)


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(TXSOCKETIO, "txsocketio", (sys.executable, _script("txsocketio_server.py")), _nothing),
        Contender(
            GUEST,
            "txsocketio, guest in a twisted.web Site",
            (sys.executable, _script("txsocketio_guest.py")),
            _nothing,
            frozenset({"connect", "polling"}),
        ),
        Contender(NODE, "Node socket.io", ("node", _script("node_server.js")), install_node),
        Contender(
            PYTHON_SOCKETIO[0],
            "python-socketio, aiohttp + uvloop",
            (str(PYTHON), _script("python_socketio_aiohttp.py")),
            _install_python,
        ),
        Contender(
            PYTHON_SOCKETIO[1],
            "python-socketio, uvicorn",
            (str(PYTHON), _script("python_socketio_uvicorn.py")),
            _install_python,
        ),
    )
}
