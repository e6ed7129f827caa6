"""The serve process as Claude Code starts and ends it: a real process, real pipes, real signals."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from telegram_channel import __version__
from tests.claude.client import DISCOVER, INITIALIZED, initialize, request, tool_call

LONG_ENOUGH_S = 10.0
REPOSITORY = Path(__file__).parents[2]
PRODUCTION = ("-m", "telegram_channel", "serve")
WITH_FAKE_APP = ("-c", "from telegram_channel.cli.serve import main; main([], 'tests.cli.fake_app')")
ENDINGS: dict[str, Callable[["Server"], None]] = {
    "end of input": lambda server: server.hang_up(),
    "SIGINT": lambda server: server.signal(signal.SIGINT),
    "SIGTERM": lambda server: server.signal(signal.SIGTERM),
    "SIGHUP": lambda server: server.signal(signal.SIGHUP),
}


class Server:
    """A serve process and the client's ends of its pipes."""

    def __init__(
        self, home: Path, behaviour: str | None, *options: str, reads: bool = True, **environment: str
    ) -> None:
        """Without a `behaviour` it is the production server, else one with the bridge of `fake_app`."""
        self.trace = home / "trace"
        self.state = home / "state"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TELEGRAM_", "CLAUDE"))}
        self.process = subprocess.Popen(
            [sys.executable, *options, *(PRODUCTION if behaviour is None else WITH_FAKE_APP)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=home,
            env={
                **inherited,
                "HOME": str(home),
                "PYTHONPATH": str(REPOSITORY),
                "TELEGRAM_STATE_DIR": str(self.state),
                "TELEGRAM_FAKE_APP": behaviour or "",
                "TELEGRAM_FAKE_TRACE": str(self.trace),
                **environment,
            },
        )
        self.stray: list[bytes] = []
        self.errors = b""
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._readers = [threading.Thread(target=self._read_errors, daemon=True)]
        if reads:
            self._readers.append(threading.Thread(target=self._read, daemon=True))
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                self.stray.append(line)
            else:
                self._messages.put(message)
        self._messages.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr
        self.errors = self.process.stderr.read()

    def send(self, *messages: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(b"".join(json.dumps(one).encode() + b"\n" for one in messages))
        self.process.stdin.flush()

    def receive(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while (message := self._messages.get(timeout=LONG_ENOUGH_S)) is not None:
            if wanted(message):
                return message
        raise AssertionError(f"the server is gone: {self.errors.decode()}")

    def answer(self, number: int | str) -> dict[str, Any]:
        return self.receive(lambda message: message.get("id") == number)

    def shake_hands(self) -> None:
        self.send(initialize(), INITIALIZED, request(2, "tools/list"))
        assert "result" in self.answer(2)

    def hang_up(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit status, once it is gone and everything it wrote was read."""
        status = self.process.wait(LONG_ENOUGH_S)
        for reader in self._readers:
            reader.join(LONG_ENOUGH_S)
        return status

    def close(self) -> None:
        self.process.kill()
        self.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    servers: list[Server] = []

    def start_one(behaviour: str | None = "ready", *options: str, **more: Any) -> Server:
        servers.append(Server(tmp_path, behaviour, *options, **more))
        return servers[-1]

    yield start_one
    for server in servers:
        server.close()


def test_a_session_from_the_handshake_to_the_end(start: Start) -> None:
    server = start(CLAUDE_CODE_SESSION_ID="session-7", CLAUDE_PROJECT_DIR="/somewhere/my-project")
    server.send(DISCOVER, initialize())
    assert server.answer("discover-1")["error"]["code"] == -32601
    result = server.answer(1)["result"]
    assert set(result["capabilities"]["experimental"]) == {"claude/channel", "claude/channel/permission"}
    assert result["serverInfo"] == {"name": "telegram", "version": __version__}
    assert result["instructions"] == (REPOSITORY / "src/telegram_channel/bridge/instructions.md").read_text("utf-8")
    server.send(INITIALIZED, request(2, "tools/list"), tool_call(3, "reply"))
    assert server.answer(2)["result"]["tools"][0]["name"] == "reply"
    assert server.answer(3)["result"]["content"][0]["text"] == "reply was called"
    params = {"request_id": "abcde", "tool_name": "Bash", "description": "d", "input_preview": "{}"}
    method = "notifications/claude/channel/permission_request"
    server.send({"jsonrpc": "2.0", "method": method, "params": params})
    verdict = server.receive(lambda one: one.get("method") == "notifications/claude/channel/permission")
    assert verdict["params"] == {"request_id": "abcde", "behavior": "allow"}
    server.hang_up()
    assert server.wait() == 0
    assert server.trace.read_text().splitlines() == [
        "running in my-project, channel: False, session: session-7",
        "left",
    ]
    assert (server.stray, server.errors) == ([], b"")


def test_nothing_but_the_protocol_is_ever_on_stdout(start: Start) -> None:
    """MUST C25: stdout carries the protocol and nothing else, whoever prints."""
    server = start("writes to stdout")
    server.shake_hands()
    server.receive(lambda one: one.get("params", {}).get("content") == "written")
    server.hang_up()
    server.wait()
    assert server.stray == []
    for words in (b"a print", b"a write to descriptor 1", b"a child"):
        assert words in server.errors


@pytest.mark.parametrize("opening", [[], [initialize()], [DISCOVER, initialize(), request(2, "ping")]])
def test_a_probe_leaves_no_trace(start: Start, opening: list[Any], tmp_path: Path) -> None:
    """MUST C26: a client that never completes the handshake leaves no trace on disk."""
    server = start(None, TELEGRAM_BOT_TOKEN="123456:a-token", TELEGRAM_POLL="always")
    server.send(*opening)
    for one in opening:
        server.answer(one["id"])
    server.hang_up()
    assert server.wait() == 0
    assert list(tmp_path.iterdir()) == []
    assert (server.stray, server.errors) == ([], b"")


def test_what_was_piped_in_is_answered_although_the_input_ended_at_once(start: Start) -> None:
    server = start()
    server.send(initialize(), INITIALIZED, request(2, "tools/list"))
    server.hang_up()
    assert "result" in server.answer(1)
    assert server.answer(2)["result"]["tools"]
    assert server.wait() == 0


def test_only_what_answers_the_handshake_is_loaded_before_it(start: Start) -> None:
    """MUST C27: before the reply to initialize neither the chat platform nor the store is loaded."""
    server = start(None, "-X", "importtime")
    server.send(initialize())
    server.answer(1)
    server.hang_up()
    server.wait()
    loaded = set(re.findall(r"\|\s+(\S+)$", server.errors.decode(), re.MULTILINE))
    assert "mcp.server.runner" in loaded
    # Each of these would show in the time of the first answer.
    late = {"telegram", "telegramify_markdown", "sqlite3", "psutil", "httpx", "pydantic_settings", "filelock"}
    left_out = {
        "starlette",
        "uvicorn",
        "httpx2",
        "jsonschema",
        "mcp.client",
        "mcp.server.mcpserver",
        "multiprocessing",
    }
    ours = {"telegram_channel.app", "telegram_channel.settings", "telegram_channel.ports", "telegram_channel.bridge"}
    assert not loaded & (late | left_out | ours)


def before_anything(server: Server) -> None:
    del server


def before_the_handshake_is_complete(server: Server) -> None:
    server.send(initialize())
    server.answer(1)


def while_nothing_happens(server: Server) -> None:
    server.shake_hands()
    server.send(tool_call(3, "reply"))
    server.answer(3)


def as_soon_as_possible_after_the_handshake(server: Server) -> None:
    server.shake_hands()


def while_the_loop_is_blocked(server: Server) -> None:
    server.shake_hands()
    server.receive(lambda one: one.get("params", {}).get("content") == "blocked from now on")


def while_a_tool_call_is_under_way(server: Server) -> None:
    server.shake_hands()
    server.send(tool_call(3, "reply"), request(4, "ping"))
    server.answer(4)


def while_calls_wait_for_the_bridge(server: Server) -> None:
    while_a_tool_call_is_under_way(server)


def while_the_client_does_not_read(server: Server) -> None:
    server.send(initialize(), INITIALIZED, request(2, "tools/list"))
    assert server.process.stdout
    # The pipe holds far less than what is emitted; one byte shows that it is being filled.
    while server.process.stdout.read(1) != b"x":
        pass


STATES: list[tuple[str, Callable[[Server], None]]] = [
    ("ready", before_anything),
    ("ready", before_the_handshake_is_complete),
    ("ready", while_nothing_happens),
    ("ready", as_soon_as_possible_after_the_handshake),
    ("hangs while it is loaded", as_soon_as_possible_after_the_handshake),
    ("never starts", while_calls_wait_for_the_bridge),
    ("ignores being stopped", while_nothing_happens),
    ("blocks the event loop", while_the_loop_is_blocked),
    ("never answers", while_a_tool_call_is_under_way),
    ("floods the client", while_the_client_does_not_read),
    ("raises", as_soon_as_possible_after_the_handshake),
]


@pytest.mark.parametrize(("behaviour", "reach"), STATES, ids=[f"{one}-{two.__name__}" for one, two in STATES])
@pytest.mark.parametrize("ending", ["end of input", "SIGTERM"])  # the other signals take the same way
def test_the_process_ends_when_it_is_told_to_in_every_state(
    start: Start, behaviour: str, reach: Callable[[Server], None], ending: str
) -> None:
    """MUST C28: the end of input and every signal end the process, in every state."""
    server = start(behaviour, reads=reach is not while_the_client_does_not_read)
    reach(server)
    ENDINGS[ending](server)
    # Killed by the signal itself where it came before the first line of ours.
    assert server.wait() in (0, -signal.SIGTERM)


@pytest.mark.parametrize("end", list(ENDINGS.values()), ids=list(ENDINGS))
def test_the_bridge_gets_the_time_to_let_go(start: Start, end: Callable[[Server], None]) -> None:
    """MUST C29: a bridge that is told to stop gets a moment to let go of what it holds."""
    server = start()
    while_nothing_happens(server)
    end(server)
    assert server.wait() == 0
    assert server.trace.read_text().splitlines()[-1] == "left"


def test_the_process_ends_when_the_client_closes_the_pipe_it_reads_from(start: Start) -> None:
    server = start("floods the client", reads=False)
    while_the_client_does_not_read(server)
    assert server.process.stdout
    server.process.stdout.close()
    assert server.wait() == 0


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [("has no token", "There is no bot token. Create a bot with @BotFather"), ("raises", "RuntimeError")],
)
def test_a_bridge_that_does_not_start_is_explained_by_every_tool(start: Start, behaviour: str, words: str) -> None:
    """MUST C30: without a token the server starts and its tools say what to do."""
    server = start(behaviour)
    server.shake_hands()
    server.send(tool_call(3, "reply"))
    answer = server.answer(3)["result"]
    assert answer["isError"]
    assert words in answer["content"][0]["text"]
    server.hang_up()
    assert server.wait() == 0
    assert b"a-secret-that" not in server.errors
    assert "a-secret-that" not in json.dumps(answer)


def test_arguments_are_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "telegram_channel", "serve", "--port", "1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=tmp_path,
        timeout=LONG_ENOUGH_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"usage" in done.stderr
