"""Permission prompts: what was asked, who may answer, which answer counts.

A button and a typed `yes <id>` become the same `Verdict` before anything is decided.
"""

import re
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
    COMMAND = "command"
    """`/stop`, which denies everything that is open."""


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """What the client sent, its four fields verbatim. All of it is untrusted text."""

    request_id: str
    """Five letters a-z without l."""
    tool_name: str
    description: str
    input_preview: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One of the terminal's own further choices, such as "always allow this command"."""

    words: str
    """What it means, in plain words. Built from untrusted text."""
    raw: str
    """The client's JSON of it, to be handed back as it is."""


@dataclass(frozen=True, slots=True)
class Details:
    """What the client's hook said about a request, beyond the request itself. All of it is untrusted text."""

    tool_input: str
    """The whole input as JSON text."""
    suggestions: tuple[Suggestion, ...] = ()
    agent: str = ""
    """The subagent that asks; empty for the main conversation."""


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
    always: int | None = None
    """Which of the prompt's suggestions is accepted as well: an index into `Details.suggestions`."""
    reason: str = ""
    """What the approver wrote, for Claude, when denying."""


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
    details: Details | None = None

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


MOST_SUGGESTIONS = 4
"""Further choices on one card; one digit names each of them on its button."""

_ANSWER = re.compile(r"\s*(y|yes|n|no)\s+([a-km-z]{5})\s*", re.ASCII | re.IGNORECASE)
"""The whole message, nothing before or after it; the id as the channel contract makes it."""
_BARE_ANSWER = re.compile(r"\s*(y|yes|n|no)\s*", re.ASCII | re.IGNORECASE)
_REQUEST_ID = re.compile(r"[a-km-z]{5}", re.ASCII)
_BUTTON_PREFIX = "perm:"
_BUTTON = re.compile(r"perm:([ad]|s[0-3]):([!-~]+)", re.ASCII)
_MOST_BUTTON_BYTES = 64
"""Source: Bot API, `InlineKeyboardButton.callback_data`."""
_LETTERS = {Behavior.ALLOW: "a", Behavior.DENY: "d"}
_BEHAVIORS = {letter: behavior for behavior, letter in _LETTERS.items()}


@dataclass(frozen=True, slots=True)
class TypedAnswer:
    """`yes abcde`, as a value; the id in lower case."""

    behavior: Behavior
    request_id: str


@dataclass(frozen=True, slots=True)
class PressedAnswer:
    """What a button on a card stands for."""

    behavior: Behavior
    prompt: PromptId
    always: int | None = None
    """Which of the prompt's suggestions is accepted as well. Whether there is such a one: see `offers`."""


def parse_answer(text: str) -> TypedAnswer | None:
    """The answer a message is, or None when it is an ordinary message.

    Only `yes`, `y`, `no` or `n` followed by five letters without `l`, in any letter case, and nothing else.
    """
    match = _ANSWER.fullmatch(text)
    if not match:
        return None
    behavior = Behavior.ALLOW if match[1].lower().startswith("y") else Behavior.DENY
    return TypedAnswer(behavior, match[2].lower())


def parse_bare_answer(text: str) -> Behavior | None:
    """The answer that a reply to a card is without naming the request, or None when it is anything else.

    Only `yes`, `y`, `no` or `n`, in any letter case, and nothing else.
    """
    match = _BARE_ANSWER.fullmatch(text)
    if not match:
        return None
    return Behavior.ALLOW if match[1].lower().startswith("y") else Behavior.DENY


def is_request_id(text: str) -> bool:
    """Whether an answer could name it: five lower-case letters without `l` (source: channel contract)."""
    return _REQUEST_ID.fullmatch(text) is not None


def is_permission_data(data: str) -> bool:
    """Whether a button with this data belongs to a permission card, readable or not."""
    return data.startswith(_BUTTON_PREFIX)


def button_data(behavior: Behavior, prompt: PromptId) -> str:
    """The data behind a button of a card.

    Raises:
        ValueError: the prompt's id is longer than fits a button, or has other than visible ASCII letters.
    """
    return _data(_LETTERS[behavior], prompt)


def suggestion_data(index: int, prompt: PromptId) -> str:
    """The data behind the button that allows and accepts suggestion `index`, counted from 0.

    Raises:
        ValueError: as for `button_data`, or the index is beyond `MOST_SUGGESTIONS`.
    """
    return _data(f"s{index}", prompt)


def _data(choice: str, prompt: PromptId) -> str:
    data = f"{_BUTTON_PREFIX}{choice}:{prompt}"
    if len(data.encode()) > _MOST_BUTTON_BYTES or not _BUTTON.fullmatch(data):
        raise ValueError(f"{choice!r} for {prompt!r} does not fit a button")
    return data


def parse_button(data: str) -> PressedAnswer | None:
    """What a card's button stands for; None for data that no card of ours carries."""
    match = _BUTTON.fullmatch(data)
    if not match:
        return None
    choice, prompt = match[1], PromptId(match[2])
    if choice in _BEHAVIORS:
        return PressedAnswer(_BEHAVIORS[choice], prompt)
    return PressedAnswer(Behavior.ALLOW, prompt, always=int(choice[1:]))


def offers(prompt: Prompt, always: int | None) -> bool:
    """Whether an answer with this `always` is one that the prompt's card can give. Ask before settling it."""
    return always is None or suggestion(prompt, always) is not None


def suggestion(prompt: Prompt, always: int | None) -> Suggestion | None:
    """The suggestion that an answer accepts as well; None when it accepts none, or none that exists."""
    suggestions = prompt.details.suggestions[:MOST_SUGGESTIONS] if prompt.details else ()
    return suggestions[always] if always is not None and 0 <= always < len(suggestions) else None


class Standing(StrEnum):
    """What an answer is worth, before it is settled against those of others."""

    COUNTS = "counts"
    """Settle it; somebody else may still have been faster."""
    NOT_APPROVER = "not_approver"
    UNKNOWN = "unknown"
    """There is no such prompt."""
    OLD = "old"
    """It waited on the server while nobody polled: circumstances may have changed."""


def judge(prompt: Prompt | None, *, may_approve: bool, fresh: bool) -> Standing:
    """The one check for buttons and typed answers. Anything in doubt does not count.

    An old answer to a prompt that is closed anyway is settled: the outcome is then the truer reason.
    """
    if not may_approve:
        return Standing.NOT_APPROVER
    if prompt is None:
        return Standing.UNKNOWN
    if prompt.is_open and not fresh:
        return Standing.OLD
    return Standing.COUNTS
