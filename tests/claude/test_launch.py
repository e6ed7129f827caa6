"""Evidence of a channel session, and who is still alive."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telegram_channel.claude import launch
from telegram_channel.claude.launch import (
    channel_obstacles,
    git_branch,
    is_alive,
    is_channel_session,
    marketplace_of,
    project_name,
)

OURS = "plugin:telegram@telegram-channel"


@pytest.mark.parametrize(
    "arguments",
    [
        ["claude", "--channels", OURS],
        ["claude", "--dangerously-load-development-channels", OURS],
        ["claude", "--dangerously-load-development-channels", "server:telegram"],
        ["claude", f"--channels={OURS}"],
        ["claude", "--channels", "plugin:slack@somewhere", OURS, "--debug"],
        ["claude", "--channels", f"plugin:slack@somewhere,{OURS}"],
        ["claude", "--channels", f"plugin:slack@somewhere {OURS}"],
        ["claude", "--debug", "--channels", "server:other", "--channels", OURS, "a prompt"],
        ["node", "/usr/lib/cli.js", "-c", "--channels", OURS],
    ],
)
def test_a_client_that_names_us_as_a_channel_is_evidence(arguments: list[str]) -> None:
    """MUST P14: a session polls only with evidence that it was started with us as a channel."""
    assert is_channel_session([["python3", "serve"], arguments, ["init"]])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["claude"],
        ["claude", "-p", f"--channels is a flag, {OURS} a value"],
        ["claude", OURS],
        ["claude", "--channels"],
        ["claude", "--channels", "--debug", OURS],
        ["claude", "--channels", "plugin:slack@telegram-channel"],
        ["claude", "--channels", "plugin:telegram-extra@telegram-channel"],
        ["claude", "--channels", "server:telegram2"],
        ["claude", "--channels", "telegram"],
        ["claude", "--channels", "plugin:telegram@", "x"],
        ["claude", "--channelsx", OURS],
        ["claude", "--mcp-config", OURS],
    ],
)
def test_anything_else_is_no_evidence(arguments: list[str]) -> None:
    """MUST P15: without evidence nothing is polled."""
    assert not is_channel_session([arguments], marketplace="telegram-channel")


def test_a_plugin_of_the_same_name_from_elsewhere_is_not_us() -> None:
    """MUST P16: a session for another plugin of the same name is no evidence."""
    theirs = [["claude", "--channels", "plugin:telegram@claude-plugins-official"]]
    assert not is_channel_session(theirs, marketplace="telegram-channel")
    assert is_channel_session(theirs, marketplace="claude-plugins-official")
    assert is_channel_session(theirs, marketplace=None)
    assert is_channel_session([["claude", "--channels", "plugin:telegram@a.b/c"]], marketplace="a-b-c")


@pytest.mark.parametrize(
    ("directory", "marketplace"),
    [
        ("/home/ann/.claude/plugins/data/telegram-telegram-channel", "telegram-channel"),
        ("/home/ann/.claude/plugins/data/telegram-real-client-market", "real-client-market"),
        ("/home/ann/.claude/plugins/data/other", None),
        ("", None),
        (None, None),
    ],
)
def test_the_marketplace_is_read_off_the_data_directory(directory: str | None, marketplace: str | None) -> None:
    assert marketplace_of(directory) == marketplace


@pytest.mark.parametrize("name", ["DISABLE_TELEMETRY", "DO_NOT_TRACK", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"])
def test_a_telemetry_opt_out_is_named_as_an_obstacle(name: str) -> None:
    (sentence,) = channel_obstacles({name: "1", "PATH": "/bin"})
    assert name in sentence
    assert "telemetry" in sentence
    assert channel_obstacles({name: "0"}) == channel_obstacles({name: ""}) == channel_obstacles({name: "False"}) == ()


@pytest.mark.parametrize("provider", ["BEDROCK", "VERTEX", "FOUNDRY"])
def test_a_provider_without_channels_is_named_as_an_obstacle(provider: str) -> None:
    (sentence,) = channel_obstacles({f"CLAUDE_CODE_USE_{provider}": "true"})
    assert provider in sentence
    assert "authentication" in sentence


@pytest.mark.parametrize(
    ("environ", "directory", "name"),
    [
        ({"CLAUDE_PROJECT_DIR": "/src/thing"}, "/elsewhere", "thing"),
        ({"CLAUDE_PROJECT_DIR": ""}, "/src/other/", "other"),
        ({}, "/", "/"),
    ],
)
def test_a_session_is_called_after_its_project(environ: dict[str, str], directory: str, name: str) -> None:
    assert project_name(environ, directory) == name


def test_this_process_finds_its_own_ancestors() -> None:
    """The chain is read for real: a child finds the flag that its parent was started with."""
    child = "from telegram_channel.claude.launch import read_launch; print(read_launch('r').is_channel)"
    # The parent only exists to be looked at: the flag is among its own arguments.
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    environment = {key: value for key, value in os.environ.items() if key != "CLAUDE_PLUGIN_DATA"}

    def found(*flags: str) -> str:
        command = [sys.executable, "-c", parent, *flags]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()

    assert found("--channels", OURS) == "True"
    assert found("--channels", "plugin:other@x") == "False"


def test_the_session_has_the_id_of_the_client_or_a_random_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "from-the-client")
    assert launch.read_launch("random").session == "from-the-client"
    monkeypatch.delenv("CLAUDE_CODE_SESSION_ID")
    assert launch.read_launch("random").session == "random"


def test_a_process_is_alive_until_it_ends_and_its_id_may_be_reused() -> None:
    """MUST P17: a process counts as alive by its id and its start, never by its id alone."""
    me = launch.read_launch("x")
    assert me.pid == os.getpid()
    assert me.started_at < datetime.now(UTC)
    assert is_alive(me.pid, me.started_at)
    assert not is_alive(me.pid, me.started_at - timedelta(minutes=1))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    began_at = datetime.now(UTC)
    gone.wait(20)
    assert not is_alive(gone.pid, began_at)


def test_a_process_that_ended_and_was_not_collected_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE)
    began_at = datetime.now(UTC)
    assert child.stdout
    child.stdout.read()  # until it has closed everything: from here on it is ending
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid, began_at)
    child.wait(20)
    child.stdout.close()


def head(folder: Path, text: str) -> None:
    """Let git have checked something out there."""
    folder.mkdir(parents=True)
    (folder / "HEAD").write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("text", "branch"),
    [
        ("ref: refs/heads/main\n", "main"),
        ("ref: refs/heads/ann/login-page\n", "ann/login-page"),
        ("3b18e512dba79e4c8300dd08aeb37f8e728b8dad\n", ""),
        ("ref: refs/tags/v1\n", ""),
        ("", ""),
        ("\0" * 10_000, ""),
    ],
)
def test_the_branch_is_what_head_names(tmp_path: Path, text: str, branch: str) -> None:
    """MUST F45: a session is listed with its project and the branch it is on now."""
    head(tmp_path / "shop" / ".git", text)
    (tmp_path / "shop" / "src" / "deep").mkdir(parents=True)
    assert git_branch(str(tmp_path / "shop")) == branch
    assert git_branch(str(tmp_path / "shop" / "src" / "deep")) == branch


@pytest.mark.parametrize("relative", [False, True])
def test_a_worktree_says_elsewhere_what_is_checked_out(tmp_path: Path, relative: bool) -> None:
    head(tmp_path / "shop" / ".git" / "worktrees" / "login", "ref: refs/heads/login\n")
    tree = tmp_path / "shop-login"
    tree.mkdir()
    place = "../shop/.git/worktrees/login" if relative else tmp_path / "shop" / ".git" / "worktrees" / "login"
    (tree / ".git").write_text(f"gitdir: {place}\n", "utf-8")
    assert git_branch(str(tree)) == "login"


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes among files there")
def test_a_pipe_in_place_of_head_is_no_branch_and_holds_up_nobody(tmp_path: Path) -> None:
    """MUST P20: what lies in a project holds up nobody who looks at its branch."""
    pipe = tmp_path / "shop" / ".git" / "HEAD"
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    assert git_branch(str(tmp_path / "shop")) == ""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text(f"gitdir: {pipe.parent}\n", "utf-8")
    assert git_branch(str(tmp_path / "tree")) == ""


def test_without_a_repository_or_with_one_that_cannot_be_read_there_is_no_branch(tmp_path: Path) -> None:
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_bytes(b"\xff\xfe gitdir: nowhere")
    for directory in ("", str(tmp_path / "shop"), str(tmp_path / "tree"), str(tmp_path / "gone")):
        assert git_branch(directory) == ""


@pytest.mark.parametrize(
    ("environ", "working", "found"),
    [
        ({}, "/srv/shop", "/srv/shop"),
        ({"CLAUDE_PROJECT_DIR": "/srv/website/"}, "/srv/shop", "/srv/website"),
        ({"CLAUDE_PROJECT_DIR": "../website"}, "/srv/shop", "/srv/website"),
        ({}, "", ""),
    ],
)
def test_the_project_directory_is_the_clients_or_the_working_directory(
    environ: dict[str, str], working: str, found: str
) -> None:
    assert launch.project_directory(environ, working) == (os.path.normpath(found) if found else "")
