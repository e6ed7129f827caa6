"""Whether settings may have changed is found out without reading them."""

import os
from pathlib import Path

import pytest

from telegram_channel.settings import SETTINGS_FILE, TOKEN_FILE, files_as_of_now


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELEGRAM_STATE_DIR", str(tmp_path))
    return tmp_path


def test_as_long_as_nothing_is_written_nothing_has_changed(state_dir: Path) -> None:
    assert files_as_of_now() == files_as_of_now()
    (state_dir / TOKEN_FILE).write_text("1:abcd")
    assert files_as_of_now() == files_as_of_now()


@pytest.mark.parametrize("name", [SETTINGS_FILE, TOKEN_FILE])
def test_a_file_that_is_made_replaced_or_removed_is_noticed(state_dir: Path, name: str) -> None:
    seen = [files_as_of_now()]
    (state_dir / name).write_text("first")
    seen.append(files_as_of_now())
    (state_dir / "new").write_text("other")  # the same size, put in place in one step
    os.replace(state_dir / "new", state_dir / name)  # noqa: PTH105 - what `configure` does
    seen.append(files_as_of_now())
    assert len(set(seen)) == 3
    (state_dir / name).unlink()
    assert files_as_of_now() == seen[0]
