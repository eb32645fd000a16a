"""Every transition between the states of a link, as a table for its tests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contracts.calendar import Code, Link, LinkState, Origin
from contracts.event_fields import fields_hash
from handlers import link_states
from tests.builders import (
    MINUTE,
    NOW,
    a_link,
    a_reading,
    a_write,
    an_event,
    an_item,
    at,
    fields_of_item,
    prints_of,
)

BEHIND, RETRYING, FAILED, HELD = (
    LinkState.BEHIND,
    LinkState.RETRYING,
    LinkState.FAILED,
    LinkState.HELD,
)
LET_GO, FROZEN, AGREED = LinkState.LET_GO, LinkState.FROZEN, LinkState.AGREED
SECONDS = at(-MINUTE)
ITEM = an_item(title="Newer", revision=5)
WANTED = fields_of_item(ITEM)
PRINTS = prints_of(ITEM)
FORGOTTEN = {"agreed": None, "last_read": None, "writes": ()}
WORN = a_link(
    an_item(),
    series_identifier="series",
    code=Code.DIFFERS,
    differs=True,
    desired_revision=4,
    applied_revision=3,
    writes=(a_write(an_item()),),
    overtaken=(a_write(an_item()),),
    may_update=False,
    may_delete=False,
    guests=3,
    online=True,
    join_url="https://meet.example/1",
    former_uid="before",
    let_go_print="print",
    rewrites=(SECONDS - 1,),
    claim_epoch=7,
    ended_at=NOW,
)
"""A link of which every field is other than on a new one."""


def _from(*states: LinkState, to: LinkState | None = None) -> dict[LinkState, LinkState]:
    """Where a transition leads from these states; without ``to`` they stay."""
    return {state: to or state for state in states}


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One row of the table: what is refused is called in no other state than these."""

    act: Callable[[Link], Link]
    leads: dict[LinkState, LinkState]
    resets: dict[str, Any] = field(default_factory=dict)
    """What a link is like afterwards, besides its state, where the state changed or could have stayed."""
    given: dict[str, Any] = field(default_factory=dict)


