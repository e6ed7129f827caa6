"""The one codec between Telegram's integers and the opaque ids of the core."""

import re

from telegram_channel.core.ids import ChatId, MessageId, SenderId, ThreadId
from telegram_channel.errors import BadRequest

_INTEGER = re.compile(r"-?[1-9][0-9]{0,18}")

GENERAL_TOPIC = 1
"""The topic every forum begins with; a message to it is sent without a thread (source: Bot API, forum topics)."""

NOBODY = SenderId("0")
"""Stands where a value needs a sender and Telegram shows no person. No user has this id."""


def chat_id(number: int) -> ChatId:
    """Encode a chat."""
    return ChatId(str(number))


def sender_id(number: int) -> SenderId:
    """Encode a person."""
    return SenderId(str(number))


def message_id(number: int) -> MessageId:
    """Encode a message of a chat."""
    return MessageId(str(number))


def thread_id(number: int) -> ThreadId:
    """Encode a topic of a chat."""
    return ThreadId(str(number))


def number(opaque: ChatId | SenderId | MessageId | ThreadId) -> int:
    """Decode any id made here.

    Raises:
        BadRequest: it was not made here; the text is safe to show.
    """
    if not _INTEGER.fullmatch(opaque):
        raise BadRequest(
            f"{opaque[:40]!r} is not an id that Telegram uses.", "Use an id exactly as it came with a message."
        )
    return int(opaque)


def thread_number(thread: ThreadId | None) -> int | None:
    """What to send as `message_thread_id`: nothing for no topic and for the general one.

    Raises:
        BadRequest: it is not an id of a topic.
    """
    if thread is None:
        return None
    topic = number(thread)
    return None if topic == GENERAL_TOPIC else topic


def is_group(chat: ChatId) -> bool:
    """Whether the stricter pace of groups holds: every chat but a private one has a negative id (Bot API)."""
    return chat.startswith("-")
