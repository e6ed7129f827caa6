"""What `doctor` looks at on this machine: one check, one sentence, and the remedy where something is wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from telegram_channel.claude.launch import channel_obstacles
from telegram_channel.cli.profile_option import told
from telegram_channel.cli.rivals import shared_bots
from telegram_channel.cli.status import HOW_TO_START, STOPPED, write_fault
from telegram_channel.core.health import BridgeState
from telegram_channel.errors import ConfigurationError
from telegram_channel.profiles import Profile, made_profiles
from telegram_channel.settings import TOKEN_FILE, Settings

REPLY_TOOL = "mcp__plugin_telegram_telegram__reply"
"""The name of the tool as the model sees it, and as a permission rule names it."""
_COVERING_RULES = (
    REPLY_TOOL,
    "mcp__plugin_telegram_telegram",
    "mcp__plugin_telegram_telegram__*",
)
CHANNELS_SINCE = (2, 1, 80)
"""The first version of Claude Code with channels (source: the channels page of its documentation)."""
RELAY_SINCE = (2, 1, 81)
"""The first version that relays permission prompts (source: its changelog)."""
_CLAUDE_PATIENCE_S = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `passed` is None for what is worth knowing and wrong for nobody."""

    name: str
    passed: bool | None
    text: str
    remedy: str = ""


def check_programs(environ: Mapping[str, str]) -> list[Check]:
    """Python, uv and Claude Code."""
    version = ".".join(map(str, sys.version_info[:3]))
    checks = [
        Check(
            "python",
            sys.version_info >= (3, 11),
            f"Python {version}.",
            "" if sys.version_info >= (3, 11) else "Install Python 3.11 or newer.",
        )
    ]
    path = environ.get("PATH")
    if shutil.which("uv", path=path):
        checks.append(Check("uv", True, "uv is there; Claude Code starts the server with it."))
    else:
        checks.append(
            Check(
                "uv",
                None,
                "uv is not on this terminal's PATH; Claude Code starts the server with it.",
                "Install it: https://docs.astral.sh/uv/",
            )
        )
    checks.append(_check_claude(shutil.which("claude", path=path)))
    return checks


def _check_claude(program: str | None) -> Check:
    if program is None:
        return Check(
            "claude",
            None,
            "Claude Code is not on this terminal's PATH.",
            "Install it, or start it as you usually do.",
        )
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True,
            timeout=_CLAUDE_PATIENCE_S,
            stdin=subprocess.DEVNULL,
            check=False,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    found = re.search(r"(\d{1,4})\.(\d{1,4})\.(\d{1,6})", answer)
    if not found:
        return Check("claude", None, "Claude Code does not tell its version.", "Run `claude --version` and see.")
    version = tuple(map(int, found.groups()))
    if version < CHANNELS_SINCE:
        return Check("claude", False, f"Claude Code {found[0]} has no channels.", "Run `claude update`.")
    if version < RELAY_SINCE:
        return Check("claude", None, f"Claude Code {found[0]} relays no permission prompts.", "Run `claude update`.")
    return Check("claude", True, f"Claude Code {found[0]} has channels.")


def check_environment(environ: Mapping[str, str]) -> list[Check]:
    """What in this environment keeps Claude Code from offering channels."""
    obstacles = channel_obstacles(environ)
    if not obstacles:
        return [Check("channels", True, "Nothing in this terminal's environment switches channels off.")]
    remedy = "Unset it where Claude Code is started. Organisations can forbid channels, too: ask your administrator."
    return [Check("channels", False, obstacle, remedy) for obstacle in obstacles]


def check_state_directory(settings: Settings) -> list[Check]:
    """Whether state can be kept, and is kept from others."""
    directory = settings.state_dir
    if not directory.exists():
        return [Check("state directory", None, f"{directory} is not there yet; it is made when it is needed.")]
    if not directory.is_dir():
        return [Check("state directory", False, f"{directory} is no directory.", "Set TELEGRAM_STATE_DIR.")]
    if fault := write_fault(directory):
        remedy = "Make it writable and free some space, or set TELEGRAM_STATE_DIR."
        return [Check("state directory", False, fault, remedy)]
    exposed = [
        path
        for path in (directory, settings.database, directory / TOKEN_FILE)
        if os.name == "posix" and path.exists() and path.stat().st_mode & 0o077
    ]
    if not exposed:
        return [Check("state directory", True, f"{directory} can be written, and by you only.")]
    return [
        Check(
            "state directory",
            False,
            f"{path} can be opened by other accounts of this machine.",
            f"Run `chmod {'700' if path == directory else '600'} '{path}'`.",
        )
        for path in exposed
    ]


