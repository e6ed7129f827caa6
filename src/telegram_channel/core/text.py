"""Text as the core writes it: what it says and how it looks, before any platform's encoding."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """How a span looks."""

    PLAIN = "plain"
    BOLD = "bold"
    ITALIC = "italic"
    CODE = "code"
    PRE = "pre"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text in one style; `language` colours a PRE block and is empty otherwise."""

    text: str
    style: Style = Style.PLAIN
    language: str = ""


@dataclass(frozen=True, slots=True)
class Styled:
    """Text that was composed here: spans in order, shown as they are, never parsed."""

    spans: tuple[Span, ...]

    def __iter__(self) -> Iterator[Span]:
        return iter(self.spans)

    def plain(self) -> str:
        """The words without their looks."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class Markdown:
    """Text that Claude wrote in Markdown: rendered as well as possible, never a parse error."""

    source: str


@dataclass(frozen=True, slots=True)
class Plain:
    """Text to be shown letter by letter."""

    text: str


Body = Styled | Markdown | Plain


def styled(*parts: str | Span) -> Styled:
    """Compose a body; bare strings are plain."""
    return Styled(tuple(part if isinstance(part, Span) else Span(part) for part in parts))


def utf16_len(text: str) -> int:
    """Length in UTF-16 code units, the unit of every text limit and entity offset of the Bot API.

    Lone surrogates count one unit each.
    """
    return len(text) + sum(1 for char in text if char > "\uffff")


def utf16_prefix(text: str, units: int) -> str:
    """The longest prefix of at most `units` UTF-16 code units that splits no character."""
    used = 0
    for index, char in enumerate(text):
        used += 2 if char > "\uffff" else 1
        if used > units:
            return text[:index]
    return text
