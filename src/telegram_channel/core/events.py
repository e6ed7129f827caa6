"""What the session sees: one channel event for one thing that happened in the chat."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

META_KEY = re.compile(r"[a-z0-9_]+")
"""Keys with any other letter vanish silently in the client (source: channel contract)."""


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """Content and meta of one `<channel>` tag. Keys are checked here; values are strings.

    Raises:
        ValueError: a key would be dropped by the client, or a value is no string.
    """

    content: str
    meta: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for key, value in self.meta.items():
            if not META_KEY.fullmatch(key):
                raise ValueError(f"meta key {key!r} would be dropped by the client")
            if not isinstance(value, str):
                raise ValueError(f"meta value of {key!r} is not a string")  # noqa: TRY004 - one error type for one fault
