"""Forms and addresses of My Calendar with one and the same text in every field."""

from collections.abc import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from contracts.vorex import ItemContent
from service.web.help_links import help_address
from service.web.locales import accepted_languages, language_of, preferences_of
from service.web.pages.calendar import days, outlook, shown
from service.web.pages.calendar.appointment_form import AppointmentForm, read_time
from service.web.pages.calendar.local_times import OddTime
from service.web.pages.docs.finding import SearchedText, find_places, words_of
from service.web.pages.form import FormSubmission
from service.web.tokens import Visitor
from tests.builders import NOW, an_item

UTC_ZONE = ZoneInfo("UTC")


def form(text: str) -> FormSubmission:
    names = ("title", "start_day", "start_time", "end_day", "end_time", "location", "description", "n")
    more = ("start_choice", "end_choice", "shown")
    return FormSubmission(
        visitor=Visitor(tenant_id="a", user_id="u"),
        fields=FormData([(name, text) for name in (*names, *more)]),
    )


def appointment(text: str, contents: Iterable[ItemContent]) -> None:
    sent = AppointmentForm.sent(form(text))
    assert sent.errors(UTC_ZONE)
    assert sent.moved(days=1) is None
    for content in contents:
        before = AppointmentForm.of(an_item(content=content), UTC_ZONE)
        before.content("UTC", an_item(content=content))


def asked_calendar(text: str) -> None:
    days_ = dict.fromkeys(("month", "week", "day", "agenda", "hours"), text)
    told = text[:200].encode(errors="replace").decode()  # as the reader of an address leaves it
    asked = shown.question_of(types=[text], sources=[text], q=told, **days_)
    assert asked.read(NOW.date(), []).address


def left_calendar(text: str) -> None:
    left = outlook.outlook_of(view=text, types=[text], sources=[text], q=text, hours=text)
    assert left.address_on(None)
    assert not left.carried or left.q


def sought(text: str) -> None:
    """Looked for in a text of ours, which is as long as a page."""
    assert len(words_of(text)) <= 8
    find_places(text, [SearchedText(page="Page", title="Section", address="/docs", text="a (b) é " * 2_000)])


FEEDS: Mapping[str, Callable[[str], object]] = {
    "service/web/help_links:help_address": help_address,
    "service/web/pages/docs/finding:find_places": sought,
    "service/web/pages/docs/finding:words_of": words_of,
    "service/web/pages/calendar/appointment_form:read_time": read_time,
    "service/web/pages/calendar/days:read_day": days.read_day,
    "service/web/pages/calendar/days:read_month": days.read_month,
    "service/web/pages/calendar/local_times:OddTime.chosen": OddTime(
        kind="doubled", choices=(NOW, NOW)
    ).chosen,
    "service/web/pages/calendar/shown:question_of": asked_calendar,
    "service/web/pages/calendar/outlook:outlook_of": left_calendar,
    "service/web/pages/calendar/outlook:view_named": outlook.view_named,
    "service/web/locales:accepted_languages": accepted_languages,
    "service/web/locales:preferences_of": lambda text: preferences_of(text[:64], text),
    "service/web/locales:language_of": lambda text: language_of(text[:64], text),
}
"""What of the pages is given texts of addresses, headers and fields, which are no longer than a body."""
