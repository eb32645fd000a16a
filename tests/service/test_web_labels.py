"""The words in which pages tell the kinds of linked calendar (G2)."""

from service.demo.simulator.model import PROVIDER_KINDS as AT_CRONOFY
from service.web.labels import PROVIDERS


def test_g2_each_of_the_five_services_is_told_by_its_own_name() -> None:
    """By either of the two words that Cronofy has for it; two words may share a provider."""
    told = {word: PROVIDERS[service] for key, (_, service, word) in AT_CRONOFY.items() if key != "cronofy"}

    assert told == {name: name for name in ("Office 365", "Exchange", "Outlook.com", "Google", "iCloud")}
    assert {name for name, _, _ in AT_CRONOFY.values()} - PROVIDERS.keys() == {"cronofy"}
