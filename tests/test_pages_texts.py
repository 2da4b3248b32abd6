"""The pages of trust: what they say is what log and files say, read here by other code; damage is told."""

from __future__ import annotations

import html
import json
import re
import shutil
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mtok.archive import Store
from mtok.calendar import DAY, parse_date, parse_instant
from mtok.publication.operators import give_notice
from mtok.publication.press import nowhere
from mtok.venue.environment import Environment
from mtok.venue.health import health
from mtok.venue.opened import Opening
from mtok.venue.pages.about import contact_address
from mtok.venue.rulebook import render_rulebook
from served import NOW, serving

ROOT = Path(__file__).parents[1]
PAGES = ("/methodology", "/revisions", "/status", "/data", "/about", "/api", "/llms.txt", "/robots.txt")
SERIES = ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot")
MARKUP = "<script>alert(1)</script> & <b>bold</b>"


def get(address: str) -> tuple[int, str]:
    """Return status and text of what is at an address."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def shown(page: str) -> str:
    """Return the text of a page, without markup."""
    page = re.sub(r"</?code>", "", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " ").split())


def entries_of(publication: Path) -> list[dict[str, Any]]:
    """Return the entries of a log as its bundles have them: a length of two bytes, then JSON."""
    size = int((publication / "log" / "checkpoint").read_text().splitlines()[1])
    found: list[dict[str, Any]] = []
    for first in range(0, size, 256):
        width = min(size - first, 256)
        name = f"{first // 256:03d}" + ("" if width == 256 else f".p/{width}")
        raw = (publication / "log" / "tile" / "entries" / name).read_bytes()
        while raw:
            length = int.from_bytes(raw[:2], "big")
            found.append(json.loads(raw[2 : 2 + length]))
            raw = raw[2 + length :]
    assert len(found) == size
    return found


@pytest.fixture(scope="module")
def publication(published_sample: Path) -> Path:
    """The folder that is served."""
    return published_sample / "publication"


@pytest.fixture(scope="module")
def entries(publication: Path) -> list[dict[str, Any]]:
    """The entries of its log."""
    return entries_of(publication)


# ---- methodology


def test_every_rule_has_an_address(site: str, publication: Path) -> None:
    status, page = get(f"{site}/methodology")
    assert status == 200
    rulebook = (publication / "rulebook.md").read_text()
    expected = set()
    for chapter in re.split(r"^## ", rulebook, flags=re.MULTILINE)[1:]:
        rule = re.match(r"R-[0-9]+", chapter)
        if rule:
            numbered = re.findall(r"^([0-9]+)\. ", chapter, re.MULTILINE)
            expected |= {rule[0], *(f"{rule[0]}.{number}" for number in numbered)}
    assert {"R-0", "R-5.4", "R-8.2", "R-10.3", "R-12"} <= expected
    ids = re.findall(r' id="([^"]+)"', page)
    assert expected <= set(ids)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_the_methodology_is_what_the_log_names(
    site: str, publication: Path, entries: list[dict[str, Any]]
) -> None:
    _, page = get(f"{site}/methodology?version=1.0")
    method = [entry for entry in entries if entry["type"] == "method"][-1]
    for name in ("rulebook_sha256", "rules_sha256", "parameters_sha256", "policy_sha256"):
        assert method[name] in page
    for path in (publication / "methodology" / "1.0" / "rules").glob("*.sql"):
        assert html.escape(path.read_text()) in page
        assert f'href="/methodology/1.0/rules/{path.name}"' in page


def test_every_parameter_stands_with_value_unit_and_reason(site: str, publication: Path) -> None:
    text = shown(get(f"{site}/methodology")[1]).replace("`", "")
    content = tomllib.loads((publication / "methodology" / "1.0" / "parameters.toml").read_text())
    told = 0
    for section, of_section in content.items():
        if not isinstance(of_section, dict):
            continue
        for name, entry in of_section.items():
            value = entry["value"]
            if isinstance(value, list):
                joined = "/" if all(isinstance(part, int) for part in value) else ", "
                value = joined.join(map(str, value))
            expected = f"{section}.{name} {value} {entry['unit']} {entry['rule']} {entry['reason']}"
            assert expected.replace("`", "") in text
            told += 1
    assert told > 20


@pytest.mark.parametrize("asked", ["9.9", "..", "%3Cscript%3E"])
def test_an_unknown_version_is_refused(site: str, asked: str) -> None:
    status, page = get(f"{site}/methodology?version={asked}")
    assert status == 404
    assert "methodology_unknown" in page
    assert "<script>" not in page


def test_markup_in_a_rulebook_is_text() -> None:
    found = render_rulebook("# T\n\n## R-1 A <i>b</i>\n\n1. one, see R-1.2 and R-9\n2. <script>x</script>\n")
    assert "<script>" not in found.html
    assert "<i>" not in found.html
    assert '<a href="#R-1.2">R-1.2</a> and R-9' in found.html
    assert found.anchors == {"R-1", "R-1.1", "R-1.2"}


# ---- revisions


def expected_revisions(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries that are no scheduled first print of their value, newest first."""
    found: list[dict[str, Any]] = []
    before: dict[tuple[str, str], str | None] = {}
    for entry in entries:
        if entry["type"] in ("point", "nodata") and "record_sha256" in entry:
            key = entry["series"], entry["date"]
            if "reason" in entry or (key in before and before[key] != entry.get("value")):
                found.append(entry | {"before": before.get(key)})
            before[key] = entry.get("value")
    return found[::-1]


