"""Whatever the session may have been given before says so, and nothing is given twice without need."""

from datetime import timedelta

from telegram_channel.bridge.delivery import Delivery
from telegram_channel.core.inbox import DeliveryState
from telegram_channel.errors import StateUnwritable
from telegram_channel.storage.memory import MemoryDatabase
from tests.bridge.test_delivery import RULES, World, world
from tests.waiting import eventually, running


def marks(here: World) -> list[tuple[str, bool]]:
    """What the session was given, and whether each says that it may be known."""
    return [(event.content, event.meta.get("redelivered") == "true") for event in here.session.events]


async def test_what_was_being_written_when_the_process_died_is_marked() -> None:
    """MUST D21: every repeat says that it may be one, also after a crash in the middle of a write."""
    database = MemoryDatabase()
    first = world(database)
    first.session.reads.clear()
    await first.receive("one", "two")
    async with running(first.delivery.run()):
        await eventually(lambda: len(first.session.events) == 2)
        assert first.states_are("stored", "stored")
    second = world(database)
    await second.receive("three")
    async with running(second.delivery.run()):
        await eventually(lambda: second.states_are("emitted", "emitted", "emitted"))
    assert marks(second) == [("one", True), ("two", True), ("three", False)]
    # The one redelivery for want of proof is not used up by it.
    assert not any(one.redelivered for one in second.entries)


async def test_a_full_disk_does_not_make_the_session_hear_it_again() -> None:
    """MUST D22: an event that could not be marked as given is not given again for that."""
    here = world()
    here.session.reads.clear()
    await here.receive("one")
    async with running(here.delivery.run()):
        await eventually(lambda: len(here.session.events) == 1)
        here.store.fault = StateUnwritable("The disk is full.")
        here.session.reads.set()
        for _ in range(5):
            await here.pass_time(10)
        here.store.fault = None
        assert here.states_are("stored")
        await here.pass_time(10)
        await eventually(lambda: here.states_are("emitted"))
    assert marks(here) == [("one", False)]


async def test_nothing_is_written_that_could_not_be_marked_before() -> None:
    """MUST D7: a full disk delays; it loses nothing."""
    here = world()
    await here.receive("one")
    here.store.fault = StateUnwritable("The disk is full.")
    async with running(here.delivery.run()):
        await here.pass_time(10)
        assert here.session.events == []
        here.store.fault = None
        await here.pass_time(10)
        await eventually(lambda: here.states_are("emitted"))
    assert marks(here) == [("one", False)]


async def test_flows_that_begin_anew_in_the_same_process_repeat_nothing() -> None:
    """MUST D4: a new handshake gives unproven events again, once, and says so."""
    database = MemoryDatabase()
    here = world(database)
    await here.receive("one")
    async with running(here.delivery.run()):
        await eventually(lambda: here.states_are("emitted"))
    began_at = here.clock.now() - timedelta(seconds=1)
    anew = Delivery(
        *(here.store, here.session, here.chat, here.clock, here.activity, RULES), process_began_at=began_at
    )
    await here.receive("two")
    async with running(anew.run()):
        await eventually(lambda: here.states_are("emitted", "emitted"))
    assert marks(here) == [("one", False), ("two", False)]
    other = world(database)
    async with running(other.delivery.run()):
        await eventually(lambda: len(other.session.events) == 2)
    assert marks(other) == [("one", True), ("two", True)]
    assert all(one.state is DeliveryState.EMITTED for one in other.entries)
