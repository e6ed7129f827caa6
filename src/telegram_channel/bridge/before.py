"""What a file says before a change to it is allowed; never what must not leave this machine.

The same checks as for a file that is sent: nothing of the bridge's own state and nothing that looks like a
credential is put on a card.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

from telegram_channel.bridge.replies import Places, load_files
from telegram_channel.errors import ToolError

LARGEST_BYTES = 1_000_000
"""A change to a larger file is shown without what was there before."""

ReadBefore = Callable[[str], str | None]
"""The text of the file at a path, None when there is none that may be shown. Blocks: called in a thread."""


def reader(places: Places) -> ReadBefore:
    """Read files as far as these places allow it."""
    limited = replace(places, largest_bytes=LARGEST_BYTES)

    def read(path: str) -> str | None:
        """None for a relative path as well: whose directory it starts from is not known here."""
        if not PurePath(path).is_absolute():
            return None
        try:
            [file] = load_files((PurePath(path),), limited)
            return (file.content or b"").decode("utf-8")
        except (ToolError, OSError, ValueError):
            return None

    return read
