"""What goes on beside the queue: downloads, signs in the chat, and debts that are paid."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from telegram_channel.bridge.downloads import Downloads
from telegram_channel.bridge.housekeeping import KEPT_FOR, Housekeeping
from telegram_channel.bridge.presence import HEARTBEAT_S, LOOK_EVERY_S, Presence
from telegram_channel.bridge.reporting import Reporter
from telegram_channel.bridge.signs import STORED_SIGN, Signs, Typing
from telegram_channel.core.access import AccessState, Role, Sender, with_sender
from telegram_channel.core.health import BridgeState, PollHealth
from telegram_channel.core.ids import BotId, ChatId, EntryId, SenderId, SessionId, private_chat
from telegram_channel.core.inbox import DeliveryState, FetchState, InboxEntry, Intake, Move
from telegram_channel.core.messages import InboundMessage
from telegram_channel.core.outgoing import Refused
from telegram_channel.core.pairing import Paired, redeem_code, request_pairing
from telegram_channel.core.turns import Where
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import EndedSession, SessionRecord
from telegram_channel.storage.memory import MemoryStore
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.values import entry, message, photo, place
from tests.waiting import eventually, running, until

ANN = "1001"


def fresh_store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(BotId("900"), now=clock.now)


def everybody(_: SessionRecord) -> bool:
    """Nobody has died."""
    return True


async def keep(store: MemoryStore, clock: ManualClock, *messages: InboundMessage) -> None:
    """Store messages as intake would."""
    for one in messages:
        stored = entry(one, int(one.message), entry=EntryId(0), stored_at=clock.now())
        await store.inbox.ingest(Intake((stored,), seen=(one.update,)), one.update)


def entries(store: MemoryStore) -> list[InboxEntry]:
    return list(store.tables.inbox.values())


async def test_photos_are_fetched_and_one_that_fails_says_why(tmp_path: Path) -> None:
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    chat.files["file-1"] = b"picture"
    await keep(store, clock, message("", 1, attachment=photo(1)), message("", 2, attachment=photo(2)))
    async with running(Downloads(store, chat, clock, tmp_path / "new" / "downloads").run()):
        await eventually_fetched(store, FetchState.DONE, FetchState.FAILED)
    done, failed = (one.fetch for one in entries(store))
    assert Path(done.path).read_bytes() == b"picture"  # noqa: ASYNC240 - a few bytes
    assert failed.cause


async def test_one_download_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    """MUST I15: a message is never delayed by another message's download."""
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    chat.files["file-1"] = chat.files["file-2"] = b"picture"
    gate = chat.hold("file-1")
    await keep(store, clock, message("", 1, attachment=photo(1)), message("", 2, attachment=photo(2)))
    async with running(Downloads(store, chat, clock, tmp_path).run()):
        await eventually_fetched(store, FetchState.WANTED, FetchState.DONE)
        await clock.advance(5)
        gate.set()
        await eventually_fetched(store, FetchState.DONE, FetchState.DONE)
    assert [one.fetch.slow for one in entries(store)] == [True, False]


async def test_a_download_that_cannot_be_remembered_is_remembered_later(tmp_path: Path) -> None:
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    chat.files["file-1"] = b"picture"
    gate = chat.hold("file-1")
    await keep(store, clock, message("", 1, attachment=photo(1)))
    async with running(Downloads(store, chat, clock, tmp_path).run()):
        await until(lambda: len(chat.downloaded) == 1)
        store.fault = StateUnwritable("The disk is full.")
        gate.set()
        await clock.until_sleeping()
        store.fault = None
        await clock.advance(2)
        await eventually_fetched(store, FetchState.DONE)


async def eventually_fetched(store: MemoryStore, *states: FetchState) -> None:
    """Directories are made in a thread, so turns of the loop are not enough."""
    await until(lambda: [one.fetch.state for one in entries(store)] == list(states))


async def test_eyes_mean_stored_and_only_the_newest_of_many_get_them() -> None:
    """MUST D11: 👀 is shown on messages that are stored."""
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    await keep(store, clock, *(message(str(number), number) for number in range(1, 21)))
    await keep(store, clock, message("from Bob", 30, chat="1002", sender="1002"))
    async with running(Signs(store, chat).run()):
        await eventually(lambda: len(chat.reactions) == 6)
        await clock.settle()
    assert {(one.chat, one.message) for one in chat.reactions} == {
        *((ANN, str(number)) for number in range(16, 21)),
        ("1002", "30"),
    }
    assert {one.emoji for one in chat.reactions} == {STORED_SIGN}


