"""What every backend keeps of orders and wishes: an order stands for everybody who looks until it is lifted."""

import asyncio
from dataclasses import replace

import pytest

from telegram_channel.core.audit import AuditRow
from telegram_channel.core.ids import BotId, ChatId, MessageId, SenderId, SessionId, ThreadId
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind
from telegram_channel.core.wishes import Wishes
from telegram_channel.ports import Store
from tests.storage.conftest import Shelf
from tests.values import NOON, later

ANN, BOB = SenderId("1001"), SenderId("1002")
SESSION, OTHER_SESSION = SessionId("s1"), SessionId("s2")
CHAT, GROUP = ChatId("1001"), ChatId("-100")
OTHER_BOT = BotId("43")


def stop(session: SessionId = SESSION, seconds: float = 0, by: SenderId = ANN) -> Order:
    return Order(OrderKind.STOP, session, by, "Ann", later(seconds), CHAT, MessageId("5"))


def pause(seconds: float = 0) -> Order:
    return Order(
        OrderKind.PAUSE, EVERY_SESSION, ANN, "Ann \ud800", later(seconds), GROUP, MessageId("6"), ThreadId("3")
    )


async def version_of(store: Store) -> int:
    return await store.wait_for_change(-1, 0)


class TestGiving:
    async def test_an_order_stands_as_it_was_given(self, shelf: Shelf, store: Store) -> None:
        await store.orders.give(stop())
        await store.orders.give(pause(1))
        seen = await shelf.again(store)
        assert await seen.orders.standing(SESSION) == (stop(), pause(1))
        assert await seen.orders.standing(OTHER_SESSION) == (pause(1),)
        assert await seen.orders.standing(EVERY_SESSION) == (pause(1),)

    async def test_the_oldest_comes_first(self, store: Store) -> None:
        for order in (stop(seconds=3), pause(1), replace(pause(2), session=SESSION)):
            await store.orders.give(order)
        listed = await store.orders.standing(SESSION)
        assert [order.at for order in listed] == [later(1), later(2), later(3)]

    async def test_it_is_audited_in_the_same_step(self, shelf: Shelf, store: Store) -> None:
        """MUST S36: an order and its end are audited in the same step, without a word that anybody wrote."""
        await store.orders.give(stop())
        await store.orders.give(pause(1))
        await store.orders.lift(OrderKind.STOP, SESSION, BOB, later(2))
        await store.orders.lift(OrderKind.PAUSE, EVERY_SESSION, "bridge", later(3))
        seen = await shelf.again(store)
        assert await seen.audit.rows() == (
            AuditRow(NOON, ANN, "stop", SESSION),
            AuditRow(later(1), ANN, "pause", ""),
            AuditRow(later(2), BOB, "resume", SESSION, "stop"),
            AuditRow(later(3), "bridge", "resume", "", "pause"),
        )

    async def test_a_new_one_replaces_one_of_its_kind_for_the_same_session(self, shelf: Shelf, store: Store) -> None:
        await store.orders.give(stop())
        await store.orders.give(stop(seconds=5, by=BOB))
        await store.orders.give(stop(OTHER_SESSION))
        seen = await shelf.again(store)
        assert await seen.orders.standing(SESSION) == (stop(seconds=5, by=BOB),)
        assert await seen.orders.standing(OTHER_SESSION) == (stop(OTHER_SESSION),)
        assert [row.actor for row in await seen.audit.rows()] == [ANN, BOB, ANN]

    @pytest.mark.parametrize("again", [stop(), replace(stop(), by_name="Ann B."), replace(stop(), answered=True)])
    async def test_the_same_order_again_changes_nothing(self, shelf: Shelf, store: Store, again: Order) -> None:
        await store.orders.give(stop())
        await store.orders.mark_answered(stop())
        seen = await shelf.again(store)
        before = await version_of(seen)
        await seen.orders.give(again)
        assert await version_of(seen) == before
        assert await seen.orders.standing(SESSION) == (replace(stop(), answered=True),)
        assert len(await seen.audit.rows()) == 1

    async def test_giving_it_wakes_whoever_obeys_it(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open()
        version = await version_of(other)
        waiting = asyncio.create_task(other.wait_for_change(version, 600))
        await store.orders.give(stop())
        async with asyncio.timeout(20):
            assert await waiting != version
        assert await other.orders.standing(SESSION) == (stop(),)

    async def test_looking_writes_nothing(self, store: Store) -> None:
        await store.orders.give(stop())
        before = await version_of(store)
        await store.orders.standing(SESSION)
        await store.wishes.of(CHAT)
        assert await version_of(store) == before


class TestAnswering:
    async def test_it_is_remembered_that_the_chat_was_told(self, shelf: Shelf, store: Store) -> None:
        await store.orders.give(stop())
        await store.orders.give(stop(OTHER_SESSION))
        await store.orders.mark_answered(stop())
        seen = await shelf.again(store)
        assert await seen.orders.standing(SESSION) == (replace(stop(), answered=True),)
        assert await seen.orders.standing(OTHER_SESSION) == (stop(OTHER_SESSION),)
        assert len(await seen.audit.rows()) == 2

    @pytest.mark.parametrize(
        "newer",
        [
            stop(seconds=0.000001),
            stop(by=BOB),
            replace(stop(), message=MessageId("7")),
            replace(stop(), chat=GROUP),
            replace(stop(), thread=ThreadId("1")),
        ],
    )
    async def test_one_that_was_replaced_is_not_answered_in_place_of_the_newer(
        self, store: Store, newer: Order
    ) -> None:
        """MUST S37: an order that replaced another is answered itself; the answer to the other does not count
        for it.
        """
        await store.orders.give(stop())
        await store.orders.give(newer)
        before = await version_of(store)
        await store.orders.mark_answered(stop())
        assert await store.orders.standing(SESSION) == (newer,)
        assert await version_of(store) == before

    async def test_one_that_was_lifted_does_not_come_back(self, store: Store) -> None:
        """MUST S38: nothing but a new order brings back an order that was lifted."""
        await store.orders.give(stop())
        await store.orders.lift(OrderKind.STOP, SESSION, ANN, later(1))
        before = await version_of(store)
        await store.orders.mark_answered(stop())
        assert await store.orders.standing(SESSION) == ()
        assert await version_of(store) == before

    async def test_telling_twice_writes_once(self, store: Store) -> None:
        await store.orders.give(stop())
        await store.orders.mark_answered(stop())
        before = await version_of(store)
        await store.orders.mark_answered(stop())
        await store.orders.mark_answered(replace(stop(), answered=True))
        assert await version_of(store) == before


class TestLifting:
    async def test_what_was_lifted_stands_no_more(self, shelf: Shelf, store: Store) -> None:
        await store.orders.give(stop())
        await store.orders.give(pause(1))
        await store.orders.mark_answered(stop())
        seen = await shelf.again(store)
        lifted = await seen.orders.lift(OrderKind.STOP, SESSION, ANN, later(2))
        assert lifted == replace(stop(), answered=True)
        assert await (await shelf.again(seen)).orders.standing(SESSION) == (pause(1),)

    async def test_only_that_kind_for_that_session_is_lifted(self, store: Store) -> None:
        await store.orders.give(stop())
        await store.orders.give(replace(stop(seconds=1), session=EVERY_SESSION))
        await store.orders.give(pause(2))
        before = await version_of(store)
        assert await store.orders.lift(OrderKind.PAUSE, SESSION, ANN, later(3)) is None
        assert await store.orders.lift(OrderKind.STOP, OTHER_SESSION, ANN, later(3)) is None
        assert await version_of(store) == before
        assert len(await store.orders.standing(SESSION)) == 3
        assert len(await store.audit.rows()) == 3

    async def test_of_many_at_the_same_time_one_lifts_it(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open()
        await store.orders.give(stop())
        lifted = await asyncio.gather(
            *((store, other)[number % 2].orders.lift(OrderKind.STOP, SESSION, ANN, later(1)) for number in range(6))
        )
        assert sorted(lifted, key=bool) == [None] * 5 + [stop()]
        assert [row.action for row in await store.audit.rows()] == ["stop", "resume"]

    async def test_it_can_be_given_again(self, store: Store) -> None:
        await store.orders.give(stop())
        await store.orders.lift(OrderKind.STOP, SESSION, ANN, later(1))
        await store.orders.give(stop(seconds=2))
        assert await store.orders.standing(SESSION) == (stop(seconds=2),)


class TestPruning:
    async def test_an_old_stop_is_forgotten_and_a_pause_never(self, shelf: Shelf, store: Store) -> None:
        """MUST S39: a pause stands until somebody lifts it, however long that takes."""
        await store.orders.give(stop(seconds=-1))
        await store.orders.give(stop(OTHER_SESSION, seconds=0))
        await store.orders.give(pause(-1))
        assert await store.orders.prune(NOON) == 1
        seen = await shelf.again(store)
        assert await seen.orders.standing(SESSION) == (pause(-1),)
        assert await seen.orders.standing(OTHER_SESSION) == (pause(-1), stop(OTHER_SESSION))
        before = await version_of(seen)
        assert await seen.orders.prune(NOON) == 0
        assert await version_of(seen) == before
        assert len(await seen.audit.rows()) == 3


class TestOtherBots:
    async def test_orders_and_wishes_of_one_bot_are_not_those_of_another(self, shelf: Shelf, store: Store) -> None:
        """MUST S7: nothing stored for one bot is visible to another."""
        await store.orders.give(stop())
        await store.orders.give(pause())
        await store.wishes.keep(CHAT, Wishes(progress=True))
        other = await shelf.open(OTHER_BOT)
        assert await other.orders.standing(SESSION) == ()
        assert await other.wishes.of(CHAT) == Wishes()
        assert await other.orders.lift(OrderKind.STOP, SESSION, ANN, later(1)) is None
        assert await other.orders.prune(later(60)) == 0
        await other.orders.mark_answered(stop())
        await other.wishes.keep(CHAT, Wishes(stream=True))
        await other.orders.give(stop(seconds=9))
        seen = await shelf.again(store)
        assert set(await seen.orders.standing(SESSION)) == {stop(), pause()}
        assert await seen.wishes.of(CHAT) == Wishes(progress=True)
        assert [row.at for row in await other.audit.rows()] == [later(9)]


class TestWishes:
    async def test_nothing_is_wished_until_somebody_says_so(self, store: Store) -> None:
        """MUST S40: a chat that never wished for progress or streaming gets neither."""
        assert await store.wishes.of(CHAT) == Wishes(progress=False, stream=False)

    async def test_each_chat_has_its_own(self, shelf: Shelf, store: Store) -> None:
        await store.wishes.keep(CHAT, Wishes(progress=True))
        await store.wishes.keep(GROUP, Wishes(stream=True))
        seen = await shelf.again(store)
        assert await seen.wishes.of(CHAT) == Wishes(progress=True)
        assert await seen.wishes.of(GROUP) == Wishes(stream=True)
        assert await seen.wishes.of(ChatId("9")) == Wishes()

    async def test_the_last_word_replaces_the_one_before(self, shelf: Shelf, store: Store) -> None:
        await store.wishes.keep(CHAT, Wishes(progress=True, stream=True))
        await store.wishes.keep(CHAT, Wishes())
        assert await (await shelf.again(store)).wishes.of(CHAT) == Wishes()

    @pytest.mark.parametrize("wishes", [Wishes(), Wishes(progress=True)])
    async def test_the_same_wishes_again_write_nothing(self, store: Store, wishes: Wishes) -> None:
        if wishes != Wishes():
            await store.wishes.keep(CHAT, wishes)
        before = await version_of(store)
        await store.wishes.keep(CHAT, wishes)
        assert await version_of(store) == before
