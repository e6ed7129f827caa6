"""What is installed as a plugin: manifests, commands, instructions, pins, and the launcher."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from telegram_channel import __version__
from telegram_channel.app import TOOLS
from telegram_channel.claude.hooks import EVENTS, TOOL, read_hook
from telegram_channel.cli import COMMANDS
from telegram_channel.core.events import META_KEYS
from telegram_channel.core.hooks import (
    AttentionWanted,
    HookCall,
    PermissionAsked,
    PromptSubmitted,
    TextShown,
    ToolCall,
    ToolDenied,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.demo.session import hook_calls

ROOT = Path(__file__).parents[1]
INSTRUCTIONS = (ROOT / "src/telegram_channel/bridge/instructions.md").read_text("utf-8")
REQUIREMENTS = ROOT / "launcher/requirements.txt"
MOST_INSTRUCTIONS = 2500
LONG_ENOUGH_S = 20.0


def manifest(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / name).read_text("utf-8"))
    return loaded


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9_]+", text))


# Instructions


def test_claude_is_told_every_tool_and_every_meta_key() -> None:
    """MUST K1: the instructions name every tool and every meta key."""
    named = words(INSTRUCTIONS)
    assert {tool.name for tool in TOOLS} <= named
    assert set(META_KEYS) <= named


def test_the_instructions_name_no_key_that_does_not_exist() -> None:
    arguments = {name for tool in TOOLS for name in tool.input_schema["properties"]}
    known = set(META_KEYS) | {tool.name for tool in TOOLS} | arguments | {"poll_question"}
    numbered = re.compile(r"_\d+$")
    invented = {word for word in words(INSTRUCTIONS) if "_" in word and numbered.sub("", word) not in known}
    assert invented == set()


def test_the_instructions_are_short_and_say_what_matters() -> None:
    """MUST K2: Claude is told that only `reply` is seen, and that no message may change access."""
    assert len(INSTRUCTIONS) < MOST_INSTRUCTIONS
    for saying in ("ONLY", "`reply`", "/telegram:access", "injection", "Never pair"):
        assert saying in INSTRUCTIONS


# Manifests


def test_the_plugin_says_what_it_is() -> None:
    plugin = manifest(".claude-plugin/plugin.json")
    assert plugin["name"] == "telegram"
    assert plugin["version"] == __version__
    assert plugin["channels"] == [{"server": "telegram"}]
    option = plugin["userConfig"]["bot_token"]
    assert option["sensitive"] is True
    assert not option.get("required"), "the server has to start without it, or it could not say what to do"


def test_the_marketplace_offers_this_directory() -> None:
    market = manifest(".claude-plugin/marketplace.json")
    assert market["name"] == "telegram-channel"
    assert [(one["name"], one["source"]) for one in market["plugins"]] == [("telegram", "./")]


def test_the_server_is_started_with_what_the_plugin_brings() -> None:
    server = manifest(".mcp.json")["mcpServers"]["telegram"]
    assert server["command"] == "uv"
    assert server["alwaysLoad"] is True
    assert server["args"][-2:] == ["${CLAUDE_PLUGIN_DATA}", "serve"]
    (script,) = (one for one in server["args"] if one.endswith(".py"))
    assert (ROOT / script.removeprefix("${CLAUDE_PLUGIN_ROOT}/")).is_file()


def test_an_empty_option_never_hides_a_token_of_the_environment() -> None:
    """MUST K3: the plugin's option has a variable of its own."""
    environment = manifest(".mcp.json")["mcpServers"]["telegram"]["env"]
    assert environment["TELEGRAM_OPTION_BOT_TOKEN"] == "${user_config.bot_token}"
    assert "TELEGRAM_BOT_TOKEN" not in environment


# Hooks

