"""The API's moments back into moments, for pages that show them by the person's clock."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

MOMENTS = ("at", "first_failed_at", "last_failed_at")
STORIES = ("attempts", "acts")


def told_moments(form: Mapping[str, Any]) -> dict[str, Any]:
    """A letter or a group as the API tells it, with moments that a page can show."""
    shown = {name: datetime.fromisoformat(form[name]) for name in MOMENTS if name in form}
    stories = {name: [told_moments(one) for one in form[name]] for name in STORIES if name in form}
    return {**form, **shown, **stories}
