"""Permission prompts from the question to the last closed card, on a real (in-memory) store."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from telegram_channel.bridge.approvals import ApprovalRules, Approvals
from telegram_channel.core.access import Role
from telegram_channel.core.ids import ChatId, MessageId, PressId, PromptId, SessionId, UpdateId
from telegram_channel.core.messages import ButtonPress
from telegram_channel.core.outgoing import Refused, Sent, Uncertain
from telegram_channel.core.permission import Behavior, Closing, PermissionRequest, parse_answer
from telegram_channel.errors import StateUnwritable
from tests.bridge.office import ALLOW, ANN, BOB, DENY, REQUEST, SAM, TEAM, Office, register
from tests.session import RecordingSession
from tests.values import NOON, message, place
from tests.waiting import running, until


@pytest.fixture
async def office() -> Office:
    return await Office().open()


async def test_every_approver_and_nobody_else_gets_a_card(office: Office) -> None:
    """MUST V10: permission cards go to approvers only, into their private chats."""
    await office.ask()
    assert sorted(office.cards()) == [ANN, BOB]
    assert {sent.chat for sent in office.chat.sent} == {ANN, BOB}
    card = office.chat.sent[0]
    assert "make deploy" in office.chat.texts(ANN)[0]
    assert [button.data for row in card.buttons for button in row if button.data] == [ALLOW, DENY]
    assert card.urgent
    assert [card.message for card in (await office.prompt()).cards] == ["501", "502"]


@pytest.mark.parametrize(
    ("data", "behavior", "bubble", "ending"),
    [
        (ALLOW, Behavior.ALLOW, "Allowed.", "✓ Allowed by Ann (button)."),
        (DENY, Behavior.DENY, "Denied.", "✗ Denied by Ann (button)."),
    ],
)
async def test_a_press_decides_tells_the_session_and_closes_every_card(
    office: Office, data: str, behavior: Behavior, bubble: str, ending: str
) -> None:
    """MUST V11: the first answer is told to the session at once and every copy of the card says who decided."""
    await office.ask()
    assert await office.press(ANN, data) == bubble
    assert office.session.verdicts == [("abcde", behavior)]
    assert sorted(office.endings()) == [(ANN, ending), (BOB, ending)]
    assert all(edit.buttons == () for edit in office.chat.edits)
    prompt = await office.prompt()
    assert prompt.told_session
    assert prompt.cards_closed


@pytest.mark.parametrize("text", ["yes abcde", "YES ABCDE", "y abcde", " Yes aBcDe "])
async def test_a_typed_answer_counts_like_a_press(office: Office, text: str) -> None:
    await office.ask()
    assert await office.write(BOB, text) == "Allowed."
    assert office.session.verdicts == [("abcde", Behavior.ALLOW)]
    assert sorted(office.endings()) == [(chat, "✓ Allowed by Bob (typed).") for chat in (ANN, BOB)]


async def test_an_approver_may_answer_in_a_group(office: Office) -> None:
    await office.ask()
    assert await office.write(BOB, "no abcde", chat=TEAM) == "Denied."
    assert office.session.verdicts == [("abcde", Behavior.DENY)]


@pytest.mark.parametrize(("sender", "chat"), [(SAM, SAM), (SAM, TEAM), ("1004", TEAM)])
async def test_who_may_talk_may_not_approve(office: Office, sender: str, chat: str) -> None:
    """MUST V12: who may talk but not approve changes nothing, by button or text, and is told so."""
    await office.ask()
    assert (await office.write(sender, "yes abcde", chat=chat)).startswith("You may talk to Claude, but not answer")
    assert (await office.press(sender, ALLOW, chat=chat)).startswith("!You may talk to Claude, but not answer")
    assert office.session.verdicts == []
    assert (await office.prompt()).is_open


async def test_a_strangers_press_is_met_with_silence(office: Office) -> None:
    await office.ask()
    assert await office.press("666", ALLOW) == ""
    assert await office.press("666", "perm:a:nonsense") == ""
    assert (await office.prompt()).is_open


async def test_a_former_approver_decides_nothing(office: Office) -> None:
    await office.ask()
    await office.open({ANN: Role.OWNER, BOB: Role.SENDER})
    assert (await office.press(BOB, ALLOW, "502")).startswith("!You may talk")
    await office.open({ANN: Role.OWNER})
    assert await office.press(BOB, ALLOW, "502") == ""
    assert office.session.verdicts == []


async def test_the_second_answer_learns_who_was_faster(office: Office) -> None:
    """MUST V13: exactly one answer decides; later ones are told who did."""
    await office.ask()
    await office.press(ANN, DENY)
    late = "Too late, this one is settled. ✗ Denied by Ann (button)."
    assert await office.press(BOB, ALLOW, "502") == f"!{late}"
    assert await office.write(BOB, "yes abcde") == late
    assert office.session.verdicts == [("abcde", Behavior.DENY)]
    assert await office.verdicts_in_the_audit() == 1


async def test_the_same_answer_twice_is_simply_confirmed(office: Office) -> None:
    await office.ask()
    assert await office.press(ANN, ALLOW) == "Allowed."
    assert await office.press(ANN, ALLOW) == "Allowed."
    assert await office.write(ANN, "yes abcde") == "Allowed."
    assert await office.verdicts_in_the_audit() == 1
    assert len(office.session.verdicts) == 1


async def test_a_typed_answer_that_comes_twice_from_telegram_changes_nothing(office: Office) -> None:
    await office.ask()
    assert await office.write(ANN, "yes abcde") == await office.write(ANN, "yes abcde")
    assert office.session.verdicts == [("abcde", Behavior.ALLOW)]
    assert await office.verdicts_in_the_audit() == 1


async def test_an_unknown_request_is_told_and_not_passed_on(office: Office) -> None:
    """MUST V14: unknown, late and already decided answers get a true sentence and are not passed on."""
    assert await office.write(ANN, "yes sorry") == (
        "There is no permission request sorry, so nothing was decided, and nothing was passed on. "
        "If this was meant for Claude, say it in other words."
    )


@pytest.mark.parametrize("data", ["perm:a:gone", "perm:a", "perm:x:session-1-1", "perm:"])
async def test_a_card_nobody_knows_loses_its_buttons(office: Office, data: str) -> None:
    assert await office.press(ANN, data, "77") == "!Nobody knows this request any more. Nothing was decided."
    assert [(edit.chat, edit.message, edit.body) for edit in office.chat.edits] == [(ANN, "77", None)]


async def test_an_old_answer_never_decides(office: Office) -> None:
    """MUST V2: an old answer from a backlog never approves."""
    await office.ask()
    say = "That answer came while I was offline, so it does not count. Please answer again."
    assert await office.write(ANN, "yes abcde", fresh=False) == say
    assert await office.press(ANN, ALLOW, fresh=False) == f"!{say}"
    assert office.session.verdicts == []
    assert (await office.prompt()).is_open
    assert await office.press(ANN, ALLOW) == "Allowed."


async def test_without_approvers_only_the_terminal_asks() -> None:
    office = await Office().open({SAM: Role.SENDER})
    await office.ask()
    assert office.chat.sent == []


async def test_without_a_store_only_the_terminal_asks(office: Office) -> None:
    office.store.fault = StateUnwritable("The disk is full.")
    await office.ask()
    assert office.chat.sent == []


async def test_an_answer_that_cannot_be_stored_decides_nothing_and_may_come_again(office: Office) -> None:
    await office.ask()
    state = await office.store.access.read()
    office.store.fault = StateUnwritable("The disk is full.")
    answer = parse_answer("yes abcde")
    assert answer
    with pytest.raises(StateUnwritable):
        await office.approvals.answered_by_text(message("yes abcde"), answer, fresh=True, state=state)
    assert office.session.verdicts == []
    office.store.fault = None
    assert await office.write(ANN, "yes abcde") == "Allowed."


async def test_a_slow_chat_delays_nobody_elses_card_and_its_own_is_closed_when_it_arrives(office: Office) -> None:
    """MUST V15: a slow chat delays neither another approver's card nor the verdict."""
    gate = office.chat.hold(ANN)
    await office.ask()
    assert office.cards() == [ANN, BOB]
    assert await office.press(BOB, ALLOW, "502") == "Allowed."
    assert office.session.verdicts == [("abcde", Behavior.ALLOW)]
    assert office.endings() == [(BOB, "✓ Allowed by Bob (button).")]
    gate.set()
    await office.settled()
    assert (ANN, "✓ Allowed by Bob (button).") in office.endings()
    async with running(office.approvals.run()):
        await office.settled()
    assert (await office.prompt()).cards_closed
    assert len(office.endings()) == 2


