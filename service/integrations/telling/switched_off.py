"""From which entry of its log the deactivation of an integration can be undone (R50)."""

from contracts.calendar import Integration
from service.integrations.companies.addresses import OTHER_ADDRESS_SAID
from service.integrations.sign_outs import SIGNED_OUT_THEMSELVES, signed_out_words
from service.integrations.tenants.acts import ACTS_SAID
from service.store.engine.store import AsyncConnection
from service.store.logs import logs

SWITCHES_NOTHING = (
    signed_out_words("{}"),
    SIGNED_OUT_THEMSELVES,
    OTHER_ADDRESS_SAID,
    ACTS_SAID["cancel"],
    ACTS_SAID["keep"],
    ACTS_SAID["carry_out"],
)
"""What the log may say of a whole integration, or its person, without having switched it."""


async def switched_off(connection: AsyncConnection, integration: Integration) -> str | None:
    """The entry's id, while the integration rests; what watched is begun by no Undo."""
    if integration.at_work:
        return None
    passed_over = [sentence.partition("{")[0] for sentence in SWITCHES_NOTHING]
    return await logs.switched_off(connection, integration.id, passed_over=passed_over)
