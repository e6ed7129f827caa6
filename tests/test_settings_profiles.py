"""Which profile, whose token and which directory: one rule for the server and for every command alike."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.ids import BotId
from telegram_channel.errors import ConfigurationError, NoToken
from telegram_channel.profiles import (
    NAME_PATTERN,
    PROJECT_FILE,
    Profile,
    choose_profile,
    made_profiles,
    project_file,
)
from telegram_channel.settings import (
    SETTINGS_FILE,
    TOKEN_FILE,
    Settings,
    files_as_of_now,
    state_dir_from_environment,
)

STORED = "1:stored-not-a-secret"
OPTION = "2:option-not-a-secret"
INHERITED = "3:inherited-not-a-secret"
WORK = "4:work-not-a-secret"
HOME = "5:home-not-a-secret"


class Machine:
    """A home, a project in it, a base directory, and an environment that names nothing of ours but that."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.home = root / "home"
        self.project = self.home / "code" / "project"
        self.base = root / "base"
        self.project.mkdir(parents=True)
        for name in [name for name in os.environ if name.startswith(("TELEGRAM_", "CLAUDE"))]:
            monkeypatch.delenv(name)
        self.set(HOME=str(self.home), USERPROFILE=str(self.home), TELEGRAM_STATE_DIR=str(self.base))
        monkeypatch.chdir(self.project)

    def set(self, **environment: str) -> None:
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)

    def work_in(self, directory: Path) -> None:
        self._monkeypatch.chdir(directory)

    def keep(self, name: str, token: str) -> None:
        """What `configure` leaves behind."""
        directory = Profile(self.base, name).directory
        directory.mkdir(parents=True, exist_ok=True)
        (directory / TOKEN_FILE).write_text(f"{token}\n")

    def choose_in_project(self, text: str, place: Path | None = None) -> Path:
        file = (place or self.project) / PROJECT_FILE
        file.write_text(text, "utf-8")
        return file


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


# What a project may not do.


@pytest.mark.parametrize("how", ["nothing is there", "an empty directory is there"])
def test_a_project_makes_no_profile(machine: Machine, how: str) -> None:
    """MUST F65: a project's file makes no profile; one the operator has not made is an error that says how to
    make it.
    """
    if how == "an empty directory is there":
        (machine.base / "profiles" / "work").mkdir(parents=True)
    machine.keep("default", STORED)
    machine.choose_in_project('profile = "work"')
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert "There is no profile `work`" in str(caught.value)
    assert "telegram-channel configure --profile work" in caught.value.remedy
    assert not list((machine.base / "profiles" / "work").glob("*"))


@pytest.mark.parametrize(
    "line",
    [
        'token = "9:not-theirs-to-set"',
        'bot_token = "9:not-theirs-to-set"',
        'state_dir = "/tmp/theirs"',
        'api_base = "https://not-theirs-to-set.example"',
        'policy = "pairing"',
        "[access]",
        'proxy = "http://not-theirs-to-set.example"',
        "poll = 'always'",
        'Profile = "work"',
    ],
)
def test_a_project_sets_nothing_but_the_profile(machine: Machine, line: str) -> None:
    """MUST F66: a project's file holds the name of a profile and nothing else; another key is an error."""
    machine.keep("default", STORED)
    machine.keep("work", WORK)
    machine.choose_in_project(f'profile = "work"\n{line}\n')
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert line.split("=")[0].strip(" []") in str(caught.value)
    assert "not-theirs" not in caught.value.explained()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "profile = 1",
        'profile = ["work"]',
        'profile = ""',
        'profile = "../work"',
        'profile = "Work"',
        "not toml at all",
        'profile = "work" # ' + "x" * 5000,
        '\ufeffprofile = "\x1b[2J"',
        "x = " + "[" * 2000,
    ],
)
def test_a_wrong_file_of_a_project_never_means_the_default(machine: Machine, text: str) -> None:
    """MUST F67: whatever is wrong with a project's file is an error, and never the default profile instead."""
    machine.keep("default", STORED)
    machine.keep("work", WORK)
    file = machine.choose_in_project(text)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert str(file) in str(caught.value)
    assert caught.value.remedy
    assert caught.value.explained().isprintable()


@pytest.mark.parametrize("kind", ["directory", "link to nowhere", "pipe", "unreadable"])
def test_what_is_no_readable_file_never_means_the_default(machine: Machine, kind: str) -> None:
    machine.keep("default", STORED)
    file = machine.project / PROJECT_FILE
    match kind:
        case "directory":
            file.mkdir()
        case "link to nowhere":
            file.symlink_to(machine.project / "missing")
        case "pipe":
            if sys.platform == "win32":
                pytest.skip("there are no named pipes in a directory")
            os.mkfifo(file)
        case "unreadable":
            file.write_bytes(b'profile = "\xff"')
    with pytest.raises(ConfigurationError):
        choose_profile()


# Names.


@pytest.mark.parametrize("name", ["a", "work", "0", "my-bot_2", "x" * 32, "default"])
def test_a_name_is_one(machine: Machine, name: str) -> None:
    assert choose_profile(name, may_be_new=True).name == name


