"""`telegram-channel access`: the operator's changes of who may talk to the bot, and what is in the book.

It works while servers run and while none does, and needs no token: the store is where processes meet.
"""

import argparse
import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from telegram_channel.bridge import admin, admin_groups
from telegram_channel.bridge.listing import audit_listing, listing
from telegram_channel.cli import DONE, access_words
from telegram_channel.cli.chosen_bot import bot_id, open_chosen
from telegram_channel.cli.output import complain, say, say_json
from telegram_channel.cli.profile_option import EXPLANATION, add_profile_option, told
from telegram_channel.cli.qr import drawn
from telegram_channel.clock import SystemClock
from telegram_channel.core.access import Policy, Role
from telegram_channel.core.ids import ChatId, SenderId
from telegram_channel.core.routing import Member
from telegram_channel.core.scopes import LONGEST_NAME, in_order, leaves_open
from telegram_channel.core.session_names import Named, find_member, members
from telegram_channel.core.visible import visible_line
from telegram_channel.ports import Store
from telegram_channel.profiles import DEFAULT, choose_profile
from telegram_channel.settings import Settings

if TYPE_CHECKING:
    _Verbs = argparse._SubParsersAction[argparse.ArgumentParser]  # argparse has no public name for it

Verb = Callable[[Store, argparse.Namespace], Awaitable[None]]

_LONGEST_WORD = 64
_NUMBERED = re.compile(r" [0-9]+$")
_CLOCK = SystemClock()

JSON_SHAPE = """\
shape of --json (keys may be added, none is renamed; times are ISO 8601 in UTC; ids are strings):
  list: {"profile", "bot", "username", "policy",
         "senders": [{"id", "role", "name", "since", "by", "welcomed", "only"}],
         "groups": [{"id", "title", "since", "senders", "mention_only", "patterns"}],
         "pending": [{"id", "name", "asked_at", "expires_at", "code_sent"}],
         "invitations": [{"role", "made_at", "expires_at", "only"}],
         "locked_out": [{"who", "until"}]}
        "only" are the sessions and projects that are open to somebody, [] for all of them
  log:  {"profile", "bot", "rows": [{"at", "actor", "action", "subject", "detail"}]}, newest last
"""


def main(argv: Sequence[str]) -> int:
    """Carry out one access command; returns the exit code.

    Raises:
        ChannelError: it cannot be done; nothing was changed.
    """
    options = _parser().parse_args(argv)
    return asyncio.run(_carry_out(options.verb, options))


async def _carry_out(verb: Verb, options: argparse.Namespace) -> int:
    profile = choose_profile(options.profile)
    store = await open_chosen(Settings.load(profile), options.bot)
    options.profile = profile.name
    try:
        if profile.name != DEFAULT and not getattr(options, "json", False):
            say(f"Profile {told(profile)}:")
        await verb(store, options)
    finally:
        await store.close()
    return DONE


# The verbs.


async def _pair(store: Store, options: argparse.Namespace) -> None:
    say(access_words.let_in(await admin.pair(store.access, " ".join(options.code), _CLOCK.now()), "paired"))


async def _deny(store: Store, options: argparse.Namespace) -> None:
    say(access_words.denied(await admin.deny(store.access, " ".join(options.code), _CLOCK.now())))


async def _invite(store: Store, options: argparse.Namespace) -> None:
    now = _CLOCK.now()
    if options.revoke:
        count = await admin.revoke_invitations(store.access, now)
        say(f"Took back {count} open {'invitation' if count == 1 else 'invitations'}.")
        return
    made = await admin.invite(store.access, options.role, secrets.token_bytes, now, options.only)
    report = await store.health.latest()
    link = access_words.deep_link(report.bot_username if report else "", made.code)
    say(access_words.invited(made, link))
    if link and (picture := drawn(link)):
        say(f"\n{picture}")
    await _hint(store, made.invitation.only)


async def _allow(store: Store, options: argparse.Namespace) -> None:
    result = await admin.allow(store.access, options.id, _CLOCK.now(), options.role, options.name, options.only)
    say(access_words.let_in(result, "let in"))
    await _hint(store, result.person.only if options.only else ())


async def _remove(store: Store, options: argparse.Namespace) -> None:
    result = await admin.remove(store.access, options.id, _CLOCK.now())
    say(access_words.removed(options.id, result))
    if result.people and not result.has_owner:
        complain(access_words.NO_OWNER)


async def _role(store: Store, options: argparse.Namespace) -> None:
    result = await admin.set_role(store.access, options.id, options.role, _CLOCK.now(), options.only)
    say(access_words.let_in(result, "let in"))
    await _hint(store, result.person.only if options.only else ())


