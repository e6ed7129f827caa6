"""The few bot commands the bridge answers itself; every other `/word` goes to Claude."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from telegram_channel.bridge.orders import Orders
from telegram_channel.bridge.router import Look
from telegram_channel.bridge.sessions import Readdressed, Said, SessionCommands
from telegram_channel.core import notices
from telegram_channel.core.access import AccessState, Role
from telegram_channel.core.commands import BotCommand, ParsedCommand, parse_command
from telegram_channel.core.messages import InboundMessage
from telegram_channel.core.notices import StatusFacts
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.core.text import Styled
from telegram_channel.ports import Chat

CollectFacts = Callable[[Role, InboundMessage, Look, AccessState], Awaitable[StatusFacts]]
"""What `/status` tells to somebody in this role who asks at this place, as of now."""
Errand = Coroutine[Any, Any, object]


class Commands:
    """Takes the bridge's own commands: says what there is to say, and lets others store the rest."""

    def __init__(self, chat: Chat, collect_facts: CollectFacts, orders: Orders, sessions: SessionCommands) -> None:
        self._chat = chat
        self._collect_facts = collect_facts
        self._orders = orders
        self._sessions = sessions

    async def errands_for(
        self,
        message: InboundMessage,
        role: Role,
        bot_username: str,
        *,
        look: Look,
        state: AccessState,
        fresh: bool,
    ) -> tuple[Errand, ...] | Readdressed | None:
        """Take a command of ours; None when the message is for Claude as it is, `/to` when without its beginning.

        What is ordered or chosen is stored when this returns; what there is to say is returned, not started yet.
        `fresh`: the message cannot be one that waited while nobody polled.

        Raises:
            StateError: the order could not be stored; the same command may be taken again.
        """
        parsed = parse_command(message.text, bot_username)
        if parsed is None or (message.forwarded_from and _changes_something(parsed)):
            return None  # somebody else's words, shown to Claude
        if parsed.command is BotCommand.TO:
            return self._readdressed(message, parsed, look, state)
        if message.attachment or message.edited:
            return None
        if not _changes_something(parsed):
            return (self._answer(message, parsed.command, role, look, state),)
        said = await self._taken(message, parsed, role, look, state, fresh=fresh)
        return () if said is None else (self._say(message, said),)

    def _readdressed(
        self, message: InboundMessage, parsed: ParsedCommand, look: Look, state: AccessState
    ) -> tuple[Errand, ...] | Readdressed | None:
        to = self._sessions.readdressed(message, parsed.rest, look, state)
        if isinstance(to, Readdressed):
            return to
        return None if message.edited else (self._say(message, to),)

    async def _taken(
        self,
        message: InboundMessage,
        parsed: ParsedCommand,
        role: Role,
        look: Look,
        state: AccessState,
        *,
        fresh: bool,
    ) -> Said | None:
        if parsed.command.is_wish:
            return Said(await self._orders.wish(message, parsed))
        if parsed.command.is_routing:
            return await self._sessions.take(message, parsed, look, state, fresh=fresh)
        say = await self._orders.order(message, parsed, role, look, state, fresh=fresh)
        return None if say is None else Said(say)

    async def _say(self, message: InboundMessage, said: Said) -> None:
        place = message.place
        answer = OutMessage(place.chat, said.body, place.thread, reply_to=message.message, buttons=said.buttons)
        await self._chat.send(answer)

    async def _answer(
        self, message: InboundMessage, command: BotCommand, role: Role, look: Look, state: AccessState
    ) -> None:
        await self._say(message, Said(await self._text(message, command, role, look, state)))

    async def _text(
        self, message: InboundMessage, command: BotCommand, role: Role, look: Look, state: AccessState
    ) -> Styled:
        match command:
            case BotCommand.START:
                return notices.already_paired(role)
            case BotCommand.STATUS:
                return notices.status_text(await self._collect_facts(role, message, look, state))
            case _:
                return notices.help_text(role)


def _changes_something(parsed: ParsedCommand) -> bool:
    """Whether it orders, wishes or chooses something: nobody does that with somebody else's words."""
    return parsed.command.is_order or parsed.command.is_wish or parsed.command.is_routing
