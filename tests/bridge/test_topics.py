"""Sessions have topics of their own, give them on, and lose nothing when one disappears."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from telegram_channel.bridge.desk_notice import DeskNotice
from telegram_channel.bridge.lobby import Lobby
from telegram_channel.bridge.roster import Roster
from telegram_channel.bridge.topic_keeper import TopicKeeper
from telegram_channel.bridge.topics import PAUSE_S, Topics
from telegram_channel.core.access import AccessState, Group, Role, Sender
from telegram_channel.core.hooks import AttentionWanted
from telegram_channel.core.ids import BotId, ChatId, MessageId, SenderId, SessionId, ThreadId
from telegram_channel.core.outgoing import OutMessage, PartlySent, Refused, SendOutcome, Sent, TopicOutcome, Uncertain
from telegram_channel.core.routing import TopicBinding
from telegram_channel.core.text import Plain
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.memory import MemoryStore
from telegram_channel.storage.memory_tables import MemoryDatabase
from tests.chat import RecordingChat, TopicCall, as_port
from tests.clock import ManualClock
from tests.values import NOON
from tests.waiting import running

TEAM, OTHERS, ANN, BOB = ChatId("-2001"), ChatId("-2002"), ChatId("1001"), ChatId("1002")
GONE = Refused("The topic was deleted.", topic_gone=True)
NO_RIGHTS = Refused("not enough rights")
SOON_S, ORPHANED_S = 3.0, 10.0
LOOK_S = 2.0
QUITE_GONE_S = ORPHANED_S + 10


class SilentChat(RecordingChat):
    """A chat in which no opening ever ends."""

    async def open_topic(self, chat: ChatId, name: str) -> TopicOutcome:
        await super().open_topic(chat, name)
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody ends it")


class House:
    """Processes on one store, in front of one Telegram."""

    def __init__(self, chat: RecordingChat | None = None) -> None:
        self.clock = ManualClock(NOON)
        self.database = MemoryDatabase()
        self.chat = chat or RecordingChat()
        self.chat.topics_in = {TEAM}
        self.store = self.open_store()
        self.alive: set[SessionId] = set()
        self.let_in({ANN: Role.OWNER})

    def open_store(self) -> MemoryStore:
        return MemoryStore(BotId("900"), self.database, self.clock.now)

    def let_in(self, roles: dict[ChatId, Role], only: frozenset[str] = frozenset()) -> None:
        senders = {
            SenderId(who): Sender(SenderId(who), role, "Ann", NOON, "pair", only=only) for who, role in roles.items()
        }
        groups = {chat: Group(chat, "Team", NOON) for chat in (TEAM, OTHERS)}
        self.store.tables.book = AccessState(senders=MappingProxyType(senders), groups=MappingProxyType(groups))

    def process(
        self,
        session: str,
        project: str = "/src/shop",
        *,
        enabled: bool = True,
        receives: bool = True,
        pid: int = 0,
    ) -> "Process":
        """A process that was just started; one without a number of its own gets the next one."""
        number = pid or len(self.alive) + 1
        at = self.clock.now() + timedelta(seconds=number / 1000)
        name = project.rpartition("/")[2]
        record = SessionRecord(
            SessionId(session), number, at, at, name, is_channel=True, receives=receives, project=project
        )
        return Process(self, record, enabled=enabled)

    def roster(self, own: SessionRecord | None = None) -> Roster:
        return Roster(self.store, self.clock, lambda record: record.session in self.alive, own)

    def keeper(self) -> TopicKeeper:
        return TopicKeeper(self.store, self.chat, self.clock, self.roster(), orphaned_after_s=ORPHANED_S)

    async def after(self, seconds: float) -> None:
        """Let time pass; a store in memory waits by another clock, so it is told now and then to look again."""
        until_s = self.clock.monotonic() + seconds
        while (left_s := until_s - self.clock.monotonic()) > 0:
            await self.clock.advance(min(LOOK_S, left_s))
            self.store.changed()
        await self.clock.settle()

    @property
    def calls(self) -> list[TopicCall]:
        return self.chat.topic_calls

    @property
    def deeds(self) -> list[tuple[str, str | None, str]]:
        """What was done to topics, in order."""
        return [(call.what, call.thread, call.name) for call in self.calls]

    async def bindings(self) -> tuple[TopicBinding, ...]:
        return await self.store.routes.bindings()


class Process:
    """One serve process, as far as topics go."""

    def __init__(self, house: House, record: SessionRecord, *, enabled: bool) -> None:
        self.house = house
        self.record = record
        self.store = house.open_store()
        self.topics = Topics(self.store, house.chat, house.clock, record, house.roster(record), enabled=enabled)

    async def register(self, **more: str) -> None:
        self.house.alive.add(self.record.session)
        self.record = replace(self.record, **more)  # type: ignore[arg-type]  # names of text fields only
        await self.store.sessions.register(self.record)

    @asynccontextmanager
    async def lives(self, **more: str) -> AsyncIterator["Process"]:
        """Register and look after topics beside the body; then end without a word."""
        await self.register(**more)
        async with running(self.topics.run()):
            await self.house.after(SOON_S)
            yield self
        self.house.alive.discard(self.record.session)


def bound(
    thread: str, session: str | None, name: str = "shop", project: str = "/src/shop", *, is_open: bool = True
) -> TopicBinding:
    return TopicBinding(TEAM, ThreadId(thread), project, SessionId(session) if session else None, name, is_open)


# Having one


async def test_a_session_gets_a_topic_in_every_chat_that_has_topics_and_is_open_to_it() -> None:
    """MUST F46: with topics=auto a session gets a topic in every group and private chat of the book that has
    topics.
    """
    house = House()
    house.let_in({ANN: Role.OWNER, BOB: Role.SENDER})
    house.chat.topics_in = {TEAM, ANN, BOB, "-666", "666"}
    async with house.process("s1").lives() as one:
        assert sorted(call.chat for call in house.calls) == sorted([TEAM, ANN, BOB])
        assert {call.what for call in house.calls} == {"open"}
        assert {call.name for call in house.calls} == {"shop"}
        for binding in await house.bindings():
            assert one.topics.thread_for(binding.chat) == binding.thread
        assert one.topics.thread_for(OTHERS) is None
        assert one.topics.thread_for(ChatId("666")) is None
        await house.after(3600)
    assert len(house.calls) == 3


async def test_a_change_has_no_process_examined_a_second_time_for_topics() -> None:
    house = House()
    own, other = house.process("s1").record, house.process("s2", "/src/blog").record
    asked: list[int] = []

    def is_alive(record: SessionRecord) -> bool:
        asked.append(record.pid)
        return True

    for record in (own, other):
        await house.store.sessions.register(record)
    roster = Roster(house.store, house.clock, is_alive, own)
    async with running(Topics(house.store, house.chat, house.clock, own, roster).run()):
        await house.after(SOON_S)
        await house.clock.advance(SOON_S)  # what was found out until now counts no more
        asked.clear()
        house.store.changed()
        await house.clock.settle()
        await roster.living()  # as the delivery does, at once
        assert asked == [other.pid]
        await house.clock.advance(PAUSE_S)
        await house.clock.settle()
    assert asked == [other.pid]


async def test_with_topics_off_nothing_happens() -> None:
    """MUST F47: with topics=off nothing is asked, opened or changed."""
    house = House()
    one = house.process("s1", enabled=False)
    async with one.lives():
        await house.after(600)
        assert one.topics.thread_for(TEAM) is None
    assert house.calls == []


async def test_whoever_may_not_reach_a_session_sees_no_topic_of_it() -> None:
    """MUST F48: a session opens no topic in the private chat of somebody to whom it is not open."""
    house = House()
    house.let_in({ANN: Role.SENDER}, frozenset({"blog"}))
    house.chat.topics_in = {ANN}
    async with house.process("s1").lives() as shop, house.process("s2", "/src/blog").lives() as blog:
        assert house.deeds == [("open", None, "blog")]
        assert (shop.topics.thread_for(ANN), blog.topics.thread_for(ANN)) == (None, "71")


async def test_a_session_that_is_not_listed_or_takes_no_messages_has_no_topic() -> None:
    house = House()
    unlisted, silent = house.process("s1"), house.process("s2", receives=False)
    await silent.register()
    house.alive.add(unlisted.record.session)
    async with running(unlisted.topics.run(), silent.topics.run()):
        await house.after(SOON_S)
        assert house.calls == []
        await unlisted.register()
        await house.after(SOON_S)
        assert house.deeds == [("open", None, "shop")]


async def test_of_two_processes_of_one_session_the_later_one_cares() -> None:
    house = House()
    async with house.process("s1", pid=7).lives() as first:
        await house.after(5)
        async with house.process("s1", pid=9).lives() as second:
            await house.after(60)
            assert (first.topics.thread_for(TEAM), second.topics.thread_for(TEAM)) == (None, "71")
    assert house.deeds == [("open", None, "shop")]


async def test_a_chat_that_gets_topics_later_is_noticed_and_one_that_loses_them_as_well() -> None:
    house = House()
    house.chat.topics_in = set()
    async with house.process("s1").lives() as one:
        house.chat.topics_in = {TEAM}
        await house.after(70)
        assert one.topics.thread_for(TEAM) == "71"
        house.chat.topics_unknown_in = {TEAM}
        await house.after(70)
        assert one.topics.thread_for(TEAM) == "71"
        house.chat.topics_unknown_in, house.chat.topics_in = set(), set()
        await house.after(70)
        assert one.topics.thread_for(TEAM) is None
    assert house.deeds == [("open", None, "shop")]


async def test_a_chat_that_cannot_be_written_to_is_left_alone() -> None:
    house = House()
    await house.store.closed_chats.close(TEAM, "The bot was kicked.")
    async with house.process("s1").lives() as one:
        assert house.calls == []
        await house.store.closed_chats.reopen(TEAM)
        await house.after(70)
        assert one.topics.thread_for(TEAM) == "71"


async def test_a_slow_chat_delays_no_other() -> None:
    house = House()
    house.chat.topics_in = {TEAM, OTHERS}
    gate = house.chat.hold(TEAM)
    async with house.process("s1").lives() as one:
        assert (one.topics.thread_for(TEAM), one.topics.thread_for(OTHERS)) == (None, "71")
        gate.set()
        await house.after(SOON_S)
        assert one.topics.thread_for(TEAM) == "72"


# Names


async def test_a_topic_is_renamed_with_its_session_and_not_too_often() -> None:
    """MUST F49: a topic is called like its session, and renamed at most once a minute."""
    house = House()
    async with house.process("s1").lives(branch="main") as one:
        async with house.process("s2").lives(branch="login"):
            assert sorted(house.deeds[1:], key=str) == [("open", None, "shop/login"), ("rename", "71", "shop/main")]
        await one.register(branch="fix")  # alone again: back to the plain name, a minute later
        await house.after(50)
        assert len(house.deeds) == 3
        await house.after(130)
    assert house.deeds[3:] == [("rename", "71", "shop")]
    assert (await house.bindings())[0].name == "shop"


async def test_a_name_that_cannot_be_changed_is_tried_again_later() -> None:
    house = House()
    await house.store.routes.bind(bound("71", "s1", "old"))
    house.chat.will("rename_topic", NO_RIGHTS, Uncertain("no answer"))
    async with house.process("s1").lives() as one:
        await house.after(590)
        assert one.topics.thread_for(TEAM) == "71"
        assert house.deeds == [("rename", "71", "shop")]
        await house.after(100)
        assert house.deeds == [("rename", "71", "shop")] * 2
        await house.after(700)
    assert house.deeds == [("rename", "71", "shop")] * 3
    assert await house.bindings() == (bound("71", "s1"),)


# What may go wrong


async def test_a_topic_that_may_have_been_opened_is_not_opened_again() -> None:
    """MUST F50: an opening of which nobody knows what became is never repeated by the same process."""
    house = House()
    house.chat.will_open(Uncertain("no answer"))
    async with house.process("s1").lives() as one:
        await house.after(2 * 3600)
        assert one.topics.thread_for(TEAM) is None
    assert house.deeds == [("open", None, "shop")]


async def test_an_opening_that_was_interrupted_is_not_repeated() -> None:
    house = House(SilentChat())
    one = house.process("s1")
    async with one.lives():
        assert house.deeds == [("open", None, "shop")]
    async with one.lives():
        await house.after(3600)
    assert house.deeds == [("open", None, "shop")]


async def test_a_chat_that_refuses_is_asked_again_every_ten_minutes_at_most(caplog: pytest.LogCaptureFixture) -> None:
    """MUST F51: where a topic is refused the session stays in the general topic, and tries every ten minutes
    at most.
    """
    house = House()
    house.chat.will_open(*[NO_RIGHTS] * 6)
    async with house.process("s1").lives() as one:
        await house.after(3590)
        assert 5 <= len(house.calls) <= 6
        assert one.topics.thread_for(TEAM) is None
        await house.after(1300)
        assert one.topics.thread_for(TEAM) == "71"
    assert len([record for record in caplog.records if "not enough rights" in record.message]) == 1


async def test_an_opened_topic_is_kept_while_the_disk_is_full() -> None:
    house = House()
    house.chat.topics_in = {TEAM}
    gate = house.chat.hold(TEAM)
    one = house.process("s1")
    async with one.lives():
        gate.set()
        one.store.fault = StateUnwritable("The disk is full.")
        await house.clock.settle()
        one.store.fault = None
        await house.after(130)
        assert one.topics.thread_for(TEAM) == "71"
    assert house.deeds == [("open", None, "shop")]


async def test_a_topic_that_people_delete_is_replaced_but_not_at_once() -> None:
    """MUST F52: a topic that people deleted is replaced, at most once in ten minutes."""
    house = House()
    async with house.process("s1").lives() as one:
        await house.store.routes.unbind(TEAM, ThreadId("71"))
        await house.after(580)
        assert one.topics.thread_for(TEAM) is None
        assert len(house.calls) == 1
        await house.after(100)
        assert one.topics.thread_for(TEAM) == "72"
        await one.register(name="store")
        house.chat.will("rename_topic", GONE)
        await house.after(SOON_S)
        assert await house.bindings() == ()
        await house.after(700)
        assert one.topics.thread_for(TEAM) == "73"
    assert [what for what, _, _ in house.deeds] == ["open", "open", "rename", "open"]


# Giving it on


async def test_a_topic_is_closed_when_its_session_ends_and_the_next_one_of_the_project_has_it() -> None:
    """MUST F53: a session's topic is closed when it ends, and reopened and renamed by the next one of its project."""
    house = House()
    async with running(house.keeper().run()):
        async with house.process("s1").lives():
            pass
        await house.after(ORPHANED_S - 2)
        assert house.deeds == [("open", None, "shop")]
        await house.after(QUITE_GONE_S)
        assert house.deeds[1:] == [("close", "71", "")]
        assert await house.bindings() == (bound("71", None, is_open=False),)
        async with house.process("s3", "/src/blog").lives() as blog, house.process("s2").lives() as shop:
            assert (shop.topics.thread_for(TEAM), blog.topics.thread_for(TEAM)) == ("71", "72")
    assert house.deeds[2:] == [("open", None, "blog"), ("reopen", "71", "")]


