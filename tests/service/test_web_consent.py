"""Between Cronofy's consent and *Link it*: whose calendar to whom, and nothing kept before (R45)."""

import re
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from contracts.cronofy_accounts import TokenGrant
from service.integrations.linking.consents import ConsentHolder, Consents
from service.integrations.ownership import Person
from service.keeper import unanswered_consents
from service.store.people.consents import MOST_BEGUN
from service.store.tables import consents, credentials, integrations
from tests.support.office import EMAIL, Office
from tests.support.pages import ShownPage

CONNECT = "/calendar-sync/connect"


async def asked(office: Office, headers: dict[str, str] | None = None) -> httpx.Response:
    """The question, for whoever has a session, or comes by these headers."""
    away = await office.client.get(CONNECT, headers=headers)
    return await office.client.get(await office.authorise(away.headers["Location"]), headers=headers)


async def is_granted(office: Office) -> bool:
    """Whether the permission still stands at Cronofy."""
    (profile,) = office.world.profiles(EMAIL)
    return not profile.account.revoked


async def test_r45_the_page_says_whose_calendar_goes_to_whom_and_keeps_nothing(office: Office) -> None:
    """Finding 3: an attacker's link must not lead a victim's calendar into the attacker's account."""
    await office.sign_in(name="Mallory Attacker")
    answer = await asked(office)
    page = ShownPage(answer)
    assert answer.status_code == 200
    assert f"the calendars of {EMAIL} (Google)" in page.words
    assert "linked to Mallory Attacker (u-17) of acme in Vorex" in page.words
    assert await office.rows(integrations) == []
    assert await office.rows(credentials) == []
    (row,) = await office.rows(consents)
    for token in (*office.world.access_tokens, *office.world.refresh_tokens):
        assert token not in str(row)
        assert token not in answer.text
    assert row["expires_at"] - office.clock.now().timestamp() == 600


async def test_r45_link_it_links_once(office: Office) -> None:
    await office.sign_in()
    question = await asked(office)
    first = await office.answered(question)
    (row,) = await office.rows(integrations)
    assert first.headers["Location"] == f"/calendar-sync/{row['id']}/settings/linked-calendar"
    for answer in ("link", "leave"):
        assert (await office.answered(question, answer)).status_code == 404
    assert len(await office.rows(integrations)) == 1
    assert await office.rows(consents) == []
    assert await is_granted(office)


@pytest.mark.parametrize("answer", ["leave", "", "anything"])
async def test_r45_any_other_answer_gives_the_permission_back(answer: str, office: Office) -> None:
    await office.sign_in()
    question = await asked(office)
    told = await office.answered(question, answer)
    assert (told.status_code, told.headers["Location"]) == (303, "/calendar-sync?notice=declined")
    assert "Nothing was linked." in (await office.client.get(told.headers["Location"])).text
    assert not await is_granted(office)
    for table in (integrations, credentials, consents):
        assert await office.rows(table) == []
    assert (await office.answered(question)).status_code == 404


async def test_r45_only_the_session_that_began_may_answer(office: Office) -> None:
    """Another person's, the same person's on another device, a Bearer token, and nobody."""
    await office.sign_in()
    question = await asked(office)
    mine = dict(office.client.cookies)
    form, _ = ShownPage(question).form("Link it")
    given = {**form.fields, "answer": "link"}
    for headers in (office.bearer("u-22"), office.bearer()):
        assert (await office.client.post(form.action, data=given, headers=headers)).status_code == 404
    office.client.cookies.clear()
    assert (await office.client.post(form.action, data=given)).status_code == 401
    for user in ("u-22", "u-17"):
        office.client.cookies.clear()
        await office.sign_in(user)
        own = ShownPage(await office.client.get("/calendar-sync")).forms[0].fields["csrf_token"]
        for token, status in ((given["csrf_token"], 403), (own, 404)):
            sent = {**given, "csrf_token": token}
            assert (await office.client.post(form.action, data=sent)).status_code == status
    office.client.cookies.clear()
    office.client.cookies.update(mine)
    assert (await office.client.post(form.action, data={**given, "csrf_token": "0"})).status_code == 403
    assert await office.rows(integrations) == []
    assert (await office.answered(question)).status_code == 303


