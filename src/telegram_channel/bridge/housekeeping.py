"""Pays what is owed to the chat (codes, reminders, greetings) and keeps the store tidy.

Debts are written down in the access book by whoever decides; here they are paid, one chat beside the other.
A crash before a payment is remembered repeats it: a new code voids the old one, a greeting comes twice.
It runs in the process that polls.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from telegram_channel.bridge.steady import pause_after
from telegram_channel.core import notices
from telegram_channel.core.access import AccessState, PendingPairing, Policy, Role, Sender, with_welcomed
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.ids import ChatId, SenderId, private_chat
from telegram_channel.core.outgoing import OutMessage, PartlySent, Refused, Sent, Uncertain
from telegram_channel.core.pairing import (
    CodeIssued,
    codes_owed,
    issue_code,
    mark_code_sent,
    mark_reminded,
    prune,
    reminders_owed,
    withdraw,
)
from telegram_channel.core.pairing_code import ENTROPY_BYTES, SALT_BYTES, PairingCode
from telegram_channel.core.text import Body
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

_LOOK_S = 30.0
_TIDY_EVERY_S = 3600.0
KEPT_FOR = timedelta(days=7)
"""How long answered messages stay in the store. Seen ids must outlive Telegram's 24 hours."""

RandomBytes = Callable[[int], bytes]
"""Secure random bytes, so many."""


class Housekeeping:
    """The chores of the process that polls."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        random_bytes: RandomBytes,
    ) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._random_bytes = random_bytes
        self._paying: dict[SenderId, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Do chores until cancelled."""
        tidied_at: float | None = None
        seen = -1
        try:
            while True:
                try:
                    self._pay_debts(await self._store.access.read())
                    if tidied_at is None or self._clock.monotonic() - tidied_at >= _TIDY_EVERY_S:
                        await self._tidy()
                        tidied_at = self._clock.monotonic()
                except StateUnwritable as error:
                    _log.warning("housekeeping waits: %s", error.explained())
                    await pause_after(error, self._clock)
                seen = await self._store.wait_for_change(seen, _LOOK_S)
        finally:
            for task in self._paying.values():
                task.cancel()

    async def _tidy(self) -> None:
        now = self._clock.now()
        forgotten = await self._store.inbox.prune(now - KEPT_FOR)
        forgotten += await self._store.prompts.prune(now - KEPT_FOR)
        forgotten += await self._store.orders.prune(now - KEPT_FOR)
        await self._store.routes.prune(now - KEPT_FOR)
        await self._store.access.transact(lambda state: (prune(state, now), None, ()))
        if forgotten:
            _log.info("forgot %d old entries, prompts and orders", forgotten)

    def _pay_debts(self, state: AccessState) -> None:
        """Start a payment for everybody who is owed something and is not being paid already."""
        now = self._clock.now()
        for pending in codes_owed(state, now):
            self._pay(pending.sender, self._send_code(pending))
        for pending in reminders_owed(state, now):
            self._pay(pending.sender, self._remind(pending, now))
        for person in state.senders.values():
            if not person.welcomed:
                self._pay(person.sender, self._greet(person, state.policy))

    def _pay(self, sender: SenderId, payment: Coroutine[Any, Any, None]) -> None:
        if sender in self._paying:
            payment.close()
            return
        task = asyncio.create_task(payment)
        self._paying[sender] = task
        task.add_done_callback(lambda done: self._paid(sender, done))

    def _paid(self, sender: SenderId, task: asyncio.Task[None]) -> None:
        del self._paying[sender]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("a notice could not be sent: %s", error)

    async def _send_code(self, pending: PendingPairing) -> None:
        """Make a code, store its hash, send it; where it cannot arrive, forget the request."""
        code = PairingCode.for_pairing(self._random_bytes(ENTROPY_BYTES))
        salt = self._random_bytes(SALT_BYTES).hex()
        now = self._clock.now()
        issued = await self._store.access.transact(
            lambda state: (*issue_code(state, pending.sender, code, salt, now), ())
        )
        if not isinstance(issued, CodeIssued):
            return
        if await self._say(private_chat(pending.sender), notices.pairing_code(code)):
            await self._change(lambda state: mark_code_sent(state, pending.sender))
        else:
            await self._change(lambda state: withdraw(state, pending.sender))

    async def _remind(self, pending: PendingPairing, now: datetime) -> None:
        minutes_left = max(1, round(((pending.expires_at or now) - now).total_seconds() / 60))
        await self._say(private_chat(pending.sender), notices.pairing_reminder(minutes_left))
        await self._change(lambda state: mark_reminded(state, pending.sender))

    async def _greet(self, person: Sender, policy: Policy) -> None:
        """Greet somebody; whoever cannot be written to yet is greeted when they write, which opens their chat."""
        chat = private_chat(person.sender)
        if await self._store.closed_chats.reason(chat) is not None:
            return
        door_closed = person.role is Role.OWNER and policy is not Policy.PAIRING
        outcome = await self._chat.send(OutMessage(chat, notices.greeting(person.role, door_closed=door_closed)))
        if isinstance(outcome, Refused) and outcome.closed:
            await self._store.closed_chats.close(chat, outcome.cause)
        else:
            await self._change(lambda state: with_welcomed(state, person.sender))

    async def _say(self, chat: ChatId, body: Body) -> bool:
        """Send a notice; False when it certainly did not arrive."""
        match await self._chat.send(OutMessage(chat, body)):
            case Sent() | PartlySent() | Uncertain():
                return True
            case Refused():
                return False

    async def _change(self, change: Callable[[AccessState], AccessState]) -> None:
        no_rows: tuple[AuditRow, ...] = ()
        await self._store.access.transact(lambda state: (change(state), None, no_rows))
