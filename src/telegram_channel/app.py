"""The composition root: decides the order of the start and of the end; `wiring` names the concrete parts.

Loading this module is quick and touches nothing. Everything heavy (settings, database, chat library) is
imported when it is first needed, in a thread, because the client is already waiting for answers then.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from telegram_channel import log
from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.replies import Places
from telegram_channel.bridge.tools import SPECS, Tools
from telegram_channel.bridge.turns import Gate, Turns
from telegram_channel.clock import SystemClock
from telegram_channel.core.health import BridgeState
from telegram_channel.core.hooks import HookAnswer, HookCall
from telegram_channel.core.permission import PermissionRequest
from telegram_channel.errors import ChannelError, ConfigurationError, StateError, first_of
from telegram_channel.ports import Clock, Session, SessionListener, ToolResult, ToolSpec
from telegram_channel.without import import_without, remember_absence

if TYPE_CHECKING:
    from telegram_channel.bridge.approvals import Approvals
    from telegram_channel.claude.launch import Launch
    from telegram_channel.profiles import Profile
    from telegram_channel.settings import Settings, Token

_log = logging.getLogger(__name__)

TOOLS: Sequence[ToolSpec] = SPECS
"""The tools, known before anything else is."""

LOOK_AGAIN_S = 2.0
"""How often a missing token or an unusable state directory is looked at again."""
LOOK_FOR_TOKEN_EVERY_S = 5.0
"""How often it is looked whether the token was replaced."""
RESTART_AFTER_S = 1.0
"""The pause before the flows are started again after a fault of our own."""

_UNNEEDED = ("cryptography",)
"""The chat library reads passport documents with it, which no bot of ours asks for: 8 MB in every process."""
_NEVER_INSTALLED = ("sniffio",)
"""The HTTP client looks for it several times in every request: a third of the time a request takes."""


async def run_bridge(
    session: Session,
    launch: "Launch",
    *,
    stop: asyncio.Event,
    started: Callable[[SessionListener], None],
) -> None:
    """Bridge session and chat until `stop` is set; then let go of everything and return."""
    clock = SystemClock()
    activity = Activity(clock)
    tools, turns = await asyncio.to_thread(_make_inward, clock, session, activity)
    bridge = Bridge(session, launch, clock, activity, tools, turns)
    started(bridge)
    working = asyncio.create_task(bridge.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopping):
        task.cancel()
    await asyncio.wait({working, stopping})
    if not working.cancelled():
        working.result()


@dataclass(frozen=True, slots=True)
class _Configured:
    """What has to be known before anything can be opened."""

    profile: "Profile"
    settings: "Settings"
    token: "Token"


class Bridge:
    """The bridge of one process, from the session's point of view (`ports.SessionListener`)."""

    def __init__(
        self, session: Session, launch: "Launch", clock: Clock, activity: Activity, tools: Tools, turns: Turns
    ) -> None:
        self._session = session
        self._launch = launch
        self._clock = clock
        self._activity = activity
        self._tools = tools
        self._turns = turns
        self._approvals: Approvals | None = None
        self._approving = asyncio.Event()
        self._logs_to: Path | None = None
        self._profile: Profile | None = None
        """Chosen once: a project's file that changes later must not move a running server to another bot."""

    def tools(self) -> Sequence[ToolSpec]:
        """The listed tools."""
        return TOOLS

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Carry out a tool call; any failure is a result with `is_error`."""
        with self._activity.ongoing():
            return await self._tools.call(name, arguments)

    async def initialized(self) -> None:
        """Nothing to do: the bridge was started because of it."""

    async def permission_requested(self, request: PermissionRequest) -> None:
        """Put a prompt to the approvers, as soon as there is a way to."""
        self._activity.note()
        await self._approving.wait()
        if self._approvals:
            await self._approvals.asked(request)

    async def hook_called(self, call: HookCall) -> HookAnswer:
        """A hook of the client tells something and waits for the answer; any failure is `NoObjection`."""
        return await self._turns.called(call)

    async def run(self) -> None:
        """Serve the configured bot, and whatever bot is configured after it, until cancelled."""
        while True:
            configured = await self._until_configured()
            self._start_log(configured)
            await self._serve(configured)

    async def _until_configured(self) -> _Configured:
        """Wait for a token; until then the tools say what to do."""
        while True:
            try:
                configured = await asyncio.to_thread(_configuration, self._profile)
            except ChannelError as error:
                self._say_unavailable(error)
                await self._clock.sleep(LOOK_AGAIN_S)
            else:
                self._profile = configured.profile
                return configured

    def _start_log(self, configured: _Configured) -> None:
        log.hide(configured.token.reveal())
        self._tools.never_send(configured.token.reveal())
        self._turns.never_send(configured.token.reveal())
        if self._logs_to != configured.settings.log_file:
            self._logs_to = configured.settings.log_file
            log.open_file(self._logs_to)

    def _say_unavailable(self, error: ChannelError) -> None:
        if self._tools.unavailable != error.explained():
            _log.warning("%s", error.explained())
        self._tools.unavailable = error.explained()

    async def _serve(self, configured: _Configured) -> None:
        """Run everything for one bot; returns when another token is configured."""
        watcher = asyncio.create_task(self._until_another_token(configured))
        try:
            while not watcher.done():
                running = asyncio.create_task(self._run_flows(configured))
                try:
                    await asyncio.wait({running, watcher}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    # Also when we are cancelled: the lease and the store are let go of in there.
                    running.cancel()
                    await asyncio.wait({running})
                if not running.cancelled() and (fault := running.exception()) is not None:
                    await self._after_fault(fault)
                    if first_of(fault, ConfigurationError):
                        return  # read anew what a person may have mended meanwhile
        finally:
            watcher.cancel()

    async def _after_fault(self, fault: BaseException) -> None:
        """Say what stopped the flows, and wait a moment before they start again."""
        expected = first_of(fault, StateError) or first_of(fault, ConfigurationError)
        if expected is None:
            _log.error("The bridge stopped because of a fault and starts again.", exc_info=fault)
            await self._clock.sleep(RESTART_AFTER_S)
        else:
            self._say_unavailable(expected)
            await self._clock.sleep(LOOK_AGAIN_S)

    async def _until_another_token(self, configured: _Configured) -> None:
        """Return once the configured token is not this one any more. Files that did not change are not read."""
        from telegram_channel.settings import files_as_of_now

        read = None
        while True:
            await self._clock.sleep(LOOK_FOR_TOKEN_EVERY_S)
            if (found := files_as_of_now(self._profile)) == read:
                continue
            try:
                now = await asyncio.to_thread(_configuration, self._profile)
            except ChannelError:
                continue
            if now.token.reveal() != configured.token.reveal():
                return
            read = found

    async def _run_flows(self, configured: _Configured) -> None:
        wiring = await asyncio.to_thread(load_wiring)
        async with wiring.opened(
            *(self._session, self._launch, self._clock),
            configured.settings,
            configured.token,
            self._activity,
            self._turns,
        ) as flows:
            settings = configured.settings
            places = Places(settings.base_dir, settings.downloads, Path.home())
            self._tools.connect(flows.store, flows.chat, places, flows.topics.thread_for)
            self._tools.unavailable = None
            self._approvals = flows.approvals
            self._approving.set()
            await flows.run(self._heard_state)

    def _heard_state(self, state: BridgeState, problem: str) -> None:
        """A token that is not accepted is the tools' business as well."""
        self._tools.unavailable = problem if state is BridgeState.BAD_TOKEN else None


