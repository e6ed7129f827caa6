"""Hook calls as the client makes them: answered at once, let go when nobody waits, and never in the client's way."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from telegram_channel.claude import wire
from telegram_channel.core.events import ChannelEvent
from telegram_channel.core.hooks import (
    HookAnswer,
    HookCall,
    NoObjection,
    PermissionAsked,
    PromptSubmitted,
    RefuseTool,
    TextShown,
    ToolCall,
    ToolStarting,
)
from tests.claude.client import (
    LONG_ENOUGH_S,
    RecordingListener,
    cancelling,
    connected,
    hook_call,
    initialize,
    request,
    tool_call,
)


class Failing(RecordingListener):
    async def hook_called(self, call: HookCall) -> HookAnswer:
        raise RuntimeError("secret 123456:token")


def said(answer: Mapping[str, Any]) -> str:
    """The text of a hook's answer, which is never an error."""
    assert answer["result"]["isError"] is False
    (part,) = answer["result"]["content"]
    assert part["type"] == "text"
    return str(part["text"])


async def test_a_hook_call_reaches_the_listener_and_an_objection_the_client() -> None:
    async with connected() as client:
        await client.shake_hands()
        await client.send(hook_call(2, "UserPromptSubmit", prompt="hello"))
        assert said(await client.answer(2)) == ""
        client.listener.objection = RefuseTool("Not this one.")
        await client.send(hook_call(3, "PreToolUse", tool_name="Bash", tool_input="{}", tool_use_id="t", agent_id=""))
        output = json.loads(said(await client.answer(3)))
        assert output["hookSpecificOutput"]["permissionDecisionReason"] == "Not this one."
        assert client.listener.hooks == [PromptSubmitted("hello"), ToolStarting(ToolCall("Bash", "{}", "t"))]
        assert client.listener.calls == []


async def test_the_tool_of_the_hooks_is_not_listed_and_no_model_can_call_it() -> None:
    """MUST T27: The tool that hooks call is neither listed nor callable by the model."""
    async with connected() as client:
        await client.shake_hands()
        call = hook_call(2, "Stop")
        call["params"]["_meta"] = {"claudecode/toolUseId": "toolu_1", "progressToken": 5}
        await client.send(call, request(3, "tools/list"))
        refused, listed = (await client.answer(2))["result"], (await client.answer(3))["result"]
        assert refused["isError"]
        assert "No such tool" in refused["content"][0]["text"]
        assert [tool["name"] for tool in listed["tools"]] == ["reply"]
        assert client.listener.hooks == []


async def test_a_hook_call_before_the_handshake_is_answered_and_means_nothing() -> None:
    async with connected() as client:
        await client.send(initialize(), hook_call(2, "PreToolUse", tool_name="Bash"))
        assert said(await client.answer(2)) == ""
        assert client.listener.hooks == []


@pytest.mark.parametrize(
    "arguments",
    [{}, {"event": "Tomorrow"}, {"event": 5}, {"event": "MessageDisplay", "index": "first"}],
    ids=str,
)
async def test_a_hook_call_that_means_nothing_is_in_nobodys_way(arguments: dict[str, Any]) -> None:
    """MUST T28: A failing hook never blocks Claude."""
    async with connected() as client:
        await client.shake_hands()
        await client.send(tool_call(2, "session_hook", **arguments), request(3, "tools/call", name="session_hook"))
        assert said(await client.answer(2)) == ""
        assert said(await client.answer(3)) == ""
        assert client.listener.hooks == []


@pytest.mark.parametrize("event", ["PreToolUse", "PermissionRequest", "Stop"])
async def test_a_bridge_that_fails_at_a_hook_is_in_nobodys_way(event: str) -> None:
    """MUST T28: A failing hook never blocks Claude."""
    async with connected(Failing()) as client:
        await client.shake_hands()
        await client.send(hook_call(2, event, tool_name="Bash"))
        assert said(await client.answer(2)) == ""


