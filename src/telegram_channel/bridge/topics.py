"""Gives this session a topic of its own in every chat that has topics, and keeps it there, open and well named.

Where no topic can be had, the session uses the chat's general topic, and says so in the log once. A topic of
which nobody knows whether it was opened is not opened again by this process, so that no two appear: another
one may follow only when one of the project becomes free, or when the session is started anew.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from telegram_channel.bridge.roster import About, Roster, about_session
from telegram_channel.bridge.side_by_side import SideBySide
from telegram_channel.core.access import AccessState, may_reach
from telegram_channel.core.ids import ChatId, SessionId, ThreadId, private_chat
from telegram_channel.core.outgoing import PartlySent, Refused, SendOutcome, Sent, TopicOpened, Uncertain
from telegram_channel.core.routing import Member, TopicBinding
from telegram_channel.core.topics import (
    DEFAULT_RULES,
    AwaitRelease,
    GiveBack,
    Open,
    Rename,
    Reopen,
    Step,
    Take,
    TopicRules,
    next_step,
    own_topic,
)
from telegram_channel.ports import Chat, Clock, SessionRecord, Store

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
"""How often it is looked again when nothing changes: whether a chat has topics is told by nobody."""
PAUSE_S = 0.5
"""Changes of the store that come so close together are one to this flow. Less than `ALIVE_FOR_S`: what others have
just found out about who lives is not asked of the system again."""
_Hold = tuple[ChatId, type[Step]]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was known at one moment."""

    me: Member
    living: frozenset[SessionId]
    chats: frozenset[ChatId]
    """Where the session may have a topic, if the chat has topics."""
    bindings: tuple[TopicBinding, ...]


