"""The main job, played once: a stranger is let in, talks to the session, and approves a command.

Every step waits for what it claims, on the far side: the phone must show it, or the session must receive it.
The server is the production one, in a process of its own; only Telegram and Claude are played.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_world import StoredMessage
from telegram_channel.demo.http import DEMO_TOKEN, Emulator
from telegram_channel.demo.phone import Phone
from telegram_channel.demo.session import ScriptedSession, SessionEnded
from telegram_channel.demo.stage import Stage, Voice

T = TypeVar("T")

PATIENCE_S = 10.0
"""How long a step may take before it counts as not having happened."""
_CODE = re.compile(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b")


class StepFailed(Exception):
    """Something the story claims did not happen."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody on the stage."""

    stage: Stage
    api: BotApi
    phone: Phone
    session: ScriptedSession
    env: Mapping[str, str]


@asynccontextmanager
async def assembled(stage: Stage) -> AsyncIterator[Cast]:
    """A fake Telegram, a phone, and the production server with a scripted session; all gone at the end."""
    api = BotApi()
    bot = api.add_bot(DEMO_TOKEN, "Claude", "demo_claude_bot")
    phone = Phone(api, api.add_person("Ada", username="ada"), bot, time.time)
    with tempfile.TemporaryDirectory(prefix="telegram-channel-demo-") as directory:
        async with Emulator(api) as emulator:
            env = {
                **{key: value for key, value in os.environ.items() if not key.startswith(("TELEGRAM_", "CLAUDE"))},
                "TELEGRAM_BOT_TOKEN": DEMO_TOKEN,
                "TELEGRAM_API_BASE": emulator.base_url,
                "TELEGRAM_STATE_DIR": str(Path(directory, "state")),
                "TELEGRAM_POLL": "always",
                "TELEGRAM_PROFILE": "default",
                "CLAUDE_PROJECT_DIR": str(Path(directory, "my-project")),
            }
            stage.say(Voice.NOTE, f"A fake Telegram listens on {emulator.base_url}; the real server is starting.")
            async with await ScriptedSession.connected(env) as session:
                yield Cast(stage, api, phone, session, env)


async def play(cast: Cast) -> None:
    """The whole story.

    Raises:
        StepFailed: a step did not happen.
    """
    cast.stage.heading("A stranger writes")
    code = await _stranger_gets_a_code(cast)
    cast.stage.heading("The operator lets them in")
    await _operator_pairs(cast, code)
    cast.stage.heading("A message reaches the session, and an answer the phone")
    chat = await _message_and_answer(cast)
    cast.stage.heading("Claude wants to run something")
    await _permission(cast)
    await reply(cast, chat, "**12 passed** in 0.4 s.\n\n```console\n$ pytest -q\n12 passed\n```", "12 passed")


async def _stranger_gets_a_code(cast: Cast) -> str:
    say(cast, "Hello! Is anybody there?")
    asked = await phone_shows(cast, lambda one: _CODE.search(one.text) is not None, "a pairing code")
    match = _CODE.search(asked.text)
    if cast.session.events() or match is None:
        raise StepFailed("A stranger's message reached the session.")
    return match[0]


async def _operator_pairs(cast: Cast, code: str) -> None:
    cast.stage.say(Voice.OPERATOR, f"$ telegram-channel access pair {code}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telegram_channel", "access", "pair", code),
        env=dict(cast.env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    cast.stage.say(Voice.OPERATOR, output.decode().strip())
    if process.returncode != 0:
        raise StepFailed("The code was not accepted.")
    await phone_shows(cast, lambda one: "You are in" in one.text, "a greeting")


async def _message_and_answer(cast: Cast) -> str:
    message = say(cast, "Please run the tests and tell me how it went.")
    event = await _from_session(cast.session.event("run the tests", PATIENCE_S))
    cast.stage.say(
        Voice.SESSION,
        f'<channel source="telegram" chat_id="{event.meta["chat_id"]}" user="{event.meta["user"]}" …>'
        f"{event.content}</channel>",
    )
    await until(cast.api, lambda: "👀" in cast.phone.reactions(message), "the 👀 that says: stored")
    cast.stage.say(Voice.NOTE, "👀 is on the message: it is stored on disk.")
    await reply(cast, event.meta["chat_id"], "On it. I will run `pytest`.", "On it.")
    return event.meta["chat_id"]


async def _permission(cast: Cast) -> None:
    request_id = "tests"
    cast.stage.say(Voice.SESSION, "asks for permission: Bash, pytest -q")
    await cast.session.ask_permission(request_id, "Bash", "Run the tests", {"command": "pytest -q"})
    card = await phone_shows(cast, lambda one: "pytest -q" in one.text and bool(one.buttons), "a card with buttons")
    allow = next(label for row in card.labels for label in row if "Allow" in label)
    cast.stage.say(Voice.PHONE, f"presses [{allow}]")
    cast.phone.press(allow, card)
    verdict = await _from_session(cast.session.verdict(request_id, PATIENCE_S))
    cast.stage.say(Voice.SESSION, f"is told: {verdict}")
    if verdict != "allow":
        raise StepFailed("The session was told something else than what was pressed.")
    await until(cast.api, lambda: not card.buttons and "Allowed by Ada" in card.text, "the card's end")
    cast.stage.say(Voice.BOT, f"{card.text.splitlines()[-1]}  (the buttons are gone)")


def say(cast: Cast, text: str) -> StoredMessage:
    """The phone sends a text."""
    cast.stage.say(Voice.PHONE, text)
    return cast.phone.say(text)


async def reply(cast: Cast, chat: str, text: str, shown: str) -> None:
    """The session answers, and the phone shows it."""
    cast.stage.say(Voice.SESSION, f"calls reply: {text!r}")
    answer = await _from_session(cast.session.call("reply", chat_id=chat, text=text))
    if answer.is_error:
        raise StepFailed(f"The answer was not sent: {answer.text}")
    await phone_shows(cast, lambda one: shown in one.text, "the answer")


async def phone_shows(cast: Cast, fits: Callable[[StoredMessage], bool], what: str) -> StoredMessage:
    """The newest message of the bot that fits, once there is one; it is put on the stage.

    Raises:
        StepFailed: there is none in time.
    """

    def found() -> StoredMessage | None:
        return next((one for one in reversed(cast.phone.inbox()) if fits(one)), None)

    await until(cast.api, lambda: found() is not None, what)
    message = found()
    if message is None:
        raise StepFailed(f"{what} vanished again.")
    buttons = "\n" + "  ".join(f"[{label}]" for row in message.labels for label in row) if message.labels else ""
    cast.stage.say(Voice.BOT, message.text + buttons)
    return message


async def until(api: BotApi, condition: Callable[[], bool], what: str) -> None:
    """Wait until the fake Telegram's world makes `condition` true.

    Raises:
        StepFailed: it does not in time.
    """
    changed = asyncio.Event()
    api.world.listeners.append(changed.set)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                changed.clear()
                await changed.wait()
    except TimeoutError:
        raise StepFailed(f"{what[:1].upper()}{what[1:]} did not come within {PATIENCE_S:.0f} s.") from None
    finally:
        api.world.listeners.remove(changed.set)


async def _from_session(waiting: Awaitable[T]) -> T:
    try:
        return await waiting
    except SessionEnded as error:
        raise StepFailed(str(error)) from None