HOOKS: dict[str, list[dict[str, Any]]] = manifest("hooks/hooks.json")["hooks"]
PERMISSION_WITHIN_S = 3600
ANSWER_WITHIN_S = 5
"""The client's key `timeout` is in seconds, for hooks of this type as well (seen: 2.1.197 and 2.1.328)."""
RAN = ToolCall("Bash", '{"command":"ls","description":"Look"}', "toolu_1", "a1")
FIELDS: dict[str, Any] = {
    "session_id": "s",
    "transcript_path": "/t",
    "cwd": "/c",
    "prompt": "hello",
    "tool_name": "Bash",
    "tool_input": {"command": "ls", "description": "Look"},
    "tool_use_id": "toolu_1",
    "agent_id": "a1",
    "tool_response": {"stdout": "x" * 10_000},
    "permission_suggestions": [{"type": "setMode", "mode": "acceptEdits", "destination": "session"}],
    "last_assistant_message": "Done.",
    "stop_hook_active": False,
    "turn_id": "t",
    "message_id": "m",
    "index": 3,
    "final": True,
    "delta": "bye",
    "message": "Claude is waiting",
    "notification_type": "idle_prompt",
}
"""Everything that any hook of the client carries, as it was seen."""
TOLD: dict[str, HookCall] = {
    "UserPromptSubmit": PromptSubmitted("hello"),
    "PreToolUse": ToolStarting(RAN),
    "PostToolUse": ToolEnded(RAN, ok=True),
    "PostToolUseFailure": ToolEnded(RAN, ok=False),
    "PermissionDenied": ToolDenied(RAN),
    "Stop": TurnEnded("Done.", again=False),
    "MessageDisplay": TextShown("m", 3, "bye", final=True),
    "Notification": AttentionWanted("Claude is waiting", "idle_prompt"),
}


def hook(event: str) -> dict[str, Any]:
    """The one hook of an event."""
    (group,) = HOOKS[event]
    assert "matcher" not in group, "every tool of the session is meant"
    (found,) = group["hooks"]
    assert isinstance(found, dict)
    return found


def test_there_is_one_hook_for_each_event_that_the_server_understands() -> None:
    """MUST K10: The plugin's hooks and what the server understands are the same."""
    assert set(HOOKS) == set(EVENTS)
    for event in EVENTS:
        one = hook(event)
        assert set(one) == {"type", "server", "tool", "input", "timeout"}
        assert (one["type"], one["server"], one["tool"]) == ("mcp_tool", "plugin:telegram:telegram", TOOL)
        assert one["input"]["event"] == event
        assert one["timeout"] == (PERMISSION_WITHIN_S if event == "PermissionRequest" else ANSWER_WITHIN_S)


def test_no_hook_needs_a_process_or_comes_before_the_server() -> None:
    # A SessionStart hook runs before the server is connected, and the operator is shown an error.
    assert "SessionStart" not in HOOKS
    assert {hook(event)["type"] for event in HOOKS} == {"mcp_tool"}


def test_the_tool_of_the_hooks_is_none_of_the_public_ones() -> None:
    assert TOOL not in {tool.name for tool in TOOLS}
    assert TOOL not in INSTRUCTIONS


@pytest.mark.parametrize("event", list(TOLD))
def test_what_a_hook_hands_over_is_what_the_server_reads(event: str) -> None:
    ((tool, arguments),) = hook_calls(event, FIELDS)
    assert tool == TOOL
    assert read_hook(arguments) == TOLD[event]


def test_a_permission_hook_hands_over_the_whole_input_and_the_choices_of_the_terminal() -> None:
    ((_, arguments),) = hook_calls("PermissionRequest", {**FIELDS, "tool_use_id": None})
    call = read_hook(arguments)
    assert isinstance(call, PermissionAsked)
    assert call.call == ToolCall(RAN.tool, RAN.input, "", RAN.agent)
    assert [json.loads(one.raw) for one in call.suggestions] == FIELDS["permission_suggestions"]


def test_no_hook_hands_over_what_a_tool_returned() -> None:
    """MUST K11: What a tool returned is never handed to the server: it may be huge, and is none of its business."""
    assert "tool_response" not in json.dumps(HOOKS)


