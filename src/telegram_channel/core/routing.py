"""Which of several sessions a message is for: exactly one, or nobody until a person has chosen.

Whoever names a session means that one, or its heir (see `succession`): it is never given to another without
being asked.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from telegram_channel.core.ids import ChatId, MessageId, SessionId, ThreadId

NOBODY = SessionId("")
"""In a move: for no session any more, until it is directed anew."""


class Why(StrEnum):
    """Why a message is for its session. Whoever named a session meant that one and no other."""

    ALONE = "alone"
    """There was no other."""
    CHOSEN = "chosen"
    """The chat had chosen it."""
    ANSWERED = "answered"
    """A person answered the bot's question about this very message."""
    TOPIC = "topic"
    """It was said in the session's topic."""
    REPLY = "reply"
    """It answers a message of the session."""
    NAMED = "named"
    """`/to NAME`."""

    @property
    def is_meant(self) -> bool:
        """Whether its sender meant this session in particular."""
        return self in (Why.TOPIC, Why.REPLY, Why.NAMED)


@dataclass(frozen=True, slots=True)
class Member:
    """A living session that takes messages."""

    session: SessionId
    label: str
    """What people call it: unique among the living."""
    project: str
    """Its project directory; absolute, empty when it is not known."""


@dataclass(frozen=True, slots=True)
class TopicBinding:
    """A topic that belongs to a project, and to one of its sessions as long as that lives."""

    chat: ChatId
    thread: ThreadId
    project: str
    session: SessionId | None
    """None when the session has ended: the next one of the same project takes the topic over."""
    name: str
    """What the topic is called in the chat."""
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """The bot asked a chat (or topic) which session is meant; what waits there follows the answer."""

    chat: ChatId
    thread: ThreadId | None
    message: MessageId
    """The bot's message with the buttons."""
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class RoutingFacts:
    """Everything that says whom one message is for. Sessions that are named here may be dead, and have no heir."""

    members: tuple[Member, ...]
    """The living sessions that take messages and are open to this sender."""
    addressed: SessionId | None = None
    """Named by `/to`."""
    bound: SessionId | None = None
    """Whose topic it was said in."""
    author: SessionId | None = None
    """Who wrote the message that it answers (or reacts to, or whose button it presses)."""
    chosen: SessionId | None = None
    """The chat's choice."""
    barred: frozenset[SessionId] = frozenset()
    """What is not open to this sender, living or not."""
    recent: frozenset[SessionId] = frozenset()
    """What has ended a moment ago and may be back in another: a restart keeps its name and its chats."""


@dataclass(frozen=True, slots=True)
class Directed:
    """It is for this living session."""

    session: SessionId
    why: Why


@dataclass(frozen=True, slots=True)
class Undecided:
    """It may be for any of these, two at least: somebody has to say."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Stranded:
    """It is for this session, which is not alive."""

    session: SessionId
    why: Why


@dataclass(frozen=True, slots=True)
class Barred:
    """It was meant for this session, which is not open to its sender: it goes nowhere, not even later."""

    session: SessionId
    why: Why


@dataclass(frozen=True, slots=True)
class NobodyThere:
    """No session is alive that this sender may write to."""


Route = Directed | Undecided | Stranded | Barred | NobodyThere


def route(facts: RoutingFacts) -> Route:
    """Whom a message is for: the first that applies of `/to`, its topic, what it answers, the choice, the only one.

    Whoever is named, has the topic or wrote what is answered, and is not alive, strands it. A choice that is not
    alive is none; but for the moment that a restart takes, what was chosen is waited for.
    """
    living = {one.session: one for one in facts.members if one.session not in facts.barred}
    meant = ((facts.addressed, Why.NAMED), (facts.bound, Why.TOPIC), (facts.author, Why.REPLY))
    for session, why in meant:
        if session:
            if session in facts.barred:
                return Barred(session, why)
            return Directed(session, why) if session in living else Stranded(session, why)
    if facts.chosen and facts.chosen not in facts.barred:
        if facts.chosen in living:
            return Directed(facts.chosen, Why.CHOSEN)
        if facts.chosen in facts.recent:
            return Stranded(facts.chosen, Why.CHOSEN)
    match tuple(living.values()):
        case ():
            return NobodyThere()
        case (only,):
            return Directed(only.session, Why.ALONE)
        case several:
            return Undecided(several)
