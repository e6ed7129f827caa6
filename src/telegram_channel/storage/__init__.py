"""Everything that is kept goes through one store per bot, and its backend is loaded only when it is opened.

A location is a path (SQLite) or a URL whose scheme names the backend. Another backend is one more module
with the two functions below, one more line in `BACKENDS`, and one more fixture of the contract tests.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

from telegram_channel.core.ids import BotId
from telegram_channel.errors import ConfigurationError
from telegram_channel.ports import Store

BACKENDS: Mapping[str, str] = MappingProxyType(
    {"sqlite": "telegram_channel.storage.sqlite", "memory": "telegram_channel.storage.memory"}
)
"""URL scheme → module."""


class Backend(Protocol):
    """What a backend's module offers."""

    async def open_store(self, location: str, bot: BotId, now: Callable[[], datetime]) -> Store:
        """A store that can be used. Raises `StateError`."""

    def known_bots(self, location: str) -> tuple[BotId, ...]:
        """Every bot that has state there, newest active first."""


def utc_now() -> datetime:
    """The wall clock, for whoever does not own another one."""
    return datetime.now(UTC)


async def open_store(location: str | Path, bot: BotId, *, now: Callable[[], datetime] = utc_now) -> Store:
    """The store of one bot, set up where there never was one.

    `now` dates what has no time of its own: seen update ids and changes of the access book.

    Raises:
        ConfigurationError: no backend has the scheme of the URL.
        StateError: the state cannot be used.
    """
    return await _backend(location).open_store(str(location), bot, now)


def known_bots(location: str | Path) -> tuple[BotId, ...]:
    """Every bot that has state, newest active first: for command line tools, which have no token.

    Blocks for a moment; makes nothing where there is nothing.

    Raises:
        ConfigurationError: no backend has the scheme of the URL.
        StateError: the state cannot be used.
    """
    return _backend(location).known_bots(str(location))


def _backend(location: str | Path) -> Backend:
    scheme, separator, _rest = str(location).partition("://")
    if not separator:
        scheme = "sqlite"
    if scheme not in BACKENDS:
        raise ConfigurationError(
            f"There is no storage for {scheme}://.",
            f"Use a path, or one of {', '.join(f'{one}://' for one in BACKENDS)}.",
        )
    return cast(Backend, import_module(BACKENDS[scheme]))
