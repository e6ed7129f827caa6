"""`telegram-channel configure`: takes the bot token where nobody sees it, checks it, and keeps it.

The token comes from a hidden prompt or from stdin, never from an argument: arguments stay in the shell's
history, are visible to every program on the machine, and reach the model when Claude runs the command.
"""

import argparse
import asyncio
import contextlib
import getpass
import os
import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from telegram_channel.cli import DONE, WRONG_USAGE
from telegram_channel.cli.output import complain, say, untrusted
from telegram_channel.cli.profile_option import EXPLANATION, add_profile_option, told
from telegram_channel.cli.rivals import rivals
from telegram_channel.cli.status import HOW_TO_START, HOW_TO_START_UNLISTED
from telegram_channel.core.outgoing import BotIdentity
from telegram_channel.errors import BadToken, ChatError, ConfigurationError, StateUnwritable
from telegram_channel.profiles import DEFAULT, PROJECT_FILE, Profile, choose_profile
from telegram_channel.settings import TOKEN_FILE, Settings, Token

_LOOKS_LIKE_A_TOKEN = re.compile(r"\d{5,}(?::|%3[Aa])[\w-]{10,}")
_LONGEST_INPUT = 4096


def main(argv: Sequence[str]) -> int:
    """Take, check and keep a token; returns the exit code.

    Raises:
        ConfigurationError: it is no token, or not one that Telegram knows, or its bot is another profile's; nothing
            was stored.
        ChatError: Telegram could not be asked; nothing was stored.
        StateUnwritable: it cannot be stored.
    """
    if any(_LOOKS_LIKE_A_TOKEN.search(argument) for argument in argv):
        complain(
            "The token must not be an argument: it is in the shell's history now, and if Claude ran this, in the "
            "conversation. It was not stored. Let @BotFather revoke it (/revoke), then run "
            "`telegram-channel configure` and type the new one where it asks for it."
        )
        return WRONG_USAGE
    options, surplus = _parser().parse_known_args(argv)
    if surplus:  # not repeated in the message: it may be part of a token
        complain("configure takes no such argument. It asks for the token, or reads it with --stdin.")
        return WRONG_USAGE
    profile = choose_profile(options.profile, may_be_new=True)
    token = _read_token(profile, from_stdin=options.stdin)
    _refuse_rivals(profile, token)
    _drop_unreadable(profile.directory / TOKEN_FILE)
    settings = Settings.load(profile)
    identity = None if options.no_check else asyncio.run(_checked(settings, token))
    path = _keep(profile, token)
    _report(identity, path, profile, overruled=bool(settings.bot_token))
    return DONE


def _refuse_rivals(profile: Profile, token: Token) -> None:
    """One bot belongs to one profile; those of another base directory are only pointed at.

    Raises:
        ConfigurationError: another profile of this base directory uses the bot.
    """
    others = rivals(profile, token.bot)
    for one in others:
        if one.profile.base == profile.base:
            raise ConfigurationError(
                f"Bot {token.bot} is in use already by {one.told(token.bot)}. Nothing was stored.",
                "Two profiles with one bot take messages away from each other: make another bot with @BotFather. To "
                "move this one, take its token away there first: end the sessions, then remove the file "
                f"{one.profile.directory / TOKEN_FILE} or unset the variable that holds the token.",
            )
        complain(
            f"note: {one.told(token.bot)} uses bot {token.bot} as well; only one of the two can receive messages."
        )


def _read_token(profile: Profile, *, from_stdin: bool) -> Token:
    """The token, from stdin or a prompt that does not show it.

    Raises:
        ConfigurationError: it is none, or there is nobody to ask.
    """
    if from_stdin:
        return Token(sys.stdin.read(_LONGEST_INPUT))
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "There is no terminal to ask for the token in.",
            f"Run `telegram-channel configure{profile.arguments}` in a terminal of your own, or hand the token over "
            f"with `telegram-channel configure{profile.arguments} --stdin < file`.",
        )
    say(f"This is about profile {told(profile)}.")
    say("Create a bot with @BotFather in Telegram (/newbot); it answers with the bot's token.")
    try:
        return Token(getpass.getpass("Token (not shown while you type or paste): "))
    except EOFError:
        raise ConfigurationError("No token was typed.", "Nothing was changed.") from None


