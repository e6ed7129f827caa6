"""`telegram-channel access`, in real processes: alone, and while another process holds the store open."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telegram_channel.cli import main
from telegram_channel.cli.access_words import deep_link
from telegram_channel.cli.qr import drawn
from telegram_channel.core.access import AccessState, Policy, Role
from telegram_channel.core.health import BridgeState, HealthReport
from telegram_channel.core.ids import BotId, SenderId, SessionId
from telegram_channel.core.pairing import (
    Acceptance,
    Paired,
    PairingCode,
    issue_code,
    mark_code_sent,
    redeem_invitation,
    request_pairing,
)
from telegram_channel.core.pairing_code import ENTROPY_BYTES
from telegram_channel.ports import SessionRecord, Store
from telegram_channel.storage import open_store
from tests.cli.conftest import Terminal
from tests.values import place

BOT = BotId("123456")
TOKEN = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
ANN = SenderId("1001")
CODE = PairingCode.for_pairing(b"\x05" * ENTROPY_BYTES)


@asynccontextmanager
async def server(terminal: Terminal, bot: BotId = BOT) -> AsyncIterator[Store]:
    """A store that stays open meanwhile, as a server's does."""
    store = await open_store(terminal.state_dir / "state.db", bot)
    try:
        yield store
    finally:
        await store.close()


async def ask(store: Store, name: str = "Ann", code: PairingCode = CODE, sender: SenderId = ANN) -> None:
    """A stranger wrote to the bot and was sent a code."""
    now = datetime.now(UTC)

    def change(state: AccessState) -> tuple[AccessState, None, tuple[()]]:
        state, _ = request_pairing(state, place(sender, sender, name=name), now)
        state, _ = issue_code(state, sender, code, "salt", now)
        return mark_code_sent(state, sender), None, ()

    await store.access.transact(change)


async def accept(store: Store, code: str, sender: SenderId = ANN) -> Acceptance:
    """Somebody sends `/start CODE` to the bot."""

    def change(state: AccessState) -> tuple[AccessState, Acceptance, tuple[()]]:
        return *redeem_invitation(state, place(sender, sender), code, datetime.now(UTC)), ()

    return await store.access.transact(change)


async def test_a_code_from_a_running_server_is_redeemed_in_another_process(terminal: Terminal) -> None:
    """MUST A22: access commands work while servers run, and both sides see each other's changes at once."""
    async with server(terminal) as store:
        await ask(store)
        ran = terminal.run("access", "pair", CODE.shown.lower(), TELEGRAM_BOT_TOKEN=TOKEN)
        assert (ran.code, ran.err) == (0, "")
        assert 'Ann" (1001) is paired as owner' in ran.out
        assert "policy became allowlist" in ran.out
        state = await store.access.read()
        assert state.senders[ANN].role is Role.OWNER
        assert state.policy is Policy.ALLOWLIST


async def test_an_invitation_from_the_terminal_is_taken_in_a_running_server(terminal: Terminal) -> None:
    async with server(terminal) as store:
        report = HealthReport(BridgeState.POLLING, 1, datetime.now(UTC), bot_username="some_bot")
        await store.health.publish(report)
        ran = terminal.run("access", "invite", "--role", "approver", TELEGRAM_BOT_TOKEN=TOKEN)
        link = re.search(r"https://t\.me/some_bot\?start=([A-Za-z0-9_-]{1,64})\n", ran.out)
        assert link
        assert f"/start {link[1]}" in ran.out
        assert "Nobody is in yet, so it makes the owner." in ran.out
        result = await accept(store, link[1])
        assert isinstance(result, Paired)
        assert result.person.role is Role.OWNER
        assert not isinstance(await accept(store, link[1], SenderId("1002")), Paired)


async def test_without_a_name_of_the_bot_an_invitation_says_what_to_send(terminal: Terminal) -> None:
    invited, revoked = terminal.run_all(["access", "invite"], ["access", "invite", "--revoke"])
    assert "t.me" not in invited.out
    assert re.search(r"/start [A-Z0-9]{20}\n", invited.out)
    assert revoked.out == "Took back 1 open invitation.\n"


@pytest.mark.parametrize(("username", "is_linked"), [("some_bot", True), ("", False), ("x?start=evil", False)])
def test_only_a_name_of_a_bot_becomes_a_link(username: str, is_linked: bool) -> None:
    assert bool(deep_link(username, CODE)) is is_linked


def test_without_a_terminal_nothing_is_drawn() -> None:
    assert drawn("https://t.me/some_bot?start=CDFG") == ""


