"""What answers look like, for the OpenAPI description: each field with its unit and an example.

Answers are not made from these models: their bytes are those of the records. Tests hold the two together.
"""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Final, get_args

import msgspec
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from mtok import points
from mtok.publication.datapackage import COLUMNS
from mtok.records import Diagnostics, PublishedRecord, point_fields

RECORD: Final = "x-record"
"""In a schema: the structure of `mtok.records` that stands here, as its canonical JSON has it."""

_DECIMAL: Final = r"^-?[0-9]+(\.[0-9]+)?$"
_SHA256: Final = r"^[0-9a-f]{64}$"
_BASE64: Final = r"^[A-Za-z0-9+/]+={0,2}$"


def _part(name: str) -> WithJsonSchema:
    return WithJsonSchema({RECORD: name})


_Json = dict[str, Any]
_Record = Annotated[_Json, _part("PublishedRecord")]
_Constituent = Annotated[_Json, _part("Constituent")]
_LeftOut = Annotated[_Json, _part("LeftOut")]
_Conflict = Annotated[_Json, _part("Conflict")]
_Discarded = Annotated[_Json, _part("Discarded")]
_Absent = Annotated[_Json, _part("Absent")]
_Move = Annotated[_Json, _part("Move")]
Status = Annotated[_Json, _part("Health")]
"""How the publication stands: `mtok.venue.health`."""

SeriesId = Annotated[str, Field(description="Id of the series", examples=["openai"])]
DateText = Annotated[
    str, Field(description="UTC day", examples=["2026-06-20"], json_schema_extra={"format": "date"})
]
Instant = Annotated[
    str,
    Field(
        description="Instant, UTC",
        examples=["2026-06-21T14:05:00Z"],
        json_schema_extra={"format": "date-time"},
    ),
]
DecimalText = Annotated[str, Field(description="Decimal as text", examples=["10.383839"], pattern=_DECIMAL)]
Digest = Annotated[str, Field(description="sha256, hexadecimal", examples=["9f" * 32], pattern=_SHA256)]
Hash = Annotated[
    str, Field(description="32 bytes in base64", examples=["AAAA" * 10 + "AAA="], pattern=_BASE64)
]
Index = Annotated[int, Field(description="Number of an entry of the log, from 0", examples=[5])]
LogSize = Annotated[int, Field(description="Entries of the log", examples=[301])]
Unit = Annotated[str, Field(description="Unit of values", examples=["USD_PER_MTOK_OUTPUT"])]
Methodology = Annotated[str, Field(description="Version of the rules", examples=["1.0"])]
VintageNumber = Annotated[int, Field(description="Which print of the date: 0 is the first", examples=[0])]


class Answered(BaseModel):
    """An answer: fields may be added to it, never taken away."""

    model_config = ConfigDict(extra="allow")


def _point_model() -> type[BaseModel]:
    """Return the model of a point, from what describes the columns of the published files."""
    types = {
        field.name: field.type
        for kind in (PublishedRecord, Diagnostics)
        for field in msgspec.structs.fields(kind)
    }
    types |= {"published_at": str, "record_sha256": str}
    fields: dict[str, Any] = {}
    for name in point_fields(PublishedRecord):
        description, unit = COLUMNS[name]
        kind = _of_column(name)
        if NoneType in get_args(types[name]):
            kind = kind | None
        fields[name] = (kind, Field(description=f"{description}. Unit: {unit}."))
    return create_model(
        "Point", __base__=Answered, __doc__="One vintage of one date, as in the files.", **fields
    )


def _of_column(name: str) -> Any:
    if name in points.COUNTS:
        return int
    if name in points.LISTS:
        return list[str]
    if name == "date":
        return Annotated[str, Field(json_schema_extra={"format": "date"})]
    if name in points.INSTANTS:
        return Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    return str if name in points.TEXTS else Annotated[str, Field(pattern=_DECIMAL)]


Point: Any = _point_model()


