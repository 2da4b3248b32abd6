"""The publication in the status: the line, the alarm two hours after a final print was due, the metrics."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog import get_logger
from structlog.testing import capture_logs

from mtok.archive import Store
from mtok.calendar import parse_instant
from mtok.cli.standing import status_page
from mtok.observations import Observations
from mtok.progress import silent
from mtok.publication.policy import load_policy
from mtok.publication.press import nowhere
from mtok.publication.publish import publish
from mtok.watch import Publishing, Sinks, Status, deliver, status_of
from mtok.watch.metrics import write_metrics
from mtok.watch.status import watched
from publishing import FIRST, SECOND, THIRD, publish_at, publishing_store
from test_backup import flip
from watched import prices, store_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with a key and volumes of 18 to 20 June that has published nothing."""
    return publishing_store(tmp_path / "store")


def late(store: Store, now: str) -> list[tuple[str, str, str]]:
    """Return day, subject and since of the alarms of late prints at an instant."""
    found = status_of(store, parse_instant(now)).late
    return [(one.day, one.subject, one.since) for one in found if one.code == "publication_late"]


def test_a_store_that_does_not_publish_has_no_such_line_and_is_never_late(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", [prices("2026-06-18 12:00:00", {"openai/gpt-a": "0.000001"})])
    found = status_of(store, parse_instant("2026-06-21T16:00:00Z"))
    assert found.publication is None
    assert not any(line.startswith("published") for line in status_page(found, 80))
    assert late(store, "2026-06-21T16:00:00Z") == []


def test_the_line_tells_the_last_publication_the_log_and_what_is_next(store: Store) -> None:
    now = parse_instant("2026-06-21T15:00:00Z")
    before = status_of(store, now)
    assert before.publication == Publishing(published_at=None, entries=0, next_due="2026-06-22T06:00:00Z")
    assert "published  nothing yet; next due 22 Jun 06:00 UTC" in plain(before)
    size = publish_at(store, THIRD).size
    after = status_of(store, now)
    assert after.publication == Publishing(
        published_at=THIRD[0], entries=size, next_due="2026-06-22T06:00:00Z"
    )
    assert f"published  last 21 Jun 14:03 UTC, the log has {size} entries; next due 22 Jun" in plain(after)


def plain(status: Status) -> str:
    """Return the page with spaces that may break."""
    return "\n".join(status_page(status, 100)).replace("\u00a0", " ")


def test_what_was_published_after_the_instant_does_not_count(store: Store) -> None:
    size = publish_at(store, FIRST).size
    publish_at(store, SECOND)
    found = status_of(store, parse_instant(FIRST[0])).publication
    assert found is not None
    assert (found.published_at, found.entries) == (FIRST[0], size)


def test_a_final_print_is_late_two_hours_after_it_was_due(store: Store) -> None:
    """The hour is the policy's; each date is told once, however long it lasts."""
    assert load_policy().final == 14 * 3_600_000_000
    publish_at(store, SECOND)
    assert late(store, "2026-06-21T15:59:59Z") == []
    expected = [("2026-06-20", "2026-06-20", "2026-06-21T16:00:00Z")]
    assert late(store, "2026-06-21T16:00:00Z") == expected
    assert late(store, "2026-06-22T15:59:59Z") == expected
    assert late(store, "2026-06-22T16:00:00Z") == [
        *expected,
        ("2026-06-21", "2026-06-21", "2026-06-22T16:00:00Z"),
    ]
    publish_at(store, ("2026-06-22T15:00:00Z", "2026-06-20"))
    assert late(store, "2026-06-22T15:59:59Z") == []


def test_a_store_with_a_key_that_never_published_is_late_from_its_first_day_with_volumes(
    store: Store,
) -> None:
    assert [day for day, _, _ in late(store, "2026-06-20T16:00:00Z")] == ["2026-06-18", "2026-06-19"]


def test_a_preliminary_print_is_not_the_final_one(tmp_path: Path) -> None:
    store = publishing_store(tmp_path / "store", until="2026-06-21T09:00:00Z")
    with store.writing():
        publish(store, Observations(store), parse_instant("2026-06-21T09:00:00Z"), nowhere, progress=silent)
    assert [day for day, _, _ in late(store, "2026-06-21T16:00:00Z")] == ["2026-06-20"]


def test_a_publication_that_cannot_be_read_is_late_and_says_why(store: Store) -> None:
    publish_at(store, THIRD)
    for path in (store.path / "publication" / "log" / "tile" / "entries").rglob("*"):
        if path.is_file():
            flip(path, 0)
    status = status_of(store, parse_instant("2026-06-21T17:00:00Z"))
    assert status.publication is not None
    assert status.publication.damage
    assert "published cannot be read: " in " ".join(plain(status).split())
    [alarm] = [one for one in status.late if one.code == "publication_late"]
    assert "is damaged" in alarm.found


def test_the_page_says_what_to_do(store: Store) -> None:
    publish_at(store, SECOND)
    text = " ".join(plain(status_of(store, parse_instant("2026-06-21T16:00:00Z"))).split())
    assert "publication_late: a date's final print is not published two hours after it was due." in text
    assert "Run mtok publish and read its error." in text
    assert "no final print is published; it was due at 2026-06-21T14:00:00Z" in text


def test_a_sink_is_told_once_a_date_and_once_when_it_is_over(store: Store) -> None:
    publish_at(store, SECOND)

    def told(now: str) -> list[MutableMapping[str, Any]]:
        instant = parse_instant(now)
        status, alarms = watched(store, instant, 9)
        with capture_logs() as logs:
            deliver(store, status, alarms, Sinks(log=True), instant, get_logger())
        return [one for one in logs if one["event"] == "alarm" and one["code"] == "publication_late"]

    assert [one["subject"] for one in told("2026-06-21T16:00:00Z")] == ["2026-06-20"]
    assert told("2026-06-22T15:00:00Z") == []
    assert [one["subject"] for one in told("2026-06-22T16:00:00Z")] == ["2026-06-21"]
    assert {one["subject"] for one in told("2026-07-05T10:00:00Z")} >= {"2026-06-22", "2026-07-03"}
    publish_at(store, ("2026-07-05T11:00:00Z", "2026-06-20"))
    over = told("2026-07-05T11:01:00Z")
    assert [(one["severity"], one["subject"]) for one in over] == [("over", "2026-06-20")]


def test_metrics_have_the_last_publication_and_the_size_of_the_log(store: Store, tmp_path: Path) -> None:
    now = parse_instant("2026-06-21T16:30:00Z")
    assert metrics(status_of(store, now), tmp_path)["mtok_log_entries"] == 0
    assert "mtok_published_at_seconds" not in metrics(status_of(store, now), tmp_path)
    size = publish_at(store, SECOND).size
    found = metrics(status_of(store, now), tmp_path)
    assert found["mtok_log_entries"] == size
    assert found["mtok_published_at_seconds"] == parse_instant(SECOND[0]) // 1_000_000
    assert found["publication_late"] == 1


def metrics(status: Status, folder: Path) -> dict[str, float]:
    """Return the metrics without labels, and those of what is late by code."""
    write_metrics(folder / "mtok.prom", status)
    families = text_string_to_metric_families((folder / "mtok.prom").read_text())
    samples = [sample for family in families for sample in family.samples]
    return {
        sample.labels.get("what", sample.name): sample.value
        for sample in samples
        if not sample.labels or sample.name == "mtok_late"
    }