async def test_a_whole_life_without_a_server_or_a_token(terminal: Terminal) -> None:
    """MUST A23: access commands need neither a token nor a running server."""
    steps = [
        (("allow", "1001", "--role", "owner", "--name", "Ann"), "is let in as owner"),
        (("allow", "1002"), "1002 is let in as sender"),
        (("role", "1002", "approver"), "1002 is approver now (was sender)"),
        (("policy", "closed"), "The policy is closed"),
        (("policy", "allowlist"), "The policy is allowlist"),
        (("group", "add", "-100123", "--title", "Team", "--sender", "7", "8", "--pattern", "claude"), "opted in"),
        (("group", "add", "-100123", "--all-messages"), "everything they say"),
        (("group", "rm", "-100123", "--sender", "7"), "is in the book"),
    ]
    for (arguments, said), ran in zip(
        steps, terminal.run_all(*(["access", *arguments] for arguments, _ in steps)), strict=True
    ):
        assert (ran.code, ran.err) == (0, ""), arguments
        assert said in ran.out
    book = terminal.run("access", "list", "--json").json
    assert (book["bot"], book["policy"]) == (None, "allowlist")
    assert [(one["id"], one["role"], one["name"]) for one in book["senders"]] == [
        ("1001", "owner", "Ann"),
        ("1002", "approver", ""),
    ]
    assert [(one["id"], one["senders"], one["mention_only"], one["patterns"]) for one in book["groups"]] == [
        ("-100123", ["8"], False, ["claude"])
    ]
    removed, opted_out, log, newest = terminal.run_all(
        ["access", "remove", "1002"],
        ["access", "group", "rm", "-100123"],
        ["access", "log", "--json"],
        ["access", "log", "--limit", "1"],
    )
    assert "is out" in removed.out
    assert "is opted out" in opted_out.out
    assert [row["action"] for row in log.json["rows"]] == [
        "allow",
        "policy",
        "allow",
        "role",
        "policy",
        "policy",
        "group_add",
        "group_add",
        "group_rm",
        "remove",
        "group_rm",
    ]
    assert newest.out.count("\n") == 1
    assert "group_rm" in newest.out


async def test_a_limit_is_set_shown_and_lifted(terminal: Terminal) -> None:
    """MUST A29: what somebody is limited to is said when it changes, listed, and in the audit."""
    directory = "/home/ann/a directory with a long name, longer than any label/shop"
    steps = [
        (("allow", "1001", "--role", "owner"), "is let in as owner"),
        (("allow", "1002", "--only", "shop", "blog"), 'They reach the sessions of "blog" and "shop" only.'),
        (("role", "1002", "approver"), 'of "blog" and "shop" only, and approve for no others, as before.'),
        (("role", "1002", "sender", "--only", "shop/login", "--only", directory), '/shop" and "shop/login" only.'),
        (("invite", "--only", "shop"), 'They will reach the sessions of "shop" only.'),
    ]
    ran = terminal.run_all(*(["access", *arguments] for arguments, _ in steps))
    for (arguments, said), one in zip(steps, ran, strict=True):
        assert (one.code, one.err) == (0, ""), arguments
        assert said in one.out
    as_json, listed, lifted, again, empty, owner, log = terminal.run_all(
        ["access", "list", "--json"],
        ["access", "list"],
        ["access", "role", "1002", "sender", "--everywhere"],
        ["access", "allow", "1002", "--only", "shop"],
        ["access", "allow", "1002", "--only", ""],
        ["access", "role", "1001", "owner", "--only", "shop"],
        ["access", "log"],
    )
    assert [one["only"] for one in as_json.json["senders"]] == [[], [directory, "shop/login"]]
    assert [one["only"] for one in as_json.json["invitations"]] == [["shop"]]
    assert f'only "{directory}", "shop/login"' in listed.out
    assert 'only "shop"\n' in listed.out
    assert 'and "shop/login" is lifted, so every session is open to them.' in lifted.out
    assert 'They reach the sessions of "shop" only.' in again.out
    assert 'The limit to "shop" is lifted' in empty.out
    assert (owner.code, "never limited" in owner.err) == (1, True)
    assert 'approver, only "blog", "shop"' in log.out
    assert "sender, everywhere" in log.out


async def test_making_somebody_owner_says_that_the_limit_is_gone(terminal: Terminal) -> None:
    _, made = terminal.run_all(["access", "allow", "1002", "--only", "shop"], ["access", "role", "1002", "owner"])
    assert 'The limit to "shop" is lifted: an owner is never limited.' in made.out


