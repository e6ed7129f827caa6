"""Opaque identifiers: equal or not equal, and nothing else, outside the room that made them."""

from typing import NewType

BotId = NewType("BotId", str)
"""The number before the colon of a bot token. Every stored key starts with it."""

ChatId = NewType("ChatId", str)
ThreadId = NewType("ThreadId", str)
"""A topic inside a chat."""

SenderId = NewType("SenderId", str)
"""A person. The chat of a private conversation has the same text as its sender: see `private_chat`."""

MessageId = NewType("MessageId", str)
"""Unique within its chat only."""

FileRef = NewType("FileRef", str)
"""What Telegram calls `file_id`: enough to download the file again."""

SessionId = NewType("SessionId", str)
"""One Claude Code session (`CLAUDE_CODE_SESSION_ID`), or a random one where the client gave none."""

UpdateId = NewType("UpdateId", int)
"""Identity by equality only: after a quiet week the next one is random, so order means nothing."""

EntryId = NewType("EntryId", int)
"""Position in the inbox: entries of one bot are delivered in this order within their chat."""

PressId = NewType("PressId", str)
"""What Telegram calls `callback_query_id`: answers one button press, once."""

PromptId = NewType("PromptId", str)
"""One permission prompt of one session; unlike the request id of the client it is never reused."""


def private_chat(sender: SenderId) -> ChatId:
    """The chat in which the bot and this person are alone (source: Bot API, `Chat.id` of a private chat)."""
    return ChatId(sender)
