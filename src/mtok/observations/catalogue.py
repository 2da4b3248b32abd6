"""Which slug an id stood for, and when: tables of volumes name models by id, and ids outlive their slugs (R-3).

Made from every models capture of a store. Of each id only the runs of captures that agree are kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from mtok.calendar import DAY
from mtok.observations.tables import Observations

_CAPTURE: Final = ("capture", "instant", "sha256")
_ROW: Final = ("catalogue", "capture", "id", "slug")


class _Run(NamedTuple):
    first: int
    last: int
    slug: str


class Catalogue:
    """An index of (id, instant) → canonical slug. `rows` : (instant, id, slug) in the order of time."""

    def __init__(self, rows: Iterable[tuple[int, str, str]]) -> None:
        self._runs: dict[str, list[_Run]] = {}
        self._slugs: set[str] = set()
        for instant, model_id, slug in rows:
            runs = self._runs.setdefault(model_id, [])
            if runs and runs[-1].slug == slug:
                runs[-1] = runs[-1]._replace(last=instant)
            else:
                runs.append(_Run(instant, instant, slug))
            self._slugs.add(slug)

    @classmethod
    def from_observations(cls, observations: Observations) -> Catalogue:
        """Return the index of every models capture observed, payloads and renderings alike."""
        instants = {
            number: (instant, sha256) for number, instant, sha256 in observations.rows("captures", *_CAPTURE)
        }
        rows = sorted(
            (*instants[number], model_id, slug) for number, model_id, slug in observations.rows(*_ROW)
        )
        return cls((instant, model_id, slug) for instant, _, model_id, slug in rows)

    def resolve(self, model_id: str, day: int) -> str | None:
        """Return the slug of the id's row nearest to noon of a UTC day, the earlier of two; None for an unknown id.

        What is no id but a canonical slug seen in any capture is that slug.

        >>> catalogue = Catalogue([(0, "a/b", "a/b-1"), (2 * DAY, "a/b", "a/b-2")])
        >>> catalogue.resolve("a/b", 0), catalogue.resolve("a/b", 9), catalogue.resolve("a/b-1", 9)
        ('a/b-1', 'a/b-2', 'a/b-1')
        """
        runs = self._runs.get(model_id)
        if runs is None:
            return model_id if model_id in self._slugs else None
        noon = day * DAY + DAY // 2
        after = bisect_right(runs, noon, key=lambda run: run.first)
        if after == 0:
            return runs[0].slug
        before = runs[after - 1]
        if after < len(runs) and runs[after].first - noon < noon - before.last:
            return runs[after].slug
        return before.slug
