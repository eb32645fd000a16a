"""What the service is made of: ``python -m tests.house.dependencies licences`` or ``sbom`` (a part of make).

Told from the installed packages themselves: names, versions and licences of all that the service needs to
run, without what only its tests need; as lines, or as a bill of materials in CycloneDX's form.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageMetadata, PackageNotFoundError, distribution, requires

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service.version import DISTRIBUTION
from tests.support.repository import ROOT

LOCK = ROOT / "requirements.lock"
_PINNED = re.compile(
    r"^(?P<name>[\w.-]+)==\S+ \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)", re.MULTILINE
)
TRACING = "otel"
"""The extra that the image has as well."""
_UNSAID = "not said by the package"


def needed(name: str = DISTRIBUTION) -> Sequence[Distribution]:
    """Every distribution that this one needs to run here and to trace, itself left out, by name."""
    found: dict[str, Distribution] = {}
    waiting = list(_required(name, frozenset({TRACING})))
    while waiting:
        requirement = waiting.pop()
        key = canonicalize_name(requirement.name)
        if key not in found:
            try:
                found[key] = distribution(requirement.name)
            except PackageNotFoundError:
                continue  # for another system than this one
        waiting += [each for each in _required(key, frozenset(requirement.extras)) if _new(each, found)]
    return [found[key] for key in sorted(found)]


def licence_of(package: Distribution) -> str:
    """As the package says it: an SPDX expression, else its classifiers, else its own words."""
    meta = package.metadata
    if expression := _said(meta, "License-Expression"):
        return expression
    said = [
        one.rpartition(" :: ")[2] for one in meta.get_all("Classifier") or () if one.startswith("License ::")
    ]
    own = _said(meta, "License").strip().partition("\n")[0]
    return ", ".join(said) or own or _UNSAID


def _said(meta: PackageMetadata, field: str) -> str:
    return next(iter(meta.get_all(field) or ()), "")


def hashes() -> Mapping[str, Sequence[str]]:
    """The pinned SHA-256 of each package's files, by its name."""
    return {
        canonicalize_name(found["name"]): re.findall(r"sha256:([0-9a-f]{64})", found["hashes"])
        for found in _PINNED.finditer(LOCK.read_text(encoding="utf-8"))
    }


def bill_of_materials() -> str:
    """The service and what it needs, as a document of CycloneDX 1.6."""
    pinned, licences = hashes(), LicenseFactory()
    service = Component(
        name=DISTRIBUTION, version=distribution(DISTRIBUTION).version, type=ComponentType.APPLICATION
    )
    bom = Bom()
    bom.metadata.component = service
    parts = [_component(package, pinned, licences) for package in needed()]
    bom.components.update(parts)
    bom.register_dependency(service, parts)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _component(
    package: Distribution, pinned: Mapping[str, Sequence[str]], licences: LicenseFactory
) -> Component:
    name = canonicalize_name(package.name)
    return Component(
        name=name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}@{package.version}",
        purl=PackageURL(type="pypi", name=name, version=package.version),
        licenses=[licences.make_from_string(licence_of(package))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in pinned.get(name, ())],
    )


def _required(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    for line in requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _new(requirement: Requirement, found: Mapping[str, Distribution]) -> bool:
    return canonicalize_name(requirement.name) not in found


def main(words: Sequence[str]) -> int:
    if words == ["sbom"]:
        sys.stdout.write(bill_of_materials() + "\n")
        return 0
    rows = [(package.name, package.version, licence_of(package)) for package in needed()]
    widths = [max(len(row[at]) for row in rows) for at in range(2)]
    for name, version, licence in rows:
        sys.stdout.write(f"{name:{widths[0]}}  {version:{widths[1]}}  {licence}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
