"""From the chat into the store: decides about every update of a batch, then commits, and only then may
Telegram be told that it was received.

Each message is directed to its session in the commit that stores it, or to nobody, where nobody can tell yet
(see `dispatch`). The poll path touches storage only. Whatever must be sent is owed in the state (codes,
greetings) or posted to the courier, so that a slow chat holds up nobody. Every step may be repeated: a batch
that was not committed comes again.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from telegram_channel.bridge.approvals import Approvals
from telegram_channel.bridge.commands import Commands
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.destinations import Destinations, entry_of
from telegram_channel.bridge.dispatch import Dispatch
from telegram_channel.bridge.router import Look, Router
from telegram_channel.bridge.sessions import Readdressed, SessionCommands
from telegram_channel.core import notices, session_words
from telegram_channel.core.access import (
    AccessState,
    Admit,
    Challenge,
    Policy,
    Refuse,
    admit,
    is_addressed,
    may_address,
    may_approve,
    role_in,
    with_group_moved,
)
from telegram_channel.core.asking import is_question_data
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.commands import start_payload
from telegram_channel.core.ids import ChatId, SenderId, SessionId
from telegram_channel.core.inbox import InboxEntry, Intake, QuarantinedUpdate
from telegram_channel.core.messages import (
    Batch,
    ButtonPress,
    ChatKind,
    ChatMigration,
    Ignorable,
    Inbound,
    InboundMessage,
    MembershipChange,
    ReactionChange,
    Unreadable,
)
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.core.pairing import Acceptance, NoCode, Paired, redeem_invitation, request_pairing
from telegram_channel.core.permission import is_permission_data, parse_answer
from telegram_channel.core.routing import Barred, Directed, NobodyThere, Stranded, Undecided
from telegram_channel.core.session_buttons import parse_choice
from telegram_channel.errors import StateError
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

FRESH_S = 60.0
"""An answer counts only if it cannot be older than this: the queue was seen empty that recently."""

_BRIDGE = "bridge"
_MOST_BEGUN = 2_000
"""Stored messages that are looked at when this process begins to poll: the last of each person counts."""


@dataclass(slots=True)
class _Gathered:
    """What the updates of one batch come to."""

    fresh: bool
    now: datetime
    state: AccessState
    bot_username: str
    closed: frozenset[ChatId]
    """Chats that could not be written to when the batch came."""
    look: Look
    """What says whom these updates are for."""
    entries: list[InboxEntry] = field(default_factory=list)
    quarantined: list[QuarantinedUpdate] = field(default_factory=list)
    errands: list[Coroutine[Any, Any, object]] = field(default_factory=list)
    heard: set[ChatId] = field(default_factory=set)
    """Chats that somebody admitted wrote from: they can be written to."""


class Reception:
    """Takes batches from the poll loop."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        approvals: Approvals,
        commands: Commands,
        courier: Courier,
        clock: Clock,
        router: Router,
        dispatch: Dispatch,
        choices: SessionCommands,
    ) -> None:
        self._store = store
        self._chat = chat
        self._approvals = approvals
        self._commands = commands
        self._courier = courier
        self._clock = clock
        self._router = router
        self._dispatch = dispatch
        self._choices = choices
        self._drained_at: datetime | None = None
        self._batch: Batch | None = None
        """The batch that was taken last, and when it came."""
        self._arrived_at = clock.now()
        self._destinations = Destinations()

    async def resume(self) -> None:
        """Learn from whoever polled before when the platform's queue was empty, and what people had begun to say."""
        report, stored, emitted = await asyncio.gather(
            self._store.health.latest(), self._store.inbox.due(_MOST_BEGUN), self._store.inbox.unproven()
        )
        self._drained_at = report.last_drained_at if report else None
        self._destinations.learn((*stored, *emitted))

    @property
    def drained_at(self) -> datetime | None:
        """When the platform last had nothing more for us."""
        return self._drained_at

    async def take(self, batch: Batch) -> None:
        """Decide about every update that is new, and commit.

        Raises:
            StateError: nothing may be confirmed; the same batch may be taken again.
        """
        now = self._clock.now()
        if batch is not self._batch:  # one that could not be stored comes again, perhaps hours later
            self._batch, self._arrived_at = batch, now
        # Together: each question alone would be one more wait for the store, before every message.
        unseen_ids, state, bot, closed, look = await asyncio.gather(
            self._store.inbox.unseen([update.update for update in batch.updates]),
            self._store.access.read(),
            self._chat.identity(),
            self._closed(batch),
            self._router.look(batch.updates),
        )
        unseen = set(unseen_ids)
        gathered = _Gathered(self._is_fresh(now), now, state, bot.username, closed, look)
        try:
            for update in batch.updates:
                if update.update in unseen:
                    unseen.discard(update.update)
                    await self._treat_alone(update, gathered)
            await self._commit(batch, gathered)
        except BaseException:
            for errand in gathered.errands:  # whatever is to be said is said once, when it is stored
                errand.close()
            raise
        for errand in gathered.errands:
            self._courier.post(errand)
        if batch.drained:
            self._drained_at = min(batch.drained_at or self._arrived_at, self._arrived_at)

    async def _closed(self, batch: Batch) -> frozenset[ChatId]:
        chats = tuple({update.place.chat for update in batch.updates if isinstance(update, InboundMessage)})
        reasons = await asyncio.gather(*(self._store.closed_chats.reason(chat) for chat in chats))
        return frozenset(chat for chat, reason in zip(chats, reasons, strict=True) if reason is not None)

    def _is_fresh(self, now: datetime) -> bool:
        """Whether what comes now cannot be old. A clock that was set back proves nothing."""
        age = None if self._drained_at is None else now - self._drained_at
        return age is not None and timedelta(0) <= age <= timedelta(seconds=FRESH_S)

    async def _commit(self, batch: Batch, gathered: _Gathered) -> None:
        for chat in gathered.heard & gathered.closed:
            await self._store.closed_chats.reopen(chat)
        gathered.entries = await self._dispatch.let_pass(gathered.entries, gathered.look, gathered.state)
        if batch.updates:
            seen = tuple(update.update for update in batch.updates)
            await self._store.inbox.ingest(
                Intake(tuple(gathered.entries), tuple(gathered.quarantined), seen), batch.cursor
            )
            self._dispatch.stored(gathered.entries)

    async def _treat_alone(self, update: Inbound, gathered: _Gathered) -> None:
        """One update; whatever is wrong with it concerns nobody else."""
        try:
            await self._treat(update, gathered)
        except StateError:
            raise
        except Exception as error:  # kept and reported instead: it must not block what comes after it
            _log.exception("an update could not be treated")
            gathered.quarantined.append(
                QuarantinedUpdate(update.update, f"{type(error).__name__} while treating it", gathered.now, "")
            )

    async def _treat(self, update: Inbound, gathered: _Gathered) -> None:
        match update:
            case InboundMessage():
                await self._message(update, gathered)
            case ButtonPress():
                await self._press(update, gathered)
            case ReactionChange():
                if update.added and update.place.chat_kind is ChatKind.PRIVATE:
                    self._reaction(update, gathered)
            case MembershipChange():
                await self._membership(update, gathered.state)
            case ChatMigration():
                await self._migration(update, gathered)
            case Unreadable():
                self._unreadable(update, gathered)
            case Ignorable():
                pass
            case _:
                assert_never(update)

    async def _message(self, message: InboundMessage, gathered: _Gathered) -> None:
        place = message.place
        addressed = await self._is_addressed(message, gathered)
        match admit(gathered.state, place, gathered.now, addressed=addressed):
            case Admit(role=role):
                gathered.heard.add(place.chat)
                if await self._answered_here(message, gathered):
                    return
                taken = await self._commands.errands_for(
                    message,
                    role,
                    gathered.bot_username,
                    look=gathered.look,
                    state=gathered.state,
                    fresh=gathered.fresh,
                )
                if isinstance(taken, Readdressed):
                    self._keep(taken.message, gathered, taken.session)
                elif taken is not None:
                    gathered.errands.extend(taken)
                elif not await self._answered_by_reply(message, gathered):
                    self._keep(message, gathered)
            case Challenge() | Refuse():
                await self._stranger(message, gathered)

    def _keep(self, message: InboundMessage, gathered: _Gathered, addressed: SessionId | None = None) -> None:
        """Store a message for its session; `addressed`: the one that `/to` names."""
        entry = self._destined(entry_of(message, gathered.now), gathered, addressed)
        if entry is None:
            place = message.place
            say = OutMessage(place.chat, session_words.barred(), place.thread, reply_to=message.message)
            gathered.errands.append(self._chat.send(say))
            return
        gathered.entries.append(entry)
        self._destinations.remember(entry)

    def _destined(
        self, entry: InboxEntry, gathered: _Gathered, addressed: SessionId | None = None
    ) -> InboxEntry | None:
        return self._destinations.destined(entry, gathered.entries, gathered.look, gathered.state, addressed)

    async def _is_addressed(self, message: InboundMessage, gathered: _Gathered) -> bool:
        """Whether a group's message is for the bot; a correction is when the original was.

        Of an album or a paste that the phone cut, only the first part names the bot.
        """
        place = message.place
        group = gathered.state.groups.get(place.chat)
        if group is None:
            return False
        if is_addressed(group, message):
            return True
        if message.edited:
            return await self._store.inbox.find(place.chat, message.message) is not None
        if self._destinations.begun_by(entry_of(message, gathered.now)) is not None:
            return True
        # "no sorry" looks like an answer, too: it is one only to a request that there is.
        answer = parse_answer(message.text) if may_approve(gathered.state, place.sender) else None
        return answer is not None and await self._store.prompts.find(answer.request_id) is not None

    async def _answered_here(self, message: InboundMessage, gathered: _Gathered) -> bool:
        """Whether it was an answer to a permission prompt that names its request."""
        answer = parse_answer(message.text) if _may_answer(message) else None
        return answer is not None and await self._approvals.answered_by_text(
            message,
            answer,
            fresh=gathered.fresh,
            state=gathered.state,
            post=gathered.errands.append,
            meant=gathered.look.session_at(message.place, message.reply_to.message if message.reply_to else None),
        )

    async def _answered_by_reply(self, message: InboundMessage, gathered: _Gathered) -> bool:
        """Whether it was an answer to the open permission card that it replies to."""
        return _may_answer(message) and await self._approvals.answered_by_reply(
            message, fresh=gathered.fresh, state=gathered.state, post=gathered.errands.append
        )

    async def _stranger(self, message: InboundMessage, gathered: _Gathered) -> None:
        """Somebody unknown wrote. Their words are neither stored nor logged."""
        if message.edited or message.place.chat_kind is not ChatKind.PRIVATE:
            return
        place, now = message.place, gathered.now
        payload = start_payload(message.text)

        def change(state: AccessState) -> tuple[AccessState, None, list[AuditRow]]:
            outcome: Acceptance = NoCode()
            if payload:
                state, outcome = redeem_invitation(state, place, payload, now)
            if isinstance(outcome, NoCode):  # an ordinary message, or a link that carries something else
                return request_pairing(state, place, now)[0], None, []
            if not isinstance(outcome, Paired):
                return state, None, []
            rows = [AuditRow(now, place.sender, "invite_taken", place.sender, outcome.person.role.value)]
            if outcome.closed_door:
                rows.append(AuditRow(now, _BRIDGE, "policy", Policy.ALLOWLIST.value, "there is an owner now"))
            return state, None, rows

        await self._store.access.transact(change)
        gathered.state = await self._store.access.read()

    async def _press(self, press: ButtonPress, gathered: _Gathered) -> None:
        if is_permission_data(press.data):
            await self._approvals.answered_by_press(
                press, fresh=gathered.fresh, state=gathered.state, post=gathered.errands.append
            )
        elif (choice := parse_choice(press.data)) is not None:
            await self._choices.pressed(
                *(press, choice, gathered.look, gathered.state), fresh=gathered.fresh, post=gathered.errands.append
            )
        elif is_question_data(press.data) and gathered.fresh:
            if isinstance(admit(gathered.state, press.place, gathered.now, addressed=True), Admit):
                self._question_pressed(press, gathered)
        elif is_question_data(press.data) and role_in(gathered.state, press.place) is not None:
            # It carries no time: nobody knows whether it still is what its sender wants.
            place, say = press.place, notices.old_press(press.label)
            gathered.errands.append(
                self._chat.send(OutMessage(place.chat, say, place.thread, reply_to=press.message))
            )

    def _question_pressed(self, press: ButtonPress, gathered: _Gathered) -> None:
        """An answer to a question of Claude, for the session that asked it."""
        entry = self._destined(entry_of(press, gathered.now), gathered)
        if entry is None:
            say = session_words.barred().plain()
            gathered.errands.append(self._chat.answer_press(press.press, say, alert=True))
            return
        gathered.entries.append(entry)
        gathered.errands.append(self._chat.answer_press(press.press, f"Sent: {press.label}"[:190]))

    def _reaction(self, change: ReactionChange, gathered: _Gathered) -> None:
        """A reaction goes to whoever is meant; it never makes the bot ask who that is."""
        if not isinstance(admit(gathered.state, change.place, gathered.now, addressed=True), Admit):
            return
        match gathered.look.route(gathered.state, change):
            case Directed(session=session, why=why):
                gathered.entries.append(replace(entry_of(change, gathered.now), session=session, why=why))
            case NobodyThere():
                gathered.entries.append(entry_of(change, gathered.now))
            case Undecided() | Stranded() | Barred():
                pass

    async def _membership(self, change: MembershipChange, state: AccessState) -> None:
        """Note whether a chat can be written to; of chats that are in no book nothing is kept."""
        if change.reachable:
            await self._store.closed_chats.reopen(change.place.chat)
        elif may_address(state, change.place.chat):
            await self._store.closed_chats.close(change.place.chat, "The bot was blocked or removed there.")

    async def _migration(self, migration: ChatMigration, gathered: _Gathered) -> None:
        old, new, now = migration.place.chat, migration.new_chat, gathered.now

        def change(state: AccessState) -> tuple[AccessState, None, list[AuditRow]]:
            moved = with_group_moved(state, old, new)
            return moved, None, [] if moved is state else [AuditRow(now, _BRIDGE, "group_moved", old, new)]

        await self._store.access.transact(change)
        gathered.state = await self._store.access.read()

    def _unreadable(self, update: Unreadable, gathered: _Gathered) -> None:
        known = update.sender is not None and SenderId(update.sender) in gathered.state.senders
        content = update.raw if known else update.skeleton
        gathered.quarantined.append(QuarantinedUpdate(update.update, update.reason, gathered.now, content))


def _may_answer(message: InboundMessage) -> bool:
    """A correction never answers a permission prompt, nor does what somebody else wrote or a file's caption."""
    return not (message.edited or message.attachment or message.forwarded_from)
