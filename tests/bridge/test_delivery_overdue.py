"""What shows no sign of having been read is treated even when the disk was full at that moment."""

from collections.abc import Sequence

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.delivery import Delivery, DeliveryRules
from telegram_channel.core.access import AccessState, Role, Sender, with_sender
from telegram_channel.core.ids import BotId, EntryId, SenderId
from telegram_channel.core.inbox import Intake, Move, RedeliveryRules
from telegram_channel.errors import StateUnwritable
from telegram_channel.storage.memory import MemoryStore
from telegram_channel.storage.memory_inbox import MemoryInbox
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.session import RecordingSession
from tests.values import entry, message
from tests.waiting import eventually, running

RULES = DeliveryRules(redelivery=RedeliveryRules(redeliver_after_s=100))


class FillingInbox(MemoryInbox):
    """Can be read, but not be written to while the disk is full."""

    is_full = False

    async def advance(self, moves: Sequence[Move], *, durable: bool = True) -> int:
        """As on a disk that may be full."""
        if self.is_full:
            raise StateUnwritable("The disk is full.")
        return await super().advance(moves, durable=durable)


async def test_an_event_that_was_overdue_when_the_disk_was_full_is_given_again_afterwards() -> None:
    """MUST D7: a full disk delays; it loses nothing."""
    clock = ManualClock()
    store = MemoryStore(BotId("900"), now=clock.now)
    ann = Sender(SenderId("1001"), Role.SENDER, "Ann", clock.now(), "allow", welcomed=True)
    store.tables.book = with_sender(AccessState(), ann)
    store.inbox = inbox = FillingInbox(store)
    session = RecordingSession("session-1")
    one = entry(message("hello?"), entry=EntryId(0), stored_at=clock.now(), session=session.id)
    await store.inbox.ingest(Intake((one,), seen=(one.update,)), one.update)
    delivery = Delivery(store, session, RecordingChat(), clock, Activity(clock), RULES)
    async with running(delivery.run()):
        await eventually(lambda: [one.state.value for one in store.tables.inbox.values()] == ["emitted"])
        inbox.is_full = True
        await clock.advance(101)
        store.changed()
        await clock.settle()
        assert session.contents == ["hello?"]
        inbox.is_full = False
        await clock.advance(2)
        await eventually(lambda: session.contents == ["hello?", "hello?"])