async def test_r45_a_session_that_was_ended_links_nothing(office: Office) -> None:
    await office.sign_in()
    question = await asked(office)
    await office.client.delete("/api/v1/sessions")
    assert (await office.answered(question)).status_code == 401
    assert await office.rows(integrations) == []


async def test_with_a_bearer_token_the_question_is_the_same(office: Office) -> None:
    """Whoever began with a token answers with one of the same person, or in the browser that left."""
    headers = office.bearer()
    question = await asked(office, headers)
    stranger = office.bearer("u-22")
    assert (await office.answered(question, headers=stranger)).status_code == 404
    assert (await office.answered(question, headers=headers)).status_code == 303
    question = await asked(office, office.bearer("u-22"))
    assert (await office.answered(question)).status_code == 303
    assert {row["user_id"] for row in await office.rows(integrations)} == {"u-17", "u-22"}


@pytest.mark.parametrize(("seconds", "status"), [(599, 303), (600, 404)])
async def test_r45_a_question_expires_and_the_keeper_gives_the_permission_back(
    seconds: int, status: int, office: Office
) -> None:
    await office.sign_in()
    question = await asked(office)
    await office.clock.pass_time(seconds)
    await unanswered_consents(office.parts.consents.tidy).work()
    assert await is_granted(office) is (status == 303)
    assert (await office.answered(question)).status_code == status


async def test_a_permission_that_cronofy_did_not_take_back_is_taken_back_later(office: Office) -> None:
    await office.sign_in()
    question = await asked(office)
    office.wire.broken.add("POST /oauth/token/revoke")
    assert (await office.answered(question, "leave")).status_code == 303
    chore = unanswered_consents(office.parts.consents.tidy)
    await chore.work()
    assert await is_granted(office)
    office.wire.broken.clear()
    await chore.work()
    assert not await is_granted(office)
    assert await office.rows(consents) == []


async def test_tokens_that_nobody_takes_back_are_not_kept_for_ever(office: Office) -> None:
    await office.sign_in()
    await asked(office)
    office.wire.broken.add("POST /oauth/token/revoke")
    await office.clock.pass_time(600 + 3601)
    await office.parts.consents.tidy()
    assert len(await office.rows(consents)) == 1, "the keeper came late: its first try is not the last"
    await office.clock.pass_time(3601)
    with capture_logs() as lines:
        await office.parts.consents.tidy()
    assert await office.rows(consents) == []
    assert "grant.abandoned" in [line["event"] for line in lines]


async def test_r45_a_permission_is_not_taken_back_while_it_is_being_linked(office: Office) -> None:
    """*Link it* in the last second, and the keeper comes before the integration is there."""
    await office.sign_in()
    await asked(office)
    (row,) = await office.rows(consents)
    await office.clock.pass_time(599)

    async def slowly(_person: Person, _grant: TokenGrant) -> str:
        await office.clock.pass_time(60)
        await office.parts.consents.tidy()
        return "made"

    here = Consents(
        store=office.store,
        gateway=office.gateway,
        keeper=office.tokens,
        link=slowly,
        asking=lambda _owner: nullcontext(),
        redirect_uri="https://vorex.test/back",
    )
    assert await here.link(row["id"], ConsentHolder(session_id=row["session_id"])) == "made"
    assert await is_granted(office)


async def test_what_was_being_linked_when_its_process_died_is_taken_back(office: Office) -> None:
    await office.sign_in()
    await asked(office)
    async with office.store.begin() as connection:
        now = await office.store.now(connection)
        await connection.execute(update(consents).values(stage="linking", expires_at=now + 300))
    await office.clock.pass_time(301)
    await office.parts.consents.tidy()
    assert not await is_granted(office)


async def test_r41_a_permission_of_whoever_is_being_erased_is_given_back_with_what_cronofy_keeps(
    office: Office,
) -> None:
    await office.finished()
    (row,) = await office.rows(integrations)
    await office.sign_in("u-22")
    question = await asked(office)
    await office.parts.erasure.begin(row["sub"])
    await office.answered(question, "leave")
    (profile,) = office.world.profiles(EMAIL)
    assert (profile.account.revoked, profile.account.erased) == (True, True)


