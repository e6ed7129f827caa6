"""A composition root for tests of `serve`: TELEGRAM_FAKE_APP says how its bridge behaves."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from telegram_channel.claude.launch import Launch
from telegram_channel.core.events import ChannelEvent
from telegram_channel.core.hooks import HookAnswer, HookCall, NoObjection, PermissionAsked, RefuseTool, ToolStarting
from telegram_channel.core.permission import Behavior, PermissionRequest
from telegram_channel.errors import NoToken
from telegram_channel.ports import Session, SessionListener, ToolResult, ToolSpec

BEHAVIOUR = os.environ.get("TELEGRAM_FAKE_APP", "ready")
TOOLS: Sequence[ToolSpec] = (ToolSpec("reply", "Send a message.", {"type": "object"}),)

if BEHAVIOUR == "hangs while it is loaded" and threading.current_thread() is not threading.main_thread():
    threading.Event().wait()


def tell(word: str) -> None:
    """Leave a trace that outlives the process."""
    with Path(os.environ["TELEGRAM_FAKE_TRACE"]).open("a") as trace:
        trace.write(f"{word}\n")


def write_to_stdout() -> None:
    """Write where the protocol was, in the three ways a program can."""
    print("a print", flush=True)  # noqa: T201 - the very thing that must not reach the client
    os.write(1, b"a write to descriptor 1\n")
    subprocess.run([sys.executable, "-c", "print('a child')"], check=True)


class Listener:
    """Answers with the tool's name; permission requests are allowed at once, those of hooks wait for ever."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def tools(self) -> Sequence[ToolSpec]:
        return TOOLS

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        if BEHAVIOUR == "never answers":
            await asyncio.get_running_loop().create_future()
        return ToolResult(f"{name} was called")

    async def initialized(self) -> None:
        return None

    async def permission_requested(self, request: PermissionRequest) -> None:
        await self._session.tell_verdict(request.request_id, Behavior.ALLOW)

    async def hook_called(self, call: HookCall) -> HookAnswer:
        match call:
            case ToolStarting(started) if started.fields().get("command") == "forbidden":
                return RefuseTool("Not this.", ends_turn=True)
            case PermissionAsked(asked):
                tell(f"asked for {asked.tool}")
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    tell(f"let go of {asked.tool}")
        return NoObjection()


async def run_bridge(
    session: Session, launch: Launch, *, stop: asyncio.Event, started: Callable[[SessionListener], None]
) -> None:
    tell(f"running in {launch.project}, channel: {launch.is_channel}, session: {launch.session}")
    match BEHAVIOUR:
        case "raises":
            raise RuntimeError("123456:a-secret-that-is-long-enough-to-be-one")
        case "has no token":
            raise NoToken("There is no bot token.")
        case "never starts":
            await asyncio.get_running_loop().create_future()
    started(Listener(session))
    match BEHAVIOUR:
        case "ignores being stopped":
            await asyncio.get_running_loop().create_future()
        case "blocks the event loop":
            await session.ready()
            await session.emit(ChannelEvent("blocked from now on", {}))
            await session.drained()
            threading.Event().wait()
        case "floods the client":
            await session.ready()
            while True:
                await session.emit(ChannelEvent("x" * 10_000, {}))
        case "writes to stdout":
            write_to_stdout()
            await session.ready()
            await session.emit(ChannelEvent("written", {}))
    await stop.wait()
    tell("left")
