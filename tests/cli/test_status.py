"""`telegram-channel status` tells what is true: from the lease and completed polls, in every condition."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from telegram_channel.cli.status import STOPPED, Signs, state_of, write_fault
from telegram_channel.core.access import Role, Sender, with_sender
from telegram_channel.core.health import BridgeState, HealthReport
from telegram_channel.core.ids import BotId, EntryId, SenderId, SessionId, UpdateId
from telegram_channel.core.inbox import DeliveryState, Intake, Move, QuarantinedUpdate
from telegram_channel.ports import SessionRecord, Store
from telegram_channel.storage import open_store
from telegram_channel.storage.lease import FileLease
from tests.cli.conftest import Ran, Terminal
from tests.values import NOON, entry, message

BOT = BotId("123456")
TOKEN = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


async def status(terminal: Terminal, *arguments: str, token: str = TOKEN) -> Ran:
    return await asyncio.to_thread(terminal.run, "status", *arguments, TELEGRAM_BOT_TOKEN=token)


@asynccontextmanager
async def server(terminal: Terminal) -> AsyncIterator[Store]:
    """The store of a process that runs: this one."""
    store = await open_store(terminal.state_dir / "state.db", BOT)
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def lease(terminal: Terminal) -> Iterator[None]:
    """The right to poll, held by this process."""
    held = FileLease(terminal.state_dir / f"poll-{BOT}.lock")
    assert held.acquire()
    try:
        yield
    finally:
        held.release()


def report(state: BridgeState = BridgeState.POLLING, pid: int = 0, **more: Any) -> HealthReport:
    now = datetime.now(UTC)
    made = {"bot_username": "some_bot", "last_poll_ok_at": now - timedelta(seconds=3), **more}
    return HealthReport(state, pid or os.getpid(), now, **made)


def session(name: str = "project", pid: int = 0, *, is_channel: bool = True) -> SessionRecord:
    now = datetime.now(UTC)
    return SessionRecord(SessionId(f"s-{name}"), pid or os.getpid(), now, now, name, is_channel)


def dead_process() -> int:
    """The id of a process that is gone."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return gone.pid


@pytest.mark.parametrize(
    ("leased", "said", "lives", "sessions", "expected"),
    [
        (False, None, False, 0, STOPPED),
        (False, BridgeState.POLLING, False, 0, STOPPED),
        (False, BridgeState.POLLING, True, 1, "standby"),
        (False, None, False, 1, "standby"),
        (False, BridgeState.BAD_TOKEN, True, 1, "bad_token"),
        (False, BridgeState.BAD_TOKEN, False, 1, "standby"),
        (False, BridgeState.BAD_TOKEN, False, 0, STOPPED),
        (False, BridgeState.STATE_BROKEN, True, 1, "state_broken"),
        (True, None, False, 1, "starting"),
        (True, BridgeState.POLLING, False, 1, "starting"),
        (True, BridgeState.POLLING, True, 1, "polling"),
        (True, BridgeState.CONFLICT, True, 1, "conflict"),
        (True, BridgeState.RETRYING, True, 1, "retrying"),
        (True, BridgeState.SESSION_SILENT, True, 1, "session_silent"),
    ],
)
def test_a_report_counts_only_while_somebody_stands_behind_it(
    leased: bool, said: BridgeState | None, lives: bool, sessions: int, expected: str
) -> None:
    """MUST O11: status never says "polling" unless a living process holds the lease."""
    said_by = HealthReport(said, 1, NOON) if said else None
    assert state_of(Signs(leased, said_by, lives, sessions)) == expected


async def test_nothing_was_ever_set_up_and_looking_sets_nothing_up(terminal: Terminal) -> None:
    ran = await status(terminal, "--json", token="")
    assert ran.code == 0
    found = ran.json
    assert (found["state"], found["poller"], found["queued"], found["last_poll_ok_s"]) == (
        "unconfigured",
        None,
        0,
        None,
    )
    assert "telegram-channel configure" in found["problem"]
    assert not terminal.state_dir.exists()


async def test_a_token_and_no_server_is_stopped(terminal: Terminal) -> None:
    found = (await status(terminal, "--json")).json
    assert (found["state"], found["bot"], found["poller"], found["people"]) == (STOPPED, BOT, None, 0)
    assert not terminal.state_dir.exists()


async def test_a_polling_server_is_named_with_its_last_completed_poll(terminal: Terminal) -> None:
    """MUST O12: status names the process that polls, the queue, and the seconds since the last completed poll."""
    async with server(terminal) as store:
        await store.health.publish(report())
        await store.sessions.register(session())
        with lease(terminal):
            found = (await status(terminal, "--json")).json
    assert (found["state"], found["poller"], found["username"]) == ("polling", os.getpid(), "some_bot")
    assert found["last_poll_ok_s"] >= 3
    assert [(one["name"], one["pid"], one["channel"], one["polls"]) for one in found["sessions"]] == [
        ("project", os.getpid(), True, True)
    ]
    assert found["problem"] == ""


async def test_what_waits_and_who_is_in_is_counted(terminal: Terminal) -> None:
    async with server(terminal) as store:
        odd = QuarantinedUpdate(UpdateId(9), "no chat", NOON, "{}")
        await store.inbox.ingest(
            Intake((entry(message("one", 1)), entry(message("two", 2), 2), entry(message("three", 3), 3)), (odd,)),
            None,
        )
        first = (await store.inbox.due())[0].entry
        await store.inbox.advance([Move((EntryId(first),), (DeliveryState.STORED,), DeliveryState.EMITTED)])
        owner = Sender(SenderId("1001"), Role.OWNER, "Ann", NOON, "pair")
        await store.access.transact(lambda state: (with_sender(state, owner), None, ()))
        found = (await status(terminal, "--json")).json
    counted = {key: found[key] for key in ("queued", "unproven", "quarantined", "people", "pending", "policy")}
    assert counted == {
        "queued": 2,
        "unproven": 1,
        "quarantined": 1,
        "people": 1,
        "pending": 0,
        "policy": "allowlist",
    }


