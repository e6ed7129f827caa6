"""How this process was started, and whether that is evidence of a channel session.

Every session with the plugin enabled starts a server, and so do `claude -p` and `claude mcp list`. Only one
that was started with us as a channel will ever read our events, so only there a server may poll: anywhere
else it would swallow messages. The evidence is an ancestor process whose arguments name us after
`--channels` or `--dangerously-load-development-channels`; no evidence means no.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

import psutil

from telegram_channel.core.ids import SessionId

CHANNEL_FLAGS = ("--channels", "--dangerously-load-development-channels")
"""Source: the channels reference of Claude Code."""
PLUGIN = "telegram"
MOST_ANCESTORS = 16
SAME_START_S = 5.0
"""Start times of one process may be read this far apart: they are derived from a clock that is adjusted."""

_BOOTED_AT_S = psutil.boot_time() if psutil.LINUX else 0.0
"""As it was when this process began: by this clock the others told when they had begun."""
_LONGEST_LINE = 4_096
"""Characters of a line that git wrote: longer ones are none of its."""
_OFF = ("", "0", "false", "no", "off")
_OBSTACLES = {
    "DISABLE_TELEMETRY": "a telemetry opt-out switches channels off",
    "DO_NOT_TRACK": "a telemetry opt-out switches channels off",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "a telemetry opt-out switches channels off",
    "CLAUDE_CODE_USE_BEDROCK": "channels need claude.ai or Console authentication",
    "CLAUDE_CODE_USE_VERTEX": "channels need claude.ai or Console authentication",
    "CLAUDE_CODE_USE_FOUNDRY": "channels need claude.ai or Console authentication",
}


@dataclass(frozen=True, slots=True)
class Launch:
    """What a serve process knows about itself."""

    session: SessionId
    project: str
    """The project directory's last part, for people."""
    is_channel: bool
    """Whether there is evidence that the client was started with us as a channel."""
    pid: int
    started_at: datetime
    project_dir: str = ""
    """The project directory; absolute, empty when it is not known."""
    branch: str = ""
    """The git branch of the project when the process began, empty when there is none."""


def is_channel_session(
    ancestors: Sequence[Sequence[str]], plugin: str = PLUGIN, marketplace: str | None = None
) -> bool:
    """Whether the arguments of any ancestor ask for our channel.

    With `marketplace`, a plugin of the same name from another marketplace is not us.
    """
    named = (value for arguments in ancestors for value in _channels(arguments))
    return any(_is_us(value, plugin, marketplace) for value in named)


def marketplace_of(plugin_data: str | None, plugin: str = PLUGIN) -> str | None:
    """The marketplace we were installed from, read off `CLAUDE_PLUGIN_DATA`; None when it does not say.

    The directory is called `<plugin>-<marketplace>`, with `-` for anything but letters, digits, `_` and `-`.
    """
    name = PurePath(plugin_data or "").name
    return name.removeprefix(f"{plugin}-") if name.startswith(f"{plugin}-") else None


def _channels(arguments: Sequence[str]) -> Iterator[str]:
    """Every value after a channel flag, up to the next option; one argument may hold several values."""
    after_flag = False
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if flag.startswith("-"):
            after_flag = flag in CHANNEL_FLAGS
            argument = value if equals else ""
        if after_flag:
            yield from argument.replace(",", " ").split()


def _is_us(value: str, plugin: str, marketplace: str | None) -> bool:
    if value in (f"server:{plugin}", f"plugin:{plugin}"):
        return True
    named, at, origin = value.partition("@")
    if named != f"plugin:{plugin}" or not at:
        return False
    return marketplace is None or re.sub(r"[^A-Za-z0-9_-]", "-", origin) == marketplace


def channel_obstacles(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What in this environment keeps Claude Code from offering channels, one sentence each."""
    return tuple(
        f"{name} is set: {reason}."
        for name, reason in _OBSTACLES.items()
        if environ.get(name, "").strip().lower() not in _OFF
    )


def project_name(environ: Mapping[str, str], working_directory: str) -> str:
    """What to call the session: the project directory's last part."""
    directory = PurePath(environ.get("CLAUDE_PROJECT_DIR") or working_directory)
    return directory.name or str(directory)


def project_directory(environ: Mapping[str, str], working_directory: str) -> str:
    """The project directory, absolute; empty when nobody says which it is."""
    directory = environ.get("CLAUDE_PROJECT_DIR") or working_directory
    return os.path.normpath(Path(working_directory) / directory) if directory else ""


def git_branch(directory: str) -> str:
    """The branch that is checked out in this directory or the nearest above it that git knows.

    Empty without one: no repository, no branch (a bare commit), or nothing that could be read. No git is run,
    because this is asked again and again. Blocks for as long as reading two small files takes.
    """
    if not directory:
        return ""
    with contextlib.suppress(OSError, ValueError):
        for folder in (Path(directory), *Path(directory).parents):
            git = folder / ".git"
            if git.exists():
                return _branch_in(git)
    return ""


def _branch_in(git: Path) -> str:
    """The branch that HEAD names. In a worktree or submodule, `.git` is a file that says where HEAD is."""
    if git.is_file():
        _, _, place = _first_line(git).partition("gitdir: ")
        git = git.parent / place
    kind, _, branch = _first_line(git / "HEAD").partition("refs/heads/")
    return branch if kind == "ref: " else ""


def _first_line(path: Path) -> str:
    if not path.is_file():  # a project may be somebody else's, and a pipe would never end
        return ""
    with path.open(encoding="utf-8") as file:
        return file.readline(_LONGEST_LINE).strip()


def read_launch(random_session: str) -> Launch:
    """Look at this process and its ancestors; `random_session` is its id where the client gave none."""
    directory = project_directory(os.environ, _working_directory())
    return Launch(
        session=SessionId(os.environ.get("CLAUDE_CODE_SESSION_ID") or random_session),
        project=project_name(os.environ, _working_directory()),
        is_channel=is_channel_session(_ancestors(), marketplace=marketplace_of(os.environ.get("CLAUDE_PLUGIN_DATA"))),
        pid=os.getpid(),
        started_at=_started_at(os.getpid()),
        project_dir=directory,
        branch=git_branch(directory),
    )


def is_alive(pid: int, seen_at: datetime) -> bool:
    """Whether the process that had this id at this time still runs.

    A process that took over the id began later and is another one. What cannot be examined counts as alive. Of
    the times that are known, the last one is the best: where the system's clock is set, processes seem to have
    begun at another time than they once told.
    """
    try:
        began_at = _started_at(pid)
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OSError):
        return psutil.pid_exists(pid)
    return (began_at - seen_at).total_seconds() < SAME_START_S


def _started_at(pid: int) -> datetime:
    process = psutil.Process(pid)
    if process.status() == psutil.STATUS_ZOMBIE:
        raise psutil.NoSuchProcess(pid)
    began_at_s = process.create_time()
    if psutil.LINUX:  # told from the boot on: with every change of the clock the time of the boot is another
        began_at_s -= psutil.boot_time() - _BOOTED_AT_S
    return datetime.fromtimestamp(began_at_s, UTC)


def _ancestors() -> list[list[str]]:
    """The arguments of the processes above this one, nearest first, as far up as they can be read."""
    found: list[list[str]] = []
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process().parent()
        while process is not None and len(found) < MOST_ANCESTORS:
            found.append(_arguments(process))
            process = process.parent()
    return found


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []


def _working_directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return ""
