"""A publication made from real determinations, by the letter of docs/formats.md and by nothing else.

It shares the tree and the notes with the program (they have tests of their own) and not a line of what publishes or
verifies. What it is given may be changed before it is published, so that a test can have a publisher that lies: all
digests, the log and every signature are then right, and only the content is not.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

import mtok
from mtok.archive import RANKINGS_DAILY, Store
from mtok.calendar import DAY, SECOND, format_date, format_instant, parse_date, parse_instant
from mtok.determination.assembly import Request
from mtok.determination.determine import determine
from mtok.determination.inputs import Evidence
from mtok.engine import EmbeddedEngine
from mtok.methodology import load
from mtok.notes import Checkpoint, PrivateKey, sign_note
from mtok.observations import Observations
from mtok.progress import silent
from mtok.proofs import (
    Proof,
    Tree,
    bundle_path,
    bundles_of,
    encode_bundle,
    encode_proof,
    leaf_hash,
    tile_bytes,
    tile_path,
    tiles_of,
)
from mtok.records import Determination

SERIES = ["openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot"]
ORIGIN = "index.example/log"
KEY = PrivateKey(name=ORIGIN, seed=bytes(range(32)))

Json = dict[str, Any]


def canonical(content: Any) -> bytes:
    """Return the bytes that the conventions of docs/formats.md ask for."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(raw: bytes) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(raw).hexdigest()


def in_text(content: Any) -> Any:
    """Return content with every number as text and without what is absent."""
    if isinstance(content, dict):
        return {name: in_text(value) for name, value in content.items() if value is not None}
    if isinstance(content, list | tuple):
        return [in_text(value) for value in content]
    return str(content) if type(content) is int else content


def content_of(record: Determination) -> Json:
    """Return the content of a determination record."""
    found: Json = in_text(msgspec.to_builtins(record))
    return found


@dataclass(frozen=True, kw_only=True)
class Edition:
    """What one publication says of one date. records : by series, as content · lists : bytes by path · raw : bytes."""

    date: str
    stage: str
    as_of: str
    records: dict[str, Json]
    lists: dict[str, bytes]
    raw: bytes
    reason: str | None = None
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Release:
    """One publication. rotate : the key that replaces the one before."""

    time: str
    editions: Sequence[Edition]
    notices: Sequence[Json] = ()
    rotate: PrivateKey | None = None


# ---- determinations


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Dates determined together at one `as_of`, and what becomes of them."""

    first: str
    last: str
    stage: str
    as_of: str
    reason: str | None = None
    failing: tuple[str, ...] = ()


class Determiner:
    """Determines editions one after the other, each linked to what was published before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._observations = Observations(store)
        self._register = store.register.read()
        self._methodology = load("1.0")
        self._published: dict[str, dict[str, list[Determination]]] = {series: {} for series in SERIES}

    def editions(self, plan: Plan) -> list[Edition]:
        """Return the editions of a plan, a date each."""
        first, last, as_of = parse_date(plan.first), parse_date(plan.last), parse_instant(plan.as_of)
        engine = EmbeddedEngine()
        evidence = Evidence(
            self._observations, engine, volume_source=RANKINGS_DAILY, as_of=as_of, first_day=first - 14
        )
        request = Request(
            methodology=self._methodology,
            volume_source=RANKINGS_DAILY,
            first_day=first,
            last_day=last,
            as_of=as_of,
            complete=False,
        )
        before = {series: self._in_force(series, plan) for series in SERIES}
        by_date: dict[str, dict[str, Determination]] = {}
        for record in determine(request, evidence, engine, silent, before):
            if record.series not in plan.failing:
                by_date.setdefault(record.date, {})[record.series] = record
                if plan.stage != "informational":
                    self._published[record.series].setdefault(record.date, []).append(record)
        return [self._edition(date, found, plan, evidence) for date, found in by_date.items()]

    def _in_force(self, series: str, plan: Plan) -> list[Determination]:
        dates = sorted(date for date in self._published[series] if date < plan.first)
        return [self._published[series][date][-1] for date in dates]

    def _edition(self, date: str, found: dict[str, Determination], plan: Plan, evidence: Evidence) -> Edition:
        day = parse_date(date)
        lists = {}
        for one in range(day - 14, day + 2):
            raw = evidence.capture_list(one)
            lists[f"captures/{format_date(one)}/{digest(raw)}.json"] = raw
        return Edition(
            date=date,
            stage=plan.stage,
            as_of=plan.as_of,
            records={series: content_of(record) for series, record in found.items()},
            lists=lists,
            raw=self._raw(day, parse_instant(plan.as_of)),
            reason=plan.reason,
            failures=dict.fromkeys(plan.failing, "overflow"),
        )

    def _raw(self, day: int, as_of: int) -> bytes:
        rows = []
        for capture in self._register:
            if capture.instant // DAY == day and capture.instant <= as_of:
                rows.append(
                    {
                        "bytes": str(capture.bytes),
                        "captured_at": capture.captured_at,
                        "collector": capture.collector,
                        "http_status": None if capture.http_status is None else str(capture.http_status),
                        "failure": capture.failure,
                        "sha256": capture.sha256,
                        "source": " ".join(filter(None, [capture.kind, capture.subject])),
                    }
                )
        return canonical(in_text(rows))


