"""Whatever happens in whatever order, the file and the fake in memory tell the same story."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from telegram_channel.core.access import AccessState
from telegram_channel.core.ids import (
    BotId,
    ChatId,
    EntryId,
    MessageId,
    PromptId,
    SenderId,
    SessionId,
    ThreadId,
    UpdateId,
)
from telegram_channel.core.inbox import DeliveryState, Fetch, FetchState, Intake, Move, QuarantinedUpdate
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind
from telegram_channel.core.permission import (
    Behavior,
    Card,
    Closing,
    Details,
    How,
    PermissionRequest,
    Prompt,
    Verdict,
)
from telegram_channel.core.routing import NOBODY, Question, TopicBinding, Why
from telegram_channel.core.wishes import Wishes
from telegram_channel.ports import Store
from telegram_channel.storage.memory import MemoryDatabase, MemoryStore
from telegram_channel.storage.sqlite import SqliteStore
from tests.storage import strategies
from tests.values import NOON, entry, later, message

few = st.integers(1, 6)
EVERY_ENTRY = tuple(EntryId(number) for number in range(1, 7))
moments = st.integers(0, 3).map(later)
bots = st.sampled_from([BotId("1"), BotId("2"), BotId("")])
prompt_ids = st.sampled_from(["p1", "p2", "p3"]).map(PromptId)
session_ids = st.sampled_from(["s1", "s2"]).map(SessionId)
states = st.sampled_from(DeliveryState)
reasons = st.none() | st.sampled_from(Why)
moves = st.builds(
    Move,
    st.lists(few.map(EntryId), max_size=3).map(tuple),
    st.lists(states, max_size=6).map(tuple),
    st.none() | states,
    st.none() | session_ids | st.just(NOBODY),
    st.none() | moments,
    st.none() | st.booleans(),
    st.none() | st.booleans(),
    st.none() | st.booleans(),
    st.none() | st.builds(Fetch, st.sampled_from(FetchState)),
    reasons,
    st.none() | session_ids | st.just(NOBODY),
)
intakes = st.builds(
    Intake,
    st.lists(st.tuples(few, moments, st.none() | session_ids | st.just(NOBODY), reasons), max_size=4).map(
        lambda all_: tuple(
            entry(message(str(n), n, update=n), n, stored_at=at, session=session, why=why)
            for n, at, session, why in all_
        )
    ),
    st.lists(st.builds(QuarantinedUpdate, few, st.just("why"), moments, st.just("{}")), max_size=2).map(tuple),
    st.lists(few.map(UpdateId), max_size=3).map(tuple),
)
verdicts = st.builds(
    Verdict,
    st.sampled_from(Behavior),
    st.sampled_from(["7", "8"]),
    st.text(max_size=2),
    st.sampled_from(How),
    moments,
    st.none() | st.integers(-1, 3),
    st.sampled_from(["", "not now"]),
)
order_kinds = st.sampled_from(OrderKind)
order_sessions = session_ids | st.just(EVERY_SESSION)
orders = st.builds(
    Order,
    order_kinds,
    order_sessions,
    st.sampled_from(["7", "8"]).map(SenderId),
    st.text(max_size=2),
    moments,
    st.just(ChatId("7")),
    st.sampled_from(["1", "2"]).map(MessageId),
    answered=st.booleans(),
)

chats = st.sampled_from(["7", "-1"]).map(ChatId)
threads = st.sampled_from(["3", "4", "5"]).map(ThreadId)
projects = st.sampled_from(["/shop", "/till", ""])
topics = st.builds(TopicBinding, chats, threads, projects, st.none() | session_ids, st.just("n"), st.booleans())
questions = st.builds(Question, chats, st.none() | threads, st.just(MessageId("9")), moments)
sent = st.lists(st.sampled_from(["1", "2", "3"]).map(MessageId), max_size=3)


class Twins(RuleBasedStateMachine):
    """Two backends that are asked the same; each has three bots on one state."""

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        database, path = MemoryDatabase(), Path(self.directory.name) / "state.db"
        self.now = NOON
        self.memory = {bot: MemoryStore(BotId(bot), database, lambda: self.now) for bot in ("1", "2", "")}
        self.sqlite = {bot: SqliteStore(path, BotId(bot), lambda: self.now) for bot in ("1", "2", "")}

    def both(self, bot: BotId, call: Callable[[Store], Awaitable[Any]]) -> None:
        """The same question to both gets the same answer, or the same error."""
        assert self.answer(self.memory[bot], call) == self.answer(self.sqlite[bot], call)

    def answer(self, store: Store, call: Callable[[Store], Awaitable[Any]]) -> Any:
        async def ask() -> Any:
            try:
                return await call(store)
            except ValueError as error:
                return str(error)

        return self.runner.run(ask())

    @rule(now=moments)
    def time_passes(self, now: Any) -> None:
        self.now = now

    @rule(bot=bots, intake=intakes, cursor=st.none() | few)
    def ingest(self, bot: BotId, intake: Intake, cursor: Any) -> None:
        self.both(bot, lambda store: store.inbox.ingest(intake, cursor))

    @rule(bot=bots, steps=st.lists(moves, max_size=3))
    def advance(self, bot: BotId, steps: list[Move]) -> None:
        self.both(bot, lambda store: store.inbox.advance(steps))

    @rule(bot=bots, held_by=session_ids | st.just(NOBODY), to=session_ids | st.just(NOBODY), why=reasons)
    def hand_over(self, bot: BotId, held_by: SessionId, to: SessionId, why: Why | None) -> None:
        move = Move(EVERY_ENTRY, tuple(DeliveryState), session=to, why=why, held_by=held_by)
        self.both(bot, lambda store: store.inbox.advance([move]))

    @rule(bot=bots, before=moments)
    def prune(self, bot: BotId, before: Any) -> None:
        self.both(bot, lambda store: store.inbox.prune(before))
        self.both(bot, lambda store: store.prompts.prune(before))
        self.both(bot, lambda store: store.orders.prune(before))
        self.both(bot, lambda store: store.routes.prune(before))

    @rule(bot=bots, book=strategies.access_states, rows=st.lists(strategies.audit_rows, max_size=2))
    def change_access(self, bot: BotId, book: AccessState, rows: list[Any]) -> None:
        self.both(bot, lambda store: store.access.transact(lambda _state: (book, len(rows), rows)))

    @rule(bot=bots)
    def claim(self, bot: BotId) -> None:
        self.both(bot, lambda store: store.access.claim())

    @rule(
        bot=bots,
        prompt=prompt_ids,
        session=session_ids,
        at=moments,
        request_id=st.sampled_from(["abcde", "ABCDE", "x"]),
    )
    def ask(self, bot: BotId, prompt: PromptId, session: SessionId, at: Any, request_id: str) -> None:
        asked = Prompt(prompt, session, PermissionRequest(request_id, "Bash", "", ""), at)
        self.both(bot, lambda store: store.prompts.open(asked))

    @rule(
        bot=bots,
        prompt=prompt_ids,
        cards=st.lists(st.builds(Card, st.just(ChatId("7")), st.sampled_from(["1", "2"]))),
    )
    def send_cards(self, bot: BotId, prompt: PromptId, cards: list[Card]) -> None:
        self.both(bot, lambda store: store.prompts.add_cards(prompt, cards))

    @rule(bot=bots, prompt=prompt_ids, details=strategies.details)
    def enrich(self, bot: BotId, prompt: PromptId, details: Details) -> None:
        self.both(bot, lambda store: store.prompts.enrich(prompt, details))

    @rule(bot=bots, prompt=prompt_ids, verdict=verdicts)
    def settle(self, bot: BotId, prompt: PromptId, verdict: Verdict) -> None:
        self.both(bot, lambda store: store.prompts.settle(prompt, verdict))

    @rule(bot=bots, prompt=prompt_ids, closing=st.sampled_from(Closing))
    def close(self, bot: BotId, prompt: PromptId, closing: Closing) -> None:
        self.both(bot, lambda store: store.prompts.close(prompt, closing))

    @rule(bot=bots, prompt=prompt_ids, told=st.booleans())
    def mark(self, bot: BotId, prompt: PromptId, told: bool) -> None:
        self.both(bot, lambda store: (store.prompts.mark_told if told else store.prompts.mark_cleared)(prompt))

    @rule(bot=bots, order=orders, answered=st.booleans())
    def order(self, bot: BotId, order: Order, answered: bool) -> None:
        self.both(bot, lambda store: (store.orders.mark_answered if answered else store.orders.give)(order))

    @rule(bot=bots, kind=order_kinds, session=order_sessions, at=moments)
    def lift(self, bot: BotId, kind: OrderKind, session: SessionId, at: Any) -> None:
        self.both(bot, lambda store: store.orders.lift(kind, session, "7", at))

    @rule(bot=bots, wishes=strategies.wishes)
    def wish(self, bot: BotId, wishes: Wishes) -> None:
        self.both(bot, lambda store: store.wishes.keep(ChatId("7"), wishes))

    @rule(bot=bots, chat=chats, session=st.none() | session_ids)
    def choose(self, bot: BotId, chat: ChatId, session: SessionId | None) -> None:
        self.both(bot, lambda store: store.routes.choose(chat, session))

    @rule(bot=bots, topic=topics)
    def bind(self, bot: BotId, topic: TopicBinding) -> None:
        self.both(bot, lambda store: store.routes.bind(topic))

    @rule(bot=bots, chat=chats, project=projects, session=session_ids)
    def take_topic(self, bot: BotId, chat: ChatId, project: str, session: SessionId) -> None:
        self.both(bot, lambda store: store.routes.take_topic(chat, project, session))

    @rule(bot=bots, chat=chats, thread=threads)
    def unbind(self, bot: BotId, chat: ChatId, thread: ThreadId) -> None:
        self.both(bot, lambda store: store.routes.unbind(chat, thread))

    @rule(bot=bots, session=session_ids, chat=chats, messages=sent, at=moments)
    def note_sent(self, bot: BotId, session: SessionId, chat: ChatId, messages: list[MessageId], at: Any) -> None:
        self.both(bot, lambda store: store.routes.note_sent(session, chat, messages, at))

    @rule(bot=bots, question=questions)
    def ask_which(self, bot: BotId, question: Question) -> None:
        self.both(bot, lambda store: store.routes.ask(question))

    @rule(bot=bots, chat=chats, thread=st.none() | threads)
    def settle_question(self, bot: BotId, chat: ChatId, thread: ThreadId | None) -> None:
        self.both(bot, lambda store: store.routes.settle_question(chat, thread))

    @invariant()
    def everything_that_can_be_seen_is_the_same(self) -> None:
        for bot in ("1", "2", ""):
            for look in LOOKS:
                self.both(BotId(bot), look)

    def teardown(self) -> None:
        async def close() -> None:
            for store in self.sqlite.values():
                await store.close()

        self.runner.run(close())
        self.runner.close()
        self.directory.cleanup()


LOOKS: list[Callable[[Store], Awaitable[Any]]] = [
    lambda store: store.access.read(),
    lambda store: store.audit.rows(),
    lambda store: store.inbox.cursor(),
    lambda store: store.inbox.counts(),
    lambda store: store.inbox.due(3),
    lambda store: store.inbox.due(2, SessionId("s1")),
    lambda store: store.inbox.due(session=NOBODY),
    lambda store: store.inbox.undirected(2),
    lambda store: store.inbox.unproven(),
    lambda store: store.inbox.unproven(SessionId("s1")),
    lambda store: store.inbox.unanswered(ChatId("1001")),
    lambda store: store.inbox.awaiting(later(1)),
    lambda store: store.inbox.to_fetch(),
    lambda store: store.inbox.unacknowledged(),
    lambda store: store.inbox.quarantined(2),
    lambda store: store.inbox.unseen([UpdateId(number) for number in range(8)]),
    lambda store: store.inbox.find(ChatId("1001"), MessageId("1")),
    lambda store: store.prompts.open_prompts(),
    lambda store: store.prompts.uncleared(),
    lambda store: store.prompts.untold(SessionId("s1")),
    lambda store: store.prompts.find("Abcde"),
    lambda store: store.prompts.get(PromptId("p1")),
    lambda store: store.orders.standing(SessionId("s1")),
    lambda store: store.orders.standing(EVERY_SESSION),
    lambda store: store.wishes.of(ChatId("7")),
    lambda store: store.routes.chosen(ChatId("7")),
    lambda store: store.routes.bindings(),
    lambda store: store.routes.questions(),
    lambda store: store.routes.author(ChatId("7"), MessageId("1")),
    lambda store: store.routes.author(ChatId("-1"), MessageId("2")),
]

TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
