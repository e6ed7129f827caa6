"""What happens to events that nobody seems to have read."""

import pytest

from telegram_channel.core.inbox import DeliveryState, RedeliveryRules, orphaned, overdue
from tests.values import NOON, entry, later

RULES = RedeliveryRules(redeliver_after_s=100, give_up_after_s=1000)
EMITTED = entry(state=DeliveryState.EMITTED, emitted_at=NOON)
AGAIN = entry(state=DeliveryState.EMITTED, emitted_at=NOON, redelivered=True)
NOTICED = entry(state=DeliveryState.EMITTED, emitted_at=NOON, redelivered=True, noticed=True)


@pytest.mark.parametrize(
    ("given", "after_s", "active_s", "expected"),
    [
        (EMITTED, 99, None, "wait"),
        (EMITTED, 100, None, "redeliver"),
        (EMITTED, 150, 60, "wait"),
        (EMITTED, 160, 60, "redeliver"),
        (AGAIN, 99, None, "wait"),
        (AGAIN, 100, None, "notify"),
        (AGAIN, 150, 149, "wait"),
        (NOTICED, 999, None, "wait"),
        (NOTICED, 1000, None, "give_up"),
    ],
)
def test_one_redelivery_then_one_notice_then_nothing(
    given: object, after_s: float, active_s: float | None, expected: str
) -> None:
    """MUST D5: without proof of reading an event is given once more, then the chat is told once."""
    result = overdue([given], later(after_s), None if active_s is None else later(active_s), RULES)  # type: ignore[list-item]  # parametrize hides the type
    found = {
        "redeliver": result.redeliver,
        "notify": result.notify,
        "give_up": result.give_up,
        "wait": () if result.look_again_at is None else (given,),
    }
    assert [name for name, entries in found.items() if entries] == [expected]


def test_looking_again_at_the_named_time_finds_something_to_do() -> None:
    first = overdue([EMITTED], later(1), None, RULES)
    assert first.look_again_at is not None
    assert overdue([EMITTED], first.look_again_at, None, RULES).redeliver == (EMITTED,)


def test_a_new_handshake_gives_again_what_was_given_once() -> None:
    """MUST D4: a new handshake gives unproven events again, once, and says so."""
    assert orphaned([EMITTED, AGAIN]) == ((EMITTED,), (AGAIN,))
