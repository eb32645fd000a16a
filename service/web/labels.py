"""The words in which pages tell the closed sets (G7–G10a, R22, R27)."""

from collections.abc import Mapping

from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PEOPLE, QUEUE_RUNS
from service.integrations.my_calendar import NOT_OURS
from service.web.catalogue import Texts, gettext

LabelTexts = Mapping[str, str]

EVENT_TYPES: LabelTexts = Texts({"create": "Create", "update": "Update", "delete": "Delete"})
ITEM_TYPES: LabelTexts = Texts(
    {
        "appointment": "Appointments",
        "crm_activity": "CRM Activities",
        "service_call": "Service Calls",
        "task": "Tasks",
        "todo": "To Dos",
    }
)
EVENT_DETAILS: LabelTexts = Texts(
    {
        "url": "The address of the record behind the item",
        "color": "A colour for each type of item",
    }
)
ITEM_TYPE: LabelTexts = Texts(
    {
        "appointment": "Appointment",
        "crm_activity": "CRM Activity",
        "service_call": "Service Call",
        "task": "Task",
        "todo": "To Do",
    }
)
RANGES: LabelTexts = Texts(
    {
        "today": "Today",
        "1_week": "1 week",
        "2_weeks": "2 weeks",
        "1_month": "1 month",
        "3_months": "3 months",
        "6_months": "6 months",
        "12_months": "12 months",
    }
)
REHEARSAL: LabelTexts = Texts(
    {
        "move": "Will move {n} to {calendar}",
        "add_there": "Will add {n} to {calendar}",
        "add_here": "Will add {n} to My Calendar",
        "link": "Will link {n} that are already in both",
        "change_there": "Will update {n} on {calendar}",
        "change_here": "Will update {n} on My Calendar",
    }
)
REHEARSAL_CUT: LabelTexts = Texts(
    {
        "large": "There is a lot on these calendars. The numbers count what was looked at first; "
        "Finish goes through all of it.",
        "slow": "Cronofy took its time, so the numbers count only what was read until now. "
        "Finish works at its own pace.",
        "silent": "Cronofy does not answer just now, so this cannot be told before. Finish waits for it.",
        "first_sync": "Cronofy is still reading the calendar for the first time, so this cannot be told yet. "
        "Finish waits for it.",
    }
)
STANDING: LabelTexts = Texts(
    {
        "confirmed": "On your calendar",
        "accepted": "On its way: taken by Cronofy, not read back yet",
        "on_its_way": "On its way",
        "delayed": "Delayed: it is tried again by itself",
        "not_connected": "Waiting: not connected",
        "inactive": "Waiting: sync is not active",
        "first_reading": "Waiting: the calendar is read first",
        "answer": "Waiting: its deletion needs your answer",
        "dispatcher": "You moved it further than Vorex allows: your dispatcher is asked",
        "refused": "Not on your calendar: it was refused",
        "let_go": "No longer kept alike",
        "frozen": "Left as it is on your calendar",
        "removed": "Removed from your calendar",
        "type_off": "Not sent: items of this type are not selected",
        "not_sent": "Not on this calendar",
    }
)
STANDING_CODES: LabelTexts = Texts(
    {
        "type_off": "Items of this type are no longer sent to this calendar.",
        "series": "The event is part of a series, which cannot be changed from outside.",
        "private": "The event is private there, and read-only here.",
        "not_possible": "The calendar does not allow this event to be changed from outside.",
        "loop_stopped": "The calendar and this sync kept changing each other.",
        "questioned": "You deleted it there, and your dispatcher is asked.",
        "meeting": "The provider would tell the guests or lose the meeting: it is not changed from Vorex.",
    }
)
FIELDS: LabelTexts = Texts(
    {
        "title": "Subject",
        "description": "Description",
        "location": "Location",
        "start": "Start",
        "end": "End",
        "free": "Shown as free",
        "private": "Private",
    }
)
ITEM_FIELDS: LabelTexts = Texts(
    {
        "id": "Id",
        "type": "Type",
        "title": "Title",
        "description": "Description",
        "description_format": "Description format",
        "location": "Location",
        "all_day": "All day",
        "start": "Start",
        "end": "End",
        "time_zone": "Time zone",
        "private": "Private",
        "show_as": "Show as",
        "completed": "Completed",
        "account_name": "Account name",
        "reference": "Reference",
        "assignees": "Assignees",
        "deleted": "Deleted",
    }
)
"""Of an item whose values lost where both sides had changed it."""
PROVIDERS: LabelTexts = Texts(
    {
        "office365": "Office 365",
        "exchange": "Exchange",
        "ews": "Exchange",
        "outlook_com": "Outlook.com",
        "live_connect": "Outlook.com",
        "google": "Google",
        "gsuite": "Google",
        "icloud": "iCloud",
        "apple": "iCloud",
    }
)
REASONS: LabelTexts = Texts(
    {
        "permission_withdrawn": "The permission to use this calendar account was withdrawn.",
        "calendar_missing": "The linked calendar is no longer there.",
        "calendar_read_only": "The linked calendar has become read-only.",
        "erased": "You asked Cronofy to be forgotten, so what came from this account was erased.",
    }
)
HELD: LabelTexts = Texts({"deletion": "Deleted there", "import": "Appeared there"})
OWN_EVENTS: LabelTexts = Texts(
    {
        "allowed": "Vorex may change and delete events that you made there.",
        "not_asked": "Vorex may not change events that you made there.",
        "refused": "Vorex may not change events that you made there: you did not allow it.",
    }
)
RUN_KINDS: LabelTexts = Texts(
    {
        "finish": "Sync at Finish",
        "sync_now": "Sync now",
        "catch_up": "Catching up",
        "daily": "Daily comparison",
        "undo": "Undo of a sync",
        "answer": "Answer to held questions",
    }
)
RUN_STATES: LabelTexts = Texts(
    {"waiting": "Waiting", "running": "Running", "done": "Done", "failed": "Failed", "cancelled": "Cancelled"}
)
LOG_FILTER: LabelTexts = Texts(
    {
        "direction": "Direction",
        "outcome": "Outcome",
        "item_type": "Items",
        "q": "Title or reason has",
        "kind": "Kind of sync",
        "from": "From",
        "to": "To",
        "trigger": "What is shown",
    }
)
DIRECTIONS: LabelTexts = Texts(
    {"to_linked_calendar": "To linked calendar", "to_my_calendar": "To My Calendar"}
)
ACTIONS: LabelTexts = Texts(
    {
        "create": "Created",
        "update": "Updated",
        "delete": "Deleted",
        "link": "Linked",
        "let_go": "Let go",
        "none": "Nothing",
    }
)
ACTIONS_NOT_DONE: LabelTexts = Texts(
    {
        "create": "Create",
        "update": "Update",
        "delete": "Delete",
        "link": "Link",
        "let_go": "Let go",
        "none": "Nothing",
    },
    meaning="to be done",
)
"""What was to be done where it failed, was skipped or waits."""
OUTCOMES: LabelTexts = Texts({"done": "Done", "skipped": "Skipped", "failed": "Failed", "held": "Waiting"})
CALENDAR_VIEWS: LabelTexts = Texts({"day": "Day", "week": "Week", "month": "Month", "agenda": "Agenda"})
READ_ONLY: LabelTexts = Texts(
    {
        NOT_OURS: "edited in Vorex itself",
        "series": "part of a series",
        "private": "private in the linked calendar",
        "not_possible": "the linked calendar does not allow this event to be changed",
    }
)
QUEUES: LabelTexts = Texts(
    {QUEUE_OUTBOUND: "outbound", QUEUE_INBOUND: "inbound", QUEUE_RUNS: "runs", QUEUE_PEOPLE: "people"}
)
LETTER_CODES: LabelTexts = Texts(
    {
        "malformed": "Malformed",
        "refused": "Refused",
        "not_allowed": "Not allowed",
        "exhausted": "Attempts used up",
        "crash_loop": "Crash loop",
        "delivery_limit": "Given up by RabbitMQ",
        "bug": "Bug",
    }
)
LETTER_STATES: LabelTexts = Texts(
    {
        "open": "Open",
        "replaying": "Being replayed",
        "resolved": "Resolved",
        "discarded": "Discarded",
        "edited": "Edited",
    }
)
LETTER_ACTS: LabelTexts = Texts(
    {
        "replay": "Replayed",
        "stop": "Replay stopped",
        "discard": "Discarded",
        "undo": "Taken back",
        "edit": "Edited",
        "resolved": "Went well",
        "reopened": "Failed again",
    }
)
SINCE: LabelTexts = Texts({"": "Any time", "1h": "Last hour", "1d": "Last 24 hours", "7d": "Last 7 days"})
CHANGED_PARTS: LabelTexts = Texts(
    {
        "calendar_id": "The linked calendar",
        "own_name": "What you call it",
        "event_types": "The event types you wish to sync",
        "item_types": "Calendar items you wish to send to the linked calendar",
        "event_details": "What else they show there",
        "retrieve": "Retrieve linked calendar items",
        "send": "Send your calendar items",
    }
)
ALERT_NAMES: LabelTexts = Texts(
    {
        "cronofy_down": "Cronofy does not answer",
        "brake_on": "A consumer pauses because of bug after bug",
        "nobody_takes": "Messages wait in a queue from which nobody takes",
        "queue_late": "Messages wait in a queue for more than a minute",
        "outbox_late": "Messages wait in the outbox for more than a minute",
        "parked": "RabbitMQ gave messages up",
        "slowed_down": "Cronofy asked us to slow down",
        "provider_weather": "A calendar provider is slow or failing for many",
    }
)
HISTORY: LabelTexts = Texts(
    {
        "age": "Longest wait in a queue",
        "outcomes": "Messages a minute",
        "budget": "Requests to Cronofy in a minute",
        "latency": "From Vorex to the calendar",
        "letters": "New dead letters",
    }
)
HISTORY_LINES: LabelTexts = Texts(
    {
        "done": "Done",
        "retry": "Retried",
        "dead": "Dead",
        "median": "Half of all within",
        "late": "99 % within",
    }
)
HISTORY_SPANS: Mapping[int, str] = Texts({600: "Last 24 hours", 7200: "Last 14 days"})
LETTER_FILTER: LabelTexts = Texts(
    {
        "queue": "Queue",
        "code": "Kind",
        "since": "Failed last",
        "who": "Person, account or calendar has",
        "integration": "Integration",
        "group": "Cause",
        "reason": "Reason has",
        "state": "State",
    }
)
NOTICES: LabelTexts = Texts(
    {
        "declined": "Nothing was linked. Cronofy was asked to forget the permission.",
        "session_ended": "That device is signed out.",
        "saved": "Saved.",
        "forgotten": "The changes were forgotten. This is what is saved.",
        "comparing": "Both sides are being compared, and what differs crosses.",
        "finished": "Saved. Your calendars are kept alike from now on.",
        "activated": "Sync is active again. What changed meanwhile is being caught up with.",
        "deactivated": "Sync is deactivated. Nothing was deleted.",
        "migrated": "This account is reached in the new way already. There is nothing left to do.",
        "deleted": "The integration was deleted.",
        "discarded": "The unfinished set-up was discarded.",
        "released": "The deletions are carried out.",
        "kept": "The items are kept. What this sync had added is written to the linked calendar again.",
        "brought": "They are brought to My Calendar with the next look at the linked calendar.",
        "left": "They stay in the linked calendar alone.",
        "cancelled": "The sync was cancelled. What it has done stays, until you undo it.",
        "undoing": "The sync is being undone.",
        "signed_out_everywhere": "That person is signed out on every device.",
        "added": "The appointment was added.",
        "changed": "The appointment was changed.",
        "removed": "The appointment was deleted.",
        "restored": "The appointment is there again, as it was.",
        "started": "A sync was started.",
        "letters_discarded": "Discarded. Nothing is lost: it can be taken back.",
        "letters_undone": "Open again.",
        "replays_stopped": "Stopped. What had not gone out is open again.",
        "letter_replayed": "On its way again. What becomes of it will show here.",
        "letter_edited": "The mended message is on its way. The original is kept.",
    }
)
COMPLAINTS: LabelTexts = Texts(
    {
        "only_watches": "It only watches. Press Begin to start for real.",
        "question_settled": "That question is settled already. Nothing was done.",
        "question_changed": "The call has changed since that answer, so it stays.",
        "question_asked_since": "The same has been asked again since; answer the open question.",
        "refused": "Access was not allowed. Nothing was saved.",
        "consent_over": "That answer from Cronofy was taken before, so nothing was done now. "
        "Press Click to Connect to link a calendar.",
        "cronofy_silent": "Cronofy does not answer just now, and this cannot be saved without asking it. "
        "Nothing was saved. What you chose is kept here: send it again in a moment.",
        "looked_just_now": "Both sides were compared within the last minute. Look at Last checked.",
        "inactive": "This integration is not active. Activate it first.",
        "answered_already": "This was answered already, here or elsewhere. Nothing was done now.",
        "run_in_progress": "A sync is running. Wait until it has ended.",
        "not_connected": "Verify that Cronofy has the permission to connect to Vorex, then reconnect.",
        "setup_unfinished": "Finish the settings first.",
        "nothing_selected": "Select at least one event type or one calendar item type to sync.",
        "already_linked": "You have linked this calendar already.",
        "not_editable": "This cannot be changed here.",
        "limit_reached": "That is as many as one person may have.",
        "nothing_to_undo": "Nothing of this sync can be undone: it runs, changed nothing, or was long ago.",
        "is_operator": "This person is an operator: only an operator can sign them out.",
        "nothing_to_change": "Nothing of it can be changed: choose integrations that stand otherwise.",
        "others_by_now": "Other integrations would be meant by now, so nothing was done. Choose again.",
        "replaying": "It is being replayed already.",
        "not_open": "It is not open any more: somebody else has just dealt with it.",
        "not_discarded": "It is not discarded any more.",
        "not_malformed": "Only malformed messages can be edited.",
        "more_than_expected": "More messages match by now. Look at them once more first.",
        "nothing_chosen": "Choose at least one message first.",
        "no_reason": "Give a reason: whoever takes this back will want to know it.",
        "no_rate": "Give a rate between 0.1 and 1,000 messages a second.",
    }
)
"""What a refused verb says on the page that it leads back to, by the conflict's code."""


def provider_name(service: str) -> str:
    """The provider as a person knows it."""
    return PROVIDERS.get(service) or gettext("Calendar account")


def provider_mark(service: str) -> tuple[str, str]:
    """A letter and a shade by which accounts of different providers are told apart at a glance."""
    name = provider_name(service)
    known = list(dict.fromkeys(PROVIDERS.values()))
    return name[:1], f"of{known.index(name)}" if service in PROVIDERS else "of"


def joined(boxes: Mapping[str, bool], words: LabelTexts) -> str:
    """The checked ones in the order of the screen, as the Confirmation tab lists them (G10a)."""
    return ", ".join(word for name, word in words.items() if boxes.get(name))


def read_only(reason: str | None) -> str | None:
    """Why an item cannot be edited, in a person's words (R8, R9)."""
    return READ_ONLY.get(reason, reason) if reason else None
