"""A stop binds at once, until another turn begins or somebody lifts it, and the chat is told what is true."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.obedience import SETTLED_S, Obedience
from telegram_channel.bridge.turns import Turns
from telegram_channel.core.access import AccessState, Role, Sender, with_sender, without_sender
from telegram_channel.core.hooks import (
    AttentionWanted,
    HookCall,
    NoObjection,
    PromptSubmitted,
    RefuseTool,
    ToolCall,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.ids import BotId, ChatId, EntryId, MessageId, PromptId, SenderId, SessionId, ThreadId
from telegram_channel.core.inbox import Intake
from telegram_channel.core.orders import Order, OrderKind
from telegram_channel.core.permission import Behavior, How, PermissionRequest, Prompt, Verdict
from telegram_channel.core.turns import Turn, after
from telegram_channel.errors import StateUnwritable
from telegram_channel.storage.memory import MemoryDatabase, MemoryStore
from telegram_channel.storage.memory_orders import MemoryOrderBook
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.values import NOON, entry, message
from tests.waiting import eventually, running

ANN = "1001"
SESSION = SessionId("session-1")
BASH, READ, WRITE = (ToolCall(tool, "{}", f"use-{tool}") for tool in ("Bash", "Read", "Write"))


@dataclass
class Desk:
    """A session at work, and the process that makes it obey."""

    store: MemoryStore
    other: MemoryStore
    """The same state as another process sees it."""
    chat: RecordingChat
    clock: ManualClock
    turn: Turn = field(default_factory=Turn)
    hooks: bool = True
    obedience: Obedience = field(init=False)

    def __post_init__(self) -> None:
        self.obedience = self.process()

    def process(self, session: SessionId = SESSION) -> Obedience:
        return Obedience(
            *(self.store, self.chat, self.clock, Courier()),
            session=session,
            turn=lambda: self.turn,
            hooks_seen=lambda: self.hooks,
            deny_all=self.deny_all,
        )

    async def deny_all(self, order: Order) -> int:
        """Deny what is open, as the approvals do."""
        verdict = Verdict(Behavior.DENY, order.by, order.by_name, How.COMMAND, order.at)
        opened = [one for one in await self.store.prompts.open_prompts() if one.session == order.session]
        for one in opened:
            await self.store.prompts.settle(one.prompt, verdict)
        return len(opened)

    async def ask(self, tool: str, number: int = 1, session: SessionId = SESSION) -> None:
        """A call waits for permission."""
        request = PermissionRequest("abcd" + "efghi"[number], tool, "", "{}")
        await self.store.prompts.open(Prompt(PromptId(f"p{number}"), session, request, self.clock.now()))

    def hear(self, call: HookCall) -> None:
        """A hook that changes the turn as the flow of the turns does, and then tells the listeners."""
        if isinstance(call, PromptSubmitted):
            self.turn = after(self.turn, call, self.clock.now())
        elif isinstance(call, TurnEnded):
            self.turn = replace(self.turn, in_flight=False, running={})
        self.obedience.heard(call, self.turn)

    def begin(self, *calls: ToolCall) -> None:
        """A turn begins, and these calls run."""
        self.hear(PromptSubmitted("go"))
        self.turn = replace(self.turn, running={call.use: call for call in calls})

    def refuses(self, call: ToolCall = BASH) -> bool:
        return self.obedience.refusal(call) is not None

    async def standing(self) -> tuple[Order, ...]:
        return await self.store.orders.standing(SESSION)

    async def told(self, count: int) -> list[str]:
        """What Ann was told, once it is so much."""
        await eventually(lambda: len(self.chat.sent) >= count, f"message {count}")
        await self.clock.settle()
        return self.chat.texts(ANN)

    async def heard_by_us(self) -> None:
        """Whatever is in the store reaches the process."""
        await self.clock.settle()


def desk() -> Desk:
    clock, database = ManualClock(NOON), MemoryDatabase()
    store, other = (MemoryStore(BotId("900"), database, clock.now) for _ in range(2))
    ann = Sender(SenderId(ANN), Role.OWNER, "Ann", NOON, "pair", welcomed=True)
    store.tables.book = with_sender(AccessState(), ann)
    return Desk(store, other, RecordingChat(), clock)


def stop(number: int = 7, session: SessionId = SESSION, **more: object) -> Order:
    made = Order(OrderKind.STOP, session, SenderId(ANN), "Ann", NOON, ChatId(ANN), MessageId(str(number)))
    return replace(made, **more)  # type: ignore[arg-type]  # the tests name real fields


async def give_here(here: Desk, order: Order) -> None:
    """The order was taken by this very process."""
    here.obedience.heard_of(order)
    await here.store.orders.give(order)


async def give_there(here: Desk, order: Order) -> None:
    """The order was taken by another process."""
    await here.other.orders.give(order)
    await here.heard_by_us()


@pytest.mark.parametrize("give", [give_here, give_there])
async def test_every_further_call_is_refused_until_another_turn_begins(
    give: Callable[[Desk, Order], Awaitable[None]],
) -> None:
    """MUST B9: /stop refuses every further tool call of its session, main and subagents, until a new turn begins."""
    here = desk()
    here.begin()
    async with running(here.obedience.run()):
        await here.heard_by_us()
        assert not here.refuses()
        await give(here, stop())
        reply = ToolCall("mcp__plugin_telegram_telegram__reply", "{}")
        for call in (BASH, replace(READ, agent="agent-1"), reply):
            answer = here.obedience.refusal(call)
            assert answer
            assert answer.ends_turn
            assert "Ann" in answer.reason
        await here.told(1)
        here.hear(TurnEnded("bye"))
        assert here.refuses(replace(BASH, agent="agent-2"))
        here.hear(ToolEnded(READ, ok=True))
        assert here.refuses()
        here.hear(PromptSubmitted("next"))
        assert not here.refuses()
        await here.heard_by_us()
        assert await here.standing() == ()
    rows = await here.store.audit.rows()
    assert [(row.actor, row.subject) for row in rows][-1] == ("bridge", SESSION)


async def test_a_turn_that_begins_by_itself_ends_no_stop() -> None:
    """MUST B10: a stop still binds when a task in the background ends and Claude goes on by itself."""
    here = desk()
    here.begin()
    async with running(here.obedience.run()):
        await give_here(here, stop())
        await here.told(1)
        await here.clock.advance(1)
        here.hear(TurnEnded())
        here.hear(PromptSubmitted("<task-notification>\n<status>killed</status>\n</task-notification>"))
        assert here.refuses(replace(BASH, agent="agent-2"))
        assert here.refuses()
        again = here.process()
        await again.load()
        assert again.refusal(BASH) is not None
        here.hear(PromptSubmitted("go on"))
        assert not here.refuses()


async def test_an_order_taken_by_this_process_leaves_no_gap() -> None:
    """MUST B4: a stop binds in the process that took it before anything else is awaited."""
    here = desk()
    here.begin()
    here.obedience.heard_of(stop())
    assert here.refuses()


@pytest.mark.parametrize(
    ("hooks", "in_flight", "cards", "tool"),
    [*product((True, False), (True, False), (0, 1, 2), (True, False))],
)
async def test_the_chat_is_told_truthfully_what_was_stopped(
    hooks: bool, in_flight: bool, cards: int, tool: bool
) -> None:
    """MUST B1: the answer to /stop says truthfully what was stopped and what cannot be."""
    here = desk()
    here.hooks = hooks
    if hooks:
        here.begin(*([BASH] if tool else []))
        here.turn = replace(here.turn, in_flight=in_flight)
    for number in range(cards):
        await here.ask("Write", number)
    await here.ask("Edit", 3, SessionId("another"))
    async with running(here.obedience.run()):
        await give_here(here, stop(thread=ThreadId("5")))
        [said] = await here.told(1)
        ended = hooks and not (in_flight or cards or tool)
        assert await here.standing() == (() if ended else (stop(thread=ThreadId("5"), answered=True),))
        assert here.refuses() is not ended
    assert [(one.chat, one.thread, one.reply_to) for one in here.chat.sent] == [(ANN, "5", "7")]
    assert ("I cannot stop it from here" in said) is (not hooks)
    assert ("Stopping" in said) is (hooks and not ended)
    assert ("there is nothing to stop" in said) is ended
    assert ("A turn is in flight" in said) is (hooks and in_flight)
    assert ("No turn is in flight any more" in said) is (hooks and not in_flight and not ended)
    assert ("1 open permission request was denied" in said) is (cards == 1)
    assert ("2 open requests were denied" in said) is (cards == 2)
    assert ("Bash is still running" in said) is (hooks and tool)
    opened = await here.store.prompts.open_prompts()
    assert [one.session for one in opened] == ["another"]


async def test_a_call_that_waited_for_permission_is_not_said_to_run() -> None:
    here = desk()
    here.begin(WRITE, BASH)
    await here.ask("Write")
    async with running(here.obedience.run()):
        await give_here(here, stop())
        [said] = await here.told(1)
    assert "Bash is still running, as far as I can see; nothing after it will start." in said
    assert "1 open permission request was denied." in said
    assert "Write" not in said


async def test_messages_on_their_way_are_not_passed_over_in_silence() -> None:
    here = desk()
    here.turn = Turn(1)
    one = entry(message("do that, too", 9), entry=EntryId(0), stored_at=here.clock.now(), session=SESSION)
    await here.store.inbox.ingest(Intake((one,), seen=(one.update,)), one.update)
    async with running(here.obedience.run()):
        await give_here(here, stop())
        [said] = await here.told(1)
    assert "there is nothing to stop" in said
    assert "1 message is still on the way to Claude and may begin a new turn" in said


async def test_the_effect_is_told_once_with_everything_that_was_refused_at_first() -> None:
    """MUST B11: that a stop has taken effect is told once, with what was refused."""
    here = desk()
    here.begin()
    async with running(here.obedience.run()):
        await give_here(here, stop())
        await here.told(1)
        assert here.refuses(BASH)
        assert here.refuses(BASH)
        await here.clock.settle()
        assert here.refuses(WRITE)
        await here.clock.advance(SETTLED_S)
        here.hear(TurnEnded())
        assert here.refuses(READ)
        await here.clock.advance(10)
        here.hear(PromptSubmitted("next"))
        await here.clock.advance(10)
    assert here.chat.texts(ANN)[1:] == ["✋ Stopped. Refused: Bash (2 times) and Write."]
    assert [one.reply_to for one in here.chat.sent] == ["7", "7"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (TurnEnded(), "no further tool call was tried"),
        (AttentionWanted("Claude is waiting for your input"), "no further tool call was tried"),
        (PromptSubmitted("next"), "a new one has begun"),
    ],
)
async def test_the_end_of_a_turn_in_which_nothing_was_refused_is_told(call: HookCall, said: str) -> None:
    here = desk()
    here.begin(BASH)
    async with running(here.obedience.run()):
        await give_here(here, stop())
        await here.told(1)
        here.hear(call)
        await here.clock.advance(SETTLED_S)
        assert said in (await here.told(2))[1]
        here.hear(PromptSubmitted("another"))
        await here.clock.advance(10)
    assert len(here.chat.sent) == 2


async def test_a_turn_that_begins_before_the_answer_is_bound_by_it() -> None:
    """MUST B12: a stop that was not answered yet binds the turn that begins meanwhile."""
    here = desk()
    here.turn = Turn(1)
    here.obedience.heard_of(stop())
    here.hear(PromptSubmitted("what was asked a moment before"))
    await here.store.orders.give(stop())
    async with running(here.obedience.run()):
        assert "A turn is in flight" in (await here.told(1))[0]
        assert here.refuses()


async def test_a_call_that_is_refused_before_the_answer_shows_that_there_was_something_to_stop() -> None:
    here = desk()
    here.begin()
    here.obedience.heard_of(stop())
    assert here.refuses()
    here.hear(TurnEnded())
    await here.store.orders.give(stop())
    async with running(here.obedience.run()):
        assert "Stopping" in (await here.told(1))[0]
        await here.clock.advance(SETTLED_S)
        assert (await here.told(2))[1] == "✋ Stopped. Refused: Bash."
        assert here.refuses()


async def test_resume_ends_a_stop_from_here_and_from_another_process() -> None:
    """MUST B13: /resume ends a stop at once."""
    here = desk()
    here.begin()
    async with running(here.obedience.run()):
        await give_here(here, stop(7))
        await here.told(1)
        await here.other.orders.lift(OrderKind.STOP, SESSION, ANN, here.clock.now())
        await here.heard_by_us()
        assert not here.refuses()
        await give_here(here, stop(8))
        await here.told(2)
        assert here.obedience.released() == stop(8, answered=True)
        assert not here.refuses()
        await here.store.orders.lift(OrderKind.STOP, SESSION, ANN, here.clock.now())
        await here.heard_by_us()
        assert not here.refuses()
        assert here.obedience.released() is None


async def test_a_second_stop_is_answered_too_and_its_effect_told_once() -> None:
    here = desk()
    here.begin()
    async with running(here.obedience.run()):
        await give_here(here, stop(7))
        await here.told(1)
        await give_here(here, stop(8))
        await give_here(here, stop(8))
        await here.told(2)
        assert here.refuses()
        await here.clock.advance(SETTLED_S)
        await here.told(3)
    assert [one.reply_to for one in here.chat.sent] == ["7", "8", "8"]


async def test_a_second_stop_holds_what_the_first_one_held() -> None:
    here = desk()
    here.begin()
    async with running(here.obedience.run()):
        await give_here(here, stop(7))
        await here.told(1)
        here.hear(TurnEnded())
        await here.clock.advance(SETTLED_S)
        await give_here(here, stop(8))
        assert "what it left behind is held as well" in (await here.told(3))[2]
        assert here.refuses()


async def test_two_stops_at_once_find_the_same_nothing() -> None:
    here = desk()
    async with running(here.obedience.run()):
        here.obedience.heard_of(stop(7))
        await give_here(here, stop(8))
        assert "there is nothing to stop" in (await here.told(1))[0]
        assert not here.refuses()


@pytest.mark.parametrize("answered", [True, False])
async def test_a_stop_survives_a_restart_in_its_middle(answered: bool) -> None:
    """MUST B14: a stop is obeyed by the same session after a restart, before its first hook is answered."""
    here = desk()
    await here.other.orders.give(stop(answered=answered))
    here.hooks = False
    await here.obedience.load()
    assert here.refuses()
    async with running(here.obedience.run()):
        await here.clock.settle()
        assert len(here.chat.sent) == (0 if answered else 1)
        await here.clock.advance(SETTLED_S)
        assert here.chat.texts(ANN)[-1] == "✋ Stopped. Refused: Bash."
        here.hear(PromptSubmitted("next"))
        await here.heard_by_us()
        assert await here.standing() == ()


async def test_the_stop_of_another_session_is_not_ours() -> None:
    here = desk()
    await here.other.orders.give(stop(session=SessionId("another")))
    await here.other.orders.give(stop(8, kind=OrderKind.PAUSE))
    await here.obedience.load()
    assert not here.refuses()


async def test_flows_that_begin_anew_do_not_obey_what_an_earlier_turn_was_told() -> None:
    here = desk()
    await here.other.orders.give(stop(answered=True))
    await here.clock.advance(5)
    here.begin()
    here.obedience = here.process()
    await here.obedience.load()
    assert not here.refuses()
    async with running(here.obedience.run()):
        await here.heard_by_us()
    assert await here.standing() == ()
    assert here.chat.sent == []


async def test_a_full_disk_does_not_keep_a_stop_from_binding() -> None:
    """MUST B6: a stop that cannot be stored binds in the process that took it."""
    here = desk()
    here.begin()
    async with running(here.obedience.run()):
        await here.heard_by_us()
        here.obedience.heard_of(stop())
        here.store.fault = StateUnwritable("The disk is full.")
        await here.clock.advance(5)
        assert here.refuses()
        here.store.fault = None
        here.store.changed()
        await here.clock.advance(5)
        assert here.refuses()
        await here.store.orders.give(stop())
        assert "Stopping" in (await here.told(1))[0]
        here.store.fault = StateUnwritable("The disk is full.")
        here.hear(PromptSubmitted("next"))
        assert not here.refuses()
        await here.clock.advance(5)
        here.store.fault = None
        await here.clock.advance(5)
        assert not here.refuses()
        assert await here.standing() == ()


async def test_the_end_of_a_stop_does_not_end_a_newer_one() -> None:
    """MUST B15: the end of a turn never lifts a stop that was given after it."""
    here = desk()
    await here.store.orders.give(stop(7, answered=True))
    await here.obedience.load()
    newer = stop(8, at=here.clock.now())
    await here.other.orders.give(newer)
    here.hear(PromptSubmitted("next"))
    assert not here.refuses()
    async with running(here.obedience.run()):
        await here.heard_by_us()
        assert here.refuses()
    assert await here.standing() == (replace(newer, answered=True),)


class Unconcerned:
    """A guard that has nothing against anything."""

    def refusal(self, call: ToolCall) -> RefuseTool | None:
        return None


async def test_a_whole_turn_is_stopped_and_the_next_one_is_not() -> None:
    """MUST B9: /stop refuses every further tool call of its session, main and subagents, until a new turn begins."""
    here = desk()
    turns = Turns(here.clock, SESSION, Activity(here.clock), Unconcerned())
    obedience = Obedience(
        *(here.store, here.chat, here.clock, Courier()),
        session=SESSION,
        turn=lambda: turns.turn,
        hooks_seen=lambda: turns.hooks_seen,
        deny_all=here.deny_all,
    )
    turns.attach(None, [obedience], [obedience])
    async with running(obedience.run()):
        await turns.called(PromptSubmitted("go"))
        assert await turns.called(ToolStarting(BASH)) == NoObjection()
        obedience.heard_of(stop())
        await here.store.orders.give(stop())
        assert "Bash is still running" in (await here.told(1))[0]
        await turns.called(ToolEnded(BASH, ok=True))
        for call in (WRITE, replace(READ, agent="agent-1")):
            assert isinstance(await turns.called(ToolStarting(call)), RefuseTool)
        await here.clock.advance(SETTLED_S)
        assert (await here.told(2))[1] == "✋ Stopped. Refused: Write and Read."
        await turns.called(PromptSubmitted("next"))
        assert await turns.called(ToolStarting(BASH)) == NoObjection()
        await here.heard_by_us()
        assert await here.standing() == ()


class FullOrderBook(MemoryOrderBook):
    """Can be read, and while it is full nothing can be lifted."""

    is_full = True

    async def lift(self, kind: OrderKind, session: SessionId, by: str, at: datetime) -> Order | None:
        """As on a disk that may be full."""
        if self.is_full:
            raise StateUnwritable("The disk is full.")
        return await super().lift(kind, session, by, at)


async def test_a_stop_that_is_over_stays_over_while_it_cannot_be_lifted() -> None:
    here = desk()
    here.begin()
    here.store.orders = orders = FullOrderBook(here.store)
    async with running(here.obedience.run()):
        await give_here(here, stop())
        await here.told(1)
        here.hear(PromptSubmitted("next"))
        here.store.changed()
        await here.clock.advance(5)
        assert not here.refuses()
        assert await here.standing() == (stop(answered=True),)
        orders.is_full = False
        await here.clock.advance(5)
        assert not here.refuses()
        assert await here.standing() == ()
    assert len(here.chat.sent) == 2


async def test_a_newer_stop_that_is_not_stored_yet_is_not_undone_by_the_one_it_replaces() -> None:
    here = desk()
    here.begin()
    async with running(here.obedience.run()):
        await give_here(here, stop(7))
        await here.told(1)
        here.obedience.heard_of(stop(8))
        here.store.changed()
        await here.told(2)
    assert here.obedience.released() == stop(8)
    assert here.chat.sent[1].reply_to == "8"


async def test_a_stop_that_is_taken_again_after_it_was_over_is_not_answered_again() -> None:
    here = desk()
    async with running(here.obedience.run()):
        for _ in range(3):
            await give_here(here, stop())
            await here.clock.advance(5)
            assert not here.refuses()
            assert await here.standing() == ()
    assert len(here.chat.sent) == 1


async def test_a_stop_that_is_lifted_while_it_is_carried_out_is_not_said_to_stand() -> None:
    here = desk()
    here.begin()
    may_go_on = asyncio.Event()

    async def deny_slowly(order: Order) -> int:
        await may_go_on.wait()
        return 0

    obedience = Obedience(
        *(here.store, here.chat, here.clock, Courier()),
        session=SESSION,
        turn=lambda: here.turn,
        hooks_seen=lambda: True,
        deny_all=deny_slowly,
    )
    async with running(obedience.run()):
        obedience.heard_of(stop())
        await here.clock.settle()
        assert obedience.released() == stop()
        may_go_on.set()
        await here.clock.advance(5)
    assert here.chat.sent == []


class SlowOrderBook(MemoryOrderBook):
    """Has read what stands, and takes its time to say so."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.may_answer = asyncio.Event()

    async def standing(self, session: SessionId) -> tuple[Order, ...]:
        """As it was before the wait."""
        orders = await super().standing(session)
        await self.may_answer.wait()
        return orders


