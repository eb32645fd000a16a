"""The settings wizard: four steps, back and forth without losing input, then Finish (G5–G10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from contracts.cronofy import Calendar
from service.consumers.runs.dry_run_result import Rehearsed
from service.integrations import views
from service.integrations.refusals import Conflict, Invalid, Unknown
from service.integrations.settings_form import SyncRequest
from service.store.integrations.listing import Shown
from service.store.runs.runs import ENDED
from service.web import labels
from service.web.dependencies import AtDesk, Desk
from service.web.pages import wizard_draft, wizard_steps
from service.web.pages.form import Guest, Sent, form_to
from service.web.pages.integrations import card
from service.web.pages.redirect import LIST, to
from service.web.pages.wizard_draft import Draft
from service.web.paging import OfIntegration
from service.web.rendering import page
from service.web.tokens import Visitor

FIRST = "linked-calendar"
OPTIONS = "sync-options"
LAST = "confirmation"
OVERTAKEN = "The settings were changed in another window. Look at them once more, then press Finish."
NEWEST = 20
"""Runs among which the one that Finish started is, while it goes on."""
NO_DIRECTION = "Enable at least one direction to sync."
Step = Annotated[Sent, Depends(form_to("Go on with the settings", steering=("to", "seen")))]
"""Handed back it leads to the next tab, whatever was pressed: nothing is finished or synced unread."""
router = APIRouter(prefix=f"{LIST}/{{integration_id}}")


@router.get("/settings")
async def settings(integration_id: OfIntegration, visitor: Guest) -> Response:  # noqa: ARG001 -- who may
    return to(_address(integration_id, FIRST))


@router.get("/settings/{tab}")
async def step(
    request: Request,
    desk: AtDesk,
    visitor: Guest,
    *,
    integration_id: OfIntegration,
    tab: str,
    rehearse: str = "",
) -> Response:
    """One of the four tabs, with what was chosen so far (G6); the last one rehearses Finish when asked."""
    wizard = await _opened(request, desk, visitor, integration_id, tab)
    if rehearse and tab == LAST:
        return await wizard.rehearsed()
    return await wizard.shown_at(tab, wizard.draft, {})


@router.post("/settings/{tab}")
async def stepped(
    request: Request, desk: AtDesk, form: Step, *, integration_id: OfIntegration, tab: str
) -> Response:
    """Take in what the step says and go where its button leads; forward only past what can stay so."""
    wizard = await _opened(request, desk, form.visitor, integration_id, tab)
    draft = await wizard.merged(tab, form)
    wanted = form.text("to")
    if wanted == "finish":
        return await wizard.finish(draft, seen=form.text("seen"))
    if wanted == "sync":
        return await wizard.sync(draft)
    if wanted == "rehearse":
        return wizard.kept(to(f"{_address(integration_id, LAST)}?rehearse=yes#rehearsal"), draft)
    if wanted not in wizard_steps.TABS:
        wanted = wizard_steps.neighbours(tab)["next"] or tab
    if errors := wizard_steps.refused(tab, draft) if wizard_steps.skips_ahead(tab, wanted) else {}:
        return wizard.kept(await wizard.shown_at(tab, draft, errors), draft)
    return wizard.kept(to(_address(integration_id, wanted)), draft)


def _address(integration_id: str, tab: str) -> str:
    return f"{LIST}/{integration_id}/settings/{tab}"


async def _opened(request: Request, desk: Desk, visitor: Visitor, integration_id: str, tab: str) -> "_Wizard":
    if tab not in wizard_steps.TABS:
        raise Unknown("There is no such page.")
    shown = await views.get_integration(desk.store, visitor.person.owner, integration_id)
    draft = wizard_draft.opened(request, visitor, shown)
    return _Wizard(request=request, desk=desk, visitor=visitor, shown=shown, draft=draft)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wizard:
    """One person at the settings of one integration, with what they had chosen so far."""

    request: Request
    desk: Desk
    visitor: Visitor
    shown: Shown
    draft: Draft

    @property
    def _id(self) -> str:
        return self.shown.integration.id

    async def _calendars(self) -> Sequence[Calendar]:
        return await self.desk.accounts.calendars(self.visitor.person.owner, self._id)

    async def _copies(self, draft: Draft) -> int:
        """How many copies of ours another calendar would leave behind, or take along (R16)."""
        if draft.calendar_id == self.shown.integration.calendar_id:
            return 0
        return await self.desk.leaving.copies(self.visitor.person.owner, self._id)

    async def merged(self, tab: str, form: Sent) -> Draft:
        """The draft with what that step's form says."""
        calendars = await self._calendars() if tab == FIRST else ()
        return wizard_steps.merged(tab, self.draft, form, calendars)

    def kept(self, answer: Response, draft: Draft) -> Response:
        return wizard_draft.keep(answer, self.desk, self.visitor, self.shown, draft)

    async def rehearsed(self) -> Response:
        """What Finish would do, as far as it can be known before; where it would refuse, why."""
        try:
            found = await self.desk.rehearsal.of(self.visitor.person, self._id, self.draft.choices())
        except Invalid:
            _, errors = _wrong_calendar(self.draft)
            return await self.shown_at(LAST, self.draft, {}, refusal=next(iter(errors.values())))
        except Conflict as conflict:
            refusal = labels.COMPLAINTS.get(conflict.code, str(conflict))
            return await self.shown_at(LAST, self.draft, {}, refusal=refusal)
        return await self.shown_at(LAST, self.draft, {}, rehearsal=found)

    async def shown_at(
        self,
        tab: str,
        draft: Draft,
        errors: Mapping[str, str],
        *,
        rehearsal: Rehearsed | None = None,
        refusal: str | None = None,
    ) -> Response:
        """That step; without a connection there are no calendars to show, and the list says so."""
        calendars: Sequence[Calendar] = ()
        if tab == FIRST:
            try:
                calendars = await self._calendars()
            except Conflict as conflict:
                return to(LIST, complaint=conflict.code)
            draft = draft if errors else _proposing(draft, calendars)
        return page(
            self.request,
            f"wizard_{tab.replace('-', '_')}.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
            one=card(self.shown),
            finished=self.shown.integration.finished_at is not None,
            draft=draft,
            calendars=calendars,
            copies=await self._copies(draft) if tab == LAST else 0,
            errors=errors,
            rehearsal=rehearsal,
            refusal=refusal,
            tab=tab,
            tabs=wizard_steps.TABS,
            options=wizard_steps.OPTIONS,
            here="calendar-sync",
            back=wizard_steps.neighbours(tab)["back"],
            next=wizard_steps.neighbours(tab)["next"],
        )

    async def finish(self, draft: Draft, *, seen: str) -> Response:
        """G10: saved and active, and back on the list; what is refused is told where it can be mended."""
        if seen and seen != draft.print:
            return self.kept(await self.shown_at(LAST, draft, {"form": OVERTAKEN}), draft)
        try:
            await self.desk.accounts.finish(self.visitor.person, self._id, draft.choices())
        except Invalid:
            tab, errors = _wrong_calendar(draft)
            return await self.shown_at(tab, draft, errors)
        except Conflict as conflict:
            if conflict.code != "run_in_progress" or not await self._stands(draft):
                return await self._refused(LAST, draft, conflict)
        return wizard_draft.drop(to(LIST, notice="finished"), self.shown)

    async def _stands(self, draft: Draft) -> bool:
        """Whether a Finish saved exactly this and its run goes on: a double click, or another window."""
        owner = self.visitor.person.owner
        now = await views.get_integration(self.desk.store, owner, self._id)
        newest = await self.desk.syncing.listed(owner, self._id, after=None, limit=NEWEST)
        runs_on = any(run["kind"] == "finish" and run["state"] not in ENDED for run in newest.rows)
        return runs_on and Draft.of(now).print == draft.print

    async def sync(self, draft: Draft) -> Response:
        """*Sync now*: the enabled directions, in their ranges, without changing what Finish saved (G12)."""
        if not (draft.retrieve["enabled"] or draft.send["enabled"]):
            return await self.shown_at(OPTIONS, draft, {"form": NO_DIRECTION})
        owner = self.visitor.person.owner
        try:
            run_id = await self.desk.syncing.start(
                owner, self._id, _request(draft), started_by=self.visitor.user_id
            )
        except Conflict as conflict:
            return await self._refused(OPTIONS, draft, conflict)
        return self.kept(to(f"{LIST}/{self._id}/runs/{run_id}"), _rested(draft))

    async def _refused(self, tab: str, draft: Draft, conflict: Conflict) -> Response:
        sentence = labels.COMPLAINTS.get(conflict.code, str(conflict))
        return await self.shown_at(tab, draft, {"form": sentence})


