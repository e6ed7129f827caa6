"""Who is let in: the access book as a value, and the decisions that read it.

Everything fails closed. The empty state admits nobody; an unknown role, chat or policy admits nobody.
Decisions look at who speaks, never at who else is in the room. Changes made by the operator are in
`bridge.admin`, pairing codes in `core.pairing`.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from telegram_channel.core.ids import ChatId, SenderId, private_chat
from telegram_channel.core.messages import ChatKind, InboundMessage, Place
from telegram_channel.core.pairing_rules import RULES, PairingRules
from telegram_channel.core.scopes import leaves_open


class Role(StrEnum):
    """What a person may do. "May talk" is not "may approve"."""

    OWNER = "owner"
    """Talks, approves; the first person paired."""
    APPROVER = "approver"
    """Talks, approves."""
    SENDER = "sender"
    """Talks."""

    @property
    def may_approve(self) -> bool:
        """Whether permission prompts are shown to, and answered by, this role."""
        return self in (Role.OWNER, Role.APPROVER)


class Policy(StrEnum):
    """What happens to people the book does not know."""

    PAIRING = "pairing"
    """They get a code that the operator may accept."""
    ALLOWLIST = "allowlist"
    """They are ignored. An invitation still works."""
    CLOSED = "closed"
    """They are ignored, and so are invitations."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A person who was let in."""

    sender: SenderId
    role: Role
    name: str
    since: datetime
    by: str
    """How they came in: `pair`, `invite` or `allow`."""
    welcomed: bool = False
    """Whether the bot has greeted them."""
    only: frozenset[str] = frozenset()
    """The sessions and projects that are open to them (see `scopes`); empty for all. Owners are never limited."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group that was opted in. People on the allowlist may always talk there, `senders` as well."""

    chat: ChatId
    title: str
    since: datetime
    senders: frozenset[SenderId] = frozenset()
    mention_only: bool = True
    """Only what names the bot, answers it, or matches a pattern is for it."""
    patterns: tuple[str, ...] = ()
    """Words that call the bot as its @name does; compared as whole words, in any letter case."""


@dataclass(frozen=True, slots=True)
class PendingPairing:
    """A person who asked to come in. The code itself is never stored.

    Without `code_hash` the code is still owed: it is made, hashed and sent by housekeeping.
    """

    sender: SenderId
    name: str
    asked_at: datetime
    code_hash: str = field(default="", repr=False)
    salt: str = field(default="", repr=False)
    expires_at: datetime | None = None
    reminder_owed: bool = False
    reminded: bool = False
    sent: bool = False
    """Whether the chat was told the code. A code that was stored and not sent is made anew."""

    def is_live(self, now: datetime, rules: PairingRules = RULES) -> bool:
        """Whether it still counts; one whose code is owed expires like one that has it."""
        return now < (self.expires_at or self.asked_at + rules.code_lifetime)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time code that the operator made; whoever sends it with `/start` is let in as `role`."""

    code_hash: str = field(repr=False)
    salt: str = field(repr=False)
    role: Role
    made_at: datetime
    expires_at: datetime
    only: frozenset[str] = frozenset()
    """What whoever is let in will be limited to; empty for nothing. A limited one makes no owner."""


@dataclass(frozen=True, slots=True)
class WrongCodes:
    """Wrong codes since the last right one: what the lockout counts."""

    times: tuple[datetime, ...] = ()
    locked_until: datetime | None = None


def _no_senders() -> Mapping[SenderId, Sender]:
    return MappingProxyType({})


def _no_groups() -> Mapping[ChatId, Group]:
    return MappingProxyType({})


def _no_wrong_codes() -> Mapping[str, WrongCodes]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AccessState:
    """The whole book of one bot."""

    policy: Policy = Policy.PAIRING
    senders: Mapping[SenderId, Sender] = field(default_factory=_no_senders)
    groups: Mapping[ChatId, Group] = field(default_factory=_no_groups)
    pending: tuple[PendingPairing, ...] = ()
    invitations: tuple[Invitation, ...] = ()
    wrong_codes: Mapping[str, WrongCodes] = field(default_factory=_no_wrong_codes)
    """By who typed them: a sender id, or `operator`."""

    @property
    def has_owner(self) -> bool:
        """Whether anybody in the book is an owner."""
        return any(person.role is Role.OWNER for person in self.senders.values())


class Refusal(StrEnum):
    """Why somebody is refused. Refusals are silent: this is for tests and the audit, never for the chat."""

    UNKNOWN_SENDER = "unknown_sender"
    UNKNOWN_GROUP = "unknown_group"
    NOT_ADDRESSED = "not_addressed"
    """Said in a group, not to the bot."""
    UNSUITABLE_CHAT = "unsuitable_chat"
    """Neither a private chat with its own sender nor a group."""
    CLOSED = "closed"
    TOO_MANY_PENDING = "too_many_pending"
    CODE_ON_ITS_WAY = "code_on_its_way"
    REMINDED = "reminded"
    """They have their code and their one reminder."""
    LOCKED_OUT = "locked_out"


@dataclass(frozen=True, slots=True)
class Admit:
    """They may talk, as this role."""

    role: Role


@dataclass(frozen=True, slots=True)
class Challenge:
    """They may ask to come in: a code is owed, or a reminder of the one they have."""

    reminder: bool


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing happens, and nothing is said."""

    reason: Refusal


