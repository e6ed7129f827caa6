"""Shows the demo to a person: one line for each thing that happens, coloured when a terminal looks on."""

import os
import textwrap
from enum import StrEnum
from typing import TextIO


class Voice(StrEnum):
    """Who speaks, with the name that is shown."""

    PHONE = "phone"
    BOT = "bot"
    SESSION = "session"
    OPERATOR = "operator"
    NOTE = ""


_COLOURS = {
    Voice.PHONE: "36",
    Voice.BOT: "34",
    Voice.SESSION: "35",
    Voice.OPERATOR: "33",
    Voice.NOTE: "2",
}
_NAME_WIDTH = 10
_LINE_WIDTH = 100


class Stage:
    """Writes to one stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._coloured = stream.isatty() and "NO_COLOR" not in os.environ

    def say(self, voice: Voice, text: str) -> None:
        """One utterance; further lines are indented below the first."""
        lines = [
            piece
            for line in text.splitlines() or [""]
            for piece in textwrap.wrap(line, _LINE_WIDTH - _NAME_WIDTH, break_on_hyphens=False) or [""]
        ]
        name = self._painted(f"{voice.value:<{_NAME_WIDTH}}", _COLOURS[voice])
        for number, line in enumerate(lines):
            self._write(f"{name if number == 0 else ' ' * _NAME_WIDTH}{line}".rstrip() + "\n")

    def heading(self, text: str) -> None:
        """The name of a scene."""
        self._write(f"\n{self._painted(text, '1')}\n")

    def verdict(self, text: str, *, good: bool) -> None:
        """How it ended."""
        self._write(f"\n{self._painted(('✓ ' if good else '✗ ') + text, '32' if good else '31')}\n")

    def ask(self, text: str) -> None:
        """Show a prompt, without a line end."""
        self._write(self._painted(text, _COLOURS[Voice.PHONE]))

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured else text

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
