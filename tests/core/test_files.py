"""What may leave this machine as a file."""

import struct
from pathlib import PurePath, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.files import (
    SUFFIXES,
    Allowed,
    FileFacts,
    Forbidden,
    Guard,
    is_photo,
    is_sendable,
    suffix_of,
)

HOME = "/home/ann"
STATE = f"{HOME}/.local/state/telegram-channel"
GUARD = Guard(PurePosixPath(STATE), PurePosixPath(f"{STATE}/downloads"), frozenset({(1, 77)}))


def facts(path: str, size_bytes: int = 10, is_regular: bool = True, inode: int = 5) -> FileFacts:
    return FileFacts(PurePosixPath(path), size_bytes, is_regular, (1, inode))


def refused(path: str) -> bool:
    return isinstance(is_sendable(facts(path), GUARD), Forbidden)


@pytest.mark.parametrize(
    "path",
    [
        f"{HOME}/shop/plot.png",
        f"{HOME}/shop/README.md",
        f"{HOME}/shop/src/token.py",
        f"{HOME}/shop/tokenizer.json",
        f"{HOME}/shop/design-tokens.json",
        f"{HOME}/shop/credentials.py",
        f"{HOME}/shop/.env.example",
        f"{HOME}/shop/keyboard.md",
        f"{HOME}/shop/monkey.txt",
        f"{HOME}/shop/cookies.py",
        f"{HOME}/shop/secret_santa.txt",
        f"{HOME}/shop/.gitignore",
        f"{HOME}/shop/chromium/README",
        f"{HOME}/shop/docs/kubeconfig-guide.md",
        "/srv/report.pdf",
        "/usr/share/dict/words",
        "/devices/list.txt",
        "/etc/hosts",
        f"{STATE}/downloads/photo-1.jpg",
        f"{STATE}/downloads/token",
        f"{STATE}-notes.txt",
    ],
)
def test_ordinary_files_may_be_sent(path: str) -> None:
    assert is_sendable(facts(path), GUARD) == Allowed()


@pytest.mark.parametrize(
    "name", ["token", "state.db", "state.db-wal", "telegram-channel.log", "new/thing", "downloads.txt"]
)
def test_our_own_state_is_never_sent(name: str) -> None:
    """MUST R14: the bridge's own state is never sent as a file."""
    verdict = is_sendable(facts(f"{STATE}/{name}"), GUARD)
    assert isinstance(verdict, Forbidden)
    assert "own state" in verdict.reason


def test_a_protected_file_is_refused_under_any_name() -> None:
    """MUST R15: a hard link to a protected file is refused like the file."""
    assert isinstance(is_sendable(facts(f"{HOME}/shop/notes.txt", inode=77), GUARD), Forbidden)
    assert isinstance(is_sendable(facts(f"{STATE}/downloads/notes.txt", inode=77), GUARD), Forbidden)


CREDENTIALS = [
    f"{HOME}/.ssh/config",
    f"{HOME}/.ssh/id_ed25519",
    f"{HOME}/backup/.ssh/known_hosts",
    f"{HOME}/keys/id_rsa",
    f"{HOME}/keys/id_rsa.old",
    f"{HOME}/keys/server.pem",
    f"{HOME}/keys/server.pem.bak",
    f"{HOME}/keys/tls.key",
    f"{HOME}/keys/store.jks",
    f"{HOME}/keys/all.kdbx",
    f"{HOME}/.aws/credentials",
    f"{HOME}/.gnupg/pubring.kbx",
    f"{HOME}/.kube/config",
    f"{HOME}/kubeconfig",
    f"{HOME}/prod.kubeconfig",
    f"{HOME}/.netrc",
    f"{HOME}/_netrc",
    f"{HOME}/shop/.env",
    f"{HOME}/shop/.env.local",
    f"{HOME}/shop/.env.production.bak",
    f"{HOME}/shop/.env~",
    f"{HOME}/shop/prod.env",
    f"{HOME}/shop/.envrc",
    f"{HOME}/.npmrc",
    f"{HOME}/.pypirc",
    f"{HOME}/.git-credentials",
    f"{HOME}/shop/.git/config",
    f"{HOME}/shop/credentials.json",
    f"{HOME}/shop/credentials-prod.json",
    f"{HOME}/shop/client_secret_123.json",
    f"{HOME}/shop/gcp-service-account.json",
    f"{HOME}/.config/gcloud/application_default_credentials.json",
    f"{HOME}/.config/gh/hosts.yml",
    f"{HOME}/.docker/config.json",
    f"{HOME}/.cargo/credentials.toml",
    f"{HOME}/.m2/settings.xml",
    f"{HOME}/.claude/.credentials.json",
    f"{HOME}/.claude.json",
    f"{HOME}/.mozilla/firefox/x.default/prefs.js",
    f"{HOME}/.config/google-chrome/Default/Cookies",
    f"{HOME}/Library/Application Support/Google/Chrome/Default/Login Data",
    f"{HOME}/Library/Keychains/login.keychain-db",
    f"{HOME}/old/cookies.sqlite",
    f"{HOME}/old/key4.db",
    f"{HOME}/.bash_history",
    f"{HOME}/.python_history",
    f"{HOME}/shop/token",
    f"{HOME}/shop/token.txt",
    f"{HOME}/shop/bot-token.txt",
    f"{HOME}/shop/github_token",
    f"{HOME}/shop/access_token.json",
    f"{HOME}/shop/secrets.yaml",
    f"{HOME}/shop/passwords.csv",
    f"{HOME}/shop/api_key.txt",
    f"{HOME}/shop/terraform.tfstate",
    f"{HOME}/shop/prod.tfvars",
    "/etc/shadow",
    "/etc/sudoers",
    "/etc/ssl/private/server.crt",
    "/etc/ssh/ssh_host_ed25519_key",
    "/run/secrets/db",
    "/proc/1/environ",
    "/sys/kernel/x",
    "/dev/disk/x",
]


