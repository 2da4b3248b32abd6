"""From what the user typed to records: dates, instants, series, and what to say when there is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from mtok.archive import RANKINGS_DAILY, Store
from mtok.calendar import format_date, format_instant, parse_date, parse_instant
from mtok.determination.folder import Determinations
from mtok.errors import AnswerIsNo, BadCall
from mtok.methodology import load
from mtok.publication.published import Published
from mtok.publication.vintages import Vintage
from mtok.records import Determination, PublishedRecord
from mtok.wording.figures import counted
from mtok.wording.words import METHODOLOGY


def named_store(path: Path | None) -> Path:
    """Return the path of the store. Raises BadCall where the user named none."""
    if path is None:
        raise BadCall(
            "store_unnamed",
            "no store is named",
            "Give --store PATH or set MTOK_STORE; `mtok demo` makes one from the bundled sample.",
        )
    return path


def day_of_text(text: str | None, option: str) -> int | None:
    """Return the day of a date the user typed, None for none. Raises BadCall."""
    try:
        return None if text is None else parse_date(text)
    except ValueError:
        raise BadCall(
            "date_invalid",
            f"{option}: {text!r} is not a date",
            "Write dates as YYYY-MM-DD, such as 2026-06-20.",
        ) from None


def needed_day(text: str, argument: str) -> int:
    """Return the day of a date the user had to type. Raises BadCall."""
    day = day_of_text(text, argument)
    assert day is not None
    return day


def known_series(asked: str) -> str:
    """Return one of the six series that are published. Raises BadCall for anything else."""
    known = [entry.series for entry in load(METHODOLOGY).series]
    if asked not in known:
        raise _unknown_series(asked, known)
    return asked


def _unknown_series(asked: str, choices: Sequence[str]) -> BadCall:
    close = get_close_matches(asked.lower(), choices, n=1)
    meant = f"Did you mean {close[0]}? " if close else ""
    return BadCall("series_unknown", f"series {asked!r} is unknown", f"{meant}Known: {', '.join(choices)}.")


def instant_of_text(text: str | None, option: str) -> int | None:
    """Return the instant the user typed, None for none. Raises BadCall."""
    try:
        return None if text is None else parse_instant(text)
    except ValueError:
        raise BadCall(
            "instant_invalid",
            f"{option}: {text!r} is not an instant in UTC",
            "Write instants as YYYY-MM-DDTHH:MM:SSZ, such as 2026-06-21T14:00:00Z.",
        ) from None


def days_in_order(first: str | None, last: str | None) -> tuple[int | None, int | None]:
    """Return the days of --from and --to. Raises BadCall when the first is after the last."""
    first_day, last_day = day_of_text(first, "--from"), day_of_text(last, "--to")
    if first_day is not None and last_day is not None and first_day > last_day:
        raise BadCall(
            "dates_out_of_order", f"--from {first} is after --to {last}", "Give the earlier date to --from."
        )
    return first_day, last_day


def published_vintage(published: Published, series: str, day: int, asked: int | None) -> Vintage:
    """Return the vintage asked for, without one the one in force. Raises AnswerIsNo where there is none."""
    key = (series, METHODOLOGY, format_date(day))
    vintages = published.vintages.of(key)
    in_force = published.vintages.in_force(key)
    if asked is None and in_force is not None:
        return in_force
    if asked is not None and asked < len(vintages):
        return vintages[asked]
    held = (
        f"{format_date(day)} has {counted(len(vintages), 'vintage')}"
        if vintages
        else "it was never published"
    )
    raise AnswerIsNo(
        "not_published",
        f"{series} of {format_date(day)}{'' if asked is None else f', vintage {asked}'}: {held}",
        "`mtok publish` publishes what is due.",
    )


class Records:
    """The records of a store, as known at `as_of` (an instant; None: the latest of all).

    What is published is read as it was published and known then; what is not, and with `determined` everything, as it
    was determined. methodology : the version that made them; of any but 1.0 nothing is published

    Raises BadCall for a version that is unknown.
    """

    def __init__(
        self,
        store: Path | None,
        as_of: int | None,
        *,
        determined: bool = False,
        methodology: str = METHODOLOGY,
    ) -> None:
        self.store = Store.open(named_store(store))
        self.as_of = as_of
        self._methodology = load(methodology).methodology
        self._folder = Determinations(self.store, methodology)
        determined = determined or methodology != METHODOLOGY
        self._published = None if determined else _published(self.store)
        self._names = self._published.series() if self._published else []
        self.held = sorted({*self._folder.series(), *self._names})

    def resolve(self, asked: str) -> str:
        """Return the series id that `asked` means: itself, or the only source's where rankings-daily has none.

        Raises BadCall for an unknown series, or one that several other sources have.
        """
        if asked in self.held:
            return asked
        known = [entry.series for entry in load(METHODOLOGY).series]
        elsewhere = [series for series in self.held if series.endswith(f":{asked}")]
        if asked in known and len(elsewhere) == 1:
            return elsewhere[0]
        if asked in known and elsewhere:
            raise BadCall(
                "series_ambiguous",
                f"several volume sources have {asked}",
                f"Name one: {', '.join(elsewhere)}.",
            )
        if asked in known:
            return asked
        raise _unknown_series(asked, sorted({*known, *self.held}))

    def of_source(self, asked: str | None) -> list[str]:
        """Return the ids of every series of a volume source, in the order of R-1.

        Without `asked`: rankings-daily where it has records, else the only source. Raises BadCall when that is
        not one.
        """
        sources = sorted({series.rpartition(":")[0] or RANKINGS_DAILY for series in self.held})
        source = asked or (RANKINGS_DAILY if RANKINGS_DAILY in sources or not sources else sources[0])
        if (asked is None and source != RANKINGS_DAILY and len(sources) > 1) or (
            asked and sources and asked not in sources
        ):
            raise BadCall(
                "volume_source_unknown",
                f"volume source {asked or 'unnamed'!r} among {', '.join(sources)}",
                "Name one of them with --volume-source.",
            )
        prefix = "" if source == RANKINGS_DAILY else f"{source}:"
        return [prefix + entry.series for entry in load(METHODOLOGY).series]

    def read(
        self, series: str, first_day: int | None = None, last_day: int | None = None
    ) -> list[Determination]:
        """Return the records of a series in order of date."""
        if self._published and series in self._names:
            return [*self._published.read(series, METHODOLOGY, first_day, last_day, as_of=self.as_of)]
        return self._folder.read(series, first_day, last_day, as_of=self.as_of)

    def history(
        self, series: Sequence[str], asked: int | None, days: int = 30
    ) -> tuple[dict[str, list[Determination]], int]:
        """Return the records of the series over the `days` up to a day, and that day: the one asked for, else the
        latest that any of them has a value of, else a record. Raises AnswerIsNo when none has one.
        """
        dates = self.dates(series)
        if not dates or (asked is not None and format_date(asked) not in dates):
            of = "" if asked is None else f" of {format_date(asked)}"
            raise self.nothing(series, f"no company has a record{of}")
        day = self._last_printed(series, dates) if asked is None else asked
        return {name: self.read(name, day - days + 1, day) for name in series}, day

    def _last_printed(self, series: Sequence[str], dates: Sequence[str]) -> int:
        for day in map(parse_date, reversed(dates)):
            if any(record.value for name in series for record in self.read(name, day, day)):
                return day
        return parse_date(dates[-1])

    def dates(self, series: Sequence[str]) -> list[str]:
        """Return the dates on which any of the series has a record, in order."""
        return sorted({date for name in series for date in self._dates(name, self.as_of)})

    def _dates(self, series: str, as_of: int | None) -> list[str]:
        if self._published and series in self._names:
            return [one.date for one in self._published.in_force(series, METHODOLOGY, as_of=as_of)]
        return self._folder.dates(series, as_of=as_of)

    def nothing(self, series: Sequence[str], found: str) -> AnswerIsNo:
        """Return the error that there is no record, with the dates there are."""
        dates = self.dates(series)
        seen = "" if self.as_of is None else f" as known at {format_instant(self.as_of)}"
        held = f"{counted(len(dates), 'day')} from {dates[0]} to {dates[-1]}" if dates else ""
        if self._published:
            there = f"There are published records of {held}; " if held else "Nothing was published by then; "
            remedy = f"{there}--determined shows what is determined and not published."
        elif dates:
            remedy = f"There are records of {held}; `{self._determine}` makes more."
        elif self.as_of is not None and any(self._dates(name, None) for name in series):
            remedy = f"There are others: leave out --as-of, or run `{self._determine}` with the same --as-of."
        else:
            remedy = f"Run `{self._determine}`; it says which days {self.store.path} has volumes of."
        return AnswerIsNo("no_record", f"{found}{seen}", remedy)

    @property
    def _determine(self) -> str:
        chosen = "" if self._methodology == METHODOLOGY else f" --methodology {self._methodology}"
        return f"mtok determine{chosen}"

    def earlier(self, record: Determination) -> Determination | None:
        """Return the record that a move starts from, None unless it is to the byte the one the move names."""
        if record.move is None:
            return None
        date, sha256 = record.move.from_date, record.move.from_sha256
        if self._published and isinstance(record, PublishedRecord):
            vintages = self._published.vintages.of((record.series, record.methodology, date))
            published = map(self._published.record, vintages)
            return next((one for one in published if one.determination_sha256 == sha256), None)
        found = self.read(record.series, parse_date(date), parse_date(date))
        return found[0] if found and found[0].sha256 == sha256 else None


def _published(store: Store) -> Published | None:
    """Return what a store has published, None when nothing."""
    if not (store.path / "publication" / "log" / "checkpoint").exists():
        return None
    from mtok.publication.published import FOLDER, Published

    return Published(store.path / FOLDER)
