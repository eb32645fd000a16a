"""*Administration* for people without script: list, filters, one or many acts, a person, a log (R47)."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import insert, update

from service.store.engine.ids import new_id
from service.store.tables import integrations, items, log_entries, sessions
from tests.support.office import Office, open_office
from tests.support.pages import BROWSER, Browser

BOSS = {"role": "administrator"}


async def _administrator(office: Office) -> Browser:
    office.count_no_changes()
    await office.sign_in("boss", **BOSS)
    return Browser(client=office.client)


async def _active(office: Office) -> dict[str, bool]:
    return {
        row["user_id"]: row["active"]
        for row in await office.rows(integrations)
        if row["deleted_at"] is None
    }  # fmt: skip


async def _ids(office: Office) -> dict[str, str]:
    return {row["user_id"]: row["id"] for row in await office.rows(integrations)}


async def test_r47_many_are_paused_after_a_question_and_that_is_undone(office: Office) -> None:
    for who in ("u-17", "u-22", "u-33"):
        await office.finished(who)
    browser = await _administrator(office)
    page = await browser.open("/administration")
    assert "u-22" in page.words
    ids = await _ids(office)
    chosen = urlencode([("chosen", ids["u-17"]), ("chosen", ids["u-22"]), ("verb", "pause")])
    page = await browser.open(f"/administration/confirm?{chosen}")
    assert "Pause 2 integrations?" in page.words
    assert await _active(office) == {"u-17": True, "u-22": True, "u-33": True}

    page = await browser.press("Pause 2 integrations")
    assert "2 integrations were paused" in page.words
    assert await _active(office) == {"u-17": False, "u-22": False, "u-33": True}
    page = await browser.press("Undo")
    assert "2 integrations were resumed" in page.words
    assert await _active(office) == {"u-17": True, "u-22": True, "u-33": True}
    reasons = [row["reason"] for row in await office.rows(log_entries)]
    assert reasons.count("Paused by administrator boss.") == 2
    assert reasons.count("Resumed by administrator boss.") == 2


async def test_r47_all_that_match_are_asked_about_together(office: Office) -> None:
    """Only those that the verb would change are counted."""
    for who in ("u-17", "u-22", "u-33"):
        await office.finished(who)
    browser = await _administrator(office)
    async with office.store.begin() as connection:
        lost = {"status": "not_connected", "reason": "calendar_missing"}
        await connection.execute(update(integrations).where(integrations.c.user_id == "u-33").values(**lost))
    page = await browser.open("/administration/confirm?every=1&verb=pause&status=connected")
    assert "Pause 2 integrations?" in page.words
    await browser.press("Pause 2 integrations")
    assert await _active(office) == {"u-17": False, "u-22": False, "u-33": True}
    page = await browser.open("/administration/confirm?every=1&verb=pause&status=connected")
    assert page.path == "/administration"
    assert "Nothing of it can be changed" in page.words


async def test_r47_who_was_told_of_others_changes_nothing(office: Office) -> None:
    await office.finished("u-17")
    await office.finished("u-22")
    browser = await _administrator(office)
    await browser.open("/administration/confirm?every=1&verb=delete")
    ids = await _ids(office)
    form, _ = browser.page.form("Delete 2 integrations")
    other = await browser.press("Delete 2 integrations", changes={"ids": ids["u-17"]})
    assert "Other integrations would be meant by now" in other.words
    assert len(await _active(office)) == 2
    assert form.fields["expect"] == "2"
    await browser.open("/administration/confirm?every=1&verb=delete")
    page = await browser.press("Delete 2 integrations")
    assert "2 integrations were deleted" in page.words
    assert await _active(office) == {}


async def test_r47_a_person_is_one_page_and_is_signed_out_everywhere(office: Office) -> None:
    mine = await office.finished("u-17")
    await office.sign_in("u-17")
    theirs = dict(office.client.cookies)
    office.client.cookies.clear()
    browser = await _administrator(office)
    page = await browser.open("/administration/person?who=u-17")
    assert "Linked calendars" in page.words
    assert page.link("Log: Calendar of u-17") == f"/administration/integrations/{mine}"
    page = await browser.press("Sign out everywhere")
    assert "That person is signed out on every device." in page.words
    assert "Not signed in on any device." in page.words
    office.client.cookies.clear()
    office.client.cookies.update(theirs)
    assert (await office.client.get("/calendar-sync", follow_redirects=False)).status_code == 401


async def test_r47_what_its_owner_switched_since_is_not_taken_back(office: Office) -> None:
    """Also where it stands again as the act left it, for by now its owner wants it so."""
    mine = await office.finished("u-17")
    await office.finished("u-22")
    browser = await _administrator(office)
    await browser.open("/administration/confirm?every=1&verb=pause")
    await browser.press("Pause 2 integrations")
    address, owner = f"/api/v1/integrations/{mine}", office.bearer("u-17")
    for verb in ("activate", "deactivate"):
        await office.clock.pass_time(1)
        answer = await office.client.post(f"{address}/{verb}", headers=owner)
        assert answer.status_code == 200
    page = await browser.press("Undo")
    assert "1 integration was resumed" in page.words
    assert await _active(office) == {"u-17": False, "u-22": True}


async def test_r47_signing_out_ends_tokens_and_links_too_and_the_person_is_told(office: Office) -> None:
    await office.finished("u-17")
    issued: dict[str, Any] = {"iat": office.clock.now().timestamp()}
    bearer, link = office.bearer("u-17", **issued), office.token("u-17", **issued)
    browser = await _administrator(office)
    await browser.open("/administration/person?who=u-17")
    await browser.press("Sign out everywhere")
    said = [row["reason"] for row in await office.rows(log_entries) if row["trigger"] == "operator"]
    assert said == ["Signed out everywhere by administrator boss."]
    office.client.cookies.clear()
    assert (await office.client.get("/api/v1/integrations", headers=bearer)).status_code == 401
    assert (await office.client.get("/sign-in", params={"token": link})).status_code == 401


async def test_r47_an_administrator_signs_out_no_operator(office: Office) -> None:
    """Whose role is wider; another operator does."""
    await office.sign_in("op-1", role="operator")
    office.client.cookies.clear()
    browser = await _administrator(office)
    await browser.open("/administration/person?who=op-1")
    page = await browser.press("Sign out everywhere")
    assert "This person is an operator: only an operator can sign them out." in page.words
    assert {row["user_id"] for row in await office.rows(sessions)} == {"op-1", "boss"}
    office.client.cookies.clear()
    await office.sign_in("op-2", role="operator")
    browser = Browser(client=office.client)
    await browser.open("/administration/person?who=op-1")
    await browser.press("Sign out everywhere")
    assert {row["user_id"] for row in await office.rows(sessions)} == {"boss", "op-2"}


@pytest.mark.postgresql
async def test_r47_a_broken_id_is_no_id(postgresql_url: str) -> None:
    """PostgreSQL keeps no U+0000, and takes no text for it."""
    async with open_office(postgresql_url) as office:
        mine = await office.finished("u-17")
        browser = await _administrator(office)
        page = await browser.open(f"/administration/confirm?chosen={mine}&verb=pause")
        token = {"csrf_token": page.forms[-1].fields["csrf_token"]}
        sent = {"verb": "pause", "ids": mine, "expect": "1", "who": "u-17"}
        answers = {}
        for bad in ("a\0b", "\0", "x" * 5_000, "..", "\ud800"):
            given = quote(bad.encode("utf-8", "surrogatepass"), safe="")
            for path in (
                f"/administration/person?who={given}", f"/administration/integrations/{given}",
                f"/administration/confirm?chosen={given}&verb=pause", f"/administration/confirm?verb={given}",
                f"/administration?after={given}", f"/administration?done={given}&q={given}&person={given}",
                f"/operations/integrations/{given}",
            ):  # fmt: skip
                answers[path] = (await office.client.get(path, headers=BROWSER)).status_code
            for path in (f"/administration/acts/{given}/undo", f"/sessions/{given}/end"):
                answers[path] = (await office.client.post(path, data=token, headers=BROWSER)).status_code
            for path, field in (
                ("person/sign-out", "who"),
                ("act", "verb"),
                ("act", "ids"),
                ("act", "expect"),
            ):
                body = urlencode({**token, **sent}).replace(f"{field}={sent[field]}", f"{field}={given}")
                answer = await office.client.post(
                    f"/administration/{path}",
                    content=body,
                    headers={**BROWSER, "Content-Type": "application/x-www-form-urlencoded"},
                )
                answers[f"{path} {field} {given[:9]}"] = answer.status_code
        assert {path: code for path, code in answers.items() if code >= 500} == {}
        assert answers["person/sign-out who a%00b"] == 404
        assert await _active(office) == {"u-17": True}


async def test_r47_texts_of_private_items_are_nowhere(office: Office) -> None:
    """Also where the item became private later, and where the administrator owns it."""
    mine = await office.finished("boss")
    now = office.clock.now()
    async with office.store.begin() as connection:
        await connection.execute(
            insert(items).values(
                ref="r-1", tenant_id="acme", item_type="task", item_id="1", version=1, vorex_version=1,
                sync_version=0, revision=1, deleted=False, changed_at=now, stored_at=now,
                content={"private": True},
            )
        )  # fmt: skip
        await connection.execute(
            insert(log_entries).values(
                id=new_id(), integration_id=mine, at=now, trigger="real_time", direction="to_my_calendar",
                action="create", outcome="done", code="ok", item_ref="r-1", title="Divorce lawyer",
                reason="Added to the linked calendar.",
            )
        )  # fmt: skip
    browser = await _administrator(office)
    for path in (
        f"/administration/integrations/{mine}",
        "/administration",
        "/administration/person?who=boss",
    ):
        page = await browser.open(path)
        assert page.status == 200
        assert "Divorce" not in page.text
    page = await browser.open(f"/administration/integrations/{mine}")
    assert "Added to the linked calendar." in page.words


async def test_r47_the_pages_are_not_there_for_a_user(office: Office) -> None:
    await office.finished("u-17")
    await office.sign_in("u-17")
    browser = Browser(client=office.client)
    page = await browser.open("/calendar-sync")
    assert "Administration" not in page.words
    for path in ("/administration", "/administration/confirm", "/administration/person?who=u-17"):
        assert (await browser.open(path)).status == 404