async def test_typing_lives_until_the_answer_or_its_limit() -> None:
    """MUST D12: typing is kept alive until the answer, ten minutes at most."""
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    await keep(store, clock, message("work", 1))
    signs = Typing(store, chat, clock, 600, session=SessionId("me"))
    async with running(signs.run()):
        await clock.settle()
        assert chat.typed == []
        await given(store, clock, "me", state=DeliveryState.EMITTED)
        await eventually(lambda: len(chat.typed) == 1)
        for _ in range(3):
            await clock.advance(4)
            store.changed()
            await clock.settle()
        assert len(chat.typed) == 4
        await store.inbox.advance(
            [Move((entries(store)[0].entry,), (DeliveryState.EMITTED,), DeliveryState.ANSWERED)]
        )
        await clock.advance(30)
        store.changed()
        await clock.settle()
        assert len(chat.typed) == 4


async def test_typing_ends_by_itself() -> None:
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    await keep(store, clock, message("work", 1))
    await given(store, clock, "me", state=DeliveryState.EMITTED)
    async with running(Typing(store, chat, clock, 600, session=SessionId("me")).run()):
        await eventually(lambda: len(chat.typed) == 1)
        await clock.advance(601)
        store.changed()
        await clock.settle()
        assert len(chat.typed) == 1


async def given(store: MemoryStore, clock: ManualClock, session: str, *, state: DeliveryState) -> None:
    """Let a session have been given everything, and have come this far with it."""
    ids = tuple(one.entry for one in entries(store))
    await store.inbox.advance([Move(ids, (DeliveryState.STORED,), state, SessionId(session), clock.now())])


@pytest.mark.parametrize(("session", "shown"), [("me", 1), ("a dead one", 0)])
async def test_typing_is_shown_for_what_this_session_was_given(session: str, shown: int) -> None:
    """MUST D25: typing is shown only for messages that the running session was given."""
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    await keep(store, clock, message("work", 1))
    await given(store, clock, session, state=DeliveryState.EMITTED)
    async with running(Typing(store, chat, clock, 600, session=SessionId("me")).run()):
        await clock.settle()
    assert len(chat.typed) == shown


@pytest.mark.parametrize(
    ("hooks", "state", "in_flight", "shown"),
    [
        (False, DeliveryState.EMITTED, False, 1),
        (False, DeliveryState.READ, False, 1),
        (True, DeliveryState.EMITTED, True, 0),
        (True, DeliveryState.READ, False, 0),
        (True, DeliveryState.READ, True, 1),
    ],
)
async def test_where_hooks_tell_what_is_read_typing_means_work(
    hooks: bool, state: DeliveryState, in_flight: bool, shown: int
) -> None:
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    await keep(store, clock, message("work", 1))
    await given(store, clock, "me", state=state)
    asked: list[Where] = []

    def is_in_flight(where: Where) -> bool:
        asked.append(where)
        return in_flight

    signs = Typing(store, chat, clock, 600, session=SessionId("me"), hooks_seen=lambda: hooks, in_flight=is_in_flight)
    async with running(signs.run()):
        await clock.settle()
    assert len(chat.typed) == shown
    assert set(asked) <= {Where(ChatId(ANN))}


async def test_a_code_is_made_sent_and_only_its_hash_stored() -> None:
    """MUST D13: a pairing code is hashed at rest."""
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    await store.access.transact(lambda state: (request_pairing(state, place(), clock.now())[0], None, ()))
    async with running(Housekeeping(store, chat, clock, lambda size: bytes(range(size))).run()):
        await eventually(lambda: len(chat.sent) == 1)
        await clock.settle()
    code = re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}", chat.texts(ANN)[0])
    assert code
    state = await store.access.read()
    assert code[0] not in repr(state)
    assert code[0].replace("-", "") not in repr(state)
    _, redeemed = redeem_code(state, code[0], clock.now())
    assert isinstance(redeemed, Paired)
    assert len(chat.sent) == 1


async def test_a_code_that_cannot_arrive_may_be_asked_for_again() -> None:
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    chat.will("send", Refused("The bot was blocked.", closed=True))
    await store.access.transact(lambda state: (request_pairing(state, place(), clock.now())[0], None, ()))
    async with running(Housekeeping(store, chat, clock, lambda size: bytes(range(size))).run()):
        await eventually(lambda: store.tables.book is not None and store.tables.book.pending == ())


async def test_everybody_who_was_let_in_is_greeted_once() -> None:
    """MUST D14: whoever is let in is greeted, once."""
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)

    def let_in(state: AccessState) -> tuple[AccessState, None, tuple[()]]:
        return with_sender(state, Sender(SenderId(ANN), Role.OWNER, "Ann", clock.now(), "allow")), None, ()

    housekeeping = Housekeeping(store, chat, clock, bytes)
    async with running(housekeeping.run()):
        await clock.settle()
        await store.access.transact(let_in)
        await eventually(lambda: len(chat.sent) == 1)
        for _ in range(3):
            store.changed()
            await clock.settle()
    assert len(chat.sent) == 1
    assert "owner" in chat.texts(ANN)[0]


