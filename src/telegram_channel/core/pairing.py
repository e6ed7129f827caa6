"""One-time codes that let people in: made, shown once, hashed at rest, compared in constant time.

Two roads, one kind of code. A stranger writes, gets a short code, and the operator redeems it in the
terminal; or the operator makes a long one, and whoever sends it to the bot with `/start` is in.

Every function takes the whole book and returns the new one with a typed result; it never raises for
what a person typed. A change that comes to nothing returns the very same book, so that nothing is written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from telegram_channel.core.access import (
    AccessState,
    Admit,
    Challenge,
    Invitation,
    PendingPairing,
    Policy,
    Refusal,
    Refuse,
    Role,
    Sender,
    WrongCodes,
    admit,
    locked_until,
    with_sender,
)
from telegram_channel.core.audit import OPERATOR
from telegram_channel.core.ids import SenderId, private_chat
from telegram_channel.core.messages import ChatKind, Place
from telegram_channel.core.pairing_code import PairingCode as PairingCode  # re-exported: one place to import from
from telegram_channel.core.pairing_code import matching
from telegram_channel.core.pairing_rules import RULES as RULES  # re-exported
from telegram_channel.core.pairing_rules import PairingRules as PairingRules  # re-exported

# Results. None of them holds a code.


@dataclass(frozen=True, slots=True)
class CodeOwed:
    """They may come in: housekeeping makes a code and sends it."""

    pending: PendingPairing


@dataclass(frozen=True, slots=True)
class ReminderOwed:
    """They have a code and wrote again: housekeeping reminds them, once."""

    pending: PendingPairing


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Nothing is owed; `reason` is None when they are in already."""

    reason: Refusal | None


@dataclass(frozen=True, slots=True)
class CodeIssued:
    """The code is valid from now on and can be sent."""

    pending: PendingPairing


@dataclass(frozen=True, slots=True)
class NotPending:
    """Nobody waits for this (any more)."""


@dataclass(frozen=True, slots=True)
class Paired:
    """They are in. `closed_door`: they are the first owner, and the policy is `allowlist` now."""

    person: Sender
    closed_door: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """Their request is gone, and they cannot ask again before `until`."""

    pending: PendingPairing
    until: datetime


@dataclass(frozen=True, slots=True)
class NoCode:
    """What was typed cannot be a code of this kind; it is not counted."""


@dataclass(frozen=True, slots=True)
class WrongCode:
    """No such code is valid. `left`: how many more wrong ones there may be before a lockout."""

    left: int


@dataclass(frozen=True, slots=True)
class LockedOut:
    """No code of theirs is looked at before `until`."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Invited:
    """The invitation is valid from now on; `first`: nobody is in yet, so it will make an owner."""

    invitation: Invitation
    first: bool


@dataclass(frozen=True, slots=True)
class TooManyInvitations:
    """So many are open already."""

    open: int


@dataclass(frozen=True, slots=True)
class AlreadyIn:
    """They need no invitation; it stays valid for somebody else."""

    person: Sender


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Invitations are not taken there, or not now."""

    reason: Refusal


Request = CodeOwed | ReminderOwed | NotAsked
Redemption = Paired | NoCode | WrongCode | LockedOut
Denial = Denied | NoCode | WrongCode | LockedOut
Acceptance = Paired | AlreadyIn | NotTaken | NoCode | WrongCode | LockedOut


# The first road: a stranger writes.


def request_pairing(
    state: AccessState, place: Place, now: datetime, rules: PairingRules = RULES
) -> tuple[AccessState, Request]:
    """Remember that a stranger wrote: a code is owed, or one reminder, or nothing."""
    match admit(state, place, now, addressed=False, rules=rules):
        case Challenge(reminder=reminder):
            state = prune(state, now, rules)
            if reminder:
                state, owed = _changed(state, place.sender, lambda one: replace(one, reminder_owed=True))
                return state, ReminderOwed(owed) if owed else NotAsked(None)
            asked = PendingPairing(
                sender=place.sender,
                name=place.sender_name[: rules.longest_name],
                asked_at=now,
                expires_at=now + rules.code_lifetime,
            )
            return replace(state, pending=(*state.pending, asked)), CodeOwed(asked)
        case Refuse(reason=reason):
            return state, NotAsked(reason)
        case Admit():
            return state, NotAsked(None)


def codes_owed(state: AccessState, now: datetime, rules: PairingRules = RULES) -> tuple[PendingPairing, ...]:
    """Who still has to be sent a code, oldest first: housekeeping issues one, sends it, and marks it sent."""
    return tuple(one for one in state.pending if not one.sent and one.is_live(now, rules))