async def _hint(store: Store, only: Iterable[str]) -> None:
    """Say which names of a limit mean no session that is running: mistyped, perhaps, or only too early."""
    if not only:
        return
    from telegram_channel.claude.launch import is_alive  # no other access command looks at processes

    living = [one for one in await store.sessions.list() if is_alive(one.pid, one.last_seen_at)]
    idle = [
        name
        for name in in_order(only)
        if not any(leaves_open({name}, one.name, one.project, one.branch) for one in living)
    ]
    shown = members(Named(one.session, one.name, one.started_at, one.project, one.branch) for one in living)
    numbered = [name for name in idle if _NUMBERED.search(name) and isinstance(find_member(shown, name), Member)]
    said = access_words.nothing_called(
        [name for name in idle if name not in numbered], numbered, [one.label for one in shown]
    )
    if said:
        say(said)


async def _policy(store: Store, options: argparse.Namespace) -> None:
    say(access_words.policy_set(await admin.set_policy(store.access, options.policy, _CLOCK.now())))


async def _group_add(store: Store, options: argparse.Namespace) -> None:
    result = await admin_groups.group_add(
        store.access,
        options.id,
        _CLOCK.now(),
        title=options.title,
        senders=options.sender,
        mention_only=options.mention_only,
        patterns=options.pattern,
    )
    say(access_words.group_set(result))


async def _group_rm(store: Store, options: argparse.Namespace) -> None:
    result = await admin_groups.group_remove(
        store.access, options.id, _CLOCK.now(), senders=options.sender, patterns=options.pattern
    )
    if isinstance(result, admin_groups.GroupGone):
        say(access_words.group_gone(result))
    else:
        say(access_words.group_set(result))


async def _list(store: Store, options: argparse.Namespace) -> None:
    report = await store.health.latest()
    book = {
        "profile": options.profile,
        "bot": store.bot or None,
        "username": (report.bot_username or None) if report else None,
        **listing(await store.access.read(), _CLOCK.now()),
    }
    if options.json:
        say_json(book)
    else:
        say(access_words.book(book))


async def _log(store: Store, options: argparse.Namespace) -> None:
    rows = audit_listing(await store.audit.rows(options.limit))
    if options.json:
        say_json({"profile": options.profile, "bot": store.bot or None, "rows": rows})
    else:
        say(access_words.log(rows))


# The arguments.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="telegram-channel access",
        description="Who may talk to the bot, and who may approve. Works with and without a running session.",
        epilog=f"{JSON_SHAPE}\n{EXPLANATION}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_profile_option(parser)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _code_verb(verbs, "pair", _pair, "let in the person whose code this is")
    _code_verb(verbs, "deny", _deny, "turn away the person whose code this is")
    invite = _verb(verbs, "invite", _invite, "make a link that lets one person in")
    invite.add_argument("--role", type=_role_name, default=Role.SENDER, metavar="R", help=_ROLES)
    invite.add_argument("--only", type=_scope, action="extend", nargs="+", default=[], metavar="NAME", help=_ONLY)
    invite.add_argument("--revoke", action="store_true", help="take back every invitation that was not used")
    allow = _verb(verbs, "allow", _allow, "let somebody in by their numeric Telegram id")
    allow.add_argument("id", type=_person, metavar="ID")
    allow.add_argument("--role", type=_role_name, metavar="R", help=f"{_ROLES} (default for new people: sender)")
    allow.add_argument("--name", type=_words, metavar="NAME", help="what to call them here")
    _limit_options(allow)
    remove = _verb(verbs, "remove", _remove, "put somebody out, from every group as well")
    remove.add_argument("id", type=_person, metavar="ID")
    role = _verb(verbs, "role", _role, "change what somebody may do")
    role.add_argument("id", type=_person, metavar="ID")
    role.add_argument("role", type=_role_name, metavar="ROLE", help=_ROLES)
    _limit_options(role)
    policy = _verb(verbs, "policy", _policy, "decide what happens to people the book does not know")
    policy.add_argument("policy", type=_policy_name, metavar="POLICY", help="pairing, allowlist or closed")
    _group_verbs(verbs)
    listed = _verb(verbs, "list", _list, "show who is in, which groups, and who waits")
    log = _verb(verbs, "log", _log, "show who changed and decided what, newest last")
    log.add_argument("--limit", type=_count, default=50, metavar="N", help="how many rows (default: 50)")
    for one in (listed, log):
        one.add_argument("--json", action="store_true", help="for programs")
    return parser


