"""Everything one process runs for one bot, wired together: the concrete half of the composition root.

Loaded in a thread after the handshake, because it brings the database and the chat library along.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from telegram_channel.bridge import before
from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.approvals import Approvals
from telegram_channel.bridge.authorship import OwnChat
from telegram_channel.bridge.commands import Commands
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.delivery import Delivery, DeliveryRules
from telegram_channel.bridge.dispatch import Dispatch
from telegram_channel.bridge.downloads import Downloads
from telegram_channel.bridge.housekeeping import Housekeeping
from telegram_channel.bridge.intake import Reception
from telegram_channel.bridge.lobby import Lobby
from telegram_channel.bridge.obedience import Obedience
from telegram_channel.bridge.orders import Orders, concerned
from telegram_channel.bridge.presence import Presence
from telegram_channel.bridge.progress import Progress
from telegram_channel.bridge.replies import Places
from telegram_channel.bridge.reporting import Reporter, SayState
from telegram_channel.bridge.roster import Roster
from telegram_channel.bridge.router import Look, Router
from telegram_channel.bridge.sessions import SessionCommands
from telegram_channel.bridge.signs import Signs, Typing
from telegram_channel.bridge.steady import keep_running
from telegram_channel.bridge.topic_keeper import TopicKeeper
from telegram_channel.bridge.topics import Topics
from telegram_channel.bridge.turns import Turns
from telegram_channel.bridge.twins import Twins
from telegram_channel.bridge.unhurried import Unhurried
from telegram_channel.claude.launch import Launch, git_branch, is_alive
from telegram_channel.core.access import AccessState, Role
from telegram_channel.core.commands import MENU, BotCommand, ParsedCommand
from telegram_channel.core.health import BridgeState
from telegram_channel.core.ids import PromptId
from telegram_channel.core.inbox import DeliveryState, RedeliveryRules
from telegram_channel.core.joining import JoiningRules
from telegram_channel.core.messages import Batch, InboundMessage
from telegram_channel.core.notices import StatusFacts
from telegram_channel.core.orders import EVERY_SESSION
from telegram_channel.core.routing import Member
from telegram_channel.core.stranding import RoutingRules
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Chat, Clock, Lease, Session, SessionRecord, Store
from telegram_channel.settings import Settings, Token
from telegram_channel.storage import open_store
from telegram_channel.storage.lease import FileLease
from telegram_channel.tg.client import TelegramChat
from telegram_channel.tg.poller import Poller

_log = logging.getLogger(__name__)

LEASE_EVERY_S = 0.8
"""How often a standby tries to take over: less than half of the two seconds it may take."""
SOON_S = 0.02
"""How much later than the message itself its download begins, and prompts, orders and topics are looked after."""
AT_LEISURE_S = 0.2
"""The same for signs in the chat and for chores: nobody sees the difference."""
HAND_OVER_S = 0.002
"""What was just stored reaches the session before the processor is needed for the next poll."""
LOOK_AT_LEASE_EVERY_S = 2.0
"""How often whoever polls makes sure that the lease is still a lease."""
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
    turns: Turns
    store: Store
    telegram: TelegramChat
    chat: Chat
    """The same, but what a topic that is gone does not take goes to the general one."""
    lease: Lease
    courier: Courier

    @property
    def takes_messages(self) -> bool:
        """Whether messages go to this session."""
        return _should_poll(self.settings, self.launch)

    @property
    def may_relay(self) -> bool:
        """Whether the chat may learn what hooks tell: the channel was granted, or the operator chose the hook."""
        return self.takes_messages or self.settings.permission_relay == "hook"


class Flows:
    """The flows of one process for one bot."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self.store = base.store
        self._record = _record(base.launch, base.clock.now(), receives=base.takes_messages)
        self._roster = Roster(base.store, base.clock, _is_alive, self._record)
        self.chat = OwnChat(base.chat, base.store, base.clock, base.courier, base.session.id)
        """In the name of this process's session."""
        soon = Unhurried(base.store, base.clock, SOON_S)
        self.topics = Topics(
            *(soon, base.chat, base.clock, self._record, self._roster), enabled=base.settings.topics == "auto"
        )
        self.presence = Presence(base.store, base.clock, self._record, partial(_branch, base.launch.project_dir))
        self._polls = False
        self.approvals = Approvals(
            soon,
            base.chat,
            base.clock,
            base.courier,
            session=base.session,
            new_id=lambda: PromptId(secrets.token_hex(6)),
            is_alive=_is_alive,
            polls=lambda: self._polls,
            project=base.launch.project,
            relay=base.settings.permission_relay,
            granted=base.may_relay,
            hooks_seen=lambda: base.turns.hooks_seen,
            read_before=before.reader(Places(base.settings.state_dir, base.settings.downloads, Path.home())),
            label_of=self._roster.label_of,
            in_own_name=self.chat,
            thread_for=self.topics.thread_for,
        )
        self.obedience = Obedience(
            *(soon, self.chat, base.clock, base.courier),
            session=base.session.id,
            turn=lambda: base.turns.turn,
            hooks_seen=lambda: base.turns.hooks_seen,
            deny_all=self.approvals.deny_all,
        )
        self.progress = Progress(
            *(base.store, self.chat, base.clock),
            turn=lambda: base.turns.turn,
            must_not_leave=base.turns.may_hold_secret,
        )

    async def run(self, say_state: SayState) -> None:
        """Run everything until cancelled, or until a flow meets what it cannot deal with (an error group)."""
        base = self._base
        await self.obedience.load()  # a stop that stands binds before anything else is heard
        base.turns.attach(
            self.approvals,
            (self.obedience,),
            (self.approvals, self.obedience, self.progress),
            granted=base.may_relay,
            project=base.launch.project,
        )
        async with asyncio.TaskGroup() as group:
            self._start(group, "presence", self.presence.run)
            self._start(group, "approvals", self.approvals.run)
            self._start(group, "obedience", self.obedience.run)
            self._start(group, "turns", lambda: base.turns.run(base.store, self.chat, self.topics.thread_for))
            self._start(group, "progress", self.progress.run)
            if base.takes_messages:
                self._start(group, "delivery", self._delivery().run)
                self._start(group, "typing", self._typing().run)
                self._start(group, "topics", self.topics.run)
                self._start(group, "polling", lambda: self._take_turns(say_state))

    def _start(self, group: asyncio.TaskGroup, name: str, flow: Callable[[], Awaitable[None]]) -> None:
        group.create_task(keep_running(name, flow, self._base.clock), name=name)

    async def _take_turns(self, say_state: SayState) -> None:
        """Wait for the lease, poll for as long as it is ours, and wait again."""
        lease, clock = self._base.lease, self._base.clock
        while True:
            while not lease.acquire():
                await clock.sleep(LEASE_EVERY_S)
            self._polls = True
            self._roster.look_anew()  # whoever had the lease has ended, perhaps just now
            _log.info("this process receives the messages of bot %s", self._base.store.bot)
            polling = asyncio.create_task(self._poll(say_state))
            try:
                # Somebody may remove the file, and then lock a new one.
                while not polling.done() and lease.acquire():
                    await asyncio.wait({polling}, timeout=LOOK_AT_LEASE_EVERY_S)
            finally:
                self._polls = False
                polling.cancel()
                await asyncio.wait({polling})
            if not polling.cancelled():
                polling.result()
            _log.warning("another process receives the messages of bot %s now", self._base.store.bot)

    def _delivery(self) -> Delivery:
        base = self._base
        rules = DeliveryRules(
            JoiningRules(fetch_wait_s=base.settings.download_wait_s),
            RedeliveryRules(redeliver_after_s=base.settings.redeliver_after_s),
        )
        return Delivery(
            *(base.store, base.session, self.chat, base.clock, base.activity, rules),
            process_began_at=base.launch.started_at,
            twins=Twins(base.clock, self._roster, self._record),
        )

    def _typing(self) -> Typing:
        base = self._base
        return Typing(
            *(Unhurried(base.store, base.clock, AT_LEISURE_S), base.chat, base.clock),
            base.settings.typing_at_most_s,
            session=base.session.id,
            hooks_seen=lambda: base.turns.receipts_seen,
            in_flight=base.turns.works_for,
        )

    async def _poll(self, say_state: SayState) -> None:
        """Everything that one process alone may do."""
        base = self._base
        soon, at_leisure = (Unhurried(base.store, base.clock, pause_s) for pause_s in (SOON_S, AT_LEISURE_S))
        reporter = Reporter(base.store, base.clock, base.launch.pid, say_state)
        router = Router(base.store, self._roster, base.settings.orphaned_after_s)
        rules = RoutingRules(base.settings.orphaned_after_s, base.settings.stranded)
        dispatch = Dispatch(base.store, base.chat, base.clock, router, rules)
        await self._look_round(dispatch)
        async with asyncio.TaskGroup() as group:
            for flow in (
                reporter,
                Downloads(soon, base.chat, base.clock, base.settings.downloads),
                Signs(at_leisure, base.chat),
                TopicKeeper(
                    *(soon, base.chat, base.clock, self._roster),
                    orphaned_after_s=base.settings.orphaned_after_s,
                ),
                Housekeeping(at_leisure, base.chat, base.clock, secrets.token_bytes),
            ):
                self._start(group, type(flow).__name__.lower(), flow.run)
            self._start(group, "dispatch", lambda: dispatch.run(soon))
            self._start(group, "receiving", lambda: self._receive(reporter, router, dispatch))

    async def _look_round(self, dispatch: Dispatch) -> None:
        """Learn who has ended before anything new is taken: nothing of it may overtake what waits."""
        with suppress(StateUnwritable):  # the flow itself says so
            await dispatch.stranded.step()

    async def _receive(self, reporter: Reporter, router: Router, dispatch: Dispatch) -> None:
        base = self._base
        choices = SessionCommands(base.store, base.chat, base.clock, dispatch)
        commands = Commands(base.chat, self._facts, Orders(base.store, base.clock, here=self.obedience), choices)
        reception = Reception(
            *(base.store, base.chat, self.approvals, commands, base.courier, base.clock),
            *(router, dispatch, choices),
        )
        await reception.resume()
        base.courier.post(base.chat.announce_commands(MENU))

        async def take(batch: Batch) -> None:
            await reception.take(batch)
            if batch.updates:
                await base.clock.sleep(HAND_OVER_S)

        poller = Poller(
            base.telegram,
            take,
            reporter.heard,
            base.clock,
            jitter=random.random,
            timeout_s=base.settings.poll_timeout_s,
        )
        await poller.run()

    async def _facts(self, role: Role, message: InboundMessage, look: Look, state: AccessState) -> StatusFacts:
        """What `/status` tells, as of now."""
        base = self._base
        counts = await base.store.inbox.counts()
        report = await base.store.health.latest()
        prompts = await base.store.prompts.open_prompts()
        meant = concerned(message, ParsedCommand(BotCommand.STATUS), look, state)
        session = meant.session if isinstance(meant, Member) else None
        standing = await base.store.orders.standing(session or EVERY_SESSION)
        now = base.clock.now()
        is_here = session == base.session.id
        began_at = base.turns.turn.began_at if is_here and base.turns.is_busy else None
        last_ok = report.last_poll_ok_at if report else None
        return StatusFacts(
            role=role,
            session=meant.label if isinstance(meant, Member) else "",
            state=report.state if report else BridgeState.STARTING,
            queued=counts.queued,
            unread=counts.by_state.get(DeliveryState.EMITTED, 0),
            waiting_prompts=len(prompts),
            last_poll_s=(now - last_ok).total_seconds() if last_ok else None,
            # What is wrong may name files of this machine: not everybody who talks needs to know them.
            problem=report.problem if report and role.may_approve else "",
            standing=standing,
            working_s=(now - began_at).total_seconds() if began_at else None,
            others=tuple(one.label for one in look.open_to(state, message.place.sender) if one.session != session),
        )


