"""Each sentence about stopping and pausing is said exactly when it is true."""

from dataclasses import replace
from itertools import product

import pytest

from telegram_channel.core import order_words
from telegram_channel.core.commands import BotCommand
from telegram_channel.core.ids import ChatId, MessageId, SenderId, SessionId
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind, StopFacts
from tests.values import NOON

STOP = Order(OrderKind.STOP, SessionId("s"), SenderId("1"), "Ann", NOON, ChatId("1001"), MessageId("7"))
PAUSE = replace(STOP, kind=OrderKind.PAUSE, session=EVERY_SESSION, by_name="Bob\n")


@pytest.mark.parametrize(
    ("hooks", "in_flight", "denied", "running", "waiting"),
    [*product((True, False), (True, False), (0, 1, 2), ((), ("Bash",), ("Bash", "Read", "Bash")), (0, 2))],
)
def test_the_answer_to_a_stop_says_what_is_true_and_nothing_else(
    hooks: bool, in_flight: bool, denied: int, running: tuple[str, ...], waiting: int
) -> None:
    """MUST B1: the answer to /stop says truthfully what was stopped and what cannot be."""
    said = order_words.stop_answer(StopFacts(hooks, in_flight, running, denied, waiting=waiting)).plain()
    idle = hooks and not (in_flight or running or denied)
    assert ("I cannot stop it from here" in said) is (not hooks)
    assert ("Press Esc in the terminal" in said) is (not hooks)
    assert ("there is nothing to stop" in said) is idle
    assert ("Every further tool call is refused" in said) is (hooks and not idle)
    assert ("/resume" in said) is not idle
    assert ("A turn is in flight, as far as I can see." in said) is (hooks and in_flight)
    assert ("No turn is in flight any more" in said) is (hooks and not in_flight and not idle)
    assert ("1 open permission request was denied" in said) is (denied == 1)
    assert ("2 open requests were denied" in said) is (denied == 2)
    assert ("Bash is still running" in said) is (hooks and running == ("Bash",))
    assert ("Bash (2 times) and Read are still running" in said) is (hooks and len(running) == 3)
    assert ("2 messages are still on the way" in said) is (hooks and waiting == 2)


@pytest.mark.parametrize(
    ("refused", "turn_ended", "said"),
    [
        (("Bash",), False, "✋ Stopped. Refused: Bash."),
        (("Bash", "Write", "Bash"), True, "✋ Stopped. Refused: Bash (2 times) and Write."),
        (tuple("abcdefg"), True, "✋ Stopped. Refused: a, b, c, d and 3 others."),
        (("x\ny" + "z" * 100,), True, "✋ Stopped. Refused: x␊y" + "z" * 60 + "…."),
        ((), True, "✋ Stopped. Claude's turn is over; no further tool call was tried."),
        (
            (),
            False,
            "✋ That turn is over: a new one has begun, and the stop does not hold it. "
            "No tool call had to be refused.",
        ),
    ],
)
def test_the_follow_up_says_what_was_refused(refused: tuple[str, ...], turn_ended: bool, said: str) -> None:
    assert order_words.stopped(refused, turn_ended=turn_ended).plain() == said


def test_resume_says_what_it_lifted_or_that_it_was_nothing() -> None:
    assert order_words.resumed(()).plain() == "Nothing was stopped or paused, so there was nothing to lift."
    both = order_words.resumed((STOP, PAUSE)).plain()
    assert "The stop by Ann is lifted" in both
    assert "The pause by Bob is lifted" in both
    assert "pause" not in order_words.resumed((STOP,)).plain()
    assert "stop" not in order_words.resumed((PAUSE,)).plain()


def test_status_names_who_stopped_and_who_paused() -> None:
    stop, pause = order_words.standing_lines((STOP, PAUSE))
    assert stop == "Stop by Ann: it stands until somebody begins a new turn or /resume"
    assert pause == "Paused by Bob: new messages are held back until /resume"


@pytest.mark.parametrize("command", [BotCommand.PROGRESS, BotCommand.STREAM])
def test_a_wish_says_how_it_stands_and_what_changes_it(command: BotCommand) -> None:
    assert order_words.wish_stands(command, on=True).plain().endswith(f"/{command} off changes that.")
    assert order_words.wish_stands(command, on=False).plain().endswith(f"/{command} on changes that.")
    assert "not shown" in order_words.wish_stands(command, on=False).plain()
    assert order_words.wish_kept(command, on=True).plain().startswith("On:")
    assert order_words.wish_kept(command, on=False).plain().startswith("Off:")
