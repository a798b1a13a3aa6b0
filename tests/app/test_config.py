"""The configuration: a file, and flags that override it."""

from __future__ import annotations

from pathlib import Path

import pytest

from txsocketio.app.config import Config, load, parse_assignment
from txsocketio.errors import ConfigError
from txsocketio.types import Json

pytestmark = pytest.mark.usefixtures("fake_broker")


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "chat.toml"
    path.write_text(text)
    return str(path)


def test_nothing_is_needed() -> None:
    """Without file and flags there is a demo on port 3000."""
    assert load(None, {}) == Config(app=None, listen=("tcp:3000",), server={}, sources={})


def test_the_file_is_read(tmp_path: Path) -> None:
    """Everything that can be configured can stand in the file."""
    path = written(tmp_path, 'app = "chat:setup"\nlisten = ["tcp:1", "tcp:2"]\n[server]\nping_interval = 10\n')
    config = load(path, {})
    assert (config.app, config.listen, config.server) == ("chat:setup", ("tcp:1", "tcp:2"), {"ping_interval": 10})


def test_flags_override_the_file_key_by_key(tmp_path: Path) -> None:
    """A flag replaces its key; what it does not name stays as the file has it."""
    path = written(tmp_path, 'app = "a:b"\nlisten = ["tcp:1"]\n[server]\npath = "/a"\nping_timeout = 5.0\n')
    config = load(path, {"listen": ["tcp:2"], "server": {"path": "/b"}})
    assert (config.app, config.listen) == ("a:b", ("tcp:2",))
    assert config.server == {"path": "/b", "ping_timeout": 5.0}
    assert config.error("listen", "no").source == "command line"
    assert config.error("app", "no").source == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('listen = "tcp:1"', """listen: 'tcp:1' is not a list of endpoints, like ["tcp:3000"]"""),
        ("listen = []", """listen: [] is not a list of endpoints, like ["tcp:3000"]"""),
        ("listen = [3000]", """listen: [3000] is not a list of endpoints, like ["tcp:3000"]"""),
        ('app = "chat"', """app: 'chat' is not "module:object\""""),
        ("app = 5", """app: 5 is not "module:object\""""),
        ("liste = 1", "liste: unknown; did you mean listen?"),
        ("colour = 1", "colour: unknown; allowed are app, listen, server, adapter"),
        ("ping_interval = 1", "ping_interval: belongs in the table [server]"),
        ("server = 1", "server: has to be a table: [server]"),
        ("server.ping_intervall = 1", "[server]: unknown option 'ping_intervall'; did you mean 'ping_interval'?"),
        ("server.ping_interval = -1", "[server]: ping_interval must be a positive number of seconds, not -1"),
        ("server.ping_interval = 'a'", "[server]: ping_interval must be a number, not 'a'"),
        ("server.transports = ['a']", "[server]: transports must be some of polling, websocket, not ['a']"),
        ("server.adapter = 'fake:'", "[server]: adapter has a table of its own: [adapter]"),
        ("adapter = 'fake:'", "adapter: has to be a table: [adapter]"),
        ("[adapter]", "adapter: url is missing, like redis://localhost:6379/0"),
        ("adapter.key = 'a'", "adapter: url is missing, like redis://localhost:6379/0"),
        ("[adapter]\nurl = 5", "[adapter]: has to be a URL, like redis://localhost:6379/0"),
        ("[adapter]\nurl = 'fake:?kye=a'", "[adapter]: unknown option 'kye'; did you mean 'key'?"),
        ("[adapter]\nurl = 'fake:'\nkye = 'a'", "[adapter]: unknown option 'kye'; did you mean 'key'?"),
        ("[adapter]\nurl = 'fake:'\ncount = 'a'", "[adapter]: count must be a whole number, not 'a'"),
        ("[adapter]\nurl = 'fake:?count=1'\ncount = 2", "[adapter]: count is given twice, with different values"),
        ("[adapter]\nurl = 'fake://:guess me@host'\npassword = 'guess me'", "[adapter]: password must not be that one"),
        (
            "[adapter]\nurl = 'absent://:1234@host'",
            "[adapter]: absent needs no_such_client, which is not installed: pip install 'txsocketio[redis]'",
        ),
        ("app = ?", "not TOML: Invalid value (at line 1, column 7)"),
        ("[server]\n\npath = /a", "not TOML: Invalid value (at line 3, column 8)"),
    ],
)
def test_an_error_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    """Whoever wrote the file can see what to change, and where."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(path, {})
    assert str(raised.value) == f"{path}: {message}"


def test_the_url_of_the_command_line_replaces_that_of_the_file(tmp_path: Path) -> None:
    """What the file says besides has to fit the broker that it is now; nobody sees the password in it."""
    path = written(tmp_path, "[adapter]\nurl = 'absent:'\ncount = 3\n")
    config = load(path, {"adapter": {"url": "fake://:1234@host"}})
    assert config.adapter == {"url": "fake://:1234@host", "count": 3}
    assert "1234" not in repr(config)
    with pytest.raises(ConfigError, match=r"^command line: \[adapter\]: unknown scheme 'fkae'"):
        load(path, {"adapter": {"url": "fkae:"}})
    with pytest.raises(ConfigError, match=r"^command line: \[adapter\]: unknown option 'cuont'"):
        load(None, {"adapter": {"url": "fake:?cuont=3"}})
    with pytest.raises(ConfigError, match=rf"^{path}: \[adapter\]: unknown option 'kye'"):
        load(written(tmp_path, "adapter.kye = 'a'\n"), {"adapter": {"url": "fake:"}})


def test_an_error_on_the_command_line_says_so() -> None:
    """A wrong flag is not looked for in the file."""
    with pytest.raises(ConfigError, match=r"^command line: \[server\]: path must begin with a slash"):
        load(None, {"server": {"path": "chat"}})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The most frequent mistake of all."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml: No such file or directory$"):
        load(str(tmp_path / "nowhere.toml"), {})


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A certificate in place of the configuration, for instance."""
    (tmp_path / "x.der").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not TOML"):
        load(str(tmp_path / "x.der"), {})


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("ping_interval=10", "ping_interval", 10),
        ("ping_interval = 2.5", "ping_interval", 2.5),
        ("allow_upgrades=false", "allow_upgrades", False),
        ('transports=["polling"]', "transports", ["polling"]),
        ("path=/chat", "path", "/chat"),
        ("path=/a=b", "path", "/a=b"),
        ("cookie={name='x'}", "cookie", {"name": "x"}),
    ],
)
def test_an_assignment_is_toml_or_text(text: str, name: str, value: Json) -> None:
    """On the command line nobody wants to quote twice."""
    assert parse_assignment(text) == (name, value)


@pytest.mark.parametrize("text", ["", "x", "=5", " = "])
def test_an_assignment_needs_a_name(text: str) -> None:
    """What is meant cannot be guessed."""
    with pytest.raises(ConfigError, match="is not NAME=VALUE"):
        parse_assignment(text)


def test_the_annotated_example_is_valid() -> None:
    """What the documentation shows can be loaded as it is."""
    example = Path(__file__).parents[2] / "docs" / "examples" / "socketio.toml"
    config = load(str(example), {})
    assert config.app == "chat:setup"
    assert len(config.listen) == 2
