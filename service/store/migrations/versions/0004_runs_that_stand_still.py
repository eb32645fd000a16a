"""When each run last moved, so that one whose message was lost is noticed (R25).

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from service.store.tables import Moment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("runs", sa.Column("moved_at", Moment(), nullable=True))
