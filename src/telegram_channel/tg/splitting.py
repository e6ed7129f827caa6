"""One text in as few messages as fit, cut where a reader would pause, and never inside a character.

Each part stays within the limit in UTF-16 units and within 100 entities. A code block cut in two is a code
block in both parts, in the same language. Only white space around the cuts is lost.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from telegram_channel.tg.entities import PRE, Rendered, cut, utf16_offsets
from telegram_channel.tg.limits import MOST_ENTITIES, TEXT_UNITS

_LONGEST_CLUSTER = 40
"""How many characters a cut is moved back to keep one visible character whole."""


def split(
    rendered: Rendered, limit_units: int = TEXT_UNITS, most_entities: int = MOST_ENTITIES
) -> tuple[Rendered, ...]:
    """The parts in order, none of them blank. The entities must be tidy."""
    return tuple(_parts(rendered, limit_units, most_entities))


def first_part(rendered: Rendered, limit_units: int, most_entities: int = MOST_ENTITIES) -> Rendered:
    """The first part alone; empty when everything is blank."""
    return next(_parts(rendered, limit_units, most_entities), Rendered(""))


def _parts(rendered: Rendered, limit_units: int, most_entities: int) -> Iterator[Rendered]:
    text, offsets = rendered.text, utf16_offsets(rendered.text)
    cuts = _Cuts(rendered, offsets)
    start = 0
    while start < len(text):
        furthest = min(
            bisect_right(offsets, offsets[start] + limit_units) - 1,
            _entity_bound(rendered, offsets, start, most_entities),
        )
        end = len(text) if furthest >= len(text) else cuts.best(start, max(furthest, start + 1))
        part = cut(rendered, start, end, offsets)
        if not part.is_blank:
            yield part
        start = end


def _entity_bound(rendered: Rendered, offsets: Sequence[int], start: int, most: int) -> int:
    """The furthest end of a part that starts here and has no more than `most` entities."""
    touching = [entity.offset for entity in rendered.entities if entity.end > offsets[start]]
    if len(touching) <= most:
        return len(rendered.text)
    return bisect_right(offsets, touching[most]) - 1


_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*\s+")  # noqa: RUF001 - full-width marks end sentences, too
_SPACE = re.compile(r"\s+")


class _Cuts:
    """Where a text may be cut, the best kind of place first."""

    def __init__(self, rendered: Rendered, offsets: Sequence[int]) -> None:
        self._text = rendered.text
        self._blocks = [
            (bisect_right(offsets, entity.offset) - 1, bisect_right(offsets, entity.end) - 1)
            for entity in rendered.entities
            if entity.type == PRE
        ]

    def best(self, start: int, furthest: int) -> int:
        """The end of the part that begins at `start` and may reach to `furthest`: a late, quiet place.

        A place in the first half counts only when there is none in the second.
        """
        for earliest in (start + (furthest - start) // 2, start + 1):
            for find in self._KINDS:
                if (end := find(self, earliest, furthest)) is not None:
                    return end
        return self._between_characters(start, furthest)

    def _in_block(self, position: int) -> bool:
        at = bisect_right(self._blocks, (position, -1)) - 1
        return at >= 0 and self._blocks[at][0] < position < self._blocks[at][1]

    def _last(self, mark: str, earliest: int, furthest: int, *, outside: bool) -> int | None:
        """The last position after `mark`, in a code block only unless `outside`."""
        position = furthest
        while (found := self._text.rfind(mark, max(earliest - len(mark), 0), position)) >= 0:
            after = found + len(mark)
            if after >= earliest and not (outside and self._in_block(after)):
                return after
            position = after - 1
        return None

    def _paragraph(self, earliest: int, furthest: int) -> int | None:
        return self._last("\n\n", earliest, furthest, outside=True)

    def _line(self, earliest: int, furthest: int) -> int | None:
        return self._last("\n", earliest, furthest, outside=True)

    def _line_of_code(self, earliest: int, furthest: int) -> int | None:
        return self._last("\n", earliest, furthest, outside=False)

    def _sentence(self, earliest: int, furthest: int) -> int | None:
        return self._last_match(_SENTENCE_END, earliest, furthest)

    def _word(self, earliest: int, furthest: int) -> int | None:
        return self._last_match(_SPACE, earliest, furthest)

    def _last_match(self, pattern: re.Pattern[str], earliest: int, furthest: int) -> int | None:
        ends = [match.end() for match in pattern.finditer(self._text, max(earliest - 1, 0), furthest)]
        return ends[-1] if ends and ends[-1] >= earliest else None

    _KINDS: tuple[Callable[["_Cuts", int, int], int | None], ...] = (
        _paragraph,
        _line,
        _line_of_code,
        _sentence,
        _word,
    )

    def _between_characters(self, start: int, furthest: int) -> int:
        """As far as possible without parting what a reader sees as one character."""
        for position in range(furthest, max(start, furthest - _LONGEST_CLUSTER), -1):
            if not _belongs_to_previous(self._text, position):
                return position
        return furthest


_JOINER = "\u200d"


def _belongs_to_previous(text: str, position: int) -> bool:
    """Whether the character here is shown as part of the one before it."""
    if not 0 < position < len(text):
        return False
    char, previous = text[position], text[position - 1]
    if previous == _JOINER or char == _JOINER or unicodedata.category(char).startswith("M"):
        return True
    if "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f":
        return True  # skin tones, and the letters of a regional flag
    return _is_regional(char) and _regionals_before(text, position) % 2 == 1


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _regionals_before(text: str, position: int) -> int:
    count = 0
    while count < position and _is_regional(text[position - 1 - count]):
        count += 1
    return count
