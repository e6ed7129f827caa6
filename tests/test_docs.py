"""What the documents promise is checked against the program."""

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices

from telegram_channel import __version__
from telegram_channel.bridge.tools import SPECS
from telegram_channel.cli import COMMANDS
from telegram_channel.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
STARTED_BY_THE_CLIENT = {"serve"}
NOT_FOR_PEOPLE_TO_SET = {"option_bot_token", "stored_bot_token"}


def variable_of(setting: str) -> str:
    """The environment variable of a setting; a few have a shorter one than their name."""
    alias = Settings.model_fields[setting].validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else []
    named = [one for one in choices if isinstance(one, str) and one.startswith("TELEGRAM_")]
    return named[0] if named else f"TELEGRAM_{setting.upper()}"


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - STARTED_BY_THE_CLIENT))
def test_the_readme_shows_every_command(command: str) -> None:
    assert f"telegram-channel {command}" in README


@pytest.mark.parametrize("setting", sorted(set(Settings.model_fields) - NOT_FOR_PEOPLE_TO_SET))
def test_the_readme_explains_every_setting_with_its_default(setting: str) -> None:
    variable = variable_of(setting)
    row = re.search(rf"^\| `{variable}` \| ([^|]+) \|", README, re.MULTILINE)
    assert row, f"{variable} has no row"
    default = Settings.model_fields[setting].default
    if isinstance(default, int | float):
        assert row[1].strip() == f"{default:g}"


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", README, re.MULTILINE))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## (\S+)", CHANGELOG, re.MULTILINE)
    assert newest
    assert newest[1] == __version__


def test_every_place_that_the_architecture_names_exists() -> None:
    package = ROOT / "src" / "telegram_channel"
    table = ARCHITECTURE[ARCHITECTURE.index("## Where a change lands") :]
    named: list[str] = re.findall(r"`((?:core|bridge|tg|claude|storage|cli)/\w+)\*?`", table)
    assert len(named) > 8
    assert [one for one in named if not list(package.glob(f"{one}*"))] == []


def test_every_room_is_in_the_architecture() -> None:
    rooms = [path.name for path in (ROOT / "src" / "telegram_channel").iterdir() if (path / "__init__.py").exists()]
    assert [room for room in rooms if f"| `{room}` |" not in ARCHITECTURE] == []


def test_every_tool_is_in_the_instructions_for_claude() -> None:
    instructions = (ROOT / "src" / "telegram_channel" / "bridge" / "instructions.md").read_text("utf-8")
    assert [tool.name for tool in SPECS if f"`{tool.name}`" not in instructions] == []
