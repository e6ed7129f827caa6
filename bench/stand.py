"""Where a measurement takes place: an emulator, a state directory of its own, and the environment of both."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.client import SERVE, Client, Received, now_s
from bench.telegram import TOKEN, Person, Telegram
from telegram_channel.core.access import Role, Sender, with_sender
from telegram_channel.core.ids import BotId, SenderId
from telegram_channel.storage import open_store, utc_now

_NOT_INHERITED = ("TELEGRAM_", "CLAUDE", "PYTEST", "COVERAGE", "PYTHONDONTWRITEBYTECODE")
"""Bytecode is kept, as it is after any first start: without it every start compiles everything again."""


def clean_environment() -> dict[str, str]:
    """Ours, without what would change the behaviour of what is measured."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}


class Stand:
    """One bot with its Telegram and one state directory, as a context that ends everything in it."""

    def __init__(self, **settings: str) -> None:
        """`settings` are environment variables of every server, without `TELEGRAM_`."""
        self._stack = ExitStack()
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.telegram = self._stack.enter_context(Telegram(clean_environment()))
        self.state_dir = self.directory / "state"
        self._settings = {f"TELEGRAM_{name.upper()}": value for name, value in settings.items()}
        self.let_in(self.telegram.ann)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def ann(self) -> Person:
        """The owner."""
        return self.telegram.ann

    @property
    def environment(self) -> dict[str, str]:
        """That of every server process."""
        return {
            **clean_environment(),
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_BASE": self.telegram.base_url,
            "TELEGRAM_STATE_DIR": str(self.state_dir),
            "TELEGRAM_POLL": "always",
            "TELEGRAM_PROFILE": "default",
            **self._settings,
        }

    def let_in(self, *people: Person) -> None:
        """Put people into the access book as owners who were greeted; takes no server."""
        asyncio.run(self._let_in(people))

    async def _let_in(self, people: Sequence[Person]) -> None:
        store = await open_store(self.state_dir / "state.db", BotId(TOKEN.partition(":")[0]))
        try:
            for person in people:
                sender = Sender(SenderId(person.id), Role.OWNER, person.name, utc_now(), "bench", welcomed=True)
                await store.access.transact(lambda state, sender=sender: (with_sender(state, sender), None, ()))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        finally:
            await store.close()

    def delay_ms(self, person: Person, text: str, arrival: Callable[[], Received]) -> float:
        """Somebody says something: how long it takes from the update being there to what it leads to.

        The emulator says when it began to make the update. What the request takes that asked it to is not
        included; its answer to the long poll is, and so is all that comes after that, up to the `read` in
        which the last byte left the pipe.
        """
        self.telegram.say(person, text)
        arrived_at = arrival().at + time.time() - now_s()
        return 1000 * (arrived_at - float(self.telegram.bot()["newest_at"]))

    def forget(self) -> None:
        """Throw the state away, as if nothing had run here before, and let the owner in again."""
        shutil.rmtree(self.state_dir)
        self.let_in(self.ann)

    def start(self, command: Sequence[str] = SERVE) -> Client:
        """A new server process; nothing is said to it yet."""
        return self._stack.enter_context(Client(self.environment, self.directory / "stderr", command))

    def connect(self) -> Client:
        """A new server process with its handshake done."""
        client = self.start()
        client.shake_hands()
        return client

    def poller(self) -> Client:
        """A new server process that waits for news in a long poll."""
        client = self.connect()
        self.telegram.until_polled()
        return client