def reminders_owed(state: AccessState, now: datetime, rules: PairingRules = RULES) -> tuple[PendingPairing, ...]:
    """Who still has to be reminded, oldest first: housekeeping does and marks it."""
    return tuple(one for one in state.pending if one.reminder_owed and one.sent and one.is_live(now, rules))


def issue_code(
    state: AccessState, sender: SenderId, code: PairingCode, salt: str, now: datetime, rules: PairingRules = RULES
) -> tuple[AccessState, CodeIssued | NotPending]:
    """Make `code` the valid one of somebody who waits; an earlier one of theirs is void from now on."""
    state, issued = _changed(
        prune(state, now, rules),
        sender,
        lambda one: replace(
            one,
            code_hash=code.digest(salt, rules.code_rounds),
            salt=salt,
            expires_at=now + rules.code_lifetime,
            sent=False,
        ),
    )
    return state, CodeIssued(issued) if issued else NotPending()


def mark_code_sent(state: AccessState, sender: SenderId) -> AccessState:
    """Remember that the code left for the chat, so that no other one is made."""
    return _changed(state, sender, lambda one: replace(one, sent=True))[0]


def mark_reminded(state: AccessState, sender: SenderId) -> AccessState:
    """Remember that the one reminder was sent."""
    return _changed(state, sender, lambda one: replace(one, reminded=True, reminder_owed=False))[0]


def withdraw(state: AccessState, sender: SenderId) -> AccessState:
    """Forget the request of somebody whom the code cannot reach; they may ask again."""
    kept = tuple(one for one in state.pending if one.sender != sender)
    return state if len(kept) == len(state.pending) else replace(state, pending=kept)


def redeem_code(
    state: AccessState, typed: str, now: datetime, rules: PairingRules = RULES
) -> tuple[AccessState, Redemption]:
    """Let in the person whose code the operator typed: the very first as owner, others as senders."""
    state, found = _find_pending(state, typed, now, rules)
    if not isinstance(found, PendingPairing):
        return state, found
    return _let_in(state, Sender(found.sender, Role.SENDER, found.name, now, "pair"))


def deny_code(
    state: AccessState, typed: str, now: datetime, rules: PairingRules = RULES
) -> tuple[AccessState, Denial]:
    """Turn away the person whose code the operator typed; they cannot ask again for a while."""
    state, found = _find_pending(state, typed, now, rules)
    if not isinstance(found, PendingPairing):
        return state, found
    until = now + rules.denied_for
    state = withdraw(state, found.sender)
    return _with_wrong_codes(state, found.sender, WrongCodes(locked_until=until), rules), Denied(found, until)


def _find_pending(
    state: AccessState, typed: str, now: datetime, rules: PairingRules
) -> tuple[AccessState, PendingPairing | NoCode | WrongCode | LockedOut]:
    """Whose code it is. A right one clears the operator's record, a wrong one goes onto it."""
    code = PairingCode.typed(typed, rules.code_length, rules)
    if code is None:
        return state, NoCode()
    if until := locked_until(state, OPERATOR, now):
        return state, LockedOut(until)
    candidates = [one for one in state.pending if one.code_hash and one.is_live(now, rules)]
    index = matching(code, [(one.code_hash, one.salt) for one in candidates], rules.code_rounds)
    if index is None:
        return _count_wrong(state, OPERATOR, now, rules)
    state = prune(_without_wrong_codes(state, OPERATOR), now, rules)
    return state, candidates[index]


# The second road: the operator invites.


def make_invitation(
    state: AccessState,
    code: PairingCode,
    salt: str,
    role: Role,
    now: datetime,
    rules: PairingRules = RULES,
    *,
    only: frozenset[str] = frozenset(),
) -> tuple[AccessState, Invited | TooManyInvitations]:
    """Make `code` an invitation that works once, for whoever sends it first; `only` limits them."""
    if only and role is Role.OWNER:
        raise ValueError("an owner is never limited")
    if len(code.letters) != rules.invitation_length:
        raise ValueError("an invitation needs a code made for invitations")
    pruned = prune(state, now, rules)
    if len(pruned.invitations) >= rules.most_invitations:
        return state, TooManyInvitations(len(pruned.invitations))
    invitation = Invitation(
        code_hash=code.digest(salt, rules.invitation_rounds),
        salt=salt,
        role=role,
        made_at=now,
        expires_at=now + rules.invitation_lifetime,
        only=only,
    )
    invited = replace(pruned, invitations=(*pruned.invitations, invitation))
    return invited, Invited(invitation, first=not state.senders and not only)


