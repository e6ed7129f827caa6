"""Hooks become what people see; without a store, without hooks and with faults Claude is never held up."""

import asyncio
from dataclasses import replace

import pytest

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.delivery import Delivery, DeliveryRules
from telegram_channel.bridge.signs import READ_SIGN, STORED_SIGN, Signs, Typing
from telegram_channel.bridge.turns import Turns
from telegram_channel.core.access import Role
from telegram_channel.core.hooks import (
    AttentionWanted,
    DenyPermission,
    HookAnswer,
    HookCall,
    NoObjection,
    PermissionAsked,
    PromptSubmitted,
    RefuseTool,
    TextShown,
    ToolCall,
    ToolDenied,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.ids import BotId, ChatId, EntryId, MessageId, PromptId, SenderId, SessionId, ThreadId
from telegram_channel.core.inbox import DeliveryState, Intake, Move, RedeliveryRules
from telegram_channel.core.messages import ReactionChange
from telegram_channel.core.outgoing import Refused
from telegram_channel.core.permission import Behavior, How, PermissionRequest, Prompt, Verdict
from telegram_channel.core.turns import Asked, Turn, Where
from telegram_channel.errors import StateUnreadable, StateUnwritable
from telegram_channel.storage.memory import MemoryStore
from tests.bridge.terminal import ANN, BASH, BOB, ME, TEAM, Allow, Terminal, said, tag
from tests.clock import ManualClock
from tests.session import RecordingSession
from tests.values import NOON, entry, later, message, place
from tests.waiting import eventually, running, until


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[HookCall, Turn]] = []

    def heard(self, call: HookCall, turn: Turn) -> None:
        self.calls.append((call, turn))


class Deaf:
    """A listener, gate and desk that fails at everything."""

    def heard(self, call: HookCall, turn: Turn) -> None:
        raise RuntimeError("broken")

    def refusal(self, call: ToolCall) -> RefuseTool | None:
        raise RuntimeError("broken")

    async def asked_by_hook(self, asked: PermissionAsked) -> HookAnswer:
        raise RuntimeError("broken")


class Refuse:
    """A gate that refuses everything."""

    def __init__(self, reason: str, *, ends_turn: bool = False) -> None:
        self.answer = RefuseTool(reason, ends_turn)

    def refusal(self, call: ToolCall) -> RefuseTool | None:
        return self.answer


class Person:
    """A desk at which somebody answers when the test lets them."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()

    async def asked_by_hook(self, asked: PermissionAsked) -> HookAnswer:
        await self.answers.wait()
        return DenyPermission("Not now.")


EVERY_CALL: tuple[HookCall, ...] = (
    PromptSubmitted(tag(ANN, 1)),
    ToolStarting(BASH),
    PermissionAsked(BASH),
    TextShown("m", 0, "Let me see", final=False),
    ToolEnded(BASH, ok=True),
    ToolDenied(BASH),
    AttentionWanted("Claude needs your permission", "permission_prompt"),
    TurnEnded("done"),
)


async def test_the_prompt_proves_that_a_message_was_read_and_the_chat_shows_it() -> None:
    """MUST T6: a prompt that carries a message's tag marks it as read, and its 👀 becomes another sign."""
    terminal = Terminal()
    await terminal.given(said(1), said(2))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
    assert await terminal.state(1) is DeliveryState.READ
    assert await terminal.state(2) is DeliveryState.EMITTED
    assert [(one.message, one.emoji) for one in terminal.chat.reactions] == [("1", READ_SIGN)]
    assert [one.acknowledged for one in terminal.store.tables.inbox.values()] == [True, False]
    assert terminal.turns.turn.asked == (Asked(Where(ANN), MessageId("1")),)
    assert terminal.turns.hooks_seen
    assert terminal.turns.receipts_seen


