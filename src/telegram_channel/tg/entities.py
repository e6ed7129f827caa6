"""Formatted text as Telegram takes it: plain text and spans over it, always in range and properly nested.

The rules are those of the Bot API ("Formatting options"): two entities that share characters contain one
another; `pre` and `code` contain nothing; block quotes do not nest. Offsets and lengths are UTF-16 code
units. What breaks a rule is cut or dropped here, so that nothing is left for Telegram to refuse.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from telegram_channel.core.text import utf16_len
from telegram_channel.tg.limits import MOST_ENTITIES

PRE = "pre"
CODE = "code"
LINK = "text_link"
QUOTE = "blockquote"

_VALUE = {PRE: 0, LINK: 1, QUOTE: 2, CODE: 3}
"""What is kept first where not all entities count; everything else comes after these."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A span of formatted text; `offset` and `length` in UTF-16 code units."""

    type: str
    offset: int
    length: int
    url: str | None = None
    """Where a `text_link` leads."""
    language: str | None = None
    """Of a `pre`."""

    @property
    def end(self) -> int:
        """The first code unit after it."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Rendered:
    """Text ready to be sent."""

    text: str
    entities: tuple[Entity, ...] = ()

    @property
    def is_blank(self) -> bool:
        """Whether Telegram would call it empty."""
        return is_blank(self.text)


def is_blank(text: str) -> bool:
    """Whether there is nothing to see: only spaces and characters that show nothing."""
    return all(char in _INVISIBLE or unicodedata.category(char) in _EMPTY for char in text)


_EMPTY = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
_INVISIBLE = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0\ufe0e\ufe0f")
"""Of another category, yet nothing is seen: fillers, the empty braille cell, variation selectors."""


def tidy(text: str, entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """The same look as far as the rules allow, as properly nested entities in order of their offsets."""
    total = utf16_len(text)
    inside = [clipped for entity in entities if (clipped := _clipped(entity, 0, total))]
    if not inside:
        return ()
    inside.sort(key=lambda entity: (entity.offset, -entity.end))
    starts: dict[int, list[Entity]] = {}
    for entity in inside:
        starts.setdefault(entity.offset, []).append(entity)
    sweep = _Sweep()
    for position in sorted({*starts, *(entity.end for entity in inside)}):
        sweep.reach(position, starts.get(position, ()))
    return tuple(sorted(sweep.done, key=_order))


def _order(entity: Entity) -> tuple[int, int, int]:
    return entity.offset, -entity.length, _rank(entity)


def _clipped(entity: Entity, start: int, end: int) -> Entity | None:
    offset, stop = max(entity.offset, start), min(entity.end, end)
    return replace(entity, offset=offset - start, length=stop - offset) if stop > offset else None


_Look = tuple[str, str | None, str | None]


class _Sweep:
    """Walks over the boundaries of entities and keeps a stack of those that are open."""

    def __init__(self) -> None:
        self.done: list[Entity] = []
        self._active: list[Entity] = []
        self._stack: list[Entity] = []
        """Open entities, outermost first; each offset is where it was opened, not where it began."""

    def reach(self, position: int, started: Sequence[Entity]) -> None:
        self._active = [entity for entity in self._active if entity.end > position]
        self._active.extend(started)
        wanted = {_look(entity): entity for entity in _compatible(self._active)}
        self._close(self._first_out_of_place(wanted), position)
        for entity in self._stack:
            del wanted[_look(entity)]
        for entity in sorted(wanted.values(), key=lambda entity: (_rank(entity), -entity.end)):
            self._stack.append(replace(entity, offset=position))

    def _first_out_of_place(self, wanted: Mapping[_Look, Entity]) -> int:
        """The depth of the first open entity that ends here, or that has to lie inside one that begins."""
        opened = {_look(entity) for entity in self._stack}
        beginning = min((_rank(entity) for look, entity in wanted.items() if look not in opened), default=_INNERMOST)
        for depth, entity in enumerate(self._stack):
            if _look(entity) not in wanted or _rank(entity) > beginning:
                return depth
        return len(self._stack)

    def _close(self, depth: int, position: int) -> None:
        while len(self._stack) > depth:
            entity = self._stack.pop()
            self.done.append(replace(entity, length=position - entity.offset))


_OUTERMOST, _BETWEEN, _INNERMOST = range(3)


def _rank(entity: Entity) -> int:
    return {QUOTE: _OUTERMOST, PRE: _INNERMOST, CODE: _INNERMOST}.get(entity.type, _BETWEEN)


def _look(entity: Entity) -> _Look:
    return entity.type, entity.url, entity.language


def _compatible(active: Sequence[Entity]) -> list[Entity]:
    """Those of the active entities that may hold the same characters, outer ones first where it matters."""
    quotes = [entity for entity in active if entity.type == QUOTE][:1]
    blocks = [entity for entity in active if entity.type == PRE][:1]
    if blocks:
        return quotes + blocks
    links = [entity for entity in active if entity.type == LINK][-1:]
    code = [entity for entity in active if entity.type == CODE][:1]
    if code and not links:
        return quotes + code
    styles = [entity for entity in active if entity.type not in (QUOTE, PRE, LINK, CODE)]
    return quotes + links + styles


def most_valuable(entities: Sequence[Entity], most: int = MOST_ENTITIES) -> tuple[Entity, ...]:
    """At most so many entities: code blocks, links, quotes and code before mere emphasis, early before late."""
    if len(entities) <= most:
        return tuple(entities)
    ranked = sorted(entities, key=lambda entity: (_VALUE.get(entity.type, len(_VALUE)), entity.offset))
    return tuple(sorted(ranked[:most], key=_order))


def utf16_offsets(text: str) -> Sequence[int]:
    """For each character, and for the end, how many UTF-16 code units come before it."""
    if text.isascii():
        return range(len(text) + 1)
    offsets = [0]
    for char in text:
        offsets.append(offsets[-1] + (2 if char > "\uffff" else 1))
    return offsets


def cut(rendered: Rendered, start: int, end: int, offsets: Sequence[int]) -> Rendered:
    """The characters from `start` to `end` with their look, without the white space around them.

    White space in front stays where an entity begins with it: the indentation of a code block. `offsets`
    are the `utf16_offsets` of the whole text.
    """
    text = rendered.text
    while end > start and text[end - 1].isspace():
        end -= 1
    while start < end and text[start] == "\n":
        start += 1
    inside = [e for e in rendered.entities if e.offset < offsets[end] and e.end > offsets[start]]
    first = min((max(e.offset, offsets[start]) for e in inside), default=offsets[end])
    while start < end and text[start].isspace() and offsets[start] < first:
        start += 1
    pieces = (_clipped(entity, offsets[start], offsets[end]) for entity in inside)
    return Rendered(text[start:end], tuple(piece for piece in pieces if piece))


def trimmed(text: str, entities: Iterable[Entity]) -> Rendered:
    """Tidy entities over the text without the white space around it."""
    return cut(Rendered(text, tidy(text, entities)), 0, len(text), utf16_offsets(text))
