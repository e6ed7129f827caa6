"""What the session sees: one channel event for one thing that happened in the chat.

`META_KEYS` is the whole vocabulary of meta; the instructions for Claude name every key in it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from types import MappingProxyType
from typing import assert_never

from telegram_channel.core.inbox import FetchState, InboxEntry
from telegram_channel.core.messages import (
    Attachment,
    AttachmentKind,
    ButtonPress,
    ChatKind,
    InboundMessage,
    Place,
    ReactionChange,
)
from telegram_channel.core.text import utf16_len

META_KEY = re.compile(r"[a-z0-9_]+")
"""Keys with any other letter vanish silently in the client (source: channel contract)."""

META_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "chat_id": "the chat to answer in",
        "message_id": "the message this is about",
        "user": "the sender's username, or name",
        "user_id": "the sender's id",
        "user_name": "the sender's display name, where `user` is a username",
        "ts": "when it was sent, ISO 8601 UTC",
        "kind": "`edit`, `button` or `reaction`; absent for an ordinary message",
        "chat_type": "`private` or `group`",
        "chat_title": "the name of the group",
        "thread_id": "the topic inside the chat",
        "attachment_kind": "what is attached",
        "attachment_file_id": "fetches the attachment with download_attachment",
        "attachment_name": "its file name",
        "attachment_mime": "its type",
        "attachment_size": "its size in bytes",
        "attachment_duration": "its length in seconds",
        "attachment_error": "why a photo was not downloaded",
        "image_path": "a downloaded photo on this machine",
        "album_size": "how many parts the album has; from the second on their keys end in _2, _3, …",
        "reply_to_message_id": "the message that was answered",
        "reply_to_text": "its text",
        "reply_to_user": "`bot` when the bot wrote it",
        "reply_to_file_id": "its attachment",
        "quote": "the part of it that the sender marked",
        "forwarded_from": "who wrote it originally",
        "edited": "`true`: the text replaces that of message_id",
        "button": "the label that was pressed below message_id",
        "reaction": "the emoji that was put on message_id",
        "redelivered": "`true`: given to the session before, without a sign that it was read",
        "delayed": "`true`: later messages may have come first, because its file took time",
    }
)


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """Content and meta of one `<channel>` tag. Keys are checked here; values are strings.

    Raises:
        ValueError: a key would be dropped by the client, or a value is no string.
    """

    content: str
    meta: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for key, value in self.meta.items():
            if not META_KEY.fullmatch(key):
                raise ValueError(f"meta key {key!r} would be dropped by the client")
            if not isinstance(value, str):
                raise ValueError(f"meta value of {key!r} is not a string")  # noqa: TRY004 - one error for one fault


def event_for(entries: Sequence[InboxEntry]) -> ChannelEvent:
    """The event for entries that go together: one message, or the parts of an album or a split paste."""
    first = entries[0]
    inbound = first.inbound
    meta: dict[str, str] = {}
    match inbound:
        case InboundMessage():
            messages = [entry.inbound for entry in entries if isinstance(entry.inbound, InboundMessage)]
            content = _content(messages)
            meta |= _about(inbound.place, inbound.message, inbound.sent_at)
            meta |= _about_message(inbound)
            meta |= _attachments(entries)
        case ButtonPress():
            content = inbound.label or "[button]"
            meta |= _about(inbound.place, inbound.message, first.stored_at)
            meta |= {"kind": "button", "button": inbound.label}
        case ReactionChange():
            emoji = " ".join(inbound.added)
            content = emoji
            meta |= _about(inbound.place, inbound.message, inbound.at)
            meta |= {"kind": "reaction", "reaction": emoji}
        case _:
            assert_never(inbound)
    if first.may_be_known:
        meta["redelivered"] = "true"
    return ChannelEvent(_quoted(content), {key: _quoted(value) for key, value in meta.items() if value})


def _about(place: Place, message: str, at: datetime) -> dict[str, str]:
    """What every event says."""
    meta = {
        "chat_id": place.chat,
        "message_id": message,
        "user": place.username or place.sender_name,
        "user_id": place.sender,
        "ts": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "chat_type": "private" if place.chat_kind is ChatKind.PRIVATE else "group",
        "thread_id": place.thread or "",
    }
    if place.username:
        meta["user_name"] = place.sender_name
    if place.chat_kind is not ChatKind.PRIVATE:
        meta["chat_title"] = place.chat_title
    return meta


def _about_message(message: InboundMessage) -> dict[str, str]:
    meta = {
        # Details come first: no kind may ever overwrite who said it and where.
        **{key: value for key, value in message.details.items() if key not in META_KEYS},
        "quote": message.quote or "",
        "forwarded_from": message.forwarded_from or "",
    }
    if message.edited:
        meta |= {"kind": "edit", "edited": "true"}
    if message.reply_to:
        meta |= {
            "reply_to_message_id": message.reply_to.message,
            "reply_to_text": message.reply_to.text,
            "reply_to_user": "bot" if message.reply_to.from_bot else "",
            "reply_to_file_id": message.reply_to.attachment.file if message.reply_to.attachment else "",
        }
    return meta


def _attachments(entries: Sequence[InboxEntry]) -> dict[str, str]:
    """Meta of every attached file; from the second on with a number at the end of the key."""
    meta: dict[str, str] = {}
    count = 0
    for entry in entries:
        if not isinstance(entry.inbound, InboundMessage) or not entry.inbound.attachment:
            continue
        count += 1
        suffix = "" if count == 1 else f"_{count}"
        about = _about_attachment(entry.inbound.attachment)
        match entry.fetch.state:
            case FetchState.DONE:
                about["image_path"] = entry.fetch.path
            case FetchState.FAILED:
                about["attachment_error"] = entry.fetch.cause
            case FetchState.WANTED:
                about["attachment_error"] = "The download takes long; fetch it with download_attachment."
            case FetchState.NONE:
                pass
        if entry.fetch.slow or entry.fetch.state is FetchState.WANTED:
            meta["delayed"] = "true"
        meta |= {f"{key}{suffix}": value for key, value in about.items()}
    if count > 1:
        meta["album_size"] = str(count)
    return meta


def _about_attachment(attachment: Attachment) -> dict[str, str]:
    return {
        "attachment_kind": attachment.kind.value,
        "attachment_file_id": attachment.file,
        "attachment_name": attachment.name or "",
        "attachment_mime": attachment.mime or "",
        "attachment_size": "" if attachment.size_bytes is None else str(attachment.size_bytes),
        "attachment_duration": "" if attachment.duration_s is None else str(attachment.duration_s),
    }


def _content(messages: Sequence[InboundMessage]) -> str:
    """The words; where there are none, what was sent instead."""
    if messages[0].album:
        words = "\n".join(message.text for message in messages if message.text)
    else:
        words = _rejoined([message.text for message in messages])
    return words or " ".join(_stand_in(message) for message in messages)


_MOST_TEXT_UNITS = 4096
"""Text of one message (source: Bot API, `Message.text`)."""


def _rejoined(parts: Sequence[str]) -> str:
    """The text as it was before the phone cut it: at a line end, which it drops, or hard at the limit."""
    whole = parts[0]
    for before, part in pairwise(parts):
        whole += part if utf16_len(before) >= _MOST_TEXT_UNITS else f"\n{part}"
    return whole


_WORDS = {
    AttachmentKind.VOICE: "voice message",
    AttachmentKind.VIDEO_NOTE: "video message",
}


def _stand_in(message: InboundMessage) -> str:
    attachment = message.attachment
    if not attachment:
        return "[empty message]"
    word = _WORDS.get(attachment.kind, attachment.kind.value)
    return f"[{word}: {attachment.name}]" if attachment.name else f"[{word}]"


_TAG = re.compile(r"<(?=\s*/?\s*(channel|system-reminder)\b)", re.IGNORECASE)


def _quoted(text: str) -> str:
    """Somebody's words, which cannot end the tag they stand in and speak as somebody else after it.

    The client puts content between `<channel …>` and `</channel>` as it is (source: channel contract).
    """
    return _TAG.sub("&lt;", _printable(text))


def _printable(text: str) -> str:
    """Text that survives JSON and the pipe: lone surrogates and NUL become the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
