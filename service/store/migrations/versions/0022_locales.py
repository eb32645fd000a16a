"""How a person writes times, in the session that Vorex opened (R49).

Revision ID: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("locale", "hour_cycle", "week_start"):
        op.add_column("sessions", sa.Column(name, sa.Text(), nullable=True))