@pytest.mark.parametrize("path", CREDENTIALS)
def test_what_looks_like_a_credential_is_never_sent(path: str) -> None:
    """MUST R16: files that look like credentials are never sent."""
    verdict = is_sendable(facts(path), GUARD)
    assert isinstance(verdict, Forbidden)
    assert verdict.reason.endswith("send that.")


@given(st.sampled_from(CREDENTIALS), st.data())
def test_letter_case_is_no_way_around(path: str, data: st.DataObject) -> None:
    """MUST R17: letter case and spellings that a file system ignores are no way around a refusal."""
    flips = data.draw(st.lists(st.booleans(), min_size=len(path), max_size=len(path)))
    # The system's own folders are compared as they are: nothing ignores letter case there.
    start = 6 if path.startswith(("/proc", "/sys", "/dev")) else 0
    changed = "".join(
        char.swapcase() if flip and at >= start else char
        for at, (char, flip) in enumerate(zip(path, flips, strict=True))
    )
    assert refused(changed)


@pytest.mark.parametrize(
    "path",
    [
        f"{HOME}/shop/\uff0eenv",
        f"{HOME}/shop/.env.",
        f"{HOME}/shop/.env ",
        f"{HOME}/shop/.netrc::$DATA",
        f"{HOME}/shop/.env.a\nb",
    ],
)
def test_other_spellings_of_a_name_are_no_way_around(path: str) -> None:
    assert refused(path)


def test_windows_paths_are_guarded_too() -> None:
    guard = Guard(PureWindowsPath(r"C:\Users\Ann\state"), PureWindowsPath(r"C:\Users\Ann\state\downloads"))

    def verdict(path: str) -> Allowed | Forbidden:
        return is_sendable(FileFacts(PureWindowsPath(path), 5, True, (1, 1)), guard)

    assert isinstance(verdict(r"c:\users\ann\STATE\token"), Forbidden)
    assert isinstance(verdict(r"C:\Users\Ann\.ssh\config"), Forbidden)
    assert isinstance(verdict(r"C:\Users\Ann\AppData\Local\Google\Chrome\User Data\Local State"), Forbidden)
    assert verdict(r"C:\Users\Ann\state\downloads\a.png") == Allowed()
    assert verdict(r"C:\dev\shop\a.png") == Allowed()


def test_only_regular_files_of_a_size_telegram_takes_are_sent() -> None:
    """MUST R18: directories, devices, empty files and files over 50 MB are refused with what to do."""
    for wrong, word in (
        (facts("/srv/x", is_regular=False), "archive"),
        (facts("/srv/x", 0), "empty"),
        (facts("/srv/x", 50_000_001), "50,000,001"),
    ):
        verdict = is_sendable(wrong, GUARD)
        assert isinstance(verdict, Forbidden)
        assert word in verdict.reason
    assert is_sendable(facts("/srv/x", 50_000_000), GUARD) == Allowed()


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="/\0"), min_size=1), min_size=1, max_size=6))
def test_no_path_makes_the_guard_fail(parts: list[str]) -> None:
    is_sendable(facts("/" + "/".join(parts)), GUARD)


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02\0\0\0"


def jpeg(width: int, height: int) -> bytes:
    header = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF" + b"\0" * 10
    tables = b"\xff\xff\xdb" + struct.pack(">H", 67) + b"\0" * 65
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\0" * 9
    return b"\xff\xd8" + header + tables + frame


@pytest.mark.parametrize(
    ("content", "photo"),
    [
        (png(800, 600), True),
        (jpeg(800, 600), True),
        (jpeg(9000, 1000), True),
        (png(9000, 1001), False),
        (png(2100, 100), False),
        (png(0, 100), False),
        (jpeg(9999, 9999), False),
        (png(800, 600) + b"\0" * 10_000_000, False),
        (b"GIF89a", False),
        (b"\xff\xd8\xff\xe0", False),
        (b"", False),
        (png(800, 600)[:20], False),
    ],
)
def test_only_pictures_telegram_takes_go_as_photos(content: bytes, photo: bool) -> None:
    assert is_photo(content) == photo


@given(st.binary(max_size=60), st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n"]))
def test_no_content_makes_the_look_at_pictures_fail(content: bytes, start: bytes) -> None:
    is_photo(start + content)
    assert suffix_of(start + content) in SUFFIXES


@pytest.mark.parametrize(
    ("beginning", "suffix"),
    [
        (png(1, 1), ".png"),
        (jpeg(1, 1), ".jpg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", ".webp"),
        (b"\0\0\0\x20ftypisom", ".mp4"),
        (b"%PDF-1.7", ".pdf"),
        (b"hello", ""),
    ],
)
def test_a_suffix_is_read_from_the_first_bytes(beginning: bytes, suffix: str) -> None:
    assert suffix_of(beginning) == suffix


def test_a_path_of_this_machine_works_like_any_other() -> None:
    assert isinstance(is_sendable(FileFacts(PurePath("/srv/.env"), 5, True, (1, 1)), GUARD), Forbidden)
