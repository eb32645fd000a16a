"""The facts that this service tells of integrations, ready for the outbox."""

from datetime import datetime

from contracts.calendar import Integration, Reason
from contracts.envelope import IntegrationChanged
from contracts.messages import IntegrationChange, IntegrationData
from contracts.ports import Outgoing
from service.store.engine.ids import new_id
from service.store.messages.outbox import outgoing


def integration_changed(
    integration: Integration, change: IntegrationChange, *, now: datetime, reason: Reason | None = None
) -> Outgoing:
    """Nobody has to hear it, so it is not mandatory."""
    data = IntegrationData(
        tenant_id=integration.tenant_id,
        user_id=integration.user_id,
        integration_id=integration.id,
        change=change,
        reason=reason.value if reason else None,
    )
    message = IntegrationChanged.of(data, id=new_id(), time=now)
    return outgoing(message, mandatory=False)
