"""The few bot commands the bridge answers itself; every other `/word` goes to Claude."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from telegram_channel.bridge.orders import Orders
from telegram_channel.core import notices
from telegram_channel.core.access import Role
from telegram_channel.core.commands import BotCommand, ParsedCommand, parse_command
from telegram_channel.core.messages import InboundMessage
from telegram_channel.core.notices import StatusFacts
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.core.text import Styled
from telegram_channel.ports import Chat

CollectFacts = Callable[[Role], Awaitable[StatusFacts]]
"""What `/status` tells to somebody in this role, as of now."""
Errand = Coroutine[Any, Any, object]


class Commands:
    """Takes the bridge's own commands: says what there is to say, and lets `Orders` store the rest."""

    def __init__(self, chat: Chat, collect_facts: CollectFacts, orders: Orders) -> None:
        self._chat = chat
        self._collect_facts = collect_facts
        self._orders = orders

    async def errands_for(
        self, message: InboundMessage, role: Role, bot_username: str, *, fresh: bool
    ) -> tuple[Errand, ...] | None:
        """Take a command of ours; None when the message is for Claude.

        What is ordered is stored when this returns; what there is to say is returned, not started yet.
        `fresh`: the message cannot be one that waited while nobody polled.

        Raises:
            StateError: the order could not be stored; the same command may be taken again.
        """
        if message.attachment or message.edited:
            return None
        parsed = parse_command(message.text, bot_username)
        if parsed is None:
            return None
        command = parsed.command
        if not (command.is_order or command.is_wish):
            return (self._answer(message, command, role),)
        if message.forwarded_from:  # somebody else's words, shown to Claude
            return None
        say = await self._taken(message, parsed, role, fresh=fresh)
        return () if say is None else (self._say(message, say),)

    async def _taken(
        self, message: InboundMessage, parsed: ParsedCommand, role: Role, *, fresh: bool
    ) -> Styled | None:
        if parsed.command.is_wish:
            return await self._orders.wish(message, parsed)
        return await self._orders.order(message, parsed.command, role, fresh=fresh)

    async def _say(self, message: InboundMessage, body: Styled) -> None:
        place = message.place
        await self._chat.send(OutMessage(place.chat, body, thread=place.thread, reply_to=message.message))

    async def _answer(self, message: InboundMessage, command: BotCommand, role: Role) -> None:
        await self._say(message, await self._text(command, role))

    async def _text(self, command: BotCommand, role: Role) -> Styled:
        match command:
            case BotCommand.START:
                return notices.already_paired(role)
            case BotCommand.STATUS:
                return notices.status_text(await self._collect_facts(role))
            case _:
                return notices.help_text(role)
