"""The published HMAC vectors (CRONOFY.md C38)."""

import pytest

from service.demo.simulator.calendars.signing import sign

BODY = b'{"example":"well-known"}'
FIRST = "CRN_NggYusqPGLxwjw5FHOJYOqSrTPNXy8WQf14OID"
SECOND = "CRN_nGlYDFXwfSXgB9rvGNBJyfE454GGPtWIbNuPwr"
FIRST_VALUE = "5DxentQi5YSXODEzTVv06sRwJ3pULIz1KrYv20qxEK0="
SECOND_VALUE = "BmQmWVuZ70ILWjr1CAt5oC7YOolgnku4WZtlrKfx/6k="


@pytest.mark.parametrize(
    ("secrets", "header"),
    [
        ([FIRST], FIRST_VALUE),
        ([SECOND], SECOND_VALUE),
        ([FIRST, SECOND], f"{FIRST_VALUE},{SECOND_VALUE}"),
        (["pDY0Oi7TJSP2hfNmZNkm5"], "6r2/HjBkqymGegX0wOfifieeUXbbHwtV/LohHS+jv6c="),
        (["opposable thumbs"], "38ArsN7+J/O8joGsgirVEdV16a/+eb+5QgHGIiuv4hk="),
        (
            ["aPPwd-ASDFAsdfasdfasdfsadfasdfASDFSADF_asdfasdfasdf"],
            "0g6bhIumRlRffctPXuASSl3u6AXOxnYRw+hiTp7IvTg=",
        ),
    ],
)
def test_signing_gives_the_published_header(secrets: list[str], header: str) -> None:
    """One value per active secret, over the raw bytes."""
    assert sign(BODY, secrets) == header


def test_another_secret_gives_another_value() -> None:
    """The published negative."""
    assert sign(BODY, ["pDY0Oi7TJSP2hfNmZNkm5"]) != "PNNVJ9J2e8N174koxcKDzktZ9Qkt8YUzP+V+l5lG8F4="