async def test_a_session_that_follows_at_once_waits_for_the_topic_which_stays_open() -> None:
    house = House()
    async with running(house.keeper().run()):
        async with house.process("s1").lives(branch="main"):
            pass
        async with house.process("s2").lives(name="shop-2") as two:
            assert two.topics.thread_for(TEAM) is None
            await house.after(QUITE_GONE_S)
            assert two.topics.thread_for(TEAM) == "71"
    assert house.deeds == [("open", None, "shop"), ("rename", "71", "shop-2")]


async def test_a_session_that_comes_back_in_time_keeps_its_topic() -> None:
    house = House()
    async with running(house.keeper().run()):
        async with house.process("s1").lives():
            pass
        await house.after(ORPHANED_S - 3)
        async with house.process("s1").lives() as again:
            await house.after(QUITE_GONE_S)
            assert again.topics.thread_for(TEAM) == "71"
    assert house.deeds == [("open", None, "shop")]


async def test_a_session_that_comes_back_while_its_topic_is_being_closed_has_it_open() -> None:
    house = House()
    async with house.process("s1").lives():
        pass
    gate = house.chat.hold(TEAM)
    async with running(house.keeper().run()):
        await house.after(QUITE_GONE_S)
        assert house.deeds[-1] == ("close", "71", "")
        await house.process("s1", pid=5).register()
        gate.set()
        await house.after(SOON_S)
    assert house.deeds[-1] == ("reopen", "71", "")
    assert await house.bindings() == (bound("71", "s1"),)