async def _checked(settings: Settings, token: Token) -> BotIdentity:
    """Who the bot is, according to Telegram.

    Raises:
        ConfigurationError: Telegram does not know the token.
        ChatError: it could not be asked.
    """
    from telegram_channel.cli.asking import ask_identity  # the library for Telegram takes its time to load

    try:
        return await ask_identity(settings, token)
    except BadToken:
        raise ConfigurationError(
            "Telegram does not accept this token. Nothing was stored.",
            "Copy it once more from @BotFather (/mybots, API Token); a revoked token never works again.",
        ) from None
    except ChatError as error:
        raise _unchecked(error, settings) from None


def _unchecked(error: ChatError, settings: Settings) -> ChatError:
    """The same failure, with what it means for the token."""
    return ChatError(
        f"The token could not be checked at {settings.api_base}: {error} Nothing was stored.",
        "Look at the network (TELEGRAM_PROXY names a proxy) and run it again, or store the token unchecked with "
        "--no-check.",
    )


def _drop_unreadable(file: Path) -> None:
    """Remove a token file that is no text: it would keep every command from starting."""
    try:
        file.read_text("utf-8")
    except UnicodeDecodeError:
        with contextlib.suppress(OSError):
            file.unlink()
    except OSError:
        return


def _keep(profile: Profile, token: Token) -> Path:
    """Store the token for this user only: as a whole, or not at all.

    Raises:
        StateUnwritable: it cannot be stored; an earlier token is still there.
    """
    directory = profile.directory
    file = directory / TOKEN_FILE
    fresh = directory / f".{TOKEN_FILE}-{secrets.token_hex(8)}"
    try:
        below = directory.relative_to(profile.base).parts
        for depth in range(len(below) + 1):  # `parents` would leave those on the way open to others
            profile.base.joinpath(*below[:depth]).mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
            out.write(f"{token.reveal()}\n")
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise StateUnwritable(
            f"The token cannot be stored in {directory}: {error.strerror}.",
            "Free some space or make the directory writable, or set TELEGRAM_STATE_DIR, and run it again.",
        ) from None
    return file


def _report(identity: BotIdentity | None, path: Path, profile: Profile, *, overruled: bool) -> None:
    """What was done, and what comes next. `overruled`: the environment has a token that comes first."""
    if identity:
        say(f"Telegram knows this bot: {untrusted(identity.name)}, @{identity.username}.")
    else:
        say(f"The token was not checked; `telegram-channel doctor{profile.arguments}` does that later.")
    say(f"It is kept in {path}, readable by you only.")
    if overruled:
        say("Note: TELEGRAM_BOT_TOKEN is set in this environment and comes before what is stored.")
    where = f"https://t.me/{identity.username}" if identity else "the bot"
    say("\nNext:")
    if profile.name != DEFAULT:
        say(
            f"  0. Say which sessions use profile {profile.name}: put the line\n"
            f'       profile = "{profile.name}"\n'
            f"     into {PROJECT_FILE} of a project, or set TELEGRAM_PROFILE={profile.name} where Claude Code starts."
        )
    say(
        f"  1. Start Claude Code with the channel:\n       {HOW_TO_START}\n"
        "     or, while the plugin is not on your organisation's list of approved channels:\n"
        f"       {HOW_TO_START_UNLISTED}\n"
        "     One that was started like this picks the token up within seconds.\n"
        f"  2. Write anything to {where}; it answers with a code.\n"
        "  3. Type into the session: /telegram:access pair CODE"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="telegram-channel configure",
        description="Ask for the bot token (it is not shown), check it with Telegram, and keep it for you only.",
        epilog="The token is never an argument. A token in the environment (TELEGRAM_BOT_TOKEN) or in the plugin's\n"
        "options comes before the one that is kept. A bot that another profile uses is refused.\n\n"
        f"{EXPLANATION}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--stdin", action="store_true", help="read the token from standard input")
    parser.add_argument("--no-check", action="store_true", help="store it without asking Telegram, for use offline")
    add_profile_option(parser)
    return parser