async def test_a_name_that_no_running_session_has_is_taken_with_a_hint(terminal: Terminal) -> None:
    here, now = os.getpid(), datetime.now(UTC)
    async with server(terminal) as store:
        for number, (name, pid) in enumerate([("shop", here), ("shop", here), ("blog", 2**22 + 1)]):
            session = SessionId(f"session-{number}")
            await store.sessions.register(
                SessionRecord(session, pid, now, now, name, is_channel=True, project=f"/home/ann/{name}")
            )
        known, unknown, numbered = terminal.run_all(
            ["access", "allow", "1002", "--only", "Shop", "/home/ann/shop"],
            ["access", "allow", "1002", "--only", "shop", "blog", "sh"],
            ["access", "role", "1002", "sender", "--only", "shop 2"],
            TELEGRAM_BOT_TOKEN=TOKEN,
        )
        assert (await store.access.read()).senders[SenderId("1002")].only == {"shop 2"}
    assert "running session" not in known.out
    assert 'No running session is called "blog" or "sh"; the limit waits for one that is.' in unknown.out
    assert 'Running: "shop", "shop 2".' in unknown.out
    assert "running session" not in numbered.out
    assert 'The number in "shop 2" changes as sessions come and go' in numbered.out


async def test_the_first_bot_takes_over_what_was_decided_before_it(terminal: Terminal) -> None:
    assert terminal.run("access", "allow", "1001", "--role", "owner").code == 0
    book = terminal.run("access", "list", "--json", TELEGRAM_BOT_TOKEN=TOKEN).json
    assert book["bot"] == BOT
    assert [one["id"] for one in book["senders"]] == ["1001"]


async def test_without_a_token_the_book_of_the_bot_used_last_is_meant_unless_another_is_named(
    terminal: Terminal,
) -> None:
    async with server(terminal, BotId("111")) as store:
        await ask(store)
    async with server(terminal, BotId("222")) as store:
        await ask(store)
    newest, named = terminal.run_all(["access", "list", "--json"], ["access", "list", "--json", "--bot", "111"])
    assert newest.json["bot"] == "222"
    assert named.json["bot"] == "111"
    assert terminal.run("access", "list", "--json", TELEGRAM_BOT_TOKEN=TOKEN).json["bot"] == BOT


async def test_a_wrong_code_fails_with_a_remedy_and_five_lock_codes_out_but_not_the_operator(
    terminal: Terminal,
) -> None:
    async with server(terminal) as store:
        await ask(store)
        *wrong, locked, allowed, listed = terminal.run_all(
            *[["access", "pair", "CCCC-CCCC"]] * 5,
            ["access", "pair", CODE.shown],
            ["access", "allow", "1001"],
            ["access", "list", "--json"],
            TELEGRAM_BOT_TOKEN=TOKEN,
        )
    assert [(ran.code, ran.out) for ran in wrong] == [(1, "")] * 5
    assert "After 4 more wrong ones" in wrong[0].err
    assert "too many wrong codes" in wrong[-1].err
    assert (locked.code, "access allow ID" in locked.err) == (1, True)
    assert allowed.code == 0
    assert [one["who"] for one in listed.json["locked_out"]] == ["operator"]


async def test_denying_turns_away_and_a_code_may_be_typed_with_a_space(terminal: Terminal) -> None:
    async with server(terminal) as store:
        await ask(store)
        first, second = CODE.shown.split("-")
        ran = terminal.run("access", "deny", first, second, TELEGRAM_BOT_TOKEN=TOKEN)
        assert (ran.code, "was turned away" in ran.out) == (0, True)
        assert (await store.access.read()).pending == ()


async def test_a_name_from_the_chat_cannot_touch_the_terminal_or_the_next_line(terminal: Terminal) -> None:
    """MUST A24: names from the chat are printed in quotes, on one line, without control characters."""
    evil = '\x1b[2J\x1b]0;x\x07Ann"\nPolicy: open\u202e\u2028'
    async with server(terminal) as store:
        await ask(store, evil)
        listed, as_json, paired = terminal.run_all(
            ["access", "list"],
            ["access", "list", "--json"],
            ["access", "pair", CODE.letters],
            TELEGRAM_BOT_TOKEN=TOKEN,
        )
    assert paired.code == 0
    for text in (listed.out, paired.out, as_json.out):
        assert all(char.isprintable() or char == "\n" for char in text)
    assert as_json.out.isascii()
    assert as_json.json["pending"][0]["name"] == evil
    assert not any(line.startswith("Policy: open") for line in listed.out.splitlines())
    assert len([line for line in listed.out.splitlines() if "Ann" in line]) == 1