def test_every_revision_is_listed(site: str, entries: list[dict[str, Any]]) -> None:
    expected = expected_revisions(entries)
    assert expected
    _, page = get(f"{site}/revisions")
    rows = re.findall(r'<td class="n"><a href="/series/([^/]+)/([^/]+)/([0-9]+)">', page)
    assert rows == [(one["series"], one["date"], one["vintage"]) for one in expected][:50]
    for one in expected[:50]:
        assert (one.get("value") or "withheld") in page
    of_qwen = [one for one in expected if one["series"] == "qwen"]
    _, page = get(f"{site}/revisions?series=qwen")
    rows = re.findall(r'<a href="/series/([^/]+)/([^/]+)/[0-9]+">', page)
    assert rows == [("qwen", one["date"]) for one in of_qwen]


def test_notices_and_new_keys_are_listed(site: str, entries: list[dict[str, Any]]) -> None:
    text = shown(get(f"{site}/revisions")[1])
    notices = [entry for entry in entries if entry["type"] == "notice"]
    assert {entry["kind"] for entry in notices} == {"incident", "key_rotation"}
    assert all(" ".join(entry["text"].split()) in text for entry in notices)
    [rotation] = [entry for entry in notices if entry["kind"] == "key_rotation"]
    old, new = (rotation[name].split("+")[1] for name in ("old_key", "new_key"))
    assert f"Key {old} was replaced by {new}" in text


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("series=nobody", 404, "series_unknown"),
        ("page=0", 400, "page_invalid"),
        ("page=-1", 400, "page_invalid"),
        ("page=1e3", 400, "page_invalid"),
        ("page=%D9%A1", 400, "page_invalid"),
        ("page=99999", 404, "page_unknown"),
    ],
)
def test_what_cannot_be_listed_is_refused(site: str, query: str, status: int, code: str) -> None:
    found, page = get(f"{site}/revisions?{query}")
    assert (found, code in page) == (status, True)


# ---- status


def test_the_status_of_a_sound_publication(site: str, entries: list[dict[str, Any]]) -> None:
    status, page = get(f"{site}/status")
    assert status == 200
    text = shown(page)
    assert "Nothing is late, and everything that was checked holds." in text
    assert f"{len(entries)} entries" in text
    late = sum(entry.get("reason") == "source_late" for entry in entries)
    assert f"0 values changed, {late} came late" in text
    assert page.count("✓") == 3
    rows = re.findall(r'<tr><th scope="row" class="n">([^<]+)</th>(.*?)</tr>', page)
    assert len(rows) == 30
    last = {
        entry["series"]: entry["quality"]
        for entry in entries
        if entry.get("date") == "2026-06-26" and "quality" in entry
    }
    assert re.findall(r"quality-([a-z]+)", rows[0][1]) == [last[series] for series in SERIES]


