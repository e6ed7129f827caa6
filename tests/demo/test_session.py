"""The scripted session calls hooks as the client does: a real `serve` process with a bridge that only pretends."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from telegram_channel.demo.session import ScriptedSession, SessionEnded, hook_calls
from tests.waiting import until

ROOT = Path(__file__).parents[2]
WITH_FAKE_APP = (sys.executable, "-c", "from telegram_channel.cli.serve import main; main([], 'tests.cli.fake_app')")


@asynccontextmanager
async def session(directory: Path) -> AsyncIterator[ScriptedSession]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TELEGRAM_", "CLAUDE"))}
    env = {
        **inherited,
        "TELEGRAM_STATE_DIR": str(directory / "state"),
        "TELEGRAM_FAKE_TRACE": str(directory / "trace"),
    }
    async with await ScriptedSession.connected(env, WITH_FAKE_APP, ROOT) as connected:
        yield connected


def told(directory: Path) -> list[str]:
    trace = directory / "trace"
    return trace.read_text().splitlines() if trace.exists() else []


async def test_hooks_are_answered_by_a_real_server(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        assert await client.hook("UserPromptSubmit", prompt="hello") is None
        assert await client.hook("PreToolUse", tool_name="Bash", tool_input={"command": "ls"}) is None
        refused = await client.hook("PreToolUse", tool_name="Bash", tool_input={"command": "forbidden"})
        assert refused is not None
        assert refused["hookSpecificOutput"]["permissionDecision"] == "deny"
        assert (refused["continue"], refused["stopReason"]) == (False, "Not this.")
        assert "session_hook" not in [tool["name"] for tool in await client.tools()]


async def test_a_hook_can_be_begun_and_withdrawn(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        number = await client.begin_hook("PermissionRequest", tool_name="Bash", tool_input={})
        await until(lambda: "asked for Bash" in told(tmp_path))
        assert not client.answered(number)
        await client.cancel(number)
        await until(lambda: "let go of Bash" in told(tmp_path))
        assert await client.hook("Stop") is None
        assert not client.answered(number)


async def test_an_event_without_a_hook_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        with pytest.raises(SessionEnded, match="SessionStart"):
            await client.begin_hook("SessionStart")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, ""),
        (False, "false"),
        (7, "7"),
        ({"a": [1, "ü"]}, '{"a":[1,"ü"]}'),
        ([], "[]"),
    ],
)
def test_every_value_of_a_hook_arrives_as_a_string(value: object, text: str) -> None:
    ((_, arguments),) = hook_calls("Notification", {"message": value, "notification_type": "x"})
    assert arguments == {"event": "Notification", "message": text, "notification_type": "x"}


def test_what_a_hook_does_not_have_is_an_empty_string() -> None:
    ((_, arguments),) = hook_calls("Stop", {"something": "else"})
    assert arguments.pop("event") == "Stop"
    assert "last_assistant_message" in arguments
    assert set(arguments.values()) == {""}


async def test_a_withdrawn_hook_of_a_session_that_ends_holds_up_nothing(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        await client.begin_hook("PermissionRequest", tool_name="Write", tool_input={})
        await until(lambda: "asked for Write" in told(tmp_path))
        async with asyncio.timeout(5):
            assert await client.end_input() == 0
