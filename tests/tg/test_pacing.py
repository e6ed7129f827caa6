"""Several processes that send for one bot keep its limits together, and each keeps them alone when it must."""

import asyncio
import logging
from collections.abc import Collection

import pytest

from telegram_channel.core.ids import BotId, ChatId
from telegram_channel.core.outgoing import OutMessage, Refused, Sent
from telegram_channel.core.pacing import Answer, Passage
from telegram_channel.core.text import Plain
from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.phone import Phone
from telegram_channel.demo.transport import IN_PROCESS, InProcessTransport
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Pace
from telegram_channel.storage.memory import MemoryDatabase, MemoryStore
from telegram_channel.tg.client import TelegramChat
from telegram_channel.tg.limits import PRIVATE_PACE
from telegram_channel.tg.outbox import Kind, Outbox
from tests.clock import ManualClock
from tests.tg.server import Server, flood

TOKEN = "4242:THE-SECRET_part"
ANN, BOB = ChatId("1"), ChatId("2")


class Processes:
    """What several processes share: one bot on the emulator, one state."""

    def __init__(self, count: int) -> None:
        self.clock = ManualClock()
        self.api = BotApi(flood_control=True)
        self.bot = self.api.add_bot(TOKEN, username="Claude_Bot")
        self.ann = Phone(self.api, self.api.add_person("Ann"), self.bot, self.now)
        self.ann.say("/start")
        self.transport = InProcessTransport(self.api, now=self.now, sleep=self.clock.sleep)
        self.paces = shared(count, self.clock)
        self.chats = [
            TelegramChat(TOKEN, self.clock, api_base=IN_PROCESS, transport=self.transport, pace=pace)
            for pace in self.paces
        ]

    def now(self) -> float:
        return self.clock.now().timestamp()

    @property
    def room(self) -> ChatId:
        """Ann's private chat."""
        return ChatId(str(self.ann.person.id))

    def texts(self, chat: ChatId) -> list[str]:
        return [act.params["text"] for act in self.api.sent("sendMessage") if act.params["chat_id"] == chat]


def shared(count: int, clock: ManualClock) -> list[Pace]:
    """The pace of so many processes on one state."""
    database = MemoryDatabase()
    return [MemoryStore(BotId("4242"), database, clock.now).pace for _ in range(count)]


async def test_ten_sessions_answering_together_lose_nothing_and_flood_nobody() -> None:
    """MUST M9: with ten sessions answering together no message is lost and the limits hold."""
    world = Processes(10)
    team = ChatId(str(world.ann.create_group("Team", world.bot).id))
    outcomes: list[object] = []

    async def say(process: int, chat: ChatId, number: int) -> None:
        outcomes.append(await world.chats[process].send(OutMessage(chat, Plain(f"{process} {number}"))))

    async with asyncio.TaskGroup() as sending:
        for process in range(10):
            for number in range(4):
                sending.create_task(say(process, team, number))
                sending.create_task(say(process, world.room, number))
        await world.clock.advance(200)
    assert [act.refusal for act in world.api.refused] == []
    assert [one for one in outcomes if not isinstance(one, Sent)] == []
    for chat in (team, world.room):
        found = world.texts(chat)
        assert sorted(found) == sorted(f"{process} {number}" for process in range(10) for number in range(4))
        for process in range(10):  # each session's own messages are in order
            own = [text for text in found if text.startswith(f"{process} ")]
            assert own == sorted(own)


async def test_a_flood_answer_to_one_process_holds_all_of_them() -> None:
    """MUST M10: a flood wait told to one process is kept by all."""
    world = Processes(10)
    world.transport.faults.add("flood", "sendMessage", times=1, seconds=20)
    began_at = world.now()
    async with asyncio.TaskGroup() as sending:
        for number, chat in enumerate(world.chats):
            sending.create_task(chat.send(OutMessage(world.room, Plain(f"{number}"))))
            await world.clock.settle()
        await world.clock.advance(19.9)
        assert world.texts(world.room) == []
        await world.clock.advance(20)
    assert sorted(world.texts(world.room)) == sorted(f"{number}" for number in range(10))
    assert world.api.refused == []
    assert world.now() > began_at


async def test_a_long_flood_wait_is_told_to_everybody_who_writes_there() -> None:
    """MUST M10: a flood wait told to one process is kept by all."""
    clock, server = ManualClock(), Server()
    one, other = (server.chat(clock, pace=pace) for pace in shared(2, clock))
    server.put("sendMessage", flood(300))
    for chat in (one, other):
        outcome = await chat.send(OutMessage(ANN, Plain("hello")))
        assert isinstance(outcome, Refused)
        assert "300 seconds" in outcome.cause
    assert len(server.requests) == 1


