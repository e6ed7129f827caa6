"""What people of a chat ordered and wished, in memory, held to the same contract as in SQLite."""

from datetime import datetime

from telegram_channel.core.ids import ChatId, SessionId
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind
from telegram_channel.core.wishes import Wishes
from telegram_channel.storage import standing
from telegram_channel.storage.memory_tables import Part


class MemoryOrderBook(Part):
    """`ports.OrderBook` in memory."""

    async def give(self, order: Order) -> None:
        """Let an order stand, audited in the same step; the same order again changes nothing."""
        tables, key = self._tables, (order.session, order.kind)
        if not standing.is_same(tables.orders.get(key), order):
            tables.orders[key] = order
            tables.audit.append(standing.given_row(order))
            self._store.changed()

    async def standing(self, session: SessionId) -> tuple[Order, ...]:
        """What stands for this session and for every session, oldest first."""
        orders = self._tables.orders.values()
        return standing.oldest_first(order for order in orders if order.session in (session, EVERY_SESSION))

    async def mark_answered(self, order: Order) -> None:
        """The chat was told what came of exactly this order; one that was replaced or lifted stays so."""
        tables, key = self._tables, (order.session, order.kind)
        changed = standing.answered(tables.orders.get(key), order)
        if changed is not None:
            tables.orders[key] = changed
            self._store.changed()

    async def lift(self, kind: OrderKind, session: SessionId, by: str, at: datetime) -> Order | None:
        """End an order, audited in the same step; returns it, None when none stood."""
        tables = self._tables
        found = tables.orders.pop((session, kind), None)
        if found is not None:
            tables.audit.append(standing.lifted_row(found, by, at))
            self._store.changed()
        return found

    async def prune(self, before: datetime) -> int:
        """Forget what was stopped before; a pause is never forgotten. Returns how many."""
        orders = self._tables.orders
        gone = [key for key, order in orders.items() if order.kind is OrderKind.STOP and order.at < before]
        for key in gone:
            del orders[key]
        if gone:
            self._store.changed()
        return len(gone)


class MemoryWishBook(Part):
    """`ports.WishBook` in memory."""

    async def of(self, chat: ChatId) -> Wishes:
        """The wishes of a chat; none when it never said any."""
        return self._tables.wishes.get(chat, Wishes())

    async def keep(self, chat: ChatId, wishes: Wishes) -> None:
        """Replace the wishes of a chat; writes nothing when they are the same."""
        if await self.of(chat) != wishes:
            self._tables.wishes[chat] = wishes
            self._store.changed()
