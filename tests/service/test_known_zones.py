"""Zones that a calendar refused are remembered, not for ever and not without bound (R37)."""

from service.consumers.outbound.known_zones import MOST_ZONES_KNOWN, ZONE_LIFE_SECONDS, KnownZones


def test_r37_what_one_calendar_took_says_nothing_of_another() -> None:
    zones = KnownZones()
    zones.learn("cal_1", "Europe/Kyiv", "Europe/Kiev", now=0.0)

    assert zones.instead("cal_1", "Europe/Kyiv", now=1.0) == "Europe/Kiev"
    assert zones.instead("cal_2", "Europe/Kyiv", now=1.0) is None
    assert zones.instead("cal_1", "Europe/London", now=1.0) is None
    assert zones.instead("cal_1", None, now=1.0) is None
    assert zones.instead("cal_1", "Europe/Kyiv", now=ZONE_LIFE_SECONDS) is None


def test_r37_the_one_learnt_longest_ago_is_forgotten_first() -> None:
    zones = KnownZones()
    for number in range(MOST_ZONES_KNOWN):
        zones.learn(f"cal_{number}", "Europe/Kyiv", "Etc/UTC", now=0.0)
    zones.learn("cal_0", "Europe/Kyiv", "Europe/Kiev", now=1.0)
    zones.learn("cal_new", "Europe/Kyiv", "Etc/UTC", now=1.0)

    assert zones.instead("cal_1", "Europe/Kyiv", now=2.0) is None
    assert zones.instead("cal_0", "Europe/Kyiv", now=2.0) == "Europe/Kiev"
    assert zones.instead("cal_new", "Europe/Kyiv", now=2.0) == "Etc/UTC"
