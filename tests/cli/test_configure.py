"""`telegram-channel configure`: the token is seen by nobody, checked, and kept for its owner only."""

import asyncio
import os
import select
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from telegram_channel.cli.asking import ask_identity
from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_faults import Faults, Trouble
from telegram_channel.demo.http import Emulator
from telegram_channel.errors import Ambiguous
from telegram_channel.settings import Settings, Token
from tests.cli.conftest import Ran, Terminal

TOKEN = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
OTHER = "123456:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
NOWHERE = "http://127.0.0.1:9"
"""The discard port: nobody answers there."""


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    api = BotApi()
    api.add_bot(TOKEN, "Ann's bot", "anns_bot")
    async with Emulator(api, faults=Faults()) as running:
        yield running


async def configure(terminal: Terminal, *arguments: str, stdin: str = "", base: str = NOWHERE) -> Ran:
    return await asyncio.to_thread(terminal.run, "configure", *arguments, stdin=stdin, TELEGRAM_API_BASE=base)


def kept(terminal: Terminal) -> str | None:
    with suppress(FileNotFoundError):
        return (terminal.state_dir / "token").read_text("utf-8")
    return None


async def test_a_right_token_is_checked_and_kept_for_its_owner_only(terminal: Terminal, emulator: Emulator) -> None:
    """MUST O2: the token is stored 0600 in a directory of 0700, after getMe, and never printed."""
    ran = await configure(terminal, "--stdin", stdin=f"  {TOKEN}\n", base=emulator.base_url)
    assert (ran.code, ran.err) == (0, "")
    assert "@anns_bot" in ran.out
    assert "claude --channels plugin:telegram@telegram-channel" in ran.out
    assert "/telegram:access pair CODE" in ran.out
    assert TOKEN not in ran.out
    assert kept(terminal) == f"{TOKEN}\n"
    assert (terminal.state_dir / "token").stat().st_mode & 0o777 == 0o600
    assert terminal.state_dir.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in terminal.state_dir.iterdir()] == ["token"]


async def test_a_wrong_token_is_said_and_not_kept(terminal: Terminal, emulator: Emulator) -> None:
    """MUST O3: a token that Telegram does not know is not stored, and an earlier one stays."""
    await configure(terminal, "--stdin", stdin=TOKEN, base=emulator.base_url)
    ran = await configure(terminal, "--stdin", stdin=OTHER, base=emulator.base_url)
    assert (ran.code, ran.out) == (1, "")
    assert "does not accept this token" in ran.err
    assert OTHER not in ran.err
    assert kept(terminal) == f"{TOKEN}\n"


@pytest.mark.parametrize("typed", ["", f"{TOKEN}\n{OTHER}\n"])
async def test_what_is_no_token_is_not_kept(terminal: Terminal, typed: str) -> None:
    ran = await configure(terminal, "--stdin", "--no-check", stdin=typed)
    assert (ran.code, ran.out) == (1, "")
    assert "not a bot token" in ran.err
    assert kept(terminal) is None


async def test_without_a_network_nothing_is_kept_unless_asked_for(terminal: Terminal) -> None:
    ran = await configure(terminal, "--stdin", stdin=TOKEN)
    assert (ran.code, kept(terminal)) == (1, None)
    assert "--no-check" in ran.err
    unchecked = await configure(terminal, "--stdin", "--no-check", stdin=TOKEN)
    assert (unchecked.code, kept(terminal)) == (0, f"{TOKEN}\n")
    assert "not checked" in unchecked.out
    assert TOKEN not in ran.out + ran.err + unchecked.out + unchecked.err


@pytest.mark.parametrize("trouble", [Trouble.BAD_GATEWAY, Trouble.DROP])
async def test_a_server_in_trouble_is_not_a_wrong_token(
    terminal: Terminal, emulator: Emulator, trouble: Trouble
) -> None:
    emulator.faults.add(trouble, "getMe")
    ran = await configure(terminal, "--stdin", stdin=TOKEN, base=emulator.base_url)
    assert (ran.code, kept(terminal)) == (1, None)
    assert "could not be checked" in ran.err
    assert TOKEN not in ran.err
    assert "Traceback" not in ran.err


async def test_a_server_that_does_not_answer_is_given_up(emulator: Emulator) -> None:
    emulator.faults.add(Trouble.HANG, "getMe")
    settings = Settings(api_base=emulator.base_url)
    with pytest.raises(Ambiguous, match="did not answer in time"):
        await ask_identity(settings, Token(TOKEN), patience_s=0.1)


@pytest.mark.parametrize("arguments", [[TOKEN], [f"--token={TOKEN}"], ["--stdin", TOKEN], ["--token", TOKEN]])
async def test_a_token_as_an_argument_is_refused_and_not_repeated(terminal: Terminal, arguments: list[str]) -> None:
    """MUST O4: the token is never an argument."""
    ran = await configure(terminal, *arguments)
    assert (ran.code, ran.out, kept(terminal)) == (2, "", None)
    assert "revoke" in ran.err
    assert TOKEN.partition(":")[2] not in ran.err


async def test_any_other_argument_is_refused_without_being_repeated(terminal: Terminal) -> None:
    ran = await configure(terminal, "123456-half-a-token")
    assert (ran.code, "half-a-token" in ran.err) == (2, False)


async def test_without_a_terminal_it_says_how_to_hand_the_token_over(terminal: Terminal) -> None:
    ran = await configure(terminal, stdin=TOKEN)
    assert (ran.code, kept(terminal)) == (1, None)
    assert "--stdin" in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_the_prompt_hides_what_is_typed(terminal: Terminal) -> None:
    """MUST O5: what is typed at the prompt is not shown."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "telegram_channel", "configure", "--no-check"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,  # so that it asks on this terminal and not on the one the tests run in
        env=terminal.environment,
    )
    os.close(theirs)
    shown = _read_until(ours, b"paste): ")
    os.write(ours, f"{TOKEN}\n".encode())
    shown += _read_until(ours, b"pair CODE")
    assert process.wait(60) == 0
    os.close(ours)
    assert TOKEN.encode() not in shown
    assert kept(terminal) == f"{TOKEN}\n"


def _read_until(terminal: int, end: bytes) -> bytes:
    shown = b""
    while end not in shown:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, shown
        shown += os.read(terminal, 1024)
    return shown


async def test_a_damaged_token_file_is_replaced(terminal: Terminal) -> None:
    terminal.state_dir.mkdir()
    (terminal.state_dir / "token").write_bytes(b"\xff\xfe\x00")
    ran = await configure(terminal, "--stdin", "--no-check", stdin=TOKEN)
    assert (ran.code, kept(terminal)) == (0, f"{TOKEN}\n")


async def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "token").mkdir()
    ran = await configure(terminal, "--stdin", "--no-check", stdin=TOKEN)
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["token"]


async def test_a_token_in_the_environment_is_said_to_come_first(terminal: Terminal) -> None:
    ran = await asyncio.to_thread(
        terminal.run, "configure", "--stdin", "--no-check", stdin=TOKEN, TELEGRAM_BOT_TOKEN=OTHER
    )
    assert "TELEGRAM_BOT_TOKEN is set" in ran.out
    assert OTHER not in ran.out
