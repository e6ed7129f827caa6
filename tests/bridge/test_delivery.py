"""From the inbox into the session: in order, EMITTED only when the client's pipe has it, once more, then a notice."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.admin import remove
from telegram_channel.bridge.delivery import Delivery, DeliveryRules
from telegram_channel.core.access import AccessState, Role, Sender, with_sender
from telegram_channel.core.ids import BotId, EntryId, SenderId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Intake, Move, RedeliveryRules
from telegram_channel.errors import StateUnwritable
from telegram_channel.storage.memory import MemoryDatabase, MemoryStore
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.session import RecordingSession
from tests.values import entry, message, photo
from tests.waiting import eventually, running

RULES = DeliveryRules(redelivery=RedeliveryRules(redeliver_after_s=100))


@dataclass
class World:
    """One process with its session, on a store that another process may share."""

    store: MemoryStore
    session: RecordingSession
    chat: RecordingChat
    clock: ManualClock
    activity: Activity
    delivery: Delivery

    async def receive(self, *texts: str) -> None:
        """Store messages as intake would."""
        for text in texts:
            number = len(self.entries) + 1
            to = self.session.id
            one = entry(message(text, number), number, entry=EntryId(0), stored_at=self.clock.now(), session=to)
            await self.store.inbox.ingest(Intake((one,), seen=(one.update,)), one.update)

    @property
    def entries(self) -> list[InboxEntry]:
        """Every entry, in order."""
        return list(self.store.tables.inbox.values())

    def states_are(self, *states: str) -> bool:
        """Whether the entries are in these states, in order."""
        return [one.state.value for one in self.entries] == list(states)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass and everybody look again."""
        await self.clock.advance(seconds)
        self.store.changed()


def world(database: MemoryDatabase | None = None, session: str = "session-1") -> World:
    clock = ManualClock()
    store = MemoryStore(BotId("900"), database, clock.now)
    ann = Sender(SenderId("1001"), Role.SENDER, "Ann", clock.now(), "allow", welcomed=True)
    store.tables.book = with_sender(AccessState(), ann)
    recorder, chat, activity = RecordingSession(session), RecordingChat(), Activity(clock)
    return World(store, recorder, chat, clock, activity, Delivery(store, recorder, chat, clock, activity, RULES))


async def test_messages_reach_the_session_in_the_order_they_were_received() -> None:
    """MUST D1: messages of a chat reach the session in order."""
    here = world()
    await here.receive("one", "two", "three")
    async with running(here.delivery.run()):
        await eventually(lambda: len(here.session.events) == 3)
        await here.receive("four")
        await eventually(lambda: len(here.session.events) == 4)
    assert here.session.contents == ["one", "two", "three", "four"]


async def test_nothing_is_given_before_the_session_is_ready() -> None:
    """MUST C14: events are emitted only when the client has had the time to begin listening."""
    here = world()
    here.session.is_ready.clear()
    await here.receive("one")
    async with running(here.delivery.run()):
        await here.clock.settle()
        assert here.session.events == []
        here.session.is_ready.set()
        await eventually(lambda: here.session.contents == ["one"])


async def test_an_event_counts_as_emitted_only_when_the_clients_pipe_has_it() -> None:
    """MUST D3: EMITTED means that the client's pipe has it."""
    here = world()
    here.session.reads.clear()
    await here.receive("one")
    async with running(here.delivery.run()):
        await eventually(lambda: here.session.contents == ["one"])
        await here.clock.settle()
        assert here.states_are("stored")
        here.session.reads.set()
        await eventually(lambda: here.states_are("emitted"))
    assert here.session.contents == ["one"]


async def test_a_new_process_gives_again_what_was_not_proven() -> None:
    """MUST D4: a new handshake gives unproven events again, once, and says so."""
    database = MemoryDatabase()
    first, second, third = (world(database) for _ in range(3))
    await first.receive("one", "two")
    async with running(first.delivery.run()):
        await eventually(lambda: first.states_are("emitted", "emitted"))
    await first.store.inbox.advance([Move((first.entries[0].entry,), (DeliveryState.EMITTED,), DeliveryState.READ)])
    async with running(second.delivery.run()):
        await eventually(lambda: second.session.contents == ["two"])
        await eventually(lambda: second.states_are("read", "emitted"))
    assert second.session.events[0].meta["redelivered"] == "true"
    async with running(third.delivery.run()):
        await third.clock.settle()
    assert third.session.events == []


async def test_each_process_delivers_what_is_for_its_own_session_and_nothing_else() -> None:
    """MUST D23: a message reaches the session it is for, and no other."""
    database = MemoryDatabase()
    here, there = world(database), world(database, "session-2")
    nobody = entry(message("for nobody yet", 90), 90, entry=EntryId(0))
    await here.store.inbox.ingest(Intake((nobody,), seen=(nobody.update,)), nobody.update)
    await here.receive("one")
    await there.receive("two")
    await here.receive("three")
    async with running(here.delivery.run(), there.delivery.run()):
        await eventually(lambda: here.states_are("stored", "emitted", "emitted", "emitted"))
        for _ in range(3):
            await here.pass_time(20)
    assert here.session.contents == ["one", "three"]
    assert there.session.contents == ["two"]


