"""After the story: a person types as the phone, and a script answers where Claude would."""

import asyncio
import contextlib
import re
import sys
import threading
from collections.abc import AsyncIterator
from itertools import count

from telegram_channel.demo.botapi_world import StoredMessage
from telegram_channel.demo.session import ReceivedEvent, SessionEnded
from telegram_channel.demo.stage import Voice
from telegram_channel.demo.story import Cast, say

_HELP = (
    "You are the phone now. Write anything; “run <command>” makes the session ask for permission.\n"
    "Press a button with its number (1, 2, …); “yes <id>” and “no <id>” work, too. Ctrl-D ends it."
)
_RUN = re.compile(r"\s*(?:please\s+)?run\s+(.+)", re.IGNORECASE | re.DOTALL)
_FOR_EVER_S = 1e6
_ID_LETTERS = "abcdefghijkmnopqrstuvwxyz"
"""Request ids have no l (source: channel contract)."""


async def converse(cast: Cast) -> None:
    """Until the input ends."""
    cast.stage.heading("Your turn")
    cast.stage.say(Voice.NOTE, _HELP)
    playing = [
        asyncio.create_task(_answer_like_claude(cast)),
        asyncio.create_task(_show_what_the_bot_says(cast)),
    ]
    try:
        async for line in _typed():
            _do(cast, line.strip())
    finally:
        for task in playing:
            task.cancel()


def _do(cast: Cast, line: str) -> None:
    if not line:
        return
    if line.isdecimal() and (card := _newest_with_buttons(cast)):
        labels = [label for row in card.labels for label in row]
        if 1 <= int(line) <= len(labels):
            cast.stage.say(Voice.PHONE, f"presses [{labels[int(line) - 1]}]")
            cast.phone.press(labels[int(line) - 1], card)
            return
    say(cast, line)


def _newest_with_buttons(cast: Cast) -> StoredMessage | None:
    return next((one for one in reversed(cast.phone.inbox()) if one.buttons), None)


async def _typed() -> AsyncIterator[str]:
    """Lines from the terminal; a thread waits for them, the event loop does not."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        with contextlib.suppress(RuntimeError, OSError, ValueError):
            for line in iter(sys.stdin.readline, ""):
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, name="keyboard", daemon=True).start()
    while line := await lines.get():
        yield line


async def _answer_like_claude(cast: Cast) -> None:
    """What the script does with each event: honest that it is one."""
    asked = 0
    for number in count(len(cast.session.events())):
        event = await _event(cast, number)
        cast.stage.say(Voice.SESSION, f"receives: {event.content}")
        with contextlib.suppress(SessionEnded):
            if wanted := _RUN.fullmatch(event.content):
                asked += 1
                await _ask_first(cast, event, wanted[1].strip(), asked)
            else:
                await _reply(
                    cast, event, f"I am only a script, so I can just say that I got this:\n\n> {event.content}"
                )


async def _event(cast: Cast, number: int) -> ReceivedEvent:
    """The event with this number, counted from 0, once there is one."""
    await cast.session.until(lambda: len(cast.session.events()) > number, _FOR_EVER_S, "a message")
    return cast.session.events()[number]


async def _ask_first(cast: Cast, event: ReceivedEvent, command: str, number: int) -> None:
    request_id = "demo" + _ID_LETTERS[number % len(_ID_LETTERS)]
    cast.stage.say(Voice.SESSION, f"asks for permission: Bash, {command}")
    await cast.session.ask_permission(request_id, "Bash", "Run a command", {"command": command})
    verdict = await cast.session.verdict(request_id, 3600)
    cast.stage.say(Voice.SESSION, f"is told: {verdict}")
    said = f"I would have run `{command}` now." if verdict == "allow" else f"Then I will not run `{command}`."
    await _reply(cast, event, said)


async def _reply(cast: Cast, event: ReceivedEvent, text: str) -> None:
    answer = await cast.session.call("reply", chat_id=event.meta["chat_id"], text=text)
    if answer.is_error:
        cast.stage.say(Voice.SESSION, answer.text)


async def _show_what_the_bot_says(cast: Cast) -> None:
    shown = {(one.id, one.text) for one in cast.phone.inbox()}
    changed = asyncio.Event()
    cast.api.world.listeners.append(changed.set)
    while True:
        await changed.wait()
        changed.clear()
        for one in cast.phone.inbox():
            if (one.id, one.text) not in shown:
                shown.add((one.id, one.text))
                labels = [label for row in one.labels for label in row]
                buttons = "\n" + "  ".join(f"{number}: [{label}]" for number, label in enumerate(labels, 1))
                cast.stage.say(Voice.BOT, one.text + (buttons if labels else ""))
