"""What people are told about a step: the line, what it never says, and the message that is made of the lines."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.hooks import ToolCall
from telegram_channel.core.ids import ChatId
from telegram_channel.core.progress import (
    MOST_LINE_UNITS,
    QUIET_AFTER,
    Board,
    chat_replied_to,
    folded,
    line_for,
    working,
)
from telegram_channel.core.text import utf16_len
from tests.values import NOON, later

OURS = "mcp__plugin_telegram_telegram__"
KEY = "sk-ant-api03-Zq8vT2mKx0LrWnYb4HcJ6dPe"


def call(tool: str = "Read", use: str = "", agent: str = "", **fields: Any) -> ToolCall:
    return ToolCall(tool, json.dumps(fields), use, agent)


@pytest.mark.parametrize(
    ("tool", "fields", "line"),
    [
        ("Bash", {"command": "npm test", "description": "Run the tests"}, "Running: Run the tests"),
        ("Bash", {"command": "npm test"}, "Running npm"),
        ("Bash", {"command": "npm test", "description": "x" * 71}, "Running npm"),
        ("Bash", {"command": "npm test\nrm -rf /", "description": " "}, "Running npm"),
        ("Bash", {"command": "/home/ann/bin/deploy.sh --now"}, "Running deploy.sh"),
        ("Bash", {"command": "~/bin/deploy; x"}, "Running deploy"),
        ("Bash", {"command": "ls"}, "Running ls"),
        ("Bash", {}, "Running a command"),
        ("Read", {"file_path": "/home/ann/shop/app.py"}, "Reading app.py"),
        ("Read", {"file_path": "C:\\Users\\ann\\app.py"}, "Reading app.py"),
        ("Read", {}, "Reading a file"),
        ("Write", {"file_path": "notes.md", "content": "secret words"}, "Writing notes.md"),
        ("Edit", {"file_path": "/a/b.py", "old_string": "secret", "new_string": "words"}, "Editing b.py"),
        ("MultiEdit", {"file_path": "/a/b.py", "edits": [{"old_string": "secret"}]}, "Editing b.py"),
        ("NotebookEdit", {"notebook_path": "/a/b.ipynb", "new_source": "secret"}, "Editing b.ipynb"),
        ("Grep", {"pattern": "TODO", "path": "/home/ann"}, "Searching for “TODO”"),
        ("Grep", {}, "Searching"),
        ("Glob", {"pattern": "/home/ann/**/*.py"}, "Looking for files: *.py"),
        (
            "WebFetch",
            {"url": "https://ann:pw@docs.example.org:8443/x?token=1"},
            "Fetching a page from docs.example.org",
        ),
        ("WebFetch", {"url": "https://[broken"}, "Fetching a page"),
        ("WebSearch", {"query": "python asyncio"}, "Searching the web for “python asyncio”"),
        ("Task", {"description": "Look around", "prompt": "secret"}, "Subagent: Look around"),
        ("Agent", {"description": "Look around"}, "Subagent: Look around"),
        ("Agent", {}, "Starting a subagent"),
        ("TodoWrite", {"todos": [{"content": "secret"}]}, "Planning"),
        ("mcp__github__create_issue", {"title": "secret"}, "Using github: create_issue"),
        ("mcp__odd", {}, "Using odd"),
        ("Skill", {"skill": "secret"}, "Using Skill"),
        (f"{OURS}reply", {"chat_id": "1001"}, None),
        (f"{OURS}react", {}, None),
    ],
)
def test_a_step_reads_like_this(tool: str, fields: dict[str, Any], line: str | None) -> None:
    """MUST progress names what is done, never the content of files."""
    assert line_for(call(tool, **fields)) == line


def test_a_step_of_a_subagent_is_marked() -> None:
    assert line_for(call("Read", agent="a1", file_path="/x/app.py")) == "↳ Reading app.py"


@pytest.mark.parametrize(
    "command",
    [
        f"TOKEN={KEY} curl https://x.org",
        f"TOKEN='{KEY} and hunter2' curl",
        f'TOKEN="hunter2 {KEY}" curl',
        "PASSWORD=$(cat hunter2 hunter2) curl",
        "PASSWORD=`cat hunter2 hunter2` curl",
        "PASSWORD=hunter2",
        "PASSWORD=hunter2\ncurl",
        "curl -H 'Authorization: hunter2'",
        "export PASSWORD=hunter2",
        "echo hunter2 | sudo -S ls",
        "# hunter2",
        "'hunter2'",
        "/home/hunter2/bin/run --now",
        "<<< hunter2 cat",
    ],
)
def test_a_command_shows_its_program_and_nothing_it_is_given(command: str) -> None:
    """MUST progress shows a command's description or its program, never what the program is given."""
    line = line_for(call("Bash", command=command))
    assert line in {
        "Running curl",
        "Running export",
        "Running echo",
        "Running run",
        "Running a command",
    }


