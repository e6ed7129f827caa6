"""What can honestly be said after sending failed: what arrived, what did not, and what nobody knows."""

from collections.abc import Sequence

from telegram_channel.core.ids import ChatId, MessageId
from telegram_channel.core.outgoing import PartlySent, Refused, SendOutcome, Uncertain
from telegram_channel.errors import Ambiguous, ChatClosed, ChatError, ChatMoved


def outcome_of(error: ChatError, arrived: Sequence[MessageId] = (), of: int = 1) -> SendOutcome:
    """The outcome when `error` ended it after `arrived` messages of `of`."""
    cause = error.explained()
    uncertain = isinstance(error, Ambiguous)
    if arrived:
        return PartlySent(tuple(arrived), of, cause, uncertain)
    if uncertain:
        return Uncertain(cause)
    moved_to = ChatId(error.new_chat) if isinstance(error, ChatMoved) else None
    return Refused(cause, closed=isinstance(error, ChatClosed), moved_to=moved_to)
