"""The command line: help for everything, settings as flags, and one sentence with exit code 2 for what is wrong."""

import fcntl
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, SecretStr

from api import cli
from api.commands import options
from api.commands.failures import Unusable, address, listener
from consumers.settings import ApiSettings, Settings, described

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sqm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs `sqm` with arguments in an empty folder; answers exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sqm", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), said.out, said.err

    return run


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command: str, sqm: Run) -> None:
    code, out, _ = sqm(command, "--help")
    assert code == 0
    assert f"Usage: sqm {command}" in out


def test_help_lists_every_command_with_what_it_is_for(sqm: Run) -> None:
    code, out, _ = sqm("--help")
    assert code == 0
    for command in cli.COMMANDS:
        assert f" {command} " in out
    assert sqm("-h")[1] == out


def test_the_version_is_told(sqm: Run) -> None:
    code, out, _ = sqm("--version")
    assert code == 0
    assert out.startswith("sqm 0.")


def test_a_mistyped_command_is_answered_with_the_nearest(sqm: Run) -> None:
    code, _, err = sqm("replai")
    assert code == 2
    assert "replay" in err


def test_every_setting_but_secrets_has_a_flag_of_its_name() -> None:
    secret = {name for name, field in described() if SecretStr in get_args(field.annotation)}
    flags = {flag.variable: flag.flag for flag in options.flags()}
    assert set(flags) == {name for name, _ in described()} - secret
    assert len(set(flags.values())) == len(flags)
    assert flags["SQM_API__PORT"] == "--port"
    assert flags["SQM_POLICY"] == "--policy"
    assert flags["SQM_KAFKA__TOPIC_PREFIX"] == "--topic-prefix"
    groups = {n for n, f in Settings.model_fields.items() if isinstance(f.annotation, type)} & set(options.PANELS)
    assert all(issubclass(Settings.model_fields[n].annotation, BaseModel) for n in groups)  # type: ignore[arg-type] # see `groups`


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SQM_API__PORT=1111\nSQM_API__HOST=1.1.1.1\nSQM_KAFKA__GROUP=file\n")
    monkeypatch.setenv("SQM_API__PORT", "2222")
    monkeypatch.setenv("SQM_API__HOST", "2.2.2.2")
    seen: list[Settings] = []
    offered = options.with_settings("kafka", "worker", "judge", "api")(lambda settings: seen.append(settings))
    given = {f.parameter: None for f in options.flags()} | {"api__port": "3333"}
    offered(**given)
    assert (seen[0].api.port, seen[0].api.host, seen[0].kafka.group) == (3333, "2.2.2.2", "file")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--port", "70000"), ["SQM_API__PORT", "70000"]),
        (("run", "--clock", "sundial"), ["SQM_CLOCK", "sundial", "wall"]),
        (("demo", "--security-protocol", "SASL_SSL"), ["SQM_KAFKA__SASL_USERNAME"]),
        (("run", "--policy", "nowhere.yaml"), ["nowhere.yaml", "No such file"]),
        (("check", "nowhere.yaml"), ["nowhere.yaml", "No such file"]),
        (("restate", "--why", "a slip"), ["name the files to judge anew by", "--policy"]),
        (("restate", "--why", " ", "--policy", "nowhere.yaml"), ["--why is empty"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_used_is_named_in_one_sentence(arguments: tuple[str, ...], words: list[str], sqm: Run) -> None:
    code, _, err = sqm(*arguments)
    assert code == 2
    assert all(word in err for word in words), err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_bad_policy_stops_the_start_with_file_line_and_field(command: str, sqm: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("policy: p\nlabels: [service]\ntargets:\n  - {clock: promis, within: 5}\n")
    code, _, err = sqm(command, "--policy", "bad.yaml")
    assert code == 2
    assert "bad.yaml:4" in err
    assert "promise" in err


@pytest.mark.parametrize("command", ["run", "api", "demo"])
def test_a_taken_port_is_named(command: str, taken: int, sqm: Run) -> None:
    code, _, err = sqm(command, "--port", str(taken))
    assert code == 2
    assert f"port {taken} is taken" in err
    assert "--port" in err


@pytest.mark.parametrize("command", ["run", "worker", "demo"])
def test_a_data_folder_that_cannot_be_written_is_named(command: str, sqm: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = sqm(command, "--data-dir", str(tmp_path / "file" / "data"))
    assert code == 2
    assert f"data folder {tmp_path / 'file' / 'data'} cannot be written" in err
    assert "--data-dir" in err


def test_two_demos_do_not_share_a_data_folder(sqm: Run, tmp_path: Path) -> None:
    with (tmp_path / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        code, _, err = sqm("demo", "--data-dir", str(tmp_path), "--port", "0")
    assert code == 2
    assert f"another demo (process 4711) uses the data folder {tmp_path}" in err


def test_a_host_that_is_not_ours_is_named() -> None:
    with pytest.raises(Unusable, match=r"192\.0\.2\.1, port 0 cannot be listened on"):
        listener(ApiSettings(host="192.0.2.1", port=0))


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")]
)
def test_the_address_is_one_that_a_browser_understands(host: str, shown: str) -> None:
    with listener(ApiSettings(host=host, port=0)) as listening:
        assert address(listening).startswith(shown)


def test_each_module_of_a_command_is_loaded_only_for_it() -> None:
    assert {command.name for command in cli.application("check").registered_commands} == {"check"}
    assert {command.name for command in cli.application().registered_commands} == set(cli.COMMANDS)


def test_the_probe_of_the_data_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    from api.commands.failures import writable

    assert writable(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert os.listdir(tmp_path / "a" / "b") == []
