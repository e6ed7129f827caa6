"""Many sessions of one bot: each with a project, a life after each death, and a door of its own to one Telegram.

The emulator and its people live in this process. Whatever a session's processes ask of Telegram comes through
a door that is theirs alone, so who polled and who wrote is known without asking them, or their records.
"""

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from bench.figures import NotMeasured
from bench.fleet_judge import Heard
from bench.stand import clean_environment
from bench.telegram import TOKEN
from telegram_channel.core.access import Group, Role, Sender, with_group, with_sender
from telegram_channel.core.ids import BotId, ChatId, SenderId, SessionId, ThreadId
from telegram_channel.core.routing import TopicBinding
from telegram_channel.demo.botapi import Act, BotApi
from telegram_channel.demo.botapi_faults import Faults
from telegram_channel.demo.botapi_updates import LongPoll
from telegram_channel.demo.botapi_wire import Answer, Upload
from telegram_channel.demo.botapi_world import Chat, Topic
from telegram_channel.demo.http import Emulator
from telegram_channel.demo.phone import Phone
from telegram_channel.demo.session import EVENT, ScriptedSession, SessionEnded
from telegram_channel.storage import open_store

NAMES = ("alder", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper", "koa", "larch")
PEOPLE = {"Ann": Role.OWNER, "Bob": Role.APPROVER, "Cid": Role.SENDER, "Dee": Role.SENDER}
PATIENCE_S = 20.0
_LOOK_EVERY_S = 0.02
_TOPIC_WITHIN_S = 6.0
_ENDS_WITHIN_S = 5.0
_READS_EVERY_S = (0.1, 3.0)
"""How often a session reads: what it was given and has not read when it is killed is given again."""


class Door(BotApi):
    """The same Telegram as behind every other door, and what went through this one."""

    def __init__(self, telegram: BotApi) -> None:
        super().__init__()
        self._telegram = telegram
        self.world, self.acts = telegram.world, telegram.acts
        self.complaints, self.revoked = telegram.complaints, telegram.revoked
        self.polled_at: list[float] = []
        """When each getUpdates call came, in seconds since the epoch."""
        self.wrote: list[Act] = []
        """What was done or refused through here."""

    def call(
        self,
        token: str,
        method: str,
        params: Mapping[str, object] | None = None,
        files: Mapping[str, Upload] | None = None,
        *,
        now: float,
    ) -> Answer | LongPoll:
        """Pass it on, and remember it."""
        if method.lower() == "getupdates":
            self.polled_at.append(now)
        before = len(self.acts)
        answer = self._telegram.call(token, method, params, files, now=now)
        self.wrote += self.acts[before:]
        return answer


class Life:
    """One process of a session, and everything it was given; it reads like a client, by hooks."""

    def __init__(self, seat: "Seat", number: int, process: ScriptedSession, chance: random.Random) -> None:
        self.seat = seat
        self.session = seat.session
        """The session's id."""
        self.number = number
        self.process = process
        self.heard: list[Heard] = []
        self.began_at = time.time()
        self.killed_at: float | None = None
        """When it was told or made to end."""
        self.asks = False
        """Whether a permission dialog is open: nothing is read meanwhile."""
        self._chance = chance
        self._taken = 0
        self._unread: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    @property
    def is_up(self) -> bool:
        """Whether it runs and is meant to go on."""
        return self.killed_at is None and self.process.process.returncode is None

    def summary(self) -> dict[str, Any]:
        """Whose process it was, and when it ran, in seconds since the epoch."""
        return {
            "seat": self.seat.name,
            "life": self.number,
            "session": self.session,
            "pid": self.process.process.pid,
            "began_at": self.began_at,
            "killed_at": self.killed_at,
            "exit_code": self.process.process.returncode,
        }

    async def kill(self) -> float:
        """kill -9; returns when, in seconds since the epoch."""
        self.killed_at = time.time()
        self.process.process.kill()
        at = time.time()
        await self.process.kill()
        await self._end()
        return at

    async def leave(self) -> float:
        """End it as a client does, by closing its input; returns when it was gone."""
        self.killed_at = time.time()
        try:
            await self.process.end_input()
        except SessionEnded:
            await self.process.kill()
            raise
        at = time.time()
        await self._end()
        return at

    async def _end(self) -> None:
        self._reading.cancel()
        await asyncio.wait({self._reading}, timeout=_ENDS_WITHIN_S)
        await self.process.kill()  # it is dead: this waits until everything in the pipe was read
        async with self.process:
            self._take()

    def _take(self) -> None:
        """Note what has come."""
        at = time.time()
        for message in self.process.received[self._taken :]:
            if message.get("method") == EVENT:
                params = message["params"]
                meta = params["meta"]
                thread = int(meta["thread_id"]) if "thread_id" in meta else None
                place = (int(meta["chat_id"]), thread)
                self.heard.append(
                    Heard(
                        params["content"], self.seat.name, self.number, place, meta.get("redelivered") == "true", at
                    )
                )
                self._unread.append(params)
        self._taken = len(self.process.received)

    async def _read(self) -> None:
        """Let the server know what was read, a little later, several at once, as prompts are submitted.

        One long turn: when a turn ends, whoever waits for its words is sent some, and that is not measured here.
        """
        next_at = time.monotonic()
        while True:
            self._take()
            if self._unread and not self.asks and time.monotonic() > next_at:
                next_at = time.monotonic() + self._chance.uniform(*_READS_EVERY_S)
                unread, self._unread = self._unread, []
                with contextlib.suppress(SessionEnded):  # it dies: what it was given stays unproven
                    for params in unread:
                        await self.process.hook("UserPromptSubmit", timeout_s=5, prompt=_prompt(params))
            await asyncio.sleep(_LOOK_EVERY_S)


def _prompt(params: Mapping[str, Any]) -> str:
    attributes = " ".join(f'{key}="{value}"' for key, value in params["meta"].items())
    return f'<channel source="telegram" {attributes}>\n{params["content"]}\n</channel>'


@dataclass(eq=False, slots=True, repr=False)
class Seat:
    """A session, or one after the other in one project: name, project and door stay the same.

    A process that comes back has the id of the one before, or a new one, as when somebody quits and starts anew.
    """

    name: str
    session: str
    directory: Path
    door: Door
    base_url: str
    lives: list[Life] = field(default_factory=list)
    topic: Topic | None = None

    @property
    def life(self) -> Life | None:
        """The process that runs now."""
        return self.lives[-1] if self.lives and self.lives[-1].is_up else None


class Fleet:
    """The sessions, the people and the chats, as a context that ends everything in it."""

    def __init__(self, count: int, seed: int, **settings: str) -> None:
        """`settings` are environment variables of every process, without `TELEGRAM_`."""
        self.chance = random.Random(seed)  # noqa: S311 - moments and choices, no secrets
        self.telegram = BotApi(flood_control=True)
        self.bot = self.telegram.add_bot(TOKEN)
        self.faults = Faults()
        self._count, self._seed = count, seed
        self._settings = {f"TELEGRAM_{key.upper()}": value for key, value in settings.items()}
        self._stack = AsyncExitStack()
        self.directory = Path()
        self.seats: list[Seat] = []
        self.guests: list[Seat] = []
        """Sessions that nobody means."""
        self.people: dict[str, Phone] = {}
        self.workshop: Chat
        """A forum with a topic for each session."""
        self.yard: Chat
        """A group without topics."""

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        for name in PEOPLE:
            person = self.telegram.add_person(name, username=name.lower())
            self.people[name] = Phone(self.telegram, person, self.bot, time.time)
            _ = self.people[name].chat  # it is there from now on
        ann = self.people["Ann"]
        others = [phone.person for name, phone in self.people.items() if name != "Ann"]
        self.workshop = ann.create_group("Workshop", *others, is_forum=True)
        self.yard = ann.create_group("Yard", *others, supergroup=True)
        for group in (self.workshop, self.yard):
            ann.set_member(group, self.bot, "administrator")
        await self._let_in()
        for name in NAMES[: self._count]:
            self.seats.append(await self._seat(name))
        return self

    async def __aexit__(self, *error: Any) -> None:
        self.faults.clear()
        lives = [life for life in self.everybody if life.process.process.returncode is None]
        await asyncio.gather(*(life.kill() for life in lives))
        with contextlib.suppress(TimeoutError):  # whatever still hangs ends with this process
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await self._stack.__aexit__(*error)

    async def _let_in(self) -> None:
        now = datetime.now(UTC)
        store = await open_store(self.directory / "state" / "state.db", BotId(str(self.bot.id)))
        try:
            for name, phone in self.people.items():
                sender = Sender(SenderId(str(phone.person.id)), PEOPLE[name], name, now, "bench", welcomed=True)
                await store.access.transact(lambda state, sender=sender: (with_sender(state, sender), None, ()))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            for chat in (self.workshop, self.yard):
                group = Group(ChatId(str(chat.id)), chat.title, now, mention_only=False)
                await store.access.transact(lambda state, group=group: (with_group(state, group), None, ()))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        finally:
            await store.close()

    async def _seat(self, name: str) -> Seat:
        directory = self.directory / "projects" / name
        directory.mkdir(parents=True)
        door = Door(self.telegram)
        emulator = await self._stack.enter_async_context(Emulator(door, faults=self.faults))
        return Seat(name, self._session_id(name), directory, door, emulator.base_url)

    def _session_id(self, name: str) -> str:
        return f"{name}-{self.chance.randrange(16**8):08x}"

    async def guest(self, number: int) -> Seat:
        """A session that nobody means, in a project of its own; it is not started yet."""
        seat = await self._seat(f"visitor{number}")
        self.guests.append(seat)
        return seat

    async def start(self, seat: Seat, *, anew: bool = False) -> Life:
        """A new process of the session, with its handshake done; `anew`: under a new id."""
        if anew:
            seat.session = self._session_id(seat.name)
        environment = {
            **clean_environment(),
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_BASE": seat.base_url,
            "TELEGRAM_STATE_DIR": str(self.directory / "state"),
            "TELEGRAM_POLL": "always",
            "TELEGRAM_PROFILE": "default",
            "CLAUDE_CODE_SESSION_ID": seat.session,
            "CLAUDE_PROJECT_DIR": str(seat.directory),
            **self._settings,
        }
        process = await ScriptedSession.start(environment, cwd=seat.directory)
        try:
            await process.handshake()
            await process.tools()
        except BaseException:
            await process.kill()
            raise
        number = len(seat.lives) + 1
        life = Life(seat, number, process, random.Random(f"{self._seed}/{seat.name}/{number}"))  # noqa: S311 - as above
        seat.lives.append(life)
        return life

    async def start_all(self) -> None:
        """The first process of every session, and one of them polls."""
        await asyncio.gather(*(self.start(seat) for seat in self.seats))
        await self.until(lambda: self.bot.queue.is_waited_for, "a long poll")
        await self.until_listed()

    async def until_listed(self) -> None:
        """Wait until every session that runs can be meant: its label is in the answer to `/sessions`."""
        ann = self.people["Ann"]
        deadline = time.monotonic() + PATIENCE_S
        names = {seat.name for seat in self.seats if seat.life}
        while time.monotonic() < deadline:
            seen = len(ann.inbox())
            ann.say("/sessions")
            with contextlib.suppress(NotMeasured):
                await self.until(lambda seen=seen: len(ann.inbox()) > seen, "a list", 5)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            if any(names <= set(labels_below(one)) for one in ann.inbox()[seen:]):
                return
            await asyncio.sleep(1)
        raise NotMeasured(f"/sessions did not list {', '.join(sorted(names))}; the chat shows {ann.inbox()[-1:]}")

    async def have_topics(self) -> str:
        """A topic for each session: those that they open, or, where they open none, ours; says which."""
        with contextlib.suppress(NotMeasured):
            await self.until(lambda: any(self._topic_of(seat) for seat in self.seats), "a topic", _TOPIC_WITHIN_S)
            await self.until(lambda: all(self._topic_of(seat) for seat in self.seats), "a topic for each session")
            for seat in self.seats:
                seat.topic = self._topic_of(seat)
            return "the topics that they opened"
        ann = self.people["Ann"]
        store = await open_store(self.directory / "state" / "state.db", BotId(str(self.bot.id)))
        try:
            for seat in self.seats:
                seat.topic = self._topic_of(seat) or ann.open_topic(self.workshop, seat.name)
                chat, thread = ChatId(str(self.workshop.id)), ThreadId(str(seat.topic.thread))
                binding = TopicBinding(chat, thread, str(seat.directory), SessionId(seat.session), seat.name)
                await store.routes.bind(binding)
        finally:
            await store.close()
        return "topics that were bound to them by hand"

    def _topic_of(self, seat: Seat) -> Topic | None:
        return next((one for one in self.workshop.topics.values() if one.name == seat.name), None)

    @property
    def everybody(self) -> Iterator[Life]:
        """Every process there ever was."""
        return (life for seat in (*self.seats, *self.guests) for life in seat.lives)

    @property
    def poller(self) -> Life | None:
        """The process that asked for news last, when it still runs."""
        asked = [seat for seat in (*self.seats, *self.guests) if seat.door.polled_at]
        return max(asked, key=lambda seat: seat.door.polled_at[-1]).life if asked else None

    async def polled_by_another(self, dead: Seat, since: float, patience_s: float = PATIENCE_S) -> tuple[Seat, float]:
        """The first other session that polls after a moment, and how many seconds after."""

        def first() -> list[tuple[float, Seat]]:
            doors = [seat for seat in (*self.seats, *self.guests) if seat is not dead]
            found = [(at, seat) for seat in doors for at in seat.door.polled_at[-50:] if at > since]
            return sorted(found, key=lambda one: one[0])[:1]

        await self.until(lambda: bool(first()), "a poll of another process", patience_s)
        ((at, seat),) = first()
        return seat, at - since

    async def until(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until something is true.

        Raises:
            NotMeasured: it did not become true.
        """
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                raise NotMeasured(f"{what} did not come within {patience_s:g} s")
            await asyncio.sleep(_LOOK_EVERY_S)


def labels_below(message: Any) -> list[str]:
    """What the buttons below a message say, without the mark of the chosen one."""
    return [label.removeprefix("✓ ") for row in message.labels for label in row]
