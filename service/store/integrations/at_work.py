"""Which integrations do anything by themselves."""

from sqlalchemy import ColumnElement, or_

from service.store.tables import integrations


def at_work() -> ColumnElement[bool]:
    """Whether an integration does anything by itself: it is active, or watches."""
    return or_(integrations.c.active, integrations.c.watching_since.is_not(None))
