"""What leaves for the chat, and what can honestly be said about it afterwards."""

from dataclasses import dataclass
from pathlib import PurePath

from telegram_channel.core.ids import BotId, ChatId, MessageId, ThreadId
from telegram_channel.core.text import Body


@dataclass(frozen=True, slots=True)
class Button:
    """One button: `data` comes back when it is pressed (1 to 64 bytes in UTF-8), or `copy` is copied."""

    label: str
    data: str = ""
    copy: str = ""
    """Text the phone copies instead of telling us (at most 256 characters); excludes `data`."""


ButtonRows = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class OutFile:
    """A file to send: from `path`, or from `content` under the name `name`."""

    name: str
    path: PurePath | None = None
    content: bytes | None = None
    as_photo: bool = False


@dataclass(frozen=True, slots=True)
class OutMessage:
    """One answer as its author sees it; the platform may need several messages for it.

    More than `core.replies.MOST_PARTS` text parts become the first part and the whole as a `.md` file.
    Files follow the text; buttons hang below the last text part, or the file when there is no text.
    """

    chat: ChatId
    body: Body
    thread: ThreadId | None = None
    reply_to: MessageId | None = None
    files: tuple[OutFile, ...] = ()
    buttons: ButtonRows = ()
    urgent: bool = False
    """Goes before everything that waits for this chat and is not urgent (permission cards)."""
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """Everything arrived; one id for each platform message, in order."""

    refs: tuple[MessageId, ...]


@dataclass(frozen=True, slots=True)
class PartlySent:
    """The first `len(refs)` of `of` platform messages arrived, then it ended because of `cause`.

    `uncertain`: whether the next one may have arrived, too.
    """

    refs: tuple[MessageId, ...]
    of: int
    cause: str
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Nothing is known to have arrived, yet it may have: never repeat it blindly."""

    cause: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing arrived, for certain; `closed` when the whole chat cannot be written to."""

    cause: str
    closed: bool = False
    moved_to: ChatId | None = None
    topic_gone: bool = False
    """The topic was deleted, or is closed and may be reopened; the chat itself can be written to."""


SendOutcome = Sent | PartlySent | Uncertain | Refused


@dataclass(frozen=True, slots=True)
class TopicOpened:
    """The topic is there, and what goes to `thread` goes into it."""

    thread: ThreadId


TopicOutcome = TopicOpened | Uncertain | Refused
"""`Uncertain`: a topic may have been opened whose thread nobody knows; another one would be a second one."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The file is on disk, whole."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class NotDownloaded:
    """The file is not on disk; `cause` is a sentence for people and for the model."""

    cause: str
    again: bool
    """Whether another try may help."""


DownloadOutcome = Downloaded | NotDownloaded


@dataclass(frozen=True, slots=True)
class BotIdentity:
    """The bot as the platform describes it (`getMe`)."""

    bot: BotId
    username: str
    name: str
    reads_all_group_messages: bool = False
    private_topics: bool = False
    """Whether private chats with the bot have topics."""
