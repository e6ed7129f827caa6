"""The limits hold for all senders together, in the order in which they asked, whatever the clock does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.core.ids import ChatId
from telegram_channel.core.pacing import (
    BOT_PAUSE_S,
    GRACE_S,
    NAP_S,
    Answer,
    AskAgain,
    Go,
    LaneBook,
    Passage,
    Paused,
    Rate,
)
from telegram_channel.tg.limits import GROUP_PACE, OVERALL_PACE, PRIVATE_PACE

ANN, BOB, TEAM = ChatId("1"), ChatId("2"), ChatId("-3")
KINDS = ("MESSAGE", "EDIT")


def passage(chat: ChatId = ANN, messages: int = 1, *, rate: Rate = PRIVATE_PACE, urgent: bool = False) -> Passage:
    return Passage(chat, "MESSAGE", rate, OVERALL_PACE, messages, urgent)


class Senders:
    """Any number of senders that take turns at one book; each asks as a real one does until it may go."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.book = LaneBook()
        self.now = now

    def ask(self, ticket: str, wanted: Passage) -> Answer:
        return self.book.ask(wanted, ticket, self.now)

    def until_gone(self, *wanted: tuple[str, Passage]) -> list[tuple[str, float]]:
        """Who leaves when, if everybody asks again exactly when told to."""
        asking = [(self.now, ticket, one) for ticket, one in wanted]
        gone: list[tuple[str, float]] = []
        began_at = self.now
        while asking:
            asking.sort(key=lambda one: one[0])
            self.now, ticket, one = asking.pop(0)
            match self.ask(ticket, one):
                case Go():
                    gone.append((ticket, round(self.now - began_at, 3)))
                case AskAgain(seconds) | Paused(seconds):
                    asking.append((self.now + seconds, ticket, one))
        return gone


@pytest.mark.parametrize(
    ("rate", "window_s", "most"), [(PRIVATE_PACE, 5, 5), (GROUP_PACE, 60, 20), (OVERALL_PACE, 1, 30)]
)
def test_no_window_holds_more_than_telegram_allows(rate: Rate, window_s: float, most: int) -> None:
    """MUST M2: at most 20 messages a minute in a group and 30 a second in all."""
    senders = Senders()
    gone = senders.until_gone(*((f"{number}", Passage(ANN, "MESSAGE", rate, rate)) for number in range(100)))
    starts = [at for _, at in gone]
    for start in starts:
        assert sum(start <= other < start + window_s for other in starts) <= most


def test_all_leave_in_the_order_in_which_they_asked() -> None:
    gone = Senders().until_gone(*((name, passage()) for name in "abcdefgh"))
    assert gone == [*((name, 0) for name in "abcde"), *((name, 5.2) for name in "fgh")]


def test_an_album_counts_as_all_its_messages_and_is_not_overtaken_for_ever() -> None:
    """MUST M13: an album gets its turn, however many single messages others send."""
    rate = Rate(most=5, within_s=5.0)
    wanted = [(f"{index}", passage(messages=messages, rate=rate)) for index, messages in enumerate((3, 3, 1, 10, 1))]
    assert Senders().until_gone(*wanted) == [("0", 0), ("1", 5), ("2", 5), ("3", 10), ("4", 15)]


def test_an_urgent_message_goes_before_all_that_wait_for_their_chat() -> None:
    """MUST R25: permission cards go before everything else that waits for their chat."""
    senders = Senders()
    for name in "abcdefgh":
        senders.ask(name, passage())
    gone = senders.until_gone(*((name, passage()) for name in "fgh"), ("CARD", passage(messages=5, urgent=True)))
    assert gone[0] == ("CARD", 5.2)
    assert [name for name, _ in gone] == ["CARD", "f", "g", "h"]


def test_a_message_that_waits_for_its_chat_takes_nothing_from_other_chats() -> None:
    """MUST R24: one slow or flooded chat never delays another."""
    senders = Senders()
    senders.until_gone(("first", passage(TEAM, 20, rate=GROUP_PACE)))
    senders.now += 2
    assert isinstance(senders.ask("waits", passage(TEAM, 20, rate=GROUP_PACE)), AskAgain)
    for number in range(OVERALL_PACE.most):
        assert senders.ask("other", passage(ChatId(f"{number}"))) == Go()


