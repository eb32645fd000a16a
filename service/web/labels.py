"""The words in which pages tell the closed sets (G7–G10a, R22, R27)."""

from collections.abc import Mapping

from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_RUNS
from service.integrations.my_calendar import NOT_OURS

LabelTexts = Mapping[str, str]

EVENT_TYPES: LabelTexts = {"create": "Create", "update": "Update", "delete": "Delete"}
ITEM_TYPES: LabelTexts = {
    "appointment": "Appointments",
    "crm_activity": "CRM Activities",
    "service_call": "Service Calls",
    "task": "Tasks",
    "todo": "To Dos",
}
ITEM_TYPE: LabelTexts = {
    "appointment": "Appointment",
    "crm_activity": "CRM Activity",
    "service_call": "Service Call",
    "task": "Task",
    "todo": "To Do",
}
RANGES: LabelTexts = {
    "today": "Today",
    "1_week": "1 week",
    "2_weeks": "2 weeks",
    "1_month": "1 month",
    "3_months": "3 months",
    "6_months": "6 months",
    "12_months": "12 months",
}
REHEARSAL: LabelTexts = {
    "move": "Will move {n} to {calendar}",
    "add_there": "Will add {n} to {calendar}",
    "add_here": "Will add {n} to My Calendar",
    "link": "Will link {n} that are already in both",
    "change_there": "Will update {n} on {calendar}",
    "change_here": "Will update {n} on My Calendar",
}
REHEARSAL_CUT: LabelTexts = {
    "large": "There is a lot on these calendars. The numbers count what was looked at first; "
    "Finish goes through all of it.",
    "slow": "Cronofy took its time, so the numbers count only what was read until now. "
    "Finish works at its own pace.",
    "silent": "Cronofy does not answer just now, so this cannot be told before. Finish waits for it.",
    "first_sync": "Cronofy is still reading the calendar for the first time, so this cannot be told yet. "
    "Finish waits for it.",
}
STANDING: LabelTexts = {
    "confirmed": "On your calendar",
    "accepted": "On its way: taken by Cronofy, not read back yet",
    "on_its_way": "On its way",
    "delayed": "Delayed: it is tried again by itself",
    "not_connected": "Waiting: not connected",
    "inactive": "Waiting: sync is not active",
    "first_reading": "Waiting: the calendar is read first",
    "answer": "Waiting: its deletion needs your answer",
    "refused": "Not on your calendar: it was refused",
    "let_go": "No longer kept alike",
    "frozen": "Left as it is on your calendar",
    "removed": "Removed from your calendar",
    "type_off": "Not sent: items of this type are not selected",
    "not_sent": "Not on this calendar",
}
STANDING_CODES: LabelTexts = {
    "type_off": "Items of this type are no longer sent to this calendar.",
    "series": "The event is part of a series, which cannot be changed from outside.",
    "private": "The event is private there, and read-only here.",
    "not_possible": "The calendar does not allow this event to be changed from outside.",
    "loop_stopped": "The calendar and this sync kept changing each other.",
}
FIELDS: LabelTexts = {
    "title": "Subject",
    "description": "Description",
    "location": "Location",
    "start": "Start",
    "end": "End",
    "free": "Shown as free",
    "private": "Private",
}
PROVIDERS: LabelTexts = {
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
REASONS: LabelTexts = {
    "permission_withdrawn": "The permission to use this calendar account was withdrawn.",
    "calendar_missing": "The linked calendar is no longer there.",
    "calendar_read_only": "The linked calendar has become read-only.",
}
RUN_KINDS: LabelTexts = {
    "finish": "Sync at Finish",
    "sync_now": "Sync now",
    "catch_up": "Catching up",
    "daily": "Daily comparison",
}
RUN_STATES: LabelTexts = {
    "waiting": "Waiting",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
DIRECTIONS: LabelTexts = {"to_linked_calendar": "To linked calendar", "to_my_calendar": "To My Calendar"}
ACTIONS: LabelTexts = {
    "create": "Created",
    "update": "Updated",
    "delete": "Deleted",
    "link": "Linked",
    "let_go": "Let go",
    "none": "Nothing",
}
OUTCOMES: LabelTexts = {"done": "Done", "skipped": "Skipped", "failed": "Failed", "held": "Waiting"}
READ_ONLY: LabelTexts = {
    NOT_OURS: "edited in Vorex itself",
    "series": "part of a series",
    "private": "private in the linked calendar",
    "not_possible": "the linked calendar does not allow this event to be changed",
}
QUEUES: LabelTexts = {
    QUEUE_OUTBOUND: "outbound",
    QUEUE_INBOUND: "inbound",
    QUEUE_RUNS: "runs",
}
LETTER_CODES: LabelTexts = {
    "malformed": "Malformed",
    "refused": "Refused",
    "not_allowed": "Not allowed",
    "exhausted": "Attempts used up",
    "crash_loop": "Crash loop",
    "delivery_limit": "Given up by RabbitMQ",
    "bug": "Bug",
}
LETTER_STATES: LabelTexts = {
    "open": "Open",
    "replaying": "Being replayed",
    "resolved": "Resolved",
    "discarded": "Discarded",
    "edited": "Edited",
}
LETTER_ACTS: LabelTexts = {
    "replay": "Replayed",
    "stop": "Replay stopped",
    "discard": "Discarded",
    "undo": "Taken back",
    "edit": "Edited",
    "resolved": "Went well",
    "reopened": "Failed again",
}
SINCE: LabelTexts = {"": "Any time", "1h": "Last hour", "1d": "Last 24 hours", "7d": "Last 7 days"}
NOTICES: LabelTexts = {
    "refused": "Access was not allowed. Nothing was saved.",
    "finished": "Saved. Your calendars are kept alike from now on.",
    "activated": "Sync is active again. What changed meanwhile is being caught up with.",
    "deactivated": "Sync is deactivated. Nothing was deleted.",
    "deleted": "The integration was deleted.",
    "discarded": "The unfinished set-up was discarded.",
    "released": "The deletions are carried out.",
    "kept": "The items are kept. What this sync had added is written to the linked calendar again.",
    "cancelled": "The sync was cancelled. What it has done stays.",
    "added": "The appointment was added.",
    "changed": "The appointment was changed.",
    "removed": "The appointment was deleted.",
    "started": "A sync was started.",
    "letters_discarded": "Discarded. Nothing is lost: it can be taken back under Discarded.",
    "letters_undone": "Open again.",
    "replays_stopped": "Stopped. What had not gone out is open again.",
    "letter_replayed": "On its way again. What becomes of it will show here.",
    "letter_edited": "The mended message is on its way. The original is kept.",
}
COMPLAINTS: LabelTexts = {
    "inactive": "This integration is not active. Activate it first.",
    "run_in_progress": "A sync is running. Wait until it has ended.",
    "not_connected": "Verify that Cronofy has the permission to connect to Vorex, then reconnect.",
    "setup_unfinished": "Finish the settings first.",
    "nothing_selected": "Select at least one event type or one calendar item type to sync.",
    "already_linked": "You have linked this calendar already.",
    "not_editable": "This cannot be changed here.",
    "replaying": "It is being replayed already.",
    "not_open": "It is not open any more: somebody else has just dealt with it.",
    "not_discarded": "It is not discarded any more.",
    "not_malformed": "Only malformed messages can be edited.",
    "more_than_expected": "More messages match by now. Look at them once more before you replay them.",
    "nothing_chosen": "Choose at least one message first.",
    "no_reason": "Give a reason: whoever takes this back will want to know it.",
    "no_rate": "Give a rate between 0.1 and 1,000 messages a second.",
}
"""What a refused verb says on the page that it leads back to, by the conflict's code."""


def joined(boxes: Mapping[str, bool], words: LabelTexts) -> str:
    """The checked ones in the order of the screen, as the Confirmation tab lists them (G10a)."""
    return ", ".join(word for name, word in words.items() if boxes.get(name))


def read_only(reason: str | None) -> str | None:
    """Why an item cannot be edited, in a person's words (R8, R9)."""
    return READ_ONLY.get(reason, reason) if reason else None
