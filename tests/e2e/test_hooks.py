"""The session's hooks end to end: a real server process, its client's hook calls, and people's phones."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from telegram_channel.demo.botapi_world import StoredMessage
from telegram_channel.demo.phone import Phone
from telegram_channel.demo.session import ReceivedEvent, ScriptedSession
from tests.waiting import until
from tests.world import TOKEN, World

COMMAND = {"command": "make deploy", "description": "Deploy it"}
ACCEPT_EDITS = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}
DIRECTORY = {"type": "addDirectories", "directories": ["/srv/shop"], "destination": "session"}


def tag(event: ReceivedEvent) -> str:
    """An event as the client writes it into a prompt."""
    attributes = "".join(f' {key}="{value}"' for key, value in event.meta.items())
    return f'<channel source="plugin:telegram:telegram"{attributes}>\n{event.content}\n</channel>'


async def read(
    world: World, phone: Phone, session: ScriptedSession, text: str
) -> tuple[StoredMessage, ReceivedEvent]:
    """Somebody says something, and the session begins a turn with it."""
    said = phone.say(text)
    event = await session.event(text)
    await world.until(lambda: phone.reactions(said) == ["👀"], "the sign that it is stored")
    assert await session.hook("UserPromptSubmit", prompt=tag(event)) is None
    return said, event


async def tool(session: ScriptedSession, event: str, name: str, given: dict[str, Any], use: str = "toolu_1") -> Any:
    """A tool hook of the main conversation."""
    return await session.hook(event, tool_name=name, tool_input=given, tool_use_id=use)


def refusal(output: dict[str, Any] | None) -> str:
    """Why a tool call was refused; empty when it was not."""
    decided = (output or {}).get("hookSpecificOutput", {})
    return decided["permissionDecisionReason"] if decided.get("permissionDecision") == "deny" else ""


async def labels(world: World, card: StoredMessage, wanted: str) -> str:
    """The label of the card's button that begins like this, once it is there."""

    def found() -> list[str]:
        return [label for row in card.labels for label in row if label.startswith(wanted)]

    await world.until(lambda: bool(found()), f"a button {wanted!r}")
    return found()[0]


async def test_a_prompt_with_our_tag_shows_that_the_message_was_read() -> None:
    """MUST T33: a prompt that carries a message's tag makes it READ, and the chat sees another sign than 👀."""
    async with World(redeliver_after_s="1") as world:
        ann = await world.friend("Ann")
        session = await world.session()
        said, _ = await read(world, ann, session, "are you there?")
        await world.until(lambda: ann.reactions(said) == ["✍"], "the sign that it was read")
        await world.until(lambda: ann.action() == "typing", "typing")
        async with world.store() as store:
            assert [str(entry.state) for entry in await store.inbox.unanswered(said_in(ann))] == ["read"]


def said_in(phone: Phone) -> Any:
    """The private chat of somebody, as the store knows it."""
    return str(phone.person.id)


async def test_nothing_is_given_again_while_a_turn_is_in_flight() -> None:
    """MUST T34: nothing is given again while a turn is in flight, however long it takes."""
    async with World(redeliver_after_s="1") as world:
        ann = await world.friend("Ann")
        session = await world.session()
        await session.hook("UserPromptSubmit", prompt="typed in the terminal")
        ann.say("for later")
        await session.event("for later")
        await world.until(lambda: ann.action() == "typing", "the proof that it is marked as given")
        await tool(session, "PreToolUse", "Bash", COMMAND)
        async with world.store() as store:  # twice the time after which an idle session would get it again
            [entry] = await store.inbox.unproven()
            assert entry.emitted_at
            due_at = entry.emitted_at + timedelta(seconds=2)
        await until(lambda: datetime.now(UTC) > due_at, "twice the time")
        assert len(session.events()) == 1
        await session.hook("Stop", last_assistant_message="done", stop_hook_active=False)
        again = await session.event("for later", number=2)
        assert again.meta["redelivered"] == "true"
        assert not [one for one in ann.inbox() if "done" in one.text]