@pytest.mark.parametrize(
    "named",
    [
        [(ANN, 9)],  # nobody said that
        [(BOB, 1)],  # not there
        [(ANN, 2)],  # given to another session
        [(ANN, 3)],  # answered
        [(ANN, 4)],  # not given to anybody yet
    ],
)
async def test_a_tag_that_names_nothing_that_was_given_proves_nothing(named: list[tuple[str, int]]) -> None:
    """MUST T7: a tag of a message that this session was not given proves nothing and asks nothing."""
    terminal = Terminal()
    await terminal.given(said(1), said(3))
    await terminal.given(said(2), session=SessionId("other"))
    [third] = [one for one in terminal.store.tables.inbox.values() if one.message == "3"]
    await terminal.store.inbox.advance([Move((third.entry,), (DeliveryState.EMITTED,), DeliveryState.ANSWERED)])
    await terminal.store.inbox.ingest(Intake((said(4),)), None)
    before = list(terminal.store.tables.inbox.values())
    async with terminal.flows():
        await terminal.reads(*named)
        await terminal.stops("all done")
    assert list(terminal.store.tables.inbox.values()) == before
    assert terminal.chat.calls == []
    assert terminal.turns.turn.asked == ()


async def test_all_parts_of_an_album_or_a_paste_are_read_with_the_first() -> None:
    terminal = Terminal()
    long = "x" * 4000
    await terminal.given(
        said(1, text="beach", album="a"),
        said(2, text="", album="a"),
        said(3, BOB, text="", album="b"),
        said(4, text="", album="a"),
        said(5, text="another matter"),
        said(6, text=long),
        said(7, text="end of it"),
        said(8, text="one more"),
    )
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        assert [await terminal.state(number) for number in (1, 2, 4)] == [DeliveryState.READ] * 3
        assert [await terminal.state(number) for number in (5, 6, 7, 8)] == [DeliveryState.EMITTED] * 4
        assert await terminal.state(3, BOB) is DeliveryState.EMITTED
        await terminal.reads((ANN, 6))
        assert [await terminal.state(number) for number in (5, 6, 7, 8)] == [
            DeliveryState.EMITTED,
            DeliveryState.READ,
            DeliveryState.READ,
            DeliveryState.EMITTED,
        ]


async def test_what_was_given_later_is_no_part_of_what_was_read() -> None:
    terminal = Terminal()
    await terminal.given(said(1, text="", album="a"))
    await terminal.clock.advance(1)
    await terminal.given(said(2, text="", album="a"))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
    assert [await terminal.state(number) for number in (1, 2)] == [DeliveryState.READ, DeliveryState.EMITTED]


async def test_a_message_and_its_edit_are_read_in_the_order_they_were_given() -> None:
    terminal = Terminal()
    edit = said(1, text="hello!", edited=True, update=9100)
    await terminal.given(said(1), edit)
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        states = [one.state for one in terminal.store.tables.inbox.values()]
        assert states == [DeliveryState.READ, DeliveryState.EMITTED]
        await terminal.reads((ANN, 1))
        states = [one.state for one in terminal.store.tables.inbox.values()]
        assert states == [DeliveryState.READ, DeliveryState.READ]


async def test_a_session_that_is_quicker_than_the_store_is_waited_for() -> None:
    terminal = Terminal()
    await terminal.store.inbox.ingest(Intake((said(1),)), None)
    [begun] = await terminal.store.inbox.due()
    await terminal.store.inbox.advance([Move((begun.entry,), (DeliveryState.STORED,), emitted_at=NOON)])
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        assert await terminal.state(1) is DeliveryState.STORED
        await terminal.emitted([begun])
        await terminal.clock.advance(0.1)
        assert await terminal.state(1) is DeliveryState.READ


async def test_an_event_that_is_never_known_to_be_given_holds_up_the_others_for_two_seconds_only() -> None:
    terminal = Terminal()
    await terminal.store.inbox.ingest(Intake((said(1),)), None)
    [begun] = await terminal.store.inbox.due()
    await terminal.store.inbox.advance([Move((begun.entry,), (DeliveryState.STORED,), emitted_at=NOON)])
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        await terminal.store.inbox.ingest(Intake((said(2),)), None)
        await terminal.emitted([one for one in await terminal.store.inbox.due() if one.message == "2"])
        await terminal.reads((ANN, 2))
        assert await terminal.state(2) is DeliveryState.EMITTED
        await terminal.clock.advance(2.1)
        assert [await terminal.state(number) for number in (1, 2)] == [DeliveryState.STORED, DeliveryState.READ]


