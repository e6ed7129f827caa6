"""Permission prompts in SQLite: one verdict per prompt counts, and it is audited in the same step."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from telegram_channel.core.ids import BotId, PromptId, SessionId
from telegram_channel.core.permission import Card, Closing, Decided, Details, Prompt, Settlement, Verdict
from telegram_channel.storage import settling
from telegram_channel.storage.codec import PROMPT, time_text
from telegram_channel.storage.sqlite_access import add_audit_rows
from telegram_channel.storage.sqlite_worker import Database


class SqlitePromptBook:
    """`ports.PromptBook` of one bot. A prompt is one document; the columns beside it only find it."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def open(self, prompt: Prompt) -> None:
        """Store a new prompt; an open one of the same session and request id is closed as expired.

        Raises:
            ValueError: the prompt id was used before.
        """

        def store(connection: sqlite3.Connection) -> None:
            if self._get(connection, prompt.prompt) is not None:
                raise settling.used_twice(prompt.prompt)
            for other in settling.superseded(prompt, self._owed(connection)):
                self._update(connection, other)
            connection.execute(
                "INSERT INTO prompts (bot, prompt, request_key, asked_at, owed, body) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    self._bot,
                    prompt.prompt,
                    settling.request_key(prompt.request.request_id),
                    time_text(prompt.asked_at),
                    settling.is_owed(prompt),
                    PROMPT.encode(prompt),
                ),
            )

        await self._database.write(store)

    async def get(self, prompt: PromptId) -> Prompt | None:
        """One prompt, whatever its state."""
        return await self._database.read(lambda connection: self._get(connection, prompt))

    async def find(self, request_id: str) -> Prompt | None:
        """The prompt with the client's id in any letter case: an open one first, else the newest."""
        key = settling.request_key(request_id)

        def find(connection: sqlite3.Connection) -> Prompt | None:
            newest = None
            for row in connection.execute(
                "SELECT body FROM prompts WHERE bot = ? AND request_key = ? ORDER BY row DESC", (self._bot, key)
            ):
                prompt = PROMPT.decode(row[0])
                if prompt.is_open:
                    return prompt
                newest = newest or prompt
            return newest

        return await self._database.read(find)

    async def add_cards(self, prompt: PromptId, cards: Sequence[Card]) -> None:
        """Remember copies of the card that were sent; a late copy makes the prompt uncleared again."""
        await self._change(prompt, lambda found: settling.with_cards(found, cards))

    async def enrich(self, prompt: PromptId, details: Details) -> Prompt | None:
        """Add what the hook said to an open prompt that has no details; returns it as it is now."""

        def add(connection: sqlite3.Connection) -> Prompt | None:
            found = self._get(connection, prompt)
            enriched = None if found is None else settling.enriched(found, details)
            if enriched is not None and enriched != found:
                self._update(connection, enriched)
            return enriched

        return await self._database.write(add)

    async def settle(self, prompt: PromptId, verdict: Verdict) -> Settlement:
        """Compare-and-set: exactly one verdict per prompt is `Decided`, and audited in the same step."""

        def decide(connection: sqlite3.Connection) -> Settlement:
            settlement, row = settling.settle(self._get(connection, prompt), verdict)
            if row is not None and isinstance(settlement, Decided):
                self._update(connection, settlement.prompt)
                add_audit_rows(connection, self._bot, (row,))
            return settlement

        return await self._database.write(decide)

    async def close(self, prompt: PromptId, closing: Closing) -> bool:
        """Close an open prompt without a verdict; False if it was not open."""
        return await self._change(prompt, lambda found: replace(found, closing=closing) if found.is_open else found)

    async def untold(self, session: SessionId | None = None) -> tuple[Prompt, ...]:
        """Decided prompts whose verdict was not written to their session yet: of one session, or of all."""
        return await self._select(lambda prompt: session in (None, prompt.session) and settling.is_untold(prompt))

    async def mark_told(self, prompt: PromptId) -> None:
        """The verdict was written to the session."""
        await self._change(prompt, lambda found: replace(found, told_session=True))

    async def uncleared(self) -> tuple[Prompt, ...]:
        """Prompts that are not open and whose cards still show buttons."""
        return await self._select(settling.is_uncleared)

    async def mark_cleared(self, prompt: PromptId) -> None:
        """Every copy of the card shows the outcome."""
        await self._change(prompt, lambda found: replace(found, cards_closed=True))

    async def open_prompts(self) -> tuple[Prompt, ...]:
        """Everything that still takes an answer, oldest first."""
        return await self._select(lambda prompt: prompt.is_open)

    async def prune(self, before: datetime) -> int:
        """Forget prompts that were asked before and about which nothing is owed; returns how many."""

        def forget(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM prompts WHERE bot = ? AND owed = 0 AND asked_at < ?", (self._bot, time_text(before))
            ).rowcount

        return await self._database.write(forget)

    async def _change(self, prompt: PromptId, change: Callable[[Prompt], Prompt]) -> bool:
        """Apply a pure change to one prompt; whether it was there and changed."""

        def apply(connection: sqlite3.Connection) -> bool:
            found = self._get(connection, prompt)
            if found is None:
                return False
            changed = change(found)
            if changed != found:
                self._update(connection, changed)
            return changed != found

        return await self._database.write(apply)

    async def _select(self, condition: Callable[[Prompt], bool]) -> tuple[Prompt, ...]:
        return await self._database.read(
            lambda connection: tuple(prompt for prompt in self._owed(connection) if condition(prompt))
        )

    def _get(self, connection: sqlite3.Connection, prompt: PromptId) -> Prompt | None:
        row = connection.execute(
            "SELECT body FROM prompts WHERE bot = ? AND prompt = ?", (self._bot, prompt)
        ).fetchone()
        return None if row is None else PROMPT.decode(row[0])

    def _owed(self, connection: sqlite3.Connection) -> list[Prompt]:
        rows = connection.execute("SELECT body FROM prompts WHERE bot = ? AND owed = 1 ORDER BY row", (self._bot,))
        return [PROMPT.decode(row[0]) for row in rows.fetchall()]

    def _update(self, connection: sqlite3.Connection, prompt: Prompt) -> None:
        connection.execute(
            "UPDATE prompts SET owed = ?, body = ? WHERE bot = ? AND prompt = ?",
            (settling.is_owed(prompt), PROMPT.encode(prompt), self._bot, prompt.prompt),
        )
