"""A publication folder and parcels made from real determinations of the bundled sample, by docs/formats.md alone.

Deliberately plain and small: what it writes is what the standalone verifier must accept, and what tests then damage.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import mtok
from mtok.archive import RANKINGS_DAILY, Store
from mtok.calendar import parse_date, parse_instant
from mtok.canonical import canonical_bytes
from mtok.determination.assembly import Request
from mtok.determination.determine import determine
from mtok.determination.inputs import Evidence
from mtok.engine import EmbeddedEngine
from mtok.methodology import load
from mtok.observations import Observations
from mtok.progress import silent
from mtok.records import Determination, File, PublishedRecord

ORIGIN = "example.org/mtok"
SOURCE = Path(mtok.__file__).parent
POLICY = b'# A policy of the tests.\npolicy = "1"\n'
OBSERVATIONS = b"PAR1 stands for the observations of the day PAR1"

Files = dict[str, bytes]


def digest(raw: bytes) -> str:
    return sha256(raw).hexdigest()


# ---- the log


class Signer:
    """A key of the log."""

    def __init__(self, seed: int, name: str = ORIGIN) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self._key.public_key().public_bytes_raw()
        self.hint = sha256(name.encode() + b"\n\x01" + self.public).digest()[:4]
        self.vkey = f"{name}+{self.hint.hex()}+{base64.b64encode(bytes([1]) + self.public).decode()}"

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def line(self, text: bytes) -> bytes:
        return f"— {self.name} {base64.b64encode(self.hint + self.sign(text)).decode()}\n".encode()


def note(text: bytes, *signers: Signer) -> bytes:
    return text + b"\n" + b"".join(signer.line(text) for signer in signers)


def tree_hash(entries: Sequence[bytes]) -> bytes:
    """Return MTH of RFC 6962, 2.1."""
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    split = 1 << (len(entries) - 1).bit_length() - 1
    return sha256(b"\x01" + tree_hash(entries[:split]) + tree_hash(entries[split:])).digest()


def path_hashes(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """Return PATH of RFC 6962, 2.1.1."""
    if len(entries) == 1:
        return []
    split = 1 << (len(entries) - 1).bit_length() - 1
    if index < split:
        return [*path_hashes(index, entries[:split]), tree_hash(entries[split:])]
    return [*path_hashes(index - split, entries[split:]), tree_hash(entries[:split])]


def base64_line(raw: bytes) -> bytes:
    return base64.b64encode(raw) + b"\n"


def checkpoint(entries: Sequence[bytes], *signers: Signer, origin: str = ORIGIN) -> bytes:
    text = f"{origin}\n{len(entries)}\n".encode() + base64_line(tree_hash(entries))
    return note(text, *signers)


def proof(index: int, entries: Sequence[bytes], *signers: Signer, origin: str = ORIGIN) -> bytes:
    lines = b"".join(base64_line(one) for one in path_hashes(index, entries))
    head = checkpoint(entries, *signers, origin=origin)
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n".encode() + lines + b"\n" + head


def tiles(entries: Sequence[bytes]) -> Files:
    """Return tiles and bundles of a log of fewer than 65,536 entries."""
    bundles = [b"".join(len(one).to_bytes(2, "big") + one for one in part) for part in _parts(entries)]
    leaves = [sha256(b"\x00" + entry).digest() for entry in entries]
    full = [tree_hash(part) for part in _parts(entries) if len(part) == 256]
    found = _tiles("entries", bundles, len(entries))
    found |= _tiles("0", [b"".join(part) for part in _parts(leaves)], len(leaves))
    return found | (_tiles("1", [b"".join(full)], len(full)) if full else {})


def _parts(row: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [row[start : start + 256] for start in range(0, len(row), 256)]


def _tiles(level: str, contents: Iterable[bytes], count: int) -> Files:
    widths = {number: min(256, count - 256 * number) for number in range((count + 255) // 256)}
    suffix = {number: "" if width == 256 else f".p/{width}" for number, width in widths.items()}
    return {f"log/tile/{level}/{number:03}{suffix[number]}": raw for number, raw in enumerate(contents)}


# ---- a publication


@dataclass(frozen=True)
class Edition:
    """What one publication says: dates, all from one `as_of`."""

    time: str
    stage: str
    first: str
    last: str
    as_of: str
    reason: str | None = None


SAMPLE = (
    Edition("2026-06-20T03:00:00Z", "backfill", "2026-06-10", "2026-06-18", "2026-06-20T02:00:00Z"),
    Edition("2026-06-20T06:00:20Z", "prelim", "2026-06-19", "2026-06-19", "2026-06-20T06:00:00Z"),
    Edition("2026-06-20T14:00:20.5Z", "final", "2026-06-19", "2026-06-19", "2026-06-20T14:00:00Z"),
    Edition(
        "2026-06-20T18:30:00Z", "final", "2026-06-19", "2026-06-19", "2026-06-20T18:00:00Z", "parser_bug"
    ),
    Edition("2026-06-21T14:00:20Z", "final", "2026-06-20", "2026-06-20", "2026-06-21T14:00:00Z"),
    Edition(
        "2026-06-27T05:00:00Z",
        "informational",
        "2026-06-19",
        "2026-06-19",
        "2026-06-27T04:00:00Z",
        "source_restated",
    ),
    Edition("2026-06-27T14:00:20Z", "final", "2026-06-26", "2026-06-26", "2026-06-27T14:00:00Z"),
)
"""A backfill, a preliminary and two final vintages of a day, a day without volumes, a later finding, a gap, a day."""


@dataclass
class Publication:
    """A publication that grows by editions. `files` is what `publication/` holds, `entries` the log."""

    store: Store
    signer: Signer = field(default_factory=lambda: Signer(1))
    files: Files = field(default_factory=dict)
    entries: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.version = load("1.0")
        self.observations = Observations(self.store)
        self.force: dict[str, dict[str, PublishedRecord]] = {
            entry.series: {} for entry in self.version.series
        }
        self.counts: dict[tuple[str, str], int] = {}
        self.logged: list[dict[str, Any]] = []
        self.closed = 0
        folder = SOURCE / "methodology" / "v1"
        self.rulebook = (folder / "rulebook.md").read_bytes()
        self.files |= {
            f"methodology/1.0/rules/{one.name}": one.read_bytes() for one in (folder / "rules").iterdir()
        }
        self.files["methodology/1.0/parameters.toml"] = (folder / "parameters" / "1.0.toml").read_bytes()
        self.files |= {f"rulebooks/{digest(self.rulebook)}.md": self.rulebook, "rulebook.md": self.rulebook}
        self.files |= {f"policies/{digest(POLICY)}.toml": POLICY, "policy.toml": POLICY}
        self.files["vkey"] = f"{self.signer.vkey}\n".encode()

    def publish(self, edition: Edition) -> None:
        """Append an edition: its records, files, entries, proofs, tiles and sums."""
        records = self._determined(edition)
        if not self.entries:
            self._log(edition.time, "method", **self._method())
        for date in dict.fromkeys(record.date for record, _ in records):
            self._publish_date(edition, date, [one for one in records if one[0].date == date])
        self._finish(edition.time, self.signer)

    def rotate(self, time: str, new: Signer) -> None:
        """Replace the key: a publication of one notice, signed by both."""
        text = f"mtok key rotation\n{ORIGIN}\n{self.signer.vkey}\n{new.vkey}\n".encode()
        keys = {"old_key": self.signer.vkey, "new_key": new.vkey}
        signed = {
            f"{name}_signature": base64.b64encode(signer.sign(text)).decode()
            for name, signer in (("old", self.signer), ("new", new))
        }
        self._log(time, "notice", kind="key_rotation", text="The key is replaced.", **keys, **signed)
        signers, self.signer = (self.signer, new), new
        self.files["vkey"] = f"{new.vkey}\n".encode()
        self._finish(time, *signers)

    def _finish(self, time: str, *signers: Signer) -> None:
        table = "".join(
            sorted(
                " ".join(
                    [
                        *(one.series, one.methodology, one.date, str(one.vintage), one.stage, one.quality),
                        *(one.value or "-", one.sha256),
                    ]
                )
                + "\n"
                for force in self.force.values()
                for one in force.values()
            )
        ).encode()
        lines = str(table.count(b"\n"))
        self._log(time, "asof", known_at=time, vintages=lines, sha256=digest(table))
        self._close(*signers)

    def _determined(self, edition: Edition) -> list[tuple[Determination, Evidence]]:
        engine, as_of = EmbeddedEngine(), parse_instant(edition.as_of)
        evidence = Evidence(self.observations, engine, volume_source=RANKINGS_DAILY, as_of=as_of)
        request = Request(
            methodology=self.version,
            volume_source=RANKINGS_DAILY,
            first_day=parse_date(edition.first),
            last_day=parse_date(edition.last),
            as_of=as_of,
            complete=False,
        )
        before = {
            series: [one.determination for date, one in sorted(force.items()) if date < edition.first]
            for series, force in self.force.items()
        }
        found = determine(request, evidence, engine, silent, before)
        order = [entry.series for entry in self.version.series]
        return sorted(
            ((one, evidence) for one in found), key=lambda one: (one[0].date, order.index(one[0].series))
        )

    def _publish_date(
        self, edition: Edition, date: str, records: list[tuple[Determination, Evidence]]
    ) -> None:
        vintage = self.counts.get(("vintages", date), 0)
        self.counts["vintages", date] = vintage + 1
        plain = self.counts.get(("plain", date), 0)
        prelim = edition.stage == "prelim"
        self.counts["plain", date] = plain + (not prelim)
        name = f"{date}.prelim" if prelim else f"{date}.{vintage}" if plain else date
        for seen in (seen for record, _ in records for seen in record.inputs.seen):
            raw = records[0][1].capture_list(parse_date(seen.date))
            self.files[f"captures/{seen.date}/{digest(raw)}.json"] = raw
        rows = [row for record, _ in records for row in price_rows(json.loads(record.canonical))]
        table = {"date": date, "as_of": edition.as_of, "methodology": "1.0", "stage": edition.stage}
        rows.sort(key=lambda row: (row["series"], row["constituent"]))
        prices = canonical_bytes(table | {"prices": rows})
        self.files |= {f"prices/{name}.json": prices, f"observations/{name}.parquet": OBSERVATIONS}
        if not vintage:
            raw = canonical_bytes(
                [
                    {
                        "bytes": 9,
                        "captured_at": f"{date}T00:00:00Z",
                        "collector": "primary",
                        "http_status": 200,
                    }
                    | {"sha256": digest(b""), "source": "models"}
                ]
            )
            self.files[f"raw/{date}/{digest(raw)}.json"] = raw
            self._log(edition.time, "raw", date=date, captures="1", sha256=digest(raw))
        for record, _ in records:
            fields = {name: getattr(record, name) for name in Determination.__struct_fields__}
            published = PublishedRecord(
                **fields,
                stage=edition.stage,
                vintage=vintage,
                supersedes=vintage - 1 if vintage else None,
                reason=edition.reason,
                known_at=edition.time,
                determination_sha256=record.sha256,
                observations=File(path=f"observations/{name}.parquet", sha256=digest(OBSERVATIONS)),
                prices=File(path=f"prices/{name}.json", sha256=digest(prices)),
                policy_sha256=digest(POLICY),
            )
            self.files[f"records/{record.series}/{date}.{vintage}.json"] = published.canonical
            self._log_raw(entry_of(json.loads(published.canonical)))
            if edition.stage != "informational":
                self.force[record.series][date] = published
        self._log(
            edition.time,
            "prices",
            date=date,
            stage=edition.stage,
            constituents=str(len(rows)),
            path=f"prices/{name}.json",
            sha256=digest(prices),
        )

    def _method(self) -> dict[str, Any]:
        named = {"rulebook_sha256": digest(self.rulebook), "rules_sha256": self.version.rules_sha256}
        named |= {"parameters_sha256": self.version.parameters_sha256, "policy_sha256": digest(POLICY)}
        dates = {"effective_from": "2026-01-01", "announced_at": "2026-06-01T00:00:00Z"}
        return {"methodology": "1.0", "reason": "the first", **named, **dates}

    def _log(self, time: str, kind: str, /, **fields: Any) -> None:
        self._log_raw({"v": "1", "type": kind, "time": time, **fields})

    def _log_raw(self, entry: dict[str, Any]) -> None:
        self.entries.append(canonical_bytes(entry))
        self.logged.append(entry)

    def _close(self, *signers: Signer) -> None:
        size = len(self.entries)
        for index in range(self.closed, size):
            if name := proof_name(self.logged[index]):
                self.files[name] = proof(index, self.entries, *signers)
        self.closed = size
        self.files |= tiles(self.entries)
        self.files["log/checkpoint"] = checkpoint(self.entries, *signers)
        self.files[f"log/heads/{size}"] = head(self.entries)
        self.files["SHA256SUMS"] = sums(self.files, self.signer)

    def parcel(self, series: str, date: str, vintage: int) -> Files:
        """Return the files of a parcel."""
        raw = self.files[f"records/{series}/{date}.{vintage}.json"]
        record = json.loads(raw)
        index = next(
            index for index, entry in enumerate(self.logged) if entry.get("record_sha256") == digest(raw)
        )
        files = {path: found for path, found in self.files.items() if path.startswith("methodology/")}
        files |= {"record.json": raw, "entry.json": self.entries[index]}
        files["proof.tlog-proof"] = self.files[f"proofs/{series}/{date}.{vintage}.tlog-proof"]
        files["observations.parquet"] = self.files[record["observations"]["path"]]
        files["prices.json"] = self.files[record["prices"]["path"]]
        by_digest = {
            json.loads(found)["determination_sha256"]: found
            for path, found in self.files.items()
            if path.startswith(f"records/{series}/")
        }
        for earlier in record.get("earlier", []):
            files[f"earlier/{earlier['date']}.json"] = by_digest[earlier["sha256"]]
        for seen in record["inputs"]["seen"]:
            path = f"captures/{seen['date']}/{seen['sha256']}.json"
            files[path] = self.files[path]
        for name in ("rulebook.md", "policy.toml", "vkey"):
            files[name] = self.files[name]
        return files


def price_rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a record's rows of the table of posted prices."""
    captures = {one["id"]: one["sha256"] for one in record["inputs"]["captures"]}
    names = "age_days constituent price_seconds price_usd_per_mtok rung tokens".split()
    return [
        {name: row[name] for name in names if name in row}
        | {"captures": str(len(row["captures"])), "sha256": captures[row["captures"][-1]]}
        | {"series": record["series"]}
        for row in [*record["constituents"], *record.get("absent", [])]
    ]


