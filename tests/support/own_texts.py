"""Functions of those rooms that are given texts of our own alone, each with whose they are (R43)."""

from collections.abc import Mapping

_NAME = "a name that a caller of ours writes"
_ID = "an id of ours, or one that the contract bounds, which is compared and handed on"
_ZONE = "a zone that the contract knows"
_WORD = "a word of a closed set"
_SETTING = "a setting"
_SECRET = "what this service made, kept and takes back itself"

OWN_TEXTS: Mapping[str, str] = {
    "contracts/asyncapi:document": "the version of the contracts",
    "contracts/cronofy_accounts:AccountAsked.body": "the scope that we ask for",
    "contracts/cronofy_accounts:UserInfo.profile": _ID,
    "service/cronofy/credentials:StoredTokens.seal_text": "a code, bounded where it was read",
    "service/cronofy/credentials:StoredTokens.unseal_text": _SECRET,
    "service/cronofy/gateway:CronofyGateway.company_url": _SECRET,
    "service/cronofy/oauth:OAuth.company_url": _SECRET,
    **{
        f"service/cronofy/{one}.is_signed": "the same bytes, fed through service/cronofy/callbacks"
        for one in ("gateway:CronofyGateway", "oauth:OAuth")
    },
    "contracts/ports:CredentialStore.seal": _SECRET,
    "contracts/ports:CredentialStore.unseal": _SECRET,
    "contracts/ports:GrantKeeper.seal_text": _SECRET,
    "contracts/ports:GrantKeeper.unseal": _SECRET,
    "contracts/ports:GrantKeeper.unseal_text": _SECRET,
    "contracts/fields:broken_rule": "a rule in our words",
    **{
        f"contracts/tolerant:read_{what}": f"{_NAME}; the text itself is fed through contracts/cronofy"
        for what in ("required", "text", "id", "cut", "flag", "object", "rows", "moment")
    },
    "service/web/sessions:device_words": "the device in words of ours",
    "service/web/pages/operators/words:things": _WORD,
    "service/web/labels:provider_name": "a provider's name, looked up among ours",
    **{
        f"service/web/catalogue/__init__:{verb}": "a sentence of ours"
        for verb in ("gettext", "ngettext", "pgettext", "npgettext")
    },
    **{f"contracts/tracing:{verb}_of": _ID for verb in ("parent", "span_id", "trace_id", "traceparent")},
    **{f"service/telemetry/current:{verb}": _ID for verb in ("concerning", "going_on")},
    "service/operations/publishing:check_events": "a file of whoever runs the command, in their own process",
    "service/integrations/tenants/acts:noted_act": _ID,
    "contracts/zones:zones_instead": _ZONE,
    "handlers/fingerprints:are_alike": "a digest",
    "handlers/calendar_move:removal_entry": _ID,
    "handlers/calendar_move:left_copy_entry": _ID,
    "handlers/link_states:accept": "a digest",
    "handlers/link_states:let_go_by_owner": "a digest",
    "handlers/link_states:renew": _ID,
    "handlers/landing:in_zone": _ZONE,
    "handlers/link_states:let_stand": "a digest",
    "handlers/link_states:question": "a digest",
    "handlers/questions/standing:absences_among": _ZONE,
    "handlers/questions/standing:why_closed": "a digest",
    "handlers/questions/windows:instant_in": _ZONE,
    "handlers/link_states:seen": "an address that the contract bounds, which is compared",
    **{f"handlers/forecasts/clock_changes:{what}": _ZONE for what in ("forecast", "next_change")},
    "handlers/forecasts/weather:family_of": "a provider's name, looked up among ours",
    "service/operations/weather_words:provider_word": "a provider's name, looked up among ours",
    "service/web/dependencies:person_shown": _ID,
    "service/web/pages/calendar/times_before:TimesBefore.address": _ID,
    "handlers/log_entries:RowLog.disagrees": "a sentence of ours",
    "handlers/log_entries:RowLog.left": "a sentence of ours",
    "handlers/log_entries:RowLog.put_back": "a sentence of ours",
    "handlers/relink:adopted_link": "a sentence of ours",
    **{f"service/consumers/brake:Brake.{verb}": _ID for verb in ("bug", "learned_nothing", "went_well")},
    **{
        f"service/cronofy/page_trail:{what}": "an address that is bounded, and kept"
        for what in ("PageTrail.follow", "followed")
    },
    "service/consumers/outbound/known_zones:KnownZones.instead": _ZONE,
    "service/consumers/outbound/known_zones:KnownZones.learn": _ZONE,
    "service/consumers/runs/dry_run_result:DryRunLine.of_item": _ID,
    "service/consumers/turns:TenantTurns.give_back": _ID,
    "service/consumers/turns:TenantTurns.take": _ID,
    "service/cronofy/allowance:Spending.add": _ID,
    "service/cronofy/allowance:Spending.has_part": _ID,
    "service/cronofy/allowance:Spending.distance": _ID,
    "service/cronofy/budget:short_name": _ID,
    "service/cronofy/live/calendar:TrialCalendar.event": _NAME,
    "service/cronofy/live/calendar:TrialCalendar.id_of": _NAME,
    **{
        f"service/cronofy/live/trial:{verdict}": "a sentence of ours"
        for verdict in ("as_assumed", "different", "judged", "unsettled")
    },
    "service/integrations/finish:check_details": _WORD,
    "handlers/outbound_message:outbound_entry": "a sentence of ours",
    "handlers/replays/pace:ReplayPace.moment": _ID,
    "handlers/runs:span_of": _ZONE,
    "handlers/undoing/putting_back:leave": "a sentence of ours",
    "service/integrations/my_calendar:id_once": "a mark whose form is checked before",
    "handlers/versions:judge_version": "a source that the contract bounds, which is kept",
    "service/broker/memory:MemoryBroker.has": "a queue's name",
    "service/broker/memory:MemoryBroker.give_back": "a queue's name",
    "service/broker/routing:destinations": "fed as topic_matches; exchanges are ours",
    "service/consumers/inbound/notice_pace:NoticePace.admits": _ID,
    "service/consumers/outbound/transaction_a:StoredIntake.finish": _WORD,
    "service/consumers/outbound/transaction_a:StoredIntake.end": _WORD,
    "service/consumers/outbound/window:window_entry": _ID,
    "service/consumers/outcomes:begin_message": _ID,
    "service/consumers/outcomes:SourceLabels.label_of": "a source, of 255 characters at most",
    "service/consumers/outcomes:log_ended": "a queue's name",
    "service/consumers/outcomes:log_finished": "a queue's name",
    "service/consumers/runs/baseline:after_reading": _ZONE,
    "service/consumers/runs/dry_run_result:DryRunResult.note": _NAME,
    "service/cronofy/allowance:Allowance.parse": "what this service stored itself",
    "service/cronofy/allowance:Allowance.rule": "a process's name",
    "service/cronofy/allowance:Allowance.refuse": _ID,
    "service/cronofy/breaker:CronofyBreaker.failed": _ID,
    "service/cronofy/credentials:StoredTokens.unseal": _SECRET,
    "service/cronofy/oauth:challenge_of": _SECRET,
    "service/cronofy/gateway:CronofyGateway.authorize_url": "a token of ours",
    "service/cronofy/oauth:OAuth.authorize_url": "a token of ours",
    "service/cronofy/questions:PeoplesQuestions.forget": _ID,
    "service/cronofy/questions:PeoplesQuestions.count_request": _ID,
    "service/integrations/sign_outs:signed_out_words": _ID,
    "service/consumers/outbound/faults:say_fault": _NAME,
    "service/telemetry/metrics:show_from_zero": "a queue's name",
    "service/cronofy/questions:persons_turn": _ID,
    "service/cronofy/transport:open_client": _SETTING,
    "service/cronofy/wire:proxy_of": _SETTING,
    "service/integrations/refusals:Invalid.one": "a sentence of ours",
    "service/integrations/run_requests:run_requested": _ID,
    "service/operations/consequences:worst_harm": _ZONE,
    "service/operations/consequences:tally_of_concerns": _ZONE,
    "service/store/messages/dead_letters:of_tenant": _ID,
    "service/store/messages/dead_letters:waits_for_replay": _ID,
    "service/store/messages/outbox:waits_for_moment": _ID,
    "service/web/pages/operators/dead_letters_filter:LettersAddress.matching": _WORD,
    "service/web/pages/operators/dead_letters_filter:LettersAddress.verb": _WORD,
    "service/store/messages/replays:new": "a person's id and a note that its form bounds, which are kept",
    **{
        f"service/telemetry/{place}": "ids, words of closed sets and a span's name"
        for place in (
            "otlp:OtelSpans.begin",
            "otlp:RecordedSpan.fail",
            "spans:Span.fail",
            "spans:SpanMaker.begin",
            "spans:begin",
            "spans:did",
            "spans:doing",
            "spans:goes_on",
        )
    },
    "service/telemetry/logs:set_up": _SETTING,
    "service/telemetry/logs:hide_secrets": "a method's name; the line is fed as service/telemetry/logs:*",
    "service/telemetry/logs:only_printable": "a method's name; its values are fed as printable",
    "service/telemetry/hindrances:say_hindered": "a chore of ours, an error's own text, and ids",
    "service/web/cookies:lay_cookie": "a token of ours",
    "service/web/cookies:cookie_of": _NAME,
    "service/web/cookies:drop_cookie": _NAME,
    "service/web/dependencies:require_operator": "a sentence of ours",
    "service/web/error_page:keep_unsent": "a button's label; the fields are kept as they are",
    "service/web/error_page:error_page": "a sentence of ours",
    "service/web/pages/docs/book:neighbours": "a page's name, looked up before",
    **{
        f"service/web/pages/docs/markdown:{name}": "the handbook's own text"
        for name in ("render_text", "slug")
    },
    "service/web/pages/docs/reference:table_texts": _NAME,
    **{
        f"service/web/pages/docs/schema_tables:{name}": "the descriptions' own text"
        for name in ("SchemaReader.found", "SchemaReader.kinds")
    },
    "service/web/pages/docs/schema_tables:schema_document": "a name that is compared with those of files",
    "service/web/pages/form:FormSubmission.checked": _NAME,
    "service/web/pages/form:form_to": "a button's label",
    "service/web/pages/redirect:redirect_to": "an address of ours",
    **{
        f"service/web/pages/wizard_steps:{step}": _WORD
        for step in ("merged", "refused", "neighbours", "skips_ahead")
    },
    "service/web/pages/wizard_draft:SettingsDraft.is_overtaken": "a print, which is compared and no more",
    "service/web/pages/wizard_steps:range_days": _ZONE,
    "service/web/pages/wizard_steps:range_edges": _WORD,
    "service/web/problems:problem_response": "a sentence of ours",
    "service/web/rendering:render_page": "a template's name",
    "service/web/rendering:static_address": "a file's name",
    **{f"service/web/rendering:format_{what}": _ZONE for what in ("seconds", "span", "when")},
    "service/web/tokens:TokenMaker.form_token": "a session's id",
    "service/web/tokens:TokenMaker.draft_mark": "settings in a form of ours; fed as is_draft_mark",
    "service/web/pages/calendar/shown:ShownCalendar.has_source": _ID,
    "service/web/pages/calendar/shown:ShownCalendar.has_type": _WORD,
}
