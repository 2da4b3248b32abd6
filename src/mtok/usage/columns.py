"""What the SQL reads of a log, whatever its columns hold: the day, the model, two counts, and why a row does not count.

Written in the portable dialect of the rules, but for the day of an instant, which every engine finds in its own way.
"""

from __future__ import annotations

from typing import Final

from mtok.engine import Engine
from mtok.usage.logs import FIRST_DAY, NANOSECONDS, NEEDED, TEXT, TOKENS_MAX, Log

_UTC: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
_ZONE: Final = r"(Z|\+00:00)"
_COUNTED: Final = (
    "model_permaslug, CAST(prompt_tokens AS BIGINT) AS prompt_tokens, "
    "CAST(completion_tokens AS BIGINT) AS completion_tokens"
)


def sound_rows(log: Log, engine: Engine, scan: str) -> str:
    """Return the query `sound.sql` reads: the day is that of the column `day` where that is proven."""
    day = "day" if log.dated else _typed_day(log, engine)
    return f"SELECT {day} AS day, {_COUNTED} FROM {scan}"


def rows_of_one_day(scan: str) -> str:
    """Return the query `one_day.sql` reads."""
    return f"SELECT {_COUNTED} FROM {scan}"


def judged_rows(log: Log, engine: Engine, scan: str, last_day: int) -> str:
    """Return the query `judged.sql` and `samples.sql` read of any log.

    last_day : the newest day a request can be of
    """
    kinds = log.kinds
    day = _text_day() if kinds["ts"] == TEXT else _typed_day(log, engine)
    texts = _text_reasons() if kinds["ts"] == TEXT else "WHEN ts IS NULL THEN 'ts_missing'"
    ts_reason = f"CASE {texts} WHEN {day} BETWEEN {FIRST_DAY} AND {last_day} THEN NULL ELSE 'ts_range' END"
    counts = ", ".join(_count(name, kinds[f"{name}_tokens"]) for name in ("prompt", "completion"))
    instant = "ts" if kinds["ts"] == TEXT else "CAST(ts AS DATE)"  # its text is another on every engine
    shown = [instant, *NEEDED[1:]]
    sample = ", ".join(f"COALESCE(CAST({column} AS VARCHAR), 'nothing')" for column in shown)
    return (
        "SELECT CASE WHEN ts_reason IS NULL THEN day END AS day, "
        "COALESCE(ts_reason, CASE WHEN model_permaslug IS NULL OR model_permaslug = '' THEN 'model_missing' END, "
        "prompt_reason, completion_reason) AS reason, "
        "model_permaslug, prompt_tokens, completion_tokens, sample "
        f"FROM (SELECT {day} AS day, {ts_reason} AS ts_reason, model_permaslug, {counts}, "
        f"CONCAT_WS(', ', {sample}) AS sample FROM {scan}) AS looked_at"
    )


def _typed_day(log: Log, engine: Engine) -> str:
    return engine.utc_day("ts", nanoseconds=log.kinds["ts"] == NANOSECONDS)


def _text_day() -> str:
    """Return the day of an instant in text, empty for other text and for a date there is none of."""
    date = f"CASE WHEN REGEXP_MATCHES(ts, '^{_UTC}{_ZONE}$') THEN SUBSTRING(ts, 1, 10) END"
    return f"DATE_DIFF('day', DATE '1970-01-01', TRY_CAST({date} AS DATE))"


def _text_reasons() -> str:
    return (
        "WHEN ts IS NULL OR ts = '' THEN 'ts_missing' "
        f"WHEN REGEXP_MATCHES(ts, '^{_UTC}$') THEN 'ts_without_zone' "
        f"WHEN {_text_day()} IS NULL THEN 'ts_unreadable'"
    )


def _count(name: str, kind: str) -> str:
    """Return a token count and the reason why it is none."""
    column = f"{name}_tokens"
    if kind == TEXT:
        reasons = (
            f"WHEN {column} IS NULL OR {column} = '' THEN 'tokens_missing' "
            f"WHEN REGEXP_MATCHES({column}, '^-[0-9]+$') THEN 'tokens_negative' "
            f"WHEN NOT REGEXP_MATCHES({column}, '^[0-9]+$') THEN 'tokens_not_integer' "
            f"WHEN NOT REGEXP_MATCHES({column}, '^0*[0-9]{{1,15}}$') AND {column} <> '{TOKENS_MAX}' "
            "THEN 'tokens_absurd'"
        )
        value = f"TRY_CAST({column} AS BIGINT)"
    else:
        reasons = (
            f"WHEN {column} IS NULL THEN 'tokens_missing' WHEN {column} < 0 THEN 'tokens_negative' "
            f"WHEN {column} > {TOKENS_MAX} THEN 'tokens_absurd'"
        )
        value = f"CASE WHEN {column} BETWEEN 0 AND {TOKENS_MAX} THEN CAST({column} AS BIGINT) END"
    return f"{value} AS {column}, CASE {reasons} END AS {name}_reason"