def check_profiles(chosen: Profile) -> list[Check]:
    """Which profile this is about, which others there are, and whether two of them use the same bot."""
    others = [one.name for one in made_profiles(chosen.base) if one.name != chosen.name]
    known = f"There are others: {', '.join(others)}." if others else "There is no other."
    checks = [Check("profile", True, f"This is about profile {told(chosen)}. {known}")]
    for bot, using in shared_bots(chosen.base).items():
        places = "; ".join(one.told(bot) for one in using)
        checks.append(
            Check(
                "same bot",
                False,
                f"More than one profile uses bot {bot}, so each takes messages away from the others: {places}.",
                "Give each profile a bot of its own (`telegram-channel configure --profile NAME`), or remove the "
                f"file `{TOKEN_FILE}` of all but one.",
            )
        )
    return checks


def check_token(settings: Settings) -> Check:
    """Whether there is a bot token, and where it comes from; never what it is."""
    try:
        token = settings.token()
    except ConfigurationError as error:
        return Check("token", False, str(error), error.remedy)
    if _given(settings.bot_token):
        source = "the environment (TELEGRAM_BOT_TOKEN)"
    elif _given(settings.option_bot_token):
        source = "the plugin's options"
    else:
        source = f"the file {settings.state_dir / TOKEN_FILE}"
    return Check("token", True, f"The token of bot {token.bot} comes from {source}.")


def _given(secret: SecretStr | None) -> bool:
    return secret is not None and bool(secret.get_secret_value().strip())


def check_bridge(found: Mapping[str, Any]) -> list[Check]:
    """Whether somebody polls, and which sessions could; `found` is what `status` tells."""
    if found["unreadable"]:
        return [Check("stored state", False, str(found["problem"]))]
    state = found["state"]
    checks = []
    if found["policy"] is not None:
        checks.append(Check("stored state", True, "The stored state can be read."))
    if state == BridgeState.POLLING.value:
        checks.append(Check("polling", True, f"Process {found['poller']} receives messages."))
    elif state in (STOPPED, BridgeState.UNCONFIGURED.value, BridgeState.STARTING.value):
        text = "No server receives messages right now."
        checks.append(Check("polling", None, text, f"Start a session with `{HOW_TO_START}`."))
    elif state == BridgeState.STANDBY.value and not found["problem"]:
        checks.append(Check("polling", None, BridgeState.STANDBY.sentence))
    else:
        checks.append(Check("polling", False, BridgeState(state).sentence, str(found["problem"])))
    without = [one for one in found["sessions"] if not one["channel"]]
    if without:
        pids = ", ".join(str(one["pid"]) for one in without)
        checks.append(
            Check(
                "sessions",
                None,
                f"Not started with the channel, so they receive nothing: process {pids}.",
                f"Start the session with `{HOW_TO_START}`, or set TELEGRAM_POLL=always.",
            )
        )
    if found["quarantined"]:
        text = f"{found['quarantined']} updates were not understood; they are kept, and block nothing."
        checks.append(Check("quarantine", None, text, "Update the plugin; report it if they go on coming."))
    return checks


def check_people(found: Mapping[str, Any]) -> list[Check]:
    """Whether anybody is let in, and anybody can be asked."""
    if found["people"] is None:
        return []
    if not found["people"]:
        remedy = (
            "Write to the bot and run `telegram-channel access pair CODE`, or run `telegram-channel access invite`."
        )
        return [Check("access", None, "Nobody is let in yet.", remedy)]
    if not found["owners"]:
        return [Check("access", None, "There is no owner.", "Run `telegram-channel access role ID owner`.")]
    return [Check("access", True, f"{found['people']} let in, policy {found['policy']}.")]


def check_reply_rule(files: Sequence[Path]) -> Check:
    """Whether Claude may answer in the chat without asking in the terminal each time."""
    for file in files:
        if any(rule in _COVERING_RULES for rule in _allowed(file)):
            return Check("reply rule", True, f"Claude may reply without asking ({file}).")
    return Check(
        "reply rule",
        None,
        "No settings file allows the reply tool, so the terminal asks before each answer to the chat.",
        f'Add "{REPLY_TOOL}" to permissions.allow in {files[0]}, or choose "don\'t ask again" when asked.',
    )


def settings_files(environ: Mapping[str, str], home: Path, project: Path) -> list[Path]:
    """Where Claude Code keeps permission rules (source: the settings page of its documentation)."""
    user = Path(environ.get("CLAUDE_CONFIG_DIR") or home / ".claude")
    return [
        user / "settings.json",
        project / ".claude" / "settings.json",
        project / ".claude" / "settings.local.json",
    ]


def _allowed(file: Path) -> list[str]:
    """The allow rules of a settings file; none when it is missing or not as expected."""
    try:
        rules = json.loads(file.read_text("utf-8"))["permissions"]["allow"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [rule for rule in rules if isinstance(rule, str)] if isinstance(rules, list) else []