async def test_what_was_read_before_an_order_was_given_does_not_undo_it() -> None:
    here = desk()
    here.begin()
    here.store.orders = slow = SlowOrderBook(here.store)
    loading = asyncio.create_task(here.obedience.load())
    await here.clock.settle()
    await give_here(here, stop())
    slow.may_answer.set()
    await loading
    assert here.refuses()


async def test_somebody_who_was_put_out_is_told_nothing_and_the_stop_still_binds() -> None:
    """MUST A9: outbound is decided by the same book as inbound."""
    here = desk()
    here.begin()
    async with running(here.obedience.run()):
        here.store.tables.book = without_sender(await here.store.access.read(), SenderId(ANN))
        await give_here(here, stop())
        await here.clock.advance(5)
        assert here.refuses()
    assert here.chat.sent == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["stop", "far stop", "resume", "prompt", "end", "call"]), max_size=14))
async def test_whatever_happens_calls_are_refused_exactly_while_a_stop_stands(events: list[str]) -> None:
    """MUST B9: /stop refuses every further tool call of its session, main and subagents, until a new turn begins."""
    here = desk()
    in_flight = stands = False
    async with running(here.obedience.run()):
        await here.heard_by_us()
        for number, event in enumerate(events, start=1):
            match event:
                case "stop" | "far stop":
                    await (give_here if event == "stop" else give_there)(here, stop(number, at=here.clock.now()))
                    stands = stands or in_flight
                case "resume":
                    here.obedience.released()
                    await here.store.orders.lift(OrderKind.STOP, SESSION, ANN, here.clock.now())
                    stands = False
                case "prompt":
                    here.hear(PromptSubmitted(json.dumps(number)))
                    in_flight, stands = True, False
                case "end":
                    here.hear(TurnEnded())
                    in_flight = False
                case "call":
                    assert here.refuses() is stands
            await here.clock.advance(SETTLED_S + 1)
            assert here.refuses() is stands
            assert bool(await here.standing()) is stands
