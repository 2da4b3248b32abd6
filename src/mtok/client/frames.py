"""Points as tables of pyarrow, Polars or pandas, each imported when it is asked for and not before.

Decimals stay decimals and dates dates: `decimal128(38, 6)`, `date32`, `timestamp[us, UTC]`, counts `int64`, lists of
text; the schema of the published Parquet files. pandas gets them as `ArrowDtype`, for its own types are floats.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

from mtok.client.points import Point
from mtok.client.refusals import ExtraMissing

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_INSTALL: Final = {"pyarrow": "pyarrow", "polars": "'mtok[polars]'", "pandas": "'mtok[pandas]'"}


def arrow(points: Sequence[Point]) -> pa.Table:
    """Return the points as a pyarrow table, a column a field. Raises ExtraMissing."""
    pyarrow = _needed("pyarrow")
    hints = get_type_hints(Point)
    schema = pyarrow.schema([(name, _type(pyarrow, hints[name])) for name in Point.__struct_fields__])
    columns = [
        pyarrow.array([getattr(point, column.name) for point in points], column.type) for column in schema
    ]
    return pyarrow.Table.from_arrays(columns, schema=schema)


def polars(points: Sequence[Point]) -> pl.DataFrame:
    """Return the points as a Polars frame: `Decimal(38, 6)`, `Date`, `Datetime(us, UTC)`. Raises ExtraMissing."""
    frame: pl.DataFrame = _needed("polars").from_arrow(arrow(points))
    return frame


def pandas(points: Sequence[Point]) -> Any:
    """Return the points as a pandas frame whose columns are all of `pandas.ArrowDtype`. Raises ExtraMissing."""
    return arrow(points).to_pandas(types_mapper=_needed("pandas").ArrowDtype)


def _type(pyarrow: Any, hint: Any) -> pa.DataType:
    kinds = {
        dt.date: pyarrow.date32(),
        dt.datetime: pyarrow.timestamp("us", tz="UTC"),
        Decimal: pyarrow.decimal128(38, 6),
        int: pyarrow.int64(),
        str: pyarrow.string(),
        tuple[str, ...]: pyarrow.list_(pyarrow.string()),
    }
    return kinds[hint] if hint in kinds else kinds[get_args(hint)[0]]


def _needed(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            "extra_missing", f"this takes {name}: {error}", f"Install it: pip install {_INSTALL[name]}"
        ) from None
