"""What Claude is doing, in one line per step: enough to follow it, and nothing that is not for everybody's eyes.

Progress goes to every chat that asked for it, to people who may not see permission cards as well. So a line
names a file but not its directories, a site but not the address, a program but not what it was started with:
of a command only Claude's own description of it is shown, or else the program's name. Contents never are.
What looks like a key is left out of whatever remains.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from urllib.parse import urlsplit

from telegram_channel.core.hooks import ToolCall
from telegram_channel.core.ids import ChatId
from telegram_channel.core.text import Span, Style, Styled, styled, utf16_len
from telegram_channel.core.tooling import chat_named
from telegram_channel.core.visible import visible_line

MOST_LINE_UNITS = 80
"""Longest line of one step, in UTF-16 code units."""
SHOWN_STEPS = 6
"""So many of the newest steps are listed."""
QUIET_AFTER = timedelta(minutes=15)
"""After so long without a word from the session nobody claims that it is working."""
OUR_TOOLS = "mcp__plugin_telegram_telegram__"
"""How the names of our own tools begin for the model (source: Claude Code, tools of plugins)."""

_KEPT_STEPS = 64
"""Steps that are remembered, so that the end of one that runs for long still finds it."""
_LOOKED_AT_CHARACTERS = 4_000
"""Of what somebody wrote; so much more than is shown that no key is cut into something harmless-looking."""
_MOST_DESCRIPTION_UNITS = 70
_MCP = "mcp__"
_PROGRAM = re.compile(
    r"\s*(?:[A-Za-z_]\w*=[\w./:@%+,-]*[ \t]+)*(?:[\w.~+-]*/)*([A-Za-z0-9_][\w.+-]{0,39})(?=[\s;|&]|$)", re.ASCII
)
"""The first word of a command that is only a word, behind plain assignments; quotes and `$` are not guessed at."""
_LONG_WORD = re.compile(r"[\w+/=:.-]{20,}", re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{32,}")

_Fields = Mapping[str, object]


def line_for(call: ToolCall) -> str | None:
    """One line for a step, at most `MOST_LINE_UNITS` long; None for our own tools, which show by themselves.

    A step of a subagent begins with `↳`.
    """
    if call.tool.startswith(OUR_TOOLS):
        return None
    if call.tool.startswith(_MCP):
        server, _, tool = call.tool.removeprefix(_MCP).partition("__")
        words = f"Using {server}: {tool}" if tool else f"Using {server}"
    else:
        say = _WORDS.get(call.tool)
        words = say(call.fields()) if say else f"Using {call.tool}"
    shown = _without_keys(words[:_LOOKED_AT_CHARACTERS])
    return visible_line(f"↳ {shown}" if call.agent else shown, MOST_LINE_UNITS)


def chat_replied_to(call: ToolCall) -> ChatId | None:
    """The chat that a call of our own `reply` is for; None for any other call."""
    return chat_named(call.fields()) if call.tool == f"{OUR_TOOLS}reply" else None


def _text(fields: _Fields, name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def _last_part(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def _command(fields: _Fields) -> str:
    description = _text(fields, "description")
    if description and utf16_len(description) <= _MOST_DESCRIPTION_UNITS:
        return f"Running: {description}"
    program = _PROGRAM.match(_text(fields, "command"))
    return f"Running {program[1]}" if program else "Running a command"


def _file(verb: str, argument: str = "file_path") -> Callable[[_Fields], str]:
    return lambda fields: f"{verb} {_last_part(_text(fields, argument)) or 'a file'}"


def _search(fields: _Fields) -> str:
    pattern = _text(fields, "pattern")
    return f"Searching for “{pattern}”" if pattern else "Searching"


def _find(fields: _Fields) -> str:
    pattern = _last_part(_text(fields, "pattern"))
    return f"Looking for files: {pattern}" if pattern else "Looking for files"


def _fetch(fields: _Fields) -> str:
    try:
        site = urlsplit(_text(fields, "url")).hostname
    except ValueError:
        site = None
    return f"Fetching a page from {site}" if site else "Fetching a page"


def _search_web(fields: _Fields) -> str:
    query = _text(fields, "query")
    return f"Searching the web for “{query}”" if query else "Searching the web"


def _subagent(fields: _Fields) -> str:
    description = _text(fields, "description")
    return f"Subagent: {description}" if description else "Starting a subagent"


def _plan(_: _Fields) -> str:
    return "Planning"


_WORDS: Mapping[str, Callable[[_Fields], str]] = MappingProxyType(
    {
        "Bash": _command,
        "PowerShell": _command,
        "Read": _file("Reading"),
        "Write": _file("Writing"),
        "Edit": _file("Editing"),
        "MultiEdit": _file("Editing"),
        "NotebookRead": _file("Reading", "notebook_path"),
        "NotebookEdit": _file("Editing", "notebook_path"),
        "Grep": _search,
        "Glob": _find,
        "WebFetch": _fetch,
        "WebSearch": _search_web,
        "Task": _subagent,
        "Agent": _subagent,
        **dict.fromkeys(("TodoWrite", "TaskCreate", "TaskUpdate", "EnterPlanMode", "ExitPlanMode"), _plan),
    }
)
"""The client's own tools. One that is not listed here is named as it is."""


