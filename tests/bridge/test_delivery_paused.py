"""While a pause stands nothing is given to the session; afterwards everything is, in order."""

import pytest

from telegram_channel.bridge.delivery import Delivery
from telegram_channel.core.access import AccessState, Role, Sender, with_sender, without_sender
from telegram_channel.core.ids import ChatId, EntryId, MessageId, SenderId, SessionId
from telegram_channel.core.inbox import DeliveryState, Intake
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind
from telegram_channel.storage.memory import MemoryDatabase
from tests.bridge.test_delivery import RULES, World, world
from tests.values import entry, message
from tests.waiting import eventually, running

SESSION = SessionId("session-1")
HELD = "⏸ Bob paused this: your message is kept and held back"


async def pause(here: World, session: SessionId = EVERY_SESSION, number: int = 900) -> None:
    order = Order(
        OrderKind.PAUSE,
        session,
        SenderId("1002"),
        "Bob",
        here.clock.now(),
        ChatId("1002"),
        MessageId(str(number)),
        answered=True,
    )
    await here.store.orders.give(order)


async def resume(here: World, session: SessionId = EVERY_SESSION) -> None:
    assert await here.store.orders.lift(OrderKind.PAUSE, session, "1002", here.clock.now())


def let_in(here: World, *people: str) -> None:
    state = AccessState()
    for one in people:
        state = with_sender(state, Sender(SenderId(one), Role.SENDER, one, here.clock.now(), "allow", welcomed=True))
    here.store.tables.book = state


async def receive_from(here: World, sender: str, text: str, number: int) -> None:
    one = entry(
        message(text, number, sender=sender, chat=sender),
        number,
        entry=EntryId(0),
        stored_at=here.clock.now(),
        session=here.session.id,
    )
    await here.store.inbox.ingest(Intake((one,), seen=(one.update,)), one.update)


@pytest.mark.parametrize("session", [EVERY_SESSION, SESSION])
async def test_a_pause_holds_back_and_its_end_releases_everything_in_order(session: SessionId) -> None:
    """MUST B16: while a pause stands nothing is given to the session; afterwards everything is, in order."""
    here = world()
    async with running(here.delivery.run()):
        await here.receive("before")
        await eventually(lambda: here.states_are("emitted"))
        await pause(here, session)
        await here.receive("one", "two")
        await here.pass_time(50)
        await here.receive("three")
        await here.clock.settle()
        assert here.session.contents == ["before"]
        assert here.states_are("emitted", "stored", "stored", "stored")
        await resume(here, session)
        await eventually(lambda: here.session.contents == ["before", "one", "two", "three"])
        assert [event.meta.get("redelivered") for event in here.session.events] == [None] * 4


async def test_the_pause_of_another_session_holds_nothing_back() -> None:
    here = world()
    await pause(here, SessionId("another"))
    async with running(here.delivery.run()):
        await here.receive("one")
        await eventually(lambda: here.session.contents == ["one"])


async def test_nothing_is_given_again_while_paused_and_held_messages_are_not_overdue() -> None:
    """MUST B16: while a pause stands nothing is given to the session; afterwards everything is, in order."""
    here = world()
    async with running(here.delivery.run()):
        await here.receive("given before")
        await eventually(lambda: here.states_are("emitted"))
        await pause(here)
        await here.pass_time(101)
        await eventually(lambda: here.states_are("stored"))
        await here.clock.settle()
        assert here.chat.sent == []
        await here.receive("held")
        for _ in range(5):
            await here.pass_time(101)
            await here.clock.settle()
        assert here.session.contents == ["given before"]
        assert len(here.chat.sent) == 1
        assert HELD in here.chat.texts("1001")[0]
        assert here.chat.sent[0].reply_to == "2"
        await resume(here)
        await eventually(lambda: here.session.contents == ["given before", "given before", "held"])
        assert [event.meta.get("redelivered") for event in here.session.events] == [None, "true", None]
        assert not any(one.noticed for one in here.entries)


async def test_each_chat_is_told_once_per_pause() -> None:
    """MUST B17: each chat is told once per pause that its messages are held back."""
    here = world()
    let_in(here, "1001", "1003")
    async with running(here.delivery.run()):
        for number in (1, 2):
            await pause(here, number=number)
            gate = here.chat.hold("1001")  # a slow chat holds up nobody
            for step in range(3):
                await receive_from(here, "1001", "ann", 100 * number + 10 * step)
                await receive_from(here, "1003", "sam", 100 * number + 10 * step + 1)
                await here.clock.settle()
            gate.set()
            await resume(here)
            await eventually(lambda n=number: len(here.session.events) == 6 * n)  # type: ignore[misc]  # mypy does not infer lambdas with defaults
    assert [(one.chat, one.reply_to) for one in here.chat.sent] == [
        ("1001", "100"),
        ("1003", "101"),
        ("1001", "200"),
        ("1003", "201"),
    ]


async def test_a_chat_behind_many_others_messages_is_told_as_well() -> None:
    here = world()
    let_in(here, "1001", "1003")
    await pause(here)
    for number in range(1, 302):
        await receive_from(here, "1001" if number < 301 else "1003", str(number), number)
    async with running(here.delivery.run()):
        await eventually(lambda: [one.chat for one in here.chat.sent] == ["1001", "1003"])
        await resume(here)
        await eventually(lambda: len(here.session.events) == 301)
    assert here.session.contents == [str(number) for number in range(1, 302)]


async def test_a_restart_under_a_pause_does_not_say_it_again() -> None:
    database = MemoryDatabase()
    first = world(database)
    await pause(first)
    await first.receive("one")
    async with running(first.delivery.run()):
        await eventually(lambda: len(first.chat.sent) == 1)
    await first.clock.advance(5)
    anew = Delivery(first.store, first.session, first.chat, first.clock, first.activity, RULES)
    async with running(anew.run()):
        await first.receive("two")
        await first.clock.settle()
        assert len(first.chat.sent) == 1
        await resume(first)
        await eventually(lambda: first.session.contents == ["one", "two"])


async def test_what_waited_before_the_pause_is_held_back_and_said_so() -> None:
    here = world()
    here.session.is_ready.clear()
    await here.receive("waits for the session")
    await here.clock.advance(5)
    anew = Delivery(here.store, here.session, here.chat, here.clock, here.activity, RULES)
    await here.clock.advance(5)
    await pause(here)
    here.session.is_ready.set()
    async with running(anew.run()):
        await eventually(lambda: len(here.chat.sent) == 1)
    assert here.session.events == []


async def test_somebody_who_was_put_out_during_a_pause_is_neither_heard_nor_told() -> None:
    """MUST A9: outbound is decided by the same book as inbound."""
    here = world()
    await pause(here)
    await here.receive("one")
    here.store.tables.book = without_sender(await here.store.access.read(), SenderId("1001"))
    async with running(here.delivery.run()):
        await eventually(lambda: here.entries[0].state is DeliveryState.EXPIRED)
        await here.clock.settle()
    assert here.chat.sent == []
