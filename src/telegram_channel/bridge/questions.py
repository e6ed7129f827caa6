"""Where nobody can tell which session is meant, the bot asks once per chat or topic, with a button for each.

The question stands in the store, so that whoever polls next does not ask again. Its buttons follow the
sessions that come and go, and they go away when nothing waits for the answer any more.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

from telegram_channel.core.access import may_address
from telegram_channel.core.ids import ChatId, SessionId, ThreadId
from telegram_channel.core.inbox import InboxEntry
from telegram_channel.core.outgoing import OutMessage, PartlySent, Refused, Sent, Uncertain
from telegram_channel.core.routing import Member, Question
from telegram_channel.core.session_buttons import use_buttons
from telegram_channel.core.session_words import question, question_answered, question_settled, question_void
from telegram_channel.core.text import Styled
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

_AGAIN_AFTER_S = 60.0
"""After a question that was refused."""
_AGAIN_WHEN_UNCERTAIN_S = 600.0
"""After one that may have arrived: two of them would only confuse."""

Spot = tuple[ChatId, ThreadId | None]
"""A chat, or one topic of it: where a question stands."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in one spot for a person to choose."""

    entries: tuple[InboxEntry, ...]
    members: tuple[Member, ...]
    """The sessions that may be meant."""


class Questions:
    """Asks which session is meant, and puts every question away that is settled."""

    def __init__(self, store: Store, chat: Chat, clock: Clock) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._asking: dict[Spot, asyncio.Task[None]] = {}
        self._again_s: dict[Spot, float] = {}
        """Not before then."""
        self._shown: dict[Spot, tuple[Member, ...]] = {}
        self._edits: set[asyncio.Task[object]] = set()

    async def step(self, waiting: Mapping[Spot, Waiting], members: Sequence[Member]) -> None:
        """Ask where something waits and nothing was asked; `members` are all living sessions.

        Raises:
            StateError: nothing was asked for certain; the same step may be made again.
        """
        asking = set(self._asking)  # first: one that ends meanwhile may not be among those that stand
        standing = {(one.chat, one.thread): one for one in await self._store.routes.questions()}
        asking |= self._asking.keys()
        self._forget_all_but(standing.keys() | asking)
        for spot, found in waiting.items():
            if asked := standing.get(spot):
                self._refresh(spot, asked, found.members)
            elif spot not in asking and spot not in self._again_s:
                task = asyncio.create_task(self._ask(spot, found))
                self._asking[spot] = task
                task.add_done_callback(partial(self._asked, spot))
        for spot in standing.keys() - waiting.keys():
            await self.settle(spot, await self._outcome(spot[0], members))

    async def settle(self, spot: Spot, body: Styled | None) -> None:
        """End the question of a spot, if one stands, and let it say what came of it; None: nothing but its end.

        Raises:
            StateError: it may stand still.
        """
        ended = await self._store.routes.settle_question(*spot)
        self._shown.pop(spot, None)
        if ended is not None:
            self._post(self._chat.edit(ended.chat, ended.message, body))

    async def settle_chat(self, chat: ChatId, label: str) -> None:
        """End every question of a chat, because it has chosen. Raises `StateError`."""
        for one in await self._store.routes.questions():
            if one.chat == chat:
                await self.settle((one.chat, one.thread), question_answered(label))

    def cancel(self) -> None:
        """Ask nothing more."""
        for task in (*self._asking.values(), *self._edits):
            task.cancel()

    def _forget_all_but(self, spots: Set[Spot]) -> None:
        """Others put questions away as well, and who was refused is asked again or does not wait any more."""
        now_s = self._clock.monotonic()
        self._shown = {spot: members for spot, members in self._shown.items() if spot in spots}
        self._again_s = {spot: at_s for spot, at_s in self._again_s.items() if at_s > now_s}

    async def _outcome(self, chat: ChatId, members: Sequence[Member]) -> Styled | None:
        """Why nothing waits there any more."""
        if not members:
            return question_void()
        if len(members) == 1:
            return question_settled(members[0].label)
        chosen: SessionId | None = await self._store.routes.chosen(chat)
        label = next((one.label for one in members if one.session == chosen), None)
        return question_answered(label) if label else None

    def _refresh(self, spot: Spot, asked: Question, members: tuple[Member, ...]) -> None:
        if self._shown.get(spot) != members:
            self._shown[spot] = members
            self._post(self._chat.edit(asked.chat, asked.message, question(), use_buttons(members)))

    async def _ask(self, spot: Spot, found: Waiting) -> None:
        """Sent first, remembered after: a crash in between asks twice rather than never."""
        chat, thread = spot
        if not may_address(await self._store.access.read(), chat):
            return
        if await self._store.closed_chats.reason(chat) is not None:
            self._again_s[spot] = self._clock.monotonic() + _AGAIN_AFTER_S
            return
        first = found.entries[0]
        asked = OutMessage(chat, question(), thread, reply_to=first.message, buttons=use_buttons(found.members))
        outcome = await self._chat.send(asked)
        if isinstance(outcome, Refused) and outcome.topic_gone:
            outcome = await self._chat.send(OutMessage(chat, question(), buttons=use_buttons(found.members)))
        match outcome:
            case Sent(refs=refs) | PartlySent(refs=refs) if refs:
                self._shown[spot] = found.members
                if not await self._store.routes.ask(Question(chat, thread, refs[-1], self._clock.now())):
                    await self._chat.edit(chat, refs[-1], None)  # another process was quicker
            case Refused(cause=cause, closed=closed):
                _log.warning("a chat could not be asked which session is meant: %s", cause)
                self._again_s[spot] = self._clock.monotonic() + _AGAIN_AFTER_S
                if closed:
                    await self._store.closed_chats.close(chat, cause)
            case Sent() | PartlySent() | Uncertain():
                self._again_s[spot] = self._clock.monotonic() + _AGAIN_WHEN_UNCERTAIN_S

    def _asked(self, spot: Spot, task: asyncio.Task[None]) -> None:
        self._asking.pop(spot, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._again_s[spot] = self._clock.monotonic() + _AGAIN_AFTER_S
            _log.warning("a chat could not be asked which session is meant: %s", error)

    def _post(self, edit: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(edit)
        self._edits.add(task)
        task.add_done_callback(self._edits.discard)
