"""Which files may leave this machine: never our own state, never what looks like a credential.

Decides by the real path (symlinks resolved), by what the opened file is, and by its identity, so that
another name, letter case or hard link for a protected file changes nothing. Only files that came from the
chat may go back from our own directory.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePath

LARGEST_UPLOAD_BYTES = 50_000_000
"""50 MB (source: Bot API, `sendDocument`)."""
LARGEST_PHOTO_BYTES = 10_000_000
"""10 MB (source: Bot API, `sendPhoto`); larger pictures go as documents."""
_MOST_PHOTO_EDGES_PX = 10_000
_MOST_PHOTO_RATIO = 20
"""Width plus height, and width to height, of a photo (source: Bot API, `sendPhoto`)."""

Identity = tuple[int, int]
"""Device and inode: the same for every name of the same file."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was found out about a file that is open."""

    real_path: PurePath
    """Absolute, without symlinks."""
    size_bytes: int
    is_regular: bool
    identity: Identity


@dataclass(frozen=True, slots=True)
class Guard:
    """What must stay here. All paths are real paths."""

    state_dir: PurePath
    """Token, database and logs."""
    downloads: PurePath
    """Inside it is what came from the chat."""
    protected: frozenset[Identity] = frozenset()
    """Files that are refused under whatever name they come: those of the state and of credential folders."""
    largest_bytes: int = LARGEST_UPLOAD_BYTES


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may be sent."""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """It is not sent; `reason` is a sentence for the model that says why and what to do."""

    reason: str


def is_sendable(file: FileFacts, guard: Guard) -> Allowed | Forbidden:
    """Decide about one file."""
    if not file.is_regular:
        return Forbidden("It is not a regular file: send a file, or an archive of the directory.")
    if refused := _secret(file, guard):
        return Forbidden(
            f"It {refused}, and such files are never sent to a chat. "
            "Put what people may see into a file of its own and send that."
        )
    if file.size_bytes == 0:
        return Forbidden("It is empty, and Telegram refuses empty files: say so in the text instead.")
    if file.size_bytes > guard.largest_bytes:
        return Forbidden(
            f"It has {file.size_bytes:,} bytes, more than the {guard.largest_bytes:,} that Telegram takes: "
            "compress it, or send parts of it."
        )
    return Allowed()


def _secret(file: FileFacts, guard: Guard) -> str:
    """Why the file must stay, empty when it may go."""
    if file.identity in guard.protected:
        return "is another name for a file that holds secrets"
    parts = _folded(file.real_path)
    if _starts_with(parts, _folded(guard.downloads)):
        return ""
    if _starts_with(parts, _folded(guard.state_dir)):
        return "belongs to this bridge's own state"
    if parts[:2] in _OPERATING_SYSTEM:
        return "belongs to the operating system"
    for place, what in _PLACES:
        if _contains(parts, place):
            return what
    # A colon separates a stream's name on Windows: the file before it is the same.
    name = _BACKUP_SUFFIX.sub("", parts[-1].partition(":")[0])
    for pattern, what in _NAMES:
        if re.fullmatch(pattern, name, re.DOTALL):
            return what
    return ""


def _folded(path: PurePath) -> tuple[str, ...]:
    """The parts of a path as a file system that ignores letter case and odd spellings compares them."""
    return tuple(unicodedata.normalize("NFKC", part).casefold().rstrip(". ") or part for part in path.parts)


def _starts_with(parts: tuple[str, ...], beginning: tuple[str, ...]) -> bool:
    return parts[: len(beginning)] == beginning


def _contains(parts: tuple[str, ...], run: tuple[str, ...]) -> bool:
    return any(parts[at : at + len(run)] == run for at in range(len(parts) - len(run) + 1))


_OPERATING_SYSTEM = (("/", "proc"), ("/", "sys"), ("/", "dev"))

_KEYS = "lies where private keys or sign-in tokens are kept"
_BROWSER = "belongs to a browser or mail profile, where sign-ins are kept"
_LOGIN = "holds sign-in data"
_SYSTEM = "holds the machine's own secrets"

_PLACES: tuple[tuple[tuple[str, ...], str], ...] = tuple(
    (tuple(place.split("/")), what)
    for what, places in (
        (
            _KEYS,
            ".ssh|.aws|.azure|.gnupg|.kube|.oci|.password-store|.config/gcloud|.config/gh|.config/glab-cli|.config/op|"
            ".config/rclone|.config/sops|.config/doctl|.local/share/keyrings|library/keychains|.minikube|"
            "microsoft/credentials|microsoft/protect|microsoft/vault|etc/ssl/private|run/secrets|run/credentials",
        ),
        (
            _BROWSER,
            ".mozilla|.thunderbird|.config/google-chrome|.config/chromium|.config/bravesoftware|.config/vivaldi|"
            ".config/opera|.config/microsoft-edge|application support/google/chrome|application support/firefox|"
            "application support/chromium|application support/bravesoftware|application support/microsoft edge|"
            "library/safari|library/cookies|google/chrome/user data|microsoft/edge/user data|"
            "bravesoftware/brave-browser|mozilla/firefox/profiles|snap/firefox|snap/chromium|org.mozilla.firefox",
        ),
        (
            _LOGIN,
            ".docker/config.json|.config/containers/auth.json|.claude/.credentials.json|.codex/auth.json|"
            ".cargo/credentials|.cargo/credentials.toml|.gem/credentials|.bundle/config|.m2/settings.xml|"
            ".m2/settings-security.xml|.gradle/gradle.properties|.git/config|.config/git/credentials|"
            ".config/hub|.terraform.d/credentials.tfrc.json|.config/pypoetry/auth.toml|.config/nix/netrc",
        ),
        (_SYSTEM, "etc/shadow|etc/shadow-|etc/gshadow|etc/gshadow-|etc/master.passwd|etc/sudoers|etc/sudoers.d"),
    )
    for place in places.split("|")
)
"""Runs of path parts, in lower case, that nothing is sent from."""

_BACKUP_SUFFIX = re.compile(r"(~|\.(bak|backup|old|orig|save|sav|copy|swp|tmp|[0-9]))+$")
"""What editors and careful people put behind a name: the content is the same."""

_PRIVATE_KEY = "has the name of a private key or key store"
_SETTINGS = "has the name of a file for secret settings"
_TOKEN = "has the name of a stored token or password"  # noqa: S105 - a reason, not a password

_NAMES = (
    (r"id_(rsa|dsa|ecdsa|ed25519).*|ssh_host_.+_key|.+\.(pem|key|p8|p12|pfx|pkcs12|ppk|jks|ovpn)", _PRIVATE_KEY),
    (r".+\.(keystore|kdbx?|agekey|keychain(-db)?)|secring\..*|wallet\.dat", _PRIVATE_KEY),
    (r"\.env(?!\.(example|sample|template|dist|defaults?)$)(\..+)?|.+\.env|\.envrc", _SETTINGS),
    (r".+\.tfvars(\.json)?|.*\.tfstate|\.vault[-_]?pass(word)?|\.dockercfg|\.htpasswd|\.boto|\.s3cfg", _SETTINGS),
    (r"[._]netrc|\.npmrc|\.yarnrc(\.yml)?|\.pypirc|\.pgpass|\.my\.cnf|\.git-credentials", _LOGIN),
    (
        r"\.?credentials?|\.?credentials?.*\.(json|db|toml|ya?ml|csv|txt|ini)|.*service[-_]?account.*\.json",
        _LOGIN,
    ),
    (
        r"client_secret.*\.json|application_default_credentials\.json|kubeconfig(\..*)?|.+\.kubeconfig|\.claude\.json",
        _LOGIN,
    ),
    (r"cookies(\.sqlite|\.binarycookies|\.txt)?|login data|web data|logins\.json|key[34]\.db", _LOGIN),
    (r"\.[a-z0-9]+_history", "records commands, which often contain passwords"),
    (
        r"(.+[-_.]|\.)?(token|secret|password|passwd|passphrase|api[-_]?key)"
        r"(\.(txt|json|jsonl|ya?ml|toml|ini|cfg|conf|csv|db|sqlite))?",
        _TOKEN,
    ),
    (
        r"\.?((access|api|auth|bot|oauth|refresh|session|user)[-_.]?)?(tokens|secrets|passwords|api[-_]?keys)"
        r"(\.(txt|json|jsonl|ya?ml|toml|ini|cfg|conf|csv|db|sqlite))?",
        _TOKEN,
    ),
)
"""Names, in lower case and without backup suffixes, of files that are never sent. Compiled when the first
file is sent: a start has no time for it."""


def is_photo(content: bytes) -> bool:
    """Whether Telegram would take it as a photo: a PNG or JPEG of a size and shape it accepts."""
    size = _picture_size(content) if len(content) <= LARGEST_PHOTO_BYTES else None
    if size is None:
        return False
    width, height = size
    return min(size) > 0 and width + height <= _MOST_PHOTO_EDGES_PX and max(size) <= _MOST_PHOTO_RATIO * min(size)


def _picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG (its IHDR chunk) or JPEG (its frame header)."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR" and len(content) >= 24:
        return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    if not content.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(content[at + 7 : at + 9]), int.from_bytes(content[at + 5 : at + 7])
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return None


_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"%PDF-", ".pdf"),
    (b"OggS", ".ogg"),
    (b"ID3", ".mp3"),
)


def suffix_of(beginning: bytes) -> str:
    """The suffix a file should have, judged by its first bytes; empty when they say nothing certain."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return ".webp"
    if beginning[4:8] == b"ftyp":
        return ".mp4"
    return next((suffix for start, suffix in _SIGNATURES if beginning.startswith(start)), "")


SUFFIXES = ("", ".webp", ".mp4", *(suffix for _, suffix in _SIGNATURES))
"""Everything `suffix_of` can say."""
