"""The operator's verbs for groups: opting one in, changing who and what is heard there, opting it out.

The rules of `bridge.admin` hold here too: one transaction with its audit rows, and `AccessError` before
anything is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from telegram_channel.bridge.admin import SEE_LIST, Rows
from telegram_channel.core.access import AccessState, Group, with_group, without_group
from telegram_channel.core.audit import OPERATOR, AuditRow
from telegram_channel.core.ids import ChatId, SenderId
from telegram_channel.errors import AccessError
from telegram_channel.ports import AccessBook

MOST_PATTERNS = 20


@dataclass(frozen=True, slots=True)
class GroupSet:
    """A group as it is in the book now."""

    group: Group
    is_new: bool


@dataclass(frozen=True, slots=True)
class GroupGone:
    """A group that was opted out."""

    group: Group


async def group_add(
    book: AccessBook,
    chat: ChatId,
    now: datetime,
    *,
    title: str | None = None,
    senders: Sequence[SenderId] = (),
    mention_only: bool | None = None,
    patterns: Sequence[str] = (),
) -> GroupSet:
    """Opt a group in, or add to one that is: senders and patterns join those it has.

    Raises:
        AccessError: a pattern is empty, or there are too many.
    """
    words = tuple(dict.fromkeys(pattern.strip() for pattern in patterns))
    if "" in words:
        raise AccessError("A pattern is a word that calls the bot, so it cannot be empty.", "Leave it out.")

    def change(state: AccessState) -> tuple[AccessState, GroupSet, Rows]:
        known = state.groups.get(chat)
        before = known or Group(chat, "", now)
        group = replace(
            before,
            title=before.title if title is None else title,
            senders=before.senders | set(senders),
            mention_only=before.mention_only if mention_only is None else mention_only,
            patterns=tuple(dict.fromkeys((*before.patterns, *words))),
        )
        if len(group.patterns) > MOST_PATTERNS:
            raise AccessError(
                f"A group has at most {MOST_PATTERNS} patterns.",
                f"Take some away with `telegram-channel access group rm {chat} --pattern WORD`.",
            )
        if group == known:
            return state, GroupSet(group, is_new=False), ()
        row = AuditRow(now, OPERATOR, "group_add", chat, _group_detail(group))
        return with_group(state, group), GroupSet(group, is_new=known is None), (row,)

    return await book.transact(change)


async def group_remove(
    book: AccessBook,
    chat: ChatId,
    now: datetime,
    *,
    senders: Sequence[SenderId] = (),
    patterns: Sequence[str] = (),
) -> GroupSet | GroupGone:
    """Opt a group out; with senders or patterns, take only those away from it.

    Raises:
        AccessError: the group, or one of the senders or patterns, is not in the book.
    """

    def change(state: AccessState) -> tuple[AccessState, GroupSet | GroupGone, Rows]:
        group = state.groups.get(chat)
        if group is None:
            raise AccessError(f"The group {chat} is not in the book.", SEE_LIST)
        if not senders and not patterns:
            row = AuditRow(now, OPERATOR, "group_rm", chat)
            return without_group(state, chat), GroupGone(group), (row,)
        missing: list[str] = [one for one in senders if one not in group.senders]
        missing += [one for one in patterns if one not in group.patterns]
        if missing:
            raise AccessError(f"The group {chat} does not have {', '.join(missing)}.", SEE_LIST)
        left = replace(
            group,
            senders=group.senders - set(senders),
            patterns=tuple(one for one in group.patterns if one not in patterns),
        )
        row = AuditRow(now, OPERATOR, "group_rm", chat, _group_detail(left))
        return with_group(state, left), GroupSet(left, is_new=False), (row,)

    return await book.transact(change)


def _group_detail(group: Group) -> str:
    talk = "mentions only" if group.mention_only else "all messages"
    return f"{talk}; {len(group.senders)} own senders; {len(group.patterns)} patterns"