async def test_only_the_newest_messages_that_people_wrote_get_the_sign() -> None:
    terminal = Terminal()
    pressed = entry(
        ReactionChange(message(number=30, update=9300).update, place(), MessageId("30"), NOON, ("👍",), ()),
        entry=EntryId(0),
    )
    await terminal.given(*(said(number) for number in range(1, 9)), pressed, said(9, BOB))
    async with terminal.flows():
        await terminal.reads(*((ANN, number) for number in range(1, 9)), (ANN, 30), (BOB, 9))
    assert [(one.chat, one.message) for one in terminal.chat.reactions] == [
        *((ANN, str(number)) for number in range(4, 9)),
        (BOB, "9"),
    ]


async def test_the_sign_never_replaces_a_reaction_of_claude() -> None:
    terminal = Terminal()
    await terminal.given(said(1))
    await terminal.turns.called(PromptSubmitted(tag(ANN, 1)))
    terminal.turns.answered(ANN, everywhere=True)
    async with terminal.flows():
        await terminal.clock.settle()
    assert await terminal.state(1) is DeliveryState.READ
    assert terminal.chat.reactions == []


async def test_eyes_never_cover_the_sign_of_reading() -> None:
    terminal = Terminal()
    await terminal.given(said(1))
    signs = Signs(terminal.store, terminal.chat)
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        async with running(signs.run()):
            await terminal.clock.settle()
    assert [one.emoji for one in terminal.chat.reactions] == [READ_SIGN]


async def test_a_message_that_is_read_while_it_gets_its_eyes_keeps_the_sign_of_reading() -> None:
    """The mark and the sign are two steps; the turn may begin between them."""
    terminal = Terminal()
    await terminal.given(said(1), said(2))
    reading = [True]

    class Reader(MemoryStore):
        def changed(self) -> None:
            super().changed()
            if reading and all(one.acknowledged for one in self.tables.inbox.values()):
                reading.clear()
                first = min(self.tables.inbox)
                self.tables.inbox[first] = replace(self.tables.inbox[first], state=DeliveryState.READ)

    store = Reader(BotId("900"), terminal.store.database, now=terminal.clock.now)
    async with running(Signs(store, terminal.chat).run()):
        await eventually(lambda: len(terminal.chat.reactions) == 1)
        await terminal.clock.settle()
    assert [(one.message, one.emoji) for one in terminal.chat.reactions] == [("2", STORED_SIGN)]


async def test_every_hook_is_answered_without_a_store_and_its_effect_waits() -> None:
    """MUST T8: hook calls are answered at once, whether or not anything else of the bridge works."""
    terminal = Terminal()
    await terminal.given(said(1))
    for call in EVERY_CALL:
        assert await terminal.turns.called(call) == NoObjection()
    assert terminal.chat.calls == []
    async with terminal.flows():
        await terminal.clock.settle()
    assert terminal.chat.texts(ANN) == ["🖥 *From the terminal:*\n\ndone"]


async def test_what_waits_too_long_is_dropped_oldest_first() -> None:
    terminal = Terminal()
    await terminal.given(*(said(number) for number in range(1, 252)))
    for number in range(1, 252):
        await terminal.turns.called(PromptSubmitted(tag(ANN, number)))
    async with terminal.flows():
        await until(lambda: terminal.turns.turn.asked != (), "the last receipt")
    assert await terminal.state(51) is DeliveryState.EMITTED
    assert await terminal.state(52) is DeliveryState.READ
    assert await terminal.state(251) is DeliveryState.READ


async def test_nothing_that_fails_holds_up_claude() -> None:
    """MUST T9: a hook whose handling fails never blocks Claude."""
    terminal = Terminal()
    ear, broken = Ear(), Deaf()
    turns = Turns(terminal.clock, ME, terminal.activity, broken)
    turns.attach(broken, [broken], [broken, ear])
    for call in EVERY_CALL:
        assert await turns.called(call) == NoObjection()
    assert [call for call, _ in ear.calls] == list(EVERY_CALL)


async def test_a_state_that_cannot_be_used_costs_one_receipt_and_no_more() -> None:
    terminal = Terminal()
    await terminal.given(said(1), said(2))
    async with terminal.flows():
        terminal.store.fault = StateUnreadable("The state is damaged.")
        await terminal.reads((ANN, 1))
        await terminal.stops("done")
        assert terminal.chat.calls == []
        terminal.store.fault = None
        await terminal.reads((ANN, 2))
    assert await terminal.state(2) is DeliveryState.READ


