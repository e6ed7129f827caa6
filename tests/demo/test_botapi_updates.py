"""getUpdates: what is confirmed is gone, what is not comes again, and of two callers one is told."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from telegram_channel.demo.botapi_updates import LongPoll
from telegram_channel.demo.botapi_wire import Answer, Json
from tests.demo.desk import TOKEN, Desk

CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


def texts(updates: list[Json]) -> list[str]:
    return [update["message"]["text"] for update in updates]


def waiting(desk: Desk, **params: object) -> LongPoll:
    outcome = desk.raw("getUpdates", {"timeout": 30, **params})
    assert isinstance(outcome, LongPoll)
    return outcome


def finished(desk: Desk, poll: LongPoll) -> Answer:
    outcome = desk.api.finish(poll, desk.now)
    assert isinstance(outcome, Answer)
    return outcome


def test_an_update_comes_again_until_an_offset_confirms_it() -> None:
    """MUST E3: delivered is not confirmed; only the next offset confirms."""
    desk = Desk()
    desk.phone.say("one")
    desk.phone.say("two")

    first = desk.updates()
    assert texts(first) == texts(desk.updates()) == ["one", "two"]
    assert texts(desk.updates(offset=first[0]["update_id"] + 1)) == ["two"]
    assert texts(desk.updates()) == ["two"]
    assert desk.updates(offset=first[1]["update_id"] + 1) == []
    assert desk.updates() == []


def test_an_offset_in_the_past_returns_the_oldest() -> None:
    desk = Desk()
    desk.phone.say("one")

    assert texts(desk.updates(offset=5)) == ["one"]


def test_a_negative_offset_keeps_only_the_last() -> None:
    desk = Desk()
    for number in range(5):
        desk.phone.say(str(number))

    assert texts(desk.updates(offset=-2)) == ["3", "4"]
    assert texts(desk.updates()) == ["3", "4"]


def test_an_offset_far_beyond_the_newest_update_is_not_believed() -> None:
    desk = Desk()
    desk.phone.say("one")
    newest = desk.updates()[0]["update_id"]

    assert texts(desk.updates(offset=newest + 12)) == ["one"]
    assert desk.updates(offset=newest + 11) == []


def test_after_ids_restart_anywhere_nothing_is_lost() -> None:
    """MUST E4: update ids are not monotonic; an old cursor loses nothing of a restarted numbering."""
    desk = Desk()
    desk.phone.say("before")
    old = desk.updates()[0]["update_id"]
    assert desk.updates(offset=old + 1) == []
    desk.bot.queue.jump(1000)
    desk.phone.say("after")

    fetched = desk.updates(offset=old + 1)

    assert [update["update_id"] for update in fetched] == [1000]
    assert desk.updates(offset=1001) == []


def test_a_jump_so_small_that_the_server_would_lose_updates_cannot_be_made() -> None:
    desk = Desk()
    following = desk.bot.queue.inject({}, desk.now) + 1

    with pytest.raises(ValueError, match="further"):
        desk.bot.queue.jump(following - 5)
    desk.bot.queue.jump(following + 5)
    assert desk.bot.queue.inject({}, desk.now) == following + 5


def test_a_limit_is_clamped_to_100() -> None:
    desk = Desk()
    for number in range(120):
        desk.phone.say(str(number))

    assert [len(desk.updates(limit=limit)) for limit in (1, 0, 7, 100, 500)] == [1, 1, 7, 100, 100]


def test_an_answer_stays_below_four_megabytes() -> None:
    desk = Desk()
    for _ in range(5):
        desk.bot.queue.inject({"message": {"text": "x" * 1_500_000}}, desk.now)

    assert len(desk.updates()) == 2


def test_unconfirmed_updates_are_kept_for_a_day() -> None:
    desk = Desk()
    desk.phone.say("old")
    desk.now += 23 * 3600
    desk.phone.say("new")

    assert texts(desk.updates()) == ["old", "new"]
    desk.now += 2 * 3600
    assert texts(desk.updates()) == ["new"]


def test_a_planted_duplicate_comes_whatever_was_confirmed() -> None:
    desk = Desk()
    desk.phone.say("once")
    update = desk.updates()[0]
    number = update.pop("update_id")
    desk.bot.queue.inject(update, desk.now, update_id=number)

    assert texts(desk.updates(offset=number + 1)) == ["once"]
    assert desk.updates(offset=number + 1) == []


def test_anything_at_all_can_be_planted() -> None:
    desk = Desk()
    for junk in ({"message": {"text": 5}}, {"unheard_of": True}, ["no object"], None):
        desk.bot.queue.inject(junk, desk.now)

    assert [type(update).__name__ for update in desk.updates()] == ["dict", "dict", "list", "NoneType"]


def test_reactions_come_only_to_a_bot_that_asked_for_them() -> None:
    desk = Desk()
    desk.phone.react(desk.first, "👍")
    assert desk.updates() == []

    assert desk.updates(allowed_updates=["message_reaction"]) == []
    desk.phone.react(desk.first, "👎")
    desk.phone.say("not asked for")
    update = desk.updates()[0]["message_reaction"]
    assert (update["old_reaction"], update["new_reaction"]) == (
        [{"type": "emoji", "emoji": "👍"}],
        [{"type": "emoji", "emoji": "👎"}],
    )
    assert len(desk.updates()) == 1, "the last list is remembered"

    desk.updates(offset=-1, allowed_updates=[])
    desk.phone.say("asked for by default")
    assert len(desk.updates()) == 2


def test_an_unknown_update_type_is_complained_about() -> None:
    desk = Desk()

    desk.updates(allowed_updates=["message", "mesage_reaction"])

    assert desk.api.complaints == ["getUpdates: mesage_reaction is no type of update"]


def test_a_long_poll_ends_with_the_first_update() -> None:
    desk = Desk()
    rung: list[str] = []
    poll = waiting(desk)
    poll.on_ready = lambda: rung.append("ready")

    assert desk.api.finish(poll, desk.now) is poll
    desk.phone.say("one")
    desk.phone.say("two")

    assert rung == ["ready"]
    assert texts(finished(desk, poll).result) == ["one", "two"]
    assert not desk.bot.queue.is_waited_for


def test_a_long_poll_ends_empty_at_its_deadline() -> None:
    desk = Desk()
    poll = waiting(desk, timeout=3)

    desk.now += 3

    assert (poll.deadline, finished(desk, poll).result) == (desk.now, [])


def test_a_long_poll_waits_no_longer_than_50_seconds() -> None:
    desk = Desk()

    assert waiting(desk, timeout=600).deadline == desk.now + 50


def test_an_abandoned_poll_takes_nothing_with_it() -> None:
    desk = Desk()
    poll = waiting(desk)
    desk.api.abandon(poll)

    desk.phone.say("still there")

    assert not poll.is_ready
    assert texts(desk.updates()) == ["still there"]


def test_a_newer_poll_ends_the_older_one_with_409() -> None:
    desk = Desk()
    older = waiting(desk)
    newer = waiting(desk)

    answer = finished(desk, older)
    assert answer.json() == {"ok": False, "error_code": 409, "description": CONFLICT}
    assert answer.hold_until is None
    desk.phone.say("for the newer")
    assert texts(finished(desk, newer).result) == ["for the newer"]


def test_a_poll_that_need_not_wait_ends_nobody() -> None:
    desk = Desk()
    older = waiting(desk)

    assert desk.updates() == []
    assert desk.api.finish(older, desk.now) is older


def test_repeated_conflicts_are_held_back_for_three_seconds() -> None:
    desk = Desk(throttles=True)
    polls = [waiting(desk) for _ in range(3)]

    assert finished(desk, polls[0]).hold_until is None
    assert finished(desk, polls[1]).hold_until == desk.now + 3


def test_with_a_webhook_there_is_no_polling() -> None:
    desk = Desk()
    poll = waiting(desk)
    desk.call("setWebhook", url="https://example.com/hook", max_connections=5)

    assert finished(desk, poll).description == "Conflict: terminated by setWebhook request"
    assert desk.refusal("getUpdates") == (
        "409 Conflict: can't use getUpdates method while webhook is active; "
        "use deleteWebhook to delete the webhook first"
    )
    desk.phone.say("meanwhile")
    info = desk.call("getWebhookInfo")
    assert (info["url"], info["pending_update_count"]) == ("https://example.com/hook", 1)

    desk.call("deleteWebhook")
    assert texts(desk.updates()) == ["meanwhile"]
    desk.call("deleteWebhook", drop_pending_updates=True)
    assert desk.updates() == []


def test_greedy_polling_is_slowed_down() -> None:
    desk = Desk(throttles=True)
    desk.phone.say("one")
    desk.phone.say("two")

    assert len(desk.updates()) == 2
    assert len(desk.updates()) == 1, "the same offset within half a second"
    desk.now += 1
    assert len(desk.updates()) == 2
    newest = desk.updates()[0]["update_id"] + 1
    desk.updates(offset=newest + 1)
    outcome = desk.raw("getUpdates", {"offset": newest + 1})
    assert isinstance(outcome, LongPoll)
    assert outcome.deadline == desk.now + 3


class Polling(RuleBasedStateMachine):
    """One poller, one phone, and a model of what is confirmed.

    MUST E5: nothing unconfirmed is lost and nothing confirmed comes again, however calls interleave.
    """

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.said: list[str] = []
        self.confirmed = 0
        self.known: list[Json] = []
        """Every update that was handed out, once, in order."""
        self.poll: LongPoll | None = None
        self.restarts = [17, 5_000_000, 2_000_000_000]

    @rule(count=st.integers(1, 4))
    def say(self, count: int) -> None:
        for _ in range(count):
            self.said.append(f"message {len(self.said)}")
            self.desk.phone.say(self.said[-1])

    def take(self, updates: list[Json], limit: int) -> None:
        assert texts(updates) == self.said[self.confirmed : self.confirmed + limit]
        for update in updates[len(self.known) - self.confirmed :]:
            self.known.append(update)

    @rule(limit=st.integers(1, 5), step=st.integers(0, 5), wait=st.booleans())
    def fetch(self, limit: int, step: int, wait: bool) -> None:
        """Confirm up to `step` of what was handed out, or nothing, and ask for more."""
        self.desk.now += 1
        target = min(self.confirmed + step, len(self.known))
        params: dict[str, object] = {"limit": limit, "timeout": 20 if wait else 0}
        if target:
            params["offset"] = self.known[target - 1]["update_id"] + 1
            self.confirmed = target
        outcome = self.desk.api.call(TOKEN, "getUpdates", params, now=self.desk.now)
        if isinstance(outcome, LongPoll):
            assert self.confirmed == len(self.said)
            self.poll = outcome
        else:
            self.take(outcome.result, limit)

    @precondition(lambda self: self.poll)
    @rule()
    def finish(self) -> None:
        assert self.poll
        outcome = self.desk.api.finish(self.poll, self.desk.now)
        if isinstance(outcome, LongPoll):
            assert self.confirmed == len(self.said)
        else:
            self.take(outcome.result, self.poll.limit)
            self.poll = None

    @precondition(lambda self: self.poll)
    @rule()
    def hang_up(self) -> None:
        assert self.poll
        self.desk.api.abandon(self.poll)
        self.poll = None

    @precondition(lambda self: self.restarts and self.confirmed == len(self.said))
    @rule(which=st.integers(0, 2))
    def restart_ids(self, which: int) -> None:
        """Go on elsewhere, never among ids that were used before."""
        self.desk.bot.queue.jump(self.restarts.pop(which % len(self.restarts)))

    def teardown(self) -> None:
        remaining = self.desk.updates(limit=100)
        assert texts(remaining) == self.said[self.confirmed : self.confirmed + 100]


TestPolling = Polling.TestCase
TestPolling.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