def _proposing(draft: Draft, calendars: Sequence[Calendar]) -> Draft:
    """Where none is chosen yet the account's own calendar is proposed."""
    if draft.calendar_id is not None:
        return draft
    proposed = next((one for one in calendars if one.primary and not one.read_only), None)
    return draft.choosing(proposed) if proposed else draft


def _wrong_calendar(draft: Draft) -> tuple[str, dict[str, str]]:
    """The calendar is none, gone, or read-only while items are to be sent to it."""
    if draft.calendar_id is None:
        return FIRST, {"calendar_id": wizard_draft.NOT_CHOSEN}
    if any(draft.item_types.values()) and draft.read_only:
        return "your-calendar", {"item_types": wizard_steps.READ_ONLY.format(draft.calendar_name)}
    return FIRST, {"calendar_id": f"{draft.calendar_name} cannot be linked now. {wizard_draft.NOT_CHOSEN}"}


def _request(draft: Draft) -> SyncRequest:
    options = {"retrieve": draft.retrieve, "send": draft.send}
    ranges = {
        name: {edge: one[edge] for edge in ("past", "future")} if one["enabled"] else None
        for name, one in options.items()
    }
    return SyncRequest.model_validate(ranges)


def _rested(draft: Draft) -> Draft:
    """Once a sync runs, both options are off and their ranges remembered (R25)."""
    off = {"enabled": False}
    return replace(draft, retrieve={**draft.retrieve, **off}, send={**draft.send, **off})
