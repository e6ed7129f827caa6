"""What every backend keeps of permission prompts, and that exactly one verdict counts."""

import asyncio
from dataclasses import replace

import pytest

from telegram_channel.core.audit import AuditRow
from telegram_channel.core.ids import BotId, ChatId, MessageId, PromptId, SenderId, SessionId
from telegram_channel.core.permission import (
    AlreadyDecided,
    Behavior,
    Card,
    Closing,
    Decided,
    How,
    PermissionRequest,
    Prompt,
    TooLate,
    Unknown,
    Verdict,
)
from telegram_channel.ports import Store
from tests.storage.conftest import Shelf
from tests.values import NOON, later

ANN, BOB = SenderId("1001"), SenderId("1002")
FIRST, SECOND = PromptId("p1"), PromptId("p2")
SESSION = SessionId("s1")
CARD = Card(ChatId("1001"), MessageId("50"))
LATE_CARD = Card(ChatId("1002"), MessageId("51"))


def prompt(name: str = FIRST, request_id: str = "abcde", session: SessionId = SESSION, seconds: float = 0) -> Prompt:
    request = PermissionRequest(request_id, "Bash", "Run shell command", '{"command": "ls \ud800"}')
    return Prompt(PromptId(name), session, request, later(seconds))


def verdict(by: SenderId = ANN, behavior: Behavior = Behavior.ALLOW, seconds: float = 5) -> Verdict:
    return Verdict(behavior, by, "Ann", How.BUTTON, later(seconds))


async def names(prompts: tuple[Prompt, ...]) -> list[str]:
    return [one.prompt for one in prompts]


