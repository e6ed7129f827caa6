"""The operator's verbs: every change of the access book is one transaction with its audit rows in it.

Each verb returns what it did as a value; the wording is the caller's. What cannot be done raises
`AccessError` with a remedy, and then nothing was stored, except that a wrong code is always counted.
Time and randomness are arguments. Groups have verbs of their own in `bridge.admin_groups`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from telegram_channel.core.access import (
    AccessState,
    Invitation,
    Policy,
    Role,
    Sender,
    with_sender,
    without_sender,
)
from telegram_channel.core.audit import OPERATOR, AuditRow
from telegram_channel.core.ids import ChatId, SenderId
from telegram_channel.core.pairing import (
    Denied,
    Invited,
    LockedOut,
    NoCode,
    Paired,
    TooManyInvitations,
    WrongCode,
    deny_code,
    make_invitation,
    redeem_code,
    without_invitations,
)
from telegram_channel.core.pairing_code import ENTROPY_BYTES, SALT_BYTES, PairingCode
from telegram_channel.core.pairing_rules import RULES
from telegram_channel.errors import AccessError
from telegram_channel.ports import AccessBook

BRIDGE = "bridge"
"""The actor of what happened by itself."""
SEE_LIST = "Run `telegram-channel access list` to see who is."

Rows = tuple[AuditRow, ...]
Entropy = Callable[[int], bytes]
"""Makes that many random bytes."""


@dataclass(frozen=True, slots=True)
class LetIn:
    """Somebody is in the book."""

    person: Sender
    was: Role | None
    """Their role until now; None when they are new."""
    closed_door: bool
    """Whether the policy became `allowlist` because there is an owner now."""
    has_owner: bool


@dataclass(frozen=True, slots=True)
class Invite:
    """A fresh invitation. The code is here and nowhere else."""

    code: PairingCode
    invitation: Invitation
    makes_owner: bool
    """Nobody is in yet, so whoever uses it first becomes the owner, whatever its role says."""


@dataclass(frozen=True, slots=True)
class Removed:
    """Somebody is out, everywhere."""

    person: Sender | None
    """None when they were let in by groups only."""
    groups: tuple[ChatId, ...]
    has_owner: bool
    people: int


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policy in force, and the one before."""

    policy: Policy
    was: Policy
    people: int


async def pair(book: AccessBook, typed: str, now: datetime) -> LetIn:
    """Let in the person who was shown this code.

    Raises:
        AccessError: it is no code, no valid one, or there were too many wrong ones.
    """

    def change(state: AccessState) -> tuple[AccessState, tuple[Paired | NoCode | WrongCode | LockedOut, bool], Rows]:
        after, result = redeem_code(state, typed, now)
        rows = (
            _let_in_rows(now, "pair", result.person, closed_door=result.closed_door)
            if isinstance(result, Paired)
            else _wrong_code_rows(now, state, after, result)
        )
        return after, (result, after.has_owner), rows

    result, has_owner = await book.transact(change)
    if isinstance(result, Paired):
        return LetIn(result.person, None, result.closed_door, has_owner)
    raise _code_error(result)


async def deny(book: AccessBook, typed: str, now: datetime) -> Denied:
    """Turn away the person who was shown this code.

    Raises:
        AccessError: as for `pair`.
    """

    def change(state: AccessState) -> tuple[AccessState, Denied | NoCode | WrongCode | LockedOut, Rows]:
        after, result = deny_code(state, typed, now)
        if isinstance(result, Denied):
            return after, result, (AuditRow(now, OPERATOR, "deny", result.pending.sender),)
        return after, result, _wrong_code_rows(now, state, after, result)

    result = await book.transact(change)
    if isinstance(result, Denied):
        return result
    raise _code_error(result)


async def invite(book: AccessBook, role: Role, entropy: Entropy, now: datetime) -> Invite:
    """Make an invitation that works once.

    Raises:
        AccessError: the policy is `closed`, or too many invitations are open.
    """
    code, salt = PairingCode.for_invitation(entropy(ENTROPY_BYTES)), entropy(SALT_BYTES).hex()

    def change(state: AccessState) -> tuple[AccessState, Invited | TooManyInvitations, Rows]:
        if state.policy is Policy.CLOSED:
            raise AccessError(
                "The policy is closed, so invitations do not work.",
                "Run `telegram-channel access policy allowlist` first.",
            )
        after, result = make_invitation(state, code, salt, role, now)
        made = isinstance(result, Invited)
        return after, result, (AuditRow(now, OPERATOR, "invite", role.value),) if made else ()

    result = await book.transact(change)
    if isinstance(result, Invited):
        return Invite(code, result.invitation, makes_owner=result.first)
    raise AccessError(
        f"{result.open} invitations are open, and more are not kept.",
        "Wait until they expire, or take them back with `telegram-channel access invite --revoke`.",
    )


async def revoke_invitations(book: AccessBook, now: datetime) -> int:
    """Take back every invitation that was not used; returns how many."""

    def change(state: AccessState) -> tuple[AccessState, int, Rows]:
        count = len(state.invitations)
        rows = (AuditRow(now, OPERATOR, "invite_revoke", "all", str(count)),) if count else ()
        return without_invitations(state), count, rows

    return await book.transact(change)


