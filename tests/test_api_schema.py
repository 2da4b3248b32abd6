"""The OpenAPI description is the one that is committed, says all that is answered, and holds whatever is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis

from asking import ask

DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"
RENEW = "curl -s http://127.0.0.1:8321/v1/openapi.json | python -m json.tool --no-ensure-ascii > docs/openapi.json"

_POINT = {"series": "openai", "date": "2026-06-25"}
ASKED: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("/v1/series", {}, {}),
    ("/v1/series/{series}", {"series": "qwen"}, {}),
    ("/v1/series/{series}/points", {"series": "qwen"}, {"vintage": "all", "limit": "5"}),
    ("/v1/series/{series}/points", {"series": "qwen"}, {"as_of": "2026-06-26", "start": "2026-06-24"}),
    *(
        ("/v1/series/{series}/points", {"series": "qwen"}, {"format": form})
        for form in ("csv", "parquet", "arrow")
    ),
    ("/v1/series/{series}/points/{date}", _POINT, {"vintage": "0"}),
    ("/v1/series/{series}/points/{date}", {"series": "deepseek", "date": "2026-06-24"}, {}),
    ("/v1/series/{series}/points/{date}/constituents", _POINT, {}),
    ("/v1/series/{series}/points/{date}/vintages", _POINT, {}),
    ("/v1/series/{series}/points/{date}/proof", _POINT, {}),
    ("/v1/series/{series}/points/{date}/evidence", _POINT, {}),
    ("/v1/series/{series}/move", {"series": "qwen"}, {"from": "2026-05-21", "to": "2026-06-25"}),
    ("/v1/prices", {}, {"model": "openai/gpt-4o-mini"}),
    ("/v1/prices/{date}", {"date": "2026-06-25"}, {}),
    ("/v1/methodologies", {}, {}),
    ("/v1/methodologies/{methodology}", {"methodology": "1.0"}, {}),
    ("/v1/methodologies/{methodology}/parameters", {"methodology": "1.0"}, {}),
    ("/v1/notices", {}, {}),
    ("/v1/log/checkpoint", {}, {}),
    ("/v1/log/entries/{index}", {"index": "4"}, {}),
    ("/v1/log/proof", {}, {"index": "4", "size": "100"}),
    ("/v1/log/consistency", {}, {"first": "4", "second": "100"}),
    ("/v1/status", {}, {}),
]
"""An answer of each operation, in each of its forms: path, what stands in it, and the query."""


@pytest.fixture(scope="module")
def described(site: str) -> dict[str, Any]:
    return dict(ask(site, "/v1/openapi.json").json)


def test_the_committed_description_is_the_served_one(described: dict[str, Any]) -> None:
    assert json.loads(DOCUMENT.read_text()) == described, f"renew it, with `mtok serve` running: {RENEW}"


def undocumented(value: Any, schema: dict[str, Any], described: dict[str, Any]) -> Iterator[str]:
    """Yield the fields of an answer that its schema does not name."""
    while "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("anyOf", []):
        if "$ref" in choice and value is not None:
            yield from undocumented(value, choice, described)
    if isinstance(value, list):
        for one in value:
            yield from undocumented(one, schema.get("items", {}), described)
    if isinstance(value, dict) and "properties" in schema:
        for name, part in value.items():
            if name in schema["properties"]:
                yield from undocumented(part, schema["properties"][name], described)
            else:
                yield f"{schema['title']}.{name}"


def test_every_operation_answers_as_described(site: str, described: dict[str, Any]) -> None:
    assert {path for path, _, _ in ASKED} == described["paths"].keys()
    loaded = schemathesis.openapi.from_dict(described)
    for path, parameters, query in ASKED:
        case = loaded[path]["GET"].Case(path_parameters=parameters, query=query)
        response = case.call(base_url=site)
        assert response.status_code == 200, (path, query, response.content[:300])
        case.validate_response(response)
        content = described["paths"][path]["get"]["responses"]["200"]["content"]
        kind = response.headers["content-type"][0].partition(";")[0]
        if kind == "application/json":
            assert not set(undocumented(response.json(), content[kind]["schema"], described)), path


def test_every_refusal_is_described_everywhere(described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        [(method, operation)] = methods.items()
        assert method == "get"
        assert operation["responses"].keys() == set("200 206 304 400 404 416 429 503".split()), path
        assert operation["summary"], path
        for parameter in operation["parameters"]:
            assert parameter["description"], (path, parameter["name"])


def run(site: str, folder: Path, *options: str) -> None:
    """Let schemathesis ask what it makes up from the description, and believe no answer.

    Left out is the check that what fits the description is accepted: that a series exists, that a date is published and
    that a range begins before it ends cannot be said there.
    """
    program = Path(sys.executable).parent / "st"
    command = [str(program), "run", f"{site}/v1/openapi.json", "--seed", "1", "--no-color"]
    command += ["--generation-database", "none", "--exclude-checks", "positive_data_acceptance", *options]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
    assert "Operations:       20 selected" in found.stdout, found.stdout


def test_what_is_made_up_from_the_description_is_answered_as_described(site: str, tmp_path: Path) -> None:
    run(site, tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "3")


@pytest.mark.soak
def test_much_that_is_made_up_is_answered_as_described(site: str, tmp_path: Path) -> None:
    run(site, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "200")
