"""A change to a text is shown as a diff, and no line of it can pass for another.

Every line starts with a letter of ours: `-` and `+` for what goes and comes, a space for what stays, `@@` for
where the lines stand, `\\` for a missing line end. What would be invisible is spelled out. Lines are compared
as they are, so that two that merely look alike still show as a change.
"""

import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

from telegram_channel.core.visible import visible

_CONTEXT_LINES = 3
_MOST_STEPS = 500_000
"""Comparisons spent on finding what stays, about 0.1 s; beyond, a stretch shows as replaced, which is
coarser and just as true. Without a bound, texts of a few thousand lines that are much alike take minutes."""

_Change = tuple[int, int, int, int]
"""Lines `i` to `i_end` of the old text become lines `j` to `j_end` of the new one, counted from 0."""
_Match = tuple[int, int, int]
"""From line `i` of the old and `j` of the new text, so many lines are the same."""


def replacement(old: str, new: str) -> str:
    """A piece of text and what replaces it, wherever that stands: one change, between lines that both share."""
    before, after = old.split("\n"), new.split("\n")
    head, tail = _shared_ends(before, after)
    skipped_head, skipped_tail = max(0, head - _CONTEXT_LINES), max(0, tail - _CONTEXT_LINES)
    end = len(before) - tail
    return "\n".join(
        [
            *_skipped(skipped_head),
            *(_line(" ", line) for line in before[skipped_head:head]),
            *(_line("-", line) for line in before[head:end]),
            *(_line("+", line) for line in after[head : len(after) - tail]),
            *(_line(" ", line) for line in before[end : len(before) - skipped_tail]),
            *_skipped(skipped_tail),
        ]
    )


def unified(before: str, after: str) -> str:
    """A whole text and what it becomes, as a unified diff with line numbers; empty when nothing changes."""
    old, new = _lines(before), _lines(after)
    return "\n".join(line for hunk in _hunks(_changes(old, new)) for line in _hunk(hunk, old, new))


def _line(letter: str, text: str) -> str:
    """One line of a diff; a mark at its start is spelled out, for it would join our letter and change its look."""
    if text and unicodedata.category(text[0]).startswith("M"):
        return f"{letter}⟨U+{ord(text[0]):04X}⟩{visible(text[1:])}"
    return letter + visible(text)


def _skipped(lines: int) -> list[str]:
    return [f"@@ {lines} unchanged lines @@"] if lines else []


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a line feed ends one, as for every tool that counts lines."""
    *ended, last = text.split("\n")
    return [f"{line}\n" for line in ended] + ([last] if last else [])


def _shared_ends(before: list[str], after: list[str]) -> tuple[int, int]:
    """How many lines at the beginning, and how many of the others at the end, are the same."""
    shortest = min(len(before), len(after))
    head = next((at for at in range(shortest) if before[at] != after[at]), shortest)
    rest = shortest - head
    return head, next((at for at in range(rest) if before[-1 - at] != after[-1 - at]), rest)


def _changes(old: list[str], new: list[str]) -> list[_Change]:
    """The stretches that are replaced, in order; either side of one may be empty."""
    kept = [(0, 0, 0), *sorted(_kept(old, new)), (len(old), len(new), 0)]
    changes = [(i + size, i_end, j + size, j_end) for (i, j, size), (i_end, j_end, _) in pairwise(kept)]
    return [(i, i_end, j, j_end) for i, i_end, j, j_end in changes if i < i_end or j < j_end]


def _kept(old: list[str], new: list[str]) -> Iterator[_Match]:
    """Stretches that stay: what surely belongs together first, then what is found in between."""
    left = _MOST_STEPS
    for (i, j), (i_end, j_end) in pairwise([(0, 0), *_anchors(old, new), (len(old), len(new))]):
        head, tail = _shared_ends(old[i:i_end], new[j:j_end])
        yield i, j, head
        yield i_end - tail, j_end - tail, tail
        inner, left = _searched(old[i + head : i_end - tail], new[j + head : j_end - tail], left)
        yield from ((i + head + at, j + head + other, size) for at, other, size in inner)


def _anchors(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Lines that occur once in either text, as many as keep their order: no search is needed to pair them."""
    where = {line: j for j, line in enumerate(new)}
    olds, news = Counter(old), Counter(new)
    pairs = [(i, where[line]) for i, line in enumerate(old) if olds[line] == news[line] == 1]
    lowest: list[int] = []  # for each length, the least `j` at which a row of pairs in order can end
    ends: list[int] = []  # and the pair it ends with
    previous: list[int] = []
    for index, (_, j) in enumerate(pairs):
        length = bisect_left(lowest, j)
        previous.append(ends[length - 1] if length else -1)
        lowest[length : length + 1] = [j]
        ends[length : length + 1] = [index]
    row: list[tuple[int, int]] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        row.append(pairs[index])
        index = previous[index]
    return row[::-1]


def _searched(old: list[str], new: list[str], left: int) -> tuple[list[_Match], int]:
    """Stretches that stay, the longest first and then on both sides of it, in at most `left` steps; what is left."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    twins = Counter(new)
    steps = [0, *accumulate(1 + twins[line] for line in old)]  # each line is held against all its twins
    found: list[_Match] = []
    waiting = [(0, len(old), 0, len(new))]
    while waiting:
        i, i_end, j, j_end = waiting.pop()
        needed = steps[i_end] - steps[i]
        if j == j_end or not 0 < needed <= left:
            continue
        left -= needed
        at, other, size = matcher.find_longest_match(i, i_end, j, j_end)
        if size:
            found.append((at, other, size))
            waiting += [(i, at, j, other), (at + size, i_end, other + size, j_end)]
    return found, left


def _hunks(changes: list[_Change]) -> list[list[_Change]]:
    """Changes whose surroundings would touch, together."""
    hunks: list[list[_Change]] = []
    for change in changes:
        if hunks and change[0] - hunks[-1][-1][1] <= 2 * _CONTEXT_LINES:
            hunks[-1].append(change)
        else:
            hunks.append([change])
    return hunks


def _hunk(changes: list[_Change], old: list[str], new: list[str]) -> Iterator[str]:
    """The lines of one hunk, under a headline that says where it stands."""
    head = min(_CONTEXT_LINES, changes[0][0])
    start, end = changes[0][0] - head, min(len(old), changes[-1][1] + _CONTEXT_LINES)
    other, other_end = changes[0][2] - head, changes[-1][3] + end - changes[-1][1]
    yield f"@@ -{_range(start, end)} +{_range(other, other_end)} @@"
    for i, i_end, j, j_end in changes:
        yield from _all(" ", old[start:i])
        yield from _all("-", old[i:i_end])
        yield from _all("+", new[j:j_end])
        start = i_end
    yield from _all(" ", old[start:end])


def _range(start: int, end: int) -> str:
    """First line and number of lines; of none, the line before (source: POSIX `diff -u`)."""
    return f"{start + 1 if end > start else start},{end - start}"


def _all(letter: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield _line(letter, line.removesuffix("\n"))
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"
