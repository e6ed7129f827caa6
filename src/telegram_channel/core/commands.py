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
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    PROGRESS = "progress"
    STREAM = "stream"
    SESSIONS = "sessions"
    USE = "use"
    TO = "to"

    @property
    def is_order(self) -> bool:
        """Whether it is about what Claude does: for owners and approvers only, and never acted on when it is old."""
        return self in (BotCommand.STOP, BotCommand.PAUSE, BotCommand.RESUME)

    @property
    def is_wish(self) -> bool:
        """Whether it changes what this chat is shown."""
        return self in (BotCommand.PROGRESS, BotCommand.STREAM)

    @property
    def is_routing(self) -> bool:
        """Whether it is about which session messages are for."""
        return self in (BotCommand.SESSIONS, BotCommand.USE, BotCommand.TO)


MENU: Mapping[str, str] = MappingProxyType(
    {
        BotCommand.STATUS.value: "Is the session listening?",
        BotCommand.SESSIONS.value: "Which sessions are running, and which one this chat talks to",
        BotCommand.USE.value: "NAME: talk to this session from now on",
        BotCommand.TO.value: "NAME and a text: one message for this session",
        BotCommand.STOP.value: "Stop what Claude is doing",
        BotCommand.PAUSE.value: "Hold new messages back",
        BotCommand.RESUME.value: "Lift stop and pause",
        BotCommand.PROGRESS.value: "on or off: what Claude is doing, in one message",
        BotCommand.STREAM.value: "on or off: Claude's text while it is written",
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


def on_or_off(rest: str) -> bool | None:
    """What follows a wish: True for `on`, False for `off`, in any letter case; None for anything else."""
    return {"on": True, "off": False}.get(rest.strip().lower())


def start_payload(text: str) -> str:
    """What follows `/start`: a deep link's payload, empty when there is none."""
    match = _COMMAND.fullmatch(text.strip())
    return (match[3] or "").strip() if match and match[1].lower() == BotCommand.START else ""
