"""A permission card that may not have arrived is sent again, and a copy that nobody knew of is learned."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.bridge.askers import Askers
from telegram_channel.bridge.cards import SENT_AGAIN_AFTER_S, Cards
from telegram_channel.bridge.prompt_care import ApprovalRules, PromptCare
from telegram_channel.core.access import Role
from telegram_channel.core.hooks import TurnEnded
from telegram_channel.core.ids import MessageId, PromptId
from telegram_channel.core.messages import RepliedTo
from telegram_channel.core.outgoing import Refused, SendOutcome, Sent, Uncertain
from telegram_channel.core.permission import Behavior, Card, Closing, Prompt, parse_answer
from telegram_channel.core.turns import Turn
from tests.bridge.office import ALLOW, ANN, BOB, DENY, REQUEST, SAM, SECOND, TEAM, Office, waits
from tests.chat import words
from tests.values import NOON, message, place
from tests.waiting import running

BROKEN = Uncertain("The connection broke.")
REFUSED = Refused("No network.")
AGAIN = "Sent again: the first card may not have arrived. One answer is enough.\n"
ONLY_ANN = {ANN: Role.OWNER}
NOT_SURE = "I am not sure that this is a card of mine. To allow it, press its button, or write yes abcde."


async def opened(people: dict[str, Role] | None = None) -> Office:
    return await Office().open(people)


def sent_to(office: Office, chat: str) -> list[str]:
    """The first words of every card for one person: whether it says that it may be a second one."""
    return ["again" if text.startswith(AGAIN) else "first" for text in office.chat.texts(chat)]


async def test_a_card_that_may_not_have_arrived_is_sent_again_twice_and_says_so() -> None:
    """MUST V16: a card that may not have arrived is sent again, twice at most and while it is asked, and says so."""
    office = await opened(ONLY_ANN)
    office.chat.will("send", *[BROKEN] * 9)
    await office.ask()
    first, second = SENT_AGAIN_AFTER_S
    for seconds, cards in ((first - 0.1, 1), (0.2, 2), (second - 0.2, 2), (0.2, 3), (90_000, 3)):
        await office.clock.advance(seconds)
        await office.step()
        assert len(office.cards()) == cards
    assert sent_to(office, ANN) == ["first", "again", "again"]
    assert "make deploy" in office.chat.texts(ANN)[2]
    assert office.chat.sent[0].buttons == office.chat.sent[2].buttons


async def test_nothing_more_is_sent_once_it_is_certain_that_a_card_arrived() -> None:
    office = await opened(ONLY_ANN)
    office.chat.will("send", BROKEN)
    await office.ask()
    for _ in range(3):
        await office.clock.advance(4000)
        await office.step()
    assert sent_to(office, ANN) == ["first", "again"]
    assert (await office.prompt()).cards == (Card(office.chat.sent[1].chat, MessageId("502")),)


async def test_one_persons_card_is_sent_again_although_anothers_arrived() -> None:
    """MUST V16: a card that may not have arrived is sent again, twice at most and while it is asked, and says so."""
    office = await opened()
    office.chat.will("send", BROKEN)
    await office.ask()
    assert [card.chat for card in (await office.prompt()).cards] == [BOB]
    await office.clock.advance(6)
    assert sent_to(office, ANN) == ["first", "again"]
    assert sent_to(office, BOB) == ["first"]
    assert await office.press(ANN, ALLOW, "503") == "Allowed."
    assert sorted(office.endings()) == [(chat, "✓ Allowed by Ann (button).") for chat in (ANN, BOB)]
    assert not any(edit.text.startswith(AGAIN) for edit in office.chat.edits)


async def test_waiting_to_send_again_holds_up_no_other_card() -> None:
    office = await opened()
    office.chat.will("send", BROKEN)
    await office.ask()
    await office.ask(SECOND)
    assert office.cards() == [ANN, BOB, ANN, BOB]


@pytest.mark.parametrize("how", ["pressed", "typed", "in the terminal", "expired", "no approver any more"])
async def test_a_card_is_not_sent_again_when_it_is_not_wanted_any_more(how: str) -> None:
    office = await opened()
    office.chat.will("send", BROKEN)
    await office.ask()
    match how:
        case "pressed":
            await office.press(BOB, DENY, "502")
        case "typed":
            await office.write(BOB, "yes abcde")
        case "in the terminal":
            office.approvals.heard(TurnEnded(), Turn())
        case "expired":
            await office.approvals.expire(NOON.replace(year=NOON.year + 1))
        case _:
            await office.open({ANN: Role.SENDER, BOB: Role.APPROVER})
    cards = office.cards()
    for _ in range(3):
        await office.clock.advance(70)
        await office.step()
    assert office.cards() == cards


async def test_whoever_let_the_flows_end_waits_for_no_card() -> None:
    office = await opened()
    office.chat.will("send", BROKEN, BROKEN)
    await office.ask()
    assert office.clock.sleepers == 2
    office.courier.cancel()
    await office.courier.settled()
    assert office.clock.sleepers == 0
    await office.clock.advance(100)
    assert office.cards() == [ANN, BOB]


async def test_a_card_that_certainly_did_not_arrive_is_sent_later_to_whoever_has_none() -> None:
    office = await opened()
    office.chat.will("send", REFUSED)
    await office.ask()
    for seconds in (20, 11, 4000):
        await office.clock.advance(seconds)
        await office.step()
    assert sent_to(office, ANN) == ["first", "first"]
    assert sent_to(office, BOB) == ["first"]


async def test_the_wait_of_one_person_does_not_hold_up_the_next_try_for_another() -> None:
    office = await opened()
    office.chat.will("send", BROKEN, REFUSED, BROKEN)
    await office.ask()
    await office.clock.advance(31)  # Ann's last copy is due after a minute
    await office.step()
    assert sent_to(office, BOB) == ["first", "first"]
    await office.clock.advance(40)
    assert sent_to(office, ANN) == ["first", "again", "again"]


async def test_a_second_card_that_is_refused_is_tried_later_and_still_says_that_it_may_be_one() -> None:
    office = await opened(ONLY_ANN)
    office.chat.will("send", BROKEN, REFUSED)
    await office.ask()
    await office.clock.advance(6)
    await office.clock.advance(31)
    await office.step()
    assert sent_to(office, ANN) == ["first", "again", "again"]
    assert len((await office.prompt()).cards) == 1


async def test_a_second_card_that_learns_more_still_says_that_it_is_one() -> None:
    office = await Office(rules=ApprovalRules(hook_window_s=60)).open(ONLY_ANN)
    office.chat.will("send", BROKEN)
    await office.ask()
    await office.clock.advance(6)
    async with waits(office):
        [edit] = office.chat.edits
        assert edit.message == "502"
        assert edit.text.startswith(AGAIN)
        assert "accept-edits" in edit.text + "".join(button.label for row in edit.buttons for button in row)


OUTCOMES: st.SearchStrategy[list[str]] = st.lists(st.sampled_from(["sent", "uncertain", "refused"]), max_size=14)


@given(OUTCOMES, st.lists(st.sampled_from([0.5, 4.0, 6.0, 31.0, 61.0, 700.0, 4000.0]), max_size=20))
@settings(max_examples=150, deadline=None)
async def test_whatever_becomes_of_each_card_they_are_few_and_tell_the_truth(
    outcomes: Sequence[str], waits_s: Sequence[float]
) -> None:
    office = await opened(ONLY_ANN)
    scripted: dict[str, SendOutcome] = {"uncertain": BROKEN, "refused": REFUSED}
    office.chat.will(
        "send", *[scripted.get(one, Sent((MessageId(str(900 + at)),))) for at, one in enumerate(outcomes)]
    )
    await office.ask()
    for seconds in waits_s:
        await office.clock.advance(seconds)
        await office.step()
    kinds = sent_to(office, ANN)
    happened = [*outcomes, *["sent"] * len(kinds)][: len(kinds)]
    assert kinds
    assert "sent" not in happened[:-1]
    for at, kind in enumerate(kinds):
        assert (kind == "again") == ("uncertain" in happened[:at])
    assert happened.count("uncertain") <= 3
    assert happened.count("refused") <= 5


class TestRestart:
    """The memory of what was sent ends with the process; what is stored does not."""

    async def again(self, office: Office) -> Office:
        """The process is killed, and another one serves the same session."""
        office.courier.cancel()
        await office.clock.advance(1)
        return Office(office.database, "session-1", office.clock)

    async def test_who_has_a_card_gets_no_other_and_who_has_none_gets_one_that_may_be_a_second(self) -> None:
        office = await opened()
        office.chat.will("send", BROKEN)
        await office.ask()
        again = await self.again(office)
        for _ in range(3):
            await again.step()
            await again.clock.advance(100)
        assert again.cards() == [ANN]
        assert sent_to(again, ANN) == ["again"]

    async def test_what_was_killed_before_anything_left_is_sent_to_everybody(self) -> None:
        office = await opened()
        await office.approvals.asked(REQUEST)
        again = await self.again(office)
        await again.step()
        assert sorted(again.cards()) == [ANN, BOB]

    async def test_it_is_sent_three_times_at_most_after_each_restart(self) -> None:
        office = await opened(ONLY_ANN)
        office.chat.will("send", *[BROKEN] * 9)
        await office.ask()
        again = await self.again(office)
        again.chat.will("send", *[BROKEN] * 9)
        for _ in range(5):
            await again.step()
            await again.clock.advance(100)
        assert sent_to(again, ANN) == ["again"] * 3

    async def test_what_was_killed_before_it_was_remembered_is_learned_by_the_press(self) -> None:
        office = await opened(ONLY_ANN)
        office.chat.hold(ANN)
        await office.ask()
        assert office.cards() == [ANN]  # it arrives as message 501, and nobody is told
        again = await self.again(office)
        await again.step()
        known = (await again.prompt()).cards[0].message
        assert await again.press(ANN, ALLOW, "777") == "Allowed."
        assert {edit.message for edit in again.chat.edits} == {known, "777"}
        assert len(again.chat.edits) == 2
        assert (await again.prompt()).cards_closed


class TestUnknownCopies:
    """A copy arrived although nobody knows that it did."""

    async def office(self, people: dict[str, Role] | None = None) -> Office:
        """Ann's first card is message 400, of which nobody knows; the second is 502."""
        office = await opened(people or ONLY_ANN)
        office.chat.will("send", BROKEN)
        await office.ask()
        await office.clock.advance(6)
        assert [card.message for card in (await office.prompt()).cards] == ["502"]
        return office

    async def reply(self, office: Office, text: str, sender: str = ANN, number: int = 80, **more: Any) -> str | None:
        """Reply to message 400; `shown` is what it says."""
        shown = more.get("shown", office.chat.texts(ANN)[0])
        where = place(more.get("chat", sender), sender)
        answered = RepliedTo(MessageId("400"), shown, from_bot=more.get("from_bot", True))
        said = message(text, number, place=where, reply_to=answered)
        state, before = await office.store.access.read(), len(office.chat.sent)
        if typed := parse_answer(text):
            handled = await office.approvals.answered_by_text(said, typed, fresh=True, state=state)
        else:
            handled = await office.approvals.answered_by_reply(said, fresh=more.get("fresh", True), state=state)
        await office.settled()
        return words(office.chat.sent[before].body) if handled else None

    async def test_its_press_decides_and_closes_it_with_the_others(self) -> None:
        """MUST V43: a copy of a card that nobody knew of ends like the others once it is answered."""
        office = await self.office()
        assert await office.press(ANN, DENY, "400") == "Denied."
        ending = "✗ Denied by Ann (button)."
        assert [(edit.message, edit.text.split("\n")[-1]) for edit in office.chat.edits] == [
            ("502", ending),
            ("400", ending),
        ]
        assert (await office.prompt()).cards_closed
        assert office.session.verdicts == [("abcde", Behavior.DENY)]

    async def test_a_second_copy_decides_nothing_twice(self) -> None:
        """MUST V44: however many copies of a card there are, one answer decides."""
        office = await self.office()
        await office.press(ANN, ALLOW, "502")
        assert (await office.press(ANN, DENY, "400")).startswith("!Too late")
        assert office.session.verdicts == [("abcde", Behavior.ALLOW)]
        assert await office.verdicts_in_the_audit() == 1
        async with running(office.approvals.run()):
            await office.settled()
        assert office.endings()[-1] == (ANN, "✓ Allowed by Ann (button).")
        assert [edit.message for edit in office.chat.edits] == ["502", "400"]
        assert (await office.prompt()).cards_closed

    async def test_an_old_press_tells_that_a_copy_is_there_so_that_no_other_is_sent(self) -> None:
        office = await opened(ONLY_ANN)
        office.chat.will("send", BROKEN)
        await office.ask()
        assert (await office.press(ANN, ALLOW, "400", fresh=False)).startswith(
            "!That answer came while I was offline"
        )
        await office.clock.advance(100)
        await office.step()
        assert office.cards() == [ANN]
        assert office.chat.edits == []
        assert await office.press(ANN, ALLOW, "400") == "Allowed."
        assert office.endings() == [(ANN, "✓ Allowed by Ann (button).")]

    @pytest.mark.parametrize(
        ("text", "reason"), [("no", ""), (" N ", ""), ("use the other branch", "use the other branch")]
    )
    async def test_a_reply_to_it_denies(self, text: str, reason: str) -> None:
        office = await self.office()
        assert (await self.reply(office, text) or "").startswith("Denied")
        verdict = (await office.prompt()).verdict
        assert verdict
        assert (verdict.behavior, verdict.reason) == (Behavior.DENY, reason)
        assert sorted(edit.message for edit in office.chat.edits) == ["400", "502"]
        assert await self.reply(office, text) == await self.reply(office, text)
        assert await office.verdicts_in_the_audit() == 1

    async def test_a_bare_yes_in_reply_to_it_allows_nothing_because_claude_could_have_written_it(self) -> None:
        """MUST V45: a bare yes in reply to a message that only looks like a card allows nothing."""
        office = await self.office()
        for text in ("yes", "Y"):
            assert await self.reply(office, text) == NOT_SURE
        assert (await office.prompt()).is_open
        assert await self.reply(office, "not now", fresh=False, number=81) is not None
        assert await self.reply(office, "yes", number=82) == NOT_SURE
        assert (await office.prompt()).is_open

    async def test_naming_the_request_in_reply_to_it_counts_and_closes_it(self) -> None:
        office = await self.office()
        assert await self.reply(office, "yes abcde") == "Allowed."
        assert sorted(edit.message for edit in office.chat.edits) == ["400", "502"]
        assert (await office.prompt()).cards_closed

    async def test_naming_another_request_in_reply_to_it_closes_only_that_ones_cards(self) -> None:
        office = await self.office()
        await office.ask(SECOND)
        assert await self.reply(office, "no fghij") == "Denied."
        assert [edit.message for edit in office.chat.edits] == ["503"]

    @pytest.mark.parametrize(
        "more",
        [
            {"from_bot": False},
            {"chat": TEAM},
            {"shown": "Answer with a button, or write yes abcde or no abcde."},
            {"shown": "Card\n\nAnswer with a button, or write yes abcde or no abcdf."},
            {"shown": "Card\n\nAnswer with a button, or write yes fghij or no fghij."},
            {"shown": "Card\n\nAnswer with a button, or write yes abcde or no abcde.\nMore."},
        ],
    )
    async def test_a_reply_to_anything_else_is_a_message(self, more: dict[str, Any]) -> None:
        office = await self.office()
        assert await self.reply(office, "no", **more) is None
        assert (await office.prompt()).is_open

    async def test_the_words_of_who_may_not_approve_are_a_message(self) -> None:
        office = await self.office({ANN: Role.OWNER, SAM: Role.SENDER})
        for text in ("yes", "no", "what is this?"):
            assert await self.reply(office, text, SAM) is None

    async def test_a_reply_when_two_sessions_use_the_same_letters_is_a_message(self) -> None:
        office = await self.office()
        other = Office(office.database, "session-2", office.clock, chat=office.chat)
        await other.ask()
        assert await self.reply(office, "no") is None
        assert all(one.is_open for one in await office.store.prompts.open_prompts())

    async def test_a_reply_after_the_decision_is_a_message(self) -> None:
        office = await self.office()
        await office.press(ANN, ALLOW, "502")
        assert await self.reply(office, "no") is None


