"""Permission prompts: what was asked, who may answer, which answer counts.

A button and a typed `yes <id>` become the same `Verdict` before anything is decided.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from telegram_channel.core.ids import ChatId, MessageId, PromptId, SenderId, SessionId


class Behavior(StrEnum):
    """The two answers the client understands (source: channel contract)."""

    ALLOW = "allow"
    DENY = "deny"


class How(StrEnum):
    """The way an answer was given."""

    BUTTON = "button"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """What the client sent, its four fields verbatim. All of it is untrusted text."""

    request_id: str
    """Five letters a-z without l."""
    tool_name: str
    description: str
    input_preview: str


@dataclass(frozen=True, slots=True)
class Card:
    """One copy of a prompt in one approver's chat."""

    chat: ChatId
    message: MessageId


@dataclass(frozen=True, slots=True)
class Verdict:
    """An approver's answer to a prompt, however it was given."""

    behavior: Behavior
    by: SenderId
    by_name: str
    how: How
    at: datetime


class Closing(StrEnum):
    """Why a prompt takes no answer any more although nobody in the chat gave one."""

    SESSION_ENDED = "session_ended"
    EXPIRED = "expired"
    ELSEWHERE = "elsewhere"
    """Answered in the terminal."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request, every copy of its card, and what became of it. At most one of `verdict`, `closing`."""

    prompt: PromptId
    session: SessionId
    request: PermissionRequest
    asked_at: datetime
    cards: tuple[Card, ...] = ()
    verdict: Verdict | None = None
    closing: Closing | None = None
    told_session: bool = False
    """Whether the verdict was written to the session that asked."""
    cards_closed: bool = False
    """Whether every copy shows the outcome."""

    @property
    def is_open(self) -> bool:
        """Whether an answer would still count."""
        return self.verdict is None and self.closing is None


@dataclass(frozen=True, slots=True)
class Decided:
    """This verdict is the one that counts. Exactly one per prompt."""

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class AlreadyDecided:
    """Somebody was faster: `prompt.verdict` is theirs."""

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class TooLate:
    """The prompt was closed without a verdict: `prompt.closing` says why."""

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Unknown:
    """No prompt has this id."""


Settlement = Decided | AlreadyDecided | TooLate | Unknown
