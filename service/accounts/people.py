"""Whose calendar is meant."""

from dataclasses import dataclass

from service.store.accounts import Owner


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """The Vorex user whose integrations are meant."""

    tenant_id: str
    user_id: str
    time_zone: str = "UTC"

    @property
    def owner(self) -> Owner:
        return Owner(tenant_id=self.tenant_id, user_id=self.user_id)