async def test_of_two_that_follow_one_takes_the_topic_and_the_other_opens_its_own() -> None:
    """MUST F54: no two living sessions ever have the same topic."""
    house = House()
    await house.store.routes.bind(bound("60", None, is_open=False))
    one, two = house.process("s1"), house.process("s2")
    await one.register()
    await two.register()
    async with running(one.topics.run(), two.topics.run()):
        await house.after(SOON_S)
    assert sorted(filter(None, (one.topics.thread_for(TEAM), two.topics.thread_for(TEAM)))) == ["60", "71"]
    assert [what for what, _, _ in house.deeds].count("open") == 1


async def test_the_topic_of_a_session_without_a_project_is_closed_and_forgotten() -> None:
    """MUST F55: the topic of a session whose project is not known is never given on."""
    house = House()
    async with running(house.keeper().run()):
        async with house.process("s1", "").lives():
            pass
        async with house.process("s2", "").lives() as two:
            assert two.topics.thread_for(TEAM) == "72"
            await house.after(QUITE_GONE_S)
            assert [one.thread for one in await house.bindings()] == ["72"]
    assert [(what, thread) for what, thread, _ in house.deeds] == [("open", None), ("open", None), ("close", "71")]


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        (Sent(()), (bound("71", None, is_open=False),)),
        (Refused("Telegram cannot close topics of private chats."), (bound("71", None, is_open=False),)),
        (Refused("The bot was kicked.", closed=True), (bound("71", None, is_open=False),)),
        (GONE, ()),
    ],
)
async def test_whatever_becomes_of_the_closing_the_topic_is_free(
    outcome: SendOutcome, left: tuple[TopicBinding, ...]
) -> None:
    house = House()
    await house.store.routes.bind(bound("71", "dead"))
    house.chat.will("close_topic", outcome)
    async with running(house.keeper().run()):
        await house.after(QUITE_GONE_S)
        assert await house.bindings() == left
        await house.after(600)
    assert len(house.calls) == 1