class Topics:
    """The topics of this process's session."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        own: SessionRecord,
        roster: Roster,
        *,
        enabled: bool = True,
        rules: TopicRules = DEFAULT_RULES,
    ) -> None:
        """`own`: this very process. `enabled`: whether sessions get topics at all."""
        self._store = store
        self._chat = chat
        self._clock = clock
        self._process = own
        self._session = own.session
        self._roster = roster
        self._enabled = enabled
        self._rules = rules
        self._caring = SideBySide("a topic could not be looked after")
        self._own: Mapping[ChatId, ThreadId] = {}
        """The session's open topics, wherever they are."""
        self._with_topics: set[ChatId] = set()
        """Where topics can be had at present."""
        self._unbound: dict[ChatId, TopicBinding] = {}
        """Opened, and not yet remembered in the store."""
        self._not_before_s: dict[_Hold, float] = {}
        self._told: set[_Hold] = set()

    def thread_for(self, chat: ChatId) -> ThreadId | None:
        """Where in a chat the session says what nobody asked for; None for the general topic."""
        return self._own.get(chat) if chat in self._with_topics else None

    async def run(self) -> None:
        """Look after the session's topics until cancelled; returns at once where topics are switched off."""
        if not self._enabled:
            return
        seen, before, all_again_s = -1, None, 0.0
        try:
            while True:
                facts, now_s = await self._look(), self._clock.monotonic()
                if facts and (facts != before or now_s >= all_again_s):
                    all_again_s = now_s + LOOK_EVERY_S
                    for chat in facts.chats:
                        self._caring.start(chat, partial(self._care, chat, facts))
                before = facts
                seen = await self._store.wait_for_change(seen, LOOK_EVERY_S)
                await self._clock.sleep(PAUSE_S)
        finally:
            self._caring.cancel()

    async def _look(self) -> _Facts | None:
        """Everything as of now; None while the session has no part in topics.

        That is: before it is listed, when it takes no messages, and when a later process of it does.
        """
        records = await self._store.sessions.list()
        living = self._roster.living_of(records)
        members = self._roster.members_of(living)
        me = next((one for one in members if one.session == self._session), None)
        latest = max((one for one in living if one.session == self._session), key=_start, default=None)
        if me is None or latest is None or latest.pid != self._process.pid or not _is_listed(records, latest):
            self._own, self._with_topics = {}, set()
            return None
        state = await self._store.access.read()
        about = about_session(self._session, members, records)
        bindings = await self._store.routes.bindings()
        facts = _Facts(me, frozenset(one.session for one in members), frozenset(_chats(state, about)), bindings)
        self._note_own(facts)
        return facts

    def _note_own(self, facts: _Facts) -> None:
        own = (own_topic(facts.bindings, chat, self._session) for chat in facts.chats)
        self._own = {one.chat: one.thread for one in own if one and one.is_open}

    async def _care(self, chat: ChatId, facts: _Facts | None) -> None:
        """Take one step after the other in a chat, as far as they can be taken now."""
        if not await self._has_topics(chat):
            return
        if unbound := self._unbound.get(chat):
            await self._bind_opened(unbound)
            facts = await self._look()
        while facts and chat in facts.chats:
            step = next_step(facts.me, chat, facts.bindings, facts.living)
            if step is None or not self._may(chat, step) or not await self._take_step(step, facts.me):
                return
            facts = await self._look()

    async def _has_topics(self, chat: ChatId) -> bool:
        """Whether a topic can be had in a chat; what was known before counts while it cannot be found out."""
        found: bool | None = False
        if await self._store.closed_chats.reason(chat) is None:
            found = await self._chat.has_topics(chat)
        if found:
            self._with_topics.add(chat)
        elif found is False:
            self._with_topics.discard(chat)
        return chat in self._with_topics

    async def _take_step(self, step: Step, me: Member) -> bool:
        """Carry out one step; False when nothing more can be done about that chat for now."""
        routes = self._store.routes
        match step:
            case AwaitRelease():
                return False
            case Take(chat=chat, project=project):
                return await routes.take_topic(chat, project, me.session) is not None  # or another was faster
            case GiveBack(topic=topic):
                await routes.bind(replace(topic, session=None))
                return True
            case Open():
                return await self._open(step, me)
            case Reopen(topic=topic):
                outcome = await self._chat.reopen_topic(topic.chat, topic.thread)
                return await self._changed(step, outcome, replace(topic, is_open=True))
            case Rename(topic=topic, name=name):
                self._hold(topic.chat, step, self._rules.rename_every_s)
                outcome = await self._chat.rename_topic(topic.chat, topic.thread, name)
                return await self._changed(step, outcome, replace(topic, name=name))

    async def _open(self, step: Open, me: Member) -> bool:
        self._hold(step.chat, step, math.inf)  # whoever is interrupted does not know what became of it
        outcome = await self._chat.open_topic(step.chat, step.name)
        match outcome:
            case TopicOpened(thread=thread):
                self._hold(step.chat, step, self._rules.open_again_after_s)
                self._told.discard((step.chat, Open))
                await self._bind_opened(TopicBinding(step.chat, thread, me.project, me.session, step.name))
                return True
            case Uncertain(cause=cause):
                _log.warning("a topic may have been opened, nobody knows which; none is opened again: %s", cause)
                return False
            case Refused():
                self._hold(step.chat, step, self._rules.open_again_after_s)
                await self._refused(step.chat, step, outcome)
                return False

    async def _bind_opened(self, topic: TopicBinding) -> None:
        """Remember a topic that was opened; as long as the store does not take it, it is kept here."""
        self._unbound[topic.chat] = topic
        await self._store.routes.bind(topic)
        del self._unbound[topic.chat]

    async def _changed(self, step: Reopen | Rename, outcome: SendOutcome, changed: TopicBinding) -> bool:
        """Remember what became of a change; one that failed is tried again later."""
        chat = changed.chat
        match outcome:
            case Sent() | PartlySent():
                self._told.discard((chat, type(step)))
                await self._store.routes.bind(changed)
                return True
            case Refused(topic_gone=True):
                await self._store.routes.unbind(chat, changed.thread)
                return True
            case Uncertain(cause=cause):
                _log.warning("a topic may not have been changed: %s", cause)
            case Refused():
                await self._refused(chat, step, outcome)
        self._hold(chat, step, self._rules.try_again_after_s)
        return False

    async def _refused(self, chat: ChatId, step: Step, refusal: Refused) -> None:
        """Say once what kind of change a chat refuses; messages go to the general topic meanwhile."""
        if (chat, type(step)) not in self._told:
            self._told.add((chat, type(step)))
            _log.warning(
                "a chat does not let this session have its topic (%s): %s", type(step).__name__, refusal.cause
            )
        if refusal.closed:
            await self._store.closed_chats.close(chat, refusal.cause)

    def _may(self, chat: ChatId, step: Step) -> bool:
        return self._not_before_s.get((chat, type(step)), -math.inf) <= self._clock.monotonic()

    def _hold(self, chat: ChatId, step: Step, seconds: float) -> None:
        now_s = self._clock.monotonic()
        self._not_before_s = {one: at_s for one, at_s in self._not_before_s.items() if at_s > now_s}
        self._not_before_s[chat, type(step)] = now_s + seconds


def _chats(state: AccessState, about: About) -> Iterator[ChatId]:
    """Every group of the book, and the private chat of everybody to whom this session is open."""
    yield from state.groups
    for sender in state.senders:
        if may_reach(state, sender, about.label, about.project, about.branch):
            yield private_chat(sender)


def _start(record: SessionRecord) -> tuple[datetime, int]:
    return record.started_at, record.pid


def _is_listed(records: Sequence[SessionRecord], process: SessionRecord) -> bool:
    return any((one.session, one.pid) == (process.session, process.pid) for one in records)
