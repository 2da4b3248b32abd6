"""The log: its head, its entries, proofs between any two sizes, and the notices in it. Its tiles are files, /log/…"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from ninja import Router

from mtok.archive.published_log import CHECKPOINT
from mtok.calendar import format_instant, parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import AnswerIsNo, BadCall, EnvironmentFailed
from mtok.notes import Checkpoint, NoteRefused
from mtok.proofs import leaf_hash
from mtok.venue.answers import dated, kept
from mtok.venue.api.asked import Leaf, Size
from mtok.venue.api.schemas import CheckpointRead, ConsistencyProof, InclusionProof, LogEntry, NoticeList
from mtok.venue.api.written import answer
from mtok.venue.opened import Opened
from mtok.venue.place import opened

router = Router(tags=["log"])

_NOTICE = ("kind", "time", "text", "series", "first_date", "last_date")


def base64_text(raw: bytes) -> str:
    """Return bytes as they stand in notes and proofs."""
    return base64.b64encode(raw).decode()


@router.get("/notices", response=NoticeList, operation_id="list_notices", summary="Notices")
def list_notices(request: HttpRequest) -> HttpResponse:
    """Return what the publisher stated about the publication: incidents, corrections, new keys; newest first."""
    now = opened()
    now.methodology()
    notices = [
        {"index": index} | {name: entry.get(name) for name in _NOTICE}
        for index, entry in enumerate(now.published.entries)
        if entry["type"] == "notice"
    ]
    return answer({"notices": notices[::-1]})


@router.get(
    "/log/checkpoint", response=CheckpointRead, operation_id="get_checkpoint", summary="The head of the log"
)
def get_checkpoint(request: HttpRequest) -> HttpResponse:
    """Return the signed head of the log. Its signature is for you to check: this server is not to be believed."""
    now = opened()
    now.methodology()
    note = (now.raw(CHECKPOINT) or b"").decode("utf-8", "replace")
    text, _, signatures = note.partition("\n\n")
    try:
        head = Checkpoint.parse(f"{text}\n")
        signed_by = [_signature(line) for line in signatures.splitlines()]
    except (NoteRefused, ValueError) as error:
        raise EnvironmentFailed(
            "checkpoint_refused", f"log/checkpoint: {error}", "Ask again in a minute, then tell the operator."
        ) from None
    return answer(
        {
            "origin": head.origin,
            "size": head.size,
            "root": base64_text(head.root),
            "published_at": format_instant(now.published.known_at or 0),
            "vkey": now.read("vkey").decode().strip(),
            "signatures": signed_by,
            "note": note,
        }
    )


def _signature(line: str) -> dict[str, str]:
    """Return who a signature line `— <name> <base64 of key id and signature>` is by."""
    _, name, value = line.split(" ")
    return {"name": name, "key_id": base64.b64decode(value)[:4].hex()}


@router.get(
    "/log/entries/{index}", response=LogEntry, operation_id="get_entry", summary="One entry of the log"
)
def get_entry(request: HttpRequest, index: Leaf) -> HttpResponse:
    """Return an entry and its leaf hash. What is in the log never changes."""
    now = opened()
    now.methodology()
    if index >= now.published.size:
        raise AnswerIsNo(
            "entry_unknown",
            f"the log has {now.published.size} entries, none has the number {index}",
            "Entries are numbered from 0.",
        )
    entry, raw = now.published.entries[index], now.published.raw_entries[index]
    response = answer({"index": index, "leaf_hash": base64_text(leaf_hash(raw)), "entry": entry})
    return _since(now, index + 1, response, lasting=True)


@router.get(
    "/log/proof",
    response=InclusionProof,
    operation_id="prove_inclusion",
    summary="That an entry is in the log",
)
def prove_inclusion(request: HttpRequest, index: Leaf, size: Size | None = None) -> HttpResponse:
    """Return the proof that an entry is in the log of a size, by default of its size now."""
    now = opened()
    greatest = _had(now, "size", size)
    if index >= greatest:
        raise BadCall(
            "parameter_invalid",
            f"index: a log of {greatest} entries has none with the number {index}",
            "Count from 0.",
        )
    tree = now.tree
    content = {
        "index": index,
        "size": greatest,
        "leaf_hash": base64_text(tree.hashes(0, index, 1)),
        "root": base64_text(tree.root(greatest)),
        "hashes": _texts(tree.inclusion(index, greatest)),
    }
    return _since(now, greatest, answer(content), lasting=size is not None)


@router.get(
    "/log/consistency",
    response=ConsistencyProof,
    operation_id="prove_consistency",
    summary="That the log only grew",
)
def prove_consistency(request: HttpRequest, first: Size, second: Size | None = None) -> HttpResponse:
    """Return the proof that the log of one size begins with that of a smaller one, by default that of its size now."""
    now = opened()
    greatest = _had(now, "second", second)
    if first > greatest:
        raise BadCall(
            "parameter_invalid", f"first: {first} is more than {greatest}", "`first` is the smaller size."
        )
    tree = now.tree
    content = {
        "first": first,
        "second": greatest,
        "first_root": base64_text(tree.root(first)),
        "second_root": base64_text(tree.root(greatest)),
        "hashes": _texts(tree.consistency(first, greatest)),
    }
    return _since(now, greatest, answer(content), lasting=second is not None)


def _had(now: Opened, name: str, size: int | None) -> int:
    """Return a size the log has had, by default that of now. Raises BadCall for a greater one."""
    now.methodology()
    if size is not None and size > now.published.size:
        raise BadCall(
            "parameter_invalid",
            f"{name}: the log has {now.published.size} entries, not {size}",
            "/v1/log/checkpoint says its size.",
        )
    return now.published.size if size is None else size


def _texts(hashes: Iterable[bytes]) -> list[str]:
    return [base64_text(one) for one in hashes]


def _since(now: Opened, size: int, response: HttpResponse, *, lasting: bool) -> HttpResponse:
    """Say that an answer is as it is since the log had a size. lasting : and will never change"""
    dated(response, parse_instant(now.published.entries[size - 1]["time"]))
    return kept(response, sha256_hex(response.content)) if lasting else response
