"""What each alarm code means, how much it matters and what to do: the one table, printed in docs/operations.md.

A code that is not here, such as a new one of a decoder, is a warning that says so: nothing is hidden.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LATE: Final = "late"
WARNING: Final = "warning"
NOTE: Final = "note"


class Code(NamedTuple):
    """severity : `late`, something due is not there; `warning`, look today; `note`, kept for the record."""

    severity: str
    meaning: str
    remedy: str


_UPSTREAM: Final = "Nothing, once; if it lasts, compare the archived bytes with OpenRouter's own page."
_DECODER: Final = "Look at the archived response; if the API has changed, the decoder must learn it."
_NOTHING: Final = "Nothing."
_RETRIED: Final = "Nothing: the next run tries again; if it lasts, `stale_prices` will say so."
_USAGE: Final = "See docs/usage.md; import the logs again when they are mended."
_READ_ON: Final = "Nothing; the rules decide, and the record names what was left out."

CODES: Final = {
    "stale_prices": Code(
        LATE,
        "the newest readable capture of prices is more than 3 h old",
        "Look at the failed attempts and the timer (`systemctl status mtok.timer`); prices have no history.",
    ),
    "stale_rankings": Code(
        LATE,
        "the newest completed day is not held at 06:00 UTC of the day after",
        "Look at the failed attempts and the key in `OPENROUTER_API_KEY`; the next run fetches missed days.",
    ),
    "stale_prints": Code(
        LATE,
        "the newest completed day is held and not determined at 07:00 UTC of the day after",
        "Run `mtok determine` and read its error.",
    ),
    "publication_late": Code(
        LATE,
        "a date's final print is not published two hours after it was due",
        "Run `mtok publish` and read its error.",
    ),
    "disk_low": Code(
        WARNING,
        "under 1 GiB is free where the store is",
        "Free space or grow the disk; a full disk stops collection, nothing is lost before.",
    ),
    "clock_wrong": Code(
        WARNING,
        "the own clock is more than 60 s off the server's",
        "Set the clock (`timedatectl`, NTP): capture times of that span are wrong by as much.",
    ),
    "clock_skew": Code(
        NOTE, "the own clock is more than 2 s off the server's", "See that NTP runs (`timedatectl`)."
    ),
    "payload_shrunk": Code(
        WARNING,
        "fewer than half the rows of the capture before",
        "Compare the two responses; the rules read the rows that are there.",
    ),
    "unit_slip": Code(
        WARNING,
        "a price within 2 % of a thousand or a million times, or parts, of its last one",
        "Compare with the author's own price page: the unit has probably slipped.",
    ),
    "price_jump": Code(
        WARNING,
        "a price more than doubled or halved since its last one",
        "Compare with the author's own price page; a cut or a promotion is normal.",
    ),
    "jump": Code(
        WARNING,
        "a series moved by more than 20 % since the print before",
        "Run `mtok explain SERIES DATE`: it says which models moved it.",
    ),
    "slug_new": Code(NOTE, "a new model of a series' company", _NOTHING),
    "slug_gone": Code(NOTE, "a model of a series' company left the catalogue", _NOTHING),
    "slug_renamed": Code(
        WARNING,
        "an id has another slug, or a slug another id",
        "See that the rankings name the model by its new slug; the price is found by it.",
    ),
    "volume_low": Code(
        WARNING,
        "a day's total is under half of the median of the 28 days before",
        "Wait for the next capture of that day; if it stays, OpenRouter had an outage or counts otherwise.",
    ),
    "restated": Code(
        WARNING,
        "a capture holds other totals for a day than the one before",
        "Nothing until a value is published; then restate it by the book.",
    ),
    "window_differs": Code(
        WARNING,
        "OpenRouter answered for other dates than were asked for",
        "Compare the two in the archived response; days that are missing are asked for again.",
    ),
    "short_capture": Code(
        WARNING,
        "a day with fewer than 50 named models",
        "Wait for the next capture of that day; R-10 decides.",
    ),
    "volume_duplicate": Code(
        WARNING, "two rows of one model that contradict each other: that date is rejected", _DECODER
    ),
    "volume_range": Code(
        WARNING, "a token total that is negative, no integer or too large: that date is rejected", _DECODER
    ),
    "date_range": Code(
        WARNING, "a row of a date that was not asked for or not over: the row is rejected", _DECODER
    ),
    "as_of_future": Code(
        WARNING,
        "a response that says it was made more than an hour after it was captured; the instant of the capture counts",
        "Check the own clock; if it is right, upstream's is wrong.",
    ),
    "price_dynamic": Code(NOTE, 'a negative price: routers post "-1" each time', _NOTHING),
    "price_zero": Code(NOTE, "a price of 0 on a variant other than `free`", _READ_ON),
    "price_absent": Code(NOTE, "a model without a completion price", _READ_ON),
    "price_grammar": Code(WARNING, "a price that is not a number in the grammar", _DECODER),
    "price_range": Code(WARNING, "a price above the range taken, or positive and rounding to 0", _DECODER),
    "price_window": Code(WARNING, "a price schedule that cannot be read", _DECODER),
    "slug_grammar": Code(WARNING, "a name that is no slug: the row is rejected", _DECODER),
    "duplicate_id": Code(WARNING, "two rows of the catalogue with one id", _READ_ON),
    "confusable_id": Code(NOTE, "ids that differ in case or look-alike letters only", _READ_ON),
    "schema_unknown": Code(
        NOTE, "a field nobody knows", "Nothing; it is archived. Teach the decoder when it matters."
    ),
    "schema_type": Code(WARNING, "a known field of another type", _DECODER),
    "kind_unknown": Code(WARNING, "a response of no endpoint known here", "Look at what was imported."),
    "payload_empty": Code(WARNING, "a response with no rows", _UPSTREAM),
    "payload_no_bytes": Code(WARNING, "a response without content", _UPSTREAM),
    "payload_size": Code(WARNING, "a response over 20 MB", _UPSTREAM),
    "payload_gzip": Code(WARNING, "gzip that ends early, is damaged or unpacks beyond the cap", _UPSTREAM),
    "payload_utf8": Code(WARNING, "a response that is not UTF-8", _UPSTREAM),
    "payload_json": Code(WARNING, "a response that is not JSON, or is cut off", _UPSTREAM),
    "payload_html": Code(WARNING, "a page of HTML in the place of a response", _UPSTREAM),
    "payload_not_finite": Code(WARNING, "a response with NaN or Infinity", _UPSTREAM),
    "payload_duplicate_key": Code(WARNING, "a response with a key twice in one object", _UPSTREAM),
    "payload_depth": Code(WARNING, "a response nested deeper than 32 levels", _UPSTREAM),
    "payload_shape": Code(WARNING, "a response without a list `data`", _UPSTREAM),
    "redirect_refused": Code(
        WARNING,
        "a redirect to another host, which is not followed: the key would go with it",
        "See that DNS and proxy are yours; if OpenRouter has moved, a new version of mtok must say so.",
    ),
    "http_401": Code(WARNING, "the key is missing or refused", "Set a valid `OPENROUTER_API_KEY`."),
    "http_403": Code(
        WARNING, "the server refuses this caller", "Check the key and where requests come from."
    ),
    "http_404": Code(NOTE, "the server has no such thing: nobody serves that model any more", "Nothing."),
    "http_429": Code(NOTE, "too many requests: the server asked to be left alone", _RETRIED),
    "http_timeout": Code(NOTE, "no answer in time", _RETRIED),
    "http_connection": Code(NOTE, "no connection, or one that broke", _RETRIED),
    "http_3xx": Code(
        NOTE,
        "a redirect; one on the same host is followed, and its end is an attempt of its own",
        "Nothing; if nothing comes of it, `stale_prices` will say so.",
    ),
    "http_4xx": Code(
        WARNING,
        "the server refused the request with another status of 400 to 499",
        "Read what the attempt says.",
    ),
    "http_5xx": Code(NOTE, "the server failed, any status from 500", _RETRIED),
    "http_other": Code(WARNING, "any other failure of a request", "Read what the attempt says."),
    "as_of_unreadable": Code(
        NOTE, "a row of an imported table without a readable time", "See docs/tables.md."
    ),
    "id_unknown": Code(NOTE, "a row of an imported table whose id no catalogue has", "See docs/tables.md."),
    "partial_day": Code(NOTE, "a row of an imported table of a day that was not over", "See docs/tables.md."),
    "variant_conflict": Code(
        NOTE, "rows of an imported table that contradict each other", "See docs/tables.md."
    ),
    "variants_summed": Code(
        NOTE, "a row of an imported table that sums several variants", "See docs/tables.md."
    ),
    "rows_rejected": Code(WARNING, "a day of usage logs with too many rejected rows: it is refused", _USAGE),
    "partition_twice": Code(WARNING, "a day of usage logs that has a file twice: it is refused", _USAGE),
    "usage_file_gone": Code(
        WARNING, "a day of usage logs with new files where one of its cube is gone: it is refused", _USAGE
    ),
    "usage_changed": Code(WARNING, "usage logs that were written while they were read", _USAGE),
    "usage_unreadable": Code(WARNING, "a file of usage logs that cannot be read", _USAGE),
    "usage_schema": Code(WARNING, "a file of usage logs with other columns", _USAGE),
    "ts_without_zone": Code(WARNING, "an instant of usage logs that says no time zone", _USAGE),
    "ts_range": Code(NOTE, "an instant of usage logs before 2020 or after the import", _USAGE),
    "model_missing": Code(NOTE, "a row of usage logs without a model", _USAGE),
    "tokens_missing": Code(NOTE, "a row of usage logs without a token count", _USAGE),
    "tokens_negative": Code(NOTE, "a row of usage logs with a negative token count", _USAGE),
    "tokens_not_integer": Code(NOTE, "a row of usage logs whose token count is no whole number", _USAGE),
    "tokens_absurd": Code(NOTE, "a row of usage logs with over 10¹⁵ tokens", _USAGE),
    "cube_damaged": Code(
        WARNING, "a cube of usage logs that is none", "Run `mtok doctor`; import the logs again."
    ),
}
"""Codes in the order of the document. `http_3xx` to `http_5xx` and `http_other` stand for all that have no row."""

UNKNOWN: Final = Code(WARNING, "a code this version has no words for", "Look at what was found.")


def code_of(code: str) -> Code:
    """Return what a code means; one without a row of its own is told by its family.

    >>> code_of("http_418").meaning
    'the server refused the request with another status of 400 to 499'
    """
    if code in CODES or not code.startswith("http_"):
        return CODES.get(code, UNKNOWN)
    family = code[: len("http_4")]
    return CODES.get(f"{family}xx" if code[len(family) :].isdecimal() else "http_other", CODES["http_other"])
