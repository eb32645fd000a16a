"""Every function that sees a text which others wrote, with how it is fed, or why it sees none (R43)."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from contracts import calendar, fields, limits, times, writes, zones
from contracts.cronofy import CronofyEvent, EventsPage, parse_calendars, parse_channels
from contracts.cronofy_accounts import AccountAnswer, CompanyAccount, TokenGrant, UserInfo
from contracts.envelope import ItemChanged, NoticeReceived, decode, faults_of
from contracts.errors import Malformed
from contracts.fields import instant
from contracts.vorex import ItemContent
from handlers import edits, fingerprints, matching
from handlers.arrivals import look_alikes
from handlers.texts import advice, compose, cut_text, html_text, own_marks, skeleton
from service.broker import headers, routing, wire
from service.consumers import failures
from service.cronofy import callbacks, statuses, transport
from service.integrations.companies.people_given import people_of
from service.integrations.leavers.signing import NotGenuine, verified
from service.integrations.refusals import Invalid, Unknown
from service.operations.letters import letter_names
from service.store.messages import burying, ownership, suspects
from service.telemetry import logs, terminal
from service.web import cookies, labels, locales, paging, rendering, sessions
from service.web.catalogue import speaking
from service.web.catalogue.told import told, told_with
from service.web.pages import logs_csv
from service.web.pages.calendar import days
from service.web.pages.calendar.times_before import TimesBefore
from service.web.pages.form import text_of
from service.web.pages.operators import dead_letters, words
from service.web.pages.people import sign_in
from service.web.pages.tenant.overview import asked_list
from service.web.tokens import BadToken, TokenMaker, Visitor
from tests.builders import a_content, an_item
from tests.support import foreign_forms
from tests.support.clock import ManualClock
from tests.support.foreign_bodies import BODIES, each_body, masked, mended, message_with, raw
from tests.support.letters import letter_filter_of
from tests.support.owners import delivered
from tests.support.worst_texts import MIB

ROOT = Path(__file__).parents[2]
ROOMS = (
    "contracts", "handlers", "service/broker", "service/consumers", "service/cronofy", "service/integrations",
    "service/operations", "service/relay.py", "service/store/messages", "service/telemetry", "service/web",
)  # fmt: skip
"""Where texts of others pass."""
BODY, TEXT, LINE = 256 * 1024, 32_768, 1024
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, kw_only=True)
class Fed:
    """How a function is fed with one foreign text, and what it may raise by its own word."""

    feed: Callable[[str], object]
    most: int = MIB
    """Characters up to which its work is shown to grow as the text does."""
    reach: int | None = None
    """Characters that can reach it, where that is less: others that are fed refuse or cut what is longer."""
    calls: int = 1
    """How often the function itself is called by one feeding."""
    raises: tuple[type[Exception], ...] = ()

    def __call__(self, text: str) -> None:
        try:
            self.feed(text)
        except self.raises:
            return


def public_functions() -> Iterator[str]:
    """``room/module:name`` of each public function of the rooms that is given a text or bytes."""
    for room in ROOMS:
        place = ROOT / room
        for module in [place] if place.is_file() else sorted(place.rglob("*.py")):
            tree = ast.parse(module.read_text(encoding="utf-8"))
            name = module.relative_to(ROOT).with_suffix("").as_posix()
            yield from (f"{name}:{found}" for found in _functions(tree.body, ""))


def _functions(body: list[ast.stmt], owner: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _functions(node.body, f"{owner}{node.name}.")
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and _takes_text(node):
            yield f"{owner}{node.name}"


def _takes_text(node: ast.FunctionDef) -> bool:
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return any(_is_text(one.annotation) for one in given)


def _is_text(annotation: ast.expr | None) -> bool:
    if isinstance(annotation, ast.BinOp):
        return _is_text(annotation.left) or _is_text(annotation.right)
    return isinstance(annotation, ast.Name) and annotation.id in {"str", "bytes"}


# -- what is fed -----------------------------------------------------------------------------------


CONTENTS = 4
"""So many are made of one text."""


def in_german(tell: Callable[[str], object]) -> Callable[[str], object]:
    """As it is done for whoever reads another language than ours."""

    def fed(text: str) -> object:
        with speaking("de"):
            return tell(text)

    return fed


def whole(text: str) -> str:
    """As a text is once it was read: without U+0000 and half characters."""
    return text.encode(errors="replace").decode().replace("\0", "")


def contents(text: str) -> Iterator[ItemContent]:
    """The items that may have the text, as far as the contract lets them."""
    plain = whole(text)
    line, name = plain[:LINE], plain[:255]
    texts: dict[str, Any] = {"title": f"x{line[1:]}", "location": line, "account_name": name, "start": NOW}
    texts |= {"description": plain[:TEXT], "end": None, "reference": {"label": name, "url": "https://vorex"}}
    for form in ("text", "html"):
        for kind in ("appointment", "task"):
            yield a_content(**texts, description_format=form, type=kind)


def each_content(read: Callable[[ItemContent], object]) -> Callable[[str], object]:
    return lambda text: [read(content) for content in contents(text)]


def row(text: str) -> dict[str, Any]:
    names = ("summary", "description", "transparency", "status", "participation_status", "updated", "created")
    times = {"start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z"}
    return {"calendar_id": "c", "event_uid": "e", **times, **dict.fromkeys(names, text)} | {
        "location": {"description": text}, "event_id": text, "series_identifier": text, "options": text,
    }  # fmt: skip


def imported(text: str) -> None:
    event = CronofyEvent.parse(row(text))
    item = edits.imported_item(event, item_id="i", user_id="u", time_zone="UTC")
    assert ItemContent.model_validate(item.to_json_dict()) == item
    composed = compose.compose(item)
    assert composed is not None
    fingerprints.fingerprints_of_event(event, item)
    matching.match_key_of_event(event)
    edits.edited_item(next(contents(text)), event, {"title", "description", "location"})


def answers(text: str) -> None:
    """What Cronofy answers, with the text wherever one may stand."""
    EventsPage.parse({"events": [row(text), {"start": text}], "pages": {"next_page": text, "total": text}})
    told = {"calendar_name": text, "permission_level": text}
    profile = {"profile_id": "p", "profile_name": text, "provider_name": text, "provider_service": text}
    profile["profile_calendars"] = [{"calendar_id": "c", **told}]  # type: ignore[assignment]
    parse_calendars({"calendars": [{"calendar_id": "c", **told}]})
    filters = {"filters": {"calendar_ids": text}}
    parse_channels({"channels": [{"channel_id": "c", "callback_url": text, **filters}]})
    UserInfo.parse({"sub": "s", "cronofy.data": {"profiles": [profile]}})
    TokenGrant.parse({"access_token": "t", "expires_in": text, "scope": text, "linking_profile": profile})
    AccountAnswer.parse({"authorization": {"state": "s", "code": text, "error": text, "error_key": text}})
    CompanyAccount.parse({"cronofy.data": {"service_account": {"domain": text, "provider_name": text}}})
    writes.Answer.parse(422, {"errors": {text: [{"key": text}], "summary": text}})


def prints_of(make: Callable[[str], str]) -> Callable[[str], str]:
    """Of texts without half characters: those never get so far."""
    return lambda text: make(whole(text))


TOKENS = TokenMaker(["s" * 32], clock=ManualClock())
SOMEBODY = Visitor(tenant_id="a", user_id="u")
INVALID = (ValidationError, PydanticCustomError, Malformed)

FED: Mapping[str, Fed] = {
    "contracts/envelope:decode": Fed(
        calls=BODIES,
        feed=each_body(lambda body: decode(body, expected=ItemChanged), Malformed),
        most=2 * BODY,
    ),
    **dict.fromkeys(
        ("contracts/envelope:faults_of", "contracts/framing:misframed"),
        Fed(
            calls=BODIES, feed=each_body(lambda body: faults_of(body, expected=NoticeReceived)), most=2 * BODY
        ),
    ),
    "contracts/fields:is_visible": Fed(feed=fields.is_visible, most=LINE),
    "contracts/limits:cut": Fed(feed=lambda text: limits.cut(text, len(text) - 1)),
    "contracts/limits:normal_form": Fed(reach=BODY // 2, feed=limits.normal_form, most=BODY),
    "contracts/times:read_time": Fed(feed=times.read_time, raises=(ValueError,)),
    "contracts/calendar:event_id": Fed(feed=lambda text: calendar.event_id(*[whole(text)] * 4)),
    "contracts/calendar:imported_item_id": Fed(
        reach=LINE, feed=lambda text: calendar.imported_item_id(*[whole(text)] * 4, turn=1)
    ),
    "contracts/calendar:item_ref": Fed(feed=lambda text: calendar.item_ref(*[whole(text)] * 3), most=LINE),
    "contracts/writes:events_path": Fed(feed=lambda text: writes.events_path(whole(text)), most=LINE),
    "contracts/cronofy:*": Fed(calls=6, feed=answers),
    "contracts/cronofy_accounts:*": Fed(calls=8, feed=answers),
    "contracts/vorex:*": Fed(
        calls=CONTENTS,
        feed=each_content(lambda content: ItemContent.from_json_dict(content.to_json_dict())),
        most=TEXT,
    ),
    "contracts/fields:instant": Fed(feed=instant, raises=INVALID),
    "contracts/fields:calendar_day": Fed(feed=fields.calendar_day, raises=INVALID),
    "handlers/arrivals/look_alikes:bare_look": Fed(feed=look_alikes.bare_look, most=LINE),
    "handlers/arrivals/look_alikes:look_of_title": Fed(feed=look_alikes.look_of_title, most=LINE),
    "handlers/texts/skeleton:shown_line": Fed(reach=2 * LINE, feed=skeleton.shown_line),
    "handlers/texts/compose:*": Fed(calls=CONTENTS, feed=each_content(compose.compose), most=TEXT),
    "handlers/texts/compose:canonical_text": Fed(reach=TEXT, feed=compose.canonical_text, most=BODY),
    "handlers/texts/compose:truncate": Fed(feed=lambda text: compose.truncate(text, LINE)),
    "handlers/texts/compose:on_one_line": Fed(reach=TEXT, feed=compose.on_one_line),
    "handlers/edits:imported_item": Fed(calls=7, feed=imported),
    "handlers/fingerprints:*": Fed(
        calls=CONTENTS, feed=each_content(fingerprints.fingerprints_of_item), most=TEXT
    ),
    "handlers/fingerprints:text_print": Fed(
        reach=TEXT, feed=lambda text: fingerprints.text_print(whole(text)), most=BODY
    ),
    "handlers/fingerprints:title_print": Fed(
        reach=2 * LINE, feed=lambda text: fingerprints.title_print(whole(text)), most=BODY
    ),
    "contracts/zones:iana_zone": Fed(feed=zones.iana_zone, most=BODY),
    "handlers/texts/skeleton:is_html": Fed(reach=TEXT, feed=skeleton.is_html, most=BODY),
    "handlers/texts/skeleton:is_beginning": Fed(
        feed=lambda text: skeleton.is_beginning(text, text), most=BODY
    ),
    "handlers/texts/skeleton:has_dots": Fed(feed=skeleton.has_dots, most=BODY),
    "handlers/texts/skeleton:without_dots_of": Fed(feed=skeleton.without_dots_of, most=BODY),
    "handlers/texts/cut_text:without_dots": Fed(feed=cut_text.without_dots, most=BODY),
    "handlers/texts/advice:without_advice": Fed(
        calls=CONTENTS,
        feed=lambda text: [advice.without_advice(whole(f"Vorex: {text}"), one) for one in contents(text)],
        most=TEXT,
    ),
    "handlers/texts/advice:with_advice": Fed(feed=lambda text: advice.with_advice(text, text), most=TEXT),
    "handlers/texts/advice:advice_language": Fed(feed=advice.advice_language),
    "handlers/texts/own_marks:bare_title": Fed(
        calls=CONTENTS,
        reach=2 * LINE,
        feed=lambda text: each_content(lambda item: own_marks.bare_title(whole(text), item))(text),
        most=TEXT,
    ),
    "handlers/texts/own_marks:bare_description": Fed(
        calls=CONTENTS,
        feed=lambda text: each_content(lambda item: own_marks.bare_description(whole(text), item))(text),
        most=TEXT,
    ),
    "handlers/texts/skeleton:skeleton": Fed(reach=TEXT, feed=skeleton.skeleton, most=BODY),
    "handlers/texts/skeleton:shown_text": Fed(reach=TEXT, feed=skeleton.shown_text, most=BODY),
    "handlers/texts/skeleton:without_join_information": Fed(
        reach=TEXT, feed=skeleton.without_join_information, most=BODY
    ),
    "handlers/texts/cut_text:with_rest": Fed(
        feed=lambda text: cut_text.with_rest(text, text[: len(text) // 2], text), most=TEXT
    ),
    "handlers/texts/cut_text:with_rest_behind_dots": Fed(
        feed=lambda text: cut_text.with_rest_behind_dots(f"{text[:-9]}…", text), most=TEXT
    ),
    "handlers/texts/cut_text:beginning": Fed(
        feed=lambda text: cut_text.beginning(text, len(text) // 2),
        most=TEXT,
    ),
    "handlers/texts/html_text:html_to_text": Fed(reach=TEXT, feed=html_text.html_to_text),
    "handlers/texts/html_text:tidy_lines": Fed(reach=TEXT, feed=html_text.tidy_lines),
    "handlers/matching:match_key": Fed(feed=lambda text: matching.match_key(text, text, text), most=TEXT),
    "service/broker/headers:*": Fed(
        feed=lambda text: [
            headers.own_headers({text: text, "x-death": text}),
            headers.attempt_of({"calendar-sync-attempt": text}),
            headers.returns_of({"x-delivery-count": text}, redelivered=True),
            headers.origin_of({"x-death": [{"queue": text}]}),
        ]
    ),
    "service/broker/headers:id_on_the_wire": Fed(feed=headers.id_on_the_wire),
    "service/broker/routing:topic_matches": Fed(
        feed=lambda text: [routing.topic_matches(pattern, text) for pattern in ("#", "*.*", "#.x.#")],
        most=255,
    ),
    "service/broker/wire:read_short_text": Fed(
        feed=lambda text: wire.read_short_text(bytes([255]) + raw(text)), most=255
    ),
    "service/broker/wire:read_timestamp": Fed(feed=lambda text: wire.read_timestamp(raw(text)[:8]), most=255),
    "service/broker/wire:read_headers": Fed(
        feed=lambda text: wire.read_headers(len(raw(text)).to_bytes(4, "big") + raw(text))
    ),
    "service/consumers/failures:form_of": Fed(calls=BODIES, feed=each_body(failures.form_of), most=2 * BODY),
    "service/consumers/failures:read_message": Fed(
        calls=BODIES,
        feed=each_body(lambda body: failures.read_message(delivered("q", body), expected=ItemChanged)),
        most=2 * BODY,
    ),
    "service/cronofy/statuses:retry_after": Fed(feed=lambda text: statuses.retry_after(text, NOW), most=TEXT),
    "service/cronofy/statuses:token_error": Fed(feed=lambda text: statuses.token_error(400, text)),
    "service/cronofy/transport:route_of": Fed(feed=transport.route_of),
    "service/operations/masking:*": Fed(calls=BODIES, feed=masked, most=BODY),
    "service/operations/mending:mend_message": Fed(calls=BODIES, feed=mended, most=BODY),
    "service/store/messages/suspects:name_of": Fed(feed=lambda text: suspects.name_of(whole(text).encode())),
    "service/store/messages/burying:letter_fingerprint": Fed(
        feed=lambda text: burying.letter_fingerprint("bug", whole(text), whole(text)), most=8000
    ),
    "service/store/messages/ownership:read_document": Fed(
        calls=BODIES, feed=each_body(ownership.read_document), most=2 * BODY
    ),
    "service/store/messages/ownership:trace_of": Fed(
        calls=BODIES, feed=each_body(partial(ownership.trace_of, key=("s", "m"))), most=2 * BODY
    ),
    "service/store/messages/ownership:owner_by_slices": Fed(
        feed=lambda text: [*ownership.owner_by_slices(raw(text))]
    ),
    "service/store/messages/ownership:owner_of": Fed(
        calls=2,
        feed=lambda text: [
            ownership.owner_of(raw(text)),
            ownership.owner_of(message_with(text, "data", "item", "title")),
        ],
    ),
    "service/telemetry/logs:*": Fed(
        reach=BODY // 2,
        feed=lambda text: logs.hide_secrets(None, "info", {"event": "e", "said": text}),
        most=BODY,
    ),
    "service/telemetry/terminal:printable": Fed(reach=BODY, feed=terminal.printable),
    "service/telemetry/terminal:printable_json": Fed(
        reach=BODY // 6, feed=terminal.printable_json, most=BODY
    ),
    "service/web/catalogue/told:told": Fed(feed=in_german(told), reach=TEXT),
    "service/web/catalogue/told:told_with": Fed(feed=in_german(told_with), reach=TEXT),
    "service/web/labels:provider_mark": Fed(feed=labels.provider_mark),
    "service/web/labels:read_only": Fed(feed=labels.read_only),
    "service/web/pages/operators/words:cause": Fed(feed=in_german(words.cause)),
    "service/web/cookies:cookie_name": Fed(feed=lambda text: cookies.cookie_name(text, https=True)),
    "service/web/pages/calendar/appointment_form:AppointmentForm.content": Fed(
        calls=2 + CONTENTS, feed=lambda text: foreign_forms.appointment(text, contents(text)), most=BODY
    ),
    "service/web/pages/operators/dead_letters:readable_body": Fed(feed=dead_letters.readable_body, most=BODY),
    "service/operations/letters/letter_filter:parse_letter_filter": Fed(feed=letter_filter_of),
    "service/operations/letters/letter_names:data_of": Fed(feed=letter_names.data_of, most=BODY),
    "service/web/pages/form:FormSubmission.text": Fed(
        feed=lambda text: foreign_forms.form(text).text("title")
    ),
    "service/web/pages/form:text_of": Fed(
        feed=lambda text: text_of(foreign_forms.form(text).fields, "title")
    ),
    "service/web/pages/tenant/overview:asked_list": Fed(feed=lambda text: asked_list(q=text, person=text)),
    "service/cronofy/callbacks:is_signed": Fed(
        feed=lambda text: callbacks.is_signed([b"key"], text.encode(errors="replace"), ["a,b"])
    ),
    "service/integrations/companies/people_given:people_of": Fed(feed=people_of, raises=(Invalid,)),
    "service/web/sessions:device_of": Fed(feed=sessions.device_of, most=BODY),
    "service/web/pages/form:FormSubmission.number": Fed(feed=lambda one: foreign_forms.form(one).number("n")),
    "service/web/pages/logs_csv:*": Fed(reach=2 * LINE, feed=logs_csv.cell),
    **{name: Fed(feed=feed, reach=BODY) for name, feed in foreign_forms.FEEDS.items()},
    "service/integrations/leavers/signing:verified": Fed(
        feed=lambda t: verified(t, ()), raises=(NotGenuine,)
    ),
    "service/web/pages/calendar/days:*": Fed(
        calls=CONTENTS,
        feed=each_content(
            lambda content: days.entry_of(an_item(content=content), UTC_ZONE, locales.DEFAULT_PREFERENCES)
        ),
        most=TEXT,
    ),
    "service/web/pages/calendar/times_before:TimesBefore.read": Fed(
        feed=lambda text: TimesBefore.read(f"7~{text}"), raises=(Unknown,)
    ),
    "service/web/paging:is_id": Fed(feed=paging.is_id),
    "service/web/paging:letter_id_of": Fed(feed=paging.letter_id_of, raises=(Unknown,)),
    "service/web/paging:range_bounds": Fed(
        feed=lambda text: paging.range_bounds(text, text, "UTC"), raises=(Invalid,)
    ),
    "service/web/rendering:format_value": Fed(feed=lambda text: rendering.format_value(text, "UTC")),
    "service/web/pages/people/sign_in:own_path": Fed(feed=sign_in.own_path, most=BODY),
    "service/web/tokens:TokenMaker.sign_in": Fed(feed=TOKENS.sign_in, raises=(BadToken,)),
    "service/web/tokens:TokenMaker.bearer": Fed(feed=TOKENS.bearer, raises=(BadToken,)),
    "service/web/tokens:TokenMaker.is_form_token": Fed(feed=lambda t: TOKENS.is_form_token("s", whole(t))),
    "service/web/tokens:TokenMaker.is_draft_mark": Fed(
        feed=lambda text: TOKENS.is_draft_mark(SOMEBODY, whole(text), whole(text))
    ),
}
"""By function; ``*`` stands for what else of a module sees texts inside of other values."""
