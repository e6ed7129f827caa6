"""The tools Claude calls: one row each, checked before anything happens, answered with what really happened.

Every failure is a result with `is_error` and one sentence that says what to do. Calls about the same chat
take effect in the order they were made; a slow one does not keep later ones from being handed to the chat,
which keeps its own order. A call that names a chat proves that the session read what it was given of it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import PurePath
from typing import Any
from weakref import WeakValueDictionary

from telegram_channel.bridge.attachments import fetch
from telegram_channel.bridge.entered import Entered
from telegram_channel.bridge.proof import given_to, mark_answered, mark_read
from telegram_channel.bridge.replies import Places, load_files, told, told_of_change
from telegram_channel.core.access import may_address
from telegram_channel.core.ids import ChatId, FileRef, MessageId, SessionId, ThreadId
from telegram_channel.core.inbox import InboxEntry
from telegram_channel.core.outgoing import ButtonRows, OutFile, OutMessage, Refused, SendOutcome, Sent
from telegram_channel.core.permission import Card
from telegram_channel.core.text import Body, Markdown, Plain, utf16_len
from telegram_channel.core.tooling import (
    BUTTONS,
    CHAT,
    EMOJI,
    FILE,
    FORMAT,
    MESSAGE,
    PATHS,
    TEXT,
    Argument,
    Format,
    chat_named,
    read_arguments,
    schema_of,
)
from telegram_channel.core.topics import ThreadFor, in_general
from telegram_channel.errors import ChannelError, StateError, ToolError
from telegram_channel.ports import Chat, Clock, Store, ToolResult, ToolSpec

_log = logging.getLogger(__name__)

_NOT_TO_BE_SENT = (
    "Nothing was sent, because it holds the bot's token: whoever has that can read and answer everything. "
    "Leave it out, and tell the operator where you found it."
)
_MOST_EDITED_UNITS = 4096
"""Text of one message in UTF-16 units (source: Bot API, `editMessageText`)."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One call on its way: what it works with, and when it began."""

    store: Store
    chat: Chat
    at: datetime


async def _nothing() -> None:
    return None


def _nobody_listens(*_: object, **__: object) -> None:
    return None


