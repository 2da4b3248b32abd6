"""Random sequences of what happens to logs between imports, against the rows that lie in the files.

A content weighs 4ᵏ tokens, so that a cube shows how often each was counted. Whatever happens, a day that is taken has
every row that is there, and none more often than it lay there at most: what was counted and is gone stays counted,
and not every copy can be told from a second request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from logged import Request, captures, cube, imported, write_csv, write_parquet
from mtok.archive import Store
from mtok.usage import UsageReport

DATES = [f"2026-06-{day}" for day in (18, 19, 20)]
CONTENTS_MAX = 20
OPERATIONS = (
    "add",
    "add",
    "add",
    "rewrite",
    "rewrite",
    "move",
    "rotate",
    "delete",
    "copy",
    "split",
    "join",
    "empty",
)
SEEDS = [*range(12), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(12, 400))]

Rows = list[tuple[str, int]]
"""The date and the content of each row."""


class Logs:
    """A folder of logs: the rows of each file by its path, and how often each row lay there at most."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.folder, self.random = folder, random
        self.files: dict[Path, Rows] = {}
        self.most: Counter[tuple[str, int]] = Counter()
        self.contents = self.names = 0

    def write(self, path: Path, rows: Rows) -> None:
        """Write a file: each content at an instant of its own."""
        times = [f"{date}T{10 + k % 12:02d}:{k:02d}:{(k * 7) % 60:02d}Z" for date, k in rows]
        requests = [Request(at, "a/b", 4**k, k) for at, (_, k) in zip(times, rows, strict=True)]
        (write_parquet if path.suffix == ".parquet" else write_csv)(path, requests)
        self.files[path] = rows

    def new_rows(self) -> Rows:
        """Return the rows of a new content, of one day or several."""
        self.contents += 1
        return [
            (date, self.contents)
            for date in sorted(self.random.sample(DATES, self.random.choice((1, 1, 2, 3))))
        ]

    def new_path(self) -> Path:
        """Return where nothing has been."""
        self.names += 1
        form = self.random.choice(("csv", "parquet"))
        return self.folder / self.random.choice(("", "a", "b")) / f"{self.names}.{form}"

    def step(self) -> None:
        """Let one thing happen."""
        happens = self.random.choice(OPERATIONS)
        if self.contents >= CONTENTS_MAX and happens in {"add", "rewrite", "rotate"}:
            return
        if happens == "add" or not self.files:
            self.write(self.new_path(), self.new_rows())
            return
        path = self.random.choice(sorted(self.files))
        rows = self.files[path]
        if happens == "rewrite":
            self.write(path, self.random.choice(([], rows)) + self.new_rows())
        elif happens == "empty":
            self.write(path, [])
        elif happens == "move":
            self.move(path, self.new_path().with_suffix(path.suffix))
        elif happens == "rotate":
            self.move(path, path.with_name(f"{path.stem}-{self.names}{path.suffix}"))
            self.write(path, self.new_rows())
        elif happens == "delete":
            self.remove(path)
        elif happens == "copy":
            self.write(self.new_path(), list(rows))
        elif happens == "split" and len(rows) > 1:
            self.remove(path)
            for part in (rows[:1], rows[1:]):
                self.write(self.new_path(), part)
        elif happens == "join" and len(self.files) > 1:
            other = self.random.choice(sorted(self.files.keys() - {path}))
            joined = rows + self.files[other]
            self.remove(path)
            self.remove(other)
            self.write(self.new_path(), joined)

    def move(self, path: Path, target: Path) -> None:
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        self.files[target] = self.files.pop(path)

    def remove(self, path: Path) -> None:
        path.unlink()
        del self.files[path]

    def there(self) -> Rows:
        """Return every row that is there, as often as it is."""
        return [row for rows in self.files.values() for row in rows]


def imports(store: Store, logs: Logs) -> Iterator[UsageReport]:
    """Let things happen and import, again and again."""
    for hour in range(logs.random.choice((3, 5, 8))):
        for _ in range(logs.random.choice((1, 1, 2, 3))):
            logs.step()
        logs.most |= Counter(logs.there())
        if logs.files:
            yield imported(store, logs.folder, now=f"2026-06-26T{hour:02d}:00:00Z")


@pytest.mark.parametrize("seed", SEEDS)
def test_no_row_is_lost_and_none_counts_twice(seed: int, tmp_path: Path) -> None:
    store, logs = Store.create(tmp_path / "store"), Logs(tmp_path / "logs", Random(seed))
    logs.folder.mkdir()
    for report in imports(store, logs):
        refused = {day.date for day in report.days if day.outcome == "refused"}
        there = logs.there()
        for date in DATES:
            if not any(capture.failure is None for capture in captures(store, date)):
                assert date in refused or not any(on == date for on, _ in there)
                continue
            if date in refused:
                continue
            total = sum(int(row[2]) for row in cube(store, date).models)
            for content in range(1, logs.contents + 1):
                counted, lies = total // 4**content % 4, there.count((date, content))
                assert bool(lies) <= counted <= logs.most[date, content], (date, content, counted)
