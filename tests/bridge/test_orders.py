"""Commands become stored orders and wishes: who may give them, when they count, and what is answered."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from telegram_channel.bridge.commands import Commands
from telegram_channel.bridge.dispatch import Dispatch
from telegram_channel.bridge.orders import Orders
from telegram_channel.bridge.roster import Roster
from telegram_channel.bridge.router import Look, Router
from telegram_channel.bridge.sessions import Readdressed, SessionCommands
from telegram_channel.core import order_words
from telegram_channel.core.access import AccessState, Role, Sender, with_sender
from telegram_channel.core.health import BridgeState
from telegram_channel.core.ids import BotId, ChatId, SenderId, SessionId, ThreadId
from telegram_channel.core.messages import InboundMessage, RepliedTo
from telegram_channel.core.notices import StatusFacts
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind
from telegram_channel.core.wishes import Wishes
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.memory import MemoryStore
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.values import NOON, message, photo, place

ANN, GROUP = "1001", "-500"
SESSION = SessionId("session-1")
LET_IN = with_sender(AccessState(), Sender(SenderId(ANN), Role.OWNER, "Ann", NOON, "pair"))


@dataclass
class Obedient:
    """A session of this process, which hears of orders directly."""

    session: SessionId = SESSION
    heard: list[Order] = field(default_factory=list)
    holds: Order | None = None

    def heard_of(self, order: Order) -> None:
        self.heard.append(order)
        self.holds = order

    def released(self) -> Order | None:
        held, self.holds = self.holds, None
        return held


class Counter:
    """The process that polls, and the commands it takes."""

    def __init__(self, *, here: Obedient | None = None, alive: bool = True) -> None:
        self.clock = ManualClock(NOON)
        self.store = MemoryStore(BotId("900"), now=self.clock.now)
        self.chat = RecordingChat()
        own = SessionRecord(here.session, 1, NOON, NOON, "project", True) if here else None
        self.router = Router(self.store, Roster(self.store, self.clock, lambda _: alive, own))
        self.orders = Orders(self.store, self.clock, here)
        dispatch = Dispatch(self.store, self.chat, self.clock, self.router)
        choices = SessionCommands(self.store, self.chat, self.clock, dispatch)
        self.commands = Commands(self.chat, self._facts, self.orders, choices)

    async def _facts(self, role: Role, message: InboundMessage, look: Look, state: AccessState) -> StatusFacts:
        return StatusFacts(role, "project", BridgeState.POLLING, queued=3)

    async def registered(self, session: SessionId = SESSION, name: str = "project") -> "Counter":
        """The session's process is on the list."""
        await self.store.sessions.register(SessionRecord(session, 1, NOON, NOON, name, True))
        return self

    async def take(
        self, text: str, role: Role = Role.OWNER, number: int = 1, *, fresh: bool = True, **more: Any
    ) -> list[str] | None:
        """What is answered; None when it is for Claude."""
        before = len(self.chat.sent)
        said = message(text, number, **more)
        fault, self.store.fault = self.store.fault, None  # what can still be read
        look = await self.router.look([said])
        self.store.fault = fault
        errands = await self.commands.errands_for(said, role, "demo_bot", look=look, state=LET_IN, fresh=fresh)
        if errands is None:
            return None
        assert not isinstance(errands, Readdressed)
        for errand in errands:
            await errand
        return ["".join(span.text for span in one.body) for one in self.chat.sent[before:]]  # type: ignore[union-attr]  # commands are answered with composed text

    async def standing(self) -> dict[OrderKind, SessionId]:
        return {one.kind: one.session for one in await self.store.orders.standing(SESSION)}


async def test_a_stop_is_stored_for_the_session_with_everything_its_answer_needs() -> None:
    """MUST B2: an order is stored before Telegram is told that it was received."""
    here = await Counter().registered()
    where = place(GROUP, ANN, thread=ThreadId("5"))
    assert await here.take("/stop", number=7, place=where) == []
    [order] = await here.store.orders.standing(SESSION)
    assert order == Order(
        OrderKind.STOP, SESSION, where.sender, "Ann", NOON, ChatId(GROUP), message(number=7).message, ThreadId("5")
    )
    assert [row.action for row in await here.store.audit.rows()] == ["stop"]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("command", ["/stop", "/pause", "/resume"])
async def test_only_owners_and_approvers_order_and_only_now(role: Role, fresh: bool, command: str) -> None:
    """MUST B3: /stop, /pause and /resume are for owners and approvers, and an old one is never acted on."""
    here = await Counter(here=Obedient()).registered()
    before = {OrderKind.PAUSE: EVERY_SESSION} if command == "/resume" else {}
    if before:
        await here.take("/pause", number=90)
    said = await here.take(command, role, fresh=fresh)
    assert said is not None
    allowed = role.may_approve and fresh
    after: dict[str, dict[OrderKind, SessionId]] = {
        "/stop": {OrderKind.STOP: SESSION},
        "/pause": {OrderKind.PAUSE: EVERY_SESSION},
        "/resume": {},
    }
    assert await here.standing() == (after[command] if allowed else before)
    if not role.may_approve:
        assert said == [f"You may talk to Claude, but {command} is for owners and approvers. Nothing was changed."]
    elif not fresh:
        assert "while I was offline, so nothing was done" in said[0]
        assert "send it again" in said[0]
    else:
        assert len(said) == (0 if command == "/stop" else 1)


