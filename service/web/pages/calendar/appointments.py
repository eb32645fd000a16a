"""Appointments added, moved, changed, deleted and put back on My Calendar (G17, R49, R50)."""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from contracts.calendar import Item
from service.integrations.my_calendar import NOT_OURS, read_only_reason
from service.integrations.refusals import ChangedMeanwhile, Conflict, Invalid
from service.integrations.telling.item_story import ItemStory
from service.store.engine.ids import new_id
from service.web import labels
from service.web.catalogue import gettext
from service.web.catalogue.told import told
from service.web.dependencies import Services, WebServices
from service.web.pages.calendar.appointment_form import AppointmentForm, read_time
from service.web.pages.calendar.days import entry_of, read_day
from service.web.pages.calendar.outlook import AskedOutlook, CalendarOutlook
from service.web.pages.calendar.times_before import TimesBefore
from service.web.pages.calendar.views import CalendarViewer, viewer_of
from service.web.pages.form import FormSubmission, PageVisitor, SentForm, form_to
from service.web.pages.redirect import redirect_to
from service.web.paging import is_id
from service.web.paths import MY_CALENDAR_PATH
from service.web.rendering import render_page

FORM_FIELD_OF = {"start": "start_day", "end": "end_day", "body": "description", "time_zone": "start_time"}
NewAppointmentForm = Annotated[FormSubmission, Depends(form_to("Add the appointment"))]
ChangedAppointmentForm = Annotated[FormSubmission, Depends(form_to("Save the appointment"))]
MOST_DELETED = 100
MOST_DAYS, DAY_MINUTES = 1_000, 1_440
MOST_STEPS = {"days": MOST_DAYS, "minutes": MOST_DAYS * DAY_MINUTES, "longer": MOST_DAYS * DAY_MINUTES}
CANNOT_MOVE = "It cannot be moved there."
CLOCKS_CHANGE = "The clocks change then. Open it, and choose its time there."
CHANGED_MEANWHILE = "It was changed meanwhile, here or on a linked calendar. It is shown as it is now."
OPEN_ONCE_MORE = (
    "It was changed meanwhile, here or on a linked calendar. It is shown as it is now. Open it once more."
)
router = APIRouter(prefix=MY_CALENDAR_PATH)


@router.get("/new")
async def new_appointment(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    outlook: AskedOutlook,
    *,
    day: str = "",
    at: str = "",
    to: str = "",
) -> Response:
    """An empty form on the day and at the hours that were picked (G17)."""
    viewer = viewer_of(request, services, visitor)
    picked = read_day(day) or viewer.today
    form = AppointmentForm.proposed(picked, viewer.now.replace(tzinfo=None), read_time(at), read_time(to))
    return _form_page(request, viewer, form, {}, outlook=outlook, once=new_id())


@router.post("/new")
async def add_appointment(request: Request, services: Services, form: NewAppointmentForm) -> Response:
    appointment, visitor = AppointmentForm.sent(form), form.visitor
    viewer, once = viewer_of(request, services, visitor), form.text("once")
    outlook = CalendarOutlook.sent(form)
    shown: dict[str, Any] = {"outlook": outlook, "once": once if is_id(once) else new_id()}
    if errors := appointment.errors(viewer.zone):
        return _form_page(request, viewer, appointment, errors, **shown)
    content = appointment.content(visitor.time_zone)
    try:
        await services.my_calendar.add(visitor.person, content, once=shown["once"])
    except Invalid as refusal:
        return _form_page(request, viewer, appointment, _sentences(refusal), **shown)
    except Conflict as conflict:
        return _form_page(request, viewer, appointment, {}, refusal=told(str(conflict)), **shown)
    return _back(appointment, outlook, "added")


@router.get("/item")
async def item_page(
    request: Request, services: Services, visitor: PageVisitor, outlook: AskedOutlook, *, key: str
) -> Response:
    """An appointment's form, or what is known of an item that is not edited here, and why."""
    item = await services.my_calendar.item(visitor.person, key, deleted=True)
    viewer = viewer_of(request, services, visitor)
    story = await services.stories.of(visitor.person, item)
    if item.deleted or read_only_reason(item):
        undone = item.deleted and await services.my_calendar.can_restore(visitor.person, item)
        return _read_only_page(request, services, viewer, item, story, outlook=outlook, can_restore=undone)
    form = AppointmentForm.of(item, viewer.zone)
    return _form_page(request, viewer, form, {}, outlook=outlook, item=item, story=story)


