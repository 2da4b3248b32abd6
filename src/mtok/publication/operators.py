"""What only an operator publishes: a correction, a notice, another key. Each holds the store's lock meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtok.archive import Store
from mtok.calendar import format_date, format_instant
from mtok.errors import AnswerIsNo, BadCall
from mtok.methodology import load
from mtok.notes import NoteRefused, PrivateKey
from mtok.observations import Observations
from mtok.progress import Progress
from mtok.publication.editions import determine_dates
from mtok.publication.entries import NOTICE_KINDS, NOTICE_TEXT_MAX
from mtok.publication.keys import has_key, keyring_of
from mtok.publication.policy import Due, Stage, whole_second
from mtok.publication.press import Outside, Press
from mtok.publication.publish import Calendar, Publication


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
        calendar, date = Calendar(press, observations), format_date(day)
        printed = {
            name: press.published.vintages.in_force((name, calendar.methodology, date)) for name in series
        }
        missing = [name for name, vintage in printed.items() if vintage is None]
        if missing:
            raise AnswerIsNo(
                "not_published",
                f"{missing[0]} of {date} was never published",
                "`mtok publish` publishes what is due; only what is published can be restated.",
            )
        calendar.check_archive(day)
        due = Due(stage=Stage.FINAL, as_of=whole_second(now), reason=reason)
        before = calendar.before(day, due.as_of)
        version = load(calendar.methodology)
        [found] = determine_dates(observations, version, [day], due, before, progress)
        changed: dict[str, Stage] = {}
        for record in found.records:
            vintage = printed.get(record.series)
            if vintage and (record.value, record.quality) != (vintage.value, vintage.quality):
                stage = press.policy.restated(day, now, vintage.value, record.value)
                changed |= {record.series: stage} if stage else {}
        if not changed:
            least = press.policy.correction_min_change
            raise AnswerIsNo(
                "nothing_to_restate",
                f"{date} determined again says what is published of {', '.join(series)}, or differs by less than "
                f"{least}",
                "Nothing was published.",
            )
        [stage] = set(changed.values())
        edition = calendar.edition(replace(found, due=replace(due, stage=stage)), only=changed)
        press.publish_editions([edition])
        return Publication(
            records=edition.records,
            failed=(),
            size=press.published.size,
            known_at=press.known_at,
            resumed=press.resumed,
            next_due=format_instant(press.policy.next_due(now)),
            passed_over=(),
            warning=press.warning,
        )


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
) -> int:
    """Publish a notice; return the size of the log. Raises BadCall for an unknown kind or a text that is none."""
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
        press.publish_notice(kind, text, series=series, first_date=first_date, last_date=last_date)
        return press.published.size


def create_key(store: Store, origin: str, seed: bytes) -> None:
    """Make the first key of a store. seed : 32 random bytes

    Raises BadCall where there is one already, or for an origin that is no name of a log.
    """
    with store.writing():
        if has_key(store):
            raise BadCall(
                "key_exists",
                f"{keyring_of(store).folder} has a signing key already",
                "`mtok keys rotate` replaces it; a second log needs a second store.",
            )
        try:
            key = PrivateKey(name=origin, seed=seed)
        except NoteRefused as error:
            raise BadCall(
                "origin_invalid",
                f"{origin!r} is no origin: {error}",
                "Give the log's address without https://, such as index.example.org/log.",
            ) from None
        keyring_of(store).add(key)


def rotate_key(store: Store, now: int, outside: Outside, seed: bytes, progress: Progress) -> None:
    """Make a new key and publish, signed by both, that it signs from now on. seed : 32 random bytes"""
    with store.writing():
        press = Press(store, now, outside, progress)
        new = PrivateKey(name=press.key.public.name, seed=seed)
        keyring_of(store).add(new)
        press.rotate(new)


def _refuse_reason(press: Press, reason: str) -> None:
    if reason not in press.policy.reasons:
        raise BadCall(
            "reason_unknown",
            f"reason {reason!r} is not in the policy",
            f"Known: {', '.join(press.policy.reasons)}.",
        )
