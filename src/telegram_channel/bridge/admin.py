"""The operator's verbs: every change of the access book is one transaction with its audit rows in it.

Each verb returns what it did as a value; the wording is the caller's. What cannot be done raises
`AccessError` with a remedy, and then nothing was stored, except that a wrong code is always counted.
Time and randomness are arguments. A limit to certain sessions is a set of names: see `core.scopes`. Groups
have verbs of their own in `bridge.admin_groups`.
"""

from collections.abc import Callable, Iterable
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
from telegram_channel.core.scopes import LONGEST_NAME, MOST_NAMES, in_words, tidy
from telegram_channel.errors import AccessError
from telegram_channel.ports import AccessBook, Change

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
    was_only: frozenset[str] = frozenset()
    """What they were limited to until now."""


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


async def invite(book: AccessBook, role: Role, entropy: Entropy, now: datetime, only: Iterable[str] = ()) -> Invite:
    """Make an invitation that works once; `only` limits whoever takes it to these sessions and projects.

    Raises:
        AccessError: the policy is `closed`, too many invitations are open, or it would limit an owner.
    """
    limit = _limit(only)
    if limit and role is Role.OWNER:
        raise _owner_is_unlimited()
    code, salt = PairingCode.for_invitation(entropy(ENTROPY_BYTES)), entropy(SALT_BYTES).hex()

    def change(state: AccessState) -> tuple[AccessState, Invited | TooManyInvitations, Rows]:
        if state.policy is Policy.CLOSED:
            raise AccessError(
                "The policy is closed, so invitations do not work.",
                "Run `telegram-channel access policy allowlist` first.",
            )
        if limit and not state.senders:
            raise AccessError(
                "Nobody is in yet, and the first one in is the owner, who is never limited.",
                "Let the owner in first, by an invitation without --only.",
            )
        after, result = make_invitation(state, code, salt, role, now, only=limit)
        made = isinstance(result, Invited)
        return after, result, (AuditRow(now, OPERATOR, "invite", _what_they_may(role, limit)),) if made else ()

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
    book: AccessBook,
    sender: SenderId,
    now: datetime,
    role: Role | None = None,
    name: str | None = None,
    only: Iterable[str] | None = None,
) -> LetIn:
    """Let somebody in by id, or give somebody who is in another role, name or limit. New people are senders.

    `only` limits them to these sessions and projects; empty lifts every limit, None leaves it as it is.

    Raises:
        AccessError: it would limit an owner, or is no limit that can be kept.
    """

    def changed(state: AccessState) -> Sender:
        known = state.senders.get(sender) or Sender(sender, Role.SENDER, "", now, "allow")
        return replace(known, role=role or known.role, name=name or known.name)

    return await book.transact(_change_of(changed, only, "allow", now))


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


async def set_role(
    book: AccessBook, sender: SenderId, role: Role, now: datetime, only: Iterable[str] | None = None
) -> LetIn:
    """Change what somebody may do, and where: `only` is as for `allow`.

    Raises:
        AccessError: they are not on the allowlist; or as for `allow`.
    """

    def changed(state: AccessState) -> Sender:
        known = state.senders.get(sender)
        if known is None:
            only_groups = any(sender in group.senders for group in state.groups.values())
            what = "is let in by a group only" if only_groups else "is not in the book"
            raise AccessError(
                f"{sender} {what}, so there is no role to change.",
                f"Run `telegram-channel access allow {sender} --role {role.value}`.",
            )
        return replace(known, role=role)

    return await book.transact(_change_of(changed, only, "role", now))


def _change_of(
    changed: Callable[[AccessState], Sender], only: Iterable[str] | None, action: str, now: datetime
) -> Change[LetIn]:
    """The step that makes one person what `changed` says, limited as asked for; nothing when they are that."""
    limit = None if only is None else _limit(only)

    def change(state: AccessState) -> tuple[AccessState, LetIn, Rows]:
        person = changed(state)
        known = state.senders.get(person.sender)
        if person.role is Role.OWNER and limit:
            raise _owner_is_unlimited()
        if person.role is Role.OWNER or limit is not None:
            person = replace(person, only=limit or frozenset())
        was, was_only = (known.role, known.only) if known else (None, frozenset[str]())
        if person == known:
            return state, LetIn(known, was, closed_door=False, has_owner=state.has_owner, was_only=was_only), ()
        after = with_sender(state, person)
        closed_door = after.policy is not state.policy
        rows = _let_in_rows(now, action, person, closed_door=closed_door, was_only=was_only)
        return after, LetIn(person, was, closed_door, after.has_owner, was_only), rows

    return change


def _limit(names: Iterable[str]) -> frozenset[str]:
    """The limit that was asked for.

    Raises:
        AccessError: it has too many names, or too long ones.
    """
    limit = tidy(names)
    if len(limit) > MOST_NAMES or any(len(name) > LONGEST_NAME for name in limit):
        raise AccessError(
            f"A limit has {MOST_NAMES} names at most, of {LONGEST_NAME} characters each.",
            "Name whole projects instead of each of their branches.",
        )
    return limit


def _owner_is_unlimited() -> AccessError:
    return AccessError(
        "An owner is never limited to certain sessions.",
        "Use --only with the role approver or sender.",
    )


async def set_policy(book: AccessBook, policy: Policy, now: datetime) -> PolicySet:
    """Decide what happens to people the book does not know."""

    def change(state: AccessState) -> tuple[AccessState, PolicySet, Rows]:
        result = PolicySet(policy, state.policy, len(state.senders))
        if policy is state.policy:
            return state, result, ()
        return replace(state, policy=policy), result, (AuditRow(now, OPERATOR, "policy", policy.value),)

    return await book.transact(change)


def _what_they_may(role: Role, only: frozenset[str], was_only: frozenset[str] = frozenset()) -> str:
    """A role with its limit, for the audit; that there is none is said where there was one."""
    return f"{role.value}, only {in_words(only)}" if only else role.value + (", everywhere" if was_only else "")


def _let_in_rows(
    now: datetime, action: str, person: Sender, *, closed_door: bool, was_only: frozenset[str] = frozenset()
) -> Rows:
    what = _what_they_may(person.role, person.only, was_only)
    row = AuditRow(now, OPERATOR, action, person.sender, what)
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
