"""What every backend keeps of access book, audit trail, sessions, health and closed chats."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from telegram_channel.core.access import AccessState, Policy, Role, Sender
from telegram_channel.core.audit import OPERATOR, AuditRow
from telegram_channel.core.health import BridgeState, HealthReport
from telegram_channel.core.ids import BotId, ChatId, SenderId, SessionId
from telegram_channel.core.succession import MOST_ENDED
from telegram_channel.errors import AccessError, StateUnwritable
from telegram_channel.ports import EndedSession, SessionRecord, Store
from tests.storage.conftest import BOT, Shelf
from tests.values import NOON, later

UNCLAIMED = BotId("")
OTHER_BOT = BotId("43")


def with_sender(state: AccessState, sender: str, role: Role = Role.SENDER) -> AccessState:
    person = Sender(SenderId(sender), role, "Ann", NOON, "allow")
    return replace(state, senders={**state.senders, person.sender: person})


def allow(sender: str) -> Callable[[AccessState], tuple[AccessState, str, Sequence[AuditRow]]]:
    return lambda state: (with_sender(state, sender), "done", [AuditRow(NOON, OPERATOR, "allow", sender)])


async def version_of(store: Store) -> int:
    return await store.wait_for_change(-1, 0)


class TestAccessBook:
    async def test_a_new_store_admits_nobody(self, store: Store) -> None:
        """MUST S5: an empty store admits nobody."""
        assert await store.access.read() == AccessState()
        assert not (await store.access.read()).senders

    async def test_a_change_is_stored_with_its_audit_rows(self, shelf: Shelf, store: Store) -> None:
        """MUST S6: an access change and its audit rows are stored in one step."""
        assert await store.access.transact(allow("7")) == "done"
        seen = await shelf.again(store)
        assert await seen.access.read() == with_sender(AccessState(), "7")
        assert await seen.audit.rows() == (AuditRow(NOON, OPERATOR, "allow", "7"),)

    async def test_a_change_that_raises_stores_nothing(self, shelf: Shelf, store: Store) -> None:
        await store.access.transact(allow("7"))

        def refuse(state: AccessState) -> tuple[AccessState, None, Sequence[AuditRow]]:
            raise AccessError("There is no such person.")

        with pytest.raises(AccessError, match="no such person"):
            await store.access.transact(refuse)
        seen = await shelf.again(store)
        assert set((await seen.access.read()).senders) == {"7"}
        assert len(await seen.audit.rows()) == 1

    async def test_a_change_without_effect_writes_nothing(self, store: Store) -> None:
        await store.access.transact(allow("7"))
        before = await version_of(store)
        assert await store.access.transact(lambda state: (replace(state), "same", ())) == "same"
        assert await version_of(store) == before

    async def test_rows_without_a_change_are_stored(self, shelf: Shelf, store: Store) -> None:
        row = AuditRow(NOON, "bridge", "pair", "7", "refused")
        await store.access.transact(lambda state: (state, None, [row]))
        seen = await shelf.again(store)
        assert await seen.audit.rows() == (row,)
        assert await seen.access.read() == AccessState()

    async def test_changes_made_at_the_same_time_are_all_kept(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open()
        people = [str(number) for number in range(100, 120)]
        await asyncio.gather(
            *((store, other)[index % 2].access.transact(allow(sender)) for index, sender in enumerate(people))
        )
        seen = await shelf.again(store)
        assert sorted((await seen.access.read()).senders) == people
        assert sorted(row.subject for row in await seen.audit.rows()) == people

    async def test_the_book_of_one_bot_is_not_that_of_another(self, shelf: Shelf, store: Store) -> None:
        """MUST S7: nothing stored for one bot is visible to another."""
        await store.access.transact(allow("7"))
        other = await shelf.open(OTHER_BOT)
        assert await other.access.read() == AccessState()
        assert await other.audit.rows() == ()


class TestUnclaimedBook:
    async def test_a_bot_without_a_book_of_its_own_reads_it(self, shelf: Shelf) -> None:
        operator = await shelf.open(UNCLAIMED)
        await operator.access.transact(allow("7"))
        server = await shelf.open()
        assert set((await server.access.read()).senders) == {"7"}

    async def test_only_the_first_of_two_bots_takes_it_over(self, shelf: Shelf) -> None:
        """MUST S8: an access book written before any bot was known goes to the first bot, and to no other."""
        operator = await shelf.open(UNCLAIMED)
        await operator.access.transact(allow("7"))
        first, second = await shelf.open(), await shelf.open(OTHER_BOT)
        assert await first.access.claim() is True
        assert await second.access.claim() is False
        assert await first.access.claim() is False
        assert set((await (await shelf.again(first)).access.read()).senders) == {"7"}
        assert await second.access.read() == AccessState()
        assert await operator.access.read() == AccessState()

    async def test_the_first_write_takes_it_over(self, shelf: Shelf) -> None:
        operator = await shelf.open(UNCLAIMED)
        await operator.access.transact(allow("7"))
        first, second = await shelf.open(), await shelf.open(OTHER_BOT)
        await first.access.transact(allow("8"))
        assert set((await first.access.read()).senders) == {"7", "8"}
        await second.access.transact(allow("9"))
        assert set((await second.access.read()).senders) == {"9"}

    async def test_its_audit_trail_goes_along(self, shelf: Shelf) -> None:
        operator = await shelf.open(UNCLAIMED)
        await operator.access.transact(allow("7"))
        first = await shelf.open()
        await first.access.transact(allow("8"))
        assert [row.subject for row in await first.audit.rows()] == ["7", "8"]
        assert await operator.audit.rows() == ()

    async def test_an_audit_row_is_a_write_as_well(self, shelf: Shelf) -> None:
        operator = await shelf.open(UNCLAIMED)
        await operator.access.transact(allow("7"))
        first = await shelf.open()
        await first.access.transact(lambda state: (state, None, [AuditRow(NOON, "bridge", "pair", "8")]))
        assert set((await first.access.read()).senders) == {"7"}
        assert await (await shelf.open(OTHER_BOT)).access.read() == AccessState()

    async def test_looking_and_changing_nothing_leave_it_where_it_is(self, shelf: Shelf) -> None:
        operator = await shelf.open(UNCLAIMED)
        await operator.access.transact(allow("7"))
        first = await shelf.open()
        await first.access.transact(lambda state: (state, None, ()))
        assert set((await operator.access.read()).senders) == {"7"}

    async def test_a_bot_with_a_book_of_its_own_neither_reads_nor_claims_it(self, shelf: Shelf, store: Store) -> None:
        await store.access.transact(lambda state: (replace(state, policy=Policy.CLOSED), None, ()))
        operator = await shelf.open(UNCLAIMED)
        await operator.access.transact(allow("7"))
        assert await store.access.claim() is False
        assert await store.access.read() == AccessState(policy=Policy.CLOSED)
        assert set((await operator.access.read()).senders) == {"7"}

    async def test_nobody_claims_what_is_not_there(self, shelf: Shelf, store: Store) -> None:
        assert await store.access.claim() is False
        assert await (await shelf.open(UNCLAIMED)).access.claim() is False


class TestAuditTrail:
    async def test_the_newest_rows_come_oldest_first(self, shelf: Shelf, store: Store) -> None:
        for number in range(5):
            await store.access.transact(allow(str(number)))
        seen = await shelf.again(store)
        assert [row.subject for row in await seen.audit.rows(limit=3)] == ["2", "3", "4"]
        assert await seen.audit.rows(limit=0) == ()


def session(name: str = "one", pid: int = 11, started: float = 0) -> SessionRecord:
    return SessionRecord(SessionId(name), pid, later(started), later(started), "project", is_channel=True)


class TestSessions:
    async def test_the_oldest_is_listed_first(self, shelf: Shelf, store: Store) -> None:
        await store.sessions.register(session("late", 12, started=60))
        await store.sessions.register(session("early", 13))
        seen = await shelf.again(store)
        assert await seen.sessions.list() == (session("early", 13), session("late", 12, started=60))

    async def test_the_same_process_registers_once(self, store: Store) -> None:
        await store.sessions.register(session())
        await store.sessions.register(replace(session(), name="elsewhere"))
        await store.sessions.register(session(pid=12))
        assert [(one.pid, one.name) for one in await store.sessions.list()] == [(11, "elsewhere"), (12, "project")]

    async def test_a_heartbeat_moves_the_time_and_nothing_else(self, shelf: Shelf, store: Store) -> None:
        await store.sessions.register(session())
        await store.sessions.heartbeat(SessionId("one"), 11, later(30))
        seen = await shelf.again(store)
        assert await seen.sessions.list() == (replace(session(), last_seen_at=later(30)),)

    async def test_a_heartbeat_of_a_process_that_left_brings_nothing_back(self, store: Store) -> None:
        await store.sessions.register(session())
        await store.sessions.leave(SessionId("one"), 11, later(60))
        await store.sessions.heartbeat(SessionId("one"), 11, later(30))
        assert await store.sessions.list() == ()

    async def test_leaving_forgets_one_process_only(self, shelf: Shelf, store: Store) -> None:
        await store.sessions.register(session(pid=11))
        await store.sessions.register(session(pid=12))
        await store.sessions.leave(SessionId("one"), 11, later(60))
        await store.sessions.leave(SessionId("one"), 99, later(60))
        seen = await shelf.again(store)
        assert [one.pid for one in await seen.sessions.list()] == [12]

    async def test_a_session_has_ended_when_its_last_process_that_took_messages_has_left(
        self, shelf: Shelf, store: Store
    ) -> None:
        """MUST S43: a session that took messages is remembered after its end, with its project, as of when it
        left."""
        last = replace(session(pid=12), project="/srv/shop", branch="main")
        for one in (session(pid=11), last, replace(session(pid=13), receives=False)):
            await store.sessions.register(one)
        await store.sessions.leave(SessionId("one"), 11, later(60))
        assert await store.sessions.ended() == ()
        await store.sessions.leave(SessionId("one"), 12, later(90))
        seen = await shelf.again(store)
        assert await seen.sessions.ended() == (EndedSession(replace(last, last_seen_at=later(90)), None),)
        await seen.sessions.leave(SessionId("one"), 13, later(99))
        assert len(await seen.sessions.ended()) == 1
        assert await (await shelf.open(OTHER_BOT)).sessions.ended() == ()

    async def test_a_session_that_is_back_has_not_ended_unless_it_takes_no_messages(self, store: Store) -> None:
        for pid in (11, 12):
            await store.sessions.register(session(pid=pid))
            assert await store.sessions.ended() == ()
            await store.sessions.leave(SessionId("one"), pid, later(pid))
            assert [one.record.pid for one in await store.sessions.ended()] == [pid]
        await store.sessions.register(replace(session(pid=13), receives=False))
        assert [one.record.pid for one in await store.sessions.ended()] == [12]

    async def test_a_session_that_took_no_messages_is_not_remembered(self, store: Store) -> None:
        await store.sessions.register(replace(session(), receives=False))
        await store.sessions.leave(SessionId("one"), 11, later(60))
        assert await store.sessions.ended() == ()

    async def test_who_left_last_is_last_and_the_oldest_are_forgotten(self, shelf: Shelf, store: Store) -> None:
        names = [f"s{number:03}" for number in range(MOST_ENDED + 3)]
        for number, name in enumerate(names):
            await store.sessions.register(session(name))
            await store.sessions.leave(SessionId(name), 11, later(number))
        for name in ("s050", "s051"):
            await store.sessions.register(session(name))
        await store.sessions.leave(SessionId("s050"), 11, later(500))
        seen = await shelf.again(store)
        kept = [*names[3:50], *names[52:], "s050"]
        assert [one.record.session for one in await seen.sessions.ended()] == kept

    async def test_leaving_without_being_listed_changes_nothing(self, store: Store) -> None:
        await store.sessions.register(session(pid=11))
        await store.sessions.leave(SessionId("one"), 11, later(1))
        await store.sessions.leave(SessionId("one"), 11, later(60))
        assert [one.record.last_seen_at for one in await store.sessions.ended()] == [later(1)]


class TestSuccession:
    """Who is whose heir is decided by whoever registers or leaves, in the same step."""

    @staticmethod
    async def heirs(store: Store) -> dict[str, str | None]:
        return {one.record.session: one.heir for one in await store.sessions.ended()}

    @staticmethod
    async def begins(store: Store, name: str, at_s: float, project: str = "/srv/shop", pid: int = 11) -> None:
        record = session(name, pid, started=at_s)
        await store.sessions.register(replace(record, project=project, last_seen_at=later(at_s)))

    async def test_who_begins_next_in_the_project_is_the_heir_and_has_what_chats_had_chosen(
        self, shelf: Shelf, store: Store
    ) -> None:
        """MUST S45: who has taken over from whom is decided once, with what chats had chosen, and stays."""
        await self.begins(store, "first", 0)
        await self.begins(store, "beside", 5, "/srv/web")
        for chat, chosen in (("7", "first"), ("8", "beside")):
            await store.routes.choose(ChatId(chat), SessionId(chosen))
        await store.sessions.leave(SessionId("first"), 11, later(60))
        assert await self.heirs(store) == {"first": None}
        await self.begins(store, "other", 61, "/srv/web")
        await self.begins(store, "next", 62)
        await self.begins(store, "too late", 63)
        seen = await shelf.again(store)
        assert await self.heirs(seen) == {"first": "next"}
        assert await seen.routes.chosen(ChatId("7")) == "next"
        assert await seen.routes.chosen(ChatId("8")) == "beside"
        await seen.sessions.leave(SessionId("next"), 11, later(90))
        assert await self.heirs(seen) == {"first": "next", "next": None}, "who ran beside is no heir"

    async def test_of_a_session_whose_end_was_noticed_late_who_began_meanwhile_is_the_heir(
        self, store: Store
    ) -> None:
        await self.begins(store, "killed", 0)
        await store.routes.choose(ChatId("7"), SessionId("killed"))
        await self.begins(store, "next", 70)
        await self.begins(store, "after", 80)
        await store.sessions.leave(SessionId("killed"), 11, later(60))
        assert await self.heirs(store) == {"killed": "next"}
        assert await store.routes.chosen(ChatId("7")) == "next"

    async def test_a_session_beside_that_is_started_again_is_no_heir(self, shelf: Shelf, store: Store) -> None:
        """MUST F104: a session that was there before another ended inherits nothing of it."""
        await self.begins(store, "beside", 0)
        await self.begins(store, "first", 5)
        await store.sessions.leave(SessionId("first"), 11, later(60))
        await store.sessions.leave(SessionId("beside"), 11, later(70))
        seen = await shelf.again(store)
        await self.begins(seen, "beside", 80, pid=12)
        assert await self.heirs(seen) == {"first": None}
        await seen.sessions.leave(SessionId("first"), 11, later(99))
        await self.begins(seen, "beside", 100, pid=13)
        assert await self.heirs(seen) == {"first": None}

    async def test_a_session_that_is_back_keeps_nothing_of_what_its_heir_has(self, store: Store) -> None:
        await self.begins(store, "first", 0)
        await store.routes.choose(ChatId("7"), SessionId("first"))
        await store.sessions.leave(SessionId("first"), 11, later(60))
        await self.begins(store, "next", 61)
        await self.begins(store, "first", 3600, pid=12)
        assert await self.heirs(store) == {}
        assert await store.routes.chosen(ChatId("7")) == "next"

    async def test_without_a_known_project_nobody_is_an_heir(self, store: Store) -> None:
        await self.begins(store, "first", 0, "")
        await store.sessions.leave(SessionId("first"), 11, later(60))
        await self.begins(store, "next", 61, "")
        assert await self.heirs(store) == {"first": None}


class TestSessionsOfOthers:
    async def test_sessions_of_another_bot_are_not_listed(self, shelf: Shelf, store: Store) -> None:
        await store.sessions.register(session())
        assert await (await shelf.open(OTHER_BOT)).sessions.list() == ()

    async def test_every_field_comes_back(self, shelf: Shelf, store: Store) -> None:
        given = [
            replace(session(), receives=False, project="/home/ann/shop", branch="main"),
            replace(
                session(pid=12), is_channel=False, receives=True, project="/home/ann/till \udce9", branch="\ud800"
            ),
        ]
        for one in given:
            await store.sessions.register(one)
        await store.sessions.heartbeat(SessionId("one"), 11, given[0].last_seen_at)
        assert await (await shelf.again(store)).sessions.list() == tuple(given)

    async def test_a_directory_whose_name_is_no_unicode_is_kept(self, shelf: Shelf, store: Store) -> None:
        odd = replace(session(), name=b"caf\xe9".decode("utf-8", "surrogateescape"))
        await store.sessions.register(odd)
        assert await (await shelf.again(store)).sessions.list() == (odd,)


class TestHealthBoard:
    async def test_the_last_report_replaces_the_one_before(self, shelf: Shelf, store: Store) -> None:
        assert await store.health.latest() is None
        await store.health.publish(HealthReport(BridgeState.POLLING, 11, NOON, last_poll_ok_at=NOON))
        last = HealthReport(BridgeState.CONFLICT, 12, later(5), "another program polls", "my_bot", NOON, NOON)
        await store.health.publish(last)
        seen = await shelf.again(store)
        assert await seen.health.latest() == last
        assert await (await shelf.open(OTHER_BOT)).health.latest() is None


class TestClosedChats:
    async def test_a_closed_chat_has_a_reason_until_it_is_reopened(self, shelf: Shelf, store: Store) -> None:
        chat = ChatId("7")
        assert await store.closed_chats.reason(chat) is None
        await store.closed_chats.close(chat, "blocked")
        await store.closed_chats.close(chat, "kicked")
        seen = await shelf.again(store)
        assert await seen.closed_chats.reason(chat) == "kicked"
        assert await seen.closed_chats.reason(ChatId("8")) is None
        assert await (await shelf.open(OTHER_BOT)).closed_chats.reason(chat) is None
        await seen.closed_chats.reopen(chat)
        assert await (await shelf.again(seen)).closed_chats.reason(chat) is None

    async def test_reopening_an_open_chat_writes_nothing(self, store: Store) -> None:
        before = await version_of(store)
        await store.closed_chats.reopen(ChatId("7"))
        assert await version_of(store) == before

    async def test_closing_it_again_for_the_same_reason_writes_nothing(self, store: Store) -> None:
        await store.closed_chats.close(ChatId("7"), "blocked")
        before = await version_of(store)
        await store.closed_chats.close(ChatId("7"), "blocked")
        assert await version_of(store) == before


class TestClosing:
    async def test_a_store_can_be_closed_twice_and_refuses_work_afterwards(self, store: Store) -> None:
        assert store.bot == BOT
        await store.close()
        await store.close()
        with pytest.raises(StateUnwritable, match="closed"):
            await store.access.read()
        with pytest.raises(StateUnwritable, match="closed"):
            await store.wait_for_change(-1, 0)