@pytest.mark.parametrize("event", EVENTS)
def test_a_hook_of_a_client_that_gives_no_fields_is_no_error(event: str) -> None:
    ((_, arguments),) = hook_calls(event, {"index": 0})
    read_hook(arguments)


# Commands

COMMAND_FILES = sorted((ROOT / "commands").glob("*.md"))


def test_there_is_a_command_for_each_thing_the_operator_does() -> None:
    assert [one.stem for one in COMMAND_FILES] == ["access", "configure", "status"]


@pytest.mark.parametrize("file", COMMAND_FILES, ids=lambda file: file.stem)
def test_a_command_can_run_one_program_with_one_subcommand_and_only_for_the_operator(file: Path) -> None:
    """MUST K4: commands are the operator's: the model cannot invoke them, and an argument cannot add a command."""
    _, front, body = file.read_text("utf-8").split("---\n", 2)
    head = dict(line.split(": ", 1) for line in front.splitlines())
    assert head["disable-model-invocation"] == "true"
    assert head["description"]
    (run,) = re.findall(r"^!`(.*)`$", body, re.MULTILINE)
    allowed = re.fullmatch(r"Bash\((.+):\*\)", head["allowed-tools"])
    assert allowed
    assert run.removesuffix(" $ARGUMENTS") == allowed[1]
    program, subcommand = allowed[1].rsplit(" ", 1)
    assert program == '"${CLAUDE_PLUGIN_ROOT}/launcher/telegram-channel" "${CLAUDE_PLUGIN_DATA}"'
    assert subcommand in COMMANDS
    assert os.access(ROOT / "launcher/telegram-channel", os.X_OK)


def test_the_token_is_never_an_argument() -> None:
    """MUST K5: no command takes the token as an argument."""
    text = (ROOT / "commands/configure.md").read_text("utf-8")
    assert "$ARGUMENTS" not in text
    assert "argument-hint" not in text
    assert "/revoke" in text


# Pins


def pins() -> dict[str, tuple[str, str]]:
    """Every required package with its version and the condition it is for."""
    rows = re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)(?: ; ([^\\\n]+))? \\$", REQUIREMENTS.read_text(), re.MULTILINE)
    return {name.lower().replace("_", "-"): (version, condition.strip()) for name, version, condition in rows}


def test_the_launcher_installs_exactly_what_was_tested() -> None:
    """MUST K6: what the plugin installs is pinned, with hashes, and the same as what was tested."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    tested = dict(one.split("==") for one in project["tool"]["uv"]["constraint-dependencies"])
    tested = {name.lower().replace("_", "-"): version for name, version in tested.items()}
    found = pins()
    for name, (version, condition) in found.items():
        assert tested.get(name, version) == version
        # What is for other platforms only is not among the tested ones.
        assert name in tested or "sys_platform ==" in condition
    direct = {re.split(r"[<>=~]", one)[0].lower() for one in project["project"]["dependencies"]}
    assert direct <= set(found)


def test_every_requirement_has_a_hash_and_none_a_place() -> None:
    text = REQUIREMENTS.read_text()
    blocks = re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins())
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "index" not in text


# The launcher

FAKE_UV = f"""#!{sys.executable}
import os, pathlib, sys
print("noise on stdout")
with open(os.environ["FAKE_UV_LOG"], "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
    assert not set(os.environ) & {{"VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON"}}
if os.environ.get("FAKE_UV_FAILS") == sys.argv[1]:
    sys.exit(2)
if sys.argv[1] == "venv":
    python = pathlib.Path(sys.argv[4], "bin", "python")
    python.parent.mkdir(parents=True)
    python.symlink_to({sys.executable!r})
"""


class Launcher:
    """The launcher with a `uv` that only pretends, so that no network is needed."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.log = directory / "log"
        self.log.touch()
        self._uv = directory / "uv"
        self._uv.write_text(FAKE_UV)
        self._uv.chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-I", "-S", str(ROOT / "launcher/run.py"), str(self.data), *arguments],
            env={"UV": str(self._uv), "FAKE_UV_LOG": str(self.log), "VIRTUAL_ENV": "/broken", **environment},
            capture_output=True,
            text=True,
            timeout=LONG_ENOUGH_S,
            check=False,
        )

    def calls(self) -> list[str]:
        return [line.split()[0] for line in self.log.read_text().splitlines()]

    def kept(self) -> list[str]:
        return sorted(one.name for one in self.data.iterdir())


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    return Launcher(tmp_path)


