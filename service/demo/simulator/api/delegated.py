"""What a company's account allows for one person after the other, without a page (CRONOFY.md C61–C65)."""

import json
from collections.abc import Sequence
from typing import Any

from service.demo.simulator.api import grants
from service.demo.simulator.calendars import channels, linking
from service.demo.simulator.calendars.checks import field_refused
from service.demo.simulator.model import PROVIDER_KINDS, Account, Application, Mailbox, PushChannel
from service.demo.simulator.state import ApiAnswer, Json, QueuedNotice, SimulatorState

MANAGE = "service_account/accounts/manage"
ELEVATE = "service_account/accounts/unrestricted_access"
COMPANY_PROVIDERS = ("office365", "google")
"""Kinds of mailboxes that a domain's administrator can speak for."""
_MOST_AT_ONCE = 50


def elevates(company: Account) -> bool:
    """Whether it lets the application at events that people made, without asking them."""
    return ELEVATE in company.scope.split()


def company_account(
    state: SimulatorState,
    application: Application,
    *,
    provider: str,
    domain: str,
    scope: str,
    delegated_scope: str,
) -> Account:
    """The account of that domain; the same each time."""
    key = f"{provider}/{domain}"
    account = state.linked.get((application.client_id, key.lower()))
    if account is None:
        account = Account(
            account_id=f"ser_{state.hex(24)}",
            application=application,
            email=domain,
            name=domain,
            zone="Etc/UTC",
            scope=scope,
            kind="service_account",
            provider=PROVIDER_KINDS[provider][0],
        )
        linking.enter_account(state, account, key)
    account.scope, account.delegated_scope, account.revoked = scope, delegated_scope, False
    return account


def authorise(state: SimulatorState, company: Account, data: Json) -> ApiAnswer:
    """Accept one request or a list of them; each is answered later, at its own address."""
    if company.kind != "service_account" or MANAGE not in company.scope.split():
        return 403, None
    asked = _asked(data)
    if not asked:
        return 422, field_refused("service_account_authorizations", "errors.invalid")
    for one in asked:
        if wrong := _wrong(company, one):
            return 422, field_refused(wrong, "errors.invalid")
    for one in asked:
        _later(state, company, one)
    return 202, None


def _asked(data: Json) -> Sequence[Any]:
    """The requests, of one form or the other; none where they are mixed or too many."""
    listed = data.get("service_account_authorizations")
    if listed is None:
        return [data]
    sane = isinstance(listed, list) and "email" not in data and len(listed) <= _MOST_AT_ONCE
    return listed if sane else []


def _wrong(company: Account, one: Any) -> str:
    """The field that cannot be accepted; empty where all can."""
    if not isinstance(one, dict):
        return "service_account_authorizations"
    if "@" not in str(one.get("email") or ""):
        return "email"
    if not str(one.get("callback_url") or "").startswith(("http://", "https://")):
        return "callback_url"
    scope = set(str(one.get("scope") or "").split())
    return "" if scope and scope <= set(company.delegated_scope.split()) else "scope"


def _later(state: SimulatorState, company: Account, one: Json) -> None:
    state.schedule.enter(
        state.clock.now() + state.faults.authorisation_delay, lambda: _answer(state, company, one)
    )


def _answer(state: SimulatorState, company: Account, one: Json) -> None:
    """Post what became of it: a code for the person's tokens, or why there is none."""
    said = _decided(state, company, str(one["email"]), one["callback_url"], one["scope"])
    if "state" in one and not state.faults.stateless_answers:
        said["state"] = one["state"]
    body = json.dumps({"authorization": said}, separators=(",", ":")).encode()
    channel = PushChannel(channel_id="", account=company, callback_url=one["callback_url"], filters={})
    notice = QueuedNotice(channel=channel, kind="authorization", body=body)
    channels.post_after(state, 0, notice)


def _decided(state: SimulatorState, company: Account, email: str, address: str, scope: str) -> Json:
    mailbox = state.mailboxes.get(email.lower())
    if mailbox is None or not _within(company, mailbox):
        return _error("not_found", "The account could not be found")
    if email in state.faults.unlicensed:
        return _error("not_licensed", "The mailbox has no licence for a calendar")
    if company.revoked or email in state.faults.refusing:
        return _error("access_denied", "Access to the account is not permitted")
    known = state.linked.get((company.application.client_id, email.lower()))
    profile = linking.link(state, company.application, mailbox, scope)
    if known is None:
        profile.account.granted_by = company
    return {"code": grants.issue_code(state, profile, scope, address)}


def _within(company: Account, mailbox: Mailbox) -> bool:
    kind = PROVIDER_KINDS[mailbox.provider][0]
    return kind == company.provider and mailbox.email.partition("@")[2].lower() == company.email.lower()


def _error(word: str, sentence: str) -> Json:
    return {"error": word, "error_key": f"errors.{word}", "error_description": sentence}
