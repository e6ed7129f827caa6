"""Whom a verdict is told when the session that asked has ended: its successor, or nobody."""

from datetime import timedelta

import pytest

from telegram_channel.core.ids import PromptId, SenderId, SessionId
from telegram_channel.core.outgoing import Uncertain
from telegram_channel.core.permission import Behavior, How, Prompt, Verdict
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.memory_tables import MemoryDatabase
from tests.bridge.office import ANN, BOB, REQUEST, Office
from tests.clock import ManualClock
from tests.values import NOON

SHOP, BLOG = "/srv/shop", "/srv/blog"
ALLOWED = [("abcde", Behavior.ALLOW)]
VERDICT = Verdict(Behavior.ALLOW, SenderId(ANN), "Ann", How.BUTTON, NOON)
DOUBT = "so this may not have reached Claude."


class Street:
    """Several processes of one bot, one after the other or side by side."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.clock = ManualClock(NOON)
        self.alive: set[str] = set()
        self.records: dict[str, SessionRecord] = {}

    async def begins(self, name: str, project: str = SHOP, *, polls: bool = False, receives: bool = True) -> Office:
        """A process begins, is listed, and looks round."""
        await self.clock.advance(1)
        office = await Office(self.database, name, self.clock, polls=polls).open()
        office.alive = self.alive
        self.alive.add(name)
        now, pid = self.clock.now(), len(self.records) + 1
        record = SessionRecord(SessionId(name), pid, now, now, name, True, receives=receives, project=project)
        self.records[name] = record
        await office.store.sessions.register(record)
        await office.step()
        await self.clock.advance(1)
        return office

    async def killed(self, office: Office) -> None:
        """It is killed and taken off the list by nobody."""
        office.courier.cancel()
        self.alive.discard(office.session.id)
        await self.clock.advance(1)

    async def leaves(self, office: Office) -> None:
        """It ends in order."""
        await self.killed(office)
        record = self.records[office.session.id]
        await office.store.sessions.leave(record.session, record.pid, self.clock.now())

    async def passes(self, seconds: float, *offices: Office) -> None:
        """Time passes, and these look now and then."""
        for _ in range(int(seconds) // 10):
            await self.clock.advance(10)
            for office in offices:
                await office.step()

    async def untold(self, office: Office, session: str = "asking") -> tuple[Prompt, ...]:
        return await office.store.prompts.untold(SessionId(session))


@pytest.fixture
def street() -> Street:
    return Street()


async def allows(office: Office, prompt: str = "asking-1") -> None:
    """Ann presses a button, and this process takes it."""
    assert await office.press(ANN, f"perm:a:{prompt}") == "Allowed."


ENDS = pytest.mark.parametrize("how", ["killed", "leaves"])


@ENDS
async def test_a_verdict_is_told_to_the_next_session_of_the_project_and_to_no_other(street: Street, how: str) -> None:
    """MUST V47: a verdict is told to the session that asked or to its successor, and to no other."""
    beside = await street.begins("beside")
    asking = await street.begins("asking")
    polling = await street.begins("polling", BLOG, polls=True)
    await asking.ask()
    await getattr(street, how)(asking)
    successor, second = await street.begins("successor"), await street.begins("second")
    await allows(polling)
    for office in (beside, polling, second, successor):
        await office.step()
    assert successor.session.verdicts == ALLOWED
    assert beside.session.verdicts == polling.session.verdicts == second.session.verdicts == []
    await street.passes(1000, beside, polling, second, successor)
    assert successor.session.verdicts == ALLOWED
    assert beside.session.verdicts == polling.session.verdicts == second.session.verdicts == []


@ENDS
async def test_a_successor_that_takes_the_answer_itself_is_told_at_once(street: Street, how: str) -> None:
    asking = await street.begins("asking")
    await asking.ask()
    await getattr(street, how)(asking)
    successor = await street.begins("successor", polls=True)
    await allows(successor)
    assert successor.session.verdicts == ALLOWED
    assert successor.endings()[0][1].endswith(DOUBT)


@ENDS
async def test_what_was_decided_before_the_successor_began_is_told_to_it(street: Street, how: str) -> None:
    asking = await street.begins("asking")
    polling = await street.begins("polling", BLOG, polls=True)
    await asking.ask()
    await getattr(street, how)(asking)
    await allows(polling)
    successor = await street.begins("successor")
    assert successor.session.verdicts == ALLOWED


async def test_a_successor_is_told_as_soon_as_it_is_listed(street: Street) -> None:
    asking = await street.begins("asking", polls=True)
    await asking.ask()
    await asking.store.prompts.settle(PromptId("asking-1"), VERDICT)
    await street.killed(asking)
    successor = await Office(street.database, "successor", street.clock).open()
    successor.alive = street.alive
    street.alive.add("successor")
    await successor.step()
    assert successor.session.verdicts == []
    now = street.clock.now()
    await successor.store.sessions.register(
        SessionRecord(SessionId("successor"), 9, now, now, "shop", True, project=SHOP)
    )
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


async def test_who_saw_the_other_alive_is_no_successor_although_its_last_beat_was_before(street: Street) -> None:
    asking = await street.begins("asking")
    await asking.ask()
    beside = await street.begins("beside", polls=True)
    await street.killed(asking)  # its record says that it was heard of before the other began
    await street.passes(30, beside)
    await allows(beside)
    await street.passes(100, beside)
    assert beside.session.verdicts == []
    assert [ending.endswith(DOUBT) for _, ending in beside.endings()] == [True, True]


async def test_who_began_before_it_was_asked_is_no_successor(street: Street) -> None:
    asking = await street.begins("asking")
    street.alive.discard("asking")  # a look that failed: nobody sees it for a moment
    beside = await street.begins("beside", polls=True)
    street.alive.add("asking")
    await street.clock.advance(5)
    await asking.ask()
    await street.killed(asking)
    await allows(beside)
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
    assert await street.untold(again) == ()


async def test_a_second_successor_is_told_when_the_first_was_killed(street: Street) -> None:
    asking = await street.begins("asking")
    polling = await street.begins("polling", BLOG, polls=True)
    await asking.ask()
    await street.leaves(asking)
    first, second = await street.begins("first"), await street.begins("second")
    await street.killed(first)
    await allows(polling)
    await second.step()
    assert (first.session.verdicts, second.session.verdicts) == ([], ALLOWED)


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
        assert len(await street.untold(polling)) == 1
        await street.passes(60, polling)
        assert await street.untold(polling) == ()
        assert polling.session.verdicts == []
        assert await polling.store.prompts.prune(street.clock.now() + timedelta(1)) == 1

    async def test_nobody_but_whoever_polls_decides_that(self, street: Street) -> None:
        asking = await street.begins("asking")
        standby = await street.begins("standby", BLOG)
        await asking.ask()
        await asking.store.prompts.settle(PromptId("asking-1"), VERDICT)
        await street.killed(asking)
        await street.passes(2000, standby)
        assert len(await street.untold(standby)) == 1

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
        assert await street.untold(polling) == ()

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
        assert await street.untold(next_one) == ()
        assert next_one.session.verdicts == []

    async def test_a_card_that_still_shows_buttons_keeps_its_doubt_until_it_is_closed(self, street: Street) -> None:
        asking = await street.begins("asking")
        polling = await street.begins("polling", BLOG, polls=True)
        await asking.ask()
        await street.leaves(asking)
        polling.chat.will("edit", *[Uncertain("The connection broke.")] * 8)
        await allows(polling)
        await street.passes(900, polling)
        assert len(await street.untold(polling)) == 1
        await street.passes(4000, polling)
        assert polling.endings()[-1][1].endswith(DOUBT)
        assert await street.untold(polling) == ()

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
            assert await street.untold(polling) == ()


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