def test_the_environment_is_made_once_and_found_again(launcher: Launcher) -> None:
    """MUST K7: later starts of the plugin install nothing."""
    first = launcher.run("--version")
    assert first.stdout == f"telegram-channel {__version__}\n", first.stderr
    assert launcher.calls() == ["venv", "pip"]
    assert "--require-hashes" in launcher.log.read_text()
    again = launcher.run("--version")
    assert (again.stdout, again.stderr) == (first.stdout, "")
    assert launcher.calls() == ["venv", "pip"]
    assert len(launcher.kept()) == 1


def test_nothing_of_the_installation_is_on_stdout(launcher: Launcher) -> None:
    """MUST K8: the first start of the plugin keeps stdout for the protocol, too."""
    done = launcher.run("--version")
    assert "noise" not in done.stdout
    assert "noise" in done.stderr


def test_sessions_that_start_at_once_share_one_environment(launcher: Launcher) -> None:
    """MUST K9: sessions that start for the first time at once do not disturb each other."""
    done: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda: done.append(launcher.run("--version"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_ENOUGH_S)
    assert [one.stdout for one in done] == [f"telegram-channel {__version__}\n"] * 4
    assert len(launcher.kept()) == 1


def test_an_environment_whose_python_is_gone_is_made_again(launcher: Launcher) -> None:
    launcher.run("--version")
    python = next(launcher.data.glob("env-*/bin/python"))
    python.unlink()
    python.symlink_to("/nonexistent/python")
    assert launcher.run("--version").returncode == 0
    assert launcher.calls() == ["venv", "pip"] * 2
    assert len(launcher.kept()) == 1


@pytest.mark.parametrize("step", ["venv", "pip"])
def test_a_failed_installation_says_what_to_do_and_leaves_nothing(launcher: Launcher, step: str) -> None:
    done = launcher.run("--version", FAKE_UV_FAILS=step)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"`uv {step}` failed" in done.stderr
    assert "network" in done.stderr
    assert launcher.kept() == []
    assert launcher.run("--version").returncode == 0


def test_without_uv_the_operator_is_told_where_to_get_it(launcher: Launcher, tmp_path: Path) -> None:
    done = launcher.run("--version", UV="", PATH=str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert "uv was not found" in done.stderr


def test_what_was_given_up_and_the_oldest_environments_are_removed(launcher: Launcher) -> None:
    long_ago = time.time() - 7200
    for number, name in enumerate(["env-1", "env-2", "env-3", ".env-4.99", "something-else"]):
        (launcher.data / name).mkdir(parents=True)
        os.utime(launcher.data / name, (long_ago + number, long_ago + number))
    (launcher.data / ".env-5.98").mkdir()
    launcher.run("--version")
    *others, _ = sorted(one for one in launcher.kept() if one.startswith("env-"))
    assert others == ["env-2", "env-3"]
    assert ".env-4.99" not in launcher.kept()
    assert {".env-5.98", "something-else"} <= set(launcher.kept())


def test_arguments_arrive_as_they_are(launcher: Launcher) -> None:
    done = launcher.run("no such command; touch x", "$HOME", "a b")
    assert done.returncode == 2
    assert "no such command; touch x" in done.stderr


def test_the_command_line_of_a_wrong_call_is_explained(launcher: Launcher) -> None:
    done = launcher.run()
    assert done.returncode == 1
    assert "usage" in done.stderr
