"""What the commands print: plain lines, JSON of a stable shape, and nobody's name taken at face value."""

import json
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from telegram_channel.core.visible import visible_line

_LONGEST_NAME = 48


def say(text: str = "") -> None:
    """Print a line."""
    _write(sys.stdout, f"{text}\n")


def complain(text: str) -> None:
    """Print a line where problems belong."""
    _write(sys.stderr, f"telegram-channel: {text}\n")


def say_json(data: Any) -> None:
    """Print one JSON value; everything beyond ASCII is escaped, so no terminal can be tricked by it."""
    _write(sys.stdout, json.dumps(data, indent=2) + "\n")


def untrusted(text: str) -> str:
    """A name that somebody chose for themselves: in quotes, in one line, with nothing hidden in it."""
    shown = visible_line(text, _LONGEST_NAME).replace('"', "'")
    return f'"{shown}"' if shown else "-"


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Rows in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def tick(passed: bool | None) -> str:
    """✓, ✗, or ! for None, in letters where the terminal has no such signs."""
    sign, letters = {True: ("✓", "ok"), False: ("✗", "FAIL"), None: ("!", "note")}[passed]
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return letters
    return sign


def _write(stream: TextIO, text: str) -> None:
    """Print whatever the terminal's encoding: a sign it does not have becomes `?`."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding, "replace"))
    stream.flush()
