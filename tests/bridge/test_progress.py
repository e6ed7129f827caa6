"""What people who wished for it are shown of a turn, on a real (in-memory) store and a chat that can be slow."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import MappingProxyType

import pytest

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.drafts import draft_number
from telegram_channel.bridge.progress import Progress
from telegram_channel.bridge.turns import HookListener, Turns
from telegram_channel.core.access import AccessState, Group, Role, Sender
from telegram_channel.core.hooks import (
    HookCall,
    PromptSubmitted,
    TextShown,
    ToolCall,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.ids import BotId, ChatId, MessageId, SenderId, SessionId, ThreadId
from telegram_channel.core.outgoing import Refused, Uncertain
from telegram_channel.core.text import Markdown
from telegram_channel.core.turns import Asked, Turn, Where
from telegram_channel.core.wishes import Wishes
from telegram_channel.errors import StateUnreadable, StateUnwritable
from telegram_channel.storage.memory import MemoryStore
from tests.bridge.terminal import Allow
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.values import NOON

ANN, BOB, TEAM = "1001", "1002", "-2001"
OURS = "mcp__plugin_telegram_telegram__"
PROGRESS, STREAM, BOTH = Wishes(progress=True), Wishes(stream=True), Wishes(progress=True, stream=True)


def read(number: int = 1) -> ToolCall:
    return ToolCall("Read", json.dumps({"file_path": f"/home/ann/{number}.py"}), f"u{number}")


def reply(chat: str = ANN) -> ToolCall:
    return ToolCall(f"{OURS}reply", json.dumps({"chat_id": chat, "text": "hi"}), "r")


class Room:
    """One session and the people who watch it."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.store = MemoryStore(BotId("900"), now=self.clock.now)
        self.chat = RecordingChat()
        self.turns = Turns(self.clock, SessionId("me"), Activity(self.clock), Allow())
        self.progress = Progress(
            *(self.store, self.chat, self.clock),
            turn=lambda: self.turn,
            must_not_leave=self.turns.may_hold_secret,
        )
        self.turn = Turn()

    async def wish(self, chat: str, wishes: Wishes) -> None:
        await self.store.wishes.keep(ChatId(chat), wishes)

    async def let_in(self, *people: str) -> None:
        """These people and the team are let in, nobody else."""
        senders = {SenderId(one): Sender(SenderId(one), Role.SENDER, one, NOON, "pair") for one in people}
        group = Group(ChatId(TEAM), "Team", NOON, frozenset())
        state = AccessState(senders=MappingProxyType(senders), groups=MappingProxyType({group.chat: group}))
        await self.store.access.transact(lambda _: (state, None, ()))

    async def ask(self, *places: str | Where) -> None:
        """A turn begins that these places asked for."""
        wheres = [Where(ChatId(one)) if isinstance(one, str) else one for one in places]
        asked = tuple(Asked(where, MessageId("1")) for where in wheres)
        self.turn = Turn(self.turn.number + 1, in_flight=True, began_at=self.clock.now(), asked=asked)
        await self.hear(PromptSubmitted("…"))

    async def hear(self, *calls: HookCall) -> None:
        for call in calls:
            self.progress.heard(call, self.turn)
        await self.clock.settle()

    async def work(self, first: int = 1, last: int | None = None) -> None:
        """Claude reads some files, one after the other, at once."""
        for number in range(first, (last or first) + 1):
            await self.hear(ToolStarting(read(number)), ToolEnded(read(number), ok=True))

    async def answer(self, chat: str = ANN) -> None:
        """Claude replies to a place that asked."""
        where = next(asked.where for asked in self.turn.asked if asked.where.chat == chat)
        await self.hear(ToolStarting(reply(chat)))
        self.turn = replace(self.turn, answered=self.turn.answered | {where})
        await self.hear(ToolEnded(reply(chat), ok=True))

    async def end(self) -> None:
        self.turn = replace(self.turn, in_flight=False)
        await self.hear(TurnEnded("That is it."))

    async def write(self, *pieces: str, message: str = "m1", first: int = 0) -> None:
        """Claude's text appears in the terminal."""
        await self.hear(*(TextShown(message, first + i, piece, final=False) for i, piece in enumerate(pieces)))

    def heads(self) -> list[str]:
        """The first line of whatever was sent and edited, in this order."""
        texts = [text for chat in (ANN, BOB, TEAM) for text in self.chat.texts(chat)]
        return [text.split("\n")[0] for text in (*texts, *(edit.text for edit in self.chat.edits))]


