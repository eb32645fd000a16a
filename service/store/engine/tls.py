"""TLS to PostgreSQL with an authority of one's own: what the driver has no word for in an address."""

import ssl
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, make_url

ROOT, MODE = "sslrootcert", "ssl"
OF_THE_SYSTEM = "system"
WITHOUT_HOST_NAME = "verify-ca"


def with_authority(url: str) -> tuple[URL, Mapping[str, Any]]:
    """The address as the driver takes it, and what it is given beside.

    ``sslrootcert`` names a file with the authority's certificate, or the ``system``'s, and means
    ``verify-full`` unless ``ssl`` says ``verify-ca``. Without it, the driver has its own ways.
    Raises OSError where there is no such file, or no certificate in it.
    """
    address = make_url(url)
    file = address.query.get(ROOT)
    if not isinstance(file, str):
        return address, {}
    context = ssl.create_default_context(cafile=None if file == OF_THE_SYSTEM else file)
    context.check_hostname = address.query.get(MODE) != WITHOUT_HOST_NAME
    return address.difference_update_query([ROOT, MODE]), {MODE: context}
