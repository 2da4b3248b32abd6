"""Pages that are plain text for machines: what this is for a language model, what may be crawled, what there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from django.http import HttpRequest, HttpResponse

from mtok.archive.published_files import PublishedFiles
from mtok.methodology import load
from mtok.venue.answers import public
from mtok.venue.opened import Opened, Version
from mtok.venue.pages.page import DESCRIPTION, site_address, standing
from mtok.venue.place import opened
from mtok.wording.statements import TOP_50, WHAT_IT_IS
from mtok.wording.words import METHODOLOGY

_PAGES: Final = {
    "/methodology": "the rules, the parameters with reasons, the SQL itself",
    "/data": "every file with digest, columns, licences, mirrors",
    "/api": "every operation of the REST API",
    "/revisions": "every value that was changed or came late, and notices",
    "/status": "whether the last print came in time, and whether everything holds",
    "/about": "limits, independence, contact and complaints",
    "/bill": "your own usage against the series; nothing is stored",
}
SITEMAP_ADDRESSES_MAX: Final = 50_000
"""What a sitemap may hold (sitemaps.org); the newest points come first."""

_SITEMAP: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"


@public
def llms(request: HttpRequest) -> HttpResponse:
    """Return /llms.txt (llmstxt.org)."""
    base, now = site_address(request), opened()
    said = standing(now)
    last = (
        f"Last print: {said.date}, {said.stage}, published {said.published}." if said.date else "Nothing yet."
    )
    lines = [
        "# mtok: the open reference price for AI tokens",
        "",
        f"> {DESCRIPTION}",
        "",
        f"{WHAT_IT_IS} {TOP_50} Unit: USD per one million output tokens. Weights are total tokens, prompt and "
        "completion. Values are decimal text with six decimals: quote them as they are. A missing value is withheld, "
        "never zero. A correction is a new vintage; the vintage in force is the last that is not informational.",
        "",
        last,
        "",
        *_section("Series", _series(base)),
        *_section(
            "API",
            [
                f"- [OpenAPI]({base}/v1/openapi.json): the description of everything under {base}/v1",
                f"- [Series]({base}/v1/series): the series there are",
                f"- [Points]({base}/v1/series/openai/points?start=2026-06-01&end=2026-06-07): `start`, `end`, `as_of`, "
                "`vintage`, `methodology`, `format` = json, csv, parquet, arrow",
                f"- [Status]({base}/v1/status): freshness, missing days, what was verified",
            ],
        ),
        *_section(
            "Files",
            [
                f"- [latest.json]({base}/latest.json): the last point of every series",
                f"- [vintages.csv]({base}/vintages.csv): every vintage of every series",
                f"- [datapackage.json]({base}/datapackage.json): every column with its unit",
                f"- [rulebook.md]({base}/rulebook.md): the rules",
                f"- [SHA256SUMS]({base}/SHA256SUMS): the digest of every file, signed",
                f"- [mirror.txt]({base}/mirror.txt): the address of every file",
            ],
        ),
        *_section("Pages", [f"- [{path[1:]}]({base}{path}): {what}" for path, what in _PAGES.items()]),
        *_section(
            "To cite",
            [
                f"{said.source} Index computed from it by mtok; the figures are not OpenRouter's.",
                "",
                "Give series, date, methodology, vintage, the sha256 of the record and the size of the log: "
                f"{base}/CITATION.txt has an example.",
            ],
        ),
        *_section(
            "Limits",
            [
                "- Posted prices, not what anybody paid; one observation channel; no discounts, caching or batches.",
                "- It moves with prices and with the mix; `price_index` is the part of prices alone.",
                "- Models under the cut at 50 are unseen; every point says how much that could matter.",
                "- Not advice. Tokens of different companies are not the same unit.",
            ],
        ),
    ]
    return _text("\n".join(lines))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "", *lines, "")


def _series(base: str) -> Iterator[str]:
    for one in load(METHODOLOGY).series:
        yield (
            f"- [{one.company}]({base}/series/{one.series}): id `{one.series}`; one row a day in "
            f"[CSV]({base}/series/{one.series}.csv), [JSON]({base}/series/{one.series}.json), "
            f"[Parquet]({base}/series/{one.series}.parquet)"
        )


@public
def robots(request: HttpRequest) -> HttpResponse:
    """Return /robots.txt: everything may be read."""
    return _text(f"User-agent: *\nAllow: /\n\nSitemap: {site_address(request)}/sitemap.xml\n")


@public
def sitemap(request: HttpRequest) -> HttpResponse:
    """Return /sitemap.xml: the pages, the series, and the point of every date, the newest first."""
    base, now = site_address(request), opened()
    root = ElementTree.Element("urlset", {"xmlns": _SITEMAP})
    for address, changed in [*_pages(now), *_points(now)][:SITEMAP_ADDRESSES_MAX]:
        url = ElementTree.SubElement(root, "url")
        ElementTree.SubElement(url, "loc").text = f"{base}{address}"
        if changed:
            ElementTree.SubElement(url, "lastmod").text = changed
    ElementTree.indent(root)
    content = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
    return HttpResponse(content, content_type="application/xml; charset=utf-8")


def _pages(now: Opened) -> Iterator[tuple[str, str]]:
    """Yield the addresses of pages and when what they show was published last."""
    changed = standing(now).published[:10]
    yield "/", changed
    for one in load(METHODOLOGY).series:
        yield f"/series/{one.series}", changed
    for path in _PAGES:
        yield path, ""


def _points(now: Opened) -> Iterator[tuple[str, str]]:
    """Yield the addresses of points and when each was published, the newest date first; none of a damaged log."""
    if now.damage is None:
        vintages = [one for one in now.published.vintages.all_in_force() if ":" not in one.series]
        for one in sorted(vintages, key=lambda one: one.date, reverse=True):
            yield f"/series/{one.series}/{one.date}", now.published.entries[one.index]["time"][:10]


@public
def mirror(request: HttpRequest) -> HttpResponse:
    """Return /mirror.txt: the address of every file of the publication, a line each, the checkpoint last."""
    base, now = site_address(request), opened()
    return _text("".join(f"{base}/{path}\n" for path in _expected(now.folder, now.version)))


@lru_cache(maxsize=2)
def _expected(folder: Path, version: Version) -> list[str]:
    """Return the path of every file that there has to be, the checkpoint last. version : what it is remembered by"""
    return sorted(PublishedFiles(folder).expected, key=lambda path: (path == "log/checkpoint", path))


def _text(content: str) -> HttpResponse:
    return HttpResponse(content, content_type="text/plain; charset=utf-8")