async def test_a_slow_edit_delays_no_other_card(office: Office) -> None:
    await office.ask()
    office.chat.hold(ANN)
    await office.press(BOB, ALLOW, "502")
    assert (BOB, "✓ Allowed by Bob (button).") in office.endings()
    assert office.session.verdicts


async def test_a_card_that_is_being_closed_is_not_closed_twice(office: Office) -> None:
    await office.ask()
    gate = office.chat.hold(ANN)
    await office.press(ANN, ALLOW)
    await step(office)
    gate.set()
    await office.settled()
    assert sorted(chat for chat, _ in office.endings()) == [ANN, BOB]
    assert (await office.prompt()).cards_closed


class DeafSession(RecordingSession):
    """Cannot be told anything the first time."""

    tries = 0

    async def tell_verdict(self, request_id: str, behavior: Behavior) -> None:
        self.tries += 1
        if self.tries == 1:
            raise ConnectionError("the pipe broke")
        await super().tell_verdict(request_id, behavior)


async def test_a_verdict_that_could_not_be_told_is_told_again() -> None:
    office = await Office(session=DeafSession("session-1")).open()
    await office.ask()
    await office.press(ANN, ALLOW)
    assert office.session.verdicts == []
    await step(office)
    assert office.session.verdicts == [("abcde", Behavior.ALLOW)]


