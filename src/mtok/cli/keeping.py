"""What a backup, a restoration and an examination of a store did and found, in a few lines."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtok.cli.layout import WIDTH_MIN, Page, labelled, wrapped
from mtok.cli.summaries import at_store, next_commands
from mtok.wording.figures import counted, tokens

if TYPE_CHECKING:
    from mtok.archive.backup import Copied
    from mtok.doctor import Diagnosis, Finding


def copied_content(copied: Copied) -> dict[str, Any]:
    """Return what a backup or a restoration copied for machines."""
    return asdict(copied)


def backup_page(copied: Copied, store: Path, destination: Path) -> Page:
    """Return what a backup holds now and what it took, and how to make a store of it."""
    return [
        *_copied_page(copied, f"{store} to {destination}"),
        *_keys_left(copied, store),
        "",
        *next_commands({"make a store of it": f"restore {shlex.quote(str(destination))} --store PATH"}),
    ]


def restore_page(copied: Copied, backup: Path, store: Path) -> Page:
    """Return what was restored, and how to make the rest again."""
    return [
        *_copied_page(copied, f"{backup} to {store}"),
        *_keys_needed(copied, store),
        "",
        *next_commands({"make observations and records again": f"determine {at_store(store)}"}),
    ]


def _copied_page(copied: Copied, ways: str) -> Page:
    text = (
        f"{tokens(copied.objects_copied)} copied, {tokens(copied.objects_there)} already there, "
        f"{tokens(copied.objects_mended)} mended; {counted(copied.bytes, 'byte')} written"
    )
    lines = [
        *labelled("copied", ways, WIDTH_MIN),
        *labelled("captures", tokens(copied.captures), WIDTH_MIN),
        *labelled("objects", text, WIDTH_MIN),
    ]
    if copied.published_copied or copied.published_there or copied.published_mended:
        text = (
            f"{tokens(copied.published_copied)} copied, {tokens(copied.published_there)} already there, "
            f"{tokens(copied.published_mended)} mended"
        )
        lines += labelled("publication", text, WIDTH_MIN)
    if copied.unknown:
        names = ", ".join(copied.unknown)
        lines += labelled("not copied", f"{names}: mtok did not put it there", WIDTH_MIN)
    return lines


def _keys_left(copied: Copied, store: Path) -> Page:
    """Return what to do about the keys, which no backup has."""
    text = (
        f"{store / 'keys'} is not copied, as who has it can sign. Keep a copy of it elsewhere, offline: "
        "without it nobody can publish in this log again"
    )
    return labelled("keys", text, WIDTH_MIN) if copied.keys else []


def _keys_needed(copied: Copied, store: Path) -> Page:
    """Return what a restored store needs before it can publish again."""
    text = (
        f"no backup has them: before `mtok publish`, put them back into {store / 'keys'} from where you keep the "
        "copy (chmod 400)"
    )
    published = copied.published_copied or copied.published_there or copied.published_mended
    return labelled("keys", text, WIDTH_MIN) if published else []


def diagnosis_content(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis for machines."""
    return {"sound": diagnosis.sound, **asdict(diagnosis)}


def diagnosis_page(diagnosis: Diagnosis, store: Path) -> Page:
    """Return whether a store is sound, what was examined, and every finding with what to do about it."""
    what = (
        f"{counted(diagnosis.captures, 'capture')}, {counted(diagnosis.objects, 'object')}, "
        f"{counted(diagnosis.observations, 'file')} of observations, {counted(diagnosis.records, 'record')}, "
        f"{counted(diagnosis.published, 'published file')}"
    )
    verdict = "sound" if diagnosis.sound else "not sound: see below what to do"
    lines = [
        *labelled("store", f"{store} is {verdict}", WIDTH_MIN),
        *labelled("examined", what, WIDTH_MIN),
    ]
    for skipped in diagnosis.not_examined:
        lines += labelled("not examined", skipped, WIDTH_MIN)
    for _, alike in groupby(diagnosis.findings, key=lambda finding: (finding.code, finding.remedy)):
        lines += ["", *_findings_page(list(alike))]
    return lines


def _findings_page(alike: Sequence[Finding]) -> Page:
    """Return findings of one code with one remedy."""
    lines: Page = [alike[0].code]
    for finding in alike:
        lines += wrapped(f"{finding.where}: {finding.found}", WIDTH_MIN, 2)
    return [*lines, *wrapped(f"→ {alike[0].remedy}", WIDTH_MIN, 2)]
