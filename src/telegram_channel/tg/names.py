"""A file name from the chat becomes one that is safe to create anywhere, or none at all.

Telegram passes on whatever the sender's app said. What is left has no directory, no control or
direction-changing character, no leading dot, no name Windows keeps for devices, and is short enough for
every file system; the extension survives.
"""

import re
import unicodedata

LONGEST_NAME_CHARACTERS = 120
LONGEST_NAME_BYTES = 200
"""In UTF-8: file systems take 255 bytes, and something may be put in front."""

_LONGEST_EXTENSION = 16
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)", re.IGNORECASE)


def safe_name(name: str) -> str | None:
    """The file name without anything that could lead elsewhere or deceive; None when nothing is left."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    visible = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    plain = _FORBIDDEN.sub("_", visible).strip().lstrip(". ").rstrip(". ")
    if not plain:
        return None
    stem, dot, extension = plain.rpartition(".")
    if not stem or len(extension) > _LONGEST_EXTENSION:
        stem, dot, extension = plain, "", ""
    if _RESERVED.fullmatch(stem.split(".")[0].strip()):
        stem = f"_{stem}"
    return _shortened(stem, f"{dot}{extension}")


def safe_identifier(text: str) -> str:
    """Letters, digits, `_` and `-` of an identifier of the platform, so that it can be part of a file name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:64]


def one_line(text: str, longest: int = 128) -> str:
    """A person's or chat's name on one line, without characters that hide or reverse what follows."""
    visible = "".join(" " if char.isspace() else char for char in text if char.isspace() or _shows(char))
    return " ".join(visible.split())[:longest].strip()


def _shows(char: str) -> bool:
    # The joiner holds together emoji and letters of several scripts; it neither hides nor reverses anything.
    return char == "\u200d" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _shortened(stem: str, suffix: str) -> str:
    stem = stem[: LONGEST_NAME_CHARACTERS - len(suffix)]
    while len((stem + suffix).encode("utf-8")) > LONGEST_NAME_BYTES:
        stem = stem[:-1]
    return (stem + suffix).rstrip(". ")