async def test_a_closing_of_which_nobody_knows_is_repeated_after_a_while() -> None:
    house = House()
    await house.store.routes.bind(bound("71", "dead"))
    house.chat.will("close_topic", Uncertain("no answer"))
    async with running(house.keeper().run()):
        await house.after(QUITE_GONE_S)
        assert await house.bindings() == (bound("71", "dead"),)
        await house.after(40)
        assert len(house.calls) == 1
        await house.after(60)
    assert len(house.calls) == 2
    assert await house.bindings() == (bound("71", None, is_open=False),)


async def test_of_closings_that_are_over_nothing_is_remembered() -> None:
    """MUST F99: what is remembered of a chat goes with its reason, so that a long life needs no more memory."""
    house = House()
    for number in range(5):
        await house.store.routes.bind(bound(f"{81 + number}", "dead"))
    house.chat.will("close_topic", *[Uncertain("no answer")] * 5)
    keeper = house.keeper()
    async with running(keeper.run()):
        await house.after(QUITE_GONE_S)
        assert len(house.calls) == 5
        for topic in await house.bindings():  # people delete them
            await house.store.routes.unbind(topic.chat, topic.thread)
        await house.process("one").register()
        await house.store.routes.bind(bound("71", "one"))
        await house.after(120)
        assert not [kept for kept in vars(keeper).values() if isinstance(kept, dict) and kept]


