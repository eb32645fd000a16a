"""What operators' pages say of figures and of causes, beside the closed sets that all pages know."""

from service.web.catalogue import Texts, grouped, ngettext
from service.web.catalogue.told import told
from service.web.labels import LabelTexts

INTEGRATION_STATES: LabelTexts = Texts(
    {"connected": "Connected", "not_connected": "Not Connected", "setup": "Set-up unfinished"}
)
BUDGET_SPANS: LabelTexts = Texts(
    {"second": "Requests in the last second", "minute": "Requests in the last minute"}
)
BUDGET_GAUGES: LabelTexts = Texts(
    {"second": "Budget used in the last second", "minute": "Budget used in the last minute"}
)
WHEN: LabelTexts = Texts(
    {
        "before noon": "Before noon",
        "today": "Today",
        "tomorrow": "Tomorrow",
        "in the next 7 days": "In the next 7 days",
    }
)


def things(item_type: str, many: int) -> str:
    """So many items of that type."""
    number = grouped(many)
    match item_type:
        case "appointment":
            return ngettext("%(number)s appointment", "%(number)s appointments", many, number=number)
        case "crm_activity":
            return ngettext("%(number)s CRM activity", "%(number)s CRM activities", many, number=number)
        case "service_call":
            return ngettext("%(number)s service call", "%(number)s service calls", many, number=number)
        case "task":
            return ngettext("%(number)s task", "%(number)s tasks", many, number=number)
        case "todo":
            return ngettext("%(number)s to-do", "%(number)s to-dos", many, number=number)
    return ngettext("%(number)s item", "%(number)s items", many, number=number)


def cause(said: str) -> str:
    """How many letters there are of a cause, and what it is."""
    number, times, reason = said.partition(" × ")
    return f"{number}{times}{told(reason)}"
