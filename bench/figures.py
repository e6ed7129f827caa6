"""One row of the table: samples, how they are judged, and how a person or a program reads them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Judged(StrEnum):
    """Which of the samples is held against the target."""

    MEDIAN = "median"
    WORST = "worst"


class NotMeasured(Exception):
    """Something had to happen so that a figure could be taken, and it did not."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured in one row."""

    name: str
    samples: tuple[float, ...]
    unit: str
    target: float | None = None
    """The most it may be, in the same unit; None for floors and for what is only worth knowing."""
    judged: Judged = Judged.MEDIAN
    note: str = ""
    """What else a reader should know, in a few words."""

    @property
    def median(self) -> float:
        """The sample in the middle."""
        return statistics.median(self.samples)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None when there is none."""
        if self.target is None:
            return None
        return (self.median if self.judged is Judged.MEDIAN else max(self.samples)) <= self.target

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "n": len(self.samples),
            "target": self.target,
            "judged": self.judged.value,
            "met": self.met,
            "note": self.note,
        }


_COLUMNS = "{name:<58} {measured:>24} {n:>4}  {target:<12} {mark}"
HEADING = _COLUMNS.format(name="", measured="median [min-max]", n="n", target="target", mark="").rstrip()
_MARKS = {True: "✓", False: "✗", None: ""}


def row(figure: Figure) -> str:
    """The figure as a line of the table, with its note below it."""
    target = "" if figure.target is None else f"≤ {_number(figure.target)} {figure.unit}"
    line = _COLUMNS.format(
        name=figure.name,
        measured=f"{_spread(figure.samples)} {figure.unit}",
        n=len(figure.samples),
        target=target,
        mark=_MARKS[figure.met]
        + (
            " (worst counts)"
            if figure.target is not None and len(figure.samples) > 1 and figure.judged is Judged.WORST
            else ""
        ),
    ).rstrip()
    return f"{line}\n    {figure.note}" if figure.note else line


def failed_row(name: str, reason: str) -> str:
    """The line of something that could not be measured."""
    return f"{name:<58} could not be measured: {reason}"


def _spread(samples: Sequence[float]) -> str:
    middle = _number(statistics.median(samples))
    if len(samples) == 1:
        return middle
    return f"{middle} [{_number(min(samples))}-{_number(max(samples))}]"


def _number(value: float) -> str:
    """Three digits, and no more precision than there is."""
    if value == int(value) and abs(value) < 100_000:
        return str(int(value))
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