@pytest.mark.parametrize("key", [KEY, "4242424242:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "deadbeef" * 4, "A1b2" * 9])
@pytest.mark.parametrize("tool", ["Bash", "Grep", "WebSearch", "Read", "Agent", "mcp__x__y"])
def test_what_looks_like_a_key_is_left_out(tool: str, key: str) -> None:
    """MUST progress leaves out what looks like a key."""
    fields = dict.fromkeys(("description", "pattern", "query", "file_path"), f"a {key} b")
    line = line_for(call(tool, **fields))
    assert line is not None
    assert key not in line
    assert key[4:12] not in line


@pytest.mark.parametrize(
    "words", ["test_the_very_long_name_of_a_module_in_this_project.py", "TheVeryLongNameOfSomeClassInJava.java"]
)
def test_a_long_name_is_no_key(words: str) -> None:
    assert line_for(call("Read", file_path=f"/a/{words}")) == f"Reading {words}"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)
_NAMES = st.sampled_from(
    ["command", "description", "file_path", "notebook_path", "pattern", "url", "query", "path", "chat_id"]
)
_TOOLS = st.sampled_from(
    ["Bash", "Read", "Edit", "Grep", "Glob", "WebFetch", "WebSearch", "Task", "TodoWrite", "mcp__a__b", f"{OURS}x"]
)


@given(tool=_TOOLS | st.text(), fields=st.dictionaries(_NAMES, _JSON), agent=st.sampled_from(["", "a1"]))
def test_any_call_becomes_one_short_visible_line(tool: str, fields: dict[str, Any], agent: str) -> None:
    line = line_for(ToolCall(tool, json.dumps(fields), "", agent))
    if line is None:
        assert tool.startswith(OURS)
    else:
        assert line.isprintable()
        assert 0 < utf16_len(line) <= MOST_LINE_UNITS


@pytest.mark.parametrize("raw", ["", "[1]", "{broken", "[" * 100_000, '"text"'])
def test_an_input_that_is_no_object_still_makes_a_line(raw: str) -> None:
    assert line_for(ToolCall("Bash", raw)) == "Running a command"


def test_a_command_of_any_length_is_looked_at_quickly() -> None:
    """A line is made while Claude waits for the event loop; 200 of the worst would take minutes if it backtracked."""
    for nasty in ("a/" * 50_000, "A=1 " * 50_000, "~" * 100_000, "a=" * 50_000, "\t" * 100_000):
        for _ in range(40):
            assert line_for(call("Bash", command=nasty)) is not None


def test_only_a_call_of_our_reply_replies() -> None:
    assert chat_replied_to(call(f"{OURS}reply", chat_id="1001", text="x")) == ChatId("1001")
    assert chat_replied_to(call(f"{OURS}reply", text="x")) is None
    assert chat_replied_to(call(f"{OURS}react", chat_id="1001")) is None
    assert chat_replied_to(call("Bash", chat_id="1001")) is None


# The message


def board(steps: int, until: datetime = NOON) -> Board:
    made = Board(NOON, NOON)
    for number in range(1, steps + 1):
        made = made.started(call(use=f"u{number}", file_path=f"{number}.py"), until)
    return made


def test_the_message_says_how_long_how_many_and_the_newest_steps() -> None:
    made = board(8, later(70)).ended(call(use="u7"), ok=True, at=later(70)).ended(call(use="u6"), ok=False, at=NOON)
    assert working(made, later(80)).plain() == (
        "⏳ Working, 1 min 20 s, 8 steps\n… 2 earlier\n"
        "▸ Reading 3.py\n▸ Reading 4.py\n▸ Reading 5.py\n✗ Reading 6.py\n✓ Reading 7.py\n▸ Reading 8.py"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (80, "1 min 20 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (90_061, "25 h 1 min"),
    ],
)
def test_folded_is_one_line(seconds: float, words: str) -> None:
    assert folded(board(14), later(seconds)).plain() == f"✓ 14 steps in {words}"


def test_folded_names_failures_and_an_early_end() -> None:
    made = board(1).ended(call(use="u1"), ok=False, at=NOON)
    assert folded(made, later(3)).plain() == "✓ 1 step in 3 s, 1 failed"
    assert folded(made, later(3), finished=False).plain() == "⏹ Not shown any further: 1 step in 3 s, 1 failed"


def test_nobody_claims_that_a_silent_session_works() -> None:
    """MUST progress says that nothing was heard when nothing was heard."""
    made = board(3)
    assert working(made, NOON + QUIET_AFTER).plain().startswith("⏸ Nothing heard for 15 min, 3 steps so far\n")
    assert working(made.heard(later(60)), NOON + QUIET_AFTER).plain().startswith("⏳ Working, 15 min, 3 steps\n")


def test_the_end_of_a_step_finds_it_without_an_id() -> None:
    made = Board(NOON, NOON)
    for name in ("a.py", "b.py", "a.py"):
        made = made.started(call(file_path=name), NOON)
    made = made.ended(call(file_path="a.py"), ok=False, at=NOON).ended(call(file_path="a.py"), ok=True, at=NOON)
    made = made.ended(call(file_path="a.py"), ok=False, at=NOON)  # nothing like it runs any more
    assert [step.state.value for step in made.steps] == ["✓", "▸", "✗"]
    assert (made.count, made.failed) == (3, 1)


def test_an_end_without_a_beginning_counts_for_nothing() -> None:
    made = board(1).ended(call(use="other"), ok=False, at=later(9))
    assert (made.count, made.failed, made.heard_at) == (1, 0, later(9))


def test_our_own_tools_are_no_steps() -> None:
    reply = call(f"{OURS}reply", use="r", chat_id="1")
    made = Board(NOON, NOON).started(reply, NOON).ended(reply, ok=False, at=NOON)
    assert (made.count, made.failed, made.steps) == (0, 0, ())


def test_a_turn_of_thousands_of_steps_stays_small() -> None:
    made = board(5_000)
    assert made.count == 5_000
    assert len(made.steps) < 100
    assert "… 4994 earlier" in working(made, NOON).plain()
