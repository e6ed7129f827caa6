"""Permission prompts in memory, held to the same contract as those in SQLite."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from telegram_channel.core.ids import PromptId, SessionId
from telegram_channel.core.permission import Card, Closing, Decided, Details, Prompt, Settlement, Verdict
from telegram_channel.storage import settling
from telegram_channel.storage.memory_tables import Part


class MemoryPromptBook(Part):
    """`ports.PromptBook` in memory."""

    async def open(self, prompt: Prompt) -> None:
        """Store a new prompt; an open one of the same session and request id is closed as expired."""
        tables = self._tables
        if prompt.prompt in tables.prompts:
            raise settling.used_twice(prompt.prompt)
        self._keep(*settling.superseded(prompt, tables.prompts.values()), prompt)

    async def get(self, prompt: PromptId) -> Prompt | None:
        """One prompt, whatever its state."""
        return self._tables.prompts.get(prompt)

    async def find(self, request_id: str) -> Prompt | None:
        """The prompt with the client's id in any letter case: an open one first, else the newest."""
        key = settling.request_key(request_id)
        newest_first = list(self._tables.prompts.values())[::-1]
        found = [one for one in newest_first if settling.request_key(one.request.request_id) == key]
        return max(found, key=lambda one: one.is_open, default=None)

    async def add_cards(self, prompt: PromptId, cards: Sequence[Card]) -> None:
        """Remember copies of the card that were sent; a late copy makes the prompt uncleared again."""
        self._change(prompt, lambda found: settling.with_cards(found, cards))

    async def enrich(self, prompt: PromptId, details: Details) -> Prompt | None:
        """Add what the hook said to an open prompt that has no details; returns it as it is now."""
        self._change(prompt, lambda found: settling.enriched(found, details))
        return self._tables.prompts.get(prompt)

    async def settle(self, prompt: PromptId, verdict: Verdict) -> Settlement:
        """Exactly one verdict per prompt is `Decided`, and audited in the same step."""
        settlement, row = settling.settle(self._tables.prompts.get(prompt), verdict)
        if row is not None and isinstance(settlement, Decided):
            self._tables.audit.append(row)
            self._keep(settlement.prompt)
        return settlement

    async def close(self, prompt: PromptId, closing: Closing) -> bool:
        """Close an open prompt without a verdict; False if it was not open."""
        return self._change(prompt, lambda found: replace(found, closing=closing) if found.is_open else found)

    async def untold(self, session: SessionId | None = None) -> tuple[Prompt, ...]:
        """Decided prompts whose verdict was not written to their session yet: of one session, or of all."""
        return self._where(lambda prompt: session in (None, prompt.session) and settling.is_untold(prompt))

    async def mark_told(self, prompt: PromptId) -> None:
        """The verdict was written to the session."""
        self._change(prompt, lambda found: replace(found, told_session=True))

    async def uncleared(self) -> tuple[Prompt, ...]:
        """Prompts that are not open and whose cards still show buttons."""
        return self._where(settling.is_uncleared)

    async def mark_cleared(self, prompt: PromptId) -> None:
        """Every copy of the card shows the outcome."""
        self._change(prompt, lambda found: replace(found, cards_closed=True))

    async def open_prompts(self) -> tuple[Prompt, ...]:
        """Everything that still takes an answer, oldest first."""
        return self._where(lambda prompt: prompt.is_open)

    async def prune(self, before: datetime) -> int:
        """Forget prompts that were asked before and about which nothing is owed; returns how many."""
        gone = self._where(lambda prompt: prompt.asked_at < before and not settling.is_owed(prompt))
        for prompt in gone:
            del self._tables.prompts[prompt.prompt]
        if gone:
            self._store.changed()
        return len(gone)

    def _change(self, prompt: PromptId, change: Callable[[Prompt], Prompt]) -> bool:
        found = self._tables.prompts.get(prompt)
        changed = None if found is None else change(found)
        if changed is None or changed == found:
            return False
        self._keep(changed)
        return True

    def _keep(self, *prompts: Prompt) -> None:
        self._tables.prompts.update({prompt.prompt: prompt for prompt in prompts})
        self._store.changed()

    def _where(self, condition: Callable[[Prompt], bool]) -> tuple[Prompt, ...]:
        return tuple(prompt for prompt in self._tables.prompts.values() if condition(prompt))
