"""What Cronofy answers about a company and its people: counted once, verified first, waited for (R45)."""

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from service.demo.simulator.api import grants
from service.demo.simulator.calendars import linking
from service.integrations.companies.people_given import people_of
from service.integrations.refusals import Invalid
from service.store.integrations.sealed_tokens import SealedTokens
from service.store.tables import company_calendars, company_people, credentials
from tests.support.company import ADMINISTRATOR, COMPANY, Company
from tests.support.office import CLIENT_SECRET

ANN, BOB, EVE = "ann, ann@fabrikam.example", "bob, bob@fabrikam.example", "eve; eve@fabrikam.example"


async def test_company_answer_counts_once_and_only_with_the_state_that_was_asked_with(
    company: Company,
) -> None:
    """Repeated, of another person or tenant, with a guess or without a state: nothing changes."""
    await company.connect()
    await company.choose(ANN, BOB)
    company.deaf = True
    await company.office.parts.company_steps.round()
    await company.office.world.advance(1)
    ann, bob = await company.person("ann"), await company.person("bob")
    said = [company.code_of(place) for place in range(2)]
    of_ann = next(one for place, one in enumerate(said) if ann["id"] in company.calls[place][0])
    of_bob = next(one for one in said if one is not of_ann)
    before = await company.office.rows(company_people)

    hostile = [
        (ann["id"], of_bob),  # signed by Cronofy, for somebody else
        (ann["id"], {**of_ann, "state": "guess"}),
        (str(uuid4()), of_ann),
        ("x", of_ann),
    ]
    for person_id, answer in hostile:
        assert (await company.tell(person_id, answer)).status_code == 202
    odd_ones: list[Any] = [{"code": of_ann["code"]}, {"state": 5}, [], "x"]
    for odd in odd_ones:
        assert (await company.tell(ann["id"], odd)).status_code == 400
    assert await company.office.rows(company_people) == before

    assert (await company.tell(ann["id"], of_ann)).status_code == 202
    after = await company.office.rows(company_people)
    assert (await company.person("ann"))["stage"] == "answered"
    assert (await company.tell(ann["id"], of_ann)).status_code == 202
    refusal = {"error": "access_denied", "state": of_ann["state"]}
    assert (await company.tell(ann["id"], refusal)).status_code == 202
    assert await company.office.rows(company_people) == after
    assert bob["stage"] == "asked"


@pytest.mark.parametrize(
    ("body", "secret", "status"),
    [
        (b"x" * (64 * 1024 + 1), CLIENT_SECRET, 413),
        (b"{}", "not the secret", 401),
        (b"no json", "not the secret", 401),
        (b"no json", CLIENT_SECRET, 400),
        (b"[" * 60_000, CLIENT_SECRET, 400),
        (b"[]", CLIENT_SECRET, 400),
        (b'{"authorization": null}', CLIENT_SECRET, 400),
    ],
)
async def test_company_answer_is_bounded_and_verified_before_it_is_read(
    small: Company, body: bytes, secret: str, status: int
) -> None:
    """Size, then signature, then form; what fits no secret is not told whether it could be read."""
    answer = await small.tell(str(uuid4()), None, secret=secret, raw=body)
    assert answer.status_code == status
    assert answer.json()["detail"] == HTTPStatus(status).description


async def test_company_answer_without_a_signature_is_refused(small: Company) -> None:
    """Whatever it says."""
    address = f"/calendar-sync/company-answers/{uuid4()}"
    assert (await small.office.client.post(address, json={"authorization": {}})).status_code == 401


async def test_company_consent_is_good_once_and_for_its_own_session_alone(small: Company) -> None:
    """Neither another administrator, nor another session of the same, nor another tenant brings it back."""
    office = small.office
    await office.sign_in("vera", **ADMINISTRATOR)
    away = await office.client.get(f"{COMPANY}/connect")
    back = await small.allowed(away.headers["Location"])
    for user, tenant in (("boss", "acme"), ("vera", "globex"), ("vera", "acme")):
        await office.sign_in(user, tenant, **ADMINISTRATOR)
        assert (await office.client.get(back)).status_code == 400
    assert [row["sub"] for row in await office.rows(company_calendars)] == [None]

    away = await office.client.get(f"{COMPANY}/connect")
    back = await small.allowed(away.headers["Location"])
    assert (await office.client.get(back)).status_code == 303
    (row,) = await office.rows(company_calendars)
    assert (row["domain"], row["connected_by"], row["state_hash"]) == ("fabrikam.example", "vera", None)
    assert (await office.client.get(back)).status_code == 400


async def test_company_consent_refused_at_cronofy_saves_nothing(small: Company) -> None:
    """And says so."""
    answer = await small.connect(choice="refuse")
    assert answer.headers["Location"].endswith("complaint=refused")
    assert [row["sub"] for row in await small.office.rows(company_calendars)] == [None]
    assert "Whom to connect" not in await small.page()


