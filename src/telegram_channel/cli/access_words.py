"""What `telegram-channel access` says: each change in a sentence, and what follows from it.

Names come from the chat and are untrusted: they are quoted, on one line, with nothing hidden in them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from telegram_channel.bridge.admin import Invite, LetIn, PolicySet, Removed
from telegram_channel.bridge.admin_groups import GroupGone, GroupSet
from telegram_channel.cli.output import table, untrusted
from telegram_channel.core.access import Group, Policy, Role
from telegram_channel.core.pairing import Denied, PairingCode
from telegram_channel.core.scopes import LONGEST_NAME, in_order
from telegram_channel.core.visible import visible_line

NO_OWNER = (
    "Nobody is owner. Make somebody with `telegram-channel access role ID owner`, or let one in with "
    "`telegram-channel access allow ID --role owner`."
)
_MAY = {
    Role.OWNER: "may talk to Claude and approve its tool calls",
    Role.APPROVER: "may talk to Claude and approve its tool calls",
    Role.SENDER: "may talk to Claude, and approve nothing",
}
_POLICIES = {
    Policy.PAIRING: "people it does not know get a code when they write, which only you can accept",
    Policy.ALLOWLIST: "people it does not know are ignored; an invitation still lets somebody in",
    Policy.CLOSED: "people it does not know are ignored, and so are invitations",
}


def let_in(result: LetIn, verb: str) -> str:
    """Somebody was let in, or changed."""
    person = result.person
    who = f"{untrusted(person.name)} ({person.sender})" if person.name else person.sender
    if result.was is None:
        lines = [f"{who} is {verb} as {person.role.value}: {_MAY[person.role]}."]
    elif result.was is person.role:
        lines = [f"{who} is in as {person.role.value}, as before."]
    else:
        lines = [f"{who} is {person.role.value} now (was {result.was.value}): {_MAY[person.role]}."]
    lines += _limit(result)
    if result.closed_door:
        lines.append("There is an owner now, so the policy became allowlist: nobody else gets a code.")
    if not result.has_owner:
        lines.append(NO_OWNER)
    return "\n".join(lines)


def _limit(result: LetIn) -> list[str]:
    """What somebody is limited to, if anything is to be said about it."""
    person = result.person
    if person.only:
        again = ", as before" if person.only == result.was_only else ""
        return [_limited_to("They reach", person.role, person.only, again)]
    if not result.was_only:
        return []
    reason = ": an owner is never limited" if person.role is Role.OWNER else ", so every session is open to them"
    return [f"The limit to {_listed(result.was_only, 'and')} is lifted{reason}."]


def _limited_to(opening: str, role: Role, only: Iterable[str], tail: str = "") -> str:
    approves = ", and approve for no others" if role.may_approve else ""
    return f"{opening} the sessions of {_listed(only, 'and')} only{approves}{tail}."


def nothing_called(idle: Sequence[str], numbered: Sequence[str], running: Sequence[str]) -> str:
    """What to know of a limit with names that mean no running session: `idle` ones, and those that never will.

    `numbered` are labels with a number by start, `running` all labels of now. Empty when there is nothing to know.
    """
    lines = []
    if idle:
        there = f"Running: {', '.join(map(_name, running))}." if running else "None is running."
        lines.append(f"No running session is called {_listed(idle, 'or')}; the limit waits for one that is. {there}")
    if numbered:
        lines.append(
            f"The number in {_listed(numbered, 'or')} changes as sessions come and go, so no limit goes by it. Name "
            "the project, PROJECT/BRANCH or the whole directory instead."
        )
    return "\n".join(lines)


def denied(result: Denied) -> str:
    """Somebody was turned away."""
    person = result.pending
    return (
        f"{untrusted(person.name)} ({person.sender}) was turned away, and cannot ask again before "
        f"{_clock_time(result.until)}. They are told nothing."
    )


def deep_link(username: str, code: PairingCode) -> str:
    """What opens the chat with the bot and hands it the code (source: Bot API, deep linking).

    Empty while the bot's name is not known.
    """
    return f"https://t.me/{username}?start={code.letters}" if re.fullmatch(r"[A-Za-z0-9_]+", username) else ""


def invited(made: Invite, link: str) -> str:
    """An invitation, with everything its receiver needs."""
    role = Role.OWNER if made.makes_owner else made.invitation.role
    lines = [
        f"Whoever uses this first is let in as {role.value} and {_MAY[role]}. "
        f"It works once, until {_clock_time(made.invitation.expires_at)}."
    ]
    if made.invitation.only:
        lines.append(_limited_to("They will reach", role, made.invitation.only))
    if made.makes_owner:
        lines.append("Nobody is in yet, so it makes the owner.")
    if link:
        lines += ["", f"  {link}", "", "Open it on the phone and press Start, or send this to the bot:"]
    else:
        lines += [
            "",
            "The name of the bot is not known before a session has polled it once. Send this to the bot:",
        ]
    lines += ["", f"  /start {made.code.letters}"]
    return "\n".join(lines)


def removed(sender: str, result: Removed) -> str:
    """Somebody was put out."""
    who = f"{untrusted(result.person.name)} ({sender})" if result.person and result.person.name else sender
    groups = f", and out of {', '.join(result.groups)}" if result.groups else ""
    lines = [f"{who} is out{groups}. What they send is ignored from now on."]
    if not result.people:
        lines.append(
            "Nobody is left. Run `telegram-channel access invite`, or `telegram-channel access policy pairing`: "
            "the next one in is owner."
        )
    return "\n".join(lines)


def policy_set(result: PolicySet) -> str:
    """The policy in force."""
    changed = "still " if result.policy is result.was else ""
    return f"The policy is {changed}{result.policy.value}: {_POLICIES[result.policy]}."


def group_set(result: GroupSet) -> str:
    """A group as it is now."""
    group = result.group
    opening = "is opted in" if result.is_new else "is in the book"
    hears = (
        "what names the bot, answers it" + (", or says " + _either(group.patterns) if group.patterns else "")
        if group.mention_only
        else "everything they say"
    )
    own = f" and {', '.join(sorted(group.senders))}" if group.senders else ""
    return f"{_called(group)} {opening}. Claude hears the people on the allowlist{own} there: {hears}."


def group_gone(result: GroupGone) -> str:
    """A group that is out."""
    return f"{_called(result.group)} is opted out. What is said there is ignored from now on."


def book(listed: Mapping[str, Any]) -> str:
    """Everything in the access book, for people."""
    policy = Policy(listed["policy"])
    bot = listed["bot"] or "no bot yet"
    name = f" (@{visible_line(listed['username'], 40)})" if listed["username"] else ""
    parts = [f"Bot: {bot}{name}", f"Policy: {policy.value}; {_POLICIES[policy]}."]
    people = [
        (one["id"], one["role"], untrusted(one["name"]), _day(one["since"]), f"by {one['by']}", _only(one))
        for one in listed["senders"]
    ]
    parts.append("People:\n" + table(people) if people else "People: nobody is let in.")
    groups = [
        (
            one["id"],
            untrusted(one["title"]),
            "mentions only" if one["mention_only"] else "all messages",
            f"patterns: {', '.join(map(untrusted, one['patterns']))}" if one["patterns"] else "",
            f"also: {', '.join(one['senders'])}" if one["senders"] else "",
        )
        for one in listed["groups"]
    ]
    if groups:
        parts.append("Groups:\n" + table(groups))
    waiting = [
        (one["id"], untrusted(one["name"]), "has a code" if one["code_sent"] else "is about to get a code")
        for one in listed["pending"]
    ]
    if waiting:
        parts.append("Waiting to be paired:\n" + table(waiting))
    open_ones = [(one["role"], f"until {_minute(one['expires_at'])}", _only(one)) for one in listed["invitations"]]
    if open_ones:
        parts.append("Open invitations:\n" + table(open_ones))
    locked = [(one["who"], f"until {_minute(one['until'])}") for one in listed["locked_out"]]
    if locked:
        parts.append("Locked out after wrong codes, or turned away:\n" + table(locked))
    return "\n".join(parts)


def log(rows: Sequence[Mapping[str, str]]) -> str:
    """The audit trail, for people."""
    if not rows:
        return "Nothing has happened yet."
    columns = ("at", "actor", "action", "subject", "detail")
    return table([[visible_line(row[column], 120) for column in columns] for row in rows], indent="")


def _called(group: Group) -> str:
    return f"Group {untrusted(group.title)} ({group.chat})" if group.title else f"Group {group.chat}"


def _only(one: Mapping[str, Any]) -> str:
    return f"only {', '.join(map(_name, one['only']))}" if one["only"] else ""


def _listed(names: Iterable[str], word: str) -> str:
    """`a, b and c`, in quotes."""
    *others, last = map(_name, in_order(names))
    return f"{', '.join(others)} {word} {last}" if others else last


def _name(name: str) -> str:
    """A name of a limit, whole: two long directories may differ in their last letter only."""
    return f'"{visible_line(name, LONGEST_NAME)}"'


def _either(words: Sequence[str]) -> str:
    return " or ".join(map(untrusted, words))


def _clock_time(at: datetime) -> str:
    return at.astimezone().strftime("%H:%M")


def _day(iso: str) -> str:
    return iso[:10]


def _minute(iso: str) -> str:
    return _clock_time(datetime.fromisoformat(iso))
