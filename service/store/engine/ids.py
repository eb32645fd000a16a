"""New ids: UUID text that sorts by time, so that indexes grow at one end."""

import uuid_utils


def new_id() -> str:
    return str(uuid_utils.uuid7())
