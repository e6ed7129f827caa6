"""The chat platform, outward."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from telegram_channel.core.ids import ChatId, FileRef, MessageId, PressId, ThreadId
from telegram_channel.core.outgoing import (
    BotIdentity,
    ButtonRows,
    DownloadOutcome,
    OutMessage,
    SendOutcome,
    TopicOutcome,
)
from telegram_channel.core.text import Body


class Chat(Protocol):
    """The chat platform, outward. Order per chat is kept; one slow chat never delays another."""

    async def identity(self) -> BotIdentity:
        """Who the bot is. Raises `ChatError`."""

    async def send(self, message: OutMessage) -> SendOutcome:
        """Send one answer, in as many platform messages as it needs; never raises `ChatError`."""

    async def edit(
        self, chat: ChatId, message: MessageId, body: Body | None, buttons: ButtonRows = ()
    ) -> SendOutcome:
        """Replace text and buttons of a message of the bot; `body=None` replaces the buttons only.

        A newer edit of the same message that has not left yet replaces an older one. "Nothing changed" is
        `Sent`. The text must fit one message: what does not fit is `Refused`.
        """

    async def react(self, chat: ChatId, message: MessageId, emoji: str | None) -> SendOutcome:
        """Set or clear the bot's reaction; an emoji the platform does not allow is `Refused`."""

    async def typing(self, chat: ChatId, thread: ThreadId | None = None) -> None:
        """Show "typing" for about five seconds. A failure is nobody's business."""

    async def draft(self, chat: ChatId, draft: int, body: Body, thread: ThreadId | None = None) -> None:
        """Show a text as being written, in a private chat, for about half a minute or until the next message.

        A later draft with the same number (not 0) replaces it. What does not fit one message is cut. A failure
        is nobody's business.
        """

    async def answer_press(self, press: PressId, text: str = "", *, alert: bool = False) -> None:
        """Acknowledge a button press with a short text. A failure is nobody's business."""

    async def download(self, file: FileRef, to: Path) -> DownloadOutcome:
        """Fetch a file to `to` (whole or not at all). Never raises `ChatError`."""

    async def has_topics(self, chat: ChatId) -> bool | None:
        """Whether the bot can open topics of its own in a chat; None when that could not be found out.

        True for a group with topics in which the bot may manage them, and for every private chat when
        `BotIdentity.private_topics` says so. An answer holds for ten minutes, "not found out" for one (or for
        as long as the platform asked to wait): so often at most is the platform asked, by however many callers.
        """

    async def open_topic(self, chat: ChatId, name: str) -> TopicOutcome:
        """Open a topic; never raises `ChatError`.

        The name becomes one line of at most 128 characters, and is never empty. What may have been carried out
        is `Uncertain` and was not repeated: there are never two topics for one call.
        """

    async def rename_topic(self, chat: ChatId, thread: ThreadId, name: str) -> SendOutcome:
        """Give a topic another name, made fit as by `open_topic`; never raises `ChatError`.

        This and the next two: what is already so is `Sent`, without message ids; a topic that does not exist
        any more is `Refused` with `topic_gone`; the general topic is `Refused`. Changes of the topics of one chat
        are carried out in the order of the calls, and repeated when it is not known what became of them.
        """

    async def close_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        """Close a topic: people cannot write there, a bot that manages topics still can.

        Topics of private chats cannot be closed: `Refused`. Never raises `ChatError`.
        """

    async def reopen_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        """Let people write to a closed topic again; in private chats, where none is closed, `Sent` unasked.

        Never raises `ChatError`.
        """

    async def announce_commands(self, commands: Mapping[str, str]) -> None:
        """Offer these bot commands (name → description) in the phone's menu. A failure is nobody's business."""