@pytest.mark.parametrize("why", ["closed", "not let in"])
async def test_a_chat_that_must_not_be_written_to_is_not_and_its_topic_is_free(why: str) -> None:
    house = House()
    await house.store.routes.bind(bound("71", "dead"))
    if why == "closed":
        await house.store.closed_chats.close(TEAM, "The bot was kicked.")
    else:
        house.store.tables.book = AccessState()
    async with running(house.keeper().run()):
        await house.after(QUITE_GONE_S)
    assert house.calls == []
    assert await house.bindings() == (bound("71", None, is_open=False),)


async def test_a_topic_that_was_handed_over_and_taken_by_nobody_is_closed() -> None:
    house = House()
    await house.store.routes.bind(bound("71", "dead"))
    await house.process("s1", enabled=False).register()
    async with running(house.keeper().run()):
        await house.after(2 * QUITE_GONE_S)
    assert house.deeds == [("close", "71", "")]
    assert await house.bindings() == (bound("71", None, is_open=False),)


# Sending


async def test_an_owner_is_told_in_the_session_s_topic_that_the_terminal_waits() -> None:
    """MUST F56: what a session says unasked comes in its topic."""
    house = House()
    house.chat.topics_in = {ANN}
    async with house.process("s1").lives() as one:
        notice = DeskNotice(
            *(house.store, house.chat, house.clock, one.record.session, "shop"),
            must_not_leave=lambda _: False,
            thread_for=one.topics.thread_for,
        )
        await notice.tell(AttentionWanted("Sign in again.", "auth"), still_new=lambda: True)
    assert [(sent.chat, sent.thread) for sent in house.chat.sent] == [(ANN, "71")]


