"""The bot's voice: everything that leaves for Telegram, and an honest word about what became of it."""

import logging
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from telegram import BotCommand, ReactionTypeEmoji
from telegram.constants import ChatAction

from telegram_channel.core.ids import BotId, ChatId, FileRef, MessageId, PressId, ThreadId
from telegram_channel.core.outgoing import (
    BotIdentity,
    ButtonRows,
    DownloadOutcome,
    NotDownloaded,
    OutMessage,
    Refused,
    SendOutcome,
    Sent,
    TopicOutcome,
)
from telegram_channel.core.text import Body
from telegram_channel.errors import BadRequest, ChatError, FloodWait
from telegram_channel.ports import Clock, Pace
from telegram_channel.tg import ids
from telegram_channel.tg.connection import PUBLIC_API, Connection
from telegram_channel.tg.downloads import TOO_LARGE
from telegram_channel.tg.edits import Edits
from telegram_channel.tg.limits import PRESS_ANSWER_CHARACTERS, REACTIONS
from telegram_channel.tg.names import one_line
from telegram_channel.tg.outbox import Kind, Outbox
from telegram_channel.tg.outcomes import outcome_of
from telegram_channel.tg.parcels import message_entities
from telegram_channel.tg.patience import patiently
from telegram_channel.tg.render import cleaned, cut_to_one_message
from telegram_channel.tg.sending import Sender
from telegram_channel.tg.topics import Topics

_log = logging.getLogger(__name__)

_BRIEFLY_S = 10.0
"""For what is nobody's business when it fails."""


