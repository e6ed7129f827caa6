"""A link as a QR code in the terminal, where there is a terminal and something that can draw one.

`segno` is optional: without it the link is printed and nothing is missing.
"""

import io
import sys
from importlib import import_module


def drawn(text: str) -> str:
    """The code in half blocks, empty when nobody could scan it or nothing can draw it."""
    if not sys.stdout.isatty() or "utf" not in (sys.stdout.encoding or "").lower():
        return ""
    try:
        segno = import_module("segno")  # by name: it may not be installed where types are checked
    except ImportError:
        return ""
    picture = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out=picture, compact=True, border=2)
    return picture.getvalue().rstrip("\n")
