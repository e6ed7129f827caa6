"""The listener of a session whose bridge is loaded only after the handshake: early calls wait for it.

This module is loaded before the handshake, so it leaves `ports` and psutil for later: they would add a
fifth to the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Protocol

from telegram_channel.errors import ChannelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from telegram_channel.claude.launch import Launch
    from telegram_channel.core.hooks import HookAnswer, HookCall
    from telegram_channel.core.permission import PermissionRequest
    from telegram_channel.ports import Session, SessionListener, ToolResult, ToolSpec

GUARD_WITHIN_S = 2.0
"""How long the first tool call of a session waits for the bridge that may object to it."""

logger = logging.getLogger(__name__)


class App(Protocol):
    """What is needed of the composition root; loading it must be quick and touch nothing."""

    @property
    def TOOLS(self) -> Sequence[ToolSpec]:  # noqa: N802 - a constant of a module
        """The tools, known before anything else is."""

    def run_bridge(
        self,
        session: Session,
        launch: Launch,
        *,
        stop: asyncio.Event,
        started: Callable[[SessionListener], None],
    ) -> Awaitable[None]:
        """Bridge session and chat until `stop` is set; then let go of everything and return.

        Calls `started` once, as soon as calls of the session can be answered.
        """


class LateBridge:
    """A `SessionListener` that loads and runs the real one when the handshake is complete.

    `settled` is called when the bridge has started, or never will.
    """

    def __init__(
        self,
        session: Session,
        load: Callable[[], App],
        stop: asyncio.Event,
        settled: Callable[[], None],
        *,
        guard_within_s: float = GUARD_WITHIN_S,
    ) -> None:
        self._session = session
        self._load = load
        self._stop = stop
        self._settled = settled
        self._guard_within_s = guard_within_s
        self._untold: list[HookCall] = []
        self._telling: asyncio.Task[None] | None = None
        self._listener: asyncio.Future[SessionListener] = asyncio.get_running_loop().create_future()
        self._running: asyncio.Task[None] | None = None

    def tools(self) -> Sequence[ToolSpec]:
        """The tools, whatever the bridge is doing."""
        return self._load().TOOLS

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Carry out the call once the bridge runs; why it does not run is an answer, too."""
        try:
            listener = await asyncio.shield(self._listener)
        except Exception as fault:
            return _did_not_start(fault)
        return await listener.call_tool(name, arguments)

    async def initialized(self) -> None:
        """Load and run the bridge: from here on there may be side effects."""
        self._running = asyncio.create_task(self._run())

    async def permission_requested(self, request: PermissionRequest) -> None:
        """Hand the request on once the bridge runs."""
        await (await asyncio.shield(self._listener)).permission_requested(request)

    async def hook_called(self, call: HookCall) -> HookAnswer:
        """Hand the call on; before the bridge runs, wait for it only where its word matters.

        A dialog waits for a person anyway. A tool call waits `GUARD_WITHIN_S` at most, so that what the bridge
        forbids is forbidden from the beginning. Everything else is answered at once and told later, in order.
        """
        from telegram_channel.core.hooks import NoObjection, PermissionAsked, TextShown, ToolStarting

        if self._listener.done() or isinstance(call, PermissionAsked):
            return await self._pass_on(call)
        if isinstance(call, ToolStarting):
            try:
                async with asyncio.timeout(self._guard_within_s):
                    return await self._pass_on(call)
            except TimeoutError:
                logger.warning("A tool call went unguarded: the bridge is not there yet.")
        elif not isinstance(call, TextShown):  # which is worth nothing later, and comes by the hundred
            self._untold.append(call)
            if self._telling is None:
                self._telling = asyncio.create_task(self._tell())
        return NoObjection()

    async def _pass_on(self, call: HookCall) -> HookAnswer:
        from telegram_channel.core.hooks import NoObjection

        try:
            listener = await asyncio.shield(self._listener)
        except Exception:
            return NoObjection()  # there is no bridge; `_run` has said why
        if self._telling is not None and not self._telling.done():
            await asyncio.wait({self._telling})  # what came earlier is told first
        return await listener.hook_called(call)

    async def _tell(self) -> None:
        """Hand on, in order, what was answered before the bridge ran."""
        with contextlib.suppress(Exception):  # there is no bridge; `_run` has said why
            listener = await asyncio.shield(self._listener)
            for call in self._untold:
                await listener.hook_called(call)

    async def left(self, timeout_s: float) -> bool:
        """Wait until the bridge has let go of everything, `timeout_s` at most; says whether it has."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=timeout_s)
        return self._running is None or self._running.done()

    async def _run(self) -> None:
        try:
            app, launch = await asyncio.to_thread(self._prepare)
            await app.run_bridge(self._session, launch, stop=self._stop, started=self._started)
            if not self._listener.done():
                raise RuntimeError("the bridge ended before it had started")  # noqa: TRY301 - one way to fail
        except Exception as fault:
            logger.exception("The bridge failed.")
            if not self._listener.done():
                self._listener.set_exception(fault)
                # Asked once, so that it is no "exception that was never retrieved" when no tool is called.
                self._listener.exception()
                self._settled()

    def _prepare(self) -> tuple[App, Launch]:
        from telegram_channel.claude.launch import read_launch

        return self._load(), read_launch(self._session.id)

    def _started(self, listener: SessionListener) -> None:
        if not self._listener.done():
            self._listener.set_result(listener)
            self._settled()


def _did_not_start(fault: Exception) -> ToolResult:
    from telegram_channel.ports import ToolResult

    if isinstance(fault, ChannelError):
        return ToolResult(fault.explained(), is_error=True)
    return ToolResult(
        f"The Telegram bridge did not start ({type(fault).__name__}). "
        "Ask the operator to run `telegram-channel doctor` in a terminal.",
        is_error=True,
    )
