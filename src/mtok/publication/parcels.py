"""One published value as a parcel: a zip that a stranger can check with nothing but Python and the public key."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from mtok.errors import EnvironmentFailed
from mtok.methodology import load
from mtok.notes import NoteRefused, PublicKey, open_note
from mtok.proofs import decode_proof
from mtok.publication.published import Published
from mtok.publication.vintages import Vintage
from mtok.records import PublishedRecord

_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Of every file in a parcel: the earliest a zip can say."""


def make_parcel(published: Published, vintage: Vintage) -> bytes:
    """Return the parcel of a vintage, the same bytes each time (docs/formats.md, "The parcel")."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as parcel:
        for path, raw in sorted(_files(published, vintage)):
            parcel.writestr(zipfile.ZipInfo(path, _TIME), raw, zipfile.ZIP_DEFLATED, 9)
    return sink.getvalue()


def _files(published: Published, vintage: Vintage) -> Iterator[tuple[str, bytes]]:
    record = published.record(vintage)

    def read(path: str) -> bytes:
        return (published.folder / path).read_bytes()

    proof = read(f"proofs/{vintage.series}/{vintage.date}.{vintage.vintage}.tlog-proof")
    key = _signer(published, proof)
    [method] = [
        entry
        for entry in published.entries[: vintage.index]
        if entry["type"] == "method" and entry["methodology"] == record.methodology
    ][-1:]
    yield "record.json", record.canonical
    yield "entry.json", published.raw_entries[vintage.index]
    yield "proof.tlog-proof", proof
    yield "observations.parquet", read(record.observations.path)
    yield "prices.json", read(record.prices.path)
    yield "policy.toml", read(f"policies/{record.policy_sha256}.toml")
    yield "rulebook.md", read(f"rulebooks/{method['rulebook_sha256']}.md")
    yield "vkey", f"{key}\n".encode()
    for path in [f"rules/{rule.file}" for rule in load(record.methodology).rules] + ["parameters.toml"]:
        yield f"methodology/{record.methodology}/{path}", read(f"methodology/{record.methodology}/{path}")
    for seen in record.inputs.seen:
        path = f"captures/{seen.date}/{seen.sha256}.json"
        yield path, read(path)
    for earlier in _earlier(published, record):
        yield f"earlier/{earlier.date}.json", earlier.canonical
    folder = files("mtok.publication") / "parcel"
    yield "verify.py", (folder / "verify.py").read_bytes()
    yield (
        "README.html",
        _page((folder / "README.html").read_text("utf-8"), record, key, decode_proof(proof).checkpoint),
    )


def _earlier(published: Published, record: PublishedRecord) -> Iterator[PublishedRecord]:
    """Yield the published records whose determinations a record names."""
    for named in record.earlier:
        vintages = published.vintages.of((record.series, record.methodology, named.date))
        found = (published.record(vintage) for vintage in vintages)
        yield next(one for one in found if one.determination_sha256 == named.sha256)


def _signer(published: Published, proof: bytes) -> PublicKey:
    """Return the key that signed the checkpoint of a proof: the one of now, or one it replaced."""
    rotations = [entry for entry in published.entries if entry.get("kind") == "key_rotation"]
    path = published.folder / "vkey"
    texts = [path.read_text("utf-8", errors="replace").strip()]
    texts += [entry[name] for entry in rotations for name in ("old_key", "new_key")]
    for text in texts:
        try:
            key = PublicKey.parse(text)
            open_note(decode_proof(proof).checkpoint, [key])
        except NoteRefused:
            continue
        return key
    raise EnvironmentFailed(
        "publication_damaged",
        f"{path} does not name the key that signed this log",
        "Copy it from the mirror or a backup; `mtok doctor` says what else is damaged.",
    )


def _page(template: str, record: PublishedRecord, key: PublicKey, checkpoint: bytes) -> bytes:
    """Return the page of the parcel with its placeholders filled."""
    size = checkpoint.decode().split("\n")[1]
    told = {
        "series": record.series,
        "date": record.date,
        "value": record.value or "withheld",
        "unit": record.unit,
        "quality": record.quality,
        "stage": record.stage,
        "vintage": str(record.vintage),
        "published": record.known_at,
        "origin": key.name,
        "vkey": str(key),
        "size": size,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: html.escape(told[match[1]]), template).encode()
