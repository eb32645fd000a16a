"""Every address at which pages and API are asked, whatever FastAPI makes of the routers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import FastAPI

NOBODY = "0192e4c1-7a00-7000-8000-0000000000aa"
"""An id of nothing."""
KEY = "appointment:1"


@dataclass(frozen=True, kw_only=True)
class Address:
    """A verb and a path whose parameters are filled in."""

    method: str
    template: str
    values: Mapping[str, str]

    @property
    def path(self) -> str:
        filled = self.template
        for name, value in self.values.items():
            filled = filled.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value)
        return filled

    @property
    def unsafe(self) -> bool:
        return self.method not in {"GET", "HEAD", "OPTIONS"}

    def each_with(self, value: str) -> Iterator["Address"]:
        """The same with this value in the place of one parameter, for each of them."""
        for name in self.values:
            yield replace(self, values={**self.values, name: value})


def addresses(app: FastAPI, known: Mapping[str, str] | None = None) -> list[Address]:
    """All that the application answers; parameters are ids of nothing, or those in ``known``."""
    found = []
    for template, methods in _templates(app.routes):
        values = {
            name: (known or {}).get(name, KEY if name == "key" else NOBODY) for name in _parameters(template)
        }
        verbs = sorted(methods - {"HEAD"})
        found += [Address(method=verb, template=template, values=values) for verb in verbs]
    return found


def _templates(routes: Any) -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        if hasattr(route, "effective_route_contexts"):
            yield from _templates(route.effective_route_contexts())
        elif getattr(route, "methods", None):
            yield route.path, route.methods


def _parameters(template: str) -> list[str]:
    return [part.split("}")[0].split(":")[0] for part in template.split("{")[1:]]
