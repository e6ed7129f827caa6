"""Telegram refuses, hangs, lies, or sends nonsense: a visible state, an honest word, and every message once."""

import asyncio
import time
from typing import Any

from telegram_channel.demo.phone import Phone
from tests.world import TOKEN, World

NEW_TOKEN = "424242:the-next-one-not-real-either"
REQUEST = ("abcde", "Bash", "Run the tests", {"command": "pytest -q"})


async def test_a_token_that_telegram_does_not_know() -> None:
    """MUST P7: a refused token is a visible state, and polling stops."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session(wait_polling=False, TELEGRAM_BOT_TOKEN=NEW_TOKEN)
        status = await world.in_state("bad_token")
        assert "configure" in status["problem"]
        calls: list[tuple[str, dict[str, Any]]] = [
            ("reply", {"chat_id": str(ann.person.id), "text": "x"}),
            ("react", {"chat_id": str(ann.person.id), "message_id": "1", "emoji": "👍"}),
            ("download_attachment", {"file_id": "abc"}),
        ]
        for tool, arguments in calls:
            answer = await session.call(tool, **arguments)
            assert answer.is_error
            assert "does not accept the bot token" in answer.text
            assert "environment" in answer.text
        assert world.bot.queue.polls == 0
        secret = NEW_TOKEN.partition(":")[2].encode()
        written = b"".join(path.read_bytes() for path in world.state_dir.rglob("*") if path.is_file())
        assert secret not in session.errors + str(status).encode() + written


async def test_a_token_that_is_revoked_and_a_bot_that_others_use() -> None:
    """MUST P7: a refused token is a visible state, and polling stops.

    MUST P6: a 409 is never fatal and never tight.
    """
    async with asyncio.TaskGroup() as worlds:  # nearly all of the time is spent waiting: side by side
        worlds.create_task(_loses_its_token())
        worlds.create_task(_meets_a_conflict("another poller"))
        worlds.create_task(_meets_a_conflict("a webhook"))


async def _loses_its_token() -> None:
    async with World(bot_token="", poll_timeout_s="1") as world:
        ann = await world.friend("Ann")
        (world.state_dir / "token").write_text(TOKEN, "utf-8")
        session = await world.session()
        ann.say("before")
        await session.event("before")
        world.api.revoked.add(TOKEN)
        await world.in_state("bad_token")
        answer = await session.call("reply", chat_id=str(ann.person.id), text="x")
        assert answer.is_error
        assert "configure" in answer.text
        ann.say("meanwhile")
        world.api.world.bots[NEW_TOKEN] = world.bot
        await world.operator("configure", "--stdin", "--no-check", stdin=NEW_TOKEN)
        await session.event("meanwhile")
        answer = await session.call("reply", chat_id=str(ann.person.id), text="here I am")
        assert not answer.is_error
        assert [event.content for event in session.events()] == ["before", "meanwhile"]
        assert not world.shows_token(session.errors)


async def test_a_wrong_setting_is_said_and_mended_without_a_restart() -> None:
    """MUST O16: a wrong setting is every tool's answer, and mending it needs no restart."""
    async with World() as world:
        ann = await world.friend("Ann")
        settings = world.state_dir / "settings.toml"
        settings.write_text('proxy = "not a proxy"\n', "utf-8")
        session = await world.session(wait_polling=False)
        ann.say("hello")
        answer = await session.call("reply", chat_id=str(ann.person.id), text="x")
        assert answer.is_error
        assert "proxy" in answer.text
        settings.unlink()
        await session.event("hello")


