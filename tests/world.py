"""A whole world for a test: a strict fake Telegram over real HTTP, people with phones, real `serve` processes.

async with World() as world:
    ann = await world.friend("Ann")                 # let in before the server starts
    session = await world.session()                  # a real process, handshake done
    ann.say("hello")
    event = await session.event("hello")
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from telegram_channel.bridge.admin import allow
from telegram_channel.core.access import Role, with_welcomed
from telegram_channel.core.ids import BotId, SenderId
from telegram_channel.demo.botapi import Act, BotApi
from telegram_channel.demo.http import Emulator
from telegram_channel.demo.phone import Phone
from telegram_channel.demo.session import ScriptedSession
from telegram_channel.ports import Store
from telegram_channel.storage import open_store

TOKEN = "424242:not-a-real-token"
PATIENCE_S = 15.0
_LOOK_EVERY_S = 0.02


class World:
    """One bot, its Telegram, one state directory, and everything that a test starts in it."""

    def __init__(self, **settings: str) -> None:
        """`settings` are environment variables of every process, without `TELEGRAM_`."""
        self.api = BotApi()
        self.bot = self.api.add_bot(TOKEN)
        self.emulator = Emulator(self.api)
        self._settings = {f"TELEGRAM_{key.upper()}": value for key, value in settings.items()}
        self._stack = AsyncExitStack()
        self.directory = Path()
        self._api_base = ""

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="world-")))
        await self._stack.enter_async_context(self.emulator)
        self._api_base = self.emulator.base_url
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.__aexit__(*error)

    @property
    def state_dir(self) -> Path:
        """Where every process of this world keeps its state; nothing makes it before a server does."""
        return self.directory / "state"

    @property
    def env(self) -> dict[str, str]:
        """The environment of every process."""
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("TELEGRAM_", "CLAUDE", "PYTEST"))
        }
        return {
            **inherited,
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_BASE": self._api_base,
            "TELEGRAM_STATE_DIR": str(self.state_dir),
            "TELEGRAM_POLL": "always",
            "TELEGRAM_PROFILE": "default",
            "TELEGRAM_POLL_TIMEOUT_S": "5",
            # A session that is started anew in here is another one: there is no restart to wait for.
            "TELEGRAM_ORPHANED_AFTER_S": "0.3",
            **self._settings,
        }

    def person(self, name: str) -> Phone:
        """Somebody the bot does not know."""
        return Phone(self.api, self.api.add_person(name, username=name.lower()), self.bot, time.time)

    async def friend(self, name: str, role: str = "owner") -> Phone:
        """Somebody the operator has let in, who has pressed Start and been greeted.

        Written into the store at once, because a command takes half a second.
        """
        phone = self.person(name)
        _ = phone.chat  # it is there from now on
        sender = SenderId(str(phone.person.id))
        async with self.store() as store:
            await allow(store.access, sender, datetime.now(UTC), Role(role), name)
            await store.access.transact(lambda state: (with_welcomed(state, sender), None, ()))
        return phone

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The stored state, as one more process sees it."""
        store = await open_store(self.state_dir / "state.db", BotId(str(self.bot.id)))
        try:
            yield store
        finally:
            await store.close()

    async def session(
        self, *, wait_polling: bool = True, project: str = "", session_id: str = "", **env: str
    ) -> ScriptedSession:
        """A new server process with its handshake done; ended with the world at the latest.

        `project`: the name of its project directory; `session_id`: the client's id, a random one without it.
        """
        named = {"CLAUDE_PROJECT_DIR": str(self.project(project))} if project else {}
        known = {"CLAUDE_CODE_SESSION_ID": session_id} if session_id else {}
        session = await ScriptedSession.connected({**self.env, **named, **known, **env})
        await self._stack.enter_async_context(session)
        if wait_polling:
            await self.until(lambda: self.bot.queue.is_waited_for, "a poll")
        return session

    def project(self, name: str) -> Path:
        """A project directory of this world; made when it is first asked for."""
        directory = self.directory / "projects" / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    async def sessions(self, *projects: str) -> list[ScriptedSession]:
        """A session in each of these projects, and all of them know of each other."""
        started = [await self.session(wait_polling=not index, project=name) for index, name in enumerate(projects)]
        await self.known(len(started))
        return started

    async def known(self, sessions: int) -> None:
        """Wait until so many processes are on the list of sessions."""
        await self.stored(lambda store: _are_listed(store, sessions))

    async def stored(self, condition: Callable[[Store], Awaitable[bool]]) -> None:
        """Wait until what is stored makes a condition true."""
        seen = -1
        async with self.store() as store, asyncio.timeout(PATIENCE_S):
            while not await condition(store):
                seen = await store.wait_for_change(seen, 1)

    async def starting(self, **env: str) -> ScriptedSession:
        """A new server process to which nothing was said yet."""
        session = await ScriptedSession.start({**self.env, **env})
        await self._stack.enter_async_context(session)
        return session

    async def operator(self, *arguments: str, stdin: str | None = None, code: int | None = 0) -> str:
        """Run a command line in a terminal; returns what it printed. `code=None`: whatever it ends with."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "telegram_channel", *arguments),
            env=self.env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate((stdin or "").encode()), PATIENCE_S)
        text = output.decode()
        assert code in (None, process.returncode), f"{arguments} ended with {process.returncode}:\n{text}"
        return text

    async def status(self) -> dict[str, Any]:
        """What `status --json` says at this moment."""
        output = await self.operator("status", "--json", code=None)
        found: dict[str, Any] = json.loads(output)
        assert not self.shows_token(output.encode())
        return found

    async def in_state(self, wanted: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait until `status --json` says this state; returns all it says then."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(patience_s):
                while found.get("state") != wanted:
                    found = await self.status()
        except TimeoutError:
            raise AssertionError(f"the state did not become {wanted}; it is {found}") from None
        return found

    @staticmethod
    def shows_token(data: bytes) -> bool:
        """Whether any part of the token that must stay secret is in there."""
        return TOKEN.partition(":")[2].encode() in data

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Nothing listens where Telegram was, until the context ends."""
        api, faults, port = self.api, self.emulator.faults, self.emulator.port
        await self.emulator.stop()
        try:
            yield
        finally:
            self.emulator = await self._stack.enter_async_context(Emulator(api, port=port, faults=faults))

    async def until(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until something that happens in the fake Telegram makes `condition` true."""
        changed = asyncio.Event()
        self.api.world.listeners.append(changed.set)
        try:
            async with asyncio.timeout(patience_s):
                while not condition():
                    changed.clear()
                    # Not everything worth waiting for is told to listeners: look again now and then, too.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), _LOOK_EVERY_S)
        except TimeoutError:
            raise AssertionError(f"{what} did not come within {patience_s} s; {self.api.acts[-5:]}") from None
        finally:
            self.api.world.listeners.remove(changed.set)

    async def shows(self, phone: Phone, text: str) -> Any:
        """Wait until the phone shows a message of the bot that contains `text`; returns the newest."""
        await self.until(lambda: any(text in one.text for one in phone.inbox()), f"{text!r} on the phone")
        return next(one for one in reversed(phone.inbox()) if text in one.text)

    def sent(self, *methods: str) -> list[Act]:
        """What the bot did, of these methods or of all."""
        return self.api.sent(*methods)


async def _are_listed(store: Store, sessions: int) -> bool:
    return len(await store.sessions.list()) >= sessions