async def test_final_words_reach_whoever_asked_and_nobody_else() -> None:
    """MUST T35: at the end of a turn a chat that asked and got no answer gets the final words, once."""
    async with World() as world:
        ann, bob = await world.friend("Ann"), await world.friend("Bob", "sender")
        session = await world.session()
        await read(world, ann, session, "what is the answer?")
        await session.hook("Stop", last_assistant_message="It is **42**.", stop_hook_active=False)
        mirrored = await world.shows(ann, "It is 42.")
        assert "From the terminal" in mirrored.text
        await session.hook("Stop", last_assistant_message="It is **42**.", stop_hook_active=True)
        _, event = await read(world, ann, session, "and now?")
        await session.call("reply", chat_id=event.meta["chat_id"], text="43")
        await session.hook("Stop", last_assistant_message="I told them.", stop_hook_active=False)
        await session.hook("UserPromptSubmit", prompt="typed in the terminal")
        await session.hook("Stop", last_assistant_message="for the terminal only", stop_hook_active=False)
        await read(world, ann, session, "the last question")
        await session.hook("Stop", last_assistant_message="the last answer", stop_hook_active=False)
        await world.shows(ann, "the last answer")
        from_bot = [one.text for one in ann.inbox()]
        assert [text for text in from_bot if "42" in text] == [mirrored.text]
        assert not [text for text in from_bot if "I told them" in text or "for the terminal only" in text]
        assert bob.inbox() == []


async def test_without_words_there_is_a_short_note() -> None:
    """MUST T36: where a turn ends without words, a short note says so."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        await read(world, ann, session, "do it silently")
        before = len(ann.inbox())
        await session.hook("Stop", last_assistant_message="", stop_hook_active=False)
        await world.until(lambda: len(ann.inbox()) > before, "a note")
        assert len(ann.inbox()[-1].text) < 200


async def test_a_card_offers_what_the_terminal_offers_and_always_goes_back_through_the_hook() -> None:
    """MUST T37: an "always" answer goes back through the waiting hook with exactly the chosen suggestion."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        waiting = await session.begin_hook(
            "PermissionRequest",
            tool_name="Bash",
            tool_input=COMMAND,
            permission_suggestions=[DIRECTORY, ACCEPT_EDITS],
        )
        await session.ask_permission("abcde", "Bash", "Deploy it", COMMAND)
        card = await world.shows(ann, "make deploy")
        ann.press(await labels(world, card, "✓ Switch to accept-edits"), card)
        output = await session.hook_answer(waiting)
        assert output == {
            "hookSpecificOutput": {
                "hookEventName": "PermissionRequest",
                "decision": {"behavior": "allow", "updatedPermissions": [ACCEPT_EDITS]},
            }
        }
        await world.until(lambda: not card.buttons and "accept-edits" in card.text, "the card's end")
        assert session.verdicts("abcde") == []


async def test_a_hook_that_comes_after_its_card_enriches_it() -> None:
    """MUST T38: the hook that belongs to a card enriches it, whichever of the two came first."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        await session.ask_permission("abcde", "Bash", "Deploy it", COMMAND)
        card = await world.shows(ann, "make deploy")
        waiting = await session.begin_hook(
            "PermissionRequest", tool_name="Bash", tool_input=COMMAND, permission_suggestions=[ACCEPT_EDITS]
        )
        await labels(world, card, "✓ Switch to accept-edits")
        ann.press(await labels(world, card, "✓ Allow"), card)
        assert await session.verdict("abcde") == "allow"
        assert await session.hook_answer(waiting) is None, "the other road is released"


async def test_a_denial_with_a_reason_is_a_reply_to_the_card() -> None:
    """MUST T39: a reply to a card denies with that reason, and Claude reads it."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        waiting = await session.begin_hook("PermissionRequest", tool_name="Bash", tool_input=COMMAND)
        await session.ask_permission("abcde", "Bash", "Deploy it", COMMAND)
        card = await world.shows(ann, "make deploy")
        ann.say("not before the tests are green", reply_to=card)
        output = await session.hook_answer(waiting)
        assert output is not None
        decision = output["hookSpecificOutput"]["decision"]
        assert decision["behavior"] == "deny"
        assert "not before the tests are green" in decision["message"]
        await world.until(lambda: not card.buttons and "not before the tests" in card.text, "the card's end")
        assert session.events() == [], "an answer is no message for Claude"


