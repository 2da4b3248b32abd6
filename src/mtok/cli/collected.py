"""What a collection took, what failed and what was left for later."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS
from mtok.cli.layout import WIDTH_MIN, Page, labelled
from mtok.wording.figures import TIED, counted, tokens

if TYPE_CHECKING:
    from mtok.collection import Collected
    from mtok.sources import Outcome

_LABELS = {KIND_MODELS: "prices", KIND_RANKINGS: "rankings", KIND_ENDPOINTS: "endpoints"}
_REMEDIES = {
    "key_missing": "Set OPENROUTER_API_KEY to a key of OpenRouter; prices are captured without one.",
    "http_401": "OpenRouter does not take this key: set OPENROUTER_API_KEY to a valid one.",
}


def collected_content(collected: Collected) -> dict[str, Any]:
    """Return what a collection did for machines."""
    return {
        "captures": len(collected.lines),
        "outcomes": [
            {
                "kind": outcome.kind,
                "subject": outcome.subject,
                "failure": outcome.failure,
                "found": outcome.found,
                "attempts": outcome.attempts,
                "bytes": len(outcome.response.raw) if outcome.response else 0,
            }
            for outcome in collected.outcomes
        ],
        "left": [{"what": what, "because": because} for what, because in collected.left],
        "faults": dict(sorted(collected.faults.items())),
    }


def collected_page(collected: Collected) -> Page:
    """Return what a collection did for people: a line a kind, then what failed, what was left, and the faults."""
    lines: Page = []
    for kind, label in _LABELS.items():
        outcomes = [outcome for outcome in collected.outcomes if outcome.kind == kind]
        if outcomes:
            lines += labelled(label, _answered(outcomes), WIDTH_MIN)
    failures = Counter((outcome.kind, outcome.failure, outcome.found) for outcome in collected.failed)
    for (kind, failure, found), count in failures.items():
        text = f"{_LABELS[kind]}{f', {tokens(count)} times' if count > 1 else ''}: {found} ({failure}). "
        text += _REMEDIES.get(failure or "", "Whatever is still due is asked for again by the next run.")
        lines += labelled("failed", text, WIDTH_MIN)
    for what, because in collected.left:
        lines += labelled("left", f"{what}: {because}", WIDTH_MIN)
    if collected.faults:
        listed = (f"{code}{TIED}{tokens(count)}" for code, count in sorted(collected.faults.items()))
        lines += labelled("faults", ", ".join(listed), WIDTH_MIN)
    return lines or labelled("collected", "nothing was due", WIDTH_MIN)


def _answered(outcomes: list[Outcome]) -> str:
    answered = [outcome.response for outcome in outcomes if outcome.response and outcome.failure is None]
    size = sum(len(response.raw) for response in answered)
    attempts = counted(sum(outcome.attempts for outcome in outcomes), "attempt")
    return f"{tokens(len(answered))} of {counted(len(outcomes), 'answer')}, {tokens(size)} bytes, {attempts}"