async def test_the_guard_is_asked_before_every_other_gate_and_for_starting_tools_only() -> None:
    terminal = Terminal()
    turns = Turns(terminal.clock, ME, terminal.activity, Refuse("guard"))
    ear = Ear()
    turns.attach(None, [Refuse("gate")], [ear])
    assert await turns.called(ToolStarting(BASH)) == RefuseTool("guard")
    for call in EVERY_CALL:
        if not isinstance(call, ToolStarting):
            assert await turns.called(call) == NoObjection()
    assert not any(isinstance(call, ToolStarting) for call, _ in ear.calls)
    assert dict(turns.turn.running) == {}


async def test_a_broken_gate_does_not_open_the_others() -> None:
    terminal = Terminal()
    terminal.turns.attach(None, [Deaf(), Refuse("stopped", ends_turn=True)], [])
    await terminal.reads((ANN, 1))
    assert await terminal.turns.called(ToolStarting(BASH)) == RefuseTool("stopped", ends_turn=True)
    assert not terminal.turns.is_busy


async def test_listeners_hear_each_call_with_the_turn_as_it_is_after_it() -> None:
    terminal = Terminal()
    ear = Ear()
    terminal.turns.attach(None, [Allow()], [ear])
    await terminal.turns.called(PromptSubmitted("hi"))
    await terminal.turns.called(ToolStarting(BASH))
    await terminal.turns.called(TurnEnded())
    assert [(turn.number, turn.in_flight, len(turn.running)) for _, turn in ear.calls] == [
        (1, True, 0),
        (1, True, 1),
        (1, False, 0),
    ]


async def test_a_permission_waits_for_a_person_and_can_be_given_up() -> None:
    terminal = Terminal()
    person = Person()
    terminal.turns.attach(person, [], [])
    asked = asyncio.create_task(terminal.turns.called(PermissionAsked(BASH)))
    given_up = asyncio.create_task(terminal.turns.called(PermissionAsked(BASH)))
    await terminal.clock.settle()
    assert terminal.activity.busy
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    person.answers.set()
    assert await asked == DenyPermission("Not now.")
    assert not terminal.activity.busy


async def test_without_a_desk_a_permission_is_left_to_the_terminal() -> None:
    assert await Terminal().turns.called(PermissionAsked(BASH)) == NoObjection()


def delivery(terminal: Terminal, session: RecordingSession) -> Delivery:
    rules = DeliveryRules(redelivery=RedeliveryRules(redeliver_after_s=300))
    return Delivery(terminal.store, session, terminal.chat, terminal.clock, terminal.activity, rules)


async def test_nothing_is_given_again_while_a_turn_is_in_flight() -> None:
    """MUST T10: a message is never given again while the session is at work."""
    terminal = Terminal()
    session = RecordingSession(ME)
    await terminal.store.inbox.ingest(Intake((replace(said(1), session=ME),)), None)
    async with running(delivery(terminal, session).run()):
        await eventually(lambda: len(session.events) == 1)
        await terminal.turns.called(PromptSubmitted("typed in the terminal"))
        await terminal.turns.called(ToolStarting(BASH))
        for _ in range(20):
            await terminal.clock.advance(100)
            terminal.store.changed()
            await terminal.clock.settle()
        assert len(session.events) == 1
        await terminal.turns.called(TurnEnded())
        for _ in range(10):
            await terminal.clock.advance(100)
            terminal.store.changed()
            await terminal.clock.settle()
        assert len(session.events) == 2


async def test_a_hook_is_a_sign_of_life_and_a_turn_keeps_the_session_busy() -> None:
    terminal = Terminal()
    assert not terminal.activity.busy
    await terminal.turns.called(PromptSubmitted("hi"))
    assert terminal.activity.busy
    assert terminal.activity.last_at == NOON
    await terminal.clock.advance(601)
    assert not terminal.activity.busy
    await terminal.turns.called(TextShown("m", 0, "Hm", final=False))
    assert terminal.activity.busy
    assert terminal.activity.last_at == later(601)
    await terminal.turns.called(TurnEnded())
    assert not terminal.activity.busy


async def test_the_session_works_for_those_who_asked_in_this_turn() -> None:
    terminal = Terminal()
    await terminal.given(said(1), said(2, TEAM, thread="5"))
    async with terminal.flows():
        await terminal.reads((TEAM, 2))
        assert terminal.turns.works_for(Where(TEAM, ThreadId("5")))
        assert not terminal.turns.works_for(Where(TEAM))
        assert not terminal.turns.works_for(Where(ANN))
        await terminal.stops("done")
        assert not terminal.turns.works_for(Where(TEAM, ThreadId("5")))


