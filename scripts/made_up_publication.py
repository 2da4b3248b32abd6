"""Make a store that has published for long, for benchmarks: real determinations of a few days, moved through time.

usage: made_up_publication.py STORE DAYS --template TEMPLATE_STORE [--whole]

The last seven days of a made-up store (`made_up_store.py TEMPLATE_STORE 23`: 40 constituents, 48 captures of prices a
day) are determined once. Each fixing date of the publication is one of them with every date and instant shifted and
every capture's sha256 replaced, linked to the dates before it by the program's own chain. With `--whole` so are the
published observations, and each record follows from them; without it they are those of the seven days as they are.

Each date is published by itself, as final, in order of time: the first and the last by the press that publishes
really, those between by the same entries, tree and files written straight into the folder. Beside STORE a date more is
left ready to be published, `STORE.next`.
"""

from __future__ import annotations

import argparse
import base64
import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path

import msgspec

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, RANKINGS_DAILY, Store
from mtok.calendar import DAY, day_of, format_date, format_instant, parse_date, parse_instant
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.determination.assembly import Request
from mtok.determination.chain import Chain
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
from mtok.publication.editions import Determined, Edition, make_edition
from mtok.publication.entries import Entries, read_entries
from mtok.publication.facts import Fact, Facts, in_order, order
from mtok.publication.facts_evidence import facts_of
from mtok.publication.keys import keyring_of
from mtok.publication.policy import Due, Stage, load_policy
from mtok.publication.press import Press, nowhere
from mtok.publication.published import FOLDER, Published
from mtok.publication.sealing import SUMS
from mtok.publication.vintages import Vintages
from mtok.records import Determination, SeenDay

FIRST_DAY = parse_date("2027-01-01")
ORIGIN = "index.example.org/log"
TEMPLATES = 7
LATER = 20_000_000
"""How long after `as_of` a date is published, in microseconds."""


class Template:
    """A day that was determined: its records without links, its facts, and by UTC day when captures were made."""

    def __init__(self, day: int, records: list[Determination], facts: Facts) -> None:
        self.day, self.records, self.facts = day, records, facts

    def moved_to(self, day: int, *, whole: bool) -> tuple[list[Determination], Facts, dict[str, bytes]]:
        """Return records, facts and lists of captures with every date and instant shifted to another fixing date.

        whole : the facts too
        """
        by = day - self.day
        facts = self._facts(day, by) if whole else self.facts
        lists = _lists(_moved(row, by) for row in self.facts.rows if row.fact == "capture")
        named = {
            (old.kind, format_instant(old.instant or 0)): _sha256(old, by)
            for old in self.facts.rows
            if old.fact == "capture"
        }
        found = []
        for record in self.records:
            inputs = record.inputs
            assert inputs.rankings
            seen = tuple(
                SeenDay(date=date, captures=len(msgspec.json.decode(raw)), sha256=sha256_hex(raw))
                for date, raw in sorted(lists.items())
            )
            moved = msgspec.structs.replace(
                inputs,
                seen=seen,
                rankings=msgspec.structs.replace(
                    inputs.rankings,
                    as_of=_later(inputs.rankings.as_of, by),
                    sha256=named[KIND_RANKINGS, inputs.rankings.as_of],
                ),
                captures=tuple(
                    msgspec.structs.replace(
                        one,
                        captured_at=_later(one.captured_at, by),
                        sha256=named[KIND_MODELS, one.captured_at],
                    )
                    for one in inputs.captures
                ),
                endpoints=tuple(
                    msgspec.structs.replace(
                        one,
                        captured_at=_later(one.captured_at, by),
                        sha256=named[KIND_ENDPOINTS, one.captured_at],
                    )
                    for one in inputs.endpoints
                ),
            )
            as_of = format_instant(_as_of(day))
            found.append(msgspec.structs.replace(record, date=format_date(day), as_of=as_of, inputs=moved))
        return found, facts, lists

    def _facts(self, day: int, by: int) -> Facts:
        rows = [_moved(row, by) for row in self.facts.rows]
        return replace(self.facts, day=day, as_of=_as_of(day), rows=in_order(rows))


