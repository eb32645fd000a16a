"""The life of a link: every transition between its states, and what each of them resets. Pure.

     found · carry_over · pair_again           first
             │                                   │
             ▼         want · rewrite            ▼         retry
        ┌──────────┐ ─────────────────────▶ ┌──────────┐ ────────▶ ┌──────────┐
        │  agreed  │                        │  behind  │           │ retrying │ ⟲ retry
        └──────────┘ ◀───────────────────── └──────────┘           └──────────┘
             ▲         accept · agree            ▲
             │                                   │
             │ agree · thaw · reappear · undo ·  │ want · revive · take_up · rewrite (of failed)
             │                                   │
             │ come_back · unask                 │
        ┌────┴───────────────────────────────────┴─────────────────────────┐
        │ failed     the calendar refused it; a dead letter is open        │ ◀── fail
        │ held       nothing may be sent now, or a person is asked (R11)   │ ◀── hold · question (R52)
        │ frozen     not kept alike, by a rule or by the calendar          │ ◀── freeze · rewrite (too often)
        │ let_go     left for good: deleted there, or another calendar     │ ◀── let_go · let_go_by_owner ·
        └──────────────────────────────────────────────────────────────────┘     move_away · let_stand

``delete`` leads to *agreed* from every state: both sides agree that there is no event. From *retrying* leads
what leads from *behind*. Functions that leave the state alone stand at the end; which writes may yet be read
back is ``echo``'s to count.

A link begins in ``link_beginnings``. Nobody else sets its state, but for six statements in the store that
move whole sets of rows: ``links.release`` (*held* → *behind*), ``links.reconsider`` (*frozen* → *held*),
``moves.let_go`` (all that are not on the chosen calendar) and ``moves.follow_again`` (back to *agreed*),
``tombstones.bury_links`` (unfinished → *held*), ``tombstones.want_gone`` (all → *behind*, to be removed).
"""

from collections.abc import Sequence
from dataclasses import replace

from contracts.calendar import (
    NO_FORMS,
    Code,
    Fingerprints,
    Item,
    Link,
    LinkState,
    Origin,
    Written,
)
from contracts.cronofy import CronofyEvent
from contracts.event_fields import EventFields, fields_hash
from handlers.edits import read_only_code
from handlers.forms import inherited_forms, seen_forms
from handlers.judgement import Reading, changed_at
from handlers.texts.compose import compose

UNWRITTEN_STATES = frozenset({LinkState.BEHIND, LinkState.RETRYING})
"""What is still to be written."""
RESTING_STATES = frozenset({LinkState.AGREED, LinkState.FAILED})
"""Where a read may have a link written once more: nothing is on its way."""
MOST_REWRITES = 6
REWRITE_WINDOW_SECONDS = 3600.0
_PASSING_CODES = frozenset({Code.INACTIVE, Code.NOT_CONNECTED})


# -- towards the calendar: what is to be written, and what came of it --------------------------------


def want(
    link: Link, fields: EventFields | None, *, revision: int, writes: Sequence[Written] | None = None
) -> Link:
    """Any state → *behind*: the event is to be written, or removed where there are no fields.

    Whatever let it go, ended it or kept it back counts no more. ``writes``: those that may yet be read back,
    with this one, where it is sent at once.
    """
    return replace(
        link,
        state=LinkState.BEHIND,
        code=None,
        desired=fields,
        desired_revision=revision,
        let_go_print=None,
        ended_at=None,
        writes=link.writes if writes is None else writes,
    )


def hold(link: Link, code: Code | None, *, revision: int | None = None) -> Link:
    """Any state → *held*: until it may be sent (R20, R22, R33), or a person has answered (R11, R52)."""
    known = link.desired_revision if revision is None else revision
    return replace(link, state=LinkState.HELD, code=code, desired_revision=known)


def retry(link: Link) -> Link:
    """*Behind* or *retrying* → *retrying*: the write failed, and will be tried again after a delay."""
    assert link.state in UNWRITTEN_STATES
    return replace(link, state=LinkState.RETRYING)


def fail(link: Link) -> Link:
    """*Behind* or *retrying* → *failed*: the calendar refused it, and a dead letter tells of it."""
    assert link.state in UNWRITTEN_STATES
    return replace(link, state=LinkState.FAILED, code=Code.REFUSED_BY_CALENDAR)


def accept(
    link: Link, *, revision: int, applied_hash: str, gone: bool, now: float, writes: Sequence[Written]
) -> Link:
    """Cronofy took this revision: *behind* or *retrying* → *agreed*, unless a newer one waits already.

    Every other state stays: the link was let go, held or frozen while the write was on its way.
    ``gone``: what was taken is the event's removal. ``writes``: those that may yet be read back.
    """
    agrees = link.desired_revision <= revision and link.state in UNWRITTEN_STATES
    return replace(
        link,
        applied_revision=max(revision, link.applied_revision),
        applied_hash=applied_hash,
        exists_there=not gone,
        accepted_at=now,
        writes=writes,
        state=LinkState.AGREED if agrees else link.state,
        code=_lasting_code(link) if agrees else link.code,
        differs=link.differs and not agrees,
    )


