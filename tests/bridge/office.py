"""The permission flow of one process, as tests of it see it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from types import MappingProxyType
from typing import Any

from telegram_channel.bridge.approvals import Approvals
from telegram_channel.bridge.courier import Courier
from telegram_channel.core.access import AccessState, Group, Role, Sender
from telegram_channel.core.hooks import HookAnswer, PermissionAsked, ToolCall
from telegram_channel.core.ids import BotId, ChatId, MessageId, PressId, PromptId, SenderId, UpdateId
from telegram_channel.core.messages import ButtonPress, RepliedTo
from telegram_channel.core.permission import PermissionRequest, Prompt, Suggestion, parse_answer
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.memory import MemoryStore
from telegram_channel.storage.memory_tables import MemoryDatabase
from tests.chat import RecordingChat, words
from tests.clock import ManualClock
from tests.session import RecordingSession
from tests.values import NOON, message, place

ANN, BOB, SAM = "1001", "1002", "1003"
TEAM = "-2001"
REQUEST = PermissionRequest("abcde", "Bash", "Run shell command", json.dumps({"command": "make deploy"}))
PEOPLE = {ANN: Role.OWNER, BOB: Role.APPROVER, SAM: Role.SENDER}


RAW = '{"type": "setMode", "mode": "acceptEdits", "destination": "session"}'
ALWAYS = Suggestion("Switch to accept-edits in this session", RAW)
CALL = ToolCall("Bash", json.dumps({"command": "make deploy"}))
HOOK = PermissionAsked(CALL, (ALWAYS,))
SECOND = PermissionRequest("fghij", "Bash", "Run shell command", REQUEST.input_preview)
ALLOW, DENY, ALWAYS_1 = "perm:a:session-1-1", "perm:d:session-1-1", "perm:s0:session-1-1"


class Office:
    """The permission flow of one process; several on one database are several processes."""

    def __init__(
        self,
        database: MemoryDatabase | None = None,
        session: str | RecordingSession = "session-1",
        clock: ManualClock | None = None,
        chat: RecordingChat | None = None,
        polls: bool = True,
        **more: Any,
    ) -> None:
        self.clock = clock or ManualClock(NOON)
        self.database = database or MemoryDatabase()
        self.store = MemoryStore(BotId("900"), self.database, self.clock.now)
        self.chat = chat or RecordingChat()
        self.session = RecordingSession(session) if isinstance(session, str) else session
        self.courier = Courier()
        self.alive: set[str] = {self.session.id}
        numbers = count(1)
        self.approvals = Approvals(
            self.store,
            self.chat,
            self.clock,
            self.courier,
            session=self.session,
            new_id=lambda: PromptId(f"{self.session.id}-{next(numbers)}"),
            is_alive=lambda record: record.session in self.alive,
            polls=lambda: polls,
            project="shop",
            **more,
        )
        self.presses = count(1)

    async def open(self, people: dict[str, Role] | None = None) -> "Office":
        """Let people in."""
        senders = {
            SenderId(sender): Sender(SenderId(sender), role, NAMES[sender], NOON, "pair")
            for sender, role in (PEOPLE if people is None else people).items()
        }
        group = Group(ChatId(TEAM), "Team", NOON, frozenset({SenderId("1004")}))
        state = AccessState(senders=MappingProxyType(senders), groups=MappingProxyType({group.chat: group}))
        await self.store.access.transact(lambda _: (state, None, ()))
        return self

    async def settled(self) -> None:
        """Let everything come to rest, except what waits for a held chat."""
        await self.clock.settle()

    async def ask(self, request: PermissionRequest = REQUEST) -> None:
        await self.approvals.asked(request)
        await self.settled()

    async def press(self, sender: str, data: str, on: str = "501", *, fresh: bool = True, chat: str = "") -> str:
        """Press a button; returns what the phone shows, with `!` before it when it is an alert."""
        where = place(chat or sender, sender, name=NAMES.get(sender, "Eve"))
        number = next(self.presses)
        press = ButtonPress(UpdateId(number), where, PressId(str(number)), data, MessageId(on))
        handled = await self.approvals.answered_by_press(press, fresh=fresh, state=await self.store.access.read())
        assert handled
        await self.settled()
        [answer] = [one for one in self.chat.press_answers if one.press == press.press]
        return ("!" if answer.alert else "") + answer.text

    async def write(self, sender: str, text: str, *, fresh: bool = True, chat: str = "", number: int = 70) -> str:
        """Write an answer; returns what the bot replies."""
        where = place(chat or sender, sender, name=NAMES.get(sender, "Eve"))
        answer = parse_answer(text)
        assert answer is not None
        handled = await self.approvals.answered_by_text(
            message(text, number, place=where), answer, fresh=fresh, state=await self.store.access.read()
        )
        assert handled
        await self.settled()
        reply = self.chat.sent[-1]
        assert (reply.chat, reply.reply_to) == (where.chat, str(number))
        return self.chat.texts(where.chat)[-1]

    async def reply(self, sender: str, text: str, to: str, *, fresh: bool = True, number: int = 80) -> str | None:
        """Reply to a message; returns what the bot says, None when it is an ordinary message for Claude."""
        where = place(sender, sender, name=NAMES.get(sender, "Eve"))
        said = message(text, number, place=where, reply_to=RepliedTo(MessageId(to), from_bot=True))
        state = await self.store.access.read()
        before = len(self.chat.sent)
        handled = await self.approvals.answered_by_reply(said, fresh=fresh, state=state)
        await self.settled()
        if not handled:
            return None
        [answer, *_] = [sent for sent in self.chat.sent[before:] if sent.reply_to == str(number)]
        return words(answer.body)

    async def step(self) -> None:
        await self.approvals.step()
        await self.settled()

    async def prompt(self, request_id: str = "abcde") -> Prompt:
        found = await self.store.prompts.find(request_id)
        assert found is not None
        return found

    def cards(self) -> list[str]:
        """Who was sent a card, in order."""
        return [sent.chat for sent in self.chat.sent if sent.buttons]

    def endings(self) -> list[tuple[str, str]]:
        """Which cards were closed, and the last line they show now."""
        return [(edit.chat, edit.text.split("\n")[-1]) for edit in self.chat.edits]

    async def verdicts_in_the_audit(self) -> int:
        return sum(1 for row in await self.store.audit.rows() if row.action == "verdict")


NAMES = {ANN: "Ann", BOB: "Bob", SAM: "Sam"}


async def register(*offices: Office) -> None:
    """Let processes know of each other."""
    for office in offices:
        record = SessionRecord(office.session.id, 1, NOON, NOON, f"project of {office.session.id}", is_channel=True)
        await office.store.sessions.register(record)
        for other in offices:
            other.alive.add(office.session.id)


@asynccontextmanager
async def waits(office: Office, hook: PermissionAsked = HOOK) -> AsyncIterator[asyncio.Task[HookAnswer]]:
    """The client calls its hook and waits; whatever is left of the call ends with the test."""
    call = asyncio.create_task(office.approvals.asked_by_hook(hook))
    await office.settled()
    try:
        yield call
    finally:
        call.cancel()
        await asyncio.wait({call})


async def given(call: asyncio.Task[HookAnswer]) -> HookAnswer:
    """What the hook is answered; a hook that is left waiting fails the test."""
    async with asyncio.timeout(5):
        return await call