class Problem(BaseModel):
    """What went wrong and what to do (RFC 9457)."""

    type: str = Field(description="`about:blank`: `code` tells errors apart", examples=["about:blank"])
    title: str = Field(description="The status in words", examples=["Bad Request"])
    status: int = Field(description="The status", examples=[400])
    code: str = Field(description="Which error it is: stable, for programs", examples=["parameter_invalid"])
    detail: str = Field(description="What was found", examples=["start: '2026-02-30' is no date"])
    remedy: str = Field(description="What to do", examples=["Dates are YYYY-MM-DD, UTC days."])
    instance: str = Field(default="", description="The path that was asked for")


class SeriesSummary(Answered):
    """A series and where it stands."""

    series: SeriesId
    company: str = Field(description="Whose models", examples=["OpenAI"])
    unit: Unit
    methodology: Methodology
    first_date: DateText | None = Field(description="First published date")
    last_date: DateText | None = Field(description="Last published date")
    point: Point | None = Field(description="The vintage in force of the last date")


class SeriesList(Answered):
    """Every series, in the order of R-1."""

    log_size: LogSize
    published_at: Instant = Field(description="When the last publication was")
    series: list[SeriesSummary]


class Points(Answered):
    """A page of points, sorted by date and vintage."""

    series: SeriesId
    unit: Unit
    log_size: LogSize = Field(description="Entries of the log that all pages of this answer are made from")
    count: int = Field(description="Points of all pages", examples=[38])
    points: list[Point]
    next: str | None = Field(description="Address of the next page, null on the last one")


class PointWithRecord(Answered):
    """A point and the record it was taken from."""

    point: Point
    index: Index
    record: _Record = Field(description="The record as it was published, digit for digit")


class Constituents(Answered):
    """What a value was calculated from, and what was left out."""

    series: SeriesId
    date: DateText
    vintage: VintageNumber
    value: DecimalText | None = Field(description="USD per million output tokens, null when withheld")
    unit: Unit
    record_sha256: Digest
    constituents: list[_Constituent] = Field(description="Priced models, with weight and price")
    left_out: list[_LeftOut] = Field(description="Rows in neither value nor weight, and why")
    conflicts: list[_Conflict] = Field(description="Prices two collectors dispute (R-7)")
    discarded: list[_Discarded] = Field(description="Captures that do not count (R-5)")
    absent: list[_Absent] = Field(description="Models that could have been traded, without a row (R-9)")


class VintagesOfDate(Answered):
    """Everything that was ever said of a date."""

    series: SeriesId
    date: DateText
    vintages: list[Point] = Field(description="Oldest first")


class RecordProof(Answered):
    """That a record's entry is in the log."""

    series: SeriesId
    date: DateText
    vintage: VintageNumber
    record_sha256: Digest
    index: Index
    entry: dict[str, Any] = Field(description="The log entry; its canonical JSON is the leaf")
    leaf_hash: Hash
    proof: str = Field(description="The proof file (c2sp.org/tlog-proof), with a signed checkpoint in it")


class End(Answered):
    """One end of a move."""

    date: DateText
    vintage: VintageNumber
    value: DecimalText
    record_sha256: Digest


class MoveBetween(Answered):
    """Why a value is another one than on an earlier date: price, mix, entry and exit (R-11), USD per million."""

    series: SeriesId
    unit: Unit
    methodology: Methodology
    start: End = Field(alias="from")
    to: End
    move: _Move


class PostedPrice(Answered):
    """What a model asked for output tokens on a date, as in the published file `prices/<date>.json`."""

    constituent: str = Field(description="The model", examples=["anthropic/claude-4.5-haiku-20251001"])
    series: SeriesId
    price_usd_per_mtok: DecimalText = Field(description="USD per million output tokens, 6 decimals")
    price_seconds: str = Field(description="Sum of price times seconds of the day, 10⁻¹⁸ USD per token × s")
    rung: str = Field(description="How the price was found (R-6)", examples=["direct"])
    age_days: str = Field(
        description="0 of the day itself, n from n days before, -1 from the next", examples=["0"]
    )
    captures: str = Field(description="How many captures it rests on", examples=["3"])
    sha256: Digest = Field(description="The last of them")
    tokens: str | None = Field(
        default=None, description="Tokens of the day; left out of a model without volume"
    )


