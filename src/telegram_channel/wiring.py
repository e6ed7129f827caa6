"""Everything one process runs for one bot, wired together: the concrete half of the composition root.

Loaded in a thread after the handshake, because it brings the database and the chat library along.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.approvals import Approvals
from telegram_channel.bridge.commands import Commands
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.delivery import Delivery, DeliveryRules
from telegram_channel.bridge.downloads import Downloads
from telegram_channel.bridge.housekeeping import Housekeeping
from telegram_channel.bridge.intake import Reception
from telegram_channel.bridge.presence import Presence
from telegram_channel.bridge.reporting import Reporter, SayState
from telegram_channel.bridge.signs import Signs
from telegram_channel.claude.launch import Launch, is_alive
from telegram_channel.core.access import Role
from telegram_channel.core.health import BridgeState
from telegram_channel.core.ids import PromptId
from telegram_channel.core.inbox import DeliveryState, RedeliveryRules
from telegram_channel.core.joining import JoiningRules
from telegram_channel.core.notices import StatusFacts
from telegram_channel.ports import Clock, Lease, Session, SessionRecord, Store
from telegram_channel.settings import Settings, Token
from telegram_channel.storage import open_store
from telegram_channel.storage.lease import FileLease
from telegram_channel.tg.client import TelegramChat
from telegram_channel.tg.poller import Poller

_log = logging.getLogger(__name__)

LEASE_EVERY_S = 0.5
"""How often a standby tries to take over: a quarter of the two seconds it may take."""
LEAVE_WITHIN_S = 0.04
"""How long the end may wait for the store: whoever ends us does not wait longer."""


@dataclass(frozen=True, slots=True)
class Base:
    """What every process has, whether or not it polls."""

    session: Session
    launch: Launch
    clock: Clock
    settings: Settings
    activity: Activity
    store: Store
    chat: TelegramChat
    lease: Lease
    courier: Courier


class Flows:
    """The flows of one process for one bot."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self.store = base.store
        self.chat = base.chat
        self.presence = Presence(base.store, base.clock, _record(base.launch, base.clock.now()))
        self._polls = False
        self.approvals = Approvals(
            base.store,
            base.chat,
            base.clock,
            base.courier,
            session=base.session,
            new_id=lambda: PromptId(secrets.token_hex(6)),
            is_alive=lambda record: is_alive(record.pid, record.started_at),
            polls=lambda: self._polls,
            project=base.launch.project,
        )

    async def run(self, say_state: SayState) -> None:
        """Run everything until cancelled, or until a flow meets what it cannot deal with (an error group)."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.presence.run())
            group.create_task(self.approvals.run())
            if _should_poll(self._base.settings, self._base.launch):
                group.create_task(self._poll(say_state))

    async def _poll(self, say_state: SayState) -> None:
        """Wait for the lease, then do everything that one process alone may do."""
        base = self._base
        while not base.lease.acquire():
            await base.clock.sleep(LEASE_EVERY_S)
        self._polls = True
        _log.info("this process receives the messages of bot %s", base.store.bot)
        rules = DeliveryRules(
            JoiningRules(fetch_wait_s=base.settings.download_wait_s),
            RedeliveryRules(redeliver_after_s=base.settings.redeliver_after_s),
        )
        reporter = Reporter(base.store, base.clock, base.launch.pid, say_state)
        async with asyncio.TaskGroup() as group:
            for flow in (
                reporter,
                Delivery(base.store, base.session, base.chat, base.clock, base.activity, rules),
                Downloads(base.store, base.chat, base.clock, base.settings.downloads),
                Signs(base.store, base.chat, base.clock, base.settings.typing_at_most_s),
                Housekeeping(base.store, base.chat, base.clock, secrets.token_bytes),
            ):
                group.create_task(flow.run())
            group.create_task(self._receive(reporter))

    async def _receive(self, reporter: Reporter) -> None:
        base = self._base
        commands = Commands(base.chat, self._facts)
        reception = Reception(base.store, base.chat, self.approvals, commands, base.courier, base.clock)
        await reception.resume()
        poller = Poller(
            base.chat,
            reception.take,
            reporter.heard,
            base.clock,
            jitter=random.random,
            timeout_s=base.settings.poll_timeout_s,
        )
        await poller.run()

    async def _facts(self, role: Role) -> StatusFacts:
        """What `/status` tells, as of now."""
        base = self._base
        counts = await base.store.inbox.counts()
        report = await base.store.health.latest()
        prompts = await base.store.prompts.open_prompts()
        now = base.clock.now()
        last_ok = report.last_poll_ok_at if report else None
        return StatusFacts(
            role=role,
            session=base.launch.project,
            state=report.state if report else BridgeState.STARTING,
            queued=counts.queued,
            unread=counts.by_state.get(DeliveryState.EMITTED, 0),
            waiting_prompts=len(prompts),
            last_poll_s=(now - last_ok).total_seconds() if last_ok else None,
            problem=report.problem if report else "",
        )


@asynccontextmanager
async def opened(
    session: Session, launch: Launch, clock: Clock, settings: Settings, token: Token, activity: Activity
) -> AsyncIterator[Flows]:
    """The flows for one bot, with everything they hold; all of it is let go at the end.

    Raises:
        StateError: the state cannot be used.
    """
    store = await open_store(settings.database, token.bot)
    # In a thread: reading the certificates takes a while.
    chat = await asyncio.to_thread(
        TelegramChat, token.reveal(), clock, api_base=settings.api_base, proxy=settings.proxy
    )
    lease = FileLease(settings.lease_file(token.bot))
    courier = Courier()
    flows = Flows(Base(session, launch, clock, settings, activity, store, chat, lease, courier))
    try:
        yield flows
    finally:
        courier.cancel()
        # First the lease: whoever waits for it can begin while the rest is tidied up.
        lease.release()
        with suppress(Exception):
            async with asyncio.timeout(LEAVE_WITHIN_S):
                await flows.presence.leave()
                await store.close()
                await chat.close()


def _should_poll(settings: Settings, launch: Launch) -> bool:
    """Only a channel session reads what is given to it; in any other one messages would vanish."""
    match settings.poll:
        case "always":
            return True
        case "never":
            return False
        case "auto":
            return launch.is_channel


def _record(launch: Launch, now: datetime) -> SessionRecord:
    return SessionRecord(launch.session, launch.pid, launch.started_at, now, launch.project, launch.is_channel)
