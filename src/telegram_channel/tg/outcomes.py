"""What can honestly be said after sending failed: what arrived, what did not, and what nobody knows."""

from collections.abc import Sequence

from telegram_channel.core.ids import ChatId, MessageId
from telegram_channel.core.outgoing import PartlySent, Refused, SendOutcome, Uncertain
from telegram_channel.errors import Ambiguous, ChatClosed, ChatError, ChatMoved, TopicGone


def outcome_of(error: ChatError, arrived: Sequence[MessageId] = (), of: int = 1) -> SendOutcome:
    """The outcome when `error` ended it after `arrived` messages of `of`."""
    if arrived:
        return PartlySent(tuple(arrived), of, error.explained(), isinstance(error, Ambiguous))
    return failure_of(error)


def failure_of(error: ChatError) -> Uncertain | Refused:
    """The outcome when `error` ended it and nothing had arrived before."""
    cause = error.explained()
    if isinstance(error, Ambiguous):
        return Uncertain(cause)
    moved_to = ChatId(error.new_chat) if isinstance(error, ChatMoved) else None
    closed, topic_gone = isinstance(error, ChatClosed), isinstance(error, TopicGone)
    return Refused(cause, closed=closed, moved_to=moved_to, topic_gone=topic_gone)
