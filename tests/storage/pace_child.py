"""Another process that sends: `python -m tests.storage.pace_child <file> <messages>` prints when each left."""

import asyncio
import sys
import time
from pathlib import Path

from telegram_channel.core.ids import ChatId
from telegram_channel.core.pacing import AskAgain, Go, Passage, Paused, Rate
from telegram_channel.storage import utc_now
from telegram_channel.storage.sqlite_pace import SqlitePace

RATE = Rate(most=5, within_s=0.5)
PASSAGE = Passage(ChatId("1"), "MESSAGE", RATE, RATE)


async def send(path: Path, messages: int) -> None:
    """Take so many slots, each as soon as it may, and say when."""
    pace = SqlitePace(path, utc_now, busy_timeout_s=5)
    for _ in range(messages):
        while (answer := await pace.ask(PASSAGE)) != Go():
            match answer:
                case AskAgain(seconds) | Paused(seconds):
                    await asyncio.sleep(seconds)
        sys.stdout.write(f"{time.time()}\n")
    await pace.close()


if __name__ == "__main__":
    asyncio.run(send(Path(sys.argv[1]), int(sys.argv[2])))