@asynccontextmanager
async def opened(**wishes: Wishes) -> AsyncIterator[Room]:
    """A room whose flow runs: Ann and Bob are in, and `ann`, `bob`, `team` wish for this."""
    room = Room()
    await room.let_in(ANN, BOB)
    for name, chat in (("ann", ANN), ("bob", BOB), ("team", TEAM)):
        await room.wish(chat, wishes.get(name, Wishes()))
    running = asyncio.create_task(room.progress.run())
    try:
        yield room
    finally:
        running.cancel()
        await asyncio.wait({running})
    if not running.cancelled():
        running.result()


def test_it_is_a_listener() -> None:
    listener: HookListener = Room().progress
    listener.heard(PromptSubmitted("…"), Turn())


# One message per turn


async def test_a_turn_is_one_silent_message_that_ends_folded() -> None:
    """MUST progress is one silent message per turn, edited in place and folded when the answer comes."""
    async with opened(ann=PROGRESS) as room:
        where = Where(ChatId(ANN), ThreadId("12"))
        await room.ask(where)
        assert room.chat.sent == []
        await room.work()
        [message] = room.chat.sent
        assert (message.chat, message.thread, message.silent) == (ANN, "12", True)
        assert room.chat.texts(ANN)[0].startswith("⏳ Working, 0 s, 1 step\n")
        await room.clock.advance(80)
        await room.work(2)
        await room.clock.advance(3)
        await room.answer()
        await room.end()
        assert len(room.chat.sent) == 1
        assert {edit.message for edit in room.chat.edits} == {"501"}
        assert room.heads()[-1] == "✓ 2 steps in 1 min 23 s"


async def test_who_did_not_wish_for_it_or_did_not_ask_sees_nothing() -> None:
    """MUST nobody is shown progress unasked."""
    async with opened(bob=BOTH, team=STREAM) as room:
        await room.ask(ANN, TEAM)
        await room.work(1, 5)
        await room.write("Words.")
        await room.clock.advance(60)
        await room.end()
        assert (room.chat.calls, room.chat.drafts) == ([], [])


async def test_a_turn_of_the_terminal_shows_nothing() -> None:
    async with opened(ann=BOTH) as room:
        await room.ask()
        await room.work(1, 5)
        await room.write("Words.")
        await room.end()
        assert (room.chat.calls, room.chat.drafts) == ([], [])


async def test_a_turn_that_only_replies_shows_nothing() -> None:
    async with opened(ann=PROGRESS) as room:
        await room.ask(ANN)
        await room.answer()
        await room.end()
        assert room.chat.calls == []


async def test_somebody_who_is_not_let_in_any_more_sees_nothing() -> None:
    """MUST progress and drafts go only to chats that are let in at that moment."""
    async with opened(ann=BOTH, bob=BOTH) as room:
        await room.let_in(BOB)
        await room.ask(ANN, BOB)
        await room.work(1, 2)
        await room.write("Words.")
        await room.clock.advance(60)
        assert {message.chat for message in room.chat.sent} == {BOB}
        assert {draft.chat for draft in room.chat.drafts} == {BOB}


async def test_every_place_that_asked_has_its_own_message_and_end() -> None:
    async with opened(ann=PROGRESS, team=PROGRESS) as room:
        await room.ask(ANN, TEAM)
        await room.work()
        assert {message.chat for message in room.chat.sent} == {ANN, TEAM}
        await room.answer(ANN)
        assert [(edit.chat, edit.text) for edit in room.chat.edits] == [(ANN, "✓ 1 step in 0 s")]
        await room.end()
        assert [edit.chat for edit in room.chat.edits] == [ANN, TEAM]


