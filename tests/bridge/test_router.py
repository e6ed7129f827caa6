"""What says whom a message is for is collected in one look, and from there on each message is for one session."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from telegram_channel.bridge.roster import ALIVE_FOR_S, About, Roster, about_session
from telegram_channel.bridge.twins import Twins
from telegram_channel.core.ids import BotId, ChatId, FileRef, MessageId, PressId, SessionId, ThreadId, UpdateId
from telegram_channel.core.messages import Attachment, AttachmentKind, ButtonPress, ReactionChange, RepliedTo
from telegram_channel.core.routing import TopicBinding
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.memory import MemoryStore
from tests.bridge.house import ANN, BOB, TEAM, House
from tests.clock import ManualClock
from tests.values import NOON, later, photo, place

SHOP, WEB = SessionId("shop"), SessionId("website")


def topic(session: str | None, thread: str = "7", chat: str = TEAM) -> TopicBinding:
    found = SessionId(session) if session else None
    return TopicBinding(ChatId(chat), ThreadId(thread), "/srv/shop", found, "shop")


async def test_with_one_session_everything_goes_there_at_once() -> None:
    """MUST F19: with one session alone, every message is for it, in the commit that stores it."""
    house = await House().open("shop")
    await house.say("hello")
    await house.say("from a topic", chat=TEAM, thread=ThreadId("7"))
    assert house.destinations() == {"hello": "shop", "from a topic": "shop"}
    assert set(house.reasons().values()) == {"alone"}
    assert house.chat.sent == []


@pytest.mark.parametrize(
    ("how", "to", "why"),
    [
        ({"text": "in its topic", "chat": TEAM, "thread": ThreadId("7")}, "shop", "topic"),
        ({"text": "a reply", "reply_to": RepliedTo(MessageId("600"), from_bot=True)}, "website", "reply"),
        ({"text": "/to shop a command"}, "shop", "named"),
        ({"text": "anything else"}, "blog", "chosen"),
        (
            {
                "text": "a reply in a topic",
                "chat": TEAM,
                "thread": ThreadId("7"),
                "reply_to": RepliedTo(MessageId("601"), from_bot=True),
            },
            "shop",
            "topic",
        ),
        ({"text": "to a person", "reply_to": RepliedTo(MessageId("600"))}, "blog", "chosen"),
        (
            {"text": "/to web over a reply", "reply_to": RepliedTo(MessageId("600"), from_bot=True)},
            "website",
            "named",
        ),
    ],
)
async def test_topic_reply_name_and_choice_say_whom_a_message_is_for(how: dict[str, Any], to: str, why: str) -> None:
    """MUST F20: a message is for exactly one session: by `/to`, topic, what it answers, the chat's choice, or
    alone.
    """
    house = await House().open("shop", "website", "blog")
    await house.store.routes.bind(topic("shop"))
    for chat in (ANN, TEAM):
        await house.store.routes.choose(ChatId(chat), SessionId("blog"))
    await house.wrote("website", "600")
    await house.wrote("website", "601", TEAM)
    await house.say(**how)
    [entry] = house.entries()
    assert (entry.session, entry.why) == (to, why)


async def test_parts_of_an_album_and_of_a_paste_go_where_the_first_one_went() -> None:
    """MUST F21: the parts of an album or of a cut paste go to one session."""
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), WEB)
    await house.say("/to shop look", album="a", attachment=photo(1))
    await house.say("", album="a", attachment=photo(2))
    await house.say("/to shop " + "x" * 4_000)
    await house.say("the end of it")
    await house.say("not a part of it")
    assert [one.session for one in house.entries()] == ["shop", "shop", "shop", "shop", "website"]


async def test_whoever_polls_next_knows_what_was_begun() -> None:
    house = await House().open("shop", "website")
    await house.say("/to shop look", album="a", attachment=photo(1))
    await house.emitted("look")
    next_one = House(database=house.store.database)
    next_one.alive = house.alive
    await next_one.store.routes.choose(ChatId(ANN), WEB)
    await next_one.reception.resume()
    await next_one.say("", album="a", attachment=photo(2), number=50)
    assert [one.session for one in next_one.entries()] == ["shop", "shop"]


async def test_a_correction_goes_where_the_original_went() -> None:
    """MUST F22: a correction goes to the session that got what it corrects."""
    house = await House().open("shop", "website")
    said = await house.say("/to shop do it")
    await house.store.routes.choose(ChatId(ANN), WEB)
    await house.say("/to shop do it well", number=int(said.message), edited=True, update=UpdateId(5))
    both = [house.said("helo", number=80), house.said("hello", number=80, edited=True, update=UpdateId(6))]
    await house.take(*both)
    assert [(one.session, getattr(one.inbound, "text", "")) for one in house.entries()] == [
        ("shop", "do it"),
        ("shop", "do it well"),
        ("website", "helo"),
        ("website", "hello"),
    ]


@pytest.mark.parametrize(("author", "to"), [("shop", "shop"), ("gone", "website"), (None, "website")])
async def test_a_reaction_goes_to_whoever_wrote_the_message_if_that_one_lives(author: str | None, to: str) -> None:
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), WEB)
    if author:
        await house.wrote(author, "600")
    await house.take(ReactionChange(UpdateId(1), place(), MessageId("600"), NOON, added=("👍",)))
    assert [one.session for one in house.entries()] == [to]


async def test_a_reaction_never_makes_the_bot_ask() -> None:
    house = await House().open("shop", "website")
    await house.take(ReactionChange(UpdateId(1), place(), MessageId("600"), NOON, added=("👍",)))
    assert house.entries() == []
    assert house.chat.sent == []


async def test_a_press_of_a_sessions_button_is_an_answer_to_that_session() -> None:
    """MUST F23: a press of a button goes to the session that asked."""
    house = await House().open("shop", "website")
    await house.wrote("shop", "600")
    await house.take(ButtonPress(UpdateId(1), place(), PressId("p"), "ask:0:0", MessageId("600"), "Yes"))
    assert [one.session for one in house.entries()] == ["shop"]
    assert [one.text for one in house.chat.press_answers] == ["Sent: Yes"]


async def test_a_voice_message_or_file_can_be_given_to_one_session_by_its_caption() -> None:
    house = await House().open("shop", "website")
    file = Attachment(AttachmentKind.DOCUMENT, FileRef("f"), "u", "a.txt")
    await house.say("/to web read this", attachment=file)
    await house.say("/to shop", attachment=file)
    assert [(one.session, getattr(one.inbound, "text", None)) for one in house.entries()] == [
        ("website", "read this"),
        ("shop", ""),
    ]


async def test_sessions_that_take_no_messages_or_have_died_get_none() -> None:
    house = await House().open("shop", "website", "blog")
    await house.begins("quiet", receives=False)
    await house.dies("website")
    await house.dies("blog")
    await house.say("hello")
    assert house.destinations() == {"hello": "shop"}


async def test_what_a_limited_person_means_and_may_not_reach_goes_nowhere() -> None:
    """MUST F24: a message for a session that is not open to its sender goes nowhere, and its sender is told."""
    house = await House().open("shop", "website")

    def limit(state: Any) -> Any:
        bob = replace(state.senders[BOB], only=frozenset({"website"}))
        return replace(state, senders={**state.senders, BOB: bob}), None, ()

    await house.store.access.transact(limit)
    await house.wrote("shop", "600", BOB)
    await house.say("hello", BOB)
    await house.answer("psst", "600", BOB)
    await house.say("/to shop psst", BOB)
    assert house.destinations() == {"hello": "website"}
    assert house.chat.texts(BOB) == [
        "That session is not open to you. Nothing was passed on.",
        "No running session is called “shop”. Nothing was passed on. Running: website.",
    ]


def record(session: str, pid: int, seconds: float = 0, **more: Any) -> SessionRecord:
    return SessionRecord(SessionId(session), pid, later(seconds), NOON, more.pop("name", session), True, **more)


async def test_the_system_is_asked_about_a_process_once_a_second_and_never_after_its_end() -> None:
    clock = ManualClock(NOON)
    store = MemoryStore(BotId("900"), now=clock.now)
    asked: list[int] = []
    alive = {1: True, 2: False}

    def is_alive(one: SessionRecord) -> bool:
        asked.append(one.pid)
        return alive[one.pid]

    own = record("me", 3)
    roster = Roster(store, clock, is_alive, own)
    for one in (record("a", 1), record("b", 2), own):
        await store.sessions.register(one)
    for _ in range(3):
        assert [one.session for one in await roster.members()] == ["a", "me"]
    assert asked == [1, 2]
    await clock.advance(ALIVE_FOR_S)
    alive[1] = False
    assert [one.session for one in await roster.members()] == ["me"]
    assert asked == [1, 2, 1]


async def test_whoever_begins_to_poll_asks_anew_who_lives() -> None:
    """MUST F118: whoever takes over polling finds out at once that the one before has ended."""
    clock = ManualClock(NOON)
    store = MemoryStore(BotId("900"), now=clock.now)
    alive = {1, 2}
    roster = Roster(store, clock, lambda one: one.pid in alive)
    for one in (record("polled", 1), record("beside", 2)):
        await store.sessions.register(one)
    assert len(await roster.members()) == 2
    alive.remove(1)
    await clock.advance(0.01)
    assert len(await roster.members()) == 2, "an answer is good for a second"
    roster.look_anew()
    assert [one.session for one in await roster.members()] == ["beside"]


async def test_who_was_taken_for_dead_and_is_heard_of_again_lives() -> None:
    """MUST F25: a clock that is set makes no living session a dead one for good."""
    clock = ManualClock(NOON)
    store = MemoryStore(BotId("900"), now=clock.now)
    clock_is_right = False
    roster = Roster(store, clock, lambda _: clock_is_right)
    await store.sessions.register(record("a", 1))
    assert await roster.members() == ()
    clock_is_right = True
    assert await roster.members() == ()
    await store.sessions.heartbeat(SessionId("a"), 1, later(30))
    assert [one.session for one in await roster.members()] == ["a"]


async def test_this_process_lives_whatever_the_list_says_and_the_dead_keep_their_name_for_a_while() -> None:
    clock = ManualClock(NOON)
    store = MemoryStore(BotId("900"), now=clock.now)
    alive = {1}
    roster = Roster(store, clock, lambda one: one.pid in alive, record("me", 3, 5, name="shop", project="/a/shop"))
    assert [one.label for one in await roster.members()] == ["shop"]
    await store.sessions.register(record("other", 1, 9, name="shop", branch="main", project="/b/shop"))
    assert [one.label for one in await roster.members()] == ["shop", "shop/main"]
    living = await roster.living()
    about = about_session(SessionId("other"), roster.members_of(living), living)
    assert about == About("shop/main", "/b/shop", "main")
    alive.clear()
    await clock.advance(ALIVE_FOR_S)
    await store.sessions.leave(SessionId("other"), 1, NOON)
    assert await roster.label_of(SessionId("other")) == "shop/main"
    assert await roster.label_of(SessionId("never heard of")) == ""


async def test_who_was_killed_is_taken_off_the_list_once_it_is_gone_for_good() -> None:
    """MUST F97: a process that was killed leaves the list ten seconds after that was noticed; a living one stays."""
    clock = ManualClock(NOON)
    store = MemoryStore(BotId("900"), now=clock.now)
    alive = {1, 2, 4}
    roster = Roster(store, clock, lambda one: one.pid in alive, record("me", 3))
    for one in (record("killed", 1), record("lives", 2), record("me", 3), record("no channel", 4, receives=False)):
        await store.sessions.register(one)

    async def retired() -> bool:
        return await roster.retire(await store.sessions.list(), 10)

    assert not await retired()
    alive -= {1, 4}
    await clock.advance(100)
    assert not await retired()
    await clock.advance(9.9)
    assert not await retired()
    await clock.advance(0.1)
    assert await retired()
    assert not await retired()
    assert {one.session for one in await store.sessions.list()} == {"lives", "me"}
    [ended] = await store.sessions.ended()
    assert (ended.record.session, ended.record.last_seen_at) == ("killed", NOON), (
        "it may have ended as soon as it was not seen any more"
    )


async def test_who_was_not_heard_of_for_long_had_ended_long_before_it_was_noticed() -> None:
    """MUST F98: of a session that ended while nobody looked (a power failure), nothing is waited for."""
    clock = ManualClock(later(3600))
    store = MemoryStore(BotId("900"), now=clock.now)
    roster = Roster(store, clock, lambda _: False)
    await store.sessions.register(record("before", 1))
    records = await store.sessions.list()
    assert roster.recent_of(records, (), 10) == ()
    assert await roster.retire(records, 10)
    [ended] = await store.sessions.ended()
    assert ended.record.last_seen_at == later(240 - 15)


async def test_of_two_processes_of_one_session_the_later_one_takes_the_messages() -> None:
    """MUST F26: of two processes of one session, one delivers."""
    clock = ManualClock(NOON)
    store = MemoryStore(BotId("900"), now=clock.now)
    alive = {1, 2}
    first, second = record("me", 1), record("me", 2, 10)
    earlier, later_one = (
        Twins(clock, Roster(store, clock, lambda one: one.pid in alive, own), own) for own in (first, second)
    )
    await store.sessions.register(first)
    assert not await earlier.is_replaced()
    await store.sessions.register(second)
    await clock.advance(1)
    assert await earlier.is_replaced()
    assert not await later_one.is_replaced()
    waiting = asyncio.create_task(later_one.until_alone())
    await clock.advance(1)
    assert not waiting.done()
    alive.discard(1)
    await clock.advance(1)
    assert waiting.done()
    alive.add(1)
    patient = asyncio.create_task(
        Twins(clock, Roster(store, clock, lambda one: one.pid in alive, second), second).until_alone()
    )
    await clock.advance(2.2)
    assert patient.done()
