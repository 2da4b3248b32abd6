"""The versions of the rules, their files and their parameters."""

from __future__ import annotations

import tomllib
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import Router

from mtok.venue.api.asked import MethodologyId, known_methodology
from mtok.venue.api.schemas import MethodologyFiles, MethodologyList, ParameterFile
from mtok.venue.api.written import answer
from mtok.venue.opened import Opened
from mtok.venue.place import opened

router = Router(tags=["methodologies"])

_ANNOUNCED: Final = (
    *("methodology", "effective_from", "announced_at", "rules_sha256", "parameters_sha256"),
    *("rulebook_sha256", "policy_sha256", "reason"),
)


@router.get(
    "/methodologies", response=MethodologyList, operation_id="list_methodologies", summary="Every version"
)
def list_methodologies(request: HttpRequest) -> HttpResponse:
    """Return the versions of the rules with their digests, as the log last announced each."""
    now = opened()
    now.methodology()
    return answer({"methodologies": list(_announced(now).values())})


@router.get(
    "/methodologies/{methodology}",
    response=MethodologyFiles,
    operation_id="get_methodology",
    summary="One version with its files",
)
def get_methodology(request: HttpRequest, methodology: MethodologyId) -> HttpResponse:
    """Return a version with the address and digest of its rulebook, rules and parameters."""
    now = opened()
    announced = _announced(now)[known_methodology(now, methodology)]
    folder = f"methodology/{methodology}/"
    paths = [
        f"rulebooks/{announced['rulebook_sha256']}.md",
        *(path for path in now.sums if path.startswith(folder)),
    ]
    files = [{"path": f"/{path}", "sha256": now.sums[path]} for path in paths if path in now.sums]
    return answer({**announced, "files": files})


@router.get(
    "/methodologies/{methodology}/parameters",
    response=ParameterFile,
    operation_id="get_parameters",
    summary="The parameters of a version",
)
def get_parameters(request: HttpRequest, methodology: MethodologyId) -> HttpResponse:
    """Return every parameter with its unit, its rule and why it is what it is. Ratios are [numerator, denominator]."""
    now = opened()
    path = f"methodology/{known_methodology(now, methodology)}/parameters.toml"
    content = tomllib.loads(now.read(path).decode())
    sections = {name: section for name, section in content.items() if isinstance(section, dict)}
    return answer(
        {
            "methodology": content["methodology"],
            "parameters_sha256": now.sums[path],
            "unit": content["unit"],
            "weight_basis": content["weight_basis"],
            "series": content["series"],
            "parameters": sections,
        }
    )


def _announced(now: Opened) -> dict[str, dict[str, Any]]:
    """Return what the log last said of each version, by its id."""
    return {
        entry["methodology"]: {name: entry[name] for name in _ANNOUNCED} | {"index": index}
        for index, entry in enumerate(now.published.entries)
        if entry["type"] == "method"
    }