class Asking(RecordingListener):
    """Its permission hooks wait for an answer; it knows who was let go without one."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: asyncio.Queue[str] = asyncio.Queue()
        self.let_go: asyncio.Queue[str] = asyncio.Queue()
        self.answers: dict[str, asyncio.Future[HookAnswer]] = {}

    async def hook_called(self, call: HookCall) -> HookAnswer:
        if not isinstance(call, PermissionAsked):
            return await super().hook_called(call)
        name = call.call.tool
        self.answers[name] = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait(name)
        try:
            return await self.answers[name]
        except asyncio.CancelledError:
            self.let_go.put_nowait(name)
            raise


@pytest.mark.parametrize("number", [2, "2", "hook-2"])
async def test_a_hook_that_the_client_does_not_wait_for_any_more_is_let_go(number: int | str) -> None:
    """MUST T29: A permission question that the client withdraws stops waiting at once."""
    listener = Asking()
    async with connected(listener) as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        await client.send(hook_call(number, "PermissionRequest", tool_name="Bash"))
        await client.send(hook_call(7, "PermissionRequest", tool_name="Write"))
        assert [await listener.waiting.get(), await listener.waiting.get()] == ["Bash", "Write"]
        await client.send(cancelling(number))
        assert await listener.let_go.get() == "Bash"
        listener.answers["Write"].set_result(NoObjection())
        assert said(await client.answer(7)) == ""
        assert listener.let_go.empty()
        assert not [message for message in client.unread if message.get("id") == number]


async def test_a_hook_that_is_withdrawn_before_it_began_never_waits() -> None:
    listener = Asking()
    async with connected(listener) as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        await client.send(hook_call(2, "PermissionRequest", tool_name="Bash"), cancelling(2))
        await client.send(hook_call(3, "Stop"))
        assert said(await client.answer(3)) == ""
        assert listener.waiting.qsize() == listener.let_go.qsize()


async def test_a_waiting_hook_is_let_go_when_the_client_leaves() -> None:
    listener = Asking()
    async with connected(listener) as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        await client.send(hook_call(2, "PermissionRequest", tool_name="Bash"))
        await listener.waiting.get()
        client.hang_up()
        await client.stop.wait()
        assert await listener.let_go.get() == "Bash"


async def test_a_waiting_hook_holds_up_no_other_and_no_tool() -> None:
    listener = Asking()
    async with connected(listener) as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        await client.send(hook_call(2, "PermissionRequest", tool_name="Bash"))
        await listener.waiting.get()
        await client.send(hook_call(3, "Notification", message="waiting"), tool_call(4, "reply", text="meanwhile"))
        assert said(await client.answer(3)) == ""
        assert not (await client.answer(4))["result"]["isError"]


async def test_hook_calls_are_told_in_the_order_in_which_they_came() -> None:
    """MUST T30: Hook calls reach the bridge in the order in which the client made them."""
    async with connected() as client:
        await client.shake_hands()
        pieces = [
            hook_call(number, "MessageDisplay", message_id="m", index=str(number), delta="x", final="false")
            for number in range(2, 202)
        ]
        await client.send(*pieces)
        for number in range(2, 202):
            assert said(await client.answer(number)) == ""
        assert client.listener.hooks == [TextShown("m", number, "x", final=False) for number in range(2, 202)]


async def test_a_hook_is_heard_although_the_client_has_events_to_read() -> None:
    async with connected() as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        session = client.session
        assert session is not None

        async def emit_all() -> None:
            for number in range(120):
                await session.emit(ChannelEvent("x" * 100_000, {"message_id": str(number)}))

        emitting = asyncio.create_task(emit_all())
        await asyncio.wait({emitting}, timeout=0.05)
        assert not emitting.done()
        await client.send(hook_call(2, "PreToolUse", tool_name="Bash"))
        assert said(await client.answer(2)) == ""
        await client.send(hook_call(3, "Stop"))
        assert said(await client.answer(3)) == ""
        assert len(client.listener.hooks) == 2
        for number in range(120):
            assert (await client.notification(wire.EVENT_METHOD))["meta"]["message_id"] == str(number)
        await emitting
