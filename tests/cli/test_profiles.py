"""Several bots on one machine, in real processes: which one a command is about, and two that use the same bot."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telegram_channel.core.health import BridgeState, HealthReport
from telegram_channel.core.ids import BotId
from telegram_channel.storage import open_store
from telegram_channel.storage.lease import FileLease
from tests.cli.conftest import Ran, Terminal
from tests.world import TOKEN as WORLDS_TOKEN
from tests.world import World

BOT = BotId("123456")
TOKEN = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
RENEWED = "123456:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
OTHER = "654321:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
SECRETS = ("AAAAAAAA", "BBBBBBBB", "CCCCCCCC")


def directory(terminal: Terminal, name: str) -> Path:
    return terminal.state_dir if name == "default" else terminal.state_dir / "profiles" / name


def keep(terminal: Terminal, name: str, token: str) -> None:
    """What `configure` leaves behind."""
    directory(terminal, name).mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory(terminal, name) / "token").write_text(f"{token}\n")


def configure(terminal: Terminal, *arguments: str, token: str = TOKEN, **environment: str) -> Ran:
    ran = terminal.run("configure", *arguments, "--stdin", "--no-check", stdin=token, **environment)
    assert not [secret for secret in SECRETS if secret in ran.out + ran.err]
    return ran


def project(terminal: Terminal, text: str) -> dict[str, str]:
    """A project with this file, as an environment."""
    place = terminal.home / "project"
    place.mkdir(exist_ok=True)
    (place / "telegram-channel.toml").write_text(text)
    return {"CLAUDE_PROJECT_DIR": str(place)}


def everything_below(path: Path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*"))


@contextmanager
def polling(place: Path, bot: BotId = BOT) -> Iterator[None]:
    """The right to poll the bot, held by this process with its state kept in `place`."""
    place.mkdir(parents=True, exist_ok=True)
    held = FileLease(place / f"poll-{bot}.lock")
    assert held.acquire()
    try:
        yield
    finally:
        held.release()


# A project that is not the operator's own.


@pytest.mark.parametrize(
    "command", [("access", "list"), ("access", "allow", "1001"), ("status",), ("doctor", "--offline"), ("configure",)]
)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('profile = "theirs"', "configure --profile theirs"),
        ('profile = "work"\nstate_dir = "/tmp"', "state_dir"),
        ('profile = "work"\n[access]\npolicy = "pairing"', "access"),
        ("", "names no profile"),
    ],
)
def test_no_command_obeys_a_wrong_file_of_a_project_and_nothing_is_made(
    terminal: Terminal, command: tuple[str, ...], text: str, said: str
) -> None:
    """MUST F73: with a wrong or unknown profile in the project every command fails, and none makes a profile."""
    keep(terminal, "default", TOKEN)
    keep(terminal, "work", OTHER)
    before = everything_below(terminal.state_dir)
    ran = terminal.run(*command, **project(terminal, text))
    assert ran.code == 1
    assert said in ran.out + ran.err
    assert everything_below(terminal.state_dir) == before


@pytest.mark.parametrize("command", [("access", "allow", "1001"), ("status", "--json"), ("doctor", "--offline")])
def test_a_mistyped_profile_is_an_error_and_is_not_made(terminal: Terminal, command: tuple[str, ...]) -> None:
    keep(terminal, "work", OTHER)
    before = everything_below(terminal.state_dir)
    ran = terminal.run(*command, "--profile", "wrok")
    assert ran.code == 1
    assert "There is no profile `wrok`" in ran.out + ran.err
    assert "there are: work" in ran.out + ran.err
    assert everything_below(terminal.state_dir) == before


# Which one a command is about.


def test_the_people_of_one_profile_are_not_those_of_another(terminal: Terminal) -> None:
    """MUST F74: each profile has an access book of its own."""
    keep(terminal, "default", TOKEN)
    keep(terminal, "work", OTHER)
    in_project = project(terminal, 'profile = "work"')
    assert terminal.run("access", "allow", "1001").code == 0
    allowed = terminal.run("access", "allow", "2002", **in_project)
    assert (allowed.code, "Profile work, named by" in allowed.out) == (0, True)
    before, after = terminal.run_all(
        ["access", "--profile", "work", "list", "--json"], ["access", "list", "--json", "--profile", "work"]
    )
    assert before.json == after.json
    assert (before.json["profile"], before.json["bot"]) == ("work", "654321")
    assert [one["id"] for one in before.json["senders"]] == ["2002"]
    default = terminal.run("access", "list", "--json")
    assert (default.json["profile"], [one["id"] for one in default.json["senders"]]) == ("default", ["1001"])
    assert "Profile" not in terminal.run("access", "list").out


def test_a_profile_named_for_a_verb_in_a_group_of_verbs_counts(terminal: Terminal) -> None:
    keep(terminal, "work", OTHER)
    for arguments in (["--profile", "work", "group", "add", "-1001"], ["group", "add", "-1002", "--profile", "work"]):
        assert terminal.run("access", *arguments).code == 0
    groups = terminal.run("access", "list", "--json", "--profile", "work").json["groups"]
    assert sorted(one["id"] for one in groups) == ["-1001", "-1002"]


def test_the_file_is_found_from_the_working_directory_as_well(terminal: Terminal) -> None:
    keep(terminal, "work", OTHER)
    (terminal.home / "telegram-channel.toml").write_text('profile = "work"')
    found = terminal.run("status", "--json").json
    assert (found["profile"], found["bot"]) == ("work", "654321")
    assert found["profile_from"] == str(terminal.home / "telegram-channel.toml")


def test_status_and_doctor_say_which_profile_and_which_others_there_are(terminal: Terminal) -> None:
    """MUST F75: status and doctor name the profile they speak of, who chose it, and the others."""
    keep(terminal, "default", TOKEN)
    keep(terminal, "work", OTHER)
    for command in (["status"], ["doctor", "--offline"]):
        ran = terminal.run(*command, "--json", TELEGRAM_PROFILE="work")
        assert (ran.json["profile"], ran.json["profiles"]) == ("work", ["default", "work"])
    status = terminal.run("status", TELEGRAM_PROFILE="work").out
    assert "work, named by TELEGRAM_PROFILE; others: default" in status
    assert str(directory(terminal, "work")) in status
    doctor = terminal.run("doctor", "--offline", TELEGRAM_PROFILE="work").out
    assert "profile: This is about profile work, named by TELEGRAM_PROFILE. There are others: default." in doctor
    assert terminal.run("status", "--json").json["profile"] == "default"


@pytest.mark.parametrize("command", ["access", "configure", "status", "doctor"])
def test_help_says_how_a_profile_is_chosen(terminal: Terminal, command: str) -> None:
    shown = terminal.run(command, "--help").out
    assert all(word in shown for word in ("--profile NAME", "TELEGRAM_PROFILE", "telegram-channel.toml"))


# Making one.


def test_configure_makes_a_profile_for_its_owner_only(terminal: Terminal) -> None:
    """MUST F76: only `configure` makes a profile, and every directory of it is the owner's alone."""
    ran = configure(terminal, "--profile", "work")
    assert (ran.code, ran.err) == (0, "")
    assert 'profile = "work"' in ran.out
    assert "TELEGRAM_PROFILE=work" in ran.out
    made = "profiles/work"
    assert everything_below(terminal.state_dir) == ["profiles", made, f"{made}/token"]
    for place in (terminal.state_dir, terminal.state_dir / "profiles", directory(terminal, "work")):
        assert place.stat().st_mode & 0o777 == 0o700
    assert terminal.run("status", "--json", **project(terminal, 'profile = "work"')).json["bot"] == BOT


