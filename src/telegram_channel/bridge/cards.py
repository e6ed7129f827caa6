"""Every copy of a permission card, from the moment it is sent until it shows what became of the prompt.

Cards go to all approvers at once, and each is closed by itself: a slow chat delays nobody else's card. A
copy that arrives after the decision is closed as it arrives.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from telegram_channel.core import notices
from telegram_channel.core.access import Sender, approvers
from telegram_channel.core.cards import CardText, card, outcome
from telegram_channel.core.ids import ChatId, MessageId, PromptId, SessionId, private_chat
from telegram_channel.core.outgoing import (
    Button,
    ButtonRows,
    OutMessage,
    PartlySent,
    Refused,
    Sent,
    Uncertain,
)
from telegram_channel.core.permission import Behavior, Card, Prompt, button_data
from telegram_channel.core.text import Plain
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

_TRY_AGAIN_AFTER_S = (30.0, 120.0, 600.0, 3600.0)
"""A card that could not be sent or closed is tried again this often, then left alone."""


@dataclass(slots=True)
class _Attempts:
    """How often something was tried, and when it may be tried next (monotonic seconds)."""

    made: int = 0
    next_at_s: float = 0.0


class Cards:
    """Sends and closes the cards of prompts."""

    def __init__(self, store: Store, chat: Chat, clock: Clock, session: SessionId | None, project: str) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._session = session
        self._project = project
        self._started_at = clock.now()
        self.orphans: dict[PromptId, float] = {}
        """Prompts of sessions that are gone, and since when they are ours (monotonic seconds)."""
        self._sending: set[PromptId] = set()
        self._sent: set[PromptId] = set()
        self._closing: set[PromptId] = set()
        self._locks: WeakValueDictionary[Card, asyncio.Lock] = WeakValueDictionary()
        """One edit of a copy at a time; a lock lives as long as somebody holds or waits for it."""
        self._done: dict[PromptId, set[Card]] = {}
        """Copies that show the outcome. Kept, so that a copy that comes late does not close the others again."""
        self._attempts: dict[PromptId | Card, _Attempts] = {}

    async def send(self, prompt: Prompt) -> None:
        """Send a card to everybody who may answer. What may have arrived anywhere is not sent again."""
        if prompt.prompt in self._sending | self._sent or not self._may_try(prompt.prompt):
            return
        self._sending.add(prompt.prompt)
        try:
            await self._send_all(prompt)
        finally:
            self._sending.discard(prompt.prompt)

    async def _send_all(self, prompt: Prompt) -> None:
        people = approvers(await self._store.access.read())
        if not people:
            _log.warning("nobody may answer the permission prompt %s; only the terminal can", prompt.prompt)
        text = card(prompt.request, self._project)
        arrived = await asyncio.gather(*(self._send_one(prompt, text, person) for person in people))
        self._count(prompt.prompt, done=any(arrived))
        if any(arrived):
            self._sent.add(prompt.prompt)

    async def _send_one(self, prompt: Prompt, text: CardText, person: Sender) -> bool:
        """Send one copy and remember it; False when it certainly did not arrive."""
        chat = private_chat(person.sender)
        arrived = False
        try:
            if await self._store.closed_chats.reason(chat) is not None:
                return False
            refs = await self._deliver(OutMessage(chat, text.body, buttons=_buttons(prompt.prompt), urgent=True))
            arrived = refs is not None
            if refs:
                await self._after_arrival(prompt.prompt, Card(chat, refs[-1]), text)
        except Exception:  # one approver's trouble must not keep the card from the others
            _log.exception("a permission card could not be sent or remembered")
        return arrived

    async def _after_arrival(self, prompt_id: PromptId, copy: Card, text: CardText) -> None:
        """Remember a copy and send what belongs to it, or close it where somebody was faster."""
        await self._store.prompts.add_cards(prompt_id, (copy,))
        prompt = await self._store.prompts.get(prompt_id)
        if prompt and not prompt.is_open:
            await self.close_one(prompt, copy)
        elif text.attachment:
            whole = OutMessage(copy.chat, Plain(""), reply_to=copy.message, files=(text.attachment,), urgent=True)
            if not await self._deliver(whole):  # the card speaks of it: nobody may decide without knowing
                await self._deliver(
                    OutMessage(copy.chat, notices.request_file_missing(), reply_to=copy.message, urgent=True)
                )

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
        finally:
            self._closing.discard(prompt.prompt)

    async def close_one(self, prompt: Prompt, copy: Card) -> None:
        """Make one copy show the outcome, unless it does, or it is too early to try again."""
        async with self._locks.setdefault(copy, asyncio.Lock()):
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
        match await self._chat.edit(copy.chat, copy.message, outcome(prompt, project, restarted=restarted)):
            case Sent() | PartlySent():
                return True
            case Refused(closed=True):
                return True  # nobody can press it there, and nobody can mend it
            case Refused(cause=cause) | Uncertain(cause=cause):
                _log.warning("a permission card still shows its buttons: %s", cause)
                return False

    async def _project_of(self, prompt: Prompt) -> str:
        """The name of the project whose session asked, as far as it is known."""
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


def _buttons(prompt: PromptId) -> ButtonRows:
    return (
        (
            Button("✓ Allow", button_data(Behavior.ALLOW, prompt)),
            Button("✗ Deny", button_data(Behavior.DENY, prompt)),
        ),
    )
