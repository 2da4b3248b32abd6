"""A stretch of one series, point by point, and as whatever table its reader works with."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from mtok.client import frames
from mtok.client.points import Point, cells

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Series(Sequence[Point]):
    """The points of one series in order of date, one a date; none where nothing was published of the days asked for.

    A day that is missing has no point, and a withheld one a point without a value: neither is ever filled.
    """

    series: str
    points: tuple[Point, ...]

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    @overload
    def __getitem__(self, at: int) -> Point: ...
    @overload
    def __getitem__(self, at: slice) -> Series: ...
    def __getitem__(self, at: int | slice) -> Point | Series:
        """Return a point by its place, or the stretch of a slice."""
        if isinstance(at, slice):
            return Series(series=self.series, points=self.points[at])
        return self.points[at]

    def to_csv(self) -> str:
        """Return the points as the published CSV files have them, to the byte."""
        target = io.StringIO()
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(Point.__struct_fields__)
        writer.writerows(cells(self.points))
        return target.getvalue()

    def to_arrow(self) -> pa.Table:
        """Return a pyarrow table with the schema of the published Parquet files."""
        return frames.arrow(self.points)

    def to_polars(self) -> pl.DataFrame:
        """Return a Polars frame: decimals as `Decimal(38, 6)`, days as `Date`."""
        return frames.polars(self.points)

    def to_pandas(self) -> Any:
        """Return a pandas frame; every column is of `pandas.ArrowDtype`, so that decimals stay decimals."""
        return frames.pandas(self.points)
