"""Which of the operator's bots this process is about: one profile per bot, each with a state directory of its own.

The first that speaks decides:

1. `--profile NAME` of a command,
2. `TELEGRAM_PROFILE`,
3. `telegram-channel.toml` of the project, which holds `profile = "NAME"` and nothing else,
4. nobody: the profile `default`, which lives in the base directory itself. The others live in
   `<base>/profiles/NAME`.

A project may be somebody else's, cloned a minute ago. So its file chooses among the profiles that the operator
has made, and can do nothing else: it makes none (an empty access book is an open door), and it sets neither a
token nor a directory nor an address nor who is let in. Whatever is wrong with it is an error, and never the
default profile instead.

Whose token counts where: a token belongs to one profile, so that no two profiles poll one bot by accident.

* what `configure` stored belongs to the profile in whose directory it lies;
* `TELEGRAM_BOT_TOKEN` belongs to the profile that the same environment names in `TELEGRAM_PROFILE`, and to
  `default` where it names none: the environment is one statement;
* the plugin's option belongs to `default`: it is set once, for all sessions.

Among those that belong to a profile the environment comes first, then the option, then what was stored.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from telegram_channel.core.visible import visible_line
from telegram_channel.errors import ConfigurationError

DEFAULT = "default"
"""The profile without a name."""
PROJECT_FILE = "telegram-channel.toml"
TOKEN_FILE = "token"  # noqa: S105 - a file name
DATABASE_FILE = "state.db"
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""No upper case, because some file systems tell no difference; nothing that leads to another directory."""

_KEY = "profile"
_NAME_RULE = (
    "It has 1 to 32 characters: small letters, digits, - and _, beginning with a letter or digit (such as `work`)."
)
_LONGEST_FILE_BYTES = 4096
_DIRECTORY = "profiles"


@dataclass(frozen=True, slots=True)
class Profile:
    """A bot of the operator's, by the place where everything about it is kept."""

    base: Path
    """The directory of all profiles."""
    name: str = DEFAULT
    named_by: str = ""
    """Who chose it: `--profile`, `TELEGRAM_PROFILE` or the path of a project's file; empty for nobody."""

    @property
    def directory(self) -> Path:
        """Its state directory; it may not exist yet."""
        return self.base if self.name == DEFAULT else self.base / _DIRECTORY / self.name

    @property
    def arguments(self) -> str:
        """What has to follow a command to mean this profile from anywhere; begins with a space unless empty."""
        return "" if self.name == DEFAULT else f" --profile {self.name}"

    def is_made(self) -> bool:
        """Whether the operator ever kept anything there."""
        try:
            return any((self.directory / file).is_file() for file in (TOKEN_FILE, DATABASE_FILE))
        except OSError:
            return False


def platform_directory() -> Path:
    """The base directory of whoever did not choose one."""
    return platformdirs.user_state_path("telegram-channel", appauthor=False)


def base_directory(environ: Mapping[str, str] | None = None) -> Path:
    """The directory of everything that is kept, of all profiles; it may not exist yet."""
    chosen = (os.environ if environ is None else environ).get("TELEGRAM_STATE_DIR", "").strip()
    return Path(chosen).expanduser().absolute() if chosen else platform_directory()


def choose_profile(asked: str | None = None, *, may_be_new: bool = False) -> Profile:
    """The profile this process is about; `asked` is the argument of `--profile`.

    `may_be_new` says that the one asked for need not be there yet: for whoever makes it.

    Raises:
        ConfigurationError: a name is none, there is no such profile, or the project's file is wrong.
    """
    base = base_directory()
    if asked is not None:
        chosen = Profile(base, _checked(asked, "--profile"), "--profile")
        return chosen if may_be_new else _made(chosen)
    if named := os.environ.get("TELEGRAM_PROFILE", "").strip():
        return Profile(base, _checked(named, "TELEGRAM_PROFILE"), "TELEGRAM_PROFILE")
    file = project_file()
    return Profile(base) if file is None else _made(Profile(base, _read(file), str(file)))