_ROLES = "owner, approver or sender"
_ONLY = "limit them to sessions of this project, of PROJECT/BRANCH, or of this whole directory (see below)"
_LIMITED = ("invite", "allow", "role")
LIMITS = """\
--only limits somebody to the sessions of certain projects: what they write goes to no other, and an approver is
asked about, and decides, what those sessions want to do and nothing else. A NAME is what /sessions and `status`
show: a project (shop), one branch of it (shop/login), or the project's directory (/home/ann/shop). Letter case does
not matter, except in a directory. The number of `shop 2` does not count: it changes as sessions come and go.
No session needs to be running. The limit stays until it is replaced, or lifted by --everywhere or --only ''.
Owners are never limited, and making somebody owner lifts their limit. Neither is somebody whom only a group
lets in (group add ID --sender): they reach what that group reaches.
"""


def _verb(verbs: "_Verbs", name: str, run: Verb, help_text: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=help_text,
        description=f"{help_text[0].upper()}{help_text[1:]}.",
        epilog=_below(name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--bot", type=bot_id, metavar="ID", help="which bot, where several share the state directory")
    add_profile_option(parser, repeated=True)
    parser.set_defaults(verb=run)
    return parser


def _below(name: str) -> str:
    """What stands at the end of a verb's help."""
    if name in _LIMITED:
        return f"{LIMITS}\n{EXPLANATION}"
    return f"{JSON_SHAPE}\n{EXPLANATION}" if name in ("list", "log") else EXPLANATION


def _limit_options(parser: argparse.ArgumentParser) -> None:
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--only", type=_scope_or_none, action="extend", nargs="+", metavar="NAME", help=_ONLY)
    limit.add_argument("--everywhere", dest="only", action="store_const", const=[], help="lift every such limit")


def _code_verb(verbs: "_Verbs", name: str, run: Verb, help_text: str) -> None:
    parser = _verb(verbs, name, run, help_text)
    parser.add_argument("code", nargs="+", metavar="CODE", help="in any letter case, with or without the dash")


def _group_verbs(verbs: "_Verbs") -> None:
    group = verbs.add_parser("group", help="opt a group in or out", allow_abbrev=False)
    inner = group.add_subparsers(metavar="add|rm", required=True)
    add = _verb(inner, "add", _group_add, "opt a group in, or add to one that is")
    rm = _verb(inner, "rm", _group_rm, "opt a group out; with --sender or --pattern, take away only those")
    for parser in (add, rm):
        parser.add_argument("id", type=_group, metavar="ID", help="negative, as Telegram writes ids of groups")
        parser.add_argument(
            "--sender",
            type=_person,
            action="extend",
            nargs="+",
            default=[],
            metavar="ID",
            help="somebody who may talk in this group although not on the allowlist",
        )
        parser.add_argument(
            "--pattern",
            type=_words,
            action="extend",
            nargs="+",
            default=[],
            metavar="WORD",
            help="a word that calls the bot as its @name does",
        )
    add.add_argument("--title", type=_words, metavar="TITLE", help="what to call the group here")
    hearing = add.add_mutually_exclusive_group()
    hearing.add_argument(
        "--all-messages",
        dest="mention_only",
        action="store_false",
        default=None,
        help="hear everything its people say, named or not",
    )
    hearing.add_argument(
        "--mentions-only",
        dest="mention_only",
        action="store_true",
        default=None,
        help="hear what names the bot, answers it or uses a pattern (the default)",
    )


def _person(text: str) -> SenderId:
    if re.fullmatch(r"-[0-9]+", text):
        raise argparse.ArgumentTypeError(f"{text} is the id of a group; groups have `group add` and `group rm`")
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text):
        raise argparse.ArgumentTypeError(
            f"{visible_line(text, 40)!r} is no id of a person: that is a positive number such as 123456789, no @name"
        )
    return SenderId(text)


def _group(text: str) -> ChatId:
    if not re.fullmatch(r"-[1-9][0-9]{0,18}", text):
        raise argparse.ArgumentTypeError(
            f"{visible_line(text, 40)!r} is no id of a group: it is a negative number, such as -1001234567890"
        )
    return ChatId(text)


def _role_name(text: str) -> Role:
    try:
        return Role(text.lower())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{visible_line(text, 40)!r} is no role; there are {_ROLES}") from None


def _policy_name(text: str) -> Policy:
    try:
        return Policy(text.lower())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{visible_line(text, 40)!r} is no policy; there are pairing, allowlist and closed"
        ) from None


def _words(text: str) -> str:
    return visible_line(text, _LONGEST_WORD)


def _scope(text: str) -> str:
    name = _scope_or_none(text)
    if not name:
        raise argparse.ArgumentTypeError("it is empty; leave it out where nothing is to be limited")
    return name


def _scope_or_none(text: str) -> str:
    """A name of a limit as it was typed: one that had to be changed to be shown could mean another session."""
    name = text.strip()
    if visible_line(name, LONGEST_NAME) != name:
        raise argparse.ArgumentTypeError(f"{visible_line(name, 40)!r} is too long, or has characters nobody sees")
    return name


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError("it is a positive number")
    return int(text)
