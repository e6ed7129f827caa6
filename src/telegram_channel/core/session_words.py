"""What the bot says and shows about several sessions: which are there, which one is meant, who takes over.

Labels, paths and whatever was typed are one visible line each, never parsed. The buttons below these words
are in `session_buttons`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from telegram_channel.core.commands import BotCommand
from telegram_channel.core.ids import SessionId
from telegram_channel.core.notices import lasting
from telegram_channel.core.routing import Member
from telegram_channel.core.session_names import Ambiguous, NoSuchMember, shown_label
from telegram_channel.core.text import Span, Style, Styled, styled
from telegram_channel.core.visible import visible_line

_MOST_TYPED_UNITS = 64
_MOST_PROJECT_UNITS = 48
_MOST_BRANCH_UNITS = 32
_MOST_LISTED = 20
"""More sessions than these are only counted in a list; buttons are there for more of them."""
_MOST_NAMED = 10
"""More sessions than these are only counted in a sentence."""


def _bold(text: str) -> Span:
    return Span(shown_label(text), Style.BOLD)


def _code(text: str) -> Span:
    return Span(text, Style.CODE)


def _typed(text: str) -> str:
    return f"“{visible_line(text, _MOST_TYPED_UNITS)}”"


def _slash(command: BotCommand) -> Span:
    return _code(f"/{command.value}")


_USE_NAME = _code("/use NAME")
_TO_NAME = _code("/to NAME text")


def _one_of(members: Sequence[Member], word: str) -> str:
    """`a, b or c`; more than a handful are only counted."""
    shown = [shown_label(one.label) for one in members]
    if len(shown) > _MOST_NAMED:
        shown = [*shown[: _MOST_NAMED - 1], f"{len(shown) - _MOST_NAMED + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {word} {shown[-1]}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as `/sessions` shows it."""

    member: Member
    started_at: datetime
    branch: str = ""


def sessions_list(listed: Sequence[Listed], chosen: SessionId | None, now: datetime) -> Styled:
    """The answer to `/sessions`, above `use_buttons`; `chosen` is the chat's choice. Times are aware UTC."""
    if not listed:
        return styled("No session is running that takes your messages. Start one, and it is listed here.")
    lines: list[str | Span] = []
    for one in listed[:_MOST_LISTED]:
        mark = "✓ " if one.member.session == chosen else "• "
        lines += [f"\n{mark}", _bold(one.member.label), _particulars(one, now)]
    more = len(listed) - _MOST_LISTED
    if more > 0:
        lines.append(f"\n… and {more} more")
    return styled(*_list_head(listed, chosen), *lines)


def _list_head(listed: Sequence[Listed], chosen: SessionId | None) -> tuple[str | Span, ...]:
    if len(listed) == 1:
        return ("One session is running; what you write here goes to it.\n",)
    head = f"{len(listed)} sessions are running. "
    if any(one.member.session == chosen for one in listed):
        return (head, "✓ is the one this chat talks to.\n")
    return (head, "This chat has chosen none; press one, or send ", _USE_NAME, ".\n")


def _particulars(one: Listed, now: datetime) -> str:
    facts = [
        visible_line(_last_parts(one.member.project), _MOST_PROJECT_UNITS),
        f"branch {branch}" if (branch := visible_line(one.branch, _MOST_BRANCH_UNITS)) else "",
        f"running for {lasting((now - one.started_at).total_seconds())}",
    ]
    return ": " + ", ".join(fact for fact in facts if fact)


def _last_parts(project: str) -> str:
    """The last two parts of a directory of any platform: enough to tell it, and nobody's home is shown."""
    parts = [part for part in re.split(r"[/\\]", project) if part]
    return "/".join(parts[-2:]) if len(parts) <= 2 else f"…/{'/'.join(parts[-2:])}"


def question() -> Styled:
    """Asked once in a chat or topic when nobody can tell whom a message is for, above `use_buttons`."""
    return styled(
        "Which session is this for? What you write here waits for your answer and then goes there, like all that "
        "follows. ",
        _TO_NAME,
        " gives one message to one session.",
    )


def question_answered(label: str) -> Styled:
    """The question after its answer, without buttons."""
    return styled("For ", _bold(label), ". ", _slash(BotCommand.USE), " changes it.")


def question_settled(label: str) -> Styled:
    """The question after all sessions but one have ended, without buttons."""
    return styled("Only ", _bold(label), " is still running, so this is for it.")