async def test_long_input_follows_the_card_as_a_file(office: Office) -> None:
    command = "echo 🙂\n" * 2000
    await office.ask(PermissionRequest("abcde", "Bash", "", json.dumps({"command": command})))
    files = [sent for sent in office.chat.sent if sent.files]
    cards = {(card.chat, card.message) for card in (await office.prompt()).cards}
    assert {(sent.chat, sent.reply_to) for sent in files} == cards
    content = files[0].files[0].content
    assert content is not None
    assert command in content.decode()


async def test_a_file_that_did_not_arrive_is_not_passed_over_in_silence() -> None:
    """MUST V7: what does not fit a card goes whole into an attached file."""
    office = await Office().open({ANN: Role.OWNER})
    office.chat.will("send", Sent((MessageId("501"),)), Refused("The file is too large."))
    await office.ask(PermissionRequest("abcde", "Bash", "", json.dumps({"command": "echo\n" * 2000})))
    notice = office.chat.sent[-1]
    assert (notice.chat, notice.reply_to) == (ANN, "501")
    assert "look at the terminal" in office.chat.texts(ANN)[-1]


async def test_a_verdict_counts_as_told_only_when_the_clients_pipe_has_it(office: Office) -> None:
    """MUST V17: the process that asked tells its session, whichever process takes the answer."""
    await office.ask()
    office.session.reads.clear()
    await office.press(ANN, ALLOW)
    assert office.session.verdicts == [("abcde", Behavior.ALLOW)]
    for _ in range(3):
        await office.approvals.step()
        await office.settled()
    assert not (await office.prompt()).told_session
    office.session.reads.set()
    await office.settled()
    assert (await office.prompt()).told_session
    assert office.session.verdicts == [("abcde", Behavior.ALLOW)]


async def test_a_card_that_was_not_remembered_is_closed_when_it_is_pressed(office: Office) -> None:
    await office.ask()
    await office.press(ANN, ALLOW, "999")
    assert {(edit.chat, edit.message) for edit in office.chat.edits} == {(ANN, "999"), (ANN, "501"), (BOB, "502")}


async def test_a_blocked_approver_does_not_keep_the_card_from_the_others(office: Office) -> None:
    office.chat.will("send", Refused("The bot was blocked.", closed=True))
    await office.ask()
    assert [card.chat for card in (await office.prompt()).cards] == [BOB]
    assert await office.store.closed_chats.reason(ChatId(ANN)) == "The bot was blocked."
    await office.ask(PermissionRequest("fghij", "Bash", "", "{}"))
    assert office.cards() == [ANN, BOB, BOB]


async def step(office: Office) -> None:
    await office.approvals.step()
    await office.settled()


async def test_a_card_that_could_not_be_sent_is_sent_later(office: Office) -> None:
    office.chat.will("send", Refused("No network"), Refused("No network"))
    await office.ask()
    await step(office)
    assert office.cards() == [ANN, BOB]
    await office.clock.advance(31)
    await step(office)
    assert office.cards() == [ANN, BOB, ANN, BOB]
    await office.clock.advance(600)
    await step(office)
    assert len(office.cards()) == 4


async def test_a_card_that_could_not_be_closed_is_closed_later_and_not_for_ever(office: Office) -> None:
    await office.ask()
    office.chat.will("edit", *[Uncertain("The connection broke")] * 2)
    await office.press(ANN, ALLOW)
    assert not (await office.prompt()).cards_closed
    await step(office)
    assert len(office.chat.edits) == 2  # not at once
    await office.clock.advance(31)
    await step(office)
    assert len(office.chat.edits) == 4
    assert (await office.prompt()).cards_closed