def said(thread: str | None = "71") -> OutMessage:
    return OutMessage(TEAM, Plain("hello"), ThreadId(thread) if thread else None, reply_to=MessageId("7"))


IN_GENERAL = replace(said(None), reply_to=None)


async def test_what_a_deleted_topic_does_not_take_goes_to_the_general_topic_once() -> None:
    """MUST F57: what cannot be sent to a topic that is gone is sent to the general topic, once."""
    house = House()
    await house.store.routes.bind(bound("71", "s1"))
    house.chat.will("send", GONE)
    house.chat.will("reopen_topic", GONE)
    lobby = Lobby(as_port(house.chat), house.store)
    assert await lobby.send(said()) == Sent((MessageId("502"),))
    assert house.chat.sent == [said(), IN_GENERAL]
    assert await house.bindings() == ()


async def test_in_a_private_chat_nothing_but_the_topic_itself_tells_that_it_is_gone() -> None:
    house = House()
    await house.store.routes.bind(bound("71", "s1"))
    house.chat.will("send", GONE, GONE)
    assert isinstance(await Lobby(as_port(house.chat), house.store).send(said()), Sent)
    assert house.chat.sent == [said(), said(), IN_GENERAL]
    assert await house.bindings() == ()


async def test_a_topic_that_was_only_closed_is_opened_again() -> None:
    house = House()
    await house.store.routes.bind(bound("71", "s1"))
    house.chat.will("send", GONE)
    assert isinstance(await Lobby(as_port(house.chat), house.store).send(said()), Sent)
    assert house.chat.sent == [said(), said()]
    assert await house.bindings() == (bound("71", "s1"),)


async def test_a_closed_topic_that_may_not_be_opened_stays_known() -> None:
    house = House()
    await house.store.routes.bind(bound("71", "s1"))
    house.chat.will("send", GONE)
    house.chat.will("reopen_topic", NO_RIGHTS)
    assert isinstance(await Lobby(as_port(house.chat), house.store).send(said()), Sent)
    assert house.chat.sent == [said(), IN_GENERAL]
    assert await house.bindings() == (bound("71", "s1"),)


async def test_topics_of_people_are_never_opened_for_them() -> None:
    house = House()
    house.chat.will("send", GONE)
    assert isinstance(await Lobby(as_port(house.chat), house.store).send(said()), Sent)
    assert house.chat.sent == [said(), IN_GENERAL]
    assert house.calls == []


@pytest.mark.parametrize(
    "outcome",
    [
        Sent((MessageId("9"),)),
        PartlySent((MessageId("9"),), 2, "The topic was deleted."),
        Uncertain("no answer"),
        Refused("too long"),
        Refused("The bot was kicked.", closed=True),
    ],
)
async def test_whatever_else_becomes_of_a_message_it_is_sent_once(outcome: SendOutcome) -> None:
    """MUST F58: what may have arrived, even in part, is never sent again to another topic."""
    house = House()
    await house.store.routes.bind(bound("71", "s1"))
    house.chat.will("send", outcome)
    assert await Lobby(as_port(house.chat), house.store).send(said()) == outcome
    assert house.chat.sent == [said()]


async def test_without_a_topic_and_without_a_store_sending_goes_on() -> None:
    house = House()
    lobby = Lobby(as_port(house.chat), house.store)
    house.chat.will("send", GONE)
    assert await lobby.send(said(None)) == GONE
    house.store.fault = StateUnwritable("The disk is full.")
    house.chat.will("send", GONE)
    assert isinstance(await lobby.send(said()), Sent)
    assert house.chat.sent == [said(None), said(), IN_GENERAL]
