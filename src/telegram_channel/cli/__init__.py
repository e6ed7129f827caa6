"""The command line: a table of commands, each in a module that is imported only when it is asked for.

Exit codes: 0 done, 1 could not be done (a sentence and a remedy are on stderr), 2 wrong usage,
130 interrupted.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command lives and what it does; `target` is `module:function`, called with its arguments."""

    target: str
    help: str


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "access": Command("telegram_channel.cli.access:main", "who may talk to the bot: pair, invite, allow, list"),
        "configure": Command("telegram_channel.cli.configure:main", "check and keep the bot token"),
        "status": Command("telegram_channel.cli.status:main", "whether messages are being received"),
        "doctor": Command("telegram_channel.cli.doctor:main", "find out what is wrong, and how to mend it"),
        "demo": Command("telegram_channel.cli.demo:main", "try everything without a bot, an account or a network"),
        "serve": Command("telegram_channel.cli.serve:main", "the MCP server; Claude Code starts it by itself"),
    }
)


def main(argv: Sequence[str], commands: Mapping[str, Command] = COMMANDS) -> int:
    """Run one command; returns the exit code and never raises for what a person did wrong."""
    try:
        code = _dispatch(argv, commands)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    return code


def _dispatch(argv: Sequence[str], commands: Mapping[str, Command]) -> int:
    if not argv:
        sys.stderr.write(usage(commands))
        return WRONG_USAGE
    name, rest = argv[0], argv[1:]
    if name in ("-h", "--help", "help"):
        sys.stdout.write(usage(commands))
        return DONE
    if name in ("-V", "--version"):
        from telegram_channel import __version__

        sys.stdout.write(f"telegram-channel {__version__}\n")
        return DONE
    command = commands.get(name)
    if command is None:
        sys.stderr.write(_unknown(name, commands))
        return WRONG_USAGE
    return _run(command, rest)


def usage(commands: Mapping[str, Command] = COMMANDS) -> str:
    """What `--help` prints."""
    width = max(map(len, commands))
    lines = (f"  {name:<{width}}  {command.help}\n" for name, command in commands.items())
    return (
        "usage: telegram-channel COMMAND [ARGUMENT ...]\n\n"
        "Talk to a running Claude Code session from Telegram.\n\n"
        f"{''.join(lines)}\n"
        "Several bots: access, configure, status and doctor take --profile NAME; otherwise TELEGRAM_PROFILE\n"
        'counts, or the line `profile = "NAME"` in telegram-channel.toml of the project.\n'
        "`telegram-channel COMMAND --help` says more; `telegram-channel --version` names the version.\n"
        "Exit codes: 0 done, 1 could not be done, 2 wrong usage, 130 interrupted.\n"
    )


def _unknown(name: str, commands: Mapping[str, Command]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, commands, 1)
    hint = f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(commands)}."
    return f"telegram-channel: {name[:40]!r} is no command. {hint}\n"


def _run(command: Command, arguments: Sequence[str]) -> int:
    from importlib import import_module

    from telegram_channel.errors import ChannelError

    module, _, function = command.target.partition(":")
    try:
        code: int = getattr(import_module(module), function)(list(arguments))
    except ChannelError as error:
        sys.stderr.write(f"telegram-channel: {error.explained()}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as leaving:  # argparse: wrong usage, or --help
        return leaving.code if isinstance(leaving.code, int) else (FAILED if leaving.code else DONE)
    except BrokenPipeError:
        raise
    except Exception:  # a fault of ours: say so, and keep any secret out of what is said
        return _fault()
    return code


def _reader_left() -> int:
    """Whoever reads our output went away (`| head`): nothing more can be said, not even at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _fault() -> int:
    import traceback

    from telegram_channel.log import redact

    sys.stderr.write(redact(traceback.format_exc()))
    sys.stderr.write("telegram-channel: that is a fault in this program; please report the lines above.\n")
    return FAILED
