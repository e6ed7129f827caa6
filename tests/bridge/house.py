"""A house of several sessions with one bot: the process that polls, as tests of routing see it.

house = await House().open("shop", "website")     # two living sessions, called by their projects
await house.say("hello")                           # Ann writes; nobody can tell for whom
assert house.asked(ANN) == ["shop", "website"]
await house.press("website")
assert house.destinations() == {"hello": "website"}
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

from telegram_channel.bridge.approvals import Approvals
from telegram_channel.bridge.commands import Commands
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.dispatch import Dispatch
from telegram_channel.bridge.intake import Reception
from telegram_channel.bridge.orders import Orders
from telegram_channel.bridge.roster import Roster
from telegram_channel.bridge.router import Look, Router
from telegram_channel.bridge.sessions import SessionCommands
from telegram_channel.core.access import AccessState, Group, Role, Sender, with_group, with_sender
from telegram_channel.core.health import BridgeState
from telegram_channel.core.ids import BotId, ChatId, MessageId, PressId, PromptId, SenderId, SessionId, UpdateId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Move
from telegram_channel.core.messages import Batch, ButtonPress, Inbound, InboundMessage, RepliedTo
from telegram_channel.core.notices import StatusFacts
from telegram_channel.core.outgoing import Button
from telegram_channel.core.stranding import RoutingRules
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.memory import MemoryDatabase, MemoryStore
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.session import RecordingSession
from tests.values import NOON, message, place

ANN, BOB = "1001", "1002"
TEAM = "-500"
PEOPLE = {ANN: Role.OWNER, BOB: Role.SENDER}


class House:
    """The process that polls; sessions live and die as a test says."""

    def __init__(self, rules: RoutingRules | None = None, database: MemoryDatabase | None = None) -> None:
        self.clock = ManualClock(NOON)
        self.store = MemoryStore(BotId("900"), database, self.clock.now)
        self.chat = RecordingChat()
        self.courier = Courier()
        self.alive: dict[int, bool] = {}
        self._pids = count(100)
        self._numbers = count(1)
        self.roster = Roster(self.store, self.clock, lambda record: self.alive.get(record.pid, False))
        self.router = Router(self.store, self.roster)
        self.dispatch = Dispatch(self.store, self.chat, self.clock, self.router, rules or RoutingRules())
        choices = SessionCommands(self.store, self.chat, self.clock, self.dispatch)
        self.approvals = Approvals(
            *(self.store, self.chat, self.clock, self.courier),
            session=RecordingSession("the poller"),
            new_id=lambda: PromptId(f"prompt-{next(self._numbers)}"),
            is_alive=lambda record: self.alive.get(record.pid, False),
            polls=lambda: True,
        )
        self.commands = Commands(self.chat, self._facts, Orders(self.store, self.clock), choices)
        self.reception = Reception(
            *(self.store, self.chat, self.approvals, self.commands, self.courier, self.clock),
            *(self.router, self.dispatch, choices),
        )

    async def _facts(self, role: Role, said: InboundMessage, look: Look, state: AccessState) -> StatusFacts:
        return StatusFacts(role, "", BridgeState.POLLING, queued=0)

    async def open(self, *sessions: str, group: bool = True) -> "House":
        """Let people in and sessions begin, and poll once."""

        def change(state: AccessState) -> tuple[AccessState, None, Sequence[Any]]:
            for who, role in PEOPLE.items():
                state = with_sender(state, Sender(SenderId(who), role, who, NOON, "pair", welcomed=True))
            members = frozenset(SenderId(who) for who in PEOPLE)
            return with_group(state, Group(ChatId(TEAM), "Team", NOON, members, mention_only=False)), None, ()

        await self.store.access.transact(change)
        for session in sessions:
            await self.begins(session)
        await self.take()
        return self

    async def begins(self, session: str, name: str = "", **more: Any) -> None:
        """A session's process begins; its project is called like the session unless told otherwise."""
        pid = next(self._pids)
        self.alive[pid] = True
        began_at = self.clock.now() + timedelta(milliseconds=pid)
        record = SessionRecord(
            SessionId(session), pid, began_at, began_at, name or session, True, project=f"/srv/{name or session}"
        )
        await self.store.sessions.register(replace(record, **more))

    async def dies(self, session: str) -> None:
        """A session's processes are killed; nobody takes them off the list. A second passes."""
        for record in await self.store.sessions.list():
            if record.session == session:
                self.alive[record.pid] = False
        await self.clock.advance(1.1)

    async def leaves(self, session: str) -> None:
        """A session's processes end as a client ends them. A second passes."""
        for record in await self.store.sessions.list():
            if record.session == session:
                self.alive[record.pid] = False
                await self.store.sessions.leave(record.session, record.pid, self.clock.now())
        await self.clock.advance(1.1)

    async def take(self, *updates: Inbound) -> None:
        """One poll brings these, and everything that follows at once happens."""
        await self.reception.take(Batch(updates, updates[-1].update if updates else None, drained=True))
        await self.settled()

    async def settled(self) -> None:
        """Let the courier and the dispatch do what there is to do now."""
        await self.courier.settled()
        await self.dispatch.step()
        await self.clock.settle()
        await self.dispatch.step()
        await self.clock.settle()

    async def passes(self, seconds: float) -> None:
        """Let time pass and look again; the platform has had nothing new."""
        await self.clock.advance(seconds)
        await self.take()

    def said(self, text: str, sender: str = ANN, chat: str = "", **more: Any) -> InboundMessage:
        """A message that is yet to come."""
        where = place(chat or sender, sender, thread=more.pop("thread", None))
        number = more.pop("number", 0) or next(self._numbers)
        return replace(message(text, number, place=where), **more)

    async def say(self, text: str, sender: str = ANN, chat: str = "", **more: Any) -> InboundMessage:
        """Somebody writes."""
        said = self.said(text, sender, chat, **more)
        await self.take(said)
        return said

    async def answer(self, text: str, to: str, sender: str = ANN, chat: str = "") -> None:
        """Somebody replies to a message of the bot."""
        await self.say(text, sender, chat, reply_to=RepliedTo(MessageId(to), from_bot=True))

    async def press(self, label: str, sender: str = ANN, chat: str = "", *, on: str = "", thread: Any = None) -> str:
        """Press a button of the newest message that has or had it; returns what the phone shows, `!` for an alert."""
        where = chat or sender
        shown = [(number, button) for number, button in self._buttons(where) if on in ("", number)]
        number, button = next(one for one in reversed(shown) if label in one[1].label)
        update = next(self._numbers)
        press = ButtonPress(
            UpdateId(70_000 + update),
            place(where, sender, thread=thread),
            PressId(str(update)),
            button.data,
            MessageId(number),
            button.label,
        )
        await self.take(press)
        answers = [one for one in self.chat.press_answers if one.press == press.press]
        return "".join(("!" if one.alert else "") + one.text for one in answers)

    def _buttons(self, chat: str) -> list[tuple[str, Button]]:
        """Every button that was ever shown in a chat, in the order it was, with its message."""
        sent = [(str(501 + index), one) for index, one in enumerate(self.chat.sent)]
        found = [(number, b) for number, one in sent if one.chat == chat for row in one.buttons for b in row]
        return found + [(e.message, b) for e in self.chat.edits if e.chat == chat for row in e.buttons for b in row]

    def asked(self, chat: str) -> list[str]:
        """The buttons of the newest message with any, that was sent to a chat."""
        sent = [one for one in self.chat.sent if one.chat == chat and one.buttons]
        return [button.label for row in sent[-1].buttons for button in row] if sent else []

    def entries(self) -> list[InboxEntry]:
        """Everything stored, in order."""
        return list(self.store.tables.inbox.values())

    def destinations(self) -> dict[str, str | None]:
        """For whom each text is."""
        return {getattr(one.inbound, "text", ""): one.session for one in self.entries()}

    def reasons(self) -> dict[str, str | None]:
        """Why."""
        return {getattr(one.inbound, "text", ""): one.why and one.why.value for one in self.entries()}

    async def emitted(self, *texts: str) -> None:
        """The sessions were given these."""
        ids = tuple(one.entry for one in self.entries() if getattr(one.inbound, "text", "") in texts)
        await self.store.inbox.advance(
            [Move(ids, (DeliveryState.STORED,), DeliveryState.EMITTED, emitted_at=self.clock.now())]
        )

    async def wrote(self, session: str, number: str, chat: str = ANN) -> None:
        """A message of the bot is this session's."""
        await self.store.routes.note_sent(SessionId(session), ChatId(chat), (MessageId(number),), NOON)
