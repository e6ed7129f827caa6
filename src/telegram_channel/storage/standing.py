"""An order stands from when it is given until it is lifted or replaced: pure, and the same for every backend."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from telegram_channel.core.audit import AuditRow
from telegram_channel.core.orders import Order


def oldest_first(orders: Iterable[Order]) -> tuple[Order, ...]:
    """Orders as they are listed; those of the same moment always in the same order."""
    return tuple(sorted(orders, key=lambda order: (order.at, order.session, order.kind)))


def is_same(one: Order | None, other: Order) -> bool:
    """Whether both are one order: a name may have changed meanwhile, and it may have been answered."""
    return one is not None and _identity(one) == _identity(other)


def answered(found: Order | None, order: Order) -> Order | None:
    """What stands from now on once `order` was answered; None when nothing changes."""
    return replace(found, answered=True) if found and not found.answered and is_same(found, order) else None


def given_row(order: Order) -> AuditRow:
    """The audit row of an order."""
    return AuditRow(order.at, order.by, order.kind.value, order.session)


def lifted_row(order: Order, by: str, at: datetime) -> AuditRow:
    """The audit row of the end of an order."""
    return AuditRow(at, by, "resume", order.session, order.kind.value)


def _identity(order: Order) -> Order:
    return replace(order, by_name="", answered=False)