async def test_a_card_that_can_never_be_closed_is_left_alone_in_the_end(office: Office) -> None:
    await office.ask()
    office.chat.will("edit", *[Refused("message to edit not found")] * 20)
    await office.press(ANN, ALLOW)
    for _ in range(10):
        await office.clock.advance(4000)
        await step(office)
    assert len(office.chat.edits) == 10  # five times for each of two cards
    assert (await office.prompt()).cards_closed


def press(sender: str, data: str) -> ButtonPress:
    return ButtonPress(UpdateId(1), place(sender, sender, name="Bob"), PressId("1"), data, MessageId("502"))


def other_process(office: Office, session: str, *, polls: bool = False) -> Office:
    return Office(office.database, session, office.clock, polls=polls)


async def test_an_answer_given_in_another_process_reaches_the_session_that_asked(office: Office) -> None:
    """MUST V17: the process that asked tells its session, whichever process takes the answer."""
    asking = other_process(office, "session-2")
    await register(office, asking)
    async with running(asking.approvals.run(), office.approvals.run()):
        await asking.ask()
        assert await office.press(ANN, "perm:a:session-2-1") == "Allowed."
        await asking.settled()
    assert asking.session.verdicts == [("abcde", Behavior.ALLOW)]
    assert office.session.verdicts == []
    assert {chat for chat, _ in office.endings()} == {ANN, BOB}
    assert "in project of session-2" in office.chat.edits[0].text
    assert (await office.prompt()).cards_closed
    assert asking.endings() == []


async def test_cards_that_whoever_took_the_answer_did_not_close_are_closed_by_the_process_that_asked(
    office: Office,
) -> None:
    asking = other_process(office, "session-2")
    await register(office, asking)
    await asking.ask()
    await office.approvals.answered_by_press(
        press(BOB, "perm:d:session-2-1"), fresh=True, state=await office.store.access.read()
    )
    office.courier.cancel()  # killed before it could
    await step(asking)
    assert asking.session.verdicts == [("abcde", Behavior.DENY)]
    assert asking.endings() == []
    await asking.clock.advance(11)
    await step(asking)
    assert sorted(asking.endings()) == [(chat, "✗ Denied by Bob (button).") for chat in (ANN, BOB)]
    assert (await asking.prompt()).cards_closed


async def test_a_closed_card_shows_the_same_change_wherever_it_was_answered(office: Office) -> None:
    asking = Office(office.database, "session-2", office.clock, polls=False, read_before=lambda _: "old\nsame\n")
    await register(office, asking)
    change = json.dumps({"file_path": "/srv/shop/a.txt", "content": "new\nsame\n"})
    await asking.ask(PermissionRequest("abcde", "Write", "", change))
    await until(lambda: len(asking.cards()) == 2, "the cards")
    await asking.settled()
    await office.press(ANN, "perm:a:session-2-1")
    assert "-old" not in office.chat.edits[0].text
    await step(asking)
    assert {edit.chat for edit in asking.chat.edits} == {ANN, BOB}
    assert "-old" in asking.chat.edits[0].text


async def test_a_card_of_a_session_that_was_restarted_says_so_whoever_closes_it(office: Office) -> None:
    asking = other_process(office, "session-2")
    await register(office, asking)
    await asking.ask()
    await office.clock.advance(5)
    [record] = [one for one in await office.store.sessions.list() if one.session == "session-2"]
    await office.store.sessions.register(replace(record, started_at=office.clock.now()))
    await office.press(ANN, "perm:a:session-2-1")
    assert office.endings()[0][1].endswith("so this may not have reached Claude.")


async def test_a_card_that_is_closed_after_its_session_has_ended_does_not_doubt_what_it_was_told(
    office: Office,
) -> None:
    asking = other_process(office, "session-2")
    await register(office, asking)
    await asking.ask()
    office.chat.will("edit", *[Uncertain("The connection broke")] * 2)
    await office.press(ANN, "perm:a:session-2-1")
    await step(asking)
    assert (await office.prompt()).told_session
    office.alive.discard("session-2")
    await step(office)
    await office.clock.advance(31)
    await step(office)
    assert office.endings()[-1] == (BOB, "✓ Allowed by Ann (button).")


async def test_a_prompt_survives_a_restart_of_its_server(office: Office) -> None:
    """MUST V18: a permission prompt survives a restart of the server."""
    await office.ask()
    office.courier.cancel()
    await office.clock.advance(20)
    again = other_process(office, "session-1", polls=True)
    await step(again)
    assert again.cards() == []  # the cards are there already
    assert await again.press(ANN, ALLOW) == "Allowed."
    assert again.session.verdicts == [("abcde", Behavior.ALLOW)]
    assert again.endings()[0][1] == (
        "✓ Allowed by Ann (button). It was asked before a restart, so this may not have reached Claude."
    )


