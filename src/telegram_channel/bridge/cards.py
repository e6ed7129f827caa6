"""Every copy of a permission card, from the moment it is sent until it shows what became of the prompt.

Cards go to all approvers of the session that asks, at once, and each is closed by itself: a slow chat delays
nobody else's card. Where it is uncertain whether a copy arrived, another is sent, twice at most, which says so:
nobody answers what nobody has seen. A copy that arrives after the decision is closed as it arrives. A copy that
was sent before the client's hook had told the whole input is edited once it has.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from telegram_channel.bridge.askers import Askers
from telegram_channel.bridge.before import ReadBefore
from telegram_channel.bridge.card_memory import Attempts, CardMemories
from telegram_channel.bridge.roster import About
from telegram_channel.bridge.waiting_hooks import within
from telegram_channel.core import notices
from telegram_channel.core.access import approvers_of
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

SENT_AGAIN_AFTER_S = (5.0, 60.0)
"""How long after a copy that may not have arrived another is sent, and after that one the last."""
_READS_AT_MOST_S = 1.0
"""A file system that hangs must not keep a card back."""


CallBy = Callable[[SessionId], Awaitable[str]]
"""What people call a session, empty when nobody knows."""


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
        self._memories = CardMemories()
        self._closing: set[PromptId] = set()
        self._locks: WeakValueDictionary[Card, asyncio.Lock] = WeakValueDictionary()
        """One edit of a copy at a time; a lock lives as long as somebody holds or waits for it."""

    async def asker_of(self, prompt: Prompt) -> About:
        """The session that asked, as far as it is known for certain: what says who may answer."""
        return await self._askers.of(prompt)

    def needs_sending(self, prompt: Prompt) -> bool:
        """Whether somebody may have no copy of an open prompt's card, and it is time to try."""
        memory, now_s = self._memories.find(prompt.prompt), self._clock.monotonic()
        if memory is None:
            return True  # an earlier process may have ended before it had sent them all
        if memory.unasked.failed:
            return memory.unasked.may_try(now_s)
        waiting = memory.sending.keys() - memory.served - memory.under_way
        return any(memory.sending[chat].may_try(now_s) for chat in waiting)

    async def send(self, prompt: Prompt) -> None:
        """Send a card to everybody who may answer and is not known to have one, as far as it is time to try."""
        now = await self._store.prompts.get(prompt.prompt)
        if now is None or not now.is_open:
            return
        people = await self._people(now)
        memory, now_s = self._memories.of(now.prompt), self._clock.monotonic()
        if not people:
            if memory.unasked.may_try(now_s):
                _log.warning("nobody may answer the permission prompt %s; only the terminal can", now.prompt)
                memory.unasked.note_failure(now_s)
            return
        memory.unasked = Attempts()
        memory.served |= {copy.chat for copy in now.cards}
        waiting = [chat for chat in people if chat not in memory.served]
        memory.sending = {chat: memory.sending.get(chat, Attempts()) for chat in waiting}
        if now.asked_at < self._started_at:  # what an earlier process sent may not have been remembered
            memory.doubts = dict.fromkeys(waiting, 0) | memory.doubts
        chats = [one for one in waiting if one not in memory.under_way and memory.sending[one].may_try(now_s)]
        memory.under_way |= set(chats)
        try:
            kinds = {chat in memory.doubts for chat in chats}
            texts = {again: await self._compose(now, again=again) for again in kinds}
        except BaseException:
            memory.under_way -= set(chats)
            raise
        await asyncio.gather(*(self._send_to(now, chat, texts[chat in memory.doubts]) for chat in chats))

    async def _people(self, prompt: Prompt) -> list[ChatId]:
        """The private chats of everybody who may answer."""
        asker = await self.asker_of(prompt)
        people = approvers_of(await self._store.access.read(), asker.label, asker.project, asker.branch)
        return [private_chat(person.sender) for person in people]

    async def _send_to(self, prompt: Prompt, chat: ChatId, text: CardText) -> None:
        """Send one person's copy, and whatever has to follow."""
        memory = self._memories.of(prompt.prompt)
        try:
            await self._send_until_certain(prompt, chat, text)
        except Exception:  # one approver's trouble must not keep the card from the others
            _log.exception("a permission card could not be sent or remembered")
            if chat not in memory.served:
                memory.note_refusal(chat, self._clock.monotonic())
        finally:
            memory.under_way.discard(chat)

    async def _send_until_certain(self, prompt: Prompt, chat: ChatId, text: CardText) -> None:
        """Send a copy; one that may not have arrived again after a while, as long as it is wanted."""
        memory = self._memories.of(prompt.prompt)
        wanted: Prompt | None = prompt
        while wanted and not await self._send_one(wanted, chat, text):
            sent = memory.doubts[chat] = memory.doubts.get(chat, 0) + 1
            if sent > len(SENT_AGAIN_AFTER_S):
                _log.warning("a permission card may not have arrived, although it was sent %d times", sent)
                memory.served.add(chat)
                return
            await self._clock.sleep(SENT_AGAIN_AFTER_S[sent - 1])
            wanted = await self._still_wanted(prompt.prompt, chat)
            if wanted:
                text = await self._compose(wanted, again=True)

    async def _still_wanted(self, prompt: PromptId, chat: ChatId) -> Prompt | None:
        """The prompt, if it is open, and this person may answer it and is not known to have a copy."""
        now = await self._store.prompts.get(prompt)
        if now is None or not now.is_open or any(copy.chat == chat for copy in now.cards):
            return None
        return now if chat in await self._people(now) else None

    async def _compose(self, prompt: Prompt, *, again: bool) -> CardText:
        before = await self._before_of(prompt)
        return card(prompt.request, await self._project_of(prompt), prompt.details, before, again=again)

    async def _before_of(self, prompt: Prompt) -> str | None:
        """What the file that would be changed says now, or said when the card was first written."""
        path = path_of(prompt.request, prompt.details)
        if path is None or self._read_before is None:
            return None
        memory = self._memories.of(prompt.prompt)
        if not memory.has_read:
            said = await within(self._clock, _READS_AT_MOST_S, asyncio.to_thread(self._read_before, path))
            if not memory.has_read:  # somebody else may have been quicker, and their card is written already
                memory.before, memory.has_read = said, True
        return memory.before

    async def _send_one(self, prompt: Prompt, chat: ChatId, text: CardText) -> bool:
        """Send one copy and remember it; False when nobody knows whether it arrived."""
        memory = self._memories.of(prompt.prompt)
        refs: Sequence[MessageId] | None = None
        if await self._store.closed_chats.reason(chat) is None:
            asking = OutMessage(chat, text.body, self._thread_for(chat), buttons=card_buttons(prompt), urgent=True)
            refs = await self._deliver(asking)
        if refs is None:
            memory.note_refusal(chat, self._clock.monotonic())
            return True
        if refs:
            memory.served.add(chat)
            copy = Card(chat, refs[-1])
            if chat in memory.doubts:
                memory.again.add(copy)
            await self._after_arrival(prompt, copy, text)
        return bool(refs)

    async def _after_arrival(self, sent: Prompt, copy: Card, text: CardText) -> None:
        """Remember a copy and send what belongs to it, or bring it up to date where something was faster."""
        if sent.details:
            self._memories.of(sent.prompt).improved.add(copy)
        await self._store.prompts.add_cards(sent.prompt, (copy,))
        prompt = await self._store.prompts.get(sent.prompt)
        if prompt and not prompt.is_open:
            await self.close_one(prompt, copy)
        elif prompt and prompt.details and not sent.details:
            await self._improve_one(prompt, copy)
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
        await asyncio.gather(*(self._improve_one(prompt, copy) for copy in prompt.cards))

    async def _improve_one(self, prompt: Prompt, copy: Card) -> None:
        memory = self._memories.of(prompt.prompt)
        text = await self._compose(prompt, again=copy in memory.again)
        async with self._lock(copy):
            now = await self._store.prompts.get(prompt.prompt)
            if copy in memory.improved or now is None or not now.is_open:
                return
            outcome = await self._chat.edit(copy.chat, copy.message, text.body, card_buttons(prompt))
            if isinstance(outcome, Refused | Uncertain):  # it still shows the preview, and can be answered
                _log.warning("a permission card does not show the whole input: %s", outcome.cause)
                return
            memory.improved.add(copy)
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
            await self._close(prompt, prompt.cards)
        finally:
            self._closing.discard(prompt.prompt)

    async def close_one(self, prompt: Prompt, copy: Card) -> None:
        """Make one copy show the outcome, and remember when all of them do."""
        await self._close(prompt, (copy,))

    async def _close(self, prompt: Prompt, copies: Collection[Card]) -> None:
        memory = self._memories.of(prompt.prompt)
        memory.closings += 1
        try:
            await asyncio.gather(*(self._close_copy(prompt, copy) for copy in copies))
            now = await self._store.prompts.get(prompt.prompt)
            if now and not now.cards_closed and set(now.cards) <= memory.done:
                await self._store.prompts.mark_cleared(prompt.prompt)
        finally:
            memory.closings -= 1

    async def _close_copy(self, prompt: Prompt, copy: Card) -> None:
        """Make one copy show the outcome, unless it does, or it is too early to try again."""
        memory = self._memories.of(prompt.prompt)
        async with self._lock(copy):
            attempts = memory.closing.setdefault(copy, Attempts())
            if copy in memory.done or not attempts.may_try(self._clock.monotonic()):
                return
            arrived = await self._edit(prompt, copy)
            if not arrived:
                attempts.note_failure(self._clock.monotonic())
            if arrived or attempts.given_up:
                memory.done.add(copy)

    def knows_more(self, prompt: PromptId) -> bool:
        """Whether this process shows more on a closed card than another could: what the file said before."""
        memory = self._memories.find(prompt)
        return memory is not None and memory.before is not None

    def note_plain_only(self, prompt: PromptId) -> bool:
        """Claude Code took no more of the verdict than yes or no; False when that was known."""
        memory = self._memories.of(prompt)
        was_known, memory.plain_only = memory.plain_only, True
        return not was_known

    def remembered(self) -> frozenset[PromptId]:
        """The prompts of which something is remembered."""
        return self._memories.prompts()

    def forget(self, prompts: Collection[PromptId]) -> None:
        """Let go of what is remembered of prompts that are over."""
        self._memories.forget(prompts)

    async def _edit(self, prompt: Prompt, copy: Card) -> bool:
        """Replace a copy by the outcome; False when it may still show its buttons."""
        # Once it was told while the process that asked was running, that one may end.
        restarted = not await self._askers.asks_still(prompt) and (
            prompt.session == self._session or not prompt.told_session
        )
        # Whose project a prompt from before a restart was about is not known for certain any more.
        project = "" if restarted else await self._project_of(prompt)
        memory = self._memories.of(prompt.prompt)
        # What the file says now may be what was allowed: only what it said when the card was written counts.
        shown = _without_extras(prompt) if memory.plain_only else prompt
        body = outcome(shown, project, restarted=restarted, before=memory.before)
        match await self._chat.edit(copy.chat, copy.message, body):
            case Sent() | PartlySent():
                return True
            case Refused(closed=True):
                return True  # nobody can press it there, and nobody can mend it
            case Refused(cause=cause) | Uncertain(cause=cause):
                _log.warning("a permission card still shows its buttons: %s", cause)
                return False

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


def _without_extras(prompt: Prompt) -> Prompt:
    """The prompt with the plain part of its verdict alone."""
    if prompt.verdict is None:
        return prompt
    return replace(prompt, verdict=replace(prompt.verdict, always=None, reason=""))