async def test_the_next_turn_has_its_own_message() -> None:
    async with opened(ann=PROGRESS) as room:
        for _ in range(2):
            await room.ask(ANN)
            await room.work()
            await room.end()
        assert len(room.chat.sent) == 2
        assert [edit.message for edit in room.chat.edits] == ["501", "502"]


async def test_an_end_or_an_answer_that_no_hook_tells_of_is_seen_all_the_same() -> None:
    async with opened(ann=PROGRESS, bob=PROGRESS) as room:
        await room.ask(ANN, BOB)
        await room.work()
        await room.clock.advance(10)
        room.turn = replace(room.turn, answered=frozenset({Where(ChatId(ANN))}))
        await room.clock.advance(1)
        assert [(edit.chat, edit.text) for edit in room.chat.edits[-1:]] == [(ANN, "✓ 1 step in 11 s")]
        room.turn = replace(room.turn, in_flight=False)
        await room.clock.advance(1)
        assert [(edit.chat, edit.text) for edit in room.chat.edits[-1:]] == [(BOB, "✓ 1 step in 12 s")]
        await room.clock.advance(3600)
        assert room.clock.sleepers == 0


async def test_who_asked_may_be_known_later_than_the_first_steps() -> None:
    async with opened(ann=PROGRESS) as room:
        await room.ask()
        await room.work(1, 2)
        room.turn = replace(room.turn, asked=(Asked(Where(ChatId(ANN)), MessageId("1")),))
        await room.clock.advance(1)
        assert room.heads() == ["⏳ Working, 1 s, 2 steps"]


async def test_a_turn_whose_end_nobody_heard_is_folded_when_the_next_begins() -> None:
    async with opened(ann=PROGRESS) as room:
        await room.ask(ANN)
        await room.work()
        await room.clock.advance(60)
        await room.ask(BOB)
        assert room.heads()[-1] == "✓ 1 step in 0 s"


async def test_work_after_an_answer_is_shown_in_the_same_message() -> None:
    async with opened(ann=PROGRESS) as room:
        await room.ask(ANN)
        await room.answer()  # "on it"
        await room.work(1)
        assert room.heads() == ["⏳ Working, 0 s, 1 step"]
        await room.clock.advance(10)
        await room.answer()
        await room.work(2)
        await room.clock.advance(10)
        await room.answer()
        await room.end()
        assert room.heads()[1:] == ["✓ 1 step in 10 s", "⏳ Working, 13 s, 2 steps", "✓ 2 steps in 20 s"]
        assert len(room.chat.sent) == 1


# Pace


@pytest.mark.parametrize(("chat", "every_s"), [(ANN, 3), (TEAM, 6)])
async def test_edits_keep_their_pace_and_the_newest_state_wins(chat: str, every_s: int) -> None:
    """MUST progress is edited at most once every 3 s in a private chat and every 6 s in a group."""
    async with opened(ann=PROGRESS, team=PROGRESS) as room:
        await room.ask(chat)
        for number in range(1, 4 * every_s + 1):
            await room.work(number)
            await room.clock.advance(1)
        heads = [f"⏳ Working, {every_s * n} s, {every_s * n} steps" for n in range(1, 5)]
        assert room.heads()[1:] in (heads[:-1], heads)


async def test_the_end_does_not_wait_for_the_pace() -> None:
    async with opened(ann=PROGRESS) as room:
        await room.ask(ANN)
        await room.work()
        await room.clock.advance(1)
        await room.end()
        assert room.heads()[-1] == "✓ 1 step in 1 s"


async def test_time_moves_on_during_one_long_step_and_stops_when_nothing_is_heard() -> None:
    async with opened(ann=PROGRESS) as room:
        await room.ask(ANN)
        await room.hear(ToolStarting(read()))
        await room.clock.advance(61)
        assert room.heads()[1:] == ["⏳ Working, 30 s, 1 step", "⏳ Working, 1 min, 1 step"]
        await room.clock.advance(3600)
        assert room.heads()[-1] == "⏸ Nothing heard for 15 min, 1 step so far"
        assert len(room.chat.edits) == 30
        await room.work(2)
        assert room.heads()[-1] == "⏳ Working, 1 h 1 min, 2 steps"


