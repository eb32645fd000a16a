"""Which pairs differ and why, as JSON: the API's form and the command's (R51)."""

from typing import Any, Literal

from pydantic import BaseModel

from contracts.fields import rfc3339
from service.integrations.telling.agreement import DifferingPair
from service.store.engine.paging import Page
from service.store.integrations.listing import IntegrationView
from service.web.schemas import InstantText, agreement_form


class DifferingShape(BaseModel):
    """A pair that the newest check found to differ, and the reason as it stands now."""

    item_id: str
    item_type: str
    title: str
    why: str
    """In plain words."""
    code: Literal[
        "on_its_way",
        "answer",
        "refused",
        "not_possible",
        "changed_there",
        "left_off",
        "kept_there",
        "type_off",
        "out_of_reach",
        "unexplained",
        "agrees_by_now",
    ]


class DifferingPageShape(BaseModel):
    """The newest check, null where there was none, with a page of what it found to differ."""

    agree: int | None
    of: int | None
    checked_at: InstantText | None
    differ: list[DifferingShape]
    """At most 1,000 with a reason and as many without; the counts are of all."""
    next: str | None = None


def differing_form(shown: IntegrationView, page: Page[DifferingPair]) -> dict[str, Any]:
    """The newest check with a page of what differs (R51)."""
    told = agreement_form(shown) or {"agree": None, "of": None, "checked_at": None}
    rows = [
        {
            "item_id": one.item_id,
            "item_type": one.item_type,
            "title": one.title,
            "why": one.said(rfc3339),
            "code": one.difference.why if one.difference else "agrees_by_now",
        }
        for one in page.rows
    ]
    return told | {"differ": rows, "next": page.following}
