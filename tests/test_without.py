"""What nobody needs is not loaded, and can be loaded all the same by whoever does."""

import subprocess
import sys

import pytest


def in_a_new_process(code: str) -> str:
    """What the code prints; it must not fail."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_chat_library_is_loaded_without_what_it_needs_for_passports_only() -> None:
    code = (
        "import sys\n"
        "from telegram_channel.app import load_wiring\n"
        "load_wiring()\n"
        "assert 'telegram' in sys.modules\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'cryptography'])\n"
    )
    assert in_a_new_process(code) == "[]"


def test_what_was_left_out_can_be_imported_afterwards() -> None:
    code = (
        "from telegram_channel.without import import_without\n"
        "module = import_without('imaplib', ['hmac'])\n"
        "import hmac\n"
        "print(hmac.__name__, module.__name__)\n"
    )
    assert in_a_new_process(code) == "hmac imaplib"


def test_what_is_loaded_already_stays() -> None:
    code = (
        "import sys, json\n"
        "from telegram_channel.without import import_without\n"
        "import_without('wave', ['json'])\n"
        "print(sys.modules['json'] is json)\n"
    )
    assert in_a_new_process(code) == "True"


@pytest.mark.parametrize(("name", "absent"), [("no_such_package_anywhere", True), ("wave", False)])
def test_only_what_is_not_installed_is_remembered_as_absent(name: str, absent: bool) -> None:
    code = (
        "import sys\n"
        "from telegram_channel.without import remember_absence\n"
        f"remember_absence({name!r})\n"
        f"print({name!r} in sys.modules)\n"
    )
    assert in_a_new_process(code) == str(absent)
