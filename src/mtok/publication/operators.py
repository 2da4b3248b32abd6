"""What only an operator publishes: a correction, marks, a notice, another key. Each holds the store's lock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from mtok.archive import Store
from mtok.calendar import format_date, format_instant
from mtok.errors import AnswerIsNo, BadCall
from mtok.methodology import load
from mtok.notes import PrivateKey
from mtok.observations import Observations
from mtok.progress import Progress
from mtok.publication.editions import Determined, determine_dates
from mtok.publication.entries import NOTICE_KINDS, NOTICE_TEXT_MAX
from mtok.publication.keys import has_key, keyring_of
from mtok.publication.marks import MARKS_MAX, MarkPrint, marks_of, refuse_invalid, refuse_unfit
from mtok.publication.policy import Due, Stage, whole_second
from mtok.publication.press import Outside, Press
from mtok.publication.publish import Calendar, Publication
from mtok.publication.published import FOLDER
from mtok.publication.vintages import Vintage
from mtok.quantities import rounded
from mtok.records import Determination, PublishedRecord

_ORIGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[A-Za-z0-9._-]+)*", re.ASCII)
"""A host and a path: what can stand in an address, in a file name and in the first line of a checkpoint."""
_ORIGIN_MAX: Final = 200


def restate(
    store: Store,
    now: int,
    outside: Outside,
    *,
    series: Sequence[str],
    day: int,
    reason: str,
    progress: Progress,
) -> Publication:
    """Publish a corrected vintage of one date beside the one in force, from everything seen at `now`.

    Raises BadCall for an unknown reason, AnswerIsNo where nothing is in force or nothing would change.
    """
    with store.writing():
        observations = Observations(store)
        observations.refresh(progress)
        press = Press(store, now, outside, progress)
        _refuse_reason(press, reason)
        calendar = Calendar(press, observations)
        printed = _printed(calendar, series, day)
        calendar.check_archive(day)
        due = Due(stage=Stage.FINAL, as_of=whole_second(now), reason=reason)
        before = calendar.before(day, due.as_of)
        version = load(calendar.methodology)
        [found] = determine_dates(observations, version, [day], due, before, progress)
        changed = _changed(press, calendar, found, printed, now)
        if not changed and not press.resumed:
            least = press.policy.correction_min_change
            raise AnswerIsNo(
                "nothing_to_restate",
                f"{format_date(day)} determined again says what is published of {', '.join(dict.fromkeys(series))}, or "
                f"differs by less than {rounded(least * 100, 2)} %",
                "Nothing was published.",
            )
        records: tuple[PublishedRecord, ...] = ()
        if changed:
            [stage] = set(changed.values())
            edition = calendar.edition(replace(found, due=replace(due, stage=stage)), only=changed)
            press.publish_editions([edition])
            records = edition.records
        return Publication(
            records=records,
            failed=(),
            size=press.published.size,
            known_at=format_instant(press.published.known_at or now),
            resumed=press.resumed,
            next_due=format_instant(press.policy.next_due(now)),
            passed_over=(),
            warning=press.warning,
        )


def _printed(calendar: Calendar, series: Sequence[str], day: int) -> dict[str, Vintage]:
    """Return the vintages in force that may be restated. Raises AnswerIsNo where one is missing or not final."""
    date = format_date(day)
    found = {name: calendar.in_force(name, day) for name in series}
    printed = {name: vintage for name, vintage in found.items() if vintage is not None}
    if missing := [name for name in series if name not in printed]:
        raise AnswerIsNo(
            "not_published",
            f"{missing[0]} of {date} was never published",
            "`mtok publish` publishes what is due; only what is published can be restated.",
        )
    if calendar.is_retried(day) or any(vintage.stage == Stage.PRELIM for vintage in printed.values()):
        raise AnswerIsNo(
            "not_final",
            f"{date} has no final print with volumes yet",
            "`mtok publish` prints it when it is due, from everything seen then; what is final can be restated.",
        )
    return printed


def _changed(
    press: Press, calendar: Calendar, found: Determined, printed: Mapping[str, Vintage], now: int
) -> dict[str, Stage]:
    """Return the stage of each series whose record says something no vintage has said last."""
    changed: dict[str, Stage] = {}
    for record in found.records:
        vintage = printed.get(record.series)
        if vintage and _says(record) not in (_says(vintage), _says(calendar.last_vintage(vintage))):
            stage = press.policy.restated(found.day, now, vintage.value, record.value)
            if stage and vintage.stage == Stage.BACKFILL:
                stage = Stage.INFORMATIONAL
            changed |= {record.series: stage} if stage else {}
    return changed


class Given(NamedTuple):
    """A notice that was given. size : of the log · published : by this call; False where it was the last thing said"""

    size: int
    published: bool


def give_notice(
    store: Store,
    now: int,
    outside: Outside,
    *,
    kind: str,
    text: str,
    series: str | None,
    first_date: str | None,
    last_date: str | None,
    progress: Progress,
) -> Given:
    """Publish a notice, unless it is what was published last: the same again after an interruption says nothing twice.

    Raises BadCall for an unknown kind or a bad text.
    """
    kinds = [known for known in NOTICE_KINDS if known != "key_rotation"]
    if kind not in kinds:
        raise BadCall("notice_kind", f"{kind!r} is no kind of notice", f"Known: {', '.join(kinds)}.")
    if not text.strip() or len(text) > NOTICE_TEXT_MAX or not text.isprintable():
        raise BadCall(
            "notice_text",
            f"a text of {len(text)} characters",
            f"Write one paragraph of up to {NOTICE_TEXT_MAX} printable characters.",
        )
    with store.writing():
        press = Press(store, now, outside, progress)
        concerning = {"series": series, "first_date": first_date, "last_date": last_date}
        said = {"kind": kind, "text": text} | concerning
        is_new = all({name: one.get(name) for name in said} != said for one in press.published.last)
        if is_new:
            press.publish_notice(kind, text, **concerning)
        return Given(size=press.published.size, published=is_new or press.resumed)


def publish_marks(
    store: Store, now: int, outside: Outside, prints: Sequence[MarkPrint], progress: Progress
) -> list[int]:
    """Publish the marks that the log does not have word for word; return the index of each entry, in the order given.

    All of them go into one publication, or none where one is unfit. Raises BadCall (`marks_too_many`) above MARKS_MAX,
    and as `refuse_unfit`.
    """
    if len(prints) > MARKS_MAX:
        raise BadCall(
            "marks_too_many",
            f"{len(prints)} marks in one publication, above {MARKS_MAX}",
            "Nothing was published. Publish them in parts.",
        )
    with store.writing():
        press = Press(store, now, outside, progress)
        before = list(marks_of(press.published.entries))
        for mark in prints:
            refuse_invalid(mark)
        new = sorted(set(prints).difference(before), key=lambda mark: mark.place)
        for number, mark in enumerate(new):
            refuse_unfit(press.published, mark, [*before, *new[:number]])
        if new:
            press.publish_marks(new)
        logged = marks_of(press.published.entries)
        return [logged[mark] for mark in prints]


def create_key(store: Store, origin: str, seed: bytes) -> None:
    """Make the first key of a store. seed : 32 random bytes

    Raises BadCall where there is one already, or for an origin that is no name of a log.
    """
    with store.writing():
        if (store.path / FOLDER / "log" / "checkpoint").exists() and not has_key(store):
            raise BadCall(
                "key_missing",
                f"{store.path} has published, but {keyring_of(store).folder} has no key",
                "Put the key file back: a new key cannot go on with this log.",
            )
        if has_key(store):
            raise BadCall(
                "key_exists",
                f"{keyring_of(store).folder} has a signing key already",
                "`mtok keys rotate` replaces it; a second log needs a second store.",
            )
        if not _ORIGIN.fullmatch(origin) or len(origin) > _ORIGIN_MAX:
            raise BadCall(
                "origin_invalid",
                f"{origin!r} is no origin",
                "Give the log's address without https://, such as index.example.org/log: host, port and path in "
                "letters, digits and . - _ alone.",
            )
        keyring_of(store).add(PrivateKey(name=origin, seed=seed))


def rotate_key(store: Store, now: int, outside: Outside, seed: bytes, progress: Progress) -> None:
    """Make a new key and publish, signed by both, that it signs from now on. seed : 32 random bytes

    Where such a publication was interrupted it is completed, and its key is the new one; so is a key that an
    interrupted call has made and nobody has heard of.
    """
    with store.writing():
        press = Press(store, now, outside, progress)
        if press.resumed and any(entry.get("kind") == "key_rotation" for entry in press.published.last):
            return
        keyring = keyring_of(store)
        waiting = press.unannounced_keys()
        new = waiting[0] if waiting else PrivateKey(name=press.key.public.name, seed=seed)
        keyring.add(new)
        press.rotate(new)


def _says(one: Determination | Vintage) -> tuple[str | None, str]:
    return one.value, one.quality


def _refuse_reason(press: Press, reason: str) -> None:
    if reason not in press.policy.reasons:
        raise BadCall(
            "reason_unknown",
            f"reason {reason!r} is not in the policy",
            f"Known: {', '.join(press.policy.reasons)}.",
        )
