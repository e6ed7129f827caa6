"""Permission prompts: asked once, shown to every approver, decided by exactly one answer, told at once.

A button and a typed answer go through the same check. What decides is the store; whoever polls settles, the
process that asked tells its session, and everybody is told the truth. Whatever must be sent is left to the
courier, so no answer waits for the network. Prompts survive a restart: those of a session that is gone are
taken over by the process that polls, and their cards say that an answer may have come too late.
"""

import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

from telegram_channel.bridge.cards import Cards
from telegram_channel.bridge.courier import Courier
from telegram_channel.core import notices
from telegram_channel.core.access import AccessState, may_approve, role_in
from telegram_channel.core.ids import PromptId, SessionId
from telegram_channel.core.messages import ButtonPress, InboundMessage
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.core.permission import (
    AlreadyDecided,
    Card,
    Closing,
    Decided,
    How,
    PermissionRequest,
    Prompt,
    Standing,
    TooLate,
    TypedAnswer,
    Unknown,
    Verdict,
    judge,
    parse_button,
)
from telegram_channel.core.text import Styled, utf16_prefix
from telegram_channel.errors import StateError, StateUnwritable
from telegram_channel.ports import Chat, Clock, Session, SessionRecord, Store

_log = logging.getLogger(__name__)

_LONGEST_PRESS_ANSWER = 200
"""Characters (source: Bot API, `answerCallbackQuery`)."""
_UNWRITABLE_PAUSE_S = 1.0


Errand = Coroutine[Any, Any, object]
Post = Callable[[Errand], None]
"""Starts an errand now, or later and at most once."""


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """How long prompts live and when those of others become ours."""

    look_s: float = 10
    """How often open prompts are looked after when nothing else happens."""
    orphaned_after_s: float = 30
    """How long a session must be gone before its prompts are taken over: a restart is quicker than that."""
    ended_after_s: float = 600
    """How long a prompt that was taken over stays open: nobody waits for it any more."""
    expires_after_s: float = 24 * 3600


@dataclass(frozen=True, slots=True)
class _Reception:
    """What an answer came to: what to say to whoever gave it, and the prompt as it is now."""

    say: Styled
    refused: bool
    prompt: Prompt | None = None
    old: bool = False
    """Whether it waited so long that Telegram shows no answer to a press any more."""