async def test_a_hook_without_a_card_is_answered_at_once_where_none_can_come() -> None:
    """MUST T40: a permission hook is never left waiting where nobody can be asked."""
    async with World(poll="never") as world:
        await world.friend("Ann")
        session = await world.session(wait_polling=False)
        output = await session.hook("PermissionRequest", tool_name="Bash", tool_input=COMMAND, timeout_s=10)
        assert output is None
        assert world.sent("sendMessage") == []


async def test_relaying_by_the_hook_alone_and_not_at_all() -> None:
    """MUST T41: permission_relay says where prompts come from: the channel, the hook alone, or nowhere."""
    async with World(relay="hook") as world:
        ann = await world.friend("Ann")
        session = await world.session()
        waiting = await session.begin_hook("PermissionRequest", tool_name="Bash", tool_input=COMMAND)
        card = await world.shows(ann, "make deploy")
        ann.press("✓ Allow", card)
        output = await session.hook_answer(waiting)
        assert output is not None
        assert output["hookSpecificOutput"]["decision"]["behavior"] == "allow"
    async with World(relay="off") as world:
        ann = await world.friend("Ann")
        session = await world.session()
        await session.ask_permission("abcde", "Bash", "Deploy it", COMMAND)
        assert await session.hook("PermissionRequest", tool_name="Bash", tool_input=COMMAND) is None
        ann.say("anything?")
        await session.event("anything?")
        assert ann.inbox() == []