async def test_nothing_that_is_listed_contains_a_code_a_hash_or_a_salt(terminal: Terminal) -> None:
    async with server(terminal) as store:
        await ask(store)
        invited, *listed = terminal.run_all(
            ["access", "invite"],
            ["access", "list"],
            ["access", "list", "--json"],
            ["access", "log"],
            ["access", "log", "--json"],
            TELEGRAM_BOT_TOKEN=TOKEN,
        )
        state = await store.access.read()
    letters = re.search(r"/start ([A-Z0-9]+)", invited.out)
    assert letters
    shown = "".join(ran.out for ran in listed)
    assert str(ANN) in shown
    one, other = state.pending[0], state.invitations[0]
    for secret in (CODE.letters, CODE.shown, letters[1], one.code_hash, other.code_hash, other.salt):
        assert secret not in shown
        assert secret in (CODE.letters, CODE.shown, letters[1]) or secret not in invited.out


async def test_removing_the_last_owner_is_done_and_said(terminal: Terminal) -> None:
    _, _, owner, last = terminal.run_all(
        ["access", "allow", "1001", "--role", "owner"],
        ["access", "allow", "1002"],
        ["access", "remove", "1001"],
        ["access", "remove", "1002"],
    )
    assert owner.code == 0
    assert "Nobody is owner" in owner.err
    assert "Nobody is left" in last.out


def test_a_corrupt_store_lets_nobody_in_and_says_what_to_do(terminal: Terminal) -> None:
    """MUST A25: unreadable state stops with the remedy; it is never an open door."""
    terminal.run("access", "policy", "closed")
    database = terminal.state_dir / "state.db"
    database.write_bytes(b"not a database" * 1000)
    for ran in terminal.run_all(
        ["access", "allow", "1001"], ["access", "list"], ["access", "list", "--json"], ["access", "pair", CODE.shown]
    ):
        assert (ran.code, ran.out) == (1, "")
        assert "Nobody is admitted" in ran.err
        assert "Traceback" not in ran.err
    assert database.read_bytes().startswith(b"not a database")


def test_a_state_directory_that_cannot_be_made_is_an_error_with_a_remedy(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ran = terminal.run("access", "allow", "1001", TELEGRAM_STATE_DIR=str(tmp_path / "file" / "deep"))
    assert (ran.code, ran.out) == (1, "")
    assert "Traceback" not in ran.err
    assert "file" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["allow", "-100"], "groups have `group add`"),
        (["allow", "@ann"], "no id of a person"),
        (["allow", "0"], "no id of a person"),
        (["allow", "1" * 30], "no id of a person"),
        (["allow", "\u0661"], "no id of a person"),
        (["allow", "1", "--role", "admin"], "no role"),
        (["group", "add", "100"], "no id of a group"),
        (["group", "add", "-100", "--sender", "x"], "no id of a person"),
        (["policy", "open"], "no policy"),
        (["log", "--limit", "0"], "positive number"),
        (["list", "--bot", "abc"], "before the colon"),
        (["allow"], "required"),
        ([], "required"),
        (["grant", "1"], "invalid choice"),
        (["allow", "1", "--only", "x\x1b[2J"], "characters nobody sees"),
        (["allow", "1", "--only", "x" * 256], "too long"),
        (["allow", "1", "--only"], "expected at least one argument"),
        (["role", "1", "sender", "--only", "shop", "--everywhere"], "not allowed with"),
        (["invite", "--only", ""], "it is empty"),
    ],
)
def test_a_wrong_use_is_explained_and_touches_nothing(
    arguments: list[str],
    said: str,
    terminal: Terminal,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TELEGRAM_STATE_DIR", str(terminal.state_dir))
    assert main(["access", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not terminal.state_dir.exists()


@pytest.mark.parametrize("verb", ["allow", "role", "invite"])
def test_help_tells_what_a_limit_is(terminal: Terminal, verb: str) -> None:
    shown = terminal.run("access", verb, "--help").out
    for word in ("--only", "shop/login", "/home/ann/shop", "--everywhere", "Owners are never limited", "group"):
        assert word in shown


def test_help_documents_the_shape_of_json(terminal: Terminal) -> None:
    shown = terminal.run("access", "--help").out
    for key in ("senders", "groups", "pending", "invitations", "rows", "policy"):
        assert f'"{key}"' in shown