@asynccontextmanager
async def opened(
    session: Session,
    launch: Launch,
    clock: Clock,
    settings: Settings,
    token: Token,
    activity: Activity,
    turns: Turns,
) -> AsyncIterator[Flows]:
    """The flows for one bot, with everything they hold; all of it is let go at the end.

    Raises:
        StateError: the state cannot be used.
        ConfigurationError: the proxy cannot be used.
    """
    store = await open_store(settings.database, token.bot)
    try:
        # In a thread: reading the certificates takes a while.
        chat = await asyncio.to_thread(
            TelegramChat, token.reveal(), clock, api_base=settings.api_base, proxy=settings.proxy, pace=store.pace
        )
    except BaseException:
        await store.close()
        raise
    lease = FileLease(settings.lease_file(token.bot))
    courier = Courier()
    flows = Flows(
        Base(session, launch, clock, settings, activity, turns, store, chat, Lobby(chat, store), lease, courier)
    )
    try:
        yield flows
    finally:
        flows.approvals.release_hooks()
        turns.attach(None, (flows.obedience,), (flows.obedience,))  # a stop binds also while the store is away
        courier.cancel()
        # First the lease: whoever waits for it can begin while the rest is tidied up.
        lease.release()
        leave_until_s = asyncio.get_running_loop().time() + LEAVE_WITHIN_S
        for let_go in (flows.presence.leave, store.close, chat.close):
            # One that fails or takes too long keeps nobody from the next: each begins at least.
            with suppress(Exception):
                async with asyncio.timeout_at(leave_until_s):
                    await let_go()


def _should_poll(settings: Settings, launch: Launch) -> bool:
    """Only a channel session reads what is given to it; in any other one messages would vanish."""
    match settings.poll:
        case "always":
            return True
        case "never":
            return False
        case "auto":
            return launch.is_channel


def _is_alive(record: SessionRecord) -> bool:
    return is_alive(record.pid, record.last_seen_at)


def _record(launch: Launch, now: datetime, *, receives: bool) -> SessionRecord:
    return SessionRecord(
        *(launch.session, launch.pid, launch.started_at, now, launch.project, launch.is_channel),
        receives=receives,
        project=launch.project_dir,
        branch=launch.branch,
    )


async def _branch(directory: str) -> str:
    """The branch that is checked out now; in a thread, for the directory may be far away."""
    return await asyncio.to_thread(git_branch, directory)