async def test_company_consent_is_never_the_permission_of_one_person(small: Company) -> None:
    """The code of a person's own account opens no domain, and its tokens are not kept."""
    office = small.office
    await office.sign_in("vera", **ADMINISTRATOR)
    away = await office.client.get(f"{COMPANY}/connect")
    asked = dict(parse_qsl(urlsplit(away.headers["Location"]).query))
    world = office.world
    profile = linking.link(
        world, world.applications["sync"], world.mailbox("ann@fabrikam.example"), "read_events"
    )
    code = grants.issue_code(
        world, profile, "read_events", asked["redirect_uri"], challenge=asked["code_challenge"]
    )
    answer = await office.client.get(f"{COMPANY}/callback", params={"state": asked["state"], "code": code})
    assert answer.headers["Location"].endswith("complaint=no_domain")
    assert await office.rows(credentials) == []
    assert all(one.revoked for one in world.accounts.values())


async def test_company_tokens_are_encrypted_and_rotated_with_all_others(small: Company) -> None:
    """The domain's among the credentials, a code and a grant under way in the person's own row."""
    await small.connect()
    await small.choose(ANN)
    await small.office.parts.company_steps.round()
    await small.office.world.rest()
    code = small.code_of()["code"]
    (row,) = await small.office.rows(company_people)
    assert row["stage"] == "answered"
    assert code not in str(row)
    (tokens,) = await small.office.rows(credentials)
    assert tokens["sub"].startswith("ser_")
    assert "tok" not in tokens["refresh_token"][:3]
    older, newer = small.office.key, Fernet.generate_key().decode()
    assert await SealedTokens(small.office.store, [newer, older]).rotate() == 2
    (row,) = await small.office.rows(company_people)
    assert Fernet(newer).decrypt(row["answer"]).decode() == code


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "at least one"),
        ("ann", "e-mail"),
        ("ann, ann", "e-mail"),
        ("ann, a@x.example\nann, b@x.example", "person who is in the list"),
        ("ann, a@x.example\nbob, A@x.example", "mailbox that is in the list"),
        ("\n".join(f"u{n}, u{n}@x.example" for n in range(501)), "at most 500"),
        ("x" * 70_000, "characters"),
        (f"{'u' * 300}, a@x.example", "user id"),
        ("a\x07b, a@x.example", "user id"),
        ("ann, <script>@x.example", "e-mail"),
    ],
)
def test_company_list_of_people_is_bounded_and_checked(text: str, rule: str) -> None:
    """Nobody is added where one line is wrong."""
    with pytest.raises(Invalid, match=rule):
        people_of(text)


def test_company_list_is_read_in_the_forms_in_which_lists_are_pasted() -> None:
    """Commas, semicolons, tabs or blanks; user ids may hold blanks."""
    text = "ann, Ann@X.example\n\nbob;bob@x.example\neve\teve@x.example\nu 17  sam@x.example\n"
    assert [(one.user_id, one.email) for one in people_of(text)] == [
        ("ann", "ann@x.example"),
        ("bob", "bob@x.example"),
        ("eve", "eve@x.example"),
        ("u 17", "sam@x.example"),
    ]


async def test_company_people_who_get_no_answer_are_asked_again_and_then_said_to_have_failed(
    small: Company,
) -> None:
    """By a new state each time: an answer to an earlier one changes nothing."""
    await small.connect()
    await small.choose(ANN)
    small.deaf = True
    for _ in range(3):
        await small.office.parts.company_steps.round()
        await small.office.world.advance(1)
        await small.office.clock.pass_time(3601)
    await small.office.parts.company_steps.round()
    assert await small.stages() == {"ann": ("failed", "no_answer")}
    assert (await small.tell((await small.person("ann"))["id"], small.code_of(0))).status_code == 202
    assert await small.stages() == {"ann": ("failed", "no_answer")}


async def test_company_steps_wait_while_cronofy_is_silent(small: Company) -> None:
    """Nothing is lost, nobody has failed, and it goes on by itself."""
    await small.connect()
    await small.choose(ANN)
    small.office.world.faults.change(next_errors=1, error_status=503)
    await small.office.parts.company_steps.round()
    assert (await small.stages())["ann"][0] == "chosen"
    await small.office.clock.pass_time(60)
    await small.steps()
    assert await small.stages() == {"ann": ("connected", None)}


async def test_company_code_that_cannot_be_exchanged_hinders_no_other(small: Company) -> None:
    """Whatever Cronofy says of it: that person has failed, and the round goes on."""
    await small.connect()
    await small.choose(ANN, BOB)
    await small.office.parts.company_steps.round()
    await small.office.world.rest()
    small.office.world.faults.change(next_errors=1, error_status=403)
    await small.steps()
    assert sorted((await small.stages()).values()) == [("connected", None), ("failed", "other")]


async def test_company_address_that_cronofy_refuses_spoils_no_other(small: Company) -> None:
    """Cronofy refuses a request whole; then each is asked for alone."""
    await small.connect()
    await small.choose(ANN, BOB)
    small.office.world.faults.change(next_errors=1, error_status=422)
    await small.steps()
    assert await small.stages() == {"ann": ("connected", None), "bob": ("connected", None)}


async def test_company_permission_that_has_ended_is_said_for_everybody_asked_for(small: Company) -> None:
    """Connecting once more and trying again brings them in."""
    await small.connect()
    await small.choose(ANN)
    for account in small.office.world.accounts.values():
        if account.kind == "service_account":
            grants.revoke_account(small.office.world, account)
    await small.steps()
    assert await small.stages() == {"ann": ("failed", "access_ended")}
    await small.connect()
    await small.send(f"{COMPANY}/retry")
    await small.steps()
    assert await small.stages() == {"ann": ("connected", None)}
