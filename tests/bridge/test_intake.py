"""From the chat into the store: who is heard, what is kept, and that nothing is confirmed before it is stored."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.bridge.approvals import Approvals
from telegram_channel.bridge.commands import Commands
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.dispatch import Dispatch
from telegram_channel.bridge.intake import FRESH_S, Reception
from telegram_channel.bridge.orders import Orders
from telegram_channel.bridge.roster import Roster
from telegram_channel.bridge.router import Look, Router
from telegram_channel.bridge.sessions import SessionCommands
from telegram_channel.core.access import AccessState, Group, Policy, Role, Sender, with_group, with_sender
from telegram_channel.core.health import BridgeState, HealthReport
from telegram_channel.core.ids import BotId, ChatId, MessageId, PressId, PromptId, SenderId, UpdateId
from telegram_channel.core.inbox import FetchState, Intake
from telegram_channel.core.messages import (
    Batch,
    ButtonPress,
    ChatMigration,
    Ignorable,
    Inbound,
    InboundMessage,
    MembershipChange,
    ReactionChange,
    RepliedTo,
    Unreadable,
)
from telegram_channel.core.notices import StatusFacts
from telegram_channel.core.pairing import make_invitation
from telegram_channel.core.pairing_code import ENTROPY_BYTES, PairingCode
from telegram_channel.core.permission import Behavior, PermissionRequest, Prompt, button_data
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.memory import MemoryDatabase, MemoryStore
from telegram_channel.storage.memory_inbox import MemoryInbox
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.session import RecordingSession
from tests.values import NOON, message, photo, place

ANN, BOB, EVE = "1001", "1002", "6666"
GROUP = "-500"
REQUEST = PermissionRequest("abcde", "Bash", "Run tests", '{"command": "pytest"}')


class FullInbox(MemoryInbox):
    """What can still be read and not be written any more."""

    async def ingest(self, intake: Intake, cursor: UpdateId | None) -> None:
        raise StateUnwritable("The disk is full.")


@dataclass
class World:
    """The intake of one process."""

    store: MemoryStore
    chat: RecordingChat
    session: RecordingSession
    clock: ManualClock
    courier: Courier
    approvals: Approvals
    commands: Commands
    reception: Reception
    router: Router
    dispatch: Dispatch
    choices: SessionCommands

    async def take(self, *updates: Inbound, drained: bool = True) -> None:
        """One poll brings these updates."""
        cursor = updates[-1].update if updates else None
        await self.reception.take(Batch(updates, cursor, drained))
        await self.courier.settled()

    @property
    def texts(self) -> list[str]:
        """The texts of all entries, in order."""
        return [getattr(one.inbound, "text", "") for one in self.store.tables.inbox.values()]

    async def admit(self, *people: tuple[str, Role], group: Group | None = None) -> None:
        """Let people and a group in, as the operator would."""

        def change(state: AccessState) -> tuple[AccessState, None, Sequence[Any]]:
            for number, role in people:
                state = with_sender(
                    state, Sender(SenderId(number), role, "x", self.clock.now(), "allow", welcomed=True)
                )
            return with_group(state, group) if group else state, None, ()

        await self.store.access.transact(change)

    async def prompt(self) -> Prompt:
        """The session asks for permission."""
        await self.approvals.asked(REQUEST)
        await self.courier.settled()
        found = await self.store.prompts.find(REQUEST.request_id)
        assert found
        return found


def world(database: MemoryDatabase | None = None) -> World:
    clock = ManualClock()
    store = MemoryStore(BotId("900"), database, clock.now)
    chat, session, courier = RecordingChat(), RecordingSession(), Courier()
    approvals = Approvals(
        store,
        chat,
        clock,
        courier,
        session=session,
        new_id=lambda: PromptId("prompt-1"),
        is_alive=lambda _: True,
        polls=lambda: True,
    )

    async def facts(role: Role, said: InboundMessage, look: Look, state: AccessState) -> StatusFacts:
        return StatusFacts(role, "project", BridgeState.POLLING, queued=3)

    own = SessionRecord(session.id, 1, clock.now(), clock.now(), "project", is_channel=True)
    router = Router(store, Roster(store, clock, lambda _: True, own))
    dispatch = Dispatch(store, chat, clock, router)
    choices = SessionCommands(store, chat, clock, dispatch)
    commands = Commands(chat, facts, Orders(store, clock), choices)
    reception = Reception(store, chat, approvals, commands, courier, clock, router, dispatch, choices)
    return World(store, chat, session, clock, courier, approvals, commands, reception, router, dispatch, choices)


async def test_an_allowed_message_is_stored_with_the_cursor() -> None:
    """MUST I17: a message is stored before it is confirmed."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take(message("hello", 1), message("again", 2))
    assert here.texts == ["hello", "again"]
    assert await here.store.inbox.cursor() == 9002