def _read_only_page(
    request: Request,
    services: WebServices,
    viewer: CalendarViewer,
    item: Item,
    story: ItemStory,
    *,
    outlook: CalendarOutlook,
    can_restore: bool,
) -> Response:
    return render_page(
        request,
        "item.html",
        can_restore=can_restore,
        item=item.content,
        key=f"{item.type.value}:{item.id}",
        entry=entry_of(item, viewer.zone, viewer.locale),
        description=AppointmentForm.of(item, viewer.zone).description,
        reason=labels.read_only(read_only_reason(item)),
        edited_in_vorex=read_only_reason(item) == NOT_OURS,
        deleted_at=item.changed_at if item.deleted else None,
        vorex_url=services.vorex_url,
        outlook=outlook,
        story=story,
        here="my-calendar",
    )


@router.post("/item")
async def change_appointment(
    request: Request, services: Services, form: ChangedAppointmentForm, *, key: str
) -> Response:
    visitor = form.visitor
    item = await services.my_calendar.item(visitor.person, key)
    appointment, outlook = AppointmentForm.sent(form), CalendarOutlook.sent(form)
    viewer, seen = viewer_of(request, services, visitor), form.number("version")
    again: dict[str, Any] = {"outlook": outlook, "item": item, "seen": seen}
    if errors := appointment.errors(viewer.zone):
        return _form_page(request, viewer, appointment, errors, **again)
    try:
        content = appointment.content(visitor.time_zone, item)
        after = await services.my_calendar.change(visitor.person, key, content, seen=seen)
    except Invalid as refusal:
        return _form_page(request, viewer, appointment, _sentences(refusal), **again)
    except ChangedMeanwhile:
        item = await services.my_calendar.item(visitor.person, key)
        return _form_page(request, viewer, appointment, {}, outlook=outlook, item=item, overtaken=True)
    before = TimesBefore.of(item, after)
    return _back(appointment, outlook, "changed", **({"moved": key, "times": before.word} if before else {}))


@router.post("/item/move")
async def move_appointment(request: Request, services: Services, form: SentForm, *, key: str) -> Response:
    """Moved or stretched as a pointer or the keys did; what is refused says why, and nothing is changed.

    The answer is JSON: no form of a page leads here, for the appointment's own form does the same.
    """
    visitor = form.visitor
    item = await services.my_calendar.item(visitor.person, key)
    viewer = viewer_of(request, services, visitor)
    before = AppointmentForm.of(item, viewer.zone)
    steps = {name: _signed(form.text(name), most) for name, most in MOST_STEPS.items()}
    moved = before.moved(**{name: by for name, by in steps.items() if by is not None})
    seen = form.number("version")
    if None in steps.values() or moved is None or seen is None:
        return _refused(gettext(CANNOT_MOVE))
    if errors := moved.errors(viewer.zone):
        odd = moved.odd_times(viewer.zone).keys() & errors.keys()
        return _refused(gettext(CLOCKS_CHANGE) if odd else next(iter(errors.values())))
    if not any(steps.values()) or moved.times == before.times:
        return JSONResponse({"moved": _told(viewer, moved), "undo": None, "version": item.version})
    try:
        content = moved.content(visitor.time_zone, item)
        after = await services.my_calendar.change(visitor.person, key, content, seen=seen)
    except Invalid as refusal:
        return _refused(next(iter(_sentences(refusal).values())))
    except ChangedMeanwhile:
        return _refused(gettext(CHANGED_MEANWHILE), status=HTTPStatus.CONFLICT)
    times = TimesBefore.of(item, after)
    undo = {"address": times.address(key), "word": gettext("Undo")} if times else None
    return JSONResponse({"moved": _told(viewer, moved), "undo": undo, "version": after.version})


@router.post("/item/put-back")
async def put_times_back(
    request: Request, services: Services, form: SentForm, outlook: AskedOutlook, *, key: str, times: str = ""
) -> Response:
    """A moved or stretched appointment at its former times, unless somebody has changed it since (R50)."""
    person, before = form.visitor.person, TimesBefore.read(times)
    viewer = viewer_of(request, services, form.visitor)
    item = await services.my_calendar.item(person, key)
    try:
        item = await services.my_calendar.change(person, key, before.content(item), seen=before.version)
    except ChangedMeanwhile:
        day = read_day(AppointmentForm.of(item, viewer.zone).start_day)
        return redirect_to(outlook.address_on(day), complaint="moved_since")
    return _back(AppointmentForm.of(item, viewer.zone), outlook, "put_back")


def _signed(text: str, most: int) -> int | None:
    """A step of so many days or minutes, forwards or back; nothing is none."""
    digits = text.removeprefix("-")
    if not text:
        return 0
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(most))):
        return None
    return int(text) if int(digits) <= most else None


def _refused(sentence: str, *, status: int = HTTPStatus.UNPROCESSABLE_ENTITY) -> Response:
    return JSONResponse({"detail": sentence}, status)


