"""Determination records: what one value says, and everything it rests on (R-0 … R-11).

Frozen, keyword-only. In memory numbers are `int` and rounded quotients are decimal text; in canonical JSON all
numbers are strings and absent fields are left out. `docs/records.md` describes every field.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import msgspec

from mtok.canonical import canonical_bytes, sha256_hex

FORMAT: Final = "mtok-records-2"
"""Which fields records have; a run goes on only from records of the same format."""


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class InputCapture(_Record, frozen=True, kw_only=True):
    """A capture the record refers to. `id` : `c<n>`, the n-th of all captures seen in the window, in order of time."""

    id: str
    captured_at: str
    collector: str
    rank: int
    sha256: str


class SeenDay(_Record, frozen=True, kw_only=True):
    """The ranked price captures of a UTC day that were seen: how many, and the digest of their list (R-0)."""

    date: str
    captures: int
    sha256: str


class RankingsCapture(_Record, frozen=True, kw_only=True):
    """The capture the volumes come from (R-2). `as_of` is its `meta.as_of`, else when it was captured."""

    as_of: str
    sha256: str


class RejectedRankings(_Record, frozen=True, kw_only=True):
    """A younger capture whose rows of the day were rejected (R-2), and why."""

    as_of: str
    sha256: str
    reason: str


class EndpointsCapture(_Record, frozen=True, kw_only=True):
    """The capture a constituent's own price in `first_party_gap` comes from."""

    constituent: str
    captured_at: str
    sha256: str


class Inputs(_Record, frozen=True, kw_only=True):
    """All a recomputation reads (R-0): `captures` those the record refers to, `seen` all of the window, by digest."""

    captures: tuple[InputCapture, ...]
    seen: tuple[SeenDay, ...]
    rankings: RankingsCapture | None = None
    rejected_rankings: tuple[RejectedRankings, ...] = ()
    endpoints: tuple[EndpointsCapture, ...] = ()


class Constituent(_Record, frozen=True, kw_only=True):
    """A priced constituent: its tokens, weight share, price of the day, rung and captures.

    price_seconds : Σ price × seconds, in 10⁻¹⁸ USD per token × s
    price_usd_per_mtok, contribution_usd_per_mtok : 6 decimals; contributions add up to the value but for rounding
    age_days : 0 of the day itself, n carried from n days before, -1 from the next day (launch)
    """

    constituent: str
    tokens: int
    weight_share: str
    price_seconds: int
    price_usd_per_mtok: str
    contribution_usd_per_mtok: str
    rung: str
    age_days: int
    captures: tuple[str, ...]


class LeftOut(_Record, frozen=True, kw_only=True):
    """A row of the series that is in neither value nor weight. reason : ineligible, unpaid, missing."""

    constituent: str
    tokens: int
    reason: str
    captures: tuple[str, ...] = ()


class Conflict(_Record, frozen=True, kw_only=True):
    """Two collectors' prices of the day that differ (R-7). grade : major, minor."""

    constituent: str
    grade: str
    price_seconds: int
    other_collector: str
    other_price_seconds: int


class Discarded(_Record, frozen=True, kw_only=True):
    """A capture of the day that does not count for a constituent's price, and why (R-5)."""

    constituent: str
    capture: str
    reason: str


class Absent(_Record, frozen=True, kw_only=True):
    """A constituent that could have been traded and has no row (R-9)."""

    constituent: str
    price_seconds: int
    price_usd_per_mtok: str
    rung: str
    age_days: int
    captures: tuple[str, ...]


class Diagnostics(_Record, frozen=True, kw_only=True):
    """The fields of R-9; shares, ratios and bounds have 6 decimals, absent where a denominator is zero.

    first_party_gap : beyond R-9, of the constituents whose company has an endpoint of its own
    """

    token_weight: int
    constituents: int
    weight_basis: str
    observed_tokens: int
    direct_tokens: int
    fallback_tokens: int
    imputed_tokens: int
    missing_tokens: int
    unpaid_tokens: int
    ineligible_tokens: int
    price_coverage: str | None = None
    missing_price_share: str | None = None
    imputed_token_share: str | None = None
    fallback_share: str | None = None
    conflict_share: str | None = None
    unpaid_share: str | None = None
    ineligible_share: str | None = None
    top_constituent_share: str | None = None
    hhi: str | None = None
    effective_constituents: str | None = None
    market_tail_share: str | None = None
    market_tail_tokens: int | None = None
    market_tokens: int | None = None
    named_rows: int | None = None
    smallest_named_tokens: int | None = None
    absent_constituents: int | None = None
    truncation_exposure: str | None = None
    unseen_ratio: str | None = None
    truncation_low: str | None = None
    truncation_high: str | None = None
    first_party_gap: str | None = None


class Basis(_Record, frozen=True, kw_only=True):
    """What the same tokens say on the weight basis the record does not have; beyond R-9, of sources that tell both.

    other_value : USD per million, 6 decimals, not judged by R-10; beside a value alone
    completion_basis_gap : (U_completion − U_total) ÷ U_total, 6 decimals
    """

    other_basis: str
    completion_basis_gap: str
    other_value: str | None = None


class Effect(_Record, frozen=True, kw_only=True):
    """The effects of one constituent on the move, USD per million, 12 decimals; `cause` of an entry or exit."""

    constituent: str
    price: str | None = None
    mix: str | None = None
    entry: str | None = None
    exit: str | None = None
    replacement: str | None = None
    cause: str | None = None


