"""The parts of one process let go of what they hold, whatever goes wrong on the way out."""

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.turns import Turns
from telegram_channel.claude.launch import Launch
from telegram_channel.clock import SystemClock
from telegram_channel.core.guard import Guard
from telegram_channel.core.ids import SessionId
from telegram_channel.settings import Settings, Token
from telegram_channel.wiring import opened
from tests.session import RecordingSession
from tests.waiting import until

TOKEN = Token("42:abcdefgh")
SESSION = SessionId("shop")


def names_of_threads() -> set[str]:
    return {one.name for one in threading.enumerate()}


async def test_a_state_that_breaks_while_it_is_used_leaves_no_thread_behind(tmp_path: Path) -> None:
    """MUST O25: a process that cannot say that it leaves lets go of its store all the same."""
    clock, session = SystemClock(), RecordingSession(SESSION)
    activity = Activity(clock)
    turns = Turns(clock, SESSION, activity, Guard(str(tmp_path), str(tmp_path), str(tmp_path)))
    launch = Launch(SESSION, "shop", False, os.getpid(), datetime.now(UTC))
    settings = Settings(profile="default", state_dir=tmp_path / "state", poll="never")
    before = names_of_threads()
    async with opened(session, launch, clock, settings, TOKEN, activity, turns) as flows:
        await flows.store.sessions.list()
        assert names_of_threads() > before
        other = tmp_path / "other"
        other.write_bytes(b"nothing of ours, however it is looked at" * 400)
        other.replace(settings.database)
    await until(lambda: not any("state.db" in one for one in names_of_threads() - before))
