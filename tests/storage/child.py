"""Other processes for the tests: real ones, that hold locks, fill disks and are killed without a warning.

`python -m tests.storage.child <what> <path>` prints one line for each thing that happened.
"""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

from telegram_channel.core.ids import ChatId, MessageId, PromptId, SenderId, SessionId, ThreadId, UpdateId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Intake, Move
from telegram_channel.core.orders import Order, OrderKind
from telegram_channel.core.permission import Behavior, Details, How, PermissionRequest, Prompt, Verdict
from telegram_channel.core.routing import Question, TopicBinding, Why
from telegram_channel.core.wishes import Wishes
from telegram_channel.errors import StateUnwritable
from telegram_channel.storage import open_store
from telegram_channel.storage.lease import FileLease
from telegram_channel.storage.sqlite import SqliteStore
from telegram_channel.storage.sqlite_worker import Database
from tests.storage.conftest import BOOK, BOT
from tests.values import NOON, entry, message

LONGEST_LIFE_S = 30.0
STOP = Order(OrderKind.STOP, SessionId("s1"), SenderId("7"), "Ann", NOON, ChatId("7"), MessageId("5"))
DETAILS = Details('{"command": "ls"}')
CHOSEN = SessionId("s1")
FREE_TOPIC = TopicBinding(ChatId("-100"), ThreadId("3"), "/home/ann/shop", None, "shop", is_open=False)
QUESTION = Question(FREE_TOPIC.chat, None, MessageId("8"), NOON)
BATCH = 7
"""Messages in a batch of `ingest_for_ever`."""


def batch(number: int, size: int = BATCH) -> Intake:
    """The batch of that number, from 0: its messages and update ids follow those of the one before."""
    entries: tuple[InboxEntry, ...] = tuple(
        entry(message(f"{one}", one)) for one in range(number * size + 1, (number + 1) * size + 1)
    )
    return Intake(entries, (), tuple(one.update for one in entries))


def say(line: str) -> None:
    """Tell the parent. The pipe is the child's only output."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def die() -> None:
    """Be gone, as after `kill -9`: no handler, no cleanup, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


async def store_and_die(path: Path) -> None:
    """Store one of each, and be gone as soon as the last call returned."""
    store = await open_store(path, BOT)
    await store.access.transact(lambda _state: (BOOK, None, ()))
    await store.prompts.open(
        Prompt(PromptId("p1"), SessionId("s1"), PermissionRequest("abcde", "Bash", "Run", "{}"), NOON)
    )
    await store.prompts.enrich(PromptId("p1"), DETAILS)
    await store.orders.give(STOP)
    await store.wishes.keep(STOP.chat, Wishes(progress=True))
    await store.prompts.settle(PromptId("p1"), Verdict(Behavior.ALLOW, SenderId("7"), "Ann", How.BUTTON, NOON))
    intake = batch(0, 100)
    await store.inbox.ingest(intake, intake.seen[-1])
    first = (await store.inbox.due(1))[0].entry
    await store.inbox.advance([Move((first,), (DeliveryState.STORED,), emitted_at=NOON)], durable=False)
    die()


async def ingest_for_ever(path: Path) -> None:
    """Store batch after batch and name each once it is stored, until killed."""
    store = await open_store(path, BOT)
    number = 0
    while True:
        intake = batch(number)
        await store.inbox.ingest(intake, intake.seen[-1])
        say(str(number))
        number += 1


async def open_and_change(path: Path) -> None:
    """Set up the database, at the same time as others, and store something in it."""
    store = await open_store(path, BOT)
    await store.inbox.ingest(Intake(seen=(UpdateId(os.getpid()),)), None)
    await store.close()
    say("stored")


async def change_when_told(path: Path) -> None:
    """Commit something for each line, until there are no more."""
    database = Database(path)
    say("ready")
    while await asyncio.to_thread(sys.stdin.readline):
        await database.write(
            lambda connection: connection.execute("INSERT INTO audit (bot, body) VALUES ('1', '{}')")
        )
        say("stored")
    await database.close()


