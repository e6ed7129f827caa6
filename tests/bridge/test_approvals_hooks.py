"""Permission prompts together with the client's hooks: matched, enriched, and answered by the right road."""

import asyncio
import json

import pytest

from telegram_channel.bridge.approvals import ApprovalRules
from telegram_channel.core.access import Role
from telegram_channel.core.hooks import (
    DenyPermission,
    GrantPermission,
    NoObjection,
    PermissionAsked,
    ToolCall,
)
from telegram_channel.core.outgoing import Refused
from telegram_channel.core.permission import (
    Behavior,
    Closing,
    PermissionRequest,
    Prompt,
)
from telegram_channel.errors import StateUnwritable
from telegram_channel.storage.memory_prompts import MemoryPromptBook
from tests.bridge.office import (
    ALLOW,
    ALWAYS,
    ALWAYS_1,
    ANN,
    BOB,
    CALL,
    DENY,
    RAW,
    SAM,
    SECOND,
    Office,
    given,
    register,
    waits,
)
from tests.waiting import running


def seen_office(**more: object) -> Office:
    return Office(hooks_seen=lambda: True, **more)  # type: ignore[arg-type]  # passed on as they are


@pytest.fixture
async def office() -> Office:
    return await Office().open()


def data(office: Office, at: int = -1) -> list[str]:
    """The buttons that the last edited card shows."""
    return [button.data for row in office.chat.edits[at].buttons for button in row if button.data]