def _moved(row: Fact, by: int) -> Fact:
    return row._replace(
        date=None if row.date is None else row.date + by,
        instant=None if row.instant is None else row.instant + by * DAY,
        captured=None if row.captured is None else row.captured + by * DAY,
        sha256=row.sha256 and _sha256(row, by),
    )


def _as_of(day: int) -> int:
    return (day + 1) * DAY + 14 * DAY // 24


def _later(instant: str, by: int) -> str:
    return format_instant(parse_instant(instant) + by * DAY)


def _sha256(row: Fact, by: int) -> str:
    """Return the digest of a capture that was moved: of its kind and instant, so that every template has the same."""
    return sha256(f"{row.kind} {row.subject} {(row.instant or 0) + by * DAY}".encode()).hexdigest()


def _lists(captures: Iterable[Fact]) -> dict[str, bytes]:
    """Return the list of the price captures of each UTC day, as `Evidence.capture_list` makes it."""
    days: dict[str, list[Fact]] = {}
    for row in captures:
        if row.kind == KIND_MODELS:
            days.setdefault(format_date(day_of(row.instant or 0)), []).append(row)
    return {
        date: canonical_bytes(
            [
                {
                    "captured_at": format_instant(row.instant or 0),
                    "collector": row.collector,
                    "rank": row.rank,
                    "sha256": row.sha256,
                }
                for row in sorted(rows, key=order)
            ]
        )
        for date, rows in days.items()
    }


def templates(store: Store) -> list[Template]:
    """Return the last days of a store that have whole windows, determined without links."""
    version = load("1.0")
    observations = Observations(store)
    with store.writing():
        observations.refresh(silent)
    engine = EmbeddedEngine()
    evidence = Evidence(observations, engine, volume_source=RANKINGS_DAILY, as_of=None)
    last = max(evidence.held_days()) - 1
    found = []
    for day in range(last - TEMPLATES + 1, last + 1):
        as_of = _as_of(day)
        engine = EmbeddedEngine()
        evidence = Evidence(observations, engine, volume_source=RANKINGS_DAILY, as_of=as_of)
        request = Request(
            methodology=version,
            volume_source=RANKINGS_DAILY,
            first_day=day,
            last_day=day,
            as_of=as_of,
            complete=False,
        )
        records = list(determine(request, evidence, engine, silent, {}))
        found.append(Template(day, records, facts_of(request, evidence, engine, day)))
    return found


def dates(made: list[Template], days: int, *, whole: bool) -> Iterator[Determined]:
    """Yield fixing dates as they would have been determined for their final print."""
    version = load("1.0")
    chains: Mapping[str, Chain] = {series.series: Chain(version.parameters) for series in version.series}
    for number in range(days):
        day = FIRST_DAY + number
        records, facts, lists = made[number % len(made)].moved_to(day, whole=whole)
        yield Determined(
            day=day,
            due=Due(stage=Stage.FINAL, as_of=_as_of(day)),
            records=tuple(chains[record.series].link(unlinked(record)) for record in records),
            facts=facts,
            lists=lists,
        )


def unlinked(record: Determination) -> Determination:
    """Return a record as it is before it is linked."""
    return msgspec.structs.replace(
        record,
        notes=(),
        move=None,
        earlier=(),
        price_index=None,
        price_index_exact=None,
        average_7d=None,
        average_7d_days=None,
        average_30d=None,
        average_30d_days=None,
    )


def edition_of(one: Determined, vintages: Vintages, known_at: str, policy: str) -> Edition:
    """Return a date ready to be published for the first time."""
    keys = [(record.series, record.methodology, record.date) for record in one.records]
    return make_edition(one, [], {key[0]: vintages.of(key) for key in keys}, [], known_at, policy)


def publish_one(store: Store, one: Determined) -> None:
    """Publish a date twenty seconds after its `as_of`, by the press."""
    press = Press(store, one.due.as_of + LATER, nowhere, silent)
    press.publish_editions([edition_of(one, press.published.vintages, press.known_at, press.policy.sha256)])


