"""The page on which a domain's administrator lets an application at all of its mailboxes (CRONOFY.md C61)."""

import html
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.demo.simulator.api import delegated, grants
from service.demo.simulator.model import PROVIDER_KINDS
from service.demo.simulator.pages.consent import (
    SHORT_CUT,
    AccessRequest,
    ConsentError,
    asked_access,
    plain_page,
)
from service.demo.simulator.routing import route
from service.demo.simulator.state import SimulatorState

COMPANY_PAGE = "/enterprise_connect/oauth/authorize"


def company_routes(state: SimulatorState) -> list[Route]:
    async def ask(request: Request) -> Response:
        return _guarded(state, dict(request.query_params))

    async def answer(request: Request) -> Response:
        return _guarded(state, dict(parse_qsl((await request.body()).decode(), keep_blank_values=True)))

    return [route(COMPANY_PAGE, ask), route(COMPANY_PAGE, answer, methods=("POST",))]


def _guarded(state: SimulatorState, given: dict[str, str]) -> Response:
    state.catch_up()
    try:
        return _answered(state, asked_access(state, given))
    except ConsentError as error:
        return plain_page("This request cannot be shown", f"<p>{html.escape(str(error))}</p>", 400)


def _answered(state: SimulatorState, asked: AccessRequest) -> Response:
    if asked.given.get("response_type") != "code":
        return asked.back(error="unsupported_response_type")
    if not asked.scope.startswith("service_account/") or not asked.given.get("delegated_scope"):
        return asked.back(error="invalid_scope")
    choice = asked.given.get(SHORT_CUT) or state.faults.auto_approve
    if choice == "refuse":
        return asked.back(error="access_denied")
    domains = _domains(state)
    chosen = domains.get(choice) or (next(iter(domains.values()), None) if choice == "first" else None)
    if chosen is None:
        return _page(asked, domains)
    account = delegated.company_account(
        state,
        asked.application,
        provider=chosen[0],
        domain=chosen[1],
        scope=asked.scope,
        delegated_scope=asked.given["delegated_scope"],
    )
    challenge = asked.given.get("code_challenge", "")
    return asked.back(code=grants.issue_company_code(state, account, asked.redirect_uri, challenge=challenge))


def _domains(state: SimulatorState) -> dict[str, tuple[str, str]]:
    """Kind of mailbox and domain, by the word of the button."""
    found = {
        (mailbox.provider, mailbox.email.partition("@")[2].lower())
        for mailbox in state.mailboxes.values()
        if mailbox.provider in delegated.COMPANY_PROVIDERS
    }
    return {f"{provider}/{domain}": (provider, domain) for provider, domain in sorted(found)}


def _page(asked: AccessRequest, domains: dict[str, tuple[str, str]]) -> Response:
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in asked.given.items()
        if name != SHORT_CUT
    )
    buttons = "".join(
        f'<li><button name="{SHORT_CUT}" value="{html.escape(word)}">'
        f"{html.escape(domain)} ({html.escape(PROVIDER_KINDS[provider][2])})</button></li>"
        for word, (provider, domain) in domains.items()
    )
    body = (
        f"<p>{html.escape(asked.application.client_id)} asks, for every mailbox of the domain: "
        f"{html.escape(asked.given['delegated_scope'])}</p>"
        f'<form method="post" action="{COMPANY_PAGE}">{hidden}'
        f'<ul class="plain">{buttons or "<li>no domain here</li>"}</ul>'
        f'<p><button name="{SHORT_CUT}" value="refuse">Do not allow</button></p></form>'
    )
    return plain_page("Connect your company", body)
