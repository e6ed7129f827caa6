"""Whatever hooks come in whatever order, no message is mirrored twice, and no place hears what is not for it."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from telegram_channel.core.hooks import AttentionWanted, PromptSubmitted, ToolStarting, TurnEnded
from telegram_channel.core.ids import ChatId, ThreadId
from telegram_channel.core.outgoing import OutMessage, Refused, SendOutcome, Uncertain
from telegram_channel.core.turns import Where
from tests.bridge.terminal import ANN, BASH, CHATS, TEAM, Terminal, said, tag
from tests.chat import RecordingChat, words

chats = st.sampled_from(CHATS)
threads = st.sampled_from([None, ThreadId("5")])


class OutcomesKept(RecordingChat):
    """Remembers what became of each message as well."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: list[tuple[OutMessage, SendOutcome]] = []

    async def send(self, message: OutMessage) -> SendOutcome:
        outcome = await super().send(message)
        self.outcomes.append((message, outcome))
        return outcome


@dataclass
class Facts:
    """What is true of a turn, whatever our code makes of it."""

    named: frozenset[tuple[ChatId, int]] = frozenset()
    in_flight: bool = False
    answered: set[Where] = field(default_factory=set)
    answered_chats: set[ChatId] = field(default_factory=set)

    def was_answered(self, where: Where) -> bool:
        return where in self.answered or where.chat in self.answered_chats


class HooksInAnyOrder(RuleBasedStateMachine):
    """People write, Claude reads, answers and ends its turns; hooks get lost, flows come and go."""

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.chat = OutcomesKept()
        self.flows: asyncio.Task[None] | None = None
        self.said: dict[tuple[ChatId, int], Where] = {}
        self.turn = Facts()
        self.ends: list[tuple[frozenset[tuple[ChatId, int]], frozenset[Where], frozenset[ChatId]]] = []
        """For each end of a turn: what its prompt named, and what was answered by then."""
        self.mirrored: set[tuple[ChatId, int]] = set()
        self.checked = 0

        async def make() -> Terminal:
            return Terminal()

        self.terminal = self.runner.run(make())
        self.happens(self._begin())
        self.somebody_wrote([(ANN, None), (TEAM, None), (TEAM, ThreadId("5"))])

    def happens(self, step: Awaitable[object] | None = None) -> None:
        """Let something happen, and all that follows from it."""

        async def go() -> None:
            if step is not None:
                await step
            await self.terminal.clock.advance(5)

        self.runner.run(go())

    @rule(where=st.lists(st.tuples(chats, threads), min_size=1, max_size=3))
    def somebody_writes(self, where: list[tuple[ChatId, ThreadId | None]]) -> None:
        self.somebody_wrote(where)

    def somebody_wrote(self, where: list[tuple[ChatId, ThreadId | None]]) -> None:
        for chat, topic in where:
            thread = topic if chat == TEAM else None
            number = len(self.said) + 1
            self.said[chat, number] = Where(chat, thread)
            self.happens(self.terminal.given(said(number, chat, thread)))

    @rule(chosen=st.frozensets(st.integers(0, 5), min_size=1, max_size=4), strange=st.booleans())
    def a_prompt(self, chosen: frozenset[int], strange: bool) -> None:
        """It names some of the latest messages, which may have been read before, and perhaps one that never was."""
        latest = list(self.said)[::-1]
        named = frozenset(latest[one] for one in chosen if one < len(latest))
        self.turn = Facts(named, in_flight=True)
        tags = [tag(chat, number) for chat, number in named] + [tag(ANN, 777)] * strange
        self.happens(self.terminal.turns.called(PromptSubmitted("\n".join(tags))))

    @rule(chosen=st.frozensets(st.integers(0, 5), min_size=1), answered=st.none() | chats, ends=st.integers(1, 2))
    def a_turn(self, chosen: frozenset[int], answered: ChatId | None, ends: int) -> None:
        """The usual order of things, so that not every example consists of exceptions."""
        self.a_prompt(chosen, strange=False)
        if answered:
            self.a_reaction(answered)
        for again in range(ends):
            self.the_end(again=bool(again))

    @rule()
    def a_prompt_from_the_terminal(self) -> None:
        self.turn = Facts(in_flight=True)
        self.happens(self.terminal.turns.called(PromptSubmitted("typed in the terminal")))

    @rule(chat=chats, thread=threads)
    def a_reply(self, chat: ChatId, thread: ThreadId | None) -> None:
        where = Where(chat, thread if chat == TEAM else None)
        self.turn.answered.add(where)
        self.terminal.turns.answered(where.chat, where.thread)

    @rule(chat=chats)
    def a_reaction(self, chat: ChatId) -> None:
        self.turn.answered_chats.add(chat)
        self.terminal.turns.answered(chat, everywhere=True)

    @rule(again=st.booleans())
    def the_end(self, again: bool) -> None:
        turn = self.turn
        turn.in_flight = False
        self.ends.append((turn.named, frozenset(turn.answered), frozenset(turn.answered_chats)))
        self.happens(self.terminal.turns.called(TurnEnded(f"end {len(self.ends) - 1}", again)))

    @rule()
    def a_tool(self) -> None:
        if not self.turn.in_flight:
            self.turn = Facts(in_flight=True)
        self.happens(self.terminal.turns.called(ToolStarting(BASH)))

    @rule(kind=st.sampled_from(["idle_prompt", "permission_prompt"]))
    def a_notification(self, kind: str) -> None:
        self.turn.in_flight = self.turn.in_flight and kind != "idle_prompt"
        self.happens(self.terminal.turns.called(AttentionWanted("…", kind)))

    @rule(outcome=st.sampled_from([Refused("No."), Uncertain("Who knows?")]))
    def the_next_message_may_not_arrive(self, outcome: SendOutcome) -> None:
        self.chat.will("send", outcome)

    @rule()
    def the_flows_end_or_begin(self) -> None:
        self.happens(self._begin() if self.flows is None else self._end(self.flows))

    async def _begin(self) -> None:
        self.flows = asyncio.create_task(self.terminal.turns.run(self.terminal.store, self.chat))

    async def _end(self, flows: asyncio.Task[None]) -> None:
        flows.cancel()
        await asyncio.wait({flows})
        self.flows = None

    @invariant()
    def every_mirror_was_owed_and_is_the_first_of_its_messages(self) -> None:
        if not hasattr(self, "chat"):
            return
        for message, outcome in self.chat.outcomes[self.checked :]:
            self.checked += 1
            end = int(words(message.body).rpartition(" ")[2])
            where = Where(message.chat, message.thread)
            named, answered, answered_chats = self.ends[end]
            assert where not in answered
            assert where.chat not in answered_chats
            owed = {one for one in named if self.said.get(one) == where} - self.mirrored
            assert owed, f"{where} asked nothing, or had its answer"
            if not isinstance(outcome, Refused):
                self.mirrored |= owed

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            if self.flows is not None:
                self.runner.run(self._end(self.flows))
            self.runner.close()


TestHooksInAnyOrder = HooksInAnyOrder.TestCase
"""MUST T20: no message is mirrored twice, whatever comes twice."""
TestHooksInAnyOrder.settings = settings(max_examples=200, stateful_step_count=25, deadline=None)
