"""Reading fields of an update as it came: what is needed is there and of its type, or the update is malformed.

Optional fields of a wrong type count as absent. Every text that leaves here can be written as UTF-8.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Fields = Mapping[str, Any]

_LARGEST = 2**63 - 1
"""Of any integer of the Bot API, and the largest that the store takes."""


class Malformed(ValueError):
    """A field that cannot be missing is missing or of another type; the message names it and no value."""


def optional_object(fields: Fields, key: str) -> Fields | None:
    """The object under `key`."""
    value = fields.get(key)
    return value if isinstance(value, Mapping) else None


def required_object(fields: Fields, key: str) -> Fields:
    """The object under `key`.

    Raises:
        Malformed: there is none.
    """
    value = optional_object(fields, key)
    if value is None:
        raise Malformed(f"{key} is not an object")
    return value


def objects(fields: Fields, key: str) -> Sequence[Fields]:
    """The objects in the array under `key`; none when it is no array."""
    value = fields.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def optional_integer(fields: Fields, key: str) -> int | None:
    """The integer under `key`, as long as 64 bits hold it."""
    value = fields.get(key)
    if type(value) is int and -_LARGEST <= value <= _LARGEST:  # a bool is an int, too
        return value
    return None


def required_integer(fields: Fields, key: str) -> int:
    """The integer under `key`.

    Raises:
        Malformed: there is none.
    """
    value = optional_integer(fields, key)
    if value is None:
        raise Malformed(f"{key} is not an integer")
    return value


def optional_text(fields: Fields, key: str) -> str:
    """The text under `key`, empty when there is none."""
    value = fields.get(key)
    return writable(value) if isinstance(value, str) else ""


def required_text(fields: Fields, key: str) -> str:
    """The text under `key`.

    Raises:
        Malformed: there is none, or it is empty.
    """
    value = optional_text(fields, key)
    if not value:
        raise Malformed(f"{key} is not a text")
    return value


def required_time(fields: Fields, key: str) -> datetime:
    """The Unix time under `key`.

    Raises:
        Malformed: there is none, or no calendar has it.
    """
    seconds = required_integer(fields, key)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise Malformed(f"{key} is not a time") from None


def writable(text: str) -> str:
    """The text with every lone half of a surrogate pair replaced; its UTF-16 offsets stay what they are."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
