"""The keeper finds what it looks after without a look at every integration.

Revision ID: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it has a few more indexes to keep."""


def upgrade() -> None:
    _partial("ix_integration_state_unread", "noticed_at", "noticed_since IS NOT NULL OR reading_since IS NOT NULL")
    _partial("ix_integration_state_delayed", "integration_id", "delayed_since IS NOT NULL")
    op.create_index("ix_integration_state_full_read_at", "integration_state", ["full_read_at"])
    _partial(
        "ix_integrations_no_channel",
        "id",
        "channel_id IS NULL AND deleted_at IS NULL AND finished_at IS NOT NULL",
    )
    _partial("ix_integrations_not_connected", "id", "status = 'not_connected' AND deleted_at IS NULL")


def _partial(name: str, column: str, where: str) -> None:
    table = "integration_state" if name.startswith("ix_integration_state") else "integrations"
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    op.drop_index("ix_integrations_not_connected", "integrations")
    op.drop_index("ix_integrations_no_channel", "integrations")
    op.drop_index("ix_integration_state_full_read_at", "integration_state")
    op.drop_index("ix_integration_state_delayed", "integration_state")
    op.drop_index("ix_integration_state_unread", "integration_state")