async def test_a_write_is_shown_as_a_diff_against_the_file() -> None:
    """MUST T42: a Write is shown as the change it makes to the file that is there."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        path = world.directory / "app.py"
        path.write_text("one\ntwo\nthree\n", "utf-8")
        given = {"file_path": str(path), "content": "one\n2\nthree\n"}
        await session.begin_hook("PermissionRequest", tool_name="Write", tool_input=given)
        await session.ask_permission("abcde", "Write", "Write a file", given)
        card = await world.shows(ann, "app.py")
        await world.until(lambda: "-two\n+2" in card.text, "the diff")


async def test_a_card_closes_when_the_terminal_answered() -> None:
    """MUST T43: when the tool ran, was refused, or the turn ended without us, every card says so and has no
    buttons.
    """
    async with World() as world:
        ann, bob = await world.friend("Ann"), await world.friend("Bob", "approver")
        session = await world.session()

        async def closed(number: int, request: str) -> None:
            cards = [await world.shows(who, f"step {number}") for who in (ann, bob)]
            await world.until(lambda: all(card.buttons for card in cards), "the buttons")
            if request == "ran":
                await tool(session, "PostToolUse", "Bash", {"command": f"step {number}"})
            elif request == "refused":
                await session.cancel(waiting)
            else:
                await session.hook("Stop", last_assistant_message="enough", stop_hook_active=False)
            await world.until(
                lambda: all(not card.buttons and "Answered in the terminal" in card.text for card in cards),
                f"the end of the cards after {request}",
            )

        for number, (request_id, request) in enumerate((("aaaaa", "ran"), ("bbbbb", "refused"), ("ccccc", "ended"))):
            given = {"command": f"step {number}"}
            waiting = await session.begin_hook("PermissionRequest", tool_name="Bash", tool_input=given)
            await session.ask_permission(request_id, "Bash", "A step", given)
            await closed(number, request)
        assert session.verdicts("aaaaa") == session.verdicts("bbbbb") == []


async def test_stop_binds_until_the_turn_is_over() -> None:
    """MUST T44: after /stop every tool call of the session is refused, in subagents too, until a new turn or
    /resume.
    """
    async with World() as world:
        ann, bob = await world.friend("Ann"), await world.friend("Bob", "sender")
        session = await world.session()
        await read(world, ann, session, "clean up the disk")
        assert refusal(await tool(session, "PreToolUse", "Bash", {"command": "sleep 100"}, "toolu_a")) == ""
        await tool(session, "PreToolUse", "Bash", COMMAND, "toolu_deploy")
        waiting = await session.begin_hook("PermissionRequest", tool_name="Bash", tool_input=COMMAND)
        await session.ask_permission("abcde", "Bash", "Deploy it", COMMAND)
        card = await world.shows(ann, "make deploy")
        bob.say("/stop")
        await world.shows(bob, "for owners and approvers")
        ann.say("/stop")
        shown = await world.shows(ann, "Stopping")
        assert "1 open permission request was denied" in shown.text
        assert "Bash is still running" in shown.text
        output = await session.hook_answer(waiting)
        assert (output and output["hookSpecificOutput"]["decision"]["behavior"]) in ("deny", None)
        await world.until(lambda: not card.buttons and "/stop" in card.text, "the card's end")
        stopped = await tool(session, "PreToolUse", "Read", {"file_path": "/tmp/x"}, "toolu_b")  # noqa: S108 - never opened
        assert "Stopped from Telegram by Ann" in refusal(stopped)
        assert stopped is not None
        assert stopped["continue"] is False
        assert "Stopped from Telegram" in refusal(
            await session.hook(
                "PreToolUse", tool_name="Read", tool_input={}, tool_use_id="toolu_c", agent_id="agent-1"
            )
        )
        await world.shows(ann, "✋ Stopped.")
        await session.hook("UserPromptSubmit", prompt="something else")
        assert refusal(await tool(session, "PreToolUse", "Read", {"file_path": "x"}, "toolu_d")) == ""


async def test_what_is_typed_into_a_turn_ends_nothing_of_it() -> None:
    """MUST T45: a prompt that joins the turn in flight closes no card, lifts no stop and takes nobody's answer
    away.
    """
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        ann.say("long work, please")
        event = await session.event("long work")
        await world.until(lambda: ann.action() == "typing", "the proof that it is marked as given")
        await session.hook("UserPromptSubmit", prompt=tag(event), prompt_id="p1")
        await tool(session, "PreToolUse", "Bash", COMMAND, "toolu_1")
        await session.ask_permission("abcde", "Bash", "Deploy it", COMMAND)
        card = await world.shows(ann, "make deploy")
        await session.hook("UserPromptSubmit", prompt="typed meanwhile", prompt_id="p1")
        ann.say("yes abcde")
        assert await session.verdict("abcde") == "allow"
        await world.until(lambda: "Allowed by Ann" in card.text, "the card's end")
        await tool(session, "PostToolUse", "Bash", COMMAND, "toolu_1")
        await session.hook("Stop", last_assistant_message="All deployed.", stop_hook_active=False, prompt_id="p1")
        await world.shows(ann, "All deployed.")
        await session.hook("UserPromptSubmit", prompt="typed", prompt_id="p2")
        ann.say("/stop")
        await world.shows(ann, "✋ Stopping")
        await session.hook("UserPromptSubmit", prompt="typed meanwhile", prompt_id="p2")
        assert refusal(await tool(session, "PreToolUse", "Read", {}, "toolu_2"))


async def test_stop_says_the_truth_when_nothing_runs_and_resume_lifts_it() -> None:
    """MUST T46: the answer to /stop says what was stopped, and that nothing was when nothing was."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        await session.hook("UserPromptSubmit", prompt="typed")
        await session.hook("Stop", last_assistant_message="done", stop_hook_active=False)
        ann.say("/stop")
        await world.shows(ann, "nothing to stop")
        await session.hook("UserPromptSubmit", prompt="typed again")
        ann.say("/stop")
        await world.shows(ann, "✋ Stopping")
        assert refusal(await tool(session, "PreToolUse", "Read", {}, "toolu_1"))
        ann.say("/resume")
        await world.shows(ann, "is lifted")
        assert refusal(await tool(session, "PreToolUse", "Read", {}, "toolu_2")) == ""


