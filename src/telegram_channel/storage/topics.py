"""A topic is had by one session at a time, and then by the next one of its project: pure, for every backend."""

from collections.abc import Iterable
from dataclasses import replace

from telegram_channel.core.ids import ChatId, SessionId, ThreadId
from telegram_channel.core.routing import Question, TopicBinding

WHOLE_CHAT = ThreadId("")
"""Where a question stands that was asked outside of topics."""


def taken(bindings: Iterable[TopicBinding], chat: ChatId, project: str, session: SessionId) -> TopicBinding | None:
    """The topic that `session` has from now on, None when there is none to be had. `bindings`: oldest first.

    Sessions whose project is not known have nothing in common, so none inherits from another.
    """
    same = [one for one in bindings if (one.chat, one.project) == (chat, project)]
    own = next((one for one in same if one.session == session), None)
    free = next((one for one in same if one.session is None), None) if project else None
    return own or (free and replace(free, session=session))


def place_of(question: Question) -> tuple[ChatId, ThreadId]:
    """Where a question stands: one at a time."""
    return question.chat, question.thread or WHOLE_CHAT


def oldest_first(questions: Iterable[Question]) -> tuple[Question, ...]:
    """Questions as they are listed; those of the same moment in the order in which they were remembered."""
    return tuple(sorted(questions, key=lambda question: question.asked_at))