async def test_nothing_is_confirmed_when_it_could_not_be_stored() -> None:
    """MUST I18: what could not be stored is not confirmed, and comes again."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    here.store.fault = StateUnwritable("The disk is full.")
    with pytest.raises(StateUnwritable):
        await here.take(message("hello", 1))
    here.store.fault = None
    await here.take(message("hello", 1))
    assert here.texts == ["hello"]


async def test_an_update_that_comes_twice_is_taken_once() -> None:
    """MUST S9: an update is stored once, however often it arrives."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take(message("high", 1, update=900_000))
    await here.take(message("high", 1, update=900_000), message("low", 2, update=3), message("low", 2, update=3))
    assert here.texts == ["high", "low"]


async def test_a_stranger_leaves_a_debt_and_not_a_word() -> None:
    """MUST I8: a stranger's text is neither stored nor logged."""
    here = world()
    await here.take(message("my secret words", 1, sender=EVE, chat=EVE))
    state = await here.store.access.read()
    assert [one.sender for one in state.pending] == [EVE]
    assert here.texts == []
    assert "secret words" not in repr(here.store.tables)
    assert here.chat.calls == []


async def test_a_start_link_that_carries_something_else_is_an_ordinary_hello() -> None:
    here = world()
    await here.take(message("/start help", 1, sender=EVE, chat=EVE))
    assert [one.sender for one in (await here.store.access.read()).pending] == [EVE]


@pytest.mark.parametrize("policy", [Policy.ALLOWLIST, Policy.CLOSED])
async def test_refusals_are_silent(policy: Policy) -> None:
    """MUST I20: refusals are silent."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.store.access.transact(lambda state: (replace(state, policy=policy), None, ()))
    await here.take(message("let me in", 1, sender=EVE, chat=EVE), message("/start", 2, sender=EVE, chat=EVE))
    assert (await here.store.access.read()).pending == ()
    assert here.texts == []
    assert here.chat.calls == []


async def test_an_invitation_lets_one_person_in() -> None:
    """MUST I21: an invitation lets exactly one person in, on /start."""
    here = world()
    code = PairingCode.for_invitation(bytes(range(ENTROPY_BYTES)))
    await here.store.access.transact(
        lambda state: (*make_invitation(state, code, "salt", Role.SENDER, here.clock.now()), ())
    )
    await here.take(
        message(f"/start {code.letters}", 1, sender=ANN, chat=ANN),
        message(f"/start {code.letters}", 2, sender=EVE, chat=EVE),
        message("and me?", 3, sender=ANN, chat=ANN),
    )
    state = await here.store.access.read()
    assert {who: one.role for who, one in state.senders.items()} == {ANN: Role.OWNER}
    assert here.texts == ["and me?"]
    assert [row.action for row in await here.store.audit.rows()] == ["invite_taken", "policy"]


async def test_a_group_hears_only_admitted_people_who_address_the_bot() -> None:
    """MUST A5: in a group only admitted senders are heard, and only when they address the bot."""
    here = world()
    group = Group(ChatId(GROUP), "Team", here.clock.now(), patterns=("claude",))
    await here.admit((ANN, Role.OWNER), group=group)
    await here.take(
        message("plain", 1, place=place(GROUP, ANN)),
        message("Claude, hi", 2, place=place(GROUP, ANN)),
        message("@bot hi", 3, place=place(GROUP, ANN), mentions_bot=True),
        message("@bot hi", 4, place=place(GROUP, EVE), mentions_bot=True),
        message("@bot hi", 5, place=place("-501", ANN), mentions_bot=True),
        message("Claude, hello", 2, place=place(GROUP, ANN), edited=True, update=9100),
        message("plainer", 1, place=place(GROUP, ANN), edited=True, update=9101),
    )
    assert here.texts == ["Claude, hi", "@bot hi", "Claude, hello"]
    assert (await here.store.access.read()).pending == ()


async def test_a_photo_waits_for_its_file_and_a_document_does_not() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take(message("look", 1, attachment=photo()), message("text", 2))
    assert [one.fetch.state for one in here.store.tables.inbox.values()] == [FetchState.WANTED, FetchState.NONE]


async def test_our_own_commands_are_answered_and_others_go_to_claude() -> None:
    """MUST I23: an unknown command is a message for Claude."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take(
        message("/status", 1), message("/deploy now", 2), message("/help@other_bot", 3), message("/help", 4)
    )
    assert here.texts == ["/deploy now", "/help@other_bot"]
    assert any("waiting" in text and "3" in text for text in here.chat.texts(ANN))
    assert len(here.chat.sent) == 2


