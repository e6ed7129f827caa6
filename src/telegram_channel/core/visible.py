"""Text that somebody else wrote is shown as it is: whatever would be invisible or reorder the rest is spelled out."""

import unicodedata

from telegram_channel.core.text import utf16_len, utf16_prefix

_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that count as letters, marks or symbols and yet show nothing."""
_MOST_MARKS = 3
"""Combining marks on one letter that any living script needs; more of them only cover what stands around."""
_CONTROL_PICTURES = 0x2400
"""Where Unicode keeps a picture for each control character below U+0020."""


def visible(text: str, *, lines: bool = True) -> str:
    """`text` with every control, direction mark, odd space and other invisible character spelled out.

    Line ends and tabs stay as they are, unless `lines` is false: then a line end becomes `␊`, so that the
    text cannot leave its line. Ordinary text of any script comes back unchanged.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if lines and char in "\n\t":
            shown.append(char)
        elif char < " ":
            shown.append(chr(_CONTROL_PICTURES + ord(char)))
        elif not char.isprintable() or char in _BLANKS or _selects_a_variant(char) or marks > _MOST_MARKS:
            shown.append(f"⟨U+{ord(char):04X}⟩")
        else:
            shown.append(char)
    return "".join(shown)


def visible_line(text: str, units: int) -> str:
    """`text` in one line of at most `units` UTF-16 code units, `…` at the end of what was longer."""
    line = visible(text.strip(), lines=False)
    return line if utf16_len(line) <= units else utf16_prefix(line, units - 1) + "…"


def _selects_a_variant(char: str) -> bool:
    """Whether it only changes how its neighbour looks; hundreds of them in a row can carry a hidden text."""
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef" or "\u180b" <= char <= "\u180f"
