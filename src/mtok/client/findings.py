"""What a verification found: findings with code and exact place, what was counted, and the level that was reached.

A finding is an answer, not an exception: whoever verifies a publication wants all of them, in the same order each
time. `CODES` is the whole list of codes, each with the level it keeps a publication from reaching.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mtok.notes import Checkpoint, PublicKey

LOG: Final = "log"
ARITHMETIC: Final = "arithmetic"
RULES: Final = "rules"
DECODING: Final = "decoding"
LEVELS: Final = (LOG, ARITHMETIC, RULES, DECODING)
"""In order, each above the one before. The last two are reached by whoever can run rules and decoders."""

FINDINGS_MAX: Final = 1000
"""Findings that are listed; further ones are counted."""

CODES: Final[Mapping[str, tuple[str, str]]] = {
    # the head
    "checkpoint_refused": (LOG, "the checkpoint is no note, or no known key signed it"),
    "checkpoint_origin": (LOG, "the checkpoint's origin is not the name of the key that signed it"),
    "checkpoint_older": (LOG, "an earlier verification saw a longer log: an old checkpoint is served again"),
    "log_forked": (LOG, "the log does not begin with the one an earlier verification saw"),
    "key_rotation_refused": (LOG, "a rotation of keys is not signed by both keys"),
    "signer_wrong": (LOG, "signed by a key that was not the log's at that size"),
    # the tree
    "log_root_differs": (LOG, "the entries do not give the root that was signed"),
    "tile_differs": (LOG, "a hash tile is not that of the entries"),
    "bundle_differs": (LOG, "a bundle of entries is torn, or not the one that was signed"),
    "head_differs": (LOG, "a file of log/heads names another root than the entries give"),
    "log_too_long": (LOG, "more entries than a verification takes on"),
    # files
    "file_missing": (LOG, "a file that the log implies is not there"),
    "file_refused": (LOG, "a file that cannot be read: too large, no file, outside the publication"),
    "file_unexpected": (LOG, "a file that nothing names"),
    "file_digest": (LOG, "a file has not the digest that was signed"),
    "not_canonical": (LOG, "bytes that are not the canonical JSON of what they say"),
    # entries
    "entry_malformed": (LOG, "an entry lacks a field, or one has not its form"),
    "entry_order": (LOG, "entries of a publication are out of order, or one stands twice"),
    "time_order": (LOG, "the time of a publication does not rise, or its entries do not agree on it"),
    "method_missing": (
        LOG,
        "something was published under a methodology, policy or digest that no entry announces",
    ),
    "method_changed": (LOG, "a methodology is announced again with other rules or parameters"),
    "vintage_order": (LOG, "vintages are not 0, 1, 2, … or do not supersede the one before"),
    "stage_order": (LOG, "a stage that may not follow the one before"),
    "asof_differs": (LOG, "the as-of table is not what the entries before it make"),
    # marks
    "mark_source": (LOG, "a mark rests on no value of its reference and methodology published before it"),
    "mark_not_final": (LOG, "a mark rests on a value that is not final"),
    "mark_level": (LOG, "a mark rests on a date that its fallback level does not allow"),
    "mark_value_differs": (LOG, "a mark has another value than the one it rests on"),
    "mark_one_person": (LOG, "one person alone stands behind a mark"),
    "mark_order": (LOG, "a mark that may not follow those printed of its date before"),
    # records and what they name
    "record_malformed": (
        LOG,
        "a record that is none: a field is missing, has no meaning or is written otherwise",
    ),
    "record_differs": (LOG, "a record does not say what its log entry says"),
    "edition_differs": (LOG, "records of one edition name other files, or files of another edition"),
    "prices_differ": (LOG, "the table of posted prices does not follow from the records"),
    "list_malformed": (LOG, "a list of captures is not in its form or order, or not of its day"),
    "inputs_differ": (LOG, "a record's captures are not those of the lists it names"),
    # proofs and sums
    "proof_refused": (LOG, "a proof file does not prove its entry"),
    "sums_refused": (LOG, "SHA256SUMS is no note of this key, or not in its form"),
    "sums_missing": (LOG, "SHA256SUMS does not list a file that the log implies"),
    "sums_differ": (LOG, "a file has not the digest that SHA256SUMS lists"),
    # arithmetic
    "parameters_refused": (ARITHMETIC, "parameters that cannot be calculated with"),
    "value_differs": (ARITHMETIC, "N, W or the value does not follow from the constituents (R-8.1)"),
    "constituents_differ": (ARITHMETIC, "shares, contributions, order or rungs of constituents do not hold"),
    "diagnostics_differ": (ARITHMETIC, "a diagnostic does not follow from the record (R-9)"),
    "quality_differs": (ARITHMETIC, "status or reasons do not follow from the diagnostics (R-10)"),
    "earlier_differs": (ARITHMETIC, "the earlier determinations named are not those in force (R-0)"),
    "averages_differ": (ARITHMETIC, "an average, or its number of days, does not follow (R-8.2)"),
    "index_differs": (ARITHMETIC, "the pure-price companion does not follow (R-8.3)"),
    "move_differs": (ARITHMETIC, "the move does not follow from the two records (R-11)"),
    "notes_differ": (ARITHMETIC, "jump, weak_link or no_link do not follow (R-8.3, R-10)"),
    # rules and decoding
    "rules_differ": (RULES, "the rules over the published observations give another record"),
    "views_differ": (RULES, "a file for readers is not what the published records give"),
    "decoding_differs": (DECODING, "the raw responses give other observations"),
}
"""Code → the level it keeps a publication from, and what it says."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it must be. where : path, entry, field · found : what was expected and what is there."""

    code: str
    where: str
    found: str
    remedy: str = ""

    @property
    def level(self) -> str:
        """The level it keeps a publication from reaching."""
        return CODES[self.code][0]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was verified and what was found.

    findings : in the order in which they were met, the same each time · more : how many are not listed
    counts : how many of each thing were checked · passed_over : unknown types and fields, and how often
    checkpoint, key : the head all of it hangs on and who signed it, None where none could be believed
    listed : the publication is a folder, so that files nothing names were looked for
    """

    findings: tuple[Finding, ...]
    more: int
    counts: Mapping[str, int]
    passed_over: Mapping[str, int]
    checkpoint: Checkpoint | None
    key: PublicKey | None
    listed: bool
    beyond: tuple[str, ...] = ()

    @property
    def reached(self) -> str | None:
        """The highest level without a finding in it or below, None where the log itself does not hold."""
        if self.checkpoint is None:
            return None
        levels = (LOG, ARITHMETIC, *self.beyond)
        broken = {finding.level for finding in self.findings}
        sound = [level for place, level in enumerate(levels) if not broken & set(levels[: place + 1])]
        return sound[-1] if sound and not self.more else None

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return self.checkpoint is not None and not self.findings

    def with_level(self, level: str, findings: Iterable[Finding], counts: Mapping[str, int]) -> Report:
        """Return the report with a further level that somebody else checked (`rules`, `decoding`)."""
        assert level in LEVELS[len(self.beyond) + 2 :], f"level {level} is known or already in"
        return replace(
            self,
            findings=(*self.findings, *findings),
            counts={**self.counts, **counts},
            beyond=(*self.beyond, level),
        )


@dataclass(kw_only=True)
class Findings:
    """Where the parts of a verification put what they find and count."""

    listed: list[Finding] = field(default_factory=list)
    more: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)

    def add(self, code: str, where: str, found: str, remedy: str = "") -> None:
        """Take a finding, in the order they come."""
        assert code in CODES, code
        if len(self.listed) < FINDINGS_MAX:
            self.listed.append(Finding(code=code, where=where, found=found, remedy=remedy))
        else:
            self.more += 1

    def count(self, what: str, number: int = 1) -> None:
        """Count something that was checked."""
        self.counts[what] += number

    def pass_over(self, what: str) -> None:
        """Note something unknown."""
        if what in self.passed_over or len(self.passed_over) < FINDINGS_MAX:
            self.passed_over[what] += 1