@pytest.mark.parametrize(
    "damaged",
    [{"granted": "5"}, {"profile": "some"}, {"profile": ["some"]}, {"profile": {"profile_id": ["some"]}}],
    ids=str,
)
async def test_r44_an_answer_that_cannot_be_read_hinders_no_other(
    office: Office, damaged: dict[str, Any]
) -> None:
    """It is tried for an hour, and then it goes."""
    await office.sign_in()
    await asked(office)
    if "granted" in damaged:
        damaged = {"granted": office.tokens.seal_text(damaged["granted"])}
    async with office.store.begin() as connection:
        await connection.execute(update(consents).values(sub="acc_of_another", **damaged))
    await office.clock.pass_time(1)
    await asked(office)

    await office.clock.pass_time(601)
    await office.parts.consents.tidy()
    assert not await is_granted(office)
    assert [row["sub"] for row in await office.rows(consents)] == ["acc_of_another"]
    await office.clock.pass_time(3601)
    await office.parts.consents.tidy()
    assert await office.rows(consents) == []


async def test_r1_declining_takes_nothing_from_a_colleague_on_the_same_account(office: Office) -> None:
    theirs = await office.finished("u-22")
    await office.sign_in()
    await office.answered(await asked(office), "leave")
    await asked(office)
    await office.clock.pass_time(600)
    await office.parts.consents.tidy()
    assert await is_granted(office)
    assert await office.calendars(theirs, "u-22")


async def test_one_of_two_questions_about_an_account_can_be_declined(office: Office) -> None:
    """The other's permission is the same account's."""
    await office.sign_in()
    first, second = await asked(office), await asked(office)
    await office.answered(first, "leave")
    assert await is_granted(office)
    assert (await office.answered(second)).status_code == 303
    assert await is_granted(office)


async def test_r22_reconnecting_says_what_comes_back(office: Office) -> None:
    integration_id = await office.finished()
    office.world.revoke(EMAIL)
    office.world.expire_access_tokens()
    await office.clock.pass_time(3600)
    await office.accounts.look(integration_id)
    await office.sign_in()
    question = await asked(office)
    assert "This reconnects Calendar" in " ".join(ShownPage(question).words.split())
    (row,) = await office.rows(integrations)
    assert row["status"] == "not_connected"
    answer = await office.answered(question)
    assert answer.headers["Location"].startswith(f"/calendar-sync/{integration_id}/")
    (row,) = await office.rows(integrations)
    assert row["status"] == "connected"


async def test_r45_the_state_says_nothing_of_anybody(office: Office) -> None:
    """Finding 13: it carried name and e-mail. Its row in the store carries neither, too."""
    await office.sign_in(name="Sam Secret", email="sam.secret@example.test")
    away = await office.client.get(CONNECT)
    query = parse_qs(urlsplit(away.headers["Location"]).query)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", query["state"][0])
    (row,) = await office.rows(consents)
    for told in (str(row), away.headers["Location"]):
        assert "ecret" not in told
    assert query["state"][0] not in str(row)


async def test_the_proof_key_is_another_each_time_and_must_be_met(office: Office) -> None:
    """PKCE: a code alone is worth nothing (CRONOFY.md C51)."""
    await office.sign_in()
    places = [(await office.client.get(CONNECT)).headers["Location"] for _ in range(2)]
    one, other = (parse_qs(urlsplit(place).query)["code_challenge"][0] for place in places)
    assert one != other
    mixed = places[0].replace(one, other)
    assert (await office.client.get(await office.authorise(mixed))).status_code == 400
    assert (await office.client.get(await office.authorise(places[1]))).status_code == 200


async def test_a_person_has_only_so_many_begun(office: Office) -> None:
    await office.sign_in()
    for _ in range(MOST_BEGUN + 5):
        await office.client.get(CONNECT)
    assert len(await office.rows(consents)) == MOST_BEGUN
    assert (await asked(office)).status_code == 200


async def test_a_state_that_nobody_brings_back_is_forgotten(office: Office) -> None:
    await office.sign_in()
    away = await office.client.get(CONNECT)
    back = await office.authorise(away.headers["Location"])
    await office.clock.pass_time(3600)
    assert (await office.client.get(back)).status_code == 400
    await office.parts.consents.tidy()
    assert await office.rows(consents) == []
