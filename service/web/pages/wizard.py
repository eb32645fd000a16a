"""The settings wizard: four steps, back and forth without losing input, then Finish (G5–G10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from contracts.cronofy import Calendar
from service.consumers.runs.dry_run_result import DryRunResult
from service.integrations import views
from service.integrations.refusals import Conflict, Invalid, Unknown
from service.integrations.settings_form import SyncRequest
from service.store.integrations.listing import IntegrationView
from service.store.runs.runs import ENDED_STATES
from service.web import labels
from service.web.dependencies import Services, WebServices
from service.web.pages import wizard_draft, wizard_steps
from service.web.pages.form import FormSubmission, PageVisitor, form_to
from service.web.pages.integrations import integration_card
from service.web.pages.redirect import redirect_to
from service.web.pages.wizard_draft import SettingsDraft
from service.web.paging import IntegrationPathId
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page
from service.web.tokens import Visitor

FIRST_TAB = "linked-calendar"
OPTIONS_TAB = "sync-options"
LAST_TAB = "confirmation"
SETTINGS_CHANGED = "The settings were changed in another window. Look at them once more, then press Finish."
NEWEST_RUNS = 20
"""Runs among which the one that Finish started is, while it goes on."""
NO_DIRECTION = "Enable at least one direction to sync."
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
) -> Response:
    """One of the four tabs, with what was chosen so far (G6); the last one rehearses Finish when asked."""
    wizard = await _opened(request, services, visitor, integration_id, tab)
    if rehearse and tab == LAST_TAB:
        return await wizard.rehearsed()
    return await wizard.shown_at(tab, wizard.draft, {})


@router.post("/settings/{tab}")
async def stepped(
    request: Request, services: Services, form: WizardForm, *, integration_id: IntegrationPathId, tab: str
) -> Response:
    """Take in what the step says and go where its button leads; forward only past what can stay so."""
    wizard = await _opened(request, services, form.visitor, integration_id, tab)
    draft = await wizard.merged(tab, form)
    wanted = form.text("to")
    if wanted == "finish":
        return await wizard.finish(draft, seen=form.text("seen"))
    if wanted == "sync":
        return await wizard.sync(draft)
    if wanted == "rehearse":
        return wizard.kept(redirect_to(f"{_address(integration_id, LAST_TAB)}?rehearse=yes#rehearsal"), draft)
    if wanted not in wizard_steps.WIZARD_TABS:
        wanted = wizard_steps.neighbours(tab)["next"] or tab
    if errors := wizard_steps.refused(tab, draft) if wizard_steps.skips_ahead(tab, wanted) else {}:
        return wizard.kept(await wizard.shown_at(tab, draft, errors), draft)
    return wizard.kept(redirect_to(_address(integration_id, wanted)), draft)


def _address(integration_id: str, tab: str) -> str:
    return f"{INTEGRATIONS_PATH}/{integration_id}/settings/{tab}"


async def _opened(
    request: Request, services: WebServices, visitor: Visitor, integration_id: str, tab: str
) -> "_Wizard":
    if tab not in wizard_steps.WIZARD_TABS:
        raise Unknown("There is no such page.")
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    draft = wizard_draft.opened(request, visitor, shown)
    return _Wizard(request=request, services=services, visitor=visitor, shown=shown, draft=draft)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wizard:
    """One person at the settings of one integration, with what they had chosen so far."""

    request: Request
    services: WebServices
    visitor: Visitor
    shown: IntegrationView
    draft: SettingsDraft

    @property
    def _id(self) -> str:
        return self.shown.integration.id

    async def _calendars(self) -> Sequence[Calendar]:
        return await self.services.integrations.calendars(self.visitor.person.owner, self._id)

    async def _copies(self, draft: SettingsDraft) -> int:
        """How many copies of ours another calendar would leave behind, or take along (R16)."""
        if draft.calendar_id == self.shown.integration.calendar_id:
            return 0
        return await self.services.deletion.copies(self.visitor.person.owner, self._id)

    async def merged(self, tab: str, form: FormSubmission) -> SettingsDraft:
        """The draft with what that step's form says."""
        calendars = await self._calendars() if tab == FIRST_TAB else ()
        return wizard_steps.merged(tab, self.draft, form, calendars)

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
            refusal = labels.COMPLAINTS.get(conflict.code, str(conflict))
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
    ) -> Response:
        """That step; without a connection there are no calendars to show, and the list says so."""
        calendars: Sequence[Calendar] = ()
        if tab == FIRST_TAB:
            try:
                calendars = await self._calendars()
            except Conflict as conflict:
                return redirect_to(INTEGRATIONS_PATH, complaint=conflict.code)
            draft = draft if errors else _proposing(draft, calendars)
        return render_page(
            self.request,
            f"wizard_{tab.replace('-', '_')}.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
            one=integration_card(self.shown),
            finished=self.shown.integration.finished_at is not None,
            draft=draft,
            calendars=calendars,
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

    async def finish(self, draft: SettingsDraft, *, seen: str) -> Response:
        """G10: saved and active, and back on the list; what is refused is told where it can be mended."""
        if seen and seen != draft.print:
            return self.kept(await self.shown_at(LAST_TAB, draft, {"form": SETTINGS_CHANGED}), draft)
        try:
            await self.services.integrations.finish(self.visitor.person, self._id, draft.choices())
        except Invalid:
            tab, errors = _wrong_calendar(draft)
            return await self.shown_at(tab, draft, errors)
        except Conflict as conflict:
            if conflict.code != "run_in_progress" or not await self._stands(draft):
                return await self._refused(LAST_TAB, draft, conflict)
        return wizard_draft.drop(redirect_to(INTEGRATIONS_PATH, notice="finished"), self.services, self.shown)

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
            return await self.shown_at(OPTIONS_TAB, draft, {"form": NO_DIRECTION})
        owner = self.visitor.person.owner
        try:
            run_id = await self.services.syncing.start(
                owner, self._id, _request(draft), started_by=self.visitor.user_id
            )
        except Conflict as conflict:
            return await self._refused(OPTIONS_TAB, draft, conflict)
        return self.kept(redirect_to(f"{INTEGRATIONS_PATH}/{self._id}/runs/{run_id}"), _rested(draft))

    async def _refused(self, tab: str, draft: SettingsDraft, conflict: Conflict) -> Response:
        sentence = labels.COMPLAINTS.get(conflict.code, str(conflict))
        return await self.shown_at(tab, draft, {"form": sentence})


def _proposing(draft: SettingsDraft, calendars: Sequence[Calendar]) -> SettingsDraft:
    """Where none is chosen yet the account's own calendar is proposed."""
    if draft.calendar_id is not None:
        return draft
    proposed = next((one for one in calendars if one.primary and not one.read_only), None)
    return draft.choosing(proposed) if proposed else draft


def _wrong_calendar(draft: SettingsDraft) -> tuple[str, dict[str, str]]:
    """The calendar is none, gone, or read-only while items are to be sent to it."""
    if draft.calendar_id is None:
        return FIRST_TAB, {"calendar_id": wizard_draft.NO_CALENDAR_CHOSEN}
    if any(draft.item_types.values()) and draft.read_only:
        return "your-calendar", {"item_types": wizard_steps.CALENDAR_READ_ONLY.format(draft.calendar_name)}
    return FIRST_TAB, {
        "calendar_id": f"{draft.calendar_name} cannot be linked now. {wizard_draft.NO_CALENDAR_CHOSEN}"
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
