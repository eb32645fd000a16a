"""Every route of pages and API with whom it serves, and the people who knock at all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount

from tests.support.routes import addresses

API = "/api/v1"
LETTERS = "/operations/dead-letters"
ITEM = {"title": "Surgery at the clinic", "start": "2026-12-03T09:00:00Z"}


@dataclass(frozen=True, kw_only=True)
class PersonAtTheDoor:
    """Who asks: the item's and integration's owner is u-17 of acme."""

    user: str = "u-17"
    tenant: str = "acme"
    role: str = "user"
    credentials: str = "good"
    """Or ``none``, ``garbage``, ``expired``."""


PEOPLE: Mapping[str, PersonAtTheDoor] = {
    "nobody": PersonAtTheDoor(credentials="none"),
    "garbage": PersonAtTheDoor(credentials="garbage"),
    "expired": PersonAtTheDoor(credentials="expired"),
    "same id elsewhere": PersonAtTheDoor(tenant="globex"),
    "colleague": PersonAtTheDoor(user="u-22"),
    "administrator elsewhere": PersonAtTheDoor(user="boss", tenant="globex", role="administrator"),
    "operator elsewhere": PersonAtTheDoor(user="olga", tenant="globex", role="operator"),
    "owner": PersonAtTheDoor(),
    "administrator": PersonAtTheDoor(user="boss", role="administrator"),
    "operator": PersonAtTheDoor(user="olga", role="operator"),
}
NOT_SIGNED_IN = {"nobody", "garbage", "expired"}
SIGNED_IN = set(PEOPLE) - NOT_SIGNED_IN
OPERATORS = {"operator", "operator elsewhere"}
ADMINISTRATORS = OPERATORS | {"administrator", "administrator elsewhere"}

ANYBODY = "sign-in link, first address, documentation, health, style, the API's description"
BEGUN = "the answer to a permission, for the session or the browser alone that asked for it"
OWN = "one's own lists and forms, for whoever is signed in"
SEEN = "an integration, its logs and runs, by the API"
SWITCHED = "pausing, resuming and deleting an integration, with copies kept or removed, by the API"
KEPT = "an integration's own pages, and every other change of it"
ITEMS = "an appointment: its page, changing, deleting"
TENANT = "Administration, and the lists of what was done there"
TENANTS = "a tenant's integration in Administration"
ASKED = "the list of a tenant's questions to the dispatcher"
ANSWERED = "answering a question to the dispatcher, and taking that back"
COMPANY = "the company calendar, for administrators alone"
COMPANYS = "a tenant's company calendar, by the API"
STANDING = "Operations, and the lists of dead letters"
OPERATED = "a dead letter, and a tenant's integration in Operations"
MAY: Mapping[str, set[str]] = {
    ANYBODY: set(PEOPLE),
    BEGUN: set(),  # everybody here comes with a session of today; test_web_consent answers with the right one
    OWN: SIGNED_IN,
    SEEN: {"owner", "administrator", "operator"},
    SWITCHED: {"owner", "administrator", "operator"},
    KEPT: {"owner"},
    ITEMS: {"owner"},
    TENANT: ADMINISTRATORS,
    TENANTS: {"administrator", "operator"},
    COMPANY: ADMINISTRATORS - OPERATORS,
    COMPANYS: {"administrator"},
    ASKED: ADMINISTRATORS,
    ANSWERED: {"administrator", "operator"},
    STANDING: OPERATORS,
    OPERATED: {"operator"},
}
"""Whom a kind of route serves; to everybody else it is not there."""

PLACES: Mapping[str, str] = {
    "GET /": ANYBODY,
    "GET /sign-in": ANYBODY,
    "GET /calendar-sync/callback": ANYBODY,
    "GET /calendar-sync/permission": ANYBODY,  # with a state that is good once
    "GET /signed-out": ANYBODY,
    "POST /calendar-sync/connect/{consent_id}": BEGUN,
    "GET /healthz": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /metrics": ANYBODY,
    "GET /static": ANYBODY,
    "GET /docs": ANYBODY,
    "GET /docs/api": ANYBODY,
    "GET /docs/messages": ANYBODY,
    "GET /docs/pictures/{picture}": ANYBODY,
    "GET /docs/schemas/{schema}": ANYBODY,
    "GET /docs/search": ANYBODY,
    "GET /docs/{page:path}": ANYBODY,
    f"GET {API}/openapi.json": ANYBODY,
    f"GET {API}/integrations": OWN,
    f"GET {API}/my-calendar/items": OWN,
    f"POST {API}/my-calendar/items": OWN,
    f"GET {API}/weather": OWN,
    "GET /calendar-sync": OWN,
    "GET /calendar-sync/connect": OWN,
    "GET /calendar-sync/exchange-help": OWN,
    "GET /calendar-sync/{integration_id}/settings": OWN,  # leads on to the first tab, whatever the id is
    "GET /my-calendar": OWN,
    "GET /my-calendar/new": OWN,
    "POST /my-calendar/new": OWN,
    "GET /my-calendar/deleted": OWN,
    "GET /my-calendar/clock-changes": OWN,
    "GET /sessions": OWN,
    "POST /sessions/{session_id}/end": OWN,
    "POST /sessions/end-all": OWN,
    "POST /sign-in": OWN,
    "POST /sign-out": OWN,
    f"DELETE {API}/sessions": OWN,
    f"GET {API}/integrations/{{integration_id}}": SEEN,
    f"GET {API}/integrations/{{integration_id}}/logs": SEEN,
    f"GET {API}/integrations/{{integration_id}}/runs": SEEN,
    f"GET {API}/integrations/{{integration_id}}/runs/{{run}}": SEEN,
    f"GET {API}/runs/{{run}}": SEEN,
    f"GET {API}/integrations/{{integration_id}}/held": SEEN,
    f"GET {API}/integrations/{{integration_id}}/agreement": SEEN,
    f"POST {API}/integrations/{{integration_id}}/agreement": KEPT,
    f"GET {API}/integrations/{{integration_id}}/calendars": KEPT,
    f"PUT {API}/integrations/{{integration_id}}/settings": KEPT,
    f"POST {API}/integrations/{{integration_id}}/activate": SWITCHED,
    f"POST {API}/integrations/{{integration_id}}/deactivate": SWITCHED,
    f"POST {API}/integrations/{{integration_id}}/sync": KEPT,
    f"POST {API}/integrations/{{integration_id}}/held-deletions": KEPT,
    f"POST {API}/integrations/{{integration_id}}/held-imports": KEPT,
    f"POST {API}/integrations/{{integration_id}}/permission": KEPT,
    f"POST {API}/integrations/{{integration_id}}/runs/{{run}}/cancel": KEPT,
    f"POST {API}/runs/{{run}}/cancel": KEPT,
    f"POST {API}/runs/{{run}}/undo": KEPT,
    "GET /calendar-sync/{integration_id}/runs/{run}/undo": KEPT,
    "POST /calendar-sync/{integration_id}/runs/{run}/undo": KEPT,
    f"DELETE {API}/integrations/{{integration_id}}": SWITCHED,
    "GET /calendar-sync/{integration_id}/delete": KEPT,
    "GET /calendar-sync/{integration_id}/migration": KEPT,
    "GET /calendar-sync/{integration_id}/logs": KEPT,
    "GET /calendar-sync/{integration_id}/logs.csv": KEPT,
    "GET /calendar-sync/{integration_id}/runs/{run}": KEPT,
    "GET /calendar-sync/{integration_id}/settings/{tab}": KEPT,
    "POST /calendar-sync/{integration_id}/settings/{tab}": KEPT,
    "POST /calendar-sync/{integration_id}/activate": KEPT,
    "POST /calendar-sync/{integration_id}/deactivate": KEPT,
    "GET /calendar-sync/{integration_id}/held": KEPT,
    f"GET {API}/integrations/{{integration_id}}/watching": SEEN,
    f"POST {API}/integrations/{{integration_id}}/watch": SWITCHED,
    f"POST {API}/integrations/{{integration_id}}/begin": SWITCHED,
    "GET /calendar-sync/{integration_id}/mirror": KEPT,
    "GET /my-calendar/item/mirror": ITEMS,
    "GET /calendar-sync/{integration_id}/watching": KEPT,
    "POST /calendar-sync/{integration_id}/watch": KEPT,
    "POST /calendar-sync/{integration_id}/begin": KEPT,
    "GET /calendar-sync/{integration_id}/agreement": KEPT,
    "POST /calendar-sync/{integration_id}/agreement": KEPT,
    "POST /calendar-sync/{integration_id}/held-deletions": KEPT,
    "GET /calendar-sync/{integration_id}/reconnected": KEPT,
    "POST /calendar-sync/{integration_id}/forget-changes": KEPT,
    "POST /calendar-sync/{integration_id}/sync": KEPT,
    "POST /calendar-sync/{integration_id}/held-imports": KEPT,
    "GET /calendar-sync/{integration_id}/permission": KEPT,
    "GET /calendar-sync/{integration_id}/permission/ask": KEPT,
    "POST /calendar-sync/{integration_id}/discard": KEPT,
    "POST /calendar-sync/{integration_id}/runs/{run}/cancel": KEPT,
    "POST /calendar-sync/{integration_id}/delete": KEPT,
    "GET /my-calendar/item": ITEMS,
    "POST /my-calendar/item": ITEMS,
    "POST /my-calendar/item/move": ITEMS,
    "POST /my-calendar/item/restore": ITEMS,
    "POST /my-calendar/item/put-back": ITEMS,
    "GET /my-calendar/item/delete": ITEMS,
    "POST /my-calendar/item/delete": ITEMS,
    f"PUT {API}/my-calendar/items/{{key:path}}": ITEMS,
    f"POST {API}/my-calendar/items/{{key:path}}/restore": ITEMS,
    f"DELETE {API}/my-calendar/items/{{key:path}}": ITEMS,
    "GET /administration": TENANT,
    "GET /administration/confirm": TENANT,
    "GET /administration/person": TENANT,
    "GET /administration/clock-changes": TENANT,
    "POST /administration/act": TENANT,  # what of it is another tenant's stays as it is
    "POST /administration/person/sign-out": TENANT,  # of the own tenant
    f"GET {API}/leavers": TENANT,
    f"POST {API}/leavers": TENANT,  # of the own tenant
    f"GET {API}/leavers/choice": TENANT,
    f"PUT {API}/leavers/choice": TENANT,
    f"GET {API}/leavers/{{record_id}}": TENANTS,
    "GET /administration/leavers": TENANT,
    "POST /administration/leaver-choice": TENANT,
    "GET /administration/leaver": TENANT,
    "POST /administration/leaver": TENANT,  # of the own tenant
    "GET /administration/leavers/{record_id}": TENANTS,
    "GET /administration/leavers/{record_id}/file": TENANTS,
    "GET /administration/company-calendar": COMPANY,
    "GET /administration/company-calendar/connect": COMPANY,
    "GET /administration/company-calendar/callback": COMPANY,  # with a state that is good once
    "POST /administration/company-calendar/people": COMPANY,  # of the own tenant
    "POST /administration/company-calendar/retry": COMPANY,
    "POST /administration/company-calendar/defaults": COMPANY,
    "GET /administration/company-calendar/disconnect": COMPANY,
    "POST /calendar-sync/company-told": OWN,
    "POST /calendar-sync/company-answers/{person_id}": ANYBODY,  # by Cronofy's signature
    f"GET {API}/company-calendar": COMPANYS,
    f"PUT {API}/company-calendar/defaults": COMPANYS,
    f"GET {API}/company-calendar/people": COMPANY,
    f"POST {API}/company-calendar/people": COMPANYS,
    f"POST {API}/company-calendar/people/retry": COMPANYS,
    f"POST {API}/company-calendar/end": COMPANYS,
    "POST /administration/company-calendar/disconnect": COMPANY,
    "GET /operations/questions": ASKED,
    "POST /operations/questions/{question_id}": ANSWERED,
    "POST /operations/questions/{question_id}/undo": ANSWERED,
    f"GET {API}/questions": ASKED,
    f"POST {API}/questions/{{question_id}}": ANSWERED,
    f"POST {API}/questions/{{question_id}}/undo": ANSWERED,
    "GET /administration/integrations/{integration_id}": TENANTS,
    "POST /administration/acts/{act_id}/undo": TENANTS,
    f"GET {API}/operations": STANDING,
    f"GET {API}/dead-letters": STANDING,
    f"GET {API}/dead-letters/groups": STANDING,
    f"POST {API}/dead-letters/replay/stop": STANDING,
    f"POST {API}/dead-letters/undo": STANDING,  # what of a batch is another tenant's stays as it is
    "GET /operations": STANDING,
    f"GET {LETTERS}": STANDING,
    f"GET {LETTERS}/replay": STANDING,
    f"GET {LETTERS}/replaying": STANDING,
    f"GET {LETTERS}/discard": STANDING,
    f"POST {LETTERS}/replay": STANDING,  # what of it is another tenant's stays as it is
    f"POST {LETTERS}/replay/stop": STANDING,
    f"POST {LETTERS}/discard": STANDING,
    f"POST {LETTERS}/undo": STANDING,
    f"POST {API}/dead-letters/discard": OPERATED,
    f"POST {API}/dead-letters/replay": OPERATED,
    f"GET {API}/dead-letters/{{letter_id}}": OPERATED,
    f"GET {API}/dead-letters/{{letter_id}}/context": OPERATED,
    f"POST {API}/dead-letters/{{letter_id}}/discard": OPERATED,
    f"POST {API}/dead-letters/{{letter_id}}/undo": OPERATED,
    f"POST {API}/dead-letters/{{letter_id}}/edit": OPERATED,
    f"GET {LETTERS}/{{letter_id}}": OPERATED,
    f"GET {LETTERS}/{{letter_id}}/edit": OPERATED,
    f"POST {LETTERS}/{{letter_id}}/edit": OPERATED,
    "GET /operations/integrations/{integration_id}": OPERATED,
    "POST /operations/integrations/{integration_id}/{verb}": OPERATED,
}
"""Each route and verb in the order in which it is tried."""
LAST = ("/my-calendar/item/delete", "/delete", "/sign-out", "/sessions/end-all", f"{API}/sessions")
"""How the paths end whose forms end what the others need, in their order."""
OF_ITS_OWN_TOKEN = {
    "/sign-in",
    "/calendar-sync/callback",
    "/calendar-sync/permission",
    "/calendar-sync/connect/{consent_id}",
    "/calendar-sync/company-answers/{person_id}",
}
"""Where it is not a session that lets somebody in."""
BY_SIGNATURE = {"/calendar-sync/company-answers/{person_id}"}
"""Where Cronofy itself comes, with no browser and no form."""


def each_place() -> list[tuple[str, str, str]]:
    """Verb, path and whom it serves, of each."""
    return [(*route.split(" ", 1), place) for route, place in PLACES.items()]  # type: ignore[misc]


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """Verb and path of all there are, mounted folders among them."""
    mounted = {("GET", route.path) for route in app.routes if isinstance(route, Mount)}
    return {(one.method, one.template) for one in addresses(app)} | mounted


def taken_in(verb: str, path: str) -> tuple[str, str]:
    """A literal path that another one's parameter takes in as well."""
    general = {
        f"{API}/dead-letters/groups": f"{API}/dead-letters/{{letter_id}}",
        f"{API}/dead-letters/replay": f"{API}/dead-letters/{{letter_id}}",
        f"{API}/dead-letters/discard": f"{API}/dead-letters/{{letter_id}}",
        f"{API}/dead-letters/undo": f"{API}/dead-letters/{{letter_id}}",
        f"{LETTERS}/undo": f"{LETTERS}/{{letter_id}}",
        f"{API}/my-calendar/items/{{key:path}}/restore": f"{API}/my-calendar/items/{{key:path}}",
    }
    if path.startswith("/docs/"):
        return verb, "/docs/{page:path}"
    return verb, general.get(path, path)


@dataclass(frozen=True, kw_only=True)
class KnownThings:
    """What is there to be reached for: one of each, by the names in the paths."""

    ids: Mapping[str, str]
    forms: Mapping[str, Any] = field(default_factory=dict)
    """What a verb takes, by the end of its path."""

    def address(self, path: str) -> str:
        for name, known in self.ids.items():
            path = path.replace(name, known)
        if path.startswith("/my-calendar/item"):
            path += f"?key={self.ids['{key:path}']}&times=1~2026-12-03"
        return f"{path}/style.css" if path == "/static" else path

    def body(self, path: str) -> Any:
        return next((form for end, form in self.forms.items() if path.endswith(end)), None)