NO_NAMES = ["-", "_x", "-x", "Work", "a b", "a/b", "..", ".", "a.b", "x" * 33, "\u0430", "C:", "a\\b", "\x1b[2J"]


@pytest.mark.parametrize("name", [*NO_NAMES, "", " ", "work\n", "a\0"])
def test_anything_else_is_no_name(machine: Machine, name: str) -> None:
    """MUST F68: a profile's name is `[a-z0-9][a-z0-9_-]{0,31}`, and anything else is an error."""
    with pytest.raises(ConfigurationError) as caught:
        choose_profile(name, may_be_new=True)
    assert "--profile" in str(caught.value)
    assert caught.value.explained().isprintable()


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_wrong_name_in_the_environment_never_means_the_default(machine: Machine, name: str) -> None:
    machine.keep("default", STORED)
    machine.set(TELEGRAM_PROFILE=name)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert "TELEGRAM_PROFILE" in str(caught.value)
    assert caught.value.explained().isprintable()


@given(st.text(max_size=40))
def test_no_name_leads_out_of_the_directory_of_profiles(name: str) -> None:
    if NAME_PATTERN.fullmatch(name):
        base = Path("/base")
        directory = Profile(base, name).directory
        assert directory in (base, base / "profiles" / name)
        assert ".." not in directory.parts
        assert len(directory.parts) <= 4


# Who decides.


@pytest.mark.parametrize(
    ("asked", "inherited", "project", "chosen", "named_by"),
    [
        (None, "", None, "default", ""),
        (None, "", "work", "work", PROJECT_FILE),
        (None, "home", "work", "home", "TELEGRAM_PROFILE"),
        (None, "default", "work", "default", "TELEGRAM_PROFILE"),
        (None, "  ", "work", "work", PROJECT_FILE),
        ("work", "home", "home", "work", "--profile"),
        ("default", "home", "work", "default", "--profile"),
        (None, "", "default", "default", PROJECT_FILE),
        (None, "new", None, "new", "TELEGRAM_PROFILE"),
    ],
)
def test_the_command_line_comes_first_then_the_environment_then_the_project(
    machine: Machine, asked: str | None, inherited: str, project: str | None, chosen: str, named_by: str
) -> None:
    """MUST F69: --profile comes before TELEGRAM_PROFILE, that before the project's file, and that before the
    default.
    """
    machine.keep("work", WORK)
    machine.keep("home", HOME)
    machine.set(TELEGRAM_PROFILE=inherited)
    if project:
        machine.choose_in_project(f'profile = "{project}"')
    found = choose_profile(asked)
    assert found.name == chosen
    assert found.named_by.endswith(named_by)
    assert bool(found.named_by) is bool(named_by)


def test_the_directory_of_a_named_profile_is_below_that_of_the_default(machine: Machine) -> None:
    """MUST F70: a profile's state is kept in `<base>/profiles/NAME`, that of the default in the base directory."""
    machine.keep("work", WORK)
    for name, directory in (("default", machine.base), ("work", machine.base / "profiles" / "work")):
        settings = Settings.load(choose_profile(name))
        assert (settings.profile, settings.state_dir, settings.base_dir) == (name, directory, machine.base)
        places = (settings.database, settings.downloads, settings.log_file, settings.lease_file(BotId("1")))
        assert all(place.parent == directory for place in places)


def test_a_profile_asked_for_has_to_be_there_unless_it_is_being_made(machine: Machine) -> None:
    machine.keep("home", HOME)
    with pytest.raises(ConfigurationError, match="home"):
        choose_profile("hoem")
    assert choose_profile("hoem", may_be_new=True).directory == machine.base / "profiles" / "hoem"


def test_those_that_are_there_are_listed_and_nothing_else_is(machine: Machine) -> None:
    assert made_profiles(machine.base) == ()
    machine.keep("work", WORK)
    machine.keep("a", HOME)
    (machine.base / "profiles" / "empty").mkdir()
    (machine.base / "profiles" / "Wrong Name").mkdir()
    (machine.base / "profiles" / "Wrong Name" / TOKEN_FILE).write_text(WORK)
    (machine.base / "profiles" / "file").write_text("")
    assert [one.name for one in made_profiles(machine.base)] == ["a", "work"]
    machine.keep("default", STORED)
    assert [one.name for one in made_profiles(machine.base)] == ["default", "a", "work"]


# Where the project's file is looked for.


