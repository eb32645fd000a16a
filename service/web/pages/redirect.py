"""Where a page leads after a form: on with a notice."""

from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import Response
from fastapi.responses import RedirectResponse


def redirect_to(address: str, **query: str) -> Response:
    """See other; only words of a closed set travel in the address, never a text."""
    given = {name: value for name, value in query.items() if value}
    separator = "&" if "?" in address else "?"
    return RedirectResponse(
        f"{address}{separator}{urlencode(given)}" if given else address, HTTPStatus.SEE_OTHER
    )