async def test_what_another_session_did_not_read_is_its_own_business() -> None:
    """MUST D24: a process neither repeats nor gives up what another session was given."""
    database = MemoryDatabase()
    gone, here = world(database, "session-2"), world(database)
    await gone.receive("for another")
    async with running(gone.delivery.run()):
        await eventually(lambda: gone.states_are("emitted"))
    async with running(here.delivery.run()):
        for _ in range(5):
            await here.pass_time(101)
            await here.clock.settle()
    assert here.session.events == []
    assert here.chat.sent == []
    assert here.states_are("emitted")


async def test_an_idle_session_is_given_an_event_once_more_and_then_the_chat_is_told_once() -> None:
    """MUST D5: without proof of reading an event is given once more, then the chat is told once."""
    here = world()
    await here.receive("hello?")
    async with running(here.delivery.run()):
        await eventually(lambda: here.states_are("emitted"))
        await here.pass_time(101)
        await eventually(lambda: here.session.contents == ["hello?", "hello?"])
        await eventually(lambda: here.states_are("emitted"))
        assert here.chat.sent == []
        await here.pass_time(101)
        await eventually(lambda: len(here.chat.sent) == 1)
        for _ in range(3):
            await here.pass_time(101)
    assert here.session.contents == ["hello?", "hello?"]
    assert "--channels" in here.chat.texts("1001")[0]
    assert len(here.chat.sent) == 1


async def test_what_was_never_read_expires_a_day_after_the_notice_and_later_messages_get_theirs() -> None:
    here = world()
    await here.receive("hello?")
    async with running(here.delivery.run()):
        await eventually(lambda: here.states_are("emitted"))
        await here.pass_time(101)
        await eventually(lambda: len(here.session.events) == 2 and here.states_are("emitted"))
        await here.pass_time(101)
        await eventually(lambda: here.entries[0].noticed)
        await here.receive("and now?")
        await eventually(lambda: here.states_are("emitted", "emitted"))
        await here.pass_time(101)
        await eventually(lambda: here.session.contents[-1] == "and now?" and len(here.session.events) == 4)
        await here.pass_time(24 * 3600)
        await eventually(lambda: here.states_are("expired", "emitted"))


async def test_a_busy_session_is_left_alone() -> None:
    """MUST D6: nothing is given again while the session is at work."""
    here = world()
    await here.receive("hello?")
    async with running(here.delivery.run()):
        await eventually(lambda: here.states_are("emitted"))
        with here.activity.ongoing():
            await here.pass_time(500)
            await here.clock.settle()
        await here.pass_time(99)
        await here.clock.settle()
        assert here.session.contents == ["hello?"]
        await here.pass_time(2)
        await eventually(lambda: here.session.contents == ["hello?", "hello?"])


async def test_a_full_disk_delays_delivery_and_loses_nothing() -> None:
    """MUST D7: a full disk delays; it loses nothing."""
    here = world()
    await here.receive("one")
    here.store.fault = StateUnwritable("The disk is full.")
    async with running(here.delivery.run()):
        await here.clock.settle()
        here.store.fault = None
        await here.clock.advance(2)
        await eventually(lambda: here.session.contents == ["one"])


async def test_an_entry_that_cannot_become_an_event_does_not_hold_up_the_next() -> None:
    """MUST D8: an entry that cannot be delivered blocks nothing and is reported."""
    here = world()
    await here.receive("bad", "good")
    first = here.entries[0]
    broken = replace(message(), details={"a key the client would drop": "x"})
    here.store.tables.inbox[first.entry] = replace(first, inbound=broken)
    async with running(here.delivery.run()):
        await eventually(lambda: here.session.contents == ["good"])
        await eventually(lambda: here.states_are("quarantined", "emitted"))


@pytest.mark.parametrize("count", [1, 450])
async def test_a_backlog_is_given_completely(count: int) -> None:
    here = world()
    for number in range(1, count + 1):
        one = entry(message(str(number), number), number, entry=EntryId(0), session=here.session.id)
        await here.store.inbox.ingest(Intake((one,), seen=(one.update,)), one.update)
    async with running(here.delivery.run()):
        await eventually(lambda: len(here.session.events) >= count)
    assert here.session.contents == [str(number) for number in range(1, count + 1)]


async def test_somebody_who_was_put_out_is_not_heard_afterwards_and_is_told_nothing() -> None:
    """MUST A9: outbound is decided by the same book as inbound."""
    here = world()
    await here.receive("given before")
    async with running(here.delivery.run()):
        await eventually(lambda: here.states_are("emitted"))
        here.session.is_ready.clear()
    await here.receive("still waiting")
    await remove(here.store.access, SenderId("1001"), here.clock.now())
    here.session.is_ready.set()
    async with running(here.delivery.run()):
        await eventually(lambda: here.entries[1].state is DeliveryState.EXPIRED)
        for _ in range(3):
            await here.pass_time(101)
            await here.clock.settle()
    assert here.session.contents[0] == "given before"
    assert "still waiting" not in here.session.contents
    assert here.chat.sent == []


