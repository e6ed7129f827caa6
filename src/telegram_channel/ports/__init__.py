"""What the flows need from the outside, as Protocols with their guarantees.

Adapters implement them (`storage`, `tg`, `claude`), `app` brings both together. Everything is async and
everything that is stored is keyed by the bot id, so that the same shapes fit one file on one machine or
a server shared by several.
"""

from telegram_channel.ports.chat import Chat
from telegram_channel.ports.pace import Pace
from telegram_channel.ports.process import Clock, Lease
from telegram_channel.ports.session import Session, SessionListener, ToolResult, ToolSpec
from telegram_channel.ports.store import (
    AccessBook,
    AuditTrail,
    Change,
    ClosedChats,
    EndedSession,
    HealthBoard,
    Inbox,
    OrderBook,
    PromptBook,
    RouteBook,
    SessionRecord,
    Sessions,
    Store,
    WishBook,
)

__all__ = [
    "AccessBook",
    "AuditTrail",
    "Change",
    "Chat",
    "Clock",
    "ClosedChats",
    "EndedSession",
    "HealthBoard",
    "Inbox",
    "Lease",
    "OrderBook",
    "Pace",
    "PromptBook",
    "RouteBook",
    "Session",
    "SessionListener",
    "SessionRecord",
    "Sessions",
    "Store",
    "ToolResult",
    "ToolSpec",
    "WishBook",
]
