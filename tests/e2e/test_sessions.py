"""Several real sessions and one bot: who gets what, and what becomes of it when a session ends."""

from contextlib import suppress
from pathlib import Path

from telegram_channel.core.ids import ChatId, MessageId
from telegram_channel.demo.session import ScriptedSession, SessionEnded
from telegram_channel.ports import Store
from tests.world import World


def contents(session: ScriptedSession) -> list[str]:
    return [event.content for event in session.events()]


async def _is_noted(store: Store, chat: str, message: str) -> bool:
    """Whether it is known which session a message of the bot is from: that is noted beside the answer."""
    return await store.routes.author(ChatId(chat), MessageId(message)) is not None


async def test_a_chat_chooses_among_sessions_and_each_message_reaches_exactly_one() -> None:
    """MUST F27: with several sessions and none chosen, the chat is asked once, and what waits follows the answer."""
    async with World() as world:
        ann = await world.friend("Ann")
        shop, web, blog = await world.sessions("shop", "website", "blog")
        ann.say("one")
        question = await world.shows(ann, "Which session is this for?")
        ann.say("two")
        assert [label for row in question.labels for label in row] == ["shop", "website", "blog"]
        press = ann.press("website", question)
        await web.event("two")
        await world.until(lambda: press.answer is not None, "the answer to the press")
        assert "goes to website from now on" in press.toast
        await world.until(lambda: "For website." in question.text and not question.buttons, "the end of the question")
        ann.say("three")
        await web.event("three")
        ann.say("/to blog four")
        await blog.event("four")
        answer = await shop.call("reply", chat_id=str(ann.chat.id), text="shop speaks")
        assert not answer.is_error
        said = await world.shows(ann, "shop speaks")
        await world.stored(lambda store: _is_noted(store, str(ann.chat.id), str(said.id)))
        ann.say("five", reply_to=said)
        await shop.event("five")
        ann.say("/use BL")
        await world.shows(ann, "goes to blog from now on")
        ann.say("six")
        await blog.event("six")
        assert (contents(shop), contents(web), contents(blog)) == (
            ["five"],
            ["one", "two", "three"],
            ["four", "six"],
        )
        assert not any("redelivered" in event.meta for one in (shop, web, blog) for event in one.events())
        ann.say("/sessions")
        listed = await world.shows(ann, "3 sessions are running")
        assert [label for row in listed.labels for label in row] == ["shop", "website", "✓ blog"]
        assert world.api.complaints == []


async def test_work_of_a_session_that_does_not_poll_shows_in_the_chat() -> None:
    async with World() as world:
        ann = await world.friend("Ann")
        _, web = await world.sessions("shop", "website")
        ann.say("/to website build it")
        await web.event("build it")
        await world.until(lambda: ann.action() == "typing", "typing")
        await web.ask_permission("abcde", "Bash", "Build", {"command": "make"})
        card = await world.shows(ann, "make")
        assert "website" in card.text
        ann.press(card.labels[0][0], card)
        assert await web.verdict("abcde") == "allow"
        ann.say("/stop website")
        await world.shows(ann, "I cannot stop it from here")


async def test_what_a_session_that_was_killed_had_not_read_finds_another_or_is_offered() -> None:
    """MUST F34: what was meant for a session that has ended goes to another only if a person says so."""
    async with World() as world:
        ann = await world.friend("Ann")
        shop, web = await world.sessions("shop", "website")
        ann.say("/use shop")
        await world.shows(ann, "goes to shop from now on")
        ann.say("for anybody")
        await shop.event("for anybody")
        ann.say("/to shop for shop alone")
        await shop.event("for shop alone")
        await shop.kill()
        again = await web.event("for anybody")
        assert again.meta["redelivered"] == "true"
        offer = await world.shows(ann, "Shall another one have it?")
        assert contents(web) == ["for anybody"]
        ann.say("and now?")
        await web.event("and now?")
        ann.press("Give to website", offer)
        given = await web.event("for shop alone")
        assert given.meta["redelivered"] == "true"
        await world.until(lambda: offer.text == "What was kept goes to website.", "the end of the offer")
        assert contents(web) == ["for anybody", "and now?", "for shop alone"]


async def test_a_session_that_comes_back_under_its_id_gets_what_was_meant_for_it() -> None:
    """MUST F35: with `stranded = wait`, what was meant for a session waits for it."""
    async with World(stranded="wait") as world:
        ann = await world.friend("Ann")
        await world.session(project="website")
        shop = await world.session(project="shop", session_id="shop-1", wait_polling=False)
        await world.known(2)
        ann.say("/to shop one")
        await shop.event("one")
        await shop.kill()
        await world.shows(ann, "is kept until it comes back")
        shop = await world.session(project="shop", session_id="shop-1", wait_polling=False)
        assert (await shop.event("one")).meta["redelivered"] == "true"


async def test_who_quits_and_starts_again_in_the_same_project_goes_on_talking_to_the_same_session() -> None:
    """MUST F101: what was for a session that has ended goes to its successor, unasked, and so does the chat's
    choice."""
    async with World() as world:
        ann = await world.friend("Ann")
        first, web = await world.sessions("shop", "website")
        ann.say("/use shop")
        await world.shows(ann, "goes to shop from now on")
        assert not (await first.call("reply", chat_id=str(ann.chat.id), text="the old one speaks")).is_error
        said = await world.shows(ann, "the old one speaks")
        await world.stored(lambda store: _is_noted(store, str(ann.chat.id), str(said.id)))
        await first.end_input()
        ann.say("nobody is there now", reply_to=said)
        second = await world.session(project="shop", wait_polling=False)
        await second.event("nobody is there now")
        ann.say("replied", reply_to=said)
        await second.event("replied")
        ann.say("chosen")
        await second.event("chosen")
        assert contents(second) == ["nobody is there now", "replied", "chosen"]
        assert contents(first) + contents(web) == []
        assert not any("Shall another" in one.text for one in ann.inbox())


async def test_two_processes_of_one_session_are_given_each_message_once() -> None:
    """MUST F26: of two processes of one session, one delivers."""
    async with World() as world:
        ann = await world.friend("Ann")
        first = await world.session(project="shop", session_id="same")
        ann.say("one")
        await first.event("one")
        second = await world.session(project="shop", session_id="same", wait_polling=False)
        said: list[str] = []
        while not contents(second):  # the first takes a second to notice that it is replaced
            said.append(f"two {len(said)}")
            ann.say(said[-1])
            with suppress(SessionEnded):
                await second.event(said[-1], timeout_s=0.5)
            assert len(said) < 20
        assert contents(first) + contents(second) == ["one", *said]
        await second.kill()
        ann.say("three")
        await first.event("three")


async def test_sessions_are_told_apart_by_branch_and_by_number() -> None:
    async with World() as world:
        ann = await world.friend("Ann")
        for directory, branch in (("a/shop", "main"), ("b/shop", "login"), ("c/website", "")):
            _check_out(world.project(directory), branch)
            await world.session(wait_polling=directory == "a/shop", project=directory)
        await world.session(wait_polling=False, project="c/website")
        await world.known(4)
        ann.say("/sessions")
        listed = await world.shows(ann, "4 sessions are running")
        labels = [label for row in listed.labels for label in row]
        assert sorted(labels) == ["shop/login", "shop/main", "website", "website 2"]


def _check_out(directory: Path, branch: str) -> None:
    if branch:
        (directory / ".git").mkdir()
        (directory / ".git" / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
