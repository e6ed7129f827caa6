"""Permission prompts and approvers who are limited to certain sessions."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from telegram_channel.core.access import Role
from telegram_channel.core.hooks import NoObjection
from telegram_channel.core.ids import ChatId, MessageId, SenderId, SessionId
from telegram_channel.core.orders import Order, OrderKind
from telegram_channel.core.outgoing import Refused
from telegram_channel.core.permission import Behavior
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.memory_tables import MemoryDatabase
from tests.bridge.office import ALLOW, ANN, BOB, DENY, HOOK, Office, given, waits
from tests.clock import ManualClock
from tests.values import NOON, later

PEOPLE: dict[str, Role] = {ANN: Role.OWNER, BOB: Role.APPROVER}
CLOSED = "That request is of a session that is not open to you. Nothing was decided or passed on."
DENY_ONLY = "The session that asked has ended or was restarted, so only somebody who may approve everywhere"
NAMED = {"session-1": "shop", "session-2": "blog"}


async def opened(office: Office, *only: str) -> Office:
    """Let Ann in as owner, and Bob as an approver who is limited to these."""
    await office.open(PEOPLE)
    state = await office.store.access.read()
    bob = replace(state.senders[SenderId(BOB)], only=frozenset(only))
    limited = replace(state, senders=MappingProxyType({**state.senders, bob.sender: bob}))
    await office.store.access.transact(lambda _: (limited, None, ()))
    return office


def record_of(office: Office, branch: str = "") -> SessionRecord:
    name = NAMED[office.session.id]
    return SessionRecord(
        office.session.id, 1, NOON, NOON, name, is_channel=True, project=f"/home/ann/{name}", branch=branch
    )


async def two_processes(*only: str) -> tuple[Office, Office]:
    """One session of `shop` that asks, and one of `blog` in whose process answers are taken."""
    database, clock = MemoryDatabase(), ManualClock(NOON)
    asking = await opened(Office(database, "session-1", clock, polls=False), *only)
    taking = await opened(Office(database, "session-2", clock), *only)
    for office in (asking, taking):
        office.alive |= set(NAMED)
        await office.store.sessions.register(record_of(office))
    return asking, taking


async def ends(asking: Office, taking: Office) -> None:
    """The process that asked is gone, and was taken off the list."""
    taking.alive.discard(asking.session.id)
    await taking.store.sessions.leave(asking.session.id, 1, NOON)


@pytest.mark.parametrize(
    ("only", "expected"),
    [((), [ANN, BOB]), (("shop",), [ANN, BOB]), (("SHOP ", "x"), [ANN, BOB]), (("blog",), [ANN])],
)
async def test_a_card_goes_to_the_approvers_of_the_session_that_asks(
    only: tuple[str, ...], expected: list[str]
) -> None:
    """MUST F94: permission cards go to the approvers of the session that asks, and to nobody else."""
    office = await opened(Office(), *only)
    await office.ask()
    assert sorted(office.cards()) == expected


@pytest.mark.parametrize(
    ("only", "cards"), [("shop/login", 2), ("/home/ann/shop", 2), ("shop/other", 1), ("shop 2", 1)]
)
async def test_what_the_process_says_of_itself_in_the_list_counts(only: str, cards: int) -> None:
    office = await opened(Office(), only)
    await office.store.sessions.register(record_of(office, branch="login"))
    await office.ask()
    assert len(office.cards()) == cards


async def test_the_answer_of_another_sessions_approver_does_not_count() -> None:
    """MUST F95: an answer to a permission prompt counts only from an approver of the session that asked."""
    office = await opened(Office(), "blog")
    await office.ask()
    for data in (ALLOW, DENY):
        assert await office.press(BOB, data) == f"!{CLOSED}"
    assert await office.write(BOB, "yes abcde") == CLOSED
    assert await office.write(BOB, "no abcde") == CLOSED
    assert (await office.prompt()).is_open
    assert office.session.verdicts == []
    assert await office.press(ANN, ALLOW) == "Allowed."


async def test_whoever_was_limited_after_the_card_was_sent_decides_nothing_any_more() -> None:
    office = await opened(Office())
    await office.ask()
    await opened(office, "blog")
    assert await office.press(BOB, DENY, "502") == f"!{CLOSED}"
    assert await office.reply(BOB, "no", "502") == CLOSED
    assert (await office.prompt()).is_open


@pytest.mark.parametrize("only", [("shop",), ("blog", "shop/main", "shop"), ()])
async def test_an_approver_of_the_session_answers_in_whichever_process(only: tuple[str, ...]) -> None:
    asking, taking = await two_processes(*only)
    await asking.ask()
    assert await taking.press(BOB, ALLOW) == "Allowed."
    await asking.step()
    assert asking.session.verdicts == [("abcde", Behavior.ALLOW)]


async def test_the_project_of_the_process_that_takes_the_answer_is_not_what_counts() -> None:
    """MUST F95: an answer to a permission prompt counts only from an approver of the session that asked."""
    asking, taking = await two_processes("blog")
    await asking.ask()
    assert asking.cards() == [ANN]
    assert await taking.press(BOB, ALLOW) == f"!{CLOSED}"
    assert await taking.write(BOB, "no abcde") == CLOSED
    assert (await taking.prompt()).is_open


@pytest.mark.parametrize("how", ["left", "killed", "restarted"])
async def test_of_a_session_that_is_gone_a_limited_approver_may_deny_and_not_allow(how: str) -> None:
    """MUST F96: only who approves everywhere allows what a session that is gone asked; holders of its card may
    deny.
    """
    asking, taking = await two_processes("shop")
    await asking.ask()
    assert sorted(asking.cards()) == [ANN, BOB]
    if how == "left":
        await ends(asking, taking)
    elif how == "killed":
        taking.alive.discard(asking.session.id)
    else:
        await taking.store.sessions.register(replace(record_of(asking), started_at=later(5)))
    for answer in (await taking.press(BOB, ALLOW, "502"), await taking.write(BOB, "yes abcde")):
        assert answer.lstrip("!").startswith(DENY_ONLY)
    assert (await taking.prompt()).is_open
    assert await taking.press(BOB, DENY, "502") == "Denied."


@pytest.mark.parametrize("only", [("blog",), ("shop",)])
async def test_who_holds_no_card_of_a_session_that_is_gone_does_not_even_deny(only: tuple[str, ...]) -> None:
    asking, taking = await two_processes("nothing")
    await asking.ask()
    assert asking.cards() == [ANN]
    await opened(taking, *only)
    await ends(asking, taking)
    assert await taking.press(BOB, DENY) == f"!{CLOSED}"
    assert await taking.write(BOB, "yes abcde") == CLOSED
    assert await taking.press(ANN, ALLOW) == "Allowed."


async def test_a_prompt_of_a_session_that_is_gone_is_none_of_the_session_in_whose_process_it_is_answered() -> None:
    asking, taking = await two_processes("blog")
    await asking.ask()
    await ends(asking, taking)
    await taking.step()
    await taking.clock.advance(60)
    await taking.step()
    assert (await taking.prompt()).session == asking.session.id
    assert await taking.press(BOB, ALLOW) == f"!{CLOSED}"
    assert await taking.press(BOB, DENY) == f"!{CLOSED}"
    assert (await taking.prompt()).is_open
    # Nor after a restart, which forgets since when it is gone.
    await taking.clock.advance(1)
    again = Office(taking.database, session="session-2", clock=taking.clock)
    again.alive |= set(NAMED)
    assert await again.press(BOB, ALLOW) == f"!{CLOSED}"
    assert (await again.prompt()).is_open


async def test_a_card_that_is_sent_after_a_restart_goes_to_no_limited_approver() -> None:
    office = await opened(Office(), "shop")
    for _ in PEOPLE:
        office.chat.will("send", Refused("not now"))
    await office.ask()
    assert (await office.prompt()).cards == ()
    await office.clock.advance(1)
    again = Office(office.database, clock=office.clock)
    await again.step()
    assert again.cards() == [ANN]


async def test_the_same_answer_twice_is_confirmed_although_the_session_is_gone_by_then() -> None:
    asking, taking = await two_processes("shop")
    await asking.ask()
    assert await taking.press(BOB, ALLOW, "502") == "Allowed."
    await ends(asking, taking)
    assert await taking.press(BOB, ALLOW, "502") == "Allowed."
    assert (await taking.press(BOB, DENY, "502")).startswith("!Too late")


async def test_a_hook_does_not_wait_for_approvers_of_other_sessions() -> None:
    office = await opened(Office(), "blog")
    state = await office.store.access.read()
    only_bob = replace(state, senders=MappingProxyType({SenderId(BOB): state.senders[SenderId(BOB)]}))
    await office.store.access.transact(lambda _: (only_bob, None, ()))
    await office.ask()
    assert office.cards() == []
    async with waits(office, HOOK) as call:
        assert await given(call) == NoObjection()


@pytest.mark.parametrize(("only", "denied"), [("shop", 1), ("blog", 0)])
async def test_an_order_to_stop_denies_what_whoever_gave_it_may_deny(only: str, denied: int) -> None:
    office = await opened(Office(), only)
    await office.ask()
    order = Order(
        OrderKind.STOP, SessionId("session-1"), SenderId(BOB), "Bob", NOON, ChatId(BOB), MessageId("90"), None
    )
    assert await office.approvals.deny_all(order) == denied
    await office.settled()
    assert (await office.prompt()).is_open is (denied == 0)
