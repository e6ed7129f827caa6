"""Says whether a path, in any spelling, leads into the directory that is kept from the model.

Works on text alone: `~`, `.`, `..`, repeated slashes, letter case, `file:` addresses, `/proc/…/root` and
wildcards are understood, links are not. The directory's real path has to be given as a further root.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from urllib.parse import unquote

from telegram_channel.core.shell_words import ANY, MARKS, ONE, STAR

STATE_FILES = ("token", "state.db", "state.db-wal", "settings.toml")
"""The names that give a relative path away, wherever it begins."""
DOWNLOADS = "downloads"
"""Below the directory, and below that of each profile; what came from the chat is in it."""
PROFILES = "profiles"
"""Below the directory; in it one directory for each further bot."""
_LITERALS = 3
"""How many characters of a name a pattern must spell out to count as aimed at it."""
_MOST_PARTS = 200

Parts = tuple[str, ...]


class Where(Enum):
    """How a path lies to the guarded directory."""

    INSIDE = auto()
    """The directory itself, or something in it."""
    DOWNLOADS = auto()
    """A file that came from the chat, or their directory."""
    ABOVE = auto()
    """A directory that contains it."""
    ELSEWHERE = auto()


@lru_cache(maxsize=256)
def folded(part: str) -> str:
    """A name as a file system that ignores letter case and odd spellings compares it."""
    return unicodedata.normalize("NFKC", part).casefold().rstrip(". ") or part


def parts_of(path: str, folder: str, home: str) -> Parts:
    """The folded parts of a path, from the root on; a relative one begins in `folder`."""
    if path[:5].lower() == "file:":
        path = "/" + re.sub(r"^/*(localhost)?/*", "", unquote(path[5:].split("?")[0].split("#")[0]))
    path = _absolute(path.replace("\\", "/"), folder.replace("\\", "/"), home.replace("\\", "/"))
    done: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del done[-1:]
        elif part not in ("", ".", "?"):
            done.append(folded(part))
            if len(done) > _MOST_PARTS:
                break
            if done[0] == "proc" and part == "root":
                del done[:]
            elif done[0] == "proc" and part == "cwd" and folder.startswith("/"):
                done[:] = [folded(one) for one in folder.split("/") if one]
    return tuple(done)


def _absolute(path: str, folder: str, home: str) -> str:
    if path.startswith("~"):
        name, _, rest = path.partition("/")
        if name in ("~", "~" + home.rstrip("/").rpartition("/")[2]):
            return f"{home}/{rest}"
        if name == "~+":
            return f"{folder}/{rest}"
        return f"{ANY}/{rest}" if name == "~-" else f"{home}/../{name[1:]}/{rest}"
    if path.startswith(("/", ANY)) or re.match(r"[A-Za-z]:/", path):
        return path
    if folder.startswith("~"):
        folder = _absolute(folder, "/", home)
    return f"{folder}/{path}"


@dataclass(frozen=True, slots=True)
class Places:
    """The guarded directory under all its names, as folded parts."""

    roots: tuple[Parts, ...]
    home: str

    def where(self, path: str, folders: Sequence[str], *, hidden: bool = False) -> Where:
        """How a path lies to the directory, begun in whichever of `folders` is worst.

        `hidden` says that wildcards stand for names with a leading dot, too.
        """
        worst = Where.ELSEWHERE
        fixed = path.startswith(("/", "~", "\\")) or path[1:2] == ":"
        for folder in folders or ("/",):
            found = self._where(parts_of(path, folder, self.home), hidden, not fixed)
            if found is Where.INSIDE:
                return found
            worst = found if found.value < worst.value else worst
            if fixed:
                break
        return worst

    def _where(self, parts: Parts, hidden: bool, loose: bool) -> Where:
        patterned = any(mark in part for part in parts for mark in MARKS)
        vague = any(ANY in part for part in parts)
        loose = loose or vague
        found = Where.ELSEWHERE
        for root in self.roots:
            rest = _after(parts, root, hidden) if patterned else _plainly_after(parts, root)
            if rest is not None:
                if not _downloaded(rest):
                    return Where.INSIDE
                found = Where.DOWNLOADS
            elif _aimed(parts, root, loose):
                return Where.INSIDE
            elif found is Where.ELSEWHERE and len(parts) < len(root) and not vague and _fits(parts, root, hidden):
                found = Where.ABOVE
        return found


def _plainly_after(parts: Parts, root: Parts) -> Parts | None:
    return parts[len(root) :] if parts[: len(root)] == root else None


def _after(parts: Parts, root: Parts, hidden: bool, deepest: int = 4) -> Parts | None:
    """What of a pattern is left once its beginning was matched with the root; None when it does not match."""
    if not root:
        return parts
    if not parts:
        return None
    if parts[0] == STAR + STAR and deepest:
        skipped = _after(parts[1:], root, hidden, deepest - 1)
        if skipped is not None or (root[0].startswith(".") and not hidden):
            return skipped
        return _after(parts, root[1:], hidden, deepest - 1) if len(root) > 1 else ()
    return _after(parts[1:], root[1:], hidden, deepest) if matches(parts[0], root[0], hidden) else None


def _fits(parts: Parts, root: Parts, hidden: bool) -> bool:
    return all(matches(part, name, hidden) for part, name in zip(parts, root, strict=False))


def _aimed(parts: Parts, root: Parts, loose: bool) -> bool:
    """Whether a path names the directory although it does not begin like it: a link or an unknown start before it.

    `loose` says that nobody knows where the path begins.
    """
    for at in range(len(parts) - 1):
        one, following = parts[at], parts[at + 1]
        if len(root) > 2 and one == root[-2] and following == root[-1]:
            return not _downloaded(parts[at + 2 :])
        named = one == root[-1] or names(one, root[-1]) or (loose and one in (STAR, STAR + STAR))
        if named and any(following == name or names(following, name) for name in STATE_FILES):
            return True
    return False


def _downloaded(rest: Parts) -> bool:
    """Whether what follows the directory leads to a file from the chat, and nowhere else."""
    if rest[:1] == (PROFILES,) and not MARKS & set("".join(rest[1:2])):
        rest = rest[2:]
    return rest[:1] == (DOWNLOADS,) and not any(ANY in one for one in rest)


def names(pattern: str, name: str, literals: int = _LITERALS) -> bool:
    """Whether a pattern fits a name and spells out enough of it to mean it."""
    return len([char for char in pattern if char not in MARKS]) >= literals and matches(pattern, name, hidden=True)


def matches(pattern: str, name: str, hidden: bool = False) -> bool:
    """Whether a pattern with marks fits a name; in time proportional to the product of their lengths."""
    if not MARKS & set(pattern):
        return pattern == name
    if name.startswith(".") and pattern[0] in (STAR, ONE) and not hidden:
        return False
    at = place = 0
    star, resumed = -1, 0
    while place < len(name):
        char = pattern[at : at + 1]
        if char and char in (STAR, ANY):
            star, resumed = at, place
            at += 1
        elif char and char in (ONE, name[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            resumed += 1
            at, place = star + 1, resumed
        else:
            return False
    return not pattern[at:].strip(STAR + ANY)
