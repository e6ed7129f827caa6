"""`demo`: the whole bridge on this machine, with a fake Telegram: first it plays by itself, then you type."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from telegram_channel.demo.conversation import converse
from telegram_channel.demo.session import SessionEnded
from telegram_channel.demo.stage import Stage, Voice
from telegram_channel.demo.story import StepFailed, assembled, play


def main(argv: Sequence[str]) -> int:
    """Play the story; exit 0 only if every step really happened."""
    parser = argparse.ArgumentParser(
        prog="telegram-channel demo",
        description="A fake Telegram, the real server, a scripted session. No account, no token, no internet.",
        epilog="In a terminal you can type as the phone afterwards. Exit code 0: every step really happened.",
    )
    parser.add_argument("--script", action="store_true", help="play the story only")
    chosen = parser.parse_args(argv)
    interactive = not chosen.script and sys.stdin.isatty() and sys.stdout.isatty()
    try:
        return asyncio.run(_demo(Stage(sys.stdout), interactive=interactive))
    except KeyboardInterrupt:
        return 0 if interactive else 130


async def _demo(stage: Stage, *, interactive: bool) -> int:
    started_s = time.monotonic()
    try:
        async with assembled(stage) as cast:
            await play(cast)
            stage.verdict(f"Every step really happened, in {time.monotonic() - started_s:.1f} s.", good=True)
            if cast.api.complaints or cast.session.stray:
                stage.verdict(f"But not cleanly: {cast.api.complaints} {cast.session.stray}", good=False)
                return 1
            if interactive:
                await converse(cast)
            stage.say(Voice.NOTE, "The server is told to leave.")
    except (StepFailed, SessionEnded, TimeoutError) as error:
        stage.verdict(str(error) or "A step took too long.", good=False)
        return 1
    return 0
