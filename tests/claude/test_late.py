"""Calls that come before the bridge is loaded wait for it, and learn why when it does not come."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from telegram_channel.claude.late import App, LateBridge
from telegram_channel.claude.launch import Launch
from telegram_channel.core.events import ChannelEvent
from telegram_channel.core.hooks import (
    HookCall,
    NoObjection,
    PermissionAsked,
    PromptSubmitted,
    RefuseTool,
    TextShown,
    ToolCall,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.ids import SessionId
from telegram_channel.core.permission import Behavior, PermissionRequest
from telegram_channel.errors import NoToken
from telegram_channel.ports import Session, SessionListener, ToolSpec
from tests.claude.client import LONG_ENOUGH_S, RecordingListener

CALL = ToolCall("Bash", "{}", "toolu_1")
REQUEST = PermissionRequest("abcde", "Bash", "Run it", "{}")


class NoSession:
    """A session nobody emits to."""

    @property
    def id(self) -> SessionId:
        return SessionId("session-1")

    async def ready(self) -> None: ...

    async def emit(self, event: ChannelEvent) -> None: ...

    async def drained(self) -> None: ...

    async def tell_verdict(self, request_id: str, behavior: Behavior) -> None: ...


class FakeApp:
    """A composition root that starts when it is let go, or fails."""

    TOOLS: Sequence[ToolSpec] = (ToolSpec("reply", "Send.", {"type": "object"}),)

    def __init__(self, fault: Exception | None = None) -> None:
        self.listener = RecordingListener()
        self.let_go = asyncio.Event()
        self.running = asyncio.Event()
        self.launch: Launch | None = None
        self._fault = fault

    async def run_bridge(
        self, session: Session, launch: Launch, *, stop: asyncio.Event, started: Callable[[SessionListener], None]
    ) -> None:
        self.launch = launch
        self.running.set()
        await self.let_go.wait()
        if self._fault:
            raise self._fault
        started(self.listener)
        await stop.wait()


class Late:
    """A late bridge, its app, and what was called."""

    def __init__(self, fault: Exception | None = None, guard_within_s: float = LONG_ENOUGH_S) -> None:
        self.app = FakeApp(fault)
        self.stop = asyncio.Event()
        self.settled = asyncio.Event()
        self.loaded = 0
        self.bridge = LateBridge(NoSession(), self._load, self.stop, self.settled.set, guard_within_s=guard_within_s)

    def _load(self) -> App:
        self.loaded += 1
        return self.app


async def test_nothing_is_loaded_before_the_handshake() -> None:
    """MUST C1: the bridge is loaded only when the handshake is complete."""
    late = Late()
    call = asyncio.create_task(late.bridge.call_tool("reply", {}))
    await asyncio.wait({call}, timeout=0.01)
    assert not call.done()
    assert late.loaded == 0
    call.cancel()


async def test_tools_are_known_while_the_bridge_is_on_its_way() -> None:
    late = Late()
    await late.bridge.initialized()
    assert [tool.name for tool in late.bridge.tools()] == ["reply"]
    assert not late.settled.is_set()
    late.stop.set()
    late.app.let_go.set()
    assert await late.bridge.left(LONG_ENOUGH_S)


async def test_early_calls_are_carried_out_once_the_bridge_runs() -> None:
    """MUST C2: a call that comes before the bridge runs waits for it."""
    late = Late()
    async with asyncio.timeout(LONG_ENOUGH_S):
        await late.bridge.initialized()
        call = asyncio.create_task(late.bridge.call_tool("reply", {"text": "early"}))
        asked = asyncio.create_task(late.bridge.permission_requested(REQUEST))
        await late.app.running.wait()
        assert not call.done()
        late.app.let_go.set()
        assert not (await call).is_error
        await asked
        assert late.app.listener.calls == [("reply", {"text": "early"})]
        assert late.app.listener.requests.get_nowait() == REQUEST
        assert late.settled.is_set()
        assert late.app.launch is not None
        assert late.app.launch.session
        late.stop.set()
        assert await late.bridge.left(LONG_ENOUGH_S)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (NoToken("There is no bot token."), "There is no bot token. Create a bot with @BotFather"),
        (RuntimeError("secret 123456:token"), "did not start (RuntimeError)"),
    ],
)
async def test_a_bridge_that_fails_is_explained_by_every_call(fault: Exception, words: str) -> None:
    late = Late(fault)
    async with asyncio.timeout(LONG_ENOUGH_S):
        await late.bridge.initialized()
        late.app.let_go.set()
        early = await late.bridge.call_tool("reply", {})
        again = await late.bridge.call_tool("reply", {})
        assert early == again
        assert early.is_error
        assert words in early.text
        assert "123456" not in early.text
        assert late.settled.is_set()
        assert await late.bridge.left(LONG_ENOUGH_S)


async def test_a_caller_that_gives_up_takes_nothing_away_from_the_others() -> None:
    late = Late()
    async with asyncio.timeout(LONG_ENOUGH_S):
        await late.bridge.initialized()
        impatient = asyncio.create_task(late.bridge.call_tool("reply", {"text": "a"}))
        patient = asyncio.create_task(late.bridge.call_tool("reply", {"text": "b"}))
        await late.app.running.wait()
        impatient.cancel()
        late.app.let_go.set()
        assert not (await patient).is_error
        late.stop.set()
        assert await late.bridge.left(LONG_ENOUGH_S)


async def test_leaving_waits_no_longer_than_it_is_told() -> None:
    late = Late()
    async with asyncio.timeout(LONG_ENOUGH_S):
        await late.bridge.initialized()
        await late.app.running.wait()
        late.stop.set()
        assert not await late.bridge.left(0.01)
        late.app.let_go.set()
        assert await late.bridge.left(LONG_ENOUGH_S)


async def test_leaving_a_bridge_that_never_began_takes_no_time() -> None:
    assert await Late().bridge.left(0.0)


# Hooks


async def test_a_session_whose_bridge_is_on_its_way_goes_on_and_is_told_of_later() -> None:
    """MUST C31: Before the bridge runs no hook keeps the session waiting but those whose answer matters."""
    late = Late()
    early: list[HookCall] = [PromptSubmitted("hello"), ToolEnded(CALL, ok=True), TurnEnded("bye")]
    async with asyncio.timeout(LONG_ENOUGH_S):
        for call in early:
            assert await late.bridge.hook_called(call) == NoObjection()
        assert await late.bridge.hook_called(TextShown("m", 0, "b", final=False)) == NoObjection()
        await late.bridge.initialized()
        await late.app.running.wait()
        assert late.app.listener.hooks == []
        late.app.let_go.set()
        await late.settled.wait()
        assert await late.bridge.hook_called(ToolStarting(CALL)) == NoObjection()
        # Pieces of text are worth nothing later.
        assert late.app.listener.hooks == [*early, ToolStarting(CALL)]


async def test_the_first_tool_call_waits_for_the_bridge_that_may_object_to_it() -> None:
    """MUST C32: What the bridge forbids is forbidden from the first tool call of a session on."""
    late = Late()
    late.app.listener.objection = RefuseTool("Not this one.")
    async with asyncio.timeout(LONG_ENOUGH_S):
        await late.bridge.initialized()
        before = asyncio.create_task(late.bridge.hook_called(PromptSubmitted("hello")))
        starting = asyncio.create_task(late.bridge.hook_called(ToolStarting(CALL)))
        await late.app.running.wait()
        assert await before == NoObjection()
        assert not starting.done()
        late.app.let_go.set()
        assert await starting == RefuseTool("Not this one.")
        assert late.app.listener.hooks == [PromptSubmitted("hello"), ToolStarting(CALL)]


async def test_a_tool_call_does_not_wait_for_ever_for_a_bridge_that_hangs() -> None:
    late = Late(guard_within_s=0.01)
    async with asyncio.timeout(LONG_ENOUGH_S):
        assert await late.bridge.hook_called(ToolStarting(CALL)) == NoObjection()


async def test_a_permission_question_waits_for_the_bridge_and_can_be_withdrawn() -> None:
    late = Late()
    async with asyncio.timeout(LONG_ENOUGH_S):
        await late.bridge.initialized()
        withdrawn = asyncio.create_task(late.bridge.hook_called(PermissionAsked(ToolCall("Write", "{}"))))
        asked = asyncio.create_task(late.bridge.hook_called(PermissionAsked(CALL)))
        await late.app.running.wait()
        assert not asked.done()
        withdrawn.cancel()
        late.app.let_go.set()
        assert await asked == NoObjection()
        assert late.app.listener.hooks == [PermissionAsked(CALL)]


@pytest.mark.parametrize("call", [PromptSubmitted("x"), ToolStarting(CALL), PermissionAsked(CALL)], ids=repr)
async def test_a_bridge_that_fails_objects_to_nothing(call: HookCall) -> None:
    late = Late(RuntimeError("secret"))
    async with asyncio.timeout(LONG_ENOUGH_S):
        await late.bridge.initialized()
        early = asyncio.create_task(late.bridge.hook_called(call))
        await late.app.running.wait()
        late.app.let_go.set()
        assert await early == NoObjection()
        await late.settled.wait()
        assert await late.bridge.hook_called(call) == NoObjection()
