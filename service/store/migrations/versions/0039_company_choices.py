"""Who chose a person for the company calendar, and whether Vorex says that the mailbox is theirs.

Revision ID: 0039
"""

import sqlalchemy as sa
from alembic import op

from service.store.tables import Moment

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: columns that it leaves empty."""
loses = ("company_people.chosen_by", "company_people.chosen_at", "company_people.vouched")
made_again = ("sessions.email_hash",)


def upgrade() -> None:
    op.add_column("company_people", sa.Column("chosen_by", sa.Text(), nullable=True))
    op.add_column("company_people", sa.Column("chosen_at", Moment(), nullable=True))
    op.add_column("company_people", sa.Column("vouched", sa.Boolean(), nullable=True))
    op.add_column("sessions", sa.Column("email_hash", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("sessions", "email_hash")
    op.drop_column("company_people", "vouched")
    op.drop_column("company_people", "chosen_at")
    op.drop_column("company_people", "chosen_by")