class Factors(_Record, frozen=True, kw_only=True):
    """The percentage form: U1/U0 is their product; 12 decimals each."""

    price: str
    mix: str
    entry: str
    exit: str


class Move(_Record, frozen=True, kw_only=True):
    """The move since the previous printed determination (R-11), USD per million, 12 decimals.

    Either price, mix, entry and exit with `factors`, or `replacement` alone where nothing continues.
    """

    from_date: str
    from_value: str
    from_sha256: str
    change: str
    price: str | None = None
    mix: str | None = None
    entry: str | None = None
    exit: str | None = None
    replacement: str | None = None
    factors: Factors | None = None
    entry_by_cause: dict[str, str] = {}
    exit_by_cause: dict[str, str] = {}
    constituents: tuple[Effect, ...] = ()


class Earlier(_Record, frozen=True, kw_only=True):
    """An earlier determination this one rests on (R-8.2, R-8.3, R-11)."""

    date: str
    sha256: str


class Determination(_Record, frozen=True, kw_only=True, dict=True):
    """One value of one series on one UTC day, or the reasons why there is none."""

    series: str
    date: str
    methodology: str
    unit: str
    volume_source: str
    quality: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    rules_sha256: str
    parameters_sha256: str
    inputs: Inputs
    diagnostics: Diagnostics
    basis: Basis | None = None
    constituents: tuple[Constituent, ...]
    w: int
    n: int | None = None
    value: str | None = None
    as_of: str | None = None
    origin: str | None = None
    backcast: bool = False
    average_7d: str | None = None
    average_7d_days: int | None = None
    average_30d: str | None = None
    average_30d_days: int | None = None
    price_index: str | None = None
    price_index_exact: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    discarded: tuple[Discarded, ...] = ()
    absent: tuple[Absent, ...] = ()
    without_volume: tuple[str, ...] = ()
    move: Move | None = None
    earlier: tuple[Earlier, ...] = ()

    @cached_property
    def canonical(self) -> bytes:
        """The record's canonical JSON; its sha256 is the digest other records name."""
        return canonical_bytes(msgspec.to_builtins(self))

    @cached_property
    def sha256(self) -> str:
        """The digest of the record."""
        return sha256_hex(self.canonical)


class File(_Record, frozen=True, kw_only=True):
    """A published file: where it is under `publication/`, and its digest."""

    path: str
    sha256: str


class PublishedRecord(Determination, frozen=True, kw_only=True, dict=True):
    """A determination as it was published: one vintage of (series, methodology, date), `docs/formats.md`.

    stage : prelim, final, informational or backfill · vintage : 0, 1, 2, … · supersedes : the one before
    known_at : instant of the publication · reason : code of why this vintage stands beside the one before or is late
    determination_sha256 : digest of the determination alone, as later records name it
    observations, prices : the files of the day that were published with it
    """

    stage: str
    vintage: int
    known_at: str
    determination_sha256: str
    observations: File
    prices: File
    policy_sha256: str
    supersedes: int | None = None
    reason: str | None = None

    @cached_property
    def determination(self) -> Determination:
        """The determination that was published, without what publication added."""
        fields = {name: getattr(self, name) for name in Determination.__struct_fields__}
        return Determination(**fields)


_DECODER = msgspec.json.Decoder(Determination, strict=False)
_PUBLISHED_DECODER = msgspec.json.Decoder(PublishedRecord, strict=False)


def decode_determination(raw: bytes) -> Determination:
    """Return the record in canonical JSON. Raises msgspec.MsgspecError for anything else."""
    return _DECODER.decode(raw)


def decode_published(raw: bytes) -> PublishedRecord:
    """Return the published record in canonical JSON. Raises msgspec.MsgspecError for anything else."""
    return _PUBLISHED_DECODER.decode(raw)


def read_line(line: bytes) -> Determination:
    """Return the record of a line that was written as its canonical JSON, which is not computed again then."""
    record = decode_determination(line)
    record.__dict__["canonical"] = line
    return record


_POINT: Final = (
    *("date", "series", "value", "unit", "methodology", "quality", "reasons", "notes", "as_of", "origin"),
    *("average_7d", "average_7d_days", "average_30d", "average_30d_days", "price_index"),
)
_PUBLISHED_POINT: Final = ("stage", "vintage", "published_at", "reason", "record_sha256")


BASIS_GAP: Final = "completion_basis_gap"
"""The field of a point that only series with a `basis` have: what is published has none."""


def point(record: Determination, *, basis: bool = False) -> dict[str, Any]:
    """Return the record as a point: one flat object, the same from command line, API and files.

    Absent fields are None, decimals are text, counts are integers. A published record says too which vintage it is.

    basis : with `completion_basis_gap`
    """
    found = {name: getattr(record, name) for name in _POINT}
    if isinstance(record, PublishedRecord):
        found |= {
            "stage": record.stage,
            "vintage": record.vintage,
            "published_at": record.known_at,
            "reason": record.reason,
            "record_sha256": record.sha256,
        }
    gap = {BASIS_GAP: record.basis and record.basis.completion_basis_gap} if basis else {}
    return found | msgspec.structs.asdict(record.diagnostics) | gap


def point_fields(kind: type[Determination], *, basis: bool = False) -> tuple[str, ...]:
    """Return the fields of the points of Determination or PublishedRecord, in their order."""
    published = _PUBLISHED_POINT if issubclass(kind, PublishedRecord) else ()
    return (*_POINT, *published, *Diagnostics.__struct_fields__, *([BASIS_GAP] if basis else []))
