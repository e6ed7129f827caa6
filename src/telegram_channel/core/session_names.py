"""What people call the living sessions: no two have the same label, in whatever letter case it is typed."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from telegram_channel.core.ids import SessionId
from telegram_channel.core.routing import Member
from telegram_channel.core.text import utf16_len
from telegram_channel.core.visible import visible_line

MOST_LABEL_UNITS = 40
"""UTF-16 units of a label: what a phone shows of a button in one line."""
_NAMELESS = "session"
"""What a session is called whose project is not known."""


@dataclass(frozen=True, slots=True)
class Named:
    """What is known about a living session that tells it from others."""

    session: SessionId
    name: str
    """The project directory's last part."""
    started_at: datetime
    project: str = ""
    branch: str = ""


def labels(living: Iterable[Named]) -> Mapping[SessionId, str]:
    """What people call each session, oldest first: one visible line of at most `MOST_LABEL_UNITS`, unique.

    It is the project's name; where several have the same, `name/branch` if their branches are not all the
    same, and a number by start for whatever is still the same. The order of `living` does not matter. Of a
    session that is there twice, the process that started last counts.
    """
    wanted = _wanted(_oldest_first(living))
    given: dict[SessionId, str] = {}
    taken: set[str] = set()
    for session, label in wanted.items():
        if _folded(label) not in taken:
            given[session] = label
            taken.add(_folded(label))
    for session, label in wanted.items():
        if session not in given:  # only now: a project that really is called `shop 2` keeps its name
            given[session] = next(one for one in _numbered(label) if _folded(one) not in taken)
            taken.add(_folded(given[session]))
    return {session: given[session] for session in wanted}


def members(living: Iterable[Named]) -> tuple[Member, ...]:
    """The living sessions under their labels, oldest first."""
    oldest_first = _oldest_first(living)
    label = labels(oldest_first)
    return tuple(Member(one.session, label[one.session], one.project) for one in oldest_first)


def _oldest_first(living: Iterable[Named]) -> list[Named]:
    latest = {one.session: one for one in sorted(living, key=_by_start)}
    return sorted(latest.values(), key=_by_start)


def shown_label(label: str) -> str:
    """A label as it may stand in a sentence or on a button, wherever it came from."""
    return visible_line(label, MOST_LABEL_UNITS) or _NAMELESS


def _by_start(one: Named) -> tuple[datetime, str, str, str, str]:
    return one.started_at, one.session, one.name, one.project, one.branch


def _wanted(oldest_first: Sequence[Named]) -> dict[SessionId, str]:
    """The label each would have if numbers were not needed."""
    names = {one.session: shown_label(one.name) for one in oldest_first}
    branches: defaultdict[str, set[str]] = defaultdict(set)
    for one in oldest_first:
        branches[_folded(names[one.session])].add(_folded(one.branch))
    return {
        one.session: _with_branch(names[one.session], one.branch)
        if len(branches[_folded(names[one.session])]) > 1
        else names[one.session]
        for one in oldest_first
    }


def _with_branch(name: str, branch: str) -> str:
    """Both in one label; when they are too long, each keeps the half that is its own."""
    if not branch.strip():
        return name
    half = (MOST_LABEL_UNITS - 1) // 2
    shown = visible_line(branch, MOST_LABEL_UNITS - 1 - min(utf16_len(name), half))
    return f"{visible_line(name, MOST_LABEL_UNITS - 1 - utf16_len(shown))}/{shown}"


def _numbered(label: str) -> Iterable[str]:
    for number in count(2):
        ending = f" {number}"
        yield visible_line(label, MOST_LABEL_UNITS - len(ending)) + ending


def _folded(text: str) -> str:
    """The same for everything that people type for the same name: letter case, width and blanks do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one session may be meant by what was typed."""

    typed: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class NoSuchMember:
    """No living session is called what was typed."""

    typed: str


FindOutcome = Member | Ambiguous | NoSuchMember


def find_member(living: Sequence[Member], typed: str) -> FindOutcome:
    """Whom a person means by `typed`: a label in any letter case, else the beginning of exactly one."""
    key = _folded(typed)
    found = _called(living, key) or tuple(one for one in living if key and _folded(one.label).startswith(key))
    if not found:
        return NoSuchMember(typed.strip())
    return found[0] if len(found) == 1 else Ambiguous(typed.strip(), found)


def _called(living: Sequence[Member], key: str) -> tuple[Member, ...]:
    return tuple(one for one in living if _folded(one.label) == key)


@dataclass(frozen=True, slots=True)
class Addressed:
    """What `/to` says: for whom, and the text that goes there; empty when there was only a name."""

    member: Member
    text: str


AddressOutcome = Addressed | Ambiguous | NoSuchMember


def addressed(living: Sequence[Member], rest: str) -> AddressOutcome:
    """Split what follows `/to` into a name and a text. A name may have several words, as its label has.

    The longest label that `rest` begins with counts; without one, the fewest words that only one label
    begins with, so that no word of the text is taken for a part of the name.
    """
    most = max((len(_folded(one.label).split()) for one in living), default=1)
    ends = [word.end() for word in re.finditer(r"\S+", rest)][:most]
    for end in reversed(ends):
        if len(found := _called(living, _folded(rest[:end]))) == 1:
            return Addressed(found[0], _after(rest, end))
    outcomes = [find_member(living, rest[:end]) for end in ends]
    for end, outcome in zip(ends, outcomes, strict=True):
        if isinstance(outcome, Member):
            return Addressed(outcome, _after(rest, end))
    return next((outcome for outcome in outcomes if not isinstance(outcome, Member)), NoSuchMember(""))


def _after(rest: str, end: int) -> str:
    """The text behind the name; how its first line is indented is a part of it when it has a line to itself."""
    return re.sub(r"\A[^\S\n]*\n?", "", rest[end:])