class TelegramChat:
    """`ports.Chat` over the Bot API; `fetch` and `rebuild` are for the poller."""

    def __init__(
        self,
        token: str,
        clock: Clock,
        *,
        api_base: str = PUBLIC_API,
        proxy: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Nothing is sent until something is asked for.

        `pace` is what the processes that send for this bot share; without one it has the limits for itself.
        `transport` replaces the network, for tests.
        """
        self._clock = clock
        self._connection = Connection(token, api_base, proxy, transport)
        self._bot = self._connection.bot
        self._outbox = Outbox(clock, pace)
        self._sender = Sender(self._connection, self._outbox, clock)
        self._edits = Edits(self._connection, self._outbox, clock)
        self._topics = Topics(self._connection, self._outbox, clock, self.identity)
        self._identity: BotIdentity | None = None

    async def identity(self) -> BotIdentity:
        """Who the bot is; asked until it was answered once. Raises `ChatError`."""
        if self._identity is None:
            me = await self._connection.ask(self._bot.get_me())
            name = one_line(f"{me.first_name} {me.last_name or ''}")
            reads_all = bool(me.can_read_all_group_messages)
            private_topics = bool(me.has_topics_enabled)
            self._identity = BotIdentity(BotId(str(me.id)), me.username or "", name, reads_all, private_topics)
        return self._identity

    async def fetch(self, offset: int | None, timeout_s: int) -> Sequence[Any]:
        """The updates of one getUpdates call, as they came. Raises `ChatError`."""
        return await self._connection.fetch(offset, timeout_s)

    async def rebuild(self) -> None:
        """Throw the connections for polling away and begin with new ones."""
        await self._connection.rebuild()

    async def close(self) -> None:
        """Drop edits that have not left and end all connections; safe to call twice."""
        await self._edits.close()
        await self._connection.close()

    async def send(self, message: OutMessage) -> SendOutcome:
        """Send one answer, in as many platform messages as it needs; never raises `ChatError`."""
        return await self._sender.send(message)

    async def edit(
        self, chat: ChatId, message: MessageId, body: Body | None, buttons: ButtonRows = ()
    ) -> SendOutcome:
        """Replace text and buttons of a message of the bot; `body=None` replaces the buttons only."""
        return await self._edits.edit(chat, message, body, buttons)

    async def react(self, chat: ChatId, message: MessageId, emoji: str | None) -> SendOutcome:
        """Set or clear the bot's reaction; an emoji the platform does not allow is `Refused`."""
        plain = (emoji or "").replace("\ufe0f", "")
        if plain and plain not in REACTIONS:
            return Refused(
                f"Telegram does not allow {one_line(plain, 20)!r} as a reaction. Use one it allows, such as "
                "👍 👎 ❤ 🔥 🎉 👀 🤔 👌 🙏 💯."
            )
        reaction = [ReactionTypeEmoji(plain)] if plain else []

        async def attempt() -> bool:
            chat_number, message_number = ids.number(chat), ids.number(message)
            return await self._connection.ask(self._bot.set_message_reaction(chat_number, message_number, reaction))

        try:
            async with self._outbox.turn((chat, message, Kind.REACTION)):
                await patiently(self._outbox, self._clock, chat, attempt, kind=Kind.REACTION, repeatable=True)
        except ChatError as error:
            return outcome_of(error)
        return Sent((message,))

    async def typing(self, chat: ChatId, thread: ThreadId | None = None) -> None:
        """Show "typing" for about five seconds. A failure is nobody's business."""
        if await self._outbox.held_s(chat, Kind.TYPING) > 0:
            return
        try:
            where, topic = ids.number(chat), ids.thread_number(thread)
        except BadRequest:
            return
        try:
            call = self._bot.send_chat_action(where, ChatAction.TYPING, message_thread_id=topic)
            await self._connection.ask(call, _BRIEFLY_S)
        except FloodWait as flood:
            await self._outbox.hold(chat, flood.retry_after_s, Kind.TYPING)
        except ChatError as error:
            _log.debug("no typing was shown, and nobody minds: %s", error)

    async def draft(self, chat: ChatId, draft: int, body: Body, thread: ThreadId | None = None) -> None:
        """Show a text as being written, in a private chat, for about half a minute or until the next message.

        A later draft with the same number (not 0) replaces it. What does not fit one message is cut. A failure
        is nobody's business, and a pause that Telegram asks for is one for drafts alone.
        """
        if ids.is_group(chat) or await self._outbox.held_s(chat, Kind.DRAFT) > 0:
            return
        text = cut_to_one_message(body)
        if text.is_blank:
            return  # Telegram would show a placeholder that says "Thinking" (Bot API, sendMessageDraft)
        try:
            where, topic = ids.number(chat), ids.thread_number(thread)
            call = self._bot.send_message_draft(where, draft, text.text, topic, entities=message_entities(text))
            await self._connection.ask(call, _BRIEFLY_S)
        except FloodWait as flood:
            await self._outbox.hold(chat, flood.retry_after_s, Kind.DRAFT)
        except ChatError as error:
            _log.debug("a draft was not shown, and nobody minds: %s", error)

    async def answer_press(self, press: PressId, text: str = "", *, alert: bool = False) -> None:
        """Acknowledge a button press with a short text. A failure is nobody's business."""
        shown = cleaned(text)[:PRESS_ANSWER_CHARACTERS] or None
        await self._try(self._bot.answer_callback_query(press, shown, show_alert=alert or None))

    async def download(self, file: FileRef, to: Path) -> DownloadOutcome:
        """Fetch a file to `to` (whole or not at all). Never raises `ChatError`."""
        try:
            found = await self._connection.ask(self._bot.get_file(cleaned(file)))
        except BadRequest as error:
            return TOO_LARGE if "too big" in str(error) else NotDownloaded(error.explained(), again=False)
        except ChatError as error:
            return NotDownloaded(error.explained(), again=True)
        if not found.file_path:
            return NotDownloaded("Telegram does not say where the file is.", again=True)
        # The library has put the address in front, unless the path happens to name a file of this machine.
        path = found.file_path.removeprefix(f"{self._bot.base_file_url}/")
        return await self._connection.files.fetch(path, to, found.file_size)

    async def has_topics(self, chat: ChatId) -> bool | None:
        """Whether the bot can open topics of its own in a chat; None when that could not be found out."""
        return await self._topics.available(chat)

    async def open_topic(self, chat: ChatId, name: str) -> TopicOutcome:
        """Open a topic, never two; never raises `ChatError`."""
        return await self._topics.open(chat, name)

    async def rename_topic(self, chat: ChatId, thread: ThreadId, name: str) -> SendOutcome:
        """Give a topic another name; never raises `ChatError`."""
        return await self._topics.rename(chat, thread, name)

    async def close_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        """Close a topic of a group; never raises `ChatError`."""
        return await self._topics.close(chat, thread)

    async def reopen_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        """Let people write to a closed topic again; never raises `ChatError`."""
        return await self._topics.reopen(chat, thread)

    async def announce_commands(self, commands: Mapping[str, str]) -> None:
        """Offer these bot commands (name → description) in the phone's menu. A failure is nobody's business."""
        await self._try(self._bot.set_my_commands([BotCommand(*command) for command in commands.items()]))

    async def _try(self, call: Awaitable[object]) -> None:
        try:
            await self._connection.ask(call, _BRIEFLY_S)
        except ChatError as error:
            _log.debug("not done, and nobody minds: %s", error)
