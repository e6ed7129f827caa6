"""What a hook tells about a prompt is added once, kept with it, and never quoted in the audit."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from telegram_channel.core.audit import AuditRow
from telegram_channel.core.ids import BotId
from telegram_channel.core.permission import Closing, Decided, Details, Suggestion
from telegram_channel.ports import Store
from tests.storage.conftest import Shelf
from tests.storage.test_contract_prompts import ANN, CARD, FIRST, SECOND, SESSION, prompt, verdict
from tests.values import later

DETAILS = Details(
    '{"command": "rm -r \ud800"}',
    (
        Suggestion("Always allow npm test", '{"type":"addRules","rules":[],"behavior":"allow"}'),
        Suggestion("Allow it all", '{"type":"do what I say"}'),
        Suggestion("Odd", '["addRules"]'),
        Suggestion("Broken", "[" * 100_000),
        Suggestion("Unhashable", '{"type":["addRules"]}'),
    ),
    "reviewer",
)


class TestEnriching:
    async def test_an_open_prompt_gets_the_details(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(replace(prompt(), cards=(CARD,)))
        enriched = replace(prompt(), cards=(CARD,), details=DETAILS)
        assert await store.prompts.enrich(FIRST, DETAILS) == enriched
        seen = await shelf.again(store)
        assert await seen.prompts.get(FIRST) == await seen.prompts.find("abcde") == enriched
        assert await seen.prompts.open_prompts() == (enriched,)

    async def test_it_can_be_opened_with_them(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(replace(prompt(), details=DETAILS))
        assert await (await shelf.again(store)).prompts.get(FIRST) == replace(prompt(), details=DETAILS)

    async def test_details_that_are_there_stay(self, shelf: Shelf, store: Store) -> None:
        """MUST S34: what an approver was shown of a request is never exchanged for something else."""
        await store.prompts.open(prompt())
        await store.prompts.enrich(FIRST, DETAILS)
        seen = await shelf.again(store)
        before = await seen.wait_for_change(-1, 0)
        for other in (DETAILS, Details("{}")):
            assert await seen.prompts.enrich(FIRST, other) == replace(prompt(), details=DETAILS)
        assert await seen.wait_for_change(-1, 0) == before

    @pytest.mark.parametrize("decided", [True, False])
    async def test_a_prompt_that_is_not_open_stays_as_it_is(self, store: Store, decided: bool) -> None:
        await store.prompts.open(prompt())
        if decided:
            await store.prompts.settle(FIRST, verdict())
        else:
            await store.prompts.close(FIRST, Closing.ELSEWHERE)
        closed, before = await store.prompts.get(FIRST), await store.wait_for_change(-1, 0)
        assert await store.prompts.enrich(FIRST, DETAILS) == closed
        assert closed is not None
        assert closed.details is None
        assert await store.wait_for_change(-1, 0) == before

    async def test_there_is_nothing_to_add_to_an_unknown_prompt(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(prompt())
        before = await store.wait_for_change(-1, 0)
        assert await store.prompts.enrich(SECOND, DETAILS) is None
        assert await (await shelf.open(BotId("43"))).prompts.enrich(FIRST, DETAILS) is None
        assert await store.wait_for_change(-1, 0) == before

    async def test_they_outlast_everything_that_happens_to_the_prompt(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(prompt())
        await store.prompts.enrich(FIRST, DETAILS)
        await store.prompts.add_cards(FIRST, [CARD])
        answer = replace(verdict(), always=0, reason="only \ud800 this once")
        await store.prompts.settle(FIRST, answer)
        seen = await shelf.again(store)
        [owed] = await seen.prompts.untold(SESSION)
        assert (owed.details, owed.cards, owed.verdict) == (DETAILS, (CARD,), answer)

    async def test_of_two_at_the_same_time_one_is_kept(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open()
        await store.prompts.open(prompt())
        mine, theirs = await asyncio.gather(
            store.prompts.enrich(FIRST, DETAILS), other.prompts.enrich(FIRST, Details("{}"))
        )
        assert mine == theirs == await store.prompts.get(FIRST)


class TestWhatTheAuditSaysOfAVerdict:
    """MUST S35: the audit says that more than this once was allowed, or a reason given, and quotes nobody."""

    @pytest.mark.parametrize(
        ("details", "more", "said"),
        [
            (DETAILS, {"always": 0}, ", always #1 (addRules)"),
            (DETAILS, {"always": 1}, ", always #2"),
            (DETAILS, {"always": 2}, ", always #3"),
            (DETAILS, {"always": 3}, ", always #4"),
            (DETAILS, {"always": 4}, ", always #5"),
            (DETAILS, {"always": 5}, ", always #6"),
            (DETAILS, {"always": -1}, ", always #0"),
            (None, {"always": 0}, ", always #1"),
            (DETAILS, {"reason": "my secret words"}, ", with a reason"),
            (DETAILS, {"always": 0, "reason": "my secret words"}, ", always #1 (addRules), with a reason"),
            (DETAILS, {}, ""),
        ],
    )
    async def test_it_names_the_sort_and_never_the_words(
        self, shelf: Shelf, store: Store, details: Details | None, more: dict[str, Any], said: str
    ) -> None:
        await store.prompts.open(replace(prompt(), details=details))
        assert isinstance(await store.prompts.settle(FIRST, replace(verdict(), **more)), Decided)
        [row] = await (await shelf.again(store)).audit.rows()
        assert row == AuditRow(later(5), ANN, "verdict", "abcde", f"allow by button: Bash (prompt p1){said}")
