"""Bot commands: the few that the bridge answers itself. Every other `/word` is a message for Claude."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,64}))?(?:\s+(.*))?", re.DOTALL)
"""What Telegram marks as a command (source: Bot API, `MessageEntity` of type bot_command)."""


class BotCommand(StrEnum):
    """What the bridge answers itself."""

    START = "start"
    HELP = "help"
    STATUS = "status"


MENU: Mapping[str, str] = MappingProxyType(
    {
        BotCommand.STATUS.value: "Is the session listening?",
        BotCommand.HELP.value: "What this bot does",
    }
)
"""What the phone's menu offers."""


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """A command and what follows it."""

    command: BotCommand
    rest: str = ""


def parse_command(text: str, bot_username: str) -> ParsedCommand | None:
    """The bridge's own command in a message, None when the message is for Claude.

    `/status@another_bot` is not for us.
    """
    match = _COMMAND.fullmatch(text.strip())
    if not match:
        return None
    name, addressee, rest = match[1].lower(), match[2], match[3] or ""
    if addressee and addressee.lower() != bot_username.lower():
        return None
    try:
        return ParsedCommand(BotCommand(name), rest.strip())
    except ValueError:
        return None


def start_payload(text: str) -> str:
    """What follows `/start`: a deep link's payload, empty when there is none."""
    match = _COMMAND.fullmatch(text.strip())
    return (match[3] or "").strip() if match and match[1].lower() == BotCommand.START else ""
