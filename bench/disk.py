"""How long this disk takes at this moment to store something durably: what no commit of ours can be quicker than."""

import sqlite3
from pathlib import Path
from typing import Self

from bench.client import now_s


class Disk:
    """A database set up like ours on the disk of the state directory, as a context."""

    def __init__(self, path: Path) -> None:
        """Makes the file."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE rows (body TEXT)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def commit_ms(self) -> float:
        """Commit one row of 1 kB."""
        started_at = now_s()
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("INSERT INTO rows VALUES (?)", ("x" * 1000,))
        self._connection.execute("COMMIT")
        return 1000 * (now_s() - started_at)
