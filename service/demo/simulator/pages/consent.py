"""The pages on which a person allows access (CRONOFY.md C5): plain forms, and a short cut for tests."""

import html
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from service.demo.simulator.api import grants
from service.demo.simulator.calendars import linking
from service.demo.simulator.model import PROVIDER_KINDS, Account, Application, Mailbox
from service.demo.simulator.routing import Endpoint, route
from service.demo.simulator.state import SimulatorState

_COOKIE = "cronofy_simulator"
SHORT_CUT = "_approve"
"""Query parameter: an e-mail address, ``first`` or ``refuse``; as the switch auto_approve."""


class ConsentError(Exception):
    """The page cannot be shown, and the person cannot be sent back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessRequest:
    """What an application asks a person for."""

    application: Application
    redirect_uri: str
    scope: str
    given: dict[str, str]

    def back(self, **told: str) -> Response:
        state = {"state": self.given["state"]} if "state" in self.given else {}
        joint = "&" if "?" in self.redirect_uri else "?"
        return RedirectResponse(f"{self.redirect_uri}{joint}{urlencode({**told, **state})}", 302)


def consent_routes(state: SimulatorState) -> list[Route]:
    async def ask(request: Request) -> Response:
        return _guarded(state, request, dict(request.query_params))

    async def answer(request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        return _guarded(state, request, given)

    both = ("GET", "POST")
    return [
        route("/oauth/authorize", ask),
        route("/oauth/authorize", answer, methods=("POST",)),
        route("/permissions/{token}", _permissions_page(state), methods=both),
        route("/relink/{profile_id}", _relink_page(state), methods=both),
    ]


def _guarded(state: SimulatorState, request: Request, given: dict[str, str]) -> Response:
    state.catch_up()
    try:
        asked = asked_access(state, given)
        return _answered(state, request, asked)
    except ConsentError as error:
        return plain_page("This request cannot be shown", f"<p>{html.escape(str(error))}</p>", 400)


def asked_access(state: SimulatorState, given: dict[str, str]) -> AccessRequest:
    application = state.applications.get(given.get("client_id", ""))
    if application is None:
        raise ConsentError("client_id is unknown")
    if not given.get("redirect_uri", "").startswith(("http://", "https://")):
        raise ConsentError("redirect_uri is missing")
    return AccessRequest(
        application=application,
        redirect_uri=given["redirect_uri"],
        scope=given.get("scope", "").strip(),
        given=given,
    )


def _answered(state: SimulatorState, request: Request, asked: AccessRequest) -> Response:
    if asked.given.get("response_type") != "code":
        return asked.back(error="unsupported_response_type")
    if not asked.scope:
        return asked.back(error="invalid_scope")
    choice = asked.given.get(SHORT_CUT) or state.faults.auto_approve
    if choice == "refuse":
        return asked.back(error="access_denied")
    mailbox = _chosen(state, choice, asked.given.get("provider_name"))
    if mailbox is None:
        return _consent_page(state, asked)
    into = _account_to_join(state, request, asked)
    profile = linking.link(state, asked.application, mailbox, asked.scope, into)
    challenge = asked.given.get("code_challenge", "")
    code = grants.issue_code(state, profile, asked.scope, asked.redirect_uri, challenge=challenge)
    back = asked.back(code=code)
    back.set_cookie(_COOKIE, profile.account.account_id, httponly=True, samesite="lax")
    return back


def _chosen(state: SimulatorState, choice: str, provider_name: str | None) -> Mailbox | None:
    if choice == "first":
        fitting = _fitting(state, provider_name)
        return fitting[0] if fitting else None
    return state.mailboxes.get(choice.lower())


def _fitting(state: SimulatorState, provider_name: str | None) -> list[Mailbox]:
    return [
        mailbox
        for mailbox in state.mailboxes.values()
        if mailbox.provider != "cronofy"
        and (not provider_name or linking.provider_names(mailbox)[0] == provider_name)
    ]


def _account_to_join(state: SimulatorState, request: Request, asked: AccessRequest) -> Account | None:
    """By link token, else by the browser's cookie unless that is declined (implicit linking)."""
    named = state.link_tokens.pop(asked.given.get("link_token", ""), None)
    if named is None and asked.given.get("avoid_linking", "false").lower() != "true":
        named = state.accounts.get(request.cookies.get(_COOKIE, ""))
    return named if named is not None and named.application is asked.application else None


def _consent_page(state: SimulatorState, asked: AccessRequest) -> Response:
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in asked.given.items()
        if name != SHORT_CUT
    )
    fitting = _fitting(state, asked.given.get("provider_name"))
    lists = "".join(
        _provider_section(word, [m for m in fitting if m.provider == provider])
        for provider, (_, _, word) in PROVIDER_KINDS.items()
        if provider != "cronofy"
    )
    body = (
        f"<p>{html.escape(asked.application.client_id)} asks for: {html.escape(asked.scope)}</p>"
        f'<form method="post" action="/oauth/authorize">{hidden}{lists}'
        f'<p><button name="{SHORT_CUT}" value="refuse">Do not allow</button></p></form>'
    )
    return plain_page("Link your calendar", body)


def _provider_section(word: str, mailboxes: list[Mailbox]) -> str:
    buttons = "".join(
        f'<li><button name="{SHORT_CUT}" value="{html.escape(m.email)}">'
        f"{html.escape(m.name)} ({html.escape(m.email)})</button></li>"
        for m in mailboxes
    )
    return (
        f'<section class="card"><h2>{html.escape(word)}</h2>'
        f'<ul class="plain">{buttons or "<li>no account here</li>"}</ul></section>'
    )


def _permissions_page(state: SimulatorState) -> Endpoint:
    async def page(request: Request) -> Response:
        wanted = state.permission_requests.get(request.path_params["token"])
        if wanted is None:
            return plain_page("No such request", "", 404)
        if request.method == "GET" and not state.faults.auto_approve:
            names = ", ".join(html.escape(binding.calendar.name) for binding, _ in wanted.bindings)
            return plain_page("Allow changes", f"<p>{names}</p>{_ALLOW_OR_NOT}")
        choice = (await request.form()).get("choice", state.faults.auto_approve)
        if choice != "refuse":
            for binding, level in wanted.bindings:
                binding.permission = level
        del state.permission_requests[request.path_params["token"]]
        return RedirectResponse(wanted.redirect_uri, 302) if wanted.redirect_uri else plain_page("Done", "")

    return page


def _relink_page(state: SimulatorState) -> Endpoint:
    async def page(request: Request) -> Response:
        for account in state.accounts.values():
            for profile in account.profiles:
                if profile.profile_id == request.path_params["profile_id"]:
                    if request.method == "GET":
                        return plain_page("Connect again", _button("Connect"))
                    linking.link(state, account.application, profile.mailbox, account.scope)
                    return plain_page("Connected", "")
        return plain_page("No such profile", "", 404)

    return page


_ALLOW_OR_NOT = (
    '<form method="post"><button name="choice" value="allow">Allow</button> '
    '<button name="choice" value="refuse">Do not allow</button></form>'
)


def _button(word: str) -> str:
    return f'<form method="post"><button>{word}</button></form>'


def plain_page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/provider/provider.css">'
        f"<title>{title}</title><header><h1>{title}</h1></header><main>{body}</main></html>",
        status,
    )