async def _meets_a_conflict(who: str) -> None:
    async with World() as world:
        ann = await world.friend("Ann")
        ann.say("hi")
        session = await world.session()
        await session.event("hi")
        await world.until(lambda: world.bot.queue.is_waited_for, "a long poll")
        polls = world.bot.queue.polls
        began_s = time.monotonic()
        if who == "a webhook":
            world.bot.webhook_url = "https://elsewhere.example/hook"
        # What the waiting poll is told when another one comes.
        world.bot.queue.interrupt("Conflict: terminated by other getUpdates request", time.time())
        status = await world.in_state("conflict")
        assert "Stop the other program" in status["problem"]
        ann.say("meanwhile")
        answer = await session.call("reply", chat_id=str(ann.person.id), text="I can still talk")
        assert not answer.is_error
        world.bot.webhook_url = ""
        await session.event("meanwhile")
        assert time.monotonic() - began_s > 4  # not tight: the first pause is five seconds
        assert world.bot.queue.polls - polls <= 2
        await world.in_state("polling")


async def test_whatever_a_poll_is_answered_every_message_comes_once() -> None:
    """MUST P10: no answer of any server makes the poll loop spin."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        said = []
        for trouble in ("bad_gateway", "malformed", "drop", "server_error"):
            world.emulator.faults.add(trouble, "getUpdates", times=1)
            said += [f"before {trouble}", f"during {trouble}"]
            ann.say(said[-2])  # ends the poll that waits; the next ones fail
            await world.until(lambda: world.emulator.faults.rules[0].struck == 1, trouble)
            ann.say(said[-1])
            await session.event(said[-1])
            world.emulator.faults.clear()
        fault = world.emulator.faults.add("drop", "getUpdates", times=1, after=True)  # lost on the way back
        said += ["before the loss", "lost on the way"]
        ann.say(said[-2])
        await session.event(said[-2])
        ann.say(said[-1])
        await session.event(said[-1])
        assert fault.struck == 1
        said += ["during the outage"]
        async with world.outage():
            ann.say(said[-1])
            await world.in_state("retrying")
        await session.event(said[-1])
        assert [event.content for event in session.events()] == said
        assert not any("redelivered" in event.meta for event in session.events())
        await world.in_state("polling")


async def _copies(world: World, phone: Phone, text: str) -> int:
    return sum(one.text == text for one in phone.inbox())


async def test_an_ambiguous_send_is_reported_and_not_repeated() -> None:
    """MUST R22: ambiguous sends are reported as ambiguous and never repeated."""
    async with World() as world:
        ann = await world.friend("Ann")
        ann.say("hi")
        session = await world.session()
        await session.event("hi")
        cases: list[tuple[str, dict[str, Any], int]] = [
            ("drop", {"after": True}, 1),
            ("bad_gateway", {"after": True}, 1),
            ("malformed", {"after": True}, 1),
            ("drop", {}, 0),
        ]
        for number, (trouble, how, arrived) in enumerate(cases):
            fault = world.emulator.faults.add(trouble, "sendMessage", times=1, **how)
            text = f"{number}: {trouble}"
            answer = await session.call("reply", chat_id=str(ann.person.id), text=text)
            assert answer.is_error
            assert "may have been sent" in answer.text
            assert fault.struck == 1
            assert await _copies(world, ann, text) == arrived
        status = await world.status()
        assert status["unproven"] == 0
        async with world.store() as store:
            counts = await store.inbox.counts()
        assert {state.value for state in counts.by_state} == {"read"}  # an answer that may be missing is none


async def test_a_send_that_telegram_asks_to_wait_with_is_sent_once() -> None:
    """MUST R23: a flood wait is kept exactly, per chat."""
    async with World() as world:
        ann, bob = await world.friend("Ann"), await world.friend("Bob")
        for one in (ann, bob):
            one.say("hi")
        session = await world.session()
        world.emulator.faults.add("flood", "sendMessage", times=1, seconds=1)
        began_s = time.monotonic()
        patient = asyncio.create_task(session.call("reply", chat_id=str(ann.person.id), text="patience"))
        await world.until(lambda: world.emulator.faults.rules[0].struck == 1, "the flood")
        quick = await session.call("reply", chat_id=str(bob.person.id), text="at once")
        assert not quick.is_error
        assert not patient.done()
        assert not (await patient).is_error
        assert time.monotonic() - began_s >= 1
        assert await _copies(world, ann, "patience") == 1
        # A reply while nobody listens leaves when somebody does, once.
        async with world.outage():
            waiting = asyncio.create_task(session.call("reply", chat_id=str(ann.person.id), text="after the outage"))
            await world.status()  # takes long enough for a first try
            assert not waiting.done()
        assert not (await waiting).is_error
        assert await _copies(world, ann, "after the outage") == 1


async def test_a_send_that_hangs_holds_up_nobody_else() -> None:
    """MUST R24: one slow or flooded chat never delays another."""
    async with World() as world:
        ann, bob = await world.friend("Ann"), await world.friend("Bob")
        for one in (ann, bob):
            one.say("hi")
        session = await world.session()
        await session.ask_permission(*REQUEST)
        await world.shows(bob, "pytest -q")
        fault = world.emulator.faults.add("hang", "sendMessage", times=1)
        hanging = asyncio.create_task(session.call("reply", chat_id=str(ann.person.id), text="slowly"))
        await world.until(lambda: fault.struck == 1, "the send that hangs")
        bob.say("Yes ABCDE")
        assert await session.verdict("abcde") == "allow"
        ann.say("are you there?")
        await session.event("are you there?")
        for call in (
            session.call("reply", chat_id=str(bob.person.id), text="quickly"),
            session.call("react", chat_id=str(bob.person.id), message_id="1", emoji="👍"),
        ):
            assert not (await call).is_error
        assert not hanging.done()
        world.emulator.faults.clear()
        assert not (await hanging).is_error
        assert await _copies(world, ann, "slowly") == 1


def _junk(phone: Phone) -> list[Any]:
    """Updates no program could make sense of, some of them from somebody who is let in."""
    chat = {"id": phone.person.id, "type": "private", "first_name": "Ann"}
    head = {"message_id": 1000, "chat": chat, "from": phone.person.view(), "date": int(time.time())}
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"d": deep}
    bodies: list[Any] = [None, 5, {}, [], deep, {"chat": chat}]
    return [
        *({}, [], [1, 2], "text", 7, None, {"update_id": "x"}, {"update_id": 2**80}, {"update_id": None}),
        *({"message": body} for body in bodies),
        *({"message": head | {"message_id": number}} for number in ("x", None, 2**70)),
        *({"message": head | {"date": date}} for date in (10**18, -(10**18), "now")),
        *({"message": head | {"from": author}} for author in ({"id": "me"}, {"id": True})),
        {"message": head | {"chat": {"id": phone.person.id, "type": "wormhole"}}},
        *({"message": head | {"photo": sizes}} for sizes in ([], "no", [None], [{"file_id": 5}])),
        *(
            {"edited_message": head | {"date": None}},
            {"callback_query": {"id": 5}},
            {"message_reaction": {"chat": chat}},
        ),
        *({"my_chat_member": {"chat": chat}}, {"never_heard_of": {"from": phone.person.view()}}),
    ]


async def test_updates_nobody_understands_between_good_ones() -> None:
    """MUST I7: an update nobody understands is kept and reported, and blocks nothing."""
    async with World() as world:
        ann = await world.friend("Ann")
        queue = world.bot.queue
        junk = _junk(ann)
        said = []
        for number, one in enumerate(junk):
            said.append(f"between {number}")
            ann.say(said[-1])
            queue.inject(one, time.time())
        said.append("the end")
        ann.say(said[-1])
        session = await world.session()
        await session.event("the end")
        await world.until(lambda: queue.pending == () and queue.is_waited_for, "the confirmation")
        assert queue.polls <= 3
        heard = [event.content for event in session.events()]
        assert [text for text in heard if text in said] == said
        status = await world.in_state("polling")
        assert status["quarantined"] >= 20
        assert len(heard) - len(said) + status["quarantined"] <= len(junk)
        assert session.stray == []
