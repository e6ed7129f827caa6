"""Flows that may look a moment later see many changes as one, and never miss any."""

import asyncio

from telegram_channel.bridge.unhurried import Unhurried
from telegram_channel.core.ids import BotId, ChatId
from telegram_channel.storage.memory import MemoryStore
from tests.clock import ManualClock
from tests.waiting import eventually

PAUSE_S = 0.2


def world() -> tuple[MemoryStore, ManualClock, Unhurried]:
    clock = ManualClock()
    store = MemoryStore(BotId("900"), now=clock.now)
    return store, clock, Unhurried(store, clock, PAUSE_S)


async def test_the_present_version_is_told_at_once() -> None:
    store, clock, unhurried = world()
    store.changed()
    assert await unhurried.wait_for_change(-1, 60) == await store.wait_for_change(-1, 0)
    assert clock.naps == []


async def test_many_changes_in_a_row_are_one() -> None:
    store, clock, unhurried = world()
    seen = await unhurried.wait_for_change(-1, 0)
    waiting = asyncio.create_task(unhurried.wait_for_change(seen, 60))
    for _ in range(3):
        store.changed()
        await clock.settle()
    assert not waiting.done()
    await clock.advance(PAUSE_S)
    version = await waiting
    assert version == await store.wait_for_change(-1, 0)
    again = asyncio.create_task(unhurried.wait_for_change(version, 60))
    await clock.advance(PAUSE_S)
    assert not again.done()
    again.cancel()


async def test_a_change_after_the_pause_wakes_again() -> None:
    store, clock, unhurried = world()
    seen = await unhurried.wait_for_change(-1, 0)
    store.changed()
    waiting = asyncio.create_task(unhurried.wait_for_change(seen, 60))
    await clock.advance(PAUSE_S)
    version = await waiting
    store.changed()
    again = asyncio.create_task(unhurried.wait_for_change(version, 60))
    await clock.advance(PAUSE_S)
    await eventually(again.done)
    assert again.result() != version


async def test_nothing_is_told_later_than_the_time_allows_when_nothing_changed() -> None:
    _, clock, unhurried = world()
    seen = await unhurried.wait_for_change(-1, 0)
    assert await unhurried.wait_for_change(seen, 0.01) == seen
    assert clock.naps == []


async def test_everything_else_is_the_store_itself() -> None:
    store, _, unhurried = world()
    await unhurried.closed_chats.close(ChatId("1"), "blocked")
    assert await store.closed_chats.reason(ChatId("1")) == "blocked"
    assert (unhurried.bot, unhurried.inbox, unhurried.access) == (store.bot, store.inbox, store.access)
    assert (unhurried.prompts, unhurried.audit, unhurried.sessions) == (store.prompts, store.audit, store.sessions)
    assert unhurried.health is store.health