TABLE = {
    "want": Transition(
        act=lambda link: link_states.want(link, WANTED, revision=5),
        leads=_from(*LinkState, to=BEHIND),
        resets={
            "code": None,
            "desired": WANTED,
            "desired_revision": 5,
            "let_go_print": None,
            "ended_at": None,
        },
    ),
    "hold": Transition(
        act=lambda link: link_states.hold(link, Code.INACTIVE),
        leads=_from(*LinkState, to=HELD),
        resets={"code": Code.INACTIVE},
    ),
    "hold, with the item's revision": Transition(
        act=lambda link: link_states.hold(link, Code.QUESTIONED, revision=5),
        leads=_from(*LinkState, to=HELD),
        resets={"code": Code.QUESTIONED, "desired_revision": 5},
    ),
    "retry": Transition(act=link_states.retry, leads=_from(BEHIND, RETRYING, to=RETRYING)),
    "fail": Transition(
        act=link_states.fail,
        leads=_from(BEHIND, RETRYING, to=FAILED),
        resets={"code": Code.REFUSED_BY_CALENDAR},
    ),
    "accept": Transition(
        act=lambda link: link_states.accept(
            link, revision=4, applied_hash="4", gone=True, now=SECONDS, writes=()
        ),
        leads=_from(*LinkState) | _from(BEHIND, RETRYING, to=AGREED),
        resets={
            "code": None,
            "differs": False,
            "applied_revision": 4,
            "applied_hash": "4",
            "exists_there": False,
            "accepted_at": SECONDS,
            "writes": (),
        },
    ),
    "accept, while a newer revision waits": Transition(
        act=lambda link: link_states.accept(
            link, revision=2, applied_hash="2", gone=True, now=SECONDS, writes=()
        ),
        leads=_from(*LinkState),
        resets={"applied_hash": "2", "exists_there": False, "accepted_at": SECONDS, "writes": ()},
    ),
    "agree": Transition(
        act=lambda link: link_states.agree(link, revision=5),
        leads=_from(*LinkState, to=AGREED),
        resets={"code": None, "desired_revision": 5, "applied_revision": 5, "let_go_print": None},
    ),
    "freeze": Transition(
        act=lambda link: link_states.freeze(link, Code.TYPE_OFF, revision=5),
        leads=_from(*LinkState, to=FROZEN),
        resets={"code": Code.TYPE_OFF, "desired_revision": 5},
    ),
    "freeze, by the calendar": Transition(
        act=lambda link: link_states.freeze(link, Code.NOT_POSSIBLE),
        leads=_from(*LinkState, to=FROZEN),
        resets={"code": Code.NOT_POSSIBLE},
    ),
    "let_go": Transition(
        act=lambda link: link_states.let_go(link, Code.OK, revision=5),
        leads=_from(*LinkState, to=LET_GO),
        resets={"code": Code.OK, "desired_revision": 5},
    ),
    "let_go, with its calendar": Transition(
        act=lambda link: link_states.let_go(link, None),
        leads=_from(*LinkState, to=LET_GO),
        resets={"code": None},
    ),
    "let_go_by_owner": Transition(
        act=lambda link: link_states.let_go_by_owner(link, Code.DELETE_OFF, "as it is"),
        leads=_from(*LinkState, to=LET_GO),
        resets=FORGOTTEN | {"code": Code.DELETE_OFF, "let_go_print": "as it is"},
    ),
    "move_away": Transition(
        act=link_states.move_away,
        leads=_from(*LinkState, to=LET_GO),
        resets=FORGOTTEN | {"desired": None, "exists_there": False, "applied_hash": None},
    ),
    "take_up": Transition(
        act=link_states.take_up,
        leads=_from(*LinkState) | _from(LET_GO, to=BEHIND),
        resets={"code": None, "let_go_print": None, "applied_hash": None},
    ),
    "take_up, of a type that was off": Transition(
        act=link_states.take_up,
        given={"code": Code.TYPE_OFF},
        leads=_from(FROZEN, to=BEHIND),
        resets={"code": None, "let_go_print": None, "applied_hash": None},
    ),
    "rewrite": Transition(
        act=lambda link: link_states.rewrite(link, now=SECONDS),
        leads=_from(AGREED, FAILED, to=BEHIND),
        resets={"code": None, "rewrites": [SECONDS - 1, SECONDS]},
    ),
    "rewrite, too often": Transition(
        act=lambda link: link_states.rewrite(link, now=SECONDS),
        given={"rewrites": [SECONDS - 3601, SECONDS - 3600, *[SECONDS - 3599] * link_states.MOST_REWRITES]},
        leads=_from(AGREED, FAILED, to=FROZEN),
        resets={"code": Code.LOOP_STOPPED, "rewrites": [SECONDS - 3599] * link_states.MOST_REWRITES},
    ),
    "revive": Transition(
        act=lambda link: link_states.revive(link, WANTED, revision=5),
        leads=_from(*(each for each in LinkState if each is not FAILED), to=BEHIND),
        resets={
            "code": None,
            "desired": WANTED,
            "desired_revision": 5,
            "let_go_print": None,
            "ended_at": None,
            "agreed": None,
            "last_read": None,
        },
    ),
    "revive, while a dead letter is open": Transition(
        act=lambda link: link_states.revive(link, WANTED, revision=5),
        leads=_from(FAILED),
        resets={"desired": WANTED, "desired_revision": 5, "agreed": None, "last_read": None},
    ),
    "thaw": Transition(act=link_states.thaw, leads=_from(*LinkState)),
    "thaw, of a change that seemed not possible": Transition(
        act=link_states.thaw,
        given={"code": Code.NOT_POSSIBLE},
        leads=_from(FROZEN, to=AGREED),
        resets={"code": None},
    ),
    "reappear": Transition(
        act=link_states.reappear,
        given={"code": Code.HELD_DELETION},
        leads=_from(HELD, to=AGREED),
        resets={"code": None},
    ),
    "question": Transition(
        act=lambda link: link_states.question(link, "as it is"),
        leads=_from(AGREED, to=HELD),
        resets={"code": Code.QUESTIONED, "let_go_print": "as it is"},
    ),
    "unask": Transition(
        act=link_states.unask,
        given={"code": Code.QUESTIONED},
        leads=_from(HELD, to=AGREED),
        resets={"code": None, "let_go_print": None},
    ),
    "undo": Transition(
        act=link_states.undo,
        given={"code": Code.HELD_DELETION},
        leads=_from(HELD, to=AGREED),
        resets=FORGOTTEN | {"code": None, "exists_there": False},
    ),
    "delete": Transition(
        act=lambda link: link_states.delete(link, revision=5),
        leads=_from(*LinkState, to=AGREED),
        resets=FORGOTTEN
        | {
            "code": None,
            "desired": None,
            "desired_revision": 5,
            "applied_revision": 5,
            "applied_hash": None,
            "exists_there": False,
            "overtaken": (a_write(an_item()), a_write(an_item())),
        },
    ),
    "seen": Transition(
        act=lambda link: link_states.seen(
            link,
            an_event(
                event_uid="another",
                series_identifier="other",
                people=("ann@example.org", "", "bob@example.org"),
                join_url="https://meet.example/2",
            ),
            a_reading(),
            person=" Ann@Example.org ",
        ),
        given={"exists_there": False},
        leads=_from(*LinkState),
        resets={
            "event_uid": "another",
            "former_uid": "uid",
            "series_identifier": "other",
            "guests": 2,
            "online": False,
            "join_url": "https://meet.example/2",
            "may_update": True,
            "may_delete": True,
            "event_updated": NOW - MINUTE,
            "exists_there": True,
            "read_at": a_reading().now,
        },
    ),
    "seen_deleted": Transition(
        act=lambda link: link_states.seen_deleted(link, an_event(deleted=True), a_reading()),
        leads=_from(*LinkState),
        resets={"exists_there": False, "event_updated": NOW - MINUTE, "read_at": a_reading().now},
    ),
    "come_back": Transition(
        act=lambda link: link_states.come_back(link, agreed={"title": "x"}),
        given={"exists_there": False},
        leads={LinkState.LET_GO: AGREED},
        resets={
            "code": None,
            "let_go_print": None,
            "exists_there": True,
            "agreed": {"title": "x"},
            "last_read": {"title": "x"},
        },
    ),
    "let_stand": Transition(
        act=lambda link: link_states.let_stand(link, "other"),
        leads=_from(*LinkState, to=LinkState.LET_GO),
        resets={"code": None, "let_go_print": "other", "writes": ()},
    ),
    "passed_over": Transition(
        act=lambda link: link_states.passed_over(link, a_reading()),
        leads=_from(*LinkState),
        resets={"read_at": a_reading().now},
    ),
    "still_there": Transition(
        act=link_states.still_there,
        given={"exists_there": False},
        leads=_from(*LinkState),
        resets={"exists_there": True},
    ),
    "missing": Transition(act=link_states.missing, leads=_from(*LinkState), resets={"exists_there": False}),
    "note": Transition(
        act=lambda link: link_states.note(link, {"title": "read"}),
        leads=_from(*LinkState),
        resets={"last_read": {**(WORN.last_read or {}), "title": "read"}},
    ),
    "confirm": Transition(
        act=lambda link: link_states.confirm(link, PRINTS, differs=False),
        leads=_from(*LinkState),
        resets={"agreed": PRINTS, "last_read": PRINTS, "differs": False},
    ),
    "align": Transition(
        act=lambda link: link_states.align(link, ITEM, PRINTS, last_read={"title": "read"}),
        leads=_from(*LinkState),
        resets={
            "desired": WANTED,
            "desired_revision": 5,
            "applied_revision": 5,
            "applied_hash": fields_hash(WANTED),
            "agreed": PRINTS,
            "last_read": {"title": "read"},
            "differs": False,
        },
    ),
    "recall": Transition(
        act=lambda link: link_states.recall(
            link, a_link(applied_revision=2, applied_hash="2"), ITEM, agreed=PRINTS
        ),
        leads=_from(*LinkState),
        resets={
            "desired": WANTED,
            "desired_revision": 2,
            "applied_revision": 2,
            "applied_hash": "2",
            "agreed": PRINTS,
            "last_read": None,
        },
    ),
    "recall, of a copy that was removed": Transition(
        act=lambda link: link_states.recall(link, a_link(desired=None), ITEM, agreed=None),
        leads=_from(*LinkState),
        resets={
            "desired": WANTED,
            "desired_revision": 0,
            "applied_revision": 0,
            "applied_hash": None,
            "agreed": None,
            "last_read": None,
        },
    ),
    "differ": Transition(
        act=link_states.differ, given={"differs": False}, leads=_from(*LinkState), resets={"differs": True}
    ),
    "want_anew": Transition(
        act=lambda link: link_states.want_anew(link, WANTED, revision=5),
        leads=_from(*LinkState),
        resets={"desired": WANTED, "desired_revision": 5},
    ),
    "renew": Transition(
        act=lambda link: link_states.renew(link, "vcs-new"),
        given={"origin": Origin.EXTERNAL, "event_id": None},
        leads=_from(*LinkState),
        resets=FORGOTTEN
        | {
            "origin": Origin.OURS,
            "event_id": "vcs-new",
            "event_uid": None,
            "former_uid": "uid",
            "series_identifier": None,
            "code": None,
            "may_update": True,
            "may_delete": True,
            "guests": 0,
            "online": False,
            "join_url": None,
            "overtaken": (),
        },
    ),
}
