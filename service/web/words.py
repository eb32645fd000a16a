"""The words in which pages tell the closed sets of DESIGN 11 (G7–G10a, R22, R27)."""

from collections.abc import Mapping

from service.accounts.my_calendar import NOT_OURS

Words = Mapping[str, str]

EVENT_TYPES: Words = {"create": "Create", "update": "Update", "delete": "Delete"}
ITEM_TYPES: Words = {
    "appointment": "Appointments",
    "crm_activity": "CRM Activities",
    "service_call": "Service Calls",
    "task": "Tasks",
    "todo": "To Dos",
}
ITEM_TYPE: Words = {
    "appointment": "Appointment",
    "crm_activity": "CRM Activity",
    "service_call": "Service Call",
    "task": "Task",
    "todo": "To Do",
}
RANGES: Words = {
    "today": "Today",
    "1_week": "1 week",
    "2_weeks": "2 weeks",
    "1_month": "1 month",
    "3_months": "3 months",
    "6_months": "6 months",
    "12_months": "12 months",
}
PROVIDERS: Words = {
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
REASONS: Words = {
    "permission_withdrawn": "The permission to use this calendar account was withdrawn.",
    "calendar_missing": "The linked calendar is no longer there.",
    "calendar_read_only": "The linked calendar has become read-only.",
}
RUN_KINDS: Words = {
    "finish": "Sync at Finish",
    "sync_now": "Sync now",
    "catch_up": "Catching up",
    "daily": "Daily comparison",
}
RUN_STATES: Words = {
    "waiting": "Waiting",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
DIRECTIONS: Words = {"to_linked_calendar": "To linked calendar", "to_my_calendar": "To My Calendar"}
ACTIONS: Words = {
    "create": "Created",
    "update": "Updated",
    "delete": "Deleted",
    "link": "Linked",
    "let_go": "Let go",
    "none": "Nothing",
}
OUTCOMES: Words = {"done": "Done", "skipped": "Skipped", "failed": "Failed", "held": "Waiting"}
READ_ONLY: Words = {
    NOT_OURS: "edited in Vorex itself",
    "series": "part of a series",
    "private": "private in the linked calendar",
    "not_possible": "the linked calendar does not allow this event to be changed",
}
NOTICES: Words = {
    "refused": "Access was not allowed. Nothing was saved.",
    "finished": "Saved. Your calendars are kept alike from now on.",
    "activated": "Sync is active again. What changed meanwhile is being caught up with.",
    "deactivated": "Sync is deactivated. Nothing was deleted.",
    "deleted": "The integration was deleted.",
    "discarded": "The unfinished set-up was discarded.",
    "released": "The deletions are carried out.",
    "kept": "The items are kept and written to the linked calendar again.",
    "cancelled": "The sync was cancelled. What it has done stays.",
    "added": "The appointment was added.",
    "changed": "The appointment was changed.",
    "removed": "The appointment was deleted.",
}
COMPLAINTS: Words = {
    "inactive": "This integration is not active. Activate it first.",
    "run_in_progress": "A sync is running. Wait until it has ended.",
    "not_connected": "Verify that Cronofy has the permission to connect to Vorex, then reconnect.",
    "setup_unfinished": "Finish the settings first.",
    "nothing_selected": "Select at least one event type or one calendar item type to sync.",
    "already_linked": "You have linked this calendar already.",
    "not_editable": "This cannot be changed here.",
}
"""What a refused verb says on the page that it leads back to, by the conflict's code."""


def joined(boxes: Mapping[str, bool], words: Words) -> str:
    """The checked ones in the order of the screen, as the Confirmation tab lists them (G10a)."""
    return ", ".join(word for name, word in words.items() if boxes.get(name))


def read_only(reason: str | None) -> str | None:
    """Why an item cannot be edited, in a person's words (R8, R9)."""
    return READ_ONLY.get(reason, reason) if reason else None
