"""What every backend keeps of choices, topics, questions and whose the messages of the bot are."""

import asyncio
from dataclasses import replace

import pytest

from telegram_channel.core.ids import BotId, ChatId, MessageId, SessionId, ThreadId
from telegram_channel.core.routing import Question, TopicBinding
from telegram_channel.ports import Store
from tests.storage.conftest import Shelf
from tests.values import NOON, later

ONE, TWO = SessionId("s1"), SessionId("s2")
CHAT, GROUP = ChatId("1001"), ChatId("-100")
OTHER_BOT = BotId("43")
SHOP, TILL = "/home/ann/shop", "/home/ann/till"


def topic(thread: str = "3", session: SessionId | None = ONE, project: str = SHOP) -> TopicBinding:
    return TopicBinding(GROUP, ThreadId(thread), project, session, "shop \ud800", is_open=session is not None)


def question(thread: str | None = None, seconds: float = 0, chat: ChatId = GROUP) -> Question:
    return Question(chat, None if thread is None else ThreadId(thread), MessageId("9"), later(seconds))


def messages(*numbers: int) -> list[MessageId]:
    return [MessageId(str(number)) for number in numbers]


async def version_of(store: Store) -> int:
    return await store.wait_for_change(-1, 0)


class TestChoosing:
    async def test_a_chat_has_what_it_chose_last(self, shelf: Shelf, store: Store) -> None:
        assert await store.routes.chosen(CHAT) is None
        await store.routes.choose(CHAT, ONE)
        await store.routes.choose(CHAT, TWO)
        await store.routes.choose(GROUP, ONE)
        seen = await shelf.again(store)
        assert await seen.routes.chosen(CHAT) == TWO
        assert await seen.routes.chosen(GROUP) == ONE
        assert await seen.routes.chosen(ChatId("9")) is None

    async def test_a_choice_can_be_taken_back(self, shelf: Shelf, store: Store) -> None:
        await store.routes.choose(CHAT, ONE)
        await store.routes.choose(GROUP, ONE)
        await store.routes.choose(CHAT, None)
        seen = await shelf.again(store)
        assert await seen.routes.chosen(CHAT) is None
        assert await seen.routes.chosen(GROUP) == ONE

    @pytest.mark.parametrize("session", [None, ONE])
    async def test_the_same_choice_writes_nothing(self, store: Store, session: SessionId | None) -> None:
        await store.routes.choose(CHAT, session)
        before = await version_of(store)
        await store.routes.choose(CHAT, session)
        assert await version_of(store) == before

    async def test_it_wakes_whoever_delivers(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open()
        version = await version_of(other)
        waiting = asyncio.create_task(other.wait_for_change(version, 600))
        await store.routes.choose(CHAT, ONE)
        async with asyncio.timeout(20):
            assert await waiting != version
        assert await other.routes.chosen(CHAT) == ONE


class TestBinding:
    async def test_every_field_comes_back_with_the_oldest_topic_first(self, shelf: Shelf, store: Store) -> None:
        given = [topic("9"), topic("3", None), topic("5", TWO, TILL)]
        for one in given:
            await store.routes.bind(one)
        assert await (await shelf.again(store)).routes.bindings() == tuple(given)

    async def test_a_topic_keeps_its_place_when_it_is_bound_anew(self, shelf: Shelf, store: Store) -> None:
        await store.routes.bind(topic("9"))
        await store.routes.bind(topic("3"))
        renamed = replace(topic("9", TWO, TILL), name="till")
        await store.routes.bind(renamed)
        assert await (await shelf.again(store)).routes.bindings() == (renamed, topic("3"))

    async def test_a_topic_is_one_of_its_chat(self, store: Store) -> None:
        elsewhere = replace(topic("3"), chat=CHAT, name="elsewhere")
        await store.routes.bind(topic("3"))
        await store.routes.bind(elsewhere)
        await store.routes.unbind(CHAT, ThreadId("4"))
        assert await store.routes.bindings() == (topic("3"), elsewhere)
        await store.routes.unbind(GROUP, ThreadId("3"))
        assert await store.routes.bindings() == (elsewhere,)

    async def test_the_same_binding_writes_nothing(self, store: Store) -> None:
        await store.routes.bind(topic())
        before = await version_of(store)
        await store.routes.bind(topic())
        await store.routes.unbind(GROUP, ThreadId("99"))
        assert await version_of(store) == before

    async def test_a_topic_that_is_bound_again_after_it_was_gone_is_a_new_one(self, store: Store) -> None:
        for thread in ("9", "3"):
            await store.routes.bind(topic(thread))
        await store.routes.unbind(GROUP, ThreadId("9"))
        await store.routes.bind(topic("9"))
        assert [one.thread for one in await store.routes.bindings()] == ["3", "9"]


class TestTakingATopic:
    async def test_the_next_session_of_the_project_gets_the_oldest_that_is_free(
        self, shelf: Shelf, store: Store
    ) -> None:
        for one in (topic("1", ONE), topic("2", None, TILL), topic("9", None), topic("3", None)):
            await store.routes.bind(one)
        got = await store.routes.take_topic(GROUP, SHOP, TWO)
        assert got == replace(topic("9", None), session=TWO)
        seen = await shelf.again(store)
        assert await seen.routes.bindings() == (topic("1", ONE), topic("2", None, TILL), got, topic("3", None))

    async def test_whether_it_is_open_in_the_chat_stays_as_it_was(self, store: Store) -> None:
        await store.routes.bind(replace(topic("1", None), is_open=True))
        got = await store.routes.take_topic(GROUP, SHOP, ONE)
        assert got is not None
        assert got.is_open
        await store.routes.bind(topic("2", None))
        got = await store.routes.take_topic(GROUP, SHOP, TWO)
        assert got is not None
        assert not got.is_open

    async def test_its_own_comes_before_any_other(self, store: Store) -> None:
        for one in (topic("1", None), topic("2", TWO), topic("3", ONE)):
            await store.routes.bind(one)
        before = await version_of(store)
        assert await store.routes.take_topic(GROUP, SHOP, ONE) == topic("3", ONE)
        assert await version_of(store) == before

    @pytest.mark.parametrize(
        "taken",
        [
            topic("1", TWO),
            topic("1", None, TILL),
            topic("1", ONE, TILL),
            replace(topic("1", None), chat=CHAT),
            replace(topic("1", ONE), chat=CHAT),
        ],
    )
    async def test_a_topic_of_somebody_else_is_never_taken(self, store: Store, taken: TopicBinding) -> None:
        """MUST F88: a topic that a session has, or that belongs to another project or chat, goes to nobody else."""
        await store.routes.bind(taken)
        assert await store.routes.take_topic(GROUP, SHOP, ONE) is None
        assert await store.routes.bindings() == (taken,)

    async def test_sessions_without_a_known_project_inherit_nothing_from_each_other(self, store: Store) -> None:
        await store.routes.bind(topic("1", None, ""))
        assert await store.routes.take_topic(GROUP, "", ONE) is None
        await store.routes.bind(topic("2", ONE, ""))
        assert await store.routes.take_topic(GROUP, "", ONE) == topic("2", ONE, "")

    async def test_of_many_at_the_same_time_each_gets_another(self, shelf: Shelf, store: Store) -> None:
        """MUST F89: however many sessions want a topic at the same time, each topic goes to one of them."""
        other = await shelf.open()
        for thread in ("1", "2", "3"):
            await store.routes.bind(topic(thread, None))
        names = [SessionId(f"s{number}") for number in range(6)]
        got = await asyncio.gather(
            *((store, other)[n % 2].routes.take_topic(GROUP, SHOP, name) for n, name in enumerate(names))
        )
        had = {one.thread: one.session for one in got if one is not None}
        assert sorted(had) == ["1", "2", "3"]
        assert len(set(had.values())) == got.count(None) == 3
        assert {one.thread: one.session for one in await store.routes.bindings()} == had


class TestAuthors:
    async def test_a_message_is_that_of_the_session_that_sent_it(self, shelf: Shelf, store: Store) -> None:
        await store.routes.note_sent(ONE, CHAT, messages(1, 2), NOON)
        await store.routes.note_sent(TWO, CHAT, messages(3), NOON)
        await store.routes.note_sent(TWO, GROUP, messages(1), NOON)
        seen = await shelf.again(store)
        asked = [await seen.routes.author(CHAT, one) for one in messages(1, 2, 3, 4)]
        assert asked == [ONE, ONE, TWO, None]
        assert await seen.routes.author(GROUP, MessageId("1")) == TWO

    async def test_the_last_one_told_counts(self, shelf: Shelf, store: Store) -> None:
        await store.routes.note_sent(ONE, CHAT, messages(1), NOON)
        await store.routes.note_sent(TWO, CHAT, messages(1, 1), later(5))
        seen = await shelf.again(store)
        assert await seen.routes.author(CHAT, MessageId("1")) == TWO
        assert await seen.routes.prune(later(5)) == 0

    async def test_what_is_known_already_writes_nothing(self, store: Store) -> None:
        await store.routes.note_sent(ONE, CHAT, messages(1, 2), NOON)
        before = await version_of(store)
        await store.routes.note_sent(ONE, CHAT, messages(2, 1), later(5))
        await store.routes.note_sent(ONE, CHAT, [], later(5))
        assert await version_of(store) == before

    async def test_many_at_once_are_all_remembered(self, store: Store) -> None:
        await store.routes.note_sent(ONE, CHAT, messages(*range(1300)), NOON)
        assert await store.routes.author(CHAT, MessageId("0")) == ONE
        assert await store.routes.author(CHAT, MessageId("1299")) == ONE

    async def test_old_ones_are_forgotten_and_nothing_else(self, shelf: Shelf, store: Store) -> None:
        await store.routes.note_sent(ONE, CHAT, messages(1, 2), later(-1))
        await store.routes.note_sent(ONE, CHAT, messages(3), NOON)
        await store.routes.choose(CHAT, ONE)
        await store.routes.bind(topic())
        await store.routes.ask(question(seconds=-1))
        assert await store.routes.prune(NOON) == 2
        seen = await shelf.again(store)
        assert [await seen.routes.author(CHAT, one) for one in messages(1, 2, 3)] == [None, None, ONE]
        assert await seen.routes.chosen(CHAT) == ONE
        assert await seen.routes.bindings() == (topic(),)
        assert await seen.routes.questions() == (question(seconds=-1),)
        before = await version_of(seen)
        assert await seen.routes.prune(NOON) == 0
        assert await version_of(seen) == before


class TestAsking:
    async def test_one_question_stands_for_each_chat_and_topic(self, shelf: Shelf, store: Store) -> None:
        """MUST F90: the bot asks a chat or topic once, whichever process asks first."""
        assert await store.routes.ask(question(seconds=5))
        assert await store.routes.ask(question("3", seconds=1))
        assert await store.routes.ask(question(seconds=3, chat=CHAT))
        seen = await shelf.again(store)
        before = await version_of(seen)
        assert not await seen.routes.ask(replace(question(), message=MessageId("10")))
        assert not await seen.routes.ask(question("3"))
        assert await version_of(seen) == before
        assert await seen.routes.questions() == (
            question("3", seconds=1),
            question(seconds=3, chat=CHAT),
            question(seconds=5),
        )

    async def test_those_of_the_same_moment_stay_in_order(self, store: Store) -> None:
        for thread in ("9", "3", "5"):
            await store.routes.ask(question(thread))
        assert [one.thread for one in await store.routes.questions()] == ["9", "3", "5"]

    async def test_a_settled_question_stands_no_more_and_can_be_asked_again(self, shelf: Shelf, store: Store) -> None:
        await store.routes.ask(question())
        await store.routes.ask(question("3"))
        assert await store.routes.settle_question(GROUP, None) == question()
        seen = await shelf.again(store)
        before = await version_of(seen)
        assert await seen.routes.settle_question(GROUP, None) is None
        assert await seen.routes.settle_question(CHAT, ThreadId("3")) is None
        assert await version_of(seen) == before
        assert await seen.routes.questions() == (question("3"),)
        assert await seen.routes.ask(question(seconds=9))
        assert await seen.routes.settle_question(GROUP, ThreadId("3")) == question("3")
        assert await seen.routes.questions() == (question(seconds=9),)

    async def test_of_many_at_the_same_time_one_asks_and_one_settles(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open()
        stores = [store, other] * 3
        asked = await asyncio.gather(*(one.routes.ask(question(seconds=n)) for n, one in enumerate(stores)))
        assert asked.count(True) == 1
        settled = await asyncio.gather(*(one.routes.settle_question(GROUP, None) for one in stores))
        assert settled.count(None) == 5


class TestOtherBots:
    async def test_what_one_bot_knows_is_hidden_from_another(self, shelf: Shelf, store: Store) -> None:
        """MUST S7: nothing stored for one bot is visible to another."""
        await store.routes.choose(CHAT, ONE)
        await store.routes.bind(topic("3", None))
        await store.routes.ask(question())
        await store.routes.note_sent(ONE, CHAT, messages(1), NOON)
        other = await shelf.open(OTHER_BOT)
        assert await other.routes.chosen(CHAT) is None
        assert await other.routes.bindings() == ()
        assert await other.routes.questions() == ()
        assert await other.routes.author(CHAT, MessageId("1")) is None
        assert await other.routes.take_topic(GROUP, SHOP, TWO) is None
        assert await other.routes.settle_question(GROUP, None) is None
        assert await other.routes.prune(later(60)) == 0
        await other.routes.unbind(GROUP, ThreadId("3"))
        await other.routes.choose(CHAT, None)
        assert await other.routes.ask(question(seconds=5))
        await other.routes.bind(topic("3", TWO, TILL))
        await other.routes.note_sent(TWO, CHAT, messages(1), NOON)
        await other.routes.choose(CHAT, TWO)
        seen = await shelf.again(store)
        assert await seen.routes.chosen(CHAT) == ONE
        assert await seen.routes.bindings() == (topic("3", None),)
        assert await seen.routes.questions() == (question(),)
        assert await seen.routes.author(CHAT, MessageId("1")) == ONE

    async def test_looking_writes_nothing(self, store: Store) -> None:
        before = await version_of(store)
        await store.routes.chosen(CHAT)
        await store.routes.bindings()
        await store.routes.questions()
        await store.routes.author(CHAT, MessageId("1"))
        await store.routes.take_topic(GROUP, SHOP, ONE)
        await store.routes.settle_question(GROUP, None)
        assert await version_of(store) == before
