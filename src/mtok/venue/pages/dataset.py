"""The published series as search engines and catalogues read them: a schema.org Dataset, as JSON-LD in the page."""

from __future__ import annotations

import json
from typing import Any, Final

from django.utils.safestring import SafeString, mark_safe

from mtok.publication.datapackage import COLUMNS
from mtok.venue.opened import Opened
from mtok.wording.words import company_of

_CC_BY: Final = "https://creativecommons.org/licenses/by/4.0/"
_KINDS: Final = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
_MEASURED: Final = ("value", "average_7d", "average_30d", "price_index")


def dataset(now: Opened, base_url: str, series: str | None = None) -> SafeString:
    """Return the JSON-LD of one series, without one of all of them: safe inside <script>, whatever it holds."""
    dates = now.published.vintages.dates()
    stem = "vintages" if series is None else f"series/{series}"
    whose = "six model companies" if series is None else company_of(series)
    content: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": f"mtok: reference price of AI tokens, {whose}",
        "description": "What one million output tokens cost at posted prices, weighted by the tokens used on "
        f"OpenRouter, for each UTC day: {whose}. Every value with its quality, its vintage and a proof.",
        "url": f"{base_url}/data" if series is None else f"{base_url}/series/{series}",
        "license": _CC_BY,
        "isAccessibleForFree": True,
        "creator": {"@type": "Organization", "name": "mtok", "url": base_url},
        "isBasedOn": "https://openrouter.ai/rankings",
        "temporalCoverage": f"{dates[0]}/{dates[-1]}",
        "measurementTechnique": f"{base_url}/methodology",
        "variableMeasured": [
            {
                "@type": "PropertyValue",
                "name": name,
                "description": COLUMNS[name][0],
                "unitText": COLUMNS[name][1],
            }
            for name in _MEASURED
        ],
        "distribution": [
            {"@type": "DataDownload", "encodingFormat": kind, "contentUrl": f"{base_url}/{stem}.{ending}"}
            for ending, kind in _KINDS.items()
            if f"{stem}.{ending}" in now.sums
        ],
    }
    text = json.dumps(content, ensure_ascii=True)
    return mark_safe(text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}))
