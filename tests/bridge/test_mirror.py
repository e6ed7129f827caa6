"""No silence: whoever asked hears something at the end of the turn, once, and nobody else does."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest

from telegram_channel.bridge.replies import Places
from telegram_channel.bridge.signs import READ_SIGN
from telegram_channel.bridge.tools import Tools
from telegram_channel.bridge.turns import Turns
from telegram_channel.core import notices
from telegram_channel.core.access import AccessState
from telegram_channel.core.hooks import AttentionWanted, PromptSubmitted, ToolStarting, TurnEnded
from telegram_channel.core.ids import BotId, EntryId, MessageId, ThreadId
from telegram_channel.core.inbox import DeliveryState, InboxEntry
from telegram_channel.core.messages import ReactionChange
from telegram_channel.core.outgoing import PartlySent, Refused, SendOutcome, Sent, Uncertain
from telegram_channel.core.text import Markdown
from telegram_channel.errors import StateUnwritable
from telegram_channel.storage.memory import MemoryStore
from tests.bridge.terminal import ANN, BASH, BOB, ME, TEAM, Allow, Terminal, said, tag
from tests.values import NOON, entry, message, place
from tests.waiting import running


def liked(number: int) -> InboxEntry:
    """A reaction to be stored."""
    update = message(update=9900 + number).update
    return entry(ReactionChange(update, place(), MessageId(str(number)), NOON, ("👍",), ()), entry=EntryId(0))


def tools_of(terminal: Terminal) -> Tools:
    """Claude's tools, which tell the turns what was answered."""
    here = Path(tempfile.gettempdir())  # no test here sends a file
    tools = Tools(terminal.clock, ME, Places(here, here, here), answered=terminal.turns.answered)
    tools.connect(terminal.store, terminal.chat)
    return tools


async def test_final_words_reach_the_chat_that_asked_marked_as_mirrored() -> None:
    """MUST T16: at the end of a turn a chat that asked and got nothing gets Claude's final words, marked as such."""
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        await terminal.stops("**All** tests pass.\n\n```\nok\n```\n")
    [sent] = terminal.chat.sent
    assert (sent.chat, sent.thread, sent.body) == (
        ANN,
        None,
        Markdown("🖥 *From the terminal:*\n\n**All** tests pass.\n\n```\nok\n```"),
    )
    assert await terminal.state(1) is DeliveryState.ANSWERED


@pytest.mark.parametrize("words", ["", " \n"])
async def test_without_words_there_is_a_short_note(words: str) -> None:
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        await terminal.stops(words)
    assert [one.body for one in terminal.chat.sent] == [notices.nothing_said()]
    assert await terminal.state(1) is DeliveryState.ANSWERED


async def test_a_reaction_of_a_person_that_leads_to_no_word_needs_no_note() -> None:
    terminal = Terminal()
    await terminal.given(liked(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        await terminal.stops("")
        assert terminal.chat.sent == []
    await terminal.given(liked(2))
    async with terminal.flows():
        await terminal.reads((ANN, 2))
        await terminal.stops("Deployed.")
    assert len(terminal.chat.sent) == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("reply", {"text": "Done."}),
        ("edit_message", {"message_id": "501", "text": "Done."}),
        ("react", {"message_id": "1", "emoji": "👍"}),
    ],
)
@pytest.mark.parametrize("outcome", [Sent((MessageId("9"),)), Uncertain("Who knows?"), None])
async def test_a_chat_that_was_answered_hears_nothing_more(
    name: str, arguments: dict[str, Any], outcome: SendOutcome | None
) -> None:
    """MUST T17: a reply, an edit or a reaction is an answer; a chat that got one in the turn gets no mirror."""
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        if outcome:
            terminal.chat.will({"reply": "send", "react": "react", "edit_message": "edit"}[name], outcome)
        await tools_of(terminal).call(name, {"chat_id": ANN, **arguments})
        before = len(terminal.chat.sent)
        await terminal.stops("done")
        assert len(terminal.chat.sent) == before
    assert await terminal.state(1) is DeliveryState.ANSWERED


