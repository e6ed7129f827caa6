"""What every backend keeps of whom a message is for, and why: each session finds its own, and nobody's are found."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from telegram_channel.core.ids import BotId, EntryId, SessionId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Move
from telegram_channel.core.routing import NOBODY, Why
from telegram_channel.ports import Inbox, Store
from tests.storage.conftest import Shelf
from tests.storage.test_contract_inbox import ALL, EMITTED, STORED, intake, text
from tests.values import NOON, later

ONE, TWO = SessionId("s1"), SessionId("s2")


async def directed(store: Store, *sessions: SessionId | None, state: DeliveryState = DeliveryState.STORED) -> None:
    """One message for each, numbered from 1."""
    batch = [
        replace(text(number), session=session, state=state, why=None if session is None else Why.ALONE)
        for number, session in enumerate(sessions, 1)
    ]
    await store.inbox.ingest(intake(*batch), batch[-1].update)


def numbers(entries: Sequence[InboxEntry]) -> list[str]:
    return [one.message for one in entries]


class TestLooking:
    async def test_each_session_finds_its_own_in_the_order_received(self, shelf: Shelf, store: Store) -> None:
        """MUST F92: a message that is directed to one session is due for that session and for no other."""
        await directed(store, TWO, ONE, None, ONE, TWO, ONE)
        inbox = (await shelf.again(store)).inbox
        assert numbers(await inbox.due(session=ONE)) == ["2", "4", "6"]
        assert numbers(await inbox.due(session=TWO)) == ["1", "5"]
        assert numbers(await inbox.undirected()) == ["3"]
        assert await inbox.due(session=SessionId("s")) == await inbox.due(session=NOBODY) == ()
        assert numbers(await inbox.due()) == ["1", "2", "3", "4", "5", "6"]

    async def test_what_is_looked_for_is_limited_from_the_front(self, store: Store) -> None:
        await directed(store, ONE, None, ONE, None, ONE)
        assert numbers(await store.inbox.due(2, ONE)) == ["1", "3"]
        assert numbers(await store.inbox.undirected(1)) == ["2"]
        assert await store.inbox.due(0, ONE) == await store.inbox.undirected(0) == ()
        assert await store.inbox.due(-1, ONE) == await store.inbox.undirected(-1) == ()

    @pytest.mark.parametrize("state", ALL)
    async def test_only_what_waits_is_due_and_only_what_was_emitted_unproven(
        self, shelf: Shelf, store: Store, state: DeliveryState
    ) -> None:
        await directed(store, ONE, None, TWO, state=state)
        inbox = (await shelf.again(store)).inbox
        assert numbers(await inbox.due(session=ONE)) == (["1"] if state is DeliveryState.STORED else [])
        assert numbers(await inbox.undirected()) == (["2"] if state is DeliveryState.STORED else [])
        assert numbers(await inbox.unproven(ONE)) == (["1"] if state is DeliveryState.EMITTED else [])
        assert numbers(await inbox.unproven()) == (["1", "2", "3"] if state is DeliveryState.EMITTED else [])

    async def test_messages_of_another_bot_are_not_found(self, shelf: Shelf, store: Store) -> None:
        """MUST S7: nothing stored for one bot is visible to another."""
        await directed(store, ONE, None)
        other = (await shelf.open(BotId("43"))).inbox
        assert await other.due(session=ONE) == await other.undirected() == await other.unproven(ONE) == ()


class TestWhy:
    @pytest.mark.parametrize("why", Why)
    async def test_the_reason_is_stored_with_the_message(self, shelf: Shelf, store: Store, why: Why) -> None:
        await store.inbox.ingest(intake(replace(text(1), session=ONE, why=why)), None)
        [one] = await (await shelf.again(store)).inbox.due()
        assert (one.session, one.why) == (ONE, why)

    async def test_a_message_can_be_directed_later(self, shelf: Shelf, store: Store) -> None:
        await directed(store, None, None)
        [one, two] = await store.inbox.undirected()
        assert await store.inbox.advance([Move((one.entry,), STORED, session=TWO, why=Why.ANSWERED)]) == 1
        inbox = (await shelf.again(store)).inbox
        assert await inbox.due(session=TWO) == (replace(one, session=TWO, why=Why.ANSWERED),)
        assert await inbox.undirected() == (two,)

    async def test_of_two_who_direct_it_the_first_counts_once_it_went_out(self, store: Store) -> None:
        """MUST S12: two processes never both take the same step of one message."""
        await directed(store, ONE)
        [one] = await store.inbox.due()
        emit = Move((one.entry,), STORED, DeliveryState.EMITTED, emitted_at=NOON)
        assert await store.inbox.advance([emit]) == 1
        assert await store.inbox.advance([Move((one.entry,), STORED, session=TWO, why=Why.CHOSEN)]) == 0
        [kept] = await store.inbox.unproven(ONE)
        assert kept.why is Why.ALONE

    @pytest.mark.parametrize("why", [None, Why.TOPIC])
    async def test_a_move_without_a_reason_leaves_it(self, shelf: Shelf, store: Store, why: Why | None) -> None:
        await store.inbox.ingest(intake(replace(text(1), session=ONE, why=why)), None)
        [one] = await store.inbox.due()
        emit = Move((one.entry,), STORED, DeliveryState.EMITTED, ONE, emitted_at=later(1))
        assert await store.inbox.advance([emit]) == 1
        [given] = await (await shelf.again(store)).inbox.unproven(ONE)
        assert (given.session, given.why) == (ONE, why)


class TestNobody:
    async def test_the_session_is_taken_away_with_its_reason(self, shelf: Shelf, store: Store) -> None:
        """MUST F93: a message that is taken from a session waits for anybody, and for no old reason."""
        await directed(store, ONE, ONE, state=DeliveryState.EMITTED)
        [one, two] = await store.inbox.unproven(ONE)
        back = Move((one.entry,), EMITTED, DeliveryState.STORED, NOBODY, redelivered=True)
        assert await store.inbox.advance([back]) == 1
        inbox = (await shelf.again(store)).inbox
        freed = replace(one, state=DeliveryState.STORED, session=None, why=None, redelivered=True)
        assert await inbox.undirected() == await inbox.due() == (freed,)
        assert await inbox.due(session=ONE) == await inbox.due(session=NOBODY) == ()
        assert await inbox.unproven(ONE) == (two,)

    async def test_a_reason_beside_nobody_does_not_count(self, store: Store) -> None:
        await directed(store, ONE)
        [one] = await store.inbox.due()
        assert await store.inbox.advance([Move((one.entry,), STORED, session=NOBODY, why=Why.NAMED)]) == 1
        assert await store.inbox.undirected() == (replace(one, session=None, why=None),)

    async def test_it_can_go_from_one_session_to_another_in_one_step(self, store: Store) -> None:
        await directed(store, ONE)
        [one] = await store.inbox.due()
        moves = [
            Move((one.entry,), STORED, session=NOBODY),
            Move((one.entry,), STORED, session=TWO, why=Why.CHOSEN),
        ]
        assert await store.inbox.advance(moves) == 1
        assert await store.inbox.due(session=TWO) == (replace(one, session=TWO, why=Why.CHOSEN),)

    async def test_a_message_stored_for_nobody_is_undirected(self, shelf: Shelf, store: Store) -> None:
        await store.inbox.ingest(intake(replace(text(1), session=NOBODY, why=Why.ALONE)), None)
        [one] = await (await shelf.again(store)).inbox.undirected()
        assert (one.session, one.why) == (None, None)

    async def test_taking_nothing_away_of_nothing_changes_nothing(self, store: Store) -> None:
        await directed(store, ONE)
        before = await store.wait_for_change(-1, 0)
        [one] = await store.inbox.due()
        assert await store.inbox.advance([Move((one.entry,), EMITTED, session=NOBODY)]) == 0
        assert await store.wait_for_change(-1, 0) == before


class TestHeldBy:
    """A move may be for those alone that are directed as its maker saw them."""

    @pytest.mark.parametrize(
        ("held_by", "touched"), [(ONE, ["1", "4"]), (TWO, ["2"]), (NOBODY, ["3"]), (None, ["1", "2", "3", "4"])]
    )
    async def test_a_move_touches_only_what_is_directed_as_it_says(
        self, shelf: Shelf, store: Store, held_by: SessionId | None, touched: list[str]
    ) -> None:
        """MUST F108: a move that names who must have a message touches none that anybody else has."""
        await directed(store, ONE, TWO, None, ONE)
        everything = await store.inbox.due()
        move = Move(tuple(one.entry for one in everything), STORED, noticed=True, held_by=held_by)
        assert await store.inbox.advance([move]) == len(touched)
        after = await (await shelf.again(store)).inbox.due()
        assert [one.message for one in after if one.noticed] == touched
        assert [replace(one, noticed=False) for one in after] == list(everything)

    async def test_it_is_asked_of_the_entry_as_the_moves_before_in_the_same_step_left_it(self, store: Store) -> None:
        await directed(store, ONE, None)
        [one, two] = await store.inbox.due()
        both = (one.entry, two.entry)
        moves = [
            Move(both, STORED, session=TWO, why=Why.CHOSEN, held_by=ONE),
            Move(both, STORED, session=ONE, why=Why.ALONE, held_by=NOBODY),
            Move(both, STORED, noticed=True, held_by=TWO),
        ]
        assert await store.inbox.advance(moves) == 2
        assert await store.inbox.due(session=TWO) == (replace(one, session=TWO, why=Why.CHOSEN, noticed=True),)
        assert await store.inbox.due(session=ONE) == (replace(two, session=ONE, why=Why.ALONE),)

    async def test_the_state_has_to_be_right_as_well(self, store: Store) -> None:
        await directed(store, ONE, None)
        before = await store.wait_for_change(-1, 0)
        everything = tuple(one.entry for one in await store.inbox.due())
        for held_by in (ONE, NOBODY):
            move = Move(everything, EMITTED, DeliveryState.READ, held_by=held_by)
            assert await store.inbox.advance([move]) == 0
        assert await store.wait_for_change(-1, 0) == before

    async def test_of_two_processes_that_direct_at_once_one_alone_directs_each_message(
        self, shelf: Shelf, store: Store
    ) -> None:
        """MUST F100: two processes never direct one message to two sessions."""
        await directed(store, *[None] * 40)
        seen = [one.entry for one in await store.inbox.undirected()]
        other = await shelf.open(store.bot)

        async def direct(inbox: Inbox, session: SessionId, entries: Sequence[EntryId]) -> int:
            moved = 0
            for entry in entries:
                move = Move((entry,), STORED, session=session, why=Why.CHOSEN, held_by=NOBODY)
                moved += await inbox.advance([move], durable=False)
            return moved

        counts = await asyncio.gather(
            direct(store.inbox, ONE, seen), direct(other.inbox, TWO, [*seen[20:], *seen[:20]])
        )
        found = [len(await store.inbox.due(session=session)) for session in (ONE, TWO)]
        assert (sum(counts), found) == (40, list(counts))
        assert await store.inbox.undirected() == ()