def entry_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return the log's entry of a published record."""
    names = "series methodology date vintage stage unit quality supersedes reason".split()
    names += ["rules_sha256", "parameters_sha256"]
    printed = "value" in record
    entry = {name: record[name] for name in [*names, "value" if printed else "reasons"] if name in record}
    entry |= {"v": "1", "type": "point" if printed else "nodata", "time": record["known_at"]}
    return entry | {"record_sha256": digest(canonical_bytes(record))}


def proof_name(entry: dict[str, Any]) -> str:
    """Return where the proof of an entry stands, if it has one."""
    name = ""
    if entry["type"] == "prices":
        name = entry["path"].removesuffix(".json")
    elif "record_sha256" in entry:
        name = f"{entry['series']}/{entry['date']}.{entry['vintage']}"
    elif entry["type"] == "mark":
        folder = entry["reference"].replace(":", "/")
        name = f"marks/{folder}/{entry['date']}.{entry['mark_version']}.{entry['state']}"
    return name and f"proofs/{name}.tlog-proof"


def head(entries: Sequence[bytes]) -> bytes:
    """Return the file in log/heads/ of a log of these entries."""
    return f"{len(entries)} ".encode() + base64_line(tree_hash(entries))


def sealed(files: Files, entries: Sequence[bytes], signer: Signer, origin: str = ORIGIN) -> Files:
    """Return a publication with another log, everything about it properly made and signed again."""
    files = {path: raw for path, raw in files.items() if not path.startswith(("log/", "proofs/"))}
    logged = [json.loads(entry) for entry in entries]
    start = 0
    for end in (index + 1 for index, entry in enumerate(logged) if entry["type"] == "asof"):
        log = entries[:end]
        names = {index: proof_name(logged[index]) for index in range(start, end)}
        files |= {name: proof(index, log, signer, origin=origin) for index, name in names.items() if name}
        files |= tiles(log) | {f"log/heads/{end}": head(log)}
        files["log/checkpoint"] = checkpoint(log, signer, origin=origin)
        start = end
    return files | {"SHA256SUMS": sums(files, signer)}


