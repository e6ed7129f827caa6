"""Every copy of a permission card, from the moment it is sent until it shows what became of the prompt.

Cards go to all approvers of the session that asks, at once, and each is closed by itself: a slow chat delays
nobody else's card. A copy that arrives after the decision is closed as it arrives. A copy that was sent before
the client's hook had told the whole input is edited once it has.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from telegram_channel.bridge.askers import Askers
from telegram_channel.bridge.before import ReadBefore
from telegram_channel.bridge.roster import About
from telegram_channel.bridge.waiting_hooks import within
from telegram_channel.core import notices
from telegram_channel.core.access import Sender, approvers_of
from telegram_channel.core.cards import CardText, card, card_buttons, outcome, path_of
from telegram_channel.core.ids import ChatId, MessageId, PromptId, SessionId, private_chat
from telegram_channel.core.outgoing import (
    OutMessage,
    PartlySent,
    Refused,
    Sent,
    Uncertain,
)
from telegram_channel.core.permission import Card, Prompt
from telegram_channel.core.text import Plain
from telegram_channel.core.topics import ThreadFor, in_general
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

_TRY_AGAIN_AFTER_S = (30.0, 120.0, 600.0, 3600.0)
"""A card that could not be sent or closed is tried again this often, then left alone."""
_READS_AT_MOST_S = 1.0
"""A file system that hangs must not keep a card back."""


CallBy = Callable[[SessionId], Awaitable[str]]
"""What people call a session, empty when nobody knows."""


@dataclass(slots=True)
class _Attempts:
    """How often something was tried, and when it may be tried next (monotonic seconds)."""

    made: int = 0
    next_at_s: float = 0.0


class Cards:
    """Sends and closes the cards of prompts."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        session: SessionId | None,
        project: str,
        askers: Askers,
        read_before: ReadBefore | None = None,
        label_of: CallBy | None = None,
        thread_for: ThreadFor = in_general,
    ) -> None:
        """`label_of`: what tells a session from others; without it, `project` and the names in the list do.

        `thread_for`: this session's topic of a chat.
        """
        self._store = store
        self._chat = chat
        self._clock = clock
        self._session = session
        self._project = project
        self._askers = askers
        self._read_before = read_before
        self._label_of = label_of
        self._thread_for = thread_for
        self._started_at = clock.now()
        self.orphans: dict[PromptId, float] = {}
        """Prompts of sessions that are gone, and since when they are ours (monotonic seconds)."""
        self.plain_only: set[PromptId] = set()
        """Prompts of whose verdict Claude Code took the plain yes or no and nothing else."""
        self._before: dict[PromptId, str | None] = {}
        """What the file said when its card was written: a closed card shows the same change."""
        self._improved: dict[PromptId, set[Card]] = {}
        """Copies that show what the hook told."""
        self._sending: set[PromptId] = set()
        self._sent: set[PromptId] = set()
        self._closing: set[PromptId] = set()
        self._locks: WeakValueDictionary[Card, asyncio.Lock] = WeakValueDictionary()
        """One edit of a copy at a time; a lock lives as long as somebody holds or waits for it."""
        self._done: dict[PromptId, set[Card]] = {}
        """Copies that show the outcome. Kept, so that a copy that comes late does not close the others again."""
        self._attempts: dict[PromptId | Card, _Attempts] = {}

    async def asker_of(self, prompt: Prompt) -> About:
        """The session that asked, as far as it is known for certain: what says who may answer."""
        return await self._askers.of(prompt, adopted=prompt.prompt in self.orphans)

    async def send(self, prompt: Prompt) -> None:
        """Send a card to everybody who may answer. What may have arrived anywhere is not sent again."""
        if prompt.prompt in self._sending | self._sent or not self._may_try(prompt.prompt):
            return
        self._sending.add(prompt.prompt)
        try:
            now = await self._store.prompts.get(prompt.prompt)
            if now and now.is_open:
                await self._send_all(now)
        finally:
            self._sending.discard(prompt.prompt)

    async def _send_all(self, prompt: Prompt) -> None:
        asker = await self.asker_of(prompt)
        people = approvers_of(await self._store.access.read(), asker.label, asker.project, asker.branch)
        if not people:
            _log.warning("nobody may answer the permission prompt %s; only the terminal can", prompt.prompt)
            self._count(prompt.prompt, done=False)
            return
        text = await self._compose(prompt)
        arrived = await asyncio.gather(*(self._send_one(prompt, text, person) for person in people))
        self._count(prompt.prompt, done=any(arrived))
        if any(arrived):
            self._sent.add(prompt.prompt)

    async def _compose(self, prompt: Prompt) -> CardText:
        before = await self._before_of(prompt)
        return card(prompt.request, await self._project_of(prompt), prompt.details, before)

    async def _before_of(self, prompt: Prompt) -> str | None:
        """What the file that would be changed says now, or said when the card was first written."""
        path = path_of(prompt.request, prompt.details)
        if path is None or self._read_before is None:
            return None
        if prompt.prompt not in self._before:
            reading = asyncio.to_thread(self._read_before, path)
            self._before[prompt.prompt] = await within(self._clock, _READS_AT_MOST_S, reading)
        return self._before[prompt.prompt]

    async def _send_one(self, prompt: Prompt, text: CardText, person: Sender) -> bool:
        """Send one copy and remember it; False when it certainly did not arrive."""
        chat = private_chat(person.sender)
        arrived = False
        try:
            if await self._store.closed_chats.reason(chat) is not None:
                return False
            asking = OutMessage(chat, text.body, self._thread_for(chat), buttons=card_buttons(prompt), urgent=True)
            refs = await self._deliver(asking)
            arrived = refs is not None
            if refs:
                await self._after_arrival(prompt, Card(chat, refs[-1]), text)
        except Exception:  # one approver's trouble must not keep the card from the others
            _log.exception("a permission card could not be sent or remembered")
        return arrived

    async def _after_arrival(self, sent: Prompt, copy: Card, text: CardText) -> None:
        """Remember a copy and send what belongs to it, or bring it up to date where something was faster."""
        if sent.details:
            self._improved.setdefault(sent.prompt, set()).add(copy)
        await self._store.prompts.add_cards(sent.prompt, (copy,))
        prompt = await self._store.prompts.get(sent.prompt)
        if prompt and not prompt.is_open:
            await self.close_one(prompt, copy)
        elif prompt and prompt.details and not sent.details:
            await self._improve_one(prompt, copy, await self._compose(prompt))
        else:
            await self._attach(copy, text)

    async def _attach(self, copy: Card, text: CardText) -> None:
        """Send the file that a card speaks of."""
        if text.attachment is None:
            return
        whole = OutMessage(copy.chat, Plain(""), reply_to=copy.message, files=(text.attachment,), urgent=True)
        if not await self._deliver(whole):  # the card speaks of it: nobody may decide without knowing
            await self._deliver(
                OutMessage(copy.chat, notices.request_file_missing(), reply_to=copy.message, urgent=True)
            )

    async def improve(self, prompt: Prompt) -> None:
        """Make every copy that was sent already show what the hook told, with its further choices."""
        if prompt.cards:
            text = await self._compose(prompt)
            await asyncio.gather(*(self._improve_one(prompt, copy, text) for copy in prompt.cards))

    async def _improve_one(self, prompt: Prompt, copy: Card, text: CardText) -> None:
        async with self._lock(copy):
            improved = self._improved.setdefault(prompt.prompt, set())
            now = await self._store.prompts.get(prompt.prompt)
            if copy in improved or now is None or not now.is_open:
                return
            outcome = await self._chat.edit(copy.chat, copy.message, text.body, card_buttons(prompt))
            if isinstance(outcome, Refused | Uncertain):  # it still shows the preview, and can be answered
                _log.warning("a permission card does not show the whole input: %s", outcome.cause)
                return
            improved.add(copy)
        await self._attach(copy, text)

    def _lock(self, copy: Card) -> asyncio.Lock:
        return self._locks.setdefault(copy, asyncio.Lock())

    async def _deliver(self, message: OutMessage) -> Sequence[MessageId] | None:
        """What arrived of a message; nothing known, but perhaps something, is empty; certainly nothing is None."""
        match await self._chat.send(message):
            case Sent(refs=refs) | PartlySent(refs=refs):
                return refs
            case Uncertain(cause=cause):
                _log.warning("a permission card may not have arrived: %s", cause)
                return ()
            case Refused(cause=cause, closed=closed):
                _log.warning("a permission card was not sent: %s", cause)
                if closed:
                    await self._store.closed_chats.close(message.chat, cause)
                return None

    async def close(self, prompt: Prompt) -> None:
        """Make every copy show the outcome, and remember when all of them do."""
        if prompt.prompt in self._closing:
            return
        self._closing.add(prompt.prompt)
        try:
            await asyncio.gather(*(self.close_one(prompt, copy) for copy in prompt.cards))
            now = await self._store.prompts.get(prompt.prompt)
            if now and set(now.cards) <= self._done.get(prompt.prompt, set()):
                await self._store.prompts.mark_cleared(prompt.prompt)
                for kept in (self._before, self._improved):
                    kept.pop(prompt.prompt, None)
        finally:
            self._closing.discard(prompt.prompt)

    async def close_one(self, prompt: Prompt, copy: Card) -> None:
        """Make one copy show the outcome, unless it does, or it is too early to try again."""
        async with self._lock(copy):
            done = self._done.setdefault(prompt.prompt, set())
            if copy in done or not self._may_try(copy):
                return
            arrived = await self._edit(prompt, copy)
            self._count(copy, done=arrived)
            if arrived or self._given_up(copy):
                done.add(copy)

    async def _edit(self, prompt: Prompt, copy: Card) -> bool:
        """Replace a copy by the outcome; False when it may still show its buttons."""
        restarted = prompt.prompt in self.orphans or (
            prompt.session == self._session and prompt.asked_at < self._started_at
        )
        # Whose project a prompt from before a restart was about is not known for certain any more.
        project = "" if restarted else await self._project_of(prompt)
        # What the file says now may be what was allowed: only what it said when the card was written counts.
        before = self._before.get(prompt.prompt)
        body = outcome(self._as_it_counted(prompt), project, restarted=restarted, before=before)
        match await self._chat.edit(copy.chat, copy.message, body):
            case Sent() | PartlySent():
                return True
            case Refused(closed=True):
                return True  # nobody can press it there, and nobody can mend it
            case Refused(cause=cause) | Uncertain(cause=cause):
                _log.warning("a permission card still shows its buttons: %s", cause)
                return False

    def _as_it_counted(self, prompt: Prompt) -> Prompt:
        """The prompt with no more of its verdict than Claude Code took."""
        if prompt.verdict is None or prompt.prompt not in self.plain_only:
            return prompt
        return replace(prompt, verdict=replace(prompt.verdict, always=None, reason=""))

    async def _project_of(self, prompt: Prompt) -> str:
        """What people call the session that asked, as far as it is known."""
        if self._label_of is not None and (label := await self._label_of(prompt.session)):
            return label
        if prompt.session == self._session:
            return self._project
        records = await self._store.sessions.list()
        return next((record.name for record in records if record.session == prompt.session), "")

    async def strip(self, chat: ChatId, message: MessageId) -> None:
        """Take the buttons off a card whose prompt nobody knows any more."""
        await self._chat.edit(chat, message, None)

    def _may_try(self, what: PromptId | Card) -> bool:
        attempts = self._attempts.get(what)
        return attempts is None or (not self._given_up(what) and attempts.next_at_s <= self._clock.monotonic())

    def _given_up(self, what: PromptId | Card) -> bool:
        attempts = self._attempts.get(what)
        return attempts is not None and attempts.made > len(_TRY_AGAIN_AFTER_S)

    def _count(self, what: PromptId | Card, *, done: bool) -> None:
        if done:
            self._attempts.pop(what, None)
            return
        attempts = self._attempts.setdefault(what, _Attempts())
        attempts.made += 1
        if not self._given_up(what):
            attempts.next_at_s = self._clock.monotonic() + _TRY_AGAIN_AFTER_S[attempts.made - 1]
