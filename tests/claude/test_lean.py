"""The lean way to load the SDK: what it leaves out, that nobody notices, and that a plain way remains.

When one of these fails after an update of `mcp`, look at `BARE_PACKAGES` and `STAND_INS` in `claude/lean.py`.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from telegram_channel.claude.lean import lean_sdk
from tests.claude.client import DISCOVER, INITIALIZED, RecordingListener, connected, initialize, request, tool_call

LONG_ENOUGH_S = 20.0
OPENING = [
    DISCOVER,
    initialize(),
    INITIALIZED,
    request(2, "tools/list"),
    tool_call(3, "reply", text="hi"),
    request(4, "tools/call"),
    request(5, "of/tomorrow"),
]
# Serves OPENING in a process of its own and prints every answer, and then the names of all modules.
SCRIPT = """
import asyncio, json, os, sys
from functools import partial
from telegram_channel.claude.lean import lean_sdk
from telegram_channel.cli.serve import load_server
lean = lean_sdk
PREPARE
server = load_server(lean)
loaded = sorted(sys.modules)
from tests.claude.client import Client, LineReader, LineWriter, RecordingListener
async def main():
    client = Client(RecordingListener())
    serving = asyncio.create_task(server.serve(
        LineReader(client.to_server_read), LineWriter(client.from_server_write), client.attach,
        session="s", version="1.2.3", instructions="Answer with the reply tool.", stop=client.stop))
    await client.send(*json.loads(sys.argv[1]))
    answers = [await client.answer(one) for one in ("discover-1", 1, 2, 3, 4, 5)]
    client.stop.set()
    await serving
    print(json.dumps({"answers": answers, "loaded": loaded}))
    sys.stdout.flush()
    os._exit(0)
asyncio.run(main())
"""


def served(prepare: str = "") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.replace("PREPARE", prepare), json.dumps(OPENING)],
        capture_output=True,
        text=True,
        timeout=LONG_ENOUGH_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return {**result, "errors": done.stderr}


@pytest.fixture(scope="module")
def lean() -> dict[str, Any]:
    return served()


async def test_a_client_sees_no_difference(lean: dict[str, Any]) -> None:
    """MUST C3: the lean way to load the SDK answers like the plain one."""
    async with connected(RecordingListener()) as client:  # here all of the SDK is loaded
        await client.send(*OPENING)
        plain = [await client.answer(one) for one in ("discover-1", 1, 2, 3, 4, 5)]
    assert lean["answers"] == plain


def test_it_is_the_way_that_is_taken_and_it_leaves_most_out(lean: dict[str, Any]) -> None:
    assert "Starting slowly" not in lean["errors"]
    loaded = set(lean["loaded"])
    assert "mcp.server.runner" in loaded
    for left_out in ("starlette", "uvicorn", "httpx2", "jsonschema", "mcp.client", "mcp.server.mcpserver", "jwt"):
        assert not [name for name in loaded if name == left_out or name.startswith(f"{left_out}.")]


def test_what_only_hooks_and_permissions_need_is_left_for_after_the_handshake(lean: dict[str, Any]) -> None:
    of_ours = {name for name in lean["loaded"] if name.startswith("telegram_channel.")}
    assert "telegram_channel.claude.server" in of_ours
    assert not of_ours & {f"telegram_channel.{name}" for name in ("claude.hooks", "core.hooks", "core.permission")}


def test_stand_ins_and_settings_are_gone_afterwards() -> None:
    found = served(
        "import pydantic; before = pydantic.BaseModel.model_config\n"
        "import telegram_channel.cli.serve as s; server = s.load_server()\n"
        "assert pydantic.BaseModel.model_config == before == {}\n"
        "assert not [name for name in sys.modules if name.startswith('starlette')]\n"
        "import starlette.routing; assert starlette.routing.Route.__module__ == 'starlette.routing'\n"
        "load_server = lambda _: server"
    )
    assert found["answers"]


@pytest.mark.parametrize(
    "prepare",
    [
        "import starlette",
        "lean = partial(lean_sdk, version='2.2.9')",
        "lean = partial(lean_sdk, stand_ins=('starlette', 'starlette.applications'))",
        "lean = partial(lean_sdk, bare_packages=('mcp', 'mcp.server', 'mcp.of.tomorrow'))",
    ],
    ids=["loaded before", "another version", "a part is not left out", "another layout"],
)
def test_where_the_lean_way_is_barred_the_plain_one_is_taken(prepare: str, lean: dict[str, Any]) -> None:
    """MUST C4: an SDK of another version or layout is loaded plainly, and serves."""
    plain = served(prepare)
    assert "Starting slowly" in plain["errors"]
    assert "mcp.client" in plain["loaded"]
    assert plain["answers"] == lean["answers"]


def test_it_refuses_where_the_sdk_is_loaded_already() -> None:
    import mcp  # noqa: F401 - loading it is the point

    with pytest.raises(ImportError, match="already"), lean_sdk():
        raise AssertionError("nothing may be imported now")
    assert "starlette" in sys.modules
    assert sys.modules["mcp"].__file__
