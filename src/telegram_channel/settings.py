"""Where every setting comes from: environment, then files in the profile's state directory, then defaults.

One way to resolve the state directory, used by the server and by every command alike: the base directory is
`TELEGRAM_STATE_DIR`, else the user's state directory of this platform; `profiles` says which directory below it.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from telegram_channel.core.ids import BotId
from telegram_channel.errors import ConfigurationError, NoToken
from telegram_channel.profiles import (
    DATABASE_FILE,
    DEFAULT,
    Profile,
    base_directory,
    choose_profile,
    owner_of_environment_token,
)
from telegram_channel.profiles import TOKEN_FILE as TOKEN_FILE

PUBLIC_API = "https://api.telegram.org"
SETTINGS_FILE = "settings.toml"
TOKEN_PATTERN = re.compile(r"(\d{1,20}):[A-Za-z0-9_-]{4,}")
"""What a bot token looks like: the bot's id, a colon, a secret (source: @BotFather)."""


class Token:
    """A bot token that hides itself: only `reveal()` shows it, never repr, str or an error."""

    __slots__ = ("_secret", "bot")

    def __init__(self, text: str) -> None:
        match = TOKEN_PATTERN.fullmatch(text.strip())
        if not match:
            raise ConfigurationError(
                "That is not a bot token.",
                "It looks like 123456789:letters-and-digits and comes from @BotFather; "
                "run `telegram-channel configure`.",
            )
        self._secret = text.strip()
        self.bot = BotId(match[1])

    def reveal(self) -> str:
        """The token itself, for the chat platform only."""
        return self._secret

    def __repr__(self) -> str:
        return f"Token({self.bot}:…)"


def state_dir_from_environment() -> Path:
    """The directory of everything that is kept, of all profiles; it may not exist yet. Never raises."""
    return base_directory(os.environ)


def files_as_of_now(profile: Profile | None = None) -> tuple[object, ...]:
    """Something that is equal as long as no file that settings come from was written; cheap, reads none of them.

    Without a profile it is asked anew which one it is, and that is part of the answer.
    """
    try:
        directory = (profile or choose_profile()).directory
    except ConfigurationError as error:
        return (error.explained(),)
    return directory, *(_version(directory / name) for name in (SETTINGS_FILE, TOKEN_FILE))


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _ProfileSource(PydanticBaseSettingsSource):
    """The profile and its directory: nothing of lower rank may say where things are kept."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - required by the base
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        if "state_dir" in self.current_state:
            return {"profile": self.current_state.get("profile", DEFAULT)}
        profile = choose_profile(self.current_state.get("profile"))
        return {"profile": profile.name, "state_dir": profile.directory}


class _EnvironmentSource(PydanticBaseSettingsSource):
    """The environment, without the tokens that belong to another profile (the rule is in `profiles`)."""

    def __init__(self, settings_cls: type[BaseSettings], environment: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._environment = environment

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self._environment.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        profile = self.current_state["profile"]
        foreign = set()
        if profile != owner_of_environment_token():
            foreign.add("bot_token")
        if profile != DEFAULT:
            foreign.add("option_bot_token")
        return {name: value for name, value in self._environment().items() if name not in foreign}


class _StateDirSource(PydanticBaseSettingsSource):
    """`settings.toml` and the token file of the profile's directory."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - required by the base
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        directory = Path(self.current_state["state_dir"])
        configure = f"telegram-channel configure{_argument(self.current_state['profile'])}"
        values: dict[str, Any] = {}
        try:
            values |= tomllib.loads((directory / SETTINGS_FILE).read_text("utf-8"))
        except FileNotFoundError:
            pass
        except NotADirectoryError:
            raise ConfigurationError(
                f"{directory} cannot be the state directory: it, or something above it, is a file.",
                "Move that file away, or point TELEGRAM_STATE_DIR at another directory.",
            ) from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(
                f"{directory / SETTINGS_FILE} cannot be read: {error}.", "Repair or remove that file."
            ) from None
        if {"bot_token", "option_bot_token", "stored_bot_token"} & values.keys():
            raise ConfigurationError(
                f"{directory / SETTINGS_FILE} contains the bot token.",
                f"Remove it there and run `{configure}`, which keeps it in a file of its own.",
            )
        if {"state_dir", "profile"} & values.keys():
            raise ConfigurationError(
                f"{directory / SETTINGS_FILE} names another state directory or profile.",
                "Remove it there and set TELEGRAM_STATE_DIR or TELEGRAM_PROFILE, for the server and for every "
                "command alike.",
            )
        try:
            values["stored_bot_token"] = (directory / TOKEN_FILE).read_text("utf-8").strip()
        except FileNotFoundError:
            pass
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"The token file in {directory} cannot be read: {type(error).__name__}.",
                f"Run `{configure}` again.",
            ) from None
        return values