class TestBelonging:
    """The hook and the request that are about one dialog find each other, whoever comes first."""

    async def test_a_hook_that_comes_first_is_on_the_card_when_it_is_sent(self, office: Office) -> None:
        async with waits(office) as call:
            await office.ask()
            assert office.chat.edits == []
            assert [button.data for row in office.chat.sent[0].buttons for button in row if button.data] == [
                ALLOW,
                DENY,
                ALWAYS_1,
            ]
            prompt = await office.prompt()
            assert prompt.details
            assert prompt.details.suggestions == (ALWAYS,)
            assert not call.done()

    async def test_a_hook_that_comes_a_moment_later_is_on_the_card_when_it_is_sent(self) -> None:
        office = await seen_office().open()
        await office.ask()
        await office.clock.advance(0.2)
        assert office.cards() == []
        async with waits(office):
            assert sorted(office.cards()) == [ANN, BOB]
            assert office.chat.edits == []
            assert "perm:s0" in str(office.chat.sent[0].buttons)

    async def test_a_hook_that_comes_after_the_card_changes_every_copy(self) -> None:
        """MUST V34: a permission hook that belongs to a sent card adds the whole input and the choices to
        every copy.
        """
        whole = "echo " + "x" * 5000
        preview = {"command": f"{whole[:1000]}⋯ {len(whole) - 2000} code points elided ⋯{whole[-1000:]}"}
        office = await seen_office().open()
        await office.ask(PermissionRequest("abcde", "Bash", "", json.dumps(preview)))
        await office.clock.advance(0.5)
        assert sorted(office.cards()) == [ANN, BOB]
        assert "Something may be missing" in office.chat.texts(ANN)[0]
        hook = PermissionAsked(ToolCall("Bash", json.dumps({"command": whole})), (ALWAYS,))
        async with waits(office, hook):
            assert sorted(edit.chat for edit in office.chat.edits) == [ANN, BOB]
            assert "Something may be missing" not in office.chat.edits[0].text
            assert data(office) == [ALLOW, DENY, ALWAYS_1]
            files = [sent.files[0].content for sent in office.chat.sent if sent.files]
            assert whole.encode() in (files[-1] or b"")

    async def test_a_card_does_not_wait_where_no_hook_was_ever_seen(self, office: Office) -> None:
        await office.ask()
        assert sorted(office.cards()) == [ANN, BOB]
        assert office.clock.naps == []

    async def test_a_card_waits_no_longer_than_a_third_of_a_second_for_its_hook(self) -> None:
        office = await seen_office().open()
        await office.ask()
        assert office.cards() == []
        await office.clock.advance(0.31)
        assert sorted(office.cards()) == [ANN, BOB]

    async def test_a_copy_on_its_way_when_the_hook_comes_is_changed_as_it_arrives(self, office: Office) -> None:
        gate = office.chat.hold(ANN)
        await office.ask()
        async with waits(office):
            assert [edit.chat for edit in office.chat.edits] == [BOB]
            gate.set()
            await office.settled()
            assert [edit.chat for edit in office.chat.edits] == [BOB, ANN]
            assert data(office) == [ALLOW, DENY, ALWAYS_1]

    async def test_a_card_that_is_closed_meanwhile_never_gets_its_buttons_back(self, office: Office) -> None:
        await office.ask()
        gate = office.chat.hold(ANN)
        async with waits(office) as call:
            await office.press(BOB, ALLOW, "502")
            gate.set()
            await office.settled()
            assert await given(call) == NoObjection()
        last = {edit.chat: edit for edit in office.chat.edits}
        assert {chat: edit.buttons for chat, edit in last.items()} == {ANN: (), BOB: ()}

    async def test_a_hook_that_cannot_be_put_on_a_card_leaves_the_card_as_it_is(self, office: Office) -> None:
        await office.ask()
        office.chat.will("edit", Refused("flood"), Refused("flood"))
        async with waits(office) as call:
            await office.press(ANN, ALLOW)
            assert office.session.verdicts == [("abcde", Behavior.ALLOW)]
            assert await given(call) == NoObjection()

    @pytest.mark.parametrize(
        "other",
        [
            ToolCall("Bash", json.dumps({"command": "make clean"})),
            ToolCall("PowerShell", CALL.input),
            ToolCall("Bash", json.dumps({"command": "make deploy", "timeout": 5})),
        ],
    )
    async def test_a_hook_about_something_else_changes_nothing(self, office: Office, other: ToolCall) -> None:
        await office.ask()
        async with waits(office, PermissionAsked(other, (ALWAYS,))) as call:
            await office.clock.advance(2)
            assert call.done()
            assert await given(call) == NoObjection()
        assert (await office.prompt()).details is None
        assert office.chat.edits == []

    async def test_a_hook_without_a_request_is_answered_at_the_end_of_the_window(self, office: Office) -> None:
        """MUST V35: no card is made from a hook alone, and its call is answered when no request comes in time."""
        async with waits(office) as call:
            await office.clock.advance(1.9)
            assert not call.done()
            await office.clock.advance(0.2)
            assert call.done()
            assert await given(call) == NoObjection()
        assert office.chat.sent == []

    async def test_a_request_long_before_the_hook_is_not_its_own(self, office: Office) -> None:
        await office.ask()
        await office.clock.advance(5)
        async with waits(office) as call:
            await office.clock.advance(2.1)
            assert await given(call) == NoObjection()
        assert (await office.prompt()).details is None

    async def test_identical_requests_get_one_hook_each_in_order(self, office: Office) -> None:
        await office.ask()
        await office.ask(SECOND)
        async with waits(office) as first, waits(office, PermissionAsked(CALL, ())) as second:
            assert (await office.prompt()).details
            assert (await office.prompt("fghij")).details
            await office.press(ANN, ALWAYS_1)
            assert await given(first) == GrantPermission((RAW,))
            assert not second.done()

    async def test_a_session_that_cannot_be_granted_a_prompt_lets_the_hook_go_at_once(self) -> None:
        office = await Office(granted=False).open()
        async with waits(office) as call:
            assert call.done()
            assert await given(call) == NoObjection()

    async def test_a_request_proves_that_the_session_may_relay(self) -> None:
        office = await Office(granted=False).open()
        await office.ask()
        async with waits(office) as call:
            assert not call.done()
            assert (await office.prompt()).details

    async def test_without_approvers_the_hook_does_not_wait(self) -> None:
        office = await Office().open({SAM: Role.SENDER})
        async with waits(office) as call:
            assert await given(call) == NoObjection()

    async def test_without_a_store_the_hook_does_not_wait(self, office: Office) -> None:
        office.store.fault = StateUnwritable("The disk is full.")
        async with waits(office) as call:
            assert await given(call) == NoObjection()

    async def test_a_request_that_cannot_be_stored_lets_its_hook_go(self, office: Office) -> None:
        async with waits(office) as call:
            office.store.fault = StateUnwritable("The disk is full.")
            await office.ask()
            assert await given(call) == NoObjection()
        assert office.chat.sent == []