async def test_a_slow_chat_has_one_edit_under_way_and_holds_up_nobody() -> None:
    """MUST there are never two edits of progress under way at once."""
    async with opened(ann=PROGRESS, bob=PROGRESS) as room:
        await room.ask(ANN, BOB)
        await room.work()
        gate = room.chat.hold(ANN)
        for number in range(2, 6):
            await room.clock.advance(3)
            await room.work(number)
        await room.end()
        assert len([edit for edit in room.chat.edits if edit.chat == ANN]) == 1
        assert [edit.text for edit in room.chat.edits if edit.chat == BOB][-1] == "✓ 5 steps in 12 s"
        gate.set()
        await room.clock.settle()
        to_ann = [edit.text.split("\n")[0] for edit in room.chat.edits if edit.chat == ANN]
        assert to_ann[1:] == ["✓ 5 steps in 12 s"]


async def test_a_message_that_is_still_on_its_way_when_the_turn_ends_is_folded_when_it_arrives() -> None:
    async with opened(ann=PROGRESS) as room:
        gate = room.chat.hold(ANN)
        await room.ask(ANN)
        await room.work()
        await room.end()
        gate.set()
        await room.clock.settle()
        assert room.heads() == ["⏳ Working, 0 s, 1 step", "✓ 1 step in 0 s"]


async def test_hearing_a_hook_never_waits() -> None:
    """MUST a hook never waits for progress."""
    room = Room()  # nothing runs
    for number in range(10_000):
        room.progress.heard(ToolStarting(read(number)), Turn(1, in_flight=True))
    assert room.chat.calls == []


# Troubles


async def test_a_message_that_may_have_arrived_is_not_said_twice() -> None:
    """MUST a progress message that may have arrived is never sent again."""
    async with opened(ann=PROGRESS) as room:
        room.chat.will("send", Uncertain("the connection broke"))
        await room.ask(ANN)
        for number in range(1, 5):
            await room.work(number)
            await room.clock.advance(60)
        await room.end()
        assert room.chat.calls == [f"send {ANN}"]
        await room.ask(ANN)
        await room.work()
        assert room.chat.calls == [f"send {ANN}"] * 2


async def test_what_was_refused_for_a_moment_is_tried_again_ever_more_slowly() -> None:
    async with opened(ann=PROGRESS) as room:
        room.chat.will("send", Refused("Telegram asks to wait."))
        room.chat.will("edit", Refused("Telegram asks to wait."), Uncertain("the connection broke"))
        await room.ask(ANN)
        await room.work()
        await room.clock.advance(5.9)
        assert len(room.chat.calls) == 1
        await room.clock.advance(0.1)
        assert room.chat.calls == [f"send {ANN}"] * 2
        await room.end()
        for expected, seconds in ((1, 5.9), (2, 0.2), (2, 11.8), (3, 0.2)):
            await room.clock.advance(seconds)
            assert len(room.chat.edits) == expected
        assert set(room.heads()[2:]) == {"✓ 1 step in 6 s"}


async def test_a_chat_that_goes_on_refusing_is_given_up() -> None:
    async with opened(ann=PROGRESS) as room:
        await room.ask(ANN)
        await room.work()
        room.chat.will("edit", *[Refused("There is no such message.")] * 50)
        for number in range(2, 40):
            await room.work(number)
            await room.clock.advance(60)
        assert len(room.chat.edits) == 8


@pytest.mark.parametrize("refusal", [Refused("blocked", closed=True), Refused("moved", moved_to=ChatId("-9"))])
async def test_a_closed_chat_is_left_alone_at_once(refusal: Refused) -> None:
    async with opened(ann=PROGRESS) as room:
        room.chat.will("send", refusal)
        await room.ask(ANN)
        await room.work(1, 9)
        await room.clock.advance(600)
        await room.end()
        assert room.chat.calls == [f"send {ANN}"]


