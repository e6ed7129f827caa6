"""The words of a rich message, block by block, without its looks (source: Bot API, RichMessage)."""

from collections.abc import Iterator, Mapping
from typing import Any

from telegram_channel.tg.raw import writable

_DEEPEST = 16
"""Blocks nest this deep at most; what lies deeper is left out rather than followed for ever."""


def words_of(rich_message: Any) -> str:
    """Everything a reader sees as text, one line for each block."""
    blocks = rich_message.get("blocks") if isinstance(rich_message, Mapping) else None
    return "\n".join(line for line in _lines(blocks, _DEEPEST) if line.strip())


def _lines(block: Any, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    if isinstance(block, list):
        for part in block:
            yield from _lines(part, depth - 1)
    elif isinstance(block, Mapping):
        for key in ("summary", "label", "text", "expression"):
            yield _inline(block.get(key), depth - 1)
        rows = block.get("cells")
        for row in rows if isinstance(rows, list) else ():
            yield " | ".join(_inline(cell, depth - 1) for cell in row) if isinstance(row, list) else ""
        for key in ("blocks", "items"):
            yield from _lines(block.get(key), depth - 1)
        yield _inline(block.get("caption"), depth - 1)


def _inline(text: Any, depth: int) -> str:
    """The letters of a `RichText`: a string, an array of them, or an object around one."""
    if depth == 0:
        return ""
    match text:
        case str():
            return writable(text)
        case list():
            return "".join(_inline(part, depth - 1) for part in text)
        case Mapping():
            return _inline(text.get("text"), depth - 1) or _inline(text.get("expression"), depth - 1)
        case _:
            return ""
