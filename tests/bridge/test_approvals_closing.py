"""What was settled in the terminal, or stopped from the chat, is closed in every copy of its card."""

import json

import pytest

from telegram_channel.core.hooks import (
    DenyPermission,
    GrantPermission,
    HookCall,
    NoObjection,
    PermissionAsked,
    PromptSubmitted,
    ToolCall,
    ToolDenied,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.ids import ChatId, MessageId, SenderId, SessionId
from telegram_channel.core.orders import Order, OrderKind
from telegram_channel.core.permission import (
    Behavior,
    Closing,
    How,
    PermissionRequest,
)
from telegram_channel.core.turns import Turn
from telegram_channel.errors import StateUnwritable
from tests.bridge.office import ALLOW, ALWAYS_1, ANN, BOB, CALL, HOOK, RAW, SAM, SECOND, Office, given, waits
from tests.values import NOON
from tests.waiting import running


@pytest.fixture
async def office() -> Office:
    return await Office().open()


def hear(office: Office, call: HookCall) -> None:
    office.approvals.heard(call, Turn())


class TestElsewhere:
    """A dialog that was settled in the terminal is closed in the chat."""

    async def closed(self, office: Office, request_id: str = "abcde") -> bool:
        await office.settled()
        return (await office.prompt(request_id)).closing is Closing.ELSEWHERE

    @pytest.mark.parametrize(
        "heard",
        [ToolEnded(CALL, ok=True), ToolEnded(CALL, ok=False), ToolDenied(CALL), TurnEnded(), PromptSubmitted("x")],
    )
    @pytest.mark.parametrize("with_hook", [True, False])
    async def test_a_tool_or_turn_that_is_over_closes_the_card(
        self, office: Office, heard: HookCall, with_hook: bool
    ) -> None:
        """MUST V30: when the tool ran, was denied or the turn ended without us, every copy says so, without
        buttons.
        """
        await office.ask()
        async with waits(office, HOOK if with_hook else PermissionAsked(ToolCall("Read", "{}"))) as call:
            hear(office, heard)
            assert await self.closed(office)
            assert max(office.endings()) == (BOB, "Answered in the terminal.")
            assert {edit.chat: edit.buttons for edit in office.chat.edits} == {ANN: (), BOB: ()}
            if with_hook:
                assert await given(call) == NoObjection()
        assert await office.press(ANN, ALLOW) == "!Too late, this one is settled. Answered in the terminal."
        assert office.session.verdicts == []

    @pytest.mark.parametrize(
        "heard",
        [
            ToolEnded(ToolCall("Bash", json.dumps({"command": "make clean"})), ok=True),
            ToolDenied(ToolCall("Read", CALL.input)),
            ToolStarting(CALL),
        ],
    )
    async def test_other_tools_change_nothing(self, office: Office, heard: HookCall) -> None:
        await office.ask()
        hear(office, heard)
        assert not await self.closed(office)

    async def test_where_the_whole_input_is_known_the_preview_does_not_count(self, office: Office) -> None:
        whole = "echo " + "x" * 5000
        gap = f"⋯ {len(whole) - 2000} code points elided ⋯"
        preview = json.dumps({"command": f"{whole[:1000]}{gap}{whole[-1000:]}"})
        other = whole[:1500] + "y" + whole[1501:]
        await office.ask(PermissionRequest("abcde", "Bash", "", preview))
        async with waits(office, PermissionAsked(ToolCall("Bash", json.dumps({"command": whole})))):
            hear(office, ToolEnded(ToolCall("Bash", json.dumps({"command": other})), ok=True))
            assert not await self.closed(office)
            hear(office, ToolEnded(ToolCall("Bash", json.dumps({"command": whole}), use="toolu_1"), ok=True))
            assert await self.closed(office)

    async def test_a_tool_that_was_allowed_from_here_closes_nothing(self, office: Office) -> None:
        await office.ask()
        await office.press(ANN, ALLOW)
        hear(office, ToolEnded(CALL, ok=True))
        await office.settled()
        assert (await office.prompt()).closing is None
        assert len(office.chat.edits) == 2

    async def test_a_tool_that_was_allowed_from_here_closes_no_twin(self, office: Office) -> None:
        await office.ask()
        await office.ask(SECOND)
        await office.press(ANN, ALLOW)
        hear(office, ToolEnded(CALL, ok=True))
        assert not await self.closed(office, "fghij")
        hear(office, ToolEnded(CALL, ok=True))
        assert await self.closed(office, "fghij")

    async def test_of_identical_prompts_a_tool_closes_the_oldest_only(self, office: Office) -> None:
        await office.ask()
        await office.ask(SECOND)
        hear(office, ToolEnded(CALL, ok=True))
        assert await self.closed(office)
        assert not await self.closed(office, "fghij")
        hear(office, ToolEnded(CALL, ok=True))
        assert await self.closed(office, "fghij")

    async def test_what_a_turn_allowed_is_forgotten_with_it(self, office: Office) -> None:
        await office.ask()
        await office.press(ANN, ALLOW)
        hear(office, TurnEnded())
        await office.ask(SECOND)
        hear(office, ToolEnded(CALL, ok=True))
        assert await self.closed(office, "fghij")

    async def test_what_a_subagent_was_allowed_closes_no_twin_after_the_turn(self, office: Office) -> None:
        """MUST V31: a tool that was allowed from the chat and ends after the turn closes nobody else's card."""
        call = ToolCall("Bash", CALL.input, agent="agent-7")
        async with waits(office, PermissionAsked(call)):
            await office.ask()
            await office.press(ANN, ALLOW)
        hear(office, TurnEnded())
        async with waits(office, PermissionAsked(ToolCall("Bash", CALL.input, agent="agent-8"))):
            await office.ask(SECOND)
            hear(office, ToolEnded(call, ok=True))
            assert not await self.closed(office, "fghij")

    async def test_a_subagents_prompt_outlives_the_main_turn(self, office: Office) -> None:
        call = ToolCall("Bash", CALL.input, agent="agent-7")
        async with waits(office, PermissionAsked(call)):
            await office.ask()
            hear(office, TurnEnded())
            assert not await self.closed(office)
            hear(office, ToolEnded(call, ok=True))
            assert await self.closed(office)

    async def test_only_this_sessions_prompts_are_closed(self, office: Office) -> None:
        other = Office(office.database, "session-2", office.clock)
        await other.approvals.asked(SECOND)
        hear(office, TurnEnded())
        hear(office, ToolEnded(CALL, ok=True))
        assert not await self.closed(office, "fghij")

    async def test_a_prompt_from_before_a_restart_is_closed_as_well(self, office: Office) -> None:
        await office.ask()
        again = Office(office.database, "session-1", office.clock)
        hear(again, TurnEnded())
        assert await self.closed(again)
        assert again.endings()[0][1] == "Answered in the terminal."

    async def test_prompts_of_a_session_that_is_gone_belong_to_another_conversation(self, office: Office) -> None:
        gone = Office(office.database, "session-2", office.clock, polls=False)
        await gone.ask()
        for _ in range(3):
            await office.clock.advance(31)
            await office.step()
        hear(office, TurnEnded())
        assert not await self.closed(office)

    async def test_a_withdrawn_hook_closes_its_card(self, office: Office) -> None:
        """MUST V32: a hook that the client withdraws closes its card as answered in the terminal."""
        async with waits(office) as call:
            await office.ask()
            call.cancel()
            await office.clock.advance(0.3)
        assert await self.closed(office)
        assert sorted(office.endings()) == [(chat, "Answered in the terminal.") for chat in (ANN, BOB)]

    async def test_a_hook_withdrawn_before_its_request_came_leaves_no_card(self, office: Office) -> None:
        async with waits(office) as call:
            call.cancel()
            await office.settled()
        await office.ask()
        assert office.chat.sent == []
        await office.ask(SECOND)  # one withdrawal, one request
        assert sorted(office.cards()) == [ANN, BOB]

    async def test_a_withdrawn_hook_is_forgotten_after_the_window(self, office: Office) -> None:
        async with waits(office) as call:
            call.cancel()
            await office.settled()
        await office.clock.advance(2.1)
        await office.ask()
        assert sorted(office.cards()) == [ANN, BOB]

    async def test_a_hook_that_is_still_asked_comes_before_one_that_was_withdrawn(self, office: Office) -> None:
        async with waits(office) as gone:
            gone.cancel()
            await office.settled()
        async with waits(office) as call:
            await office.ask()
            assert sorted(office.cards()) == [ANN, BOB]
            await office.press(ANN, ALWAYS_1)
            assert await given(call) == GrantPermission((RAW,))

    async def test_nothing_is_looked_up_when_nothing_can_be_open(
        self, office: Office, caplog: pytest.LogCaptureFixture
    ) -> None:
        hear(office, TurnEnded())
        await office.settled()
        office.store.fault = StateUnwritable("nobody may look")  # it would be logged
        for call in (TurnEnded(), ToolEnded(CALL, ok=True), ToolDenied(CALL), PromptSubmitted("x")):
            hear(office, call)
        await office.settled()
        assert caplog.records == []
        office.store.fault = None
        await office.ask()
        hear(office, TurnEnded())
        assert await self.closed(office)

    async def test_a_prompt_that_was_replaced_lets_its_hook_go(self, office: Office) -> None:
        async with waits(office) as call, running(office.approvals.run()):
            await office.ask()
            await office.ask()  # the same id again: the client asks anew
            assert await given(call) == NoObjection()


def stop(by: str = ANN, session: str = "session-1") -> Order:
    return Order(OrderKind.STOP, SessionId(session), SenderId(by), "Ann", NOON, ChatId(by), MessageId("90"))


class TestStop:
    """`/stop` denies what is open, by the same check as any answer."""

    async def test_everything_open_of_the_session_is_denied(self, office: Office) -> None:
        """MUST V33: /stop denies every open card of its session."""
        other = Office(office.database, "session-2", office.clock)
        await other.approvals.asked(PermissionRequest("kmnop", "Bash", "", "{}"))
        async with waits(office) as call:
            await office.ask()
            await office.ask(PermissionRequest("fghij", "Read", "", "{}"))
            assert await office.approvals.deny_all(stop()) == 2
            await office.settled()
            assert await given(call) == DenyPermission("Stopped from Telegram.")
        assert office.session.verdicts == [("fghij", Behavior.DENY)]
        verdict = (await office.prompt()).verdict
        assert verdict
        assert (verdict.by, verdict.how) == (ANN, How.COMMAND)
        assert (await office.prompt("kmnop")).is_open
        assert not any(text.startswith("⚠️") for text in office.chat.texts(ANN))
        assert {line for _, line in office.endings()} <= {
            "✗ Denied by Ann (/stop): Stopped from Telegram.",
            "✗ Denied by Ann (/stop).",
        }

    async def test_what_somebody_else_decided_does_not_count(self, office: Office) -> None:
        await office.ask()
        await office.press(BOB, ALLOW, "502")
        assert await office.approvals.deny_all(stop()) == 0
        assert office.session.verdicts == [("abcde", Behavior.ALLOW)]

    async def test_who_may_not_approve_denies_nothing(self, office: Office) -> None:
        await office.ask()
        assert await office.approvals.deny_all(stop(SAM)) == 0
        assert (await office.prompt()).is_open