Admission = Admit | Challenge | Refuse


def admit(
    state: AccessState, place: Place, now: datetime, *, addressed: bool, rules: PairingRules = RULES
) -> Admission:
    """Decide about one thing that somebody did in a chat.

    `addressed` matters in groups only: see `is_addressed`. What is done to the bot's own messages
    (a button, a reaction) is addressed. Whoever has no sender id (anonymous admins, channels) must be
    refused before.
    """
    match place.chat_kind:
        case ChatKind.PRIVATE if place.chat == private_chat(place.sender):
            return _admit_alone(state, place.sender, now, rules)
        case ChatKind.GROUP:
            return _admit_in_group(state, place, addressed=addressed)
        case _:
            return Refuse(Refusal.UNSUITABLE_CHAT)


def _admit_alone(state: AccessState, sender: SenderId, now: datetime, rules: PairingRules) -> Admission:
    if person := state.senders.get(sender):
        return Admit(person.role)
    if state.policy is Policy.PAIRING:
        return _challenge(state, sender, now, rules)
    return Refuse(Refusal.CLOSED if state.policy is Policy.CLOSED else Refusal.UNKNOWN_SENDER)


def _challenge(state: AccessState, sender: SenderId, now: datetime, rules: PairingRules) -> Admission:
    if locked_until(state, sender, now):
        return Refuse(Refusal.LOCKED_OUT)
    live = [pending for pending in state.pending if pending.is_live(now, rules)]
    for pending in live:
        if pending.sender != sender:
            continue
        if not pending.sent:
            return Refuse(Refusal.CODE_ON_ITS_WAY)
        if pending.reminded or pending.reminder_owed:
            return Refuse(Refusal.REMINDED)
        return Challenge(reminder=True)
    if len(live) >= rules.most_pending:
        return Refuse(Refusal.TOO_MANY_PENDING)
    return Challenge(reminder=False)


def _admit_in_group(state: AccessState, place: Place, *, addressed: bool) -> Admission:
    group = state.groups.get(place.chat)
    if group is None:
        return Refuse(Refusal.UNKNOWN_GROUP)
    role = role_in(state, place)
    if role is None:
        return Refuse(Refusal.UNKNOWN_SENDER)
    if group.mention_only and not addressed:
        return Refuse(Refusal.NOT_ADDRESSED)
    return Admit(role)


def is_addressed(group: Group, message: InboundMessage) -> bool:
    """Whether a message in a group is for the bot: names it, answers it, or uses one of its patterns."""
    if message.mentions_bot or (message.reply_to is not None and message.reply_to.from_bot):
        return True
    text = _comparable(message.text)
    return any(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) for word in map(_comparable, group.patterns) if word
    )


