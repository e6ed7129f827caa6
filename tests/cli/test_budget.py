"""What a command may load, asserted on `sys.modules` of a process of its own, never on the clock."""

from tests.cli.conftest import Terminal

_LIBRARIES = {"mcp", "telegram", "httpx", "httpcore", "telegramify_markdown", "starlette", "uvicorn"}


def test_access_and_status_load_neither_the_protocol_nor_the_chat_library(terminal: Terminal) -> None:
    """MUST O1: access and status load neither mcp nor telegram nor an HTTP client."""
    modules = terminal.modules_after(
        ["access", "list"],
        ["access", "allow", "1001"],
        ["access", "invite"],
        ["access", "pair", "CCCC-CCCC"],
        ["access", "log", "--json"],
        ["status"],
        ["status", "--json"],
    )
    assert "telegram_channel" in modules
    assert not modules & _LIBRARIES


def test_help_loads_next_to_nothing(terminal: Terminal) -> None:
    modules = terminal.modules_after(["--help"], ["--version"], ["nonsense"], [])
    assert not modules & {"pydantic", "pydantic_settings", "argparse", "asyncio", "sqlite3", "platformdirs", "mcp"}


def test_the_help_of_a_command_loads_no_chat_library(terminal: Terminal) -> None:
    commands = ("access", "status", "configure", "doctor")
    assert not terminal.modules_after(*([command, "--help"] for command in commands)) & _LIBRARIES
