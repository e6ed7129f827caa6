"""Edits of one message that have not left yet become one: the newest wins, and everybody learns what came of it."""

import asyncio
from dataclasses import dataclass

from telegram import InlineKeyboardMarkup

from telegram_channel.core.ids import ChatId, MessageId
from telegram_channel.core.outgoing import ButtonRows, Refused, SendOutcome, Sent
from telegram_channel.core.text import Body
from telegram_channel.errors import BadRequest, ChatError, FloodWait, Unreachable
from telegram_channel.ports import Clock
from telegram_channel.tg import ids
from telegram_channel.tg.connection import Connection
from telegram_channel.tg.entities import Rendered
from telegram_channel.tg.limits import TEXT_UNITS
from telegram_channel.tg.outbox import Kind, Outbox
from telegram_channel.tg.outcomes import outcome_of
from telegram_channel.tg.parcels import keyboard, message_entities
from telegram_channel.tg.patience import patiently
from telegram_channel.tg.render import in_one_message
from telegram_channel.tg.sending import NO_PREVIEW

_Key = tuple[ChatId, MessageId]

_NOTHING_CHANGED = "message is not modified"


@dataclass(slots=True)
class _Edit:
    """What a message shall become."""

    text: Rendered | None
    """None leaves the text as it is."""
    keys: InlineKeyboardMarkup | None
    """None leaves no buttons: an edit that names none removes them (Bot API, editMessageText)."""
    work: asyncio.Task[SendOutcome] | None = None


class Edits:
    """All edits of one bot."""

    def __init__(self, connection: Connection, outbox: Outbox, clock: Clock) -> None:
        self._connection = connection
        self._bot = connection.bot
        self._outbox = outbox
        self._clock = clock
        self._waiting: dict[_Key, _Edit] = {}
        """Edits that have not left and can still be changed."""
        self._works: set[asyncio.Task[SendOutcome]] = set()

    async def edit(self, chat: ChatId, message: MessageId, body: Body | None, buttons: ButtonRows) -> SendOutcome:
        """Replace the text, unless `body` is None, and the buttons."""
        try:
            text = None if body is None else _one_message(body)
            keys = keyboard(buttons)
            ids.number(chat), ids.number(message)
        except BadRequest as error:
            return Refused(error.explained())
        waiting = self._waiting.get((chat, message))
        if waiting is None:
            waiting = self._waiting[chat, message] = _Edit(text, keys)
            waiting.work = asyncio.create_task(self._carry_out((chat, message), waiting))
            self._works.add(waiting.work)
            waiting.work.add_done_callback(self._works.discard)
        else:
            waiting.text, waiting.keys = text or waiting.text, keys
        assert waiting.work is not None  # noqa: S101 - set when it was put there
        # Shielded: others may wait for the same edit.
        return await asyncio.shield(waiting.work)

    async def close(self) -> None:
        """Drop what has not left."""
        for work in tuple(self._works):
            work.cancel()
        if self._works:
            await asyncio.wait(tuple(self._works))

    async def _carry_out(self, key: _Key, edit: _Edit) -> SendOutcome:
        chat, message = key

        async def attempt() -> None:
            self._forget(key, edit)
            try:
                await self._post(key, edit)
            except (FloodWait, Unreachable):
                self._waiting.setdefault(key, edit)  # it has not left after all
                raise

        try:
            async with self._outbox.turn((chat, Kind.EDIT)):
                await patiently(self._outbox, self._clock, chat, attempt, kind=Kind.EDIT, repeatable=True)
        except ChatError as error:
            if _NOTHING_CHANGED not in str(error).lower():
                return outcome_of(error)
        finally:
            self._forget(key, edit)
        return Sent((message,))

    def _forget(self, key: _Key, edit: _Edit) -> None:
        if self._waiting.get(key) is edit:
            del self._waiting[key]

    async def _post(self, key: _Key, edit: _Edit) -> None:
        chat, message = ids.number(key[0]), ids.number(key[1])
        if edit.text is None:
            call = self._bot.edit_message_reply_markup(chat_id=chat, message_id=message, reply_markup=edit.keys)
        else:
            call = self._bot.edit_message_text(
                text=edit.text.text,
                chat_id=chat,
                message_id=message,
                entities=message_entities(edit.text),
                link_preview_options=NO_PREVIEW,
                reply_markup=edit.keys,
            )
        await self._connection.ask(call)


def _one_message(body: Body) -> Rendered:
    text = in_one_message(body)
    if text is None:
        raise BadRequest(
            f"The text does not fit one message of {TEXT_UNITS} characters.", "Shorten it, or send a new message."
        )
    if text.is_blank:
        raise BadRequest("The text is blank.", "Give some text; a message cannot be edited to nothing.")
    return text