async def test_typing_means_that_the_session_works_on_what_it_read() -> None:
    """MUST T11: with hooks, typing is shown from reading to the end of the turn."""
    terminal = Terminal()
    signs = Typing(
        terminal.store,
        terminal.chat,
        terminal.clock,
        600,
        session=ME,
        hooks_seen=lambda: True,
        in_flight=terminal.turns.works_for,
    )

    async def typed_in(seconds: float) -> int:
        before = len(terminal.chat.typed)
        await terminal.clock.advance(seconds)
        terminal.store.changed()
        await terminal.clock.settle()
        return len(terminal.chat.typed) - before

    await terminal.given(said(1))
    async with terminal.flows(), running(signs.run()):
        await terminal.clock.settle()
        assert await typed_in(4) == 0
        await terminal.reads((ANN, 1))
        assert len(terminal.chat.typed) == 1
        assert await typed_in(4) == 1
        terminal.chat.will("send", Refused("The network is down."))
        await terminal.stops("done")  # the message stays READ
        assert await terminal.state(1) is DeliveryState.READ
        assert await typed_in(4) == 0
        await terminal.turns.called(PromptSubmitted("typed in the terminal"))
        assert await typed_in(4) == 0


# What the terminal waits for.


def asks(text: str = "Claude needs your permission to use Bash", kind: str = "permission_prompt") -> AttentionWanted:
    return AttentionWanted(text, kind)


async def told(terminal: Terminal, *calls: HookCall) -> list[str]:
    """What Ann, the owner, is told after these calls; nobody else is told anything."""
    terminal.turns.attach(None, [], [], granted=True, project="shop")
    async with terminal.flows():
        for call in calls:
            await terminal.turns.called(call)
        await terminal.clock.advance(3)
    assert {one.chat for one in terminal.chat.sent} <= {ANN}
    return terminal.chat.texts(ANN)


async def test_the_owner_learns_that_the_terminal_waits() -> None:
    """MUST T12: when the terminal waits for what cannot be relayed, its owner is told in one line, once."""
    terminal = Terminal()
    text = "⌨️ The terminal in shop waits for somebody: Claude needs your permission to use Bash"
    assert await told(terminal, PromptSubmitted("hi"), asks(), asks()) == [text]


@pytest.mark.parametrize(
    ("call", "lines"),
    [
        (asks("A server asks for your name", "elicitation_dialog"), 1),
        (asks("Something new", "something_new"), 1),
        (asks("Claude is waiting for your input", "idle_prompt"), 0),
        (asks("Claude is waiting for your input", ""), 0),
        (asks("Signed in", "auth_success"), 0),
    ],
)
async def test_an_idle_terminal_waits_for_nobody(call: AttentionWanted, lines: int) -> None:
    assert len(await told(Terminal(), PromptSubmitted("hi"), call)) == lines


async def test_a_dialog_whose_card_is_in_the_chat_needs_no_notice() -> None:
    terminal = Terminal()
    terminal.turns.attach(None, [], [], granted=True)
    async with terminal.flows():
        await terminal.turns.called(PromptSubmitted("hi"))
        await terminal.turns.called(asks())
        await terminal.clock.advance(1)
        request = PermissionRequest("abcde", "Bash", "Run", "make")
        await terminal.store.prompts.open(Prompt(PromptId("p"), ME, request, NOON))
        await terminal.clock.advance(5)
    assert terminal.chat.sent == []


async def test_a_dialog_that_is_answered_on_its_card_meanwhile_needs_no_notice() -> None:
    """MUST T13: nobody is told that the terminal waits for what has just been answered on a card."""
    terminal = Terminal()
    terminal.turns.attach(None, [], [], granted=True)
    request = PermissionRequest("abcde", "Bash", "Run", "make")
    await terminal.store.prompts.open(Prompt(PromptId("p"), ME, request, NOON))
    async with terminal.flows():
        await terminal.turns.called(PromptSubmitted("hi"))
        await terminal.turns.called(asks())
        await terminal.clock.advance(1)
        verdict = Verdict(Behavior.ALLOW, SenderId(ANN), "Ann", How.BUTTON, NOON)
        await terminal.store.prompts.settle(PromptId("p"), verdict)
        await terminal.clock.advance(5)
    assert terminal.chat.sent == []


