"""``integrations held``: what waits for its owner's answer, seen and answered by an operator (R11, R36)."""

from enum import StrEnum
from typing import Annotated

import typer

from service.cli.integration_words import ALL_OWNERS, IntegrationArgument, noted, say_more, say_whole
from service.cli.operator import on_store, operator_name
from service.cli.output import AfterOption, AsJson, LimitOption, print_json, print_line
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.inbound.pages import PageWriter
from service.integrations import views
from service.integrations.accounts.held import HeldChange, list_held
from service.integrations.tenants.acts import NotedVerb
from service.integrations.undoing.answers import AnswerGiven, SettledAnswer
from service.store.engine.paging import Page
from service.store.engine.store import Store
from service.web.schemas import held_change_form, page_form


class HeldDeletionsAnswer(StrEnum):
    """What is to become of held deletions."""

    DELETE = "delete"
    KEEP = "keep"


def held(
    integration_id: IntegrationArgument,
    *,
    answer: Annotated[
        HeldDeletionsAnswer | None, typer.Option(help="Carry the held deletions out, or undo them.")
    ] = None,
    after: AfterOption = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """What waits for the owner's answer; with --answer what becomes of its deletions (R11).

    Events that wait to be brought (R36) are listed too, and answered by their owner alone. The log of the
    integration says who answered (R47).
    """
    if answer is None:
        _tell(integration_id, after=after, limit=limit, as_json=as_json)
        return
    settled = _settled(integration_id, answer)
    say_whole({"count": settled.count, "run_id": settled.run_id}, as_json=as_json)


def _tell(integration_id: str, *, after: str | None, limit: int, as_json: bool) -> None:
    async def work(store: Store) -> Page[HeldChange]:
        shown = await views.get_integration(store, ALL_OWNERS, integration_id)
        return await list_held(store, shown.integration, masked=True, after=after, limit=limit)

    form = page_form(on_store("integrations", work), held_change_form)
    if as_json:
        print_json(form)
        return
    for one in form["items"]:
        times = f"  {one['count']} times" if one["count"] > 1 else ""
        print_line(f"{one['kind']:<8}  {one['start'] or 'no date':<20}  {one['title']}{times}")
    if not form["items"]:
        print_line("nothing waits for an answer")
    say_more(form)


def _settled(integration_id: str, answer: HeldDeletionsAnswer) -> SettledAnswer:
    verb: NotedVerb = "carry_out" if answer is HeldDeletionsAnswer.DELETE else "keep"
    given = AnswerGiven(by=operator_name(), noted=noted(verb, integration_id))

    async def work(store: Store) -> SettledAnswer:
        held_deletions = HeldDeletions(store, PageWriter(store))
        return await held_deletions.settle(ALL_OWNERS, integration_id, answer.value, given)

    return on_store("integrations", work)
