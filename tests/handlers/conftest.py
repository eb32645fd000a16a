"""The rules are pure: what other tests need of the machine is not started for theirs."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _nursery() -> None:
    """No process is started here, so none has the product imported beforehand."""