def _comparable(text: str) -> str:
    """The same text for the same words, however they were typed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def role_in(state: AccessState, place: Place) -> Role | None:
    """What the sender may do there; None if nothing. A sender of one group is nobody elsewhere."""
    if place.chat_kind is ChatKind.PRIVATE:
        if place.chat != private_chat(place.sender):
            return None
    elif place.chat_kind is not ChatKind.GROUP or place.chat not in state.groups:
        return None
    if person := state.senders.get(place.sender):
        return person.role
    group = state.groups.get(place.chat)
    return Role.SENDER if group is not None and place.sender in group.senders else None


def is_in_book(state: AccessState, sender: SenderId) -> bool:
    """Whether this person is let in anywhere at all, as a sender of their own or by some group."""
    return sender in state.senders or any(sender in group.senders for group in state.groups.values())


def may_address(state: AccessState, chat: ChatId) -> bool:
    """Whether Claude may write to this chat: outbound is decided by the same book as inbound."""
    return chat in state.groups or SenderId(chat) in state.senders


def may_approve(state: AccessState, sender: SenderId) -> bool:
    """Whether this person approves in some session. Somebody let in by a group only: never."""
    person = state.senders.get(sender)
    return person is not None and person.role.may_approve


def may_reach(state: AccessState, sender: SenderId, label: str, project: str, branch: str = "") -> bool:
    """Whether a session is open to this person: whether what they send may go there.

    The session is told as for `scopes.leaves_open`. Whoever is in no book reaches nothing. Somebody let in by
    a group only has no limit: whoever may talk in a group reaches what the group reaches.
    """
    person = state.senders.get(sender)
    return is_in_book(state, sender) if person is None else _is_open_to(person, label, project, branch)


def _is_open_to(person: Sender, label: str, project: str, branch: str) -> bool:
    return person.role is Role.OWNER or leaves_open(person.only, label, project, branch)


def may_approve_for(state: AccessState, sender: SenderId, label: str, project: str, branch: str = "") -> bool:
    """Whether this person's answer to a permission prompt of this session counts."""
    return may_approve(state, sender) and may_reach(state, sender, label, project, branch)


def approvers_of(state: AccessState, label: str, project: str, branch: str = "") -> tuple[Sender, ...]:
    """Everybody who is shown the permission prompts of a session, in the order of `approvers`."""
    return tuple(one for one in approvers(state) if _is_open_to(one, label, project, branch))


def approvers(state: AccessState) -> tuple[Sender, ...]:
    """Everybody who approves in some session, owners first, then by how long they have been here."""
    people = (person for person in state.senders.values() if person.role.may_approve)
    return tuple(sorted(people, key=lambda one: (one.role is not Role.OWNER, one.since, one.sender)))


def locked_until(state: AccessState, who: str, now: datetime) -> datetime | None:
    """Until when no code of this person (or of the operator) is looked at; None when they are free."""
    wrong = state.wrong_codes.get(who)
    if wrong is None or wrong.locked_until is None or wrong.locked_until <= now:
        return None
    return wrong.locked_until


def with_sender(state: AccessState, person: Sender) -> AccessState:
    """Let somebody in, or change them; whatever was pending for them is settled. An owner has no limit.

    The first owner closes the door: from then on the policy is `allowlist`, until the operator says
    otherwise.
    """
    if person.role is Role.OWNER and person.only:
        person = replace(person, only=frozenset())
    first_owner = person.role is Role.OWNER and not state.has_owner
    closes = first_owner and state.policy is Policy.PAIRING
    return replace(
        state,
        policy=Policy.ALLOWLIST if closes else state.policy,
        senders=MappingProxyType({**state.senders, person.sender: person}),
        pending=tuple(one for one in state.pending if one.sender != person.sender),
        wrong_codes=MappingProxyType({who: one for who, one in state.wrong_codes.items() if who != person.sender}),
    )


def without_sender(state: AccessState, sender: SenderId) -> AccessState:
    """Forget somebody everywhere: the allowlist, every group, and what they asked for.

    Open invitations go with the last person: the next one in becomes the owner, and nobody who was
    invited as less may be that.
    """
    left = {key: one for key, one in state.senders.items() if key != sender}
    return replace(
        state,
        senders=MappingProxyType(left),
        invitations=state.invitations if left or not state.senders else (),
        groups=MappingProxyType(
            {
                chat: replace(group, senders=group.senders - {sender}) if sender in group.senders else group
                for chat, group in state.groups.items()
            }
        ),
        pending=tuple(one for one in state.pending if one.sender != sender),
    )


def with_group(state: AccessState, group: Group) -> AccessState:
    """Opt a group in, or change it."""
    return replace(state, groups=MappingProxyType({**state.groups, group.chat: group}))


def without_group(state: AccessState, chat: ChatId) -> AccessState:
    """Opt a group out."""
    return replace(state, groups=MappingProxyType({key: one for key, one in state.groups.items() if key != chat}))


def with_group_moved(state: AccessState, old: ChatId, new: ChatId) -> AccessState:
    """Follow a group that became a supergroup with another id; a group that is not in the book stays out.

    Where both are in the book, the new one's own rules stay as they are. Doing it twice changes nothing.
    """
    group = state.groups.get(old)
    if group is None or old == new:
        return state
    moved = without_group(state, old)
    return moved if new in state.groups else with_group(moved, replace(group, chat=new))


def with_welcomed(state: AccessState, sender: SenderId) -> AccessState:
    """Remember that the bot has greeted somebody."""
    person = state.senders.get(sender)
    return state if person is None or person.welcomed else with_sender(state, replace(person, welcomed=True))