async def test_what_is_remembered_of_a_prompt_is_forgotten_when_it_is_over() -> None:
    """MUST V46: what a process remembers of a card ends with its prompt."""
    office = await opened()
    session, session_id, alive = office.session, office.session.id, lambda _: True
    askers = Askers(office.store, session_id, "shop", NOON, alive)
    cards = Cards(office.store, office.chat, office.clock, session_id, "shop", askers)
    care = PromptCare(
        *(office.store, office.clock, office.courier, cards, session_id),
        is_alive=alive,
        polls=lambda: True,
        rules=ApprovalRules(),
    )
    office.chat.will("send", BROKEN, REFUSED)
    for prompt, request in (("one", REQUEST), ("two", SECOND)):
        asked = Prompt(PromptId(prompt), session.id, request, NOON)
        await office.store.prompts.open(asked)
        office.courier.post(cards.send(asked))
        await office.settled()
    await office.store.prompts.close(PromptId("one"), Closing.ELSEWHERE)
    for _ in range(8):
        await care.step()
        await office.clock.advance(11)
    assert cards.remembered() == {PromptId("two")}
    await office.store.prompts.close(PromptId("two"), Closing.EXPIRED)
    for _ in range(4):
        await care.step()
        await office.clock.advance(11)
    assert cards.remembered() == frozenset()
    assert len(office.chat.edits) == 2


async def test_a_copy_that_comes_long_after_the_decision_does_not_close_the_others_again() -> None:
    office = await opened()
    gate = office.chat.hold(ANN)
    await office.ask()
    await office.press(BOB, ALLOW, "502")
    for _ in range(4):
        await office.clock.advance(11)
        await office.step()
    gate.set()
    for _ in range(2):
        await office.clock.advance(11)
        await office.step()
    assert [chat for chat, _ in office.endings()] == [BOB, ANN]