async def test_a_text_passes_any_number_of_photos_that_wait_for_their_files() -> None:
    """MUST I15: a message is never delayed by another message's download."""
    here = world()
    for number in range(1, 302):
        said = message("", number, attachment=photo(number)) if number < 301 else message("a text", number)
        one = entry(said, number, entry=EntryId(0), stored_at=here.clock.now(), session=here.session.id)
        await here.store.inbox.ingest(Intake((one,), seen=(one.update,)), one.update)
    async with running(here.delivery.run()):
        await eventually(lambda: here.session.contents == ["a text"])


def before_the_next_write(here: World, happens: Callable[[], Awaitable[object]]) -> None:
    """What another process does right before this one writes next: what this one has read is old by then."""
    advance = here.store.inbox.advance

    async def later(moves: Sequence[Move], *, durable: bool = True) -> int:
        here.store.inbox.advance = advance  # type: ignore[method-assign]  # once
        await happens()
        return await advance(moves, durable=durable)

    here.store.inbox.advance = later  # type: ignore[method-assign]  # the real one, a moment later


async def test_what_was_directed_to_another_session_meanwhile_is_given_by_that_one_alone() -> None:
    """MUST D27: a session is given nothing that was directed to another before it was begun to be given."""
    database = MemoryDatabase()
    here, there = world(database), world(database, "session-2")
    await here.receive("one", "two", "three")
    ids = [one.entry for one in here.entries]

    async def handed_over() -> None:
        await there.store.inbox.advance([Move((ids[1],), (DeliveryState.STORED,), session=there.session.id)])

    before_the_next_write(here, handed_over)
    async with running(here.delivery.run(), there.delivery.run()):
        await eventually(lambda: here.states_are("emitted", "emitted", "emitted"))
    assert here.session.contents == ["one", "three"]
    assert there.session.contents == ["two"]
    assert not any("redelivered" in event.meta for event in (*here.session.events, *there.session.events))


async def test_of_a_backlog_only_what_was_taken_away_is_left_out() -> None:
    database = MemoryDatabase()
    here, there = world(database), world(database, "session-2")
    await here.receive(*(f"{number}" for number in range(450)))
    ids = [one.entry for one in here.entries]

    async def handed_over() -> None:
        await there.store.inbox.advance([Move((ids[7],), (DeliveryState.STORED,), session=there.session.id)])

    before_the_next_write(here, handed_over)
    async with running(here.delivery.run()):
        await eventually(lambda: len(here.session.events) == 449)
    assert here.session.contents == [f"{number}" for number in range(450) if number != 7]


@pytest.mark.parametrize("known", [False, True])
async def test_what_the_session_has_is_its_own_wherever_it_was_directed_meanwhile(known: bool) -> None:
    """MUST D28: what a session was given is marked as given to it, and given to no other."""
    database = MemoryDatabase()
    here, there = world(database), world(database, "session-2")
    await here.receive("one")
    [one] = here.entries
    if known:  # it is given for the second time
        again = Move((one.entry,), (DeliveryState.STORED,), emitted_at=here.clock.now(), redelivered=True)
        await here.store.inbox.advance([again])
    here.session.reads.clear()
    async with running(here.delivery.run()):
        await eventually(lambda: here.session.contents == ["one"])
        await there.store.inbox.advance([Move((one.entry,), (DeliveryState.STORED,), session=there.session.id)])
        here.session.reads.set()
        await eventually(lambda: here.states_are("emitted"))
        async with running(there.delivery.run()):
            await there.clock.settle()
    assert (here.entries[0].session, there.session.events) == (here.session.id, [])


@pytest.mark.parametrize(("redelivered", "noticed"), [(False, False), (True, False), (True, True)])
async def test_what_another_session_has_by_now_is_neither_repeated_nor_noticed_nor_given_up(
    redelivered: bool, noticed: bool
) -> None:
    database = MemoryDatabase()
    here, there = world(database), world(database, "session-2")
    await here.receive("one")
    async with running(here.delivery.run()):
        await eventually(lambda: here.states_are("emitted"))
        [one] = here.entries
        emitted = (DeliveryState.EMITTED,)
        await here.store.inbox.advance([Move((one.entry,), emitted, redelivered=redelivered, noticed=noticed)])

        async def handed_over() -> None:
            to = there.session.id
            await there.store.inbox.advance([Move((one.entry,), emitted, session=to, noticed=False)])

        before_the_next_write(here, handed_over)
        await here.pass_time(24 * 3600 + 1)
        await here.clock.settle()
    [after] = here.entries
    assert (after.state, after.session, after.noticed) == (DeliveryState.EMITTED, there.session.id, False)
    assert here.session.contents == ["one"]
