"""The addresses of the pages that others lead to."""

INTEGRATIONS_PATH = "/calendar-sync"
CALLBACK_PATH = "/calendar-sync/callback"
MY_CALENDAR_PATH = "/my-calendar"
OPERATIONS_PATH = "/operations"
LETTERS_PATH = f"{OPERATIONS_PATH}/dead-letters"
TROUBLED_PATH = f"{OPERATIONS_PATH}/integrations"