async def test_who_was_let_in_by_id_is_greeted_when_they_write() -> None:
    """MUST D14: whoever is let in is greeted, once."""
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    ann = Sender(SenderId(ANN), Role.OWNER, "Ann", clock.now(), "allow")
    store.tables.book = with_sender(AccessState(), ann)
    chat.will("send", Refused("A bot cannot write first.", closed=True))
    async with running(Housekeeping(store, chat, clock, bytes).run()):
        await eventually(lambda: len(chat.sent) == 1)
        for _ in range(3):
            await clock.advance(40)
            store.changed()
            await clock.settle()
        assert len(chat.sent) == 1  # not again and again
        await store.closed_chats.reopen(private_chat(SenderId(ANN)))
        await eventually(lambda: len(chat.sent) == 2)
        await eventually(lambda: store.tables.book == with_sender(AccessState(), replace(ann, welcomed=True)))


async def test_answered_messages_are_forgotten_after_a_week_and_no_sooner() -> None:
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    await keep(store, clock, message("old", 1), message("waiting", 2))
    await store.inbox.advance([Move((entries(store)[0].entry,), (DeliveryState.STORED,), DeliveryState.ANSWERED)])
    await clock.advance(KEPT_FOR.total_seconds() - 10)
    async with running(Housekeeping(store, chat, clock, bytes).run()):
        await clock.settle()
        assert len(entries(store)) == 2
        await clock.advance(3700)
        store.changed()
        await eventually(lambda: len(entries(store)) == 1)


async def test_whose_message_that_was_is_forgotten_after_a_week_and_no_sooner() -> None:
    """MUST D26: what is remembered of each message that was sent is forgotten again: the store does not grow
    for ever.
    """
    clock, chat = ManualClock(), RecordingChat()
    store = fresh_store(clock)
    wrote, where, sent = SessionId("shop"), ChatId(ANN), message("", 5).message
    await store.routes.note_sent(wrote, where, (sent,), clock.now())
    await clock.advance(KEPT_FOR.total_seconds() - 10)
    async with running(Housekeeping(store, chat, clock, bytes).run()):
        await clock.settle()
        assert await store.routes.author(where, sent) == wrote
        await clock.advance(3700)
        store.changed()
        await clock.settle()
        assert await store.routes.author(where, sent) is None


async def test_a_process_is_listed_while_it_lives() -> None:
    clock = ManualClock()
    store = fresh_store(clock)
    record = SessionRecord(SessionId("s"), 7, clock.now(), clock.now(), "project", is_channel=True)
    presence = Presence(store, clock, record)
    async with running(presence.run()):
        await clock.until_sleeping()
        assert [one.pid for one in await store.sessions.list()] == [7]
        await clock.advance(HEARTBEAT_S)
        assert [one.last_seen_at for one in await store.sessions.list()] == [clock.now()]
        await store.sessions.leave(record.session, record.pid, clock.now())  # as if the store had been replaced
        await clock.advance(LOOK_EVERY_S)
        assert [one.pid for one in await store.sessions.list()] == [7]
    await presence.leave()
    assert await store.sessions.list() == ()
    assert await store.sessions.ended() == (EndedSession(replace(record, last_seen_at=clock.now()), None),)


async def test_health_is_published_and_changes_are_told_once() -> None:
    """MUST D15: states come from completed polls."""
    clock = ManualClock()
    store = fresh_store(clock)
    told: list[tuple[BridgeState, str]] = []
    reporter = Reporter(store, clock, 7, lambda state, problem: told.append((state, problem)))
    async with running(reporter.run()):
        reporter.heard(PollHealth(BridgeState.POLLING, "", "bot", clock.now(), clock.now()))
        await eventually(lambda: store.tables.health is not None)
        reporter.heard(PollHealth(BridgeState.POLLING, "", "bot", clock.now(), clock.now()))
        reporter.heard(PollHealth(BridgeState.BAD_TOKEN, "Get another one.", "bot", clock.now(), clock.now()))
        await clock.advance(2)
        await eventually(
            lambda: store.tables.health is not None and store.tables.health.state is BridgeState.BAD_TOKEN
        )
    assert told == [(BridgeState.POLLING, ""), (BridgeState.BAD_TOKEN, "Get another one.")]


async def test_a_session_that_reads_nothing_is_called_silent() -> None:
    clock = ManualClock()
    store = fresh_store(clock)
    await keep(store, clock, message("hello?", 1))
    await store.inbox.advance(
        [Move((entries(store)[0].entry,), (DeliveryState.STORED,), DeliveryState.EMITTED, noticed=True)]
    )
    reporter = Reporter(store, clock, 7, lambda *_: None)
    async with running(reporter.run()):
        reporter.heard(PollHealth(BridgeState.POLLING, "", "bot", clock.now(), clock.now()))
        await eventually(lambda: store.tables.health is not None)
    report = await store.health.latest()
    assert report is not None
    assert report.state is BridgeState.SESSION_SILENT