def test_punctuality_by_hand(publication: Path, entries: list[dict[str, Any]]) -> None:
    now, limit = parse_instant("2026-06-29T17:00:00Z"), 2 * DAY // 24
    found = health(Opening(publication).now(), now)
    first: dict[tuple[str, str], int] = {}
    for entry in entries:
        if entry["type"] in ("point", "nodata") and entry["stage"] != "prelim":
            first.setdefault((entry["date"], entry["series"]), parse_instant(entry["time"]))
    began = parse_instant(entries[0]["time"])
    due = {
        (date, series): (parse_date(date) + 1) * DAY + 14 * DAY // 24
        for date in [f"2026-06-{day}" for day in range(20, 29)]
        for series in SERIES
    }
    due = {key: hour for key, hour in due.items() if hour + limit >= began}
    delays = {key: first[key] - hour for key, hour in due.items() if key in first}
    assert found.punctuality.due == len(due)
    assert found.punctuality.on_time == sum(delay <= limit for delay in delays.values())
    assert found.punctuality.worst_seconds == max(delays.values()) // 1_000_000
    assert found.late == ("2026-06-27", "2026-06-28")
    assert {one.date for one in found.missing} == {"2026-06-27", "2026-06-28"}


# ---- data


def test_every_file_is_listed_with_size_and_digest(site: str, publication: Path) -> None:
    listed = {}
    for line in (publication / "SHA256SUMS").read_text().partition("\n\n")[0].splitlines():
        sha256, _, path = line.partition("  ")
        listed[path] = sha256
    _, page = get(f"{site}/data")
    folders = re.findall(r'href="/data\?folder=([a-z]+)"', page)
    for folder in folders:
        number = 1
        while True:
            _, part = get(f"{site}/data?folder={folder}&page={number}")
            page += part
            if 'rel="next"' not in part:
                break
            number += 1
    for path, sha256 in listed.items():
        row = re.search(rf'<tr><th scope="row"><a href="/{re.escape(path)}">.*?</tr>', page)
        assert row, path
        assert sha256 in row[0]
        assert f'<td class="n">{(publication / path).stat().st_size:,}</td>' in row[0]
    assert get(f"{site}/data?folder=keys")[0] == 404
    assert get(f"{site}/data?folder=..")[0] == 404


def test_every_column_is_explained(site: str, publication: Path) -> None:
    text = shown(get(f"{site}/data")[1]).replace("`", "")
    content = json.loads((publication / "datapackage.json").read_text())
    fields = content["resources"][0]["schema"]["fields"]
    assert len(fields) > 40
    for field in fields:
        said = field["description"].removesuffix(f" Unit: {field['unit']}.").replace("`", "")
        assert f"{said} {field['unit']}" in text


def test_the_mirror_is_everything(site: str, publication: Path) -> None:
    _, listed = get(f"{site}/mirror.txt")
    paths = [line.removeprefix(f"{site}/") for line in listed.splitlines()]
    there = {path.relative_to(publication).as_posix() for path in publication.rglob("*") if path.is_file()}
    assert set(paths) == {path for path in there if not path.startswith("pending/")}
    assert paths[-1] == "log/checkpoint"
    assert get(f"{site}/{paths[-2]}")[0] == 200


# ---- about


def test_the_objection_is_answered_in_figures(site: str, publication: Path) -> None:
    text = shown(get(f"{site}/about")[1])
    for series, company in (("openai", "OpenAI"), ("deepseek", "DeepSeek")):
        by_price = everything = Fraction(0)
        in_force = {path.name[:10]: path for path in sorted((publication / "records" / series).iterdir())}
        for path in sorted(in_force.values())[-30:]:
            record = json.loads(path.read_bytes())
            move = record.get("move", {})
            for name in ("price", "mix", "entry", "exit", "replacement"):
                amount = abs(Fraction(move.get(name, "0")))
                everything += amount
                by_price += amount if name == "price" else 0
        shares = [Fraction(one["tokens"]) / Fraction(record["w"]) for one in record["constituents"]]
        effective = 1 / sum(share * share for share in shares)
        expected = f"{company} {len(shares)} {float(max(shares) * 100):.1f} % {float(effective):.1f} "
        assert expected in text
        row = text[text.index(expected) : text.index(expected) + 80]
        assert f"{float(by_price / everything * 100):.1f} %" in row