async def test_the_word_of_a_dead_process_counts_for_nothing(terminal: Terminal) -> None:
    """MUST O13: after a kill -9 status names no poller."""
    gone = dead_process()
    async with server(terminal) as store:
        await store.health.publish(report(pid=gone, problem="something"))
        await store.sessions.register(session("dead", gone))
        found = (await status(terminal, "--json")).json
    assert (found["state"], found["poller"], found["sessions"], found["problem"]) == (STOPPED, None, [], "")


async def test_while_somebody_else_takes_over_no_process_is_named(terminal: Terminal) -> None:
    async with server(terminal) as store:
        await store.health.publish(report(pid=dead_process()))
        await store.sessions.register(session())
        with lease(terminal):
            found = (await status(terminal, "--json")).json
    assert (found["state"], found["poller"]) == ("starting", None)


async def test_a_session_that_began_before_the_clock_was_set_forward_is_listed(terminal: Terminal) -> None:
    """MUST O20: a clock that is set makes no living session a dead one."""
    async with server(terminal) as store:
        told = session()
        await store.sessions.register(replace(told, started_at=told.started_at - timedelta(days=2)))
        found = (await status(terminal, "--json")).json
    assert [one["pid"] for one in found["sessions"]] == [os.getpid()]


async def test_sessions_without_the_channel_are_told_how_to_start(terminal: Terminal) -> None:
    async with server(terminal) as store:
        await store.sessions.register(session(is_channel=False))
        found = (await status(terminal, "--json")).json
    assert (found["state"], found["poller"]) == ("standby", None)
    assert "claude --channels plugin:telegram@telegram-channel" in found["problem"]


async def test_the_problem_of_a_living_server_is_passed_on(terminal: Terminal) -> None:
    async with server(terminal) as store:
        await store.health.publish(report(BridgeState.CONFLICT, problem="Another program polls."))
        with lease(terminal):
            ran = await status(terminal)
    assert ran.code == 0
    assert "conflict: Another program polls the same bot" in ran.out
    assert "Another program polls." in ran.out


async def test_a_broken_store_is_a_state_with_a_remedy_and_still_json(terminal: Terminal) -> None:
    """MUST O14: status works with broken state and says what to do."""
    async with server(terminal) as store:
        await store.health.publish(report())
    (terminal.state_dir / "state.db").write_bytes(b"no database" * 1000)
    as_json, in_words = await status(terminal, "--json"), await status(terminal)
    assert as_json.code == in_words.code == 1
    assert (as_json.json["state"], as_json.json["poller"], as_json.json["people"]) == ("state_broken", None, None)
    assert "Nobody is admitted" in as_json.json["problem"]
    assert "state_broken: " in in_words.out


async def test_broken_settings_are_a_problem_that_names_the_file_and_not_the_token(terminal: Terminal) -> None:
    terminal.state_dir.mkdir()
    (terminal.state_dir / "settings.toml").write_text(f'bot_token = "{TOKEN}"')
    ran = await status(terminal, "--json", token="")
    assert (ran.code, ran.json["unreadable"]) == (1, True)
    assert "settings.toml" in ran.json["problem"]
    assert TOKEN not in ran.out + ran.err


async def test_a_mistyped_token_is_a_problem_and_is_not_shown(terminal: Terminal) -> None:
    ran = await status(terminal, "--json", token="hello-secret")
    assert (ran.code, ran.json["state"]) == (0, "unconfigured")
    assert "not a bot token" in ran.json["problem"]
    assert "hello-secret" not in ran.out + ran.err


async def test_words_for_people_stay_on_their_lines(terminal: Terminal) -> None:
    async with server(terminal) as store:
        await store.health.publish(report(BridgeState.RETRYING, problem="line\nstate: polling\x1b[2J"))
        await store.sessions.register(session("evil\x1b[31m\nstate: polling"))
        with lease(terminal):
            out = (await status(terminal)).out
    assert all(char.isprintable() or char == "\n" for char in out)
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "profile",
        "state",
        "bot",
        "polls",
        "last poll",
        "access",
        "messages",
        "session",
        "kept in",
        "version",
        "problem",
    ]


@pytest.mark.parametrize("state", [BridgeState.STARTING, BridgeState.POLLING, BridgeState.CONFLICT])
def test_a_process_that_cannot_store_is_not_believed_that_all_is_well(state: BridgeState) -> None:
    """MUST O15: status says what keeps a process that polls from storing anything."""
    said = state_of(Signs(True, report(state), True, 1, held_up="The disk is full."))
    assert said == ("conflict" if state is BridgeState.CONFLICT else "retrying")
    assert state_of(Signs(False, report(state), True, 0, held_up="The disk is full.")) == STOPPED


def test_whether_something_can_be_stored_is_tried_without_a_trace(tmp_path: Path) -> None:
    assert write_fault(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    assert "cannot be written" in write_fault(tmp_path / "missing")


async def test_a_poll_that_never_completes_is_told(terminal: Terminal) -> None:
    """MUST O15: status says what keeps a process that polls from storing anything."""
    async with server(terminal) as store:
        await store.health.publish(report(last_poll_ok_at=datetime.now(UTC) - timedelta(hours=1)))
        with lease(terminal):
            found = (await status(terminal, "--json")).json
    assert found["state"] == "retrying"
    assert "No poll has completed for 36" in found["problem"]