class SlowPrompts(MemoryPromptBook):
    """Storing a new prompt takes until a test lets it."""

    go_on: asyncio.Event

    async def open(self, prompt: Prompt) -> None:
        async with asyncio.timeout(10):
            await self.go_on.wait()
        await super().open(prompt)


class TestWhileAPromptIsStored:
    """What happens between a request and the moment it is safely stored is not lost."""

    @pytest.fixture
    async def slow(self) -> Office:
        office = await Office().open()
        office.store.prompts = SlowPrompts(office.store)
        office.store.prompts.go_on = asyncio.Event()
        return office

    def let_store(self, office: Office) -> None:
        assert isinstance(office.store.prompts, SlowPrompts)
        office.store.prompts.go_on.set()

    async def test_a_hook_that_comes_then_belongs_to_it(self, slow: Office) -> None:
        async with running(slow.ask()), waits(slow) as call:
            self.let_store(slow)
            await slow.settled()
            assert (await slow.prompt()).details
            await slow.press(ANN, ALWAYS_1)
            assert await given(call) == GrantPermission((RAW,))

    async def test_a_hook_that_is_withdrawn_then_closes_it(self, slow: Office) -> None:
        async with running(slow.ask()), waits(slow) as call:
            call.cancel()
            await slow.settled()
            self.let_store(slow)
            await slow.clock.advance(0.3)
            assert (await slow.prompt()).closing is Closing.ELSEWHERE

    async def test_a_hook_that_was_there_first_waits_for_it(self, slow: Office) -> None:
        async with waits(slow) as call, running(slow.ask()):
            await slow.approvals.step()
            assert not call.done()
            self.let_store(slow)
            await slow.settled()
            await slow.press(ANN, ALWAYS_1)
            assert await given(call) == GrantPermission((RAW,))


