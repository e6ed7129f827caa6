"""Environment, then files, then defaults; a secret never shows itself; a wrong value is named."""

from pathlib import Path

import pytest

from telegram_channel.errors import ConfigurationError, NoToken
from telegram_channel.settings import SETTINGS_FILE, TOKEN_FILE, Settings, Token

STORED = "1:stored-not-a-secret"
OPTION = "2:option-not-a-secret"
INHERITED = "3:inherited-not-a-secret"


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state directory, and an environment that names it and nothing else of ours."""
    for name in ("BOT_TOKEN", "OPTION_BOT_TOKEN", "POLL", "API_BASE", "PROXY"):
        monkeypatch.delenv(f"TELEGRAM_{name}", raising=False)
    monkeypatch.setenv("TELEGRAM_STATE_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("inherited", "option", "stored", "bot"),
    [
        (INHERITED, OPTION, STORED, "3"),
        ("", OPTION, STORED, "2"),
        ("", "", STORED, "1"),
        (" ", " ", f"{STORED}\n", "1"),
        (INHERITED, "", "", "3"),
    ],
)
def test_the_token_of_the_environment_comes_first_then_the_option_then_the_file(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, inherited: str, option: str, stored: str, bot: str
) -> None:
    """MUST O17: the environment comes before the plugin's option, and that before the token file."""
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", inherited)
    monkeypatch.setenv("TELEGRAM_OPTION_BOT_TOKEN", option)
    if stored:
        (state_dir / TOKEN_FILE).write_text(stored)
    assert Settings.load().token().bot == bot


def test_no_token_is_an_error_that_says_where_to_get_one(state_dir: Path) -> None:
    with pytest.raises(NoToken) as caught:
        Settings.load().token()
    assert "BotFather" in caught.value.explained()


def test_a_token_hides_itself(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MUST O18: a token never shows itself in a repr or an error."""
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", INHERITED)
    settings = Settings.load()
    assert INHERITED.partition(":")[2] not in f"{settings!r} {settings} {settings.token()!r} {settings.token()}"
    assert settings.token().reveal() == INHERITED
    with pytest.raises(ConfigurationError) as caught:
        Token("not a token at all")
    assert "not a token at all" not in caught.value.explained()


def test_the_file_is_read_and_the_environment_comes_before_it(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state_dir / SETTINGS_FILE).write_text('poll = "never"\nredeliver_after_s = 10\n')
    monkeypatch.setenv("TELEGRAM_POLL", "always")
    settings = Settings.load()
    assert (settings.poll, settings.redeliver_after_s) == ("always", 10)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('poll = "sometimes"', "poll"),
        ("redeliver_after_s = -1", "redeliver_after_s"),
        ('api_base = "ftp://x"', "api_base"),
        ("no_such_setting = 1", "no_such_setting"),
        ("not toml at all", SETTINGS_FILE),
        ('bot_token = "9:in-the-wrong-file"', "bot token"),
        ('state_dir = "/elsewhere"', "TELEGRAM_STATE_DIR"),
    ],
)
def test_a_wrong_file_is_named_with_what_to_do_and_without_a_secret(state_dir: Path, text: str, word: str) -> None:
    (state_dir / SETTINGS_FILE).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert word in caught.value.explained()
    assert caught.value.remedy
    assert "in-the-wrong-file" not in caught.value.explained()


def test_everything_is_kept_below_one_directory(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MUST O19: there is one way to find the state directory, and everything is kept below it."""
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", INHERITED)
    settings = Settings.load()
    places = (settings.database, settings.downloads, settings.log_file, settings.lease_file(settings.token().bot))
    assert all(place.parent == state_dir for place in places)