def _without_keys(words: str) -> str:
    return _LONG_WORD.sub(lambda word: "…" if _may_be_a_key(word[0]) else word[0], words)


def _may_be_a_key(word: str) -> bool:
    """Whether letters are mixed as nobody writes them: both cases and digits, or a long hexadecimal number."""
    mixed = any(map(str.isdigit, word)) and any(map(str.islower, word)) and any(map(str.isupper, word))
    return mixed or _HEXADECIMAL.search(word) is not None


class StepState(Enum):
    """How far a step is; the value stands before its line."""

    RUNS = "▸"
    DONE = "✓"
    FAILED = "✗"


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a tool, as it is shown."""

    line: str
    use: str = ""
    """The client's id of the call; empty where it gave none."""
    state: StepState = StepState.RUNS


@dataclass(frozen=True, slots=True)
class Board:
    """The steps of one turn."""

    began_at: datetime
    heard_at: datetime
    """When the session last said anything."""
    steps: tuple[Step, ...] = ()
    """The newest ones, oldest of them first."""
    count: int = 0
    failed: int = 0

    def heard(self, at: datetime) -> "Board":
        """The session is alive."""
        return replace(self, heard_at=at)

    def started(self, call: ToolCall, at: datetime) -> "Board":
        """A tool is called."""
        line = line_for(call)
        if line is None:
            return self.heard(at)
        steps = (*self.steps, Step(line, call.use))[-_KEPT_STEPS:]
        return replace(self, heard_at=at, steps=steps, count=self.count + 1)

    def ended(self, call: ToolCall, *, ok: bool, at: datetime) -> "Board":
        """A call is over. One that is not remembered changes nothing."""
        index = self._running(call)
        if index is None:
            return self.heard(at)
        done = replace(self.steps[index], state=StepState.DONE if ok else StepState.FAILED)
        steps = (*self.steps[:index], done, *self.steps[index + 1 :])
        return replace(self, heard_at=at, steps=steps, failed=self.failed + (not ok))

    def _running(self, call: ToolCall) -> int | None:
        """Which of the steps is this call: the one with its id, else the newest that reads the same."""
        line = None if call.use else line_for(call)
        for index in reversed(range(len(self.steps))):
            step = self.steps[index]
            same = step.use == call.use if call.use else step.line == line
            if same and step.state is StepState.RUNS:
                return index
        return None

    def is_quiet(self, now: datetime) -> bool:
        """Whether nothing was heard for so long that nobody knows whether there is still work."""
        return now - self.heard_at >= QUIET_AFTER


def working(board: Board, now: datetime) -> Styled:
    """The whole message while there is work: how long, how many steps, and the newest of them, newest last."""
    steps = _steps(board.count)
    if board.is_quiet(now):
        head = f"⏸ Nothing heard for {_lasted(now - board.heard_at)}, {steps} so far"
    else:
        head = f"⏳ Working, {_lasted(now - board.began_at)}, {steps}"
    shown = board.steps[-SHOWN_STEPS:]
    lines = [f"\n{step.state.value} {step.line}" for step in shown]
    if earlier := board.count - len(shown):
        lines.insert(0, f"\n… {earlier} earlier")
    return styled(Span(head, Style.BOLD), *lines)


def folded(board: Board, until: datetime, *, finished: bool = True) -> Styled:
    """The one line that is left. `finished`: the answer is there; otherwise the display ends before the work."""
    mark = "✓" if finished else "⏹ Not shown any further:"
    failed = f", {board.failed} failed" if board.failed else ""
    return styled(f"{mark} {_steps(board.count)} in {_lasted(until - board.began_at)}{failed}")


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def _lasted(time: timedelta) -> str:
    """How long something took, in the two largest units that count."""
    seconds = max(0, int(time.total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    if minutes:
        return f"{minutes} min {seconds % 60} s" if seconds % 60 else f"{minutes} min"
    return f"{seconds} s"