async def test_an_order_counts_when_it_cannot_be_old_and_is_stored_before_it_is_confirmed() -> None:
    """MUST B2: an order is stored before Telegram is told that it was received."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.store.sessions.register(SessionRecord(here.session.id, 1, NOON, NOON, "project", True))
    await here.take(message("/stop", 1), message("/pause", 2))
    assert await here.store.orders.standing(here.session.id) == ()
    assert ["while I was offline" in text for text in here.chat.texts(ANN)] == [True, True]
    batch = Batch((message("/stop", 3), message("/pause", 4), message("and then", 5)), UpdateId(9005), drained=True)
    inbox, here.store.inbox = here.store.inbox, FullInbox(here.store)
    for _ in range(2):
        with pytest.raises(StateUnwritable):
            await here.reception.take(batch)
        assert [one.message for one in await here.store.orders.standing(here.session.id)] == ["4", "3"]
        assert len(here.chat.sent) == 2
        await here.clock.advance(1)
    here.store.inbox = inbox
    await here.reception.take(batch)
    await here.courier.settled()
    assert len(await here.store.orders.standing(here.session.id)) == 2
    assert len(here.chat.sent) == 3
    assert here.texts == ["and then"]
    assert [row.action for row in await here.store.audit.rows()][-2:] == ["stop", "pause"]


async def test_in_a_group_an_order_has_to_be_addressed_and_given_by_an_approver() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER), (BOB, Role.SENDER), group=Group(ChatId(GROUP), "Team", here.clock.now()))
    await here.take()
    await here.take(
        message("/pause", 1, chat=GROUP),
        message("/pause@demo_bot", 2, chat=GROUP, sender=BOB, mentions_bot=True),
    )
    assert await here.store.orders.standing(here.session.id) == ()
    assert len(here.chat.texts(GROUP)) == 1
    await here.take(message("/pause@demo_bot", 3, chat=GROUP, mentions_bot=True))
    assert [one.message for one in await here.store.orders.standing(here.session.id)] == ["3"]
    assert here.texts == []


async def test_a_question_button_becomes_an_event_for_admitted_people_only() -> None:
    here = world()
    await here.admit((ANN, Role.SENDER))
    press = ButtonPress(UpdateId(1), place(ANN, ANN), PressId("p1"), "ask:0:1", MessageId("7"), "Later")
    stranger = replace(press, update=UpdateId(2), place=place(EVE, EVE), press=PressId("p2"))
    await here.take()
    await here.take(press, stranger)
    assert [one.inbound for one in here.store.tables.inbox.values()] == [press]
    assert [answer.press for answer in here.chat.press_answers] == ["p1"]


async def test_a_question_button_pressed_while_nobody_polled_is_pressed_again_or_not_at_all() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take()
    await here.clock.advance(FRESH_S + 1)
    presses = [
        ButtonPress(UpdateId(number), place(who, who), PressId(str(number)), "ask:0:1", MessageId("9"), "Deploy")
        for number, who in enumerate((ANN, EVE), 1)
    ]
    await here.take(*presses)
    assert not here.store.tables.inbox
    assert [(one.chat, one.reply_to) for one in here.chat.sent] == [(ANN, "9")]
    assert "“Deploy” came while I was offline" in here.chat.texts(ANN)[0]


async def test_a_reaction_becomes_an_event() -> None:
    here = world()
    await here.admit((ANN, Role.SENDER))
    await here.take(ReactionChange(UpdateId(1), place(), MessageId("7"), here.clock.now(), ("👍",)))
    assert len(here.store.tables.inbox) == 1


async def test_a_typed_answer_approves_and_is_not_passed_on() -> None:
    """MUST V1: yes <id>, no <id>, y and n are answers in any letter case."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take()
    await here.prompt()
    await here.take(message("YES AbCdE", 1))
    assert here.session.verdicts == [("abcde", Behavior.ALLOW)]
    assert here.texts == []


