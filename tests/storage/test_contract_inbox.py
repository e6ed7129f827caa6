"""What every backend keeps of the inbox."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from telegram_channel.core.ids import BotId, ChatId, EntryId, FileRef, MessageId, PressId, SessionId, UpdateId
from telegram_channel.core.inbox import (
    DeliveryState,
    Fetch,
    FetchState,
    InboxEntry,
    Intake,
    Move,
    QuarantinedUpdate,
)
from telegram_channel.core.messages import ButtonPress, ReactionChange, RepliedTo
from telegram_channel.ports import Store
from tests.storage.conftest import Shelf
from tests.values import NOON, entry, later, message, photo, place

ALL = tuple(DeliveryState)
STORED = (DeliveryState.STORED,)
EMITTED = (DeliveryState.EMITTED,)


def intake(*entries: InboxEntry, quarantined: Sequence[QuarantinedUpdate] = (), seen: Sequence[int] = ()) -> Intake:
    """An intake as the poll path makes it: every id of the batch is among the seen ones."""
    ids = [*(one.update for one in entries), *(one.update for one in quarantined), *map(UpdateId, seen)]
    return Intake(entries, tuple(quarantined), tuple(ids))


def text(number: int, **more: object) -> InboxEntry:
    return entry(message(f"message {number}", number, **more))


async def ingest(store: Store, *numbers: int) -> None:
    batch = [text(number) for number in numbers]
    await store.inbox.ingest(intake(*batch), batch[-1].update)


async def messages(store: Store) -> list[str]:
    return [one.message for one in await store.inbox.due()]


def unreadable(number: int, seconds: float = 0) -> QuarantinedUpdate:
    return QuarantinedUpdate(UpdateId(9000 + number), "no known kind", later(seconds), '{"update_id": "int"}')


class TestIngest:
    async def test_a_batch_is_stored_in_order_with_its_cursor(self, shelf: Shelf, store: Store) -> None:
        assert await store.inbox.cursor() is None
        await ingest(store, 5, 3, 9)
        await ingest(store, 1)
        seen = await shelf.again(store)
        assert await seen.inbox.cursor() == UpdateId(9001)
        due = await seen.inbox.due()
        assert [one.message for one in due] == ["5", "3", "9", "1"]
        assert sorted(one.entry for one in due) == [one.entry for one in due]
        assert all(one.entry > 0 for one in due)

    async def test_every_field_comes_back(self, shelf: Shelf, store: Store) -> None:
        said = message(
            "look \ud83d at \x00 this 🦀",
            7,
            attachment=photo(),
            album="a1",
            reply_to=RepliedTo(MessageId("3"), "before", from_bot=True, attachment=photo(2)),
            quote="bef",
            forwarded_from="Bob",
            edited=True,
            mentions_bot=True,
            details={"latitude": "1.5"},
            place=place("-100", "1001", chat_title="Crew", username="ann"),
        )
        pressed = ButtonPress(UpdateId(1), place(), PressId("p"), "perm:a:x", MessageId("4"), "Allow")
        reacted = ReactionChange(UpdateId(2), place(), MessageId("5"), NOON, ("👍",), ("👎",))
        given = [
            entry(said, stored_at=later(1), acknowledged=True),
            entry(pressed, session=SessionId("s"), emitted_at=later(2), redelivered=True, noticed=True),
            entry(reacted, fetch=Fetch(FetchState.FAILED, FileRef("f"), "", "too big", slow=True)),
        ]
        await store.inbox.ingest(intake(*given), None)
        due = await (await shelf.again(store)).inbox.due()
        assert [replace(one, entry=EntryId(0)) for one in due] == [replace(one, entry=EntryId(0)) for one in given]

    async def test_a_second_copy_of_a_batch_changes_nothing(self, shelf: Shelf, store: Store) -> None:
        """MUST S9: an update is stored once, however often it arrives."""
        batch = intake(text(1), text(2), quarantined=[unreadable(3)], seen=[9004])
        await store.inbox.ingest(batch, UpdateId(9004))
        before = await store.wait_for_change(-1, 0)
        await store.inbox.ingest(batch, UpdateId(9004))
        assert await store.wait_for_change(-1, 0) == before
        seen = await shelf.again(store)
        await seen.inbox.ingest(batch, UpdateId(9004))
        assert await messages(seen) == ["1", "2"]
        assert len(await seen.inbox.quarantined()) == 1

    async def test_new_updates_beside_old_ones_are_stored(self, store: Store) -> None:
        await ingest(store, 1, 2)
        await ingest(store, 2, 3)
        assert await messages(store) == ["1", "2", "3"]

    async def test_the_first_of_two_copies_within_a_batch_counts(self, store: Store) -> None:
        first = entry(message("first", 1))
        second = entry(message("second", 2, update=9001))
        await store.inbox.ingest(intake(first, second, text(3)), None)
        assert await messages(store) == ["1", "3"]

    async def test_a_smaller_update_id_is_not_older(self, shelf: Shelf, store: Store) -> None:
        """MUST S10: update ids are compared for equality only; after a quiet week the next one may be smaller."""
        await ingest(store, 900)
        await ingest(store, 5)
        seen = await shelf.again(store)
        assert await messages(seen) == ["900", "5"]
        assert await seen.inbox.cursor() == UpdateId(9005)

    async def test_ids_that_were_only_seen_are_dropped_later(self, store: Store) -> None:
        await store.inbox.ingest(intake(seen=[9001]), UpdateId(9001))
        await ingest(store, 1, 2)
        assert await messages(store) == ["2"]

    async def test_unseen_names_what_never_arrived(self, shelf: Shelf, store: Store) -> None:
        await store.inbox.ingest(intake(text(1), quarantined=[unreadable(2)], seen=[9003]), None)
        asked = [UpdateId(number) for number in (9001, 9002, 9003, 9004, 9004)]
        seen = await shelf.again(store)
        assert await seen.inbox.unseen(asked) == {9004}
        assert await seen.inbox.unseen([]) == frozenset()

    async def test_without_a_cursor_the_old_one_stays(self, store: Store) -> None:
        await ingest(store, 1)
        await store.inbox.ingest(intake(text(2)), None)
        assert await store.inbox.cursor() == UpdateId(9001)

    async def test_an_empty_poll_writes_nothing(self, store: Store) -> None:
        await ingest(store, 1)
        before = await store.wait_for_change(-1, 0)
        await store.inbox.ingest(Intake(), None)
        assert await store.wait_for_change(-1, 0) == before

    async def test_a_batch_larger_than_any_statement_is_stored_whole(self, store: Store) -> None:
        await ingest(store, *range(1, 1301))
        assert len(await store.inbox.due(limit=2000)) == 1300
        assert await store.inbox.unseen([UpdateId(9000 + number) for number in range(1302)]) == {9000, 10301}

    async def test_two_bots_may_have_the_same_update_ids(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open(BotId("43"))
        await ingest(store, 1)
        assert await other.inbox.cursor() is None
        await ingest(other, 1)
        assert await messages(store) == await messages(other) == ["1"]


class TestLooking:
    async def test_due_is_limited_from_the_front(self, store: Store) -> None:
        await ingest(store, 1, 2, 3)
        assert [one.message for one in await store.inbox.due(limit=2)] == ["1", "2"]
        assert await store.inbox.due(limit=0) == ()

    @pytest.mark.parametrize("state", ALL)
    async def test_each_state_is_found_where_it_belongs(
        self, shelf: Shelf, store: Store, state: DeliveryState
    ) -> None:
        await store.inbox.ingest(intake(replace(text(1), state=state, emitted_at=later(5))), None)
        inbox = (await shelf.again(store)).inbox
        waits = state in (DeliveryState.EMITTED, DeliveryState.READ)
        assert bool(await inbox.due()) is (state is DeliveryState.STORED)
        assert bool(await inbox.unproven()) is (state is DeliveryState.EMITTED)
        assert bool(await inbox.unanswered(ChatId("1001"))) is waits
        assert bool(await inbox.awaiting(later(5))) is waits
        assert await inbox.unanswered(ChatId("1002")) == ()
        assert await inbox.awaiting(later(5.000001)) == ()
        assert (await inbox.counts()).by_state == {state: 1}

    async def test_what_was_never_emitted_is_not_awaited(self, store: Store) -> None:
        await store.inbox.ingest(intake(replace(text(1), state=DeliveryState.READ)), None)
        assert await store.inbox.awaiting(later(-1000)) == ()

    async def test_several_states_of_a_chat_keep_the_order_received(self, store: Store) -> None:
        states = (DeliveryState.READ, DeliveryState.EMITTED, DeliveryState.READ, DeliveryState.EMITTED)
        batch = [replace(text(n), state=state, emitted_at=NOON) for n, state in enumerate(states, 1)]
        await store.inbox.ingest(intake(*batch), None)
        expected = ["1", "2", "3", "4"]
        assert [one.message for one in await store.inbox.unanswered(ChatId("1001"))] == expected
        assert [one.message for one in await store.inbox.awaiting(NOON)] == expected

    async def test_find_returns_the_newest_entry_of_a_message(self, shelf: Shelf, store: Store) -> None:
        first = entry(message("first", 1))
        edit = entry(message("second", 1, update=9100, edited=True))
        elsewhere = entry(message("elsewhere", 1, chat="1002", update=9101))
        await store.inbox.ingest(intake(first, edit, elsewhere), None)
        seen = await shelf.again(store)
        found = await seen.inbox.find(ChatId("1001"), MessageId("1"))
        assert found is not None
        assert found.inbound == edit.inbound
        assert await seen.inbox.find(ChatId("1001"), MessageId("2")) is None

    async def test_downloads_that_are_wanted_are_listed(self, shelf: Shelf, store: Store) -> None:
        batch = [text(1), entry(message("", 2, attachment=photo())), entry(message("", 3, attachment=photo(2)))]
        await store.inbox.ingest(intake(*batch), None)
        wanted = await store.inbox.to_fetch()
        assert [one.message for one in wanted] == ["2", "3"]
        assert [one.message for one in await store.inbox.to_fetch(limit=1)] == ["2"]
        done = Fetch(FetchState.DONE, FileRef("file-1"), "/tmp/a b.jpg")  # noqa: S108 - a value, not a file
        assert await store.inbox.advance([Move((wanted[0].entry,), ALL, fetch=done)]) == 1
        seen = await shelf.again(store)
        assert [one.message for one in await seen.inbox.to_fetch()] == ["3"]
        found = await seen.inbox.find(ChatId("1001"), MessageId("2"))
        assert found is not None
        assert found.fetch == done

    async def test_entries_without_eyes_are_listed(self, store: Store) -> None:
        await store.inbox.ingest(intake(text(1), replace(text(2), acknowledged=True), text(3)), None)
        bare = await store.inbox.unacknowledged()
        assert [one.message for one in bare] == ["1", "3"]
        assert await store.inbox.advance([Move((bare[0].entry,), ALL, acknowledged=True)]) == 1
        assert [one.message for one in await store.inbox.unacknowledged(limit=5)] == ["3"]

    async def test_counts_include_what_nobody_understood(self, shelf: Shelf, store: Store) -> None:
        """MUST I7: an update nobody understands is kept and reported, and blocks nothing."""
        broken = replace(text(9), state=DeliveryState.QUARANTINED)
        await store.inbox.ingest(intake(text(1), text(2), broken, quarantined=[unreadable(3), unreadable(4)]), None)
        counts = await (await shelf.again(store)).inbox.counts()
        assert counts.by_state == {DeliveryState.STORED: 2, DeliveryState.QUARANTINED: 3}
        assert counts.queued == 2

    async def test_quarantined_updates_are_listed_newest_first(self, shelf: Shelf, store: Store) -> None:
        await store.inbox.ingest(intake(quarantined=[unreadable(1), unreadable(2), unreadable(3)]), None)
        seen = await shelf.again(store)
        assert await seen.inbox.quarantined(limit=2) == (unreadable(3), unreadable(2))


class TestAdvance:
    async def test_a_move_changes_only_what_it_names(self, shelf: Shelf, store: Store) -> None:
        await ingest(store, 1, 2)
        [first, second] = await store.inbox.due()
        move = Move((first.entry,), STORED, DeliveryState.EMITTED, SessionId("s"), emitted_at=later(3))
        assert await store.inbox.advance([move]) == 1
        seen = await shelf.again(store)
        expected = replace(first, state=DeliveryState.EMITTED, session=SessionId("s"), emitted_at=later(3))
        assert await seen.inbox.unproven() == (expected,)
        assert await seen.inbox.due() == (second,)

    async def test_a_move_touches_nothing_in_another_state(self, store: Store) -> None:
        """MUST S12: two processes never both take the same step of one message."""
        await ingest(store, 1)
        [one] = await store.inbox.due()
        emit = Move((one.entry,), STORED, DeliveryState.EMITTED)
        assert await store.inbox.advance([emit]) == 1
        before = await store.wait_for_change(-1, 0)
        assert await store.inbox.advance([emit]) == 0
        assert await store.wait_for_change(-1, 0) == before

    async def test_moves_are_applied_in_order_as_one_step(self, store: Store) -> None:
        await ingest(store, 1, 2)
        [one, two] = [entry.entry for entry in await store.inbox.due()]
        moves = [
            Move((one, two), STORED, DeliveryState.EMITTED),
            Move((one,), EMITTED, DeliveryState.READ),
            Move((two,), STORED, DeliveryState.EXPIRED),
        ]
        assert await store.inbox.advance(moves) == 2
        assert (await store.inbox.counts()).by_state == {DeliveryState.READ: 1, DeliveryState.EMITTED: 1}

    async def test_redelivery_keeps_what_is_known_about_the_first_time(self, store: Store) -> None:
        await ingest(store, 1)
        [one] = await store.inbox.due()
        emitted = Move((one.entry,), STORED, DeliveryState.EMITTED, SessionId("s"), emitted_at=later(1))
        again = Move((one.entry,), EMITTED, DeliveryState.STORED, redelivered=True, noticed=True)
        await store.inbox.advance([emitted, again])
        expected = replace(one, session=SessionId("s"), emitted_at=later(1), redelivered=True, noticed=True)
        assert await store.inbox.due() == (expected,)

    @pytest.mark.parametrize(
        "move",
        [
            Move((EntryId(1),), STORED),
            Move((), STORED, DeliveryState.EMITTED),
            Move((EntryId(1),), (), DeliveryState.EMITTED),
            Move((EntryId(4711),), ALL, DeliveryState.EMITTED),
        ],
    )
    async def test_a_move_of_nothing_changes_nothing(self, store: Store, move: Move) -> None:
        await ingest(store, 1)
        before = await store.wait_for_change(-1, 0)
        assert await store.inbox.advance([move]) == 0
        assert await store.inbox.advance([]) == 0
        assert await store.wait_for_change(-1, 0) == before

    async def test_an_entry_of_another_bot_is_out_of_reach(self, shelf: Shelf, store: Store) -> None:
        await ingest(store, 1)
        [one] = await store.inbox.due()
        other = await shelf.open(BotId("43"))
        assert await other.inbox.advance([Move((one.entry,), ALL, DeliveryState.EXPIRED)]) == 0
        assert await store.inbox.due() == (one,)


class TestPrune:
    async def test_only_what_is_final_and_old_is_forgotten(self, shelf: Shelf, store: Store) -> None:
        batch = [
            replace(text(number), state=state, stored_at=later(seconds))
            for number, (state, seconds) in enumerate(((state, s) for state in ALL for s in (-1, 0)), 1)
        ]
        await store.inbox.ingest(intake(*batch), None)
        assert await store.inbox.prune(NOON) == 3
        seen = await shelf.again(store)
        left = (await seen.inbox.counts()).by_state
        assert left == {state: 1 if state.is_final else 2 for state in ALL}

    async def test_seen_ids_are_kept_from_the_given_time_on(self, shelf: Shelf, store: Store) -> None:
        """MUST S13: the memory of seen updates reaches back as far as it is asked to, pruned or not."""
        shelf.now = later(-1)
        await ingest(store, 1)
        shelf.now = NOON
        await ingest(store, 2)
        [one, two] = await store.inbox.due()
        await store.inbox.advance([Move((one.entry, two.entry), ALL, DeliveryState.ANSWERED)])
        assert await store.inbox.prune(NOON) == 1
        seen = await shelf.again(store)
        assert await seen.inbox.unseen([UpdateId(9001), UpdateId(9002)]) == {9001}
        await ingest(seen, 2)
        assert await seen.inbox.due() == ()

    async def test_old_quarantined_updates_are_forgotten(self, store: Store) -> None:
        await store.inbox.ingest(intake(quarantined=[unreadable(1, -1), unreadable(2)]), None)
        assert await store.inbox.prune(NOON) == 1
        assert await store.inbox.quarantined() == (unreadable(2),)

    async def test_the_position_of_a_forgotten_entry_is_never_given_again(self, shelf: Shelf, store: Store) -> None:
        await ingest(store, 1)
        [one] = await store.inbox.due()
        await store.inbox.advance([Move((one.entry,), ALL, DeliveryState.ANSWERED)])
        assert await store.inbox.prune(later(1)) == 2
        seen = await shelf.again(store)
        await ingest(seen, 2)
        [two] = await seen.inbox.due()
        assert two.entry > one.entry

    async def test_nothing_of_another_bot_is_forgotten(self, shelf: Shelf, store: Store) -> None:
        await store.inbox.ingest(intake(quarantined=[unreadable(1, -1)]), None)
        assert await (await shelf.open(BotId("43"))).inbox.prune(later(1)) == 0
        assert len(await store.inbox.quarantined()) == 1
