"""`telegram-channel status`: what is true at this moment, from the store and the lease, never from a hope.

A process counts as polling only while the kernel says that it holds the lease, and the last poll is the
last one that completed.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from telegram_channel import __version__
from telegram_channel.claude.launch import is_alive
from telegram_channel.cli import DONE, FAILED
from telegram_channel.cli.chosen_bot import UNCLAIMED, bot_id, choose_bot
from telegram_channel.cli.output import say, say_json, table, untrusted
from telegram_channel.cli.profile_option import EXPLANATION, add_profile_option, names, told
from telegram_channel.cli.rivals import why_conflict
from telegram_channel.clock import SystemClock
from telegram_channel.core.access import AccessState, Role
from telegram_channel.core.health import BridgeState, HealthReport
from telegram_channel.core.ids import BotId
from telegram_channel.core.inbox import Counts, DeliveryState
from telegram_channel.core.visible import visible_line
from telegram_channel.errors import ConfigurationError, StateError, StateUnwritable
from telegram_channel.ports import SessionRecord, Store
from telegram_channel.profiles import Profile, choose_profile, made_profiles
from telegram_channel.settings import Settings, state_dir_from_environment
from telegram_channel.storage import open_store
from telegram_channel.storage.lease import FileLease

STOPPED = "stopped"
_STOPPED_SENTENCE = "No server is running: messages wait at Telegram, for 24 hours at most."
HOW_TO_START = "claude --channels plugin:telegram@telegram-channel"
HOW_TO_START_UNLISTED = "claude --dangerously-load-development-channels plugin:telegram@telegram-channel"
_ENOUGH_BYTES = 1 << 16
"""Whoever can store so much can store the next messages."""
_LONGEST_POLL_S = 120.0
"""No poll takes so long: when the last one that completed is older, something holds the process up."""
_TRUSTED_FOR_S = 60.0
"""A report this young is believed where no process can be seen at all: they may live in another container."""

JSON_SHAPE = f"""\
shape of --json (keys may be added, none is renamed):
  state            {STOPPED}, {", ".join(state.value for state in BridgeState)}
  poller           the process that receives messages, or null
  queued           messages stored and not given to a session yet
  last_poll_ok_s   seconds since a poll last completed, or null
  bot, username    as far as known, or null
  policy, people, owners, pending, quarantined, unproven    null where the stored state cannot be read
  hears_all        groups in which every message is heard, not only what names the bot
  sessions         [{{"session", "pid", "name", "channel", "polls", "started_at", "last_seen_s"}}], the living only
  problem          what is wrong and what to do, empty when nothing is
  unreadable       whether settings or stored state cannot be read
  profile          the profile this is about, or null where that cannot be told
  profile_from     who named it: --profile, TELEGRAM_PROFILE, the path of a project's file, empty for nobody
  profiles         the names of all profiles that something was kept for
  state_dir, version
exit code: 0, or 1 where it is unreadable