async def test_stop_holds_what_a_turn_left_in_the_background() -> None:
    """MUST T47: a stop that comes after a turn holds the tasks which that turn left running in the background."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        await session.hook("UserPromptSubmit", prompt="typed", prompt_id="p1")
        tasks = [{"id": "a1", "status": "running"}, {"id": "a2", "status": "completed"}]
        await session.hook("Stop", last_assistant_message="started", background_tasks=tasks)
        ann.say("/stop")
        await world.shows(ann, "what it left behind is held")
        refused = await session.hook(
            "PreToolUse", tool_name="Bash", tool_input=COMMAND, tool_use_id="toolu_1", agent_id="a1"
        )
        assert "Stopped from Telegram" in refusal(refused)
        note = "<task-notification>a1 is done</task-notification>"
        await session.hook("UserPromptSubmit", prompt=note, prompt_id="p2")
        assert refusal(await tool(session, "PreToolUse", "Bash", COMMAND, "toolu_2"))
        await session.hook("UserPromptSubmit", prompt="typed again", prompt_id="p3")
        assert refusal(await tool(session, "PreToolUse", "Bash", COMMAND, "toolu_3")) == ""


async def test_pause_holds_messages_back_and_resume_releases_them_in_order() -> None:
    """MUST T48: while paused, messages are kept and not given; /resume gives them in order."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        ann.say("/pause")
        await world.shows(ann, "held back")
        said = [ann.say(f"held {number}") for number in range(3)]
        await world.until(lambda: ann.reactions(said[-1]) == ["👀"], "the sign that it is stored")
        await world.shows(ann, "paused this")
        assert session.events() == []
        ann.say("/resume")
        await session.event("held 2")
        assert [event.content for event in session.events()] == ["held 0", "held 1", "held 2"]


async def test_the_guard_keeps_the_model_from_our_state_and_commands() -> None:
    """MUST T49: a model's call that would run our access commands or touch our state is refused, however spelled."""
    async with World() as world:
        await world.friend("Ann")
        session = await world.session()
        token = world.state_dir / "token"
        refused = [
            ("Bash", {"command": "telegram-channel access allow 666 --role owner"}),
            ("Bash", {"command": f"cd {world.state_dir} && cat tok*"}),
            ("Bash", {"command": 'sh -c "tele""gram-channel access policy pairing"'}),
            ("Read", {"file_path": str(token)}),
            ("Write", {"file_path": str(world.state_dir / "settings.toml"), "content": "poll = 'always'"}),
        ]
        for name, given in refused:
            output = await tool(session, "PreToolUse", name, given)
            assert refusal(output), given
            assert "continue" not in (output or {}), "the turn goes on"
        for given in ({"command": "ls -la"}, {"command": "git commit -m 'telegram-channel access: docs'"}):
            assert refusal(await tool(session, "PreToolUse", "Bash", given)) == "", given


async def test_progress_is_one_message_that_folds_when_the_answer_comes() -> None:
    """MUST T50: progress is shown only where it was asked for, in one message that ends with the answer."""
    async with World() as world:
        ann, bob = await world.friend("Ann"), await world.friend("Bob", "sender")
        session = await world.session()
        ann.say("/progress on")
        await world.until(lambda: bool(ann.inbox()), "the confirmation")
        _, event = await read(world, ann, session, "build it")
        _, quiet = await read(world, bob, session, "me too")
        await session.hook("UserPromptSubmit", prompt=tag(event) + tag(quiet))
        await tool(session, "PreToolUse", "Read", {"file_path": "/srv/shop/cart.py"}, "toolu_1")
        shown = await world.shows(ann, "Reading cart.py")
        await tool(session, "PostToolUse", "Read", {"file_path": "/srv/shop/cart.py"}, "toolu_1")
        await session.call("reply", chat_id=event.meta["chat_id"], text="built")
        await session.hook("Stop", last_assistant_message="built", stop_hook_active=False)
        await world.until(lambda: "⏳" not in shown.text and "1 step" in shown.text, "the folded message")
        assert not [one for one in bob.inbox() if "Reading" in one.text]


