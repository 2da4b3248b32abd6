"""Every command of docs/one-liners.md is run as it stands there and prints what stands under it."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENT = DOCS / "one-liners.md"
PAIR = re.compile(r"```sh\n(.*?)```\n```text\n(.*?)```", re.DOTALL)
PAIRS = [(command, expected) for command, expected in PAIR.findall(DOCUMENT.read_text())]
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def of(*names: str) -> list[tuple[str, str]]:
    return [pair for pair in PAIRS if any(name in pair[0] for name in names)]


def run(command: str, folder: Path, publication: Path, address: str = "") -> str:
    """Run a command in a folder that has `publication/`, with the site's address in the place of the example."""
    (folder / "publication").symlink_to(publication)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    script = f"set -euo pipefail\n{command.replace('https://index.example.org', address)}"
    ran = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_every_command_is_tested() -> None:
    tested = of("import duckdb", "import polars", "import pandas", "curl ", "soffice ")
    assert tested == PAIRS
    assert len(PAIRS) == DOCUMENT.read_text().count("```sh\n") == 11


@pytest.mark.parametrize("pair", of("import ", "curl "), ids=lambda pair: pair[0].split("\n")[1][:20])
def test_a_command_prints_what_is_shown(
    pair: tuple[str, str], site: str, published_sample: Path, tmp_path: Path
) -> None:
    command, expected = pair
    assert expected
    assert run(command, tmp_path, published_sample / "publication", site).rstrip() == expected.rstrip()


@pytest.mark.machine
def test_a_sheet_has_the_digits_and_no_formula(published_sample: Path, tmp_path: Path) -> None:
    publication = published_sample / "publication"
    with (publication / "series" / "openai.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (tmp_path / "ods").mkdir()
    ods, xlsx = of("soffice ")
    assert run(ods[0], tmp_path / "ods", publication) == ods[1]
    with zipfile.ZipFile(tmp_path / "ods" / "openai.ods") as opened:
        content = ElementTree.fromstring(opened.read("content.xml"))
    cells = list(content.iter(f"{TABLE}table-cell"))
    assert len(cells) > 1000
    assert not [cell for cell in cells if cell.get(f"{TABLE}formula")]
    numbers = {cell.get(f"{OFFICE}value") for cell in cells}
    assert {row["value"].rstrip("0").rstrip(".") for row in rows} <= numbers
    dates = {cell.get(f"{OFFICE}date-value") for cell in cells}
    assert {row["date"] for row in rows} <= dates
    texts = {"".join(cell.itertext()) for cell in cells if cell.get(f"{OFFICE}value-type") == "string"}
    assert {row["record_sha256"] for row in rows} | {"1.0"} <= texts

    (tmp_path / "xlsx").mkdir()
    assert run(xlsx[0], tmp_path / "xlsx", publication) == xlsx[1]
    with zipfile.ZipFile(tmp_path / "xlsx" / "openai.xlsx") as opened:
        sheet = ElementTree.fromstring(opened.read("xl/worksheets/sheet1.xml"))
    values = {cell.text for cell in sheet.iter(f"{SHEET}v")}
    assert not list(sheet.iter(f"{SHEET}f"))
    assert {row["value"].rstrip("0").rstrip(".") for row in rows} <= values


def test_the_dashboard_says_that_it_is_untested_and_asks_for_what_there_is(published_sample: Path) -> None:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    assert "untested" in dashboard["title"]
    assert "has not been tested" in dashboard["description"]
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(targets) >= 6
    for target in targets:
        path = target["url"].removeprefix("${address}/")
        with (published_sample / "publication" / path).open(newline="") as file:
            columns = next(csv.reader(file))
        assert {column["selector"] for column in target["columns"]} <= set(columns)
