"""Names and addresses that an administrator gives are plain ones, whatever is sent (R43)."""

from collections.abc import AsyncIterator

import pytest

from service.integrations.companies.people_given import people_of
from service.integrations.refusals import Invalid
from tests.service.test_web_pages_calendar import keep
from tests.support.company import ADMINISTRATOR, COMPANY, Company, open_company
from tests.support.pages import ShownPage

API = "/api/v1/company-calendar/people"
ODD = {
    "zero": "\0",
    "direction": "\u202e",
    "mark": "\u200f",
    "isolate": "\u2066",
    "escape": "\x1b[2J",
    "bell": "\x07",
    "delete": "\x7f",
    "another escape": "\x9b2J",
    "nothing to see": "\u200b",
    "tag": "\U000e0041",
    "private": "\ue000",
    "no character": "\uffff",
}


@pytest.fixture
async def company(database_url: str) -> AsyncIterator[Company]:
    async with open_company(database_url) as opened:
        await opened.connect()
        yield opened


async def test_r43_of_odd_characters_no_mailbox_and_no_user_is_made(company: Company) -> None:
    """Neither by the page nor by the API; nor is it a fault of ours."""
    office = company.office
    headers = office.bearer("vera", **ADMINISTRATOR, jti=None)
    for name, odd in ODD.items():
        for user, email in ((f"a{odd}n", "ann@fabrikam.example"), ("ann", f"a{odd}n@fabrikam.example")):
            people = {"people": [{"user_id": user, "email": email}]}
            by_api = await office.client.post(API, json=people, headers=headers)
            assert by_api.status_code == 422, (name, user, email)
            ticked = await company.send(f"{COMPANY}/people", user=user, **{f"email-{user}": email})
            pasted = await company.choose(f"{user}, {email}")
            assert (ticked.status_code, pasted.status_code) == (422, 422), (name, user, email)
    assert await company.stages() == {}
    assert (await company.choose("ann, ann@fabrikam.example")).status_code == 303


@pytest.mark.parametrize("email", ["m\u00fcller@fabrikam.example", "\u212aate@fabrikam.example"])
async def test_r45_of_a_mailbox_no_database_knows_small_letters_that_others_do_not(email: str) -> None:
    """Whose it is already is asked of the database, which folds no other letters than those of ASCII."""
    with pytest.raises(Invalid, match="must end with an e-mail address"):
        people_of(f"ann, {email}")


@pytest.mark.parametrize("user", ["ann", "DOE, Jane", "a  b"])
async def test_what_is_wrong_with_one_costs_none_of_what_was_typed(user: str, company: Company) -> None:
    """The line of the list is named by its own number, and who was ticked by their id; all is still there."""
    office = company.office
    await keep(office, "task", "1", assignees=[user])
    ticked = {"user": user, f"email-{user}": "ann@fabrikam.example"}
    page = ShownPage(await company.send(f"{COMPANY}/people", people="bob nobody", **ticked))
    assert (page.status, "Line 1 must end with an e-mail address." in page.words) == (422, True)
    (form,) = [one for one in page.forms if one.action == f"{COMPANY}/people"]
    assert form.fields["people"] == "bob nobody"
    assert (user, True) in form.boxes["user"]
    assert form.fields[f"email-{user}"] == "ann@fabrikam.example"

    page = ShownPage(await company.send(f"{COMPANY}/people", user=user, **{f"email-{user}": "nobody"}))
    assert f"{' '.join(user.split())} needs an e-mail address." in " ".join(page.words.split())

    assert (await company.send(f"{COMPANY}/people", **ticked)).status_code == 303
    assert [*(await company.stages())] == [user]
