"""What a person who is limited to certain sessions does not reach by a detour."""

from dataclasses import replace
from typing import Any

import pytest

from telegram_channel.core.access import Role
from telegram_channel.core.ids import SessionId, UpdateId
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind
from tests.bridge.house import ANN, BOB, House
from tests.values import photo

NOT_OPEN = "That session is not open to you. Nothing was passed on."


async def limit(house: House, *names: str, role: Role = Role.SENDER) -> None:
    """The operator limits Bob to these."""

    def change(state: Any) -> Any:
        bob = replace(state.senders[BOB], role=role, only=frozenset(names))
        return replace(state, senders={**state.senders, BOB: bob}), None, ()

    await house.store.access.transact(change)


async def stands(house: House, session: str = "shop") -> list[tuple[OrderKind, SessionId]]:
    found: tuple[Order, ...] = await house.store.orders.standing(SessionId(session))
    return [(one.kind, one.session) for one in found]


async def test_a_correction_reaches_nothing_that_was_closed_to_its_sender_meanwhile() -> None:
    """MUST O21: a correction or the rest of an album goes nowhere once its session is not open to its sender."""
    house = await House().open("shop", "website")
    said = await house.say("/to shop do it", BOB)
    await limit(house, "website")
    await house.say("now do worse", BOB, number=int(said.message), edited=True, update=UpdateId(5))
    assert house.destinations() == {"do it": "shop"}
    assert house.chat.texts(BOB) == [NOT_OPEN]


async def test_the_rest_of_an_album_reaches_nothing_that_was_closed_meanwhile() -> None:
    house = await House().open("shop", "website")
    await house.say("/to shop look", BOB, album="a", attachment=photo(1))
    await limit(house, "website")
    await house.say("", BOB, album="a", attachment=photo(2))
    assert house.destinations() == {"look": "shop"}
    assert house.chat.texts(BOB) == [NOT_OPEN]


async def test_what_was_not_closed_is_corrected_as_ever() -> None:
    house = await House().open("shop", "website")
    said = await house.say("/to website do it", BOB)
    await limit(house, "website")
    await house.say("do it well", BOB, number=int(said.message), edited=True, update=UpdateId(5))
    assert house.destinations() == {"do it": "website", "do it well": "website"}


async def test_whoever_is_limited_pauses_and_releases_no_session_of_others() -> None:
    """MUST O22: /pause, and lifting a pause, are for those to whom every session is open."""
    house = await House().open("shop", "website")
    await limit(house, "website", role=Role.APPROVER)
    await house.say("/pause", BOB)
    assert await stands(house) == []
    await house.say("/pause", ANN)
    await house.say("/resume", BOB)
    assert await stands(house) == [(OrderKind.PAUSE, EVERY_SESSION)]
    assert house.chat.texts(BOB) == [
        "/pause is about every session, and not every one is open to you. Nothing was changed. "
        "/stop stops one that is.",
        "The pause by Ann is about every session, and not every one is open to you: it stands.",
    ]


async def test_whoever_is_limited_still_stops_and_resumes_what_is_open_to_them() -> None:
    house = await House().open("shop", "website")
    await limit(house, "website", role=Role.APPROVER)
    await house.say("/pause", ANN)
    await house.say("/stop", BOB)
    assert (OrderKind.STOP, SessionId("website")) in await stands(house, "website")
    await house.say("/resume", BOB)
    assert await stands(house, "website") == [(OrderKind.PAUSE, EVERY_SESSION)]
    [said] = house.chat.texts(BOB)
    assert "is lifted: tools may be called again" in said
    assert "it stands" in said


@pytest.mark.parametrize("names", [(), ("website",)])
async def test_an_owner_has_no_limit(names: tuple[str, ...]) -> None:
    house = await House().open("shop", "website")
    await limit(house, *names, role=Role.OWNER)
    await house.say("/pause", BOB)
    assert await stands(house) == [(OrderKind.PAUSE, EVERY_SESSION)]