async def route_and_die(path: Path) -> None:
    """Store one route of each kind, and be gone as soon as the last call returned."""
    store = await open_store(path, BOT)
    await store.routes.choose(FREE_TOPIC.chat, CHOSEN)
    await store.routes.bind(FREE_TOPIC)
    await store.routes.ask(QUESTION)
    one = entry(message(), session=CHOSEN, why=Why.CHOSEN)
    await store.inbox.ingest(Intake((one,), (), (one.update,)), one.update)
    await store.routes.note_sent(CHOSEN, FREE_TOPIC.chat, [MessageId("1"), MessageId("2")], NOON)
    die()


async def take_topic(path: Path) -> None:
    """Want the free topic when told to, at the same time as others, and say whether it was to be had."""
    store = await open_store(path, BOT)
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    taken = await store.routes.take_topic(FREE_TOPIC.chat, FREE_TOPIC.project, SessionId(str(os.getpid())))
    await store.close()
    say(str(taken is not None))


async def hold(path: Path) -> None:
    """Hold the write lock until told to let go."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    say("held")
    sys.stdin.readline()
    connection.execute("ROLLBACK")
    connection.close()
    say("gone")


async def full(path: Path) -> None:
    """Find the disk full (a limit on the size of files), then not any more."""
    import resource  # there is none on Windows

    store = SqliteStore(path, BOT, lambda: NOON)
    intake = batch(1000, 1)
    await store.check()
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        await store.inbox.ingest(intake, intake.seen[-1])
    except StateUnwritable as error:
        say(type(error).__name__)
    unseen = await store.inbox.unseen(intake.seen)
    senders = (await store.access.read()).senders
    say(f"unseen: {unseen == set(intake.seen)}, senders: {len(senders)}, due: {len(await store.inbox.due())}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.inbox.ingest(intake, intake.seen[-1])
    say(f"after: {len(await store.inbox.due())}")
    await store.close()


async def readonly(path: Path) -> None:
    """Find the directory read-only: as somebody whom permissions bind."""
    os.chdir(path.parent)
    if os.geteuid() == 0:
        for one in (".", path.name, f"{path.name}.created"):
            os.chown(one, 65534, 65534)
        os.setgid(65534)
        os.setuid(65534)
    store = SqliteStore(Path(path.name), BOT, lambda: NOON)
    intake = batch(1000, 1)
    try:
        await store.inbox.ingest(intake, intake.seen[-1])
    except StateUnwritable as error:
        say(type(error).__name__)


async def lease(path: Path) -> None:
    """Say whether the lease could be had, and keep it until told to let go."""
    held = FileLease(path)
    say(str(held.acquire()))
    sys.stdin.readline()
    held.release()
    say("gone")
    sys.stdin.readline()


ROLES: dict[str, Callable[[Path], Coroutine[None, None, None]]] = {
    one.__name__: one
    for one in (
        store_and_die,
        ingest_for_ever,
        open_and_change,
        change_when_told,
        route_and_die,
        take_topic,
        hold,
        full,
        readonly,
        lease,
    )
}


class Child:
    """A child process and what it says."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def expect(self, line: str) -> None:
        """Read the next line, which must be this one."""
        said = self.read()
        assert said == line

    def read(self) -> str:
        """The next line, empty at the end."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, line: str) -> None:
        """Tell it to go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it without a warning."""
        self.process.kill()
        self.process.wait(timeout=20)


@contextmanager
def spawned(role: str, path: Path) -> Iterator[Child]:
    """A child in that role; it is gone when the block is left."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.storage.child", role, str(path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        # Nobody waits longer for a child that hangs: its pipe ends with it.
        watchdog = threading.Timer(LONGEST_LIFE_S, process.kill)
        watchdog.start()
        try:
            yield Child(process)
        finally:
            watchdog.cancel()
            process.kill()


def main(role: str, path: str) -> None:
    asyncio.run(ROLES[role](Path(path)))


if __name__ == "__main__":
    main(*sys.argv[1:])