@pytest.mark.parametrize("how", ["button", "text"])
async def test_an_answer_from_a_backlog_never_approves(how: str) -> None:
    """MUST V2: an old answer from a backlog never approves."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    prompt = await here.prompt()
    answer: Inbound = message("yes abcde", 1)
    if how == "button":
        data = button_data(Behavior.ALLOW, prompt.prompt)
        answer = ButtonPress(UpdateId(1), place(), PressId("p"), data, MessageId("501"), "Allow")
    await here.take()
    await here.clock.advance(FRESH_S + 1)
    await here.take(answer, drained=True)
    assert here.session.verdicts == []
    again = replace(answer, update=UpdateId(answer.update + 1))
    await here.take(again)
    assert here.session.verdicts == [("abcde", Behavior.ALLOW)]


async def test_what_the_last_process_knew_about_the_queue_counts_for_the_next() -> None:
    """MUST I26: an answer right after a takeover counts."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.prompt()
    await here.store.health.publish(
        HealthReport(
            BridgeState.POLLING, 1, here.clock.now(), last_drained_at=here.clock.now() - timedelta(seconds=5)
        )
    )
    await here.reception.resume()
    await here.take(message("yes abcde", 1))
    assert here.session.verdicts == [("abcde", Behavior.ALLOW)]


async def test_a_batch_that_waited_for_the_disk_makes_nothing_fresh_that_came_meanwhile() -> None:
    """MUST V2: an old answer from a backlog never approves."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take()
    await here.prompt()
    here.store.fault = StateUnwritable("The disk is full.")
    batch = Batch((message("hello", 1),), UpdateId(9001), drained=True)
    with pytest.raises(StateUnwritable):
        await here.reception.take(batch)
    await here.clock.advance(7200)
    here.store.fault = None
    await here.reception.take(batch)
    await here.take(message("yes abcde", 2))
    assert "does not count" in here.chat.texts(ANN)[-1]
    found = await here.store.prompts.find("abcde")
    assert found
    assert found.is_open


async def test_a_poll_that_was_answered_long_before_it_was_read_makes_nothing_fresh() -> None:
    """MUST V2: an old answer from a backlog never approves."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.prompt()
    asked_at = here.clock.now()
    await here.clock.advance(3600)  # the machine slept with the answer in its buffers
    await here.reception.take(Batch((), None, drained=True, drained_at=asked_at))
    await here.take(message("yes abcde", 1))
    assert "does not count" in here.chat.texts(ANN)[-1]
    assert here.reception.drained_at == here.clock.now()


