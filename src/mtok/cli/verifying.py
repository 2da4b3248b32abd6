"""A publication verified as far as it was asked for, with what the reader remembers of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from mtok.archive import Store
from mtok.cli.terminal import progress_bar
from mtok.client import Finding, Report, read_head, remember, remembered, state_folder, verify
from mtok.client.source import Folder, Source, open_source
from mtok.errors import BadCall
from mtok.notes import NoteRefused, PublicKey
from mtok.progress import Progress

_KEYS: Final = "keys"


def verified(
    where: str | Path | None,
    keys: Sequence[str],
    seen: Path | None,
    *,
    recompute: bool,
    objects: Path | None,
) -> tuple[Report, str, str]:
    """Return the report, the name of what was verified, and what the next level would take.

    Raises BadCall where nothing to verify or no key is named.
    """
    if where is None:
        raise BadCall(
            "publication_unnamed",
            "no publication is named",
            "Give its folder, a store or an address, or set MTOK_STORE.",
        )
    source = open_source(str(where))
    try:
        public = [_public_key(text) for text in keys] or _own_keys(Path(where))
        state = state_folder(os.environ, Path.home())
        earlier = [remembered(state, public[0].name, public[0]), read_head(seen) if seen else None]
        with progress_bar() as progress:
            report = verify(source, public, seen=[one for one in earlier if one], progress=progress)
            if report.ok and (recompute or objects):
                report = _recomputed(report, source, objects, progress)
        if report.ok and report.checkpoint is not None:
            remember(state, public[0], report.checkpoint)
        return report, source.where, _beyond(report)
    finally:
        source.close()


def _public_key(text: str) -> PublicKey:
    """Return the key of a vkey, or of a file that holds one."""
    path = Path(text)
    try:
        return PublicKey.parse(path.read_text("utf-8").strip() if path.is_file() else text.strip())
    except (NoteRefused, UnicodeDecodeError, OSError) as error:
        raise BadCall(
            "key_unreadable",
            f"--key {text[:100]!a} is no public key: {error}",
            "Give the line NAME+ID+KEY as the publisher prints it, or a file that holds it.",
        ) from None


def _own_keys(where: Path) -> list[PublicKey]:
    """Return the public keys of the store that is verified: its owner trusts them already."""
    found = [_public_key(str(path)) for path in sorted((where / _KEYS).glob("*.vkey"))]
    if not found:
        raise BadCall(
            "key_unnamed",
            "no public key is named",
            "Give --key with the line the publisher is known by; the one beside the files proves nothing.",
        )
    return found


def _recomputed(report: Report, source: Source, objects: Path | None, progress: Progress) -> Report:
    """Return the report with the level of rules and, with a store of objects, that of decoding."""
    from mtok.publication.recomputation import fetch, recompute, redecode, remade

    assert report.checkpoint is not None
    assert report.key is not None

    with tempfile.TemporaryDirectory(prefix="mtok-verify-") as temporary:
        folder = Path(source.where) if isinstance(source, Folder) else Path(temporary)
        if not isinstance(source, Folder):
            fetch(source.read, folder, report.checkpoint, progress)
        found = recompute(folder, progress)
        views = remade(folder, source.read, report.key)
        report = report.with_level(
            "rules",
            [
                *_findings("rules_differ", ((one.where, one.found) for one in found.differences)),
                *_findings("views_differ", ((one.where, one.found) for one in views)),
            ],
            {"records determined again": found.records},
        )
        if objects is not None and report.ok:
            found = redecode(folder, Store.open(objects), progress)
            report = report.with_level(
                "decoding",
                _findings("decoding_differs", ((one.where, one.found) for one in found.differences)),
                {"records decoded again": found.records},
            )
    return report


def _findings(code: str, found: Iterable[tuple[str, str]]) -> list[Finding]:
    return [Finding(code=code, where=where, found=what) for where, what in found]


def _beyond(report: Report) -> str:
    """Return what the next level would take."""
    if not report.ok:
        return ""
    if "rules" not in report.beyond:
        return "--recompute runs the rules over the published observations"
    if "decoding" not in report.beyond:
        return "--objects STORE decodes the raw responses, for whoever holds them"
    return ""