def test_whoever_dies_while_it_waits_holds_nobody_up_for_long() -> None:
    """MUST M14: a sender that dies while it waits delays others by seconds, not for good."""
    senders = Senders()
    rate = Rate(most=5, within_s=1.0)
    senders.ask("first", passage(messages=5, rate=rate))
    senders.ask("dies", passage(messages=5, rate=rate))
    ((_, took_s),) = senders.until_gone(("lives", passage(rate=rate)))
    assert took_s <= rate.within_s + GRACE_S + rate.within_s


def test_a_pause_holds_everybody_and_the_longer_one_counts() -> None:
    """MUST R23: a flood wait is kept exactly, per chat."""
    senders = Senders()
    for seconds in (30, 10):
        senders.book.pause(ANN, KINDS, seconds, senders.now)
    assert senders.ask("a", passage()) == Paused(30)
    assert senders.ask("b", passage(BOB)) == Go()
    senders.now += 12
    assert senders.ask("b", passage()) == Paused(18)
    senders.now += 18
    assert senders.ask("a", passage()) == Go()


def test_those_who_were_held_do_not_all_leave_at_once() -> None:
    """MUST M15: after a flood wait, the messages that piled up leave at the usual pace."""
    senders = Senders()
    senders.book.pause(ANN, KINDS, 30, senders.now)
    gone = senders.until_gone(*((name, passage()) for name in "abcdefgh"))
    assert [at for _, at in gone] == [30.0] * 5 + [35.2] * 3


def test_three_paused_chats_pause_the_bot_for_a_moment() -> None:
    """MUST M16: when three chats at once are told to wait, the bot pauses for at most five seconds."""
    senders = Senders()
    for chat, seconds in ((ANN, 30), (BOB, 60)):
        senders.book.pause(chat, KINDS, seconds, senders.now)
    assert senders.ask("a", passage(TEAM)) == Go()
    senders.book.pause(ChatId("4"), KINDS, 600, senders.now)
    assert senders.ask("a", passage(TEAM)) == Paused(BOT_PAUSE_S)
    senders.now += BOT_PAUSE_S
    assert senders.ask("a", passage(TEAM)) == Go()


def test_many_chats_with_a_pause_for_reactions_do_not_pause_the_bot() -> None:
    senders = Senders()
    for number in range(9):
        senders.book.pause(ChatId(f"{number}"), ("REACTION",), 30, senders.now)
    assert senders.ask("a", passage(TEAM)) == Go()


@pytest.mark.parametrize("jump_s", [-86_400.0, -30.0, 30.0, 86_400.0])
def test_a_clock_that_jumps_costs_at_most_one_window_and_one_pause(jump_s: float) -> None:
    """MUST M17: a jump of the clock delays nothing by more than one pause and one window."""
    senders = Senders()
    for number in range(8):
        senders.ask(f"{number}", passage())
    senders.book.pause(ANN, KINDS, 20, senders.now)
    senders.now += jump_s
    ((_, took_s),) = senders.until_gone(("a", passage()))
    most_s = 20 + PRIVATE_PACE.within_s + NAP_S + GRACE_S
    assert took_s <= most_s


@settings(deadline=None)  # the machine may be busy
@given(requests=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4)), min_size=1, max_size=40))
def test_slots_are_never_too_early_and_never_needlessly_late(requests: list[tuple[int, int]]) -> None:
    rate, senders = Rate(most=4, within_s=6.0), Senders()
    taken: list[float] = []
    for gap, messages in requests:
        senders.now += gap
        free = sum(senders.now - 6.0 < other for other in taken) + messages <= 4
        answer = senders.ask("a", Passage(ANN, "MESSAGE", rate, Rate(100, 1.0), messages))
        assert (answer == Go()) == free
        if free:
            taken += [senders.now] * messages
    for start in taken:
        assert sum(start <= other < start + 6.0 for other in taken) <= 4