class Tools:
    """Carries out tool calls of this process's session.

    Until `connect` was called, calls wait for it, up to `patience_s`. While `unavailable` holds a sentence,
    every call answers just that.
    """

    def __init__(
        self,
        clock: Clock,
        session: SessionId,
        places: Places,
        *,
        patience_s: float = 20,
        answered: Callable[..., None] = _nobody_listens,
    ) -> None:
        """`answered(chat, thread)` is told of every reply that was sent or may have been.

        `answered(chat, everywhere=True)` of every such edit and reaction: they know no topic.
        """
        self._clock = clock
        self._answered = answered
        self._session = session
        self._places = places
        self._patience_s = patience_s
        self._unavailable: str | None = None
        self._secret = ""
        self._connection: tuple[Store, Chat] | None = None
        self._thread_for: ThreadFor = in_general
        self._talked_in: dict[ChatId, ThreadId | None] = {}
        """The topic of the last reply to each chat: a second answer belongs beside the first."""
        self._known = asyncio.Event()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One for each chat and file; a lock lives as long as somebody holds or waits for it."""

    @property
    def unavailable(self) -> str | None:
        """Why no tool works at the moment, with what to do; None when they work."""
        return self._unavailable

    @unavailable.setter
    def unavailable(self, reason: str | None) -> None:
        self._unavailable = reason
        if reason is not None:
            self._known.set()
        elif self._connection is None:
            self._known.clear()

    def never_send(self, token: str) -> None:
        """Refuse everything in which the secret part of this token stands as it is."""
        self._secret = token.partition(":")[2]

    def connect(
        self, store: Store, chat: Chat, places: Places | None = None, thread_for: ThreadFor | None = None
    ) -> None:
        """From now on calls are carried out, unless `unavailable` says otherwise; files by the rules of `places`.

        `thread_for`: the session's own topic of a chat, for what answers nothing.
        """
        self._connection = store, chat
        self._thread_for = thread_for or in_general
        self._places = places or self._places
        self._known.set()

    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools as the model sees them."""
        return SPECS

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Carry out one call. Never raises, except when it is cancelled; what was handed on then still leaves."""
        try:
            return await self._carry_out(name, arguments)
        except ChannelError as error:
            return ToolResult(error.explained(), is_error=True)
        except Exception as error:  # the text of a surprise may hold anything: the model learns its kind only
            _log.exception("the tool %s failed", name)
            return ToolResult(f"The tool failed ({type(error).__name__}); the log says more.", is_error=True)

    async def _carry_out(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        row = next((row for row in _ROWS if row.name == name), None)
        if row is None:
            raise ToolError(f"There is no tool {name!r}: use {', '.join(row.name for row in _ROWS)}.")
        call = await self._begin()
        try:
            values = read_arguments(name, row.arguments, arguments)
        except ToolError:
            if chat := chat_named(arguments):
                await mark_read(call.store, await self._given(call, chat))
            raise
        return await row.carry_out(self, call, **values)

    async def _begin(self) -> _Call:
        at = self._clock.now()
        if not self._known.is_set():
            try:
                await asyncio.wait_for(self._known.wait(), self._patience_s)
            except TimeoutError:
                raise ToolError("The server is still starting: try again in a few seconds.") from None
        if self._unavailable is not None:
            raise ToolError(self._unavailable)
        if self._connection is None:
            raise ToolError("The server is still starting: try again in a few seconds.")
        return _Call(*self._connection, at)

    async def _reply(
        self,
        call: _Call,
        chat_id: ChatId,
        text: str,
        reply_to: MessageId | None = None,
        files: Sequence[PurePath] = (),
        format: Format = Format.MARKDOWN,  # noqa: A002 - the name is part of the tool's interface
        buttons: ButtonRows = (),
    ) -> ToolResult:
        async with self._turn(chat_id):
            entered = await self._enter(call, chat_id, reply_to)
            if not text.strip() and not files:
                raise ToolError("reply needs a text, or files: an empty message cannot be sent.")
            loaded = await asyncio.to_thread(self._load, files) if files else ()
            self._refuse_secret(text, *(button.label for row in buttons for button in row))
            message = OutMessage(chat_id, _body(text, format), entered.thread, reply_to, loaded, buttons)
            sending = self._hand_over(call.chat.send(message))
            self._talked_in[chat_id] = entered.thread
        outcome = await self._outcome(sending, partial(self._answered, chat_id, entered.thread))
        if isinstance(outcome, Sent):
            await mark_answered(call.store, entered.answered_by_reply)
        await self._note_closed(call, chat_id, outcome)
        return told(outcome)

    async def _react(self, call: _Call, chat_id: ChatId, message_id: MessageId, emoji: str) -> ToolResult:
        async with self._turn(chat_id):
            await self._enter(call, chat_id)
            reacting = self._hand_over(call.chat.react(chat_id, message_id, emoji or None))
        # Nobody sees a reaction that is gone: to take one away answers nothing.
        noted = partial(self._answered, chat_id, everywhere=True) if emoji else _nobody_listens
        outcome = await self._outcome(reacting, noted)
        await self._note_closed(call, chat_id, outcome)
        return told_of_change(outcome, f"reacted with {emoji}" if emoji else "reaction taken away")

    async def _edit(
        self,
        call: _Call,
        chat_id: ChatId,
        message_id: MessageId,
        text: str,
        format: Format = Format.MARKDOWN,  # noqa: A002 - the name is part of the tool's interface
    ) -> ToolResult:
        async with self._turn(chat_id):
            await self._enter(call, chat_id)
            await self._refuse_card(call, Card(chat_id, message_id))
            self._refuse_secret(text)
            if not text.strip():
                raise ToolError("edit_message needs a text: a message cannot be made empty.")
            if format is Format.TEXT and utf16_len(text) > _MOST_EDITED_UNITS:
                raise ToolError(
                    f"text is longer than the {_MOST_EDITED_UNITS} characters of one message: "
                    "shorten it, or send a new reply."
                )
            editing = self._hand_over(call.chat.edit(chat_id, message_id, _body(text, format)))
        outcome = await self._outcome(editing, partial(self._answered, chat_id, everywhere=True))
        await self._note_closed(call, chat_id, outcome)
        return told_of_change(outcome, f"edited (message_id {message_id})")

    def _load(self, paths: Sequence[PurePath]) -> tuple[OutFile, ...]:
        files = load_files(paths, self._places)
        if self._secret and any(self._secret.encode() in (file.content or b"") for file in files):
            raise ToolError(_NOT_TO_BE_SENT)
        return files

    def _refuse_secret(self, *texts: str) -> None:
        if self._secret and any(self._secret in text for text in texts):
            raise ToolError(_NOT_TO_BE_SENT)

    async def _refuse_card(self, call: _Call, card: Card) -> None:
        """What a person is asked to allow is not Claude's to reword."""
        asked = (*await call.store.prompts.open_prompts(), *await call.store.prompts.uncleared())
        if any(card in prompt.cards for prompt in asked):
            raise ToolError("That message is a permission card, which nobody can edit: send a reply instead.")

    async def _download(self, call: _Call, file_id: FileRef) -> ToolResult:
        async with self._turn(f"file {file_id}"):
            return await fetch(file_id, call.store, call.chat, self._clock, self._places.downloads)

    def _turn(self, what: str) -> asyncio.Lock:
        """First come, first served, for each chat and each file."""
        return self._turns.setdefault(what, asyncio.Lock())

    def _hand_over(self, sending: Coroutine[Any, Any, SendOutcome]) -> asyncio.Task[SendOutcome]:
        """Give something to the chat now, in its turn, and wait for the outcome later.

        Tasks start in the order they are made, so the chat sees the calls in theirs.
        """
        return asyncio.create_task(sending)

    async def _outcome(self, sending: asyncio.Task[SendOutcome], arrived: Callable[[], None]) -> SendOutcome:
        """Wait for the outcome, and call `arrived` unless nothing arrived for certain."""
        try:
            outcome = await sending
        except asyncio.CancelledError:
            arrived()  # what was handed over may still leave
            raise
        if not isinstance(outcome, Refused):
            arrived()
        return outcome

    async def _enter(self, call: _Call, chat: ChatId, reply_to: MessageId | None = None) -> Entered:
        """Check that the chat may be written to. Whatever comes of it, the session has read what it was given."""
        access, closed, waiting, original = await asyncio.gather(
            call.store.access.read(),
            call.store.closed_chats.reason(chat),
            self._given(call, chat),
            call.store.inbox.find(chat, reply_to) if reply_to else _nothing(),
        )
        await mark_read(call.store, waiting)
        if not may_address(access, chat):
            raise ToolError(
                f"Nobody in the chat {chat} was let in, so nothing goes there: "
                "use the chat_id of a channel event. Only the operator can let others in."
            )
        if closed is not None:
            raise ToolError(
                f"The chat {chat} cannot be written to ({closed.rstrip('.')}): "
                "wait until somebody there writes to the bot again."
            )
        usual = self._talked_in[chat] if chat in self._talked_in else self._thread_for(chat)
        return Entered(waiting, original, usual)

    def _given(self, call: _Call, chat: ChatId) -> Awaitable[tuple[InboxEntry, ...]]:
        return given_to(self._session, call.store, chat, call.at)

    async def _note_closed(self, call: _Call, chat: ChatId, outcome: SendOutcome) -> None:
        if isinstance(outcome, Refused) and outcome.closed:
            try:
                await call.store.closed_chats.close(chat, outcome.cause)
            except StateError as error:
                _log.warning("a closed chat could not be remembered: %s", error)


