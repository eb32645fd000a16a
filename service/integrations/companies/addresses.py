"""What Vorex says of a person's address, beside the mailbox that an administrator named as theirs."""

from service.integrations.companies.ending import log_act
from service.store.engine.store import AsyncConnection, Store
from service.store.people import company_people
from service.store.tables.company_stages import PersonStage

OTHER_ADDRESS_SAID = (
    "Vorex names another address for this person than that of this mailbox, which administrator {} chose."
)


async def hear_address(
    store: Store, connection: AsyncConnection, tenant_id: str, user_id: str, email: str
) -> None:
    """Note it; where it is not the mailbox that is connected, the log of that tells who chose it."""
    if not email:
        return
    person = await company_people.vouch(connection, tenant_id, user_id, email=email)
    if person is None or person.vouched or person.stage != PersonStage.CONNECTED:
        return
    integration_id = person.integration_id or ""
    if await company_people.lives(connection, integration_id):
        await log_act(
            store, connection, integration_id, OTHER_ADDRESS_SAID.format(person.chosen_by or "unknown")
        )
