"""What is still to be done with copies on a calendar that is linked no longer (R16).

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("integrations", sa.Column("parting", sa.JSON(), nullable=True))