{EXPLANATION}"""


@dataclass(frozen=True, slots=True)
class Signs:
    """What shows which state the bridge is in."""

    leased: bool
    """Whether a process holds the lease at this moment."""
    report: HealthReport | None
    """The last word of whoever polled."""
    reporter_lives: bool
    living_sessions: int
    held_up: str = ""
    """Why nothing can be received whatever the report says, empty for no reason."""


def state_of(signs: Signs) -> str:
    """The state in one word: a report counts only while there is somebody behind it."""
    report = signs.report if signs.reporter_lives else None
    if signs.leased:
        if signs.held_up and (report is None or report.state in _HOPES):
            return BridgeState.RETRYING.value
        return report.state.value if report else BridgeState.STARTING.value
    if report and report.state in _KEPT_WITHOUT_LEASE:
        return report.state.value
    return BridgeState.STANDBY.value if signs.living_sessions else STOPPED


_HOPES = (BridgeState.STARTING, BridgeState.POLLING, BridgeState.SESSION_SILENT)
"""What a process goes on saying when it cannot store that things have changed."""
_KEPT_WITHOUT_LEASE = (BridgeState.BAD_TOKEN, BridgeState.STATE_BROKEN, BridgeState.STOPPING)


def main(argv: Sequence[str]) -> int:
    """Print the status; returns the exit code."""
    options = _parser().parse_args(argv)
    found = asyncio.run(snapshot(SystemClock().now(), options.bot, options.profile))
    if options.json:
        say_json(found)
    else:
        say(_in_words(found))
    return FAILED if found["unreadable"] else DONE


async def snapshot(now: datetime, asked: BotId | None = None, asked_profile: str | None = None) -> dict[str, Any]:
    """Everything `status` tells, as plain data; it never raises for what it finds."""
    found = _blank()
    try:
        profile = choose_profile(asked_profile)
        found |= {"profile": profile.name, "profile_from": profile.named_by, "state_dir": str(profile.directory)}
        settings = Settings.load(profile)
    except ConfigurationError as error:
        return found | {"problem": error.explained(), "unreadable": True}
    try:
        settings.token()
    except ConfigurationError as error:
        found["problem"] = error.explained()
    try:
        bot = asked or choose_bot(settings)
        if not has_state(settings):
            state = BridgeState.UNCONFIGURED.value if bot == UNCLAIMED else STOPPED
            nothing = _book_facts(AccessState(), now) | _counted(Counts())
            return found | {"bot": bot or None, "state": state} | nothing
        store = await open_store(settings.database, bot)
        try:
            found |= await _read(store, settings, now, str(found["problem"]))
            return found | _conflict_explained(found, profile)
        finally:
            await store.close()
    except StateError as error:
        return found | {
            "state": BridgeState.STATE_BROKEN.value,
            "problem": error.explained(),
            "unreadable": True,
        }


def _conflict_explained(found: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """The problem with its likely causes, where somebody else takes the messages."""
    if found["state"] != BridgeState.CONFLICT.value or not found["bot"]:
        return {}
    return {"problem": f"{found['problem']} {why_conflict(profile, BotId(found['bot']))}".strip()}


def has_state(settings: Settings) -> bool:
    """Whether anything was ever stored: looking must not create what it looks for."""
    files = settings.state_dir.glob(f"{settings.database.name}*")
    return settings.state_dir.is_dir() and any(file.suffix != ".bell" for file in files)  # which holds nothing


def lease_is_held(settings: Settings, bot: BotId) -> bool:
    """Whether a process holds the right to poll this bot at this moment."""
    file = settings.lease_file(bot)
    return bool(bot) and file.exists() and FileLease(file).is_held_elsewhere()


def write_fault(directory: Path) -> str:
    """Why nothing can be stored in a directory, empty when something can; leaves nothing behind."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_ENOUGH_BYTES))
            file.flush()
    except OSError as error:
        return f"{directory} cannot be written: {error.strerror or type(error).__name__}."
    return ""


def _held_up(settings: Settings, report: HealthReport | None, now: datetime) -> str:
    """What keeps a process that polls from receiving anything, and from saying so."""
    if fault := write_fault(settings.state_dir):
        return StateUnwritable(fault).explained()
    silent_s = _seconds(report.last_poll_ok_at if report else None, now)
    if silent_s is not None and silent_s > _LONGEST_POLL_S:
        return f"No poll has completed for {silent_s:.0f} s: the process hangs, or the machine slept."
    return ""


def _blank() -> dict[str, Any]:
    return {
        "state": BridgeState.UNCONFIGURED.value,
        "poller": None,
        "queued": None,
        "last_poll_ok_s": None,
        "bot": None,
        "username": None,
        "policy": None,
        "people": None,
        "owners": None,
        "hears_all": None,
        "pending": None,
        "quarantined": None,
        "unproven": None,
        "sessions": [],
        "problem": "",
        "unreadable": False,
        "profile": None,
        "profile_from": "",
        "profiles": names(made_profiles(state_dir_from_environment())),
        "state_dir": str(state_dir_from_environment()),
        "version": __version__,
    }


async def _read(store: Store, settings: Settings, now: datetime, problem: str) -> dict[str, Any]:
    report = await store.health.latest()
    leased = lease_is_held(settings, store.bot)
    living = [one for one in await store.sessions.list() if is_alive(one.pid, one.last_seen_at)]
    lives = report is not None and _lives(report, now, leased=leased, blind=not living)
    signs = Signs(leased, report, lives, len(living), _held_up(settings, report if lives else None, now))
    state = BridgeState.UNCONFIGURED.value if store.bot == UNCLAIMED else state_of(signs)
    poller = report.pid if report and leased and signs.reporter_lives else None
    found = {
        "state": state,
        "poller": poller,
        "bot": store.bot or None,
        "last_poll_ok_s": _seconds(report.last_poll_ok_at if report else None, now),
        "username": (report.bot_username or None) if report else None,
        "sessions": [_session(one, now, poller) for one in living],
        **_book_facts(await store.access.read(), now),
        **_counted(await store.inbox.counts()),
    }
    if store.bot != UNCLAIMED:
        found["problem"] = _problem(state, signs, living, problem)
    return found


