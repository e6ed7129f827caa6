"""`telegram-channel doctor` names what is wrong and how to mend it, and disturbs nobody who polls."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from telegram_channel.cli.checks import (
    REPLY_TOOL,
    Check,
    check_bridge,
    check_environment,
    check_people,
    check_programs,
    check_reply_rule,
    check_state_directory,
    check_token,
    settings_files,
)
from telegram_channel.core.health import BridgeState
from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_faults import Faults, Trouble
from telegram_channel.demo.http import Emulator
from telegram_channel.settings import Settings
from tests.cli.conftest import Ran, Terminal

TOKEN = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts and permission bits")


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    api = BotApi()
    api.add_bot(TOKEN, "Ann's bot", "anns_bot")
    async with Emulator(api, faults=Faults()) as running:
        yield running


async def doctor(terminal: Terminal, *arguments: str, token: str = TOKEN, base: str = "", **more: str) -> Ran:
    environment = {"TELEGRAM_BOT_TOKEN": token, "PATH": str(terminal.home), "TELEGRAM_API_BASE": base, **more}
    return await asyncio.to_thread(terminal.run, "doctor", *arguments, **environment)


def named(ran: Ran, name: str) -> dict[str, Any]:
    """The check of that name."""
    found: dict[str, Any] = next(one for one in ran.json["checks"] if one["name"] == name)
    return found


async def test_when_nothing_is_wrong_it_says_so_and_never_asks_for_updates(
    terminal: Terminal, emulator: Emulator
) -> None:
    """MUST O6: doctor never calls getUpdates."""
    polls = emulator.faults.add(Trouble.CONFLICT, "getUpdates")
    ran = await doctor(terminal, "--json", base=emulator.base_url)
    assert (ran.code, ran.json["ok"]) == (0, True)
    assert "@anns_bot" in named(ran, "telegram")["text"]
    assert named(ran, "webhook")["ok"] is True
    assert polls.struck == 0
    assert TOKEN.partition(":")[2] not in ran.out + ran.err
    assert "TELEGRAM_BOT_TOKEN" in named(ran, "token")["text"]
    assert not terminal.state_dir.exists()


async def test_a_webhook_and_a_telemetry_opt_out_are_found_and_the_path_of_the_hook_is_not_told(
    terminal: Terminal, emulator: Emulator
) -> None:
    emulator.api.call(TOKEN, "setWebhook", {"url": "https://example.org/secret-path"}, now=0)
    ran = await doctor(terminal, base=emulator.base_url, DISABLE_TELEMETRY="1")
    assert ran.code == 1
    assert "✗ webhook" in ran.out
    assert "example.org" in ran.out
    assert "secret-path" not in ran.out
    assert "✗ channels: DISABLE_TELEMETRY" in ran.out
    assert "claude --channels plugin:telegram@telegram-channel" in ran.out


@pytest.mark.parametrize(
    ("trouble", "said"), [(Trouble.UNAUTHORIZED, "does not accept the bot token"), (Trouble.BAD_GATEWAY, "502")]
)
async def test_a_refused_token_and_a_server_in_trouble_are_told_apart(
    terminal: Terminal, emulator: Emulator, trouble: Trouble, said: str
) -> None:
    emulator.faults.add(trouble, "getMe")
    ran = await doctor(terminal, "--json", base=emulator.base_url)
    assert (ran.code, named(ran, "telegram")["ok"]) == (1, False)
    assert said in named(ran, "telegram")["text"]
    assert named(ran, "telegram")["remedy"]


async def test_without_a_token_it_says_where_to_get_one_and_asks_nobody(terminal: Terminal) -> None:
    ran = await doctor(terminal, "--json", token="")
    assert (ran.code, named(ran, "token")["ok"]) == (1, False)
    assert "@BotFather" in named(ran, "token")["remedy"]
    assert not [one for one in ran.json["checks"] if one["name"] == "telegram"]


async def test_broken_state_is_found_and_left_alone(terminal: Terminal) -> None:
    await asyncio.to_thread(terminal.run, "access", "policy", "closed")
    (terminal.state_dir / "state.db").write_bytes(b"no database" * 1000)
    ran = await doctor(terminal, "--json", "--offline")
    assert (ran.code, named(ran, "stored state")["ok"]) == (1, False)
    assert "Nobody is admitted" in named(ran, "stored state")["text"]


# The single checks.


def only(checks: list[Check]) -> Check:
    (one,) = checks
    return one


@posix_only
@pytest.mark.parametrize(
    ("answer", "passed"),
    [
        ("2.1.328 (Claude Code)", True),
        ("2.1.81 (Claude Code)", True),
        ("2.1.80 (Claude Code)", None),
        ("2.1.79 (Claude Code)", False),
        ("1.0.128 (Claude Code)", False),
        ("hello", None),
        ("", None),
    ],
)
def test_the_version_of_claude_code_decides_whether_there_are_channels(
    tmp_path: Path, answer: str, passed: bool | None
) -> None:
    program = tmp_path / "claude"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o700)
    check = next(one for one in check_programs({"PATH": str(tmp_path)}) if one.name == "claude")
    assert check.passed is passed
    assert bool(check.remedy) is (passed is not True)


@posix_only
def test_a_state_directory_that_others_can_open_is_wrong(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    assert only(check_state_directory(settings)).passed is None
    settings.state_dir.mkdir(mode=0o755)
    settings.state_dir.chmod(0o755)
    (settings.state_dir / "token").write_text(TOKEN)
    (settings.state_dir / "token").chmod(0o644)
    checks = check_state_directory(settings)
    assert [check.passed for check in checks] == [False, False]
    assert [check.remedy.split()[2] for check in checks] == ["700", "600"]
    settings.state_dir.chmod(0o700)
    (settings.state_dir / "token").chmod(0o600)
    assert only(check_state_directory(settings)).passed


def test_a_file_in_place_of_the_state_directory_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert only(check_state_directory(Settings.model_construct(state_dir=tmp_path / "state"))).passed is False


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        ({"TELEGRAM_BOT_TOKEN": TOKEN}, "the environment"),
        ({"TELEGRAM_OPTION_BOT_TOKEN": TOKEN}, "the plugin's options"),
        ({}, "the file"),
    ],
)
def test_the_source_of_the_token_is_named_and_the_token_is_not(
    environ: dict[str, str], source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_OPTION_BOT_TOKEN", "TELEGRAM_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TELEGRAM_STATE_DIR", str(tmp_path))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    if not environ:
        (tmp_path / "token").write_text(TOKEN)
    check = check_token(Settings.load())
    assert check.passed
    assert source in check.text
    assert TOKEN.partition(":")[2] not in check.text


def test_each_obstacle_in_the_environment_is_a_check_of_its_own() -> None:
    """MUST O7: doctor names what switches channels off."""
    assert only(check_environment({})).passed
    checks = check_environment({"DO_NOT_TRACK": "1", "CLAUDE_CODE_USE_BEDROCK": "1"})
    assert [check.passed for check in checks] == [False, False]
    assert all(check.remedy for check in checks)


def found(state: str = "polling", **more: Any) -> dict[str, Any]:
    """What `status` tells of a healthy bridge, unless told otherwise."""
    return {
        "state": state,
        "poller": 4711,
        "policy": "allowlist",
        "people": 1,
        "owners": 1,
        "quarantined": 0,
        "sessions": [{"pid": 4711, "channel": True}],
        "problem": "",
        "unreadable": False,
        **more,
    }


@pytest.mark.parametrize(
    ("state", "problem", "passed"),
    [
        ("polling", "", True),
        ("stopped", "", None),
        ("starting", "", None),
        ("standby", "", None),
        ("standby", "No session was started with the channel.", False),
        ("conflict", "Another program polls.", False),
        ("bad_token", "Not accepted.", False),
        ("session_silent", "Nobody reads.", False),
    ],
)
def test_each_state_of_the_bridge_is_judged(state: str, problem: str, passed: bool | None) -> None:
    check = next(one for one in check_bridge(found(state, problem=problem)) if one.name == "polling")
    assert check.passed is passed
    assert problem in check.remedy


@pytest.mark.parametrize("state", [state.value for state in BridgeState])
def test_no_state_of_the_bridge_is_without_a_sentence(state: str) -> None:
    assert all(check.text for check in check_bridge(found(state)))


def test_sessions_without_the_channel_and_updates_not_understood_are_told() -> None:
    """MUST O8: doctor names sessions that were not started with the channel."""
    checks = {
        check.name: check for check in check_bridge(found(sessions=[{"pid": 12, "channel": False}], quarantined=3))
    }
    assert "12" in checks["sessions"].text
    assert "--channels" in checks["sessions"].remedy
    assert checks["quarantine"].text.startswith("3 updates")


@pytest.mark.parametrize(("people", "owners", "passed"), [(0, 0, None), (2, 0, None), (2, 1, True)])
def test_an_empty_book_and_a_missing_owner_are_told(people: int, owners: int, passed: bool | None) -> None:
    assert only(check_people(found(people=people, owners=owners))).passed is passed
    assert check_people(found(people=None)) == []


@pytest.mark.parametrize(
    ("content", "passed"),
    [
        (None, None),
        ("not json", None),
        ("[]", None),
        (json.dumps({"permissions": {"allow": "x"}}), None),
        (json.dumps({"permissions": {"allow": [1, "Bash"]}}), None),
        (json.dumps({"permissions": {"deny": [REPLY_TOOL]}}), None),
        (json.dumps({"permissions": {"allow": ["Bash", REPLY_TOOL]}}), True),
        (json.dumps({"permissions": {"allow": ["mcp__plugin_telegram_telegram__*"]}}), True),
    ],
)
def test_the_rule_that_lets_claude_reply_is_looked_for(
    tmp_path: Path, content: str | None, passed: bool | None
) -> None:
    """MUST O9: doctor names the missing allow rule for the reply tool."""
    files = settings_files({}, tmp_path / "home", tmp_path / "project")
    if content is not None:
        files[2].parent.mkdir(parents=True)
        files[2].write_text(content)
    check = check_reply_rule(files)
    assert check.passed is passed
    assert (REPLY_TOOL in check.remedy) is (passed is None)


def test_another_configuration_directory_of_claude_code_is_respected(tmp_path: Path) -> None:
    assert settings_files({"CLAUDE_CONFIG_DIR": str(tmp_path)}, tmp_path, tmp_path)[0] == tmp_path / "settings.json"