@pytest.mark.parametrize(("first", "second"), [("default", "work"), ("work", "default"), ("work", "home")])
def test_a_bot_that_another_profile_has_is_refused(terminal: Terminal, first: str, second: str) -> None:
    """MUST F77: configure refuses a token whose bot another profile uses, and stores nothing."""
    assert configure(terminal, "--profile", first).code == 0
    refused = configure(terminal, "--profile", second, token=RENEWED)
    assert (refused.code, refused.out) == (1, "")
    assert f"profile `{first}`" in refused.err
    assert "@BotFather" in refused.err
    assert not (directory(terminal, second) / "token").exists()
    assert configure(terminal, "--profile", first, token=RENEWED).code == 0
    assert configure(terminal, "--profile", second, token=OTHER).code == 0


def test_a_bot_whose_token_is_only_in_the_environment_is_refused_for_another_profile(terminal: Terminal) -> None:
    assert configure(terminal, "--profile", "work", TELEGRAM_BOT_TOKEN=TOKEN).code == 1
    assert configure(terminal, "--profile", "work", TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_PROFILE="work").code == 0


def test_a_bot_that_is_polled_from_another_profile_is_refused(terminal: Terminal) -> None:
    with polling(terminal.state_dir):
        refused = configure(terminal, "--profile", "work")
    assert (refused.code, "is polling it right now" in refused.err) == (1, True)
    assert configure(terminal, "--profile", "work").code == 0  # what is left of a lease says nothing


def test_a_bot_in_the_usual_directory_of_this_machine_is_pointed_at(terminal: Terminal) -> None:
    usual = Path(terminal.python("-c", _WHERE).out.strip())
    assert terminal.home in usual.parents
    usual.mkdir(parents=True)
    (usual / "token").write_text(TOKEN)
    ran = configure(terminal)
    assert ran.code == 0
    assert f"profile `default` in {usual}" in ran.err


_WHERE = "from telegram_channel.profiles import platform_directory; print(platform_directory())"


def test_without_a_terminal_the_way_for_this_profile_is_told(terminal: Terminal) -> None:
    ran = terminal.run("configure", "--profile", "work")
    assert (ran.code, "telegram-channel configure --profile work --stdin" in ran.err) == (1, True)


# The same bot twice.