class TestRoads:
    """Plain answers go as the channel's verdict, others through the hook; never both."""

    @pytest.mark.parametrize(("press", "behavior"), [(ALLOW, Behavior.ALLOW), (DENY, Behavior.DENY)])
    async def test_a_plain_answer_is_the_channels_verdict_and_lets_the_hook_go(
        self, office: Office, press: str, behavior: Behavior
    ) -> None:
        async with waits(office) as call:
            await office.ask()
            await office.press(ANN, press)
            assert await given(call) == NoObjection()
        assert office.session.verdicts == [("abcde", behavior)]

    async def test_an_answer_with_a_further_choice_goes_through_the_hook_alone(self, office: Office) -> None:
        """MUST V36: an answer that needs the hook goes through it, and no verdict is sent besides."""
        async with waits(office) as call:
            await office.ask()
            assert await office.press(ANN, ALWAYS_1) == "Allowed."
            assert await given(call) == GrantPermission((RAW,))
        await office.step()
        assert office.session.verdicts == []
        ending = "✓ Allowed by Ann (button), and: Switch to accept-edits in this session."
        assert sorted(office.endings()) == [(ANN, ending), (BOB, ending)]
        prompt = await office.prompt()
        assert prompt.told_session
        assert prompt.cards_closed

    async def test_a_reply_to_the_card_denies_with_a_reason(self, office: Office) -> None:
        """MUST I30: an approver's reply to an open card denies with that text as the reason."""
        async with waits(office) as call:
            await office.ask()
            said = await office.reply(BOB, "  use the staging host\n", "502")
            assert said == "Denied, with what you wrote as the reason for Claude."
            assert await given(call) == DenyPermission("use the staging host")
        assert office.session.verdicts == []
        assert office.endings()[0][1] == "✗ Denied by Bob (typed): use the staging host"

    @pytest.mark.parametrize(
        ("text", "behavior"), [("yes", Behavior.ALLOW), (" Y ", Behavior.ALLOW), ("NO", Behavior.DENY)]
    )
    async def test_a_bare_yes_or_no_in_reply_is_the_plain_answer(
        self, office: Office, text: str, behavior: Behavior
    ) -> None:
        async with waits(office) as call:
            await office.ask()
            said = await office.reply(ANN, text, "501")
            assert said == ("Allowed." if behavior is Behavior.ALLOW else "Denied.")
            assert await given(call) == NoObjection()
        assert office.session.verdicts == [("abcde", behavior)]

    async def test_a_long_reason_is_kept_up_to_a_thousand_characters(self, office: Office) -> None:
        async with waits(office) as call:
            await office.ask()
            await office.reply(ANN, "🙂" * 1500, "501")
            assert await given(call) == DenyPermission("🙂" * 1000)

    async def test_whoever_is_first_decides_and_the_other_is_told(self, office: Office) -> None:
        async with waits(office) as call:
            await office.ask()
            await office.press(BOB, ALWAYS_1, "502")
            assert (await office.press(ANN, DENY)).startswith("!Too late, this one is settled. ✓ Allowed by Bob")
            assert (await office.press(BOB, ALLOW, "502")).startswith("!Too late")
            assert await office.press(BOB, ALWAYS_1, "502") == "Allowed."
            assert await given(call) == GrantPermission((RAW,))
        assert office.session.verdicts == []
        assert await office.verdicts_in_the_audit() == 1

    async def test_a_choice_that_the_card_does_not_offer_decides_nothing(self, office: Office) -> None:
        await office.ask()
        assert await office.press(ANN, ALWAYS_1) == "!Nobody knows this request any more. Nothing was decided."
        async with waits(office):
            assert (await office.press(ANN, "perm:s3:session-1-1")).startswith("!Nobody knows")
        assert (await office.prompt()).is_open

    async def test_a_choice_after_the_deadline_is_a_plain_yes_and_the_chat_is_told(self, office: Office) -> None:
        """MUST V37: what cannot be passed on any more is told as the plain answer, and its giver learns that."""
        async with waits(office) as call:
            await office.ask()
            await office.clock.advance(3501)
            assert call.done()
            assert await given(call) == NoObjection()
        assert (await office.prompt()).is_open
        assert await office.press(ANN, ALWAYS_1) == "Allowed."
        assert office.session.verdicts == [("abcde", Behavior.ALLOW)]
        [notice] = [sent for sent in office.chat.sent if not sent.buttons]
        assert (notice.chat, notice.reply_to) == (ANN, "501")
        assert "this once only" in office.chat.texts(ANN)[-1]
        assert sorted(office.endings()) == [(chat, "✓ Allowed by Ann (button).") for chat in (ANN, BOB)]

    async def test_a_reason_without_a_hook_is_a_plain_no_and_the_chat_is_told(self, office: Office) -> None:
        await office.ask()
        await office.reply(BOB, "not on a Friday", "502")
        assert office.session.verdicts == [("abcde", Behavior.DENY)]
        assert office.chat.texts(BOB)[-1].startswith("⚠️ It was denied, but your reason could not be passed on.")
        assert office.endings()[0][1] == "✗ Denied by Bob (typed)."
        await office.step()
        assert len([text for text in office.chat.texts(BOB) if text.startswith("⚠️")]) == 1

    async def test_the_hook_never_outlives_its_deadline(self) -> None:
        """MUST V38: a permission hook is answered by its deadline, whatever happens."""
        office = await Office(rules=ApprovalRules(hook_deadline_s=60)).open()
        async with waits(office) as call:
            await office.clock.advance(1)
            await office.ask()
            await office.clock.advance(58)
            assert not call.done()
            await office.clock.advance(1)
            assert await given(call) == NoObjection()

    async def test_an_answer_taken_by_another_process_goes_through_our_hook(self, office: Office) -> None:
        asking = Office(office.database, "session-2", office.clock)
        await register(office, asking)
        async with waits(asking) as call, running(asking.approvals.run()):
            await asking.ask()
            await office.press(ANN, "perm:s0:session-2-1")
            await asking.settled()
            assert await given(call) == GrantPermission((RAW,))
        assert asking.session.verdicts == office.session.verdicts == []

    async def test_an_answer_in_another_process_at_the_last_moment_still_counts(self, office: Office) -> None:
        asking = Office(office.database, "session-2", office.clock)
        await register(office, asking)
        async with waits(asking) as call:
            await asking.ask()
            await office.clock.advance(3400)
            await office.press(ANN, "perm:s0:session-2-1")
            assert not call.done()
            await office.clock.advance(100)
            assert await given(call) == GrantPermission((RAW,))

    async def test_an_answer_after_a_restart_is_the_plain_one(self, office: Office) -> None:
        async with waits(office):
            await office.ask()
        office.courier.cancel()  # the process ended, which withdrew the hook
        await office.clock.advance(20)
        again = Office(office.database, "session-1", office.clock)
        await again.step()
        assert (await again.prompt()).is_open
        assert await again.press(ANN, ALWAYS_1) == "Allowed."
        assert again.session.verdicts == [("abcde", Behavior.ALLOW)]
        assert "this once only" in again.chat.texts(ANN)[-1]

    async def test_hooks_are_let_go_when_the_flows_end(self, office: Office) -> None:
        async with waits(office) as call:
            await office.ask()
            office.approvals.release_hooks()
            assert await given(call) == NoObjection()
        assert (await office.prompt()).is_open