async def test_a_clock_that_was_set_back_makes_nothing_fresh() -> None:
    """MUST V2: an old answer from a backlog never approves."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.prompt()
    await here.reception.take(Batch((), None, drained=True))
    earlier = Reception(
        *(here.store, here.chat, here.approvals, here.commands, here.courier, ManualClock()),
        *(here.router, here.dispatch, here.choices),
    )
    at = here.clock.now() + timedelta(minutes=30)
    await here.store.health.publish(HealthReport(BridgeState.POLLING, 1, at, last_drained_at=at))
    await earlier.resume()
    await earlier.take(Batch((message("yes abcde", 1),), UpdateId(9001), drained=True))
    await here.courier.settled()
    assert "does not count" in here.chat.texts(ANN)[-1]


async def test_what_is_to_be_said_about_a_batch_is_said_once_when_it_is_stored() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER), (BOB, Role.SENDER))
    updates = (message("yes zzzzz", 1), message("yes abcde", 2, sender=BOB, chat=BOB), message("/help", 3))
    batch = Batch(updates, UpdateId(9003), drained=True)
    inbox, here.store.inbox = here.store.inbox, FullInbox(here.store)
    for _ in range(3):
        with pytest.raises(StateUnwritable):
            await here.reception.take(batch)
    await here.courier.settled()
    assert here.chat.sent == []
    here.store.inbox = inbox
    await here.reception.take(batch)
    await here.courier.settled()
    assert len(here.chat.texts(ANN)) == 2
    assert len(here.chat.texts(BOB)) == 1


CARD = RepliedTo(MessageId("501"), "Claude wants to use Bash", from_bot=True)


async def test_a_reply_to_an_open_card_denies_with_that_reason_and_is_not_passed_on() -> None:
    """MUST I30: an approver's reply to an open card denies with that text as the reason."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take()
    await here.prompt()
    await here.take(message("not on a Friday", 1, reply_to=CARD))
    assert here.session.verdicts == [("abcde", Behavior.DENY)]
    found = await here.store.prompts.find("abcde")
    assert found
    assert found.verdict
    assert found.verdict.reason == "not on a Friday"
    await here.take(message("now the tests", 2, reply_to=CARD))
    assert here.texts == ["now the tests"]


@pytest.mark.parametrize(
    "more",
    [{"edited": True}, {"attachment": photo()}, {"forwarded_from": "Eve"}, {"reply_to": None}],
    ids=["edited", "caption", "forwarded", "no reply"],
)
@pytest.mark.parametrize("text", ["yes", "no", "not on a Friday"])
async def test_only_what_was_written_as_a_reply_answers_a_card(text: str, more: dict[str, Any]) -> None:
    """MUST I31: an edited message, a caption or a forwarded message never answers a permission prompt."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take()
    await here.prompt()
    await here.take(message(text, 1, **({"reply_to": CARD} | more)))
    assert here.session.verdicts == []
    assert here.texts == [text]


async def test_a_reply_that_names_its_request_or_is_a_command_is_that() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take()
    await here.prompt()
    await here.take(message("/help", 1, reply_to=CARD), message("yes zzzzz", 2, reply_to=CARD))
    assert here.session.verdicts == []
    assert any("There is no permission request zzzzz" in text for text in here.chat.texts(ANN))
    await here.take(message("yes abcde", 3, reply_to=CARD))
    assert here.session.verdicts == [("abcde", Behavior.ALLOW)]
    assert here.texts == []


async def test_a_reply_in_a_batch_that_could_not_be_stored_is_no_message_when_it_comes_again() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take()
    await here.prompt()
    batch = Batch((message("not on a Friday", 1, reply_to=CARD),), UpdateId(9001), drained=True)
    inbox, here.store.inbox = here.store.inbox, FullInbox(here.store)
    for _ in range(2):
        with pytest.raises(StateUnwritable):
            await here.reception.take(batch)
        await here.courier.settled()
    here.store.inbox = inbox
    await here.reception.take(batch)
    await here.courier.settled()
    assert here.texts == []
    assert here.session.verdicts == [("abcde", Behavior.DENY)]
    assert [text for text in here.chat.texts(ANN) if text.startswith("Denied")] == [
        "Denied, with what you wrote as the reason for Claude."
    ]


async def test_people_who_talk_to_each_other_in_a_group_are_left_alone() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER), group=Group(ChatId(GROUP), "team", here.clock.now()))
    await here.take(message("no sorry", 1, chat=GROUP))
    assert here.chat.sent == []
    assert here.texts == []
    await here.prompt()
    await here.take(message("no abcde", 2, chat=GROUP))
    assert here.chat.texts(GROUP) == ["Denied."]


async def test_in_a_group_an_album_and_a_cut_paste_are_heard_whole() -> None:
    """MUST I13: an album is one event."""
    here = world()
    people = (ANN, Role.OWNER), (BOB, Role.SENDER)
    await here.admit(*people, group=Group(ChatId(GROUP), "team", here.clock.now()))
    album = {"chat": GROUP, "album": "a"}
    await here.take(message("@demo_bot these", 1, attachment=photo(1), mentions_bot=True, **album))
    await here.take(message("", 2, attachment=photo(2), **album), message("", 3, sender=BOB, **album))
    long = "@demo_bot " + "x" * 4000
    await here.take(message(long, 4, chat=GROUP, mentions_bot=True))
    await here.take(message("its end", 5, chat=GROUP), message("to all", 6, chat=GROUP, sender=BOB))
    await here.take(message("lunch?", 7, chat=GROUP))
    assert here.texts == ["@demo_bot these", "", long, "its end"]


@pytest.mark.parametrize("who", [BOB, EVE])
async def test_only_approvers_approve(who: str) -> None:
    """MUST V12: who may talk but not approve changes nothing, by button or text, and is told so."""
    here = world()
    await here.admit((ANN, Role.OWNER), (BOB, Role.SENDER))
    await here.take()
    prompt = await here.prompt()
    data = button_data(Behavior.ALLOW, prompt.prompt)
    await here.take(
        message("yes abcde", 1, sender=who, chat=who),
        ButtonPress(UpdateId(2), place(who, who), PressId("p"), data, MessageId("501"), "Allow"),
    )
    assert here.session.verdicts == []
    assert here.texts == []


async def test_a_correction_is_never_an_answer() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take()
    await here.prompt()
    await here.take(message("yes abcde", 1, edited=True), message("yes abcde", 2, forwarded_from="Eve"))
    assert here.session.verdicts == []
    assert here.texts == ["yes abcde", "yes abcde"]


async def test_what_nobody_understands_is_kept_and_blocks_nothing() -> None:
    """MUST I7: an update nobody understands is kept and reported, and blocks nothing."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    raw = json.dumps({"odd": "words of Ann"})
    known = Unreadable(UpdateId(1), "no idea", SenderId(ANN), raw, "{}")
    stranger = Unreadable(UpdateId(2), "no idea", SenderId(EVE), json.dumps({"odd": "words of Eve"}), '{"odd":"str"}')
    await here.take(known, stranger, Ignorable(UpdateId(3), "a pin"), message("after", 4))
    assert here.texts == ["after"]
    kept = {one.update: one.content for one in await here.store.inbox.quarantined()}
    assert kept == {1: raw, 2: '{"odd":"str"}'}


