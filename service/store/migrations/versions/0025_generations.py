"""The schema's generation: an earlier version may work on a later schema of its own generation.

Revision ID: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: what is new is beside what was there."""
made_again = ("schema_generation",)


def upgrade() -> None:
    op.create_table(
        "schema_generation",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("generation", name="pk_schema_generation"),
    )


def downgrade() -> None:
    """Loses nothing."""
    op.drop_table("schema_generation")
