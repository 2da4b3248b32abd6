"""Methodology: the rulebook, parameters and SQL as they were published, with every version the log announces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe

from mtok.errors import EnvironmentFailed
from mtok.publication.entries import Entry
from mtok.venue.answers import public
from mtok.venue.documents import Documents, documents_of
from mtok.venue.place import opened
from mtok.venue.rulebook import render_rulebook

_RULES: Final = re.compile(r"R-[0-9]+(?:\.[0-9]+)?")
_DIGESTS: Final = {
    "rulebook_sha256": "rulebook",
    "rules_sha256": "rules",
    "parameters_sha256": "parameters",
    "policy_sha256": "publication policy",
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """An announcement in the log. index : of its entry · changed : what is another than before, in words"""

    index: int
    methodology: str
    effective_from: str
    announced_at: str
    reason: str
    changed: str


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter as people read it. rule : empty where the file names none"""

    name: str
    value: str
    unit: str
    rule: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Sql:
    """A file of the rules. says : its first line in words · rules : the numbers of rules in that line"""

    name: str
    path: str
    says: str
    rules: tuple[str, ...]
    text: str


@public
def methodology(request: HttpRequest) -> HttpResponse:
    """Return the methodology in force on the last published date, or the version asked for."""
    documents = documents_of(opened(), request.GET.get("version") or None)
    missing: list[str] = []
    rulebook = render_rulebook(_readable(documents, "rulebook", missing) or "")
    parameters = _readable(documents, "parameters", missing) or {}
    rules = _readable(documents, "rules", missing) or {}
    context = {
        "title": f"Methodology {documents.methodology}",
        "description": "The rules by which every value is made: rulebook, parameters with reasons, the SQL itself.",
        "documents": documents,
        "entry": documents.entry,
        "rulebook": mark_safe(rulebook.html),
        "sections": rulebook.sections,
        "anchors": rulebook.anchors,
        "parameters": list(parameters_of(parameters)),
        "series": parameters.get("series", []),
        "head": {name: parameters.get(name, "") for name in ("family", "unit", "weight_basis")},
        "sql": [_sql(documents, name, text) for name, text in rules.items()],
        "changes": list(changes_of(documents.entries))[::-1],
        "versions": list(dict.fromkeys(str(entry["methodology"]) for _, entry in documents.entries)),
        "missing": missing,
    }
    return render(request, "methodology.html", context)


def _readable(documents: Documents, name: str, missing: list[str]) -> Any:
    """Return one of the documents, None where it is damaged: then `missing` says so."""
    try:
        return getattr(documents, name)
    except EnvironmentFailed as error:
        missing.append(error.found)
        return None


def parameters_of(content: dict[str, Any]) -> Iterator[Parameter]:
    """Yield the parameters of a TOML file of sections, each an entry with value, unit and reason."""
    for section, entries in content.items():
        if isinstance(entries, dict):
            for name, entry in entries.items():
                if isinstance(entry, dict) and "value" in entry:
                    yield Parameter(
                        name=f"{section}.{name}",
                        value=_value(entry["value"]),
                        unit=str(entry.get("unit", "")),
                        rule=str(entry.get("rule", "")),
                        reason=str(entry.get("reason", "")),
                    )


def _value(value: Any) -> str:
    """Return a parameter's value: an integer, a ratio of two, or a list of texts."""
    match value:
        case [int(numerator), int(denominator)]:
            return f"{numerator}/{denominator}"
        case list():
            return ", ".join(map(str, value))
        case int():
            return f"{value:,}"
    return str(value)


def changes_of(entries: tuple[tuple[int, Entry], ...]) -> Iterator[Change]:
    """Yield the announcements in order, each with what it changed."""
    before: dict[str, Entry] = {}
    for index, entry in entries:
        last = before.get(entry["methodology"])
        changed = [words for name, words in _DIGESTS.items() if last and last.get(name) != entry.get(name)]
        before[entry["methodology"]] = entry
        yield Change(
            index=index,
            methodology=entry["methodology"],
            effective_from=entry["effective_from"],
            announced_at=entry["announced_at"],
            reason=entry["reason"],
            changed=", ".join(changed) if last else "first announcement",
        )


def _sql(documents: Documents, name: str, text: str) -> Sql:
    first = text.partition("\n")[0].removeprefix("--").strip()
    numbers, _, says = first.partition(". ") if first.startswith("R-") else ("", "", first)
    return Sql(
        name=name,
        path=documents.rule_path(name),
        says=says,
        rules=tuple(_RULES.findall(numbers)),
        text=text,
    )
