"""kill -9 at random moments, and two of everything at once: nothing is lost, and one of two wins."""

import asyncio
import json
import random
import re

from telegram_channel.demo.session import ScriptedSession
from tests.world import World

MESSAGES = [f"message {number}" for number in range(50)]


async def test_kill_9_loses_nothing() -> None:
    """MUST S24: whatever a call of the store reported as stored survives kill -9.

    MUST D21: every repeat says that it may be one, also after a crash in the middle of a write.
    """
    async with asyncio.TaskGroup() as trials:
        for seed in (1, 2, 3):
            trials.create_task(_is_killed_again_and_again(seed))


async def _is_killed_again_and_again(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chooses moments, keeps no secret
    async with World() as world:
        ann = await world.friend("Ann")
        sessions: list[ScriptedSession] = []
        left = list(MESSAGES)
        while left:
            sessions.append(await world.session(wait_polling=chance.random() < 0.7))
            for _ in range(chance.randint(8, 20)):
                if left:
                    ann.say(left.pop(0))
                # Between nothing and a few turns of everybody: the server is somewhere in the middle.
                await asyncio.sleep(chance.choice((0, 0.001, 0.01, 0.05)))
            await sessions[-1].kill()
        sessions.append(await world.session())
        await sessions[-1].event(MESSAGES[-1])
        heard: set[str] = set()
        for session in sessions:
            for event in session.events():
                assert event.content not in heard or event.meta.get("redelivered") == "true"
                heard.add(event.content)
        assert heard == set(MESSAGES)
        assert [event.content for event in sessions[-1].events()] == _in_order(sessions[-1])


def _in_order(session: ScriptedSession) -> list[str]:
    heard = {event.content for event in session.events()}
    return [text for text in MESSAGES if text in heard]


async def test_two_servers_two_codes_two_terminals() -> None:
    """MUST P11: at most one process polls a bot.

    MUST A15: a used code never works again.
    """
    async with World() as world:
        sessions = await asyncio.gather(world.session(wait_polling=False), world.session(wait_polling=False))
        ann, eve = world.person("Ann"), world.person("Eve")
        ann.say("hello")
        eve.say("hello")
        asked = await world.shows(ann, "Your code")
        code = re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}", asked.text)
        assert code
        said = await asyncio.gather(*(world.operator("access", "pair", code[0], code=None) for _ in sessions))
        assert sorted("paired as owner" in words for words in said) == [False, True]
        await world.shows(ann, "You are in, as owner")
        await world.known(2)
        ann.say("who hears me?")
        question = await world.shows(ann, "Which session is this for?")
        ann.press(question.labels[1][0], question)
        await asyncio.wait(
            [asyncio.create_task(one.event("who hears me?")) for one in sessions], return_when=asyncio.FIRST_COMPLETED
        )
        status = await world.status()
        assert status["poller"] in [one.process.pid for one in sessions]
        assert status["people"] == 1
        assert [event.content for one in sessions for event in one.events()] == ["who hears me?"]
        log = json.loads(await world.operator("access", "log", "--json"))
        assert [row["subject"] for row in log["rows"] if row["action"] == "pair"] == [str(ann.person.id)]
        assert sum("You are in" in one.text for one in ann.inbox()) == 1
        assert world.api.complaints == []


async def test_two_answers_at_the_same_moment() -> None:
    """MUST V13: exactly one answer decides; later ones are told who did."""
    async with World() as world:
        ann, bob = await world.friend("Ann"), await world.friend("Bob", "approver")
        session = await world.session()
        # Two approvers, one for and one against.
        await session.ask_permission("abcde", "Bash", "List", {"command": "ls one"})
        cards = [await world.shows(one, "ls one") for one in (ann, bob)]
        presses = [ann.press(cards[0].labels[0][0], cards[0]), bob.press(cards[1].labels[0][1], cards[1])]
        await world.until(lambda: all(one.answer is not None for one in presses), "the answers to the presses")
        await world.until(lambda: not any(card.buttons for card in cards), "the end of the cards")
        assert [one.toast for one in presses] == [
            "Allowed.",
            "Too late, this one is settled. ✓ Allowed by Ann (button).",
        ]
        assert all("✓ Allowed by Ann (button)." in card.text for card in cards)
        # The same button twice, then the other one.
        await session.ask_permission("bcdef", "Bash", "List", {"command": "ls two"})
        card = await world.shows(bob, "ls two")
        presses = [bob.press(card.labels[0][number], card) for number in (1, 1, 0)]
        await world.until(lambda: all(one.answer is not None for one in presses), "the answers to the presses")
        assert [one.toast for one in presses[:2]] == ["Denied.", "Denied."]
        assert "Too late" in presses[2].toast
        # A button and a text.
        await session.ask_permission("cdefg", "Bash", "List", {"command": "ls three"})
        card = await world.shows(ann, "ls three")
        bob.say("no CDEFG")
        ann.press(card.labels[0][0], card)
        assert await session.verdict("cdefg") == "deny"
        await world.until(lambda: not card.buttons, "the end of the card")
        assert [session.verdicts(request) for request in ("abcde", "bcdef", "cdefg")] == [
            ["allow"],
            ["deny"],
            ["deny"],
        ]


async def test_two_phones_with_one_invitation() -> None:
    """MUST A18: an invitation works once, in a private chat, within its hour."""
    async with World() as world:
        await world.friend("Ann")
        await world.session()
        link = re.search(r"start=(\w+)", await world.operator("access", "invite", "--role", "approver"))
        assert link
        phones = [world.person("Bob"), world.person("Eve")]
        for one in phones:
            one.start(link[1])
        await world.until(lambda: world.bot.queue.pending == (), "both taken")
        await world.until(lambda: any(one.inbox() for one in phones), "a greeting")
        phones[1].say("and me?")
        await world.until(lambda: world.bot.queue.pending == (), "that, too")
        assert [len(one.inbox()) for one in phones] == [1, 0]
        people = json.loads(await world.operator("access", "list", "--json"))["senders"]
        assert [one["role"] for one in people if one["id"] == str(phones[0].person.id)] == ["approver"]
        assert str(phones[1].person.id) not in [one["id"] for one in people]
