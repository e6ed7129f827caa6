"""The tables of a state database, and the steps that lead from each older version to the present one.

Every key starts with the bot. What a table is searched by stands in columns; everything else is one
document in `body` (see `codec`), which alone is read back.
"""

APPLICATION_ID = 0x54474348
""""TGCH" in the header of the file: the mark of a database of ours (SQLite's `application_id`)."""

_VERSION_1 = (
    """CREATE TABLE access (
        bot TEXT PRIMARY KEY,
        body TEXT NOT NULL,
        changed_at TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE audit (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        body TEXT NOT NULL
    )""",
    "CREATE INDEX audit_of_bot ON audit (bot, row)",
    """CREATE TABLE cursors (
        bot TEXT PRIMARY KEY,
        update_id INTEGER NOT NULL,
        moved_at TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE seen (
        bot TEXT NOT NULL,
        update_id INTEGER NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (bot, update_id)
    ) WITHOUT ROWID""",
    """CREATE TABLE inbox (
        entry INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        update_id INTEGER NOT NULL,
        chat TEXT NOT NULL,
        message TEXT NOT NULL,
        stored_at TEXT NOT NULL,
        state TEXT NOT NULL,
        session TEXT,
        emitted_at TEXT,
        redelivered INTEGER NOT NULL,
        noticed INTEGER NOT NULL,
        acknowledged INTEGER NOT NULL,
        wanted INTEGER NOT NULL,
        fetch TEXT NOT NULL,
        body TEXT NOT NULL
    )""",
    "CREATE INDEX inbox_in_state ON inbox (bot, state, entry)",
    "CREATE INDEX inbox_of_message ON inbox (bot, chat, message, entry)",
    "CREATE INDEX inbox_unacknowledged ON inbox (bot, entry) WHERE acknowledged = 0",
    "CREATE INDEX inbox_to_fetch ON inbox (bot, entry) WHERE wanted = 1",
    """CREATE TABLE quarantined (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        at TEXT NOT NULL,
        body TEXT NOT NULL
    )""",
    "CREATE INDEX quarantined_of_bot ON quarantined (bot, row)",
    """CREATE TABLE prompts (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        prompt TEXT NOT NULL,
        request_key TEXT NOT NULL,
        asked_at TEXT NOT NULL,
        owed INTEGER NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (bot, prompt)
    )""",
    "CREATE INDEX prompts_of_request ON prompts (bot, request_key, row)",
    "CREATE INDEX prompts_owed ON prompts (bot, row) WHERE owed = 1",
    """CREATE TABLE sessions (
        bot TEXT NOT NULL,
        session TEXT NOT NULL,
        pid INTEGER NOT NULL,
        last_seen_at TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, session, pid)
    ) WITHOUT ROWID""",
    """CREATE TABLE health (
        bot TEXT PRIMARY KEY,
        at TEXT NOT NULL,
        body TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE closed_chats (
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, chat)
    ) WITHOUT ROWID""",
)

_VERSION_2 = (
    """CREATE TABLE orders (
        bot TEXT NOT NULL,
        session TEXT NOT NULL,
        kind TEXT NOT NULL,
        given_at TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, session, kind)
    ) WITHOUT ROWID""",
    """CREATE TABLE wishes (
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, chat)
    ) WITHOUT ROWID""",
)

_VERSION_3 = (
    "ALTER TABLE inbox ADD COLUMN why TEXT",
    # SQLite uses it for a search that says one of its two states literally (https://sqlite.org/partialindex.html).
    """CREATE INDEX inbox_of_session ON inbox (bot, session, state, entry)
        WHERE state = 'stored' OR state = 'emitted'""",
    """CREATE TABLE choices (
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, chat)
    ) WITHOUT ROWID""",
    """CREATE TABLE topics (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        thread TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (bot, chat, thread)
    )""",
    """CREATE TABLE questions (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        thread TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (bot, chat, thread)
    )""",
    """CREATE TABLE authors (
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        message TEXT NOT NULL,
        session TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (bot, chat, message)
    ) WITHOUT ROWID""",
)

_VERSION_4 = (
    """CREATE TABLE ended_sessions (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        session TEXT NOT NULL,
        began_at TEXT NOT NULL,
        heir TEXT,
        body TEXT NOT NULL,
        UNIQUE (bot, session)
    )""",
    "ALTER TABLE sessions ADD COLUMN began_at TEXT",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
"""The statements that lead from version n to version n + 1, at index n. Only ever append."""

VERSION = len(MIGRATIONS)
"""The version this program reads and writes (SQLite's `user_version`)."""

KNOWN_BOTS = """
    SELECT bot FROM (
        SELECT bot, changed_at AS at FROM access
        UNION ALL SELECT bot, moved_at FROM cursors
        UNION ALL SELECT bot, at FROM health
        UNION ALL SELECT bot, last_seen_at FROM sessions
    ) WHERE bot <> '' GROUP BY bot ORDER BY max(at) DESC, bot
"""