async def test_who_changes_their_mind_is_heard_within_the_turn() -> None:
    async with opened() as room:
        await room.ask(ANN)
        await room.work(1)
        await room.wish(ANN, PROGRESS)
        await room.clock.advance(10)
        await room.work(2)
        assert room.heads() == ["⏳ Working, 10 s, 2 steps"]
        await room.wish(ANN, Wishes())
        await room.clock.advance(10)
        await room.work(3)
        await room.work(4)
        await room.clock.advance(60)
        assert room.heads()[1:] == ["⏹ Not shown any further: 3 steps in 20 s"]
        await room.end()
        assert room.heads()[2:] == ["✓ 4 steps in 1 min 20 s"]


async def test_a_full_disk_costs_the_progress_and_nothing_else() -> None:
    async with opened(ann=BOTH) as room:
        room.store.fault = StateUnwritable("full")
        await room.ask(ANN)
        await room.work(1)
        await room.write("Words.")
        room.store.fault = None
        await room.clock.advance(10)
        await room.work(2)
        assert room.heads() == ["⏳ Working, 10 s, 2 steps"]


async def test_a_broken_store_ends_the_flow_with_its_messages_folded() -> None:
    room = Room()
    await room.let_in(ANN)
    await room.wish(ANN, PROGRESS)
    running = asyncio.create_task(room.progress.run())
    await room.ask(ANN)
    await room.work()
    room.store.fault = StateUnreadable("broken")
    await room.clock.advance(5)
    await room.work(2)
    with pytest.raises(ExceptionGroup) as caught:
        await running
    assert caught.group_contains(StateUnreadable)
    assert room.heads()[-1] == "⏹ Not shown any further: 2 steps in 5 s"


# Leaving


async def leave(room: Room, running: asyncio.Task[None], *, advance_s: float = 0) -> None:
    running.cancel()
    await room.clock.advance(advance_s)
    await asyncio.wait({running})
    assert running.cancelled()


async def started(room: Room) -> asyncio.Task[None]:
    await room.let_in(ANN)
    await room.wish(ANN, PROGRESS)
    running = asyncio.create_task(room.progress.run())
    await room.ask(ANN)
    return running


async def test_whoever_leaves_folds_what_claims_that_there_is_work() -> None:
    """MUST progress does not go on claiming work when its process leaves."""
    room = Room()
    running = await started(room)
    await room.work()
    await leave(room, running)
    assert room.heads() == ["⏳ Working, 0 s, 1 step", "⏹ Not shown any further: 1 step in 0 s"]


async def test_whoever_leaves_with_the_first_message_under_way_folds_it_too() -> None:
    room = Room()
    running = await started(room)
    gate = room.chat.hold(ANN)
    await room.work()
    running.cancel()
    await room.clock.settle()
    gate.set()
    await asyncio.wait({running})
    assert room.heads() == ["⏳ Working, 0 s, 1 step", "⏹ Not shown any further: 1 step in 0 s"]


async def test_leaving_waits_for_no_slow_chat() -> None:
    room = Room()
    running = await started(room)
    room.chat.hold(ANN)
    await room.work()
    await leave(room, running, advance_s=0.05)


async def test_leaving_says_nothing_about_a_turn_that_was_over() -> None:
    room = Room()
    running = await started(room)
    await room.work()
    await room.end()
    await leave(room, running)
    assert len(room.chat.edits) == 1


async def test_a_flow_that_begins_again_goes_on_with_the_present_turn() -> None:
    room = Room()
    running = await started(room)
    await room.work()
    await leave(room, running)
    again = asyncio.create_task(room.progress.run())
    await room.work(2)
    assert room.heads()[1] == "⏳ Working, 0 s, 1 step"
    await leave(room, again)


# Drafts


