"""What a verdict, a closing, a new card or a hook does to a prompt: pure, and the same for every backend."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from telegram_channel.core.audit import AuditRow
from telegram_channel.core.ids import PromptId
from telegram_channel.core.permission import (
    AlreadyDecided,
    Card,
    Closing,
    Decided,
    Details,
    Prompt,
    Settlement,
    TooLate,
    Unknown,
    Verdict,
)

_KINDS_OF_SUGGESTION = frozenset(
    ("addRules", "replaceRules", "removeRules", "addDirectories", "removeDirectories", "setMode")
)
"""Source: `permission_suggestions` of the client's PermissionRequest hook. Any other name may be anybody's words."""


def settle(prompt: Prompt | None, verdict: Verdict) -> tuple[Settlement, AuditRow | None]:
    """What the verdict amounts to; the audit row is there when it is the one that now counts."""
    if prompt is None:
        return Unknown(), None
    if prompt.verdict is not None:
        return (Decided(prompt) if _is_repeated(prompt.verdict, verdict) else AlreadyDecided(prompt)), None
    if prompt.closing is not None:
        return TooLate(prompt), None
    detail = f"{verdict.behavior} by {verdict.how}: {prompt.request.tool_name} (prompt {prompt.prompt})"
    if verdict.always is not None:
        detail += f", always #{verdict.always + 1}{_kind_of_suggestion(prompt.details, verdict.always)}"
    if verdict.reason:
        detail += ", with a reason"
    row = AuditRow(verdict.at, verdict.by, "verdict", prompt.request.request_id, detail)
    return Decided(replace(prompt, verdict=verdict)), row


def _is_repeated(first: Verdict, second: Verdict) -> bool:
    """The same answer of the same person, way and time; a name may have changed meanwhile."""
    return replace(first, by_name="") == replace(second, by_name="")


def _kind_of_suggestion(details: Details | None, index: int) -> str:
    """What sort of suggestion it is, in brackets, and none of its words; empty when that is not known."""
    suggestions = details.suggestions if details is not None else ()
    if not 0 <= index < len(suggestions):
        return ""
    try:
        kind = json.loads(suggestions[index].raw)["type"]
    except (ValueError, RecursionError, TypeError, KeyError, IndexError):
        return ""
    return f" ({kind})" if isinstance(kind, str) and kind in _KINDS_OF_SUGGESTION else ""


def enriched(prompt: Prompt, details: Details) -> Prompt:
    """The prompt with what the hook said; as it is when it is closed or the hook has spoken before."""
    return replace(prompt, details=details) if prompt.is_open and prompt.details is None else prompt


def superseded(opened: Prompt, others: Iterable[Prompt]) -> list[Prompt]:
    """Open prompts that `opened` replaces, as they are from now on: closed, so that their cards are cleared."""
    key, session = request_key(opened.request.request_id), opened.session
    return [
        replace(other, closing=Closing.EXPIRED)
        for other in others
        if other.is_open and other.session == session and request_key(other.request.request_id) == key
    ]


def with_cards(prompt: Prompt, cards: Sequence[Card]) -> Prompt:
    """The prompt with further copies of its card. A copy that came late shows buttons that must be cleared."""
    new = tuple(card for card in dict.fromkeys(cards) if card not in prompt.cards)
    return replace(prompt, cards=prompt.cards + new, cards_closed=False) if new else prompt


def is_untold(prompt: Prompt) -> bool:
    """Whether the session that asked still waits for the verdict."""
    return prompt.verdict is not None and not prompt.told_session


def is_uncleared(prompt: Prompt) -> bool:
    """Whether cards still show buttons that mean nothing any more."""
    return not prompt.is_open and bool(prompt.cards) and not prompt.cards_closed


def is_owed(prompt: Prompt) -> bool:
    """Whether anything is still to be done about it."""
    return prompt.is_open or is_untold(prompt) or is_uncleared(prompt)


def request_key(request_id: str) -> str:
    """The client's id as it is compared; total, because people type it."""
    return request_id.lower().encode("ascii", "backslashreplace").decode("ascii")


def used_twice(prompt: PromptId) -> ValueError:
    """The error for a prompt id that was used before: it would undo a decision."""
    return ValueError(f"prompt id {prompt!r} is used already")
