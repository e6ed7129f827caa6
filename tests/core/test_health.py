"""What the poll loop does after each outcome: never tight, never for good, and true about its state."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.core.health import (
    BROKEN_RECHECK_S,
    LEAST_SPACING_S,
    LONGEST_BACKOFF_S,
    TOKEN_RECHECK_S,
    BridgeState,
    Completed,
    Conflicted,
    Failed,
    Flooded,
    PollOutcome,
    PollState,
    PollStep,
    TokenRefused,
    Unstored,
    after,
)

BEGIN = PollState(alive_s=0)


def steps(*outcomes: PollOutcome, jitter: float = 1.0, seconds_each: float = 1.0) -> list[PollStep]:
    """What is done after each of the outcomes, one after the other."""
    state, found, now_s = BEGIN, [], 0.0
    for outcome in outcomes:
        now_s += seconds_each
        step = after(state, outcome, now_s, jitter)
        state = step.state
        now_s += step.wait_s
        found.append(step)
    return found


@pytest.mark.parametrize(
    ("outcome", "bridge", "wait_s"),
    [
        (Completed(fresh=True, took_s=0.0), BridgeState.POLLING, 0.0),
        (Completed(fresh=False, took_s=25.0), BridgeState.POLLING, 0.0),
        (Completed(fresh=False, took_s=0.0), BridgeState.POLLING, LEAST_SPACING_S),
        (Completed(fresh=False, took_s=0.75), BridgeState.POLLING, 0.25),
        (Conflicted(), BridgeState.CONFLICT, 5.0),
        (TokenRefused(), BridgeState.BAD_TOKEN, TOKEN_RECHECK_S),
        (Flooded(17.0), BridgeState.RETRYING, 17.0),
        (Flooded(0.0), BridgeState.RETRYING, LEAST_SPACING_S),
        (Failed(), BridgeState.RETRYING, 0.5),
        (Failed(hung=True), BridgeState.RETRYING, 0.5),
        (Unstored(), BridgeState.RETRYING, 0.5),
        (Unstored(broken=True), BridgeState.STATE_BROKEN, BROKEN_RECHECK_S),
    ],
)
def test_each_outcome_has_its_state_and_its_pause(outcome: PollOutcome, bridge: BridgeState, wait_s: float) -> None:
    (step,) = steps(outcome)
    assert (step.bridge, step.wait_s) == (bridge, wait_s)


def test_conflicts_back_off_from_five_seconds_to_a_minute() -> None:
    """MUST P6: a 409 is never fatal and never tight."""
    assert [step.wait_s for step in steps(*[Conflicted()] * 6)] == [5, 10, 20, 40, 60, 60]


def test_failures_back_off_to_thirty_seconds() -> None:
    assert [step.wait_s for step in steps(*[Failed()] * 8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_jitter_shortens_a_pause_by_up_to_half() -> None:
    assert [step.wait_s for step in steps(*[Failed()] * 2, jitter=0.0)] == [0.25, 0.5]


def test_a_completed_poll_ends_every_trouble() -> None:
    assert [step.wait_s for step in steps(Conflicted(), Conflicted(), Completed(True, 0), Conflicted())] == [
        5,
        10,
        0,
        5,
    ]


def test_another_kind_of_trouble_starts_its_own_count() -> None:
    assert [step.wait_s for step in steps(Failed(), Failed(), Conflicted(), Failed())] == [0.5, 1, 5, 0.5]


def test_the_transport_is_rebuilt_after_two_minutes_without_a_poll() -> None:
    """MUST P9: two minutes without one completed poll, and the transport is rebuilt."""
    found = steps(*[Failed()] * 40)
    at, rebuilt = 0.0, []
    for step in found:
        at += 1
        if step.rebuild:
            rebuilt.append(at)
        at += step.wait_s
    assert rebuilt[0] >= 120
    assert len(rebuilt) >= 2
    assert all(later - earlier >= 120 for earlier, later in pairwise(rebuilt))


def test_a_hung_poll_rebuilds_the_transport_at_once() -> None:
    assert steps(Failed(hung=True))[0].rebuild


@pytest.mark.parametrize("outcome", [Conflicted(), TokenRefused(), Flooded(5), Unstored()])
def test_an_answer_shows_that_the_transport_works(outcome: PollOutcome) -> None:
    assert not any(step.rebuild for step in steps(*[outcome] * 50, seconds_each=200))


OUTCOMES = st.one_of(
    st.builds(Completed, st.booleans(), st.floats(0, 60)),
    st.just(Conflicted()),
    st.just(TokenRefused()),
    st.builds(Flooded, st.floats(0, 900)),
    st.builds(Failed, st.booleans()),
    st.builds(Unstored, st.booleans()),
)


@settings(deadline=None)  # the machine may be busy
@given(outcomes=st.lists(OUTCOMES, max_size=30), jitter=st.floats(0, 1))
def test_only_news_is_followed_by_a_poll_at_once(outcomes: list[PollOutcome], jitter: float) -> None:
    """MUST P10: no answer of any server makes the poll loop spin."""
    for outcome, step in zip(outcomes, steps(*outcomes, jitter=jitter), strict=True):
        if isinstance(outcome, Completed):
            assert outcome.fresh or step.wait_s + outcome.took_s >= LEAST_SPACING_S
            assert step.bridge is BridgeState.POLLING
        else:
            assert step.wait_s >= 0.25
            assert step.bridge is not BridgeState.POLLING
        if isinstance(outcome, Failed | Unstored) and outcome != Unstored(broken=True):
            assert step.wait_s <= LONGEST_BACKOFF_S


def test_every_state_has_a_sentence() -> None:
    assert all(state.sentence.endswith(".") for state in BridgeState)
