"""The command `twistd socketio`, for real."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.programs import ROOT, TWISTD, Program, twistd
from tests.python_client import connected
from txsocketio.app.service import Options, makeService
from txsocketio.socketio.service import STOP_TIMEOUT

LOOPBACK = "--listen=tcp:0:interface=127.0.0.1"
OWN_OPTIONS = "fine:io is a Server with options of its own"
LISTENING = r"(https?://127\.0\.0\.1:\d+/)"

ECHO = """\
def setup(io):
    @io.on("connection")
    def connected(socket):
        socket.on("echo", lambda value: value)
"""


def fetch(url: str) -> tuple[int, str]:
    """Status and text of a page."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_without_arguments_it_is_a_chat(tmp_path: Path) -> None:
    """Two people meet in the lobby and talk, on the page's own events."""
    with twistd("socketio", LOOPBACK, cwd=tmp_path) as program:
        url = program.wait_for(rf"The chat demo at /socket\.io on {LISTENING}")[1]
        status, page = fetch(url)
        assert (status, "https://cdn.socket.io/" in page) == (200, True)
        with connected(url) as ada, connected(url) as grace:
            heard = threading.Event()
            ada.on("message", lambda message: message["text"] == "hello" and heard.set())
            assert ada.call("enter", ("Ada", "lobby"))["nick"] == "Ada"
            assert sorted(grace.call("enter", ("Grace", "lobby"))["people"].values()) == ["Ada", "Grace"]
            assert grace.call("say", "hello")["text"] == "hello"
            assert heard.wait(5)


def test_it_runs_an_application_of_the_current_directory(tmp_path: Path) -> None:
    """Nothing needs to be installed to try something."""
    (tmp_path / "echo.py").write_text(ECHO)
    with twistd("socketio", LOOPBACK, "--app", "echo:setup", "--path=/live", cwd=tmp_path) as program:
        url = program.wait_for(rf"echo:setup at /live on {LISTENING}")[1]
        with connected(url, socketio_path="/live") as client:
            assert client.call("echo", 5) == 5


def test_it_runs_a_server_that_the_application_has_made(tmp_path: Path) -> None:
    """Options that are Python objects need code."""
    (tmp_path / "own.py").write_text("from txsocketio import Server\n" + ECHO + "io = Server()\nsetup(io)\n")
    with twistd("socketio", LOOPBACK, "--app", "own:io", cwd=tmp_path) as program:
        url = program.wait_for(rf"own:io at /socket\.io on {LISTENING}")[1]
        with connected(url) as client:
            assert client.call("echo", 5) == 5


def test_a_file_configures_everything(tmp_path: Path) -> None:
    """Several endpoints, all with the same server."""
    (tmp_path / "echo.py").write_text(ECHO)
    (tmp_path / "chat.toml").write_text(
        'app = "echo:setup"\nlisten = ["tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1", "unix:chat.sock"]\n'
        '[server]\ntransports = ["websocket"]\n'
    )
    with twistd("socketio", "--config=chat.toml", cwd=tmp_path) as program:
        for url in program.wait_for(rf"on {LISTENING}, {LISTENING}, unix:chat.sock").groups():
            with connected(url, transports=["websocket"]) as client:
                assert client.call("echo", 5) == 5


def test_it_serves_the_client(tmp_path: Path) -> None:
    """The page loads the client from the server when there is one; pages of other sites that are allowed can, too."""
    (tmp_path / "socket.io.min.js").write_text("/* the client */")
    allowed = "https://example.com"
    with twistd("socketio", LOOPBACK, "--client-path=.", f"--cors-allowed-origins={allowed}", cwd=tmp_path) as program:
        url = program.wait_for(LISTENING)[1]
        assert '<script src="/socket.io/socket.io.min.js"></script>' in fetch(url)[1]
        assert fetch(f"{url}socket.io/socket.io.js")[0] == 400
        for headers in ({}, {"TE": "trailers", "Connection": "TE"}):  # the second goes through twisted.web
            first = requests.get(f"{url}socket.io/socket.io.min.js", headers={"Origin": allowed, **headers}, timeout=5)
            assert (first.text, first.headers["Access-Control-Allow-Origin"]) == ("/* the client */", allowed)
            headers["If-None-Match"] = first.headers["ETag"]
            again = requests.get(f"{url}socket.io/socket.io.min.js", headers=headers, timeout=5)
            assert (again.status_code, "Content-Length" in again.headers) == (304, False)


