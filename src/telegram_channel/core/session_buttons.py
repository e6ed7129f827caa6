"""Buttons that name a session: whom a chat talks to, who takes over what is stranded.

A button's data names its session; ids that are too long or odd for it are named by a hash.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from telegram_channel.core.asking import MOST_BUTTONS
from telegram_channel.core.ids import SessionId
from telegram_channel.core.outgoing import Button, ButtonRows
from telegram_channel.core.routing import Member
from telegram_channel.core.session_names import shown_label

_MOST_PLAIN_ID = 59
"""Characters of an id that fits a button's 64 bytes beside the longest prefix."""
_HASH_DIGITS = 32
_DATA = re.compile(r"(use|take):([!-~]+)|keep:", re.ASCII)
KEEP = "keep:"
"""Data of the button that lets a stranded message wait for its own session."""


class ChoiceKind(StrEnum):
    """What a press of one of these buttons asks for."""

    USE = "use"
    """The chat talks to this session from now on, and what waits there goes to it."""
    TAKE = "take"
    """What is stranded there goes to this session; the chat's choice stays as it is."""
    KEEP = "keep"
    """What is stranded there waits for its own session."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A press of one of these buttons; `token` stands for the session and is empty with KEEP."""

    kind: ChoiceKind
    token: str = ""


def use_data(session: SessionId) -> str:
    """Data of the button that chooses a session; raises ValueError for the empty id."""
    return f"use:{_token(session)}"


def take_data(session: SessionId) -> str:
    """Data of the button that gives what is stranded to a session; raises ValueError for the empty id."""
    return f"take:{_token(session)}"


def _token(session: SessionId) -> str:
    if not session:
        raise ValueError("a button cannot name nobody")
    if re.fullmatch(rf"(?!#)[!-~]{{1,{_MOST_PLAIN_ID}}}", session):
        return session
    return "#" + hashlib.sha256(session.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]


def parse_choice(data: str) -> Choice | None:
    """What a press with this data asks for; None for every other button's data."""
    match = _DATA.fullmatch(data)
    if not match:
        return None
    return Choice(ChoiceKind(match[1]), match[2]) if match[1] else Choice(ChoiceKind.KEEP)


def is_choice_data(data: str) -> bool:
    """Whether a button with this data is one of these."""
    return parse_choice(data) is not None


def names(choice: Choice, session: SessionId) -> bool:
    """Whether the choice is about this session."""
    return bool(session) and choice.kind is not ChoiceKind.KEEP and choice.token == _token(session)


def use_buttons(members: Sequence[Member], chosen: SessionId | None = None) -> ButtonRows:
    """A button for each session, one below the other; the chosen one is marked ✓."""
    return tuple(
        (
            Button(
                f"✓ {shown_label(one.label)}" if one.session == chosen else shown_label(one.label),
                use_data(one.session),
            ),
        )
        for one in members[:MOST_BUTTONS]
    )


def offer_buttons(members: Sequence[Member]) -> ButtonRows:
    """For a stranded offer: a button for each session that may take over, and one to keep waiting."""
    takers = [(Button(f"Give to {shown_label(one.label)}", take_data(one.session)),) for one in members]
    return (*takers[: MOST_BUTTONS - 1], (Button("Keep waiting", KEEP),))