def load_wiring() -> ModuleType:
    """The module `wiring`, which brings the chat library along: a tenth of a second, and megabytes."""
    remember_absence(*_NEVER_INSTALLED)
    return import_without("telegram_channel.wiring", _UNNEEDED)


def _make_inward(clock: Clock, session: Session, activity: Activity) -> tuple[Tools, Turns]:
    """What the session may call, from the first moment on and whatever becomes of the flows."""
    from telegram_channel.profiles import base_directory

    base = base_directory()
    turns = Turns(clock, session.id, activity, _make_guard(base))
    places = Places(base, base / "downloads", Path.home())
    return Tools(clock, session.id, places, answered=turns.answered), turns


def _make_guard(base: Path) -> Gate:
    """What keeps the model away from our own state and commands, of all profiles. Loading it takes a while."""
    from telegram_channel.core.guard import Guard
    from telegram_channel.profiles import PROJECT_FILE, project_file

    project = os.environ.get("CLAUDE_PROJECT_DIR") or str(Path.cwd())
    program = [os.environ.get("CLAUDE_PLUGIN_DATA", ""), str(project_file() or Path(project, PROJECT_FILE))]
    return Guard(
        str(base),
        str(Path.home()),
        project,
        extra=(str(base.resolve()),),
        token_in_environment=bool(os.environ.get("TELEGRAM_BOT_TOKEN", "").strip()),
        program_dirs=tuple(one for one in program if one),
    )


def _configuration(pinned: "Profile | None") -> _Configured:
    """Read all settings, of the profile that was chosen before. Raises `ConfigurationError`."""
    from telegram_channel.profiles import choose_profile
    from telegram_channel.settings import Settings

    profile = pinned or choose_profile()
    settings = Settings.load(profile)
    return _Configured(profile, settings, settings.token())
