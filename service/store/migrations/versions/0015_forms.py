"""A link knows what its calendar makes of texts (R37).

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("forms", sa.JSON(), nullable=True))
