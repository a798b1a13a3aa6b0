"""The snippets of docs/howto/deploy, with the real proxies where they are installed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.programs import ROOT, Program, twistd
from tests.python_client import connected

CONFIGURATIONS = ROOT / "docs" / "examples"
LISTENING = r"http://127\.0\.0\.1:(\d+)/"

WHO = """\
import os

def setup(io):
    @io.on("connection")
    def connected(socket):
        socket.on("who", lambda: [os.getpid(), socket.handshake.address])
"""


def free_port() -> str:
    """One that nobody listens on; programs that cannot tell theirs need it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def with_ports(name: str, front: str, backends: list[str]) -> str:
    """The snippet, with the ports of this test."""
    text = (CONFIGURATIONS / name).read_text().replace("8080", backends[0]).replace("8081", backends[1])
    return text.replace("listen 8000", f"listen 127.0.0.1:{front}").replace("bind :8000", f"bind 127.0.0.1:{front}")


#: What each prints when it listens.
READY = {"nginx": "start worker process ", "haproxy": "Loading success"}


def nginx(folder: Path, front: str, backends: list[str]) -> Program:
    (folder / "site.conf").write_text(with_ports("nginx.conf", front, backends))
    paths = "".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        "daemon off; pid pid; error_log stderr notice; events {} "
        f"http {{ access_log off; {paths} include site.conf; }}"
    )
    return Program("nginx", "-e", "stderr", "-p", str(folder), "-c", "nginx.conf", cwd=folder)


def haproxy(folder: Path, front: str, backends: list[str]) -> Program:
    (folder / "haproxy.cfg").write_text(with_ports("haproxy.cfg", front, backends))
    return Program("haproxy", "-W", "-f", "haproxy.cfg", cwd=folder)


@pytest.mark.parametrize("proxy", [nginx, haproxy])
def test_clients_get_through_a_proxy(tmp_path: Path, proxy: Callable[..., Program]) -> None:
    """By each transport, always to the same of two processes, which learns the address, lets the origin in, may go."""
    if shutil.which(proxy.__name__) is None:
        pytest.skip(f"{proxy.__name__} is not installed")
    (tmp_path / "who.py").write_text(WHO)
    arguments = ("socketio", "--app=who:setup", "--set=trusted_proxies=1", "--listen=tcp:0:interface=127.0.0.1")
    front = free_port()
    with twistd(*arguments, cwd=tmp_path) as one, twistd(*arguments, cwd=tmp_path) as two:
        ports = [program.wait_for(LISTENING)[1] for program in (one, two)]
        with proxy(tmp_path, front, ports) as between:
            between.wait_for(READY[proxy.__name__])
            for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
                with requests.Session() as cookies:
                    check(f"http://127.0.0.1:{front}", cookies, transports)
            check_other_one(f"http://127.0.0.1:{front}")


def check(url: str, cookies: requests.Session, transports: list[str]) -> None:
    with connected(url, session=cookies, transports=transports) as client:
        answers = [client.call("who", timeout=5) for _ in range(4)]
        assert client.transport() == transports[-1]
    assert answers == [[answers[0][0], "127.0.0.1"]] * 4


def check_other_one(url: str) -> None:
    """A client whose process is gone gets to the other one."""
    with requests.Session() as cookies:
        with connected(url, session=cookies, transports=["polling"]) as client:
            gone, _ = client.call("who", timeout=5)
        os.kill(gone, signal.SIGKILL)
        with connected(url, session=cookies, transports=["polling"]) as client:
            found, _ = client.call("who", timeout=5)
    assert found != gone
