"""*My Calendar*: month and day, and appointments added, changed and deleted (G4, G17)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from contracts.calendar import Item
from contracts.times import ONE_DAY
from service.integrations.item_story import ItemStory
from service.integrations.my_calendar import read_only_reason
from service.integrations.refusals import ChangedMeanwhile, Invalid
from service.store.items.my_calendar import MonthItem
from service.web import labels
from service.web.dependencies import Services, WebServices
from service.web.pages import month_grid
from service.web.pages.appointment_form import AppointmentForm
from service.web.pages.form import FormSubmission, PageVisitor, SentForm, form_to
from service.web.pages.month_grid import DayEntry
from service.web.pages.redirect import redirect_to
from service.web.paging import range_bounds
from service.web.paths import MY_CALENDAR_PATH
from service.web.rendering import render_page
from service.web.tokens import Visitor

MOST_ITEMS_A_DAY = 1000
MOST_ITEMS_A_MONTH = 10_000
SHOWN_A_DAY = 4
FORM_FIELD_OF = {"start": "start_day", "end": "end_day", "body": "description", "time_zone": "start_time"}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NewAppointmentForm = Annotated[FormSubmission, Depends(form_to("Add the appointment"))]
ChangedAppointmentForm = Annotated[FormSubmission, Depends(form_to("Save the appointment"))]
router = APIRouter(prefix=MY_CALENDAR_PATH)


@router.get("")
async def my_calendar(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    *,
    month: str = "",
    day: str = "",
    notice: str = "",
) -> Response:
    """A month, or one day of it; without either, this month."""
    today = _now(services, visitor).date()
    said = labels.NOTICES.get(notice)
    if (chosen := month_grid.read_day(day)) is not None:
        entries = month_grid.on(chosen, await _entries(services, visitor, chosen, chosen + ONE_DAY))
        return render_page(
            request,
            "day.html",
            day=chosen,
            today=today,
            entries=entries,
            before=chosen - ONE_DAY,
            after=chosen + ONE_DAY,
            notice=said,
            here="my-calendar",
        )
    first, zone = month_grid.read_month(month) or today.replace(day=1), ZoneInfo(visitor.time_zone)
    glances = await _glances(services, visitor, *month_grid.squares(first))
    return render_page(
        request,
        "month.html",
        month=first,
        today=today,
        weekdays=WEEKDAYS,
        weeks=month_grid.weeks(first, today, glances, zone, most=SHOWN_A_DAY),
        before=month_grid.previous_month(first),
        after=month_grid.next_month(first),
        notice=said,
        here="my-calendar",
    )


def _now(services: WebServices, visitor: Visitor) -> datetime:
    return services.clock.now().astimezone(ZoneInfo(visitor.time_zone))


async def _entries(services: WebServices, visitor: Visitor, first: date, beyond: date) -> list[DayEntry]:
    since, until = range_bounds(first.isoformat(), beyond.isoformat(), visitor.time_zone)
    found = await services.my_calendar.items(visitor.person, since=since, until=until, limit=MOST_ITEMS_A_DAY)
    zone = ZoneInfo(visitor.time_zone)
    return [entry for item, _ in found if (entry := month_grid.entry_of(item, zone)) is not None]


async def _glances(services: WebServices, visitor: Visitor, first: date, beyond: date) -> Sequence[MonthItem]:
    since, until = range_bounds(first.isoformat(), beyond.isoformat(), visitor.time_zone)
    assert since is not None
    assert until is not None
    return await services.my_calendar.glances(
        visitor.person, since=since, until=until, limit=MOST_ITEMS_A_MONTH
    )


@router.get("/new")
async def new_appointment(
    request: Request, services: Services, visitor: PageVisitor, *, day: str = "", view: str = ""
) -> Response:
    """An empty form on the day that was picked (G17)."""
    now = _now(services, visitor)
    form = AppointmentForm.proposed(month_grid.read_day(day) or now.date(), now)
    return _form_page(request, form, {}, view=view)


@router.post("/new")
async def add_appointment(request: Request, services: Services, form: NewAppointmentForm) -> Response:
    appointment, visitor = AppointmentForm.sent(form), form.visitor
    if errors := appointment.errors():
        return _form_page(request, appointment, errors, view=form.text("view"))
    try:
        await services.my_calendar.add(visitor.person, appointment.content(visitor.time_zone))
    except Invalid as refusal:
        return _form_page(request, appointment, _sentences(refusal), view=form.text("view"))
    return _back(appointment, form.text("view"), "added")


@router.get("/item")
async def item_page(
    request: Request, services: Services, visitor: PageVisitor, *, key: str, view: str = ""
) -> Response:
    """An appointment's form, or what is known of an item that is not edited here, and why."""
    item = await services.my_calendar.item(visitor.person, key)
    zone = ZoneInfo(visitor.time_zone)
    if reason := read_only_reason(item):
        content = item.content
        return render_page(
            request,
            "item.html",
            item=content,
            entry=month_grid.entry_of(item, zone),
            description=AppointmentForm.of(item, zone).description,
            reason=labels.read_only(reason),
            story=await services.stories.of(visitor.person, item),
            here="my-calendar",
        )
    story = await services.stories.of(visitor.person, item)
    return _form_page(request, AppointmentForm.of(item, zone), {}, view=view, item=item, story=story)


