"""Dead letters and replays found by tenant, and whose operators acted (R44, R46).

Revision ID: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dead_letter_acts", sa.Column("tenant_id", sa.Text(), nullable=True))
    op.execute(
        "UPDATE dead_letter_acts SET tenant_id ="
        " (SELECT tenant_id FROM dead_letters WHERE dead_letters.id = dead_letter_acts.letter_id)"
    )
    op.create_index("ix_dead_letter_acts_tenant", "dead_letter_acts", ["tenant_id", "id"])
    op.create_index("ix_dead_letters_tenant", "dead_letters", ["tenant_id", "id"])
    paced = sa.text("sent_at IS NULL AND due_at IS NOT NULL")
    op.create_index(
        "ix_outbox_paced", "outbox", ["tenant_id", "due_at"], sqlite_where=paced, postgresql_where=paced
    )
    sent = sa.text("sent_at IS NOT NULL")
    op.drop_index("ix_outbox_sent_at", "outbox")
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at"], sqlite_where=sent, postgresql_where=sent)