@pytest.mark.parametrize(
    ("name", "method", "arguments"),
    [
        ("reply", "send", {"text": "Done."}),
        ("edit_message", "edit", {"message_id": "501", "text": "Done."}),
        ("react", "react", {"message_id": "1", "emoji": "👍"}),
    ],
)
async def test_what_was_refused_answered_nobody(name: str, method: str, arguments: dict[str, Any]) -> None:
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        terminal.chat.will(method, Refused("Bad Request"))
        await tools_of(terminal).call(name, {"chat_id": ANN, **arguments})
        await terminal.stops("done")
    assert terminal.chat.texts(ANN)[-1] == "🖥 *From the terminal:*\n\ndone"


async def test_a_reaction_that_is_taken_away_answers_nobody() -> None:
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        await tools_of(terminal).call("react", {"chat_id": ANN, "message_id": "1", "emoji": ""})
        await terminal.stops("done")
    assert len(terminal.chat.texts(ANN)) == 1


async def test_a_reply_that_is_still_on_its_way_is_an_answer() -> None:
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        gate = terminal.chat.hold(ANN)
        replying = asyncio.create_task(tools_of(terminal).call("reply", {"chat_id": ANN, "text": "Done."}))
        await terminal.clock.settle()
        replying.cancel()  # the client waits no more; what was handed over still leaves
        await terminal.clock.settle()
        await terminal.stops("done")
        gate.set()
    assert terminal.chat.texts(ANN) == ["Done."]


async def test_only_who_asked_in_this_turn_gets_the_words() -> None:
    """MUST T18: final words never reach a chat that asked nothing in that turn."""
    terminal = Terminal()
    await terminal.given(said(1), said(2, BOB), said(3, TEAM, thread="5"), said(4, TEAM, thread="6"))
    async with terminal.flows():
        await terminal.reads((BOB, 2), (TEAM, 3))
        await terminal.stops("done")
        assert [(one.chat, one.thread) for one in terminal.chat.sent] == [(BOB, None), (TEAM, "5")]
        await terminal.reads((ANN, 1))
        await terminal.stops("that, too")
    assert [(one.chat, one.thread) for one in terminal.chat.sent[2:]] == [(ANN, None)]


async def test_a_turn_typed_in_the_terminal_is_nobodys_business() -> None:
    """MUST T19: the words of a turn that was typed in the terminal go to no chat."""
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.turns.called(PromptSubmitted("what is the root password?"))
        await terminal.turns.called(ToolStarting(BASH))
        await terminal.stops("It is hunter2.")
        await terminal.reads((ANN, 1))  # interrupted with Esc, which no hook tells
        await terminal.turns.called(PromptSubmitted("and the other one?"))
        await terminal.stops("It is hunter3.")
        await terminal.turns.called(AttentionWanted("…", "idle_prompt"))
        await terminal.turns.called(ToolStarting(BASH))  # a turn whose begin was missed
        await terminal.stops("It is hunter4.")
    assert terminal.chat.sent == []


async def test_several_messages_of_one_place_get_one_answer() -> None:
    terminal = Terminal()
    await terminal.given(said(1), said(2), said(3, album="a"), said(4, album="a"))
    async with terminal.flows():
        await terminal.reads((ANN, 1), (ANN, 2), (ANN, 3))
        await terminal.stops("done")
    assert len(terminal.chat.sent) == 1
    assert {await terminal.state(number) for number in (1, 2, 3, 4)} == {DeliveryState.ANSWERED}


async def test_a_stop_that_comes_again_says_nothing_again() -> None:
    """MUST T20: no message is mirrored twice, whatever comes twice."""
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        await terminal.stops("done")
        await terminal.stops("done", again=True)
        await terminal.turns.called(ToolStarting(BASH))
        await terminal.stops("really done", again=True)
        await terminal.reads((ANN, 1))
        await terminal.stops("done")
    assert len(terminal.chat.sent) == 1


