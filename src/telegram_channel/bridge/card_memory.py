"""What a process knows of a card's copies beyond what is stored: what was tried, and what a copy shows.

None of it is needed for what is right, so a restart may lose it: it spares the chat edits that change nothing,
cards that somebody has, and tries without end.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from telegram_channel.core.ids import ChatId, PromptId
from telegram_channel.core.permission import Card

_TRY_AGAIN_AFTER_S = (30.0, 120.0, 600.0, 3600.0)
"""What certainly failed is tried again this often, then left alone."""


@dataclass(slots=True)
class Attempts:
    """How often something was tried in vain, and when it may be tried next (monotonic seconds)."""

    failed: int = 0
    next_at_s: float = 0.0

    def may_try(self, now_s: float) -> bool:
        """Whether it is time to try."""
        return not self.given_up and self.next_at_s <= now_s

    @property
    def given_up(self) -> bool:
        """Whether it is left alone from now on."""
        return self.failed > len(_TRY_AGAIN_AFTER_S)

    def note_failure(self, now_s: float) -> None:
        """It was in vain once more."""
        self.failed += 1
        if not self.given_up:
            self.next_at_s = now_s + _TRY_AGAIN_AFTER_S[self.failed - 1]


@dataclass(slots=True)
class CardMemory:
    """The copies of one prompt's card. Chats stand for the people whose private chats they are."""

    before: str | None = None
    """What the file said when the card was written: a closed card shows the same change."""
    has_read: bool = False
    """Whether `before` was looked up."""
    sending: dict[ChatId, Attempts] = field(default_factory=dict)
    """Who is to have a copy, and how often it was certain that none arrived."""
    served: set[ChatId] = field(default_factory=set)
    """Who needs no other: a copy arrived, or may have, and enough were sent."""
    under_way: set[ChatId] = field(default_factory=set)
    """Whose copy is being sent, or waits to be sent again."""
    doubts: dict[ChatId, int] = field(default_factory=dict)
    """Who may have a copy that nobody knows, and how many times this process sent one."""
    unasked: Attempts = field(default_factory=Attempts)
    """How often there was nobody to ask."""
    again: set[Card] = field(default_factory=set)
    """Copies that say that they may be second ones."""
    improved: set[Card] = field(default_factory=set)
    """Copies that show what the hook told."""
    closing: dict[Card, Attempts] = field(default_factory=dict)
    done: set[Card] = field(default_factory=set)
    """Copies that show the outcome, so that one that comes late does not close the others again."""
    plain_only: bool = False
    """Whether Claude Code took the plain yes or no of its verdict and nothing else."""
    closings: int = 0
    """How many are at work on closing it."""

    def note_refusal(self, chat: ChatId, now_s: float) -> None:
        """A copy certainly did not arrive."""
        self.sending.setdefault(chat, Attempts()).note_failure(now_s)

    @property
    def is_in_use(self) -> bool:
        """Whether anything is under way that needs it."""
        return bool(self.under_way) or self.closings > 0


class CardMemories:
    """What is remembered of each prompt. Whoever looks after prompts says which of them are over."""

    def __init__(self) -> None:
        self._kept: dict[PromptId, CardMemory] = {}

    def of(self, prompt: PromptId) -> CardMemory:
        """The memory of a prompt, empty at first."""
        return self._kept.setdefault(prompt, CardMemory())

    def find(self, prompt: PromptId) -> CardMemory | None:
        """The memory of a prompt, if there is any."""
        return self._kept.get(prompt)

    def prompts(self) -> frozenset[PromptId]:
        """The prompts that are remembered."""
        return frozenset(self._kept)

    def forget(self, prompts: Collection[PromptId]) -> None:
        """Let go of prompts that are over; what is still under way is kept until the next time."""
        for prompt in prompts:
            memory = self._kept.get(prompt)
            if memory is not None and not memory.is_in_use:
                del self._kept[prompt]