class Approvals:
    """The permission prompts of this process's session, and the answers of everybody."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        courier: Courier,
        *,
        session: Session | None,
        new_id: Callable[[], PromptId],
        is_alive: Callable[[SessionRecord], bool],
        polls: Callable[[], bool],
        project: str = "",
        rules: ApprovalRules | None = None,
    ) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._courier = courier
        self._session = session
        self._new_id = new_id
        self._is_alive = is_alive
        self._polls = polls
        self._rules = rules or ApprovalRules()
        self._cards = Cards(store, chat, clock, session.id if session else None, project)
        self._told: set[PromptId] = set()
        self._telling: set[PromptId] = set()
        self._missed_since_s: dict[SessionId, float] = {}
        self._look_again_s = clock.monotonic()

    async def asked(self, request: PermissionRequest) -> None:
        """The session asks: remember it and show it to every approver. Without a store only the terminal asks."""
        if self._session is None:
            return
        prompt = Prompt(self._new_id(), self._session.id, request, self._clock.now())
        try:
            await self._store.prompts.open(prompt)
        except StateError as error:
            _log.warning("a permission prompt is shown in the terminal only: %s", error.explained())
            return
        self._courier.post(self._cards.send(prompt))

    async def answered_by_text(
        self,
        message: InboundMessage,
        answer: TypedAnswer,
        *,
        fresh: bool,
        state: AccessState,
        post: Post | None = None,
    ) -> bool:
        """Take a typed answer. True: it was dealt with and its sender is told how; it is no message for Claude.

        `post` starts what is to be said, now or when the answer is safely stored; without it, at once.

        Raises:
            StateError: nothing was decided; the same answer may be given again.
        """
        place = message.place
        prompt = await self._store.prompts.find(answer.request_id)
        verdict = Verdict(answer.behavior, place.sender, place.sender_name, How.TEXT, message.sent_at)
        reception = await self._receive(prompt, verdict, fresh=fresh, state=state)
        say = reception.say if reception else notices.unknown_request(answer.request_id)
        said = self._chat.send(OutMessage(place.chat, say, place.thread, reply_to=message.message, urgent=True))
        (post or self._courier.post)(said)
        return True

    async def answered_by_press(
        self, press: ButtonPress, *, fresh: bool, state: AccessState, post: Post | None = None
    ) -> bool:
        """Take a press of a card's button. Always True: whatever is on a card is never for Claude.

        `post` is as for `answered_by_text`.

        Raises:
            StateError: nothing was decided; the same press may be given again.
        """
        place = press.place
        post = post or self._courier.post
        if role_in(state, place) is None:
            post(self._chat.answer_press(press.press))  # strangers are told nothing
            return True
        answer = parse_button(press.data)
        prompt = await self._store.prompts.get(answer.prompt) if answer else None
        reception = None
        if answer:
            verdict = Verdict(answer.behavior, place.sender, place.sender_name, How.BUTTON, self._clock.now())
            reception = await self._receive(prompt, verdict, fresh=fresh, state=state)
        if reception is None:
            post(self._acknowledged(press, notices.unknown_card(), alert=True))
            post(self._cards.strip(place.chat, press.message))
            return True
        post(self._acknowledged(press, reception.say, alert=reception.refused))
        if reception.old:
            post(self._chat.send(OutMessage(place.chat, reception.say, place.thread, press.message, urgent=True)))
        if reception.prompt:
            self._courier.post(self._mend(reception.prompt, Card(place.chat, press.message)))
        return True

    def _acknowledged(self, press: ButtonPress, say: Styled, *, alert: bool) -> Errand:
        text = utf16_prefix(say.plain(), _LONGEST_PRESS_ANSWER)
        return self._chat.answer_press(press.press, text, alert=alert)

    async def _mend(self, prompt: Prompt, pressed: Card) -> None:
        """A copy that was sent but not remembered (a crash in between) is one, too: close it with the others."""
        if pressed not in prompt.cards:
            await self._store.prompts.add_cards(prompt.prompt, (pressed,))
        await self._cards.close_one(prompt, pressed)

    async def _receive(
        self, prompt: Prompt | None, verdict: Verdict, *, fresh: bool, state: AccessState
    ) -> _Reception | None:
        """Settle an answer if it counts; None when nobody knows what it answers."""
        match judge(prompt, may_approve=may_approve(state, verdict.by), fresh=fresh):
            case Standing.NOT_APPROVER:
                return _Reception(notices.not_approver(), refused=True)
            case Standing.OLD:
                return _Reception(notices.old_answer(), refused=True, old=True)
            case Standing.COUNTS if prompt:
                return await self._settle(prompt.prompt, verdict)
            case _:
                return None

    async def _settle(self, prompt_id: PromptId, verdict: Verdict) -> _Reception | None:
        settlement = await self._store.prompts.settle(prompt_id, verdict)
        match settlement:
            case Decided(prompt=prompt):
                self._courier.post(self._tell_now(prompt))
                self._courier.post(self._cards.close(prompt))
                return _Reception(notices.answered(verdict.behavior), refused=False, prompt=prompt)
            case AlreadyDecided(prompt=prompt) | TooLate(prompt=prompt):
                first = prompt.verdict
                if first and (first.by, first.behavior) == (verdict.by, verdict.behavior):
                    return _Reception(notices.answered(verdict.behavior), refused=False, prompt=prompt)
                return _Reception(notices.already_decided(prompt), refused=True, prompt=prompt)
            case Unknown():
                return None
            case _:
                assert_never(settlement)

    async def _tell_now(self, prompt: Prompt) -> None:
        """Answer the session that asked, if it is ours or may have become ours.

        After a restart it may be the same session under another id. A client drops a verdict it did not ask
        for, so ours is told too; whoever asked still finds the verdict untold.
        """
        if self._session is None:
            return
        if prompt.session == self._session.id:
            await self._tell(prompt)
        elif prompt.session not in await self._alive():
            await self._say_to_session(prompt)

    async def _tell(self, prompt: Prompt) -> None:
        """Answer the session, and remember that it was told once the client's pipe took it."""
        if self._session is None or prompt.prompt in self._telling:
            return
        self._telling.add(prompt.prompt)
        try:
            await self._say_to_session(prompt)
            await self._session.drained()
            await self._store.prompts.mark_told(prompt.prompt)
        finally:
            self._telling.discard(prompt.prompt)

    async def _say_to_session(self, prompt: Prompt) -> None:
        """Write the verdict, once in the life of this process."""
        if self._session is None or prompt.verdict is None or prompt.prompt in self._told:
            return
        self._told.add(prompt.prompt)
        try:
            await self._session.tell_verdict(prompt.request.request_id, prompt.verdict.behavior)
        except BaseException:
            self._told.discard(prompt.prompt)
            raise

    async def run(self) -> None:
        """Tell verdicts that were given elsewhere and close cards, until cancelled."""
        seen = -1
        while True:
            try:
                await self.step()
            except StateUnwritable as error:
                _log.warning("permission prompts wait: %s", error.explained())
                await self._clock.sleep(_UNWRITABLE_PAUSE_S)
            seen = await self._store.wait_for_change(seen, self._rules.look_s)

    async def step(self) -> None:
        """Everything about prompts that can be done now."""
        if self._session:
            for prompt in await self._store.prompts.untold(self._session.id):
                self._courier.post(self._tell(prompt))
        uncleared = await self._store.prompts.uncleared()
        for prompt in await self._ours(uncleared):
            self._courier.post(self._cards.close(prompt))
        if self._clock.monotonic() >= self._look_again_s:
            self._look_again_s = self._clock.monotonic() + self._rules.look_s
            await self.expire(self._clock.now())
            await self._take_over(uncleared)
            await self._look_after_open()

    async def expire(self, now: datetime) -> int:
        """Close prompts nobody answered for a day; returns how many."""
        oldest = now - timedelta(seconds=self._rules.expires_after_s)
        closed = 0
        for prompt in await self._store.prompts.open_prompts():
            if prompt.asked_at <= oldest:
                closed += await self._store.prompts.close(prompt.prompt, Closing.EXPIRED)
        return closed

    async def _look_after_open(self) -> None:
        """Send cards that never arrived, and close what was taken over and not answered."""
        mine = self._session.id if self._session else None
        now = self._clock.monotonic()
        for prompt in await self._store.prompts.open_prompts():
            taken_over_s = self._cards.orphans.get(prompt.prompt)
            if taken_over_s is not None and now - taken_over_s >= self._rules.ended_after_s:
                await self._store.prompts.close(prompt.prompt, Closing.SESSION_ENDED)
            elif prompt.session == mine and not prompt.cards and taken_over_s is None:
                self._courier.post(self._cards.send(prompt))

    async def _take_over(self, uncleared: Iterable[Prompt]) -> None:
        """Adopt the prompts of sessions that are gone for good; only the process that polls does."""
        if self._session is None or not self._polls():
            return
        open_prompts = await self._store.prompts.open_prompts()
        owners = {prompt.session for prompt in (*open_prompts, *uncleared)} - {self._session.id}
        gone = owners - await self._alive() if owners else set()
        now = self._clock.monotonic()
        self._missed_since_s = {owner: self._missed_since_s.get(owner, now) for owner in gone}
        for owner, since_s in self._missed_since_s.items():
            if now - since_s < self._rules.orphaned_after_s:
                continue
            if await self._store.prompts.adopt(owner, self._session.id):
                _log.info("took over the permission prompts of a session that is gone")
            for prompt in open_prompts:
                if prompt.session == owner:
                    self._cards.orphans[prompt.prompt] = now

    async def _ours(self, prompts: Iterable[Prompt]) -> list[Prompt]:
        """Those whose cards this process closes: its own session's, and those of sessions that are gone."""
        mine = self._session.id if self._session else None
        others = any(prompt.session != mine for prompt in prompts)
        alive = await self._alive() if others else set()
        return [prompt for prompt in prompts if prompt.session == mine or prompt.session not in alive]

    async def _alive(self) -> set[SessionId]:
        return {record.session for record in await self._store.sessions.list() if self._is_alive(record)}