def _argument(profile: str) -> str:
    return Profile(Path(), profile).arguments


class Settings(BaseSettings):
    """Every setting, with its unit in its name. `TELEGRAM_<NAME>` in the environment comes first."""

    model_config = SettingsConfigDict(
        env_prefix="TELEGRAM_", env_ignore_empty=True, extra="forbid", hide_input_in_errors=True, frozen=True
    )

    bot_token: SecretStr | None = None
    option_bot_token: SecretStr | None = None
    """The plugin's own option; `bot_token` of the environment comes before it."""
    stored_bot_token: SecretStr | None = None
    """What `configure` stored; it comes last."""
    profile: str = DEFAULT
    """Which of the operator's bots this is about; see `profiles`."""
    state_dir: Path = Field(default_factory=state_dir_from_environment)
    """Of this profile. In the environment it is the base directory of all profiles."""
    api_base: str = PUBLIC_API
    """Requests go to `{api_base}/bot<token>/<method>`, files to `{api_base}/file/bot<token>/<path>`."""
    poll: Literal["auto", "always", "never"] = "auto"
    """`auto`: only in a session that was started with us as a channel."""
    permission_relay: Literal["channel", "hook", "off"] = Field(
        default="channel", validation_alias=AliasChoices("permission_relay", "TELEGRAM_RELAY")
    )
    """Where permission prompts of the chat come from: the channel's own relay, our hook alone, or nowhere."""
    proxy: str | None = None
    redeliver_after_s: float = Field(default=300, ge=1)
    """How long an event may stay without proof of reading while the session is idle."""
    typing_at_most_s: float = Field(default=600, ge=0)
    poll_timeout_s: int = Field(default=25, ge=1, le=50)
    """How long one getUpdates call waits on the server."""
    download_wait_s: float = Field(default=20, ge=0)
    """How long a message waits for its own photo before it goes without."""
    topics: Literal["auto", "off"] = "auto"
    """`auto`: each session has a topic of its own, in groups and private chats where the bot can open topics."""
    stranded: Literal["offer", "wait"] = "offer"
    """What was meant for a session that ended: offered to the others by button, or kept until it comes back."""
    orphaned_after_s: float = Field(default=10, ge=0)
    """How long a session may be gone before its messages are looked after: a restart is quicker than that."""

    @field_validator("api_base")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("state_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of the base
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of the base
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before files; no .env file of a project may configure a bot."""
        return (
            init_settings,
            _ProfileSource(settings_cls),
            _EnvironmentSource(settings_cls, env_settings),
            _StateDirSource(settings_cls),
        )

    @classmethod
    def load(cls, profile: Profile | None = None) -> Self:
        """Read all sources, for the profile that was chosen, or for the one that is to be chosen now.

        Raises:
            ConfigurationError: a value is wrong; the message names it and never shows a secret.
        """
        chosen = profile or choose_profile()
        try:
            return cls(profile=chosen.name, state_dir=chosen.directory)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise ConfigurationError(
                f"Wrong settings: {faults}.", f"Mend the environment or {SETTINGS_FILE}."
            ) from None

    def token(self) -> Token:
        """The bot token in force: environment, then the plugin's option, then the token file.

        Only those that belong to this profile (the rule is in `profiles`).

        Raises:
            NoToken: there is none.
            ConfigurationError: it is not a token.
        """
        for secret in (self.bot_token, self.option_bot_token, self.stored_bot_token):
            if secret and (text := secret.get_secret_value().strip()):
                return Token(text)
        if self.profile == DEFAULT:
            raise NoToken("There is no bot token.")
        raise NoToken(
            f"There is no bot token for profile `{self.profile}`.",
            f"Run `telegram-channel configure{_argument(self.profile)}` in a terminal. The plugin's option belongs "
            "to the default profile, and TELEGRAM_BOT_TOKEN to the one that TELEGRAM_PROFILE names beside it.",
        )

    @property
    def base_dir(self) -> Path:
        """The directory of all profiles: whoever guards secrets guards all of it."""
        return self.state_dir if self.profile == DEFAULT else self.state_dir.parents[1]

    @property
    def database(self) -> Path:
        """The file all processes of this profile share."""
        return self.state_dir / DATABASE_FILE

    @property
    def downloads(self) -> Path:
        """Where files from the chat are put."""
        return self.state_dir / "downloads"

    @property
    def log_file(self) -> Path:
        """The rotating log of all serve processes."""
        return self.state_dir / "telegram-channel.log"

    def lease_file(self, bot: BotId) -> Path:
        """The lock of the process that polls `bot`."""
        return self.state_dir / f"poll-{bot}.lock"
