"""`datapackage.json`: every table of a publication described for programs, column by column, with its unit.

A descriptor of Data Package 2.0 (https://datapackage.org/standard/data-package/). It names no time and no digest:
those of the files stand in `SHA256SUMS`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from mtok import points
from mtok.records import PublishedRecord, point_fields

_PROFILES: Final = "https://datapackage.org/profiles/2.0"
_LICENSE: Final = {
    "name": "CC-BY-4.0",
    "path": "https://creativecommons.org/licenses/by/4.0/",
    "title": "Creative Commons Attribution 4.0 International",
}
_SOURCE: Final = {"title": "OpenRouter", "path": "https://openrouter.ai/rankings"}

_VINTAGE_KEY: Final = ["series", "methodology", "date", "vintage"]

_USD: Final = "USD per million output tokens"
_TOKENS: Final = "tokens of the day, prompt and completion"
_MODELS: Final = "models (slug and variant)"
_SHARE: Final = "share, 0 to 1"
_RATIO: Final = "ratio, 1 is equal"
_DAYS: Final = "UTC days"
_CODE: Final = "code"
_CODES: Final = "codes, joined by spaces in CSV"
_INSTANT: Final = "instant, UTC"

COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "date": ("The fixing date: the calendar day the value speaks of", "UTC day"),
    "series": ("Whose models: the id of the series", _CODE),
    "value": (
        "What a million output tokens cost at the day's posted prices and mix; missing when withheld",
        _USD,
    ),
    "unit": ("The unit of the value", _CODE),
    "methodology": ("The version of the rules", _CODE),
    "quality": ("good, degraded, estimated or withheld (R-10)", _CODE),
    "reasons": ("Why the quality is not good (R-10)", _CODES),
    "notes": ("What to know when comparing with other days: jump, weak_link, no_link", _CODES),
    "as_of": ("Up to when captures were seen", _INSTANT),
    "origin": (
        "sample or table where inputs were rendered from facts; missing for responses as received",
        _CODE,
    ),
    "average_7d": ("Mean of the printed values of the 7 days that end here (R-8.2)", _USD),
    "average_7d_days": ("How many of the 7 days have a printed value", _DAYS),
    "average_30d": ("Mean of the printed values of the 30 days that end here (R-8.2)", _USD),
    "average_30d_days": ("How many of the 30 days have a printed value", _DAYS),
    "price_index": (
        "Posted prices alone, without the mix (R-8.3); a daily chain can drift",
        "100 on the first day",
    ),
    "stage": ("prelim, final, informational or backfill; informational and backfill settle nothing", _CODE),
    "vintage": (
        "Which print of this series, methodology and date it is: 0 is the first",
        "number of prints before",
    ),
    "published_at": ("When it was published: from then on it was known", _INSTANT),
    "reason": (
        "Why this vintage stands beside the one before, or came late; missing where as scheduled",
        _CODE,
    ),
    "record_sha256": (
        "The sha256 of the published record, which its entry in the log names",
        "64 hex digits",
    ),
    "token_weight": ("Tokens of the priced models: the weight, W (R-8.1)", _TOKENS),
    "constituents": ("How many models are priced", _MODELS),
    "weight_basis": ("What the weights count: total_tokens, which is not output tokens", _CODE),
    "observed_tokens": ("Tokens of all rows of the series", _TOKENS),
    "direct_tokens": ("Tokens priced from own captures of the day", _TOKENS),
    "fallback_tokens": ("Tokens priced from another collector's captures of the day", _TOKENS),
    "imputed_tokens": ("Tokens priced from another day", _TOKENS),
    "missing_tokens": ("Tokens for which no price was found", _TOKENS),
    "unpaid_tokens": ("Tokens of free variants and of prices of 0", _TOKENS),
    "ineligible_tokens": ("Tokens of models that do not answer in text alone (R-4)", _TOKENS),
    "price_coverage": ("Priced tokens of those that need a price", _SHARE),
    "missing_price_share": ("Tokens without a price of those that need one", _SHARE),
    "imputed_token_share": ("Imputed tokens of the priced ones", _SHARE),
    "fallback_share": ("Fallback tokens of the priced ones", _SHARE),
    "conflict_share": ("Priced tokens whose price two collectors dispute (R-7)", _SHARE),
    "unpaid_share": ("Unpaid tokens of the observed ones", _SHARE),
    "ineligible_share": ("Ineligible tokens of the observed ones", _SHARE),
    "top_constituent_share": ("Weight of the heaviest model", _SHARE),
    "hhi": ("Sum of the squared weights", _SHARE),
    "effective_constituents": ("One over the sum of the squared weights", _MODELS),
    "market_tail_share": ("The row `other` of all tokens of the day in the ranking", _SHARE),
    "market_tail_tokens": ("Tokens of the row `other` of the ranking", _TOKENS),
    "market_tokens": ("Tokens of all rows of the ranking, all companies", _TOKENS),
    "named_rows": ("Rows of the ranking that name a model, all companies", "rows"),
    "smallest_named_tokens": ("The smallest total among them, T: the most an unseen model can have", _TOKENS),
    "absent_constituents": ("Priced models of the company without a row, K", _MODELS),
    "truncation_exposure": (
        "T of the weight: how much one unseen model could weigh, seen ones being 1",
        _RATIO,
    ),
    "unseen_ratio": ("The smaller of K times T and the row `other`, of the weight", _RATIO),
    "truncation_low": ("The lowest value if absent models had up to T tokens each", _USD),
    "truncation_high": ("The highest value if absent models had up to T tokens each", _USD),
    "first_party_gap": ("How far the company's own posted prices lie from those used, of the latter", _RATIO),
}
"""Of each column: what it is, and its unit."""


def datapackage_file(series: Sequence[str], *, homepage: str | None = None) -> bytes:
    """Return `datapackage.json` of a publication of these series, in the order given.

    homepage : the address of the publication, None where it has none
    """
    content: dict[str, Any] = {
        "$schema": f"{_PROFILES}/datapackage.json",
        "name": "mtok-reference-prices",
        "title": "Reference prices of AI tokens",
        "description": "One value a UTC day and company: what a million output tokens cost at posted prices, in the "
        "proportions in which tokens were processed on OpenRouter. CITATION.txt says how to cite it, README.txt how "
        "to verify it, rulebook.md how it is computed and what it does not say.",
        "keywords": ["AI tokens", "price index", "reference price", "OpenRouter"],
        "licenses": [_LICENSE],
        "sources": [_SOURCE],
        "resources": [
            *(resource for name in series for resource in _series(name)),
            *_table("vintages", "Every vintage of every series", _VINTAGE_KEY),
        ],
    }
    if homepage is not None:
        content["homepage"] = homepage
    return (json.dumps(content, indent=2) + "\n").encode()


def _table(path: str, title: str, key: list[str]) -> list[dict[str, Any]]:
    """Return a table as CSV and as Parquet."""
    names = point_fields(PublishedRecord)
    as_csv, as_parquet = ([_field(name, lists) for name in names] for lists in ("string", "array"))
    schema = {"$schema": f"{_PROFILES}/tableschema.json", "primaryKey": key}
    name = path.replace("/", "-")
    common = {"$schema": f"{_PROFILES}/dataresource.json", "type": "table", "title": title}
    return [
        {
            "name": f"{name}-csv",
            "path": f"{path}.csv",
            **common,
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "dialect": {
                "$schema": f"{_PROFILES}/tabledialect.json",
                "delimiter": ",",
                "lineTerminator": "\n",
            },
            "schema": {**schema, "fields": as_csv, "missingValues": [""]},
        },
        {
            "name": f"{name}-parquet",
            "path": f"{path}.parquet",
            **common,
            "format": "parquet",
            "mediatype": "application/vnd.apache.parquet",
            "schema": {**schema, "fields": as_parquet},
        },
    ]


def _series(series: str) -> list[dict[str, Any]]:
    """Return the files of one series; the JSON is no table, since its decimals are text."""
    title = f"The vintage in force of each date: {series}"
    return [
        *_table(f"series/{series}", title, ["date"]),
        {
            "name": f"series-{series}-json",
            "path": f"series/{series}.json",
            "$schema": f"{_PROFILES}/dataresource.json",
            "title": title,
            "description": f"An object; its `points` are the rows of series/{series}.csv, decimals as text.",
            "format": "json",
            "mediatype": "application/json",
            "encoding": "utf-8",
        },
    ]


def _field(name: str, lists: str) -> dict[str, str]:
    """Return the description of a column; `lists` is what a list is in the format."""
    description, unit = COLUMNS[name]
    return {
        "name": name,
        "type": lists if name in points.LISTS else _type(name),
        "description": f"{description}. Unit: {unit}.",
        "unit": unit,
    }


def _type(name: str) -> str:
    if name == "date":
        return "date"
    if name in points.INSTANTS:
        return "datetime"
    if name in points.TEXTS:
        return "string"
    return "integer" if name in points.COUNTS else "number"
