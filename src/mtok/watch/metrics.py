"""The status as a text file for the textfile collector of Prometheus' node exporter.

Timestamps instead of ages, so that Prometheus itself sees when nothing has run. The file is replaced whole.
"""

from __future__ import annotations

from pathlib import Path

from mtok.calendar import DAY, SECOND, parse_date, parse_instant
from mtok.watch.codes import CODES, LATE
from mtok.watch.status import Status


def write_metrics(path: Path, status: Status) -> None:
    """Write the metrics of a status. Raises OSError."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"mtok_{name}", text, labels, registry=registry)

    run = gauge("last_run_timestamp_seconds", "When this was written, seconds since 1970-01-01 UTC.")
    run.set(parse_instant(status.at) // SECOND)
    if status.newest_prices:
        prices = gauge("last_price_capture_timestamp_seconds", "The newest readable capture of prices.")
        prices.set(parse_instant(status.newest_prices) // SECOND)
    if status.newest_rankings_day:
        rankings = gauge("last_rankings_day_timestamp_seconds", "00:00 UTC of the newest day held.")
        rankings.set(parse_date(status.newest_rankings_day) * DAY // SECOND)
    if status.publication and status.publication.damage is None:
        entries = gauge("log_entries", "Entries of the log of publications.")
        entries.set(status.publication.entries)
        if status.publication.published_at:
            published = gauge("published_at_seconds", "The last publication, seconds since 1970-01-01 UTC.")
            published.set(parse_instant(status.publication.published_at) // SECOND)
    gauge("store_free_bytes", "Free on the file system of the store.").set(status.free_bytes)
    late = gauge("late", "1 for what is late now, else 0.", "what")
    for code, meant in CODES.items():
        if meant.severity == LATE:
            late.labels(what=code).set(int(any(alarm.code == code for alarm in status.late)))
    alarms = gauge("alarms", "Alarms of today and yesterday.", "code")
    for day in status.days[:2]:
        for code, count in day.alarms.items():
            alarms.labels(code=code).inc(count)
    failed = gauge("attempts_failed", "Attempts of the last 24 h without a response.", "code")
    for code, count in status.attempts_failed.items():
        failed.labels(code=code).set(count)
    printed = gauge(
        "printed", "1 for the quality each series has on the newest day determined.", "series", "quality"
    )
    newest = next((day.printed for day in status.days if any(day.printed.values())), {})
    for series, found in newest.items():
        if found:
            printed.labels(series=series, quality=found.quality).set(1)
    write_to_textfile(str(path), registry)