async def test_what_could_not_be_noted_is_still_not_said_again() -> None:
    """MUST T20: no message is mirrored twice, whatever comes twice."""

    class FullDisk(MemoryStore):
        full = False

        def changed(self) -> None:
            if self.full:
                raise StateUnwritable("The disk is full.")
            super().changed()

    store = FullDisk(BotId("900"), now=lambda: NOON)
    terminal = Terminal(store)
    await terminal.given(said(1))
    given = dict(store.tables.inbox)
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        store.full = True
        await terminal.stops("done")
        store.full = False
        store.tables.inbox.update(given)  # as if nothing had been noted
        await terminal.reads((ANN, 1))
        await terminal.stops("done")
    assert len(terminal.chat.sent) == 1
    assert await terminal.state(1) is DeliveryState.ANSWERED


async def test_flows_that_begin_anew_say_nothing_again_and_forget_nothing() -> None:
    terminal = Terminal()
    await terminal.given(said(1), said(2))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
    async with terminal.flows():
        await terminal.stops("done")
    async with terminal.flows():
        await terminal.stops("done")
        assert len(terminal.chat.sent) == 1
        gate = terminal.chat.hold(ANN)
        await terminal.reads((ANN, 2))
        await terminal.stops("done")
        assert len(terminal.chat.sent) == 2  # on its way, and then the flows end
    gate.set()
    async with terminal.flows():
        await terminal.stops("done")
    assert len(terminal.chat.sent) == 2


async def test_a_new_process_mirrors_nothing_that_an_earlier_one_was_asked() -> None:
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
    anew = Turns(terminal.clock, ME, terminal.activity, Allow())
    async with running(anew.run(terminal.store, terminal.chat)):
        await anew.called(TurnEnded("done"))
        await terminal.clock.settle()
    assert terminal.chat.sent == []


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Sent((MessageId("9"),)), DeliveryState.ANSWERED),
        (PartlySent((MessageId("9"),), 2, "The network broke."), DeliveryState.ANSWERED),
        (Uncertain("The network broke."), DeliveryState.ANSWERED),
        (Refused("Bad Request"), DeliveryState.READ),
    ],
)
async def test_what_may_have_arrived_counts_as_said(outcome: SendOutcome, state: DeliveryState) -> None:
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        terminal.chat.will("send", outcome)
        await terminal.stops("done")
        await terminal.stops("done", again=True)
    assert len(terminal.chat.sent) == 1
    assert await terminal.state(1) is state


async def test_a_chat_that_may_not_be_written_to_is_not() -> None:
    """MUST T21: final words go only to chats whose people are let in."""
    terminal = Terminal()
    await terminal.given(said(1), said(2, BOB))
    async with terminal.flows():
        await terminal.reads((ANN, 1), (BOB, 2))
        terminal.store.tables.book = AccessState()
        await terminal.stops("done")
        terminal.let_in()
        await terminal.stops("done")
    assert terminal.chat.sent == []


async def test_a_closed_chat_is_left_alone_and_one_that_closes_is_remembered() -> None:
    terminal = Terminal()
    await terminal.given(said(1), said(2, BOB))
    async with terminal.flows():
        await terminal.reads((ANN, 1), (BOB, 2))
        await terminal.store.closed_chats.close(BOB, "The bot was blocked.")
        terminal.chat.will("send", Refused("The bot was blocked, too.", closed=True))
        await terminal.stops("done")
    assert [one.chat for one in terminal.chat.sent] == [ANN]
    assert await terminal.store.closed_chats.reason(ANN) == "The bot was blocked, too."