async def allow(
    book: AccessBook, sender: SenderId, now: datetime, role: Role | None = None, name: str | None = None
) -> LetIn:
    """Let somebody in by id, or give somebody who is in another role or name. New people are senders."""

    def change(state: AccessState) -> tuple[AccessState, LetIn, Rows]:
        known = state.senders.get(sender)
        if known:
            person = replace(known, role=role or known.role, name=name or known.name)
        else:
            person = Sender(sender, role or Role.SENDER, name or "", now, "allow")
        if person == known:
            return state, LetIn(known, known.role, closed_door=False, has_owner=state.has_owner), ()
        after = with_sender(state, person)
        closed_door = after.policy is not state.policy
        rows = _let_in_rows(now, "allow", person, closed_door=closed_door)
        return after, LetIn(person, known.role if known else None, closed_door, after.has_owner), rows

    return await book.transact(change)


async def remove(book: AccessBook, sender: SenderId, now: datetime) -> Removed:
    """Put somebody out: from the allowlist and from every group.

    Raises:
        AccessError: they are nowhere in the book.
    """

    def change(state: AccessState) -> tuple[AccessState, Removed, Rows]:
        person = state.senders.get(sender)
        groups = tuple(chat for chat, group in state.groups.items() if sender in group.senders)
        if person is None and not groups:
            raise AccessError(f"Nobody with the id {sender} is in the book.", SEE_LIST)
        after = without_sender(state, sender)
        rows = (AuditRow(now, OPERATOR, "remove", sender, person.role.value if person else "groups"),)
        return after, Removed(person, groups, after.has_owner, len(after.senders)), rows

    return await book.transact(change)


async def set_role(book: AccessBook, sender: SenderId, role: Role, now: datetime) -> LetIn:
    """Change what somebody may do.

    Raises:
        AccessError: they are not on the allowlist.
    """

    def change(state: AccessState) -> tuple[AccessState, LetIn, Rows]:
        known = state.senders.get(sender)
        if known is None:
            only_groups = any(sender in group.senders for group in state.groups.values())
            what = "is let in by a group only" if only_groups else "is not in the book"
            raise AccessError(
                f"{sender} {what}, so there is no role to change.",
                f"Run `telegram-channel access allow {sender} --role {role.value}`.",
            )
        if known.role is role:
            return state, LetIn(known, role, closed_door=False, has_owner=state.has_owner), ()
        person = replace(known, role=role)
        after = with_sender(state, person)
        closed_door = after.policy is not state.policy
        rows = _let_in_rows(now, "role", person, closed_door=closed_door)
        return after, LetIn(person, known.role, closed_door, after.has_owner), rows

    return await book.transact(change)


async def set_policy(book: AccessBook, policy: Policy, now: datetime) -> PolicySet:
    """Decide what happens to people the book does not know."""

    def change(state: AccessState) -> tuple[AccessState, PolicySet, Rows]:
        result = PolicySet(policy, state.policy, len(state.senders))
        if policy is state.policy:
            return state, result, ()
        return replace(state, policy=policy), result, (AuditRow(now, OPERATOR, "policy", policy.value),)

    return await book.transact(change)


def _let_in_rows(now: datetime, action: str, person: Sender, *, closed_door: bool) -> Rows:
    row = AuditRow(now, OPERATOR, action, person.sender, person.role.value)
    if not closed_door:
        return (row,)
    return row, AuditRow(now, BRIDGE, "policy", Policy.ALLOWLIST.value, "there is an owner now")


def _wrong_code_rows(
    now: datetime, before: AccessState, after: AccessState, result: NoCode | WrongCode | LockedOut
) -> Rows:
    """Rows for a wrong code; none while locked out, when nothing was looked at."""
    if before is after or isinstance(result, NoCode):
        return ()
    if isinstance(result, LockedOut):
        return (AuditRow(now, OPERATOR, "lockout", OPERATOR, f"until {result.until.isoformat(timespec='seconds')}"),)
    return (AuditRow(now, OPERATOR, "wrong_code", OPERATOR),)


def _code_error(result: NoCode | WrongCode | LockedOut) -> AccessError:
    match result:
        case NoCode():
            return AccessError(
                "That is not a pairing code.",
                f"It has {RULES.code_length} letters and digits, like CDFG-3467, and is shown in the chat with "
                "the bot. The code of an invitation is not typed here: send it to the bot.",
            )
        case WrongCode(left=left):
            return AccessError(
                "No request that is still open has this code.",
                "Codes work once and expire: let the person write to the bot again and use the new one. "
                f"After {left} more wrong {'one' if left == 1 else 'ones'} no code is looked at for a while.",
            )
        case LockedOut(until=until):
            return AccessError(
                f"There were too many wrong codes: none is looked at until {until:%H:%M} UTC.",
                "`telegram-channel access allow ID` lets somebody in meanwhile.",
            )
        case _:
            assert_never(result)
