"""Short ways to build the values that many tests need; every argument has a plain default."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from telegram_channel.core.ids import ChatId, EntryId, FileRef, MessageId, SenderId, UpdateId
from telegram_channel.core.inbox import Fetch, FetchState, InboxEntry
from telegram_channel.core.messages import Attachment, AttachmentKind, ChatKind, InboundMessage, Place

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    """`seconds` after NOON."""
    return NOON + timedelta(seconds=seconds)


def place(chat: str = "1001", sender: str = "1001", **more: Any) -> Place:
    """A private chat with Ann, unless told otherwise."""
    kind = ChatKind.GROUP if chat.startswith("-") else ChatKind.PRIVATE
    return Place(ChatId(chat), more.pop("kind", kind), SenderId(sender), more.pop("name", "Ann"), **more)


def message(text: str = "hello", number: int = 1, **more: Any) -> InboundMessage:
    """A text message, number `number` of its chat and of the bot."""
    where = more.pop("place", None) or place(more.pop("chat", "1001"), more.pop("sender", "1001"))
    return InboundMessage(
        UpdateId(more.pop("update", 9000 + number)),
        where,
        MessageId(str(number)),
        more.pop("sent_at", NOON),
        text,
        **more,
    )


def photo(number: int = 1, name: str | None = None) -> Attachment:
    """A small photo."""
    return Attachment(AttachmentKind.PHOTO, FileRef(f"file-{number}"), f"unique{number}", name, "image/jpeg", 1234)


def entry(inbound: Any = None, number: int = 1, **more: Any) -> InboxEntry:
    """A stored entry around `inbound`; a message with a photo waits for its file."""
    inbound = message(number=number) if inbound is None else inbound
    attachment: Attachment | None = getattr(inbound, "attachment", None)
    made = InboxEntry(
        EntryId(number),
        inbound.update,
        inbound.place.chat,
        inbound.message,
        inbound,
        more.pop("stored_at", NOON),
        fetch=Fetch(FetchState.WANTED, attachment.file)
        if attachment and attachment.kind is AttachmentKind.PHOTO
        else Fetch(),
    )
    return replace(made, **more)