@pytest.mark.parametrize("by", ["working directory", "CLAUDE_PROJECT_DIR"])
@pytest.mark.parametrize(
    ("file_in", "git_in", "found"),
    [
        ("code/project/deep/er", None, True),
        ("code/project", None, True),
        ("code", None, True),
        ("", None, True),
        ("..", None, False),
        ("code/project", "code/project", True),
        ("code", "code/project", False),
        ("", "code", False),
        ("code/project/deep", "code/project/deep/er", False),
        ("code/project/deep", "code/project", True),
    ],
)
def test_the_file_is_looked_for_up_to_the_repository_or_the_home_directory(
    machine: Machine, by: str, file_in: str, git_in: str | None, found: bool
) -> None:
    """MUST F71: the project's file is looked for up to `.git` or home, the same way for the server and for
    commands.
    """
    here = machine.project / "deep" / "er"
    here.mkdir(parents=True)
    if git_in is not None:
        (machine.home / git_in / ".git").write_text("gitdir: elsewhere, as in a worktree")
    file = machine.choose_in_project("", (machine.home / file_in).resolve())
    if by == "CLAUDE_PROJECT_DIR":
        machine.set(CLAUDE_PROJECT_DIR=str(here))
    else:
        machine.work_in(here)
    assert project_file() == (file if found else None)


def test_outside_of_home_and_of_any_repository_only_the_project_directory_counts(
    machine: Machine, tmp_path: Path
) -> None:
    """Anybody may put a file into a shared directory above."""
    shared = tmp_path / "shared"
    (shared / "mine").mkdir(parents=True)
    machine.choose_in_project("", shared)
    machine.work_in(shared / "mine")
    assert project_file() is None
    own = machine.choose_in_project("", shared / "mine")
    assert project_file() == own


# Whose token counts.


@pytest.mark.parametrize(
    ("asked", "named", "in_project", "inherited", "option", "bot"),
    [
        # The default profile, as ever.
        (None, "", "", INHERITED, OPTION, "3"),
        (None, "", "", "", OPTION, "2"),
        (None, "", "", "", "", "1"),
        (None, "default", "work", INHERITED, OPTION, "3"),
        # A named profile has what was stored for it; the tokens around it belong to the default one.
        ("work", "", "", INHERITED, OPTION, "4"),
        (None, "", "work", INHERITED, OPTION, "4"),
        (None, "", "work", "", OPTION, "4"),
        (None, "work", "", "", OPTION, "4"),
        # The environment is one statement.
        (None, "work", "", INHERITED, OPTION, "3"),
        (None, "work", "home", INHERITED, OPTION, "3"),
        ("work", "work", "", INHERITED, OPTION, "3"),
        # It says something about the profile it names, and nothing about another one.
        ("home", "work", "", INHERITED, OPTION, "5"),
        ("default", "work", "", INHERITED, OPTION, "2"),
        ("default", "work", "", INHERITED, "", "1"),
        ("home", "Not A Name", "", INHERITED, "", "5"),
        # Without any of its own there is none, whatever lies around.
        ("bare", "", "", INHERITED, OPTION, None),
        (None, "", "bare", INHERITED, OPTION, None),
        (None, "bare", "", "", OPTION, None),
        (None, "bare", "", INHERITED, "", "3"),
    ],
)
def test_a_token_counts_for_the_profile_it_belongs_to(
    machine: Machine, asked: str | None, named: str, in_project: str, inherited: str, option: str, bot: str | None
) -> None:
    """MUST F72: a token in the environment or the plugin's option is never used for a profile it was not set for."""
    machine.keep("default", STORED)
    machine.keep("work", WORK)
    machine.keep("home", HOME)
    (machine.base / "profiles" / "bare").mkdir()
    (machine.base / "profiles" / "bare" / "state.db").write_text("")
    machine.set(TELEGRAM_PROFILE=named, TELEGRAM_BOT_TOKEN=inherited, TELEGRAM_OPTION_BOT_TOKEN=option)
    if in_project:
        machine.choose_in_project(f'profile = "{in_project}"')
    settings = Settings.load(choose_profile(asked))
    if bot is not None:
        assert settings.token().bot == bot
        return
    with pytest.raises(NoToken) as caught:
        settings.token()
    assert "telegram-channel configure --profile bare" in caught.value.remedy


# Files.


def test_each_profile_has_settings_of_its_own(machine: Machine) -> None:
    machine.keep("work", WORK)
    (machine.base / SETTINGS_FILE).write_text('poll = "never"')
    (machine.base / "profiles" / "work" / SETTINGS_FILE).write_text('poll = "always"')
    assert Settings.load().poll == "never"
    assert Settings.load(choose_profile("work")).poll == "always"


def test_a_settings_file_names_no_profile(machine: Machine) -> None:
    machine.base.mkdir()
    (machine.base / SETTINGS_FILE).write_text('profile = "work"')
    with pytest.raises(ConfigurationError, match="profile"):
        Settings.load()


def test_a_change_is_noticed_in_the_directory_of_the_profile(machine: Machine) -> None:
    machine.keep("work", WORK)
    work = choose_profile("work")
    seen = [files_as_of_now(), files_as_of_now(work)]
    machine.keep("work", HOME + "-longer")
    assert [files_as_of_now() == seen[0], files_as_of_now(work) == seen[1]] == [True, False]
    machine.choose_in_project('profile = "work"')
    assert files_as_of_now() == files_as_of_now(work)


def test_a_wrong_choice_raises_neither_where_files_are_watched_nor_where_secrets_are_guarded(
    machine: Machine,
) -> None:
    machine.choose_in_project("wrong")
    assert files_as_of_now() == files_as_of_now()
    assert state_dir_from_environment() == machine.base
