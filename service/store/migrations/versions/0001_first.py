"""The first schema.

Revision ID: 0001
"""

from alembic import op

from service.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