def test_doctor_finds_two_profiles_with_one_bot_before_they_meet(terminal: Terminal) -> None:
    """MUST F78: doctor says when two profiles use the same bot, without asking Telegram and without showing a
    token.
    """
    keep(terminal, "default", TOKEN)
    keep(terminal, "work", OTHER)
    fine = terminal.run("doctor", "--offline", "--json")
    keep(terminal, "work", RENEWED)
    wrong = terminal.run("doctor", "--offline", "--json")
    assert [one["ok"] for one in fine.json["checks"] if one["name"] == "same bot"] == []
    (check,) = [one for one in wrong.json["checks"] if one["name"] == "same bot"]
    assert (wrong.code, check["ok"]) == (1, False)
    assert all(word in check["text"] for word in (BOT, "profile `default`", "profile `work`"))
    assert "--profile NAME" in check["remedy"]
    assert not [secret for secret in SECRETS if secret in wrong.out + wrong.err]


async def in_conflict(terminal: Terminal, *command: str, **environment: str) -> Ran:
    """What a command says while this process polls for the default profile and is told 409."""
    keep(terminal, "default", TOKEN)
    store = await open_store(terminal.state_dir / "state.db", BOT)
    try:
        problem = "Somebody else receives this bot's messages."
        await store.health.publish(HealthReport(BridgeState.CONFLICT, os.getpid(), datetime.now(UTC), problem))
        with polling(terminal.state_dir):
            return await asyncio.to_thread(terminal.run, *command, **environment)
    finally:
        await store.close()


@pytest.mark.parametrize("command", [("status", "--json"), ("status",), ("doctor", "--offline")])
@pytest.mark.parametrize(("polls", "said"), [(True, "is polling it right now"), (False, "has its token")])
async def test_a_conflict_with_another_profile_names_it(
    terminal: Terminal, command: tuple[str, ...], polls: bool, said: str
) -> None:
    """MUST F79: status and doctor explain a 409 by its likely causes, another profile of this machine first."""
    keep(terminal, "work", RENEWED)
    if polls:
        with polling(directory(terminal, "work")):
            ran = await in_conflict(terminal, *command)
    else:
        ran = await in_conflict(terminal, *command)
    told = ran.json["problem"] if "--json" in command else ran.out
    assert "Somebody else receives this bot's messages." in told
    place = told.rindex(f"profile `work` in {directory(terminal, 'work')} ({said})")
    assert told.index("another machine", place) < told.index("a webhook", place)
    assert not [secret for secret in SECRETS if secret in ran.out + ran.err]


async def test_a_conflict_with_nobody_here_names_the_causes_in_their_order(terminal: Terminal) -> None:
    keep(terminal, "work", OTHER)
    told = (await in_conflict(terminal, "status", "--json")).json["problem"]
    assert "No other profile" in told
    assert "work" not in told
    assert told.index("TELEGRAM_STATE_DIR") < told.index("another machine") < told.index("webhook")


async def test_what_cannot_be_read_elsewhere_hides_no_explanation(terminal: Terminal) -> None:
    keep(terminal, "work", OTHER)
    (directory(terminal, "work") / "token").write_bytes(b"\xff\xfe")
    (directory(terminal, "work") / f"poll-{BOT}.lock").mkdir()
    ran = await in_conflict(terminal, "status", "--json")
    assert (ran.code, ran.json["state"]) == (0, "conflict")
    assert "No other profile" in ran.json["problem"]


async def test_two_real_servers_with_one_bot_in_two_profiles_are_told_of_each_other() -> None:
    """MUST F80: the same bot under two state directories is detected (409) and explained; no one fights."""
    async with World() as world:
        await world.session()
        await world.session(wait_polling=False, TELEGRAM_PROFILE="work")
        found = await world.in_state("conflict")
        assert f"profile `work` in {world.state_dir / 'profiles' / 'work'}" in found["problem"]
        assert (found["profile"], found["profiles"]) == ("default", ["default", "work"])


async def test_a_server_in_a_project_of_no_known_profile_opens_no_door_until_the_operator_makes_it() -> None:
    """MUST F81: a server whose project names an unknown profile keeps nothing, polls nothing, and says what to do."""
    async with World(bot_token="") as world:
        place = world.directory / "project"
        place.mkdir()
        (place / "telegram-channel.toml").write_text('profile = "work"')
        await world.operator("configure", "--profile", "home", "--no-check", "--stdin", stdin=OTHER)
        before = everything_below(world.state_dir)
        session = await world.session(wait_polling=False, CLAUDE_PROJECT_DIR=str(place), TELEGRAM_PROFILE="")
        answer = await session.call("reply", chat_id="1", text="hi")
        assert answer.is_error
        assert "telegram-channel configure --profile work" in answer.text
        assert everything_below(world.state_dir) == before
        await world.operator("configure", "--profile", "work", "--stdin", stdin=WORLDS_TOKEN)
        ann = world.person("Ann")
        ann.say("hello")
        await world.shows(ann, "Your code")
        assert (world.state_dir / "profiles" / "work" / "state.db").exists()
        assert not (world.state_dir / "state.db").exists()