async def test_a_verdict_that_was_not_told_before_a_crash_is_told_after_it(office: Office) -> None:
    await office.ask()
    asking = other_process(office, "session-2")
    await asking.approvals.asked(PermissionRequest("fghij", "Bash", "", "{}"))
    asking.courier.cancel()  # it dies before anything left
    await office.settled()
    assert await office.write(ANN, "no fghij") == "Denied."
    again = other_process(office, "session-2")
    await step(again)
    assert again.session.verdicts == [("fghij", Behavior.DENY)]
    await step(again)
    assert again.session.verdicts == [("fghij", Behavior.DENY)]


async def test_cards_that_were_never_sent_before_a_crash_are_sent_after_it(office: Office) -> None:
    await office.approvals.asked(REQUEST)
    office.courier.cancel()
    await office.settled()
    assert office.cards() == []
    again = other_process(office, "session-1")
    await step(again)
    assert sorted(again.cards()) == [ANN, BOB]


async def test_whoever_polls_closes_the_cards_of_a_session_that_is_gone_and_tells_nobody(office: Office) -> None:
    gone = other_process(office, "session-2")
    await register(office, gone)
    await gone.ask()
    office.alive.discard("session-2")
    await office.clock.advance(31)
    await step(office)
    assert await office.press(ANN, "perm:a:session-2-1") == "Allowed."
    assert office.session.verdicts == []
    assert sorted(chat for chat, _ in office.endings()) == [ANN, BOB]
    assert all(ending.endswith("so this may not have reached Claude.") for _, ending in office.endings())


@pytest.mark.parametrize("polls", [True, False])
async def test_only_whoever_polls_closes_what_a_session_that_is_gone_has_left(office: Office, polls: bool) -> None:
    gone = other_process(office, "session-2")
    await register(office, gone)
    await gone.ask()
    office.alive.discard("session-2")
    await office.store.prompts.close(PromptId("session-2-1"), Closing.EXPIRED)
    looking = other_process(office, "session-3", polls=polls)
    await step(looking)
    assert len(looking.endings()) == (2 if polls else 0)


async def test_a_prompt_nobody_waits_for_is_closed_in_the_end(office: Office) -> None:
    gone = other_process(office, "session-2")
    await register(office, gone)
    await gone.ask()
    office.alive.discard("session-2")
    for seconds in (1, 31, 300, 301, 10):
        await office.clock.advance(seconds)
        await step(office)
    assert sorted(office.endings()) == [(chat, "The session ended before anyone answered.") for chat in (ANN, BOB)]
    assert await office.press(ANN, "perm:a:session-2-1") == (
        "!Too late, this one is settled. The session ended before anyone answered."
    )
    assert office.session.verdicts == []


async def test_a_prompt_expires_after_a_day(office: Office) -> None:
    await office.ask()
    assert await office.approvals.expire(NOON + timedelta(hours=23)) == 0
    assert await office.approvals.expire(NOON + timedelta(hours=24)) == 1
    await step(office)
    assert sorted(office.endings()) == [(ANN, "Nobody answered in time."), (BOB, "Nobody answered in time.")]
    assert await office.write(ANN, "yes abcde") == "Too late, this one is settled. Nobody answered in time."
    assert office.session.verdicts == []


async def test_a_full_disk_delays_the_loop_and_does_not_end_it(office: Office) -> None:
    await office.ask()
    async with running(office.approvals.run()):
        await office.settled()
        office.store.fault = StateUnwritable("The disk is full.")
        office.store.changed()
        await office.settled()
        office.store.fault = None
        await office.clock.advance(2)
        await office.press(ANN, ALLOW)
    assert office.session.verdicts == [("abcde", Behavior.ALLOW)]


def test_the_times_are_in_a_sensible_order() -> None:
    rules = ApprovalRules()
    order: Sequence[float] = (rules.look_s, rules.ended_after_s, rules.expires_after_s)
    assert list(order) == sorted(order)


async def test_nobody_is_asked_for_a_session_that_does_not_exist(office: Office) -> None:
    assert office.session.id == SessionId("session-1")
    lonely = Approvals(
        office.store,
        office.chat,
        office.clock,
        office.courier,
        session=None,
        new_id=lambda: PromptId("p"),
        is_alive=lambda _: True,
        polls=lambda: True,
    )
    await lonely.asked(REQUEST)
    await lonely.step()
    await office.settled()
    assert office.chat.sent == []
