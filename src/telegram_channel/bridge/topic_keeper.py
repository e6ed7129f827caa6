"""Closes the topics of sessions that have ended, so that the next session of the same project takes them over.

A session that ends has no time for it, so this runs in the process that polls. A topic for which a session
of the project waits already stays open. One that nobody can inherit is closed and forgotten.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from telegram_channel.bridge.roster import Roster
from telegram_channel.bridge.side_by_side import SideBySide
from telegram_channel.core.access import may_address
from telegram_channel.core.ids import ChatId
from telegram_channel.core.outgoing import PartlySent, Refused, Sent, Uncertain
from telegram_channel.core.routing import TopicBinding
from telegram_channel.core.topics import TidyingPlan, TopicKey, key_of, left_since, tidying
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""Nobody tells that a process was killed."""
PAUSE_S = 1.0
"""Changes of the store that come so close together are one to this flow."""
TRY_AGAIN_AFTER_S = 60.0
"""After a closing of which nobody knows what became."""


class TopicKeeper:
    """Tidies up after sessions that have ended."""

    def __init__(
        self, store: Store, chat: Chat, clock: Clock, roster: Roster, *, orphaned_after_s: float = 10
    ) -> None:
        """`orphaned_after_s`: how long a session may be gone before its topics are; a restart is quicker."""
        self._store = store
        self._chat = chat
        self._clock = clock
        self._roster = roster
        self._orphaned_after_s = orphaned_after_s
        self._closing = SideBySide("a topic could not be closed")
        self._left_since: Mapping[TopicKey, float] = {}
        self._not_before_s: dict[TopicKey, float] = {}

    async def run(self) -> None:
        """Look after topics until cancelled."""
        seen = -1
        try:
            while True:
                plan = await self._plan()
                for topic in plan.hand_over:
                    await self._store.routes.bind(replace(topic, session=None))
                for topic in plan.close:
                    if key_of(topic) not in self._not_before_s:
                        self._closing.start(key_of(topic), partial(self._close, topic))
                soon_s = LOOK_EVERY_S if plan.look_again_in_s is None else min(LOOK_EVERY_S, plan.look_again_in_s)
                seen = await self._store.wait_for_change(seen, soon_s)
                await self._clock.sleep(PAUSE_S)
        finally:
            self._closing.cancel()

    async def _plan(self) -> TidyingPlan:
        bindings = await self._store.routes.bindings()
        if not bindings:
            return TidyingPlan()
        members, now_s = await self._roster.members(), self._clock.monotonic()
        self._not_before_s = {key: at_s for key, at_s in self._not_before_s.items() if at_s > now_s}
        living = frozenset(one.session for one in members)
        self._left_since = left_since(self._left_since, bindings, living, now_s)
        return tidying(bindings, members, now_s, self._left_since, self._orphaned_after_s)

    async def _close(self, topic: TopicBinding) -> None:
        """Close a topic, unless it has found somebody; where that cannot be done it is free all the same."""
        if not await self._is_left(topic):
            return
        if await self._may_write(topic.chat):
            match await self._chat.close_topic(topic.chat, topic.thread):
                case Sent() | PartlySent():
                    pass
                case Uncertain(cause=cause):
                    _log.warning("a topic may not be closed: %s", cause)
                    self._not_before_s[key_of(topic)] = self._clock.monotonic() + TRY_AGAIN_AFTER_S
                    return
                case Refused(topic_gone=True):
                    await self._store.routes.unbind(topic.chat, topic.thread)
                    return
                case Refused(cause=cause, closed=closed):
                    _log.info("the topic of a session that has ended stays open: %s", cause)
                    if closed:
                        await self._store.closed_chats.close(topic.chat, cause)
            if not await self._is_left(topic):  # somebody came back, or took it, while it was being closed
                await self._chat.reopen_topic(topic.chat, topic.thread)
                return
        await self._free(topic)

    async def _free(self, topic: TopicBinding) -> None:
        self._not_before_s.pop(key_of(topic), None)
        if topic.project:
            await self._store.routes.bind(replace(topic, is_open=False, session=None))
        else:
            await self._store.routes.unbind(topic.chat, topic.thread)

    async def _is_left(self, topic: TopicBinding) -> bool:
        """Whether it is still as it was, and no living session has it."""
        if topic not in await self._store.routes.bindings():
            return False
        return all(one.session != topic.session for one in await self._roster.members())

    async def _may_write(self, chat: ChatId) -> bool:
        if await self._store.closed_chats.reason(chat) is not None:
            return False
        return may_address(await self._store.access.read(), chat)
