"""Which sessions a limit leaves open: a limit is a set of names, and what is in doubt is closed.

A name is that of a project (`shop`: every session of it), of a project and a branch (`shop/login`), or a
whole project directory (`/home/ann/shop`), which tells two projects of one name apart. The numbers in labels
such as `shop 2` name nothing here: they are given by start, and what a person may reach must not change
because a session ended. Whoever may reach `shop` reaches `shop 2` of that project as well.
"""

import re
import unicodedata
from collections.abc import Iterable, Set

MOST_NAMES = 50
"""Names in one limit."""
LONGEST_NAME = 255
"""Characters of one name."""

_NUMBER = re.compile(r" [0-9]+\Z")
_DIRECTORY = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")


def tidy(names: Iterable[str]) -> frozenset[str]:
    """The limit that somebody typed: without blank names, and each name once, as it was written first."""
    kept: dict[str, str] = {}
    for name in names:
        if stripped := name.strip():
            kept.setdefault(stripped if _is_directory(stripped) else _folded(stripped), stripped)
    return frozenset(kept.values())


def in_order(only: Iterable[str]) -> list[str]:
    """The names of a limit, as they are listed."""
    return sorted(only, key=lambda name: (_folded(name), name))


def in_words(only: Iterable[str]) -> str:
    """The names of a limit in quotes; empty for none."""
    return ", ".join(f'"{name}"' for name in in_order(only))


def leaves_open(only: Set[str], label: str, project: str, branch: str = "") -> bool:
    """Whether a session is open under a limit; no names are no limit.

    `label` is what people call the session, `project` its directory and `branch` its git branch, each empty
    where it is not known. Of a session about which nothing is known, only who has no limit is sure.
    """
    if not only:
        return True
    called, directory = _called(label, project, branch), _directory(project)
    return any(
        bool(project) and _directory(name) == directory if _is_directory(name) else _folded(name) in called
        for name in only
    )


def _called(label: str, project: str, branch: str) -> frozenset[str]:
    """Every name, folded, that means this session."""
    shown = _folded(label)
    if not project and _NUMBER.search(shown):
        return frozenset()  # the second session of `shop`, or a project called `shop 2`: nobody can tell
    name = _folded(_last_part(project)) if project else shown.partition("/")[0]
    if not name or "/" in name:  # folding can make a slash out of a letter that only looks like one
        return frozenset()
    if branch:
        return frozenset({name, f"{name}/{_folded(branch)}"})
    return frozenset({name, _NUMBER.sub("", shown)} if shown.startswith(f"{name}/") else {name})


def _last_part(directory: str) -> str:
    separators = "/" if directory.startswith("/") else r"/\\"
    return re.split(f"[{separators}]", _directory(directory))[-1]


def _is_directory(name: str) -> bool:
    return _DIRECTORY.match(name) is not None


def _directory(path: str) -> str:
    """The same for one directory however its letters are put together; letter case counts."""
    return unicodedata.normalize("NFC", path).rstrip("/" if path.startswith("/") else "/\\")


def _folded(text: str) -> str:
    """The same for everything that people type for the same name: letter case, width and blanks do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())