def test_it_serves_tls(tmp_path: Path) -> None:
    """An endpoint brings its certificate along."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost"
    make += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(make.split(), cwd=tmp_path, check=True, capture_output=True)
    endpoint = "ssl:0:interface=127.0.0.1:privateKey=key.pem:certKey=cert.pem"
    with twistd("socketio", f"--listen={endpoint}", cwd=tmp_path) as program, requests.Session() as session:
        session.trust_env, session.verify = False, str(tmp_path / "cert.pem")
        url = program.wait_for(LISTENING)[1]
        with connected(url, session=session) as client:
            assert client.call("enter", ("Ada", "lobby"))["room"] == "lobby"
            assert (url[:6], client.transport()) == ("https:", "websocket")


@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")  # of the client, when cut off
def test_clients_come_back_after_a_restart(tmp_path: Path) -> None:
    """SIGTERM closes their transports, with no word that would keep them from reconnecting, and exits with 0."""
    gone, back = threading.Event(), threading.Event()
    with ExitStack() as stack:
        with twistd("socketio", LOOPBACK, cwd=tmp_path) as program:
            url = program.wait_for(LISTENING)[1]
            client = stack.enter_context(connected(url, reconnection=True))
            client.on("disconnect", lambda reason: gone.set())
            client.on("connect", back.set)
            began = time.monotonic()
            assert program.terminate() == 0
            assert time.monotonic() - began < STOP_TIMEOUT
            assert "The chat demo is stopping; clients: 1" in program.output
            assert "The chat demo has stopped" in program.output
            assert gone.wait(5)
        port = url.rstrip("/").rpartition(":")[2]
        with twistd("socketio", f"--listen=tcp:{port}:interface=127.0.0.1", cwd=tmp_path), stack.pop_all():
            assert back.wait(15)  # it tries again after one, two, four, five seconds


def test_a_held_poll_is_answered_at_the_stop(tmp_path: Path) -> None:
    """A client that polls is told that its transport is closed, and not left to a broken connection."""
    with twistd("socketio", LOOPBACK, cwd=tmp_path) as program, requests.Session() as session:
        url = f"{program.wait_for(LISTENING)[0]}socket.io/?EIO=4&transport=polling"
        url += "&sid=" + session.get(url).text.partition('"sid":"')[2][:20]
        assert session.post(url, "40").text == "ok"
        assert session.get(url).text.startswith("40")
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(session.get, url)
            assert requests.post(url, "40/unknown,").text == "ok"
            assert program.terminate() == 0
            assert held.result().status_code == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=none.toml"], "none.toml: No such file or directory"),
        (["--config=bad.toml"], "bad.toml: [server]: unknown option 'ping_intervall'; did you mean 'ping_interval'?"),
        (["--listen=tpc:1"], "command line: listen: 'tpc:1' cannot be used: Unknown endpoint type: 'tpc'; allowed is"),
        (["--listen=ssl:1"], "command line: listen: 'ssl:1' cannot be used: "),
        (["--path=x"], "command line: [server]: path must begin with a slash, not 'x'"),
        (["--set=x"], "command line: --set: 'x' is not NAME=VALUE, like ping_interval=10"),
        (["--app=nowhere"], "command line: app: 'nowhere' is not \"module:object\""),
        (["--app=nowhere:io"], "command line: app: no module 'nowhere' in "),
        (["--app=fine:nothing"], "command line: app: there is no 'nothing' in fine"),
        (["--app=fine:number"], "command line: app: fine:number is neither a Server nor a callable that takes one"),
        (["--app=fine:wait"], "command line: app: fine:wait must register its handlers and return nothing"),
        (["--app=fine:io", "--path=/x"], f"command line: app: {OWN_OPTIONS}: [server] must be empty"),
        (["--app=fine:io", "--adapter=fake:"], f"command line: app: {OWN_OPTIONS}: [adapter] must be empty"),
        (["--adapter=fkae://:1234@host"], "command line: [adapter]: unknown scheme 'fkae'; did you mean fake? there"),
    ],
)
def test_what_cannot_be_run_is_told(
    fake_broker: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    """Where it was written, what it is, and what is allowed."""
    (tmp_path / "bad.toml").write_text("[server]\nping_intervall = 1\n")
    (tmp_path / "fine.py").write_text(
        "from txsocketio import Server\nio, number = Server(), 5\ndef wait(io): return 'later'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "fine", raising=False)
    options = Options()
    options.parseOptions(arguments)
    with pytest.raises(SystemExit) as raised:
        makeService(options)
    assert str(raised.value).startswith(f"twistd socketio: {message}")


def test_what_cannot_be_run_is_told_in_one_line(tmp_path: Path) -> None:
    """No traceback: it is not the program that is wrong."""
    with twistd("socketio", "--set=ping_interval=0", cwd=tmp_path) as program:
        assert program.wait() == 1
        assert program.output == (
            "twistd socketio: command line: [server]: ping_interval must be a positive number of seconds, not 0\n"
        )


def test_an_error_in_the_application_is_shown_in_full(tmp_path: Path) -> None:
    """Its author needs the traceback, also when it is an import that fails."""
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")
    with twistd("socketio", LOOPBACK, "--app=broken:setup", cwd=tmp_path) as program:
        assert program.wait() == 1
        assert "Traceback" in program.output
        assert "No module named 'nowhere_to_be_found'" in program.output


@pytest.mark.parametrize("foreground", [["-n"], []])
def test_a_port_in_use_is_told_in_one_line(tmp_path: Path, foreground: list[str]) -> None:
    """The second of two servers says which port it is about, also as a daemon, and leaves nothing behind."""
    with twistd("socketio", LOOPBACK, cwd=tmp_path) as first:
        port = first.wait_for(LISTENING)[1].rstrip("/").rpartition(":")[2]
        flags = (*foreground, "--pidfile=second.pid", "--logfile=second.log")
        with Program(TWISTD, *flags, "socketio", f"--listen=tcp:{port}:interface=127.0.0.1", cwd=tmp_path) as second:
            assert second.wait() == 1
    told = (tmp_path / "second.log").read_text()
    assert told.count(f"Couldn't listen on 127.0.0.1:{port}") == 1
    assert "Traceback" not in told + second.output
    assert not (tmp_path / "second.pid").exists()


def test_help_names_every_flag() -> None:
    """`twistd socketio --help` is where one looks first."""
    shown = subprocess.run(
        [TWISTD, "socketio", "--help"], cwd=ROOT, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=True
    ).stdout
    for name in ("config", "app", "listen", "adapter", "path", "client-path", "cors-allowed-origins", "set"):
        assert f"--{name}=" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_plugins_import_next_to_nothing() -> None:
    """twistd looks at all of them for each of its commands."""
    code = (
        "import sys; sys.path[:0] = ['.', 'twisted/plugins']; import txsocketio_plugin; "
        "before = sorted(name for name in sys.modules if name.startswith('txsocketio.')); import txsocketio_adapters; "
        "print(before, *sorted(name for name in sys.modules if name.startswith('txsocketio.'))); "
        "print([name for name in ('autobahn', 'twisted.internet.reactor', 'txredisapi') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ours = "txsocketio.errors txsocketio.socketio txsocketio.socketio.brokers txsocketio.types"
    assert shown.splitlines() == [f"[] {ours}", "[]"]