def made_profiles(base: Path) -> tuple[Profile, ...]:
    """Every profile that something was kept for, the default one first."""
    try:
        names = sorted(one.name for one in (base / _DIRECTORY).iterdir() if NAME_PATTERN.fullmatch(one.name))
    except OSError:
        names = []
    everyone = (Profile(base), *(Profile(base, name) for name in names if name != DEFAULT))
    return tuple(one for one in everyone if one.is_made())


def owner_of_environment_token(environ: Mapping[str, str] | None = None) -> str:
    """The name of the profile that `TELEGRAM_BOT_TOKEN` of an environment belongs to, empty for none at all."""
    named = (os.environ if environ is None else environ).get("TELEGRAM_PROFILE", "").strip()
    if not named:
        return DEFAULT
    return named if NAME_PATTERN.fullmatch(named) else ""


def project_file() -> Path | None:
    """The file of the project that chooses a profile, None when there is none.

    Looked for in the project directory and above it, up to the directory that holds `.git`, or the home
    directory. Where neither stands above, only in the project directory: nobody knows whose the others are.
    """
    start = Path(os.environ.get("CLAUDE_PROJECT_DIR", "").strip() or ".")
    try:
        start = start.absolute()
    except OSError:  # the working directory was removed
        return None
    looked_at = [start, *start.parents]
    homes = _homes()
    ends = (at for at, one in enumerate(looked_at) if one in homes or os.path.lexists(one / ".git"))
    files = (one / PROJECT_FILE for one in looked_at[: next(ends, 0) + 1])
    return next((file for file in files if os.path.lexists(file)), None)


def _homes() -> tuple[Path, ...]:
    try:
        home = Path.home()
        return home, home.resolve()
    except (RuntimeError, OSError):  # nobody says where it is
        return ()


def _read(file: Path) -> str:
    """The name in a project's file.

    Raises:
        ConfigurationError: it cannot be read, or holds anything but the name of a profile.
    """
    shown = visible_line(str(file), 300)
    remedy = f'It holds one line, such as `{_KEY} = "work"`. Mend it or remove it.'
    try:
        if not file.is_file():  # a pipe would never end
            raise ConfigurationError(f"{shown} is no regular file.", remedy)
        with file.open("rb") as opened:
            content = opened.read(_LONGEST_FILE_BYTES + 1)
        if len(content) > _LONGEST_FILE_BYTES:
            raise ConfigurationError(f"{shown} is too long to be what it should be.", remedy)
        values = tomllib.loads(content.decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{shown} cannot be read: {visible_line(str(error), 200)}.", remedy) from None
    if foreign := [key for key in values if key != _KEY]:
        raise ConfigurationError(
            f"{shown} sets `{visible_line(foreign[0], 60)}`, which a project may not.",
            f"The only key it may hold is `{_KEY}`; everything else is the operator's, outside of any project.",
        )
    name = values.get(_KEY)
    if not isinstance(name, str):
        raise ConfigurationError(f"{shown} names no profile.", remedy)
    return _checked(name, shown)


def _checked(name: str, named_by: str) -> str:
    """The name, if it is one. It is not repeated: it may be anything, even half a token."""
    if not NAME_PATTERN.fullmatch(name):
        raise ConfigurationError(f"What {named_by} gives is no name of a profile.", _NAME_RULE)
    return name


def _made(chosen: Profile) -> Profile:
    """The profile, if there is one or none is needed.

    Raises:
        ConfigurationError: the operator never made it.
    """
    if chosen.name == DEFAULT or chosen.is_made():
        return chosen
    others = ", ".join(one.name for one in made_profiles(chosen.base))
    raise ConfigurationError(
        f"There is no profile `{chosen.name}`, which {visible_line(chosen.named_by, 300)} names"
        f"{f' (there are: {others})' if others else ''}.",
        f"Only the operator can make it: run `telegram-channel configure{chosen.arguments}` in a terminal.",
    )
