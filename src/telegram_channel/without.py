"""Loads a module without packages that it would use, and that nobody here needs.

Third-party packages often import others "if they are there". What is there for somebody else's sake then
costs every process memory and time.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType


def import_without(module: str, unneeded: Sequence[str]) -> ModuleType:
    """Import a module; meanwhile packages in `unneeded` look as if they were not installed.

    Those that are loaded already stay as they are, and all can be imported afterwards.
    """
    with _absent([name for name in unneeded if name not in sys.modules]):
        return importlib.import_module(module)


def remember_absence(*packages: str) -> None:
    """Let imports of packages that are not installed fail at once, instead of looking for them each time."""
    for name in packages:
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            _mark_absent(name)


@contextmanager
def _absent(names: Sequence[str]) -> Iterator[None]:
    for name in names:
        _mark_absent(name)
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


def _mark_absent(name: str) -> None:
    # Documented: "If the value is None, then a ModuleNotFoundError is raised" (the import system, module cache).
    sys.modules[name] = None  # type: ignore[assignment]  # typeshed knows modules only