def agree(link: Link, *, revision: int) -> Link:
    """Any state → *agreed*: the event is known to be as the item's revision wants it, unwritten."""
    return replace(
        link,
        state=LinkState.AGREED,
        code=_lasting_code(link),
        desired_revision=revision,
        applied_revision=revision,
        let_go_print=None,
    )


def _lasting_code(link: Link) -> Code | None:
    """Of a foreign event the code says what the calendar allows, which an agreement does not change."""
    return link.code if link.origin is Origin.EXTERNAL and link.code not in _PASSING_CODES else None


def freeze(link: Link, code: Code, *, revision: int | None = None) -> Link:
    """Any state → *frozen*: not kept alike, by a rule (with the item's revision) or by the calendar (R10)."""
    return replace(
        link,
        state=LinkState.FROZEN,
        code=code,
        desired_revision=link.desired_revision if revision is None else revision,
    )


def let_go(link: Link, code: Code | None, *, revision: int | None = None) -> Link:
    """Any state → *let_go*: another calendar is linked now (R16), or what was let go stays so (R6)."""
    return replace(
        link,
        state=LinkState.LET_GO,
        code=code,
        desired_revision=link.desired_revision if revision is None else revision,
    )


def move_away(link: Link) -> Link:
    """Any state → *let_go*: the copy was removed there, and stands on the calendar linked now (R16)."""
    return replace(_unread(link), state=LinkState.LET_GO, desired=None, exists_there=False, applied_hash=None)


def take_up(link: Link) -> Link:
    """*Let_go*, or *frozen* by its type → *behind*: a person asked for it (R26); any other state stays."""
    if link.state is not LinkState.LET_GO and link.code is not Code.TYPE_OFF:
        return link
    return replace(link, state=LinkState.BEHIND, code=None, let_go_print=None, applied_hash=None)


# -- from the calendar: what was read there ----------------------------------------------------------


def rewrite(link: Link, *, now: float) -> Link:
    """*Agreed* or *failed* → *behind*: a read shows that the event is not as it was written.

    Too often within an hour and the link is *frozen* instead: somebody else keeps changing the event too.
    """
    assert link.state in RESTING_STATES
    recent = [at for at in link.rewrites if at > now - REWRITE_WINDOW_SECONDS]
    if len(recent) >= MOST_REWRITES:
        return replace(link, state=LinkState.FROZEN, code=Code.LOOP_STOPPED, rewrites=recent)
    return replace(link, state=LinkState.BEHIND, code=None, rewrites=[*recent, now])


def revive(link: Link, fields: EventFields | None, *, revision: int) -> Link:
    """Any state but *failed* → *behind*: deleted there, changed here, and the change wins (R19).

    A *failed* link stays so until its dead letter is replayed, and is then written whole.
    """
    unread = replace(link, agreed=None, last_read=None)
    return (want_anew if link.state is LinkState.FAILED else want)(unread, fields, revision=revision)


def thaw(link: Link) -> Link:
    """*Frozen*, because a change seemed not possible → *agreed*: it arrived late; any other state stays."""
    if link.state is not LinkState.FROZEN or link.code is not Code.NOT_POSSIBLE:
        return link
    return replace(link, state=LinkState.AGREED, code=None)


def reappear(link: Link) -> Link:
    """*Held* for a person's answer → *agreed*: the event is back, and nothing is to be asked (R11)."""
    assert link.state is LinkState.HELD
    assert link.code is Code.HELD_DELETION
    return replace(link, state=LinkState.AGREED, code=None)


def come_back(link: Link, *, agreed: Fingerprints | None) -> Link:
    """*Let_go* by its owner → *agreed*: its event was fetched back, and follows again (R6)."""
    assert link.state is LinkState.LET_GO
    return replace(
        link,
        state=LinkState.AGREED,
        code=None,
        let_go_print=None,
        exists_there=True,
        agreed=agreed,
        last_read=agreed,
    )


def let_stand(link: Link, content_print: str) -> Link:
    """Any state → *let_go*: its owner fetched back what Vorex had taken off, and keeps it."""
    return replace(link, state=LinkState.LET_GO, code=None, let_go_print=content_print, writes=())


def question(link: Link, content_print: str) -> Link:
    """*Agreed* → *held*: the technician moved it too far, and the dispatcher is asked (R52)."""
    assert link.state is LinkState.AGREED
    return replace(link, state=LinkState.HELD, code=Code.QUESTIONED, let_go_print=content_print)


def unask(link: Link) -> Link:
    """*Held* for the dispatcher's answer → *agreed*: answered, or nothing is to be asked any more (R52)."""
    assert link.state is LinkState.HELD
    assert link.code is Code.QUESTIONED
    return replace(link, state=LinkState.AGREED, code=None, let_go_print=None)


def undo(link: Link) -> Link:
    """*Held* for a person's answer → *agreed*, without an event: its deletion is not carried out (R11)."""
    return replace(_unread(reappear(link)), exists_there=False)