async def test_a_slow_chat_keeps_no_other_waiting() -> None:
    terminal = Terminal()
    await terminal.given(said(1), said(2, BOB), said(3, BOB))
    async with terminal.flows():
        gate = terminal.chat.hold(ANN)
        await terminal.reads((ANN, 1), (BOB, 2))
        await terminal.stops("done")
        assert await terminal.state(2, BOB) is DeliveryState.ANSWERED
        await terminal.reads((BOB, 3))
        assert await terminal.state(3, BOB) is DeliveryState.READ
        assert await terminal.state(1) is DeliveryState.READ
        gate.set()
        await terminal.clock.settle()
        assert await terminal.state(1) is DeliveryState.ANSWERED


async def test_the_bots_token_is_in_no_final_words() -> None:
    """MUST T22: final words that hold the bot's token stay in the terminal."""
    terminal = Terminal()
    terminal.turns.never_send("12345:the-secret-part")
    await terminal.given(said(1))
    async with terminal.flows():
        await terminal.reads((ANN, 1))
        await terminal.stops("export TOKEN=12345:the-secret-part")
    assert [one.body for one in terminal.chat.sent] == [notices.words_withheld()]


async def test_what_was_read_without_a_tag_is_answered_with_the_turn_too() -> None:
    terminal = Terminal()
    await terminal.given(said(1), said(2, BOB))
    async with terminal.flows():
        await terminal.turns.called(PromptSubmitted("hello"))
        await tools_of(terminal).call("react", {"chat_id": ANN, "message_id": "1", "emoji": "👍"})
        assert await terminal.state(1) is DeliveryState.READ
        await terminal.stops("done")
    assert await terminal.state(1) is DeliveryState.ANSWERED
    assert await terminal.state(2, BOB) is DeliveryState.EMITTED


async def test_a_reply_to_one_topic_answers_no_other() -> None:
    terminal = Terminal()
    await terminal.given(said(1, TEAM, thread="5"), said(2, TEAM, thread="6"))
    async with terminal.flows():
        await terminal.reads((TEAM, 1), (TEAM, 2))
        terminal.turns.answered(TEAM, ThreadId("6"))
        await terminal.stops("done")
    assert [(one.chat, one.thread) for one in terminal.chat.sent] == [(TEAM, "5")]


async def joined(terminal: Terminal, number: int) -> None:
    """A message joins the turn in flight."""
    await terminal.turns.called(PromptSubmitted(tag(ANN, number), "p1"))
    await terminal.clock.settle()


async def test_a_message_that_joins_after_an_answer_waits_for_one_of_its_own() -> None:
    """MUST T23: an answer counts for what was read before it, not for a message that joins the turn after it."""
    terminal = Terminal()
    await terminal.given(said(1))
    async with terminal.flows():
        await joined(terminal, 1)
        await tools_of(terminal).call("reply", {"chat_id": ANN, "text": "Done."})
        await terminal.clock.advance(1)
        await terminal.given(said(2))
        await joined(terminal, 2)
        assert await terminal.state(1) is DeliveryState.ANSWERED
        assert await terminal.state(2) is DeliveryState.READ
        assert [(one.message, one.emoji) for one in terminal.chat.reactions] == [("1", READ_SIGN), ("2", READ_SIGN)]
        await terminal.stops("That as well.")
    assert terminal.chat.texts(ANN)[1:] == ["🖥 *From the terminal:*\n\nThat as well."]
    assert await terminal.state(2) is DeliveryState.ANSWERED


async def test_a_message_that_joins_takes_nobodys_answer_away() -> None:
    terminal = Terminal()
    await terminal.given(said(1), said(2), said(3, BOB))
    async with terminal.flows():
        await joined(terminal, 1)
        await terminal.turns.called(PromptSubmitted(tag(BOB, 3), "p1"))
        await tools_of(terminal).call("reply", {"chat_id": BOB, "text": "Done."})
        await joined(terminal, 2)
        await terminal.stops("All of it.")
    assert len(terminal.chat.texts(BOB)) == 1
    assert len(terminal.chat.texts(ANN)) == 1
    assert await terminal.state(1) is await terminal.state(2) is DeliveryState.ANSWERED