async def test_the_card_of_another_session_answers_nothing_here() -> None:
    terminal = Terminal()
    request = PermissionRequest("abcde", "Bash", "Run", "make")
    await terminal.store.prompts.open(Prompt(PromptId("p"), SessionId("other"), request, NOON))
    assert len(await told(terminal, PromptSubmitted("hi"), asks())) == 1


async def test_what_was_answered_meanwhile_is_not_told() -> None:
    assert await told(Terminal(), PromptSubmitted("hi"), asks(), TurnEnded()) == []


async def test_each_turn_and_each_question_is_told_of_its_own() -> None:
    terminal = Terminal()
    terminal.turns.attach(None, [], [], granted=True)
    async with terminal.flows():
        for calls in (
            (PromptSubmitted("hi"), asks("one"), asks("two"), asks("one")),
            (TurnEnded(), PromptSubmitted("again"), asks("one")),
        ):
            for call in calls:
                await terminal.turns.called(call)
            await terminal.clock.advance(3)
    assert [text[-3:] for text in terminal.chat.texts(ANN)] == ["one", "two", "one"]


async def test_a_session_that_was_not_granted_it_tells_nobody() -> None:
    """MUST T14: a session that no relay was granted to tells nobody what its terminal waits for."""
    terminal = Terminal()
    async with terminal.flows():
        await terminal.turns.called(PromptSubmitted("hi"))
        await terminal.turns.called(asks("A server asks", "elicitation_dialog"))
        await terminal.clock.advance(3)
    assert terminal.chat.sent == []


async def test_owners_alone_are_told_and_chats_that_are_closed_are_left_alone() -> None:
    terminal = Terminal()
    terminal.let_in({ANN: Role.OWNER, BOB: Role.APPROVER, ChatId("1003"): Role.OWNER})
    await terminal.store.closed_chats.close(ChatId("1003"), "The bot was blocked.")
    terminal.chat.will("send", Refused("The bot was blocked.", closed=True))
    assert len(await told(terminal, PromptSubmitted("hi"), asks())) == 1
    assert await terminal.store.closed_chats.reason(ANN) == "The bot was blocked."


async def test_the_token_is_in_no_notice() -> None:
    terminal = Terminal()
    terminal.turns.never_send("12345:the-secret-part")
    texts = await told(terminal, PromptSubmitted("hi"), asks("Use 12345:the-secret-part?"))
    assert texts == ["⌨️ The terminal in shop waits for somebody."]


async def test_a_full_disk_delays_no_sign_and_no_words() -> None:
    class FullDisk(MemoryStore):
        full = False

        def changed(self) -> None:
            if self.full:
                raise StateUnwritable("The disk is full.")
            super().changed()

    clock = ManualClock(NOON)
    store = FullDisk(BotId("900"), now=clock.now)
    terminal = Terminal(store)
    await terminal.given(said(1))
    store.full = True
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        await terminal.stops("done")
    assert [one.emoji for one in terminal.chat.reactions] == [READ_SIGN]
    assert len(terminal.chat.texts(ANN)) == 1


async def test_a_new_bot_has_no_part_in_what_the_old_one_was_asked() -> None:
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
    other = Terminal(MemoryStore(BotId("901"), now=terminal.clock.now))
    async with running(terminal.turns.run(other.store, other.chat)):
        await terminal.stops("done")
    assert other.chat.sent == []


async def test_no_answer_waits_for_anything() -> None:
    """MUST T8: hook calls are answered at once, whether or not anything else of the bridge works."""
    terminal = Terminal()
    terminal.turns.attach(None, [Allow()], [Ear()], granted=True)
    for call in EVERY_CALL:
        answering = terminal.turns.called(call)
        with pytest.raises(StopIteration) as done:
            answering.send(None)  # a coroutine that waits for something would stop here, not return
        assert done.value.value == NoObjection()


async def test_a_session_without_hooks_is_as_before() -> None:
    """MUST T15: without hooks everything works as the plain channel contract allows."""
    activity = Activity(ManualClock(NOON))
    turns = Turns(ManualClock(NOON), ME, activity, Allow())
    turns.answered(ANN)
    assert not any((turns.hooks_seen, turns.receipts_seen, turns.is_busy, activity.busy))
    assert activity.last_at is None