def _lives(report: HealthReport, now: datetime, *, leased: bool, blind: bool) -> bool:
    """Whether somebody stands behind a report. Who sees no process of ours has to go by the lease."""
    young = (now - report.at).total_seconds() < _TRUSTED_FOR_S
    return is_alive(report.pid, report.at) or (blind and leased and young)


def _problem(state: str, signs: Signs, living: Sequence[SessionRecord], token_problem: str) -> str:
    """What is wrong and what to do."""
    if signs.report and signs.reporter_lives and signs.report.problem:
        return signs.report.problem
    if signs.leased and signs.held_up:
        return signs.held_up
    if state == BridgeState.STANDBY.value and not signs.leased and not any(one.is_channel for one in living):
        return (
            "No running session was started with the channel, so nobody receives messages. "
            f"Start one with `{HOW_TO_START}`."
        )
    return token_problem if state == STOPPED else ""


def _book_facts(state: AccessState, now: datetime) -> dict[str, Any]:
    return {
        "policy": state.policy.value,
        "people": len(state.senders),
        "owners": sum(1 for one in state.senders.values() if one.role is Role.OWNER),
        "hears_all": sum(1 for one in state.groups.values() if not one.mention_only),
        "pending": sum(1 for one in state.pending if one.is_live(now)),
    }


def _counted(counts: Counts) -> dict[str, int]:
    return {
        "queued": counts.queued,
        "unproven": counts.by_state.get(DeliveryState.EMITTED, 0),
        "quarantined": counts.by_state.get(DeliveryState.QUARANTINED, 0),
    }


def _session(record: SessionRecord, now: datetime, poller: int | None) -> dict[str, Any]:
    return {
        "session": record.session,
        "pid": record.pid,
        "name": record.name,
        "channel": record.is_channel,
        "polls": record.pid == poller,
        "started_at": record.started_at.isoformat(timespec="seconds"),
        "last_seen_s": _seconds(record.last_seen_at, now),
    }


def _seconds(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else round(max(0.0, (now - since).total_seconds()), 1)


def _in_words(found: dict[str, Any]) -> str:
    state = found["state"]
    sentence = _STOPPED_SENTENCE if state == STOPPED else BridgeState(state).sentence
    poll = found["last_poll_ok_s"]
    rows = [
        ("profile", _profile_in_words(found)),
        ("state", f"{state}: {sentence}"),
        ("bot", _bot_in_words(found)),
        ("polls", f"process {found['poller']}" if found["poller"] else "no process"),
        ("last poll", "never" if poll is None else f"{poll} s ago"),
    ]
    if found["people"] is not None:
        rows += [
            ("access", f"policy {found['policy']}; {found['people']} let in, {found['pending']} waiting"),
            (
                "messages",
                f"{found['queued']} waiting for a session, {found['unproven']} given to one without a sign of "
                f"reading, {found['quarantined']} not understood",
            ),
        ]
    for one in found["sessions"]:
        kind = "channel" if one["channel"] else "no channel"
        seen = f"seen {one['last_seen_s']} s ago"
        rows.append(("session", f"{untrusted(one['name'])} process {one['pid']}, {kind}, {seen}"))
    rows += [("kept in", found["state_dir"]), ("version", found["version"])]
    if found["problem"]:
        rows.append(("problem", visible_line(found["problem"], 2000)))
    return table([(f"{name}:", text) for name, text in rows], indent="")


def _profile_in_words(found: dict[str, Any]) -> str:
    base = state_dir_from_environment()
    chosen = found["profile"]
    text = told(Profile(base, chosen, found["profile_from"])) if chosen else "not known"
    others = [name for name in found["profiles"] if name != chosen]
    return f"{text}; others: {', '.join(others)}" if others else text


def _bot_in_words(found: dict[str, Any]) -> str:
    if not found["bot"]:
        return "not known"
    return f"@{visible_line(found['username'], 64)} ({found['bot']})" if found["username"] else str(found["bot"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="telegram-channel status",
        description="Whether messages are being received, and what waits.",
        epilog=JSON_SHAPE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--bot", type=bot_id, metavar="ID", help="which bot, where several share the state directory")
    add_profile_option(parser)
    return parser