async def test_a_stop_for_a_session_whose_process_is_gone_says_so() -> None:
    for here in (Counter(), await Counter(alive=False).registered()):
        assert await here.take("/stop") == ["No session is running, so there is nothing to stop."]
        assert await here.standing() == {}


async def test_the_session_of_this_process_lives_and_hears_of_a_stop_at_once() -> None:
    """MUST B4: a stop binds in the process that took it before anything else is awaited."""
    obedient = Obedient()
    here = Counter(here=obedient, alive=False)
    await here.take("/stop")
    assert obedient.heard == list(await here.store.orders.standing(SESSION))
    other = Obedient(SessionId("another"))
    there = await (await Counter(here=other).registered()).registered(other.session, "website")
    await there.take("/stop project")
    assert other.heard == []
    assert await there.standing() == {OrderKind.STOP: SESSION}


async def test_with_several_sessions_a_stop_needs_to_say_which() -> None:
    """MUST B5: an order concerns the session that is named, or that a message from that place would go to."""
    here = await (await Counter().registered()).registered(SessionId("session-2"), "website")
    said = await here.take("/stop")
    assert said == [
        "Which one? project and website are running, and nothing was changed. "
        "Send /stop project, or reply with /stop to a message of the one you mean."
    ]
    assert await here.take("/stop shop", number=2) == [
        "No running session is called “shop”. Nothing was changed. Running: project and website."
    ]
    assert await here.standing() == {}
    assert await here.take("/stop WEB", number=3) == []
    await here.store.routes.choose(ChatId(ANN), SESSION)
    assert await here.take("/stop", number=4) == []
    await here.store.routes.note_sent(SessionId("session-2"), ChatId(ANN), (message(number=50).message,), NOON)
    for session in (SESSION, SessionId("session-2")):
        [order] = await here.store.orders.standing(session)
        assert order.session == session
    reply = RepliedTo(message(number=50).message, from_bot=True)
    assert await here.take("/resume", number=5, reply_to=reply) == [
        "▶️ The stop by Ann is lifted: tools may be called again."
    ]
    assert await here.standing() == {OrderKind.STOP: SESSION}


async def test_a_name_that_is_not_the_only_session_s_changes_nothing() -> None:
    """MUST B18: an order with a name concerns the session called so, and no other, also when there is but one."""
    here = await Counter(here=Obedient()).registered()
    for number, command in enumerate(("/stop", "/resume"), 1):
        assert await here.take(f"{command} shop", number=number) == [
            "No running session is called “shop”, so nothing was changed. "
            f"The only one is project: {command} without a name is for it."
        ]
    assert await here.take("/pause shop", number=3) == [
        "/pause cannot hold “shop” alone, so nothing was changed. "
        "Without a name it holds the messages for every session; /stop NAME stops one."
    ]
    assert await here.standing() == {}
    assert await here.take("/pause PROJ", number=4) == [order_words.paused().plain()]
    assert await here.take("/stop Proj", number=5) == []
    assert await here.standing() == {OrderKind.STOP: SESSION, OrderKind.PAUSE: EVERY_SESSION}
    assert await here.take("/resume shop", number=6) is not None
    assert len(await here.standing()) == 2
    assert await here.take("/resume project", number=7) is not None
    assert await here.standing() == {}


async def test_a_pause_cannot_hold_one_of_several() -> None:
    here = await (await Counter().registered()).registered(SessionId("session-2"), "website")
    for number, name in enumerate(("website", "shop"), 1):
        [said] = await here.take(f"/pause {name}", number=number) or []
        assert said.startswith(f"/pause cannot hold “{name}” alone")
    assert await here.standing() == {}
    assert await here.take("/pause", number=3) == [order_words.paused().plain()]
    assert await here.standing() == {OrderKind.PAUSE: EVERY_SESSION}


async def test_with_nobody_there_a_name_changes_nothing_about_the_answer() -> None:
    here = Counter()
    assert await here.take("/stop shop") == ["No session is running, so there is nothing to stop."]
    await here.take("/pause", number=2)
    said = await here.take("/resume shop", number=3)
    assert said is not None
    assert "The pause by Ann is lifted" in said[0]


async def test_resume_without_a_name_lifts_the_only_stop_and_asks_which_of_two() -> None:
    here = await (await Counter().registered()).registered(SessionId("session-2"), "website")
    await here.take("/stop website", number=1)
    await here.take("/stop project", number=2)
    said = await here.take("/resume", number=3)
    assert said is not None
    assert said[0].startswith("Which one? project and website")
    assert await here.take("/resume website", number=4) == ["▶️ The stop by Ann is lifted: tools may be called again."]
    assert await here.take("/resume", number=5) == ["▶️ The stop by Ann is lifted: tools may be called again."]
    assert await here.standing() == {}


