"""What many sessions heard, held against what people said: pure, and without a word of the product's own records."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

Place = tuple[int, int | None]
"""A chat and the topic in it."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something a person said, and for whom."""

    text: str
    """As it has to arrive; no two are the same."""
    session: str
    place: Place
    names_session: bool
    """Whether it was said in the session's topic, in reply to it, or with `/to`: it never waits for a choice."""
    at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One event that came out of one process."""

    text: str
    session: str
    life: int
    """Which process of the session: 1 is the first."""
    place: Place
    redelivered: bool
    at: float


@dataclass(frozen=True, slots=True)
class Asked:
    """How long the bot's question whom messages are for stood somewhere."""

    place: Place
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, in words that name the message; and what is only worth knowing."""

    lost: tuple[str, ...]
    misrouted: tuple[str, ...]
    """Heard by another session, or from another place than it was said in, or never said at all."""
    reordered: tuple[str, ...]
    doubled: tuple[str, ...]
    """Given again without a word that it may be known."""
    repeated: int
    """Given again, and marked."""
    marked: int
    """Marked, and yet new to the session."""
    overtook: int
    """Named their session, and came before what waited for a person's choice."""
    delays_s: tuple[float, ...]
    """From being said to being heard first."""

    @property
    def is_good(self) -> bool:
        """Whether everything was as promised."""
        return not (self.lost or self.misrouted or self.reordered or self.doubled)


def judged(
    said: Sequence[Said], heard: Sequence[Heard], asked: Sequence[Asked] = (), refused: Collection[str] = ()
) -> Findings:
    """Hold both against each other; `said` and the events of each process are in the order in which they happened.

    `refused` are texts whose sender was told that they were not passed on: they must not arrive either.
    """
    meant = {one.text: one for one in said}
    misrouted = [found for one in heard if (found := _astray(one, meant.get(one.text)))]
    right = [one for one in heard if not _astray(one, meant.get(one.text))]
    first: dict[str, Heard] = {}
    doubled: list[str] = []
    repeated = marked = 0
    for one in sorted(right, key=lambda one: (one.session, one.life)):  # stable: in each process as it happened
        if one.text not in first:
            first[one.text] = one
            marked += one.redelivered
        elif one.redelivered:
            repeated += 1
        else:
            doubled.append(f"{one.text!r} by {one.session} #{one.life}")
    reordered, overtook = _disorder(said, first, asked)
    return Findings(
        lost=tuple(f"{one.text!r} for {one.session}" for one in said if one.text not in {*first, *refused}),
        misrouted=(*misrouted, *(f"{text!r}, which was refused" for text in refused if text in first)),
        reordered=tuple(reordered),
        doubled=tuple(doubled),
        repeated=repeated,
        marked=marked,
        overtook=overtook,
        delays_s=tuple(one.at - meant[one.text].at for one in first.values()),
    )


def _astray(heard: Heard, meant: Said | None) -> str:
    if meant is None:
        return f"{heard.text!r}, which nobody said, by {heard.session} #{heard.life}"
    if heard.session != meant.session:
        return f"{heard.text!r} for {meant.session} by {heard.session} #{heard.life}"
    if heard.place != meant.place:
        return f"{heard.text!r} from {meant.place} told as from {heard.place} by {heard.session} #{heard.life}"
    return ""


def _disorder(said: Sequence[Said], first: Mapping[str, Heard], asked: Sequence[Asked]) -> tuple[list[str], int]:
    """Pairs that came the wrong way round, and how many of those a question explains."""
    lanes: defaultdict[tuple[str, Place], list[Said]] = defaultdict(list)
    for one in said:
        if one.text in first:
            lanes[one.session, one.place].append(one)
    arrival = {text: number for number, text in enumerate(first)}
    wrong: list[str] = []
    overtook = 0
    for lane in lanes.values():
        for earlier, later in combinations(lane, 2):
            if arrival[earlier.text] < arrival[later.text]:
                continue
            if later.names_session and not earlier.names_session and _waited(earlier, first[earlier.text], asked):
                overtook += 1
            else:
                wrong.append(f"{later.text!r} before {earlier.text!r}, by {earlier.session}")
    return wrong, overtook


def _waited(said: Said, heard: Heard, asked: Iterable[Asked]) -> bool:
    return any(one.place == said.place and one.since <= heard.at and said.at <= one.until for one in asked)
