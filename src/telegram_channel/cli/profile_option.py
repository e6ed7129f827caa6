"""`--profile NAME`, the same for every command that has it, and how a profile is told."""

import argparse
from collections.abc import Sequence

from telegram_channel.core.visible import visible_line
from telegram_channel.profiles import DEFAULT, PROJECT_FILE, Profile

EXPLANATION = f"""\
which bot: --profile NAME, else TELEGRAM_PROFILE, else the line `profile = "NAME"` in {PROJECT_FILE} of the
project (nothing else may stand in it, and it makes no profile), else the profile `{DEFAULT}`. Each profile has
a token, a state directory and people of its own; `telegram-channel configure --profile NAME` makes one.
TELEGRAM_BOT_TOKEN belongs to the profile that TELEGRAM_PROFILE names beside it, the plugin's option to `{DEFAULT}`.
"""


def add_profile_option(parser: argparse.ArgumentParser, *, repeated: bool = False) -> None:
    """Let a command take `--profile`; `repeated` where a parser above this one takes it as well."""
    parser.add_argument(
        "--profile",
        default=argparse.SUPPRESS if repeated else None,
        metavar="NAME",
        help="which profile, that is, which of your bots (default: TELEGRAM_PROFILE, the project's file, `default`)",
    )


def told(profile: Profile) -> str:
    """A profile and who chose it, in one line."""
    by = visible_line(profile.named_by, 300)
    return f"{profile.name}, named by {by}" if by else profile.name


def names(profiles: Sequence[Profile]) -> list[str]:
    """Their names."""
    return [one.name for one in profiles]
