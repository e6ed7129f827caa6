"""One answer leaves parcel by parcel, in its chat's turn; what Telegram dislikes about a parcel is mended once.

Mended are only parcels that were refused, so nothing is ever sent twice: a text whose entities are refused
goes without them, photos that are none go as documents.
"""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from telegram import InlineKeyboardMarkup, InputMediaDocument, InputMediaPhoto, LinkPreviewOptions, ReplyParameters

from telegram_channel.core.ids import ChatId, MessageId
from telegram_channel.core.outgoing import OutMessage, SendOutcome, Sent
from telegram_channel.core.replies import source_of
from telegram_channel.errors import BadRequest, ChatError
from telegram_channel.ports import Clock
from telegram_channel.tg import ids
from telegram_channel.tg.connection import UPLOAD_TIMEOUT_S, Connection
from telegram_channel.tg.entities import Rendered
from telegram_channel.tg.outbox import Outbox
from telegram_channel.tg.outcomes import outcome_of
from telegram_channel.tg.parcels import (
    FileParcel,
    Parcel,
    TextParcel,
    keyboard,
    message_entities,
    messages_in,
    opened,
    parcels,
)
from telegram_channel.tg.patience import patiently

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

_RENDERED_ASIDE_CHARACTERS = 8 * 1024
"""A longer source is rendered in a thread, so that nobody else waits for it."""

_ENTITY_TROUBLE = ("entit", "parse")
_PHOTO_TROUBLE = ("photo", "image", "webpage_media_empty")
"""Words of refusals that a plainer form of the same parcel avoids; Telegram has no codes for them."""


@dataclass(frozen=True, slots=True)
class _Address:
    """Where parcels go and how."""

    chat: ChatId
    number: int
    thread: int | None
    silent: bool
    reply: ReplyParameters | None
    keys: InlineKeyboardMarkup | None
    urgent: bool

    @classmethod
    def of(cls, message: OutMessage) -> "_Address":
        reply = None
        if message.reply_to is not None:
            reply = ReplyParameters(ids.number(message.reply_to), allow_sending_without_reply=True)
        return cls(
            message.chat,
            ids.number(message.chat),
            ids.thread_number(message.thread),
            message.silent,
            reply,
            keyboard(message.buttons),
            message.urgent,
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """What all sending methods share, but the buttons."""
        return {
            "chat_id": self.number,
            "message_thread_id": self.thread,
            "disable_notification": self.silent or None,
            "reply_parameters": self.reply,
        }


class Sender:
    """Sends answers of one bot."""

    def __init__(self, connection: Connection, outbox: Outbox, clock: Clock) -> None:
        self._connection = connection
        self._bot = connection.bot
        self._outbox = outbox
        self._clock = clock

    async def send(self, message: OutMessage) -> SendOutcome:
        """Send one answer in its chat's turn."""
        arrived: list[MessageId] = []
        total = 0
        try:
            async with self._outbox.turn(message.chat, urgent=message.urgent):
                address = _Address.of(message)
                found = await self._parcels(message)
                total = sum(messages_in(parcel) for parcel in found)
                for parcel, there in _addressed(found, address):
                    await self._deliver(parcel, there, arrived)
        except ChatError as error:
            return outcome_of(error, arrived, total)
        return Sent(tuple(arrived))

    async def _parcels(self, message: OutMessage) -> tuple[Parcel, ...]:
        if len(source_of(message.body)) > _RENDERED_ASIDE_CHARACTERS:
            return await asyncio.to_thread(parcels, message)
        return parcels(message)

    async def _deliver(self, parcel: Parcel, to: _Address, arrived: list[MessageId]) -> None:
        """Send one parcel, mended if need be, and add what arrived to `arrived` as it does."""
        try:
            arrived += await self._patiently(parcel, to)
        except BadRequest as refused:
            plainer = _plainer(parcel, str(refused).lower())
            if not plainer:
                raise
            first = plainer[0]
        else:
            return
        for one in plainer:
            there = to if one is first else replace(to, reply=None)
            arrived += await self._patiently(one, there)

    async def _patiently(self, parcel: Parcel, to: _Address) -> list[MessageId]:
        attempt = partial(self._post, parcel, to)
        return await patiently(
            *(self._outbox, self._clock, to.chat, attempt), messages=messages_in(parcel), urgent=to.urgent
        )

    async def _post(self, parcel: Parcel, to: _Address) -> list[MessageId]:
        match parcel:
            case TextParcel(text):
                return await self._post_text(text, to)
            case FileParcel((_,)):
                return await self._post_file(parcel, to)
            case FileParcel():
                return await self._post_album(parcel, to)

    async def _post_text(self, text: Rendered, to: _Address) -> list[MessageId]:
        message = await self._connection.ask(
            self._bot.send_message(
                text=text.text,
                entities=message_entities(text),
                link_preview_options=NO_PREVIEW,
                reply_markup=to.keys,
                **to.parameters,
            )
        )
        return [ids.message_id(message.message_id)]

    async def _post_file(self, parcel: FileParcel, to: _Address) -> list[MessageId]:
        with ExitStack() as stack:
            file = opened(parcel.files[0], stack)
            if parcel.as_photos:
                call = self._bot.send_photo(
                    photo=file, reply_markup=to.keys, read_timeout=UPLOAD_TIMEOUT_S, **to.parameters
                )
            else:
                call = self._bot.send_document(
                    document=file,
                    reply_markup=to.keys,
                    read_timeout=UPLOAD_TIMEOUT_S,
                    **to.parameters,
                )
            message = await self._connection.ask(call, 2 * UPLOAD_TIMEOUT_S)
        return [ids.message_id(message.message_id)]

    async def _post_album(self, parcel: FileParcel, to: _Address) -> list[MessageId]:
        with ExitStack() as stack:
            files = [opened(file, stack, in_album=True) for file in parcel.files]
            media: list[InputMediaPhoto | InputMediaDocument]
            if parcel.as_photos:
                media = [InputMediaPhoto(file) for file in files]
            else:
                media = [InputMediaDocument(file) for file in files]
            call = self._bot.send_media_group(media=media, read_timeout=UPLOAD_TIMEOUT_S, **to.parameters)
            messages = await self._connection.ask(call, 2 * UPLOAD_TIMEOUT_S)
        return [ids.message_id(message.message_id) for message in messages]


def _addressed(found: tuple[Parcel, ...], address: _Address) -> list[tuple[Parcel, _Address]]:
    """Each parcel with its address: the first is the reply, the last text (else the last file) has the buttons."""
    texts = [index for index, parcel in enumerate(found) if isinstance(parcel, TextParcel)]
    carrier = texts[-1] if texts else len(found) - 1
    return [
        (
            parcel,
            replace(
                address,
                reply=address.reply if index == 0 else None,
                keys=address.keys if index == carrier else None,
            ),
        )
        for index, parcel in enumerate(found)
    ]


def _plainer(parcel: Parcel, refusal: str) -> list[Parcel]:
    """A form of a refused parcel that avoids what it was refused for; nothing when there is none."""
    match parcel:
        case TextParcel(text) if text.entities and any(word in refusal for word in _ENTITY_TROUBLE):
            return [TextParcel(replace(text, entities=()))]
        case FileParcel(files, True) if any(word in refusal for word in _PHOTO_TROUBLE):
            return [FileParcel((file,), as_photos=False) for file in files]
        case _:
            return []