async def test_text_is_streamed_as_a_draft_and_ends_in_the_real_message() -> None:
    """MUST T51: streamed text is a draft in a private chat that asked for it, and the hook never waits for it."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        ann.say("/stream on")
        await world.until(lambda: bool(ann.inbox()), "the confirmation")
        await read(world, ann, session, "tell me a story")
        await session.hook("MessageDisplay", message_id="m1", index=0, delta="Once upon ", final=False)
        await world.until(lambda: any("Once upon" in draft for draft in ann.drafts()), "the draft")
        await session.hook("MessageDisplay", message_id="m1", index=1, delta="a time.", final=True)
        await session.hook("Stop", last_assistant_message="Once upon a time.", stop_hook_active=False)
        await world.shows(ann, "Once upon a time.")


async def test_what_the_terminal_waits_for_is_told_to_the_owner() -> None:
    """MUST T52: what the terminal waits for, and we cannot relay, becomes one line in the owner's chat."""
    async with World() as world:
        ann, bob = await world.friend("Ann"), await world.friend("Bob", "approver")
        session = await world.session()
        for _ in range(2):
            await session.hook(
                "Notification", message="An MCP server asks for input", notification_type="elicitation_dialog"
            )
        await session.hook(
            "Notification", message="Claude is waiting for your input", notification_type="idle_prompt"
        )
        await world.shows(ann, "An MCP server asks for input")
        await session.ask_permission("abcde", "Bash", "Deploy it", COMMAND)
        await world.shows(ann, "make deploy")
        told = [
            one.text for one in ann.inbox() if "asks for input" in one.text or "waiting for your input" in one.text
        ]
        assert len(told) == 1
        assert not [one for one in bob.inbox() if "asks for input" in one.text]


async def test_everything_works_without_a_single_hook() -> None:
    """MUST T53: without hooks everything keeps the plain contract: messages, proofs by tool calls, cards,
    verdicts.
    """
    async with World(redeliver_after_s="1") as world:
        ann = await world.friend("Ann")
        session = await world.session()
        said = ann.say("hello")
        event = await session.event("hello")
        again = await session.event("hello", number=2)
        assert again.meta["redelivered"] == "true", "no proof of reading"
        assert ann.reactions(said) == ["👀"]
        assert not (await session.call("reply", chat_id=event.meta["chat_id"], text="hi")).is_error
        await session.ask_permission("abcde", "Bash", "Deploy it", COMMAND)
        card = await world.shows(ann, "make deploy")
        ann.say("no abcde")
        assert await session.verdict("abcde") == "deny"
        await world.until(lambda: not card.buttons, "the card's end")
        await session.ask_permission("fghij", "Bash", "Deploy it", COMMAND)
        await world.until(lambda: bool(ann.inbox()[-1].buttons), "the second card")
        ann.say("/stop")
        shown = await world.shows(ann, "I cannot stop it from here")
        assert "1 open permission request was denied" in shown.text
        assert await session.verdict("fghij") == "deny"


async def test_the_hook_tool_is_not_listed_and_is_no_tool_for_the_model() -> None:
    """MUST T54: the hook's tool is not listed, and a call of the model does not reach it."""
    async with World() as world:
        session = await world.session()
        names = {one["name"] for one in await session.tools()}
        assert names == {"reply", "react", "edit_message", "download_attachment"}
        answer = await session.request(
            "tools/call",
            {
                "name": "session_hook",
                "arguments": {"event": "Stop", "last_assistant_message": "hello"},
                "_meta": {"claudecode/toolUseId": "toolu_1"},
            },
        )
        assert "error" in answer or answer["result"]["isError"]


async def test_no_hook_call_ever_fails_whatever_it_carries() -> None:
    """MUST T55: a hook call with anything in it is answered without an error and holds nothing up."""
    async with World() as world:
        session = await world.session()
        odd: list[Any] = ["", "{", "[]", "null", "\ud800", "x" * 200_000, json.dumps({"command": ["a"]}), TOKEN]
        names = ("prompt", "tool_name", "tool_input", "tool_use_id", "last_assistant_message")
        for event in (
            "UserPromptSubmit",
            "PreToolUse",
            "PostToolUse",
            "PostToolUseFailure",
            "PermissionDenied",
            "Stop",
        ):
            for value in odd:
                await session.hook(event, **dict.fromkeys(names, value))
        for value in odd:
            await session.hook("MessageDisplay", delta=value, index=value, final=value, message_id=value)
            await session.hook("Notification", message=value, notification_type=value)
        assert not world.shows_token(bytes(session.errors))
        log = await asyncio.to_thread((world.state_dir / "telegram-channel.log").read_bytes)
        assert not world.shows_token(log)