@pytest.mark.parametrize(
    ("contact", "address"),
    [
        ("prices@example.org", "mailto:prices@example.org"),
        ("https://example.org/complaints", "https://example.org/complaints"),
        ("javascript:alert(1)", ""),
        ("room 4, any day", ""),
        ("a@b.example?subject=x", ""),
        ("@", ""),
    ],
)
def test_a_contact_leads_where_it_may(contact: str, address: str) -> None:
    assert contact_address(contact) == address


def test_an_installation_without_contact_says_so(site: str) -> None:
    assert "This installation names no contact." in shown(get(f"{site}/about")[1])


# ---- texts and reference


def test_the_sitemap_is_absolute_and_whole(site: str, entries: list[dict[str, Any]]) -> None:
    _, content = get(f"{site}/sitemap.xml")
    found = [one.text or "" for one in ElementTree.fromstring(content).iter() if one.tag.endswith("}loc")]
    points = {
        f"{site}/series/{entry['series']}/{entry['date']}" for entry in entries if "record_sha256" in entry
    }
    assert points <= set(found)
    assert all(one.startswith(f"{site}/") for one in found)
    assert {f"{site}/", f"{site}/status", f"{site}/series/qwen"} <= set(found)
    assert get(f"{site}/robots.txt")[1].endswith(f"Sitemap: {site}/sitemap.xml\n")


def test_a_language_model_finds_its_way(site: str) -> None:
    _, text = get(f"{site}/llms.txt")
    assert text.startswith("# mtok")
    assert "\n> " in text
    for address in re.findall(r"\]\((\S+)\)", text):
        assert address.startswith(f"{site}/")
        if "/v1/" not in address and not address.endswith("/bill"):
            assert get(address)[0] == 200, address


def test_the_reference_has_every_operation_and_its_examples_work(site: str) -> None:
    document = json.loads(get(f"{site}/v1/openapi.json")[1])
    _, page = get(f"{site}/api")
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    for operation in operations:
        assert f'id="{operation["operationId"]}"' in page
    examples = [html.unescape(one) for one in re.findall(r"curl -s '(.*?)'", page)]
    assert len(examples) == len(operations)
    for example in examples:
        assert get(example.replace(example[: example.index("/v1")], site))[0] == 200, example


def test_every_setting_is_documented_with_its_default() -> None:
    table = dict(
        re.findall(
            r"^\| `(MTOK_(?!VENUE_)[A-Z_]+)` \| ([^|]*) \|",
            (ROOT / "docs" / "serving.md").read_text(),
            re.MULTILINE,
        )
    )
    defaults = {f"MTOK_{name.upper()}": field.default for name, field in Environment.model_fields.items()}
    assert table.keys() == defaults.keys()
    for name, default in defaults.items():
        said = table[name].strip("`")
        assert said == (str(default) if isinstance(default, str | int) and default != "" else said)
        assert said in ("none", "empty", str(default))


# ---- damage


