"""Marks on PostgreSQL: the worked example, a correction, and people who decide about the same mark at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import people
import test_venue_marks
import venues
from databases import Cluster, postgresql_cluster
from marked import MarkedVenue, marked_venue
from mtok.settlement.people import Role
from test_venue_postgresql import together

pytestmark = pytest.mark.machine

ROUNDS = 5
DECIDING = 4
"""Approvers and rejecters of one mark, each."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgresql_cluster() as cluster:
        yield cluster


@pytest.fixture
def venue(tmp_path: Path, cluster: Cluster) -> Iterator[MarkedVenue]:
    database = venues.postgresql(cluster)
    with marked_venue(tmp_path / "venue", test_venue_marks.DAYS, "2026-02-26 12:00:00", database) as venue:
        yield venue


def test_the_worked_example_to_the_cent(venue: MarkedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    test_venue_marks.test_the_worked_example_to_the_cent(venue, monkeypatch)


def test_a_correction_is_a_version_of_its_own(venue: MarkedVenue) -> None:
    test_venue_marks.test_a_correction_is_a_version_of_its_own_at_a_later_vintage(venue)


def test_of_many_who_decide_at_once_one_has_decided(venue: MarkedVenue) -> None:
    from mtok.venue.database.models import Event
    from mtok.venue.otc import marking

    approvers = [people.person(f"Approver {number}", Role.MARK_APPROVER) for number in range(DECIDING)]
    for line in [test_venue_marks.FIRST, *list(test_venue_marks.DAYS)[1:ROUNDS]]:
        venue.print(line)
        made = venue.prepared(line)
        shown = [people.shown(who, venue.clock()) for who in approvers]
        works = [partial(marking.approve, who, made.id, made.mark.digest) for who in shown]
        works += [partial(marking.reject, who, made.id, "No.") for who in shown]
        outcomes = together([*works])
        assert outcomes == {"done": 1, "not_allowed": 2 * DECIDING - 1}
        decided = Event.objects.filter(object=made.id, command__in=("mark.approve", "mark.reject"))
        assert decided.count() == 1
        assert venue.mark(line).mark.state in ("approved", "rejected")