async def test_text_is_shown_as_it_grows_until_the_answer_comes() -> None:
    """MUST Claude's text is a draft in a private chat that wished for it, until its first answer or the end."""
    async with opened(ann=STREAM) as room:
        await room.ask(Where(ChatId(ANN), ThreadId("12")))
        await room.write("I am ", "**loo")
        [first] = room.chat.drafts
        assert (first.chat, first.thread, first.body) == (ANN, "12", Markdown("I am **loo"))
        await room.write("king** ", first=2)
        await room.write("at it.", first=3)
        assert len(room.chat.drafts) == 1
        await room.clock.advance(1)
        assert [draft.text for draft in room.chat.drafts[1:]] == ["I am **looking** at it."]
        assert {draft.number for draft in room.chat.drafts} == {first.number} != {0}
        await room.answer()
        await room.write("I told Ann.", message="m2")
        await room.clock.advance(5)
        assert len(room.chat.drafts) == 2
        assert room.chat.calls == []


async def test_a_text_with_the_token_in_it_is_no_draft() -> None:
    """MUST T32: Claude's text is not streamed once the bot's token has begun to stand in it."""
    async with opened(ann=STREAM) as room:
        room.turns.never_send("900:SECRETSECRET")
        await room.ask(ANN)
        await room.write("It is ")
        await room.clock.advance(1)
        await room.write("900:SECRETS", first=1)
        await room.clock.advance(1)
        await room.write("ECRET.", first=2)
        await room.clock.advance(5)
        assert [draft.text for draft in room.chat.drafts] == ["It is "]


async def test_each_text_has_a_draft_of_its_own() -> None:
    async with opened(ann=STREAM) as room:
        await room.ask(ANN)
        await room.write("One.", message="m1")
        await room.clock.advance(1)
        await room.write("Two.", message="m2")
        first, second = room.chat.drafts
        assert first.number != second.number
        assert second.text == "Two."


def test_the_number_of_a_draft_depends_on_turn_and_text_and_is_never_zero() -> None:
    numbers = {draft_number(turn, f"m{text}") for turn in range(20) for text in range(20)}
    assert len(numbers) == 400
    assert all(0 < number < 2**31 for number in numbers)
    assert draft_number(1, "\ud800") > 0


async def test_drafts_wait_for_a_slow_telegram_and_skip_what_is_old() -> None:
    """MUST there is at most one draft under way and one a second."""
    async with opened(ann=STREAM) as room:
        await room.ask(ANN)
        gate = room.chat.hold(ANN)
        for index in range(30):
            await room.write(str(index % 10), first=index)
            await room.clock.advance(1)
        assert len(room.chat.drafts) == 1
        gate.set()
        await room.clock.settle()
        assert [draft.text for draft in room.chat.drafts[1:]] == ["0123456789" * 3]


async def test_drafts_come_once_a_second_at_most() -> None:
    async with opened(ann=STREAM) as room:
        await room.ask(ANN)
        for index in range(50):
            await room.write("x", first=index)
            await room.clock.advance(0.1)
        assert len(room.chat.drafts) in (5, 6)


async def test_a_text_that_waits_for_its_second_is_not_shown_after_the_end() -> None:
    async with opened(ann=STREAM) as room:
        await room.ask(ANN)
        await room.write("Hel")
        await room.write("lo.", first=1)
        await room.end()
        await room.clock.advance(60)
        assert [draft.text for draft in room.chat.drafts] == ["Hel"]


async def test_a_group_is_shown_no_drafts_and_blank_text_none_either() -> None:
    async with opened(team=BOTH, ann=STREAM) as room:
        await room.ask(TEAM, ANN)
        await room.write(" \n")
        await room.clock.advance(5)
        assert room.chat.drafts == []
        await room.write("x", first=1)
        assert [draft.chat for draft in room.chat.drafts] == [ANN]


async def test_one_who_wishes_for_text_only_gets_no_progress_message() -> None:
    async with opened(ann=STREAM) as room:
        await room.ask(ANN)
        await room.work(1, 3)
        await room.clock.advance(60)
        assert room.chat.calls == []