async def test_a_full_disk_does_not_keep_a_stop_from_being_heard() -> None:
    """MUST B6: a stop that cannot be stored binds in the process that took it."""
    obedient = Obedient()
    here = Counter(here=obedient)
    here.store.fault = StateUnwritable("The disk is full.")
    for _ in range(3):
        with pytest.raises(StateUnwritable):
            await here.take("/stop")
    assert set(obedient.heard) == {obedient.heard[0]}
    with pytest.raises(StateUnwritable):
        await here.take("/resume", number=2)
    assert obedient.holds is None
    here.store.fault = None
    said = await here.take("/resume", number=2)
    assert said is not None
    assert "The stop by Ann is lifted" in said[0]


async def test_a_command_that_is_taken_again_changes_nothing_and_is_answered_the_same() -> None:
    here = await Counter().registered()
    await here.take("/stop", number=1)
    [order] = await here.store.orders.standing(SESSION)
    await here.store.orders.mark_answered(order)
    await here.clock.advance(5)
    await here.take("/stop", number=1)
    assert await here.store.orders.standing(SESSION) == (replace(order, answered=True),)
    first = await here.take("/resume", number=2)
    assert first == ["▶️ The stop by Ann is lifted: tools may be called again."]
    assert await here.take("/resume", number=2) == first
    assert await here.take("/resume", number=3) == ["Nothing was stopped or paused, so there was nothing to lift."]


async def test_pause_answers_and_resume_names_everything_it_lifted() -> None:
    """MUST B7: /resume lifts stop and pause and says what it lifted."""
    here = await Counter().registered()
    said = await here.take("/pause", number=1)
    assert said is not None
    assert said[0].startswith("⏸ New messages are kept and held back; /resume releases them.")
    await here.take("/stop", number=2)
    pause, stop = sorted(await here.store.orders.standing(SESSION), key=lambda one: one.message)
    assert (pause.answered, stop.answered) == (True, False)
    said = await here.take("/resume", number=3)
    assert said is not None
    assert "The stop by Ann is lifted" in said[0]
    assert "The pause by Ann is lifted" in said[0]
    assert await here.standing() == {}
    assert [row.action for row in await here.store.audit.rows()] == ["pause", "stop", "resume", "resume"]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    ("text", "where", "said", "kept"),
    [
        ("/progress", ANN, "not shown one message per turn", Wishes()),
        ("/progress maybe", ANN, "/progress on changes that", Wishes()),
        ("/progress on", ANN, "On: ", Wishes(progress=True)),
        ("/progress ON", GROUP, "On: ", Wishes(progress=True)),
        ("/progress off", ANN, "Off: ", Wishes()),
        ("/stream", ANN, "/stream on changes that", Wishes()),
        ("/stream on", ANN, "On: ", Wishes(stream=True)),
        ("/stream on", GROUP, "private chats only", Wishes()),
        ("/stream", GROUP, "private chats only", Wishes()),
    ],
)
async def test_everybody_who_talks_says_what_their_chat_is_shown(
    role: Role, text: str, where: str, said: str, kept: Wishes
) -> None:
    """MUST B8: progress and streaming are shown only where somebody asked for them."""
    here = Counter()
    answer = await here.take(text, role, place=place(where, ANN))
    assert answer is not None
    assert said in answer[0]
    assert await here.store.wishes.of(ChatId(where)) == kept


async def test_one_wish_leaves_the_other_as_it_is() -> None:
    here = Counter()
    for number, text in enumerate(("/progress on", "/stream on", "/progress off"), start=1):
        await here.take(text, number=number)
    assert await here.store.wishes.of(ChatId(ANN)) == Wishes(stream=True)
    assert await here.take("/stream", number=4) == [
        "This chat is shown Claude's text while it is being written. /stream off changes that."
    ]


@pytest.mark.parametrize(
    "words",
    [
        {"text": "/stop", "forwarded_from": "Eve"},
        {"text": "/pause", "edited": True},
        {"text": "/stop", "attachment": photo()},
        {"text": "/stopp"},
        {"text": "/stop@another_bot"},
        {"text": "please /stop"},
        {"text": "/progress on", "forwarded_from": "Eve"},
    ],
)
async def test_what_is_no_command_of_this_person_to_us_goes_to_claude(words: dict[str, Any]) -> None:
    """MUST I23: an unknown command is a message for Claude."""
    here = await Counter().registered()
    assert await here.take(**words) is None
    assert await here.standing() == {}


async def test_the_other_commands_are_answered_however_old_they_are() -> None:
    here = Counter()
    for text, said in (("/help", "/stop"), ("/status", "Session: project"), ("/start", "You are already in")):
        answer = await here.take(text, fresh=False)
        assert answer is not None
        assert said in answer[0]
