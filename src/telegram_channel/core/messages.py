"""What arrives from the chat, as frozen values: `Inbound` is their union, matched exhaustively."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from telegram_channel.core.ids import ChatId, FileRef, MessageId, PressId, SenderId, ThreadId, UpdateId


class ChatKind(StrEnum):
    """Where something was said."""

    PRIVATE = "private"
    GROUP = "group"
    """Groups and supergroups alike."""
    CHANNEL = "channel"


class AttachmentKind(StrEnum):
    """What a message carries besides text."""

    PHOTO = "photo"
    DOCUMENT = "document"
    VOICE = "voice"
    AUDIO = "audio"
    VIDEO = "video"
    VIDEO_NOTE = "video_note"
    ANIMATION = "animation"
    STICKER = "sticker"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that can be fetched by its reference; `name` is already safe as a file name."""

    kind: AttachmentKind
    file: FileRef
    unique: str
    """The same for the same file, whoever sends it; safe as a file name."""
    name: str | None = None
    mime: str | None = None
    size_bytes: int | None = None
    duration_s: int | None = None


@dataclass(frozen=True, slots=True)
class RepliedTo:
    """The message that was answered, as far as the platform shows it."""

    message: MessageId
    text: str = ""
    """Its text or caption, or a word for what it carried ("[photo]")."""
    from_bot: bool = False
    """Whether this bot wrote it."""
    attachment: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened and who did it. Every inbound value has one."""

    chat: ChatId
    chat_kind: ChatKind
    sender: SenderId
    sender_name: str
    """What people call the sender: never empty, never trusted."""
    chat_title: str = ""
    thread: ThreadId | None = None
    username: str | None = None


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """Something a sender said: new, or an edit of something said before."""

    update: UpdateId
    place: Place
    message: MessageId
    sent_at: datetime
    text: str = ""
    """Text or caption, as typed."""
    attachment: Attachment | None = None
    album: str | None = None
    """The same for all parts of one album."""
    reply_to: RepliedTo | None = None
    quote: str | None = None
    """The part of the answered message that the sender marked."""
    forwarded_from: str | None = None
    edited: bool = False
    mentions_bot: bool = False
    """The bot's @name or a command addressed to it occurs in an entity of the text."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What a kind without a file says about itself (`latitude`, `phone_number`, …); keys fit event meta."""


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """A press of a button below a message of the bot. It carries no time of its own."""

    update: UpdateId
    place: Place
    press: PressId
    data: str
    message: MessageId
    """The message that carries the button."""
    label: str = ""
    """What the button said, as far as the platform shows it."""


@dataclass(frozen=True, slots=True)
class ReactionChange:
    """A sender changed their reactions to a message; both tuples hold emoji."""

    update: UpdateId
    place: Place
    message: MessageId
    at: datetime
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """The bot itself was blocked, unblocked, added or removed."""

    update: UpdateId
    place: Place
    reachable: bool
    """Whether the bot may write there now."""


@dataclass(frozen=True, slots=True)
class ChatMigration:
    """A group became a supergroup: `place.chat` is the old id."""

    update: UpdateId
    place: Place
    new_chat: ChatId


@dataclass(frozen=True, slots=True)
class Ignorable:
    """Known, and of no interest to anyone (someone joined, a message was pinned); `what` names it."""

    update: UpdateId
    what: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An update nobody understands: kept and reported, never in the way of others."""

    update: UpdateId
    reason: str
    """One sentence without any text of the sender."""
    sender: SenderId | None
    """Who sent it, where that much could be read."""
    raw: str
    """The update as JSON. Stored only for admitted senders."""
    skeleton: str
    """Its keys and types as JSON, without a single value: what is stored of a stranger's."""


Inbound = InboundMessage | ButtonPress | ReactionChange | MembershipChange | ChatMigration | Ignorable | Unreadable

Deliverable = InboundMessage | ButtonPress | ReactionChange
"""What can become an event in the session."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one completed poll returned, in the platform's order."""

    updates: tuple[Inbound, ...]
    cursor: UpdateId | None
    """The id to confirm up to and including, once everything is stored; None when nothing came."""
    drained: bool
    """Whether the platform had nothing more at that moment."""
    drained_at: datetime | None = None
    """A moment at which it had nothing more, and never a later one; None when only taking the batch can tell.

    An answer may lie unread for hours, because the machine slept or this process was stopped.
    """