async def test_typing_and_drafts_stop_where_another_process_was_told_to_wait() -> None:
    clock, server = ManualClock(), Server()
    one, other = (server.chat(clock, pace=pace) for pace in shared(2, clock))
    server.put("sendMessage", flood(300))
    await one.send(OutMessage(ANN, Plain("hello")))
    await other.typing(ANN)
    await other.draft(ANN, 1, Plain("hel"))
    assert len(server.of("sendChatAction", "sendMessageDraft")) == 0
    server.put("sendChatAction", flood(10))
    for _ in range(2):
        await one.typing(BOB)
        await other.typing(BOB)
    assert len(server.of("sendChatAction")) == 1
    assert isinstance(await one.send(OutMessage(BOB, Plain("hello"))), Sent)


async def test_a_message_that_waits_gives_its_flood_waits_a_minute_in_all() -> None:
    """MUST R23: a flood wait is kept exactly, per chat."""
    clock, server = ManualClock(), Server()
    chat = server.chat(clock)
    server.put("sendMessage", flood(40), flood(30))
    sending = asyncio.create_task(chat.send(OutMessage(ANN, Plain("hello"))))
    await clock.advance(41)
    assert isinstance(await sending, Refused)
    assert len(server.requests) == 2


async def test_a_flood_after_a_long_wait_for_the_pace_loses_no_message() -> None:
    """MUST M11: waiting for the limits does not use up the patience for flood waits."""
    world = Processes(2)
    team = ChatId(str(world.ann.create_group("Team", world.bot).id))
    async with asyncio.TaskGroup() as sending:
        for number in range(41):
            sending.create_task(world.chats[number % 2].send(OutMessage(team, Plain(f"{number}"))))
        await world.clock.advance(121)
        world.transport.faults.add("flood", "sendMessage", times=1, seconds=10)
        await world.clock.advance(30)
    assert len(world.texts(team)) == 41


class Broken:
    """A pace that cannot be used, as long as `why` says so."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.why: str | None = "the disk is full"

    def _look(self) -> None:
        if self.why is not None:
            raise StateUnwritable(self.why)

    async def ask(self, passage: Passage) -> Answer:
        self._look()
        return await self._pace.ask(passage)

    async def pause(self, chat: ChatId, kinds: Collection[str], seconds: float) -> None:
        self._look()
        await self._pace.pause(chat, kinds, seconds)

    async def pause_s(self, chat: ChatId, kind: str) -> float:
        self._look()
        return await self._pace.pause_s(chat, kind)


async def test_a_process_that_cannot_share_keeps_the_limits_alone(caplog: pytest.LogCaptureFixture) -> None:
    """MUST M12: a pace that cannot be shared stops no message, and each process keeps the limits by itself."""
    clock = ManualClock()
    pace = Broken(shared(1, clock)[0])
    outbox = Outbox(clock, pace)
    left: list[float] = []

    async def send() -> None:
        async with outbox.turn(ANN):
            await outbox.slot(ANN)
            left.append(clock.monotonic())

    async with asyncio.TaskGroup() as sending:
        for _ in range(8):
            sending.create_task(send())
        await clock.advance(11)
    assert left == [0.0] * 5 + [pytest.approx(5.2)] * 3
    await outbox.hold(ANN, 30)
    assert await outbox.held_s(ANN) == pytest.approx(30)
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 1
    pace.why = None
    assert await outbox.held_s(ANN) == pytest.approx(30)


async def test_what_was_sent_alone_still_counts_when_sharing_works_again() -> None:
    clock = ManualClock()
    pace = Broken(shared(1, clock)[0])
    outbox = Outbox(clock, pace)
    for _ in range(PRIVATE_PACE.most):
        await outbox.slot(ANN)
    pace.why = None
    sending = asyncio.create_task(outbox.slot(ANN))
    await clock.advance(5)
    assert not sending.done()
    await clock.advance(1)
    assert sending.done()


async def test_reactions_that_wait_ask_one_after_the_other() -> None:
    clock = ManualClock()
    outboxes = [Outbox(clock, pace) for pace in shared(2, clock)]
    async with asyncio.TaskGroup() as reacting:
        for number in range(60):
            reacting.create_task(outboxes[number % 2].slot(ANN, Kind.REACTION))
        await clock.advance(30)
    assert len(clock.naps) < 60