class TestOpening:
    async def test_a_prompt_comes_back_as_it_was(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(replace(prompt(), cards=(CARD,)))
        seen = await shelf.again(store)
        assert await seen.prompts.get(FIRST) == replace(prompt(), cards=(CARD,))
        assert await seen.prompts.get(SECOND) is None
        assert await seen.prompts.open_prompts() == (replace(prompt(), cards=(CARD,)),)

    async def test_prompts_of_another_bot_are_unknown(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(prompt())
        other = await shelf.open(BotId("43"))
        assert await other.prompts.get(FIRST) is None
        assert await other.prompts.find("abcde") is None
        assert await other.prompts.settle(FIRST, verdict()) == Unknown()
        assert await other.prompts.open_prompts() == ()

    async def test_open_prompts_come_oldest_first(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(prompt("z", "aaaaa"))
        await store.prompts.open(prompt("a", "bbbbb"))
        assert await names(await (await shelf.again(store)).prompts.open_prompts()) == ["z", "a"]

    async def test_the_same_request_again_closes_the_prompt_before(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(replace(prompt(), cards=(CARD,)))
        await store.prompts.open(prompt(SECOND, "ABCDE"))
        seen = await shelf.again(store)
        assert await names(await seen.prompts.open_prompts()) == [SECOND]
        assert await names(await seen.prompts.uncleared()) == [FIRST]
        assert isinstance(await seen.prompts.settle(FIRST, verdict()), TooLate)

    async def test_the_same_request_of_another_session_is_another(self, store: Store) -> None:
        await store.prompts.open(prompt())
        await store.prompts.open(prompt(SECOND, session=SessionId("s2")))
        assert await names(await store.prompts.open_prompts()) == [FIRST, SECOND]

    async def test_a_prompt_id_is_never_used_twice(self, store: Store) -> None:
        """MUST S14: a decision is never undone by asking again under the same id."""
        await store.prompts.open(prompt())
        decided = await store.prompts.settle(FIRST, verdict())
        assert isinstance(decided, Decided)
        with pytest.raises(ValueError, match="used already"):
            await store.prompts.open(prompt())
        assert await store.prompts.get(FIRST) == decided.prompt


class TestFinding:
    async def test_letter_case_does_not_matter(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(prompt(request_id="abCde"))
        seen = await shelf.again(store)
        for typed in ("abcde", "ABCDE", "abCde"):
            assert await seen.prompts.find(typed) == prompt(request_id="abCde")
        assert await seen.prompts.find("abcdf") is None

    async def test_whatever_people_type_is_at_most_unknown(self, store: Store) -> None:
        await store.prompts.open(prompt())
        for typed in ("", "%", "\ud800", "abcde\x00", "äöüßx", "a" * 5000):
            assert await store.prompts.find(typed) is None

    async def test_an_open_prompt_comes_before_a_newer_closed_one(self, store: Store) -> None:
        await store.prompts.open(prompt(FIRST))
        await store.prompts.open(prompt(SECOND, session=SessionId("s2")))
        await store.prompts.close(SECOND, Closing.ELSEWHERE)
        found = await store.prompts.find("abcde")
        assert found is not None
        assert found.prompt == FIRST

    async def test_without_an_open_one_the_newest_is_found(self, shelf: Shelf, store: Store) -> None:
        for name in (FIRST, SECOND):
            await store.prompts.open(prompt(name))
            await store.prompts.settle(name, verdict())
        found = await (await shelf.again(store)).prompts.find("abcde")
        assert found is not None
        assert found.prompt == SECOND


class TestSettling:
    async def test_the_first_verdict_counts_and_is_audited(self, shelf: Shelf, store: Store) -> None:
        """MUST S15: exactly one verdict per prompt is decided, and it is audited in the same step."""
        await store.prompts.open(prompt())
        decided = replace(prompt(), verdict=verdict())
        assert await store.prompts.settle(FIRST, verdict()) == Decided(decided)
        seen = await shelf.again(store)
        assert await seen.prompts.settle(FIRST, verdict(BOB, Behavior.DENY, 6)) == AlreadyDecided(decided)
        row = AuditRow(later(5), ANN, "verdict", "abcde", "allow by button: Bash (prompt p1)")
        assert await seen.audit.rows() == (row,)
        assert await seen.prompts.open_prompts() == ()

    async def test_the_same_verdict_again_is_decided_again_and_audited_once(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(prompt())
        answer = replace(verdict(), always=0, reason="not now")
        first = await store.prompts.settle(FIRST, answer)
        seen = await shelf.again(store)
        before = await seen.wait_for_change(-1, 0)
        assert await seen.prompts.settle(FIRST, replace(answer, by_name="Ann B.")) == first
        assert await seen.wait_for_change(-1, 0) == before
        assert len(await seen.audit.rows()) == 1

    @pytest.mark.parametrize(
        "second",
        [
            verdict(behavior=Behavior.DENY),
            verdict(BOB),
            verdict(seconds=5.000001),
            replace(verdict(), how=How.TEXT),
            replace(verdict(), always=0),
            replace(verdict(), reason="not now"),
        ],
    )
    async def test_any_other_verdict_is_too_late(self, store: Store, second: Verdict) -> None:
        await store.prompts.open(prompt())
        await store.prompts.settle(FIRST, verdict())
        assert isinstance(await store.prompts.settle(FIRST, second), AlreadyDecided)

    async def test_of_many_at_the_same_time_one_wins(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(prompt())
        other = await shelf.open()
        outcomes = await asyncio.gather(
            *(
                (store, other)[number % 2].prompts.settle(FIRST, verdict(SenderId(str(number)), seconds=number))
                for number in range(10)
            )
        )
        assert sum(isinstance(outcome, Decided) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, AlreadyDecided) for outcome in outcomes) == 9
        assert len(await store.audit.rows()) == 1

    async def test_an_unknown_prompt_is_unknown(self, store: Store) -> None:
        assert await store.prompts.settle(FIRST, verdict()) == Unknown()
        assert await store.audit.rows() == ()

    async def test_a_closed_prompt_takes_no_verdict(self, shelf: Shelf, store: Store) -> None:
        """MUST S16: a prompt that was closed without a verdict is never decided afterwards."""
        await store.prompts.open(prompt())
        assert await store.prompts.close(FIRST, Closing.ELSEWHERE) is True
        seen = await shelf.again(store)
        outcome = await seen.prompts.settle(FIRST, verdict())
        assert outcome == TooLate(replace(prompt(), closing=Closing.ELSEWHERE))
        assert await seen.audit.rows() == ()


class TestClosing:
    async def test_a_decided_prompt_is_not_closed(self, store: Store) -> None:
        await store.prompts.open(prompt())
        await store.prompts.settle(FIRST, verdict())
        assert await store.prompts.close(FIRST, Closing.EXPIRED) is False
        found = await store.prompts.get(FIRST)
        assert found is not None
        assert found.closing is None

    async def test_the_first_closing_stays(self, store: Store) -> None:
        await store.prompts.open(prompt())
        assert await store.prompts.close(FIRST, Closing.ELSEWHERE) is True
        assert await store.prompts.close(FIRST, Closing.EXPIRED) is False
        assert await store.prompts.close(SECOND, Closing.EXPIRED) is False
        found = await store.prompts.get(FIRST)
        assert found is not None
        assert found.closing is Closing.ELSEWHERE


class TestWhatIsOwed:
    async def test_a_verdict_is_untold_until_the_session_was_told(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(prompt())
        assert await store.prompts.untold(SESSION) == ()
        await store.prompts.settle(FIRST, verdict())
        seen = await shelf.again(store)
        assert await names(await seen.prompts.untold(SESSION)) == [FIRST]
        assert await seen.prompts.untold(SessionId("s2")) == ()
        assert await names(await seen.prompts.untold()) == [FIRST]
        await seen.prompts.mark_told(FIRST)
        seen = await shelf.again(seen)
        assert await seen.prompts.untold(SESSION) == await seen.prompts.untold() == ()

    async def test_cards_are_uncleared_until_they_show_the_outcome(self, shelf: Shelf, store: Store) -> None:
        await store.prompts.open(prompt())
        await store.prompts.add_cards(FIRST, [CARD])
        assert await store.prompts.uncleared() == ()
        await store.prompts.close(FIRST, Closing.SESSION_ENDED)
        seen = await shelf.again(store)
        assert await names(await seen.prompts.uncleared()) == [FIRST]
        await seen.prompts.mark_cleared(FIRST)
        assert await (await shelf.again(seen)).prompts.uncleared() == ()

    async def test_without_cards_there_is_nothing_to_clear(self, store: Store) -> None:
        await store.prompts.open(prompt())
        await store.prompts.settle(FIRST, verdict())
        assert await store.prompts.uncleared() == ()

    async def test_a_card_that_arrives_after_the_verdict_is_cleared_as_well(self, shelf: Shelf, store: Store) -> None:
        """MUST S17: every copy of a card loses its buttons, also one that was sent too late."""
        await store.prompts.open(prompt())
        await store.prompts.add_cards(FIRST, [CARD])
        await store.prompts.settle(FIRST, verdict())
        await store.prompts.mark_told(FIRST)
        await store.prompts.mark_cleared(FIRST)
        await store.prompts.add_cards(FIRST, [LATE_CARD])
        [left] = await (await shelf.again(store)).prompts.uncleared()
        assert left.cards == (CARD, LATE_CARD)

    async def test_a_card_is_remembered_once(self, store: Store) -> None:
        await store.prompts.open(prompt())
        await store.prompts.add_cards(FIRST, [CARD, CARD])
        await store.prompts.add_cards(FIRST, [CARD, LATE_CARD])
        await store.prompts.add_cards(SECOND, [CARD])
        found = await store.prompts.get(FIRST)
        assert found is not None
        assert found.cards == (CARD, LATE_CARD)

    async def test_marking_an_unknown_prompt_is_nothing(self, store: Store) -> None:
        before = await store.wait_for_change(-1, 0)
        await store.prompts.mark_told(FIRST)
        await store.prompts.mark_cleared(FIRST)
        assert await store.wait_for_change(-1, 0) == before


class TestPruning:
    async def test_old_prompts_are_forgotten_once_nothing_is_owed(self, shelf: Shelf, store: Store) -> None:
        for name in ("open", "untold", "uncleared", "done", "new"):
            await store.prompts.open(prompt(name, name, seconds=0 if name == "new" else -1))
            if name != "open":
                await store.prompts.settle(PromptId(name), verdict())
            if name in ("uncleared", "done", "new"):
                await store.prompts.mark_told(PromptId(name))
        await store.prompts.add_cards(PromptId("uncleared"), [CARD])
        assert await store.prompts.prune(NOON) == 1
        seen = await shelf.again(store)
        left = [
            name for name in ("open", "untold", "uncleared", "done", "new") if await seen.prompts.get(PromptId(name))
        ]
        assert left == ["open", "untold", "uncleared", "new"]
        assert len(await seen.audit.rows()) == 4