def flipped(path: Path, place: int | None = None) -> None:
    """Change one byte of a file."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 if place is None else place] ^= 1
    path.unlink()
    path.write_bytes(raw)


def record(folder: Path) -> None:
    """Change one byte of a record."""
    flipped(folder / "records" / "openai" / "2026-06-20.0.json")


def checkpoint(folder: Path) -> None:
    """Change one byte of the root in the checkpoint."""
    path = folder / "log" / "checkpoint"
    flipped(path, path.read_bytes().index(b"\n", path.read_bytes().index(b"\n") + 1) + 5)


def sums(folder: Path) -> None:
    """Delete the sums."""
    (folder / "SHA256SUMS").unlink()


def bundle(folder: Path) -> None:
    """Change one byte of the entries."""
    flipped(folder / "log" / "tile" / "entries" / "000")


def rule(folder: Path) -> None:
    """Change one byte of a rule and of the rulebook."""
    flipped(folder / "methodology" / "1.0" / "rules" / "11_volume.sql")
    flipped(next((folder / "rulebooks").iterdir()))


def log(folder: Path) -> None:
    """Delete the log."""
    shutil.rmtree(folder / "log")


def key(folder: Path) -> None:
    """Change one byte of the public key."""
    flipped(folder / "vkey")


DAMAGES: dict[Callable[[Path], None], tuple[str, ...]] = {
    record: ("records/openai/2026-06-20.0.json", "Digests of the files ✓ holds"),
    checkpoint: ("log/checkpoint does not verify", "The log of this publication cannot be read"),
    sums: ("SHA256SUMS is missing", "Entries of the log ✓ holds"),
    bundle: ("log/tile/entries/000", "The log of this publication cannot be read"),
    rule: ("methodology/1.0/rules/11_volume.sql", "Head of the log ✓ holds"),
    log: ("log/checkpoint is missing", "Digests of the files ✓ holds"),
    key: ("does not verify", "vkey"),
}
"""Of each damage: what the status page says, and what it says that still holds, or why not."""


@pytest.fixture(scope="module")
def damaged(
    published_sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, Path]]:
    """A server on a copy with a notice full of markup: its address, the folder it shows, and that folder unharmed."""
    store = tmp_path_factory.mktemp("damaged") / "store"
    shutil.copytree(published_sample, store)
    give_notice(
        Store.open(store),
        parse_instant("2026-06-27T14:30:00Z"),
        nowhere,
        kind="correction",
        text=MARKUP,
        series="qwen",
        first_date="2026-06-20",
        last_date="2026-06-21",
        progress=lambda *_: None,
    )
    whole = store.parent / "whole"
    shutil.copytree(store / "publication", whole)
    served = store.parent / "served"
    shutil.copytree(whole, served)
    with serving(served, operator=MARKUP, contact="prices@example.org") as address:
        yield address, served, whole


def test_markup_of_operators_is_text(damaged: tuple[str, Path, Path]) -> None:
    address, _, _ = damaged
    for path in ("/revisions", "/revisions?series=qwen", "/about", "/status"):
        page = get(f"{address}{path}")[1]
        assert "<script>alert" not in page
        assert "<b>bold" not in page
    assert html.escape(MARKUP, quote=False) in get(f"{address}/revisions")[1]
    assert MARKUP not in get(f"{address}/revisions?series=openai")[1]
    about = get(f"{address}/about")[1]
    assert 'href="mailto:prices@example.org"' in about
    assert "Within two working days" in about


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_told_and_the_rest_is_served(
    damaged: tuple[str, Path, Path], damage: Callable[[Path], None]
) -> None:
    address, served, whole = damaged
    shutil.rmtree(served)
    shutil.copytree(whole, served)
    damage(served)
    status, page = get(f"{address}/status")
    assert status == 200
    text = shown(page)
    for expected in DAMAGES[damage]:
        assert expected in text
    assert "everything that was checked holds" not in text
    for path in (*PAGES, "/sitemap.xml", "/mirror.txt"):
        assert get(f"{address}{path}")[0] == 200, path
    assert str(served) not in page


def test_a_sound_publication_is_told_as_sound(publication: Path) -> None:
    found = health(Opening(publication).now(), parse_instant(NOW))
    assert found.sound
    assert found.archive is not None
    assert found.archive.damage is None
    assert found.files.damages == 0
    assert found.files.checked == found.files.files > 700


def test_an_unreadable_store_is_said_and_the_rest_goes_on(published_sample: Path, tmp_path: Path) -> None:
    shutil.copytree(published_sample, tmp_path / "store")
    (tmp_path / "store" / "store.json").write_text("{")
    found = health(Opening(tmp_path / "store").now(), parse_instant(NOW))
    assert found.archive is not None
    assert found.archive.damage
    assert str(tmp_path) not in found.archive.damage
    assert found.sound


def test_an_empty_store_has_nothing_published(tmp_path: Path) -> None:
    Store.create(tmp_path / "store")
    found = health(Opening(tmp_path / "store").now(), parse_instant(NOW))
    assert (found.published_at, found.entries, found.days, found.late) == (None, 0, (), ())
    assert found.sound
