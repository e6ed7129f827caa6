"""What is needed before the chat library is loaded can be had without it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["translate", "render", "markdown", "limits", "outbox", "ids", "poller"])
def test_reading_and_rendering_do_not_load_the_chat_library(module: str) -> None:
    """MUST H2: only what talks to Telegram loads the library for it."""
    code = f"import sys, telegram_channel.tg.{module}; sys.exit(any(m in sys.modules for m in ('telegram', 'httpx')))"
    finished = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert finished.returncode == 0


def test_loading_the_client_touches_no_network_and_starts_no_loop() -> None:
    code = (
        "import sys, socket; socket.socket.connect = None\n"
        "from telegram_channel.tg.client import TelegramChat\n"
        "from telegram_channel.clock import SystemClock\n"
        "TelegramChat('1:abcd', SystemClock())\n"
        "sys.exit('telegram.ext' in sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert finished.returncode == 0
