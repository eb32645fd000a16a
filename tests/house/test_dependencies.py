"""What the service is made of is told whole: for whoever must know licences, and for machines."""

import json

from tests.house.dependencies import bill_of_materials, hashes, licence_of, needed


def test_every_dependency_has_a_licence_and_pinned_files() -> None:
    """All that is needed to run, and none of what the tests alone need."""
    names = {package.name.lower() for package in needed()}
    assert {"aio-pika", "alembic", "asyncpg", "cffi", "opentelemetry-sdk", "uvicorn"} <= names
    assert names.isdisjoint({"pytest", "mypy", "hypothesis"})
    assert {package.name: licence_of(package) for package in needed() if len(licence_of(package)) < 3} == {}
    assert "not said by the package" not in {licence_of(package) for package in needed()}


def test_the_bill_of_materials_names_each_of_them_with_its_hashes() -> None:
    """In CycloneDX's form, of the version that is installed."""
    document = json.loads(bill_of_materials())

    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    listed = {one["purl"]: one for one in document["components"]}
    assert len(listed) == len(needed())
    assert [purl for purl, one in listed.items() if not (one.get("hashes") and one.get("licenses"))] == []
    assert all(digest in hashes()["httpx"] for digest in _digests(listed, "pkg:pypi/httpx@"))


def _digests(listed: dict[str, dict[str, list[dict[str, str]]]], beginning: str) -> list[str]:
    (one,) = (one for purl, one in listed.items() if purl.startswith(beginning))
    return [each["content"] for each in one["hashes"]]
