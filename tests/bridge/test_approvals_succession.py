"""Whom a verdict is told when the session that asked has ended: its successor, or nobody."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from telegram_channel.bridge.roster import Roster
from telegram_channel.core.ids import BotId, PromptId, SenderId, SessionId
from telegram_channel.core.outgoing import Uncertain
from telegram_channel.core.permission import Behavior, How, Prompt, Verdict
from telegram_channel.ports import EndedSession, SessionRecord
from telegram_channel.storage.memory import MemorySessions, MemoryStore
from telegram_channel.storage.memory_tables import MemoryDatabase
from tests.bridge.office import ANN, BOB, REQUEST, Office
from tests.clock import ManualClock
from tests.values import NOON

SHOP, BLOG = "/srv/shop", "/srv/blog"
ALLOWED = [("abcde", Behavior.ALLOW)]
VERDICT = Verdict(Behavior.ALLOW, SenderId(ANN), "Ann", How.BUTTON, NOON)
DOUBT = "so this may not have reached Claude."


class Street:
    """Several processes of one bot, one after the other or side by side, and whoever notices that one was killed."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.clock = ManualClock(NOON)
        self.store = MemoryStore(BotId("900"), self.database, self.clock.now)
        self.alive: set[str] = set()
        self.records: dict[str, SessionRecord] = {}
        self.pids = count(1)
        self.roster = Roster(self.store, self.clock, lambda one: one.session in self.alive)

    async def begins(self, name: str, project: str = SHOP, *, polls: bool = False, receives: bool = True) -> Office:
        """A process begins, is listed, and looks round."""
        await self.clock.advance(1)
        office = await Office(self.database, name, self.clock, polls=polls).open()
        office.alive = self.alive
        now, pid = self.clock.now(), next(self.pids)
        self.records[name] = SessionRecord(SessionId(name), pid, now, now, name, True, receives, project)
        await self.is_listed(name)
        await office.step()
        await self.clock.advance(1)
        return office

    async def is_listed(self, name: str) -> None:
        """It is put on the list, or finds that it is not and comes back."""
        self.alive.add(name)
        await self.store.sessions.register(replace(self.records[name], last_seen_at=self.clock.now()))

    async def killed(self, office: Office) -> None:
        """It is killed. It stays on the list until somebody notices."""
        office.courier.cancel()
        self.alive.discard(office.session.id)
        await self.clock.advance(1)

    async def leaves(self, office: Office) -> None:
        """It ends in order."""
        await self.killed(office)
        record = self.records[office.session.id]
        await self.store.sessions.leave(record.session, record.pid, self.clock.now())

    async def passes(self, seconds: float, *offices: Office) -> None:
        """Time passes, and these look now and then."""
        for _ in range(int(seconds) // 10):
            await self.clock.advance(10)
            await self.roster.retire(await self.store.sessions.list(), 10)
            for office in offices:
                await office.step()

    async def untold(self, session: str = "asking") -> tuple[Prompt, ...]:
        return await self.store.prompts.untold(SessionId(session))


@pytest.fixture
def street() -> Street:
    return Street()


async def allows(office: Office, prompt: str = "asking-1") -> None:
    """Ann presses a button, and this process takes it."""
    assert await office.press(ANN, f"perm:a:{prompt}") == "Allowed."


NOTICED_S = 20
"""After so long whoever was killed is off the list."""
ENDS = pytest.mark.parametrize(("how", "known_after_s"), [("leaves", 0), ("killed", NOTICED_S)])


@ENDS
async def test_a_verdict_is_told_to_the_next_session_of_the_project_and_to_no_other(
    street: Street, how: str, known_after_s: float
) -> None:
    """MUST V47: a verdict is told to the session that asked or to its successor, and to no other."""
    beside = await street.begins("beside")
    asking = await street.begins("asking")
    polling = await street.begins("polling", BLOG, polls=True)
    await asking.ask()
    await getattr(street, how)(asking)
    successor, second = await street.begins("successor"), await street.begins("second")
    await allows(polling)
    others = beside, polling, second
    for office in (*others, successor):
        await office.step()
    await street.passes(known_after_s, *others, successor)
    assert successor.session.verdicts == ALLOWED
    assert [office.session.verdicts for office in others] == [[], [], []]
    await street.passes(1000, *others, successor)
    assert successor.session.verdicts == ALLOWED
    assert [office.session.verdicts for office in others] == [[], [], []]


@ENDS
async def test_a_successor_that_takes_the_answer_itself_is_told_as_soon_as_it_is_known_to_be_one(
    street: Street, how: str, known_after_s: float
) -> None:
    asking = await street.begins("asking")
    await asking.ask()
    await getattr(street, how)(asking)
    successor = await street.begins("successor", polls=True)
    await allows(successor)
    await street.passes(known_after_s, successor)
    assert successor.session.verdicts == ALLOWED
    assert successor.endings()[0][1].endswith(DOUBT)


@ENDS
async def test_what_was_decided_before_the_successor_began_is_told_to_it(
    street: Street, how: str, known_after_s: float
) -> None:
    asking = await street.begins("asking")
    polling = await street.begins("polling", BLOG, polls=True)
    await asking.ask()
    await getattr(street, how)(asking)
    await allows(polling)
    await street.passes(known_after_s, polling)
    successor = await street.begins("successor")
    assert successor.session.verdicts == ALLOWED


async def test_killed_between_taking_the_answer_and_telling_it(street: Street) -> None:
    """Nobody polls, and the verdict is told all the same, once the successor is listed."""
    asking = await street.begins("asking", polls=True)
    await asking.ask()
    await street.store.prompts.settle(PromptId("asking-1"), VERDICT)
    await street.killed(asking)
    await street.passes(NOTICED_S)
    successor = await Office(street.database, "successor", street.clock).open()
    await successor.step()
    assert successor.session.verdicts == []
    now = street.clock.now()
    await street.store.sessions.register(
        SessionRecord(SessionId("successor"), 9, now, now, "shop", True, project=SHOP)
    )
    await successor.step()
    await successor.step()
    assert successor.session.verdicts == ALLOWED


@pytest.mark.parametrize(("project", "receives"), [(BLOG, True), ("", True), (f"{SHOP}/api", True), (SHOP, False)])
async def test_a_session_of_another_project_or_that_takes_no_messages_is_no_successor(
    street: Street, project: str, receives: bool
) -> None:
    asking = await street.begins("asking")
    await asking.ask()
    await street.leaves(asking)
    other = await street.begins("other", project, polls=True, receives=receives)
    await allows(other)
    await street.passes(100, other)
    assert other.session.verdicts == []


async def test_a_session_that_takes_no_messages_is_not_in_the_way_of_the_successor(street: Street) -> None:
    asking = await street.begins("asking")
    await asking.ask()
    await street.leaves(asking)
    await street.begins("a script", receives=False)
    successor = await street.begins("successor", polls=True)
    await allows(successor)
    assert successor.session.verdicts == ALLOWED


async def test_of_a_session_whose_project_is_not_known_nobody_is_the_successor(street: Street) -> None:
    asking = await street.begins("asking", "")
    await asking.ask()
    await street.leaves(asking)
    other = await street.begins("other", "", polls=True)
    await allows(other)
    assert other.session.verdicts == []


class TestBeside:
    """Who was there before the other ended was told nothing by its client, and is told nothing by ours."""

    @ENDS
    @pytest.mark.parametrize("asks", ["before", "after"])
    async def test_who_ran_beside_is_no_successor_although_the_last_beat_was_before(
        self, street: Street, how: str, known_after_s: float, asks: str
    ) -> None:
        asking = await street.begins("asking")  # it is not heard of again
        if asks == "before":
            await asking.ask()
        beside = await street.begins("beside", polls=True)
        await street.passes(30, beside)
        if asks == "after":
            await asking.ask()
        await getattr(street, how)(asking)
        await street.passes(known_after_s, beside)
        await allows(beside)
        await street.passes(100, beside)
        assert beside.session.verdicts == []
        assert [ending.endswith(DOUBT) for _, ending in beside.endings()] == [True, True]

    @ENDS
    @pytest.mark.parametrize("answered", ["before", "after"])
    async def test_nor_is_it_after_its_server_was_restarted_but_the_next_one_is(
        self, street: Street, how: str, known_after_s: float, answered: str
    ) -> None:
        """A new process of an old session is not the next session of the project."""
        beside = await street.begins("beside")
        polling = await street.begins("polling", BLOG, polls=True)
        asking = await street.begins("asking")
        await asking.ask()
        await street.passes(30, polling)
        await getattr(street, how)(asking)
        await street.passes(known_after_s, polling)
        if answered == "before":
            await allows(polling)
        await getattr(street, how)(beside)
        again = await street.begins("beside")
        if answered == "after":
            await allows(polling)
        await street.passes(60, again, polling)
        assert beside.session.verdicts == again.session.verdicts == []
        successor = await street.begins("successor")
        await street.passes(60, again, polling, successor)
        assert (again.session.verdicts, successor.session.verdicts) == ([], ALLOWED)

    async def test_nor_is_one_that_had_ended_before_and_came_back(self, street: Street) -> None:
        older = await street.begins("older")
        asking = await street.begins("asking")
        await asking.ask()
        await street.leaves(older)
        await street.leaves(asking)
        older = await street.begins("older", polls=True)
        await allows(older)
        await street.passes(60, older)
        assert older.session.verdicts == []

    async def test_who_was_taken_off_the_list_by_mistake_and_is_back_has_no_successor(self, street: Street) -> None:
        asking = await street.begins("asking")
        street.alive.discard("asking")  # a look that failed
        await street.passes(NOTICED_S)
        beside = await street.begins("beside", polls=True)
        assert [one.heir for one in await street.store.sessions.ended()] == ["beside"]
        await street.is_listed("asking")
        await asking.ask()
        await allows(beside)
        await street.passes(30, beside)
        await street.killed(asking)
        await street.passes(100, beside)
        assert beside.session.verdicts == []


async def test_a_session_that_comes_back_finds_the_verdict_that_its_successor_was_told(street: Street) -> None:
    asking = await street.begins("asking")
    polling = await street.begins("polling", BLOG, polls=True)
    await asking.ask()
    await street.leaves(asking)
    successor = await street.begins("successor")
    await allows(polling)
    await street.passes(20, successor, polling)
    assert successor.session.verdicts == ALLOWED
    again = await street.begins("asking")
    assert again.session.verdicts == ALLOWED
    await street.passes(1000, successor, polling, again)
    assert len(again.session.verdicts) == len(successor.session.verdicts) == 1
    assert await street.untold() == ()


@ENDS
async def test_the_last_of_a_line_of_successors_is_told(street: Street, how: str, known_after_s: float) -> None:
    asking = await street.begins("asking")
    polling = await street.begins("polling", BLOG, polls=True)
    await asking.ask()
    await getattr(street, how)(asking)
    await street.passes(known_after_s)
    first = await street.begins("first")
    await street.passes(30)
    beside = await street.begins("beside")
    await street.passes(30)
    await getattr(street, how)(first)
    await street.passes(known_after_s)
    await allows(polling)
    await street.passes(30, polling, beside)
    second = await street.begins("second")
    await street.passes(30, polling, beside, second)
    assert second.session.verdicts == ALLOWED
    assert first.session.verdicts == beside.session.verdicts == polling.session.verdicts == []


@pytest.mark.parametrize(("gone_for_s", "told"), [(590, ALLOWED), (600, [])])
async def test_ten_minutes_after_its_end_nobody_waits_for_what_a_session_asked(
    street: Street, gone_for_s: float, told: list[tuple[str, Behavior]]
) -> None:
    asking = await street.begins("asking")
    await asking.ask()
    await street.store.prompts.settle(PromptId("asking-1"), VERDICT)
    await street.leaves(asking)
    await street.passes(gone_for_s)
    successor = await street.begins("successor")
    await street.passes(60, successor)
    assert successor.session.verdicts == told
    assert len(await street.untold()) == 1


class CountedSessions(MemorySessions):
    """Counts how often it is asked who has ended."""

    reads = 0

    async def ended(self) -> tuple[EndedSession, ...]:
        self.reads += 1
        return await super().ended()


async def test_where_no_other_session_is_owed_a_verdict_the_ended_ones_are_not_read(street: Street) -> None:
    asking = await street.begins("asking")
    await street.leaves(asking)
    successor = await street.begins("successor")
    successor.store.sessions = counted = CountedSessions(successor.store)
    await successor.ask()
    await successor.store.prompts.settle(PromptId("successor-1"), VERDICT)
    await street.passes(100, successor)
    assert (successor.session.verdicts, counted.reads) == (ALLOWED, 0)


class TestTheEnd:
    """What a session that is gone has left is over ten minutes later, wherever somebody was killed."""

    async def test_a_verdict_that_could_be_told_to_nobody_counts_as_told_in_the_end(self, street: Street) -> None:
        """MUST V48: a verdict that can be told to nobody is owed for ten minutes, not for ever."""
        asking = await street.begins("asking")
        polling = await street.begins("polling", BLOG, polls=True)
        await asking.ask()
        await street.leaves(asking)
        await polling.step()
        await allows(polling)
        await street.passes(570, polling)
        assert len(await street.untold()) == 1
        await street.passes(60, polling)
        assert await street.untold() == ()
        assert polling.session.verdicts == []
        assert await polling.store.prompts.prune(street.clock.now() + timedelta(1)) == 1

    async def test_nobody_but_whoever_polls_decides_that(self, street: Street) -> None:
        asking = await street.begins("asking")
        standby = await street.begins("standby", BLOG)
        await asking.ask()
        await asking.store.prompts.settle(PromptId("asking-1"), VERDICT)
        await street.killed(asking)
        await street.passes(2000, standby)
        assert len(await street.untold()) == 1

    @pytest.mark.parametrize("remembered", [True, False])
    async def test_killed_between_the_answer_and_telling_it(self, street: Street, remembered: bool) -> None:
        """The cards show the outcome already, and nothing but the ended session leads to the prompt."""
        asking = await street.begins("asking")
        polling = await street.begins("polling", BLOG, polls=True)
        asking.session.reads.clear()
        await asking.ask()
        await allows(polling)
        assert (await polling.prompt()).cards_closed
        await (street.leaves if remembered else street.killed)(asking)
        await street.passes(700, polling)
        assert await street.untold() == ()

    async def test_whoever_polls_is_killed_before_it_could_close_anything(self, street: Street) -> None:
        asking = await street.begins("asking")
        polling = await street.begins("polling", BLOG, polls=True)
        await asking.ask()
        await street.killed(asking)
        await polling.store.prompts.settle(PromptId("asking-1"), VERDICT)
        await street.killed(polling)
        next_one = await street.begins("next", BLOG, polls=True)
        assert next_one.session.verdicts == []
        await street.passes(30, next_one)
        assert sorted(chat for chat, _ in next_one.endings()) == [ANN, BOB]
        await street.passes(700, next_one)
        assert await street.untold() == ()
        assert next_one.session.verdicts == []

    async def test_a_card_that_still_shows_buttons_keeps_its_doubt_until_it_is_closed(self, street: Street) -> None:
        asking = await street.begins("asking")
        polling = await street.begins("polling", BLOG, polls=True)
        await asking.ask()
        await street.leaves(asking)
        polling.chat.will("edit", *[Uncertain("The connection broke.")] * 8)
        await allows(polling)
        await street.passes(900, polling)
        assert len(await street.untold()) == 1
        await street.passes(4000, polling)
        assert polling.endings()[-1][1].endswith(DOUBT)
        assert await street.untold() == ()

    async def test_what_is_open_is_closed_and_takes_no_answer(self, street: Street) -> None:
        asking = await street.begins("asking")
        polling = await street.begins("polling", BLOG, polls=True)
        await asking.ask()
        await street.leaves(asking)
        await street.passes(640, polling)
        assert {line for _, line in polling.endings()} == {"The session ended before anyone answered."}
        assert (await polling.press(ANN, "perm:a:asking-1")).startswith("!Too late")

    async def test_a_session_that_came_back_meanwhile_is_not_over(self, street: Street) -> None:
        asking = await street.begins("asking")
        polling = await street.begins("polling", BLOG, polls=True)
        await asking.ask()
        await street.leaves(asking)
        await street.passes(500, polling)
        again = await street.begins("asking")
        await street.passes(500, polling, again)
        await allows(polling)
        await again.step()
        assert again.session.verdicts == ALLOWED

    async def test_a_session_that_ends_twice_is_let_go_of_twice(self, street: Street) -> None:
        polling = await street.begins("polling", BLOG, polls=True)
        for number in (1, 2):
            asking = await street.begins("asking")
            prompt = Prompt(PromptId(f"p{number}"), asking.session.id, REQUEST, street.clock.now())
            await asking.store.prompts.open(prompt)
            await asking.store.prompts.settle(prompt.prompt, VERDICT)
            await street.leaves(asking)
            await street.passes(700, polling)
            assert await street.untold() == ()


async def test_a_prompt_of_a_session_that_is_gone_is_not_replaced_by_one_with_the_same_letters(
    street: Street,
) -> None:
    asking = await street.begins("asking")
    polling = await street.begins("polling", BLOG, polls=True)
    await asking.ask()
    await street.leaves(asking)
    await street.passes(60, polling)
    await polling.ask()
    assert len(await polling.store.prompts.open_prompts()) == 2
    await allows(polling)
    assert polling.session.verdicts == []
    await allows(polling, "polling-1")
    assert polling.session.verdicts == ALLOWED
