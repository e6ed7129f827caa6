"""`telegram-channel doctor`: looks at everything that can keep messages from arriving, and says how to mend it.

It reads and asks, and changes nothing; above all it never calls getUpdates, which would end the poll of the
process that receives messages.
"""

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from telegram_channel import __version__
from telegram_channel.cli import DONE, FAILED
from telegram_channel.cli.checks import (
    REPLY_TOOL,
    Check,
    check_bridge,
    check_environment,
    check_people,
    check_profiles,
    check_programs,
    check_reply_rule,
    check_state_directory,
    check_token,
    settings_files,
)
from telegram_channel.cli.checks_online import check_telegram
from telegram_channel.cli.output import say, say_json, tick
from telegram_channel.cli.profile_option import EXPLANATION, add_profile_option, names
from telegram_channel.cli.status import HOW_TO_START, HOW_TO_START_UNLISTED, snapshot
from telegram_channel.clock import SystemClock
from telegram_channel.core.visible import visible_line
from telegram_channel.errors import ConfigurationError
from telegram_channel.profiles import choose_profile, made_profiles
from telegram_channel.settings import Settings, state_dir_from_environment

JSON_SHAPE = f"""\
shape of --json (keys may be added, none is renamed):
  {{"ok", "version", "profile", "profiles", "checks": [{{"name", "ok", "text", "remedy"}}],
   "start": {{"listed", "unlisted"}}, "allow_rule"}}
  "ok" of a check is true, false, or null for what is worth knowing and wrong for nobody
  "profile" is null where it cannot be told; "profiles" names all that something was kept for
exit code: 0 when nothing is wrong, 1 otherwise

{EXPLANATION}"""


def main(argv: Sequence[str]) -> int:
    """Print what was found; returns the exit code."""
    options = _parser().parse_args(argv)
    checks = asyncio.run(examine(offline=options.offline, profile=options.profile))
    well = all(check.passed is not False for check in checks)
    if options.json:
        say_json(_as_data(checks, well=well, asked_profile=options.profile))
    else:
        _say(checks, well=well)
    return DONE if well else FAILED


async def examine(*, offline: bool, profile: str | None = None) -> list[Check]:
    """Everything that was looked at, in the order in which a message would fail; `profile` is the one asked for."""
    checks = [*check_programs(os.environ), *check_environment(os.environ)]
    try:
        chosen = choose_profile(profile)
    except ConfigurationError as error:
        return [*checks, Check("profile", False, str(error), error.remedy)]
    checks += check_profiles(chosen)
    try:
        settings = Settings.load(chosen)
    except ConfigurationError as error:
        return [*checks, Check("settings", False, str(error), error.remedy)]
    checks += check_state_directory(settings)
    token = check_token(settings)
    checks.append(token)
    found = await snapshot(SystemClock().now(), asked_profile=profile)
    if token.passed and not offline:
        checks += await check_telegram(settings, all_messages=bool(found["hears_all"]))
    checks += check_bridge(found)
    checks += check_people(found)
    project = Path(os.environ.get("CLAUDE_PROJECT_DIR") or Path.cwd())
    checks.append(check_reply_rule(settings_files(os.environ, Path.home(), project)))
    return checks


def _as_data(checks: Sequence[Check], *, well: bool, asked_profile: str | None) -> dict[str, Any]:
    try:
        profile = choose_profile(asked_profile).name
    except ConfigurationError:
        profile = None
    return {
        "ok": well,
        "version": __version__,
        "profile": profile,
        "profiles": names(made_profiles(state_dir_from_environment())),
        "checks": [{"name": one.name, "ok": one.passed, "text": one.text, "remedy": one.remedy} for one in checks],
        "start": {"listed": HOW_TO_START, "unlisted": HOW_TO_START_UNLISTED},
        "allow_rule": REPLY_TOOL,
    }


def _say(checks: Sequence[Check], *, well: bool) -> None:
    for check in checks:
        say(f"{tick(check.passed)} {check.name}: {visible_line(check.text, 1000)}")
        if check.remedy and not check.passed:
            say(f"    {visible_line(check.remedy, 1000)}")
    say()
    say("Nothing is wrong." if well else "Mend what is marked, then run this again.")
    say(f"Start a session with:\n  {HOW_TO_START}")
    say(f"or, while the plugin is on no list of approved channels:\n  {HOW_TO_START_UNLISTED}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="telegram-channel doctor",
        description="Find out what keeps messages from arriving, and how to mend it. Changes nothing.",
        epilog=JSON_SHAPE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--offline", action="store_true", help="do not ask Telegram")
    add_profile_option(parser)
    return parser
