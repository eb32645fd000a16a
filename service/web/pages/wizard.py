"""The settings wizard: four steps, back and forth without losing input, then Finish (G5–G10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from contracts.cronofy import Calendar
from contracts.errors import Transient
from contracts.event_fields import TAKES_DETAILS
from service.consumers.runs.dry_run_result import DryRunResult
from service.integrations import views
from service.integrations.accounts.own_events import edits_own_events
from service.integrations.finish import Aim
from service.integrations.refusals import Conflict, Invalid, Unknown
from service.integrations.settings_form import SyncRequest
from service.store.integrations.listing import IntegrationView
from service.store.people.companies import ConnectedBy
from service.store.runs.runs import ENDED_STATES
from service.web import labels
from service.web.catalogue import gettext
from service.web.catalogue.told import told
from service.web.dependencies import Services, WebServices
from service.web.pages import wizard_draft, wizard_steps
from service.web.pages.form import FieldErrors, FormSubmission, PageVisitor, SentForm, form_to
from service.web.pages.integrations import integration_card
from service.web.pages.redirect import redirect_to
from service.web.pages.wizard_draft import SettingsDraft
from service.web.paging import IntegrationPathId
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import locale_of, render_page
from service.web.tokens import Visitor

FIRST_TAB = "linked-calendar"
OPTIONS_TAB = "sync-options"
LAST_TAB = "confirmation"
SETTINGS_CHANGED = "The settings were changed in another window. Look at them once more, then press Finish."
SAVED_SINCE = "The settings were saved in another window meanwhile. Look at them once more, then go on."
NEWEST_RUNS = 20
"""Runs among which the one that Finish started is, while it goes on."""
NO_DIRECTION = "Enable at least one direction to sync."
KEPT_DRAFT = "kept"
"""In the address of a step that goes on with what was chosen before it."""
WizardForm = Annotated[FormSubmission, Depends(form_to("Go on with the settings", steering=("to", "seen")))]
"""Handed back it leads to the next tab, whatever was pressed: nothing is finished or synced unread."""
router = APIRouter(prefix=f"{INTEGRATIONS_PATH}/{{integration_id}}")


@router.get("/settings")
async def settings(integration_id: IntegrationPathId, visitor: PageVisitor) -> Response:  # noqa: ARG001 -- who may
    return redirect_to(_address(integration_id, FIRST_TAB))


@router.get("/settings/{tab}")
async def step(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    *,
    integration_id: IntegrationPathId,
    tab: str,
    rehearse: str = "",
    draft: str = "",
    notice: str = "",
) -> Response:
    """One of the four tabs, with what was chosen so far (G6); the last one rehearses Finish when asked.

    Whoever comes back to what they left without saving is asked first whether they go on with it.
    """
    wizard = await _opened(request, services, visitor, integration_id, tab)
    if rehearse and tab == LAST_TAB:
        return await wizard.rehearsed()
    if draft != KEPT_DRAFT and wizard.unsaved:
        return wizard.left_unsaved(tab)
    return await wizard.shown_at(tab, wizard.draft, {}, notice=labels.NOTICES.get(notice))


@router.post("/forget-changes")
async def forget(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    """What was chosen and not saved is given up; the settings stand as they were saved."""
    shown = await views.get_integration(services.store, form.visitor.person.owner, integration_id)
    answer = redirect_to(_address(integration_id, FIRST_TAB), notice="forgotten")
    return wizard_draft.drop(answer, services, shown)


@router.post("/settings/{tab}")
async def stepped(
    request: Request, services: Services, form: WizardForm, *, integration_id: IntegrationPathId, tab: str
) -> Response:
    """Take in what the step says and go where its button leads; forward only past what can stay so."""
    wizard = await _opened(request, services, form.visitor, integration_id, tab)
    draft = await wizard.merged(tab, form)
    wanted = form.text("to")
    if draft.is_overtaken(wizard.shown, base=form.text("base")):
        overtaken = {"form": gettext(SAVED_SINCE)}
        return wizard.kept(await wizard.shown_at(tab, draft, overtaken, status=HTTPStatus.CONFLICT), draft)
    if wanted in {"finish", "watch", "save"}:
        return await _saved(wizard, tab, draft, form)
    if wanted == "sync":
        return await wizard.sync(draft)
    if wanted == "rehearse":
        return wizard.kept(redirect_to(f"{_address(integration_id, LAST_TAB)}?rehearse=yes#rehearsal"), draft)
    if wanted not in wizard_steps.WIZARD_TABS:
        wanted = wizard_steps.neighbours(tab)["next"] or tab
    if errors := await wizard.refused(tab, draft) if wizard_steps.skips_ahead(tab, wanted) else {}:
        return wizard.kept(await wizard.shown_at(tab, draft, errors), draft)
    return wizard.kept(redirect_to(_address(integration_id, wanted), draft=KEPT_DRAFT), draft)


async def _saved(wizard: "_Wizard", tab: str, draft: SettingsDraft, form: FormSubmission) -> Response:
    """*Save*, *Watch first* or *Finish*."""
    wanted = form.text("to")
    if wanted == "save":
        return await wizard.save(tab, draft)
    aim: Aim = "watch" if wanted == "watch" else "activate"
    return await wizard.finish(draft, seen=form.text("seen"), aim=aim)


def _address(integration_id: str, tab: str) -> str:
    return f"{INTEGRATIONS_PATH}/{integration_id}/settings/{tab}"


async def _opened(
    request: Request, services: WebServices, visitor: Visitor, integration_id: str, tab: str
) -> "_Wizard":
    if tab not in wizard_steps.WIZARD_TABS:
        raise Unknown("There is no such page.")
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    company = (await services.company.connected_by([integration_id])).get(integration_id)
    draft = wizard_draft.holding(wizard_draft.opened(request, visitor, shown), company)
    return _Wizard(
        request=request, services=services, visitor=visitor, shown=shown, draft=draft, company=company
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wizard:
    """One person at the settings of one integration, with what they had chosen so far."""

    request: Request
    services: WebServices
    visitor: Visitor
    shown: IntegrationView
    draft: SettingsDraft
    company: ConnectedBy | None

    @property
    def _id(self) -> str:
        return self.shown.integration.id

    @property
    def _finished(self) -> bool:
        return self.shown.integration.finished_at is not None

    @property
    def unsaved(self) -> bool:
        """Whether this browser keeps other choices than are saved; a first set-up is known for none."""
        return self._finished and self.draft.print != SettingsDraft.of(self.shown).print

    async def _calendars(self) -> Sequence[Calendar]:
        return await self.services.integrations.calendars(self.visitor.person.owner, self._id)

    async def _linked(self) -> frozenset[str]:
        return await self.services.integrations.linked_names(self.visitor.person.owner, self._id)

    async def refused(self, tab: str, draft: SettingsDraft) -> FieldErrors:
        """What cannot stay so on that step, a calendar that is linked already included (R1)."""
        if tab == FIRST_TAB and draft.calendar_name in await self._linked():
            return {"calendar_id": labels.COMPLAINTS["already_linked"]}
        return wizard_steps.refused(tab, draft)

    def left_unsaved(self, tab: str) -> Response:
        """*Resume* or *Forget*: nothing that was left is shown as if it were saved."""
        return render_page(
            self.request,
            "wizard_unsaved.html",
            one=integration_card(self.shown),
            changed=self.draft.changed_from(SettingsDraft.of(self.shown)),
            resume=f"{_address(self._id, tab)}?draft={KEPT_DRAFT}",
            forget=f"{INTEGRATIONS_PATH}/{self._id}/forget-changes",
            here="calendar-sync",
        )

    async def _copies(self, draft: SettingsDraft) -> int:
        """How many copies of ours another calendar would leave behind, or take along (R16)."""
        if draft.calendar_id == self.shown.integration.calendar_id:
            return 0
        return await self.services.deletion.copies(self.visitor.person.owner, self._id)

    async def merged(self, tab: str, form: FormSubmission) -> SettingsDraft:
        """The draft with what that step's form says."""
        calendars: Sequence[Calendar] = ()
        if tab == FIRST_TAB:
            try:
                calendars = await self._calendars()
            except Transient:
                calendars = self.draft.known
                if form.text("calendar_id") != self.draft.calendar_id:
                    raise
        return wizard_draft.holding(wizard_steps.merged(tab, self.draft, form, calendars), self.company)

    def kept(self, answer: Response, draft: SettingsDraft) -> Response:
        return wizard_draft.keep(answer, self.services, self.visitor, self.shown, draft)

    async def rehearsed(self) -> Response:
        """What Finish would do, as far as it can be known before; where it would refuse, why."""
        try:
            found = await self.services.rehearsal.of(self.visitor.person, self._id, self.draft.choices())
        except Invalid:
            _, errors = _wrong_calendar(self.draft)
            return await self.shown_at(LAST_TAB, self.draft, {}, refusal=next(iter(errors.values())))
        except Conflict as conflict:
            refusal = labels.COMPLAINTS.get(conflict.code) or told(str(conflict))
            return await self.shown_at(LAST_TAB, self.draft, {}, refusal=refusal)
        return await self.shown_at(LAST_TAB, self.draft, {}, rehearsal=found)

    async def shown_at(
        self,
        tab: str,
        draft: SettingsDraft,
        errors: Mapping[str, str],
        *,
        rehearsal: DryRunResult | None = None,
        refusal: str | None = None,
        notice: str | None = None,
        status: int | None = None,
    ) -> Response:
        """That step; without a connection there are no calendars to show, and the list says so."""
        calendars, linked, silent = (
            await self._offered(draft) if tab == FIRST_TAB else ((), frozenset(), False)
        )
        if calendars is None:
            return redirect_to(INTEGRATIONS_PATH, complaint="not_connected")
        if tab == FIRST_TAB and not errors:
            draft = _proposing(draft, calendars, linked)
        return render_page(
            self.request,
            f"wizard_{tab.replace('-', '_')}.html",
            status=status or (HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK),
            one=integration_card(self.shown),
            base=SettingsDraft.of(self.shown).base,
            finished=self._finished,
            locked=self.company.locked if self.company else (),
            notice=notice,
            silent=silent,
            linked=linked,
            called=wizard_steps.calendar_labels(calendars),
            **self._days(draft),
            draft=draft,
            calendars=calendars,
            takes_details=self.shown.integration.provider_name in TAKES_DETAILS,
            copies=await self._copies(draft) if tab == LAST_TAB else 0,
            errors=errors,
            rehearsal=rehearsal,
            refusal=refusal,
            tab=tab,
            tabs=wizard_steps.WIZARD_TABS,
            options=wizard_steps.RANGE_OPTIONS,
            here="calendar-sync",
            back=wizard_steps.neighbours(tab)["back"],
            next=wizard_steps.neighbours(tab)["next"],
        )

    async def _offered(self, draft: SettingsDraft) -> tuple[Sequence[Calendar] | None, frozenset[str], bool]:
        """What to choose from, None without a connection; what is linked; whether Cronofy is silent."""
        linked = await self._linked()
        try:
            return await self._calendars(), linked, False
        except Conflict:
            return None, linked, False
        except Transient:
            if not draft.known:
                raise
            return draft.known, linked, True

    def _days(self, draft: SettingsDraft) -> dict[str, Any]:
        """The days that the ranges mean today, where the integration is at home (R24)."""
        today: dict[str, Any] = {
            "now": self.services.clock.now(),
            "time_zone": self.shown.integration.time_zone,
            "locale": locale_of(self.request, self.visitor),
        }
        options = {"retrieve": draft.retrieve, "send": draft.send}
        return {
            "days": {name: wizard_steps.range_days(one, **today) for name, one in options.items()},
            "edges": {name: wizard_steps.range_edges(name, **today) for name in options},
        }

    async def save(self, tab: str, draft: SettingsDraft) -> Response:
        """*Save* on any step: all settings; for another calendar the last step asks what it must (R16)."""
        if errors := await self.refused(tab, draft):
            return self.kept(await self.shown_at(tab, draft, errors), draft)
        if draft.calendar_id != self.shown.integration.calendar_id and tab != LAST_TAB:
            return self.kept(redirect_to(_address(self._id, LAST_TAB), draft=KEPT_DRAFT), draft)
        starts = self.shown.integration.active and (draft.retrieve["enabled"] or draft.send["enabled"])
        on = None if starts else _address(self._id, tab)
        return await self.finish(draft, seen="", tab=tab, on=on, aim="keep")

    async def finish(
        self,
        draft: SettingsDraft,
        *,
        seen: str,
        tab: str = LAST_TAB,
        on: str | None = None,
        aim: Aim,
    ) -> Response:
        """G10: saved, and on the list, or ``on``; a refusal is told where it can be mended."""
        if seen and seen != draft.print:
            return self.kept(await self.shown_at(LAST_TAB, draft, {"form": gettext(SETTINGS_CHANGED)}), draft)
        try:
            await self.services.integrations.finish(self.visitor.person, self._id, draft.choices(), aim=aim)
        except Invalid:
            where, errors = _wrong_calendar(draft)
            return await self.shown_at(where, draft, errors)
        except Conflict as conflict:
            if conflict.code != "run_in_progress" or not await self._stands(draft):
                return self.kept(await self._refused(tab, draft, conflict), draft)
        except Transient:
            errors, status = {"form": labels.COMPLAINTS["cronofy_silent"]}, HTTPStatus.SERVICE_UNAVAILABLE
            return self.kept(await self.shown_at(tab, draft, errors, status=status), draft)
        after = (
            redirect_to(on, notice="saved")
            if on
            else redirect_to(f"{INTEGRATIONS_PATH}/{self._id}/watching")
            if aim == "watch"
            else redirect_to(await self._after_finish(), notice="finished")
        )
        return wizard_draft.drop(after, self.services, self.shown)

    async def _after_finish(self) -> str:
        """The list, by way of the one question that only a set-up calendar can be asked (R34)."""
        now = await views.get_integration(self.services.store, self.visitor.person.owner, self._id)
        first = self.shown.integration.finished_at is None
        asks = first and edits_own_events(now) == "not_asked"
        return f"{INTEGRATIONS_PATH}/{self._id}/permission" if asks else INTEGRATIONS_PATH

    async def _stands(self, draft: SettingsDraft) -> bool:
        """Whether a Finish saved exactly this and its run goes on: a double click, or another window."""
        owner = self.visitor.person.owner
        now = await views.get_integration(self.services.store, owner, self._id)
        newest = await self.services.syncing.listed(owner, self._id, after=None, limit=NEWEST_RUNS)
        runs_on = any(run["kind"] == "finish" and run["state"] not in ENDED_STATES for run in newest.rows)
        return runs_on and SettingsDraft.of(now).print == draft.print

    async def sync(self, draft: SettingsDraft) -> Response:
        """*Sync now*: the enabled directions, in their ranges, without changing what Finish saved (G12)."""
        if not (draft.retrieve["enabled"] or draft.send["enabled"]):
            return await self.shown_at(OPTIONS_TAB, draft, {"form": gettext(NO_DIRECTION)})
        owner = self.visitor.person.owner
        try:
            run_id = await self.services.syncing.start(
                owner, self._id, _request(draft), started_by=self.visitor.user_id
            )
        except Conflict as conflict:
            return await self._refused(OPTIONS_TAB, draft, conflict)
        return self.kept(redirect_to(f"{INTEGRATIONS_PATH}/{self._id}/runs/{run_id}"), _rested(draft))

    async def _refused(self, tab: str, draft: SettingsDraft, conflict: Conflict) -> Response:
        sentence = labels.COMPLAINTS.get(conflict.code) or told(str(conflict))
        return await self.shown_at(tab, draft, {"form": sentence})