class TestReplies:
    """What is no answer to an open card stays a message for Claude."""

    async def test_a_reply_to_something_else_is_a_message(self, office: Office) -> None:
        await office.ask()
        assert await office.reply(ANN, "no", "777") is None
        assert await office.reply(ANN, "no", "502") is None  # Bob's copy, in Ann's chat, is another message
        assert (await office.prompt()).is_open

    async def test_a_reply_to_a_closed_card_is_a_message(self, office: Office) -> None:
        """MUST V39: a reply to a card that is closed is an ordinary message."""
        await office.ask()
        await office.press(ANN, ALLOW)
        assert await office.reply(ANN, "thanks, and now the tests", "501") is None
        assert office.session.verdicts == [("abcde", Behavior.ALLOW)]

    async def test_a_reply_without_words_is_a_message(self, office: Office) -> None:
        await office.ask()
        assert await office.reply(ANN, " \n", "501") is None

    async def test_a_former_approver_decides_nothing_by_a_reply(self, office: Office) -> None:
        await office.ask()
        await office.open({ANN: Role.OWNER, BOB: Role.SENDER})
        said = await office.reply(BOB, "no way", "502")
        assert said
        assert said.startswith("You may talk to Claude, but not answer")
        assert (await office.prompt()).is_open

    async def test_an_old_reply_never_decides(self, office: Office) -> None:
        await office.ask()
        assert await office.reply(ANN, "yes", "501", fresh=False) == (
            "That answer came while I was offline, so it does not count. Please answer again."
        )
        assert (await office.prompt()).is_open
        assert office.session.verdicts == []

    async def test_a_reply_that_comes_twice_is_confirmed_twice_and_decides_once(self, office: Office) -> None:
        async with waits(office) as call:
            await office.ask()
            first = await office.reply(ANN, "use staging", "501")
            assert await office.reply(ANN, "use staging", "501") == first
            assert await given(call) == DenyPermission("use staging")
        assert await office.verdicts_in_the_audit() == 1

    async def test_a_reply_that_comes_again_after_a_crash_is_no_message_for_claude(self, office: Office) -> None:
        await office.ask()
        gate = office.chat.hold(BOB)  # a card shows its buttons until every one is closed
        await office.reply(ANN, "use staging", "501")
        again = Office(office.database, "session-1", office.clock)
        assert await again.reply(ANN, "use staging", "501") == "Denied, with what you wrote as the reason for Claude."
        assert await office.verdicts_in_the_audit() == 1
        gate.set()
        await office.settled()