def _body(text: str, format: Format) -> Body:  # noqa: A002 - as in the tool's interface
    return Plain(text) if format is Format.TEXT else Markdown(text)


@dataclass(frozen=True, slots=True)
class _Row:
    """One tool: what the model sees of it, and what it does."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    carry_out: Callable[..., Awaitable[ToolResult]]
    """A method of `Tools`; its keyword arguments are the tool's."""


_CHAT_ID = Argument("chat_id", CHAT, "the chat_id of the channel event.", required=True)
_FORMAT = Argument("format", FORMAT, '"markdown" (default), or "text" to show it letter by letter.')

_ROWS = (
    _Row(
        "reply",
        "Send a message to a Telegram chat. The people there see only what you send with this tool, never the "
        "terminal. Write Markdown; long answers are split, or attached as a file, by themselves.",
        (
            _CHAT_ID,
            Argument("text", TEXT, "what to say, in Markdown; may be empty when there are files.", required=True),
            Argument("reply_to", MESSAGE, "the message_id to answer visibly; leave out for the ordinary answer."),
            Argument("files", PATHS, "absolute paths of up to 10 files to attach, 50 MB each."),
            _FORMAT,
            Argument(
                "buttons",
                BUTTONS,
                'rows of button labels below the message, like [["Yes", "No"]]. '
                "A press comes back as a channel event: this is how to ask a question.",
            ),
        ),
        Tools._reply,
    ),
    _Row(
        "react",
        "React to a message with an emoji, instead of the one the bot has there now.",
        (
            _CHAT_ID,
            Argument("message_id", MESSAGE, "the message to react to.", required=True),
            Argument(
                "emoji",
                EMOJI,
                "one Telegram allows, such as 👍 👎 ❤ 🔥 🎉 🤔 👀 👌 🙏 💯; empty takes the reaction away.",
                required=True,
            ),
        ),
        Tools._react,
    ),
    _Row(
        "edit_message",
        "Replace the text of a message that you sent before, for example to show progress. "
        "Phones do not ring for an edit: send a new reply when something is finished.",
        (
            _CHAT_ID,
            Argument("message_id", MESSAGE, "the message_id that reply returned.", required=True),
            Argument("text", TEXT, "the new text; it must fit one message of 4,096 characters.", required=True),
            _FORMAT,
        ),
        Tools._edit,
    ),
    _Row(
        "download_attachment",
        "Fetch a file that somebody sent (at most 20 MB) and get its path on this machine.",
        (Argument("file_id", FILE, "the attachment_file_id of the channel event.", required=True),),
        Tools._download,
    ),
)

SPECS = tuple(ToolSpec(row.name, row.description, schema_of(row.arguments)) for row in _ROWS)
"""The tools as the model sees them."""