def releases(store: Store, plans: Iterable[Plan], *, together: bool = False) -> list[Release]:
    """Return a release for each date of the plans, a minute apart; `together`: one for each plan."""
    determiner = Determiner(store)
    found: list[Release] = []
    time = 0
    for plan in plans:
        editions = determiner.editions(plan)
        for group in [editions] if together else [[edition] for edition in editions]:
            time = max(time, parse_instant(plan.as_of)) + 60 * SECOND
            found.append(Release(time=format_instant(time), editions=group))
    return found


def _daily(first: str, last: str) -> list[Plan]:
    """Return a prelim and a final for each date; every fourth prelim comes before the volumes do."""
    plans = []
    for day in range(parse_date(first), parse_date(last) + 1):
        date, next_date = format_date(day), format_date(day + 1)
        hour = "06" if day % 4 == 0 else "09"
        plans += [
            Plan(first=date, last=date, stage="prelim", as_of=f"{next_date}T{hour}:00:00Z"),
            Plan(first=date, last=date, stage="final", as_of=f"{next_date}T14:00:00Z"),
        ]
    return plans


FORTY = [
    Plan(first="2026-05-26", last="2026-06-17", stage="backfill", as_of="2026-06-19T09:00:00Z"),
    Plan(first="2026-06-18", last="2026-06-18", stage="final", as_of="2026-06-19T14:00:00Z"),
    *_daily("2026-06-19", "2026-06-26"),
]
"""23 days of backfill, then nine dates as they came: forty publications when each date has its own."""

NINE = [
    Plan(first="2026-06-14", last="2026-06-17", stage="backfill", as_of="2026-06-19T09:00:00Z"),
    Plan(first="2026-06-18", last="2026-06-18", stage="final", as_of="2026-06-19T14:00:00Z"),
    Plan(first="2026-06-19", last="2026-06-19", stage="prelim", as_of="2026-06-20T06:00:00Z"),
    Plan(first="2026-06-19", last="2026-06-19", stage="final", as_of="2026-06-20T14:00:00Z"),
    Plan(
        first="2026-06-20",
        last="2026-06-20",
        stage="prelim",
        as_of="2026-06-21T09:00:00Z",
        failing=("moonshot",),
    ),
    Plan(first="2026-06-20", last="2026-06-20", stage="final", as_of="2026-06-21T14:00:00Z"),
    Plan(
        first="2026-06-20",
        last="2026-06-20",
        stage="final",
        as_of="2026-06-21T18:00:00Z",
        reason="parser_bug",
    ),
    Plan(
        first="2026-06-18",
        last="2026-06-18",
        stage="informational",
        as_of="2026-06-21T18:30:00Z",
        reason="source_restated",
    ),
    Plan(first="2026-06-21", last="2026-06-21", stage="final", as_of="2026-06-22T14:00:00Z"),
]
"""Everything that can become of a date, in nine publications when each plan is one."""


# ---- publishing

Change = Callable[[Json], Json]


def unchanged(content: Json) -> Json:
    """Tell the truth."""
    return content


