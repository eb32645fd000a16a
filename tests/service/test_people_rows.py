"""What is kept of people, on both engines: a whole way in, to Cronofy and out (R45)."""

from datetime import timedelta

from contracts.envelope import SessionRevoked
from contracts.messages import PersonData
from service.consumers.failures import ReceivedMessage
from service.keeper import forgetting
from service.store.tables import consents, integrations, revocations, sessions
from tests.support.office import open_office


async def test_r45_in_to_cronofy_and_out_again(database_url: str) -> None:
    async with open_office(database_url) as office:
        await office.sign_in()
        await office.clock.pass_time(61)
        away = await office.client.get("/calendar-sync/connect")
        asked = await office.client.get(await office.authorise(away.headers["Location"]))
        assert (await office.answered(asked)).status_code == 303
        assert len(await office.rows(integrations)) == 1
        assert await office.rows(consents) == []
        (session,) = await office.rows(sessions)
        assert session["seen_at"] == session["since"] + 61
        data = PersonData(tenant_id="acme", user_id="u-17")
        for number in (2, 1):
            said_at = office.clock.now() - timedelta(seconds=number)
            told = SessionRevoked.of(data, id=f"m-{number}", time=said_at, source="/vorex/acme")
            await office.parts.people(ReceivedMessage(message=told))
        assert await office.rows(sessions) == []
        (revoked,) = await office.rows(revocations)
        assert revoked["revoked_at"] == office.clock.now().timestamp() - 1


async def test_r45_what_is_over_is_forgotten(database_url: str) -> None:
    """A session with its end; a revocation when no token from before it can live any more."""
    async with open_office(database_url) as office:
        await office.sign_in()
        data = PersonData(tenant_id="acme", user_id="u-22")
        told = SessionRevoked.of(data, id="m", time=office.clock.now(), source="/vorex/acme")
        await office.parts.people(ReceivedMessage(message=told))
        chores = {one.name: one for one in forgetting(office.store, inbox_days=30, log_days=90)}
        for hours, left in ((11, (1, 1)), (1.01, (0, 1)), (24, (0, 1)), (12, (0, 0))):
            await office.clock.pass_time(hours * 3600)
            for name in ("old sessions", "old revocations"):
                await chores[name].work()
            kept = (len(await office.rows(sessions)), len(await office.rows(revocations)))
            assert kept == left
