"""Which profiles on this machine use the same bot: two that poll it take each other's messages (409).

Known from the token files, from the environment, and from leases that a process holds at this moment; a
token is read for the bot's id only, and never shown.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from telegram_channel.core.ids import BotId
from telegram_channel.core.visible import visible_line
from telegram_channel.errors import ConfigurationError, StateError
from telegram_channel.profiles import (
    DEFAULT,
    TOKEN_FILE,
    Profile,
    made_profiles,
    owner_of_environment_token,
    platform_directory,
)
from telegram_channel.settings import Token
from telegram_channel.storage.lease import FileLease

_LEASES = "poll-*.lock"


@dataclass(frozen=True, slots=True)
class Holder:
    """A profile and the bots it uses."""

    profile: Profile
    keeps: frozenset[BotId]
    """The bots whose token belongs to it."""
    polls: frozenset[BotId]
    """The bots that a process polls from there at this moment."""

    def uses(self, bot: BotId) -> bool:
        """Whether it can poll that bot, or does."""
        return bot in self.keeps or bot in self.polls

    def told(self, bot: BotId) -> str:
        """Where it is and how it uses the bot, for people."""
        how = "is polling it right now" if bot in self.polls else "has its token"
        return f"profile `{self.profile.name}` in {visible_line(str(self.profile.directory), 300)} ({how})"


def holders(base: Path) -> tuple[Holder, ...]:
    """Every profile below the base directory, and below the one of this platform, with its bots."""
    found: dict[str, Holder] = {}
    for profile in _known(base):
        found.setdefault(os.path.realpath(profile.directory), _holder(profile, in_force=profile.base == base))
    return tuple(one for one in found.values() if one.keeps or one.polls)


def rivals(profile: Profile, bot: BotId) -> tuple[Holder, ...]:
    """Every other profile that uses the bot."""
    own = os.path.realpath(profile.directory)
    others = (one for one in holders(profile.base) if os.path.realpath(one.profile.directory) != own)
    return tuple(one for one in others if one.uses(bot))


def shared_bots(base: Path) -> dict[BotId, tuple[Holder, ...]]:
    """Every bot that more than one profile uses."""
    everyone = holders(base)
    bots = sorted({bot for one in everyone for bot in one.keeps | one.polls})
    using = {bot: tuple(one for one in everyone if one.uses(bot)) for bot in bots}
    return {bot: some for bot, some in using.items() if len(some) > 1}


def why_conflict(profile: Profile, bot: BotId) -> str:
    """The likely causes of a 409, the likeliest first, with what to do about each."""
    others = rivals(profile, bot)
    elsewhere = (
        "another machine that has this token (@BotFather's /revoke locks it out), or a webhook "
        "(`telegram-channel doctor` asks Telegram)"
    )
    if others:
        return (
            f"The same bot is used on this machine by {_and(one.told(bot) for one in others)}: "
            "end the sessions there, or give each profile a bot of its own with `telegram-channel configure "
            f"--profile NAME`. If that is not it: {elsewhere}."
        )
    return (
        f"No other profile below {visible_line(str(profile.base), 300)} uses this bot. Likely causes, in this order: "
        f"a session on this machine with another TELEGRAM_STATE_DIR, {elsewhere}."
    )


def _known(base: Path) -> Iterator[Profile]:
    """Every profile that may use a bot; some of them twice."""
    yield Profile(base)
    yield from made_profiles(base)
    if (named := owner_of_environment_token()) not in ("", DEFAULT):
        yield Profile(base, named)
    if (usual := platform_directory()) != base:
        yield from made_profiles(usual)


def _holder(profile: Profile, *, in_force: bool) -> Holder:
    """`in_force`: whether this environment speaks about the profiles of that base directory."""
    texts = [_stored(profile)]
    if in_force and profile.name == owner_of_environment_token():
        texts.append(os.environ.get("TELEGRAM_BOT_TOKEN", ""))
    if in_force and profile.name == DEFAULT:
        texts.append(os.environ.get("TELEGRAM_OPTION_BOT_TOKEN", ""))
    bots = (_bot(text) for text in texts)
    return Holder(profile, frozenset(bot for bot in bots if bot), frozenset(_polled(profile.directory)))


def _stored(profile: Profile) -> str:
    try:
        return (profile.directory / TOKEN_FILE).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _bot(text: str) -> BotId | None:
    try:
        return Token(text).bot
    except ConfigurationError:
        return None


def _polled(directory: Path) -> Iterator[BotId]:
    try:
        files = sorted(directory.glob(_LEASES))
    except OSError:
        return
    for file in files:
        try:
            held = FileLease(file).is_held_elsewhere()
        except StateError:
            continue
        if held:
            yield BotId(file.stem.removeprefix("poll-"))


def _and(parts: Iterator[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