def delete(link: Link, *, revision: int) -> Link:
    """Any state → *agreed* that there is no event: its deletion was carried out here (R6).

    Writes that were not read back may make it anew, late as they are.
    """
    return replace(
        _unread(link),
        overtaken=(*link.overtaken, *(write for write in link.writes if write.copies > 0)),
        state=LinkState.AGREED,
        code=None,
        desired=None,
        desired_revision=revision,
        applied_revision=revision,
        applied_hash=None,
        exists_there=False,
    )


def let_go_by_owner(link: Link, code: Code, content_print: str) -> Link:
    """Any state → *let_go*: the owner deleted the event, and the item stays, until it changes (R6)."""
    return replace(_unread(link), state=LinkState.LET_GO, code=code, let_go_print=content_print)


def _unread(link: Link) -> Link:
    """Nothing is known of the event's fields any more, and no write is waited for."""
    return replace(link, agreed=None, last_read=None, writes=())


# -- what changes no state ---------------------------------------------------------------------------


def seen(link: Link, event: CronofyEvent, reading: Reading, *, person: str) -> Link:
    """A living row of its event was read: which event it is, and what its calendar allows.

    ``person``: the address of the calendar's owner, who is no guest (R40).
    """
    external = link.origin is Origin.EXTERNAL
    closed = read_only_code(event)
    another = link.event_uid not in {None, event.event_uid}
    # the record's address, which we may have written, leads into no meeting (R13)
    own_address = event.join_url in {address for _, address in link.forms.references}
    return replace(
        link,
        event_uid=event.event_uid,
        former_uid=link.event_uid if another else link.former_uid,
        guests=sum(address != person.strip().lower() for address in event.people),
        online=event.online and not own_address,
        join_url=None if own_address else event.join_url,
        series_identifier=event.series_identifier,
        code=closed if external and link.state is LinkState.AGREED else link.code,
        may_update=not external or (event.options.update and closed is None),
        may_delete=not external or (event.options.delete and closed is None),
        event_updated=changed_at(event, reading) or link.event_updated,
        exists_there=True,
        forms=seen_forms(link.forms, event),
        read_at=reading.now,
    )


def seen_deleted(link: Link, event: CronofyEvent, reading: Reading) -> Link:
    """A deleted row of its event was read."""
    updated = changed_at(event, reading) or link.event_updated
    return replace(link, exists_there=False, event_updated=updated, read_at=reading.now)


def passed_over(link: Link, reading: Reading) -> Link:
    """Its event was read, and nothing of it could be taken."""
    return replace(link, read_at=reading.now)


def still_there(link: Link) -> Link:
    """An event that was to be removed lives."""
    return replace(link, exists_there=True)


def missing(link: Link) -> Link:
    """A complete read should have shown its event and did not (R11)."""
    return replace(link, exists_there=False)


def note(link: Link, read: Fingerprints) -> Link:
    """What its row shows; fields that it lacks stay as they were read before."""
    return replace(link, last_read={**(link.last_read or {}), **read})


def confirm(link: Link, agreed: Fingerprints, *, differs: bool) -> Link:
    """The newest write was read back: both sides agree on these fields."""
    return replace(link, agreed=agreed, last_read=agreed, differs=differs)


def align(
    link: Link, item: Item, agreed: Fingerprints, *, last_read: Fingerprints | None, differs: bool = False
) -> Link:
    """The item is as its event was read: both sides are alike at its revision, nothing is to be written."""
    assert item.content is not None
    fields = compose(item.content)
    return replace(
        link,
        desired=fields,
        desired_revision=item.revision,
        applied_revision=item.revision,
        applied_hash=fields_hash(fields),
        agreed=agreed,
        last_read=last_read,
        differs=differs,
    )


def recall(
    link: Link, old: Link, item: Item, *, agreed: Fingerprints | None, last_read: Fingerprints | None = None
) -> Link:
    """A new link knows what an earlier integration's knew; of a copy that was removed, nothing (R21)."""
    removed = old.desired is None
    revision = 0 if removed else min(old.applied_revision, item.revision)
    return replace(
        link,
        desired=compose(item.content) if item.content is not None else None,
        desired_revision=revision,
        applied_revision=revision,
        applied_hash=None if removed else old.applied_hash or fields_hash(old.desired),
        agreed=agreed,
        last_read=last_read,
        forms=inherited_forms(link.forms, old.forms),
    )


def differ(link: Link, *, differs: bool = True) -> Link:
    """Whether the event is known to be otherwise than the item, and is left so for now."""
    return replace(link, differs=differs)


def want_anew(link: Link, fields: EventFields | None, *, revision: int) -> Link:
    """What a link on its way is to be written as by now; its state stays."""
    return replace(link, desired=fields, desired_revision=revision)


def renew(link: Link, event_name: str) -> Link:
    """A foreign event that is gone is written anew as one of ours, of which nothing is known yet."""
    return replace(
        _unread(link),
        origin=Origin.OURS,
        event_id=event_name,
        event_uid=None,
        former_uid=link.event_uid or link.former_uid,
        series_identifier=None,
        code=None,
        may_update=True,
        may_delete=True,
        guests=0,
        online=False,
        join_url=None,
        overtaken=(),
        forms=NO_FORMS,
    )
