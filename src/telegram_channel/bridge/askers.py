"""Whose a permission prompt is: the session that asked, as far as it is known for certain.

Cards go to the approvers of that session, and their answers count. A prompt whose session has ended, was
restarted since, or is not listed could be of any project: it is nobody's in particular, so only who approves
everywhere is sent its card and may allow it. Whoever holds a copy of its card may still deny it.
"""

from collections.abc import Callable
from datetime import datetime

from telegram_channel.bridge.roster import About
from telegram_channel.core.access import AccessState, may_approve, may_approve_for
from telegram_channel.core.ids import SessionId, private_chat
from telegram_channel.core.permission import Behavior, Prompt, Verdict
from telegram_channel.ports import SessionRecord, Store

NOBODY_KNOWN = About()
"""A session of which nothing is known: open to nobody who is limited."""


class Askers:
    """Knows the sessions that ask. This process's own is known even where it is not listed."""

    def __init__(
        self,
        store: Store,
        session: SessionId | None,
        project: str,
        started_at: datetime,
        is_alive: Callable[[SessionRecord], bool],
    ) -> None:
        self._store = store
        self._session = session
        self._project = project
        self._started_at = started_at
        self._is_alive = is_alive

    async def own(self) -> About:
        """This process's own session."""
        listed = [one for one in await self._store.sessions.list() if one.session == self._session]
        return _about(listed[-1]) if listed else About(self._project)

    async def of(self, prompt: Prompt) -> About:
        """The session that asked, if the process that asked for it still runs."""
        if prompt.session == self._session:
            # Where an earlier process of the session worked is not known.
            return NOBODY_KNOWN if prompt.asked_at < self._started_at else await self.own()
        living = await self._asking(prompt)
        return _about(living[-1]) if living else NOBODY_KNOWN

    async def asks_still(self, prompt: Prompt) -> bool:
        """Whether the process that asked still runs, so that an answer reaches whoever waits for it."""
        if prompt.session == self._session:
            return prompt.asked_at >= self._started_at
        return bool(await self._asking(prompt))

    async def _asking(self, prompt: Prompt) -> list[SessionRecord]:
        """The running processes that may have asked this."""
        return [
            one
            for one in await self._store.sessions.list()
            if one.session == prompt.session and one.started_at <= prompt.asked_at and self._is_alive(one)
        ]


def _about(record: SessionRecord) -> About:
    return About(record.name, record.project, record.branch)


def may_answer(state: AccessState, prompt: Prompt, verdict: Verdict, asker: About) -> bool:
    """Whether this person may give this answer to this prompt; being in time is another question.

    Who has a part in a prompt that is settled may ask for it again, and is told what became of it.
    """
    if may_approve_for(state, verdict.by, asker.label, asker.project, asker.branch):
        return True
    if not may_approve(state, verdict.by):
        return False
    holds_copy = has_copy(prompt, verdict)
    if not prompt.is_open:
        return holds_copy or (prompt.verdict is not None and prompt.verdict.by == verdict.by)
    return holds_copy and asker == NOBODY_KNOWN and verdict.behavior is Behavior.DENY


def has_copy(prompt: Prompt, verdict: Verdict) -> bool:
    """Whether whoever answers was sent a copy of the card."""
    chat = private_chat(verdict.by)
    return any(card.chat == chat for card in prompt.cards)
