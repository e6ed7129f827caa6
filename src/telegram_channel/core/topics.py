"""Each session has at most one topic in a chat, and no two have the same; the next one of a project takes it over.

Pure, and one step at a time: whoever has carried out a step looks again, because other processes take steps, too.
A session takes its own steps. What is left by a session that has ended is tidied up by the process that polls.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from telegram_channel.core.ids import ChatId, SessionId, ThreadId
from telegram_channel.core.routing import Member, TopicBinding

ThreadFor = Callable[[ChatId], ThreadId | None]
"""The topic of a chat in which a session talks, None for the general one."""


def in_general(_chat: ChatId) -> None:
    """A `ThreadFor` without topics."""
    return


@dataclass(frozen=True, slots=True)
class TopicRules:
    """How often a session changes something about its topic in a chat; all in seconds."""

    open_again_after_s: float = 600
    """After an opening, whatever became of it: a topic that people delete is not opened again at once."""
    try_again_after_s: float = 600
    """After a change that was refused."""
    rename_every_s: float = 60
    """People see each change of a name in the chat."""


DEFAULT_RULES = TopicRules()


@dataclass(frozen=True, slots=True)
class Take:
    """A topic of the project is free in this chat."""

    chat: ChatId
    project: str


@dataclass(frozen=True, slots=True)
class AwaitRelease:
    """The session that has a topic of the project has ended; the topic is free in a moment."""

    chat: ChatId


@dataclass(frozen=True, slots=True)
class Open:
    """There is none to be had."""

    chat: ChatId
    name: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """It is the session's, and people cannot write to it."""

    topic: TopicBinding


@dataclass(frozen=True, slots=True)
class Rename:
    """It is the session's, and called otherwise."""

    topic: TopicBinding
    name: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The session has another one in this chat."""

    topic: TopicBinding


Step = Take | AwaitRelease | Open | Reopen | Rename | GiveBack


def own_topic(bindings: Iterable[TopicBinding], chat: ChatId, session: SessionId) -> TopicBinding | None:
    """The topic of a session in a chat: of several an open one, and then the oldest. `bindings`: oldest first."""
    own = [one for one in bindings if (one.chat, one.session) == (chat, session)]
    return next((one for one in own if one.is_open), own[0] if own else None)


def next_step(
    me: Member, chat: ChatId, bindings: Sequence[TopicBinding], living: Collection[SessionId]
) -> Step | None:
    """What a session does next about its topic in a chat where it may have one; None when all is well.

    `living` are the sessions whose topics are theirs; the others have ended. `bindings`: oldest first.
    """
    topic = own_topic(bindings, chat, me.session)
    if topic is None:
        return _first_step(me, chat, bindings, living)
    for other in bindings:
        if (other.chat, other.session) == (chat, me.session) and other.thread != topic.thread:
            return GiveBack(other)
    if not topic.is_open:
        return Reopen(topic)
    return None if topic.name == me.label else Rename(topic, me.label)


def _first_step(
    me: Member, chat: ChatId, bindings: Iterable[TopicBinding], living: Collection[SessionId]
) -> Step | None:
    """How a session without a topic gets one. Nobody inherits from a session whose project is not known."""
    if me.project:
        same = [one for one in bindings if (one.chat, one.project) == (chat, me.project)]
        if any(one.session is None for one in same):
            return Take(chat, me.project)
        if any(one.session not in living for one in same):
            return AwaitRelease(chat)
    return Open(chat, me.label)


TopicKey = tuple[ChatId, ThreadId, SessionId | None]
"""A topic, and who had it."""


def key_of(topic: TopicBinding) -> TopicKey:
    """What stays the same as long as a topic is left by the same session."""
    return topic.chat, topic.thread, topic.session


@dataclass(frozen=True, slots=True)
class TidyingPlan:
    """What is to be done about topics that no living session has, oldest first, and when to look again."""

    hand_over: tuple[TopicBinding, ...] = ()
    """A session of the project waits for it: it is free and stays open."""
    close: tuple[TopicBinding, ...] = ()
    """Closed, and then free; forgotten where nobody can inherit it."""
    look_again_in_s: float | None = None


def left_since(
    before: Mapping[TopicKey, float], bindings: Iterable[TopicBinding], living: Collection[SessionId], now_s: float
) -> Mapping[TopicKey, float]:
    """Since when each topic that needs care has been seen to be nobody's (monotonic seconds)."""
    return {key: before.get(key, now_s) for key in map(key_of, _left(bindings, living))}


def tidying(
    bindings: Sequence[TopicBinding],
    members: Sequence[Member],
    now_s: float,
    since: Mapping[TopicKey, float],
    orphaned_after_s: float,
) -> TidyingPlan:
    """Sort the topics that no living session has by what becomes of them, once they were left for long enough.

    `since`: see `left_since`; what it does not name was left now. A topic that was handed over and taken by
    nobody is closed after the same time.
    """
    left = _left(bindings, {one.session for one in members})
    waits = [orphaned_after_s - (now_s - since.get(key_of(one), now_s)) for one in left]
    awaiting = _awaiting(bindings, members)
    hand_over: list[TopicBinding] = []
    close: list[TopicBinding] = []
    for topic, wait_s in zip(left, waits, strict=True):
        if wait_s > 0:
            continue
        place = topic.chat, topic.project
        if topic.session is not None and topic.project and topic.is_open and awaiting.get(place, 0) > 0:
            awaiting[place] -= 1
            hand_over.append(topic)
        else:
            close.append(topic)
    return TidyingPlan(tuple(hand_over), tuple(close), min((one for one in waits if one > 0), default=None))


def _awaiting(bindings: Sequence[TopicBinding], members: Sequence[Member]) -> dict[tuple[ChatId, str], int]:
    """How many living sessions of a project have no topic in a chat, nor one that is free for them already."""
    missing: dict[tuple[ChatId, str], int] = {}
    for chat, project in {(one.chat, one.project) for one in bindings if one.project}:
        here = [one for one in bindings if one.chat == chat]
        without = [one for one in members if one.project == project and not own_topic(here, chat, one.session)]
        free = [one for one in here if one.project == project and one.session is None]
        missing[chat, project] = len(without) - len(free)
    return missing


def _left(bindings: Iterable[TopicBinding], living: Collection[SessionId]) -> list[TopicBinding]:
    """Topics of sessions that have ended, and open ones that are free."""
    return [one for one in bindings if (one.is_open if one.session is None else one.session not in living)]
