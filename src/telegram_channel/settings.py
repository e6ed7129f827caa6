"""Where every setting comes from: environment, then files in the state directory, then defaults.

One way to resolve the state directory, used by the server and by every command alike:
`TELEGRAM_STATE_DIR`, else the user's state directory of this platform.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from telegram_channel.core.ids import BotId
from telegram_channel.errors import ConfigurationError, NoToken

PUBLIC_API = "https://api.telegram.org"
TOKEN_FILE = "token"  # noqa: S105 - a file name
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
    """The directory of everything that is kept; it may not exist yet."""
    chosen = os.environ.get("TELEGRAM_STATE_DIR", "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_state_path("telegram-channel", appauthor=False)


def files_as_of_now() -> tuple[object, ...]:
    """Something that is equal as long as no file that settings come from was written; cheap, reads none of them."""
    directory = state_dir_from_environment()
    return tuple(_version(directory / name) for name in (SETTINGS_FILE, TOKEN_FILE))


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _StateDirSource(PydanticBaseSettingsSource):
    """`settings.toml` and the token file of the state directory."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - required by the base
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        directory = state_dir_from_environment()
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
        if "bot_token" in values:
            raise ConfigurationError(
                f"{directory / SETTINGS_FILE} contains the bot token.",
                "Remove it there and run `telegram-channel configure`, which keeps it in a file of its own.",
            )
        if "state_dir" in values:
            raise ConfigurationError(
                f"{directory / SETTINGS_FILE} names another state directory.",
                "Remove it there and set TELEGRAM_STATE_DIR, for the server and for every command alike.",
            )
        try:
            values["stored_bot_token"] = (directory / TOKEN_FILE).read_text("utf-8").strip()
        except FileNotFoundError:
            pass
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"The token file in {directory} cannot be read: {type(error).__name__}.",
                "Run `telegram-channel configure` again.",
            ) from None
        return values


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
    state_dir: Path = Field(default_factory=state_dir_from_environment)
    api_base: str = PUBLIC_API
    """Requests go to `{api_base}/bot<token>/<method>`, files to `{api_base}/file/bot<token>/<path>`."""
    poll: Literal["auto", "always", "never"] = "auto"
    """`auto`: only in a session that was started with us as a channel."""
    proxy: str | None = None
    redeliver_after_s: float = Field(default=300, ge=1)
    """How long an event may stay without proof of reading while the session is idle."""
    typing_at_most_s: float = Field(default=600, ge=0)
    poll_timeout_s: int = Field(default=25, ge=1, le=50)
    """How long one getUpdates call waits on the server."""
    download_wait_s: float = Field(default=20, ge=0)
    """How long a message waits for its own photo before it goes without."""

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
        return init_settings, env_settings, _StateDirSource(settings_cls)

    @classmethod
    def load(cls) -> Self:
        """Read all sources.

        Raises:
            ConfigurationError: a value is wrong; the message names it and never shows a secret.
        """
        try:
            return cls()
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise ConfigurationError(
                f"Wrong settings: {faults}.", f"Mend the environment or {SETTINGS_FILE}."
            ) from None

    def token(self) -> Token:
        """The bot token in force: environment, then the plugin's option, then the token file.

        Raises:
            NoToken: there is none.
            ConfigurationError: it is not a token.
        """
        for secret in (self.bot_token, self.option_bot_token, self.stored_bot_token):
            if secret and (text := secret.get_secret_value().strip()):
                return Token(text)
        raise NoToken("There is no bot token.")

    @property
    def database(self) -> Path:
        """The file all processes of this state directory share."""
        return self.state_dir / "state.db"

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