async def test_a_group_that_became_a_supergroup_keeps_its_place() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER), group=Group(ChatId(GROUP), "Team", here.clock.now()))
    await here.take(ChatMigration(UpdateId(1), place(GROUP, ANN), ChatId("-100500")))
    assert set((await here.store.access.read()).groups) == {"-100500"}


async def test_a_chat_is_closed_when_the_bot_is_blocked_and_open_when_it_is_heard_from() -> None:
    here = world()
    await here.admit((ANN, Role.OWNER))
    await here.take(MembershipChange(UpdateId(1), place(), reachable=False))
    assert await here.store.closed_chats.reason(ChatId(ANN))
    await here.take(message("back", 2))
    assert await here.store.closed_chats.reason(ChatId(ANN)) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 40), st.sampled_from([ANN, EVE])), max_size=6), min_size=1, max_size=8
    ),
    st.data(),
)
async def test_however_batches_repeat_and_fail_every_message_is_kept_once(
    batches: list[list[tuple[int, str]]], data: st.DataObject
) -> None:
    """MUST I29: however often a batch fails or repeats, every message is kept exactly once."""
    here = world()
    await here.admit((ANN, Role.OWNER))
    for batch in batches:
        updates = [message(str(number), number, sender=who, chat=who, update=number) for number, who in batch]
        for _ in range(data.draw(st.integers(1, 3))):
            if data.draw(st.booleans()):
                here.store.fault = StateUnwritable("The disk is full.")
                with pytest.raises(StateUnwritable):
                    await here.take(*updates)
                here.store.fault = None
            await here.take(*updates)
    first_sender: dict[int, str] = {}
    for batch in batches:
        for number, who in batch:
            first_sender.setdefault(number, who)
    assert sorted(map(int, here.texts)) == sorted(number for number, who in first_sender.items() if who == ANN)
