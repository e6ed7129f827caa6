"""A terminal of its own for each test: real processes, an empty home, a state directory that nobody else has."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_PATIENCE_S = 60
_SEVERAL = """
import contextlib, io, json, sys
from telegram_channel.cli import main
done = []
for arguments in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    done.append([code, out.getvalue(), err.getvalue()])
print(json.dumps({"done": done, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""
"""Several commands in one process: a start costs more than all of them."""
_OURS = ("TELEGRAM_", "CLAUDE", "DISABLE_TELEMETRY", "DO_NOT_TRACK", "XDG_")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)


class Terminal:
    """Runs `telegram-channel` as a person would, and waits for its end."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state_dir = home / "state"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
            "HOME": str(home),
            "TELEGRAM_STATE_DIR": str(self.state_dir),
            "PYTHONUTF8": "1",
        }

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        """Run one command to its end."""
        return self.python("-m", "telegram_channel", *arguments, stdin=stdin, environment=environment)

    def run_all(self, *commands: Sequence[str], **environment: str) -> list[Ran]:
        """Run several commands one after the other, in one process."""
        return self._several(commands, environment)[0]

    def modules_after(self, *commands: Sequence[str]) -> set[str]:
        """The top-level modules that several commands together have loaded."""
        return self._several(commands, {})[1]

    def _several(
        self, commands: Sequence[Sequence[str]], environment: Mapping[str, str]
    ) -> tuple[list[Ran], set[str]]:
        ran = self.python("-c", _SEVERAL, stdin=json.dumps(commands), environment=environment)
        assert ran.code == 0, ran.err
        return [Ran(*one) for one in ran.json["done"]], set(ran.json["modules"])

    def python(self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Ran:
        """Run Python with these arguments, as the command would."""
        done = subprocess.run(
            [sys.executable, *arguments],
            input=stdin.encode(),
            capture_output=True,
            cwd=self.home,
            env={**self.environment, **(environment or {})},
            timeout=_PATIENCE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)
