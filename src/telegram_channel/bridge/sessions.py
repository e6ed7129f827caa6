"""`/sessions`, `/use`, `/to` and the buttons that name a session: what people say about whom they talk to.

It runs in the process that polls. A choice is stored, and what waited for it is directed, before Telegram is
told that it was received; taken again, it changes nothing. Anybody admitted may choose for their chat.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from telegram_channel.bridge.dispatch import Dispatch
from telegram_channel.bridge.offers import Offer
from telegram_channel.bridge.router import Look
from telegram_channel.core import session_words as words
from telegram_channel.core.access import AccessState, role_in
from telegram_channel.core.commands import BotCommand, ParsedCommand
from telegram_channel.core.ids import ChatId, SessionId
from telegram_channel.core.inbox import InboxEntry
from telegram_channel.core.messages import ButtonPress, InboundMessage
from telegram_channel.core.outgoing import ButtonRows, OutMessage
from telegram_channel.core.routing import Member
from telegram_channel.core.session_buttons import Choice, ChoiceKind, names, offer_buttons, use_buttons
from telegram_channel.core.session_names import Addressed, Ambiguous, NoSuchMember, addressed, find_member
from telegram_channel.core.text import Styled, utf16_prefix
from telegram_channel.ports import Chat, Clock, Store

_LONGEST_PRESS_ANSWER = 200
"""Characters (source: Bot API, `answerCallbackQuery`)."""

Errand = Coroutine[Any, Any, object]
Post = Callable[[Errand], None]


@dataclass(frozen=True, slots=True)
class Said:
    """What to answer, with the buttons below it."""

    body: Styled
    buttons: ButtonRows = ()


@dataclass(frozen=True, slots=True)
class Readdressed:
    """A message without the `/to NAME` it began with, and for whom it is."""

    message: InboundMessage
    session: SessionId


class SessionCommands:
    """Takes what people say about sessions."""

    def __init__(self, store: Store, chat: Chat, clock: Clock, dispatch: Dispatch) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._dispatch = dispatch

    async def take(
        self, message: InboundMessage, parsed: ParsedCommand, look: Look, state: AccessState, *, fresh: bool
    ) -> Said:
        """Take `/sessions` or `/use`; returns what to answer.

        Raises:
            StateError: the choice is not stored for certain; the same command may be taken again.
        """
        place = message.place
        members, chosen = look.open_to(state, place.sender), look.chosen.get(place.chat)
        if parsed.command is BotCommand.SESSIONS:
            return Said(self._listed(members, chosen, look), _if_several(members, chosen))
        if not parsed.rest:
            body = words.use_usage() if members else self._listed(members, chosen, look)
            return Said(body, use_buttons(members, chosen))
        if not fresh:
            return Said(words.old_choice(), use_buttons(members, chosen))
        match find_member(members, parsed.rest):
            case Member() as member:
                waited = await self._choose(place.chat, member, look)
                return Said(words.use_chosen(member.label, waited))
            case Ambiguous(members=several) as outcome:
                return Said(words.ambiguous(BotCommand.USE, outcome), use_buttons(several, chosen))
            case NoSuchMember() as outcome:
                return Said(words.unknown(BotCommand.USE, outcome, members), use_buttons(members, chosen))

    def readdressed(self, message: InboundMessage, rest: str, look: Look, state: AccessState) -> Readdressed | Said:
        """Take `/to NAME text`, which may be a caption: the message as its session gets it, or what to answer."""
        members = look.named(state, message.place.sender)
        match addressed(members, rest):
            case Addressed(member=member, text=text) if text.strip() or message.attachment:
                return Readdressed(replace(message, text=text), member.session)
            case Ambiguous() as outcome:
                return Said(words.ambiguous(BotCommand.TO, outcome))
            case NoSuchMember() as outcome if outcome.typed:
                return Said(words.unknown(BotCommand.TO, outcome, members))
            case _:
                return Said(words.to_usage())

    async def pressed(
        self, press: ButtonPress, choice: Choice, look: Look, state: AccessState, *, fresh: bool, post: Post
    ) -> None:
        """Take a press of a button that names a session; `post` starts what is to be said once it is stored.

        Raises:
            StateError: it is not stored for certain; the same press may be taken again.
        """
        place = press.place
        if role_in(state, place) is None:
            post(self._chat.answer_press(press.press))  # strangers are told nothing
            return
        if not fresh:
            post(self._chat.send(OutMessage(place.chat, words.old_choice(), place.thread, reply_to=press.message)))
            return
        if choice.kind is ChoiceKind.KEEP:
            await self._keep(press, post)
            return
        member = _meant_by(choice, look)
        if member is None:
            self._gone(press, choice, look, state, post)
        elif not look.is_open(state, place.sender, member.session):
            post(self._acknowledged(press, words.barred(), alert=True))
        elif choice.kind is ChoiceKind.USE:
            await self._use(press, member, look, state, post)
        else:
            await self._take(press, member, look, state, post)

    async def _use(self, press: ButtonPress, member: Member, look: Look, state: AccessState, post: Post) -> None:
        place = press.place
        asked = {one.message for one in await self._store.routes.questions() if one.chat == place.chat}
        waited = await self._choose(place.chat, member, look)
        post(self._acknowledged(press, words.use_chosen(member.label, waited)))
        if press.message not in asked:  # a list: it shows what is chosen now
            buttons = use_buttons(look.open_to(state, place.sender), member.session)
            post(self._chat.edit(place.chat, press.message, None, buttons))

    async def _take(self, press: ButtonPress, member: Member, look: Look, state: AccessState, post: Post) -> None:
        def may_give(entry: InboxEntry) -> bool:
            return look.is_open(state, entry.inbound.place.sender, member.session)

        taken = await self._dispatch.stranded.take(_offer(press), member, may_give)
        if taken.left and not taken.given:
            post(self._acknowledged(press, words.barred(), alert=True))
        elif taken.left:  # what the offer says now follows by itself
            post(self._acknowledged(press, words.partly_taken(member.label, taken.left)))
        else:
            self._close_offer(press, taken.given, taken.say, post)

    async def _keep(self, press: ButtonPress, post: Post) -> None:
        waiting, body = await self._dispatch.stranded.keep(_offer(press))
        self._close_offer(press, waiting, body, post)

    def _close_offer(self, press: ButtonPress, count: int, body: Styled, post: Post) -> None:
        post(self._acknowledged(press, body if count else words.settled_already(), alert=not count))
        post(self._chat.edit(press.place.chat, press.message, body if count else None))

    def _gone(self, press: ButtonPress, choice: Choice, look: Look, state: AccessState, post: Post) -> None:
        """The session of the button has ended: say so, and show those that live."""
        place = press.place
        members = look.open_to(state, place.sender)
        post(self._acknowledged(press, words.session_gone(), alert=True))
        if choice.kind is ChoiceKind.TAKE:
            buttons = offer_buttons(members)
        else:
            buttons = use_buttons(members, look.chosen.get(place.chat))
        post(self._chat.edit(place.chat, press.message, None, buttons))

    async def _choose(self, chat: ChatId, member: Member, look: Look) -> int:
        """Remember a choice; returns how many messages waited for it and go there now."""
        await self._store.routes.choose(chat, member.session)
        look.choose(chat, member.session)
        followed = await self._dispatch.direct((chat, member.session))
        await self._dispatch.questions.settle_chat(chat, member.label)
        return followed

    def _listed(self, members: Sequence[Member], chosen: SessionId | None, look: Look) -> Styled:
        records = {one.session: one for one in look.living}  # of two processes of one session the later one
        listed = [words.Listed(one, records[one.session].started_at, records[one.session].branch) for one in members]
        return words.sessions_list(listed, chosen, self._clock.now())

    def _acknowledged(self, press: ButtonPress, say: Styled, *, alert: bool = False) -> Errand:
        text = utf16_prefix(say.plain(), _LONGEST_PRESS_ANSWER)
        return self._chat.answer_press(press.press, text, alert=alert)


def _meant_by(choice: Choice, look: Look) -> Member | None:
    """The living session that a button stands for: its own, or who has taken over from it."""
    living = {one.session: one for one in look.members}
    named = next((one for one in (*living, *look.heirs) if names(choice, one)), None)
    return living.get(look.heirs.get(named, named)) if named else None


def _if_several(members: Sequence[Member], chosen: SessionId | None) -> ButtonRows:
    return use_buttons(members, chosen) if len(members) > 1 else ()


def _offer(press: ButtonPress) -> Offer:
    return Offer(press.place.chat, press.place.thread, press.message)
