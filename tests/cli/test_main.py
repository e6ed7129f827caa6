"""The table of commands: what is called, how it ends, and what is said when something goes wrong."""

import ast
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from telegram_channel import __version__
from telegram_channel.cli import COMMANDS, Command, main
from telegram_channel.errors import AccessError
from tests.cli.conftest import Terminal

TOKEN = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def ends(how: Sequence[str]) -> int:
    """A command that ends as its first argument says."""
    match how[0]:
        case "well":
            return 0
        case "error":
            raise AccessError("It cannot be done.", "Do something else.")
        case "interrupt":
            raise KeyboardInterrupt
        case "fault":
            raise RuntimeError("unexpected") from ValueError(f"https://api.telegram.org/bot{TOKEN}/getMe")
        case text:
            sys.exit(int(text))


TABLE = {"ends": Command(f"{__name__}:ends", "ends as it is told")}


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("well", 0, ""),
        ("error", 1, "telegram-channel: It cannot be done. Do something else.\n"),
        ("interrupt", 130, ""),
        ("2", 2, ""),
        ("0", 0, ""),
    ],
)
def test_every_end_has_its_exit_code(how: str, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ends", how], TABLE) == code
    assert capsys.readouterr().err == said


def test_a_fault_of_ours_is_shown_without_the_token(capsys: pytest.CaptureFixture[str]) -> None:
    """MUST O10: no traceback of a command shows the token."""
    assert main(["ends", "fault"], TABLE) == 1
    shown = capsys.readouterr().err
    assert "RuntimeError: unexpected" in shown
    assert "please report" in shown
    assert TOKEN.partition(":")[2] not in shown


def test_every_command_of_the_table_exists() -> None:
    for command in COMMANDS.values():
        module, _, function = command.target.partition(":")
        spec = find_spec(module)
        assert spec is not None, module
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text("utf-8"))
        assert function in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown and command.help in shown for name, command in COMMANDS.items())


def test_nothing_at_all_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    streams = capsys.readouterr()
    assert (streams.out, "usage: " in streams.err) == ("", True)


@pytest.mark.parametrize(
    ("typed", "said"), [("acces", "Did you mean `access`?"), ("stauts", "`status`"), ("xyz", "There are: access")]
)
def test_an_unknown_command_gets_a_suggestion(typed: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([typed]) == 2
    assert said in capsys.readouterr().err


def test_the_console_script_and_the_module_are_the_same(terminal: Terminal) -> None:
    script = Path(sys.executable).with_name("telegram-channel.exe" if os.name == "nt" else "telegram-channel")
    by_script = subprocess.run([script, "--version"], capture_output=True, check=True).stdout
    assert by_script.decode() == terminal.run("--version").out == f"telegram-channel {__version__}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGPIPE to stand in for")
@pytest.mark.parametrize("arguments", [["--help"], ["access", "list"]])
def test_a_reader_that_left_causes_no_traceback(terminal: Terminal, arguments: list[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "telegram_channel", *arguments],
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=terminal.environment,
        check=False,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")
