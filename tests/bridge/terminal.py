"""A terminal whose hooks reach a real `Turns`, over a store in memory and a chat that remembers."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.turns import Turns
from telegram_channel.core.access import AccessState, Group, Role, Sender
from telegram_channel.core.hooks import HookAnswer, PromptSubmitted, RefuseTool, ToolCall, TurnEnded
from telegram_channel.core.ids import BotId, ChatId, EntryId, MessageId, SenderId, SessionId, ThreadId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Intake, Move
from telegram_channel.storage.memory import MemoryStore
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.values import NOON, entry, message, place
from tests.waiting import running

ME = SessionId("me")
ANN, BOB, TEAM = ChatId("1001"), ChatId("1002"), ChatId("-2001")
CHATS = (ANN, BOB, TEAM)
BASH = ToolCall("Bash", '{"command": "make"}', "use-1")


class Allow:
    """A gate with nothing against anything."""

    def refusal(self, call: ToolCall) -> RefuseTool | None:
        return None


def tag(chat: str, number: int | str) -> str:
    """What the client puts into the prompt for one message."""
    return (
        f'<channel source="plugin:telegram:telegram" chat_id="{chat}" message_id="{number}" user="ann">\n'
        "hello\n</channel>"
    )


def said(number: int, chat: ChatId = ANN, thread: str | None = None, text: str = "hello", **more: Any) -> InboxEntry:
    """A message to be stored, of Ann or of whose chat it is; the store gives it its position."""
    where = place(chat, ANN if chat == TEAM else chat, thread=ThreadId(thread) if thread else None)
    return entry(message(text, number, place=where, **more), entry=EntryId(0))


class Terminal:
    """Claude Code, as far as its hooks tell."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.clock = ManualClock(NOON)
        self.store = store or MemoryStore(BotId("900"), now=self.clock.now)
        self.chat = RecordingChat()
        self.activity = Activity(self.clock)
        self.turns = Turns(self.clock, ME, self.activity, Allow())
        self.let_in()

    def let_in(self, roles: Mapping[ChatId, Role] = MappingProxyType({ANN: Role.OWNER, BOB: Role.SENDER})) -> None:
        """Let these people in, and the team's group."""
        senders = {SenderId(who): Sender(SenderId(who), role, "Ann", NOON, "pair") for who, role in roles.items()}
        self.store.tables.book = AccessState(
            senders=MappingProxyType(senders), groups=MappingProxyType({TEAM: Group(TEAM, "Team", NOON)})
        )

    @asynccontextmanager
    async def flows(self) -> AsyncIterator[None]:
        """Let the flows run beside the body."""
        async with running(self.turns.run(self.store, self.chat)):
            yield
            await self.clock.settle()

    async def given(self, *entries: InboxEntry, session: SessionId = ME) -> None:
        """Let a session have been given these messages, in one go."""
        await self.store.inbox.ingest(Intake(entries), None)
        await self.emitted(await self.store.inbox.due(limit=1000), session)

    async def emitted(self, entries: Iterable[InboxEntry], session: SessionId = ME) -> None:
        """Note that a session was given these."""
        ids = tuple(one.entry for one in entries)
        await self.store.inbox.advance(
            [Move(ids, (DeliveryState.STORED,), DeliveryState.EMITTED, session, self.clock.now())]
        )

    async def reads(self, *named: tuple[str, int]) -> None:
        """A turn begins with these messages, and everything that follows from it happens."""
        await self.turns.called(PromptSubmitted("\n".join(tag(chat, number) for chat, number in named)))
        await self.clock.settle()

    async def stops(self, words: str = "", *, again: bool = False) -> HookAnswer:
        """The turn ends with these words, and everything that follows from it happens."""
        answer = await self.turns.called(TurnEnded(words, again))
        await self.clock.settle()
        return answer

    async def state(self, number: int, chat: ChatId = ANN) -> DeliveryState | None:
        """How far a message got."""
        found = await self.store.inbox.find(chat, MessageId(str(number)))
        return found.state if found else None
