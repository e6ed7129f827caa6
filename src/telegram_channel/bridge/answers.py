"""One answer decides a prompt, and every way of giving one goes through the same check.

A button, a typed answer, a reply to a card and `/stop` become the same `Verdict` before anything is decided.
What decides is the store: whoever takes the answer settles it there, and is told the truth about it.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, assert_never

from telegram_channel.bridge.askers import NOBODY_KNOWN, has_copy, may_answer
from telegram_channel.bridge.cards import Cards
from telegram_channel.bridge.courier import Courier
from telegram_channel.core import cards, notices
from telegram_channel.core.access import AccessState, may_approve, may_approve_for, role_in
from telegram_channel.core.ids import ChatId, MessageId, PromptId, SessionId, private_chat
from telegram_channel.core.messages import ButtonPress, InboundMessage
from telegram_channel.core.orders import Order
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.core.permission import (
    AlreadyDecided,
    Behavior,
    Card,
    Decided,
    How,
    Prompt,
    Standing,
    TooLate,
    TypedAnswer,
    Unknown,
    Verdict,
    judge,
    offers,
    parse_bare_answer,
    parse_button,
)
from telegram_channel.core.text import Styled, utf16_prefix
from telegram_channel.ports import Chat, Clock, Store

_LONGEST_PRESS_ANSWER = 200
"""Characters (source: Bot API, `answerCallbackQuery`)."""
_LONGEST_REASON = 1_000
"""Characters of a reason that are kept: it is for Claude, and stands in the store until the prompt is forgotten."""
_MOST_REPLIES = 200
STOPPED = "Stopped from Telegram."
"""What Claude reads when `/stop` denied what it asked for."""

Errand = Coroutine[Any, Any, object]
Post = Callable[[Errand], None]
"""Starts an errand now, or later and at most once."""


@dataclass(frozen=True, slots=True)
class Reception:
    """What an answer came to: what to say to whoever gave it, and the prompt as it is now."""

    say: Styled
    refused: bool
    prompt: Prompt | None = None
    old: bool = False
    """Whether it waited so long that Telegram shows no answer to a press any more."""
    decided: bool = False
    """Whether it is the one that counts."""


@dataclass(frozen=True, slots=True)
class _Several:
    """Prompts of several sessions have the same letters, and nothing says which is meant."""


class Answers:
    """Takes everybody's answers. `tell` is what carries a decided prompt to its session."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        courier: Courier,
        cards: Cards,
        tell: Callable[[Prompt], Errand],
    ) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._courier = courier
        self._cards = cards
        self._tell = tell
        self._replies: dict[tuple[ChatId, MessageId], PromptId] = {}
        """What recent replies answered: a batch that could not be stored brings them again."""

    async def by_text(
        self,
        message: InboundMessage,
        answer: TypedAnswer,
        *,
        fresh: bool,
        state: AccessState,
        post: Post,
        meant: SessionId | None = None,
    ) -> bool:
        """Take a typed answer. True: it was dealt with and its sender is told how; it is no message for Claude."""
        place = message.place
        prompt = await self._called(answer.request_id, message, meant)
        if isinstance(prompt, _Several):
            post(self._told(message, notices.several_requests(answer.request_id)))
            return True
        verdict = Verdict(answer.behavior, place.sender, place.sender_name, How.TEXT, message.sent_at)
        reception = await self._receive(prompt, verdict, fresh=fresh, state=state)
        post(self._told(message, reception.say if reception else notices.unknown_request(answer.request_id)))
        if reception and not reception.old and _named_by_reply(message) == answer.request_id:
            self._learn(reception, _copy_answered(message))
        return True

    async def _called(
        self, request_id: str, message: InboundMessage, meant: SessionId | None
    ) -> Prompt | _Several | None:
        """The prompt with these letters. Two sessions may ask with the same; then one of them has to be meant."""
        if before := self._replies.get((message.place.chat, message.message)):
            return await self._store.prompts.get(before)
        asked = (*await self._store.prompts.open_prompts(), *await self._store.prompts.uncleared())
        called = [one for one in asked if one.request.request_id.lower() == request_id.lower()]
        if len({one.session for one in called}) > 1:
            # Those that were decided a moment ago as well: the same answer may come again.
            card = Card(message.place.chat, message.reply_to.message) if message.reply_to else None
            for one in called:
                if card in one.cards or one.session == meant:
                    return self._remembered(message, one)
            if len({one.session for one in called if one.is_open}) > 1:
                return _Several()
        return await self._store.prompts.find(request_id)

    async def by_reply(self, message: InboundMessage, *, fresh: bool, state: AccessState, post: Post) -> bool:
        """Take what was written in reply to an open card: a bare yes or no, or the reason of a denial.

        False: it answers no card that is open, and is a message like any other.
        """
        place, text = message.place, message.text.strip()
        prompt = await self._answered_card(message) if text else None
        if prompt is None:
            return False
        bare = parse_bare_answer(text)
        copy = _copy_answered(message)
        if copy not in prompt.cards and not may_approve(state, place.sender):
            return False
        if copy not in prompt.cards and bare is Behavior.ALLOW:
            # Claude could write a message that looks like a card: it is proof enough to deny, not to allow.
            post(self._told(message, cards.not_known_as_card(prompt.request.request_id)))
            return True
        behavior, reason = (bare, "") if bare else (Behavior.DENY, text[:_LONGEST_REASON].rstrip())
        verdict = Verdict(behavior, place.sender, place.sender_name, How.TEXT, message.sent_at, reason=reason)
        reception = await self._receive(prompt, verdict, fresh=fresh, state=state)
        post(self._told(message, reception.say if reception else notices.unknown_card()))
        if reception and not reception.old:  # what only looks like a card is none before its prompt is closed
            self._learn(reception, copy)
        return True

    async def _answered_card(self, message: InboundMessage) -> Prompt | None:
        """The open prompt with a card that this message replies to, or the one that it has decided before."""
        if message.reply_to is None:
            return None
        if before := self._replies.get((message.place.chat, message.message)):
            return await self._store.prompts.get(before)
        copy = _copy_answered(message)
        asked = (*await self._store.prompts.open_prompts(), *await self._store.prompts.uncleared())
        answered = [one for one in asked if one.is_open or _is_by(one.verdict, message)]
        found = [one for one in answered if copy in one.cards]
        if not found and (named := _named_by_reply(message)):
            # A copy that arrived although nobody knows that it did. No letters of two sessions say which is meant.
            called = [one for one in answered if one.request.request_id.lower() == named]
            found = called if len(called) == 1 else []
        return self._remembered(message, found[0]) if found else None

    def _remembered(self, message: InboundMessage, prompt: Prompt) -> Prompt:
        """The prompt, and from now on the one that this message answers, should it come again."""
        self._replies[message.place.chat, message.message] = prompt.prompt
        if len(self._replies) > _MOST_REPLIES:
            del self._replies[next(iter(self._replies))]
        return prompt

    def _told(self, message: InboundMessage, say: Styled) -> Errand:
        place = message.place
        return self._chat.send(OutMessage(place.chat, say, place.thread, reply_to=message.message, urgent=True))

    async def by_press(self, press: ButtonPress, *, fresh: bool, state: AccessState, post: Post) -> bool:
        """Take a press of a card's button. Always True: whatever is on a card is never for Claude."""
        place = press.place
        if role_in(state, place) is None:
            post(self._chat.answer_press(press.press))  # strangers are told nothing
            return True
        answer = parse_button(press.data)
        prompt = await self._store.prompts.get(answer.prompt) if answer else None
        reception = None
        if answer:
            now = self._clock.now()
            verdict = Verdict(answer.behavior, place.sender, place.sender_name, How.BUTTON, now, always=answer.always)
            reception = await self._receive(prompt, verdict, fresh=fresh, state=state)
        if reception is None:
            post(self._acknowledged(press, notices.unknown_card(), alert=True))
            post(self._cards.strip(place.chat, press.message))
            return True
        post(self._acknowledged(press, reception.say, alert=reception.refused))
        if reception.old:
            post(self._chat.send(OutMessage(place.chat, reception.say, place.thread, press.message, urgent=True)))
        self._learn(reception, Card(place.chat, press.message))
        return True

    async def by_order(self, order: Order) -> int:
        """Deny every open prompt of the order's session; returns how many were decided by this.

        Raises:
            StateError: some may be open still; the same order may be given again.
        """
        state = await self._store.access.read()
        denied = 0
        for prompt in await self._store.prompts.open_prompts():
            if prompt.session == order.session:
                verdict = Verdict(Behavior.DENY, order.by, order.by_name, How.COMMAND, order.at, reason=STOPPED)
                reception = await self._receive(prompt, verdict, fresh=True, state=state)
                denied += reception is not None and reception.decided
        return denied

    def _acknowledged(self, press: ButtonPress, say: Styled, *, alert: bool) -> Errand:
        text = utf16_prefix(say.plain(), _LONGEST_PRESS_ANSWER)
        return self._chat.answer_press(press.press, text, alert=alert)

    def _learn(self, reception: Reception, copy: Card) -> None:
        """Take note of the copy that was answered, once it is known what it is a copy of."""
        if reception.prompt:
            self._courier.post(self._mend(reception.prompt, copy))

    async def _mend(self, prompt: Prompt, copy: Card) -> None:
        """A copy that was sent but not remembered (nobody knew that it arrived) ends like the others."""
        if copy not in prompt.cards:
            await self._store.prompts.add_cards(prompt.prompt, (copy,))
        now = await self._store.prompts.get(prompt.prompt)
        if now and not now.is_open:
            await self._cards.close_one(now, copy)

    async def _receive(
        self, prompt: Prompt | None, verdict: Verdict, *, fresh: bool, state: AccessState
    ) -> Reception | None:
        """Settle an answer if it counts; None when nobody knows what it answers."""
        why_not = await self._why_not(prompt, verdict, state)
        match judge(prompt, may_approve=why_not is None, fresh=fresh):
            case Standing.NOT_APPROVER:
                return Reception(why_not or notices.not_approver(), refused=True)
            case Standing.OLD:
                return Reception(notices.old_answer(), refused=True, prompt=prompt, old=True)
            case Standing.COUNTS if prompt and offers(prompt, verdict.always):
                return await self._settle(prompt, verdict)
            case _:
                return None

    async def _why_not(self, prompt: Prompt | None, verdict: Verdict, state: AccessState) -> Styled | None:
        """What to say to somebody who may not give this answer; None to whoever may."""
        if not may_approve(state, verdict.by):
            return notices.not_approver()
        if prompt is None or may_approve_for(state, verdict.by, NOBODY_KNOWN.label, NOBODY_KNOWN.project):
            return None  # who approves everywhere need not wait for a look at where the prompt comes from
        asker = await self._cards.asker_of(prompt)
        if may_answer(state, prompt, verdict, asker):
            return None
        denies_only = asker == NOBODY_KNOWN and has_copy(prompt, verdict)
        return notices.may_deny_only() if denies_only else notices.not_approver_there()

    async def _settle(self, asked: Prompt, verdict: Verdict) -> Reception | None:
        settlement = await self._store.prompts.settle(asked.prompt, verdict)
        match settlement:
            case Decided(prompt=prompt):
                self._courier.post(self._tell(prompt))
                self._courier.post(self._cards.close(prompt))
                return Reception(_confirmed(verdict), refused=False, prompt=prompt, decided=True)
            case AlreadyDecided(prompt=prompt) | TooLate(prompt=prompt):
                if prompt.verdict and _says(prompt.verdict) == _says(verdict):
                    return Reception(_confirmed(verdict), refused=False, prompt=prompt)
                return Reception(notices.already_decided(prompt), refused=True, prompt=prompt)
            case Unknown():
                return None
            case _:
                assert_never(settlement)


def _copy_answered(message: InboundMessage) -> Card:
    """The copy of a card that a reply answers, if it is one."""
    return Card(message.place.chat, message.reply_to.message if message.reply_to else MessageId(""))


def _named_by_reply(message: InboundMessage) -> str | None:
    """The request that the answered message names as a card does, where cards are: alone with this person."""
    place, answered = message.place, message.reply_to
    if answered is None or not answered.from_bot or place.chat != private_chat(place.sender):
        return None
    return cards.named_on(answered.text)


def _is_by(verdict: Verdict | None, message: InboundMessage) -> bool:
    """Whether this very message gave the verdict: it comes again after a crash."""
    given = (message.place.sender, How.TEXT, message.sent_at)
    return verdict is not None and (verdict.by, verdict.how, verdict.at) == given


def _confirmed(verdict: Verdict) -> Styled:
    return notices.answered(verdict.behavior, with_reason=bool(verdict.reason))


def _says(verdict: Verdict) -> tuple[object, ...]:
    """What somebody answered, however and whenever they did."""
    return verdict.by, verdict.behavior, verdict.always, verdict.reason