class DatedPrice(PostedPrice):
    """A posted price and its date."""

    date: DateText


class ModelPrices(Answered):
    """The posted prices of one model."""

    model: str = Field(description="The model", examples=["anthropic/claude-4.5-haiku-20251001"])
    unit: str = Field(description="Unit of price_usd_per_mtok", examples=["USD_PER_MTOK_OUTPUT"])
    prices: list[DatedPrice] = Field(description="By date; a date without a price is left out")


class DayPrices(Answered):
    """Every posted price of a date."""

    date: DateText
    unit: str = Field(description="Unit of price_usd_per_mtok", examples=["USD_PER_MTOK_OUTPUT"])
    prices: list[PostedPrice] = Field(description="By series and model")


class FileNamed(Answered):
    """A published file."""

    path: str = Field(description="Its address on this server", examples=["/methodology/1.0/parameters.toml"])
    sha256: Digest


class MethodologySummary(Answered):
    """A version of the rules, as the log announces it."""

    methodology: Methodology
    effective_from: DateText = Field(description="First date it is in force on")
    announced_at: Instant
    rules_sha256: Digest
    parameters_sha256: Digest
    rulebook_sha256: Digest
    policy_sha256: Digest
    reason: str = Field(description="Why it was announced")
    index: Index


class MethodologyList(Answered):
    """Every version, oldest first."""

    methodologies: list[MethodologySummary]


class MethodologyFiles(MethodologySummary):
    """A version with its files."""

    files: list[FileNamed]


class Parameter(Answered):
    """A parameter: a whole number, a ratio [numerator, denominator], or a list of texts."""

    value: int | list[int] | list[str]
    unit: str
    rule: str
    reason: str


class ParameterFile(Answered):
    """The parameters of a version."""

    methodology: Methodology
    parameters_sha256: Digest
    unit: Unit
    weight_basis: str
    series: list[dict[str, Any]] = Field(description="Which models belong to which series (R-1)")
    parameters: dict[str, dict[str, Parameter]] = Field(description="By section and name")


class NoticeEntry(Answered):
    """Something the publisher stated about the publication."""

    index: Index
    kind: str = Field(description="disruption, incident, correction, key_rotation or cessation")
    time: Instant
    text: str
    series: str | None = Field(description="Which series it concerns, null for all")
    first_date: DateText | None = Field(description="First date it concerns")
    last_date: DateText | None = Field(description="Last date it concerns")


class NoticeList(Answered):
    """Every notice, newest first."""

    notices: list[NoticeEntry]


class Signature(Answered):
    """A signature line of a note; not checked by this server."""

    name: str
    key_id: str = Field(description="First 4 bytes that tell keys apart, hexadecimal", examples=["94bf5458"])


class CheckpointRead(Answered):
    """The head of the log."""

    origin: str = Field(description="Whose log", examples=["index.example.org/log"])
    size: LogSize
    root: Hash
    published_at: Instant
    vkey: str = Field(description="The key that signs now; compare it with one from elsewhere")
    signatures: list[Signature]
    note: str = Field(description="The signed note, byte for byte")


class LogEntry(Answered):
    """An entry of the log."""

    index: Index
    leaf_hash: Hash
    entry: dict[str, Any] = Field(description="The entry; its canonical JSON is the leaf")


class InclusionProof(Answered):
    """That an entry is in the log of a size (RFC 6962, 2.1.1)."""

    index: Index
    size: LogSize
    leaf_hash: Hash
    root: Hash
    hashes: list[Hash] = Field(description="The leaf's sibling first")


class ConsistencyProof(Answered):
    """That the log of one size begins with that of another (RFC 6962, 2.1.2)."""

    first: LogSize
    second: LogSize
    first_root: Hash
    second_root: Hash
    hashes: list[Hash]