def _told(viewer: CalendarViewer, form: AppointmentForm) -> str:
    day, at, to = read_day(form.start_day), read_time(form.start_time), read_time(form.end_time)
    assert day is not None
    when = viewer.locale.long_day(day)
    if form.all_day or at is None:
        return when
    return f"{when}, {viewer.locale.clock(at)}{f' – {viewer.locale.clock(to)}' if to else ''}"


@router.get("/item/delete")
async def ask_to_delete(
    request: Request, services: Services, visitor: PageVisitor, outlook: AskedOutlook, *, key: str
) -> Response:
    """What would be deleted, and where else it goes."""
    item = await services.my_calendar.item(visitor.person, key)
    if reason := read_only_reason(item):
        raise Conflict("not_editable", reason)
    viewer = viewer_of(request, services, visitor)
    return render_page(
        request,
        "appointment_delete.html",
        item=item.content,
        entry=entry_of(item, viewer.zone, viewer.locale),
        key=key,
        version=item.version,
        outlook=outlook,
        story=await services.stories.of(visitor.person, item),
        here="my-calendar",
    )


@router.post("/item/delete")
async def delete_appointment(request: Request, services: Services, form: SentForm, *, key: str) -> Response:
    visitor = form.visitor
    viewer = viewer_of(request, services, visitor)
    item = await services.my_calendar.item(visitor.person, key)
    try:
        await services.my_calendar.remove(visitor.person, key, seen=form.number("version"))
    except ChangedMeanwhile:
        raise Conflict("not_editable", OPEN_ONCE_MORE) from None
    return _back(AppointmentForm.of(item, viewer.zone), CalendarOutlook.sent(form), "removed", undo=key)


@router.post("/item/restore")
async def restore_appointment(
    request: Request, services: Services, form: SentForm, outlook: AskedOutlook, *, key: str
) -> Response:
    """A deleted appointment again as it was, on both sides (R50)."""
    item = await services.my_calendar.restore(form.visitor.person, key)
    viewer = viewer_of(request, services, form.visitor)
    return _back(AppointmentForm.of(item, viewer.zone), outlook, "restored")


@router.get("/deleted")
async def deleted_appointments(request: Request, services: Services, visitor: PageVisitor) -> Response:
    """What was deleted last, each with the way back (R50)."""
    viewer = viewer_of(request, services, visitor)
    found = await services.my_calendar.deleted(visitor.person, limit=MOST_DELETED)
    rows = [(item, entry_of(item, viewer.zone, viewer.locale)) for item in found]
    return render_page(request, "deleted.html", rows=rows, most=MOST_DELETED, here="my-calendar")


def _form_page(
    request: Request,
    viewer: CalendarViewer,
    form: AppointmentForm,
    errors: Mapping[str, str],
    *,
    outlook: CalendarOutlook,
    once: str = "",
    item: Item | None = None,
    seen: int | None = None,
    story: ItemStory | None = None,
    overtaken: bool = False,
    refusal: str | None = None,
) -> Response:
    """``seen``: the version that the form was made from, where it is not made from the item as it is now."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return render_page(
        request,
        "appointment.html",
        status=HTTPStatus.CONFLICT if overtaken or refusal else status,
        form=form,
        odd_times=_odd_times(viewer, form),
        errors=errors,
        refusal=refusal,
        overtaken=overtaken,
        once=once,
        version=seen or (item.version if item else ""),
        reference=item.content.reference if item and item.content else None,
        key=f"{item.type.value}:{item.id}" if item else None,
        outlook=outlook,
        day=_day_of(form, viewer),
        story=story,
        here="my-calendar",
    )


def _odd_times(viewer: CalendarViewer, form: AppointmentForm) -> Mapping[str, Any]:
    """For each field whose time is odd the two moments, with the words that tell them apart."""
    found = {}
    for name, odd in form.odd_times(viewer.zone).items():
        chosen = form.start_choice if name == "start_time" else form.end_choice
        found[name] = [
            (at, viewer.locale.moment(here), f"{here:%Z}, UTC{here:%z}", odd.chosen(chosen) == at)
            for at, here in ((one, one.astimezone(viewer.zone)) for one in odd.choices)
        ]
    return found


def _day_of(form: AppointmentForm, viewer: CalendarViewer) -> date:
    return read_day(form.start_day) or viewer.today


def _sentences(refusal: Invalid) -> dict[str, str]:
    """The rules of Vorex's own messages, each beside the field of the form that it is about."""
    return {FORM_FIELD_OF.get(one.field, one.field): told(f"This {one.rule}.") for one in refusal.errors}


def _back(appointment: AppointmentForm, outlook: CalendarOutlook, notice: str, **undo: str) -> Response:
    """Where the person came from, filters and all, at the day of the appointment; ``undo``: what it needs."""
    return redirect_to(outlook.address_on(read_day(appointment.start_day)), notice=notice, **undo)