def question_void() -> Styled:
    """The question after every session has ended, without buttons."""
    return styled("Every session has ended. What you wrote is kept and goes to the next one that starts.")


def use_chosen(label: str, waited: int = 0) -> Styled:
    """The answer to `/use NAME` or its button; `waited` messages that were for nobody yet go along."""
    so = {0: "", 1: " So does the message that waited."}.get(waited, f" So do the {waited} messages that waited.")
    return styled("What you write here goes to ", _bold(label), f" from now on.{so}")


def use_usage() -> Styled:
    """The answer to `/use` without a name, above `use_buttons`."""
    return styled(
        "Which session shall this chat talk to? Press one, or send ",
        _USE_NAME,
        "; the beginning of a name is enough.",
    )


def to_usage() -> Styled:
    """The answer to `/to` without a name or a text."""
    return styled(
        _TO_NAME,
        " gives one message to one session; the beginning of its name is enough. Nothing was passed on. ",
        _slash(BotCommand.SESSIONS),
        " lists them.",
    )


def ambiguous(command: BotCommand, outcome: Ambiguous) -> Styled:
    """The answer to `/use` or `/to` when several may be meant; above `use_buttons` of these with `/use`."""
    return styled(
        f"{_typed(outcome.typed)} may be {_one_of(outcome.members, 'or')}. {_unchanged(command)} "
        "Please write more of the name."
    )


def unknown(command: BotCommand, outcome: NoSuchMember, members: Sequence[Member]) -> Styled:
    """The answer to `/use` or `/to` when no session is called that; above `use_buttons` of `members` with `/use`."""
    there = f"Running: {_one_of(members, 'and')}." if members else "There is none at all right now."
    return styled(f"No running session is called {_typed(outcome.typed)}. {_unchanged(command)} {there}")


def _unchanged(command: BotCommand) -> str:
    return "Nothing was passed on." if command is BotCommand.TO else "Nothing was changed."


def session_gone() -> Styled:
    """For a press whose session is not running any more."""
    return styled("That session is not running any more. ", _slash(BotCommand.SESSIONS), " lists those that are.")


def settled_already() -> Styled:
    """For a press on an offer of which nothing is left to give."""
    return styled("That is settled already, so nothing was changed.")


def old_choice() -> Styled:
    """For a press of one of these buttons, `/use` or `/to` that waited at Telegram while nobody polled."""
    return styled("That came while I was offline, so it does not count. Please do it again.")


def barred() -> Styled:
    """For somebody who meant a session that is not open to them."""
    return styled("That session is not open to you. Nothing was passed on.")


def nobody_running() -> Styled:
    """For the first message of a chat that comes when no session is alive."""
    return styled("No session is running right now. Your message is kept and goes to the next one that starts.")


def stranded_offer(count: int, label: str = "") -> Styled:
    """Asked once when messages were meant for a session that ended, above `offer_buttons`.

    `label` is what that session was called, empty when it is not known any more.
    """
    these = "this message is" if count == 1 else f"{count} messages here are"
    them = "it" if count == 1 else "them"
    tail = f" Shall another one have {them}? Until you choose, I keep {them}."
    if label:
        return styled(_bold(label), f" is not running any more, and {these} for it.{tail}")
    return styled(f"The session that {these} for is not running any more.{tail}")


def stranded_waits(label: str = "") -> Styled:
    """For a message that is kept for a session that ended, where nothing is offered, and after “Keep waiting”."""
    return styled(
        *((_bold(label),) if label else ("The session that this is for",)),
        " is not running. What was meant for it is kept until it comes back.",
    )


def stranded_taken(label: str) -> Styled:
    """The offer after somebody chose who takes over, without buttons."""
    return styled("What was kept goes to ", _bold(label), ".")


def partly_taken(label: str, left: int) -> Styled:
    """The answer to a press of an offer's button, when some senders may not write to that session."""
    rest = "1 message stays: its sender" if left == 1 else f"{left} messages stay: their senders"
    return styled("What may go there goes to ", _bold(label), f". {rest} may not write to it.")


def stranded_back(label: str = "") -> Styled:
    """The offer after the session came back by itself, without buttons."""
    return styled(
        *((_bold(label),) if label else ("The session that this is for",)),
        " is running again and gets what was kept.",
    )