@router.post("/item")
async def change_appointment(
    request: Request, services: Services, form: ChangedAppointmentForm, *, key: str
) -> Response:
    visitor = form.visitor
    item = await services.my_calendar.item(visitor.person, key)
    appointment, view = AppointmentForm.sent(form), form.text("view")
    if errors := appointment.errors():
        return _form_page(request, appointment, errors, view=view, item=item)
    seen = form.text("version")
    try:
        content = appointment.content(visitor.time_zone, item)
        await services.my_calendar.change(
            visitor.person, key, content, seen=int(seen) if seen.isascii() and seen.isdecimal() else None
        )
    except Invalid as refusal:
        return _form_page(request, appointment, _sentences(refusal), view=view, item=item)
    except ChangedMeanwhile:
        item = await services.my_calendar.item(visitor.person, key)
        return _form_page(request, appointment, {}, view=view, item=item, overtaken=True)
    return _back(appointment, view, "changed")


@router.post("/item/delete")
async def delete_appointment(services: Services, form: SentForm, *, key: str) -> Response:
    visitor = form.visitor
    item = await services.my_calendar.item(visitor.person, key)
    await services.my_calendar.remove(visitor.person, key)
    return _back(AppointmentForm.of(item, ZoneInfo(visitor.time_zone)), form.text("view"), "removed")


def _form_page(
    request: Request,
    form: AppointmentForm,
    errors: Mapping[str, str],
    *,
    view: str,
    item: Item | None = None,
    story: ItemStory | None = None,
    overtaken: bool = False,
) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return render_page(
        request,
        "appointment.html",
        status=HTTPStatus.CONFLICT if overtaken else status,
        form=form,
        errors=errors,
        overtaken=overtaken,
        version=item.version if item else "",
        key=f"{item.type.value}:{item.id}" if item else None,
        view="day" if view == "day" else "month",
        story=story,
        here="my-calendar",
    )


def _sentences(refusal: Invalid) -> dict[str, str]:
    """The rules of Vorex's own messages, each beside the field of the form that it is about."""
    return {FORM_FIELD_OF.get(one.field, one.field): f"This {one.rule}." for one in refusal.errors}


def _back(appointment: AppointmentForm, view: str, notice: str) -> Response:
    """Where the person came from, at the day of the appointment."""
    day = month_grid.read_day(appointment.start_day)
    if day is None:
        return redirect_to(MY_CALENDAR_PATH, notice=notice)
    if view == "day":
        return redirect_to(MY_CALENDAR_PATH, day=day.isoformat(), notice=notice)
    return redirect_to(MY_CALENDAR_PATH, month=day.isoformat()[:7], notice=notice)
