"""The providers behind the simulator make of texts, private events and late writes what real ones do."""

from typing import Any

import pytest

from service.demo.simulator.calendars.texts import JOIN_INFORMATION

OLIVIA = "olivia@example.test"


@pytest.mark.parametrize(
    ("habit", "sent", "kept"),
    [
        ("folded_blanks", "a  b", "a b"),
        ("no_break", "a  b\n c", "a\u00a0 b\n\u00a0c"),
        ("zero_width", "a-b", "a-\u200bb"),
        ("paragraphs", "a\nb", "a\n\nb"),
        ("links", "https://x.example", "https://x.example<https://x.example>"),
        ("encode", "a & <b>", "a &amp; &lt;b&gt;"),
        ("decode", "a &amp; b", "a & b"),
        (
            "html",
            "a\n<b> https://x.example",
            'a<br>&lt;b&gt; <a href="https://x.example">https://x.example</a>',
        ),
        ("html", "plain", "plain"),
        ("join", "a", f"a{JOIN_INFORMATION}"),
    ],
)
async def test_the_provider_makes_other_texts(world: Any, api: Any, habit: str, sent: str, kept: str) -> None:
    """normalise_text: each of them, and once only."""
    world.faults.change(normalise_text=[habit], provider_habits=False)
    await api.upsert(description=sent)
    await world.rest()
    (event,) = world.events(api.calendar)
    assert event["description"] == kept


async def test_titles_and_places_are_cut_and_tidied(world: Any, api: Any) -> None:
    """cut_titles, cut_places, tidy_places."""
    world.faults.change(normalise_text=["cut_titles", "cut_places", "tidy_places"])
    await api.upsert(summary="x" * 300, location={"description": "Room 1;Room 2" + "x" * 200})
    await world.rest()
    (event,) = world.events(api.calendar)
    assert event["summary"] == "x" * 252 + "..."
    assert event["location"]["description"] == ("Room 1; Room 2" + "x" * 200)[:100]


@pytest.mark.parametrize(
    ("provider", "title", "private"),
    [("office365", 255, True), ("google", 300, True), ("icloud", 300, False), ("exchange", 255, True)],
)
async def test_each_kind_of_provider_has_habits_of_its_own(
    world: Any, api: Any, provider: str, title: int, private: bool
) -> None:
    """provider_habits, which are on at first."""
    world.mailboxes[OLIVIA].provider = provider
    await api.upsert(summary="x" * 300, event_private=True)
    await world.rest()
    (event,) = world.events(api.calendar)
    assert (len(event["summary"]), event["event_private"]) == (title, private)


async def test_a_write_may_stall_for_hours(world: Any, api: Any) -> None:
    """write_stall: accepted, and the old state shows until then."""
    await api.upsert()
    await world.rest()
    world.faults.change(write_stall=3600.0)
    assert (await api.upsert(summary="Dinner")).status_code == 202
    await world.advance(3500)
    assert world.events(api.calendar)[0]["summary"] != "Dinner"
    await world.advance(200)
    assert world.events(api.calendar)[0]["summary"] == "Dinner"


async def test_a_zone_may_be_unknown(world: Any, api: Any) -> None:
    """unknown_zones: 422 on tzid, wherever it stands."""
    world.faults.change(unknown_zones=["Europe/Kyiv"])
    start = {"time": "2026-12-03T09:00:00Z", "tzid": "Europe/Kyiv"}
    for changes in ({"tzid": "Europe/Kyiv"}, {"start": start}):
        answer = await api.upsert(**changes)
        assert answer.status_code == 422
        assert answer.json()["errors"]["tzid"][0]["key"] == "errors.tzid_unrecognized"


async def test_kinds_of_busy_are_lost_with_the_next_write_that_does_not_name_them(
    world: Any, api: Any
) -> None:
    """extended_transparency."""
    await api.upsert(transparency="opaque", extended_transparency="out_of_office")
    await world.rest()
    (row,) = await api.read(include_managed="true")
    assert row["extended_transparency"] == "out_of_office"
    await api.upsert(summary="Dinner", transparency="opaque")
    await world.rest()
    (row,) = await api.read(include_managed="true")
    assert "extended_transparency" not in row