def redeem_invitation(
    state: AccessState, place: Place, typed: str, now: datetime, rules: PairingRules = RULES
) -> tuple[AccessState, Acceptance]:
    """Let in whoever sent a valid invitation to the bot in private: the very first becomes the owner.

    A limited invitation makes no owner. Wrong ones count against the person and lock them out. Nothing of
    the outcome is said in the chat but a welcome.
    """
    if place.chat_kind is not ChatKind.PRIVATE or place.chat != private_chat(place.sender):
        return state, NotTaken(Refusal.UNSUITABLE_CHAT)
    if person := state.senders.get(place.sender):
        return state, AlreadyIn(person)
    if state.policy not in (Policy.PAIRING, Policy.ALLOWLIST):
        return state, NotTaken(Refusal.CLOSED)
    code = PairingCode.typed(typed, rules.invitation_length, rules)
    if code is None:
        return state, NoCode()
    if until := locked_until(state, place.sender, now):
        return state, LockedOut(until)
    candidates = [one for one in state.invitations if now < one.expires_at]
    index = matching(code, [(one.code_hash, one.salt) for one in candidates], rules.invitation_rounds)
    if index is None:
        return _count_wrong(state, place.sender, now, rules)
    used = candidates[index]
    state = prune(state, now, rules)
    state = replace(state, invitations=tuple(one for one in state.invitations if one != used))
    name = place.sender_name[: rules.longest_name]
    return _let_in(state, Sender(place.sender, used.role, name, now, "invite", only=used.only))


def without_invitations(state: AccessState) -> AccessState:
    """Take back every open invitation."""
    return replace(state, invitations=()) if state.invitations else state


# What both roads share.


def prune(state: AccessState, now: datetime, rules: PairingRules = RULES) -> AccessState:
    """Forget codes and invitations that expired, and wrong codes that no longer matter."""
    pending = tuple(one for one in state.pending if one.is_live(now, rules))
    invitations = tuple(one for one in state.invitations if now < one.expires_at)
    remembered = {who: one for who, one in state.wrong_codes.items() if _still_matters(one, now, rules)}
    if (len(pending), len(invitations), len(remembered)) == (
        len(state.pending),
        len(state.invitations),
        len(state.wrong_codes),
    ):
        return state
    return replace(state, pending=pending, invitations=invitations, wrong_codes=MappingProxyType(remembered))


def _still_matters(wrong: WrongCodes, now: datetime, rules: PairingRules) -> bool:
    latest = max((*wrong.times, *((wrong.locked_until,) if wrong.locked_until else ())), default=None)
    return latest is not None and now < latest + rules.wrong_codes_forgotten_after


def _let_in(state: AccessState, person: Sender) -> tuple[AccessState, Paired]:
    if not state.senders and not person.only:
        person = replace(person, role=Role.OWNER)
    after = with_sender(state, person)
    return after, Paired(person, closed_door=after.policy is not state.policy)


def _count_wrong(
    state: AccessState, who: str, now: datetime, rules: PairingRules
) -> tuple[AccessState, WrongCode | LockedOut]:
    state = prune(state, now, rules)
    before = state.wrong_codes.get(who, WrongCodes())
    times = (*before.times, now)
    lockout = rules.lockout_after(len(times))
    if lockout:
        until = now + lockout
        return _with_wrong_codes(state, who, WrongCodes(times, until), rules), LockedOut(until)
    left = rules.wrong_codes_before_lockout - len(times) % rules.wrong_codes_before_lockout
    return _with_wrong_codes(state, who, WrongCodes(times), rules), WrongCode(left)


def _with_wrong_codes(state: AccessState, who: str, wrong: WrongCodes, rules: PairingRules) -> AccessState:
    others = {key: one for key, one in state.wrong_codes.items() if key != who}
    strangers = [key for key in others if key != OPERATOR]
    for oldest in strangers[: max(0, len(strangers) - rules.most_remembered_guessers + 1)]:
        del others[oldest]
    return replace(state, wrong_codes=MappingProxyType({**others, who: wrong}))


def _without_wrong_codes(state: AccessState, who: str) -> AccessState:
    if who not in state.wrong_codes:
        return state
    rest = {key: one for key, one in state.wrong_codes.items() if key != who}
    return replace(state, wrong_codes=MappingProxyType(rest))


def _changed(
    state: AccessState, sender: SenderId, change: Callable[[PendingPairing], PendingPairing]
) -> tuple[AccessState, PendingPairing | None]:
    """Change what is pending for one person; the same book when that is nothing, or comes to nothing."""
    found: PendingPairing | None = None
    pending = []
    for one in state.pending:
        if one.sender == sender:
            found = change(one)
            pending.append(found)
        else:
            pending.append(one)
    return (state if tuple(pending) == state.pending else replace(state, pending=tuple(pending))), found