@dataclass(kw_only=True)
class Publisher:
    """Writes a publication into a folder, release by release.

    determination : changes a determination before it is published · record : a published record after all its fields
    are set · entry : an entry of the log before it is logged · table : a table of prices
    """

    folder: Path
    key: PrivateKey = KEY
    origin: str = ORIGIN
    determination: Change = unchanged
    record: Change = unchanged
    entry: Change = unchanged
    table: Change = unchanged
    entries: list[bytes] = field(default_factory=list)
    tree: Tree = field(default_factory=Tree)
    _vintages: dict[tuple[str, str], int] = field(default_factory=dict)
    _plain: set[str] = field(default_factory=set)
    _raw: set[str] = field(default_factory=set)

    def publish(self, release: Release) -> None:
        """Publish one release: files, entries, tiles, head, checkpoint, proofs, sums."""
        entries: list[Json] = [] if self.entries else [self._method(release.time)]
        proofs: dict[str, int] = {}

        def log(path: str | None, content: Json) -> None:
            if path is not None:
                proofs[path] = len(self.entries) + len(entries)
            entries.append(content)

        for edition in release.editions:
            self._edition(edition, release.time, log)
        signers = [self.key]
        for notice in release.notices:
            log(None, {"v": "1", "type": "notice", "time": release.time, **notice})
        if release.rotate is not None:
            log(None, self._rotation(release.rotate, release.time))
            signers.append(release.rotate)
        raws = [canonical(in_text(self.entry(entry))) for entry in entries]
        lines = as_of_table([*self.entries, *raws])
        raws.append(
            canonical(
                self.entry(
                    {
                        "v": "1",
                        "type": "asof",
                        "time": release.time,
                        "known_at": release.time,
                        "vintages": str(len(lines)),
                        "sha256": digest("".join(lines).encode()),
                    }
                )
            )
        )
        self.entries += raws
        self.tree.extend(map(leaf_hash, raws))
        self._log(signers)
        for path, index in proofs.items():
            proof = Proof(
                index=index,
                hashes=tuple(self.tree.inclusion(index)),
                checkpoint=(self.folder / "log/checkpoint").read_bytes(),
            )
            self.write(path, encode_proof(proof))
        if release.rotate is not None:
            self.key = release.rotate
        self._current(signers)

    def write(self, path: str, raw: bytes) -> str:
        """Write a file and return its digest."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(raw)
        return digest(raw)

    def _method(self, time: str) -> Json:
        folder = Path(mtok.__file__).parent / "methodology" / "v1"
        rules = {}
        for file in sorted((folder / "rules").glob("*.sql")):
            rules[file.name] = self.write(f"methodology/1.0/rules/{file.name}", file.read_bytes())
        rulebook = (folder / "rulebook.md").read_bytes()
        policy = b"# when which stage is printed\n"
        self.write("rulebook.md", rulebook)
        self.write("policy.toml", policy)
        return {
            "v": "1",
            "type": "method",
            "time": time,
            "methodology": "1.0",
            "rulebook_sha256": self.write(f"rulebooks/{digest(rulebook)}.md", rulebook),
            "policy_sha256": self.write(f"policies/{digest(policy)}.toml", policy),
            "rules_sha256": digest(canonical(rules)),
            "parameters_sha256": self.write(
                "methodology/1.0/parameters.toml", (folder / "parameters" / "1.0.toml").read_bytes()
            ),
            "effective_from": "1970-01-01",
            "announced_at": "2026-06-01T00:00:00Z",
            "reason": "the first version",
        }

    def _edition(self, edition: Edition, time: str, log: Callable[[str | None, Json], None]) -> None:
        date, stage = edition.date, edition.stage
        common = {"v": "1", "time": time, "date": date}
        if date not in self._raw:
            self._raw.add(date)
            sha256 = digest(edition.raw)
            self.write(f"raw/{date}/{sha256}.json", edition.raw)
            log(
                None,
                {**common, "type": "raw", "captures": str(len(json.loads(edition.raw))), "sha256": sha256},
            )
        for path, raw in edition.lists.items():
            if raw != b"[]":
                self.write(path, raw)
        determinations = {
            series: self.determination(json.loads(canonical(record)))
            for series, record in edition.records.items()
        }
        vintages = {series: self._vintages.get((series, date), -1) + 1 for series in determinations}
        suffix = ""
        if stage == "prelim":
            suffix = ".prelim"
        elif date in self._plain:
            suffix = f".{max(vintages.values())}"
        else:
            self._plain.add(date)
        methodology = next(iter(determinations.values()))["methodology"]
        table = {
            "date": date,
            "as_of": edition.as_of,
            "methodology": methodology,
            "stage": stage,
            "prices": posted_prices(determinations.values()),
        }
        table = self.table(table)
        prices = {"path": f"prices/{date}{suffix}.json", "sha256": digest(canonical(table))}
        self.write(prices["path"], canonical(table))
        path = f"observations/{date}{suffix}.parquet"
        observations = {"path": path, "sha256": self.write(path, f"PAR1 {path} {edition.as_of}".encode())}
        policy = digest((self.folder / "policy.toml").read_bytes())
        for series in SERIES:
            if series not in determinations:
                log(
                    None,
                    {
                        **common,
                        "type": "nodata",
                        "series": series,
                        "methodology": methodology,
                        "stage": stage,
                        "failure": edition.failures[series],
                    },
                )
                continue
            vintage = vintages[series]
            self._vintages[series, date] = vintage
            record = {
                **determinations[series],
                "stage": stage,
                "vintage": str(vintage),
                "known_at": time,
                "determination_sha256": digest(canonical(determinations[series])),
                "observations": dict(observations),
                "prices": dict(prices),
                "policy_sha256": policy,
            }
            if vintage:
                record["supersedes"] = str(vintage - 1)
            if edition.reason:
                record["reason"] = edition.reason
            record = self.record(record)
            name = f"{series}/{date}.{vintage}"
            sha256 = self.write(f"records/{name}.json", canonical(record))
            log(f"proofs/{name}.tlog-proof", entry_of(record, sha256))
        log(
            f"proofs/{prices['path'].removesuffix('.json')}.tlog-proof",
            {
                **common,
                "type": "prices",
                "stage": stage,
                "constituents": str(len(table["prices"])),
                **prices,
            },
        )

    def _rotation(self, new: PrivateKey, time: str) -> Json:
        old_key, new_key = str(self.key.public), str(new.public)
        message = f"mtok key rotation\n{self.origin}\n{old_key}\n{new_key}\n".encode()
        return {
            "v": "1",
            "type": "notice",
            "time": time,
            "kind": "key_rotation",
            "text": "The key is replaced.",
            "old_key": old_key,
            "new_key": new_key,
            "old_signature": base64.b64encode(self.key.sign(message)).decode(),
            "new_signature": base64.b64encode(new.sign(message)).decode(),
        }

    def _log(self, signers: list[PrivateKey]) -> None:
        size, root = self.tree.size, self.tree.root()
        for level, index, width in tiles_of(size):
            self.write(f"log/{tile_path(level, index, width)}", tile_bytes(self.tree, level, index, width))
        for index, width in bundles_of(size):
            raws = self.entries[index * 256 : index * 256 + width]
            self.write(f"log/{bundle_path(index, width)}", encode_bundle(raws))
        self.write(f"log/heads/{size}", f"{size} {base64.b64encode(root).decode()}\n".encode())
        head = Checkpoint(origin=self.origin, size=size, root=root)
        self.write("log/checkpoint", sign_note(head.text, *signers))

    def _current(self, signers: list[PrivateKey]) -> None:
        self.write("vkey", f"{self.key.public}\n".encode())
        self.write("README.txt", b"What this is.\n")
        self.write("latest.json", canonical({"log_size": str(self.tree.size)}))
        self.sum_up(signers)

    def sum_up(self, signers: Sequence[PrivateKey] = ()) -> None:
        """Write SHA256SUMS of what is there."""
        lines = []
        for file in self.folder.rglob("*"):
            path = file.relative_to(self.folder).as_posix()
            if file.is_file() and path != "SHA256SUMS" and not path.startswith(("log/", "proofs/")):
                lines.append((path, digest(file.read_bytes())))
        text = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(lines))
        self.write("SHA256SUMS", sign_note(text, *(signers or [self.key])))


def entry_of(record: Json, sha256: str) -> Json:
    """Return the log entry of a published record."""
    names = "series methodology date vintage stage unit quality rules_sha256 parameters_sha256".split()
    names += [name for name in ("supersedes", "reason") if name in record]
    entry = {name: record[name] for name in names}
    entry |= {"v": "1", "time": record["known_at"], "record_sha256": sha256}
    if "value" in record:
        return {**entry, "type": "point", "value": record["value"]}
    return {**entry, "type": "nodata", "reasons": record["reasons"]}


def posted_prices(records: Iterable[Json]) -> list[Json]:
    """Return the rows of the table of posted prices of the records of an edition."""
    rows = []
    for record in records:
        sha256 = {capture["id"]: capture["sha256"] for capture in record["inputs"]["captures"]}
        for row in [*record.get("constituents", []), *record.get("absent", [])]:
            same = "constituent price_seconds price_usd_per_mtok rung age_days tokens".split()
            found = {name: row[name] for name in same if name in row}
            found |= {"series": record["series"], "captures": str(len(row["captures"]))}
            rows.append(found | {"sha256": sha256[row["captures"][-1]]})
    return sorted(rows, key=lambda row: (row["series"], row["constituent"]))


def as_of_table(entries: Iterable[bytes]) -> list[str]:
    """Return the lines of the as-of table that entries make."""
    lines = {}
    for raw in entries:
        entry = json.loads(raw)
        if "record_sha256" in entry and entry["stage"] != "informational":
            key = " ".join(entry[name] for name in ("series", "methodology", "date"))
            rest = [entry[name] for name in ("vintage", "stage", "quality")]
            lines[key] = " ".join([key, *rest, entry.get("value", "-"), entry["record_sha256"]]) + "\n"
    return sorted(lines.values(), key=str.encode)