class Straight:
    """Publishes in a folder without asking what is there: quick, and right only where nothing can interrupt it."""

    def __init__(self, folder: Path, key: PrivateKey) -> None:
        self._folder, self._key = folder, key
        published = Published(folder)
        self._raw, self._vintages = list(published.raw_entries), published.vintages
        self._tree = Tree(map(leaf_hash, self._raw))
        self._policy = load_policy().sha256
        self._sums = {
            path.relative_to(folder).as_posix(): sha256_hex(path.read_bytes())
            for path in folder.rglob("*")
            if path.is_file()
        }

    def publish(self, one: Determined) -> None:
        """Publish a date: its files, entries, proofs, tiles and head."""
        known_at = format_instant(one.due.as_of + LATER)
        edition = edition_of(one, self._vintages, known_at, self._policy)
        entries, first, proofs = Entries(known_at), len(self._raw), {}
        captures, listed = edition.raw
        entries.raw(edition.date, captures, sha256_hex(listed))
        self._write(f"raw/{edition.date}/{sha256_hex(listed)}.json", listed)
        for record in edition.records:
            proofs[f"{record.series}/{edition.date}.{record.vintage}"] = first + len(entries.listed)
            entries.record(record)
        proofs[f"prices/{edition.name}"] = first + len(entries.listed)
        prices = edition.prices
        entries.prices(edition.date, edition.stage, edition.constituents, prices.path, prices.sha256)
        self._vintages.extend(read_entries(entries.listed))
        entries.asof(self._vintages.table())
        self._vintages.extend(read_entries(entries.listed[-1:]))
        self._raw += entries.listed
        self._tree.extend(map(leaf_hash, entries.listed))
        for path, raw in edition.files.items():
            self._write(path, raw)
        self._log(first)
        note = (self._folder / "log/checkpoint").read_bytes()
        for name, index in proofs.items():
            proof = Proof(index=index, hashes=tuple(self._tree.inclusion(index)), checkpoint=note)
            self._write(f"proofs/{name}.tlog-proof", encode_proof(proof))

    def _log(self, before: int) -> None:
        size, root = self._tree.size, self._tree.root()
        first = before // 256
        for level, index, width in tiles_of(size):
            if level or index >= first:
                self._write(
                    f"log/{tile_path(level, index, width)}", tile_bytes(self._tree, level, index, width)
                )
        for index, width in bundles_of(size):
            if index >= first:
                within = self._raw[index * 256 : index * 256 + width]
                self._write(f"log/{bundle_path(index, width)}", encode_bundle(within))
        self._write(f"log/heads/{size}", f"{size} {base64.b64encode(root).decode()}\n".encode())
        self._write(
            "log/checkpoint",
            sign_note(Checkpoint(origin=ORIGIN, size=size, root=root).text, self._key),
        )

    def close(self) -> None:
        """Write the sums of all that was published."""
        listed = sorted(
            (path, digest)
            for path, digest in self._sums.items()
            if path != SUMS and not path.startswith(("log/", "proofs/"))
        )
        text = "".join(f"{digest}  {path}\n" for path, digest in listed)
        (self._folder / SUMS).write_bytes(sign_note(text, self._key))

    def _write(self, path: str, raw: bytes) -> None:
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(raw)
        self._sums[path] = sha256_hex(raw)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("days", type=int)
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    found = dates(templates(Store.open(options.template)), options.days + 1, whole=options.whole)
    store = Store.create(options.store)
    key = PrivateKey(name=ORIGIN, seed=bytes(range(32)))
    with store.writing():
        keyring_of(store).add(key)
        publish_one(store, next(found))
        straight = Straight(store.path / FOLDER, key)
        for one in islice(found, options.days - 2):
            straight.publish(one)
        straight.close()
        publish_one(store, next(found))
    options.store.with_name(f"{options.store.name}.next").write_bytes(pickle.dumps(next(found)))


if __name__ == "__main__":
    main()
