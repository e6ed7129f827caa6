"""The few bot commands the bridge answers itself; every other `/word` goes to Claude."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from telegram_channel.core import notices
from telegram_channel.core.access import Role
from telegram_channel.core.commands import BotCommand, parse_command
from telegram_channel.core.messages import InboundMessage
from telegram_channel.core.notices import StatusFacts
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.core.text import Styled
from telegram_channel.ports import Chat

CollectFacts = Callable[[Role], Awaitable[StatusFacts]]
"""What `/status` tells to somebody in this role, as of now."""


class Commands:
    """Answers `/start`, `/help` and `/status`."""

    def __init__(self, chat: Chat, collect_facts: CollectFacts) -> None:
        self._chat = chat
        self._collect_facts = collect_facts

    def errand_for(self, message: InboundMessage, role: Role, bot_username: str) -> Coroutine[Any, Any, None] | None:
        """The answer to send for a command of ours, not started yet; None when the message is for Claude."""
        if message.attachment:
            return None
        parsed = parse_command(message.text, bot_username)
        return self._answer(message, parsed.command, role) if parsed else None

    async def _answer(self, message: InboundMessage, command: BotCommand, role: Role) -> None:
        place = message.place
        body = await self._text(command, role)
        await self._chat.send(OutMessage(place.chat, body, thread=place.thread, reply_to=message.message))

    async def _text(self, command: BotCommand, role: Role) -> Styled:
        match command:
            case BotCommand.START:
                return notices.already_paired(role)
            case BotCommand.HELP:
                return notices.help_text(role)
            case BotCommand.STATUS:
                return notices.status_text(await self._collect_facts(role))