def _proposing(draft: SettingsDraft, calendars: Sequence[Calendar], linked: frozenset[str]) -> SettingsDraft:
    """Where none is chosen yet the account's own calendar is proposed, unless it is linked already."""
    if draft.calendar_id is not None:
        return draft
    free = (one for one in calendars if one.name not in linked)
    proposed = next((one for one in free if one.primary and not one.read_only), None)
    return draft.choosing(proposed) if proposed else draft


def _wrong_calendar(draft: SettingsDraft) -> tuple[str, dict[str, str]]:
    """The calendar is none, gone, or read-only while items are to be sent to it."""
    if draft.calendar_id is None:
        return FIRST_TAB, {"calendar_id": gettext(wizard_draft.NO_CALENDAR_CHOSEN)}
    if any(draft.item_types.values()) and draft.read_only:
        return "your-calendar", {"item_types": wizard_steps.read_only_sentence(draft)}
    return FIRST_TAB, {
        "calendar_id": gettext(
            "%(calendar)s cannot be linked now. Choose a calendar.", calendar=draft.calendar_name
        )
    }


def _request(draft: SettingsDraft) -> SyncRequest:
    options = {"retrieve": draft.retrieve, "send": draft.send}
    ranges = {
        name: {edge: one[edge] for edge in ("past", "future")} if one["enabled"] else None
        for name, one in options.items()
    }
    return SyncRequest.model_validate(ranges)


def _rested(draft: SettingsDraft) -> SettingsDraft:
    """Once a sync runs, both options are off and their ranges remembered (R25)."""
    off = {"enabled": False}
    return replace(draft, retrieve={**draft.retrieve, **off}, send={**draft.send, **off})