def sums(files: Files, signer: Signer) -> bytes:
    """Return SHA256SUMS."""
    listed = sorted(
        path for path in files if not path.startswith(("log/", "proofs/")) and path != "SHA256SUMS"
    )
    return note("".join(f"{digest(files[path])}  {path}\n" for path in listed).encode(), signer)


def resigned(files: Files, record: dict[str, Any], signer: Signer) -> Files:
    """Return a parcel with another record in it: all digests of it right, its entry in a log that `signer` signed."""
    added = set(PublishedRecord.__struct_fields__) - set(Determination.__struct_fields__)
    alone = {name: value for name, value in record.items() if name not in added}
    record = record | {"determination_sha256": digest(canonical_bytes(alone))}
    entry = canonical_bytes(entry_of(record))
    log = [b"one", b"two", entry, b"three", b"four"]
    changed = {
        "record.json": canonical_bytes(record),
        "entry.json": entry,
        "proof.tlog-proof": proof(2, log, signer),
    }
    return files | changed


def write(files: Files, folder: Path) -> Path:
    """Write files below a folder."""
    for path, raw in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(raw)
    return folder


def sample_publication(store: Store, editions: Iterable[Edition] = SAMPLE) -> Publication:
    """Return the publication of a store that collected the bundled sample."""
    with store.writing():
        Observations(store).refresh(silent)
    publication = Publication(store)
    for edition in editions:
        publication.publish(edition)
    return publication
